"""What is said while an attempt runs: its own lines, the script's logger, print, warnings, libraries' logging.

Knows one attempt's log, and asks `listeners` to hear what is said meanwhile. Must not know jobs or what a
status leads to: the engine opens an `AttemptLog`, says what happens, and closes it.
"""

from __future__ import annotations

import time
from _thread import RLock, get_ident
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sinagot.runlog.lines import level_number, line_text, make_line
from sinagot.runlog.listeners import LISTENERS
from sinagot.runlog.printing import Printer
from sinagot.runlog.write import RecordLog

if TYPE_CHECKING:
    import logging

    from sinagot.runlog.loggers import ScriptLogger

__all__ = ["MOST_PRINTED", "AttemptLog", "Capture", "capture"]

#: Bytes of printed text that one attempt may leave in its log; what is beyond is counted.
MOST_PRINTED = 10 * 1024 * 1024
#: Lines kept for another try while the log cannot be written.
MOST_PENDING = 1000

_SPOKEN = 20  # status of every line that the engine did not say
_LONGEST_REST = 64 * 1024  # of a printed line without end
_BATCH = 256  # lines of one write
_RETRY_AFTER = 0.2  # seconds until a log that could not be written is tried again for a line of the script


class AttemptLog:
    """The lines of one attempt.

    Parameters
    ----------
    log : RecordLog
        Log of the attempt's record.
    context : mapping
        ``workspace_version, record_id, task, modality, step_label, run_id, attempt``; they stand on every
        line.
    level : int or str
        What scripts and libraries say below it is left out; the attempt's own lines never are.
    printer : Printer, optional
        Shows the attempt's lines and those of `logger` (not what was printed: that is on the terminal
        already).

    Attributes
    ----------
    translate : callable
        Gives a text that the script said as people shall read it.
    error : OSError or None
        Why lines of the script are not yet written. Scripts never see it: such lines wait for the next try,
        the last of which is the attempt's own next line; what does not fit into the wait is counted there
        as ``lines_lost``.

    Examples
    --------
    >>> import tempfile
    >>> from sinagot.runlog.read import read_lines
    >>> from sinagot.runlog.write import LogTarget, close_all
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = RecordLog(LogTarget(folder, folder), "REC-1")
    ...     attempt = AttemptLog(log, {"record_id": "REC-1", "step_label": "mean"})
    ...     attempt.line(0, "Init run", hold=True)
    ...     attempt.line(20, "Processing run")
    ...     with capture(attempt):
    ...         attempt.logger.info("%d rows", 3, extra={"rows": 3})
    ...     attempt.finish(30, "Run finished", duration_s=0.1)
    ...     close_all()
    ...     [(line["step_status"], line["message"]) for line in read_lines(folder, "REC-1")[0]]
    [(0, 'Init run'), (20, 'Processing run'), (20, '3 rows'), (30, 'Run finished')]
    """

    __slots__ = (
        "_is_closed",
        "_lock",
        "_logger",
        "_lost",
        "_pending",
        "_printed_bytes",
        "_printed_lines",
        "_rests",
        "_retry_at",
        "_room",
        "context",
        "error",
        "level",
        "log",
        "printer",
        "translate",
    )

    def __init__(
        self,
        log: RecordLog,
        context: Mapping[str, Any],
        level: int | str = 20,
        printer: Printer | None = None,
    ) -> None:
        self.log = log
        self.context = context
        self.level = level_number(level)
        self.printer = printer
        self.translate: Callable[[str], str] = str
        self.error: OSError | None = None
        self._logger: ScriptLogger | None = None
        self._lock = RLock()
        self._pending: list[dict[str, Any] | str] = []
        self._rests: dict[int, list[str]] = {}  # printed text without end, by thread
        self._room = MOST_PRINTED
        self._printed_lines = self._printed_bytes = self._lost = 0
        self._retry_at = 0.0
        self._is_closed = False

    @property
    def logger(self) -> ScriptLogger:
        """Logger for the script; its lines carry status 20, their level and the user's `extra`."""
        if self._logger is None:
            from sinagot.runlog.loggers import ScriptLogger

            self._logger = ScriptLogger(self)
        return self._logger

    def line(
        self, status: int, message: str, level: str = "INFO", *, hold: bool = False, **facts: Any
    ) -> None:
        """Write one of the attempt's own lines, whatever the level is.

        Parameters
        ----------
        status : int
            Code of the step's state.
        message : str
            The text.
        level : str
            Its level; decides only whether it is printed.
        hold : bool
            Write it together with the next line: one lock and one write for both.
        **facts
            Further fields.

        Raises
        ------
        OSError
            The line is not on disk.
        """
        with self._lock:
            self._say(line_text(self.context, status, message, level, self._with_losses(facts)), hold=hold)
        self._show(message, level)

    def finish(self, status: int, message: str, level: str = "INFO", **facts: Any) -> None:
        """Write the last line; what threads of the script say afterwards is left out.

        Parameters
        ----------
        status : int
            Code of the step's state.
        message : str
            The text.
        level : str
            Its level.
        **facts
            Measures, inputs, outputs; on failure what `exception_facts` gives.

        Raises
        ------
        OSError
            The line is not on disk; the attempt is closed all the same.
        """
        self.end_prints()
        with self._lock:
            self._is_closed = True
            self._logger = None
            self._say(line_text(self.context, status, message, level, self._with_losses(facts)))
        self._show(message, level)

    # -- what the listeners bring ------------------------------------------------------------------

    def take_print(self, text: str) -> None:
        """Take what was written to standard output; whole lines become lines of the log."""
        if self.level > 20 or self._is_closed:
            return
        with self._lock:
            room = max(self._room, 0)
            if len(text) > room:
                self._printed_lines += text.count("\n", room)
                self._printed_bytes += len(text) - room
                text = text[:room]
            whole, newline, rest = text.rpartition("\n")
            pieces = self._rests.setdefault(get_ident(), [])
            if newline:
                whole = "".join([*pieces, whole])
                pieces.clear()
                self._take_lines(whole.split("\n"))
            if rest:
                pieces.append(rest)
                if len(pieces) > 1024 or len(rest) > _LONGEST_REST:
                    rest = "".join(pieces)
                    while len(rest) > _LONGEST_REST:
                        self._take_lines([rest[:_LONGEST_REST]])
                        rest = rest[_LONGEST_REST:]
                    pieces[:] = [rest]

    def take_warning(self, text: str) -> None:
        """Take a warning that Python shows."""
        if self.level <= 30 and not self._is_closed:
            facts = {"logger": "py.warnings"}
            self._say_quietly(
                [make_line(self.context, _SPOKEN, self.translate(text), level="WARNING", facts=facts)]
            )

    def take_record(self, record: logging.LogRecord, *, is_own: bool = False) -> None:
        """Take a record of `logger` or of any other logger."""
        from sinagot.runlog.loggers import parts_of_record

        if record.levelno < self.level or self._is_closed:
            return
        message, facts, extra = parts_of_record(record)
        message = self.translate(message)
        facts = {name: self.translate(text) for name, text in facts.items()}
        extra = {
            name: self.translate(value) if type(value) is str else value for name, value in extra.items()
        }
        if not is_own:
            facts["logger"] = record.name
        level = record.levelname
        self._say_quietly([make_line(self.context, _SPOKEN, message, level=level, facts=facts, extra=extra)])
        if is_own:
            self._show(message, record.levelno)

    def end_prints(self) -> None:
        """Make lines of printed text that has no end."""
        if self._rests:
            with self._lock:
                rests = ["".join(pieces) for pieces in self._rests.values() if pieces]
                self._rests.clear()
                self._take_lines(rests)

    def begin_anew(self) -> None:
        """Start clean in a forked child: what waits to be written is its parent's, and so is who holds the lock."""
        self._lock = RLock()
        self._pending = []
        self._rests = {}

    # -- writing -----------------------------------------------------------------------------------

    def _take_lines(self, texts: list[str]) -> None:
        facts = {"logger": "stdout"}
        lines = []
        for text in texts:
            if self._room <= 0:
                self._printed_lines += 1
                self._printed_bytes += len(text) + 1
                continue
            self._room -= len(text) + 64  # empty lines are not free either
            shown = self.translate(text.removesuffix("\r"))
            lines.append(make_line(self.context, _SPOKEN, shown, facts=facts))
            if len(lines) == _BATCH:
                self._say_quietly(lines)
                lines = []
        if lines:
            self._say_quietly(lines)

    def _say(self, line: dict[str, Any] | str, *, hold: bool = False) -> None:
        if hold:
            self._pending.append(line)
            return
        self.log.write(*self._pending, line)
        self._pending.clear()

    def _say_quietly(self, lines: list[dict[str, Any]]) -> None:
        with self._lock:
            if self.error is None or time.monotonic() >= self._retry_at:
                try:
                    self.log.write(*self._pending, *lines)
                    self._pending.clear()
                    self.error = None
                    return
                except OSError as error:
                    self.error = self.error or error
                    self._retry_at = time.monotonic() + _RETRY_AFTER
            room = max(MOST_PENDING - len(self._pending), 0)
            self._pending += lines[:room]
            self._lost += len(lines[room:])

    def _with_losses(self, facts: dict[str, Any]) -> dict[str, Any]:
        if self._printed_bytes:
            facts["stdout_dropped_lines"] = self._printed_lines
            facts["stdout_dropped_bytes"] = self._printed_bytes
        if self._lost:
            facts["lines_lost"] = self._lost
        return facts

    def _show(self, message: str, level: int | str) -> None:
        if self.printer is not None and level_number(level) >= self.printer.level:
            get: Any = self.context.get
            task, modality = get("task"), get("modality")
            self.printer.show(
                get("record_id"), get("step_label"), message, level=level, task=task, modality=modality
            )


class Capture:
    """Listening for one attempt in this thread; see `capture`."""

    __slots__ = ("_attempt", "_former", "_thread")

    def __init__(self, attempt: AttemptLog) -> None:
        self._attempt = attempt

    def __enter__(self) -> AttemptLog:
        self._thread = get_ident()
        self._former = LISTENERS.begin(self._thread, self._attempt)
        return self._attempt

    def __exit__(self, *_: object) -> None:
        LISTENERS.end(self._thread, self._former)
        self._attempt.end_prints()


def capture(attempt: AttemptLog) -> Capture:
    """Listen to this thread for an attempt: ``with capture(attempt): script.run()``.

    Print, warnings and records of any logger become lines of the attempt with status 20. What is printed
    still reaches the terminal, warnings and records go where they went. Other threads belong to the attempt
    while it is the only one, if they began with it or work for a pool; beside others each thread has its own.
    Afterwards all is as it was, whatever the script put in its place.

    Parameters
    ----------
    attempt : AttemptLog
        Where the lines go.

    Returns
    -------
    Capture
        A context manager.

    Notes
    -----
    Records are heard in `logging.Logger.callHandlers`, not by a handler on the root logger: that would make
    ``logging.basicConfig`` in a script do nothing, silence the last-resort output of libraries, and miss
    loggers that do not propagate.
    """
    return Capture(attempt)
