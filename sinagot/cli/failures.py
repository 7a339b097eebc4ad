"""Errors in words: what the user reads, and the exit code a shell gets.

Knows the tree of errors; must not know commands. A mistake of the user never shows a traceback, an error of ours always does.
"""

from __future__ import annotations

import re
import sys

from sinagot.cli.exits import Exit
from sinagot.cli.texts import clean
from sinagot.errors import (
    AmbiguousRecordError,
    ConfigurationError,
    InvalidIdError,
    JobError,
    MissingExtraError,
    NotFoundError,
    ScopeError,
    ScriptError,
    SinagotError,
    StorageError,
    WorkspaceBusyError,
)

__all__ = ["explain", "plain"]

_CODES: tuple[tuple[type[Exception], int], ...] = (
    (ScopeError, Exit.NOTHING),
    (NotFoundError, Exit.NOTHING),
    (InvalidIdError, Exit.NOTHING),
    (WorkspaceBusyError, Exit.BUSY),
    (ConfigurationError, Exit.INVALID),
    (ScriptError, Exit.INVALID),
    (AmbiguousRecordError, Exit.INVALID),
    (MissingExtraError, Exit.INVALID),
    (JobError, Exit.FAILED),
    (StorageError, Exit.UNEXPECTED),
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
            click.echo(f"Error: {plain(error)}", err=True)
            return code
    if isinstance(error, OSError) and error.strerror and not isinstance(error, SinagotError):
        # Of the system, not of ours: a full disk, no permission.
        place = f": {error.filename}" if error.filename else ""
        click.echo(f"Error: {clean(error.strerror + place)}", err=True)
        return Exit.UNEXPECTED
    import platform
    import traceback

    from sinagot import __version__

    traceback.print_exception(error, file=sys.stderr)
    click.echo(
        f"\nThis is an error of sinagot itself (version {__version__}, Python {platform.python_version()}, "
        f"{platform.system()}).\nPlease report it, with the lines above and what you ran.",
        err=True,
    )
    return Exit.UNEXPECTED
