"""A second run over finished work, with the Python API: FOLDER [RERUN]."""

import sys

import sinagot

report = sinagot.Workspace(sys.argv[1]).steps.run(rerun=sys.argv[2] if sys.argv[2:] else None)
if sum(report.counts.values()) != report.counts.get("up_to_date"):
    raise SystemExit(f"not up to date: {report!r}")
