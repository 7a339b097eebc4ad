"""What is looked at of many records, against the least that it takes: FOLDER ROUNDS KIND[,KIND...].

ids, status, plan and outdated plan against bare listings (and stats); logs against pandas over the same bytes,
each: file by file. Both are called once before, uncounted and compared, unless there is a single round.
"""

import io
import os
import sys

import pandas as pd
from timing import alternate, tell

import sinagot

folder, rounds, kinds = sys.argv[1], int(sys.argv[2]), sys.argv[3].split(",")
records = sinagot.Workspace(folder).records
data = f"{folder}/dataset"


def bare_ids():
    with os.scandir(f"{data}/raw") as entries:
        return [entry.name for entry in entries]


def bare_status():
    names = {step: set(os.listdir(f"{data}/{step}")) for step in ("raw", "first", "second")}
    rows = [
        (name[:-4], None, None, index, step, 30 if name in names[step] else 10)
        for name in sorted(names["raw"])
        for index, step in enumerate(("first", "second"), start=1)
    ]
    columns = ["record_id", "task", "modality", "step_index", "step_label", "step_status"]
    return pd.DataFrame(rows, columns=columns)


def bare_plan():
    names = {step: set(os.listdir(f"{data}/{step}")) for step in ("raw", "first", "second")}
    return [(name, step) for step in ("first", "second") for name in names["raw"] if name in names[step]]


def bare_outdated():
    facts = {
        (step, name): os.stat(f"{data}/{step}/{name}").st_mtime_ns
        for step in ("raw", "first", "second")
        for name in os.listdir(f"{data}/{step}")
    }
    return [key for key in facts if key[0] != "raw"]


def log_files():
    return [f"{data}/LOG/{name}" for name in sorted(os.listdir(f"{data}/LOG"))]


def bare_logs():
    parts = []
    for path in log_files():
        with open(path, "rb") as file:
            parts.append(file.read())
    return pd.read_json(io.BytesIO(b"".join(parts)), lines=True)


def bare_each():
    return pd.concat([pd.read_json(path, lines=True) for path in log_files()], ignore_index=True)


def planned(**options):
    counts = records.steps.plan(**options).counts
    if list(counts) != ["up_to_date"]:
        raise SystemExit(f"not up to date: {counts}")
    return range(counts["up_to_date"])


CASES = {
    "ids": (records.ids, bare_ids),
    "status": (records.steps.status, bare_status),
    "plan": (records.steps.plan, bare_plan),
    "outdated plan": (lambda: records.steps.plan(rerun="outdated"), bare_outdated),
    "logs": (records.logs, bare_logs),
    "each": (records.logs, bare_each),
}
CHECKED = {"plan": planned, "outdated plan": lambda: planned(rerun="outdated")}
found = {}
for kind in kinds:
    ours, peer = CASES[kind]
    # Of a single round over much data a second look would take as long again.
    if rounds > 1 and (count := len(CHECKED.get(kind, ours)())) != len(peer()):
        raise SystemExit(f"{kind}: {count} rows against {len(peer())}")
    found[kind] = alternate({"ours": ours, "peer": peer}, rounds, warm=False)
tell(**found)
