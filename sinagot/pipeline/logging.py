"""Saying something from inside a stage: `info("Getting data", source=source)`.

Knows who listens to the thread that calls; must not know pipelines, files or settings: the voice of the stage does.
Imported by the user's code, so it stays light.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from sinagot.runlog.lines import ADDED_FIELDS, ESTABLISHED_FIELDS, LEVELS
from sinagot.runlog.listeners import LISTENERS
from sinagot.runlog.texts import exception_facts, safe_text

__all__ = ["critical", "debug", "error", "exception", "info", "log", "warning"]

_RESERVED = frozenset(ESTABLISHED_FIELDS + ADDED_FIELDS)
_NAMES = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}
_INFO = 20


def debug(message: object, /, *args: Any, **keywords: Any) -> None:
    """Say something for whoever looks for a fault; see `info`."""
    _say(10, "DEBUG", message, args, keywords)


def info(message: object, /, *args: Any, **keywords: Any) -> None:
    """Say what is going on.

    The line stands in the log of the pipeline, with the fields of the stage and the place of this call, and is shown on
    the console. Outside of any pipeline or step it is only shown.

    Parameters
    ----------
    message : object
        The text; ``%`` signs take `args`, as in the standard `logging`.
    *args
        Values for the text.
    **keywords
        Fields of the line, of any value. One that has the name of a field of ours is stored as ``kw_<name>``.

    Examples
    --------
    >>> from sinagot.pipeline.settings import LoggerSettings
    >>> from sinagot.runlog.capture import capture
    >>> log = LoggerSettings("example").open({}, pipeline="example", stage="load")
    >>> with capture(log):
    ...     info("%d files from %s", 2, "here", size=1.5)
    2...| INFO     | example | load : 2 files from here | size=1.5 | ...
    """
    _say(_INFO, "INFO", message, args, keywords)


def warning(message: object, /, *args: Any, **keywords: Any) -> None:
    """Say that something may be wrong; see `info`."""
    _say(30, "WARNING", message, args, keywords)


def error(message: object, /, *args: Any, **keywords: Any) -> None:
    """Say that something went wrong; see `info`."""
    _say(40, "ERROR", message, args, keywords)


def critical(message: object, /, *args: Any, **keywords: Any) -> None:
    """Say that nothing can go on; see `info`."""
    _say(50, "CRITICAL", message, args, keywords)


def exception(message: object, /, *args: Any, **keywords: Any) -> None:
    """Say that something went wrong, and tell the exception that is being handled, without values of variables.

    Parameters
    ----------
    message, *args, **keywords
        As for `info`.
    """
    _say(40, "ERROR", message, args, keywords, sys.exc_info()[1])


def log(level: int | str, message: object, /, *args: Any, **keywords: Any) -> None:
    """Say something at a level.

    Parameters
    ----------
    level : int or str
        Number or name, as in the standard `logging`.
    message, *args, **keywords
        As for `info`.

    Raises
    ------
    TypeError, ValueError
        There is no such level.
    """
    if isinstance(level, str):
        if level.upper() not in LEVELS:
            raise ValueError(f"no such level: {level!r}; known are {', '.join(_NAMES.values())}")
        number = LEVELS[level.upper()]
    elif isinstance(level, int):
        number = int(level)
    else:
        raise TypeError(f"a level is a number or a name, not {level!r}")
    _say(number, _NAMES.get(number) or f"Level {number}", message, args, keywords)


def _say(
    number: int,
    level: str,
    message: object,
    args: tuple[Any, ...],
    keywords: dict[str, Any],
    error: BaseException | None = None,
) -> None:
    """Say a message; called by the function that the user called, and by nothing else."""
    voice = LISTENERS.current()
    if number < (_INFO if voice is None else voice.level):
        return
    frame = sys._getframe(2)
    facts: dict[str, Any] = {"file": frame.f_code.co_filename, "line": frame.f_lineno}
    if error is not None:
        facts |= exception_facts(error) if voice is None else exception_facts(error, voice.redact)
    text = _text(message, args) if args else safe_text(message)
    if voice is None:
        _show(number, level, text, facts, _renamed(keywords, {}))
        return
    if keywords:
        keywords = _renamed(keywords, voice.fields or {})
    if not voice.say(text, number, level, facts=facts, extra=keywords):  # it ended in between
        _show(number, level, text, facts, keywords)


def _text(message: object, args: tuple[Any, ...]) -> str:
    try:
        values = args[0] if len(args) == 1 and isinstance(args[0], Mapping) and args[0] else args
        return safe_text(message) % values
    except Exception as error:  # noqa: BLE001 - arguments that do not fit must not cost the line
        return f"{safe_text(message)} {safe_text(args)} ({type(error).__name__} while formatting)"


def _renamed(keywords: dict[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Give fields none of which has the name of one of ours."""
    if _RESERVED.isdisjoint(keywords) and fields.keys().isdisjoint(keywords):
        return keywords
    clean = {name: value for name, value in keywords.items() if name not in _RESERVED and name not in fields}
    for name in [name for name in keywords if name not in clean]:
        new = f"kw_{name}"
        while new in clean or new in fields:
            new = f"kw_{new}"
        clean[new] = keywords[name]
    return clean


def _show(number: int, level: str, text: str, facts: dict[str, Any], extra: dict[str, Any]) -> None:
    from sinagot.pipeline.console import Console

    Console(_INFO).show_voice({}, {}, text, number, facts, extra)
