"""One folder, two doors: scripts of a TOML and nodes of a class, on one engine, in one status, in one log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import sinagot as sg
from sinagot.errors import WorkflowError
from tests.workflow.conftest import Write

SCRIPT = """
from sinagot import ScriptTemplate

class Script(ScriptTemplate):
    PATH_IN = ("raw", "{task}", "{id}.txt")
    PATH_OUT = ("clean", "{id}-{task}-{modality}.txt")

    def run(self):
        with open(self.data_path / "calls", "a") as file:
            file.write(f"{self.id}\\n")
        self.path.output.write_text(self.path.input.read_text().upper())
"""

TOML = """
[records]
id_pattern = 'S\\d+'

[tasks.RS]
modalities = ["EEG"]

[modalities.EEG]
scripts = ["preprocess"]

[workflow]
class = "both_flow:LabWorkspace"
"""

FLOW = """
from pathlib import Path
import sinagot as sg

@sg.step
def length(text: str) -> int:
    return len(text)

class Lab(sg.Workflow):
    raw: str = sg.seed()
    eeg: str = sg.script("preprocess", task="RS", modality="EEG")
    place = sg.script("preprocess", task="RS", modality="EEG")
    letters: int = length.step(eeg)

class LabWorkspace(sg.Workspace[Lab]):
    raw = sg.LocalStorage("dataset/raw/RS/{workflow_id}.txt")
    letters = sg.LocalStorage("computed/{workflow_id}.txt")
"""


@pytest.fixture
def lab(tmp_path: Path, module: Write) -> Path:
    """A folder with a configuration, a script, two recordings; and a module with a workflow class."""
    folder = tmp_path / "lab"
    (folder / "dataset" / "raw" / "RS").mkdir(parents=True)
    (folder / "scripts" / "EEG").mkdir(parents=True)
    (folder / "workspace.toml").write_text(TOML)
    (folder / "scripts" / "EEG" / "preprocess.py").write_text(SCRIPT)
    for one, text in (("S1", "abc"), ("S2", "de")):
        (folder / "dataset" / "raw" / "RS" / f"{one}.txt").write_text(text)
    module("both_flow", FLOW)
    return folder


def calls(lab: Path) -> list[str]:
    """Give the records for which the script has run."""
    file = lab / "dataset" / "calls"
    return sorted(file.read_text().split()) if file.exists() else []


def test_script_that_was_run_from_toml_is_not_run_again(lab: Path) -> None:
    """What the TOML door has made is read through the other; status and logs show both kinds."""
    ws = sg.Workspace(lab)
    assert ws.steps.run(printing=False).ok
    wf = ws.workflows["S1"]
    assert (wf.eeg, wf.letters) == ("ABC", 3)
    assert wf.place == lab / "dataset" / "clean" / "S1-RS-EEG.txt"
    assert calls(lab) == ["S1", "S2"]
    status = ws.workflows.records.get("S1").steps.status()
    assert list(zip(status["step_label"], status["step_status"], strict=True)) == [
        ("preprocess", 30),
        ("letters", 30),
    ]
    assert {line["step_label"] for line in ws.records.get("S1").logs_json()} == {"preprocess", "letters"}
    assert set(ws.workflows.records.get("S1").logs()["step_label"]) == {"preprocess", "letters"}


def test_script_runs_for_a_node_that_needs_it(lab: Path) -> None:
    """Through the class a script is a node: it runs when its output is asked for and not there, and once."""
    ws = sg.Workspace(lab).workflows
    assert ws["S2"].letters == 2
    assert calls(lab) == ["S2"]
    report = ws.compute("letters")
    assert (report.counts["done"], report.counts["up_to_date"]) == (2, 2)
    assert calls(lab) == ["S1", "S2"]
    assert sg.Workspace(lab).steps.run(printing=False).counts["up_to_date"] == 2
    (lab / "dataset" / "clean" / "S1-RS-EEG.txt").write_text("LONGER")
    assert ws["S1"].letters == 6


def test_steps_of_the_class_run_with_those_of_the_file(lab: Path) -> None:
    """A run of the bound workspace runs both kinds, in order, also on workers; narrowing by task means scripts alone."""
    with sg.Workspace(lab).workflows as ws:
        assert ws.RS.steps.run(printing=False).counts["done"] == 2
        report = ws.steps.run(printing=False, workers=2)
        assert (report.counts["done"], report.counts["up_to_date"]) == (2, 2)
        assert ws.steps.run("letters", printing=False).counts["up_to_date"] == 2
        assert [wf.letters for wf in ws.values()] == [3, 2]


def test_script_that_fails_is_told_through_the_node(lab: Path) -> None:
    """The script's own exception is the cause; its record shows the failure through both doors."""
    (lab / "scripts" / "EEG" / "preprocess.py").write_text(SCRIPT.replace(".upper()", ".lowest()"))
    ws = sg.Workspace(lab)
    with pytest.raises(sg.StepFailedError, match=r"preprocess.*AttributeError") as caught:
        ws.workflows["S1"].letters
    assert caught.value.node == "preprocess"
    assert isinstance(caught.value.__cause__, AttributeError)
    assert ws.records.get("S1").RS.EEG.steps.get("preprocess").status() == sg.StepStatus.ERROR


def test_script_that_is_not_configured_is_told(lab: Path, module: Write) -> None:
    """A node names a script of the configuration; one that is not there is told with near ones."""
    module("both_flow", FLOW.replace('sg.script("preprocess", task="RS"', 'sg.script("preproces", task="RS"'))
    ws = sg.Workspace(lab).workflows
    with pytest.raises(
        WorkflowError, match=r"no script 'preproces' of RS and EEG.*did you mean 'preprocess'"
    ):
        ws["S1"].letters


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("both_flow", "names no class"),
        ("both_flow:Lab", "no workspace class"),
        ("both_flow:LabWorkspac", "did you mean 'LabWorkspace'"),
        ("no_such_flow:Lab", "no module 'no_such_flow'"),
    ],
)
def test_wrong_name_of_a_class_is_told(lab: Path, name: str, said: str) -> None:
    """What `[workflow] class` names is looked up when it is asked for, and told when it is not there."""
    (lab / "workspace.toml").write_text(TOML.replace("both_flow:LabWorkspace", name))
    with pytest.raises(sg.ConfigurationError, match=said):
        sg.Workspace(lab).workflows
    (lab / "workspace.toml").write_text(TOML.partition("[workflow]")[0])
    with pytest.raises(sg.ConfigurationError, match=r"workflow\.class: it is not there"):
        sg.Workspace(lab).workflows


def test_workflows_are_ended_with_the_workspace(lab: Path) -> None:
    """Closing the workspace ends the run of what was computed on demand: nobody holds anything."""
    with sg.Workspace(lab) as ws:
        workflows: Any = ws.workflows
        assert workflows["S1"].letters == 3
    owners = lab / "dataset" / ".sinagot" / "owners"
    assert not owners.exists() or list(owners.iterdir()) == []
    assert list((lab / "dataset" / ".sinagot" / "claims").iterdir()) == []
