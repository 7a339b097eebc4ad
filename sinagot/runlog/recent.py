"""Log lines from the newest on, page by page: a log of any size is looked at for a bounded time.

Knows where a page ends and how much was read; must not decide what a line means. Whoever shows a log in a window asks
it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from sinagot.runlog.lines import log_file_name
from sinagot.runlog.parts import LineParser, lines_backwards, open_parts

__all__ = ["LinePage", "recent_lines"]


class LinePage(NamedTuple):
    """Some lines of a log, newest first."""

    lines: list[dict[str, Any]]
    #: There are older lines of this kind.
    has_more: bool
    #: Reading ended before the beginning of the log: it is too large to be searched as a whole.
    is_cut: bool
    #: Lines that could not be read.
    bad: int


def recent_lines(
    folder: str,
    record_id: str,
    *,
    skip: int = 0,
    limit: int = 200,
    wanted: Callable[[dict[str, Any]], bool] | None = None,
    most_bytes: int = 32 * 1024 * 1024,
) -> LinePage:
    """Give the newest lines of a record.

    Parameters
    ----------
    folder : str
        The log folder; neither it nor a log need exist.
    record_id : str
        Id of the record.
    skip, limit : int
        So many lines are passed over, and so many given.
    wanted : callable, optional
        Says of a line whether it counts.
    most_bytes : int
        Reading ends after so many bytes.

    Examples
    --------
    >>> recent_lines("no/such/folder", "REC-1").lines
    []
    """
    parser = LineParser()
    streams, parser.bad = open_parts(os.path.join(folder, log_file_name(record_id)))
    found: list[dict[str, Any]] = []
    seen = 0
    try:
        for stream in streams:
            for raw in lines_backwards(stream):
                seen += len(raw) + 1
                if seen > most_bytes:
                    return LinePage(found, False, True, parser.bad)
                line = parser.parse_one(raw) if raw else None
                if line is None or (wanted is not None and not wanted(line)):
                    continue
                if skip:
                    skip -= 1
                elif len(found) == limit:
                    return LinePage(found, True, False, parser.bad)
                else:
                    found.append(line)
    finally:
        for one in streams:
            one.close()
    return LinePage(found, False, False, parser.bad)
