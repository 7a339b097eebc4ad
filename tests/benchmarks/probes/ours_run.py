"""One run: FOLDER MODE [ADDRESS PID-OF-CLUSTER]. Tells wall clock and CPU of all processes of `run()` alone.

The cluster is up and connected before the clock starts; workers of mode `processes` are started within.
"""

import sys
import time

from timing import own_cpu, peak_mb, tell, tree_cpu

import sinagot

folder, mode = sys.argv[1:3]
address, cluster = (sys.argv[3], int(sys.argv[4])) if len(sys.argv) > 3 else (None, 0)
options = {"mode": mode}
if mode == "processes":
    options["workers"] = 2
client = None
if address:
    from distributed import Client

    client = options["client"] = Client(address, set_as_default=False)
elsewhere = tree_cpu(cluster) if cluster else 0.0
start, begun = time.perf_counter(), own_cpu()
workspace = sinagot.Workspace(folder)
report = workspace.steps.run(**options)
wall = time.perf_counter() - start
workspace.close()
cpu = own_cpu() - begun + (tree_cpu(cluster) - elsewhere if cluster else 0.0)
if not report.ok:
    raise SystemExit(f"run failed: {report!r} {report.failures!r}")
tell(wall=wall, all_cpu=cpu, peak=peak_mb(), counts=dict(report.counts))
if client is not None:
    client.close()
