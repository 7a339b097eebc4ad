"""What a stage that runs in another process takes along of its run, and what it brings back: parameters, variables.

Knows runs by what they are asked for; must not know how anything is sent. Of what other stages made only the inputs
of the stage are taken along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sinagot.engine.acts.calls import Carried
from sinagot.engine.acts.current import CURRENT, Current
from sinagot.pipeline.parameters import Parameters, Variables, fresh

__all__ = ["carried", "changed_variables"]


@dataclass
class _Away:
    """A run as it is seen from another process."""

    info: Any
    stage: Any
    parameters: Parameters
    variables: Variables

    def look(self, source: str, current: Current) -> Any:
        """Give what a source of the context stands for."""
        match source:
            case "PARAMETERS":
                return self.parameters
            case "VARIABLES":
                return self.variables
            case "STAGE":
                return self.stage
            case "PIPELINE":
                return self.info
            case "LOG":
                from sinagot.runlog.listeners import LISTENERS

                return getattr(LISTENERS.current(), "logger", None)
        raise LookupError(
            f"ctx.{source} is not known in another process; make what the stage needs an input: dependency(...)"
        )


def carried(run: Any, current: Current) -> Carried:
    """Give what goes along with a stage."""
    variables = run.variables.copy()
    away = _Away(run.info, run.look("STAGE", current), run.parameters, variables)
    return Carried(_entered, (current, away))


@contextmanager
def _entered(data: tuple[Current, _Away]) -> Iterator[Callable[[], dict[str, Any]]]:
    current, away = data
    before = {name: (value, fresh(value)) for name, value in away.variables.items()}
    token = CURRENT.set(current._replace(place=away))
    try:
        yield lambda: changed_variables(before, away.variables)
    finally:
        CURRENT.reset(token)


def changed_variables(before: Mapping[str, tuple[Any, Any]], after: Variables) -> dict[str, Any]:
    """Give the variables that are other objects than before, or tables and lists in which something is another.

    `before` has each as it is, and a copy of what it was.
    """
    return {
        name: value for name, value in after.items() if name not in before or _is_other(value, *before[name])
    }


def _is_other(value: Any, before: Any, copied: Any) -> bool:
    if value is not before:
        return True
    try:
        return value is not copied and bool(value != copied)
    except Exception:  # noqa: BLE001  (arrays in a list do not say whether they are equal)
        return True
