"""Cursors of long lists: where the next part begins, as a word that nobody needs to read.

Knows texts; must not know lists. A cursor stays good while the list grows.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

__all__ = ["Cursor", "Limit", "read_cursor", "write_cursor"]

#: Parameters of an endpoint: where its part of a list begins, and how long it is.
Cursor = Annotated[
    str,
    Query(
        max_length=4000,
        pattern="^([0-9a-f][0-9a-f])*$",
        description="`next` of the part before; the beginning when not given.",
    ),
]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many.")]


def write_cursor(last: str | None) -> str | None:
    """Make a cursor of the last thing that was told; None stays None.

    Examples
    --------
    >>> write_cursor("REC-1"), read_cursor("5245432d31"), read_cursor("")
    ('5245432d31', 'REC-1', None)
    """
    return None if last is None else last.encode("utf-8", "surrogateescape").hex()


def read_cursor(cursor: str) -> str | None:
    """Give what a cursor was made of; None at the beginning."""
    return bytes.fromhex(cursor).decode("utf-8", "surrogateescape") if cursor else None
