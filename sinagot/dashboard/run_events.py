"""What happens in one run, told as it happens: states and stages, as server-sent events, until it is over.

Knows event files and how far a client has read them; must not know what a state is. A client that comes back with the
`id` of the last event goes on behind it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

from sinagot.engine.accounts.acts import place_of_key, read_act
from sinagot.engine.state.history import event_files

__all__ = ["END", "MOST_CLIENTS", "Now", "RunEvents", "StageNews", "message"]

MOST_CLIENTS = 32
#: Id of the last event: nothing comes behind it.
END = "end"
#: Seconds between two looks, and between two signs of life.
_PAUSE = 0.4
_PULSE = 15.0
#: Bytes of a file, and events, of one look.
_PIECE = 1 << 18
_MOST = 500
_TOLD = ("duration_s", "exc_type", "exc_message", "where", "reason", "tries")
_LONGEST = 2000
_CURSOR = re.compile(r"[0-9a-f]{8}:\d{1,18}(,[0-9a-f]{8}:\d{1,18}){0,999}")


class Now(NamedTuple):
    """How a run stands."""

    #: As the API tells of it.
    text: str
    is_over: bool


class StageNews:
    """Reads what is new in the events of a run.

    Parameters
    ----------
    folder : str
        Of the run; it may not be there yet.
    cursor : str
        Of the last event that was read; empty at the beginning.
    """

    def __init__(self, folder: str, cursor: str = "") -> None:
        self._folder = folder
        self._places: dict[str, int] = {}
        if _CURSOR.fullmatch(cursor):
            self._places = {
                name: int(place) for name, _, place in (one.partition(":") for one in cursor.split(","))
            }

    @property
    def cursor(self) -> str:
        """Where it is."""
        return ",".join(f"{name}:{place}" for name, place in self._places.items())

    def read(self) -> list[tuple[str, dict[str, Any]]]:
        """Give the next events, each with its cursor; none when there are no more for now."""
        found: list[tuple[str, dict[str, Any]]] = []
        for path in event_files(self._folder):
            self._read(path, found)
            if len(found) >= _MOST:
                break
        return found

    def _read(self, path: str, found: list[tuple[str, dict[str, Any]]]) -> None:
        name = f"{zlib.crc32(os.path.basename(path).encode('utf-8', 'surrogateescape')):08x}"
        place = self._places.get(name, 0)
        try:
            with open(path, "rb") as file:
                file.seek(place)
                piece = file.read(_PIECE)
        except OSError:
            return
        # A line that is not whole yet is read again; one that is longer than a piece is none of ours.
        end = piece.rfind(b"\n") + 1 or (len(piece) if len(piece) == _PIECE else 0)
        for line in piece[:end].splitlines(keepends=True):
            place += len(line)
            self._places[name] = place
            event = read_act(line) if line.startswith(b'{"event": "act"') else None
            if event is None:
                continue
            told: dict[str, Any] = {"stage": event.act, "state": event.state, "time": event.time}
            told |= {"step": place_of_key(event.key), "job": event.key}
            told |= {key: _cut(event.facts[key]) for key in _TOLD if event.facts.get(key) is not None}
            found.append((self.cursor, told))


def _cut(value: Any) -> Any:
    return value if isinstance(value, bool | int | float) else str(value)[:_LONGEST]


def message(kind: str, data: str, number: str = "") -> str:
    """Write one event."""
    head = f"id: {number}\n" if number else ""
    return f"event: {kind}\n{head}data: {data}\n\n"


class RunEvents:
    """Tells clients of runs, so many at one time."""

    def __init__(self) -> None:
        self._clients = 0
        self.is_over = False

    @property
    def is_full(self) -> bool:
        """Say whether no more clients are taken."""
        return self.is_over or self._clients >= MOST_CLIENTS

    async def lines(self, look: Callable[[], Now], news: StageNews) -> AsyncIterator[str]:
        """Give what is sent to one client.

        Parameters
        ----------
        look : callable
            Says how the run stands; called on threads.
        news : StageNews
            Of the run.
        """
        self._clients += 1
        try:
            said, told = time.monotonic(), ""
            yield "retry: 2000\n\n"
            while not self.is_over:
                # In this order: what a run that is over has written is there.
                now = await asyncio.to_thread(look)
                found = await asyncio.to_thread(news.read)
                if now.text != told:
                    said, told = time.monotonic(), now.text
                    yield message("state", now.text)
                for cursor, event in found:
                    said = time.monotonic()
                    yield message("stage", json.dumps(event), cursor)
                if now.is_over and not found:
                    yield message("end", now.text, END)
                    return
                if time.monotonic() - said > _PULSE:
                    said = time.monotonic()
                    yield ": still here\n\n"
                if not found:
                    await asyncio.sleep(_PAUSE)
        finally:
            self._clients -= 1
