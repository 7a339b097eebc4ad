"""Standard streams that are closed, full, or read by nobody: no work is lost, and no traceback is shown."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sinagot import Workspace
from sinagot.testing import make_workspace, script_text
from tests.chaos.conftest import (
    ROOT,
    each_mode,
    heal,
    statuses,
)

pytestmark = pytest.mark.chaos

SPEAKING = script_text(
    """
    print("said by a script")
    os.system("echo said by a program")
    self.path.output.write_text("whole")
    """
)


def shell(workspace: Workspace, line: str) -> tuple[int, str]:
    """Let a shell run a line, in which SINAGOT is the command line on a workspace; give its code and what was said."""
    command = shlex.join([sys.executable, "-m", "sinagot", "-w", str(workspace.data_path.parent)])
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line.replace('SINAGOT', command)}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )
    return done.returncode, done.stdout


#: What stands behind the command, and the exit code.
STREAMS = {
    "closed input": ("<&-", 0),
    "closed output": (">&-", 0),
    "closed errors": ("2>&-", 0),
    "all closed": ("<&- >&- 2>&-", 0),
    "full output": (">/dev/full", 0),
    "full errors": ("2>/dev/full", 0),
    "both full": (">/dev/full 2>/dev/full", 0),
    "reader that goes": ("| true", 141),
}
WORDS = {"main_process": "", "processes": "--jobs 1", "dask": "--dask --jobs 1"}


@each_mode
@pytest.mark.parametrize(("streams", "code"), STREAMS.values(), ids=STREAMS)
def test_run_with_odd_streams(streams: str, code: int, mode: str, tmp_path: Path) -> None:
    """A run does all its work whatever becomes of what it says, and its code tells of the work."""
    workspace = make_workspace(tmp_path, scripts={"a": SPEAKING})
    ended, said = shell(workspace, f"SINAGOT run {WORDS[mode]} {streams}")
    assert "Traceback" not in said
    assert ("Standard output can't be written" in said) == (streams == ">/dev/full")
    # A reader that goes may have gone before, or after, the last line was written.
    assert ended == code or (code == 141 and ended == 0)
    assert statuses(workspace) == [30, 30, 30]
    heal(workspace, left=0)


@pytest.mark.parametrize("words", ["status", "records", "logs REC-1", "why REC-1"])
def test_reading_with_odd_streams(words: str, tmp_path: Path) -> None:
    """Commands that only tell end with 0 or 141 where nobody listens, with 1 and one line where it can't be written."""
    workspace = make_workspace(tmp_path, records=300, scripts={"a": SPEAKING})
    assert workspace.records.get("REC-1").steps.run(printing=False).ok
    assert shell(workspace, f"SINAGOT {words} >&-") == (0, "")
    assert shell(workspace, f"SINAGOT {words} <&- | head -1 | wc -l")[1] == "1\n"
    code, said = shell(workspace, f"SINAGOT {words} | head -0")
    assert code in (0, 141) and said == ""
    assert shell(workspace, f"SINAGOT {words} >/dev/full") == (1, "Error: No space left on device\n")
