"""The reception: who asks for a run of a pipeline, or about a schedule, is served here.

Knows the service, its history and the examiner, and opens each when it is first needed; must not know addresses.
Everything here may wait for files, a database or a program: it is called on threads.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fastapi import HTTPException

from sinagot.dashboard.problems import Fault, RefusedError, pointer
from sinagot.errors import SinagotError
from sinagot.schedule.examiner import Catalogue, Examiner
from sinagot.schedule.history.facts import OPEN_STATES, Launch, Origin
from sinagot.schedule.history.opening import open_history_of
from sinagot.schedule.service import Service
from sinagot.schedule.spans import span

if TYPE_CHECKING:
    from sinagot.schedule.history.contract import History
    from sinagot.workspace.workspace import Workspace

__all__ = ["Reception"]

#: Who pauses and cancels, for the record.
BY = "API"
#: Seconds between two looks for something to do, while there is nothing.
_LOOK = 5.0
_GLANCE = 0.05
_RUN_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{6,32}")
#: Requests that are known again by their keys.
_MOST_KEYS = 10_000


class _Asked(NamedTuple):
    """What was asked for under a key, and the run that it became."""

    pipeline: str
    params: Mapping[str, Any]
    launch: Launch


class Reception:
    """Runs and schedules of one workspace.

    Parameters
    ----------
    workspace : Workspace
        Whose pipelines.
    words : sequence of str
        Options that lead to it on a command line.
    read_only : bool
        Nothing is started or changed.
    decides : bool
        False: ticks are left to other services; what is asked for is started.
    """

    def __init__(
        self, workspace: Workspace, words: Sequence[str], *, read_only: bool, decides: bool = True
    ) -> None:
        self._workspace = workspace
        self._words = list(words)
        self._examiner = Examiner(words)
        self.read_only = read_only
        self.decides = decides
        self._lock = threading.RLock()
        self._history: History | None = None
        self._service: Service | None = None
        self._is_running = False
        self._over = threading.Event()
        self._hurry = threading.Event()
        self._keys: OrderedDict[str, _Asked] = OrderedDict()
        self._keyed = threading.Lock()

    # -- what there is

    @property
    def history(self) -> History:
        """What services keep of this workspace."""
        with self._lock:
            if self._history is None:
                self._history = open_history_of(self._workspace.configuration)
            return self._history

    @property
    def service(self) -> Service:
        """The service, which runs or does not: it tells of schedules in any case."""
        with self._lock:
            if self._service is None:
                self._service = Service(
                    self._workspace, self.history, words=self._words, decides=self.decides
                )
            return self._service

    @property
    def is_running(self) -> bool:
        """Say whether a service works here."""
        return self._is_running

    def catalogue(self) -> Catalogue:
        """List the pipelines of the workspace."""
        return self._examiner.catalogue()

    def launch_of(self, run_id: str) -> Launch | None:
        """Give a run that was asked for; None of any other."""
        return self.history.launch(run_id) if _RUN_ID.fullmatch(run_id) else None

    # -- working

    def begin(self) -> None:
        """Start the service where there is something to do, now or later: schedules, or runs that are left to it."""
        if not self.read_only and not self._has_begun():
            threading.Thread(target=self._watch, name="sinagot-reception", daemon=True).start()

    def _watch(self) -> None:
        while not self._over.wait(_LOOK):
            if self._has_begun():
                return

    def _has_begun(self) -> bool:
        """Start the service, if there is something to do; a history that is away is asked again later."""
        try:
            if (self.decides and self.service.states()) or self.history.open_launches():
                self._work()
        except (SinagotError, OSError):
            return False
        except HTTPException:  # it ends
            return True
        return self._is_running

    def _work(self) -> Service:
        """Give the service, which runs from now on."""
        with self._lock:
            if self._over.is_set():
                raise HTTPException(503, "the server is about to end", headers={"Retry-After": "10"})
            if not self._is_running:
                self.service.start()
                self._is_running = True
            return self.service

    def hurry(self) -> None:
        """Let `close` wait no longer for what runs; it goes on, for the next service to watch."""
        self._hurry.set()

    def close(self) -> None:
        """End the service gracefully: what runs goes on, what waits is left to others."""
        with self._lock:
            self._over.set()
            service = self._service if self._is_running else None
        self._examiner.close()
        if service is not None:
            stopping = threading.Thread(target=service.stop, name="sinagot-stop", daemon=True)
            stopping.start()
            while stopping.is_alive() and not self._hurry.is_set():
                stopping.join(_GLANCE)
            if stopping.is_alive():
                return
        with self._lock:
            if self._history is not None:
                self._history.close()
                self._history = None

    # -- what is asked for

    def launch(self, pipeline: str, params: Mapping[str, Any], key: str = "") -> Launch:
        """Ask for a run of a pipeline.

        Parameters
        ----------
        pipeline : str
            Its name.
        params : mapping
            For this run.
        key : str
            Of the request: one that was seen before gets the run that it got then.

        Raises
        ------
        NotFoundError
            There is no such pipeline.
        RefusedError
            Parameters are unknown, missing or refused.
        HTTPException
            The key was another request's.
        SinagotError
            The pipeline can't be loaded or run by itself, or too many wait.
        """
        if not key:
            return self._launch(pipeline, params)
        with self._keyed:
            known = self._keys.get(key)
            if known is not None:
                if (known.pipeline, known.params) != (pipeline, params):
                    raise HTTPException(
                        409, "this Idempotency-Key was given with another request; make a new one for each"
                    )
                return known.launch
            launch = self._launch(pipeline, params)
            self._keys[key] = _Asked(pipeline, params, launch)
            while len(self._keys) > _MOST_KEYS:
                self._keys.popitem(last=False)
            return launch

    def _launch(self, pipeline: str, params: Mapping[str, Any]) -> Launch:
        faults = self._examiner.check(pipeline, params)
        if faults:
            raise RefusedError(
                [Fault(detail=text, pointer=pointer("params", *path)) for path, text in faults]
            )
        with span("sinagot.launch", pipeline=pipeline, origin=str(Origin.API)) as facts:
            launch = self._work().launch(pipeline, params, Origin.API)
            facts(run_id=launch.run_id)
        return launch

    def cancel(self, launch: Launch) -> Launch:
        """End a run that was asked for.

        Raises
        ------
        HTTPException
            It is over.
        """
        if launch.state not in OPEN_STATES:
            raise HTTPException(409, f"run {launch.run_id} is over: {launch.state}")
        return self._work().cancel(launch.run_id, BY)
