"""A look of the watch over finished work: FOLDER ROUNDS. CPU in one process, in turns with bare listings."""

import os
import sys

from timing import alternate, tell

import sinagot

folder, rounds = sys.argv[1], int(sys.argv[2])


def ours():
    kinds = [event.kind for event in workspace.watch(once=True, quiet=0, events="off")]
    if "run" in kinds:
        raise SystemExit(f"there was something to do: {kinds}")


def listings():
    return [
        {entry.name for entry in os.scandir(f"{folder}/dataset/{step}")}
        for step in ("raw", "first", "second")
    ]


with sinagot.Workspace(folder) as workspace:
    tell(**alternate({"ours": ours, "peer": listings}, rounds))
