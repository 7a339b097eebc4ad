"""The two tiny steps as bare calls over all records: FOLDER."""

import os
import sys

from bodies import work

data = f"{sys.argv[1]}/dataset"
os.makedirs(f"{data}/first")
os.makedirs(f"{data}/second")
for name in sorted(os.listdir(f"{data}/raw")):
    work(f"{data}/raw/{name}", f"{data}/first/{name}")
    work(f"{data}/first/{name}", f"{data}/second/{name}")
