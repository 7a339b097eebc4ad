"""Runs acts: each when those before it are over, several at once where they may, again where that was asked for.

Knows acts and their scene; must not know pipelines. Besides `sinagot.engine.attempt` the only place that calls the
user's code, and from an attempt of which it is called itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any

from sinagot.engine.acts.act import Act, ActResult, ActState, SkipAct, may_run
from sinagot.engine.acts.agenda import Agenda
from sinagot.engine.acts.crew import Crew
from sinagot.engine.acts.current import CURRENT, Current
from sinagot.engine.acts.elements import elements_of, failed_elements_error
from sinagot.engine.acts.scene import Scene
from sinagot.engine.causes import cause_of, user_files_of
from sinagot.engine.limits import needs_child
from sinagot.engine.obedience import signal_came
from sinagot.engine.retries import kinds_of, pause_of
from sinagot.errors import ExitPipeline
from sinagot.runlog.capture import capture

__all__ = ["Board"]

#: Seconds before the first repetition of an act that does not say it.
RETRY_WAIT = 0.5
#: Seconds that what runs on other threads gets after a stop.
STOP_GRACE = 2.0
#: Status of every line inside an attempt: it is running.
_INSIDE = 20
_STATUS = {
    ActState.DONE: 30,
    ActState.ERROR: 40,
    ActState.INTERRUPTED: 42,
    ActState.SKIPPED: 43,
}


class Board:
    """Runs acts to their end.

    Parameters
    ----------
    scene : Scene
        Their surroundings.
    width : int
        How many may run at once.
    goes_on : bool
        After a failure whatever does not depend on it is run nevertheless.
    quiet : bool
        Nothing is logged of acts that go well, and nothing at all noted.
    mute : bool
        Nothing is logged of acts that fail either: those within them have told.

    Attributes
    ----------
    exit : ExitPipeline or None
        With which an act has ended the run early.
    """

    def __init__(
        self, scene: Scene, *, width: int, goes_on: bool = False, quiet: bool = False, mute: bool = False
    ) -> None:
        self._scene = scene
        self._width = width
        self._goes_on = goes_on
        self._quiet = quiet or mute
        self._mute = mute
        #: Nothing more is begun, and how to reach all that runs: one for a board and those of its maps.
        self._over = threading.Event()
        self._crews: list[Crew[None]] = []
        #: Threads in which such a map waits for its elements.
        self._maps: set[int] = set()
        #: The first that failed.
        self._bad: str | None = None
        #: Of which the end was noted.
        self._told: set[str] = set()
        self.exit: ExitPipeline | None = None

    def run(
        self, acts: Sequence[Act], after: Callable[[ActResult], None] = lambda result: None
    ) -> dict[str, ActResult]:
        """Run acts; those that are ready start in the order in which they are given.

        Parameters
        ----------
        acts : sequence of Act
            Their names are unique, `needs` name acts of the sequence, and there is no circle.
        after : callable
            Called with each result, as it comes: by one thread at a time, which need not be this one.

        Returns
        -------
        dict of str to ActResult
            Of each act, in the order given.

        Raises
        ------
        KeyboardInterrupt
            Somebody stopped the program; what was running has been told, and `results` of the exception has what was
            known then.
        """
        agenda = Agenda(acts, self._skipped, partial(self._closed, after), self._may_begin)
        crew: Crew[None] = Crew(self._width, "sinagot-stage")
        self._crews.append(crew)
        try:
            while True:
                act = agenda.next_alone()
                if act is not None:
                    # Nothing else could run: no thread is needed, and Ctrl-C reaches the code itself.
                    agenda.close(self._perform(act))
                elif agenda.has_more and crew.has_room:
                    crew.begin(partial(self._work, agenda, crew))
                elif crew.busy:
                    crew.wait(lambda: agenda.has_more)
                elif not agenda.has_more:
                    _check_nothing_left(agenda)
                    return agenda.results
        except BaseException as error:
            self._stop(crew, agenda, error)
            raise
        finally:
            self._crews.remove(crew)
            crew.close()

    def _work(self, agenda: Agenda, crew: Crew[None]) -> None:
        """Run acts in a thread of the crew, one after the other, as long as there are more than one to choose from."""
        while (act := agenda.next()) is not None:
            if agenda.has_more:
                crew.call_for_help()
            try:
                # Each in a context of its own: what one sets there the next does not see.
                result = copy_context().run(self._perform, act)
            except BaseException:
                agenda.halt()  # nothing is known of it: the board tells why
                raise
            agenda.close(result)
            crew.note()

    def _may_begin(self) -> bool:
        """Say whether anything may: after a signal nothing is begun; what runs may take the time that it is given."""
        return not (signal_came() or self._over.is_set())

    def _closed(self, after: Callable[[ActResult], None], result: ActResult) -> None:
        if result.is_bad and self._bad is None:
            self._bad = result.name
        if isinstance(result.error, ExitPipeline):
            self.exit = result.error
        after(result)

    def _skipped(self, act: Act, results: Mapping[str, ActResult]) -> ActResult | None:
        reason = self._reason(act, results)
        return None if reason is None else self._skip(act, reason)

    def _reason(self, act: Act, results: Mapping[str, ActResult]) -> str | None:
        """Say why an act does not run."""
        if self.exit is not None:
            return f"the pipeline was ended: {self.exit}"
        if not self._goes_on and self._bad is not None:
            return may_run(act, [results[name] for name in act.needs]) or f"{self._bad!r} failed"
        return may_run(act, [results[name] for name in act.needs])

    def _skip(self, act: Act, reason: str) -> ActResult:
        if act.element is None:  # of a list, the first that failed is told, and how many were not begun
            self._scene.voice(act.name).line(
                _INSIDE, f"Stage skipped: {reason}", stage_status=_STATUS[ActState.SKIPPED]
            )
            self._scene.note(act.name, ActState.SKIPPED, reason=reason)
        return ActResult(act.name, ActState.SKIPPED, reason=reason)

    def _stop(self, crew: Crew[None], agenda: Agenda, error: BaseException) -> None:
        """Stop what runs on other threads and in other processes; what does not hear is left to itself."""
        agenda.halt()
        if not self._over.is_set():  # else whoever has set it has told all
            crews = [crew]
            if isinstance(error, KeyboardInterrupt) or crew is self._crews[0]:
                self._over.set()
                self._scene.kill()
                crews = [*self._crews]
            for one in crews:
                one.interrupt(self._maps)
            end = time.monotonic() + STOP_GRACE
            while crew.busy and (left := end - time.monotonic()) > 0:
                with suppress(Exception):  # of one that could not be told of there is no result
                    crew.wait(timeout=left)
        running, results = agenda.give_up(), agenda.results
        for name in running:
            results[name] = ActResult(name, ActState.INTERRUPTED, error)
            if not self._quiet and name not in self._told:
                self._scene.note(name, ActState.INTERRUPTED)
        error.results = results  # type: ignore[attr-defined]

    # -- one act

    def _perform(self, act: Act) -> ActResult:
        """Run one act to its end, with its repetitions; whatever happens is a result."""
        name, element = act.element or (act.name, None)
        voice = self._scene.voice(name) if element is None else self._scene.voice(name, element=element)
        result = ActResult(act.name, ActState.RUNNING)
        if act.gate is not None and (reason := act.gate()) is not None:
            return self._skip(act, reason)
        if not self._quiet:
            voice.line(_INSIDE, "Stage started")
            self._scene.note(act.name, ActState.RUNNING)
        start = time.perf_counter()
        with capture(voice):
            while True:
                try:
                    self._call(act, result)
                    result.state, result.error = ActState.DONE, None
                except SkipAct as skip:
                    result.state, result.reason = ActState.SKIPPED, str(skip)
                except ExitPipeline as end:
                    result.state, result.error = ActState.ERROR if end.error else ActState.DONE, end
                except BaseException as error:  # noqa: BLE001  (the place that calls user code)
                    self._fail(act, result, error)
                    if result.state == ActState.ERROR and self._repeats(act, result, voice):
                        continue
                break
        result.duration = time.perf_counter() - start
        self._close(voice, result)
        if (
            isinstance(result.error, KeyboardInterrupt)
            and threading.current_thread() is threading.main_thread()
        ):
            raise result.error  # Ctrl-C came while it ran here: it is meant for all
        return result

    def _call(self, act: Act, result: ActResult) -> None:
        name, element = act.element or (act.name, None)
        if self._over.is_set():
            raise KeyboardInterrupt
        token = CURRENT.set(Current(name, result.tries, self._scene.place, element))
        try:
            values = act.bind()
            if act.around is None or self._is_away(act):
                value = self._made(act, values, result)
            else:
                with act.around(values) as values:
                    value = self._made(act, values, result)
            if act.deliver is not None:
                act.deliver(value)
        finally:
            CURRENT.reset(token)

    def _made(self, act: Act, values: Mapping[str, Any], result: ActResult) -> Any:
        return self._map(act, values, result) if act.each else self._call_one(act, act.name, values)

    def _is_away(self, act: Act) -> bool:
        """Say whether it runs in another process."""
        return not act.is_local and (self._scene.is_remote or needs_child(act.settings))

    def _call_one(self, act: Act, name: str, values: Mapping[str, Any]) -> Any:
        if self._is_away(act):
            return self._scene.call_elsewhere(name, act.function, values, act.settings)
        return act.function(**values)

    def _fail(self, act: Act, result: ActResult, error: BaseException) -> None:
        is_stopped = isinstance(error, KeyboardInterrupt) or self._over.is_set()
        result.state = ActState.INTERRUPTED if is_stopped else ActState.ERROR
        result.error = error
        shown = self._scene.log.redact
        result.cause = cause_of(error, self._scene.files or user_files_of(error), shown=shown)

    def _repeats(self, act: Act, result: ActResult, voice: Any) -> bool:
        """Wait until it is time to try again; say whether it is."""
        assert result.cause is not None and result.error is not None, "it has failed"
        pause = pause_of(act.settings, result.tries, result.cause, kinds_of(result.error), RETRY_WAIT)
        if pause is None or act.each:
            return False
        result.tries += 1
        text = f"Stage failed ({result.cause.exc_type}: {result.cause.message}); try {result.tries + 1} in {pause:g} s"
        voice.line(_INSIDE, text, "WARNING")
        return not self._over.wait(pause)

    def _close(self, voice: Any, result: ActResult) -> None:
        """Write down how an act ended."""
        facts: dict[str, Any] = {
            "stage_status": _STATUS[result.state],
            "duration_s": round(result.duration, 6),
        }
        noted: dict[str, Any] = {"duration_s": facts["duration_s"]}
        if result.tries:
            noted["tries"] = result.tries
        if result.failed_elements:
            noted["failed_elements"] = result.failed_elements[:100]
        if result.state == ActState.DONE:
            if self._quiet:
                voice.close()
            else:
                voice.finish(_INSIDE, "Stage finished", **facts)
        elif self._mute and result.state != ActState.SKIPPED:
            voice.close()
        elif result.state == ActState.SKIPPED:
            voice.finish(_INSIDE, f"Stage skipped: {result.reason}", **facts)
            noted["reason"] = result.reason
        else:
            cause = result.cause
            kind, message = (cause.exc_type, cause.message) if cause else ("ExitPipeline", str(result.error))
            trace = {"exc_type": kind, "exc_message": message, "traceback": cause.traceback if cause else ""}
            word = "interrupted" if result.state == ActState.INTERRUPTED else "failed"
            element = (voice.fields or {}).get("element")
            what = "Stage" if element is None else f"Element {element}"
            voice.finish(_INSIDE, f"{what} {word}: {kind}: {message}", "ERROR", **facts, **trace)
            noted |= {"exc_type": kind, "exc_message": message[:2000], "where": cause.where if cause else ""}
        if not self._quiet:
            self._told.add(result.name)
            self._scene.note(result.name, result.state, **noted)

    # -- one call per element

    def _map(self, act: Act, values: Mapping[str, Any], result: ActResult) -> list[Any]:
        """Call the function once per element; results are in the order of the elements."""
        elements = elements_of(act, values)
        made: list[Any] = [None] * len(elements)
        elementary = Board(self._scene, width=act.width or self._width, goes_on=self._goes_on, quiet=True)
        elementary._over, elementary._crews, elementary._maps = self._over, self._crews, self._maps
        parts = [
            Act(
                f"{act.name}[{number}]",
                partial(_keep, made, number, partial(self._call_one, act, f"{act.name}[{number}]", element)),
                settings=act.settings._replace(timeout=None, memory=None, isolate=None),
                is_local=True,
                element=(act.name, number),
            )
            for number, element in enumerate(elements)
        ]
        self._maps.add(threading.get_ident())
        try:
            found = list(elementary.run(parts).values())
        finally:
            self._maps.discard(threading.get_ident())
        if elementary.exit is not None:
            raise elementary.exit
        bad = [number for number, one in enumerate(found) if one.is_bad]
        if bad:
            result.failed_elements = bad
            raise failed_elements_error(found, bad)
        return made


def _check_nothing_left(agenda: Agenda) -> None:
    """Stop here when acts were not begun because a signal came."""
    if agenda.is_left:
        raise KeyboardInterrupt


def _keep(made: list[Any], number: int, call: Callable[[], Any]) -> None:
    made[number] = call()
