"""Collects everything that is wrong with a configuration, each with its file, line and key.

Knows how a message reads; must not know which keys exist.
The checks report here; `sinagot.config.load` raises once, with all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sinagot.config.sources import Source, read_source
from sinagot.errors import ConfigurationError

__all__ = ["Problems", "error_at", "joined_error", "key_text", "shown"]

KeyPath = tuple[str | int, ...]

#: So many are written out in one message; all of them are in `ConfigurationError.problems`.
MAX_SHOWN = 20


class Problems:
    """Errors and warnings about the files of one configuration.

    Parameters
    ----------
    sources : sequence of Source
        The files, in order of precedence: the last one that has a key is where the key is shown.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources
        self.errors: list[ConfigurationError] = []
        self.warnings: list[str] = []

    def error(self, path: KeyPath, message: str, **facts: Any) -> None:
        """Note an error at a key; `facts` are those of `ConfigurationError`."""
        file, line = self.place(path)
        self.errors.append(ConfigurationError.at(message, file=file, line=line, key=key_text(path), **facts))

    def mismatch(
        self,
        path: KeyPath,
        found: Any,
        allowed: str,
        hint: str | None = None,
        detail: str = "",
        place: str = "",
    ) -> None:
        """Note a value that is not what is allowed; `place` says where in the value it stands."""
        words = f"{place}found {shown(found)}{f' ({detail})' if detail else ''}, allowed {allowed}"
        self.error(path, words, found=found, allowed=allowed, hint=hint or None)

    def warning(self, path: KeyPath, message: str, hint: str = "") -> None:
        """Note something that the user should be told."""
        file, line = self.place(path)
        self.warnings.append(
            str(ConfigurationError.at(message, file=file, line=line, key=key_text(path), hint=hint or None))
        )

    def place(self, path: KeyPath) -> tuple[Path, int | None]:
        """Find the file and line of a key, or of the nearest table around it that is written."""
        # Only a message needs lines: a good configuration never loads the scanner.
        from sinagot.config.locate import locate

        for length in range(len(path), 0, -1):
            for source in reversed(self.sources):
                line = locate(source.text, path[:length])
                if line is not None:
                    return source.file, line
        return self.sources[0].file, None


def joined_error(errors: Sequence[ConfigurationError], warnings: Sequence[str] = ()) -> ConfigurationError:
    """Make one error of several; its `problems` holds each.

    Parameters
    ----------
    errors : sequence of ConfigurationError
        At least one.
    warnings : sequence of str
        What the user should be told besides; kept in `warnings` of the error.

    Returns
    -------
    ConfigurationError
        With the message and facts of the only one, or with a message that lists them.

    Examples
    --------
    >>> print(joined_error([ConfigurationError("a: wrong"), ConfigurationError("b: wrong")]))
    2 problems in the configuration:
      a: wrong
      b: wrong
    """
    # In the order of the files; problems of one line stay in the order in which they were found.
    problems = tuple(sorted(errors, key=lambda error: (str(error.file or ""), error.line or 0)))
    if len(problems) == 1:
        only = problems[0]
        return ConfigurationError(
            only.message, **{**only.facts, "problems": problems, "warnings": tuple(warnings)}
        )
    lines = [
        f"{len(problems)} problems in the configuration:",
        *(f"  {error}" for error in problems[:MAX_SHOWN]),
    ]
    if len(problems) > MAX_SHOWN:
        lines.append(f"  ... and {len(problems) - MAX_SHOWN} more")
    file = problems[0].facts.get("file")
    return ConfigurationError("\n".join(lines), file=file, problems=problems, warnings=tuple(warnings))


def error_at(files: Sequence[Path], path: KeyPath, message: str, **facts: Any) -> ConfigurationError:
    """Make an error with the place of a key, as the files are now.

    Parameters
    ----------
    files : sequence of Path
        Of the configuration; there may be none.
    path : tuple of str or int
        The key.
    message : str
        What is wrong with it.
    **facts : object
        Those of `ConfigurationError`.

    Examples
    --------
    >>> str(error_at((), ("steps", "alpha"), "no such step"))
    'steps.alpha: no such step'
    """
    if not files:
        return ConfigurationError.at(message, key=key_text(path), **facts)
    file, line = files[0], None
    try:
        file, line = Problems([read_source(one) for one in files]).place(path)
    except ConfigurationError:
        pass  # edited, and broken, meanwhile
    return ConfigurationError.at(message, file=file, line=line, key=key_text(path), **facts)


def key_text(path: Iterable[str | int]) -> str:
    """Write a key path as TOML writes it; positions in lists are left out.

    Parameters
    ----------
    path : iterable of str or int
        Keys from the top.

    Returns
    -------
    str
        The dotted key.

    Examples
    --------
    >>> key_text(("modalities", "eye tracking", "scripts", 0))
    'modalities."eye tracking".scripts'
    """
    return ".".join(_bare_or_quoted(key) for key in path if isinstance(key, str))


def _bare_or_quoted(key: str) -> str:
    if key and key.isascii() and key.replace("-", "_").replace("_", "a").isalnum():
        return key
    return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'


def shown(value: Any) -> str:
    """Write a value of a TOML file shortly, with its type where the text alone does not tell it.

    Parameters
    ----------
    value : object
        What `tomllib` read.

    Returns
    -------
    str
        At most about 80 characters.

    Examples
    --------
    >>> shown("a"), shown(3), shown(True), shown({}), shown(["a"])
    ("'a'", '3 (an integer)', 'true (a boolean)', 'a table', "the list ['a']")
    """
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, bool):
        return f"{str(value).lower()} (a boolean)"
    text = _short(value)
    if isinstance(value, str):
        return text
    if isinstance(value, list):
        return f"the list {text}" if value else "an empty list"
    if isinstance(value, int):
        return f"{text} (an integer)"
    return f"{text} (a number)" if isinstance(value, float) else f"{value} (a date or time)"


def _short(value: Any) -> str:
    # A list is cut before it is written: it may hold a hundred thousand items.
    text = repr(value[:60]) if isinstance(value, (str, list)) else repr(value)
    if isinstance(value, str) and value.isprintable() and "'" not in value:
        text = f"'{value[:60]}'"  # as it stands in the file: backslashes not doubled
    whole = not isinstance(value, (str, list)) or len(value) <= 60
    return text if whole and len(text) <= 64 else text[:60] + "..."
