"""One command over finished work: FOLDER ids|status|no-op|outdated [audit]. With `audit` it tells what it touched."""

import sys
from collections import Counter

import sinagot

folder, what = sys.argv[1:3]
listed, opened = Counter(), Counter()


def listen(event, arguments):
    if event == "open":
        opened[str(arguments[0])] += 1
    elif event in ("os.scandir", "os.listdir"):
        listed[str(arguments[0])] += 1


if sys.argv[3:]:
    from timing import tell

    sys.addaudithook(listen)
workspace = sinagot.Workspace(folder)
if what == "ids":
    workspace.records.ids()
elif what == "status":
    workspace.steps.status()
else:
    report = workspace.steps.run(rerun="outdated" if what == "outdated" else None)
    if sum(report.counts.values()) != report.counts.get("up_to_date"):
        raise SystemExit(f"not up to date: {report!r}")
if sys.argv[3:]:
    tell(listed=dict(listed), opened=dict(opened))
