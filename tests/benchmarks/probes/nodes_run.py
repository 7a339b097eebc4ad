"""A batch of nodes on two processes, the same again, and reading what is stored: FOLDER. Tells seconds and counts."""

import os
import sys
import time
from pathlib import Path

from node_flow import TinyWorkspace
from timing import own_cpu, peak_mb, tell

root = Path(sys.argv[1], "dataset")
begun = own_cpu()
with TinyWorkspace(root) as ws:
    start = time.perf_counter()
    report = ws.compute("second", workers=2, progress=False)
    wall = time.perf_counter() - start
    if not report.ok:
        raise SystemExit(f"failed: {report!r} {report.failures!r}")
    nodes = report.counts["done"]
cpu, peak = own_cpu() - begun, peak_mb()

with TinyWorkspace(root) as ws:
    ws.compute("second", progress=False)  # what results came from is cached by the first look
again, listing, looks = [], [], []
for _ in range(5):
    with TinyWorkspace(root) as ws:
        start = time.process_time()
        report = ws.compute("second", progress=False)
        again.append(time.process_time() - start)
    if report.counts["up_to_date"] != nodes:
        raise SystemExit(f"not up to date: {report!r}")
    start = time.process_time()
    for name in ("raw", "first", "second"):
        with os.scandir(root / name) as entries:
            found = {entry.name for entry in entries}
    listing.append(time.process_time() - start)
    start = time.process_time()
    for name in ("raw", "first", "second"):
        folder = os.open(root / name, os.O_RDONLY)
        for one in found:
            os.stat(one, dir_fd=folder)
        os.close(folder)
    looks.append(time.process_time() - start)

with TinyWorkspace(root) as ws:
    ids = list(ws)[:500]
    workflows = [ws.workflow(one) for one in ids]
    for workflow in workflows:
        workflow.second  # noqa: B018  (reading computes nothing here: it is warmed up)
    start = time.process_time()
    for workflow in workflows:
        workflow.second  # noqa: B018
    reading = (time.process_time() - start) / len(ids)
    start = time.process_time()
    for one in ids:
        Path(root, "second", f"{one}.csv").read_bytes().decode()
    bare = (time.process_time() - start) / len(ids)
tell(
    wall=wall,
    all_cpu=cpu,
    peak=peak,
    nodes=nodes,
    again=sorted(again)[len(again) // 2],
    listing=sorted(listing)[len(listing) // 2],
    looks=sorted(looks)[len(looks) // 2],
    read=reading,
    bare=bare,
)
