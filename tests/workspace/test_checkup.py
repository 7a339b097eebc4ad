"""The doctor's round through a workspace or a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sinagot import Workspace
from sinagot.dataset.findings import Finding
from sinagot.dataset.mounts import Mount
from sinagot.workspace.doctor import checkup
from sinagot.workspace.doctor.checkup import examine_folder, examine_workspace


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the program that loads numpy: it is not what these tests are about."""
    monkeypatch.setattr("sinagot.workspace.doctor.environment._ask_numpy", dict)


def configure(harbor: Path, text: str) -> Workspace:
    """Add to the configuration and open the workspace."""
    file = harbor / "workspace.toml"
    table, _, keys = text.partition("\n")
    former = file.read_text()
    file.write_text(former.replace(table, text) if table in former else f"{former}\n{table}\n{keys}\n")
    return Workspace(harbor)


def places(found: list[Finding]) -> list[str]:
    """Return the places in the order of the findings."""
    return list(dict.fromkeys(one.place for one in found))


def test_one_drive_is_measured_once(harbor: Path) -> None:
    """Folders on one mount are one place; afterwards the workspace is as it was."""
    before = sorted(harbor.rglob("*"))
    found = Workspace(harbor).doctor()
    assert places(found) == ["data, output, log, state", "output", "Python", "machine"]
    assert all(isinstance(one, Finding) for one in found)
    assert not [one for one in found if one.verdict == "problem"]
    assert sorted(path for path in harbor.rglob("*") if "__pycache__" not in str(path)) == before


def test_folders_on_other_mounts(harbor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data, outputs, logs and state on drives of their own are measured each; the raw data are only read."""
    for name in ("out", "logs", "state"):
        (harbor / name).mkdir()
    real = harbor.resolve()
    table = [
        Mount("/", "ext4", "disk"),
        *(Mount(str(real / name), "xfs", name) for name in ("out", "logs", "state")),
    ]
    monkeypatch.setattr(checkup, "list_mounts", lambda: table)
    workspace = configure(harbor, "[path]\noutput = './out'\nlog = './logs'\nstate = './state'")
    found = list(examine_workspace(workspace))
    assert places(found) == ["data", "output", "log", "state", "Python", "machine"]
    writing = {one.place: one.value for one in found if one.name == "writing"}
    assert writing == {"data": "not tried", "output": "works", "log": "works", "state": "works"}
    assert {one.place: one.value for one in found if one.name == "folder"}["output"] == str(harbor / "out")
    assert (
        not list((harbor / "out").iterdir())
        + list((harbor / "logs").iterdir())
        + list((harbor / "state").iterdir())
    )


def test_folders_that_may_not_be_written(harbor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that runs write to and this user may not is a problem, named by its key of [path]."""
    (harbor / "logs").mkdir()
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: "logs" not in str(path) and real(path, mode))
    found = list(examine_workspace(configure(harbor, "[path]\nlog = './logs'")))
    (problem,) = (one for one in found if one.verdict == "problem")
    assert (problem.place, problem.name) == ("log", "permission")
    assert "[path] log" in problem.advice


def test_contents_that_are_compared_already(harbor: Path) -> None:
    """Where contents are compared, the grain of time stamps does not matter."""
    found = configure(harbor, "[run]\ncheck = 'digest'").doctor()
    (stamps,) = (one for one in found if one.name == "time stamps")
    assert "is set" in stamps.advice


def test_workers_of_the_configuration_count(harbor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More workers than cores are noted; without a number there are as many as cores."""
    monkeypatch.setattr("sinagot.engine.machine.cgroup_cores", lambda: 1.5)
    workspace = configure(harbor, "[run]\nmode = 'processes'")
    assert checkup._worker_count(workspace) == 1
    found = configure(harbor, "[run]\nworkers = 64").doctor()
    assert "64 workers are configured" in {one.name: one.advice for one in found}["cores"]


def test_cluster_is_asked_only_when_wanted(harbor: Path) -> None:
    """Without the wish no cluster is started; with it there are findings about it."""
    workspace = configure(harbor, "[dask.scheduler]\ntype = 'single-threaded'")
    assert "Dask" not in places(workspace.doctor())
    assert "Dask" in places(workspace.doctor(dask=True))


def test_any_folder(tmp_path: Path) -> None:
    """A folder without a workspace is measured too, and is as it was afterwards."""
    found = list(examine_folder(str(tmp_path)))
    assert places(found) == ["folder", "Python", "machine"]
    assert {one.name: one.value for one in found}["writing"] == "works"
    assert list(tmp_path.iterdir()) == []
