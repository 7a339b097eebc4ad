"""What of the machine may be used: by affinity, and by control groups of either version."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sinagot.engine import machine
from sinagot.engine.executors.processes import ProcessExecutor
from sinagot.engine.machine import cgroup_cores, cgroup_memory, default_workers, usable_cores


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Give a function that makes up the cgroup of this process: its table, and file -> text."""

    def make(table: str, **files: str) -> None:
        (tmp_path / "table").write_text(table)
        for name, text in files.items():
            path = tmp_path / "root" / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.setattr(machine, "_CGROUPS", str(tmp_path / "table"))
        monkeypatch.setattr(machine, "_CGROUP_ROOT", str(tmp_path / "root"))

    return make


def test_affinity_and_cgroup_cut_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least of machine, affinity and cgroup may be used; a run takes the whole cores of that, one at least."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)
    monkeypatch.setattr(machine, "cgroup_cores", lambda: None)
    assert usable_cores() == default_workers() == 16
    monkeypatch.setattr(machine, "cgroup_cores", lambda: 2.5)
    assert (usable_cores(), default_workers()) == (2.5, 2)
    assert (ProcessExecutor().slots, ProcessExecutor(5).slots) == (2, 5)
    monkeypatch.setattr(machine, "cgroup_cores", lambda: 0.5)
    assert default_workers() == 1
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(machine, "cgroup_cores", lambda: None)
    assert usable_cores() == 64


def test_cgroups_of_version_2(cgroup) -> None:
    """The tightest limit on the way to the root counts; `max` is none."""
    files = {"job__step__cpu_DOT_max": "max 100000", "job__cpu_DOT_max": "150000 100000"}
    cgroup("0::/job/step\n", job__step__memory_DOT_max="1000", job__memory_DOT_max="max", **files)
    assert (cgroup_cores(), cgroup_memory()) == (1.5, 1000)


def test_cgroups_of_version_1(cgroup) -> None:
    """The files of the older kind are read; a limit as large as the address space is none."""
    cgroup(
        "5:cpu,cpuacct:/a\n4:memory:/a\n1:name=systemd:/\n",
        **{
            "cpu,cpuacct__a__cpu_DOT_cfs_quota_us": "50000",
            "cpu,cpuacct__a__cpu_DOT_cfs_period_us": "100000",
            "cpu,cpuacct__cpu_DOT_cfs_quota_us": "-1",
            "memory__a__memory_DOT_limit_in_bytes": "9223372036854771712",
            "memory__memory_DOT_limit_in_bytes": "4096",
        },
    )
    assert (cgroup_cores(), cgroup_memory()) == (0.5, 4096)


def test_no_cgroups(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without cgroups has no such limit."""
    monkeypatch.setattr(machine, "_CGROUPS", "/no/such/file")
    assert cgroup_cores() is cgroup_memory() is None
