"""What Python and the machine offer: versions, threads, cores, memory, limits."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from sinagot.version import __version__
from sinagot.workspace.doctor import environment
from sinagot.workspace.doctor.environment import (
    NAMES,
    examine_machine,
    examine_python,
    installed_version,
    judge_open_files,
    judge_threads,
)

UNLIMITED = 2**63 - 1


def test_this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions, encoding and numeric libraries are told, and numpy is not loaded for that."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    found = {one.name: one for one in [*examine_python(), *examine_machine()]}
    assert list(found) == list(NAMES)
    assert found["sinagot"].value == __version__
    assert found["python"].value.endswith(f"({sys.executable})")
    assert found["BLAS"].value not in ("", "unknown")
    assert "OMP_NUM_THREADS=2" in found["BLAS threads"].value


def test_looking_does_not_load_numpy() -> None:
    """The examined process stays light: numpy is asked in a program of its own."""
    code = (
        "import sys; from sinagot.workspace.doctor.environment import examine_python; list(examine_python()); "
        "print([name for name in ('numpy', 'pandas', 'dask', 'distributed') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is not installed is a warning with what to do."""
    assert installed_version("no-such-package") is None
    monkeypatch.setattr(environment, "PACKAGES", ("no-such-package",))
    monkeypatch.setattr(environment, "_ask_numpy", dict)
    found = {one.name: one for one in examine_python()}
    assert found["no-such-package"].verdict == "warning"
    assert found["BLAS"].verdict == "note"


@pytest.mark.parametrize("text", ["", "[1]", "no json"])
def test_numpy_that_does_not_load(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Whatever the program that loads numpy says, nothing breaks."""
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: SimpleNamespace(stdout=text))
    assert environment._ask_numpy() == {}


def test_encoding_of_file_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another encoding of file names than UTF-8 is a warning."""
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "latin-1")
    monkeypatch.setattr(environment, "_ask_numpy", dict)
    found = {one.name: one for one in examine_python()}
    assert found["file name encoding"].verdict == "warning"


@pytest.mark.parametrize(
    ("pools", "variables", "workers", "verdict", "value"),
    [
        ({}, {}, 1, "ok", "not set: a library takes all cores it sees"),
        ({}, {}, 4, "note", "not set: a library takes all cores it sees"),
        ({"openblas": 8}, {}, 1, "ok", "8 (openblas)"),
        ({"openblas": 8}, {}, 4, "warning", "8 (openblas)"),
        ({"openblas": 1, "openmp": 1}, {}, 8, "ok", "1 (openblas), 1 (openmp)"),
        ({}, {"OMP_NUM_THREADS": "1"}, 8, "ok", "OMP_NUM_THREADS=1"),
        ({}, {"OMP_NUM_THREADS": "4,2"}, 8, "note", "OMP_NUM_THREADS=4,2"),
    ],
)
def test_threads(pools, variables, workers: int, verdict: str, value: str) -> None:
    """Workers whose libraries together take more threads than there are cores get advice."""
    answer = judge_threads(pools, variables, workers, 8)
    assert (answer.verdict, answer.value) == (verdict, value)
    assert ("threads = 1" in answer.advice) is (verdict != "ok")


def test_threadpoolctl_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where threadpoolctl is there, its numbers count."""
    pools = [{"internal_api": "mkl", "num_threads": 16}, {"internal_api": "odd"}]
    found = {"blas": {"name": "mkl", "version": "2025"}, "pools": pools}
    monkeypatch.setattr(environment, "_ask_numpy", lambda: found)
    told = {one.name: one.value for one in examine_python()}
    assert told["BLAS"] == "mkl 2025"
    assert told["BLAS threads"].startswith("16 (mkl)")


def test_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may be used of the cores is told beside what is there; more workers than that are worth a note."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(environment, "usable_cores", lambda: 2.5)
    found = next(examine_machine(8))
    assert (found.value, found.verdict) == ("2.5 of 64 (affinity or cgroup)", "note")
    monkeypatch.setattr(environment, "usable_cores", lambda: 64)
    assert next(examine_machine(8)) == ("machine", "cores", "64", "ok", "")


@pytest.mark.parametrize(
    ("free", "limit", "verdict", "word"),
    [
        (2**33, None, "ok", "8.59 GB free of 17.2 GB"),
        (2**33, 2**32, "ok", "limited to 4.29 GB"),
        (2**33, 2**28, "warning", "limited to 268 MB"),
        (2**28, 2**40, "warning", "268 MB free"),
    ],
)
def test_memory(
    monkeypatch: pytest.MonkeyPatch, free: int, limit: int | None, verdict: str, word: str
) -> None:
    """Little memory, of the machine or of the cgroup, is a warning."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free, total=2**34))
    monkeypatch.setattr(environment, "cgroup_memory", lambda: limit)
    found = {one.name: one for one in examine_machine()}["memory"]
    assert found.verdict == verdict
    assert word in found.value


@pytest.mark.parametrize(
    ("soft", "hard", "verdict", "value"),
    [
        (UNLIMITED, UNLIMITED, "ok", "no limit"),
        (4096, UNLIMITED, "ok", "4,096 (may be raised to any number)"),
        (256, 4096, "note", "256 (may be raised to 4,096)"),
        (64, 64, "problem", "64 (may be raised to 64)"),
    ],
)
def test_open_files(soft: int, hard: int, verdict: str, value: str) -> None:
    """Too few open files are a problem, with the command that raises the limit."""
    answer = judge_open_files(soft, hard, UNLIMITED)
    assert (answer.verdict, answer.value) == (verdict, value)


def test_limits_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of file sizes is a warning: larger outputs fail."""
    import resource

    limits = {resource.RLIMIT_NOFILE: (4096, 4096), resource.RLIMIT_FSIZE: (2**30, 2**30)}
    monkeypatch.setattr(resource, "getrlimit", limits.__getitem__)
    found = {one.name: one for one in examine_machine()}
    assert found["file size"].value == "at most 1.07 GB"
    assert found["file size"].verdict == "warning"
    limits[resource.RLIMIT_FSIZE] = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    assert {one.name: one.value for one in examine_machine()}["file size"] == "no limit"
