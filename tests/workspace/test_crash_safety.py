"""What stopped half-way is never taken for a result, and the next run puts it right."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from sinagot.engine.state.claims import file_key
from sinagot.engine.state.owners import Owner
from sinagot.engine.stop import RunTerminated
from sinagot.testing import await_true
from sinagot.utils import StepStatus

ROOT = Path(__file__).parents[2]


def codes(lab, record_id: str = "REC-1") -> list[int]:
    """Give the status of each step of a record, as a fresh workspace sees it."""
    return lab.open()[record_id].steps.status()["step_status"].tolist()


ENDS = {
    "exception": "raise ValueError('half')",
    "exit": "raise SystemExit(3)",
    "interrupt raised": "raise KeyboardInterrupt",
    "exception group": "raise BaseExceptionGroup('many', [ValueError('half'), SystemExit(1)])",
    "broken text": "class Mute(Exception):\n    def __str__(self): raise RuntimeError\nraise Mute",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_step_that_stopped_half_way_is_no_result(lab, end: str) -> None:
    """However a script ends before its end, nothing of it appears, later steps get nothing, others go on; the next run does it again."""
    lab.unit("a", "b", ids=["REC-1", "REC-2"])
    lab.wish("a-REC-1", end)
    report = lab.open().steps.run()
    assert {name: count for name, count in report.counts.items() if count} == {
        "done": 2,
        "failed": 1,
        "blocked": 1,
    }
    assert not (lab.data / "a/REC-1.csv").exists() and not (lab.data / "b/REC-1.csv").exists()
    assert codes(lab) == [40, 0]
    lab.ran()
    lab.heal("a-REC-1")
    assert lab.open().steps.run().counts["done"] == 2
    assert lab.ran() == ["a-REC-1", "b-REC-1"]
    assert lab.text("b/REC-1.csv") == "REC-1\na\nb\n"
    assert codes(lab) == [30, 30]


def test_failed_step_is_run_again_by_the_next_run(lab) -> None:
    """A step that failed runs again without being asked by force, alone."""
    lab.unit("a", "b")
    lab.fail("b-REC-1")
    lab.open().steps.run()
    lab.ran()
    lab.open().steps.run()
    assert lab.ran() == ["b-REC-1"]
    lab.heal("b-REC-1")
    assert lab.open().steps.run().ok
    assert lab.ran() == ["b-REC-1"]
    assert lab.open().steps.run().counts["up_to_date"] == 4


@pytest.mark.parametrize("hours", [-24, 0, 24])
def test_failure_of_a_machine_with_a_wrong_clock_is_tried_again(lab, hours: int) -> None:
    """Whatever time an earlier failure is said to be of, the next run tries again, and says what became of it."""
    lab.unit("a", ids=["REC-1"])
    lab.wish("a-REC-1", "raise ValueError('once')")
    assert lab.open().steps.run(printing=False).counts["failed"] == 1
    (mark,) = (lab.data / ".sinagot/failures").iterdir()
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"at": time.time() + 3600 * hours}))
    assert lab.open().steps.run(printing=False).counts["failed"] == 1
    assert lab.ran() == ["a-REC-1"] * 2
    lab.heal("a-REC-1")
    assert lab.open().steps.run(printing=False).counts["done"] == 1


def test_forced_run_that_fails_keeps_the_old_output(lab) -> None:
    """When a forced run fails, the good output of before stays as it was; the step counts as failed and feeds nothing."""
    lab.unit("a", "b", ids=["REC-1"])
    lab.open().steps.run()
    before = {
        name: facts for name, facts in lab.tree().items() if name.startswith(("dataset/a", "dataset/b"))
    }
    lab.wish("a-REC-1", "self.path.output.write_text('torn')\nraise ValueError('half')")
    report = lab.open().steps.run(force=True)
    assert (report.counts["failed"], report.counts["blocked"]) == (1, 1)
    assert {
        name: facts for name, facts in lab.tree().items() if name.startswith(("dataset/a", "dataset/b"))
    } == before
    assert codes(lab) == [40, 30]
    (lab.data / "b/REC-1.csv").unlink()
    lab.ran()
    blocked = lab.open().steps.run("b")
    assert blocked.counts["blocked"] == 1 and not blocked.ok
    assert lab.ran() == []
    lab.heal("a-REC-1")
    assert lab.open().steps.run().counts["done"] == 2
    assert lab.ran() == ["a-REC-1", "b-REC-1"]


def test_external_outputs_count_as_done(lab) -> None:
    """Outputs that were there before any run are done: nothing runs and nothing is written."""
    lab.unit("a", "b", ids=["REC-1"])
    lab.raw("REC-1", folder="a")
    assert codes(lab) == [30, 10]
    report = lab.open().steps.run()
    assert lab.ran() == ["b-REC-1"]
    assert (report.counts["up_to_date"], report.counts["done"]) == (1, 1)
    assert lab.text("a/REC-1.csv") == "REC-1\n"


def test_old_log_line_never_beats_an_output(lab) -> None:
    """Outputs without claim and mark are done, whatever an old log says of the step."""
    lab.unit("a", "b", ids=["REC-1"])
    old_line(lab, "a", 40)
    lab.raw("REC-1", folder="a")
    assert codes(lab) == [30, 10]


def old_line(lab, step: str, status: int, **fields: object) -> None:
    """Write a log line as version 0.2 or 0.3 did."""
    line = {
        "log_from": "script",
        "record_id": "REC-1",
        "scope": "record",
        "task": None,
        "modality": None,
        "step_label": step,
        "step_status": status,
        "message": "old",
        "time": "2020-08-20T09:28:32.588123",
    } | fields
    file = lab.data / "LOG/REC-1.log"
    file.parent.mkdir(exist_ok=True)
    with file.open("a") as log:
        log.write(json.dumps(line) + "\n")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ([40], 40),
        ([20], 20),
        ([20, 40], 40),
        ([40, 20, 30], 10),
        ([0], 10),
        ([41], 10),
        ([42], 42),
        ([30], 10),
    ],
)
def test_log_of_an_older_version_is_believed(lab, written: list[int], expected: int) -> None:
    """Where the state folder knows nothing of a step, the newest line of the record's log decides between PROCESSING and ERROR."""
    lab.unit("a", ids=["REC-1"])
    for status in written:
        old_line(lab, "a", status)
    assert codes(lab) == [expected]
    assert lab.open()["REC-1"].status_dict()[None][None][0]["step_status"] == expected
    assert lab.open().steps.run().counts["done"] == 1
    assert codes(lab) == [30]


def test_log_of_an_older_version_is_read_by_task_and_modality(lab) -> None:
    """An old line speaks of its own task and modality only."""
    lab.scoped(ids=["REC-1"])
    old_line(lab, "a", 40, task="HDC", modality="EEG")
    found = lab.open()["REC-1"].status_dict()
    assert found["HDC"]["EEG"][0]["step_status"] == 40
    assert found["RS"]["EEG"][0]["step_status"] == 10
    assert found["HDC"]["behavior"][0]["step_status"] == 10


@pytest.mark.parametrize("force", [False, True], ids=["without output", "with an old output"])
def test_step_in_progress_is_seen_from_elsewhere(lab, force: bool) -> None:
    """While a script runs, another reader sees PROCESSING, for that step only, with and without an old output."""
    lab.unit("a", "b", ids=["REC-1"])
    if force:
        lab.open().steps.run()
    gate = lab.gate("a-REC-1")
    report = lab.open().steps.run(force=force, wait=False)
    try:
        gate.wait()
        assert codes(lab) == [20, 30 if force else 0]
        assert lab.open()["REC-1"].steps.get("a").status() == StepStatus.PROCESSING
        assert lab.open().steps.run("a", dry_run=True).counts["up_to_date"] == 0
    finally:
        gate.open()
        report.wait(60)
    assert codes(lab) == [30, 30]


DRIVER = "from sinagot import Workspace; Workspace('.').steps.run()"


def start(lab) -> subprocess.Popen:
    """Start a program that runs the workspace; give it when its script has begun.

    The script waits in short pieces: Python tells a signal that comes just before a wait when the wait is over.
    """
    lab.wish(
        "a-REC-1", "self.path.output.write_text('torn')\nimport time\nfor _ in range(1200): time.sleep(0.05)"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    program = subprocess.Popen(
        [sys.executable, "-c", DRIVER], cwd=lab.root, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    begun = partial(lab.data.glob, ".sinagot/stage/*/a/REC-1.csv")
    await_true(lambda: program.poll() is not None or list(begun()), "the script has begun")
    assert program.poll() is None
    return program


def test_killed_run_is_healed_by_a_plain_run(lab) -> None:
    """After kill -9 in mid-write the step is INTERRUPTED, no torn file is seen, and a plain run does it again, once."""
    lab.unit("a", "b", ids=["REC-1", "REC-2"])
    program = start(lab)
    program.kill()
    program.communicate()
    assert not (lab.data / "a/REC-1.csv").exists()
    assert codes(lab) == [42, 0]
    assert codes(lab, "REC-2") == [10, 0]
    lab.heal("a-REC-1")
    lab.ran()
    report = lab.open().steps.run()
    assert report.counts["done"] == 4 and report.ok
    assert lab.ran() == ["a-REC-1", "b-REC-1", "a-REC-2", "b-REC-2"]
    assert lab.text("b/REC-1.csv") == "REC-1\na\nb\n"
    assert codes(lab) == [30, 30]


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=lambda value: str(value),
)
def test_signal_ends_the_run_with_its_code(lab, number: signal.Signals, code: int) -> None:
    """Ctrl-C, SIGTERM and SIGHUP end the program with 130, 143 and 129 once grace is over; the step is INTERRUPTED and claims are free."""
    lab.unit("a", "b", ids=["REC-1", "REC-2"], more="[run]\nstop_grace = 0.05\n")
    program = start(lab)
    program.send_signal(number)
    _, errors = program.communicate(timeout=60)
    # A KeyboardInterrupt that nobody catches makes Python die of the signal: 130 for a shell.
    assert program.returncode in (code, -int(number)), errors.decode()
    assert "Stopping" in errors.decode()
    assert codes(lab) == [42, 0]
    assert list((lab.data / ".sinagot/claims").iterdir()) == []
    assert not (lab.data / "a/REC-1.csv").exists()
    assert lab.messages()[-1][0] == 42
    lab.heal("a-REC-1")
    assert lab.open().steps.run().counts["done"] == 4


@pytest.mark.parametrize(
    ("number", "kind"),
    [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, RunTerminated)],
    ids=lambda value: str(value),
)
def test_grace_lets_the_running_script_finish(lab, number: signal.Signals, kind: type[BaseException]) -> None:
    """A script that ends within the grace is done; nothing new is started, and the report accounts for every job."""
    lab.unit("a", "b", ids=["REC-1", "REC-2"])
    lab.wish("a-REC-1", f"import os, time\nos.kill(os.getpid(), {int(number)})\ntime.sleep(0.05)")
    with pytest.raises(kind) as caught:
        lab.open().steps.run()
    report = caught.value.report
    assert isinstance(caught.value, KeyboardInterrupt | SystemExit)
    assert {name: count for name, count in report.counts.items() if count} == {"done": 1, "interrupted": 3}
    assert report.stopped_by == number and not report.ok
    assert lab.text("a/REC-1.csv") == "REC-1\na\n"
    lab.heal("a-REC-1")
    assert lab.open().steps.run().counts["done"] == 3


def test_second_signal_stops_at_once(lab) -> None:
    """A second Ctrl-C does not wait for the grace: the script is interrupted and the step is INTERRUPTED."""
    lab.unit("a", ids=["REC-1", "REC-2"], more="[run]\nstop_grace = 1000\n")
    lab.wish(
        "a-REC-1",  # who waited for it would wait longer than a test may take
        f"import os, time\nfor _ in range(2): os.kill(os.getpid(), {int(signal.SIGINT)})\ntime.sleep(1000)",
    )
    with pytest.raises(KeyboardInterrupt):
        lab.open().steps.run()
    assert codes(lab) == [42] and codes(lab, "REC-2") == [10]


def test_signal_just_before_a_script_starts_it_not(lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Ctrl-C that comes while an attempt is being prepared keeps its script from starting."""
    from sinagot.runlog.capture import AttemptLog

    line = AttemptLog.line

    def interrupted(self, status: int, message: str, *args: object, **facts: object) -> None:
        line(self, status, message, *args, **facts)
        if message == "Processing run":
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(AttemptLog, "line", interrupted)
    lab.unit("a", "b", ids=["REC-1", "REC-2"])
    with pytest.raises(KeyboardInterrupt) as caught:
        lab.open().steps.run()
    assert caught.value.report.counts["interrupted"] == 4
    assert lab.ran() == []
    assert codes(lab) == [42, 0]


def dead_claim(lab, place: str) -> None:
    """Leave a claim of a process that has ended, of which no log tells that another one has done the job."""
    shutil.rmtree(lab.data / "LOG", ignore_errors=True)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    owner = Owner.here("20200101T000000-abcdef")._replace(pid=ended.pid, start="1")
    folder = lab.data / ".sinagot/claims"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file_key(place)).write_text(owner.to_json())


def test_claim_of_a_dead_owner_beats_an_output(lab) -> None:
    """An output whose step has the claim of a dead process is not believed: INTERRUPTED, and done again by the next run."""
    lab.unit("a", "b", ids=["REC-1"])
    lab.open().steps.run()
    dead_claim(lab, "REC-1/a")
    assert codes(lab) == [42, 30]
    lab.ran()
    report = lab.open().steps.run()
    assert lab.ran() == ["a-REC-1"]
    assert report.counts["done"] == 1
    assert codes(lab) == [30, 30]
    assert list((lab.data / ".sinagot/claims").iterdir()) == []


def test_unfinished_step_feeds_nothing(lab) -> None:
    """A later step does not read the output of a step whose attempt did not end, even when asked for alone."""
    lab.unit("a", "b", ids=["REC-1"])
    lab.raw("REC-1", folder="a")
    dead_claim(lab, "REC-1/a")
    report = lab.open().steps.run("b")
    assert report.counts["blocked"] == 1
    assert lab.ran() == []
    assert codes(lab) == [42, 10]


def test_script_that_writes_nothing_is_an_error_that_names_the_output(lab) -> None:
    """A script that returns without writing what it declares fails, and the message names the missing output by its final path."""
    lab.unit("a", ids=["REC-1"])
    lab.script("a", path_out={"x": "a/{id}.x", "y": "a/{id}.y"}, body="self.path.output['x'].write_text('x')")
    report = lab.open().steps.run()
    (group,) = report.failures
    assert group.exc_type.endswith("MissingOutputError")
    assert str(lab.data / "a/REC-1.y") in group.message
    assert "REC-1.x" not in group.message
    assert not (lab.data / "a/REC-1.x").exists()
    assert codes(lab) == [40]
    assert not list(lab.data.glob(".sinagot/stage/*"))


def test_input_that_changes_while_the_script_runs_publishes_nothing(lab) -> None:
    """An input that changed during the attempt is an error that names it, and no output appears."""
    lab.unit("a", ids=["REC-1"])
    lab.wish("a-REC-1", "self.path.input.write_text('changed')")
    (group,) = lab.open().steps.run().failures
    assert group.exc_type.endswith("InputChangedError") and str(lab.data / "raw/REC-1.csv") in group.message
    assert not (lab.data / "a/REC-1.csv").exists()


def test_runs_leave_no_rubbish(lab) -> None:
    """After a run, good or bad, no stage, no claim and no owner file is left."""
    lab.unit("a", "b")
    lab.fail("a-REC-2")
    lab.open().steps.run()
    for name in ("claims", "owners", "stage"):
        folder = lab.data / ".sinagot" / name
        assert not folder.exists() or list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("record_id", "step"),
    [("語" * 20, "a"), ("é" * 60, "a"), ("R" * 118, "a"), ("R" * 150, "a"), ("REC-1", "s" * 180)],
    ids=["chinese", "accents", "at the cut", "long", "long step"],
)
def test_failure_of_a_long_name_is_not_overlooked(lab, record_id: str, step: str) -> None:
    """A failed forced run is on record also where the name of its mark had to be cut; others with a long name stay done."""
    other = f"{record_id[:-1]}X" if step == "a" else "REC-2"
    lab.unit(step, ids=[record_id, other])
    lab.config(f'[steps]\nscripts = ["{step}"]\n', records="id_pattern = '.{2,}'")
    lab.open().steps.run().raise_for_failures()
    lab.wish(f"{step}-{record_id}", "raise ValueError('no')")
    lab.open().steps.run(force=True)
    assert (codes(lab, record_id), codes(lab, other)) == ([40], [30])
    lab.heal(f"{step}-{record_id}")
    report = lab.open().steps.run()
    assert (report.counts["done"], report.counts["up_to_date"]) == (1, 1)
    assert codes(lab, record_id) == [30]


def test_torn_claim_of_a_power_cut_is_healed(lab) -> None:
    """A claim that names nobody (its bytes were lost) does not hold up the next run for ever."""
    lab.unit("a", ids=["REC-1"])
    claim = lab.write(f"dataset/.sinagot/claims/{file_key('REC-1/a')}", "")
    os.utime(claim, (1, 1))
    assert codes(lab) == [42]
    assert lab.open().steps.run().counts["done"] == 1
    assert codes(lab) == [30]
