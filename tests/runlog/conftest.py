"""Log folders of a test, and lines to write into them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sinagot.runlog.capture import AttemptLog
from sinagot.runlog.lines import make_line
from sinagot.runlog.read import read_lines
from sinagot.runlog.write import LogTarget, RecordLog, close_all

ROOT = Path(__file__).parents[2]
CONTEXT = {
    "workspace_version": "0.1.0",
    "record_id": "REC-1",
    "task": None,
    "modality": None,
    "step_label": "mean",
    "run_id": "run",
    "attempt": "a1",
}


@pytest.fixture(autouse=True)
def _closed_logs() -> Iterator[None]:
    yield
    close_all()


@pytest.fixture
def target(tmp_path: Path) -> LogTarget:
    return LogTarget(str(tmp_path / "LOG"), str(tmp_path / "locks"))


@pytest.fixture
def log(target: LogTarget) -> RecordLog:
    return RecordLog(target, "REC-1")


@pytest.fixture
def attempt(log: RecordLog) -> AttemptLog:
    return AttemptLog(log, CONTEXT)


@pytest.fixture
def line() -> Callable[..., dict[str, Any]]:
    """Make a line of record REC-1."""

    def make(message: str, **changes: Any) -> dict[str, Any]:
        return make_line(CONTEXT, 20, message) | changes

    return make


@pytest.fixture
def messages(target: LogTarget) -> Callable[..., list[str]]:
    """Read the messages of a record, oldest first; every line must be readable unless told otherwise."""

    def read(record_id: str = "REC-1", *, bad: int = 0) -> list[str]:
        lines, unreadable = read_lines(target.folder, record_id)
        assert unreadable == bad
        return [line["message"] for line in lines]

    return read


@pytest.fixture
def lines(target: LogTarget) -> Callable[..., list[dict[str, Any]]]:
    """Read the lines of a record, oldest first."""

    def read(record_id: str = "REC-1") -> list[dict[str, Any]]:
        return read_lines(target.folder, record_id)[0]

    return read


@pytest.fixture
def program() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start Python programs of their own; what is left at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
