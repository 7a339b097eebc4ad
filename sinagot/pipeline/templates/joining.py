"""The runs of workspaces that a run of a template joins: one id in all histories, begun once and ended once.

Knows runs and stops; must not know workspaces: the stages that need one say where its state is. Nothing is written for
a template without such stages.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Self

from sinagot.config.settings import DEFAULT_STOP_GRACE
from sinagot.engine.job import Outcome
from sinagot.engine.obedience import obeying, stop_in_force
from sinagot.engine.state.bench import close_benches
from sinagot.engine.stop import StopRequest
from sinagot.engine.whole import Whole

if TYPE_CHECKING:
    from sinagot.pipeline.templates.layout import StageLayout

__all__ = ["Joining", "joins"]


def joins(stages: Iterable[StageLayout]) -> bool:
    """Say whether one of some stages, or of those within them, works on a workspace."""
    return any(
        getattr(stage.kind, "joins", False) or any(joins(inner) for _, inner in stage.kind.within())
        for stage in stages
    )


class Joining:
    """What one run of a template joins; a context manager around it.

    Parameters
    ----------
    pipeline : str
        Its name.
    run_id : str
        Of the run.
    whole : Whole, optional
        The run of a workspace that it is.
    is_needed : bool
        Some stage will join: signals are heard as runs of workspaces hear them.
    redact : callable
        Takes secrets out of texts.
    """

    def __init__(
        self,
        pipeline: str,
        run_id: str,
        whole: Whole | None,
        *,
        is_needed: bool,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._pipeline = pipeline
        self._run_id = run_id
        self._given = whole
        self._is_needed = is_needed
        self._redact = redact
        self._own: dict[str, Whole] = {}
        self._guard = threading.Lock()
        self._stack = ExitStack()
        self._stop: StopRequest | None = None
        #: How it ended, for the histories.
        self.ok = False

    def __enter__(self) -> Self:
        if self._is_needed and self._given is None:
            self._stop = stop_in_force()
            if self._stop is None:
                self._stop = self._stack.enter_context(StopRequest(DEFAULT_STOP_GRACE, here=True))
                self._stack.enter_context(obeying(self._stop))
        return self

    def __exit__(self, *error: object) -> None:
        with self._stack:
            for whole in self._own.values():
                close_benches(self._run_id)
                with suppress(OSError):  # what was done is on record, job by job
                    whole.end(counts=dict.fromkeys(Outcome.ALL, 0), ok=self.ok, stopped_by=self.signum)

    @property
    def signum(self) -> int | None:
        """The signal that came to this run; None too where somebody else sees to it."""
        return None if self._stop is None else self._stop.signum

    def whole_of(self, state: str) -> Whole:
        """Give the run that a stage joins which works on some state folder; it is begun by the first one."""
        if self._given is not None and self._given.state == state:
            return self._given
        with self._guard:
            whole = self._own.get(state)
            if whole is None:
                stop: Any = self._stop if self._given is None else self._given.stop
                argv = [self._redact(word) for word in sys.argv]
                facts = {
                    "kind": "pipeline",
                    "pipeline": self._pipeline,
                    "records": 0,
                    "jobs": 0,
                    "argv": argv,
                }
                whole = self._own[state] = Whole(state, self._run_id, stop, facts)
            return whole
