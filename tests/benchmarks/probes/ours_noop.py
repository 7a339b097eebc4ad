"""A second run over finished work, with the Python API: FOLDER."""

import sys

import sinagot

report = sinagot.Workspace(sys.argv[1]).steps.run()
if set(report.counts) - {"up_to_date"} and sum(report.counts.values()) != report.counts["up_to_date"]:
    raise SystemExit(f"not up to date: {report!r}")
