"""What a run of a pipeline knows while it goes on: `ctx.PARAMETERS` and the others, as sources of inputs and as such.

Knows the act that runs here and now; must not know pipelines: whatever stands in `Current.place` answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sinagot.engine.acts.current import CURRENT, Current

__all__ = ["SOURCES", "ContextSource", "ctx"]

#: What can be asked for.
SOURCES = ("PIPELINE", "PARAMETERS", "VARIABLES", "STAGES", "STAGE", "LOG")


class ContextSource:
    """One thing that a run knows; inside of a stage it stands for the thing itself.

    Examples
    --------
    >>> ctx.PARAMETERS
    ctx.PARAMETERS
    >>> ctx.PARAMETERS["low"]
    Traceback (most recent call last):
    LookupError: ctx.PARAMETERS is known inside of a stage only, while its pipeline runs
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def value(self) -> Any:
        """The thing itself.

        Raises
        ------
        LookupError
            No pipeline runs here.
        """
        current = CURRENT.get()
        if current is None or current.place is None:
            raise LookupError(f"{self!r} is known inside of a stage only, while its pipeline runs")
        return self.read(current)

    def read(self, current: Current) -> Any:
        """Give the thing of an act."""
        return current.place.look(self._name, current)

    def __repr__(self) -> str:
        return f"ctx.{self._name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _source, (self._name,)

    def __getitem__(self, key: Any) -> Any:
        return self.value[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self.value[key] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(self.value)

    def __len__(self) -> int:
        return len(self.value)

    def __contains__(self, key: Any) -> bool:
        return key in self.value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # pickle, copy and notebooks ask for those
            raise AttributeError(name)
        return getattr(self.value, name)


class _Context:
    """The sources, by name."""

    PIPELINE = ContextSource("PIPELINE")
    PARAMETERS = ContextSource("PARAMETERS")
    VARIABLES = ContextSource("VARIABLES")
    STAGES = ContextSource("STAGES")
    STAGE = ContextSource("STAGE")
    LOG = ContextSource("LOG")


def _source(name: str) -> ContextSource:
    source: ContextSource = getattr(_Context, name)
    return source


#: ``ctx.PIPELINE PARAMETERS VARIABLES STAGES STAGE LOG``.
ctx = _Context()
