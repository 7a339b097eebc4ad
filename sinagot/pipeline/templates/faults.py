"""Says where in a file something stands, and makes the errors that name it.

Knows files, lines and words; must not know what an expression means. Used by all of the language of templates.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from sinagot.config.hints import did_you_mean
from sinagot.errors import ConfigurationError, TemplateError

__all__ = ["Where", "kind_of", "known_list", "load_error", "run_error", "unknown_word"]

#: So many names are listed in a message.
_MOST_NAMES = 20
#: Longer texts are cut in messages.
_LONGEST = 120


class Where(Protocol):
    """A place in a file: anything with a file and a line."""

    @property
    def file(self) -> Path | None:
        """The file."""
        ...

    @property
    def line(self) -> int | None:
        """The line in it, from 1."""
        ...


def load_error(
    where: Where | None, message: str, key: str = "", hint: str = "", **facts: Any
) -> ConfigurationError:
    """Make the error for something that is wrong in a file.

    Parameters
    ----------
    where : Where, optional
        The place.
    message : str
        What is wrong.
    key : str
        What the message is about.
    hint : str
        What to do.
    **facts : object
        Further facts of `ConfigurationError`.

    Examples
    --------
    >>> str(load_error(None, "no such filter", "x | uper", "did you mean 'upper'?"))
    "x | uper: no such filter; did you mean 'upper'?"
    """
    file, line = (None, None) if where is None else (where.file, where.line)
    return ConfigurationError.at(
        message, file=file, line=line, key=_cut(key) or None, hint=hint or None, **facts
    )


def run_error(
    where: Where | None, message: str, key: str = "", hint: str = "", **facts: Any
) -> TemplateError:
    """Make the error for what cannot be done with the values of this run; reads as that of `load_error`.

    Parameters
    ----------
    where : Where, optional
        The place.
    message : str
        What is wrong.
    key : str
        What the message is about.
    hint : str
        What to do.
    **facts : object
        Further facts of `TemplateError`.
    """
    told = load_error(where, message, key, hint)
    return TemplateError(
        told.message, file=told.file, line=told.line, expression=key or None, hint=told.hint, **facts
    )


def known_list(names: Iterable[object]) -> str:
    """List names for a message, sorted; a long list is cut.

    Examples
    --------
    >>> known_list(["b", "a"]), known_list([])
    ('a, b', 'nothing')
    """
    known = sorted({_cut(str(name)) for name in names})
    more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    return ", ".join(known[:_MOST_NAMES]) + more if known else "nothing"


def unknown_word(what: str, word: str, known: Iterable[object]) -> tuple[str, str]:
    """Say that a word is unknown, and which are known.

    Parameters
    ----------
    what : str
        What it should be.
    word : str
        What was written.
    known : iterable
        What may be written.

    Returns
    -------
    message : str
        The sentence.
    hint : str
        A near name, if there is one.

    Examples
    --------
    >>> unknown_word("filter", "uper", ["lower", "upper"])
    ("unknown filter 'uper', known are lower, upper", "did you mean 'upper'?")
    """
    names = [str(name) for name in known]
    return f"unknown {what} {_cut(word)!r}, known are {known_list(names)}", did_you_mean(word, names)


def kind_of(value: object) -> str:
    """Name the kind of a value for a message, never the value: it may be a secret, or a gigabyte.

    Examples
    --------
    >>> kind_of(None), kind_of({}), kind_of("x")
    ('null', 'a map', 'a text')
    """
    named = {"NoneType": "null", "dict": "a map", "str": "a text", "list": "a list", "bool": "true or false"}
    kind = type(value).__name__
    return named.get(kind) or f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} {kind}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
