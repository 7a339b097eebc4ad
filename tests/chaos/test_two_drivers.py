"""Two programs at once on one workspace, step by step."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest

from sinagot.testing import make_workspace, script_text
from tests.chaos.conftest import (
    HALVES,
    WAITING,
    WHOLE,
    StartProgram,
    await_half,
    driver,
    heal,
    let_go,
    outputs,
    statuses,
)

pytestmark = pytest.mark.chaos


@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_second_driver_waits_for_what_the_first_has_begun(
    mode: str, tmp_path: Path, start: StartProgram
) -> None:
    """A driver that finds a job under way elsewhere waits for it and reports it as done elsewhere; both end well."""
    workspace = make_workspace(tmp_path, records=["R1"], scripts={"a": HALVES})
    first = start(driver(workspace))
    await_half(workspace, "R1")
    second = start(driver(workspace, mode=mode))
    assert statuses(workspace) == [20]
    let_go(workspace)
    assert (first.wait(), second.wait()) == (0, 0)
    assert first.ended()[1] == {"done": 1}
    (outcome,) = second.ended()[1]
    assert outcome in ("done_elsewhere", "up_to_date")  # the latter when it began after the first had ended
    heal(workspace, left=0)


def test_second_driver_takes_over_when_the_first_dies(tmp_path: Path, start: StartProgram) -> None:
    """A driver that waits for a job of another one does it when that one is killed."""
    workspace = make_workspace(tmp_path, records=["R1", "R2"], scripts={"a": HALVES})
    first = start(driver(workspace))
    await_half(workspace, "R1")
    second = start(driver(workspace))
    await_half(workspace, "R2")
    first.signal(signal.SIGKILL)
    first.wait()
    let_go(workspace)
    assert second.wait() == 0
    assert second.ended()[1] == {"done": 2}
    assert outputs(workspace) == {"R1.txt": WHOLE, "R2.txt": WHOLE}
    heal(workspace, left=0)


def test_failure_of_one_driver_is_told_by_both(tmp_path: Path, start: StartProgram) -> None:
    """A job that fails is tried once; both drivers report it, block its readers and end with the code for failures."""
    body = """
        with open(self.data_path / "begun.txt", "a") as begun:
            begun.write(f"{self.id} {self.label}\\n")
        tell(self.data_path / f"{self.id}.half", "1")
        await_file(self.data_path / "free")
        if self.id == "R1":
            raise ValueError("no good")
        self.path.output.write_text("")
    """
    scripts = {
        "a": script_text(body, before=WAITING, path_out=("a", "{id}.txt")),
        "b": script_text(body, ("a", "{id}.txt"), ("b", "{id}.txt"), before=WAITING),
    }
    workspace = make_workspace(tmp_path, records=["R1", "R2"], scripts=scripts)
    programs = [start(driver(workspace))]
    await_half(workspace, "R1")
    programs.append(start(driver(workspace)))
    await_half(workspace, "R2")  # the first one is at R1: this is the second
    let_go(workspace)
    assert [program.wait() for program in programs] == [3, 3]
    for program in programs:
        counts = program.ended()[1]
        assert (counts["failed"], counts["blocked"]) == (1, 1)
        assert counts.get("done", 0) + counts.get("done_elsewhere", 0) == 2
    begun = Counter((workspace.data_path / "begun.txt").read_text().splitlines())
    assert begun == {"R1 a": 1, "R2 a": 1, "R2 b": 1}
    assert statuses(workspace) == [40, 10, 30, 30] or statuses(workspace) == [40, 0, 30, 30]


@pytest.mark.slow
def test_many_drivers_at_once_do_each_job_once(tmp_path: Path, start: StartProgram) -> None:
    """Eight programs started together, as the members of an array are: each script runs once, all ends are good."""
    body = """
        with open(self.data_path / "begun.txt", "a") as begun:
            begun.write(f"{self.id}\\n")
        time.sleep(0.02)
        self.path.output.write_text(self.id)
    """
    records = [f"R{number:02}" for number in range(16)]
    workspace = make_workspace(tmp_path, records=records, scripts={"a": script_text(body)})
    programs = [start(driver(workspace)) for _ in range(8)]
    assert [program.wait(90) for program in programs] == [0] * 8, [program.said for program in programs]
    assert sorted((workspace.data_path / "begun.txt").read_text().split()) == records
    ends = [program.ended()[1] for program in programs]
    assert sum(counts.get("done", 0) for counts in ends) == 16
    assert all(sum(counts.values()) == 16 for counts in ends)
    heal(workspace, left=0)
