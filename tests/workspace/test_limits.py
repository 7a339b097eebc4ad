"""Limits and retries of steps, in a child of the main process and in worker processes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from sinagot import Workspace
from sinagot.engine.accounts.report import RunReport
from sinagot.engine.executors import watch
from sinagot.testing import alive, await_true, make_workspace, script_text

WRITE = "self.path.output.write_text(str(os.getpid()))"
#: Holds the interpreter in C code, deaf to SIGTERM: nothing but SIGKILL ends it.
STUCK = """
import ctypes
import signal
def stick():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ctypes.PyDLL(None).sleep(60)
"""
#: Fails as often as a file of the record has lines to take.
FLAKY = f"""
tries = self.data_path / f"{{self.id}}.tries"
count = len(tries.read_text()) if tries.exists() else 0
tries.write_text("x" * (count + 1))
if count < FAILS.get(self.id, 0):
    raise OSError("the share is away")
{WRITE}
"""


@pytest.fixture(params=["main_process", "processes"])
def mode(request: pytest.FixtureRequest) -> str:
    """Where jobs run."""
    return str(request.param)


@pytest.fixture
def open_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Workspace]]:
    """Give a maker of workspaces that end with the test; SIGKILL follows SIGTERM soon."""
    monkeypatch.setattr(watch, "TERM_GRACE", 0.3)
    made: list[Workspace] = []

    def make(body: str, settings: str = "", **what: Any) -> Workspace:
        before = what.pop("before", "")
        scripts = what.pop("scripts", None) or {"a": script_text(body, before=before)}
        folder = tmp_path / f"lab{len(made)}"
        made.append(make_workspace(folder, scripts=scripts, settings=settings, kind=Workspace, **what))
        return made[-1]

    yield make
    for workspace in made:
        workspace.close()


def run(workspace: Workspace, mode: str, **options: Any) -> RunReport:
    """Run all steps."""
    workers = {"workers": 2} if mode == "processes" else {}
    return workspace.steps.run(mode=mode, printing=False, **workers, **options)


def counts(report: RunReport) -> dict[str, int]:
    """Give the outcomes that occur."""
    return {outcome: count for outcome, count in report.counts.items() if count}


def last(workspace: Workspace, record: str = "REC-1") -> dict[str, Any]:
    """Give the newest log line of a record."""
    line: dict[str, Any] = workspace[record].logs_json()[-1]
    return line


def test_slow_script_is_ended_and_says_where_it_was(
    open_workspace: Callable[..., Workspace], mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script over its time gets SIGTERM, which shows where it was; all other jobs are done, in a new child."""
    body = f"if self.id == 'REC-1':\n    time.sleep(60)\n{WRITE}"
    workspace = open_workspace(body, "[steps.a]\ntimeout = '1500 ms'", records=6)
    monkeypatch.setattr(watch, "TERM_GRACE", 60)  # it is needed for what the script says, and not else
    report = run(workspace, mode)
    assert counts(report) == {"done": 5, "failed": 1}
    (group,) = report.failures
    assert (group.exc_type, group.message, group.where) == ("StepTimeoutError", "took longer than 1.5 s", "")
    line = last(workspace)
    assert line["step_status"] == 40 and "time.sleep(60)" in line["traceback"]
    assert line["duration_s"] >= 1.5 and line["peak_memory_mb"] > 1


@pytest.mark.parametrize(
    "before",
    [
        STUCK,
        "import signal\ndef stick():\n"
        + " " * 4
        + (
            "while True:\n        try:\n            time.sleep(60)\n        except BaseException:\n            pass"
        ),
    ],
)
def test_stuck_script_is_killed(open_workspace: Callable[..., Workspace], mode: str, before: str) -> None:
    """A script that is stuck in C code, or swallows every exception, is killed and blamed; nothing else suffers."""
    body = f"if self.id == 'REC-1':\n    (self.data_path / 'pid').write_text(str(os.getpid()))\n    stick()\n{WRITE}"
    workspace = open_workspace(body, "[steps.a]\ntimeout = 1.5", records=5, before=before)
    report = run(workspace, mode)
    assert counts(report) == {"done": 4, "failed": 1}
    assert report.failures[0].cause == "StepTimeoutError: took longer than 1.5 s"
    stuck = int((workspace.data_path / "pid").read_text())
    await_true(lambda: not alive(stuck), "it ends")
    (row,) = [row for row in report.jobs.to_dict("records") if row["outcome"] == "failed"]
    assert row["duration_s"] >= 1.5
    lines = workspace["REC-1"].logs_json()
    assert len({line["attempt"] for line in lines}) == 1 and lines[-1]["step_status"] == 40
    state = workspace.data_path / ".sinagot"
    assert list((state / "claims").iterdir()) == [] and not list((state / "stage").glob("*"))


def test_memory_of_all_that_a_script_starts_counts(
    open_workspace: Callable[..., Workspace], mode: str
) -> None:
    """An attempt whose processes use too much together is killed; the message tells the peak and what to do."""
    eat = "import time; x = bytearray(300_000_000); time.sleep(60)"
    body = f"""
        if self.id == "REC-1":
            subprocess.run([sys.executable, "-c", {eat!r}])
        {WRITE}
    """
    workspace = open_workspace(
        body, "[steps.a]\nmemory = '200 MB'", records=4, before="import subprocess\nimport sys"
    )
    report = run(workspace, mode)
    assert counts(report) == {"done": 3, "failed": 1}
    (group,) = report.failures
    assert group.exc_type == "StepMemoryError"
    assert (
        group.message.startswith("out of memory: peak ") and " of 200 MB; raise `memory` to " in group.message
    )
    assert last(workspace)["peak_memory_mb"] > 190


def test_peak_is_that_of_the_whole_tree(open_workspace: Callable[..., Workspace], mode: str) -> None:
    """What a program that a script started used is in the attempt's peak, when somebody watches."""
    eat = "import time; x = bytearray(200_000_000); time.sleep(1.2)"
    body = f"subprocess.run([sys.executable, '-c', {eat!r}])\n{WRITE}"
    workspace = open_workspace(
        body, "[steps.a]\nisolate = true", records=1, before="import subprocess\nimport sys"
    )
    assert run(workspace, mode).ok
    assert last(workspace)["peak_memory_mb"] > 190


def test_isolated_attempts_have_processes_of_their_own(
    open_workspace: Callable[..., Workspace], mode: str
) -> None:
    """With `isolate` every attempt has a new process, and none of them outlives it."""
    b = script_text(WRITE, path_out=("b", "{id}.txt"))
    scripts = {"a": script_text(WRITE), "b": b}
    workspace = open_workspace("", "[steps.a]\nisolate = true", scripts=scripts, records=3)
    assert counts(run(workspace, mode)) == {"done": 6}
    pids = {int(path.read_text()) for path in (workspace.data_path / "out").iterdir()}
    others = {int(path.read_text()) for path in (workspace.data_path / "b").iterdir()}
    assert len(pids) == 3 and not pids & (others | {os.getpid()})
    await_true(lambda: not alive(*pids), "they end")
    assert (others == {os.getpid()}) == (mode == "main_process")


def test_threads_are_in_the_environment(open_workspace: Callable[..., Workspace], mode: str) -> None:
    """Each step finds the number of threads that was said for it, a command too; the others find what was there."""
    tell = "self.path.output.write_text(os.environ.get('OMP_NUM_THREADS', 'none'))"
    scripts = {
        name: script_text(tell, ("raw", "{id}.txt"), (name, "{id}.txt")) for name in ("one", "none", "two")
    }
    settings = "[steps.one]\nthreads = 1\n[steps.two]\nthreads = 2"
    shown = """
        [steps.shown]
        command = ["sh", "-c", "printf $OMP_NUM_THREADS > {output}"]
        input = "raw/{id}.txt"
        output = "shown/{id}.txt"
        threads = 3
    """
    workspace = open_workspace("", settings, scripts=scripts, records=4)
    file = workspace.data_path.parent / "workspace.toml"
    file.write_text(
        re.sub("(?m)^scripts = .*$", f"scripts = {[*scripts, 'shown']}", file.read_text()) + dedent(shown)
    )
    with Workspace(file.parent) as again:
        assert run(again, mode).ok
        before = os.environ.get("OMP_NUM_THREADS", "none")
        found = {name: (again.data_path / name / "REC-1.txt").read_text() for name in (*scripts, "shown")}
        assert found == {"one": "1", "none": before, "two": "2", "shown": "3"}


def test_failed_job_is_tried_again(open_workspace: Callable[..., Workspace], mode: str) -> None:
    """A job that fails is tried again; every try is on record, the last one counts, and what reads it waits."""
    scripts = {
        "a": script_text(FLAKY, before="FAILS = {'REC-1': 2, 'REC-2': 9}"),
        "b": script_text("self.path.output.write_text('b')", ("out", "{id}.txt"), ("b", "{id}.txt")),
        "c": script_text("self.path.output.write_text('c')", ("raw", "{id}.txt"), ("c", "{id}.txt")),
    }
    workspace = open_workspace("", "[steps.a]\nretries = 2\nretry_wait = '50 ms'", scripts=scripts, records=4)
    report = run(workspace, mode)
    assert counts(report) == {"done": 3 + 3 + 4, "failed": 1, "blocked": 1}
    assert report.failures[0].records == ("REC-2",)
    lines = [line for line in workspace["REC-1"].logs_json() if line["step_label"] == "a"]
    ends = [line for line in lines if "duration_s" in line]
    assert [(line["try"], line["step_status"]) for line in ends] == [(1, 40), (2, 40), (3, 30)]
    assert len({line["attempt"] for line in ends}) == 3
    assert [line["message"] for line in ends] == [
        "the share is away (try 1 of 3, again in 0.05 s)",
        "the share is away (try 2 of 3, again in 0.1 s)",
        "Run finished",
    ]
    assert [line["try"] for line in workspace["REC-2"].logs_json() if line["step_status"] == 40] == [1, 2, 3]
    marks = list((workspace.data_path / ".sinagot" / "failures").iterdir())
    assert [mark.name for mark in marks] == ["REC-2%2Fa"]
    assert (workspace.data_path / "REC-3.tries").read_text() == "x"


def test_waiting_for_a_retry_blocks_nobody(open_workspace: Callable[..., Workspace], mode: str) -> None:
    """While one job waits, all others run: the retry finds their outputs."""
    body = """
        first = self.data_path / "first"
        if self.id == "REC-1" and not first.exists():
            first.touch()
            raise OSError("once")
        if self.id == "REC-1":
            others = [self.data_path / "out" / f"REC-{number}.txt" for number in (2, 3, 4)]
            while not all(path.exists() for path in others):
                time.sleep(0.01)
        self.path.output.touch()
    """
    workspace = open_workspace(body, "[run]\nretries = 1\nretry_wait = 2", records=4)
    assert counts(run(workspace, mode)) == {"done": 4}


def test_lost_and_late_attempts_are_tried_again_as_said(
    open_workspace: Callable[..., Workspace], mode: str
) -> None:
    """Timeouts and dead workers can be tried again by name; what is not named fails at once."""
    body = f"""
        first = self.data_path / self.id
        is_first = not first.exists()
        first.touch()
        if is_first and self.id == "REC-1":
            time.sleep(60)
        if is_first and self.id == "REC-2":
            os._exit(9)
        if is_first and self.id == "REC-3":
            raise ValueError("not named")
        {WRITE}
    """
    settings = "[run]\nretries = 1\nretry_wait = 0.05\ntimeout = 1.5\nretry_on = ['timeout', 'lost']"
    workspace = open_workspace(body, settings, records=4)
    report = run(workspace, mode)
    assert counts(report) == {"done": 3, "failed": 1} and report.failures[0].records == ("REC-3",)
    for record, kind in (("REC-1", "StepTimeoutError"), ("REC-2", "WorkerLostError")):
        kinds = [line.get("exc_type") for line in workspace[record].logs_json() if "retry_in_s" in line]
        assert kinds == [kind]


def test_next_run_goes_on_where_a_retry_was_waited_for(open_workspace: Callable[..., Workspace]) -> None:
    """A job that waits for its retry is a failed one for the next run, which does it; the retry finds it done."""
    workspace = open_workspace(
        FLAKY, "[run]\nretries = 3\nretry_wait = 5", records=2, before="FAILS = {'REC-1': 1}"
    )
    first = workspace.steps.run(printing=False, wait=False)
    await_true(lambda: (workspace.data_path / ".sinagot/failures/REC-1%2Fa").exists(), "it failed once")
    with Workspace(workspace.data_path.parent) as other:
        assert counts(other.steps.run("a", printing=False))["done"] == 1
    assert counts(first.wait(60)) == {"done": 1, "done_elsewhere": 1}
    assert (workspace.data_path / "REC-1.tries").read_text() == "xx"


def test_another_run_waits_for_a_retry(open_workspace: Callable[..., Workspace]) -> None:
    """A run that meets a job which another one will try again waits for that, and calls it neither failed nor its own."""
    body = f"while not (self.data_path / 'go').exists(): time.sleep(0.01)\n{FLAKY}"
    workspace = open_workspace(
        body, "[run]\nretries = 1\nretry_wait = 1", records=1, before="FAILS = {'REC-1': 1}"
    )
    first = workspace.steps.run(printing=False, wait=False)
    claims = workspace.data_path / ".sinagot" / "claims"
    await_true(lambda: claims.is_dir() and list(claims.iterdir()), "the first run is at it")
    with Workspace(workspace.data_path.parent) as other:
        second = other.steps.run(printing=False, wait=False)
        plan = workspace.data_path / ".sinagot" / "runs" / second.run_id
        await_true(plan.is_dir, "the other one has looked at the job")
        (workspace.data_path / "go").touch()
        assert counts(second.wait(60)) == {"done_elsewhere": 1}
    assert counts(first.wait(60)) == {"done": 1}
    assert (workspace.data_path / "REC-1.tries").read_text() == "xx"


def test_fail_fast(open_workspace: Callable[..., Workspace], mode: str) -> None:
    """After the first failure nothing new begins; every job is accounted for, and the report says why."""
    b = script_text("self.path.output.touch()", path_out=("b", "{id}.txt"))
    scripts = {"a": script_text("raise ValueError('no')"), "b": b}
    workspace = open_workspace("", scripts=scripts, records=40)
    report = run(workspace, mode, fail_fast=True)
    assert report.counts["failed"] in ((1,) if mode == "main_process" else (1, 2))
    assert sum(report.counts.values()) == report.total and report.counts["not_begun"] > 70
    assert not report.ok and report.stopped_because == "the run was stopped after 1 failed job"
    assert {row["reason"] for row in report.iter_jobs() if row["outcome"] == "not_begun"} == {
        report.stopped_because
    }


def test_max_failures(open_workspace: Callable[..., Workspace]) -> None:
    """So many failures are allowed; when nothing is left to begin, nothing is said of it."""
    workspace = open_workspace("raise ValueError('no')", records=5)
    report = run(workspace, "main_process", max_failures=3)
    assert counts(report) == {"failed": 3, "not_begun": 2}
    report = run(workspace, "main_process", max_failures=5)
    assert counts(report) == {"failed": 5} and report.stopped_because is None
    with pytest.raises(ValueError, match="max_failures must be 1 or more, found 0"):
        run(workspace, "main_process", max_failures=0)


def test_debugging_knows_no_limits(open_workspace: Callable[..., Workspace]) -> None:
    """With debug a step runs here, however long it takes: somebody may be looking at it in a debugger."""
    body = f"time.sleep(0.2)\n{WRITE}"
    workspace = open_workspace(body, "[run]\ntimeout = 0.05\nisolate = true", records=1)
    assert workspace.steps.run(debug=True, printing=False).ok
    assert (workspace.data_path / "out" / "REC-1.txt").read_text() == str(os.getpid())
