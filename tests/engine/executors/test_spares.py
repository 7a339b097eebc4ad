"""Fresh children that wait for the next run: real processes, real kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from sinagot.engine.executors.spares import SPARES, Spares
from sinagot.pipeline import LoggerSettings, Pipeline, Stage
from sinagot.pipeline.input import known
from sinagot.testing import alive, await_true
from tests.clusters import DaskProcesses
from tests.threads import since_now

PATIENCE = 60


@pytest.fixture
def spares() -> Iterator[Spares]:
    """Give spares of this test."""
    made = Spares(PATIENCE)
    yield made
    made.close()


def waiting_in(spares: Spares) -> set[int]:
    """Give the processes that wait there; the process of the tests has other children too, which come and go."""
    return {spare.child.process.pid for spare in spares._spares}


def pipeline_of(*functions: Callable[..., Any], **arguments: Any) -> Pipeline:
    """Make a pipeline that writes no log, with stages side by side."""
    inputs = [known(value, name) for name, value in arguments.items()]
    stages = {f"s{number}": Stage(function, inputs) for number, function in enumerate(functions)}
    return Pipeline("p", stages=stages, log_settings=LoggerSettings("p", stream=False))


def pid() -> int:
    """Give the process."""
    return os.getpid()


def test_each_is_given_once(spares: Spares) -> None:
    """Those that wait are given one by one; who comes later gets a new one."""
    spares.keep(2)
    spares.keep(2)
    waiting = waiting_in(spares)
    taken = [spares.take() for _ in range(3)]
    found = [child.process.pid for child in taken]
    assert len(waiting) == 2 and set(found[:2]) == waiting and found[2] not in waiting
    for child in taken:
        child.close()
    assert not alive(*found)


def change_variable(patch: pytest.MonkeyPatch, folder: Path) -> Callable[[], None]:
    patch.setenv("OMP_NUM_THREADS", "3")
    return patch.undo


def change_folder(patch: pytest.MonkeyPatch, folder: Path) -> Callable[[], None]:
    patch.chdir(folder)
    return patch.undo


def change_search_path(patch: pytest.MonkeyPatch, folder: Path) -> Callable[[], None]:
    patch.syspath_prepend(folder)
    return patch.undo


def change_mask(patch: pytest.MonkeyPatch, folder: Path) -> Callable[[], None]:
    mask = os.umask(0o027)
    return lambda: os.umask(mask) and None


def change_output(patch: pytest.MonkeyPatch, folder: Path) -> Callable[[], None]:
    kept = os.dup(1)
    with (folder / "out.txt").open("w") as file:
        os.dup2(file.fileno(), 1)

    def undo() -> None:
        os.dup2(kept, 1)
        os.close(kept)

    return undo


def change_limit(patch: pytest.MonkeyPatch, folder: Path) -> Callable[[], None]:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0 if soft else hard, hard))
    if resource.getrlimit(resource.RLIMIT_CORE)[0] == soft:
        pytest.skip("no other limit is allowed here")
    return lambda: resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def change_signals(patch: pytest.MonkeyPatch, folder: Path) -> Callable[[], None]:
    former = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    return lambda: signal.signal(signal.SIGUSR2, former) and None


@pytest.mark.parametrize(
    "change",
    [
        change_variable,
        change_folder,
        change_search_path,
        change_mask,
        change_output,
        change_limit,
        change_signals,
    ],
)
def test_spare_of_other_surroundings_is_not_given(
    change: Callable[..., Callable[[], None]], spares: Spares, tmp_path: Path
) -> None:
    """A spare that was born into something else than a new child would be waits on, until things are as they were."""
    spares.keep(1)
    waiting = waiting_in(spares)
    patch = pytest.MonkeyPatch()
    undo = change(patch, tmp_path)
    try:
        new = spares.take()
    finally:
        undo()
    assert new.process.pid not in waiting
    new.close()
    old = spares.take()
    assert {old.process.pid} == waiting
    old.close()


def test_other_paths_and_threads_are_other_kinds(spares: Spares, tmp_path: Path) -> None:
    """Who asks for a search path or a number of threads gets a spare that has them."""
    spares.keep(1, [str(tmp_path)])
    spares.keep(1, (), 2)
    waiting = waiting_in(spares)
    taken = [spares.take(), spares.take([str(tmp_path)]), spares.take((), 2)]
    assert [child.process.pid in waiting for child in taken] == [False, True, True]
    for child in taken:
        child.close()


def test_ended_spare_is_not_given(spares: Spares) -> None:
    """One that somebody has killed meanwhile is replaced, and nobody notices."""
    spares.keep(1)
    (waiting,) = waiting_in(spares)
    os.kill(waiting, signal.SIGKILL)
    await_true(lambda: not alive(waiting), "the spare ends")
    child = spares.take()
    assert child.process.pid != waiting and child.process.poll() is None
    child.close()
    assert not waiting_in(spares)


def test_nobody_waits_for_ever() -> None:
    """Spares for which nobody comes end, with the thread that counts their time."""
    threads = since_now()
    short = Spares(0.1)
    short.keep(2)
    await_true(lambda: not waiting_in(short), "spares are let go")
    await_true(lambda: not threads(), "their thread ends")
    patient = Spares(PATIENCE)
    patient.keep(1)
    patient.take().close()
    await_true(lambda: not threads(), "who takes the last one stops the clock", PATIENCE / 2)


PROGRAM = """
import os, sys
from sinagot.engine.executors.processes import ProcessExecutor
from sinagot.engine.executors.spares import SPARES
import psutil

SPARES.keep(2)
pids = [one.pid for one in psutil.Process().children()]
if "fork" in sys.argv:
    forked = os.fork()
    if not forked:
        child = SPARES.take()
        ok = child.process.pid not in pids
        child.close()
        SPARES.close()
        os._exit(0 if ok else 1)
    assert os.waitpid(forked, 0)[1] == 0
    child = SPARES.take()
    assert child.process.pid in pids and child.process.poll() is None
    child.close()
print(*pids, flush=True)
if "wait" in sys.argv:
    sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["wait", "end", "fork"])
def test_spares_end_with_their_process(how: str) -> None:
    """Spares are gone when their process has ended or was killed; a fork of it leaves them alone."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None and program.stderr is not None
        pids = [int(word) for word in program.stdout.readline().split()]
        assert len(pids) == 2, program.stderr.read()
        if how == "wait":
            program.kill()
        program.communicate(timeout=PATIENCE)
        assert program.returncode == (-signal.SIGKILL if how == "wait" else 0)
    await_true(lambda: not alive(*pids), "the spares end")


def test_next_run_takes_fresh_children_that_wait(tmp_path: Path) -> None:
    """The second run in processes finds its children ready; none of them has run anything, and all that changed is seen."""
    module = tmp_path / "of_the_user.py"
    module.write_text("VALUE = 1\n")

    def look(folder: str) -> tuple[int, int, str | None]:
        sys.path.insert(0, folder)
        import of_the_user  # type: ignore[import-not-found]

        left = os.environ.get("LEFT_BEHIND")
        os.environ["LEFT_BEHIND"] = "something"
        return os.getpid(), of_the_user.VALUE, left

    SPARES.close()  # an earlier test of this process may have left some
    pipeline = pipeline_of(look, folder=str(tmp_path)).using(mode="processes", workers=1)
    try:
        first = pipeline.run()["s0"]
        waiting = waiting_in(SPARES)
        module.write_text("VALUE = 20\n")
        second = pipeline.run()["s0"]
        assert (first[1:], second[1:]) == ((1, None), (20, None))
        assert waiting == {second[0]} and first[0] not in waiting and not alive(first[0])
        others = waiting_in(SPARES)
        assert len(others) == 1, "as many wait as there were"
    finally:
        SPARES.close()
    assert not alive(*others, second[0])


def test_workers_of_dask_have_fresh_children_ready(tmp_path: Path) -> None:
    """On a worker the next run finds fresh children too; they die with it, also by kill -9."""
    from distributed import Client

    with (
        DaskProcesses(tmp_path, workers=1) as cluster,
        Client(cluster.address, set_as_default=False) as client,
    ):
        (worker,) = client.run(os.getpid).values()
        of_worker = psutil.Process(worker)
        pipeline = pipeline_of(pid).using(client=client)
        first = pipeline.run()["s0"]

        def ready(*ended: int) -> set[int]:
            return {one.pid for one in of_worker.children()} - set(ended)

        # One that has had its run may still be ending, and the next one is started when it has ended.
        await_true(lambda: len(ready(first)) == 1, "a fresh child waits")
        (fresh,) = ready(first)
        assert pipeline.run()["s0"] == fresh
        await_true(lambda: len(ready(first, fresh)) == 1, "the next one waits")
        (left,) = ready(first, fresh)
        os.kill(worker, signal.SIGKILL)
        await_true(lambda: not alive(left), "the spare ends")
