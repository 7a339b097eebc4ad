"""One Dask task per step, bare work: FOLDER RECORDS ADDRESS PID-OF-CLUSTER."""

import os
import sys
import time

from bodies import work
from distributed import Client, wait
from timing import own_cpu, tell, tree_cpu

folder, records, address, cluster = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
data = f"{folder}/dataset"
os.makedirs(f"{data}/first", exist_ok=True)
os.makedirs(f"{data}/second", exist_ok=True)


def second(before, source, target):
    work(source, target)


client = Client(address)
elsewhere = tree_cpu(cluster)
start, begun = time.perf_counter(), own_cpu()
futures = []
for name in sorted(os.listdir(f"{data}/raw"))[:records]:
    done = client.submit(work, f"{data}/raw/{name}", f"{data}/first/{name}", pure=False)
    futures.append(client.submit(second, done, f"{data}/first/{name}", f"{data}/second/{name}", pure=False))
wait(futures)
for future in futures:
    if future.status != "finished":
        raise SystemExit(f"a task failed: {future}")
wall = time.perf_counter() - start
cpu = own_cpu() - begun + tree_cpu(cluster) - elsewhere
tell(wall=wall, all_cpu=cpu, steps=2 * len(futures))
client.close()
