"""Flows, hurt in mid-stream: killed, without space, and with far more values than memory has room for."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import psutil
import pytest

from sinagot.flow import IO, Flow, Processor, Supervisor
from sinagot.testing import await_true
from tests.chaos.conftest import FULL, StartProgram
from tests.chaos.mounts import check_program, needs_mounts

pytestmark = pytest.mark.chaos

each_loop = pytest.mark.parametrize("backend", ["asyncio", "trio"])

#: A run with streams in files, which goes on until it is killed, and says when it is in mid-stream.
ENDLESS = """
import anyio
from sinagot.flow import Flow, Processor, Supervisor

@Processor("make", [], ["n"])
async def make():
    number = 0
    while True:
        await anyio.sleep(0)
        yield [number, bytes(10_000)]
        number += 1

@Processor("copy", ["n"], ["m"])
def copy(n):
    yield from n.stream()

async def main():
    run = await Supervisor(folder={folder!r}, **{options!r}).start_flow(Flow.from_processors(make, copy))
    async for number, _ in run["m"].stream():
        if number == 200:
            print("in mid-stream", flush=True)

anyio.run(main, backend={backend!r})
"""


def folders(parent: Path) -> set[str]:
    """Name the folders of streams."""
    return {path.name for path in parent.iterdir() if path.is_dir()}


async def start_and_end(parent: Path) -> None:
    """Run a small flow with its streams in a folder."""

    @Processor("one", [], ["n"])
    async def one() -> AsyncIterator[int]:
        yield 1

    async with await Supervisor(folder=parent).start_flow(Flow.from_processors(one)) as run:
        assert [value async for value in run["n"].stream()] == [1]
    await run.wait()


@each_loop
def test_a_killed_run_is_swept_by_the_next_one(backend: str, tmp_path: Path, start: StartProgram) -> None:
    """What a killed process left of its streams the next run deletes, and nothing of those that live or are to be kept."""
    parent = tmp_path / "spool"
    parent.mkdir()
    (parent / "sinagot-flow-of-mine").mkdir()

    def begun(**options: Any) -> Any:
        known = folders(parent)
        program = start(ENDLESS.format(folder=str(parent), options=options, backend=backend))
        await_true(lambda: "in mid-stream" in program.said, "a flow in mid-stream")
        (mine,) = folders(parent) - known
        return program, mine

    alive, alive_folder = begun()
    dead, dead_folder = begun()
    kept, kept_folder = begun(keep_streams=True)
    for program in (dead, kept):
        program.signal(signal.SIGKILL)
        program.wait()
        program.assert_no_orphans()
    assert any((parent / dead_folder).iterdir())

    anyio.run(start_and_end, parent, backend=backend)

    assert folders(parent) == {alive_folder, kept_folder, "sinagot-flow-of-mine"}
    assert alive.process.poll() is None
    alive.signal(signal.SIGINT)
    alive.wait()
    assert folders(parent) == {kept_folder, "sinagot-flow-of-mine"}, (
        "one that is interrupted cleans up itself"
    )


@needs_mounts
@each_loop
def test_a_full_disk_ends_the_run_and_no_other(backend: str, tmp_path: Path, start: StartProgram) -> None:
    """Where streams find no space, readers get what was written and then the cause; with space again all runs."""
    check_program(
        start,
        f"""
folder = {str(tmp_path / "spool")!r}
os.makedirs(folder)
mount("-t", "tmpfs", "-o", "size=3m", "tmpfs", folder)
import anyio
from sinagot.errors import StorageError, UpstreamFailed
from sinagot.flow import Flow, Processor, Supervisor

cleaned = []

@Processor("make", ["many"], ["n"])
async def make(many):
    try:
        for number in range(await many.first()):
            yield [number, bytes(30_000)]
    finally:
        cleaned.append("make")

@Processor("copy", ["n"], ["m"])
async def copy(n):
    try:
        async for value in n.stream():
            yield value
    finally:
        cleaned.append("copy")

async def main():
    supervisor = Supervisor(folder=folder)
    flow = Flow.from_processors(make, copy)
    for many in (1000, 20):
        found = []
        async with await supervisor.start_flow(flow, {{"many": many}}) as run:
            try:
                async for number, data in run["m"].stream():
                    assert data == bytes(30_000)
                    found.append(number)
            except UpstreamFailed as error:
                assert many == 1000 and isinstance(error.cause, StorageError) and error.processor, error
                assert "No space left" in str(error), error
            else:
                assert many == 20
            status = await run.wait()
        assert found == list(range(len(found)))
        assert (status.state, len(found)) == (("done", 20) if many == 20 else ("error", len(found))), status
        assert sorted(cleaned) == ["copy", "make"]
        cleaned.clear()
        assert os.listdir(folder) == []

anyio.run(main, backend={backend!r})
""",
    )


def chain(first: Processor) -> Flow:
    """Give a flow of a processor and two more that hand on what it makes."""

    def copying(name: str, source: str, target: str) -> Processor:
        @Processor(name, [source], [target])
        async def body(**streams: IO[Any]) -> AsyncIterator[Any]:
            async for value in streams[source].stream():
                yield value

        return body

    return Flow.from_processors(first, copying("b", "x", "y"), copying("c", "y", "z"))


async def growth(flow: Flow, many: int, parent: Path, number: Any) -> float:
    """Read all that a flow gives, check the numbers of the values, and give the growth of memory in MB."""
    process = psutil.Process()
    before = most = process.memory_info().rss
    expected = 0
    async with await Supervisor(folder=parent).start_flow(flow, {"many": many}) as run:
        async for value in run["z"].stream():
            assert number(value) == expected
            expected += 1
            if not expected % 50:
                most = max(most, process.memory_info().rss)
    assert expected == many
    assert os.listdir(parent) == []
    return (most - before) / 1e6


@each_loop
def test_two_hundred_thousand_values_take_no_memory(backend: str, tmp_path: Path) -> None:
    """200,000 integers (50,000 in a run of all tests) pass three processors in order, and memory stays as it was."""

    @Processor("a", ["many"], ["x"])
    async def count(many: IO[int]) -> AsyncIterator[int]:
        for number in range(await many.first()):
            yield number

    grown = anyio.run(
        growth, chain(count), 200_000 if FULL else 50_000, tmp_path, lambda value: value, backend=backend
    )
    assert grown < 50


@each_loop
def test_two_thousand_megabytes_take_no_memory(backend: str, tmp_path: Path) -> None:
    """2,000 arrays of 1 MB (300 in a run of all tests) pass three processors in less than 200 MB; then files are gone."""

    @Processor("a", ["many"], ["x"])
    async def draw(many: IO[int]) -> AsyncIterator[Any]:
        array = np.random.default_rng(1).random(125_000)
        for number in range(await many.first()):
            array[0] = number
            yield array

    grown = anyio.run(
        growth, chain(draw), 2000 if FULL else 300, tmp_path, lambda value: value[0], backend=backend
    )
    assert grown < 200
