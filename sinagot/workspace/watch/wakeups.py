"""When it is worth looking again: when the system tells of a change, or after a while.

Knows folders, drives and threads; must not know records. `sinagot.workspace.watch.watching` waits here between two
looks.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from queue import Empty, SimpleQueue
from typing import Any

from sinagot.dataset.mounts import list_mounts, mount_of
from sinagot.errors import MissingExtraError

__all__ = ["CALM", "Wakeups", "on_shared_drive"]

#: Seconds after which a look is due though nothing was told: events may be lost, and links are not followed.
SAFETY = 60.0
#: Seconds between two looks where much is told, and how many times the length of a look at least.
CALM = 1.0
_SHARE = 4
#: Milliseconds after which no more events are gathered when none came; a part of the time they are gathered at most.
_STEP, _PART = 200, 4
#: Seconds in which the system may still be told what to watch: what comes meanwhile is not heard.
_SETTLING = 30.0


def on_shared_drive(folders: Iterable[str]) -> bool:
    """Say whether a folder, or something that is mounted below it, lies on a drive of several machines.

    Parameters
    ----------
    folders : iterable of str
        Existing folders.

    Examples
    --------
    >>> on_shared_drive(["/proc"])
    False
    """
    mounts = list_mounts()
    for folder in folders:
        mount = mount_of(folder, mounts)
        below = os.path.realpath(folder).rstrip("/") + "/"
        if any(one.is_shared for one in mounts if one is mount or one.point.startswith(below)):
            return True
    return False


class Wakeups:
    """Waits between two looks; anybody may end that, from any thread.

    Parameters
    ----------
    interval : float, seconds
        Pause between two looks where nothing tells of changes.
    calm : float, seconds
        Pause between two looks where much is told, and how long events are gathered.
    """

    def __init__(self, interval: float, calm: float = CALM) -> None:
        self.interval = interval
        self._calm = calm
        #: What ends the waiting. Not an event: a signal handler may put into this queue, whatever its thread is at.
        self._calls: SimpleQueue[None] = SimpleQueue()
        self._is_told = False
        self._is_over = False
        self._listener: threading.Thread | None = None
        self._end = threading.Event()
        #: Why the system tells nothing any more.
        self.problem: str | None = None
        self._looked = time.monotonic()
        self._took = 0.0
        self._began = 0.0

    @property
    def has_events(self) -> bool:
        """Whether the system tells of changes."""
        return self._listener is not None and self._listener.is_alive()

    def listen(self, folders: Sequence[str], ignored: Sequence[str]) -> None:
        """Let the system tell of changes below some folders.

        Parameters
        ----------
        folders : sequence of str
            Existing folders.
        ignored : sequence of str
            Folders in which changes are of no interest.

        Raises
        ------
        MissingExtraError
            The package that does it is not installed.
        """
        try:
            from watchfiles import watch
        except ImportError as error:
            raise MissingExtraError(
                "events need watchfiles (the extra `watch` of sinagot), which is not installed: pip install watchfiles",
                package="watchfiles",
                extra="watch",
            ) from error
        self.deafen()
        self.problem = None
        self._end = threading.Event()
        heads = tuple(folder.rstrip("/") + "/" for folder in ignored)
        self._listener = threading.Thread(
            target=self._listen, args=(watch, folders, heads, self._end), name="sinagot-watch", daemon=True
        )
        self._began = time.monotonic()
        self._listener.start()

    def _listen(
        self, watch: Callable[..., Any], folders: Sequence[str], heads: tuple[str, ...], end: threading.Event
    ) -> None:
        gathered = round(self._calm * 1000)
        try:
            for _ in watch(
                *folders,
                watch_filter=lambda change, path: not path.startswith(heads),
                stop_event=end,
                step=min(_STEP, gathered // _PART),
                debounce=gathered,
                raise_interrupt=False,
                ignore_permission_denied=True,
            ):
                self._tell()
        except Exception as error:  # noqa: BLE001  whatever it is: polling goes on
            self.problem = str(error) or type(error).__name__
        self._tell()

    def _tell(self) -> None:
        if not self._is_told:  # once is enough until the next look
            self._is_told = True
            self._calls.put(None)

    def looked(self, seconds: float) -> None:
        """Take note that a look is over, and how long it took."""
        self._looked, self._took = time.monotonic(), seconds

    def forget(self) -> None:
        """Forget what was told up to now: a look begins."""
        self._is_told = False
        while not (self._is_over or self._calls.empty()):
            self._hears(0.0)

    def wait(self, due: float | None) -> None:
        """Wait until a look is worth it.

        Parameters
        ----------
        due : float or None
            Seconds after which something is due.
        """
        is_heard = self.has_events and time.monotonic() - self._began > _SETTLING
        longest = max(SAFETY, self.interval) if is_heard else self.interval
        seconds = longest if due is None else min(longest, max(due, 0.01))
        if self._hears(seconds) and self.has_events:
            # Somebody writes all the time: then the looks must not take all the time.
            calm = max(min(self._calm, self.interval), _SHARE * self._took)
            self.rest(self._looked + calm - time.monotonic())

    def rest(self, seconds: float) -> None:
        """Wait for a while, whatever is told of changes."""
        end = time.monotonic() + seconds
        while not self._is_over and (left := end - time.monotonic()) > 0:
            self._hears(left)

    def _hears(self, seconds: float) -> bool:
        """Wait until something is told; says whether that was so."""
        if self._is_over:
            return True
        try:
            self._calls.get(timeout=seconds)
        except Empty:
            return False
        return True

    def ring(self) -> None:
        """End all waiting, now and later; a signal handler may do it."""
        self._is_over = True
        self._calls.put(None)

    @property
    def is_over(self) -> bool:
        """Whether somebody rang."""
        return self._is_over

    def leave(self) -> None:
        """End all waiting, and let the system tell nothing any more, without waiting for that."""
        self.ring()
        self._end.set()

    def deafen(self) -> None:
        """Let the system tell nothing any more."""
        self._end.set()
        if self._listener is not None:
            self._listener.join()
            self._listener = None
