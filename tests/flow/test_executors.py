"""Laws of flows whose processors run in other processes: on a Dask cluster, and on workers of Celery."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import anyio
import pytest

from sinagot.errors import (
    FlowError,
    MissingExtraError,
    StorageError,
    UnsendableError,
    UpstreamFailed,
    WorkerLostError,
)
from sinagot.flow import (
    IO,
    CeleryExecutor,
    CurrentRecord,
    DaskExecutor,
    Depends,
    Flow,
    FlowDefinitionError,
    FlowRun,
    LocalExecutor,
    Processor,
    Supervisor,
    current_record,
    params,
    path_in,
)
from sinagot.flow.celery import _CelerySent
from sinagot.flow.handles import SpoolHandle, claim
from sinagot.flow.postings import Posting, SentContext
from sinagot.flow.starting import begin
from sinagot.testing import alive, await_true
from tests.clusters import ROOT, DaskProcesses
from tests.flow.executor_contract import ExecutorContract, all_of, counting, mark, marks, until
from tests.services import CeleryWorkers, RedisServer
from tests.threads import since_now


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    """Give a cluster of two workers with one thread each: fewer than the flows have processors."""
    with DaskProcesses(tmp_path_factory.mktemp("dask")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def client(cluster: DaskProcesses) -> Iterator[Any]:
    """Give a client of the cluster."""
    from distributed import Client

    with Client(cluster.address, set_as_default=False) as client:
        yield client


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Give a server, as a broker and as a store."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def celery(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CeleryWorkers]:
    """Give a worker that listens."""
    pytest.importorskip("celery")
    with CeleryWorkers(tmp_path_factory.mktemp("celery"), redis.url) as workers:
        workers.start()
        yield workers


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give a folder for streams, which is empty at the end; no thread of ours is left then."""
    folder = tmp_path / "streams"
    folder.mkdir()
    none_is_left = since_now()
    yield folder
    assert list(folder.iterdir()) == []
    none_is_left()


class TestLocal(ExecutorContract):
    """In the loop of the caller."""

    is_elsewhere = False

    @pytest.fixture
    def supervisor(self, folder: Path) -> Supervisor:
        """Give a supervisor for one test."""
        return Supervisor(LocalExecutor(), folder=folder)


class TestDask(ExecutorContract):
    """On a Dask cluster."""

    backend = "trio"

    @pytest.fixture
    def supervisor(self, folder: Path, client: Any) -> Supervisor:
        """Give a supervisor for one test."""
        return Supervisor(DaskExecutor(client, lost_after=30), folder=folder)


class TestCelery(ExecutorContract):
    """On a worker of Celery, with streams in Redis."""

    @pytest.fixture
    def supervisor(self, folder: Path, celery: CeleryWorkers, redis: RedisServer) -> Iterator[Supervisor]:
        """Give a supervisor for one test, which leaves no stream in the server."""
        yield Supervisor(CeleryExecutor(celery.app, lost_after=30), redis.config)
        with redis.client() as client:
            assert list(client.scan_iter("sinagot:*")) == []


class TestLocalInRedis(ExecutorContract):
    """In the loop of the caller, with streams in a server."""

    is_elsewhere = False

    @pytest.fixture
    def supervisor(self, redis: RedisServer) -> Supervisor:
        """Give a supervisor for one test."""
        return Supervisor(LocalExecutor(), redis.config)


class TestDaskInRedis(ExecutorContract):
    """On a Dask cluster, with streams in a server."""

    @pytest.fixture
    def supervisor(self, redis: RedisServer, client: Any) -> Supervisor:
        """Give a supervisor for one test."""
        return Supervisor(DaskExecutor(client, lost_after=30), redis.config)


def telling(go: Path, **options: Any) -> Processor:
    """Give a processor that tells its process, and goes on when it may."""

    @Processor("tell", ["n"], ["pid"], **options)
    async def body(n: IO[int]) -> AsyncIterator[Any]:
        async for value in n.stream():
            if value == 3:
                yield os.getpid(), os.getppid()
                await until(go.exists)
            else:
                yield value

    return body


async def kill_in_the_midst(
    supervisor: Supervisor, go: Path, retries: int, kill: Any
) -> tuple[list[Any], Any]:
    """Kill the worker of a processor after its fourth value: what was read, and what was raised then."""
    flow = Flow.from_processors(counting(6), telling(go, retries=retries))
    found = []
    async with await supervisor.start_flow(flow) as run:
        try:
            async for value in run["pid"].stream():
                found.append(value)
                if len(found) == 4:
                    await until(lambda: run.status().processors["count"].state == "done")
                    await anyio.to_thread.run_sync(kill, *value)
                    if retries:
                        go.touch()
        except UpstreamFailed as error:
            return found, error
    return found, None


@pytest.mark.slow
@pytest.mark.parametrize("retries", [0, 1])
def test_killed_dask_worker_is_found(
    retries: int, cluster: DaskProcesses, client: Any, folder: Path, tmp_path: Path
) -> None:
    """A worker that is killed in mid-stream: each value once with retries, else its loss is the cause."""
    supervisor = Supervisor(DaskExecutor(client, lost_after=5), folder=folder)

    def kill(pid: int, _: int) -> None:
        os.kill(pid, signal.SIGKILL)
        cluster.start_worker()

    found, error = anyio.run(kill_in_the_midst, supervisor, tmp_path / "go", retries, kill)
    assert [found[at] for at in (0, 1, 2)] == [0, 1, 2]
    if retries:
        assert (found[4:], error) == ([4, 5], None)
    else:
        assert (len(found), error.processor, type(error.cause)) == (4, "tell", WorkerLostError)
        assert "process" in str(error.cause)


@pytest.mark.slow
def test_body_that_computes_for_long_is_not_taken_for_dead(client: Any, folder: Path) -> None:
    """A body that lets nobody else have a turn goes on living for its run, however long it takes."""

    @Processor("compute", [], ["n"])
    async def compute() -> AsyncIterator[int]:
        yield 1
        time.sleep(4.5)
        yield 2

    async def main() -> None:
        supervisor = Supervisor(DaskExecutor(client, lost_after=3), folder=folder)
        async with await supervisor.start_flow(Flow.from_processors(compute)) as run:
            assert await all_of(run["n"]) == [1, 2]

    anyio.run(main)


@pytest.mark.slow
def test_worker_that_hangs_is_replaced_and_does_no_harm(
    cluster: DaskProcesses, client: Any, folder: Path, tmp_path: Path
) -> None:
    """A worker that stands still is replaced; when it wakes up, it ends what nobody wants, and no value is wrong."""
    go, cleaned = tmp_path / "go", tmp_path / "cleaned"

    @Processor("tell", ["n"], ["m"], retries=1)
    async def tell(n: IO[int]) -> AsyncIterator[Any]:
        number = 0
        try:
            async for _ in n.stream():
                yield os.getpid() if number == 3 else number
                number += 1
            while not go.exists():
                yield number
                number += 1
                await anyio.sleep(0.001)
        finally:
            mark(cleaned, str(os.getpid()))

    async def main() -> None:
        supervisor = Supervisor(DaskExecutor(client, lost_after=4), folder=folder)
        async with await supervisor.start_flow(Flow.from_processors(counting(6), tell)) as run:
            found = []
            async for value in run["m"].stream():
                found.append(value)
                if len(found) == 40:
                    os.kill(found[3], signal.SIGSTOP)
                    await until(lambda: run.status().processors["tell"].attempts == 2)
                    await until(lambda: run.status().processors["tell"].written["m"] > len(found) + 40)
                    os.kill(found[3], signal.SIGCONT)
                    await until(lambda: marks(cleaned) == [str(found[3])])
                    go.touch()
            assert len(found) > 80
            assert found[:3] + found[4:] == [number for number in range(len(found)) if number != 3]

    cluster.await_workers(2)
    anyio.run(main)


DRIVER = """
import sys
import anyio
from distributed import Client
from sinagot.flow import DaskExecutor, Flow, Supervisor
from tests.flow.executor_contract import endless
from pathlib import Path

async def main():
    run = await Supervisor.instance.start_flow(Flow.from_processors(endless(Path(sys.argv[3]))))
    async for value in run["ticks"].stream():
        if value == 3:
            print("ready", flush=True)

with Client(sys.argv[1], set_as_default=False) as client:
    Supervisor.attach(DaskExecutor(client, lost_after=2), folder=sys.argv[2])
    anyio.run(main)
"""


@pytest.mark.slow
def test_workers_end_when_their_run_is_killed(cluster: DaskProcesses, tmp_path: Path) -> None:
    """When the process that leads a run is killed, its processors elsewhere end by themselves, and clean up."""
    cleaned = tmp_path / "cleaned"
    words = [sys.executable, "-c", DRIVER, cluster.address, str(tmp_path), str(cleaned)]
    driver = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE)
    with driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == b"ready\n"
        driver.kill()
    await_true(lambda: marks(cleaned) == ["body", "dependency"], "the processor ends", 60)


@pytest.mark.slow
@pytest.mark.parametrize("retries", [0, 1])
def test_killed_celery_worker_is_found(
    retries: int, celery: CeleryWorkers, redis: RedisServer, folder: Path, tmp_path: Path
) -> None:
    """A worker that is killed with its children in mid-stream is found by its silence; another one goes on."""
    queue = f"mortal-{retries}"
    worker = celery.start(queue, 2)
    executor = CeleryExecutor(celery.app, queue=queue, lost_after=3)
    # Half the time the streams are files.
    supervisor = Supervisor(executor, redis.config if retries else None, folder=folder)

    def kill(pid: int, _: int) -> None:
        os.killpg(worker.pid, signal.SIGKILL)
        await_true(lambda: not alive(pid), "the child is dead")
        if retries:
            celery.start(queue, 2)

    found, error = anyio.run(kill_in_the_midst, supervisor, tmp_path / "go", retries, kill)
    assert found[:3] == [0, 1, 2]
    if retries:
        assert (found[4:], error) == ([4, 5], None)
    else:
        assert (len(found), error.processor, type(error.cause)) == (4, "tell", WorkerLostError)


@pytest.mark.slow
def test_killed_child_of_celery_is_told_by_its_worker(
    celery: CeleryWorkers, folder: Path, tmp_path: Path
) -> None:
    """A single process of a worker that is killed is known before it is missed, and its task has failed."""
    executor = CeleryExecutor(celery.app, lost_after=600)
    found, error = anyio.run(
        kill_in_the_midst,
        Supervisor(executor, folder=folder),
        tmp_path / "go",
        0,
        lambda pid, _: os.kill(pid, signal.SIGKILL),
    )
    assert (len(found), type(error.cause)) == (4, WorkerLostError)


def test_tasks_of_celery_have_true_states(celery: CeleryWorkers, folder: Path, tmp_path: Path) -> None:
    """A task is started while its processor lives, and then says what became of it."""
    from celery.result import AsyncResult

    app, go = celery.app, tmp_path / "go"

    @Processor("good", [], ["a"])
    async def good() -> AsyncIterator[int]:
        yield 1
        await until(go.exists)

    @Processor("bad", ["a"], ["b"])
    def bad(a: Any) -> int:
        a.first()
        raise ValueError("no such channel")

    async def main() -> None:
        supervisor = Supervisor(CeleryExecutor(app), folder=folder)
        async with await supervisor.start_flow(Flow.from_processors(good)) as run:
            task = AsyncResult(f"{run.run_id}.good.1", app=app)
            assert await run["a"].first() == 1
            await until(lambda: task.state == "STARTED")
            go.touch()
            await run.wait()
            await until(lambda: task.state == "SUCCESS")
        go.unlink()
        async with await supervisor.start_flow(Flow.from_processors(good, bad)) as run:
            await run.wait()
            states = {name: AsyncResult(f"{run.run_id}.{name}.1", app=app) for name in ("good", "bad")}
            await until(lambda: states["bad"].state == "FAILURE" and states["good"].state == "REVOKED")
            assert "no such channel" in str(states["bad"].result)

    anyio.run(main)


def test_message_that_comes_twice_runs_once(celery: CeleryWorkers, folder: Path, tmp_path: Path) -> None:
    """A broker may deliver a message twice: one of them is run, the other one refused, and all is well."""
    begun = tmp_path / "begun"

    class Twice(CeleryExecutor):
        async def send(self, posting: Posting, data: bytes) -> Any:
            await super().send(posting, data)
            return await super().send(posting, data)

    @Processor("count", [], ["n"])
    def count() -> Iterator[int]:
        mark(begun)
        yield from range(100)

    async def main() -> None:
        supervisor = Supervisor(Twice(celery.app), folder=folder)
        async with await supervisor.start_flow(Flow.from_processors(count)) as run:
            assert await all_of(run["n"]) == list(range(100))
            assert (await run.wait()).state == "done"
        assert marks(begun) == ["x"]

    anyio.run(main)


def test_message_that_was_lost_is_sent_again(celery: CeleryWorkers, folder: Path) -> None:
    """What a dead worker had taken ahead is sent again when there are free places and nobody has it."""

    class Forgetful(CeleryExecutor):
        has_forgotten = False

        def _put(self, task_id: str, text: str) -> None:
            if self.has_forgotten:
                super()._put(task_id, text)
            self.has_forgotten = True

    async def main() -> None:
        supervisor = Supervisor(Forgetful(celery.app, start_within=0.5), folder=folder)
        async with await supervisor.start_flow(Flow.from_processors(counting(3))) as run:
            assert await all_of(run["n"]) == [0, 1, 2]

    anyio.run(main)


def test_worker_that_is_slow_to_answer_is_not_taken_for_none(
    celery: CeleryWorkers, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that says nothing while it is busy is asked once more, and then takes what waits for it."""
    (worker, *_) = celery.workers
    asked: list[float] = []
    listeners = _CelerySent._listeners

    def asking(sent: _CelerySent, seconds: float) -> list[str]:
        if asked:
            os.kill(worker.pid, signal.SIGCONT)
        asked.append(seconds)
        return listeners(sent, seconds)

    monkeypatch.setattr(_CelerySent, "_listeners", asking)

    async def main() -> None:
        supervisor = Supervisor(CeleryExecutor(celery.app, start_within=0.1), folder=folder)
        async with await supervisor.start_flow(Flow.from_processors(counting(3))) as run:
            assert await all_of(run["n"]) == [0, 1, 2]

    os.kill(worker.pid, signal.SIGSTOP)
    try:
        anyio.run(main)
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    assert len(asked) > 1 and asked[0] < asked[1]


def test_queue_without_worker_is_named(celery: CeleryWorkers, folder: Path) -> None:
    """When nobody listens, the error names the queue after the time that was set."""

    async def main() -> None:
        supervisor = Supervisor(CeleryExecutor(celery.app, queue="nobody", start_within=0.1), folder=folder)
        async with await supervisor.start_flow(Flow.from_processors(counting(3))) as run:
            await until(lambda: "'nobody'" in run.status().processors["count"].waits)
            with pytest.raises(UpstreamFailed, match="no Celery worker listens to queue 'nobody'"):
                await all_of(run["n"])

    anyio.run(main)


@pytest.mark.slow
def test_too_few_places_are_told(celery: CeleryWorkers, folder: Path) -> None:
    """Processors that take all places while another one of their flow has none are an error that says so."""
    celery.start("narrow", 1)

    @Processor("feed", [], ["n"], max_lead=1)
    def feed() -> Iterator[int]:
        yield from range(10)

    @Processor("copy", ["n"], ["m"])
    def copy(n: Any) -> Iterator[int]:
        yield from n.stream()

    async def main() -> None:
        supervisor = Supervisor(CeleryExecutor(celery.app, queue="narrow", start_within=1), folder=folder)
        async with await supervisor.start_flow(Flow.from_processors(feed, copy)) as run:
            with pytest.raises(UpstreamFailed, match=r"has no place: .* have 1"):
                await all_of(run["m"])

    anyio.run(main)


def test_folder_that_workers_do_not_see_is_named(client: Any, folder: Path) -> None:
    """A worker that cannot use the folder of the streams says so, with the folder and its host."""

    class Elsewhere(DaskExecutor):
        async def send(self, posting: Posting, data: bytes) -> Any:
            import pickle

            posting = replace(posting, handle=SpoolHandle("/nowhere/flow-x"))
            return await super().send(posting, pickle.dumps(posting))

    async def main() -> None:
        async with await Supervisor(Elsewhere(client), folder=folder).start_flow(
            Flow.from_processors(counting(3))
        ) as run:
            with pytest.raises(
                UpstreamFailed, match=r"host .* cannot use .*/nowhere/flow-x.*folder="
            ) as caught:
                await all_of(run["n"])
            assert isinstance(caught.value.cause, StorageError)

    anyio.run(main)


def test_ready_made_dependencies_know_the_record_elsewhere(client: Any, folder: Path) -> None:
    """What a run tells of its record and its parameters is known on workers too."""

    @Processor("tell", [], ["facts"])
    async def tell(
        record: Annotated[CurrentRecord, Depends(current_record)],
        values: Annotated[dict[str, Any], Depends(params)],
        raw: Annotated[Path, Depends(path_in("raw"))],
    ) -> AsyncIterator[Any]:
        yield [record.id, record.task, values["low"], str(raw)]

    async def main() -> None:
        context = SentContext({"id": "REC-1", "task": "rest"}, {"raw": Path("a.edf")}, {"low": 8.5})
        wiring = Flow.from_processors(tell).wiring
        leading = begin(wiring, None, DaskExecutor(client), str(folder), {}, context=context)
        async with FlowRun(leading, ("facts",)) as run:
            assert await run["facts"].first() == ["REC-1", "rest", 8.5, "a.edf"]

    anyio.run(main)


def test_what_cannot_be_sent_is_named(client: Any, folder: Path) -> None:
    """A body that holds what no process can send is an error that names the processor, and where it is written."""
    lock = threading.Lock()

    @Processor("locked", [], ["n"])
    async def locked() -> AsyncIterator[int]:
        with lock:
            yield 1

    async def main() -> None:
        supervisor = Supervisor(DaskExecutor(client), folder=folder)
        async with await supervisor.start_flow(Flow.from_processors(locked)) as run:
            with pytest.raises(
                UpstreamFailed, match=r"'locked' cannot be sent .*test_executors.py"
            ) as caught:
                await all_of(run["n"])
            assert isinstance(caught.value.cause, UnsendableError)

    anyio.run(main)


def test_only_one_of_many_claims_holds(tmp_path: Path) -> None:
    """Whoever claims an attempt first has it, whatever store object asks."""
    tmp_path.chmod(0o700)

    async def main() -> list[bool]:
        stores = [SpoolHandle(str(tmp_path)).open() for _ in range(3)]
        return [await claim(store, "control claim 1 x") for store in stores]

    assert anyio.run(main) == [True, False, False]


def test_wrong_clients_and_apps_are_refused(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no client, no app or no time is refused with words; so is a Celery that is not installed."""
    from distributed import Client

    with pytest.raises(FlowDefinitionError, match=r"takes a distributed\.Client"):
        DaskExecutor(Client)  # type: ignore[arg-type]  # the class, not a client
    with pytest.raises(FlowDefinitionError, match="too short"):
        DaskExecutor(client, lost_after=1)
    with pytest.raises(FlowDefinitionError, match="above 0"):
        DaskExecutor(client, start_within=0)
    monkeypatch.setitem(sys.modules, "celery", None)
    with pytest.raises(MissingExtraError, match="pip install celery"):
        CeleryExecutor(object())


def test_wrong_app_is_refused() -> None:
    """What is no app of Celery is refused with words."""
    pytest.importorskip("celery")
    with pytest.raises(FlowDefinitionError, match=r"takes a celery\.Celery"):
        CeleryExecutor(object())


def test_broker_that_is_not_there_is_named(folder: Path) -> None:
    """When the broker can't be reached, the error has its address."""
    celery = pytest.importorskip("celery")
    app = celery.Celery("lab", broker="redis://127.0.0.1:1/0")
    app.conf.broker_transport_options = {"max_retries": 0}
    app.conf.task_publish_retry = False

    async def main() -> None:
        async with await Supervisor(CeleryExecutor(app), folder=folder).start_flow(
            Flow.from_processors(counting(3))
        ) as run:
            with pytest.raises(
                UpstreamFailed, match=r"broker .* at redis://.*127\.0\.0\.1:1/0 can't be reached"
            ) as caught:
                await all_of(run["n"])
            assert isinstance(caught.value.cause, FlowError)

    anyio.run(main)
