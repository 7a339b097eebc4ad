"""What a pipeline shows on standard output: time, level, pipeline, stage, message, keywords, and where it was said.

Knows how a line looks; must not know log files or who said it. Attempts show their lines through it, as steps do
through the printer of `runlog`, whose standard output it shares.
"""

from __future__ import annotations

import functools
import os
import reprlib
from collections.abc import Mapping
from typing import Any

from sinagot.engine.words import TONES
from sinagot.runlog.lines import level_number
from sinagot.runlog.printing import Printer, escaped, local_time, terminal
from sinagot.runlog.texts import safe_text

__all__ = ["Console"]

_NAMES = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}
_TONES = {"DEBUG": "none", "WARNING": "cut", "ERROR": "bad", "CRITICAL": "bad"}

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 120
_short.maxlist = _short.maxtuple = _short.maxset = _short.maxdict = 10


class Console(Printer):
    r"""Prints the lines of pipelines.

    Examples
    --------
    >>> console = Console(collect=True)
    >>> console.show_voice({}, {"pipeline": "p", "stage": "load"}, "two\nlines", "INFO", {}, {"rows": 3})
    >>> console.lines[0].partition(" | ")[2]
    'INFO     | p | load : two\\nlines | rows=3'
    """

    __slots__ = ()

    def show_voice(
        self,
        context: Mapping[str, Any],
        fields: Mapping[str, Any],
        message: str,
        level: int | str,
        facts: Mapping[str, Any],
        extra: Mapping[str, Any],
    ) -> None:
        """Print one message with the fields that people look for; a traceback stands below it.

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
        number = level_number(level)
        if number < self.level:
            return
        names = (context.get("record_id"), fields.get("pipeline"), fields.get("stage"))
        who = " | ".join([escaped(name) for name in names if name is not None])
        parts = [f"{who} : {escaped(message)}" if who else escaped(message)]
        if extra:
            parts.append(" ".join([f"{escaped(name)}={_value(value)}" for name, value in extra.items()]))
        if isinstance(seconds := facts.get("duration_s"), (int, float)):
            parts.append(f"{seconds:.2f} s")
        if "file" in facts:
            parts.append(f"{_file_name(facts['file'])}:{facts.get('line')}")
        lines = [f"{local_time()} | {self._level(number)} | {' | '.join(parts)}"]
        if "traceback" in facts:
            lines += [f"    {escaped(line)}" for line in safe_text(facts["traceback"]).splitlines()]
        self.replay(lines)

    def _level(self, number: int) -> str:
        name = _NAMES.get(number) or f"Level {number}"
        tone = _TONES.get(name)
        if tone is None or self.collect or not _has_colours():
            return f"{name:<8}"
        return f"\x1b[38;5;{TONES[tone].terminal}m{name:<8}\x1b[0m"


@functools.lru_cache(256)
def _file_name(path: str) -> str:
    return escaped(os.path.basename(path))


def _value(value: Any) -> str:
    kind = type(value)
    if (kind is str and len(value) <= _short.maxstring) or kind in (int, float):
        return escaped(repr(value))  # most are; shortening them costs ten times as much
    try:
        return escaped(_short.repr(value))
    except Exception:  # noqa: BLE001 - a user's class may be anything
        return escaped(f"<{kind.__name__}>")


def _has_colours() -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    try:
        return bool(terminal().isatty())
    except Exception:  # noqa: BLE001 - standard output may be anything, or closed
        return False
