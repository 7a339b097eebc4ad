"""What the function of a stage depends on, built for the stage: once where it runs, with what its run tells of itself.

Knows plans of dependencies and the act that runs; must not know stages or how they are sent elsewhere. It travels with
the function, and builds in the process where that is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple

from sinagot.engine.acts.current import CURRENT
from sinagot.runlog.listeners import LISTENERS

if TYPE_CHECKING:
    from sinagot.flow.depends import Plan

__all__ = ["StageContext", "WithDependencies"]


class StageContext(NamedTuple):
    """What a stage tells its dependencies of the run; a `sinagot.flow.RunContext`."""

    record: Mapping[str, Any] | None
    paths: Mapping[str, Any] | None
    params: Mapping[str, Any]
    logger: Any


class WithDependencies:
    """A function together with what it depends on; called, it builds what it was not given.

    Parameters
    ----------
    plan : Plan
        Of the function.
    places : mapping of str to mapping
        ``"path"`` and ``"record"``, of the record that the run is for.
    """

    def __init__(self, plan: Plan, places: Mapping[str, Mapping[str, Any]]) -> None:
        self._plan, self._places = plan, places
        #: Where a failure is looked for.
        self.__wrapped__ = plan.function

    def open(self, given: Mapping[str, Any]) -> AbstractContextManager[Mapping[str, Any]]:
        """Build what is not given; the context manager gives all arguments, and cleans up at its end."""
        current = CURRENT.get()
        assert current is not None, "it is opened while its act runs"
        params = current.place.look("PARAMETERS", current)
        logger = getattr(LISTENERS.current(), "logger", None)
        places = self._places
        return self._plan.open_here(
            given, StageContext(places.get("record"), places.get("path"), params, logger)
        )

    def __call__(self, **given: Any) -> Any:
        """Call the function."""
        if all(name in given for name in self._plan.dependencies):
            return self._plan.function(**given)
        with self.open(given) as arguments:
            return self._plan.function(**arguments)
