"""Which records somebody has worked on since a moment, as events and claims tell.

Knows the state folder; must not know what the attempts were about. Runs that were over by then are not read.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import unquote

from sinagot.engine.state.claims import KEPT
from sinagot.engine.state.history import iter_events, read_manifest
from sinagot.engine.state.kept import names_in
from sinagot.engine.state.origins import split_key

__all__ = ["records_since"]

#: Events that tell of an attempt.
_ATTEMPTS = ("done", "failed", "interrupted")


def records_since(state: str, seconds: float) -> set[str]:
    """Give the records of which an attempt has ended since, is going on, or died since.

    Parameters
    ----------
    state : str
        The state folder.
    seconds : float, seconds
        Of the moment, since 1970.
    """
    since = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
    found = set()
    for run_id in names_in(f"{state}/runs"):
        if str(read_manifest(state, run_id).get("end") or since) < since:
            continue
        for event in iter_events(f"{state}/runs/{run_id}"):
            if event.get("event") in _ATTEMPTS and str(event.get("time", "")) >= since:
                found.add(str(event.get("record_id")))
    for name in names_in(f"{state}/claims"):
        # Of a claim whose name was cut the record is still the beginning, but for ids of more than a hundred letters.
        with suppress(OSError):
            if os.stat(f"{state}/claims/{name}").st_mtime >= seconds and name[KEPT : KEPT + 1] != "~":
                found.add(split_key(unquote(name, errors="surrogateescape"))[0])
    return found
