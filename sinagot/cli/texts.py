"""How things are written to a terminal: plain lines, aligned columns, warnings.

Knows text and widths; must not know what the text is about. Colour only repeats what words say, and only on a terminal.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from sinagot.engine.words import TONES, tone_of

__all__ = [
    "clean",
    "columns",
    "command_line",
    "counted",
    "note",
    "painted",
    "plain_list",
    "print_json",
    "say",
    "short_path",
    "shortened",
    "silence",
    "step_place",
    "terminal_width",
    "toned",
    "warn",
]


def clean(text: str) -> str:
    r"""Make control characters visible: what a script logged must not steer the terminal.

    Parameters
    ----------
    text : str
        Any text; line ends and tabs stay.

    Returns
    -------
    str
        Text that can be printed.

    Examples
    --------
    >>> clean("50 %\r100 %\x1b[2J")
    '50 %\\r100 %\\x1b[2J'
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if character in "\n\t"
        or ((character.isprintable() or character.isspace()) and character not in _MOVING)
        else repr(character)[1:-1]
        for character in text
    )


_CODES = re.compile(r"\x1b\[[0-9;]*m")
#: White space that moves the cursor elsewhere.
_MOVING = "\r\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029"


def say(text: str = "", *, wrap: bool = False) -> None:
    """Print a line on standard output.

    Parameters
    ----------
    text : str
        The line, made by us; texts of others in it went through `clean`.
    wrap : bool
        It is prose: on a narrow terminal it is broken between words.
    """
    click.echo(_wrapped(text, sys.stdout) if wrap else text, color=_may_colour(sys.stdout))


def note(text: str) -> None:
    """Print a line about the work on standard error.

    Parameters
    ----------
    text : str
        The line.
    """
    click.echo(_wrapped(clean(text), sys.stderr), err=True)


def warn(text: str) -> None:
    """Print a warning on standard error.

    Parameters
    ----------
    text : str
        What the user should know.
    """
    note(f"Warning: {text}")


def _wrapped(text: str, stream: Any) -> str:
    """Break lines between words where a terminal would break them anywhere; what belongs together is indented."""
    if not stream.isatty():
        return text
    import shutil
    import textwrap

    width = shutil.get_terminal_size().columns
    lines = []
    for line in text.split("\n"):
        plain = click.unstyle(line)
        if len(plain) <= width:
            lines.append(line)
            continue
        indent = " " * (len(plain) - len(plain.lstrip()) + 2)
        broken = textwrap.fill(
            plain, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
        # The colour of a line is one: it is put round the whole.
        codes = _CODES.findall(line)
        lines.append(f"{codes[0]}{broken}{codes[-1]}" if codes else broken)
    return "\n".join(lines)


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """Print a value as JSON on standard output.

    Parameters
    ----------
    value : object
        What `json` can write.
    indent : int, optional
        None for one line.
    """
    click.echo(json.dumps(value, indent=indent, default=str))


def silence() -> None:
    """Let standard output go nowhere: nobody reads it any more, and what is still to be written is no error."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        pass  # a replaced standard output has no file descriptor


def painted(word: str, text: str | None = None) -> str:
    """Give a text the colour of a word.

    Parameters
    ----------
    word : str
        Says the colour.
    text : str, optional
        What is shown; the word itself when not given.

    Returns
    -------
    str
        With control codes; `say` takes them out where no terminal is.
    """
    tone = tone_of(word)
    shown = word if text is None else text
    return click.style(shown, fg=TONES[tone].terminal) if tone else shown


def toned(text: str) -> str:
    """Take the colours out of a text for a terminal where none are wanted (`NO_COLOR`, a dumb terminal)."""
    return click.unstyle(text) if _may_colour(sys.stdout) is False else text


def _may_colour(stream: Any) -> bool | None:
    """Say whether colour is wanted; None leaves it to click, which asks for a terminal."""
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None


def columns(rows: Sequence[Sequence[str]], *, right: Iterable[int] = (), gap: str = "  ") -> list[str]:
    """Align the cells of a table.

    Parameters
    ----------
    rows : sequence of sequence of str
        All of one length.
    right : iterable of int
        Columns that are aligned on the right.
    gap : str
        What stands between columns.

    Returns
    -------
    list of str
        One line a row.

    Examples
    --------
    >>> columns([["step", "done"], ["count", "12"]], right=[1])
    ['step   done', 'count    12']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    at_right = set(right)
    return [
        gap.join(
            cell.rjust(width) if number in at_right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def counted(count: int, word: str) -> str:
    """Write a number and what it counts.

    Parameters
    ----------
    count : int
        How many.
    word : str
        One of them.

    Returns
    -------
    str
        With the plural where it belongs.

    Examples
    --------
    >>> counted(1, "record"), counted(12000, "job")
    ('1 record', '12,000 jobs')
    """
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def step_place(row: Mapping[str, Any]) -> str:
    """Give the name of a step with its task and modality, from a row or a log line.

    Examples
    --------
    >>> step_place({"task": "RS", "modality": "EEG", "step_label": "alpha"})
    'RS-EEG-alpha'
    >>> step_place({"step_label": "mean"})
    'mean'
    """
    return "-".join(str(row[key]) for key in ("task", "modality", "step_label") if row.get(key))


def plain_list(items: Sequence[str], most: int = 5) -> str:
    """Write the first items of a list, and how many more there are.

    Parameters
    ----------
    items : sequence of str
        What is listed.
    most : int
        So many are written out.

    Returns
    -------
    str
        One line.

    Examples
    --------
    >>> plain_list(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    shown = ", ".join(items[:most])
    return f"{shown} and {len(items) - most:,} more" if len(items) > most else shown


def command_line(*words: str) -> str:
    """Write a command to copy, quoted for a shell.

    Parameters
    ----------
    *words : str
        Words after the program's name.

    Returns
    -------
    str
        The line.

    Examples
    --------
    >>> command_line("logs", "REC 1")
    "sinagot logs 'REC 1'"
    """
    return shlex.join(["sinagot", *words])


def short_path(path: str) -> str:
    """Write a path from the current folder on when it is below it.

    Parameters
    ----------
    path : str
        An absolute path, alone or at the beginning of a text.

    Returns
    -------
    str
        The shorter form.
    """
    here = _here()
    return path[len(here) :] if here and path.startswith(here) and path != here else path


def shortened(text: str) -> str:
    """Write the paths in a text from the current folder on when they are below it.

    Parameters
    ----------
    text : str
        A message with absolute paths.

    Returns
    -------
    str
        The message, shorter.
    """
    here = _here()
    return re.sub(rf"(?<![\w./-]){re.escape(here)}(?=[^\s,;:'\"])", "", text) if here else text


def _here() -> str:
    """Give the current folder with a slash; empty when it is the root or gone."""
    try:
        here = os.getcwd()
    except OSError:
        return ""
    return "" if here == "/" else f"{here}/"


def terminal_width() -> int | None:
    """Give the width of standard output in characters.

    Returns
    -------
    int or None
        None when it is no terminal: nothing needs to fit then.
    """
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
