"""concurrent.futures in batches of 100 steps, bare work, two workers: FOLDER."""

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from bodies import work
from timing import own_cpu, tell

DATA = f"{sys.argv[1]}/dataset"


def run_batch(names):
    for name in names:
        work(f"{DATA}/raw/{name}", f"{DATA}/first/{name}")
        work(f"{DATA}/first/{name}", f"{DATA}/second/{name}")


if __name__ == "__main__":
    os.makedirs(f"{DATA}/first")
    os.makedirs(f"{DATA}/second")
    start, begun = time.perf_counter(), own_cpu()
    names = sorted(os.listdir(f"{DATA}/raw"))
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(run_batch, [names[at : at + 50] for at in range(0, len(names), 50)]))
    tell(wall=time.perf_counter() - start, all_cpu=own_cpu() - begun)
