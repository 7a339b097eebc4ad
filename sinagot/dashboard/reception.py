"""The reception: who asks for a run of a pipeline, or about a schedule, is served here.

Knows the service, its history and the examiner, and opens each when it is first needed; must not know addresses.
Everything here may wait for files, a database or a program: it is called on threads.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fastapi import HTTPException

from sinagot.dashboard.problems import Fault, RefusedError, pointer
from sinagot.errors import (
    ConfigurationError,
    HistoryUnavailableError,
    MissingExtraError,
    SinagotError,
)
from sinagot.schedule.examiner import Catalogue, Examiner
from sinagot.schedule.history.facts import OPEN_STATES, Launch, Origin
from sinagot.schedule.history.opening import check_address_of, open_history_of
from sinagot.schedule.history.waiting import begin_to_open
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
#: Seconds for which nobody else asks a server that has not answered; for which the pages wait for its first answer.
_SILENT = 1.0
_PATIENT = 2.0
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
        #: Held while the history is opened, which may take long: nothing else waits for that.
        self._opening = threading.Lock()
        self._away: HistoryUnavailableError | None = None
        self._silent_until = 0.0
        #: Why the history will never be opened.
        self.failure: SinagotError | None = None
        #: Called then; and with what people should know.
        self.note_failure: Callable[[], object] = lambda: None
        self.tell: Callable[[str], object] = lambda text: None
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
        found = self._history
        if found is not None:
            return found
        with self._opening:
            if self._history is None:
                if self._away is not None and time.monotonic() < self._silent_until:
                    raise HistoryUnavailableError(str(self._away), address=self._away.address)
                self._open()
            assert self._history is not None
            return self._history

    def _open(self) -> None:
        try:
            made = open_history_of(self._workspace.configuration, is_read_only=self.read_only)
        except HistoryUnavailableError as error:
            self._away = error
            self._silent_until = time.monotonic() + min(_LOOK, _SILENT)
            raise
        with self._lock:
            if self._over.is_set():
                made.close()
                raise HistoryUnavailableError("the server is about to end", address=None)
            self._history = made
        if self._away is not None:
            self._away = None
            self.tell("The history of schedules can be reached now.")

    def reach(self) -> str:
        """Open the history, but do not wait long; gives why it can't be reached, nothing when it is open.

        Raises
        ------
        ConfigurationError, MissingExtraError
            It will never be opened.
        """
        check_address_of(self._workspace.configuration)
        try:
            begin_to_open(lambda: self.history).result(_PATIENT)
        except HistoryUnavailableError as error:
            return str(error)
        except TimeoutError:
            text = "its server has not answered yet"
            if self._history is None:
                self._away = self._away or HistoryUnavailableError(text, address=None)
            return text
        return ""

    @property
    def is_away(self) -> bool:
        """Say whether the history can't be reached, as far as is known; nothing is asked for that."""
        if self._history is None:
            return self._away is not None or self.failure is not None
        return self._is_running and self._service is not None and self._service.is_held_up

    @property
    def service(self) -> Service:
        """The service, which runs or does not: it tells of schedules in any case."""
        history = self.history
        with self._lock:
            if self._service is None:
                self._service = Service(self._workspace, history, words=self._words, decides=self.decides)
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
        if not self.read_only:
            looked = threading.Event()
            threading.Thread(
                target=self._watch, args=(looked,), name="sinagot-reception", daemon=True
            ).start()
            looked.wait(_PATIENT)

    def _watch(self, looked: threading.Event) -> None:
        has_begun = self._has_begun()
        looked.set()
        while not has_begun and not self._over.wait(_LOOK):
            has_begun = self._has_begun()

    def _has_begun(self) -> bool:
        """Start the service, if there is something to do; a history that is away is asked again later."""
        try:
            history = self.history
        except HistoryUnavailableError:
            return False
        except (ConfigurationError, MissingExtraError) as error:
            self.failure = error
            self.note_failure()
            return True
        try:
            if (self.decides and self.service.states()) or history.open_launches():
                self._work()
        except (SinagotError, OSError):
            return False
        except HTTPException:  # it ends
            return True
        return self._is_running

    def _work(self) -> Service:
        """Give the service, which runs from now on."""
        service = self.service
        with self._lock:
            if self._over.is_set():
                raise HTTPException(503, "the server is about to end", headers={"Retry-After": "10"})
            if not self._is_running:
                service.start()
                self._is_running = True
            return service

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
        checked = self._examiner.check(pipeline, params)
        if checked.faults:
            raise RefusedError(
                [Fault(detail=text, pointer=pointer("params", *path)) for path, text in checked.faults]
            )
        with span("sinagot.launch", pipeline=pipeline, origin=str(Origin.API)) as facts:
            launch = self._work().launch(pipeline, params, Origin.API, checked=checked)
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
