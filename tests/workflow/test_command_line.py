"""Workspaces of classes on the command line, and the environment of a program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import sinagot as sg
from tests.workflow.conftest import COUNTING, Write, seeds

BETWEEN = (
    COUNTING
    + """
@sg.step
def plus(number: int) -> int:
    return number + 1

class Between(sg.Workflow):
    number: int = sg.seed()
    middle: int = plus.step(number)
    end: int = plus.step(middle)

class Betweens(sg.Workspace[Between]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    end = sg.LocalStorage("end/{workflow_id}.txt")
"""
)


def said(folder: Path, *words: str) -> str:
    """Give what the command line says of the workspace."""
    program = [sys.executable, "-m", "sinagot", "-w", f"between_flow:Betweens={folder / 'data'}", *words]
    environment = {**os.environ, "PYTHONPATH": str(folder / "code")}
    return subprocess.run(program, capture_output=True, text=True, check=True, env=environment).stdout


def test_values_that_nothing_stores_are_no_station_of_the_flow(module: Write, tmp_path: Path) -> None:
    """A workflow of which all that is stored is done counts as done, whatever lies between."""
    module("between_flow", BETWEEN)
    seeds(tmp_path / "data", 2)
    said(tmp_path, "run")
    flow = json.loads(said(tmp_path, "report", "flow", "--json"))
    rows = {row["name"]: row for row in (*flow["steps"], flow["records"])}
    assert set(rows) == {"end", "records"}
    assert [row["places"]["done"] for row in rows.values()] == [2, 2]


def test_workers_of_the_environment_work(
    module: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number of workers alone is enough to run in processes; a mode that is named as well wins."""
    flow, root = module("between_flow", BETWEEN), seeds(tmp_path / "data", 1)
    monkeypatch.setenv("SINAGOT_WORKERS", "2")
    with flow.Betweens(root) as ws:
        assert (ws.config["run"]["mode"], ws.configuration.run.workers) == ("processes", 2)
    monkeypatch.setenv("SINAGOT_MODE", "main_process")
    with flow.Betweens(root) as ws:
        assert ws.config["run"]["mode"] == "main_process"


def test_futures_without_a_place_for_their_state(module: Write, tmp_path: Path) -> None:
    """Where the state folder cannot be made, the error says which folder, and is no bare one of the system."""
    from distributed import Client, LocalCluster

    flow, root = module("between_flow", BETWEEN), seeds(tmp_path / "data", 1)
    (root / ".sinagot").write_text("a file in its place")
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
        ) as cluster,
        Client(cluster) as client,
        flow.Betweens(root, client=client) as ws,
        pytest.raises(sg.SinagotError, match=r"state folder .*\.sinagot can't be written"),
    ):
        ws.remote("end")
