"""Laws of pipelines that are stopped from outside: Ctrl-C and kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sinagot.pipeline import LoggerSettings, Pipeline, Stage
from sinagot.testing import await_true
from tests.threads import since_now

PROGRAM = """
import sys, threading, time
from pathlib import Path
from sinagot.pipeline import LoggerSettings, Pipeline, Stage, each
from sinagot.pipeline.input import dependency, known

here = Path(sys.argv[1])

def wait(n=0):
    (here / f"began-{n}").touch()
    while True:
        time.sleep(0.05)

def quick():
    return [1, 2, 3]

kinds = {
    "one": {"quick": Stage(quick), "wait": Stage(wait, after=["quick"]), "last": Stage(quick, after=["wait"])},
    "two": {"wait0": Stage(wait), "wait1": Stage(wait, [known(1, "n")]), "last": Stage(quick, after=["wait0", "wait1"])},
    "maps": {
        "wait0": Stage(wait, [each(known([0, 1], "n"))]),
        "wait1": Stage(wait, [each(known([2, 3], "n"))]),
        "last": Stage(quick, after=["wait0", "wait1"]),
    },
    "map": {"quick": Stage(quick), "wait": Stage(wait, [each(dependency("quick", "n"))]), "last": Stage(quick, after=["wait"])},
}
pipeline = Pipeline("stopped", stages=kinds[sys.argv[2]], log_settings=LoggerSettings("log", log_dir=here / "logs"))
try:
    pipeline.run()
except KeyboardInterrupt as stop:
    print("left:", {name: str(state) for name, state in stop.result.status.items()}, flush=True)
    end = time.monotonic() + 30
    while threading.active_count() > 1 and time.monotonic() < end:
        time.sleep(0.01)
    print("threads:", [thread.name for thread in threading.enumerate()], flush=True)
    raise
"""


def start(folder: Path, kind: str, waiting: int) -> subprocess.Popen[str]:
    """Start a program whose pipeline waits in so many places; give it when all of them are reached."""
    program = folder / "program.py"
    program.write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, program, folder, kind], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )

    def has_begun() -> bool:
        return len(list(folder.glob("began-*"))) == waiting or process.poll() is not None

    await_true(has_begun, "all stages run")
    assert process.poll() is None, process.communicate()
    return process


@pytest.mark.parametrize(("kind", "waiting"), [("one", 1), ("two", 2), ("map", 3), ("maps", 4)])
def test_ctrl_c_ends_all_stages_and_is_told(tmp_path: Path, kind: str, waiting: int) -> None:
    """Ctrl-C reaches stages wherever they run: the program ends by it, and log and result say what was cut off."""
    process = start(tmp_path, kind, waiting)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=90)
    assert process.returncode == -signal.SIGINT, err
    assert "'last': 'WAITING'" in out and "INTERRUPTED" in out
    assert "threads: ['MainThread']" in out and "Exception in thread" not in err
    lines = [json.loads(line) for line in (tmp_path / "logs" / "log.log").read_text().splitlines()]
    assert lines[-1]["step_status"] == 42 and lines[-1]["message"] == "Run interrupted"
    assert sum(line["message"].startswith("Stage interrupted") for line in lines) >= 1
    assert not any(line.get("stage") == "last" for line in lines)


def test_kill_9_leaves_whole_lines_and_no_claim_of_success(tmp_path: Path) -> None:
    """A killed program leaves a log that can be read to its last line, which tells which stage was running."""
    process = start(tmp_path, "one", 1)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    lines = [json.loads(line) for line in (tmp_path / "logs" / "log.log").read_text().splitlines()]
    assert (lines[-1]["stage"], lines[-1]["message"]) == ("wait", "Stage started")
    assert all(line["step_status"] in (0, 20) for line in lines)


def test_a_log_that_cannot_be_written_ends_the_run(tmp_path: Path) -> None:
    """Where the disk is full the run ends with that error, also when stages run side by side; it never waits for ever."""
    resource = pytest.importorskip("resource")
    none_is_left = since_now("sinagot-stage")
    meeting = threading.Barrier(2, timeout=60)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill() -> None:
        meeting.wait()
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))

    stages = {
        "a": Stage(fill),
        "b": Stage(meeting.wait),
        "c": Stage(dict, after=["a", "b"]),
    }
    pipeline = Pipeline(
        "full", stages=stages, log_settings=LoggerSettings("log", log_dir=tmp_path, stream=False)
    )
    try:
        with pytest.raises(OSError, match="File too large"):
            pipeline.run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    none_is_left()


FAILING = """
import json, os, sys, threading, time
from sinagot.pipeline import LoggerSettings, Pipeline, PipelineError, Stage
from sinagot.pipeline.input import known

def bad(kind):
    raise kind("no")

def make(kind, **options):
    stages = {"fine": Stage(list, **options), "bad": Stage(bad, [known(kind, "kind")], after=["fine"])}
    return Pipeline("p", stages=stages, log_settings=LoggerSettings("p", stream=False, log_dir=sys.argv[1]))

def run(pipeline):
    try:
        pipeline.run()
    except (PipelineError, KeyboardInterrupt):
        pipeline.run_stage("fine")

def held():
    children = open(f"/proc/self/task/{os.getpid()}/children").read().split()
    return len(os.listdir("/proc/self/fd")), threading.active_count(), len(children)

run(make(OSError, timeout=60))  # which loads what is loaded when it is needed
before, out = held(), sys.stdout
for pipeline in [make(ValueError)] * 20 + [make(KeyboardInterrupt)] * 20 + [make(OSError, timeout=60)] * 2:
    run(pipeline)
end = time.monotonic() + 60
while held() != before and time.monotonic() < end:
    time.sleep(0.01)
print(json.dumps([before, held(), sys.stdout is out]))
"""


def test_runs_that_fail_leave_nothing(tmp_path: Path) -> None:
    """After failures, interruptions and stages in processes there are as many descriptors, threads and children as before."""
    command = [sys.executable, "-c", FAILING, str(tmp_path / "logs")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    assert (done.returncode, done.stderr) == (0, "")
    before, after, is_same = json.loads(done.stdout)
    assert before == after
    assert is_same, "standard output is what it was"
