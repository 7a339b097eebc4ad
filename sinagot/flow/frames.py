"""Frames: how values lie in a file, so that a torn one is told from a whole one.

Pure: bytes in, bytes out. Knows the header and the layout of buffers behind a body; must not know files or what a body
means. `sinagot.flow.values` makes bodies, `sinagot.flow.streamfile` writes frames and looks for them.

A frame is a header (length of the body: 8 bytes, kind: 1, CRC-32 of both and the body: 4, little endian) and a body.
The body of a frame with buffers begins with their number and lengths, and each buffer begins at a multiple of 16 in
it, so that arrays lie as their types want them. Of buffers, which may be large, the CRC is one of sums of 4 KiB each:
any changed bit, missing or misplaced block is found, and it takes a tenth of the time.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TypeAlias
from zlib import crc32

from sinagot.flow.arrays import sums

__all__ = [
    "BUFFERS",
    "END",
    "HEADER",
    "KINDS",
    "VALUE",
    "Parts",
    "frame",
    "framed",
    "is_whole",
    "join",
    "split",
]

#: Length of the body, kind, checksum.
HEADER = struct.Struct("<QBI")
#: Kinds of frames: a value, a value with buffers behind it, the end mark.
VALUE, BUFFERS, END = 1, 2, 3
KINDS = frozenset((VALUE, BUFFERS, END))
_FACTS = struct.Struct("<QB")
_COUNT = struct.Struct("<Q")
_ALIGNMENT = 16
#: Checksums of the facts of small values.
_STARTS = [crc32(_FACTS.pack(size, VALUE)) for size in range(256)]

#: What is written one behind the other.
Parts: TypeAlias = list[bytes | memoryview]


def frame(kind: int, body: Parts) -> Parts:
    """Put a header before the parts of a body.

    Parameters
    ----------
    kind : int
        One of `KINDS`.
    body : list of bytes or memoryview
        Its parts; none is copied.

    Returns
    -------
    list of bytes or memoryview
        The frame.

    Examples
    --------
    >>> parts = frame(VALUE, [b"abc"])
    >>> len(parts[0]), is_whole(parts[0], b"abc"), is_whole(parts[0], b"abd")
    (13, True, False)
    """
    size = 0
    for part in body:
        size += len(part)
    checksum = crc32(_FACTS.pack(size, kind))
    for number, part in enumerate(body):
        checksum = crc32(sums(part) if kind == BUFFERS and number > 1 else part, checksum)
    return [HEADER.pack(size, kind, checksum), *body]


def framed(body: bytes) -> bytes:
    """Give the frame of a small value in one piece, as `frame` gives its parts.

    Parameters
    ----------
    body : bytes
        The body.

    Examples
    --------
    >>> framed(b"abc") == b"".join(frame(VALUE, [b"abc"]))
    True
    """
    size = len(body)
    start = _STARTS[size] if size < len(_STARTS) else crc32(_FACTS.pack(size, VALUE))
    return HEADER.pack(size, VALUE, crc32(body, start)) + body


def is_whole(header: bytes | memoryview, body: bytes | memoryview) -> bool:
    """Say whether a body is the one that its header tells of.

    Parameters
    ----------
    header : bytes or memoryview
        The 13 bytes before the body.
    body : bytes or memoryview
        As many bytes as the header says.
    """
    size, kind, checksum = HEADER.unpack(header)
    if size != len(body):
        return False
    found = crc32(header[: _FACTS.size])
    if kind != BUFFERS:
        return bool(crc32(body, found) == checksum)
    try:
        head, parts = _laid_out(memoryview(body))
    except (struct.error, ValueError):  # not even the lengths are those that were written
        return False
    found = crc32(body[:head], found)
    for start, stop in parts:
        found = crc32(sums(body[start:stop]), found)
    return bool(found == checksum)


def _laid_out(body: memoryview) -> tuple[int, list[tuple[int, int]]]:
    """Give the length of table and text in a body, and where gaps and buffers begin and end, in turns."""
    (count,) = _COUNT.unpack_from(body)
    if not 0 < count < len(body) // _COUNT.size:
        raise ValueError(count)
    first, *lengths = struct.unpack_from(f"<{count}Q", body, _COUNT.size)
    at = head = _COUNT.size * (count + 1) + first
    parts = []
    for length in lengths:
        start = at + -at % _ALIGNMENT
        parts += [(at, start), (start, start + length)]
        at = start + length
    if at != len(body):
        raise ValueError(at)
    return head, parts


def join(text: bytes, buffers: Sequence[memoryview]) -> Parts:
    """Lay out buffers behind a text.

    Parameters
    ----------
    text : bytes
        What tells of the buffers.
    buffers : sequence of memoryview
        Contiguous bytes; none is copied.

    Returns
    -------
    list of bytes or memoryview
        A body for a frame of the kind `BUFFERS`.
    """
    lengths = [len(text), *(len(buffer) for buffer in buffers)]
    parts: Parts = [struct.pack(f"<{len(lengths) + 1}Q", len(lengths), *lengths), text]
    at = 8 * (len(lengths) + 1) + len(text)
    for buffer in buffers:
        gap = -at % _ALIGNMENT
        parts += [bytes(gap), buffer]
        at += gap + len(buffer)
    return parts


def split(body: memoryview) -> tuple[memoryview, list[memoryview]]:
    """Find the text and the buffers in a body.

    Parameters
    ----------
    body : memoryview
        As `join` laid it out.

    Returns
    -------
    tuple
        The text, and the buffers as views of the body.

    Examples
    --------
    >>> text, buffers = split(memoryview(b"".join(join(b"text", [memoryview(b"one"), memoryview(b"")]))))
    >>> bytes(text), [bytes(buffer) for buffer in buffers]
    (b'text', [b'one', b''])
    """
    head, parts = _laid_out(body)
    (count,) = _COUNT.unpack_from(body)
    return body[_COUNT.size * (count + 1) : head], [body[start:stop] for start, stop in parts[1::2]]
