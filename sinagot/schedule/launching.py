"""Launches that one service holds: begun as programs, watched, settled, tried again; and those that others have left.

Knows the history, programs and files of runs; must not know when a schedule ticks. Each change of a launch says which
version of it was seen, so of two services one makes it. The folder of a run is made by its program or by who gives it
up, whoever is first: a run that was given up never begins.
"""

from __future__ import annotations

import json
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from sinagot.engine.accounts.runs import facts_of
from sinagot.engine.request import new_run_id
from sinagot.engine.state.history import RunFolder, read_manifest, reserve_run
from sinagot.engine.state.owners import Owner, start_time
from sinagot.runlog.secrets import MASK, redactor
from sinagot.schedule.deciding import waits_for
from sinagot.schedule.history.facts import Launch, Origin, State
from sinagot.schedule.outcomes import CANCEL, End, end_of
from sinagot.schedule.programs import Program, own_run, send, watch
from sinagot.schedule.spans import span

if TYPE_CHECKING:
    from sinagot.schedule.diary import Diary
    from sinagot.schedule.history.contract import History

__all__ = ["Launcher", "Retry"]

_AGAIN = (State.FAILED, State.LOST)


class Retry(NamedTuple):
    """How often a tick is tried again, and after how many seconds."""

    times: int = 0
    delay: float = 0.0


@dataclass
class _Held:
    """A run that this service watches."""

    launch: Launch
    #: None of one that another service has started.
    program: Program | None = None
    #: It has been told to end, because the service ends.
    is_stopping: bool = False
    #: It has been told to end, because somebody has cancelled it.
    is_told: bool = False
    #: Its process is on the record.
    is_known: bool = True
    #: Its end is told by the system; else its files have to be asked.
    is_watched: bool = True


class Launcher:
    """The launches of one service.

    Parameters
    ----------
    history : History
        Where they are on record.
    state : str
        The state folder.
    words : sequence of str
        Options that lead to the workspace on a command line.
    me : Owner
        The process of the service.
    name : str
        Of the service.
    diary : Diary
        What is told of them.
    now : callable
        Gives the time, UTC.
    wake : callable
        Called when a program has ended, on any thread.
    """

    def __init__(
        self,
        history: History,
        *,
        state: str,
        words: Sequence[str],
        me: Owner,
        name: str,
        diary: Diary,
        now: Callable[[], datetime],
        wake: Callable[[], None],
    ) -> None:
        self.limit = 1
        #: Policies by schedule.
        self.overlap_of: Callable[[str], str] = lambda schedule: "skip"
        self.retry_of: Callable[[str], Retry] = lambda schedule: Retry()
        #: Called with each launch that is over, and not tried again.
        self.note_over: Callable[[Launch], None] = lambda launch: None
        self._history, self._state, self._words = history, state, list(words)
        self._me, self._name, self._diary = me, name, diary
        self._now, self._wake = now, wake
        self._held: dict[str, _Held] = {}
        self._ended: deque[str] = deque()
        #: Parameters of launches of ours that are secret: they are nowhere else.
        self._secrets: dict[str, dict[str, Any]] = {}

    @property
    def going(self) -> int:
        """Number of runs that this service watches."""
        return len(self._held)

    @property
    def has_news(self) -> bool:
        """Whether a program has ended that is not settled yet."""
        return bool(self._ended)

    def keep_secret(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Keep parameters that must not be on record."""
        if params:
            self._secrets[run_id] = dict(params)

    # -- what is due

    def settle(self) -> None:
        """Put on record how programs ended that have ended since; they are asked again when that fails."""
        for run_id in list(self._ended):
            held = self._held.get(run_id)
            if held is not None:
                self._settle_held(held)
            self._ended.remove(run_id)

    def tend(self, open_launches: Sequence[Launch], gone: Callable[[str], bool], *, adopts: bool) -> bool:
        """Look after launches: tell those to end that were cancelled, note processes, take over what is nobody's.

        Parameters
        ----------
        open_launches : sequence of Launch
            All there are.
        gone : callable
            Says of the name of a service whether it is known to be no more.
        adopts : bool
            Take over launches of services that are gone.

        Returns
        -------
        bool
            Some may have changed.
        """
        has_changed = False
        for launch in open_launches:
            held = self._held.get(launch.run_id)
            if held is not None:
                self._tend_held(held, launch)
            elif launch.service == self._name:
                if launch.state == State.RUNNING:
                    self._recover(launch)  # it was put on record, and this service never learned that
                    has_changed = True
            elif adopts and (launch.service is None or gone(launch.service)):
                self._take_over(launch)
                has_changed = True
        listed = {launch.run_id for launch in open_launches}
        for run_id in [one for one in self._held if one not in listed]:
            self._drop(run_id)  # somebody else has settled it
        return has_changed

    def begin(self, open_launches: Sequence[Launch]) -> float | None:
        """Begin what waits and may begin; gives how many seconds until a try again is due.

        Parameters
        ----------
        open_launches : sequence of Launch
            All there are; some of them may have changed since.
        """
        now = self._now()
        current = {launch.run_id: launch for launch in open_launches}
        soonest: float | None = None
        for launch in open_launches:
            if launch.state != State.QUEUED or launch.service != self._name:
                continue
            if launch.due is not None and launch.due > now:
                wait = (launch.due - now).total_seconds()
                soonest = wait if soonest is None else min(soonest, wait)
                continue
            overlap = self.overlap_of(launch.schedule) if launch.schedule is not None else "allow"
            if waits_for(launch, current.values(), overlap) is not None:
                continue
            if len(self._held) >= self.limit:
                break
            begun = self._begin(launch)
            if begun is not None:
                current[launch.run_id] = begun
        return soonest

    # -- one run

    def _begin(self, launch: Launch) -> Launch | None:
        given = {**launch.params, **self._secrets.get(launch.run_id, {})}
        now = self._now()
        if any(value == MASK for value in given.values()):
            text = "its secret parameters ended with the service that was asked; ask again"
            self._close(launch, End(State.FAILED, text))
            return None
        running = self._history.change(
            launch,
            state=State.RUNNING,
            service=self._name,
            host=self._me.host,
            boot=self._me.boot,
            began=now,
        )
        if running is None:
            return None  # cancelled, or taken over
        words = [*self._words, "pipeline", "run", "--run-id", launch.run_id]
        words += ["--release", (launch.tick or launch.asked).isoformat(), "--params-from", "-"]
        facts = {"pipeline": launch.pipeline, "run_id": launch.run_id, "origin": str(launch.origin)}
        try:
            with span("sinagot.begin", **facts):
                program = Program(
                    [*words, "--", launch.pipeline],
                    given=json.dumps(given).encode(),
                    ended=partial(self._note_end, launch.run_id),
                )
        except OSError as error:
            self._close(running, End(State.FAILED, f"its program could not be started: {error}"))
            return None
        held = _Held(running, program, is_known=False)
        self._held[launch.run_id] = held
        self._tell_process(held)
        self._diary.launched(held.launch, f"started as process {program.pid}")
        return held.launch

    def _note_end(self, run_id: str) -> None:
        self._ended.append(run_id)
        self._wake()

    def _tell_process(self, held: _Held) -> None:
        """Put the process of a run on record."""
        program = held.program
        while program is not None and not held.is_known:
            changed = self._history.change(held.launch, pid=program.pid, start=program.start)
            if changed is not None:
                held.launch, held.is_known = changed, True
                return
            found = self._history.launch(held.launch.run_id)
            if found is None or found.state != State.RUNNING or found.service != self._name:
                return  # it is somebody else's by now
            held.launch = found

    def _tend_held(self, held: _Held, launch: Launch) -> None:
        if launch.state != State.RUNNING or launch.service != self._name:
            self._drop(launch.run_id)
            return
        held.launch = launch
        self._tell_process(held)
        if launch.message.startswith(CANCEL) and not held.is_told:
            held.is_told = self.signal(held.launch, signal.SIGTERM)
        elif not held.is_watched and facts_of(self._state, launch.run_id).state != "running":
            self._settle_held(held)

    def tell_end(self, launch: Launch) -> None:
        """Tell a run to end that somebody has cancelled; on another host its service does."""
        held = self._held.get(launch.run_id)
        if held is not None:
            held.is_told = True
        if not self.signal(launch, signal.SIGTERM) and held is not None:
            held.is_told = False

    def signal(self, launch: Launch, signum: int) -> bool:
        """Send a signal to the program of a launch; False where that is none of this machine and user."""
        if launch.host == self._me.host and launch.boot == self._me.boot and launch.pid and launch.start:
            return send(launch.pid, launch.start, signum)
        owner = own_run(self._state, launch.run_id)
        return owner is not None and send(owner.pid, owner.start, signum)

    def _settle_held(self, held: _Held) -> None:
        launch = self._history.launch(held.launch.run_id) or held.launch
        if launch.state != State.RUNNING or launch.service != self._name:
            self._drop(launch.run_id)
            return
        program = held.program
        code = None if program is None else program.process.returncode
        tail = "" if program is None else self._redacted(launch.run_id, program.tail)
        self._close(launch, self._end(launch, code, tail, is_stopping=held.is_stopping), code)
        self._drop(launch.run_id)

    def _end(self, launch: Launch, code: int | None, tail: str, *, is_stopping: bool = False) -> End:
        return end_of(
            self._state,
            launch.run_id,
            launch.pipeline,
            read_manifest(self._state, launch.run_id),
            exit_code=code,
            tail=tail,
            wish=launch.message if launch.message.startswith(CANCEL) else "",
            is_stopping=is_stopping,
            is_restarted=launch.host == self._me.host and launch.boot != self._me.boot,
        )

    def _redacted(self, run_id: str, text: str) -> str:
        texts = [value for value in self._secrets.get(run_id, {}).values() if isinstance(value, str)]
        return redactor(texts)(text)

    def _drop(self, run_id: str) -> None:
        self._held.pop(run_id, None)
        self._secrets.pop(run_id, None)

    def _close(self, launch: Launch, end: End, code: int | None = None) -> None:
        """Put the end of a launch on record; a tick that may be tried again is queued anew before."""
        retry = self.retry_of(launch.schedule) if launch.schedule is not None else Retry()
        is_again = (
            end.state in _AGAIN
            and launch.origin == Origin.SCHEDULE
            and launch.attempt <= retry.times
            and not self._is_tried_again(launch)
        )
        if is_again:
            self._queue_again(launch, launch.attempt + 1, retry.delay)
        over = self._over(launch, end, code)
        if over is not None:
            words = {State.DONE: "done"}.get(over.state, f"{over.state}: {over.message}")
            more = f"; tried again ({launch.attempt + 1} of {retry.times + 1})" if is_again else ""
            self._diary.launched(over, f"{words}{more}")
            if not is_again:
                self.note_over(over)

    def _over(self, launch: Launch, end: End, code: int | None) -> Launch | None:
        while launch.state in (State.QUEUED, State.RUNNING):
            facts = {"state": end.state, "ended": self._now(), "exit_code": code, "message": end.message}
            changed = self._history.change(launch, **facts)
            if changed is not None:
                return changed
            found = self._history.launch(launch.run_id)
            if found is None:
                return None
            launch = found
        return None

    def _is_tried_again(self, launch: Launch) -> bool:
        """Say whether the next try is on record: a service that was killed has put it there."""
        return any(
            one.pipeline == launch.pipeline
            and (one.schedule, one.tick) == (launch.schedule, launch.tick)
            and (launch.schedule is not None or one.asked == launch.asked)
            and one.run_id != launch.run_id
            and one.attempt >= launch.attempt
            for one in self._history.open_launches()
        )

    def _queue_again(self, launch: Launch, attempt: int, delay: float) -> None:
        again = Launch(
            new_run_id(),
            launch.pipeline,
            launch.origin,
            State.QUEUED,
            launch.asked,
            launch.params,
            launch.schedule,
            launch.tick,
            attempt,
            self._now() + timedelta(seconds=delay) if delay else None,
            self._name,
        )
        self.keep_secret(again.run_id, self._secrets.get(launch.run_id, {}))
        self._history.add(again)

    # -- what others have left

    def _take_over(self, launch: Launch) -> None:
        taken = self._history.change(launch, service=self._name)
        if taken is None:
            return  # another service was quicker
        former = launch.service or "nobody"
        if taken.state == State.QUEUED:
            self._diary.launched(taken, f"waits here now: its service {former} is gone")
        else:
            self._diary.launched(taken, f"watched here now: its service {former} is gone")
            self._recover(taken)

    def _recover(self, launch: Launch) -> None:
        """Watch a run on, or put on record how it ended, or that it never began."""
        is_here = launch.host == self._me.host and launch.boot == self._me.boot
        pid, start = launch.pid, launch.start
        if pid is None and (owner := own_run(self._state, launch.run_id)) is not None:
            pid, start = owner.pid, owner.start
            launch = self._history.change(launch, pid=pid, start=start) or launch
        if is_here and pid is not None and start and start_time(pid) == start:
            self._held[launch.run_id] = _Held(launch)
            watch(pid, start, partial(self._note_end, launch.run_id))
            return
        if self._give_up(launch):
            if launch.pid is None:
                if not self._is_tried_again(launch):
                    self._queue_again(launch, launch.attempt, 0.0)
                text = "its program never began; the run is asked for again"
            else:
                text = "its program ended before anything ran, and nobody was there to see why"
            self._close(launch, End(State.LOST, text))
        elif facts_of(self._state, launch.run_id).state == "running":  # on another host, or just beginning
            self._held[launch.run_id] = _Held(launch, is_watched=False)
        else:
            self._close(launch, self._end(launch, None, ""))

    def _give_up(self, launch: Launch) -> bool:
        """Make sure that a run never begins; False when it had begun."""
        if not reserve_run(self._state, launch.run_id):
            return bool(read_manifest(self._state, launch.run_id).get("given_up"))
        folder = RunFolder(self._state, launch.run_id)
        folder.begin(kind="pipeline", pipeline=launch.pipeline, records=0, jobs=1, host=launch.host)
        folder.end(counts={}, ok=False, stopped_by=None, warnings=["its program never began"], given_up=True)
        return True

    # -- the end of the service

    def tell_all(self, signum: int) -> None:
        """Tell all runs of this machine to end, because the service ends."""
        for held in list(self._held.values()):
            held.is_stopping = self.signal(held.launch, signum) or held.is_stopping
