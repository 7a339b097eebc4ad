"""What is said while an attempt runs: its own lines, the script's logger, print, warnings, libraries' logging.

Knows one attempt's log, and asks `listeners` to hear what is said meanwhile. Must not know jobs or what a
status leads to: the engine opens an `AttemptLog`, says what happens, and closes it.
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sinagot.runlog.lines import VoiceFields, level_number, line_text, make_line
from sinagot.runlog.listeners import LISTENERS
from sinagot.runlog.plain import Plainer, cleared, cleared_extra
from sinagot.runlog.printing import Printer
from sinagot.runlog.voices import Voice
from sinagot.runlog.write import RecordLog

if TYPE_CHECKING:
    import logging

    from sinagot.runlog.loggers import ScriptLogger

__all__ = ["MOST_PRINTED", "AttemptLog", "Capture", "capture"]

#: Bytes of printed text that one attempt may leave in its log; what is beyond is counted.
MOST_PRINTED = 10 * 1024 * 1024

_SPOKEN = 20  # status of every line that the engine did not say
_LONGEST_REST = 64 * 1024  # of a printed line without end
_BATCH = 256  # lines of one write
_NOTHING: dict[str, Any] = {}


class AttemptLog(Voice):
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
    fields : mapping, optional
        Further fields of all its lines; see `within`.

    Attributes
    ----------
    translate : callable
        Gives a text that the script said as people shall read it.
    redact : callable
        Gives a text without the secrets in it. Every text of the user in every line, at any depth, and of what is
        shown, goes through it after `translate` and before it is cut: messages, fields, tracebacks, what is
        printed. Of objects it gets the text of `str`, in which quotes and line ends may be escaped. It must be set
        before the first line, and before `within`, whose voices inherit it.
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
        "_logger",
        "_rests",
        "_room",
        "context",
        "fields",
        "level",
        "printer",
        "redact",
        "translate",
    )

    def __init__(
        self,
        log: RecordLog,
        context: Mapping[str, Any],
        level: int | str = 20,
        printer: Printer | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(log)
        self.context = context
        self.level = level_number(level)
        self.printer = printer
        self.fields = VoiceFields(fields) if fields else None
        self.translate: Callable[[str], str] = str
        self.redact: Callable[[str], str] = str
        self._logger: ScriptLogger | None = None
        self._rests: dict[int, list[str]] = {}  # printed text without end, by thread
        self._room = MOST_PRINTED

    def within(self, /, **fields: Any) -> AttemptLog:
        """Give another voice of the attempt: same log, context, level and printer, with fields on each of its lines.

        A voice has an end of its own (`finish` or `close`). What left-over threads say to it afterwards goes to the
        voice that it was made of, without its fields, as long as that one is not over.

        Parameters
        ----------
        **fields
            Such as ``pipeline`` and ``stage``, beside those that this voice has; None takes one away.

        Returns
        -------
        AttemptLog
            The voice.

        Examples
        --------
        >>> from sinagot.runlog.write import NoLog
        >>> voice = AttemptLog(NoLog(), {"run_id": "r"}).within(pipeline="p").within(stage="load")
        >>> voice.fields, voice.root.fields
        ({'pipeline': 'p', 'stage': 'load'}, None)
        """
        redact = self.redact
        if redact is not str:
            fields = Plainer(redact).mapping(fields, 0)
        voice = AttemptLog(
            self.log, self.context, self.level, self.printer, {**(self.fields or {}), **fields}
        )
        voice.translate = self.translate
        voice.redact = redact
        voice._parent = self
        return voice

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
        if self.redact is not str:
            message, facts = cleared(message, facts, self.redact)
        with self._lock:
            facts = self._with_losses(facts)
            self._say(line_text(self.context, status, message, level, facts, None, self.fields), hold=hold)
        self._show(message, level, facts)

    def finish(self, status: int, message: str, level: str = "INFO", **facts: Any) -> None:
        """Write the last line; what threads of the script say afterwards is left out, or is the attempt's (`within`).

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
            The line is not on disk; the attempt is closed all the same. The one of a voice waits for the next line
            of the attempt.
        """
        self.end_prints()
        if self.redact is not str:
            message, facts = cleared(message, facts, self.redact)
        with self._lock:
            self._is_closed = True
            self._logger = None
            facts = self._with_losses(facts)
            line = line_text(self.context, status, message, level, facts, None, self.fields)
            try:
                self._say(line)
            except OSError as error:
                self._hand_over_last(line, error)
                raise
        self._show(message, level, facts)

    def close(self) -> None:
        """End without a line; what a voice could not write yet waits for the next line of the attempt."""
        self.end_prints()
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._logger = None
                self._hand_over()

    def say(
        self,
        message: str,
        number: int = 20,
        level: str = "INFO",
        *,
        facts: dict[str, Any] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> bool:
        """Take what the user's code says by a function of ours; the quickest way for a line with fields.

        Parameters
        ----------
        message : str
            The text.
        number : int
            Number of its level; below that of the attempt it is left out.
        level : str
            Name of the level.
        facts : dict, optional
            Fields of ours.
        extra : dict, optional
            Fields of the user, none of which has the name of a field of ours.

        Returns
        -------
        bool
            False when the attempt is over, and the line is nowhere.
        """
        if self._is_closed:
            return self._parent is not None and self._parent.say(
                message, number, level, facts=facts, extra=extra
            )
        if number < self.level:
            return True
        message, facts = cleared(self.translate(message), facts or {}, self.redact)
        extra = cleared_extra(extra, self.translate, self.redact) if extra else {}
        self._say_quietly([line_text(self.context, _SPOKEN, message, level, facts, extra, self.fields)])
        self._show(message, number, facts, extra)
        return True

    # -- what the listeners bring ------------------------------------------------------------------

    def take_print(self, text: str) -> None:
        """Take what was written to standard output; whole lines become lines of the log."""
        if self._is_closed:
            if self._parent is not None:
                self._parent.take_print(text)
            return
        if self.level > 20:
            return
        if self.redact is not str:  # here too: a secret may have several lines
            text = self.redact(text)
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

    def take_warning(self, text: str, file: str = "", line: int = 0) -> None:
        """Take a warning that Python shows, and the place that it is about."""
        if self._is_closed:
            if self._parent is not None:
                self._parent.take_warning(text, file, line)
        elif self.level <= 30:
            facts = {"logger": "py.warnings", **self._place(file, line)}
            message, facts = cleared(self.translate(text), facts, self.redact)
            self._say_quietly([self._spoken(message, "WARNING", facts)])

    def take_record(self, record: logging.LogRecord, *, is_own: bool = False) -> None:
        """Take a record of `logger` or of any other logger."""
        if self._is_closed:
            if self._parent is not None:
                self._parent.take_record(record, is_own=is_own)
            return
        if record.levelno < self.level:
            return
        from sinagot.runlog.records import parts_of_record

        message, facts, extra = parts_of_record(record, self.redact)
        message = self.translate(message)
        facts = {name: self.translate(text) for name, text in facts.items()}
        if not is_own:
            facts["logger"] = record.name
        message, facts = cleared(message, facts | self._place(record.pathname, record.lineno), self.redact)
        extra = cleared_extra(extra, self.translate, self.redact)
        self._say_quietly([self._spoken(message, record.levelname, facts, extra)])
        if is_own:
            self._show(message, record.levelno, facts, extra)

    def end_prints(self, thread: int | None = None) -> None:
        """Make lines of printed text that has no end, of one thread or of all."""
        if self._rests:
            with self._lock:
                if thread is None:
                    left, self._rests = list(self._rests.values()), {}
                else:
                    left = [self._rests.pop(thread, [])]
                self._take_lines(["".join(pieces) for pieces in left if pieces])

    def begin_anew(self) -> None:
        """Start clean in a forked child; printed text without end is its parent's, too."""
        self._rests = {}
        super().begin_anew()

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
            shown = self.redact(self.translate(text.removesuffix("\r")))
            lines.append(self._spoken(shown, "INFO", facts))
            if len(lines) == _BATCH:
                self._say_quietly(lines)
                lines = []
        if lines:
            self._say_quietly(lines)

    def _spoken(
        self, message: str, level: str, facts: Mapping[str, Any], extra: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        return make_line(
            self.context, _SPOKEN, message, level=level, facts=facts, extra=extra, fields=self.fields
        )

    def _place(self, file: str, line: int) -> dict[str, Any]:
        """Give the fields that tell where something was said; lines of scripts do not have them."""
        return {"file": file, "line": line} if self.fields and file else {}

    def _show(
        self,
        message: str,
        level: int | str,
        facts: Mapping[str, Any] = _NOTHING,
        extra: Mapping[str, Any] = _NOTHING,
    ) -> None:
        if self.printer is not None and level_number(level) >= self.printer.level:
            if self.fields:
                self.printer.show_voice(self.context, self.fields, message, level, facts, extra)
                return
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
        listens_elsewhere = LISTENERS.end(self._thread, self._former)
        self._attempt.end_prints(self._thread if listens_elsewhere else None)


def capture(attempt: AttemptLog) -> Capture:
    """Listen to this thread for an attempt: ``with capture(attempt): script.run()``.

    Print, warnings and records of any logger become lines of the attempt with status 20. What is printed
    still reaches the terminal, warnings and records go where they went. A thread that is started here belongs to
    the attempt for its life, and so do those that it starts, those of a pool too. Other threads belong to the attempt
    while it is the only one, or all others are voices of it, if they began with it or work for a pool.
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
