"""A run that others join: a pipeline whose stages run steps of a workspace has one id, one folder and one end.

Knows folders of runs and stops; must not know what is run. Who begins the whole ends it; a run that joins adds to its
manifest and its counts, takes claims in its name, and closes nothing.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sinagot.engine.obedience import stop_was_asked
from sinagot.engine.state.history import RunFolder
from sinagot.engine.stop import StopRequest

__all__ = ["Part", "Whole"]

_TICK = 0.05  # seconds


class Whole:
    """A run that others join.

    Parameters
    ----------
    state : str
        The state folder.
    run_id : str
        Its name.
    stop : StopRequest, optional
        What is heard of signals; those that join hear the same.
    facts : mapping, optional
        Of the manifest, when it is begun by the first run that joins: where none has anything to do nothing is
        written.
    """

    def __init__(
        self,
        state: str,
        run_id: str,
        stop: StopRequest | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.state = state
        self.run_id = run_id
        self.stop = stop
        self.folder = RunFolder(state, run_id)
        self._turn = threading.Lock()
        self._late = facts
        self._is_begun = False
        #: Of the parts that are over.
        self._counts: Counter[str] = Counter()
        self._facts: dict[str, Any] = {}
        self._warnings: list[str] = []
        self._jobs = 0

    def begin(self, **facts: Any) -> None:
        """Write down that it begins."""
        self._is_begun = True
        self._jobs = int(facts.get("jobs", 0))
        self.folder.begin(**facts)

    def end(
        self, *, counts: Mapping[str, int], ok: bool, stopped_by: int | None, warnings: Iterable[str] = ()
    ) -> None:
        """Write down that it is over, with all that has joined it."""
        if not self._is_begun:
            return
        self.folder.end(
            counts=self._added(counts),
            ok=ok,
            stopped_by=stopped_by,
            warnings=list(dict.fromkeys([*warnings, *self._warnings])),
            **self._facts,
        )

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until no other run works within this one: each uses all workers that there are.

        Raises
        ------
        KeyboardInterrupt
            It was stopped meanwhile.
        """
        while not self._turn.acquire(timeout=_TICK):
            if stop_was_asked():
                raise KeyboardInterrupt
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def leading(self, stop: StopRequest) -> Iterator[None]:
        """Let a run that joins hear of signals."""
        if self.stop is None:
            yield
            return
        with self.stop.leading(stop):
            yield

    def _added(self, counts: Mapping[str, int]) -> dict[str, int]:
        names = dict.fromkeys([*counts, *self._counts])
        return {name: counts.get(name, 0) + self._counts[name] for name in names}


class Part:
    """The folder of the whole, as a run that joins it sees it: in place of `RunFolder`."""

    def __init__(self, whole: Whole) -> None:
        self._whole = whole
        self.path = whole.folder.path

    def begin(self, *, records: int = 0, jobs: int = 0, booked: Any = None, **facts: Any) -> None:
        """Add to the manifest."""
        whole = self._whole
        if not whole._is_begun:
            whole.begin(**(whole._late or {}))
        whole._jobs += jobs
        known = whole.folder.manifest
        known["jobs"], known["records"] = whole._jobs, max(records, known.get("records") or 0)
        whole.folder.extend(**facts)

    def note(self, counts: Callable[[], Mapping[str, int]]) -> None:
        """Tell others how far it is."""
        self._whole.folder.note(lambda: self._whole._added(counts()))

    def end(
        self,
        *,
        counts: Mapping[str, int],
        warnings: Iterable[str] = (),
        may_go_on: bool = False,
        **facts: Any,
    ) -> None:
        """Add to what the whole came to."""
        whole = self._whole
        whole._counts.update(counts)
        whole._warnings += warnings
        if may_go_on:
            whole._facts["may_go_on"] = True
        if facts.get("stopped_because"):
            whole._facts["stopped_because"] = facts["stopped_because"]
