"""How long the last attempt at each job took: four bytes a job, read from events in the background.

Knows events and records; must not know HTTP. The grid asks for some rows; while events are read for the first time it
gets none, and asks again with the next change.
"""

from __future__ import annotations

import os
import threading
import time
from array import array
from bisect import bisect_left
from collections.abc import Sequence

from sinagot.dashboard.snapshot import View
from sinagot.engine.state.history import event_files, iter_events_after, read_manifest
from sinagot.engine.state.origins import split_key

__all__ = ["Durations"]

#: Seconds between two looks at new events.
_PAUSE = 1.5
#: Not known.
_NONE = -1.0


class Durations:
    """Durations of jobs, kept up to date while somebody asks.

    Parameters
    ----------
    state : str
        The state folder.
    """

    def __init__(self, state: str) -> None:
        self._state = state
        self._ids: Sequence[str] = ()
        #: End of the keys of a step -> seconds, record by record.
        self._columns: dict[str, array[float]] = {}
        self._places: dict[str, int] = {}
        self._over: set[str] = set()
        self._guard = threading.Lock()
        self._looked = -_PAUSE

    def of(self, view: View, records: Sequence[int]) -> list[list[float | None]]:
        """Give the seconds of the steps of some records, None where they are not known (yet).

        Parameters
        ----------
        view : View
            What there is.
        records : sequence of int
            Numbers of records.
        """
        if time.monotonic() - self._looked > _PAUSE and self._guard.acquire(blocking=False):
            threading.Thread(target=self._look, args=(view,), name="sinagot-durations", daemon=True).start()
        if self._ids is not view.ids and self._ids != view.ids:
            return [[None] * len(view.nodes) for _ in records]
        columns = [self._columns.get(node.place_key) for node in view.nodes]
        return [
            [
                round(column[record], 3)
                if column is not None and record < len(column) and column[record] >= 0
                else None
                for column in columns
            ]
            for record in records
        ]

    def _look(self, view: View) -> None:
        """Take in what was written since the last look; the guard is held."""
        try:
            if self._ids is not view.ids and self._ids != view.ids:
                self._move(view.ids)
            self._read()
        except OSError:
            pass  # a folder went away: the next look finds what is there
        finally:
            self._looked = time.monotonic()
            self._guard.release()

    def _move(self, ids: Sequence[str]) -> None:
        """Bring what is known to other records."""
        moved: dict[str, array[float]] = {}
        for end, former in self._columns.items():
            column = moved[end] = array("f", [_NONE]) * len(ids)
            for record_id, seconds in zip(self._ids, former, strict=True):
                place = bisect_left(ids, record_id)
                if seconds >= 0 and place < len(ids) and ids[place] == record_id:
                    column[place] = seconds
        if not self._columns or len(ids) > len(self._ids):
            self._places, self._over = {}, set()  # what was passed over may be of records that are there now
        self._columns, self._ids = moved, ids

    def _read(self) -> None:
        runs = f"{self._state}/runs"
        try:
            names = sorted(set(os.listdir(runs)) - self._over)
        except OSError:
            return
        for run_id in names:
            # Asked first: what is written in between is read next time.
            is_over = bool(read_manifest(self._state, run_id).get("end"))
            for path in event_files(f"{runs}/{run_id}"):
                for end, event in iter_events_after(path, self._places.get(path, 0)):
                    self._places[path] = end
                    seconds, key = event.get("duration_s"), event.get("key")
                    if isinstance(seconds, int | float) and isinstance(key, str):
                        self._note(key, float(seconds))
            if is_over:
                self._over.add(run_id)

    def _note(self, key: str, seconds: float) -> None:
        record_id, end = split_key(key)
        place = bisect_left(self._ids, record_id)
        if place < len(self._ids) and self._ids[place] == record_id:
            column = self._columns.get(end)
            if column is None:
                column = self._columns[end] = array("f", [_NONE]) * len(self._ids)
            column[place] = seconds
