"""Every system call with which a run changes anything is hurt once: the driver dies at it, or the drive refuses it."""

from __future__ import annotations

import random
import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest

from sinagot import Workspace
from sinagot.testing import make_workspace, script_text
from tests.chaos.conftest import FULL, StartProgram, heal, outputs, statuses

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]

#: What changes a drive, or tells of what was changed. Opening and closing files is done thousands of times by imports:
#: `test_driver_death` has the opening; what comes after a close comes before the next of these.
CALLS = ("write", "rename", "link", "unlink", "mkdir", "rmdir", "fsync", "flock", "ftruncate", "pwrite64")
ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EINTR")
#: Of so many places `make test` chooses some by chance, `make chaos` takes all.
FEW = 4

RUN = """
import os, sys
from pathlib import Path
if "inside" not in sys.argv:
    os.execvp("strace", ["strace", "-f", "-qq", "-o", {told!r}, "-e", "trace={calls}", *{rule!r},
                         sys.executable, "-B", __file__, "inside"])
from sinagot import Workspace
report = Workspace({folder!r}).steps.run(printing=False)
print("ENDED", dict(report.counts), [group.message for group in report.failures], report.warnings)
sys.exit(0 if report.ok else 3)
"""


def two_records(folder: Path) -> Workspace:
    """Make a workspace of two records and two steps, one of which has two outputs."""
    two = "for path in self.path.output.values():\n    path.write_text(path.name)\n"
    one = "self.path.output.write_text(self.path.output.name)"
    both = {"a": ("out", "a-{id}.txt"), "b": ("out", "b-{id}.txt")}
    scripts = {"two": script_text(two, path_out=both), "one": script_text(one, both, ("out", "c-{id}.txt"))}
    return make_workspace(folder, records=["R", "S"], scripts=scripts)


def traced(start: StartProgram, folder: Path, calls: str, *rule: str) -> tuple[int, str, str]:
    """Run all steps under strace; give the exit code, what was said, and the calls."""
    told = folder.with_name(f"{folder.name}.calls")
    program = start(RUN.format(told=str(told), calls=calls, rule=list(rule), folder=str(folder)))
    code = program.wait()
    return code, program.said, told.read_text(errors="replace")


def check(workspace: Workspace) -> None:
    """Check that each output is absent or whole, that the status knows which, and that one plain run heals all."""
    for name, text in outputs(workspace).items():
        assert text == name, f"torn: {name}"
    there = len(outputs(workspace))
    done = statuses(workspace).count(30)
    assert done <= there, "done is what is there"
    heal(workspace)
    assert sorted(outputs(workspace)) == [f"{part}-{record}.txt" for part in "abc" for record in "RS"]


@pytest.fixture
def places(tmp_path: Path, start: StartProgram, request: pytest.FixtureRequest) -> list[tuple[str, int]]:
    """List each call of an undisturbed run by its name and its number among those of that name."""
    two_records(tmp_path / "plain")
    code, said, calls = traced(start, tmp_path / "plain", ",".join(CALLS))
    assert code == 0, said
    counts = Counter(line.split("(")[0].split()[-1] for line in calls.splitlines() if "(" in line)
    found = [(call, number) for call in CALLS for number in range(1, counts[call] + 1)]
    assert len(found) > 60 and {"write", "rename", "link", "fsync"} <= counts.keys(), counts
    seed = request.config.getoption("randomly_seed", 0)
    return found if FULL else random.Random(seed).sample(found, FEW)


def test_driver_dies_at_any_call(tmp_path: Path, start: StartProgram, places: list[tuple[str, int]]) -> None:
    """Wherever a driver is killed as it changes something, no output is torn, and one plain run does the rest."""
    for place, (call, number) in enumerate(places):
        folder = tmp_path / f"killed-{place}"
        workspace = two_records(folder)
        code, said, _ = traced(start, folder, call, "-e", f"inject={call}:signal=KILL:when={number}")
        assert code in (0, -signal.SIGKILL, 128 + signal.SIGKILL), (call, number, said)
        check(workspace)
        workspace.close()
        shutil.rmtree(folder)


@pytest.mark.parametrize("error", ERRORS)
def test_drive_refuses_any_call(
    error: str, tmp_path: Path, start: StartProgram, places: list[tuple[str, int]]
) -> None:
    """Whichever call fails, the run ends, says what failed or could do without, and one plain run does the rest."""
    problems = []
    for place, (call, number) in enumerate(places):
        folder = tmp_path / f"refused-{place}"
        workspace = two_records(folder)
        rule = f"inject={call}:error={error}:when={number}"
        code, said, calls = traced(start, folder, call, "-e", rule)
        assert "(INJECTED)" in calls, (call, number)
        is_told = "ENDED" in said or "StorageError" in said
        if code not in (0, 1, 3) or not is_told or (code == 0 and statuses(workspace) != [30] * 4):
            problems.append(f"{call} {number}: {code} {said}")
        check(workspace)
        workspace.close()
        shutil.rmtree(folder)
    assert not problems, "\n".join(problems)
