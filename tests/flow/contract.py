"""The laws of a store of streams, for every store: inherit `StoreContract`, and give `open_store`.

A store that processes share says so by `reach`, and gives `open_again`: a second store that sees the same streams.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinagot.errors import (
    FlowError,
    StreamEndedError,
    UnstorableDataError,
    UpstreamCancelled,
    UpstreamFailed,
)
from sinagot.flow.ends import End, Mark
from sinagot.flow.store import StreamStore

#: Makes a store anew; left, it is removed.
Opener = Callable[..., AbstractAsyncContextManager[StreamStore]]

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters())
    | st.binary()
    | st.datetimes(timezones=st.none() | st.timezones())
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.uuids()
    | st.frozensets(st.integers() | st.text() | st.tuples(st.integers()), max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text() | st.integers() | st.tuples(st.binary(), st.none()), inner, max_size=4)
    ),
    max_leaves=12,
)


def is_same(one: Any, other: Any) -> bool:
    """Say whether two values are equal and of one type, all the way down; NaN is NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, complex):
        return is_same(one.real, other.real) and is_same(one.imag, other.imag)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    return bool(one == other)


async def values_of(store: StreamStore, name: str, cursor: int = 0) -> list[Any]:
    """Read a stream to its end."""
    return [value async for _, value in store.read(name, cursor)]


class StoreContract:
    """What every store keeps; `open_store` is a fixture of the class that inherits it."""

    @pytest.fixture(params=["asyncio", "trio"])
    def run(self, request: pytest.FixtureRequest) -> Callable[[Callable[[], Awaitable[Any]]], Any]:
        """Run a coroutine function in a fresh loop of each kind, and let nothing hang."""

        def in_loop(main: Callable[[], Awaitable[Any]]) -> Any:
            async def bounded() -> Any:
                with anyio.fail_after(100):
                    return await main()

            return anyio.run(bounded, backend=request.param)

        return in_loop

    @pytest.fixture
    def open_store(self) -> Opener:
        """Give what opens a fresh store."""
        raise NotImplementedError

    @settings(
        max_examples=15,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(
        values=st.lists(PLAIN, max_size=12),
        starts=st.lists(st.integers(0, 20), min_size=1, max_size=3),
        paces=st.lists(st.integers(0, 3), min_size=1, max_size=5),
    )
    def test_readers_see_all_in_order(
        self, run: Any, open_store: Opener, values: list[Any], starts: list[int], paces: list[int]
    ) -> None:
        """Any values come out equal and in order, whenever a reader starts and however fast it reads."""

        async def main() -> None:
            read: list[list[Any]] = [[] for _ in starts]

            async def reader(number: int) -> None:
                for _ in range(starts[number]):
                    await anyio.lowlevel.checkpoint()
                expected = 0
                async for cursor, value in store.read("x"):
                    assert cursor == expected
                    expected += 1
                    read[number].append(value)
                    for _ in range(paces[(number + cursor) % len(paces)]):
                        await anyio.lowlevel.checkpoint()

            async with open_store() as store:
                async with anyio.create_task_group() as tasks:
                    for number in range(len(starts)):
                        tasks.start_soon(reader, number)
                    for number, value in enumerate(values):
                        for _ in range(paces[number % len(paces)]):
                            await anyio.lowlevel.checkpoint()
                        await store.append("x", value)
                    assert await store.end("x", Mark.complete())
                assert all(is_same(found, values) for found in [*read, await values_of(store, "x")])
                assert await store.state("x") == ("x", len(values), Mark.complete())

        run(main)

    @pytest.mark.parametrize("cursor", [0, 1, 1023, 1024, 1025, 2999, 3000, 4000])
    def test_a_cursor_is_the_number_of_a_value(self, run: Any, open_store: Opener, cursor: int) -> None:
        """Reading from cursor k gives value k and what follows; from behind the end it gives nothing."""

        async def main() -> None:
            async with open_store() as store:
                for number in range(3000):
                    await store.append("x", number)
                await store.end("x", Mark.complete())
                found = [pair async for pair in store.read("x", cursor)]
                assert found == [(number, number) for number in range(cursor, 3000)]
                assert await store.length("x") == 3000
                with pytest.raises(ValueError, match="-1"):
                    store.read("x", -1)

        run(main)

    def test_streams_do_not_mix(self, run: Any, open_store: Opener) -> None:
        """Streams are told apart by their whole name, whatever is in it."""
        names = [
            "x",
            "X",
            "a/b",
            "a%2Fb",
            "..",
            ".",
            "",
            "é",
            "e\u0301",
            "y" * 300,
            "y" * 301,
            "new\nline",
            "\udc80",
        ]

        async def main() -> None:
            async with open_store() as store:
                for name in names:
                    await store.append(name, name)
                    await store.end(name, Mark.complete())
                assert [await values_of(store, name) for name in names] == [[name] for name in names]

        run(main)

    def test_a_value_is_read_before_the_next_is_written(self, run: Any, open_store: Opener) -> None:
        """Each value is there as soon as it was appended, for a reader that waits for it."""

        async def main() -> None:
            async with open_store() as store, anyio.create_task_group() as tasks:
                seen = [anyio.Event() for _ in range(50)]

                async def read() -> None:
                    async for cursor, _ in store.read("x"):
                        seen[cursor].set()

                tasks.start_soon(read)
                for number in range(50):
                    await store.append("x", number)
                    await seen[number].wait()
                await store.end("x", Mark.complete())

        run(main)

    def test_a_failed_stream_gives_its_values_and_then_the_cause(self, run: Any, open_store: Opener) -> None:
        """Readers of a failed stream get what was written, then who failed and why, with the exception chained."""

        async def main() -> None:
            async with open_store() as store:
                found: list[Any] = []

                async def read() -> None:
                    with pytest.raises(UpstreamFailed, match="no such channel") as caught:
                        found.extend([value async for _, value in store.read("x")])
                    assert (caught.value.processor, caught.value.stream) == ("alpha", "x")
                    assert caught.value.cause == "KeyError: 'no such channel'"
                    assert isinstance(caught.value.__cause__, KeyError)
                    got = []
                    with pytest.raises(UpstreamFailed):
                        async for _, value in store.read("x"):
                            got.append(value)
                    assert got == [0, 1]

                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(read)
                    await store.append("x", 0)
                    await store.append("x", 1)
                    await store.end("x", Mark.failed("alpha", KeyError("no such channel")))
                state = await store.state("x")
                assert state.mark is not None
                assert (state.length, state.mark.end, state.mark.processor) == (2, End.FAILED, "alpha")

        run(main)

    def test_a_cause_that_cannot_be_pickled_is_told_by_its_text(self, run: Any, open_store: Opener) -> None:
        """Of an exception that can't travel its type and its message do."""

        class LocalError(Exception):
            """A class that nobody can import."""

        async def main() -> None:
            async with open_store() as store:
                await store.end("x", Mark.failed("alpha", LocalError("lens cap on")))
                with pytest.raises(UpstreamFailed, match="lens cap on") as caught:
                    await values_of(store, "x")
                assert "LocalError" in str(caught.value.cause) and caught.value.__cause__ is None

        run(main)

    def test_a_cancelled_stream_is_not_taken_for_a_complete_one(self, run: Any, open_store: Opener) -> None:
        """Readers of a cancelled stream get what was written, then `UpstreamCancelled`."""

        async def main() -> None:
            async with open_store() as store:
                await store.append("x", 0)
                await store.end("x", Mark.cancelled("alpha"))
                reader = store.read("x")
                assert await anext(reader) == (0, 0)
                with pytest.raises(UpstreamCancelled, match="alpha"):
                    await anext(reader)

        run(main)

    def test_the_first_mark_stands(self, run: Any, open_store: Opener) -> None:
        """Behind an end mark nothing is written, neither a value nor another mark."""

        async def main() -> None:
            async with open_store() as store:
                assert (await store.state("x")) == ("x", 0, None)
                assert await store.end("x", Mark.complete())
                assert not await store.end("x", Mark.failed("alpha", "too late"))
                with pytest.raises(StreamEndedError, match="'x'") as caught:
                    await store.append("x", 1)
                assert caught.value.stream == "x"
                assert await values_of(store, "x") == []

        run(main)

    def test_a_value_that_cannot_be_stored_changes_nothing(self, run: Any, open_store: Opener) -> None:
        """The error names the stream and the type, and the stream goes on."""

        class Odd:
            """A class of the user's."""

        async def main() -> None:
            async with open_store() as store:
                await store.append("x", 1)
                large = np.zeros(10_000)
                for value in (Odd(), [large, {"deep": (Odd(),)}]):
                    with pytest.raises(UnstorableDataError, match=r"'x'.*Odd.*pickle=True") as caught:
                        await store.append("x", value)
                    assert caught.value.facts["type_name"] == "Odd"
                await store.append("x", 2)
                await store.end("x", Mark.complete())
                assert await values_of(store, "x") == [1, 2]

        run(main)

    def test_arrays_come_out_as_they_went_in(self, run: Any, open_store: Opener) -> None:
        """Arrays of any type, layout and size come out equal, writable, aligned and independent of one another."""
        base = np.arange(60_000.0).reshape(200, 300)
        arrays = [
            base,
            base.T,
            base[::2, ::-3],
            np.asfortranarray(base),
            base.astype(">f8"),
            base.astype("c16"),
            np.arange(400_000),
            np.empty((0, 3)),
            np.array(5),
            np.zeros((3, 0, 2), order="F"),
            np.zeros(3, "S0"),
            np.array(["a", "bcd"]),
            np.array([1, 0], bool),
            np.zeros(9, "M8[ns]"),
            np.ones(5000, [("a", "<i4"), ("b", ">f8", (2,)), ("c", "U3")]),
            np.ones(7, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
            np.broadcast_to(np.arange(3), (4000, 3)),
            np.float32(1.5),
            np.str_(""),
            np.datetime64("2026-01-01"),
        ]

        async def main() -> None:
            async with open_store() as store:
                for array in arrays:
                    await store.append("x", array)
                await store.append("x", {"all": arrays})
                await store.end("x", Mark.complete())
                *found, together = await values_of(store, "x")
                assert all(map(is_same, found, arrays))
                assert is_same(together["all"], arrays)
                for array in (*found, *together["all"]):
                    if isinstance(array, np.ndarray):
                        assert array.flags.writeable and array.flags.aligned
                        array[...] = np.zeros((), array.dtype)
                assert all(map(is_same, await values_of(store, "x"), arrays))

        run(main)

    def test_eight_readers_at_different_paces(self, run: Any, open_store: Opener) -> None:
        """A slow reader holds up nobody, and each sees all."""

        async def main() -> None:
            sums = [0] * 8

            async def read(number: int) -> None:
                async for cursor, value in store.read("x"):
                    assert cursor == value
                    sums[number] += value
                    if cursor % 8 < number:
                        await anyio.lowlevel.checkpoint()

            async with open_store() as store:
                async with anyio.create_task_group() as tasks:
                    for number in range(8):
                        tasks.start_soon(read, number)
                    for value in range(2000):
                        await store.append("x", value)
                    await store.end("x", Mark.complete())
                assert sums == [sum(range(2000))] * 8

        run(main)

    @pytest.mark.parametrize("what", ["reader", "writer"])
    def test_a_cancelled_task_leaves_whole_values(self, run: Any, open_store: Opener, what: str) -> None:
        """Whenever a reader or a writer is cancelled, what was written is whole, and others go on."""
        large = np.arange(50_000.0)

        async def once(moment: int) -> bool:
            done: list[int] = []
            is_over = False

            async def write() -> None:
                nonlocal is_over
                for number in range(3):
                    await store.append("x", number)
                    await store.append("x", large + number)
                is_over = what == "writer"

            async def read() -> None:
                nonlocal is_over
                async for cursor, _ in store.read("x"):
                    done.append(cursor)
                is_over = True

            async with open_store() as store:
                async with anyio.create_task_group() as tasks:
                    if what == "reader":
                        await write()
                        await store.end("x", Mark.complete())
                    tasks.start_soon(write if what == "writer" else read)
                    for _ in range(min(moment, 16)):
                        await anyio.lowlevel.checkpoint()
                    if moment > 16:  # further apart, and without taking the time of who is waited for
                        await anyio.sleep(0.0002 * 1.5 ** (moment - 16))
                    tasks.cancel_scope.cancel()
                await store.end("x", Mark.complete())
                found = await values_of(store, "x")
                expected = [value for number in range(3) for value in (number, large + number)]
                assert is_same(found, expected[: len(found)])
                assert done == list(range(len(done)))
                assert len(found) == await store.length("x")
            return is_over

        async def main() -> None:
            moment = 0
            while not await once(moment):
                moment += 1

        run(main)

    def test_a_removed_store_wakes_those_who_wait(self, run: Any, open_store: Opener) -> None:
        """Readers of a stream that is removed get an error at once, and so does who uses the store later."""

        async def main() -> None:
            async with open_store() as store:
                await store.append("x", 1)

                async def read() -> None:
                    with pytest.raises(FlowError, match="removed"):
                        await values_of(store, "x")

                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(read)
                    await anyio.wait_all_tasks_blocked()
                    await store.remove()
                await store.remove()
                with pytest.raises(FlowError, match="removed"):
                    await store.append("x", 2)
                with pytest.raises(FlowError, match="removed"):
                    await values_of(store, "x")

        run(main)

    def test_it_is_a_store(self, run: Any, open_store: Opener) -> None:
        """It has the methods of the contract."""

        async def main() -> None:
            async with open_store() as store:
                assert isinstance(store, StreamStore)

        run(main)
