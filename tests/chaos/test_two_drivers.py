"""Two programs at once on one workspace, step by step."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from sinagot.testing import await_true, make_workspace, script_text
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
    owners = workspace.data_path / ".sinagot" / "owners"
    # It shows itself when it has planned the job, and is about to ask for it.
    await_true(lambda: len(list(owners.iterdir())) == 2, "the second driver is at the job")
    assert statuses(workspace) == [20] and second.process.poll() is None
    let_go(workspace)
    assert (first.wait(), second.wait()) == (0, 0)
    assert first.ended()[1] == {"done": 1}
    assert second.ended()[1] == {"done_elsewhere": 1}
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


#: Drivers of the array, those of them that are killed and started again, and records.
MEMBERS, REQUEUED, RECORDS = (50, 20, 150) if os.environ.get("SINAGOT_CHAOS") == "full" else (12, 4, 36)


@pytest.mark.slow
def test_array_whose_members_are_killed_and_started_again(tmp_path: Path, start: StartProgram) -> None:
    """Many drivers at once, of which some are killed and start anew: all is done once, but for what was under way at a kill."""
    # The last records wait until all was killed that is to be: there is always somebody at work.
    body = f"""
        with open(self.data_path / "begun.txt", "a") as begun:
            begun.write(f"{{os.getpid()}} {{self.id}}\\n")
        if self.id >= "R{RECORDS - MEMBERS:03}":
            await_file(self.data_path / "enough")
        with self.path.output.open("w") as file:
            for _ in range(10):
                file.write(self.id)
                file.flush()
                time.sleep(0.01)
    """
    records = [f"R{number:03}" for number in range(RECORDS)]
    script = script_text(body, before=WAITING)
    workspace = make_workspace(tmp_path, records=records, scripts={"a": script})
    file = workspace.data_path / "begun.txt"

    def begun() -> list[list[str]]:
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    programs = [start(driver(workspace)) for _ in range(MEMBERS)]
    lot = random.Random(20261121)
    last: set[str] = set()
    seen = 1
    for _ in range(REQUEUED):
        await_true(lambda seen=seen: len(begun()) > seen, "scripts begin")
        # One that is at it: what it has begun last may have to be done again.
        busy = [
            program for program in programs if any(line[0] == str(program.process.pid) for line in begun())
        ]
        victim = lot.choice([program for program in busy if program.process.poll() is None])
        seen = len(begun())  # what the victim was at begins once more
        victim.signal(signal.SIGKILL)
        victim.wait()
        last.add([record for pid, record in begun() if pid == str(victim.process.pid)][-1])
        programs.remove(victim)
        programs.append(start(driver(workspace)))
    (workspace.data_path / "enough").touch()
    assert [program.wait(90) for program in programs] == [0] * MEMBERS, [program.said for program in programs]
    times = Counter(record for _, record in begun())
    assert set(times) == set(records)
    assert {record for record, count in times.items() if count > 1} <= last
    assert all(count <= 1 + REQUEUED for count in times.values())
    assert outputs(workspace) == {f"{record}.txt": record * 10 for record in records}
    heal(workspace, left=0)
