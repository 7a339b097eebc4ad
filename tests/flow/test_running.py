"""Laws of flows that run: under both event loops, with real files and real threads."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import anyio
import pytest

from sinagot.errors import EmptyStreamError, UnevenStreamsError, UnknownStreamError
from sinagot.flow import (
    IO,
    Depends,
    Flow,
    FlowDefinitionError,
    FlowRun,
    FlowStalled,
    IOVal,
    Processor,
    Supervisor,
    UpstreamCancelled,
    UpstreamFailed,
)
from tests.flow.example import EXAMPLE
from tests.threads import since_now


@pytest.fixture(params=["asyncio", "trio"])
def in_loop(request: pytest.FixtureRequest) -> Callable[[Callable[[], Awaitable[Any]]], Any]:
    """Run an async function in a loop, and see that it leaves no thread behind."""

    def run(main: Callable[[], Awaitable[Any]]) -> Any:
        none_is_left = since_now()
        found = anyio.run(main, backend=request.param)
        none_is_left()
        return found

    return run


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """Give a supervisor whose streams lie in the folder of the test, which is empty at the end."""
    yield Supervisor(folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


async def all_of(stream: IO[Any]) -> list[Any]:
    """Read a stream to its end."""
    return [value async for value in stream.stream()]


async def told_by(stream: IO[Any], kind: type[Exception] = UpstreamFailed) -> tuple[list[Any], Any]:
    """Read a stream that ends early: what was written, and what is raised then."""
    found: list[Any] = []
    with pytest.raises(kind) as caught:
        async for value in stream.stream():
            found.append(value)  # noqa: PERF401  (what came before the error is wanted)
    return found, caught.value


def counting(name: str = "count", output: str = "n", many: int = 5, **options: Any) -> Processor:
    """Give a processor that counts."""

    @Processor(name, [], [output], **options)
    async def body() -> AsyncIterator[int]:
        for number in range(many):
            yield number

    return body


def copying(name: str, source: str, target: str, **options: Any) -> Processor:
    """Give a processor that hands on, whatever its streams are called."""

    @Processor(name, [source], [target], **options)
    async def body(**streams: IO[Any]) -> AsyncIterator[Any]:
        async for value in streams[source].stream():
            yield value

    return body


@pytest.mark.parametrize("backend", ["trio", "asyncio"])
def test_example_runs_and_ends_by_itself(backend: str, tmp_path: Path) -> None:
    """The example prints its values and ends with code 0 under both loops, without a server, and leaves no file."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", EXAMPLE, backend, "{}"],
        capture_output=True,
        text=True,
        check=False,
        env={"TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert (done.stdout.split(), done.stderr, done.returncode) == (["0", "2", "4", "6", "8"], "", 0)
    assert list(tmp_path.rglob("*")) == [] or not any(one.is_file() for one in tmp_path.rglob("*"))


def test_start_returns_at_once_and_stages_overlap(in_loop: Any, supervisor: Supervisor) -> None:
    """A flow is started before its first value is made, and that one is read before the third one is made."""
    made: list[int] = []
    read: list[int] = []

    @Processor("slow", [], ["n"])
    async def slow() -> AsyncIterator[int]:
        for number in range(5):
            while len(read) < number - 1:
                await anyio.sleep(0.001)
            made.append(number)
            yield number

    async def main() -> None:
        run = await supervisor.start_flow(Flow.from_processors(slow))
        assert made == []
        with anyio.fail_after(60):
            async with run:
                async for value in run["n"].stream():
                    read.append(value)  # noqa: PERF401  (the processor looks at it meanwhile)

    in_loop(main)
    assert made == read == list(range(5))


def test_bodies_of_every_kind_give_values(in_loop: Any, supervisor: Supervisor) -> None:
    """Async generators, coroutines, generators and functions read and write; the latter two in other threads."""
    threads: list[str] = []

    @Processor("a", ["start"], ["x"])
    def generator(start: Any) -> Iterator[IOVal[int]]:
        threads.append(threading.current_thread().name)
        for value in start.stream():
            yield IOVal(name="x", value=value + 1)

    @Processor("b", ["x"], ["y"])
    async def async_generator(x: IO[int]) -> AsyncIterator[int]:
        async for value in x.stream():
            yield value * 10

    @Processor("c", ["y"], ["total"])
    async def coroutine(y: IO[int]) -> int:
        return sum(await all_of(y))

    @Processor("d", ["y"], ["top"])
    def function(y: Any) -> IOVal[int]:
        threads.append(threading.current_thread().name)
        return IOVal("top", max(y.stream()))

    flow = Flow.from_processors(function, coroutine, async_generator, generator)

    async def main() -> Any:
        async with await supervisor.start_flow(flow, {"start": iter(range(100))}, all_outputs=True) as run:
            return [await all_of(run[name]) for name in ("x", "total", "top")]

    assert in_loop(main) == [list(range(1, 101)), [50500], [1000]]
    assert sorted(threads) == ["sinagot-flow-a", "sinagot-flow-d"]


def test_inputs_are_values_lists_and_iterators(in_loop: Any, supervisor: Supervisor) -> None:
    """An input is one value, several, an iterator, an async iterator, or all inputs come from one async iterator."""

    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            await anyio.sleep(0)
            yield number

    async def pairs() -> AsyncIterator[IOVal[Any]]:
        async for number in numbers():
            yield IOVal("n", number)

    flow = Flow.from_processors(copying("copy", "n", "m"))

    async def main() -> Any:
        async def given(inputs: Any) -> Any:
            async with await supervisor.start_flow(flow, inputs) as run:
                return await all_of(run["m"])

        return [
            await given({"n": [0, 1, 2]}),
            await given([IOVal("n", one) for one in range(3)]),
            await given({"n": iter(range(3))}),
            await given({"n": numbers()}),
            await given(pairs()),
        ]

    assert in_loop(main) == [[[0, 1, 2]], *[[0, 1, 2]] * 4]


def test_status_tells_what_was_taken_and_written(in_loop: Any, supervisor: Supervisor) -> None:
    """Counts of values in and out stay when a processor has ended before its input."""
    make = Processor("make", [], ["numbers"])

    @make
    async def _make() -> AsyncIterator[int]:
        for number in range(5):
            yield number

    some = Processor("some", ["numbers"], ["few"])

    @some
    async def _some(numbers: IO[int]) -> AsyncIterator[int]:
        async for number in numbers.stream():
            yield number
            if number == 2:
                return

    async def main() -> None:
        async with await supervisor.start_flow(Flow.from_processors(make, some)) as run:
            assert await all_of(run["few"]) == [0, 1, 2]
            status = (await run.wait()).processors
        assert (status["make"].taken, status["make"].written) == ({}, {"numbers": 5})
        assert (status["some"].taken, status["some"].written) == ({"numbers": 3}, {"few": 3})

    in_loop(main)


def test_every_reader_sees_all_in_order(in_loop: Any, supervisor: Supervisor) -> None:
    """Readers that come early, together, late or from a place in the middle get the same values in the same order."""
    flow = Flow.from_processors(counting(many=500), copying("copy", "n", "m"))

    async def main() -> None:
        async with await supervisor.start_flow(flow, all_outputs=True) as run:
            found: list[list[int]] = []

            async def read(name: str) -> None:
                found.append(await all_of(run[name]))

            async with anyio.create_task_group() as group:
                for name in ("n", "m", "n", "m"):
                    group.start_soon(read, name)
            await run.wait()
            found.append(await all_of(run["m"]))
            assert found == [list(range(500))] * 5
            half = run["m"].stream(cursor=250)
            assert [value async for value in half] == list(range(250, 500))
            assert half.cursor == 500
            assert run.status().state == "done"

    in_loop(main)


def test_each_reader_has_values_of_its_own(in_loop: Any, supervisor: Supervisor) -> None:
    """What one reader does to a value, no other one sees; of any mix of kinds all come in order, early and late."""
    kinds: list[Callable[[int], Any]] = [
        lambda n: n,
        lambda n: [n],
        lambda n: (n, (str(n), None)),
        lambda n: (n, [n]),
        lambda n: "x" * 5000 + str(n),
        lambda n: {"n": n},
        lambda n: bytes(70_000) + str(n).encode(),
    ]
    values = [kinds[(n * n + n // 40) % len(kinds)](n) for n in range(600)]

    @Processor("make", [], ["n"])
    async def make() -> AsyncIterator[Any]:
        for value in values:
            yield value

    def spoiled(value: Any) -> Any:
        kept = list(value) if isinstance(value, list) else dict(value) if isinstance(value, dict) else value
        if isinstance(value, list | dict):
            value.clear()
        elif isinstance(value, tuple) and isinstance(value[1], list):
            kept = (value[0], list(value[1]))
            value[1].clear()
        return kept

    @Processor("spoil", ["n"], ["m"])
    async def spoil(n: IO[Any]) -> AsyncIterator[Any]:
        async for value in n.stream():
            yield spoiled(value)

    async def main() -> None:
        async with await supervisor.start_flow(Flow.from_processors(make, spoil), all_outputs=True) as run:
            for name in ("m", "n", "n", "m"):
                assert [spoiled(value) async for value in run[name].stream()] == values
            skipping = run["n"].stream(cursor=300)
            assert [spoiled(value) async for value in skipping] == values[300:]

    in_loop(main)


def test_streams_are_read_side_by_side(in_loop: Any, supervisor: Supervisor) -> None:
    """Streams give tuples up to the shortest, filled up, or an error; or their values as they come; or a first one."""
    flow = Flow.from_processors(counting("a", "x", 2), counting("b", "y", 4), counting("c", "z", 0))

    async def main() -> None:
        async with await supervisor.start_flow(flow) as run:
            x, y, z = run["x"], run["y"], run["z"]
            assert [one async for one in x.stream_with(y)] == [(0, 0), (1, 1)]
            assert [one async for one in y.stream_with(x)] == [(0, 0), (1, 1)]
            assert [one async for one in x.stream_with(y, pad=None)] == [(0, 0), (1, 1), (None, 2), (None, 3)]
            assert [one async for one in y.stream_with(y, strict=True)] == [(one, one) for one in range(4)]
            for pair in (x.stream_with(y, strict=True), y.stream_with(x, strict=True)):
                with pytest.raises(UnevenStreamsError, match="'x' ended after 2 values, stream 'y' has more"):
                    assert [one async for one in pair]
            with pytest.raises(FlowDefinitionError):
                x.stream_with(y, pad=0, strict=True)
            mixed = [one async for one in x.as_available(y)]
            assert [one.value for one in mixed if one.name == "x"] == [0, 1]
            assert [one.value for one in mixed if one.name == "y"] == [0, 1, 2, 3]
            assert (await x.first(), await z.first(default=7)) == (0, 7)
            with pytest.raises(EmptyStreamError):
                await z.first()
            with pytest.raises(UnknownStreamError, match="no output 'xx'"):
                run["xx"]

    in_loop(main)


def test_wait_starts_once(in_loop: Any, supervisor: Supervisor) -> None:
    """A processor that waits for six inputs starts once, when all are complete, and holds nobody back."""
    names = [f"s{number}" for number in range(6)]
    seen: list[list[int]] = []

    @Processor("late", names, ["total"], wait=True)
    async def late(**streams: IO[int]) -> int:
        seen.append([one._channel.is_ended for one in streams.values()])
        return sum([sum(await all_of(one)) for one in streams.values()])

    flow = Flow.from_processors(
        late, *(counting(name, name, 3) for name in names), counting("free", "free", 3)
    )

    async def main() -> None:
        for _ in range(100):
            async with await supervisor.start_flow(flow) as run:
                assert await all_of(run["free"]) == [0, 1, 2]
                assert await all_of(run["total"]) == [18]

    in_loop(main)
    assert seen == [[True] * 6] * 100


def test_one_flow_runs_many_times_at_once(in_loop: Any, supervisor: Supervisor) -> None:
    """Ten runs of one flow at once have their own streams, and each its own result."""

    @Processor("square", ["n"], ["m"])
    async def square(n: IO[int]) -> AsyncIterator[int]:
        async for value in n.stream():
            await anyio.sleep(0)
            yield value * value

    flow = Flow.from_processors(square, copying("copy", "m", "result"))

    async def main() -> None:
        runs = [await supervisor.start_flow(flow, {"n": number}) for number in range(10)]
        assert len({run.run_id for run in runs}) == 10
        assert [await all_of(run["result"]) for run in reversed(runs)] == [
            [n * n] for n in reversed(range(10))
        ]
        await supervisor.shutdown()

    in_loop(main)


def failing(many: int, events: list[str], **options: Any) -> Processor:
    """Give a processor that fails behind some values, in each of its attempts but the third."""

    def held() -> Iterator[int]:
        events.append("built")
        try:
            yield len(events)
        finally:
            events.append("cleaned up")

    @Processor("bad", [], ["n"], **options)
    async def bad(held: Annotated[int, Depends(held)]) -> AsyncIterator[int]:
        for number in range(5):
            if number == many and events.count("built") < 3:
                raise ValueError("no more")
            yield number

    return bad


def test_failure_reaches_readers_and_siblings(
    in_loop: Any, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    """Readers get what was written, then the cause; siblings are cancelled, and everybody's clean-ups run."""
    events: list[str] = []

    @Processor("sibling", [], ["ticks"])
    async def sibling() -> AsyncIterator[int]:
        try:
            while True:
                await anyio.sleep(0.001)
                yield 0
        finally:
            events.append("sibling ends")

    @Processor("behind", ["n"], ["m"])
    async def behind(n: IO[int]) -> AsyncIterator[int]:
        try:
            async for value in n.stream():
                yield value + 100
        finally:
            events.append("behind ends")

    flow = Flow.from_processors(failing(2, events), sibling, behind)

    async def main() -> None:
        async with await supervisor.start_flow(flow, all_outputs=True) as run:
            for name, values in (("n", [0, 1]), ("m", [100, 101])):
                found, error = await told_by(run[name])
                assert found == values
                assert error.processor == "bad"
                assert isinstance(error.cause, ValueError)
                assert error.__cause__ is error.cause
            status = await run.wait()
            assert status.state == "error"
            states = {name: one.state for name, one in status.processors.items()}
            assert states == {"bad": "error", "sibling": "interrupted", "behind": "interrupted"}
            assert [str(error) for error in run.errors] == ["processor 'bad' failed: ValueError: no more"]
            assert (await told_by(run["ticks"]))[1].processor == "bad"

    in_loop(main)
    assert sorted(events) == ["behind ends", "built", "cleaned up", "sibling ends"]
    assert "no more" in caplog.text


def test_a_slow_processor_does_not_hold_up_the_cause(
    in_loop: Any, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    """Readers behind one that works for long on a value of a failed processor are told all the same, soon."""

    @Processor("slow", ["n"], ["m"])
    async def slow(n: IO[int]) -> AsyncIterator[int]:
        async for value in n.stream():
            await anyio.sleep(1000)
            yield value

    async def main() -> None:
        with anyio.fail_after(60):
            async with await supervisor.start_flow(Flow.from_processors(failing(2, []), slow)) as run:
                found, error = await told_by(run["m"])
                assert (found, error.processor) == ([], "bad")

    in_loop(main)
    assert "no more" in caplog.text


def test_retries_give_each_value_once(
    in_loop: Any, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    """A processor that is begun anew goes on behind what it had written, with dependencies of its own."""
    events: list[str] = []
    flow = Flow.from_processors(failing(2, events, retries=2))

    async def main() -> None:
        async with await supervisor.start_flow(flow) as run:
            assert await all_of(run["n"]) == [0, 1, 2, 3, 4]
            assert run.status().processors["bad"].attempts == 3

    in_loop(main)
    assert events == ["built", "cleaned up"] * 3
    assert "attempt 2 of 3" in caplog.text


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_endless_producer_is_cancelled(kind: str, in_loop: Any, supervisor: Supervisor) -> None:
    """A processor without end is cancelled with its clean-ups, also in a thread, and readers are told."""
    ended: list[str] = []

    @Processor("ticks", [], ["n"])
    async def ticks() -> AsyncIterator[int]:
        try:
            while True:
                yield 0
        finally:
            await anyio.sleep(0)
            ended.append("async")

    @Processor("ticks", [], ["n"])
    def sync_ticks() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            ended.append("sync")

    flow = Flow.from_processors(ticks if kind == "async" else sync_ticks)

    async def main() -> None:
        run = await supervisor.start_flow(flow)
        async for _ in run["n"].stream(cursor=3):
            break
        assert (await run.cancel()).state == "interrupted"
        assert ended == [kind]
        found, error = await told_by(run["n"], UpstreamCancelled)
        assert len(found) > 3
        assert error.processor == "ticks"
        await supervisor.shutdown()

    in_loop(main)


@pytest.mark.parametrize("how", ["return", "error", "scope"])
def test_loop_that_ends_takes_its_runs_along(how: str, in_loop: Any, supervisor: Supervisor) -> None:
    """When the loop ends while runs go on, they are cancelled with their clean-ups, and files and threads are gone."""
    ended: list[str] = []

    @Processor("ticks", [], ["n"])
    async def ticks() -> AsyncIterator[int]:
        try:
            while True:
                await anyio.sleep(0)
                yield 0
        finally:
            ended.append("ticks")

    @Processor("taking", ["n"], ["m"])
    def taking(n: Any) -> Iterator[int]:
        try:
            yield from n.stream()
        finally:
            ended.append("taking")

    async def main() -> None:
        with anyio.CancelScope() as scope:
            run = await supervisor.start_flow(Flow.from_processors(ticks, taking))
            async for _ in run["m"].stream():
                if how == "error":
                    raise KeyError("of the caller")
                if how == "scope":
                    scope.cancel()
                else:
                    break

    if how == "error":
        with pytest.raises(KeyError):
            in_loop(main)
    else:
        in_loop(main)
    assert sorted(ended) == ["taking", "ticks"]


@pytest.mark.parametrize("kind", ["async", "thread"])
def test_lead_is_kept(kind: str, in_loop: Any, supervisor: Supervisor) -> None:
    """A processor is never more than `max_lead` values, and the one in hand, ahead of its slowest reader."""
    made, done = [0], {"fast": 0, "slow": 0}
    leads: list[int] = []

    def note() -> None:
        made[0] += 1
        leads.append(made[0] - min(done.values()))

    @Processor("make", [], ["n"], max_lead=10)
    async def make() -> AsyncIterator[int]:
        for number in range(60):
            note()
            yield number

    @Processor("make", [], ["n"], max_lead=10)
    def make_in_thread() -> Iterator[int]:
        for number in range(60):
            note()
            yield number

    def reader(name: str, lead: int) -> Processor:
        @Processor(name, ["n"], [name])
        async def body(n: IO[int]) -> AsyncIterator[int]:
            async for value in n.stream():
                while made[0] < min(value + lead, 60):
                    await anyio.sleep(0.001)
                done[name] += 1
                yield value

        return body

    async def main() -> None:
        first = make if kind == "async" else make_in_thread
        flow = Flow.from_processors(first, reader("fast", 0), reader("slow", 11))
        with anyio.fail_after(60):
            async with await supervisor.start_flow(flow) as run:
                assert await all_of(run["slow"]) == await all_of(run["fast"]) == list(range(60))

    in_loop(main)
    assert max(leads) == 11


def standstill(kind: str) -> Flow:
    """Give a flow that can't go on."""
    if kind == "wait":
        return Flow.from_processors(counting(max_lead=2), copying("late", "n", "m", wait=True))

    @Processor("two", [], ["x", "y"], max_lead=1)
    async def two() -> AsyncIterator[IOVal[int]]:
        for number in range(5):
            yield IOVal("x", number)
        yield IOVal("y", 0)

    @Processor("crosswise", ["x", "y"], ["m"])
    async def crosswise(x: IO[int], y: IO[int]) -> AsyncIterator[int]:
        yield await y.first()
        async for value in x.stream():
            yield value

    return Flow.from_processors(two, crosswise)


@pytest.mark.parametrize(
    ("kind", "who"), [("wait", ["'count'", "'late'"]), ("cross", ["'two'", "'crosswise'"])]
)
def test_standstill_is_told(
    kind: str, who: list[str], in_loop: Any, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    """Processors that wait for one another end with an error that names them, and what they wait for."""

    async def main() -> None:
        async with await supervisor.start_flow(standstill(kind)) as run:
            _, error = await told_by(run["m"], FlowStalled)
            assert all(name in str(error) for name in who)
            assert (await run.wait()).state == "error"
            assert isinstance(run.errors[0], FlowStalled)

    in_loop(main)
    assert "stands still" in caplog.text


def test_leaving_waits_for_processors_without_outputs(in_loop: Any, supervisor: Supervisor) -> None:
    """A run that is left finishes what somebody is for, cancels what nobody can read, and deletes its streams."""
    kept: list[int] = []

    @Processor("sink", ["n"])
    async def sink(n: IO[int]) -> None:
        async for value in n.stream():
            await anyio.sleep(0)
            kept.append(value)

    @Processor("endless", [], ["ticks"])
    async def endless() -> AsyncIterator[int]:
        while True:
            yield 0

    async def main() -> FlowRun:
        async with await supervisor.start_flow(Flow.from_processors(counting(), sink, endless)) as run:
            assert list(run) == ["ticks"]
        return run

    run = in_loop(main)
    assert kept == [0, 1, 2, 3, 4]
    states = {name: one.state for name, one in run.status().processors.items()}
    assert states == {"count": "done", "sink": "done", "endless": "interrupted"}


def test_streams_go_with_their_last_reader(in_loop: Any, supervisor: Supervisor, tmp_path: Path) -> None:
    """The files of a run that has ended are deleted as soon as nobody can read them any more."""

    async def main() -> None:
        run: FlowRun | None = await supervisor.start_flow(Flow.from_processors(counting()))
        assert run is not None
        reader = run["n"]
        await run.wait()
        run = None
        assert await all_of(reader) == [0, 1, 2, 3, 4]
        assert len(list(tmp_path.iterdir())) == 1
        del reader
        import gc

        gc.collect()
        with anyio.fail_after(60):
            while list(tmp_path.iterdir()):
                await anyio.sleep(0.01)

    in_loop(main)


def test_values_for_other_streams_are_refused(
    in_loop: Any, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    """A value for a stream that is no output ends its processor with an error that names both."""

    @Processor("wrong", [], ["bar"])
    async def wrong() -> AsyncIterator[IOVal[int]]:
        name = "baz"
        yield IOVal(name, 1)

    async def main() -> None:
        async with await supervisor.start_flow(Flow.from_processors(wrong)) as run:
            found, error = await told_by(run["bar"])
            assert found == []
            assert "'baz', which is not among its outputs ('bar'); did you mean 'bar'?" in str(error)

    in_loop(main)
    assert "baz" in caplog.text


def test_blocking_function_is_waited_for(in_loop: Any, supervisor: Supervisor) -> None:
    """A cancellation waits for a function that nothing can end, and no thread is left."""
    begun, ended = threading.Event(), threading.Event()

    @Processor("busy", [], ["n"])
    def busy() -> int:
        begun.set()
        time.sleep(0.1)
        ended.set()
        return 1

    async def main() -> None:
        run = await supervisor.start_flow(Flow.from_processors(busy))
        while not begun.is_set():
            await anyio.sleep(0.001)
        await run.cancel()
        assert ended.is_set()
        await supervisor.shutdown()

    in_loop(main)
