"""Values through three processors, in turns with plain streams in memory: FOLDER VALUES ARRAYS WAITS ROUNDS [REDIS].

Tells, for each kind of value, loop and way, seconds of CPU and of the clock of each round; and for values that are
made one by one how long each took from its `yield` to its reader. With an address of Redis its store takes part.
"""

import gc
import sys
import time
from functools import partial

import anyio
import numpy as np
from timing import tell

from sinagot.errors import FlowDefinitionError
from sinagot.flow import Flow, Processor, Supervisor

folder, address = sys.argv[1], (sys.argv[6] if len(sys.argv) > 6 else "")
COUNTS = {"values": int(sys.argv[2]), "arrays": int(sys.argv[3])}
waits, rounds = int(sys.argv[4]), int(sys.argv[5])
#: Values that a stream in memory holds.
BUFFER = 64
ARRAY = np.random.default_rng(1).random(125_000)
#: Seconds between two values that are made one by one.
PAUSE = 0.002


def made(kind, number):
    if kind == "values":
        return number
    ARRAY[0] = number
    return ARRAY


def number_of(kind, value):
    return value if kind == "values" else int(value[0])


def flow_of(kind):
    make, add, last = (
        Processor("make", ["many"], ["a"]),
        Processor("add", ["a"], ["b"]),
        Processor("last", ["b"], ["c"]),
    )

    @make
    async def _make(many):
        for number in range(await many.first()):
            yield made(kind, number)

    @add
    async def _add(a):
        async for value in a.stream():
            yield value

    @last
    async def _last(b):
        async for value in b.stream():
            yield value

    return Flow.from_processors(make, add, last)


async def through_flow(supervisor, kind, count):
    expected = 0
    async with await supervisor.start_flow(flow_of(kind), {"many": count}) as run:
        async for value in run["c"].stream():
            if number_of(kind, value) != expected:
                raise SystemExit(f"found {value!r} at {expected}")
            expected += 1
    if expected != count:
        raise SystemExit(f"{expected} of {count}")


async def through_memory(kind, count):
    """The same three stages as tasks; who wants values of their own would have to copy them."""
    streams = [anyio.create_memory_object_stream(BUFFER) for _ in range(3)]

    async def make(send):
        async with send:
            for number in range(count):
                await send.send(made(kind, number))

    async def hand_on(receive, send):
        async with receive, send:
            async for value in receive:
                await send.send(value)

    expected = 0
    async with anyio.create_task_group() as group:
        group.start_soon(make, streams[0][0])
        group.start_soon(hand_on, streams[0][1], streams[1][0])
        group.start_soon(hand_on, streams[1][1], streams[2][0])
        async with streams[2][1] as receive:
            async for _ in receive:
                expected += 1
    if expected != count:
        raise SystemExit(f"{expected} of {count}")


async def flow_waits(supervisor):
    """Give the seconds from `yield` to reader."""
    source = Processor("source", [], ["moment"])

    @source
    async def _source():
        for _ in range(waits):
            await anyio.sleep(PAUSE)
            yield time.perf_counter()

    async with await supervisor.start_flow(Flow.from_processors(source)) as run:
        return [time.perf_counter() - moment async for moment in run["moment"].stream()]


async def memory_waits():
    send, receive = anyio.create_memory_object_stream(BUFFER)

    async def make():
        async with send:
            for _ in range(waits):
                await anyio.sleep(PAUSE)
                await send.send(time.perf_counter())

    async with anyio.create_task_group() as group, receive:
        group.start_soon(make)
        return [time.perf_counter() - moment async for moment in receive]


supervisors = {"spool": Supervisor(folder=folder)}
left_out = "" if address else "no redis-server here"
if address:
    try:
        supervisors["redis"] = Supervisor(redis_config={"url": address})
    except FlowDefinitionError as error:
        left_out = str(error)

cases = {}
delays = {}
for loop in ("asyncio", "trio"):
    for way, supervisor in supervisors.items():
        for kind, count in COUNTS.items():
            count = max(1, count // 10) if way == "redis" else count
            cases[f"{kind}, {loop}, {way}"] = (
                count,
                partial(anyio.run, through_flow, supervisor, kind, count, backend=loop),
            )
        delays[f"{loop}, {way}"] = partial(anyio.run, flow_waits, supervisor, backend=loop)
    for kind, count in COUNTS.items():
        cases[f"{kind}, {loop}, memory"] = (
            count,
            partial(anyio.run, through_memory, kind, count, backend=loop),
        )
    delays[f"{loop}, memory"] = partial(anyio.run, memory_waits, backend=loop)

taken = {name: {"cpu": [], "wall": []} for name in cases}
for turn in range(rounds + 1):
    for name in reversed(list(cases)) if turn % 2 else cases:
        gc.collect()
        count, case = cases[name]
        start, begun = time.perf_counter(), time.process_time()
        case()
        if turn or rounds == 1:  # the first time warms up
            taken[name]["cpu"].append((time.process_time() - begun) / count)
            taken[name]["wall"].append((time.perf_counter() - start) / count)
tell(
    taken={name: {kind: values[-rounds:] for kind, values in found.items()} for name, found in taken.items()},
    delays={name: delay() for name, delay in delays.items()},
    left_out=left_out,
)
