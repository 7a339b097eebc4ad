"""The story of docs/howto/nightly-run.md: new recordings by day, a night that is cut off, a service that comes back."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from sinagot.runlog.read import read_lines
from sinagot.schedule.diary import schedule_log
from sinagot.schedule.history.facts import State
from sinagot.testing import await_true
from tests.schedule.houses import FileClock, Lab, Servant
from tests.services import PostOffice

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "nightly-run.md"
#: Half past two in Paris.
FIRST = datetime(2026, 3, 3, 1, 30, tzinfo=UTC)
SECOND = FIRST + timedelta(days=1)

#: A program that notes each of its starts, and goes on as long as the file `stuck` names its record.
PROGRAM = "echo {id} >> ROOT/begun.txt; while grep -qsx {id} ROOT/stuck; do sleep 0.05; done; cat {input} > {output}"
TOML = """
[records]
id_pattern = 'REC-\\d+'
[steps]
scripts = ["clean"]
[steps.clean]
input = "raw/{id}.txt"
output = "clean/{id}.txt"
command = ["sh", "-c", "PROGRAM"]
[notify]
when = "failures"
"""


@pytest.fixture(scope="module")
def office() -> Iterator[PostOffice]:
    """Give a mail server."""
    with PostOffice() as office:
        yield office


class Study(Lab):
    """A workspace with the template of the page, and recordings that arrive."""

    def __init__(self, root: Path, office: PostOffice) -> None:
        toml = TOML.replace("PROGRAM", PROGRAM).replace("ROOT", str(root))
        super().__init__(root, template_of_the_page(), toml=toml + office.toml)
        (root / "scripts").mkdir()
        self.begun_file, self.stuck = root / "begun.txt", root / "stuck"
        self.clock = FileClock(root / "clock.txt")

    def arrive(self, *ids: str, text: str = "1") -> None:
        """Let recordings arrive, or others of the same name."""
        (self.root / "data" / "raw").mkdir(exist_ok=True)
        for one in ids:
            (self.root / "data" / "raw" / f"{one}.txt").write_text(text)

    def begun(self) -> list[str]:
        """Give the records whose program has begun since this was asked last."""
        found = self.begun_file.read_text().split()
        self.begun_file.write_text("")
        return found

    def made(self) -> dict[str, str]:
        """Give the results."""
        return {path.stem: path.read_text() for path in (self.root / "data" / "clean").iterdir()}

    def told(self) -> list[str]:
        """Give what the log of the schedule says, without names of runs and processes."""
        lines, _ = read_lines(str(self.root / "data" / "LOG"), schedule_log("night"))
        return [f"{line['level']} {line['message']}" for line in lines]


def template_of_the_page() -> str:
    """Give the template that the page shows."""
    return PAGE.read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]


def cut_power(servant: Servant, pid: int) -> None:
    """End a service, a run and all that it has started, at once and without a word."""
    run = psutil.Process(pid)
    for one in [run, *run.children(recursive=True)]:
        one.suspend()  # nobody sees another one die
    family = [run, *run.children(recursive=True)]
    servant.end(signal.SIGKILL)
    for one in family:
        one.kill()
    psutil.wait_procs(family, 60)


@pytest.mark.slow
def test_a_night_that_is_cut_off_is_taken_up_where_it_was(tmp_path: Path, office: PostOffice) -> None:
    """What arrived by day is processed at half past two and told by mail; after a power cut only what was left is done."""
    lab = Study(tmp_path / "study", office)
    try:
        _night_by_night(lab, office)
    finally:
        lab.close()


def _night_by_night(lab: Study, office: PostOffice) -> None:
    clock: Any = lab.clock
    clock.set(FIRST - timedelta(hours=12))
    service = lab.service()
    service.step()
    assert [f"{one:%d %H:%M}" for one in service.next_ticks("night", 2)] == ["03 01:30", "04 01:30"]
    lab.arrive("REC-1", "REC-2", "REC-3")
    clock.set(FIRST + timedelta(seconds=1))
    lab.drive(service, lambda: lab.states("night") == [State.DONE], "the first night is over")
    assert sorted(lab.begun()) == ["REC-1", "REC-2", "REC-3"]
    service.stop()
    service.run()

    # By day one is replaced, and two arrive. The night comes to the second of them, and no further.
    lab.arrive("REC-2", text="2, and better")
    lab.arrive("REC-4", "REC-5")
    lab.stuck.write_text("REC-4\n")
    clock.set(SECOND + timedelta(seconds=1))
    servant = Servant(lab)
    await_true(lambda: len(lab.launches("night")) == 2 and lab.launches("night")[1].pid, "it has begun", 60)
    await_true(lambda: lab.begun_file.read_text().split()[-1:] == ["REC-4"], "it is at the second", 60)
    clock.set(SECOND + timedelta(minutes=30))
    cut_power(servant, lab.launches("night")[1].pid or 0)
    assert lab.begun() == ["REC-2", "REC-4"]
    assert sorted(lab.made()) == ["REC-1", "REC-2", "REC-3"], "of what was cut off nothing is there"

    # The machine is back.
    lab.stuck.unlink()
    clock.set(SECOND + timedelta(minutes=44))
    again = lab.service()
    lab.drive(again, lambda: lab.states("night") == [State.DONE, State.LOST, State.QUEUED], "it is lost")
    clock.set(SECOND + timedelta(minutes=50))
    lab.drive(again, lambda: lab.states("night")[2:] == [State.DONE], "it was tried again")
    assert lab.begun() == ["REC-4", "REC-5"], "nothing that was done is done again"
    assert lab.made() == {"REC-1": "1", "REC-2": "2, and better", "REC-3": "1", "REC-4": "1", "REC-5": "1"}
    again.stop()
    again.run()
    _check_records(lab)
    _check_letters(lab, office)


def _check_records(lab: Study) -> None:
    """Check the history and the log."""
    assert lab.verdicts("night") == [("13:30", "begun", 1), ("01:30", "fired", 1), ("01:30", "fired", 1)]
    first, lost, done = lab.launches("night")
    assert [(one.tick, one.attempt) for one in (first, lost, done)] == [(FIRST, 1), (SECOND, 1), (SECOND, 2)]
    decided = lab.history.decisions("night", limit=1)[0][0]
    assert (decided.tick, decided.run_id, decided.number) == (SECOND, lost.run_id, 1)
    cause = "its program ended without a word, and nobody was there to see why"
    assert lost.message == cause
    text = lab.told()
    expected = [
        "begun: seen for the first time",
        "01:30 UTC: fired: ",
        f"{first.run_id}: started as process {first.pid}",
        f"{first.run_id}: done",
        "01:30 UTC: fired: ",
        f"{lost.run_id}: started as process {lost.pid}",
        f"{lost.run_id}: watched here now: its service ",
        f"ERROR run {lost.run_id}: lost: {cause}; tried again (2 of 3)",
        f"{done.run_id}: started as process {done.pid}",
        f"{done.run_id}: done",
    ]
    assert len(text) == len(expected), text
    assert [one for one, line in zip(expected, text, strict=True) if one not in line] == []


def _check_letters(lab: Study, office: PostOffice) -> None:
    """Check what was mailed: one letter for each night, as the template says and `[notify]` does not."""
    first, _, done = lab.launches("night")
    at = "sinagot study: night for 2026-03-0"
    assert [letter.subject for letter in office.letters] == [
        f"{at}3 01:30 UTC: done (3 done)",
        f"{at}4 01:30 UTC: done (2 done)",
    ]
    assert f"run {first.run_id} on {first.host}: 3 records" in office.letters[0].text
    assert f"run {done.run_id} on {done.host}: 2 records, try 2" in office.letters[1].text
