"""Many tiny stages in one process, in turns with peers: FOLDER COUNT ROUNDS. Tells seconds of CPU and of the clock.

Pipelines and graphs of Dask are made before; each run of a pipeline writes its log into the folder.
"""

import gc
import json
import logging
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import dask
from timing import tell

from sinagot.pipeline import LoggerSettings, Pipeline, Stage, each
from sinagot.pipeline.input import dependency, known

folder, count, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
THREADS = 8


def add(number):
    return number + 1


def ours(stages):
    name = f"shape-{len(shapes)}"
    return Pipeline(name, stages=stages, log_settings=LoggerSettings(name, stream=False, log_dir=folder))


def check(found, wanted):
    if found != wanted:
        raise SystemExit(f"found {found!r}, wanted {wanted!r}")


def chain_of_calls():
    number = 0
    for _ in range(count):
        number = add(number)
    check(number, count)


def chain_of_futures():
    number = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(count):
            number = pool.submit(add, number).result()
    check(number, count)


def side_of_futures():
    with ThreadPoolExecutor(THREADS) as pool:
        found = [future.result() for future in [pool.submit(add, number) for number in range(count)]]
    check(sum(found), total)


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record):
        facts = {"time": record.created, "level": record.levelname, "message": record.getMessage()}
        return json.dumps(facts | {"stage": record.stage, "pid": record.process})


def chain_with_lines():
    """Plain calls, with two lines for each into a file, as stages have them."""
    handler = logging.FileHandler(f"{folder}/plain.log")
    handler.setFormatter(JsonFormatter())
    logger = logging.Logger("plain")  # noqa: LOG001  (no other code is to hear of it)
    logger.addHandler(handler)
    number = 0
    for at in range(count):
        facts = {"stage": f"s{at}"}
        logger.info("Stage started", extra=facts)
        number = add(number)
        logger.info("Stage finished", extra=facts)
    handler.close()
    check(number, count)


total = count * (count + 1) // 2
shapes = {}
shapes["chain"] = ours(
    {
        f"s{at}": Stage(add, [dependency(f"s{at - 1}", "number") if at else known(0, "number")])
        for at in range(count)
    }
)
shapes["side"] = ours({f"s{at}": Stage(add, [known(at, "number")]) for at in range(count)})
shapes["map"] = ours({"all": Stage(add, [each(known(range(count), "number"))])})
graph = dask.delayed(0)
for _ in range(count):
    graph = dask.delayed(add, pure=False)(graph)
graphs = [dask.delayed(add, pure=False)(at) for at in range(count)]
last = f"s{count - 1}"
cases = {
    "chain": lambda: check(shapes["chain"].run()[last], count),
    "side": lambda: check(sum(shapes["side"].run().values()), total),
    "map": lambda: check(sum(shapes["map"].run()["all"]), total),
    "chain, calls": chain_of_calls,
    "chain, calls with lines": chain_with_lines,
    "chain, futures": chain_of_futures,
    "side, futures": side_of_futures,
    "chain, Dask": lambda: check(graph.compute(scheduler="threads", num_workers=THREADS), count),
    "side, Dask": lambda: check(sum(dask.compute(*graphs, scheduler="threads", num_workers=THREADS)), total),
}
taken = {name: {"cpu": [], "wall": []} for name in cases}
for turn in range(rounds + 1):
    for name in reversed(list(cases)) if turn % 2 else cases:
        gc.collect()
        start, begun = time.perf_counter(), time.process_time()
        cases[name]()
        if turn:  # the first time warms up
            taken[name]["cpu"].append(time.process_time() - begun)
            taken[name]["wall"].append(time.perf_counter() - start)
tell(taken=taken)
