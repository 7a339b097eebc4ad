"""The drive of a service is full, or sealed: it says so, waits, and takes up each tick once when the drive is well again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.conftest import StartProgram
from tests.chaos.mounts import check_program, needs_mounts

pytestmark = [pytest.mark.chaos, needs_mounts]

each_store = pytest.mark.parametrize("store", ["files", "sqlite"])

#: A lab whose data, with history, runs and logs, lie on a drive of a megabyte that can be filled.
SMALL = """
from pathlib import Path
from sinagot.errors import HistoryUnavailableError
from sinagot.runlog.write import close_all
from sinagot.schedule.launching import Launcher
from sinagot.testing import await_true
from tests.schedule.houses import ECHO, Lab, begin_at_once, template

lab = Lab(Path({folder!r}), template("night"), template("by_hand", ECHO, on=""))
drive = Path({folder!r}, "data")
mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(drive))
if {store!r} == "sqlite":
    lab.url = f"sqlite:///{{drive}}/history.db"
lab.seen("night")

def fill(pages=0):
    \"\"\"Leave so many pages.\"\"\"
    with (drive / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(max(file.tell() // 4096 - pages, 0) * 4096)

def empty():
    (drive / "ballast").unlink()

def was_said(words):
    return any(word in text for _, text in lab.said for word in words)
"""


@each_store
def test_a_drive_that_is_full_at_a_tick_and_sealed_at_the_next(
    store: str, tmp_path: Path, start: StartProgram
) -> None:
    """The service tells the cause once and lives on; nothing is begun; with space again the tick runs, once, in time."""
    text = """
service = lab.service()
service.start()
await_true(lambda: lab.history.services(), "the service is there")

def check_trouble(number, words):
    lab.clock.go(minutes=50)
    lab.said.clear()
    lab.clock.go(minutes=10)
    await_true(lambda: was_said(words), "the cause is told")
    lab.clock.go(minutes=5)
    try:
        service.launch("by_hand")
    except HistoryUnavailableError as error:
        assert "free space" in str(error), error
    else:
        raise AssertionError("asked for, and on record nowhere")
    assert service._thread.is_alive()
    if number == 1 or not lab.url:  # SQLite reads nothing on a drive that is sealed: it could note no lock
        assert len(lab.launches("night")) == number - 1 and lab.launches("by_hand") == []
    assert sum("nothing is decided or started until this is over" in text for _, text in lab.said) == 1, lab.said

def check_over(number):
    await_true(lambda: was_said(["works again"]), "it works again")
    await_true(lambda: len(lab.states("night")) == number and lab.all_over("night"), "the tick has run")
    assert set(lab.states("night")) == {"done"}, lab.launches("night")
    assert lab.verdicts("night")[1:] == [(f"{10 + n}:00", "fired", 1) for n in range(1, number + 1)]
    assert lab.launches("by_hand") == []
    assert len(list((lab.state / "runs").glob("*/run.json"))) == number
    lab.clock.go(minutes=-5)

fill()
check_trouble(1, ["No space left", "is full"])
empty()
check_over(1)

def is_remounted(mode):
    close_all()  # an open file would keep the drive from being sealed
    if lab.url:
        for history in (service.history, lab.history):
            history._database.close()
    return subprocess.run(["mount", "-o", "remount," + mode, str(drive)], capture_output=True).returncode == 0

await_true(lambda: is_remounted("ro"), "the drive is sealed")
check_trouble(2, ["Read-only file system", "readonly database", "unable to open"])
await_true(lambda: is_remounted("rw"), "the drive is open")
check_over(2)
service.stop()
assert lab.history.services() == []
lab.services.clear()
lab.close()
"""
    check_program(start, SMALL.format(folder=str(tmp_path / "lab"), store=store) + text)


@each_store
def test_a_drive_that_is_full_in_the_midst_of_a_decision(
    store: str, tmp_path: Path, start: StartProgram
) -> None:
    """Whichever file of a decision, a launch or a log finds no space first: each tick is decided once and run once."""
    text = """
Launcher.begin = begin_at_once
service = lab.service()
service._step_safely()
troubles = 0
for pages in range(12):
    lab.clock.go(hours=1)
    lab.said.clear()
    fill(pages)
    service._step_safely()
    empty()
    troubles += was_said(["No space left", "is full"])
    for _ in range(3):
        service._step_safely()
assert troubles >= 3, troubles
assert lab.verdicts("night")[1:] == [(f"{(10 + n) % 24:02}:00", "fired", 1) for n in range(1, 13)]
assert lab.states("night") == ["done"] * 12, lab.launches("night")
assert len({one.tick for one in lab.launches("night")}) == 12
assert not list((drive / ".sinagot/service/new").glob("*"))
lab.close()
"""
    check_program(start, SMALL.format(folder=str(tmp_path / "lab"), store=store) + text)
