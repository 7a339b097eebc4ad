"""The example of the documentation, word for word."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import sinagot as sg
from tests.workflow.conftest import EXAMPLE, Write

READING = """
ws = TestWorkspace({root!r})
wf = ws["001"]
print(wf.multiplied_data.to_csv(index=False))
print(wf.final_data)
"""


def run_program(folder: Path, text: str) -> str:
    """Run a program of its own and give what it prints."""
    (folder / "program.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_example_runs_word_for_word_in_a_fresh_folder(root: Path, tmp_path: Path) -> None:
    """Both values are right, the CSV is made with its folder and without an index, and nothing else is stored."""
    shown = run_program(tmp_path, EXAMPLE + READING.format(root=str(root)))
    assert shown == "a,b\n3,6\n9,12\n\n3\n"
    assert (root / "computed" / "multiplied_data-001.csv").read_text() == "a,b\n3,6\n9,12\n"
    made = {path.name for path in root.iterdir()}
    assert made == {"raw_data", "params", "computed", ".sinagot", "LOG"}
    assert [path.name for path in (root / "computed").iterdir()] == ["multiplied_data-001.csv"]


def test_stored_steps_do_not_run_again_in_a_new_process(root: Path, tmp_path: Path) -> None:
    """What is stored is read; a step that is deleted from storage is computed again."""
    noisy = EXAMPLE.replace("    return df * factor", "    print('multiply runs')\n    return df * factor")
    program = noisy + READING.format(root=str(root))
    assert run_program(tmp_path, program).count("multiply runs") == 1
    assert run_program(tmp_path, program).count("multiply runs") == 0
    (root / "computed" / "multiplied_data-001.csv").unlink()
    assert run_program(tmp_path, program).count("multiply runs") == 1
    assert (root / "computed" / "multiplied_data-001.csv").read_text() == "a,b\n3,6\n9,12\n"


def test_functions_stay_callable(module: Write) -> None:
    """A decorated function is the function that it was."""
    example = module("example_flow", EXAMPLE)
    assert example.get_single_data(example.pd.DataFrame({"a": [7]})) == 7
    assert example.multiply.__name__ == "multiply"


def test_workspace_is_a_mapping_of_its_complete_workflows(module: Write, root: Path) -> None:
    """Ids are those of which every seed is there; all ways to ask agree, and none computes anything."""
    example = module("example_flow", EXAMPLE)
    ws = example.TestWorkspace(root)
    assert list(ws) == ["001", "002"] == list(ws.keys())
    assert len(ws) == 2
    assert "001" in ws and "003" not in ws and 1 not in ws
    assert ws.get("003") is None
    assert repr(ws["001"]) == "TestWorkflow('001')"
    assert repr(ws) == f"TestWorkspace({str(root)!r})"
    assert [repr(wf) for wf in ws.values()] == ["TestWorkflow('001')", "TestWorkflow('002')"]
    assert ws == ws and len({ws, ws}) == 1
    assert not (root / ".sinagot").exists()
    assert not (root / "computed").exists()
    assert ws.root_path == root
    assert ws.workflow_class is example.TestWorkflow
    assert isinstance(ws, sg.Workspace)


def test_unknown_id_names_near_ones(module: Write, root: Path) -> None:
    """An id that is not there is a KeyError that says which are like it; a workflow of it can be made on purpose."""
    ws = module("example_flow", EXAMPLE).TestWorkspace(root)
    with pytest.raises(KeyError, match="did you mean '001'") as caught:
        ws["0011"]
    assert caught.value.workflow_id == "0011"
    wf = ws.workflow("0011")
    with pytest.raises(sg.StoredDataError, match="raw_data") as missing:
        wf.final_data
    assert isinstance(missing.value, FileNotFoundError)
    with pytest.raises(sg.StoredDataError, match="not there"):
        wf.raw_data


def test_class_of_workspaces_is_one_for_each_workflow_class(module: Write) -> None:
    """`sg.Workspace[W]` gives the same class each time, derived from the one Workspace."""
    example = module("example_flow", EXAMPLE)
    kind = sg.Workspace[example.TestWorkflow]
    assert kind is sg.Workspace[example.TestWorkflow]
    assert issubclass(example.TestWorkspace, kind)
    assert issubclass(kind, sg.Workspace)


def test_status_and_logs_are_those_of_any_workspace(module: Write, root: Path) -> None:
    """A workflow is a record, a node is a step: status, logs and runs are asked for as everywhere."""
    ws = module("example_flow", EXAMPLE).TestWorkspace(root)
    assert ws["001"].final_data == 3
    status = ws.records.get("001").steps.status()
    assert dict(zip(status["step_label"], status["step_status"], strict=True)) == {
        "multiplied_data": sg.StepStatus.DONE,
        "final_data": sg.StepStatus.DATA_READY,
    }
    lines = ws.records.get("001").logs_json()
    said = [(line["step_label"], line["step_status"]) for line in lines]
    assert said == [(label, code) for label in ("multiplied_data", "final_data") for code in (0, 20, 30)]
    report = ws.steps.run(printing=False)
    assert report.counts["done"] == 1, (
        "of the other workflow what is stored; values are made when they are asked for"
    )
    assert (root / "computed" / "multiplied_data-002.csv").exists()
    assert ws.steps.run(printing=False).counts["done"] == 0
