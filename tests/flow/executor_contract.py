"""The laws of executors: wherever processors run, a run looks the same from outside.

Each class of laws below is inherited by one class for each executor, which gives a `supervisor`.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

import anyio
import pytest

from sinagot.flow import IO, Depends, Flow, FlowRun, FlowStalled, IOVal, Processor, Supervisor, UpstreamFailed

__all__ = ["ExecutorContract", "all_of", "counting", "endless", "mark", "marks", "until"]


class OwnError(Exception):
    """An error whose class no other process can import."""


def mark(file: Path, text: str = "x") -> None:
    """Add a line to a file, from any process."""
    with file.open("a") as lines:
        lines.write(f"{text}\n")


def marks(file: Path) -> list[str]:
    """Give the lines of a file that perhaps is not there."""
    return file.read_text().splitlines() if file.exists() else []


async def all_of(stream: IO[Any]) -> list[Any]:
    """Read a stream to its end."""
    return [value async for value in stream.stream()]


async def until(condition: Any) -> None:
    """Wait until a condition holds."""
    with anyio.fail_after(60):
        while not condition():
            await anyio.sleep(0.01)


def counting(many: int, **options: Any) -> Processor:
    """Give a processor that counts, and tells in which process."""

    @Processor("count", [], ["n"], **options)
    async def body() -> AsyncIterator[Any]:
        for number in range(many):
            yield number

    return body


def endless(cleaned: Path, name: str = "endless", output: str = "ticks") -> Processor:
    """Give a processor that counts for ever, with a dependency, and tells of its clean-ups."""

    def held() -> Iterator[int]:
        try:
            yield 1
        finally:
            mark(cleaned, "dependency")

    @Processor(name, [], [output])
    async def body(step: Annotated[int, Depends(held)]) -> AsyncIterator[int]:
        number = 0
        try:
            while True:
                yield number
                number += step
                await anyio.sleep(0.01)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0)
            mark(cleaned, "body")

    return body


class ExecutorContract:
    """Laws that hold for each executor."""

    #: The event loop of the caller.
    backend = "asyncio"
    #: Processors run in other processes.
    is_elsewhere = True

    def run(self, main: Any, *arguments: Any) -> Any:
        """Run an async function in a loop."""
        return anyio.run(main, *arguments, backend=self.backend)

    def test_values_come_in_order_and_whole(self, supervisor: Supervisor) -> None:
        """Async and plain bodies, arrays and texts: each value comes once, in the order of yields."""

        @Processor("count", ["many"], ["n"])
        async def count(many: IO[int]) -> AsyncIterator[int]:
            for number in range(await many.first()):
                yield number

        @Processor("spread", ["n"], ["wave", "word"])
        def spread(n: Any) -> Iterator[Any]:
            import numpy as np

            for number in n.stream():
                yield IOVal("wave", np.full(3000, number, dtype="f4"))
                yield IOVal("word", f"no. {number}")

        @Processor("where", ["word"], ["pid"])
        def where(word: Any) -> int:
            assert word.first() == "no. 0"
            return os.getpid()

        async def main() -> None:
            flow = Flow.from_processors(count, spread, where)
            async with await supervisor.start_flow(flow, {"many": 200}, all_outputs=True) as run:
                waves = await all_of(run["wave"])
                assert [(wave.shape, wave.dtype.str, int(wave[0])) for wave in waves] == [
                    ((3000,), "<f4", number) for number in range(200)
                ]
                assert await all_of(run["word"]) == [f"no. {number}" for number in range(200)]
                (pid,) = await all_of(run["pid"])
                assert (pid != os.getpid()) == self.is_elsewhere
                status = await run.wait()
                assert (status.state, status.processors["spread"].written["wave"]) == ("done", 200)

        self.run(main)

    def test_stages_overlap(self, supervisor: Supervisor, tmp_path: Path) -> None:
        """The first value is read before the second one is made."""
        go = tmp_path / "go"

        @Processor("slow", [], ["n"])
        async def slow() -> AsyncIterator[int]:
            yield 1
            await until(go.exists)
            yield 2

        async def main() -> None:
            async with await supervisor.start_flow(Flow.from_processors(slow)) as run:
                found = []
                async for value in run["n"].stream():
                    found.append(value)
                    go.touch()
                assert found == [1, 2]

        self.run(main)

    def test_failure_tells_readers_and_ends_siblings(self, supervisor: Supervisor, tmp_path: Path) -> None:
        """Readers get what was written, then the cause; siblings are ended, and clean up."""
        cleaned = tmp_path / "cleaned"

        @Processor("fail", ["ticks"], ["n"])
        async def fail(ticks: IO[int]) -> AsyncIterator[int]:
            await ticks.first()
            yield 0
            yield 1
            raise OwnError("at value 2")

        @Processor("after", ["n"], ["m"])
        async def after(n: IO[int]) -> AsyncIterator[int]:
            async for value in n.stream():
                yield value

        async def main() -> None:
            flow = Flow.from_processors(fail, after, endless(cleaned))
            async with await supervisor.start_flow(flow) as run:
                found = []
                with pytest.raises(UpstreamFailed) as caught:
                    async for value in run["m"].stream():
                        found.append(value)  # noqa: PERF401  (what came before the error is wanted)
                assert found == [0, 1]
                assert (caught.value.processor, type(caught.value.cause)) == ("fail", OwnError)
                status = await run.wait()
                assert (status.state, status.processors["fail"].state) == ("error", "error")
                assert [str(one.cause) for one in run.errors] == ["at value 2"]
                assert marks(cleaned) == ["body", "dependency"], marks(cleaned)

        self.run(main)

    def test_cancel_ends_bodies_and_cleans_up(self, supervisor: Supervisor, tmp_path: Path) -> None:
        """A run that is cancelled leaves nothing: clean-ups ran, and it counts as interrupted."""
        cleaned = tmp_path / "cleaned"

        @Processor("copy", ["ticks"], ["n"])
        def copy(ticks: Any) -> Iterator[int]:
            yield from ticks.stream()

        async def main() -> None:
            run = await supervisor.start_flow(Flow.from_processors(endless(cleaned), copy))
            async for value in run["n"].stream():
                if value == 3:
                    break
            status = await run.cancel()
            assert {one.state for one in status.processors.values()} == {"interrupted"}
            assert marks(cleaned) == ["body", "dependency"], marks(cleaned)
            await run.aclose()

        self.run(main)

    def test_max_lead_holds_back(self, supervisor: Supervisor, tmp_path: Path) -> None:
        """A producer waits for its slowest reader, which is told; it goes on when that one does."""
        go = tmp_path / "go"

        @Processor("slow", ["n"], ["m"])
        async def slow(n: IO[int]) -> AsyncIterator[int]:
            async for value in n.stream():
                yield value
                await until(go.exists)

        async def main() -> None:
            flow = Flow.from_processors(counting(30, max_lead=4), slow)
            async with await supervisor.start_flow(flow) as run:
                await until(lambda: "max_lead=4" in run.status().processors["count"].waits)
                assert await run["m"].first() == 0
                await until(lambda: run.status().processors["count"].written["n"] == 5)
                await until(lambda: "max_lead=4" in run.status().processors["count"].waits)
                assert run.status().processors["count"].written["n"] == 5
                go.touch()
                assert await all_of(run["m"]) == list(range(30))

        self.run(main)

    def test_standstill_is_told(self, supervisor: Supervisor) -> None:
        """Processors that wait for one another for ever are an error that names them."""

        @Processor("pair", [], ["a", "b"], max_lead=1)
        async def pair() -> AsyncIterator[IOVal[int]]:
            for number in range(5):
                yield IOVal("a", number)
            yield IOVal("b", 0)

        @Processor("late", ["a", "b"], ["c"])
        async def late(a: IO[int], b: IO[int]) -> AsyncIterator[int]:
            yield await b.first()
            yield await a.first()

        async def main() -> None:
            async with await supervisor.start_flow(Flow.from_processors(pair, late)) as run:
                with pytest.raises(FlowStalled) as caught:
                    await all_of(run["c"])
                assert "'pair' waits for 'late'" in str(caught.value.waits)
                assert "'late' waits for a value of 'b' from 'pair'" in str(caught.value.waits)

        self.run(main)

    def test_wait_begins_once_when_inputs_are_complete(self, supervisor: Supervisor, tmp_path: Path) -> None:
        """A processor with `wait` is begun once, and finds its inputs complete."""
        begun, go = tmp_path / "begun", tmp_path / "go"

        @Processor("first", [], ["a"])
        async def first() -> AsyncIterator[int]:
            yield 1
            await until(go.exists)
            yield 2

        @Processor("last", ["a", "n"], ["total"], wait=True)
        async def last(a: IO[int], n: IO[int]) -> int:
            mark(begun)
            return sum(await all_of(a)) + sum(await all_of(n))

        async def main() -> None:
            async with await supervisor.start_flow(Flow.from_processors(first, counting(5), last)) as run:
                await until(lambda: "(wait=True)" in run.status().processors["last"].waits)
                assert marks(begun) == []
                go.touch()
                assert await all_of(run["total"]) == [13]
                assert marks(begun) == ["x"]

        self.run(main)

    def test_retries_give_each_value_once(self, supervisor: Supervisor, tmp_path: Path) -> None:
        """A body that fails is begun anew; readers see each value once, and the reader between is not begun anew."""
        begun = tmp_path / "begun"

        @Processor("shaky", ["n"], ["m"], retries=2)
        async def shaky(n: IO[int]) -> AsyncIterator[int]:
            mark(begun, "shaky")
            attempt = marks(begun).count("shaky")
            async for value in n.stream():
                if value == 3 * attempt and attempt < 3:
                    raise OwnError("once more")
                yield value

        @Processor("copy", ["m"], ["k"])
        async def copy(m: IO[int]) -> AsyncIterator[int]:
            mark(begun, "copy")
            async for value in m.stream():
                yield value

        async def main() -> None:
            async with await supervisor.start_flow(Flow.from_processors(counting(12), shaky, copy)) as run:
                assert await all_of(run["k"]) == list(range(12))
                status = await run.wait()
                assert (status.processors["shaky"].attempts, status.processors["copy"].attempts) == (3, 1)
                assert sorted(marks(begun)) == ["copy", "shaky", "shaky", "shaky"]

        self.run(main)

    def test_runs_at_once_are_apart(self, supervisor: Supervisor) -> None:
        """The same flow runs several times at once, each time with its own inputs."""

        @Processor("double", ["n"], ["m"])
        async def double(n: IO[int]) -> AsyncIterator[int]:
            async for value in n.stream():
                yield 2 * value

        async def one(run: FlowRun, number: int) -> None:
            async with run:
                assert await all_of(run["m"]) == [2 * number, 2 * number + 2]

        async def main() -> None:
            flow = Flow.from_processors(double)
            async with anyio.create_task_group() as group:
                for number in range(4):
                    run = await supervisor.start_flow(flow, {"n": iter([number, number + 1])})
                    group.start_soon(one, run, number)

        self.run(main)
