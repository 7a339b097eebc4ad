"""The command line on workspaces that are classes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke
from tests.workflow.conftest import EXAMPLE, Write, module, root

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
    assert invoke(root, *words, "report", "flow").exit_code == 0
    assert invoke(root, *words, "check").exit_code == 0
    assert invoke(root, *words, "run", "--step", "final_data").exit_code == 0


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
