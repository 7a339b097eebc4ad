"""Runs things and takes their time: processes, probes, and several cases in turns.

Knows the operating system's accounting; must not know what is measured.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
PROBES = HERE / "probes"
#: As users have it: byte code is kept, output is buffered.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPATH")
}


class MeasuringError(Exception):
    """A measured program ended badly."""


class Usage(NamedTuple):
    """What one run of a program took, with all descendants that it waited for."""

    wall: float
    cpu: float
    #: What the program printed on its last line, when that is a JSON object.
    facts: dict[str, Any]


def process(
    argv: Sequence[str | os.PathLike[str]],
    cwd: str | Path | None = None,
    more: Mapping[str, str] | None = None,
) -> Usage:
    """Run a program to its end; seconds of wall clock and of CPU (user and system); `more`: variables for it."""
    environment = ENVIRONMENT | dict(more or {})
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        child = subprocess.Popen(
            argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=environment
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors.seek(0)
            tail = errors.read().decode(errors="replace").strip().splitlines()[-6:]
            raise MeasuringError(f"{Path(argv[0]).name} ended with {child.returncode}: {' / '.join(tail)}")
        output.seek(max(0, output.seek(0, os.SEEK_END) - 1_000_000))
        return Usage(wall, usage.ru_utime + usage.ru_stime, _facts(output.read()))


def _facts(output: bytes) -> dict[str, Any]:
    line = output.rstrip().rpartition(b"\n")[2]
    try:
        facts = json.loads(line)
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def probe(name: str, *arguments: object, python: Path | None = None) -> Usage:
    """Run one of the scripts in `probes/`, by our own Python or by another one."""
    return process([python or sys.executable, PROBES / f"{name}.py", *map(str, arguments)])


def command(*arguments: str) -> list[str | Path]:
    """Give the command line of our console script."""
    return [Path(sys.executable).with_name("sinagot"), *arguments]


def alternate(
    cases: Mapping[str, Callable[[], Usage]], rounds: int, *, warm: bool = False
) -> dict[str, list[Usage]]:
    """Run all cases in each round, every other round backwards; `warm`: once before, uncounted."""
    for case in cases.values() if warm and rounds > 1 else ():
        case()
    taken: dict[str, list[Usage]] = {name: [] for name in cases}
    for turn in range(rounds):
        for name in sorted(cases, reverse=True) if turn % 2 else sorted(cases):
            taken[name].append(cases[name]())
    return taken


def cpu(usages: Sequence[Usage]) -> list[float]:
    return [usage.cpu for usage in usages]


def wall(usages: Sequence[Usage]) -> list[float]:
    return [usage.wall for usage in usages]


def fact(usages: Sequence[Usage], name: str) -> list[float]:
    return [usage.facts[name] for usage in usages]
