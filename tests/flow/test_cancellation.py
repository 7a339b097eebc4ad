"""Laws of a flow that is cancelled, at any moment and in any way: nothing of it is left."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

import anyio
import psutil
import pytest

from sinagot.errors import StorageError
from sinagot.flow import (
    IO,
    Depends,
    Flow,
    FlowRun,
    Processor,
    Supervisor,
    UpstreamCancelled,
    UpstreamFailed,
)
from tests.threads import since_now

#: Turns of the loop after which a run is cancelled: each of the first ones, where all begins, then further apart, and
#: not before its end.
MOMENTS = [*range(16), *range(16, 60, 4), 80, 120, 200, 400, None]


async def pass_on(run: FlowRun, moment: int | None) -> None:
    """Wait for as many turns of the loop, or for the end of the run."""
    if moment is None:
        await run.wait()
        return
    for _ in range(moment):
        await anyio.lowlevel.checkpoint()


def flow_that_notes(begun: list[str], ended: list[str]) -> Flow:
    """Give a flow of processors of all kinds, which note what is begun and what is cleaned up."""

    async def line() -> AsyncIterator[str]:
        begun.append("line")
        try:
            await anyio.sleep(0)
            yield "line"
        finally:
            ended.append("line")
            await anyio.sleep(0)

    def number(line: Annotated[str, Depends(line)]) -> Iterator[int]:
        begun.append("number")
        try:
            yield len(line)
        finally:
            ended.append("number")

    @Processor("make", [], ["n"], max_lead=2, retries=1)
    async def make(number: Annotated[int, Depends(number)]) -> AsyncIterator[Any]:
        begun.append("make")
        try:
            for one in range(6):
                await anyio.sleep(0)
                yield bytes(300_000) if one == 3 else [one, number]
                if one == 4 and begun.count("make") == 1:
                    raise ValueError("once more")
        finally:
            ended.append("make")
            await anyio.sleep(0)

    @Processor("thread", ["n"], ["m"])
    def thread(n: Any, number: Annotated[int, Depends(number)]) -> Iterator[Any]:
        begun.append("thread")
        try:
            yield from n.stream()
        finally:
            ended.append("thread")

    @Processor("last", ["m"], ["total"], wait=True)
    async def last(m: IO[Any], line: Annotated[str, Depends(line)]) -> int:
        begun.append("last")
        try:
            return len([value async for value in m.stream()])
        finally:
            ended.append("last")

    return Flow.from_processors(make, thread, last)


async def end_in_a_block(run: FlowRun, moment: int | None) -> None:
    """Leave a block by a scope that is cancelled after some turns."""

    async def cancel() -> None:
        await pass_on(run, moment)
        if moment is not None:
            scope.cancel()

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(cancel)
            async with run:
                assert [value async for value in run["total"].stream()] == [6]
                group.cancel_scope.cancel()
    assert run.status().state in ("done", "interrupted")


async def end_by_asking(run: FlowRun, moment: int | None) -> None:
    """Cancel the run after some turns, while somebody reads it; the reader is told."""

    async def read() -> None:
        try:
            assert [value async for value in run["total"].stream()] == [6]
        except UpstreamCancelled:
            pass
        read_all.set()

    read_all = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await pass_on(run, moment)
        status = await run.cancel()
        await read_all.wait()
    assert status.state in ("done", "interrupted")
    await run.aclose()


async def end_with_the_loop(run: FlowRun, moment: int | None) -> None:
    """Let the loop end after some turns."""
    await pass_on(run, moment)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("end", [end_in_a_block, end_by_asking, end_with_the_loop])
def test_a_run_that_is_cancelled_at_any_moment_leaves_nothing(
    end: Any, backend: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whenever and however a run is cancelled, what was begun is cleaned up, and no task, thread or file is left."""
    none_is_left = since_now()
    for moment in MOMENTS:
        begun: list[str] = []
        ended: list[str] = []

        async def main(
            moment: int | None = moment, begun: list[str] = begun, ended: list[str] = ended
        ) -> None:
            run = await Supervisor(folder=tmp_path).start_flow(flow_that_notes(begun, ended))
            with anyio.fail_after(60):
                await end(run, moment)

        anyio.run(main, backend=backend)
        assert sorted(begun) == sorted(ended), moment
        none_is_left()
        assert list(tmp_path.iterdir()) == [], moment
        assert [one.path for one in psutil.Process().open_files() if str(tmp_path) in one.path] == [], moment
    assert {"make", "thread", "last"} < set(begun)
    told = [line for line in caplog.records if line.levelname == "ERROR"]
    # What other tests have left in this process may tell of its own end.
    assert [line.message for line in told if line.name.startswith(("sinagot", "asyncio", "trio"))] == []


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_reader_that_leaves_holds_up_nobody(backend: str, tmp_path: Path) -> None:
    """Readers that stop, are cancelled while they wait, or are forgotten, do not change what others get."""

    @Processor("make", [], ["n"], max_lead=3)
    async def make() -> AsyncIterator[int]:
        for number in range(300):
            yield number

    @Processor("picky", ["n"], ["few"])
    async def picky(n: IO[int]) -> AsyncIterator[int]:
        async for value in n.stream():
            yield value
            if value == 5:
                break

    @Processor("all", ["n"], ["m"])
    async def every(n: IO[int]) -> AsyncIterator[int]:
        async for value in n.stream():
            yield value

    async def main() -> None:
        supervisor = Supervisor(folder=tmp_path)
        async with await supervisor.start_flow(Flow.from_processors(make, picky, every)) as run:
            forgotten = run["m"].stream()
            assert await anext(forgotten) == 0
            with anyio.CancelScope() as scope:
                async for value in run["m"].stream():
                    if value == 7:
                        scope.cancel()
                        await anyio.lowlevel.checkpoint()
            assert [value async for value in run["few"].stream()] == list(range(6))
            assert [value async for value in run["m"].stream()] == list(range(300))
            assert await anext(forgotten) == 1

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_hundred_flows_run_at_once(backend: str, tmp_path: Path) -> None:
    """A hundred runs, some of which fail or are cancelled, do not touch one another."""

    @Processor("make", ["n"], ["m"])
    async def make(n: IO[int]) -> AsyncIterator[int]:
        first = await n.first()
        for number in range(first, first + 20):
            await anyio.sleep(0)
            if first % 10 == 3 and number == first + 10:
                raise ValueError(str(first))
            yield number
        while first % 10 == 7:
            await anyio.sleep(0)

    @Processor("copy", ["m"], ["out"])
    async def copy(m: IO[int]) -> AsyncIterator[int]:
        async for value in m.stream():
            yield value

    flow = Flow.from_processors(make, copy)

    async def main() -> None:
        async with Supervisor(folder=tmp_path) as supervisor:
            runs = [await supervisor.start_flow(flow, {"n": number}) for number in range(100)]
            for number, run in enumerate(runs):
                found = []
                try:
                    async for value in run["out"].stream():
                        found.append(value)
                        if number % 10 == 7 and len(found) == 20:
                            await run.cancel()
                            break
                except UpstreamFailed as error:
                    assert (number % 10, str(error.cause)) == (3, str(number))  # noqa: PT017  (the others go on)
                assert found == list(range(number, number + (10 if number % 10 == 3 else 20)))
            states = [(await run.wait()).state for run in runs]
            assert states == [
                {3: "error", 7: "interrupted"}.get(number % 10, "done") for number in range(100)
            ]

    anyio.run(main, backend=backend)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_runaway_ends_at_its_limit(backend: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A stream that would grow beyond `spool_limit` ends its processor, and the error names stream and limit."""

    @Processor("endless", [], ["n"])
    async def endless() -> AsyncIterator[list[int]]:
        while True:
            yield [1, 2, 3]

    @Processor("copy", ["n"], ["m"])
    async def copy(n: IO[Any]) -> AsyncIterator[int]:
        async for value in n.stream():
            yield len(value)

    async def main() -> None:
        supervisor = Supervisor(folder=tmp_path, spool_limit=200_000)
        async with await supervisor.start_flow(Flow.from_processors(endless, copy)) as run:
            with pytest.raises(UpstreamFailed, match=r"'n' would hold .* spool_limit is 200000"):
                async for value in run["m"].stream():
                    assert value == 3
            assert (await run.wait()).state == "error"

    anyio.run(main, backend=backend)
    assert list(tmp_path.iterdir()) == []
    assert "spool_limit" in caplog.text


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_streams_that_somebody_deletes_end_their_run(
    backend: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When the folder of a run is deleted by somebody else, readers get values in order, perhaps the cause, and no wait."""

    @Processor("make", [], ["n"])
    async def make() -> AsyncIterator[Any]:
        for number in range(300):
            await anyio.sleep(0)
            yield [number, bytes(1000)]

    @Processor("copy", ["n"], ["m"])
    def copy(n: Any) -> Iterator[Any]:
        yield from n.stream()

    async def main() -> None:
        for moment in (1, 100, 200):
            async with await Supervisor(folder=tmp_path).start_flow(Flow.from_processors(make, copy)) as run:
                found = []
                try:
                    async for number, _ in run["m"].stream():
                        found.append(number)
                        if len(found) == moment:
                            for folder in tmp_path.iterdir():
                                shutil.rmtree(
                                    folder, ignore_errors=True
                                )  # a thread may write there right now
                except UpstreamFailed as error:
                    assert isinstance(error.cause, StorageError)  # noqa: PT017  (it need not be raised)
                else:
                    assert len(found) == 300
                assert found == list(range(len(found)))
                assert len(found) >= moment

    anyio.run(main, backend=backend)
    assert list(tmp_path.iterdir()) == []
