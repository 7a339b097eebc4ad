"""What the acts of one attempt share: its log, its history, its secrets, and the processes that some of them need.

Knows logs, events and executors by what they can do; must not know acts or their order.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sinagot.engine.acts.current import CURRENT
from sinagot.engine.acts.voices import voice_of
from sinagot.runlog.capture import AttemptLog
from sinagot.runlog.lines import now_utc
from sinagot.runlog.listeners import LISTENERS

if TYPE_CHECKING:
    from sinagot.config.settings import StepSettings
    from sinagot.engine.acts.remote import RemoteCalls
    from sinagot.engine.job import JobResult
    from sinagot.scripts.sources import SourceSet

__all__ = ["Scene"]


def _tell_nobody(event: dict[str, Any]) -> None:
    """Of acts whose run keeps no history."""


class Scene:
    """The surroundings of acts.

    Parameters
    ----------
    log : AttemptLog
        The log of the attempt; each act has a voice of its own in it.
    note : callable, optional
        Takes events for the history of the run.
    place : object
        What `Current.place` gives to the code that runs.
    fields : mapping, optional
        Stand on every line of an act.
    key : str
        Of the job, for events.
    files : sequence of str
        Files of the user's code: the innermost line in one of them is where a failure happened.
    source : SourceSet, optional
        The script that the functions come from.
    lend : callable, optional
        Makes `RemoteCalls` on first need: for acts with limits, or for all.
    is_remote : bool
        Acts run there, and not in this process.
    word : str
        Field of each line that has the name of the act.
    """

    def __init__(
        self,
        log: AttemptLog,
        *,
        note: Callable[[dict[str, Any]], None] = _tell_nobody,
        place: Any = None,
        fields: Mapping[str, Any] | None = None,
        key: str = "",
        files: Sequence[str] = (),
        source: SourceSet | None = None,
        lend: Callable[[], RemoteCalls] | None = None,
        is_remote: bool = False,
        word: str = "stage",
    ) -> None:
        self.log = log
        self.place = place
        self.files = files
        self._source = source
        self.is_remote = is_remote
        self.is_noting = note is not _tell_nobody
        self._note = note
        self._key = key
        self._word = word
        self._fields = dict(fields or {})
        self._lend = lend
        self._remote: RemoteCalls | None = None
        self._guard = threading.Lock()

    def voice(self, name: str, **fields: Any) -> AttemptLog:
        """Give an act its voice."""
        return self.log.within(**self._fields, **{self._word: name}, **fields)

    def note(self, name: str, state: str, **facts: Any) -> None:
        """Write an event of an act into the history."""
        if self.is_noting:
            attempt = self.log.context.get("attempt")
            event = {"event": "act", "key": self._key, "attempt": attempt, "act": name, "state": state}
            shown = {
                name: self.log.redact(one) if isinstance(one, str) else one for name, one in facts.items()
            }
            self._note({**event, "time": now_utc(), **shown})

    def call_elsewhere(
        self, name: str, function: Callable[..., Any], values: Mapping[str, Any], settings: StepSettings
    ) -> Any:
        """Call a function in another process, with the surroundings of the act that runs here.

        Parameters
        ----------
        name : str
            What messages call it.
        function : callable
            The function.
        values : mapping
            Its arguments by name.
        settings : StepSettings
            Its limits.

        Returns
        -------
        object
            What it gave.

        Raises
        ------
        Exception
            As `RemoteCalls.call`.
        """
        current = CURRENT.get()
        voice = LISTENERS.current()
        carry = getattr(self.place, "carried", None)
        return self._calls().call(
            name,
            function,
            values,
            settings=settings,
            voice=voice_of(voice) if isinstance(voice, AttemptLog) else None,
            carried=None if carry is None else carry(current),
            source=self._source,
            files=self.files,
            heard=self._hear,
            returned=getattr(self.place, "take_back", None),
        )

    def _calls(self) -> RemoteCalls:
        """Give the processes, started when the first act needs one."""
        with self._guard:
            if self._remote is None:
                if self._lend is None:
                    raise RuntimeError("no process can be started here")
                self._remote = self._lend()
            return self._remote

    def _hear(self, result: JobResult) -> None:
        """Show what was said elsewhere."""
        if result.printed and self.log.printer is not None:
            self.log.printer.replay(result.printed)
        for text in result.warnings:
            warnings.warn(text, UserWarning, stacklevel=2)

    def kill(self) -> None:
        """End what runs in other processes."""
        with self._guard:
            if self._remote is not None:
                self._remote.kill()

    def close(self) -> None:
        """End the processes that were started."""
        with self._guard:
            if self._remote is not None:
                self._remote.close()
                self._remote = None
