"""Who is told what happens in a run of a flow: the logger of the package, or the log and the history of an attempt.

Knows voices of an attempt and statuses of processors; must not know how processors are run. `leading` and `running`
tell; a run has one teller.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from sinagot.engine.accounts.values import values_text
from sinagot.engine.causes import cause_of, user_files_of
from sinagot.engine.words import ACTS
from sinagot.flow.status import FlowStatus, ProcessorStatus
from sinagot.runlog.listeners import SPEAKER

if TYPE_CHECKING:
    from sinagot.engine.acts.scene import Scene
    from sinagot.runlog.capture import AttemptLog

__all__ = ["PROGRESS", "LogTeller", "SceneTeller", "Teller", "alone"]

_LOG = logging.getLogger("sinagot.flow")

#: Seconds between two lines about how far a processor is.
PROGRESS = 5.0
#: Status of every line inside an attempt: it is running; and of the last one of a processor.
_INSIDE = 20
_STATUS = {"DONE": 30, "ERROR": 40, "INTERRUPTED": 42, "SKIPPED": 43}
_RUNNING = ACTS["RUNNING"].text


class Teller(Protocol):
    """Is told what happens in one run.

    Attributes
    ----------
    every : float or None
        Seconds between two calls of `progress`; None for a teller who does not want to know.
    """

    @property
    def every(self) -> float | None:
        """Seconds between two calls of `progress`; None where it is never to be called."""

    def around(self, processor: str) -> AbstractContextManager[None]:
        """Let what is said belong to a processor: entered in the task that runs it."""

    def begin(self, processor: str) -> None:
        """Take note that a processor begins with its first attempt."""

    def again(self, processor: str, attempt: int, most: int, error: BaseException) -> None:
        """Take note that an attempt of so many at most has failed, and the processor is begun anew."""

    def end(self, processor: str, state: str, error: BaseException | None, status: ProcessorStatus) -> None:
        """Take note that a processor has ended; `state` is a key of `sinagot.engine.words.ACTS`."""

    def trouble(self, error: Exception, cause: BaseException | None, processor: str | None) -> None:
        """Take note that the run fails; without a processor it is an input, or a standstill when there is no cause."""

    def progress(self, status: FlowStatus) -> None:
        """Take note of how far it is."""


class LogTeller:
    """Tells the logger ``sinagot.flow`` what goes wrong; of what goes well it says nothing."""

    every: float | None = None

    def around(self, processor: str) -> AbstractContextManager[None]:
        """Do nothing: whoever listens hears all."""
        return nullcontext()

    def begin(self, processor: str) -> None:
        """Say nothing."""

    def again(self, processor: str, attempt: int, most: int, error: BaseException) -> None:
        """Warn."""
        _LOG.warning(
            "processor %r failed in attempt %d of %d, and is begun anew: %s: %s",
            processor,
            attempt,
            most,
            type(error).__name__,
            error,
            extra={"processor": processor},
        )

    def end(self, processor: str, state: str, error: BaseException | None, status: ProcessorStatus) -> None:
        """Say nothing: `trouble` does, where there is some."""

    def trouble(self, error: Exception, cause: BaseException | None, processor: str | None) -> None:
        """Log an error."""
        _LOG.error("%s", error, exc_info=cause, extra={"processor": processor})

    def progress(self, status: FlowStatus) -> None:
        """Say nothing."""


class SceneTeller:
    """Tells the log and the history of an attempt: each processor is an act, and has a voice.

    Parameters
    ----------
    scene : Scene
        Of the attempt; its voices are called by the field ``processor``.
    every : float
        Seconds between two lines about how far a processor is.
    files : collection of str
        Files of the user's code.
    """

    def __init__(self, scene: Scene, every: float = PROGRESS, files: Collection[str] = ()) -> None:
        self.every: float | None = every
        self._scene = scene
        self._files = files
        self._voices: dict[str, AttemptLog] = {}
        self._begun: dict[str, float] = {}

    def _voice(self, processor: str) -> AttemptLog:
        voice = self._voices.get(processor)
        if voice is None:
            voice = self._voices[processor] = self._scene.voice(processor)
        return voice

    @contextmanager
    def around(self, processor: str) -> Iterator[None]:
        """Let what is said in this task, and in threads that it starts, be the processor's."""
        token = SPEAKER.set(self._voice(processor))
        try:
            yield
        finally:
            SPEAKER.reset(token)

    def begin(self, processor: str) -> None:
        """Write that a processor begins."""
        self._begun[processor] = perf_counter()
        with suppress(
            OSError
        ):  # a full disk ends the attempt when it wants to publish, with an error that tells
            self._voice(processor).line(_INSIDE, "Processor started")
            self._scene.note(processor, "RUNNING", values_in={}, values_out={})

    def again(self, processor: str, attempt: int, most: int, error: BaseException) -> None:
        """Write that it is begun anew."""
        text = f"Processor failed ({type(error).__name__}: {error}); attempt {attempt + 1} of {most} begins"
        with suppress(OSError):
            self._voice(processor).line(_INSIDE, text, "WARNING")

    def end(self, processor: str, state: str, error: BaseException | None, status: ProcessorStatus) -> None:
        """Write how it has ended, and how much it has taken and written."""
        facts: dict[str, Any] = {"duration_s": self._duration(processor), **_counts(status)}
        noted: dict[str, Any] = {**facts, **({"tries": status.attempts - 1} if status.attempts > 1 else {})}
        level, text = "INFO", "Processor finished"
        if state == "ERROR" and error is not None:
            shown = self._scene.log.redact
            error = alone(error)
            cause = cause_of(error, self._files or user_files_of(error), shown=shown)
            level, text = "ERROR", f"Processor failed: {cause.exc_type}: {cause.message}"
            facts |= {"exc_type": cause.exc_type, "exc_message": cause.message, "traceback": cause.traceback}
            noted |= {"exc_type": cause.exc_type, "exc_message": cause.message[:2000], "where": cause.where}
        elif state != "DONE":
            level, text = "WARNING", f"Processor {ACTS[state].text}"
        with suppress(OSError):
            self._voice(processor).finish(_INSIDE, text, level, processor_status=_STATUS[state], **facts)
            self._scene.note(processor, state, **noted)

    def _duration(self, processor: str) -> float:
        begun = self._begun.get(processor)
        return 0.0 if begun is None else round(perf_counter() - begun, 6)

    def trouble(self, error: Exception, cause: BaseException | None, processor: str | None) -> None:
        """Say nothing: the attempt ends with it."""

    def progress(self, status: FlowStatus) -> None:
        """Write one line for each processor that goes on."""
        for name, one in status.processors.items():
            if one.state == _RUNNING:
                facts = {**_counts(one), "lead": one.lead, "waits_for": one.waits}
                with suppress(OSError):
                    self._voice(name).line(_INSIDE, _told(one), **facts)
                    self._scene.note(name, "RUNNING", **facts)


def alone(error: BaseException) -> BaseException:
    """Give the one error that a group holds, as task groups make them: the group says nothing by which causes differ.

    Examples
    --------
    >>> alone(ExceptionGroup("unhandled errors in a TaskGroup", [ValueError("no signal")]))
    ValueError('no signal')
    """
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _counts(status: ProcessorStatus) -> dict[str, Any]:
    return {"values_in": dict(status.taken), "values_out": dict(status.written)}


def _told(status: ProcessorStatus) -> str:
    """Say how far a processor is."""
    waits = f"; waits {status.waits}" if status.waits else ""
    return f"Processor goes on: {values_text(status.taken, status.written)}{waits}"
