"""From any value to plain JSON values: bounded in number and depth, and without the secrets that it may hold.

Knows what JSON can hold and how long a text may be; must not know fields, lines or files. `formatter` asks it for
values that cannot be encoded as they are, `capture` for those in which secrets must not be shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sinagot.runlog.texts import MAX_TEXT, cut_text, safe_text

__all__ = ["Plainer", "plain_default", "plain_value"]

_MOST_VALUES = 10_000  # of one line: ends cycles and bounds hostile nesting
_DEEPEST = 20


def plain_value(value: Any) -> Any:
    """Give a value as what JSON has a word for: what it has none for becomes text, NaN becomes None.

    Examples
    --------
    >>> from datetime import date
    >>> plain_value({"day": date(2024, 1, 31), "limits": (1, float("nan"))})
    {'day': '2024-01-31', 'limits': [1, None]}
    """
    return Plainer().value(value, 0)


class Plainer:
    """Makes plain JSON values of anything, within a number of values and a depth.

    Parameters
    ----------
    redact : callable
        Gives a text without the secrets in it; applied to every text, before it is cut, and to numbers.

    Examples
    --------
    >>> Plainer().value({"a": [float("nan"), {1}]}, 0)
    {'a': [None, '{1}']}
    >>> Plainer(lambda text: text.replace("1234", "***")).value({"pin 1234": [1234, 0.5]}, 0)
    {'pin ***': ['***', 0.5]}
    """

    def __init__(self, redact: Callable[[str], str] = str) -> None:
        self.left = _MOST_VALUES
        self._redact = redact

    def value(self, value: Any, depth: int) -> Any:
        """Give what stands for a value."""
        self.left -= 1
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str):
            text = self._redact(safe_text(value))
            # `make_line` has cut its texts already; the mark it left is not cut again.
            return text if cut_text(text, MAX_TEXT + 128) is text else cut_text(text)
        if isinstance(value, int):
            return (
                self._number(int(value))
                if value.bit_length() < 10_000
                else f"<int of {value.bit_length()} bits>"
            )
        if isinstance(value, float):
            return self._number(float(value)) if math.isfinite(value) else None
        if isinstance(value, (Mapping, list, tuple)):
            if depth >= _DEEPEST or self.left <= 0:
                return "... [cut]"
            try:
                return (
                    self.mapping(value, depth + 1)
                    if isinstance(value, Mapping)
                    else self.items(value, depth + 1)
                )
            except Exception:  # noqa: BLE001 - a user's container may raise anything while it is walked
                return cut_text(self._redact(safe_text(value)))
        other = plain_default(value)
        return self.value(other, depth) if self.left > 0 else "... [cut]"

    def mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        """Give what stands for a mapping."""
        plain: dict[str, Any] = {}
        for key, item in value.items():
            if self.left <= 0:
                plain["..."] = "[cut]"
                break
            plain[cut_text(self._redact(safe_text(key)), 1024)] = self.value(item, depth)
        return plain

    def items(self, value: Sequence[Any], depth: int) -> list[Any]:
        """Give what stands for a sequence."""
        plain: list[Any] = []
        for item in value:
            if self.left <= 0:
                plain.append("... [cut]")
                break
            plain.append(self.value(item, depth))
        return plain

    def _number(self, number: float) -> Any:
        if self._redact is str:
            return number
        text = str(number)
        redacted = self._redact(text)
        return number if redacted == text else redacted


def plain_default(value: Any) -> Any:
    """Give what JSON shall hold for a value it does not know: numbers of NumPy as numbers, all else as text."""
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        try:
            item = value.item()
        except Exception:  # noqa: BLE001 - not every dtype has a Python twin
            return safe_text(value)
        if isinstance(item, (bool, int, float, str)):
            return item
    return safe_text(value)


def cleared(message: str, facts: dict[str, Any], redact: Callable[[str], str]) -> tuple[str, dict[str, Any]]:
    """Give a message and fields of ours without secrets; measures stay numbers.

    Examples
    --------
    >>> cleared(
    ...     "a key: abc",
    ...     {"duration_s": 1.5, "params": {"key": "abc"}},
    ...     lambda text: text.replace("abc", "***"),
    ... )
    ('a key: ***', {'duration_s': 1.5, 'params': {'key': '***'}})
    """
    if redact is str:
        return message, facts
    plain = Plainer(redact)
    facts = {
        name: value if isinstance(value, (int, float)) else plain.value(value, 0)
        for name, value in facts.items()
    }
    return redact(message), facts


def cleared_extra(
    extra: dict[str, Any], translate: Callable[[str], str], redact: Callable[[str], str]
) -> dict[str, Any]:
    """Give fields of the user as people shall read them, without secrets.

    Examples
    --------
    >>> cleared_extra({"path": "/stage/x", "n": 1}, lambda text: text.replace("/stage", "/data"), str)
    {'path': '/data/x', 'n': 1}
    """
    if translate is not str:
        extra = {name: translate(value) if type(value) is str else value for name, value in extra.items()}
    return extra if redact is str else Plainer(redact).mapping(extra, 0)
