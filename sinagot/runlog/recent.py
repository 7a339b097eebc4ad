"""Log lines from the newest on, page by page: a log of any size is looked at for a bounded time.

Knows where a page ends and how much was read; must not decide what a line means. Whoever shows a log in a window asks
it.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from sinagot.errors import CursorError
from sinagot.runlog.lines import log_file_name
from sinagot.runlog.parts import LineParser, open_parts, placed_backwards

__all__ = ["LinePage", "recent_lines"]

#: Device, number of the file, byte.
_PLACE = re.compile(r"\d{1,20}:\d{1,20}:\d{1,18}", re.ASCII)


class LinePage(NamedTuple):
    """Some lines of a log, newest first."""

    lines: list[dict[str, Any]]
    #: There are older lines of this kind.
    has_more: bool
    #: Reading ended before the beginning of the log: it is too large to be searched as a whole.
    is_cut: bool
    #: Lines that could not be read.
    bad: int
    #: Where older lines are looked for, as `recent_lines` takes it; None where there are none.
    next: str | None = None


def recent_lines(
    folder: str,
    record_id: str,
    *,
    skip: int = 0,
    limit: int = 200,
    wanted: Callable[[dict[str, Any]], bool] | None = None,
    before: str | None = None,
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
    before : str, optional
        `LinePage.next` of the page before: nothing that is newer is read.
    most_bytes : int
        Reading ends after so many bytes.

    Raises
    ------
    CursorError
        No page gave that `before`.

    Examples
    --------
    >>> recent_lines("no/such/folder", "REC-1").lines
    []
    """
    file, place = _read_place(before) if before is not None else ("", None)
    parser = LineParser()
    streams, parser.bad = open_parts(os.path.join(folder, log_file_name(record_id)))
    found: list[dict[str, Any]] = []
    seen, last = 0, None
    try:
        for stream in streams:
            mine = _file_of(stream)
            if file and mine != file:
                continue  # newer; turned meanwhile, it has the same number under another name
            file = ""
            for begin, raw in placed_backwards(stream, place):
                seen += len(raw) + 1
                if seen > most_bytes:
                    return LinePage(found, False, True, parser.bad)
                line = parser.parse_one(raw) if raw else None
                if line is None or (wanted is not None and not wanted(line)):
                    continue
                if skip:
                    skip -= 1
                elif len(found) == limit:
                    return LinePage(found, True, False, parser.bad, last)
                else:
                    found.append(line)
                    last = f"{mine}:{begin}"
            place = None
    finally:
        for one in streams:
            one.close()
    return LinePage(found, False, False, parser.bad)


def _file_of(stream: io.FileIO) -> str:
    about = os.fstat(stream.fileno())
    return f"{about.st_dev}:{about.st_ino}"


def _read_place(text: str) -> tuple[str, int]:
    if not _PLACE.fullmatch(text):
        raise CursorError(f"no cursor of a log: {text[:100]!r}", cursor=text)
    file, _, place = text.rpartition(":")
    return file, int(place)
