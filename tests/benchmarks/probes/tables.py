"""status() and logs() as tables: FOLDER ROUNDS status|logs. Against pandas over the same bytes or names."""

import io
import os
import sys

import pandas as pd
from timing import alternate, tell

import sinagot

folder, rounds, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
records = sinagot.Workspace(folder).records
data = f"{folder}/dataset"


def bare_status():
    names = {step: set(os.listdir(f"{data}/{step}")) for step in ("raw", "first", "second")}
    rows = [
        (name[:-4], None, None, index, step, 30 if name in names[step] else 10)
        for name in sorted(names["raw"])
        for index, step in enumerate(("first", "second"), start=1)
    ]
    columns = ["record_id", "task", "modality", "step_index", "step_label", "step_status"]
    return pd.DataFrame(rows, columns=columns)


def bare_logs():
    parts = []
    for name in sorted(os.listdir(f"{data}/LOG")):
        with open(f"{data}/LOG/{name}", "rb") as file:
            parts.append(file.read())
    return pd.read_json(io.BytesIO(b"".join(parts)), lines=True)


ours, peer = {"status": (records.steps.status, bare_status), "logs": (records.logs, bare_logs)}[kind]
if len(ours()) != len(peer()):
    raise SystemExit(f"{len(ours())} rows against {len(peer())}")
tell(rows=len(peer()), **alternate({"ours": ours, "peer": peer}, rounds))
