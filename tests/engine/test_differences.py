"""What is said of failing and passing records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sinagot import Workspace
from sinagot.engine.accounts.report import FailureGroup
from sinagot.testing import make_workspace, script_text

WRITE = "self.path.output.write_text('x')"
#: Fails for texts of more than 50 kB.
PICKY = script_text(f"assert len(self.path.input.read_text()) < 50_000, 'too long'\n{WRITE}")


@pytest.fixture
def failures(tmp_path: Path) -> Callable[..., list[FailureGroup]]:
    """Give a function that runs all steps and gives the groups."""

    def run(step: str | None = None, **what: Any) -> list[FailureGroup]:
        workspace = make_workspace(tmp_path / "lab", kind=Workspace, **what)
        return workspace.steps.run(step, printing=False).failures

    return run


def test_failing_inputs_are_larger(failures: Callable[..., list[FailureGroup]]) -> None:
    """Inputs of failing records are compared with those of records that passed."""
    records = {"A1": "a" * 1000, "A2": "a" * 2000, "B1": "b" * 80_000, "B2": "b" * 90_000}
    (group,) = failures(records=records, scripts={"a": PICKY})
    assert group.records == ("B1", "B2")
    assert group.differences == ("input size: failing 80 kB to 90 kB, others 1 kB to 2 kB",)


def test_alike_records_are_not_told_apart(failures: Callable[..., list[FailureGroup]]) -> None:
    """Where sizes are alike nothing is said, nor where nobody passed."""
    body = f"assert self.id != 'A1' and 'all' not in self.path.input.read_text()\n{WRITE}"
    (group,) = failures(records={"A1": "a" * 20_000, "A2": "a" * 21_000}, scripts={"a": script_text(body)})
    assert group.differences == ()


def test_another_task_passes(failures: Callable[..., list[FailureGroup]]) -> None:
    """A script that fails in one task only is told so."""
    body = f"assert self.task != 'B', 'not made for B'\n{WRITE}"
    script = script_text(body, path_out=("{task}", "{id}.txt"))
    (group,) = failures(tasks={"A": ["EEG"], "B": ["EEG"]}, modalities={"EEG": {"a": script}})
    assert group.differences == ("fails in task B, passes in A",)


def test_input_that_vanished_is_passed_over(tmp_path: Path) -> None:
    """What is not there any more when somebody asks is left out."""
    records = {"A1": "a" * 1000, "B1": "b" * 80_000}
    workspace = make_workspace(tmp_path / "lab", records=records, scripts={"a": PICKY})
    (group,) = workspace.steps.run(printing=False).failures
    (workspace.data_path / "raw" / "B1.txt").unlink()
    assert group.differences == ()
