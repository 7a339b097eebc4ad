"""`sinagot watch`: what it tells, how it ends, what it lives through."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sinagot.cli.exits import Exit
from sinagot.testing import await_true
from tests.cli.conftest import ONE, Invoke, Lab, environment

#: Looks that come quickly one after the other.
FAST = ("--quiet", "0.1", "--interval", "0.05", "--events", "off")
#: Ends when a file is there.
WAITING = ONE.replace(
    "        value = int",
    "        import time\n        self.path.input.with_name('reached').touch()\n        while self.id == 'REC-1' and not self.path.input.with_name('go').exists():\n"
    "            time.sleep(0.01)\n        value = int",
)


class Watching:
    """The command as a program of its own, and what it says."""

    def __init__(self, lab: Path, *words: str) -> None:
        self.said = lab / f"said-{len(list(lab.iterdir()))}.txt"
        self._stream = self.said.open("w")
        self.program = subprocess.Popen(
            [sys.executable, "-m", "sinagot", "watch", *FAST, *words],
            cwd=lab,
            env=environment() | {"PYTHONUNBUFFERED": "1"},
            stdout=self._stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def text(self) -> str:
        """Give what it has said up to now."""
        return self.said.read_text()

    def wait(self) -> int:
        """Wait for its end, and give its exit code."""
        code = self.program.wait(60)
        self._stream.close()
        return code

    def kill(self) -> None:
        """End it and all that it started, at once."""
        os.killpg(self.program.pid, signal.SIGKILL)
        self.wait()


@pytest.fixture
def start() -> Iterator[Callable[..., Watching]]:
    """Give what starts a watch; those that go on at the end are killed."""
    started: list[Watching] = []

    def begin(lab: Path, *words: str) -> Watching:
        started.append(Watching(lab, *words))
        return started[-1]

    yield begin
    for one in started:
        if one.program.poll() is None:
            one.kill()


def test_once_runs_what_is_complete_and_tells_it(make_lab: Lab, invoke: Invoke) -> None:
    """It says what arrived, what was run and what failed, with exit code 3; the second time there is nothing to say."""
    lab = make_lab(1, 3)
    done = invoke(lab, "watch", "--once", *FAST)
    assert done.exit_code == Exit.FAILED, done.output
    lines = [line[10:] for line in done.stdout.splitlines()]
    assert lines[0].startswith("Watching dataset: what is there now; files must be quiet for 0.1 s")
    assert lines[1] == "arrived: REC-1, REC-2"
    assert "2 records: REC-1, REC-2: 2 done, 1 failed, 1 blocked" in lines[2]
    assert lines[3] == "  one: ValueError: bad value 3 of 'REC-2' (REC-2)"
    again = invoke(lab, "watch", "--once", *FAST)
    assert (again.exit_code, len(again.stdout.splitlines())) == (Exit.OK, 2)


def test_json_is_one_object_a_line(make_lab: Lab, start: Callable[..., Watching]) -> None:
    """Programs read each event as a line of its own; what scripts print is not among them."""
    lab = make_lab(1, 4)
    watching = start(lab, "--once", "--json")
    assert watching.wait() == 0
    lines = [line for line in watching.text().splitlines() if line.startswith("{")]
    events = [json.loads(line) for line in lines]
    assert [event["kind"] for event in events] == ["begun", "arrived", "run", "ended"]
    assert events[1]["records"] == ["REC-1", "REC-2"]
    assert events[2]["report"]["counts"]["done"] == 4


@pytest.mark.parametrize("words", [("--quiet", "soon"), ("--interval", "0"), ("--events", "maybe")])
def test_wrong_option_is_an_error_of_usage(make_lab: Lab, invoke: Invoke, words: tuple[str, str]) -> None:
    """What is no duration and no word for events is told, with exit code 2."""
    done = invoke(make_lab(1), "watch", "--once", *words)
    assert done.exit_code == Exit.USAGE
    assert words[0] in done.output


@pytest.mark.parametrize(
    ("signum", "code", "jobs"),
    [(signal.SIGINT, 130, ()), (signal.SIGTERM, 143, ("--jobs", "1")), (signal.SIGHUP, 129, ())],
)
def test_signal_while_it_waits_ends_it(
    make_lab: Lab, start: Callable[..., Watching], signum: int, code: int, jobs: tuple[str, ...]
) -> None:
    """Ctrl-C, SIGTERM and SIGHUP end a watch that waits at once, with the code of the signal and a last line."""
    lab = make_lab(1)
    watching = start(lab, *jobs)
    await_true((lab / "dataset" / "two" / "REC-1.txt").exists, "the record is done")
    await_true(lambda: "2 done" in watching.text(), "it is told")
    watching.program.send_signal(signum)
    assert watching.wait() == code
    assert watching.text().splitlines()[-1].endswith("Stopped.")
    assert "Traceback" not in watching.text()


def test_signal_while_a_script_runs_lets_it_end(make_lab: Lab, start: Callable[..., Watching]) -> None:
    """The first signal begins nothing new; the script gets its time, and the next watch does the rest."""
    lab = make_lab(1, 1, one=WAITING)
    watching = start(lab)
    await_true((lab / "dataset" / "raw" / "reached").exists, "the script runs")
    watching.program.send_signal(signal.SIGTERM)
    await_true(lambda: "Stopping" in watching.text(), "it was heard")
    (lab / "dataset" / "raw" / "go").touch()
    assert watching.wait() == 143
    assert "interrupted" in watching.text()
    assert (lab / "dataset" / "one" / "REC-1.txt").exists()
    assert not (lab / "dataset" / "one" / "REC-2.txt").exists()
    assert start(lab, "--once").wait() == 0
    assert (lab / "dataset" / "two" / "REC-2.txt").exists()


def test_second_signal_ends_a_script_at_once(make_lab: Lab, start: Callable[..., Watching]) -> None:
    """The second signal does not wait; the script is interrupted and runs again next time."""
    lab = make_lab(1, one=WAITING)
    watching = start(lab)
    await_true((lab / "dataset" / "raw" / "reached").exists, "the script runs")
    watching.program.send_signal(signal.SIGTERM)
    await_true(lambda: "Stopping" in watching.text(), "it was heard")
    watching.program.send_signal(signal.SIGTERM)
    assert watching.wait() == 143
    assert not (lab / "dataset" / "one").exists() or not list((lab / "dataset" / "one").iterdir())
    (lab / "dataset" / "raw" / "go").touch()
    assert start(lab, "--once").wait() == 0
    assert (lab / "dataset" / "two" / "REC-1.txt").exists()


def test_killed_watch_goes_on_where_it_was(make_lab: Lab, start: Callable[..., Watching]) -> None:
    """After kill -9 in the middle of a script another watch runs exactly what is left."""
    lab = make_lab(1, one=WAITING)
    watching = start(lab, "--jobs", "2")
    await_true((lab / "dataset" / "raw" / "reached").exists, "the first script runs")
    watching.kill()
    (lab / "dataset" / "raw" / "go").touch()
    (lab / "dataset" / "raw" / "REC-2.txt").write_text("1")
    again = start(lab)
    await_true(lambda: (lab / "dataset" / "two" / "REC-2.txt").exists(), "the record that came later")
    await_true(lambda: (lab / "dataset" / "two" / "REC-1.txt").exists(), "the record that was cut off")
    again.program.send_signal(signal.SIGTERM)
    assert again.wait() == 143
    assert start(lab, "--once").wait() == 0
    for number in (1, 2):
        log = (lab / "dataset" / "LOG" / f"REC-{number}.log").read_text()
        assert log.count("Run finished") == 2


def test_configuration_is_read_anew_while_it_goes_on(make_lab: Lab, start: Callable[..., Watching]) -> None:
    """Another step that is configured meanwhile runs for what is there."""
    lab = make_lab(1, toml="[records]\nid_pattern = 'REC-\\d+'\n[steps]\nscripts = ['one']\n")
    watching = start(lab)
    await_true((lab / "dataset" / "one" / "REC-1.txt").exists, "the first step")
    (lab / "workspace.toml").write_text(
        "[records]\nid_pattern = 'REC-\\d+'\n[steps]\nscripts = ['one', 'two']\n"
    )
    await_true((lab / "dataset" / "two" / "REC-1.txt").exists, "the second step")
    watching.program.send_signal(signal.SIGINT)
    watching.wait()
    assert "the new one holds from now on" in watching.text()


def test_run_and_watch_send_one_message_each(make_lab: Lab, invoke: Invoke) -> None:
    """A run of the command line in which something was done is told once; one that fails to tell is not a failed run."""
    note = "import sys; open('told.txt', 'a').write(sys.stdin.read() + chr(10))"
    toml = (
        "[records]\nid_pattern = 'REC-\\d+'\n[steps]\nscripts = ['one', 'two']\n"
        f"[notify]\ncommand = {json.dumps([sys.executable, '-c', note])}\n"
    )
    lab = make_lab(1, toml=toml)
    for words in (("run", "--dry-run"), ("run",), ("run",), ("watch", "--once", *FAST)):
        assert invoke(lab, *words).exit_code == 0
    (lab / "dataset" / "raw" / "REC-2.txt").write_text("1")
    assert invoke(lab, "watch", "--once", *FAST).exit_code == 0
    told = [json.loads(line) for line in (lab / "told.txt").read_text().splitlines()]
    assert [one["records"] for one in told] == [1, 1]
    (lab / "workspace.toml").write_text(toml.replace(json.dumps(sys.executable), '"/no/such/program"'))
    done = invoke(lab, "run", "--force")
    assert done.exit_code == 0
    assert "Warning: message not sent (command program)" in done.stderr
