"""Turns an exception into text that travels, is stored and is grouped.

Knows exceptions, the user's source files and private paths; must not know jobs. Never raises, whatever the exception
does.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from sinagot.engine.job import Cause
from sinagot.engine.limits import Overrun
from sinagot.runlog.texts import type_name

if TYPE_CHECKING:
    from sinagot.dataset.commit import Stage

__all__ = [
    "STAGE",
    "attach",
    "cause_of",
    "explain",
    "normalised",
    "packed",
    "unpacked",
    "user_files_of",
]

#: Attribute of an exception that left a pipeline: name of the stage that raised it.
STAGE = "__sinagot_stage__"
_LONGEST = 64 * 1024
#: Folder of this package.
_HOME = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
#: Bytes of an exception that travels; one that carries data stays where it is.
_LARGEST = 16 * 1024
#: How the note begins that has a traceback of elsewhere.
_WHERE = "where it ran:\n"
#: Of an exception that was raised in another process: its `Cause`.
_ATTRIBUTE = "_sinagot_cause"
_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|\d+(?:\.\d+)?")
_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|(?:/[^\s:'\",;]+)+")


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  (a broken __str__ is the user's)
        return f"<{type(error).__name__} whose text cannot be made>"


def _cut(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]} ... [{len(text) - _LONGEST} characters cut]"


def cause_of(
    error: BaseException, user_files: Collection[str], *, shown: Callable[[str], str] = str
) -> Cause:
    """Describe an exception.

    Parameters
    ----------
    error : BaseException
        What left the script.
    user_files : collection of str
        Files of the user's code: the innermost frame in one of them is where it happened.
    shown : callable, optional
        Gives a text as people shall read it: with final paths for those of the stage.
    """
    told = getattr(error, _ATTRIBUTE, None)
    if isinstance(told, Cause):  # it comes from another process, where it was described
        return told._replace(
            message=shown(told.message),
            traceback=shown(_with_notes(told.traceback, error)),
            stage=_stage_of(error) or told.stage,
        )
    import traceback  # here: a run in which nothing fails does not need it

    try:
        lines = traceback.format_exception(error)
    except Exception:  # noqa: BLE001
        lines = traceback.format_tb(error.__traceback__)
    frames = traceback.extract_tb(error.__traceback__)
    first = next((number for number, frame in enumerate(frames) if frame.filename in user_files), None)
    if first is not None and error.__cause__ is None and error.__context__ is None:
        # What stands above the user's first line is our own machinery: of no use to people.
        lines = ["Traceback (most recent call last):\n"]
        lines += traceback.format_list(frames[first:]) + _last_lines(error)
    where = ""
    for frame in frames:
        if frame.filename in user_files:
            where = f"{frame.filename}:{frame.lineno} in {frame.name}"
    message, text = shown(_text(error)), shown("".join(lines))
    return Cause(type_name(type(error)), _cut(message), _cut(text), where, stage=_stage_of(error))


def _stage_of(error: BaseException) -> str:
    stage = getattr(error, STAGE, "")
    return stage if isinstance(stage, str) else ""


def _with_notes(text: str, error: BaseException) -> str:
    """Give the traceback of elsewhere with what was noted here: of which stage, and which element, it is."""
    notes = [note for note in getattr(error, "__notes__", ()) if isinstance(note, str)]
    added = [note for note in notes if note not in text and not note.startswith(_WHERE)]
    return "\n".join([*([text.rstrip("\n")] if text else []), *added, ""]) if added else text


def _last_lines(error: BaseException) -> list[str]:
    import traceback

    try:
        return traceback.format_exception_only(error)
    except Exception:  # noqa: BLE001
        return [type(error).__name__]


def explain(
    error: BaseException,
    user_files: Collection[str],
    stage: Stage | None,
    redact: Callable[[str], str] = str,
) -> Cause:
    """Describe what went wrong in an attempt, in words of final paths.

    Parameters
    ----------
    error : BaseException
        What left the script, or the publication.
    user_files : collection of str
        Files of the user's code.
    stage : Stage or None
        Where the script was to write; None for one that writes in place.
    redact : callable
        Gives a text without the secrets in it.
    """
    told = redact if stage is None else lambda text: redact(stage.with_finals(text))
    cause = cause_of(error, user_files, shown=told)
    if isinstance(error, Overrun):
        # Where it was by then is chance, and no cause: the traceback tells.
        kind = "StepTimeoutError"
        return cause._replace(
            exc_type=kind, traceback=cause.traceback.replace(cause.exc_type, kind), where=""
        )
    missing = getattr(error, "filename", None) if isinstance(error, FileNotFoundError) else None
    final = stage.final(missing) if stage is not None and isinstance(missing, str) else None
    if final is None or not os.path.exists(final):
        return cause
    # The script works on its former output, which is not in the stage.
    hint = (
        f"{cause.message} (it is there, but self.path.output is a private folder while the script runs: "
        "read self.path.final, or set ATOMIC = False on the class to work in place)"
    )
    return cause._replace(message=hint)


def normalised(message: str) -> str:
    """Take out what differs from record to record, so that one cause is one group.

    Examples
    --------
    >>> normalised("channel 'EEG Fp1' of /data/REC-1.edf has 12 samples")
    'channel ... of ... has N samples'
    """
    return _NUMBERS.sub("N", _QUOTED.sub("...", message.partition("\n")[0]))[:200]


def user_files_of(error: BaseException) -> tuple[str, ...]:
    """Give the file in which an exception leaves our code for the user's; none where it stays in ours."""
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(_HOME):
            return (file,)
        trace = trace.tb_next
    return ()


def attach(error: BaseException, cause: Cause) -> None:
    """Let `cause_of` tell of an exception what was found out where it was raised, and note the traceback of there."""
    with contextlib.suppress(Exception):  # a class may refuse it
        setattr(error, _ATTRIBUTE, cause._replace(packed=b""))
    if cause.traceback:
        error.add_note(f"{_WHERE}{cause.traceback}")


def packed(error: BaseException) -> bytes:
    """Give an exception as bytes that travel; none where it cannot, or is too large to."""
    import pickle

    try:
        data = pickle.dumps(error)
    except Exception:  # noqa: BLE001  (whatever the user's exception does)
        return b""
    return data if len(data) <= _LARGEST else b""


def unpacked(cause: Cause) -> BaseException | None:
    """Give the exception of a cause, with its traceback as a note; None where only its text is known."""
    import pickle

    try:
        error = pickle.loads(cause.packed) if cause.packed else None
    except Exception:  # noqa: BLE001  (its module is not here, or it is made otherwise than it says)
        return None
    if not isinstance(error, BaseException):
        return None
    if cause.traceback:
        error.add_note(f"{_WHERE}{cause.traceback}")
    return error
