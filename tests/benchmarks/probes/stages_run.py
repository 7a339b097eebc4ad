"""One run through two processes: FOLDER. Tells wall clock and CPU of all processes of `run()` alone."""

import sys
import time

from timing import own_cpu, peak_mb, tell

import sinagot

start, begun = time.perf_counter(), own_cpu()
workspace = sinagot.Workspace(sys.argv[1])
report = workspace.steps.run(mode="processes", workers=2, printing=False, progress=False)
wall = time.perf_counter() - start
workspace.close()
if not report.ok:
    raise SystemExit(f"run failed: {report!r} {report.failures!r}")
tell(wall=wall, all_cpu=own_cpu() - begun, peak=peak_mb(), counts=dict(report.counts))
