"""Tables as files for other programs: CSV, JSON, Parquet, written row by row.

Knows columns and formats; must not know where rows come from. However many there are, some thousands are in memory.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import IO, Any, NamedTuple

import click

__all__ = ["FORMATS", "TABLES", "Table", "export"]

FORMATS = ("csv", "parquet", "json")


class Table(NamedTuple):
    """Columns of a table, each with its kind: text, int, float, or time (UTC)."""

    columns: Mapping[str, str]
    #: Column that takes what has no column of its own, as JSON text.
    rest: str | None = None

    def row(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Give the cells of a row, in the order of the columns; what is not of a column's kind is left out."""
        cells = {name: _KINDS[kind](facts.get(name)) for name, kind in self.columns.items()}
        if self.rest is not None:
            more = {name: value for name, value in facts.items() if name not in self.columns}
            cells[self.rest] = _text(more) if more else None
        return cells


_Write = Callable[[IO[bytes], Table, Iterator[dict[str, Any]]], int]
_PLACE = {"record_id": "text", "task": "text", "modality": "text", "step_label": "text"}
_MEASURED = {"duration_s": "float", "cpu_s": "float", "peak_memory_mb": "float"}
_CAUSE = {"exc_type": "text", "exc_message": "text"}
TABLES = {
    "status": Table(
        {
            "record_id": "text",
            "task": "text",
            "modality": "text",
            "step_index": "int",
            "step_label": "text",
            "step_status": "int",
            "status_name": "text",
        }
    ),
    "jobs": Table(
        {"run_id": "text", **_PLACE, "attempt": "text", "try": "int", "outcome": "text", "time": "time"}
        | _MEASURED
        | {"code": "text", "params": "text"}
        | _CAUSE
        | {"where": "text"}
    ),
    "logs": Table(
        {"time": "time", **_PLACE, "step_status": "int", "level": "text", "message": "text"}
        | {"run_id": "text", "attempt": "text", "host": "text", "pid": "int"}
        | _MEASURED
        | {"inputs": "text", "outputs": "text", "script_hash": "text", "params": "text"}
        | _CAUSE
        | {
            "traceback": "text",
            "workspace_version": "text",
            "log_from": "text",
            "scope": "text",
            "more": "text",
        },
        rest="more",
    ),
    "decisions": Table(
        {"time": "time", "decision": "text", "record_id": "text", "task": "text", "modality": "text"}
        | {"step": "text", "reason": "text", "user": "text", "host": "text"}
    ),
}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, default=str)


def _int(value: Any) -> int | None:
    return value if type(value) is int and abs(value) < 1 << 63 else None


def _float(value: Any) -> float | None:
    with suppress(OverflowError):
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    return None


def _time(value: Any) -> str | None:
    """Give a time as all lines have it; those of old versions are UTC without saying so."""
    from datetime import UTC, datetime

    with suppress(TypeError, ValueError, OverflowError):
        moment = datetime.fromisoformat(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        return moment.isoformat(timespec="microseconds")
    return None


_KINDS: dict[str, Callable[[Any], Any]] = {"text": _text, "int": _int, "float": _float, "time": _time}


def export(name: str, rows: Iterable[Mapping[str, Any]], form: str, file: str | None, *, force: bool) -> int:
    """Write a table, whole or not at all.

    Parameters
    ----------
    name : str
        A key of `TABLES`.
    rows : iterable of mapping
        Facts by column.
    form : str
        One of `FORMATS`.
    file : str or None
        Where; None for standard output.
    force : bool
        Replace a file that is there.

    Returns
    -------
    int
        Number of rows.
    """
    table = TABLES[name]
    cells = (table.row(facts) for facts in rows)
    writers: dict[str, _Write] = {"csv": _write_csv, "json": _write_json, "parquet": _write_parquet}
    write = writers[form]
    if file is None:
        stream = sys.stdout.buffer
        count = write(stream, table, cells)
        stream.flush()
        return count
    if os.path.exists(file) and not force:
        raise click.UsageError(f"{file} is there; --force replaces it")
    draft = f"{file}.{os.getpid()}~"
    try:
        with open(draft, "wb") as stream:
            count = write(stream, table, cells)
        os.replace(draft, file)
    except OSError as error:
        if error.filename in (draft, file) or error.filename is None:
            raise click.ClickException(f"{file} can't be written: {error.strerror or error}") from error
        raise
    finally:
        with suppress(OSError):
            os.unlink(draft)
    return count


def _write_csv(stream: IO[bytes], table: Table, rows: Iterator[dict[str, Any]]) -> int:
    # With this end of lines a carriage return within a cell is quoted as well.
    writer = csv.writer(_Lines(stream), lineterminator="\r\n")
    writer.writerow(table.columns)
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007  (its last value is what is asked for)
        writer.writerow(row.values())
    return count


class _Lines:
    """Ends lines as all programs of a shell do; the stream under it is somebody else's, and is never closed."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        self._stream.write(f"{text.removesuffix(chr(13) + chr(10))}\n".encode("utf-8", "surrogateescape"))


def _write_json(stream: IO[bytes], table: Table, rows: Iterator[dict[str, Any]]) -> int:
    count = 0
    stream.write(b"[")
    for count, row in enumerate(rows, start=1):
        # What is no number in JSON is none here.
        row = {key: None if value != value else value for key, value in row.items()}  # noqa: PLW2901
        stream.write((",\n" if count > 1 else "\n").encode() + json.dumps(row).encode())
    stream.write(b"\n]\n")
    return count


def _write_parquet(stream: IO[bytes], table: Table, rows: Iterator[dict[str, Any]]) -> int:
    from sinagot.workspace.tables import write_parquet

    return write_parquet(stream, table.columns, rows)
