"""The files of one record's log as pieces of bytes and lines: parts, torn ends, lines without end, garbage.

Knows names and bytes, and JSON only as far as «one object a line»; must not know fields. `read` asks it for
lines. Every read is bounded: at most `MAX_LINE` and one piece are held, whatever the file is.
"""

from __future__ import annotations

import io
import json
import os
import stat
from collections.abc import Iterable, Iterator
from typing import Any

from sinagot.runlog.lines import MAX_LINE

__all__ = [
    "LineParser",
    "LineSplitter",
    "all_lines",
    "lines_backwards",
    "open_part",
    "open_parts",
    "placed_backwards",
    "read_pieces",
]

PIECE = 256 * 1024
#: Lines parsed in one go: three times as fast as one by one.
BATCH = 256

_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_BOM = b"\xef\xbb\xbf"
_TRIES = 50  # a busy writer of small parts turns its log during many of them


def open_part(path: str) -> io.FileIO | None:
    """Open a plain file for reading; None when there is none.

    Raises
    ------
    OSError
        It is there but cannot be read, or is a folder or a FIFO (which is never waited for).
    """
    try:
        handle = os.open(path, _FLAGS)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(None, "is no plain file", path)
    return io.FileIO(handle, "r")


def open_parts(base: str) -> tuple[list[io.FileIO], int]:
    """Open all parts of a record's log.

    A rotation may happen meanwhile. Files only ever move to higher numbers, so parts are opened newest
    first (none can be missed) and one met twice is left out; when the newest file was turned before the
    last one was open, all is done again.

    Parameters
    ----------
    base : str
        Path of the newest part, whose name has no number.

    Returns
    -------
    tuple
        The open files, newest first, and how many could not be opened.
    """
    tries = _TRIES
    while True:
        streams, unreadable, seen = _open_all(base)
        tries -= 1
        try:
            now = os.stat(base)
        except OSError:
            return streams, unreadable
        if not streams or seen[0] == (now.st_dev, now.st_ino) or not tries:
            return streams, unreadable
        for stream in streams:
            stream.close()


def _open_all(base: str) -> tuple[list[io.FileIO], int, list[tuple[int, int]]]:
    streams: list[io.FileIO] = []
    seen: list[tuple[int, int]] = []
    unreadable = missing = number = 0
    # A rotation that is going on, or was killed, leaves one number free. Where a busy writer turns its log again and
    # again, the next ones may be free as well when they are asked for.
    while missing < (2 if len(streams) < 2 else 6):
        path = f"{base}.{number}" if number else base
        try:
            stream = open_part(path)
            is_there = stream is not None
        except OSError:
            stream = None
            is_there = number == 0 or os.path.lexists(path)  # in a folder that can't be entered, nothing is
            unreadable += is_there
        missing = 0 if is_there or number == 0 else missing + 1
        number += 1
        if stream is None:
            continue
        facts = os.fstat(stream.fileno())
        if (facts.st_dev, facts.st_ino) in seen:
            stream.close()
            continue
        seen.append((facts.st_dev, facts.st_ino))
        streams.append(stream)
    return streams, unreadable, seen


def read_pieces(stream: io.FileIO) -> Iterator[bytes]:
    """Give the bytes from here to the end; an error of the device ends them."""
    while True:
        try:
            piece = stream.read(PIECE)
        except OSError:
            return
        if not piece:
            return
        yield piece


class LineSplitter:
    r"""Cuts pieces into lines; what has no end within `MAX_LINE` is skipped and counted.

    Attributes
    ----------
    bad : int
        Lines that were skipped.

    Examples
    --------
    >>> splitter = LineSplitter()
    >>> splitter.split(b'{"a": 1}\n{"a"')
    [b'{"a": 1}']
    >>> splitter.split(b": 2}\n"), splitter.end()
    ([b'{"a": 2}'], [])
    """

    __slots__ = ("_is_skipping", "_rest", "bad")

    def __init__(self) -> None:
        self.bad = 0
        self._rest = b""
        self._is_skipping = False

    def split(self, piece: bytes) -> list[bytes]:
        """Give the lines that end in this piece."""
        lines = piece.split(b"\n")
        if self._is_skipping:
            if len(lines) == 1:
                return []
            del lines[0]
            self._is_skipping = False
        if self._rest:
            lines[0] = self._rest + lines[0]
        self._rest = lines.pop()
        if len(self._rest) > MAX_LINE:
            self._rest = b""
            self._is_skipping = True
            self.bad += 1
        return lines

    def end(self) -> list[bytes]:
        """Give the last line when it has no end, and begin anew."""
        rest, self._rest, self._is_skipping = self._rest, b"", False
        return [rest] if rest else []


class LineParser:
    """Makes objects of lines, many at a time; what is no JSON object is counted.

    Attributes
    ----------
    bad : int
        Lines that could not be read so far.

    Examples
    --------
    >>> parser = LineParser()
    >>> parser.parse([b'{"a": 1}', b'{"a', b"", b"3"])
    [{'a': 1}]
    >>> parser.bad
    2
    """

    __slots__ = ("bad",)

    def __init__(self) -> None:
        self.bad = 0

    def parse(self, lines: list[bytes]) -> list[dict[str, Any]]:
        """Give the objects of some lines, in order."""
        found: list[dict[str, Any]] = []
        for start in range(0, len(lines), BATCH):
            found += self._parse_batch(lines[start : start + BATCH])
        return found

    def parse_one(self, line: bytes) -> dict[str, Any] | None:
        """Give the object of one line, or None."""
        text = line.strip()
        if not text:
            return None
        if len(text) <= MAX_LINE:
            try:
                # A power cut leaves NULs before a line, editors a byte order mark: what follows is whole.
                value = json.loads(text.strip(b"\0").removeprefix(_BOM).decode("utf-8"))
            except (ValueError, RecursionError):
                value = None
            if type(value) is dict:
                return value
        self.bad += 1
        return None

    def _parse_batch(self, lines: list[bytes]) -> list[dict[str, Any]]:
        lines = [line for line in lines if line]
        if max(map(len, lines), default=0) <= MAX_LINE:
            try:
                values = json.loads((b"[" + b",".join(lines) + b"]").decode("utf-8"))
            except (ValueError, RecursionError):
                values = []
            # A torn line may have grown together with the next one: then there are fewer objects than lines.
            if len(values) == len(lines) and all(type(value) is dict for value in values):
                return values  # type: ignore[no-any-return]
        return [value for line in lines if (value := self.parse_one(line)) is not None]


def lines_backwards(stream: io.FileIO) -> Iterator[bytes]:
    """Give the lines of a file from its end, holding one piece and one line at most."""
    return (line for _, line in placed_backwards(stream))


def placed_backwards(stream: io.FileIO, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Give the lines of a file backwards, each with the place where it begins; those before `end`, if it is given."""
    place = stream.seek(0, os.SEEK_END)
    place = place if end is None else min(place, end)
    tail = b""
    is_skipping = False
    while place > 0:
        size = min(PIECE // 4, place)
        place -= size
        stream.seek(place)
        lines = (stream.read(size) or b"").split(b"\n")
        begin = place + len(lines[0]) + 1
        begins = [begin := begin + more for more in (0, *(len(line) + 1 for line in lines[1:-1]))]
        if is_skipping:
            if len(lines) == 1:
                continue
            lines[-1] = b""
            is_skipping = False
        lines[-1] += tail
        tail = lines.pop(0)
        yield from zip(reversed(begins[: len(lines)]), reversed(lines), strict=True)
        if len(tail) > MAX_LINE:
            tail = b""
            is_skipping = True
    if tail:
        yield 0, tail


def all_lines(streams: Iterable[io.FileIO], parser: LineParser) -> Iterator[list[bytes]]:
    """Give the lines of open files one after the other, piece by piece, and close them."""
    for stream in streams:
        splitter = LineSplitter()
        with stream:
            for piece in read_pieces(stream):
                yield splitter.split(piece)
        yield splitter.end()
        parser.bad += splitter.bad
