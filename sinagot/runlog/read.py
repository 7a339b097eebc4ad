"""Reading log lines back: all parts, oldest first, and never an exception for what stands in them.

Knows fields and their order; must not decide what a status means. The workspace shows what it gives, the
engine asks it for the newest line of a step that the state folder does not know.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sinagot.runlog.lines import ADDED_FIELDS, ESTABLISHED_FIELDS, log_file_name, old_time_to_utc_form
from sinagot.runlog.parts import (
    LineParser,
    LineSplitter,
    all_lines,
    lines_backwards,
    open_part,
    open_parts,
    read_pieces,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["count_unreadable", "follow", "frame_of", "logs_frame", "newest_status", "read_lines"]

_WHOLE_NUMBERS = ("step_status", "pid")
_AT_ONCE = 16_384  # lines collected over many files before they are parsed


def read_lines(folder: str, record_id: str) -> tuple[list[dict[str, Any]], int]:
    """Read all lines of a record.

    Parameters
    ----------
    folder : str
        The log folder; neither it nor a log need exist.
    record_id : str
        Id of the record.

    Returns
    -------
    tuple
        The lines as they are, oldest first, and how many lines (or whole parts) could not be read.

    Examples
    --------
    >>> read_lines("no/such/folder", "REC-1")
    ([], 0)
    """
    parser = LineParser()
    streams, parser.bad = open_parts(_path(folder, record_id))
    lines: list[dict[str, Any]] = []
    for raw in all_lines(reversed(streams), parser):
        lines += parser.parse(raw)
    return lines, parser.bad


def count_unreadable(folder: str, record_ids: Iterable[str]) -> dict[str, int]:
    """Count what cannot be read in the logs of records; every line is looked at.

    Parameters
    ----------
    folder : str
        The log folder.
    record_ids : iterable of str
        The records.

    Returns
    -------
    dict of str to int
        Id -> lines (or whole parts); records whose logs are whole are left out.
    """
    counts = ((record_id, read_lines(folder, record_id)[1]) for record_id in record_ids)
    return {record_id: count for record_id, count in counts if count}


def frame_of(rows: Sequence[Any], **options: Any) -> pd.DataFrame:
    """Make a table of any texts.

    Parameters
    ----------
    rows : sequence
        As `pandas.DataFrame` takes them.
    **options
        Of `pandas.DataFrame`.

    Returns
    -------
    DataFrame
        Its columns are of dtype object where a text has signs that the text type of pandas with pyarrow refuses: halves
        of surrogate pairs, as in names of files that are no UTF-8.
    """
    import pandas as pd

    try:
        return pd.DataFrame(rows, **options)
    except UnicodeError:
        return pd.DataFrame(rows, **options | {"dtype": object})


def logs_frame(
    sources: Iterable[tuple[str, str]], task: str | None = None, modality: str | None = None
) -> pd.DataFrame:
    """Read the lines of many records into one table.

    Parameters
    ----------
    sources : iterable of (folder, record_id)
        The logs to read.
    task, modality : str, optional
        Keep only lines of these; None keeps all.

    Returns
    -------
    DataFrame
        One row per line, newest first (lines of one moment: last written first). Columns: the established
        fields, those of `ADDED_FIELDS` that occur, then fields of the user. ``time`` has the form of today,
        also on old lines, which mean UTC. Without lines: no rows and the established columns.

    Notes
    -----
    Lines of all files are parsed together, 256 at a time; about 7 microseconds a line, most of it for the
    table.
    """
    import pandas as pd

    rows = _rows(sources, task, modality)
    if not rows:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in ESTABLISHED_FIELDS})
    for row in rows:
        row["time"] = old_time_to_utc_form(row.get("time"))
    rows.reverse()  # the sort is stable: of one moment, what was written last comes first
    rows.sort(key=_time_of, reverse=True)
    frame = frame_of(rows)
    for name in ESTABLISHED_FIELDS:
        if name not in frame.columns:
            frame[name] = None
    ours = [*ESTABLISHED_FIELDS, *(name for name in ADDED_FIELDS if name in frame.columns)]
    frame = frame[[*ours, *(name for name in frame.columns if name not in ours)]]
    # Elsewhere a field of that name is the user's.
    numbers = (*_WHOLE_NUMBERS, "line") if {"pipeline", "flow"} & {*frame.columns} else _WHOLE_NUMBERS
    for name in numbers:  # absent from some lines, they have become floats
        if name in frame.columns and frame[name].dtype == "float64" and (frame[name].dropna() % 1 == 0).all():
            frame[name] = frame[name].astype("Int64")
    return frame


def newest_status(
    folder: str, record_id: str, task: str | None, modality: str | None, step: str
) -> tuple[int, dict[str, Any]] | None:
    """Find the newest line of a step.

    Parameters
    ----------
    folder : str
        The log folder.
    record_id : str
        Id of the record.
    task, modality : str or None
        Scope of the step; None in a workspace without tasks, where lines have null.
    step : str
        Name of the step.

    Returns
    -------
    tuple or None
        Status code and the line; None when no line is about the step.

    Notes
    -----
    Reads from the end, so the cost is that of the lines written since. Newest means written last, not
    latest by clock.
    """
    needle = (
        step.encode("ascii") if step.isascii() and step.replace("_", "").replace("-", "").isalnum() else b""
    )
    parser = LineParser()
    streams, _ = open_parts(_path(folder, record_id))
    try:
        for stream in streams:
            for raw in lines_backwards(stream):
                line = parser.parse_one(raw) if needle in raw else None
                if line is None or line.get("step_label") != step:
                    continue
                if line.get("task") != task or line.get("modality") != modality:
                    continue
                status = line.get("step_status")
                if type(status) is int:
                    return status, line
    finally:
        for stream in streams:
            stream.close()
    return None


def follow(
    folder: str,
    record_id: str,
    step: str | None = None,
    *,
    poll: float = 0.2,
    stop: Callable[[], bool] | None = None,
    from_start: bool = False,
) -> Iterator[dict[str, Any]]:
    """Give lines as they are written, across rotations; the log need not exist yet.

    Parameters
    ----------
    folder : str
        The log folder.
    record_id : str
        Id of the record.
    step : str, optional
        Only lines of this step.
    poll : float, seconds
        Time between two looks.
    stop : callable, optional
        Asked before each look; true ends it after what is there has been given.
    from_start : bool
        Begin with the lines that are there already; else with those written after the call.

    Yields
    ------
    dict
        One line.
    """
    tail = _Tail(_path(folder, record_id), from_start=from_start)
    return _follow(tail, step, poll, stop)


def _follow(
    tail: _Tail, step: str | None, poll: float, stop: Callable[[], bool] | None
) -> Iterator[dict[str, Any]]:
    parser = LineParser()
    try:
        while True:
            is_last = stop is not None and stop()
            for raw in tail.new_lines():
                for line in parser.parse(raw):
                    if step is None or line.get("step_label") == step:
                        yield line
            if is_last:
                return
            time.sleep(poll)
    finally:
        tail.close()


class _Tail:
    """The end of a log file that may be turned, cut or not be there yet."""

    def __init__(self, path: str, *, from_start: bool) -> None:
        self._path = path
        self._splitter = LineSplitter()
        self._stream: io.FileIO | None = None
        self._to_read: list[io.FileIO] = []
        if from_start:
            self._to_read = self._newer_than(None)
        else:
            self._to_read = [stream] if (stream := self._open(path)) else []
            for stream in self._to_read:
                stream.seek(0, os.SEEK_END)

    def new_lines(self) -> Iterator[list[bytes]]:
        """Give what has been written since, piece by piece."""
        if self._stream is not None:
            yield from self._rest()
            if self._is_turned():
                yield from self._rest()  # what came between the first read and the turn
                self._to_read = self._newer_than(self._stream)
        elif not self._to_read:
            self._to_read = self._newer_than(None)
        while self._to_read:
            if self._stream is not None:
                yield self._splitter.end()
                self._stream.close()
            self._stream = self._to_read.pop(0)
            yield from self._rest()

    def close(self) -> None:
        """Close what is open."""
        for stream in [*self._to_read, *([self._stream] if self._stream else [])]:
            stream.close()
        self._stream, self._to_read = None, []

    def __del__(self) -> None:
        self.close()  # of a follower that was never asked for a line

    def _rest(self) -> Iterator[list[bytes]]:
        assert self._stream is not None
        if os.fstat(self._stream.fileno()).st_size < self._stream.tell():  # copied away and cut to nothing
            self._splitter = LineSplitter()
            self._stream.seek(0)
        for piece in read_pieces(self._stream):
            yield self._splitter.split(piece)

    def _is_turned(self) -> bool:
        assert self._stream is not None
        try:
            now = os.stat(self._path)
        except OSError:
            return False  # between two names, or removed: it will come again, or not
        return not os.path.samestat(now, os.fstat(self._stream.fileno()))

    def _newer_than(self, known: io.FileIO | None) -> list[io.FileIO]:
        """Open the parts that are newer than one, oldest first."""
        streams, _ = open_parts(self._path)
        if known is None:
            return streams[::-1]
        facts = os.fstat(known.fileno())
        newer: list[io.FileIO] = []
        is_newer = True
        for stream in streams:
            is_newer = is_newer and not os.path.samestat(os.fstat(stream.fileno()), facts)
            if is_newer:
                newer.insert(0, stream)
            else:
                stream.close()
        return newer

    @staticmethod
    def _open(path: str) -> io.FileIO | None:
        try:
            return open_part(path)
        except OSError:
            return None


def _rows(sources: Iterable[tuple[str, str]], task: str | None, modality: str | None) -> list[dict[str, Any]]:
    parser = LineParser()
    rows: list[dict[str, Any]] = []
    waiting: list[bytes] = []
    for folder, record_id in sources:
        streams, _ = open_parts(_path(folder, record_id))
        for raw in all_lines(reversed(streams), parser):
            waiting += raw
            if len(waiting) >= _AT_ONCE:
                rows += _of_scope(parser.parse(waiting), task, modality)
                waiting.clear()
    return rows + _of_scope(parser.parse(waiting), task, modality)


def _of_scope(lines: list[dict[str, Any]], task: str | None, modality: str | None) -> list[dict[str, Any]]:
    if task is not None:
        lines = [line for line in lines if line.get("task") == task]
    if modality is not None:
        lines = [line for line in lines if line.get("modality") == modality]
    return lines


def _path(folder: str, record_id: str) -> str:
    return os.path.join(folder, log_file_name(record_id))


def _time_of(row: dict[str, Any]) -> str:
    moment = row["time"]
    return moment if type(moment) is str else ""
