"""The driver is killed: nothing torn is seen, nothing is lost, and one plain run heals it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from sinagot import Workspace
from sinagot.testing import await_true, make_workspace
from tests.chaos.conftest import (
    HALVES,
    WHOLE,
    StartProgram,
    await_half,
    driver,
    heal,
    let_go,
    litter,
    outputs,
    statuses,
)

pytestmark = pytest.mark.chaos

MODES = pytest.mark.parametrize("mode", ["main_process", "processes", "dask"])


@MODES
def test_driver_killed_in_mid_write(mode: str, tmp_path: Path, start: StartProgram) -> None:
    """A killed driver leaves no half output and no process; the jobs it had begun are INTERRUPTED, and are done next."""
    workspace = make_workspace(tmp_path, records=["R1", "R2", "R3"], scripts={"a": HALVES})
    program = start(driver(workspace, mode=mode, **({} if mode == "main_process" else {"workers": 2})))
    begun = ("R1",) if mode == "main_process" else ("R1", "R2")
    await_half(workspace, *begun)
    running = [20 if record_id in begun else 10 for record_id in ("R1", "R2", "R3")]
    assert statuses(workspace) == running
    program.signal(signal.SIGKILL)
    assert program.wait() == -signal.SIGKILL
    program.assert_no_orphans()
    assert statuses(workspace) == [42 if status == 20 else status for status in running]
    assert outputs(workspace) == {}
    let_go(workspace)
    heal(workspace, left=3)
    assert set(outputs(workspace).values()) == {WHOLE}
