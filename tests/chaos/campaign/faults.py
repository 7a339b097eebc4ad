"""The faults: each starts drivers, does its harm, waits for them, and says whether it really came in time.

A fault that came too late is not counted as survived.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable

import psutil

from tests.chaos.campaign.oracle import MINES
from tests.chaos.campaign.trial import Trial
from tests.clusters import end

__all__ = ["FAULTS", "Fault"]

#: Hurts a trial and gives the exit codes of the drivers that ended by themselves.
Fault = Callable[[Trial], list[int | None]]


def kill_driver(trial: Trial) -> list[int | None]:
    """kill -9 of the driver alone, at any moment."""
    program = trial.start()
    if trial.await_moment(program):
        program.signal(signal.SIGKILL)
        trial.score.fired = 1
        trial.allowed += trial.slots
    trial.finish(program)
    return []


def kill_all(trial: Trial) -> list[int | None]:
    """kill -9 of the driver and all its processes at once, again and again."""
    for _ in range(3):
        program = trial.start()
        if trial.await_moment(program):
            trial.score.fired = 1
            for pid in program.pids():
                _send(pid, signal.SIGKILL)
            trial.allowed += trial.slots
        trial.finish(program)
    return []


def kill_worker(trial: Trial) -> list[int | None]:
    """kill -9 of a process that runs a script."""
    program = trial.start()
    if trial.await_moment(program):
        running = [note.pid for note in trial.oracle.notes()[-3:] if note.pid != program.process.pid]
        if running and _send(running[-1], signal.SIGKILL):
            trial.score.fired = 1
            trial.allowed += 1
    return [trial.finish(program)]


def kill_nanny(trial: Trial) -> list[int | None]:
    """kill -9 of what stands between a driver and the processes that run its scripts."""
    program = trial.start()
    if trial.await_moment(program):
        try:
            script = psutil.Process(trial.oracle.notes()[-1].pid)
            between = [one.pid for one in script.parents() if one.pid != program.process.pid]
        except psutil.Error:
            between = []
        if between and between[0] in program.pids() and _send(between[0], signal.SIGKILL):
            trial.score.fired = 1
            trial.allowed += trial.slots
    return [trial.finish(program)]


def kill_scheduler(trial: Trial) -> list[int | None]:
    """kill -9 of the scheduler that a driver uses."""
    program = trial.start()
    if trial.await_moment(program):
        trial.cluster.scheduler.kill()
        trial.score.fired = 1
        trial.allowed += trial.slots
    code = trial.finish(program)
    if trial.score.fired and code not in (3, 0):
        trial.score.lies += 1
    for worker in trial.cluster.workers:
        end(worker)
    return [code]


def freeze(trial: Trial) -> list[int | None]:
    """All processes of a driver stand still for a while, as with the lid of a laptop shut."""
    program = trial.start()
    if trial.await_moment(program):
        pids = program.pids()
        for pid in pids:
            _send(pid, signal.SIGSTOP)
        time.sleep(1)
        for pid in pids:
            _send(pid, signal.SIGCONT)
        trial.score.fired = 1
    return [trial.finish(program)]


def _stop(number: int, times: int, expected: int) -> Fault:
    def fault(trial: Trial) -> list[int | None]:
        program = trial.start()
        if trial.await_moment(program):
            trial.score.fired = 1
            trial.allowed += trial.slots * (times > 1)
            for _ in range(times):
                program.signal(number)
                time.sleep(0.05)
        code = trial.finish(program)
        # 0: it came when the last job was over; by the signal: when the report was out. A shell shows both as `expected`.
        if trial.score.fired and code not in (expected, -number, 0):
            trial.score.lies += 1
        return [code]

    return fault


def _several(drivers: int, victims: int) -> Fault:
    def fault(trial: Trial) -> list[int | None]:
        programs = [trial.start() for _ in range(drivers)]
        trial.score.fired = int(victims == 0)
        for program in trial.chance.sample(programs, victims):
            if trial.await_moment(program):
                program.signal(signal.SIGKILL)
                trial.score.fired = 1
                trial.allowed += trial.slots
        return [code for code in map(trial.finish, programs) if code != -signal.SIGKILL]

    return fault


def _remove(name: str) -> Fault:
    def fault(trial: Trial) -> list[int | None]:
        program = trial.start()
        if trial.await_moment(program) and (trial.oracle.data / name).exists():
            before = len(trial.oracle.look()[0])
            shutil.rmtree(trial.oracle.data / name, ignore_errors=True)
            trial.score.fired = 1
            # What was there is made again; so is what was under way.
            trial.allowed += before + trial.slots
        trial.finish(program)
        return []

    return fault


#: Runs a driver under strace, which lets one system call fail.
_BAD_CALL = """
import os
if "inside" not in sys.argv:
    rule = "inject={call}:error={error}:when={number}"
    os.execvp("strace", ["strace", "-f", "-qq", "-o", {told!r}, "-e", "trace={call}", "-e", rule,
                         sys.executable, __file__, "inside"])
"""
#: Calls that a full or broken drive refuses, and how many of each a run makes at least.
_CALLS = {"write": 60, "rename": 30, "link": 12, "mkdir": 12, "unlink": 10}


def bad_drive(trial: Trial) -> list[int | None]:
    """One system call of a driver fails: no space, no quota, an error of the drive."""
    call = trial.chance.choice(sorted(_CALLS))
    error = trial.chance.choice(["ENOSPC", "EDQUOT", "EIO"])
    told = trial.folder / "calls"
    number = trial.chance.randrange(1, _CALLS[call])
    trial.prelude = _BAD_CALL.format(call=call, error=error, number=number, told=str(told))
    program = trial.start()
    code = trial.finish(program)
    trial.prelude = ""
    trial.score.fired = int("(INJECTED)" in told.read_text(errors="replace"))
    # What had to be done again: the job that met the error; of an error before the first job, none.
    trial.allowed += 1
    return [code]


def minefield(trial: Trial) -> list[int | None]:
    """Scripts that end in every bad way there is, some of them with their process."""
    names = list(MINES)
    if trial.mode == "main_process":  # a script that ends its process ends the run: that is `kill_driver`
        deadly = ("ends its process", "segfaults", "aborts", "kills itself", "leaves a child", "closes")
        names = [name for name in names if not name.startswith(deadly)]
    mines = {f"R{number}": MINES[name] for number, name in enumerate(trial.chance.sample(names, 5), 2)}
    shutil.rmtree(trial.oracle.folder)
    trial.oracle = type(trial.oracle)(trial.oracle.folder, mines=mines)
    program = trial.start()
    code = trial.finish(program)
    trial.score.fired = 1
    trial.allowed += len(mines)
    if code != 3:
        trial.score.lies += 1
    return [code]


def _send(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


#: What is done -> how, and in which modes.
FAULTS: dict[str, tuple[Fault, tuple[str, ...]]] = {
    "kill -9 of the driver": (kill_driver, ("main_process", "processes", "dask")),
    "kill -9 of all processes, three times": (kill_all, ("main_process", "processes", "dask")),
    "kill -9 of a process that runs a script": (kill_worker, ("processes", "dask")),
    "kill -9 of a nanny or worker of Dask": (kill_nanny, ("dask",)),
    "kill -9 of the scheduler": (kill_scheduler, ("cluster",)),
    "all processes stand still for a second": (freeze, ("main_process", "processes", "dask")),
    "SIGTERM": (_stop(signal.SIGTERM, 1, 143), ("main_process", "processes", "dask")),
    "Ctrl-C": (_stop(signal.SIGINT, 1, 130), ("main_process", "processes", "dask")),
    "Ctrl-C twice": (_stop(signal.SIGINT, 2, 130), ("main_process", "processes", "dask")),
    "two drivers at once": (_several(2, 0), ("main_process", "processes", "dask")),
    "five drivers at once": (_several(5, 0), ("main_process", "processes")),
    "five drivers, two of them killed": (_several(5, 2), ("main_process", "processes")),
    "an output folder is removed": (_remove("a"), ("main_process", "processes")),
    "the state folder is removed": (_remove(".sinagot"), ("main_process", "processes")),
    "no space, no quota or an error at one system call": (bad_drive, ("main_process",)),
    "scripts that end in every bad way": (minefield, ("main_process", "processes", "dask")),
}
