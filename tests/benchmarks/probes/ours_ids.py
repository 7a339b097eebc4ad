"""ids() of a workspace against the names of one folder: FOLDER ROUNDS."""

import os
import sys

from timing import alternate, tell

import sinagot

folder, rounds = sys.argv[1], int(sys.argv[2])
records = sinagot.Workspace(folder).records
raw = f"{folder}/dataset/raw"
count = len(records.ids())
if count != len(os.listdir(raw)):
    raise SystemExit(f"{count} ids for {len(os.listdir(raw))} names")


def bare():
    with os.scandir(raw) as entries:
        return [entry.name for entry in entries]


tell(count=count, **alternate({"ours": records.ids, "peer": bare}, rounds))
