"""The names that a workspace has, of records, steps, pipelines and so on, kept for who completes words in a shell.

Knows one cache file, which runs write and nobody else; must not look at the data. Deleting it loses completions until
the next run.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["KnownNames"]

_FORMAT = 1
#: Records that are kept; of more, the first ones.
_MOST = 200_000


class KnownNames(NamedTuple):
    """Names as far as they are known, each kind without doubles; records sorted."""

    records: Sequence[str] = ()
    steps: Sequence[str] = ()
    tasks: Sequence[str] = ()
    modalities: Sequence[str] = ()
    pipelines: Sequence[str] = ()

    @classmethod
    def read(cls, state: str) -> KnownNames:
        """Read what the last run has written; nothing where that cannot be read."""
        try:
            with open(_file(state), encoding="ascii") as file:
                kept = json.load(file)
            if kept.pop("format") != _FORMAT:
                return cls()
            known = cls(**kept)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return cls()
        # Not name by name: a shell is waiting. Who meets what is no name passes it over.
        return known if all(isinstance(one, list | tuple) for one in known) else cls()

    def save(self, state: str, *, is_all: bool) -> None:
        """Write the names where they are others than those kept; a folder that cannot be written is no error.

        Parameters
        ----------
        state : str
            The state folder.
        is_all : bool
            These are all records there are; else they are added to those kept.
        """
        from sinagot.engine.state.history import replace_text  # who reads does not need it

        former = self.read(state)
        kept = filter(_is_name, former.records)
        records = self.records if is_all else sorted({*kept, *self.records})
        names = KnownNames(*map(list, (records[:_MOST], *self[1:])))
        if names != former:
            with contextlib.suppress(OSError):
                os.makedirs(os.path.dirname(_file(state)), exist_ok=True)
                replace_text(_file(state), json.dumps({"format": _FORMAT, **names._asdict()}))


def _is_name(value: object) -> bool:
    return isinstance(value, str)


def _file(state: str) -> str:
    return f"{state}/index/names.json"
