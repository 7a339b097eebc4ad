"""Tiny stages that run in another process, beside a pool: COUNT ROUNDS. Tells seconds of the clock for each call.

The first call starts the process, and is told by itself.
"""

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from statistics import median

from timing import tell

from sinagot.pipeline import LoggerSettings, Pipeline, Stage
from sinagot.pipeline.input import dependency, known


def add(number):
    return number + 1


def chain(count, **options):
    stages = {
        f"s{at}": Stage(add, [dependency(f"s{at - 1}", "number") if at else known(0, "number")], **options)
        for at in range(count)
    }
    return Pipeline("chain", stages=stages, log_settings=LoggerSettings("chain", stream=False))


def durations(pipeline):
    return list(pipeline.run().durations.values())


def pool(count):
    found = []
    with ProcessPoolExecutor(1) as one:
        for number in range(count):
            start = time.perf_counter()
            one.submit(add, number).result()
            found.append(time.perf_counter() - start)
    return found


if __name__ == "__main__":
    count, rounds = int(sys.argv[1]), int(sys.argv[2])
    remote = chain(count + 1).using(mode="processes", workers=1)
    limited = chain(count + 1, timeout=60)
    cases = {
        "processes": lambda: durations(remote),
        "timeout": lambda: durations(limited),
        "pool": lambda: pool(count + 1),
    }
    taken = {name: {"first": [], "call": []} for name in cases}
    for turn in range(rounds):
        for name in reversed(list(cases)) if turn % 2 else cases:
            first, *others = cases[name]()
            taken[name]["first"].append(first)
            taken[name]["call"].append(median(others))
    tell(taken=taken)
