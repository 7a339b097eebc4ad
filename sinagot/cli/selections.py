"""Files that name records, one id a line: what one command was about, for the next one.

Knows the file; must not know what an id may be: the workspace checks that.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import click

__all__ = ["read_selection", "write_selection"]


def read_selection(file: str) -> list[str]:
    r"""Read ids; empty lines, and lines that begin with ``#``, are passed over. ``\#`` begins an id with such a sign.

    Parameters
    ----------
    file : str
        A file, or ``-`` for standard input.
    """
    try:
        with click.open_file(file, encoding="utf-8-sig", errors="surrogateescape") as stream:
            lines = [line.rstrip("\r\n") for line in stream]
    except OSError as error:
        raise click.UsageError(f"--select: {file} can't be read: {error.strerror}") from error
    named = (line for line in lines if line.strip() and not line.startswith("#"))
    return [line.removeprefix("\\") for line in named]


def write_selection(file: str, record_ids: Iterable[str]) -> None:
    """Write ids, whole or not at all.

    Parameters
    ----------
    file : str
        Where; a former file is replaced.
    record_ids : iterable of str
        Sorted, one a line.
    """
    draft = f"{file}.{os.getpid()}~"
    try:
        with open(draft, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.writelines(f"{_line(record_id)}\n" for record_id in record_ids)
        os.replace(draft, file)
    except OSError as error:
        raise click.UsageError(f"--save-selection: {file} can't be written: {error.strerror}") from error


def _line(record_id: str) -> str:
    return f"\\{record_id}" if record_id.startswith(("#", "\\")) else record_id
