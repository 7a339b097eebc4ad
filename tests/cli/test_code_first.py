"""The command line on workspaces that are classes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke
from tests.workflow.conftest import EXAMPLE, Write, module, root, seeds

__all__ = ["module", "root"]


@pytest.fixture
def words(module: Write, root: Path) -> list[str]:
    """What names the workspace of the example."""
    module("example_flow", EXAMPLE)
    return ["-w", f"example_flow:TestWorkspace={root}"]


def test_all_commands_open_a_class_on_a_folder(invoke: Invoke, words: list[str], root: Path) -> None:
    """records, status, run, why, logs and report work as on any workspace."""
    assert invoke(root, *words, "records").stdout.split() == ["001", "002"]
    done = invoke(root, *words, "run", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["counts"]["done"] == 2
    status = json.loads(invoke(root, *words, "status", "--json").stdout)
    assert "multiplied_data" in json.dumps(status)
    assert "multiplied_data: up to date" in invoke(root, *words, "why", "001").stdout
    (root / "params" / "factor").write_text("4")
    assert "input params/factor changed" in invoke(root, *words, "why", "001", "multiplied_data").stdout
    assert "Run finished" in invoke(root, *words, "logs", "001").stdout
    assert "Different from" not in invoke(root, *words, "runs", "show").stdout
    (last,) = json.loads(invoke(root, *words, "runs", "--json").stdout)["runs"]
    assert last["counts"]["done"] == 2
    assert "multiplied_data" in invoke(root, *words, "show", "001").stdout
    assert invoke(root, *words, "report", "flow").exit_code == 0
    assert invoke(root, *words, "check").exit_code == 0
    assert invoke(root, *words, "run", "--step", "final_data").exit_code == 0


def test_collection_that_lacks_somebody_says_so(invoke: Invoke, module: Write, tmp_path: Path) -> None:
    """`run` warns of whom a stored collection was made without, and `why` takes its name, whatever ids may be."""
    text = """
import sinagot as sg

@sg.step
def tens(number: int) -> int:
    if number == 2:
        raise ValueError("two is bad")
    return 10 * number

class Flow(sg.Workflow):
    number: int = sg.seed()
    ten: int = tens.step(number)

class Lab(sg.Workspace[Flow]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    all_tens = sg.collect(Flow.ten).to("tens.csv")
"""
    module("tens_flow", text)
    lab = ["-w", f"tens_flow:Lab={seeds(tmp_path / 'data', 3)}"]
    done = invoke(tmp_path, *lab, "run")
    said = "made without 1 record that failed: W00002 (ValueError: two is bad)"
    assert done.exit_code == 0 and f"all_tens: {said}; the next run tries again" in done.stderr
    why = invoke(tmp_path, *lab, "why", "all_tens").stdout
    assert why.startswith("all_tens: would run") and said in why


def test_relative_folder_starts_where_the_user_is(invoke: Invoke, words: list[str], root: Path) -> None:
    """The folder behind the sign of equality is a path as on any command line."""
    relative = f"example_flow:TestWorkspace={root.name}"
    assert invoke(root.parent, "-w", relative, "records").stdout.split() == ["001", "002"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("example_flow:Nothing=.", "has no class 'Nothing'"),
        ("no_such_flow:Workspace=.", "no module 'no_such_flow'"),
        ("example_flow:TestWorkflow=.", "is no workspace class of workflows"),
        ("example_flow:TestWorkspace=nowhere", "no such folder"),
    ],
)
def test_class_that_is_not_there_ends_with_4(
    invoke: Invoke, words: list[str], tmp_path: Path, name: str, said: str
) -> None:
    """A wrong name is said in words."""
    result = invoke(tmp_path, "-w", name, "status")
    assert result.exit_code == 4
    assert said in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("raise ValueError('my own fault')", "ValueError: my own fault"),
        ("def wrong(:", "SyntaxError: invalid syntax"),
        ("import not_installed_anywhere", "ModuleNotFoundError: No module named 'not_installed_anywhere'"),
        ("raise SystemExit('enough')", "SystemExit: enough"),
        ("import json; json.loads('{')", "JSONDecodeError"),
        ("class Lab(sg.Workspace[Flow]): pass", "Lab.number: a seed must be stored somewhere"),
    ],
    ids=["exception", "syntax", "import", "exit", "within a library", "workflow"],
)
def test_module_that_fails_is_blamed_with_its_line(
    invoke: Invoke, module: Write, tmp_path: Path, line: str, said: str
) -> None:
    """What the user's module does wrong is said with module, file, line and the exception, and ends with 4."""
    module("broken_flow", "")
    text = f"import sinagot as sg\nclass Flow(sg.Workflow):\n    number: int = sg.seed()\n\n{line}\n"
    (tmp_path / "code" / "broken_flow.py").write_text(text)
    sys.modules.pop("broken_flow")
    result = invoke(tmp_path, "-w", f"broken_flow:Lab={tmp_path}", "status")
    assert result.exit_code == 4
    assert said in result.stderr
    assert "module 'broken_flow' cannot be imported" in result.stderr
    assert "code/broken_flow.py:5: " in result.stderr
    assert "error of sinagot" not in result.stderr


def test_class_that_cannot_be_used_ends_with_4(invoke: Invoke, words: list[str], root: Path) -> None:
    """What is wrong with a storage and is seen when the folder is opened is the user's, too."""
    text = EXAMPLE.replace("computed/multiplied_data-{workflow_id}.csv", "computed/all.csv")
    (root.parent / "code" / "example_flow.py").write_text(text)
    sys.modules.pop("example_flow")
    result = invoke(root, *words, "status")
    assert result.exit_code == 4
    assert "put {workflow_id} into the path" in result.stderr
