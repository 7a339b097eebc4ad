"""The root of the tree: an error that carries its facts.

Knows nothing of the rest of the package. Facts travel with the error to other processes.
"""

from __future__ import annotations

from typing import Any

__all__ = ["SinagotError"]


class SinagotError(Exception):
    """Base of every error that sinagot raises on purpose.

    Parameters
    ----------
    message : str
        What happened, where, and what to do next.
    **facts
        What the error is about; each becomes an attribute.

    Examples
    --------
    >>> error = SinagotError("no such thing", name="x")
    >>> error.name, str(error)
    ('x', 'no such thing')
    """

    #: Names of the facts that instances of the class carry (``None`` when not given).
    FACTS: tuple[str, ...] = ()

    def __init__(self, message: str = "", **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts
        for name in self.FACTS:
            setattr(self, name, facts.get(name))
        for name, value in facts.items():
            setattr(self, name, value)

    def __str__(self) -> str:
        # KeyError, a standard parent of one child, would print the message in quotes.
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.facts)


def _rebuild(kind: type[SinagotError], message: str, facts: dict[str, Any]) -> SinagotError:
    return kind(message, **facts)
