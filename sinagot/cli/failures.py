"""Errors in words: what the user reads, and the exit code a shell gets.

Knows the tree of errors; must not know commands. A mistake of the user never shows a traceback, an error of ours
always does.
"""

from __future__ import annotations

import re
import sys

from sinagot.cli.exits import Exit
from sinagot.cli.texts import clean, note, shortened
from sinagot.errors import (
    AmbiguousRecordError,
    ConfigurationError,
    InvalidIdError,
    JobError,
    MissingExtraError,
    NotFoundError,
    PipelineDefinitionError,
    PipelineError,
    ScopeError,
    ScriptError,
    SinagotError,
    UnknownRunError,
    WorkflowError,
    WorkspaceBusyError,
)

__all__ = ["explain", "explain_script", "plain"]

_CODES: tuple[tuple[type[Exception], int], ...] = (
    (ScopeError, Exit.NOTHING),
    (NotFoundError, Exit.NOTHING),
    (UnknownRunError, Exit.NOTHING),
    (InvalidIdError, Exit.NOTHING),
    (WorkspaceBusyError, Exit.BUSY),
    (ConfigurationError, Exit.INVALID),
    (ScriptError, Exit.INVALID),
    (WorkflowError, Exit.INVALID),
    (PipelineDefinitionError, Exit.INVALID),
    (PipelineError, Exit.FAILED),
    (AmbiguousRecordError, Exit.INVALID),
    (MissingExtraError, Exit.INVALID),
    (JobError, Exit.FAILED),
    # Raised on purpose, so its text says enough: a full disk, a damaged file.
    (SinagotError, Exit.UNEXPECTED),
)

_OBJECT = re.compile(r"^<\w+ instance[^<>]*>:? ")


def plain(error: BaseException) -> str:
    """Give the text of an error without the Python object it begins with.

    Parameters
    ----------
    error : BaseException
        What was raised.

    Returns
    -------
    str
        Words for a terminal.

    Examples
    --------
    >>> plain(NotFoundError("<RecordCollection instance> has no step 'x'; steps are a, b"))
    "no step 'x'; steps are a, b"
    """
    text = _OBJECT.sub("", str(error))
    return clean(text.removeprefix("has ") if text.startswith("has no ") else text)


def explain(error: Exception) -> int:
    """Say on standard error what went wrong.

    Parameters
    ----------
    error : Exception
        What ended the command.

    Returns
    -------
    int
        The exit code.
    """
    import click

    for kind, code in _CODES:
        if isinstance(error, kind):
            note(f"Error: {shortened(plain(error))}")
            return code
    if isinstance(error, OSError) and error.strerror:
        # Of the system, not of ours: a full disk, no permission.
        place = f": {error.filename}" if error.filename else ""
        note(f"Error: {error.strerror}{place}")
        return Exit.UNEXPECTED
    import platform
    import traceback

    from sinagot.version import __version__

    traceback.print_exception(error, file=sys.stderr)
    click.echo(
        f"\nThis is an error of sinagot itself (version {__version__}, Python {platform.python_version()}, "
        f"{platform.system()}).\nPlease report it, with the lines above and what you ran.",
        err=True,
    )
    return Exit.UNEXPECTED


def explain_script(error: BaseException, scripts_path: str) -> bool:
    """Say on standard error how a script ended that was run with ``--debug``.

    Parameters
    ----------
    error : BaseException
        What left the run.
    scripts_path : str
        The scripts folder.

    Returns
    -------
    bool
        False when no script is to blame; nothing was said then.
    """
    import traceback

    import click

    from sinagot.engine.causes import cause_of

    files = {frame.filename for frame in traceback.extract_tb(error.__traceback__)}
    own = {file for file in files if file.startswith(scripts_path.rstrip("/") + "/")}
    if not own and not isinstance(error, JobError):
        return False
    text = cause_of(error, own).traceback if own else f"Error: {error}"
    click.echo(clean(text).rstrip("\n"), err=True)
    return True
