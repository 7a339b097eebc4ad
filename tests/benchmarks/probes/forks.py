"""Two bare forks, each doing every other record of a burning workspace: FOLDER."""

import os
import sys
import time

from bodies import burn
from timing import own_cpu, tell

data = f"{sys.argv[1]}/dataset"
os.makedirs(f"{data}/burn")
names = sorted(os.listdir(f"{data}/raw"))
start, begun = time.perf_counter(), own_cpu()
children = []
for turn in range(2):
    child = os.fork()
    if not child:
        for name in names[turn::2]:
            burn(f"{data}/raw/{name}", f"{data}/burn/{name}")
        os._exit(0)
    children.append(child)
for child in children:
    if os.waitpid(child, 0)[1]:
        raise SystemExit("a fork failed")
tell(wall=time.perf_counter() - start, all_cpu=own_cpu() - begun)
