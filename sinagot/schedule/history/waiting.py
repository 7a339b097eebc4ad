"""Opening a history that may be away: on a thread, so that nobody who wants to end has to wait for a server.

Knows that it can be tried again; must not know what a history is kept in.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from sinagot.config.quantities import seconds_text
from sinagot.errors import HistoryUnavailableError
from sinagot.schedule.history.contract import History

__all__ = ["await_history", "begin_to_open"]

#: Seconds between two looks at whether it is open, or nobody wants it any more.
_GLANCE = 0.05
_LONGEST_BACKOFF = 30.0


def begin_to_open(open_now: Callable[[], History]) -> Future[History]:
    """Open a history on a thread that holds up no end of the process.

    Parameters
    ----------
    open_now : callable
        Opens it, or raises.
    """
    found: Future[History] = Future()

    def work() -> None:
        try:
            found.set_result(open_now())
        except BaseException as error:  # noqa: BLE001  (raised where the result is asked for)
            found.set_exception(error)

    threading.Thread(target=work, name="sinagot-history", daemon=True).start()
    return found


def await_history(
    open_now: Callable[[], History],
    is_unwanted: Callable[[], bool],
    tell: Callable[[str, str], None],
) -> History | None:
    """Open a history; while it can't be reached, say so once, and try again after a while.

    Parameters
    ----------
    open_now : callable
        Opens it, or raises.
    is_unwanted : callable
        Says whether to give up; it is asked many times a second.
    tell : callable
        Gets level and text of what is to be told.

    Returns
    -------
    History or None
        None when it was given up.

    Raises
    ------
    ConfigurationError, MissingExtraError
        Waiting is of no use.
    """
    trouble, times, since = "", 0, time.monotonic()
    while not is_unwanted():
        found = begin_to_open(open_now)
        _wait(found.done, is_unwanted)
        if not found.done():
            found.add_done_callback(_close)
            return None
        try:
            history = found.result()
        except HistoryUnavailableError as error:
            times += 1
            if str(error) != trouble:
                trouble = str(error)
                tell("ERROR", f"nothing is decided or started until this is over: {trouble}")
            again = time.monotonic() + min(2.0 ** min(times - 2, 10), _LONGEST_BACKOFF)
            _wait(lambda again=again: time.monotonic() >= again, is_unwanted)  # type: ignore[misc]
            continue
        if times:
            tell("INFO", f"the history is there, after {seconds_text(time.monotonic() - since)}: {trouble}")
        return history
    return None


def _wait(question: Callable[[], bool], is_unwanted: Callable[[], bool]) -> None:
    # No event: a signal that comes within its wait could not set it.
    while not question() and not is_unwanted():
        time.sleep(_GLANCE)


def _close(found: Future[History]) -> None:
    """Close what was opened when nobody wanted it any more."""
    if found.exception() is None:
        found.result().close()
