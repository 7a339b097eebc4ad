"""Takes the CPU time of calls in one process, in turns, and tells what it found as one line of JSON."""

import gc
import json
import os
import time


def alternate(cases, rounds, warm=True):
    """Call all cases in each round, every other round backwards; `warm`: once before, uncounted."""
    for call in cases.values() if warm else ():
        call()
    taken = {name: [] for name in cases}
    for turn in range(rounds):
        for name in reversed(list(cases)) if turn % 2 else cases:
            gc.collect()
            start = time.process_time()
            cases[name]()
            taken[name].append(time.process_time() - start)
    return taken


def own_cpu():
    """CPU seconds of this process and the children that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def tree_cpu(pid):
    """CPU seconds of a process and all that it started."""
    import psutil

    total = 0.0
    parent = psutil.Process(pid)
    for process in [parent, *parent.children(recursive=True)]:
        times = process.cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


def peak_mb():
    """Largest resident size of this program so far (what it was forked from does not count)."""
    try:
        with open("/proc/self/status") as file:
            for line in file:
                if line.startswith("VmHWM"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def tell(**facts):
    print(json.dumps(facts), flush=True)
