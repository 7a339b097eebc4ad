"""Function calls in child processes or on a Dask cluster, through the executors that jobs have.

Knows executors, batches of one call and what becomes of them; must not know stages or why something is called. Many
threads call; one thread owns the executor, which is not made for several.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, cast

from sinagot.config.settings import StepSettings
from sinagot.engine.acts.calls import Carried, Request, packed_request, unpacked
from sinagot.engine.acts.voices import Voice
from sinagot.engine.causes import attach
from sinagot.engine.executors.contract import (
    BATCH_NUMBERS,
    MOST_SENDS,
    Arrival,
    Chain,
    Lost,
    SharedExecutor,
)
from sinagot.engine.job import CallJob, CallOptions, CallStep, Cause, JobResult, Outcome
from sinagot.errors import (
    CallInterruptedError,
    RemoteError,
    SinagotError,
    StepMemoryError,
    StepTimeoutError,
    UnsendableError,
    WorkerLostError,
)
from sinagot.scripts.sources import SourceSet

__all__ = ["RemoteCalls"]

#: Seconds between two looks when nothing is heard.
_TICK = 1.0
#: Seconds that killed calls may take to be gone before the executor is given back.
_LAST_WAIT = 10.0
#: What an attempt is ended for, by the name of the error.
_LIMITS: dict[str, type[SinagotError]] = {
    "StepMemoryError": StepMemoryError,
    "StepTimeoutError": StepTimeoutError,
}


class _Sent:
    """One call on its way."""

    __slots__ = ("done", "error", "job", "result", "sends")

    def __init__(self, job: CallJob) -> None:
        self.job = job
        self.done = threading.Event()
        self.sends = 1
        self.result: JobResult | None = None
        self.error: BaseException | None = None

    def end(self, result: JobResult | None = None, error: BaseException | None = None) -> None:
        """Let the caller go on."""
        self.result, self.error = result, error
        self.done.set()


class RemoteCalls:
    """Calls of functions elsewhere; from any thread, any number at once.

    Parameters
    ----------
    lend : callable
        Gives the executor, when the first call comes; nobody else uses it until `close`.
    closes : bool
        Close the executor in the end. A client that was handed in is never closed.

    Examples
    --------
    >>> from sinagot.engine.executors.processes import ProcessExecutor
    >>> with RemoteCalls(lambda: ProcessExecutor(1)) as calls:
    ...     calls.call("dict", dict, {"a": 1})
    {'a': 1}
    """

    def __init__(self, lend: Callable[[], SharedExecutor], *, closes: bool = True) -> None:
        self._lend = lend
        self._closes = closes
        self._options = CallOptions(f"calls-{os.urandom(8).hex()}")
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._waiting: deque[_Sent] = deque()
        self._is_killing = self._is_closing = False
        #: The thread waits in the executor, where nobody but its bell reaches it; there is room for more.
        self._is_listening = self._has_room = False
        self._wake: Callable[[], None] = lambda: None
        # Those of the thread alone. A call that was killed leaves its number until its process is gone.
        self._executor: SharedExecutor | None = None
        self._flight: dict[int, _Sent | None] = {}

    def call(
        self,
        name: str,
        function: Callable[..., Any],
        arguments: Mapping[str, Any],
        *,
        settings: StepSettings = StepSettings(),  # noqa: B008  (a tuple)
        voice: Voice | None = None,
        carried: Carried | None = None,
        source: SourceSet | None = None,
        files: Sequence[str] = (),
        heard: Callable[[JobResult], None] | None = None,
        returned: Callable[[Any], None] | None = None,
    ) -> Any:
        """Call a function elsewhere and wait for what it gives.

        Parameters
        ----------
        name : str
            What messages call it; readable in the dashboard of Dask.
        function : callable
            The function; one that no other process could import is sent by value.
        arguments : mapping
            Its arguments by name. They must not be changed while the call is on its way.
        settings : StepSettings
            Of which `timeout`, `memory`, `threads` and `isolate` hold.
        voice : Voice, optional
            Where what is said meanwhile goes; to the terminal alone without one.
        carried : Carried, optional
            What surrounds the call.
        source : SourceSet, optional
            The script whose local modules the function imports.
        files : sequence of str
            Files of the user's code: the innermost line in one of them is where it failed.
        heard : callable, optional
            Called with the `JobResult` in this thread before anything else: duration, `printed`, `warnings`.
        returned : callable, optional
            Called in this thread with what `carried` gave back, also after a failure.

        Returns
        -------
        object
            What the function gave.

        Raises
        ------
        Exception
            The function's own; a note has its traceback, and `causes.cause_of` tells it.
        RemoteError
            It failed with an exception that cannot be sent.
        UnsendableError
            The function, an argument or the result cannot be sent; says which.
        StepTimeoutError
            It took too long; its process is gone, with all that it had started.
        StepMemoryError
            It used too much memory; the same holds.
        WorkerLostError
            Its process died, or the place where calls run is gone.
        CallInterruptedError
            It was ended by `kill` or `close`.
        """
        job = CallJob(
            name,
            CallStep(settings),
            self._options,
            packed_request(name, Request(function, arguments, carried)),
            voice,
            source,
            tuple(files),
            tuple(sys.path),
        )
        sent = _Sent(job)
        self._send(sent)
        try:
            sent.done.wait()
        except BaseException:  # Ctrl-C, or the limit of time of who waits: nobody wants the answer
            with self._changed:
                if sent in self._waiting:
                    self._waiting.remove(sent)
            raise
        if sent.result is None:
            error = sent.error or WorkerLostError(f"{name}: nothing is known of it")
            del sent
            raise error
        return _opened(sent.result, heard, returned)

    def _send(self, sent: _Sent) -> None:
        with self._changed:
            if self._is_closing:
                raise CallInterruptedError(f"{sent.job.key}: no calls are taken any more")
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="sinagot-calls", daemon=True)
                self._thread.start()
            self._waiting.append(sent)
            self._notify(is_urgent=self._has_room)

    def _notify(self, *, is_urgent: bool = True) -> None:
        self._changed.notify()
        if self._is_listening and is_urgent:
            self._is_listening = self._has_room = False
            self._wake()

    def kill(self) -> None:
        """End all calls that run or wait, with everything they started; new ones can be made."""
        with self._changed:
            if self._thread is not None:
                self._is_killing = True
                self._notify()

    def close(self) -> None:
        """End all calls, and what was started for them; nothing is left when this returns."""
        with self._changed:
            self._is_closing = self._is_killing = True
            self._notify()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- the thread that owns the executor ---------------------------------------------------------

    def _serve(self) -> None:
        last = 0.0
        try:
            while True:
                with self._changed:
                    while not (self._waiting or self._flight or self._is_killing or self._is_closing):
                        self._changed.wait()
                    is_closing = self._is_closing
                if self._is_killing:
                    self._kill()
                    last = time.monotonic() + _LAST_WAIT
                if is_closing and (self._closes or not self._flight or time.monotonic() > last):
                    return
                try:
                    self._go_on()
                except Exception as error:  # noqa: BLE001  (of the place where calls run: whoever waits must learn it)
                    self._fail_all(error)
                    self._let_go()
        finally:
            self._fail_all(CallInterruptedError("no calls are taken any more"))
            self._let_go()

    def _go_on(self) -> None:
        """Send what there is room for, and take what came back."""
        with self._changed:
            is_idle = not self._waiting and not self._flight
        if is_idle:
            return
        if self._executor is None:
            self._executor = self._lend()
            self._wake = self._executor.waker()
        executor = self._executor
        while len(self._flight) < executor.slots:
            with self._changed:
                if not self._waiting:
                    break
                sent = self._waiting.popleft()
            number = next(BATCH_NUMBERS)
            self._flight[number] = sent
            executor.submit(number, [cast("Chain", (sent.job,))])
        with self._changed:
            has_room = len(self._flight) < executor.slots
            if self._is_killing or (self._waiting and has_room):
                return
            self._is_listening, self._has_room = True, has_room
        arrivals = executor.collect(_TICK)
        with self._changed:
            self._is_listening = self._has_room = False
        for arrival in arrivals:
            self._receive(arrival)
        if not executor.is_usable and not self._flight:
            self._let_go()

    def _receive(self, arrival: Arrival) -> None:
        sent = self._flight.pop(arrival.number, None)
        if sent is None:
            return  # it was killed
        if arrival.results is None:
            self._lose(sent, arrival.lost or Lost("the call was lost"))
        elif arrival.results[0]:
            sent.end(arrival.results[0][0])
        else:
            self._lose(sent, Lost("its worker was asked to end", is_begun=False))

    def _lose(self, sent: _Sent, lost: Lost) -> None:
        """Tell the caller why there is no answer; a call that was not begun is sent again."""
        name = sent.job.key
        if not lost.is_begun and lost.usable and sent.sends < MOST_SENDS:
            sent.sends += 1
            with self._changed:
                self._waiting.appendleft(sent)
            return
        if lost.key == name and lost.exc_type in _LIMITS:
            sent.end(error=_limit_error(Cause(lost.exc_type, lost.text, "")))
            return
        text = f"{name}: {lost.text}" + (f"; given up after {sent.sends} tries" if sent.sends > 1 else "")
        error = WorkerLostError(text, exit_code=lost.exit_code, signal=lost.signal)
        attach(error, Cause("WorkerLostError", text, ""))  # in the words that jobs have for it
        sent.end(error=error)

    def _kill(self) -> None:
        with self._changed:
            self._is_killing = False
            waiting = [*self._waiting]
            self._waiting.clear()
        try:
            if self._executor is not None and self._flight:
                self._executor.kill()
        finally:
            running = [sent for sent in self._flight.values() if sent is not None]
            self._flight = dict.fromkeys(self._flight)
            for sent in (*running, *waiting):
                sent.end(error=CallInterruptedError(f"{sent.job.key}: ended on request"))

    def _fail_all(self, error: BaseException) -> None:
        with self._changed:
            waiting = [*self._waiting]
            self._waiting.clear()
        running = [sent for sent in self._flight.values() if sent is not None]
        self._flight.clear()
        for sent in (*running, *waiting):
            sent.end(error=error)

    def _let_go(self) -> None:
        executor, self._executor = self._executor, None
        self._flight.clear()
        self._wake = lambda: None
        if executor is not None and self._closes:
            executor.close()


def _opened(
    result: JobResult, heard: Callable[[JobResult], None] | None, returned: Callable[[Any], None] | None
) -> Any:
    """Give what a function gave, or raise what it raised."""
    if heard is not None:
        heard(result)
    try:
        value, back = unpacked(result.value) if result.value else (None, [])
    except Exception as error:
        raise UnsendableError(
            f"{result.key}: its result cannot be rebuilt here: {type(error).__name__}: {error}",
            call=result.key,
            part="its result",
        ) from error
    if returned is not None and back:
        returned(back[0])
    if result.outcome == Outcome.INTERRUPTED:
        raise CallInterruptedError(f"{result.key}: its worker was asked to end")
    if result.cause is not None:
        raise _error_of(result.cause)
    return value


def _error_of(cause: Cause) -> BaseException:
    import pickle

    try:
        error = pickle.loads(cause.packed) if cause.packed else None
    except Exception:  # noqa: BLE001  (its module is not here, or it is made otherwise than it says)
        error = None
    if not isinstance(error, BaseException):
        if cause.exc_type in _LIMITS:
            return _limit_error(cause)
        error = RemoteError(f"{cause.exc_type}: {cause.message}", exc_type=cause.exc_type)
    attach(error, cause)
    return error


def _limit_error(cause: Cause) -> SinagotError:
    error = _LIMITS[cause.exc_type](cause.message)
    attach(error, cause)
    return error
