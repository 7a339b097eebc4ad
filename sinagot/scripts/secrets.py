"""Values of parameters that nobody is to read: how they are marked, and how they are found among others.

Knows plain values and what pydantic has for them; must not know logs. `sinagot.runlog.secrets` takes them out of texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["Secret", "secrets_of"]

#: Values in a list that are looked at one by one: longer ones are data.
_MOST_LOOKED_AT = 1000


class Secret(str):
    """A text that logs and views show as ``***``.

    Examples
    --------
    >>> Secret("s3cr3t")
    ***
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"


def secrets_of(values: Any) -> set[str]:
    """Give the texts among values, at any depth, that nobody is to read: `Secret`, and `SecretStr` of pydantic."""
    return {text for value in _all_of(values, set()) for text in _secret_text(value) if text}


def _secret_text(value: Any) -> Iterator[str]:
    if isinstance(value, Secret):
        yield str.__str__(value)
    elif hasattr(type(value), "get_secret_value"):
        text = value.get_secret_value()
        yield text if isinstance(text, str) else bytes(text).decode("utf-8", "replace")


def _all_of(value: Any, seen: set[int]) -> Iterator[Any]:
    """Go through tables, lists and models."""
    if type(value) in (str, int, float, bool, bytes, type(None)) or id(value) in seen:
        return
    yield value
    parts: Any = ()
    if isinstance(value, Mapping):
        parts = value.values()
    elif isinstance(value, (list, tuple, set, frozenset)) and len(value) <= _MOST_LOOKED_AT:
        parts = value
    elif hasattr(type(value), "model_fields"):
        parts = vars(value).values()
    if parts:
        seen.add(id(value))
        for part in parts:
            yield from _all_of(part, seen)
