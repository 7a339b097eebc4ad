"""Where two structures differ: what is stored, and what would be read.

Knows equality, and what has one of its own; must not know formats or annotations.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime, time
from decimal import Decimal
from numbers import Real
from typing import Any

__all__ = ["difference"]

#: Letters of a value in a message.
_SHOWN = 60


def difference(made: Any, read: Any, where: str = "") -> str | None:
    """Say where two structures differ first; None where they are equal.

    Parameters
    ----------
    made, read : object
        The structures.
    where : str
        How their place is written, for messages.

    Notes
    -----
    A number that is none equals itself here, and two times are equal when they are written alike: of an hour that comes
    twice, Python calls any two times in different zones unequal. Private attributes of models are no data.

    Examples
    --------
    >>> difference({"a": [1, 2.0]}, {"a": [1, 2]}), difference([float("nan")], [float("nan")])
    (None, None)
    >>> difference({"a": [(1, 2)]}, {"a": [[1, 2]]})
    "['a'][0] is the tuple (1, 2), and would come back as the list [1, 2]"
    """
    if _equal(made, read):
        return None
    parts = _pairs(made, read)
    if parts is None:
        return f"{where or 'the value'} is {_shown(made)}, and would come back as {_shown(read)}"
    found = (difference(one, other, f"{where}{place}") for place, one, other in parts)
    return next((text for text in found if text is not None), None)


def _equal(made: Any, read: Any) -> bool:
    try:
        return bool(made == read)
    except Exception:  # noqa: BLE001  (arrays and whatever else has no one answer)
        return False


def _pairs(made: Any, read: Any) -> Iterator[tuple[str, Any, Any]] | None:
    """Give the parts of two things that may be equal though Python says they are not; None where they may not."""
    if isinstance(made, dict) and isinstance(read, dict) and list(made) == list(read):
        return ((f"[{key!r}]", value, read[key]) for key, value in made.items())
    for kind in (list, tuple):
        if isinstance(made, kind) and isinstance(read, kind) and len(made) == len(read):
            return ((f"[{place}]", *two) for place, two in enumerate(zip(made, read, strict=True)))
    if all(isinstance(one, Real | Decimal) and one != one for one in (made, read)):
        return iter(())
    if type(made) is not type(read):
        return None
    if isinstance(made, (datetime, time)) and made.isoformat() == read.isoformat():
        return iter(())
    names = _fields(made)
    if names is None or any(hasattr(made, name) != hasattr(read, name) for name in names):
        return None
    return ((f".{name}", getattr(made, name), getattr(read, name)) for name in names if hasattr(made, name))


def _fields(one: Any) -> list[str] | None:
    """Give the names of the data of a dataclass or a pydantic model."""
    if dataclasses.is_dataclass(one):
        return [field.name for field in dataclasses.fields(one) if field.compare]
    declared = getattr(type(one), "model_fields", None)
    if not isinstance(declared, dict):
        return None
    return [*declared, *(getattr(one, "__pydantic_extra__", None) or {})]


def _shown(value: Any) -> str:
    text = repr(value)
    return f"the {type(value).__name__} {text if len(text) <= _SHOWN else f'{text[:_SHOWN]}...'}"
