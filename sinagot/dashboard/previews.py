"""What is in a file, for a quick look: a table and a curve, a picture, a piece of text.

Knows kinds of files and bounds; must not know records. A file is read as far as it is shown, whatever its size, and
only where it lies below one of the given folders when all links are followed.
"""

from __future__ import annotations

import csv
import math
import os
import stat
from collections.abc import Sequence
from typing import Any, BinaryIO, NamedTuple

__all__ = ["IMAGES", "OutsideError", "Preview", "open_inside", "preview"]

#: Bytes of a text or a table, rows and columns of a table, signs of a cell, bytes of a picture, names of a folder.
MOST_TEXT = 64 * 1024
MOST_TABLE = 512 * 1024
MOST_ROWS = 200
MOST_COLUMNS = 40
MOST_SIGNS = 120
MOST_IMAGE = 24 * 1024 * 1024
MOST_NAMES = 200
_MOST_POINTS = 2000
_MOST_CURVES = 3
_WIDTH, _HEIGHT = 640.0, 180.0

#: Suffix -> type of pictures that a browser shows.
IMAGES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}
_TABLES = {".csv": ",", ".tsv": "\t"}


class OutsideError(Exception):
    """The file lies elsewhere, or is none."""


class Preview(NamedTuple):
    """What is shown of a file."""

    #: ``"table"``, ``"image"``, ``"text"``, ``"binary"``, ``"folder"`` or ``"empty"``.
    kind: str
    size: int
    text: str = ""
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    #: Name and points of each curve, as SVG has them; with least and most value.
    curves: Sequence[tuple[str, str, str, str]] = ()
    #: What is left out, in words.
    cut: str = ""


def open_inside(path: str, roots: Sequence[str]) -> BinaryIO:
    """Open a plain file, or refuse it.

    Parameters
    ----------
    path : str
        The file.
    roots : sequence of str
        Folders; the file is below one of them when all links are followed.

    Raises
    ------
    OutsideError
        It is elsewhere, or no plain file.
    OSError
        It can't be read.
    """
    real = os.path.realpath(path)
    if not any(real.startswith(f"{os.path.realpath(root).rstrip('/')}/") for root in roots):
        raise OutsideError("it lies outside of the dataset, and is not shown")
    handle = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OutsideError("it is no plain file, and is not shown")
    return os.fdopen(handle, "rb")


def preview(path: str, roots: Sequence[str]) -> Preview:
    """Look into a file or a folder.

    Parameters
    ----------
    path : str
        What is looked at.
    roots : sequence of str
        As for `open_inside`.

    Raises
    ------
    OutsideError
        It is elsewhere, or neither a file nor a folder.
    OSError
        It can't be read.
    """
    if os.path.isdir(path):
        return _folder(path, roots)
    with open_inside(path, roots) as file:
        size = os.fstat(file.fileno()).st_size
        suffix = os.path.splitext(path)[1].lower()
        if size == 0:
            return Preview("empty", 0)
        if suffix in IMAGES:
            cut = "" if size <= MOST_IMAGE else "the picture is too large to be shown here"
            return Preview("image", size, cut=cut)
        if suffix in _TABLES:
            return _table(file.read(MOST_TABLE), size, _TABLES[suffix])
        return _text(file.read(MOST_TEXT), size)


def _folder(path: str, roots: Sequence[str]) -> Preview:
    real = os.path.realpath(path)
    if not any(f"{real}/".startswith(f"{os.path.realpath(root).rstrip('/')}/") for root in roots):
        raise OutsideError("it lies outside of the dataset, and is not shown")
    names: list[str] = []
    with os.scandir(real) as entries:
        for entry in entries:
            if len(names) == MOST_NAMES:
                return Preview("folder", 0, "\n".join(sorted(names)), cut=f"the first {MOST_NAMES} names")
            names.append(f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name)
    return Preview("folder", 0, "\n".join(sorted(names)))


def _text(data: bytes, size: int) -> Preview:
    if b"\0" in data[:4096]:
        return Preview("binary", size)
    text = data.decode("utf-8", "replace")
    cut = f"the first {len(data):,} of {size:,} bytes" if len(data) < size else ""
    return Preview("text", size, text, cut=cut)


def _table(data: bytes, size: int, separator: str) -> Preview:
    if b"\0" in data:
        return Preview("binary", size)
    text = data.decode("utf-8-sig", "replace")
    if len(data) < size:
        text = text[: text.rfind("\n") + 1] or text
    try:
        rows = list(csv.reader(text.splitlines(), delimiter=separator))
    except csv.Error:
        return _text(data[:MOST_TEXT], size)
    if not rows:
        return _text(data[:MOST_TEXT], size)
    header, body = rows[0], rows[1:]
    cuts = [f"the first {len(data):,} of {size:,} bytes"] if len(data) < size else []
    if len(body) > MOST_ROWS:
        cuts.append(f"{MOST_ROWS} of {len(body):,} rows")
    if len(header) > MOST_COLUMNS:
        cuts.append(f"{MOST_COLUMNS} of {len(header):,} columns")
    return Preview(
        "table",
        size,
        header=_cells(header),
        rows=[_cells(row) for row in body[:MOST_ROWS]],
        curves=_curves(header, body),
        cut=", ".join(cuts),
    )


def _cells(row: Sequence[str]) -> list[str]:
    return [cell if len(cell) <= MOST_SIGNS else f"{cell[:MOST_SIGNS]}…" for cell in row[:MOST_COLUMNS]]


def _curves(header: Sequence[str], body: Sequence[Sequence[str]]) -> list[tuple[str, str, str, str]]:
    """Draw the first columns of numbers, each on a scale of its own."""
    curves: list[tuple[str, str, str, str]] = []
    if len(body) < 3:
        return curves
    step = max(1, math.ceil(len(body) / _MOST_POINTS))
    for number, name in enumerate(header[:MOST_COLUMNS]):
        values = [_number(row[number]) if number < len(row) else None for row in body[::step]]
        known = [value for value in values if value is not None]
        if len(known) < 0.8 * len(values) or min(known) == max(known):
            continue
        low, high = min(known), max(known)
        span = high - low
        if not math.isfinite(span):
            continue
        scale = _WIDTH / max(len(values) - 1, 1)
        points = " ".join(
            f"{place * scale:.1f},{_HEIGHT - (value - low) / span * _HEIGHT:.1f}"
            for place, value in enumerate(values)
            if value is not None
        )
        curves.append((_cells([name])[0], points, f"{low:.6g}", f"{high:.6g}"))
        if len(curves) == _MOST_CURVES:
            break
    return curves


def _number(text: Any) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
