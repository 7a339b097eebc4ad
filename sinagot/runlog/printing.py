"""What a run shows on standard output: one line a message, ``<id> | <local time> | <step> : <message>``.

Knows the established form and the level of the workspace; must not know log files. `capture` tells it which
stream the terminal is while `sys.stdout` is being listened to; a worker collects lines and its driver shows
them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from sinagot.runlog.lines import level_number
from sinagot.runlog.texts import safe_text

__all__ = ["MOST_LINES", "Printer", "escaped", "local_time", "set_terminal", "terminal"]

#: Lines that a worker keeps for its driver; further ones are counted.
MOST_LINES = 1000

_NO_BREAK_SPACE = "\u00a0"
_stand_in: list[Any] = []  # the terminal, while something else stands in its place
_second = [(-1, "")]  # the last second and its text


class Printer:
    r"""Prints the messages of jobs in the established form.

    Parameters
    ----------
    level : int or str
        Messages below it are not shown.
    collect : bool
        Keep the lines in `lines` (in a worker) instead of printing them.

    Attributes
    ----------
    lines : list of str
        What was collected; at most `MOST_LINES`, then one that counts the rest.

    Examples
    --------
    >>> printer = Printer(collect=True)
    >>> printer.show("REC-1", "mean", "Init run", task="RS", modality="EEG")
    >>> printer.show("REC-1", "mean", "details", level="DEBUG")
    >>> [line.split("|\u00a0")[1] for line in printer.lines]
    ['RS-EEG-mean : Init run']
    """

    __slots__ = ("_left_out", "collect", "level", "lines")

    def __init__(self, level: int | str = 20, *, collect: bool = False) -> None:
        self.level = level_number(level)
        self.collect = collect
        self.lines: list[str] = []
        self._left_out = 0

    def show(
        self,
        record_id: str,
        step: str,
        message: str,
        *,
        level: int | str = 20,
        task: str | None = None,
        modality: str | None = None,
    ) -> None:
        """Print one message, or keep it.

        Parameters
        ----------
        record_id : str
            Id of the record.
        step : str
            Name of the step.
        message : str
            Text; signs that would move the cursor, colour the terminal or turn the writing direction are
            shown escaped.
        level : int or str
            Level of the message.
        task, modality : str, optional
            Scope of the step.
        """
        if level_number(level) < self.level:
            return
        label = step if task is None and modality is None else f"{task}-{modality}-{step}"
        text = (
            f"{escaped(record_id)} | {local_time()} |{_NO_BREAK_SPACE}{escaped(label)} : {escaped(message)}"
        )
        self.replay([text])

    def show_voice(
        self,
        context: Mapping[str, Any],
        fields: Mapping[str, Any],
        message: str,
        level: int | str,
        facts: Mapping[str, Any],
        extra: Mapping[str, Any],
    ) -> None:
        """Print one message of a voice of an attempt, such as a stage of a pipeline that is a step.

        Parameters
        ----------
        context : mapping
            What all lines of the attempt share.
        fields : mapping
            Fields of the voice.
        message : str
            Text.
        level : int or str
            Level of the message.
        facts, extra : mapping
            Further fields of ours, and of the user.
        """
        get: Any = context.get
        names = [
            name
            for name in (get("step_label"), fields.get("stage", fields.get("processor")))
            if name is not None
        ]
        if get("record_id") is None or not names:
            names.insert(0, fields.get("pipeline"))
        self.show(
            get("record_id") or "-",
            "/".join([safe_text(name) for name in names]),
            message,
            level=level,
            task=get("task"),
            modality=get("modality"),
        )

    def replay(self, lines: Iterable[str]) -> None:
        """Print lines that another printer collected.

        Parameters
        ----------
        lines : iterable of str
            Its `lines`.
        """
        if not self.collect:
            text = "".join([line + "\n" for line in lines])
            if text:
                _print(text)
            return
        for line in lines:
            if len(self.lines) < MOST_LINES:
                self.lines.append(line)
            else:
                self._left_out += 1
                self.lines[MOST_LINES:] = [f"... {self._left_out} more lines are in the logs only"]


def terminal() -> Any:
    """Give the stream that shows things: `sys.stdout`, or what stands behind it while prints are captured."""
    for stream in _stand_in:  # not asked for twice: another thread may take it away in between
        return stream
    return sys.stdout


def set_terminal(*stream: Any) -> None:
    """Say which stream the terminal is; without a stream it is `sys.stdout` again."""
    _stand_in[:] = stream


def escaped(message: object) -> str:
    r"""Give a text that stays one line and cannot act on the terminal.

    Examples
    --------
    >>> escaped("two\nlines"), escaped("\x1b[31mred")
    ('two\\nlines', '\\x1b[31mred')
    """
    text = safe_text(message)
    if text.isprintable():
        return text
    return "".join([sign if sign.isprintable() or _is_blank(sign) else ascii(sign)[1:-1] for sign in text])


def _is_blank(sign: str) -> bool:
    """Tell tabs and the blanks of all writings from what breaks a line."""
    return sign == "\t" or (sign.isspace() and sign >= "\u00a0" and sign not in "\u2028\u2029")


def _print(text: str) -> None:
    out = terminal()
    if out is None:  # a program without a console
        return
    try:
        try:
            out.write(text)
        except UnicodeEncodeError:
            encoding = getattr(out, "encoding", None) or "ascii"
            out.write(text.encode(encoding, "backslashreplace").decode(encoding))
    except (OSError, ValueError):
        # The reader of a pipe has gone, or a script closed standard output: what counts is in the log.
        return


def local_time() -> str:
    """Give the time of now on the clock of this place, with milliseconds.

    Examples
    --------
    >>> len(local_time())
    23
    """
    moment = time.time()
    second = int(moment)
    known, text = _second[0]
    if second != known:
        text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
        _second[0] = (second, text)
    return f"{text},{int((moment - second) * 1000):03d}"
