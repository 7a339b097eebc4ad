"""`Service`: decides about the ticks of a workspace, and starts the runs that they ask for.

Knows when to look, and that the history may be away; what is asked of it meanwhile is `sinagot.schedule.desk`'s. It
wakes at the next tick, when a program has ended, when something is asked for, and every few seconds for files.
"""

from __future__ import annotations

import heapq
import signal
import threading
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from sinagot.config.quantities import seconds_text
from sinagot.config.schedules import schedule_of
from sinagot.config.settings import PolicySettings
from sinagot.errors import HistoryUnavailableError
from sinagot.schedule.deciding import MOST_COUNTED
from sinagot.schedule.desk import Desk
from sinagot.schedule.history.facts import Launch, State
from sinagot.schedule.launching import Retry
from sinagot.schedule.notices import tell_of
from sinagot.schedule.roster import Entry

if TYPE_CHECKING:
    from sinagot.schedule.history.contract import History
    from sinagot.workspace.contracts import House

__all__ = ["Service"]

#: Seconds between two looks at files, and at what other services have left.
LOOK = 5.0
#: The same, while something of ours waits for what others run.
_CLOSE_LOOK = 1.0
_LONGEST_BACKOFF = 30.0
#: Of a service that does what is due once: cron starts it again.
_MOST_TRIES = 4
#: Beside the grace of stages: what programs need to put their ends on record.
_SETTLE = 5.0
#: Ticks that are counted in one go, over all schedules.
_MOST_COUNTED = 2 * MOST_COUNTED
_LONGEST_TEXT = 1000
#: Causes that are told of one time of trouble.
_MOST_TOLD = 10
#: What is over is remembered so long; seconds from one clearing up to the next, and to the first.
_KEPT = timedelta(days=90)
#: A clock that goes back by more than this was set.
_SET_BACK = timedelta(minutes=1)
_SWEEP, _FIRST_SWEEP = 86_400.0, 60.0


class Service(Desk):
    """One service of a workspace; any number of them on any hosts share one history.

    Parameters
    ----------
    workspace : Workspace
        Whose pipelines run.
    history : History
        What services share; whoever opened it closes it, after `stop`.
    decides : bool
        False: start what is asked for here, and leave ticks, and what others have left, to other services.
    **options : object
        ``words``, ``clock``, ``tell`` and ``beat``, as of `Desk`.
    """

    def __init__(self, workspace: House, history: History, *, decides: bool = True, **options: Any) -> None:
        super().__init__(workspace, history, **options)
        settings = schedule_of(workspace.configuration)
        self._launcher.limit = min(settings.max_runs, settings.workers or settings.max_runs)
        self.most_waiting = settings.max_waiting * self._launcher.limit
        self._launcher.overlap_of = lambda name: self._policies_of(name).overlap
        self._launcher.retry_of = self._retry_of
        self._launcher.note_over = self._tell_of
        #: Messages that are on their way.
        self._telling: list[threading.Thread] = []
        self._grace: float = workspace.configuration.run.stop_grace
        self._ends_runs = settings.stop == "end"
        self._decides = decides
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        #: Times of the next ticks, and of each schedule when it is looked at next.
        self._heap: list[tuple[datetime, str]] = []
        self._next_at: dict[str, datetime] = {}
        #: When it looked at the clock last.
        self._looked = self.clock.now()
        self._seen: dict[str, Entry] = {}
        self._seen_version = 0
        self._said: set[str] = set()
        self._look_at = self._tend_at = -1.0
        self._sweep_at = self.clock.monotonic() + _FIRST_SWEEP
        #: Since when the history, or something else, is in the way; how often it was tried.
        self._tried: datetime | None = None
        self._times = 0
        self._trouble = ""
        #: What was told of it: a network that is down has several words for that, by turns.
        self._told: set[str] = set()

    def _retry_of(self, name: str) -> Retry:
        policies = self._policies_of(name)
        return Retry(policies.retries, policies.retry_delay)

    def _tell_of(self, launch: Launch) -> None:
        """Send messages about a run of a schedule."""
        if launch.schedule is not None:
            configuration = self.roster.configuration
            settings = self._policies_of(launch.schedule).notify_over(configuration.notify)
            problem = partial(self._diary.note, level="WARNING", schedule=launch.schedule)
            self._telling = [thread for thread in self._telling if thread.is_alive()]
            self._telling.append(tell_of(launch, settings, configuration, problem))

    def _policies_of(self, name: str) -> PolicySettings:
        entry = self.roster.entries.get(name) or self._seen.get(name)
        return PolicySettings() if entry is None else entry.policies

    @property
    def is_held_up(self) -> bool:
        """Whether the history, or something else, is in the way: nothing is decided or started until it is over."""
        return self._tried is not None

    # -- beginning and end

    def start(self) -> None:
        """Begin to work on a thread of its own."""
        self._thread = threading.Thread(target=self.run, name="sinagot-schedules", daemon=True)
        self._thread.start()

    def stop(self, *, end: bool | None = None) -> None:
        """Take nothing new, wait up to ``run.stop_grace`` for what runs, and end.

        What is queued stays queued for other services, and a run that goes on is theirs to watch.

        Parameters
        ----------
        end : bool, optional
            Tell runs that go on to end, and wait for them; as ``[schedule] stop`` says when not given.
        """
        self.ask_to_stop(end=end)
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def ask_to_stop(self, *, end: bool | None = None) -> None:
        """Ask the loop to end, and return at once; a handler of signals may call it. See `stop`."""
        if end is not None:
            self._ends_runs = end
        self._stopping.set()
        self._wake.set()

    def run(self, *, once: bool = False, until: datetime | None = None) -> None:
        """Work until `ask_to_stop` is called.

        Parameters
        ----------
        once : bool
            End when all that was due now is over.
        until : datetime, optional
            End then.

        Raises
        ------
        HistoryUnavailableError
            With `once`, when it was tried in vain for some seconds; else it is tried until the end.
        """
        self._diary.note(f"service {self.name} begins")
        try:
            while not self._stopping.is_set():
                self._wake.clear()
                pause = self._step_safely(_MOST_TRIES if once else None)
                if until is not None:
                    pause = min(pause, (until - self.clock.now()).total_seconds())
                    if pause <= 0:
                        break
                if once and self._tried is None and self._is_idle():
                    break
                self.clock.wait(self._wake, max(pause, 0.0))
        finally:
            self._finish()

    def _is_idle(self) -> bool:
        """Whether nothing of this service runs or waits."""
        mine = [one for one in self.history.open_launches() if one.service == self.name]
        return not self._launcher.going and not mine

    def _finish(self) -> None:
        with self._guard:
            self._is_closing = True
        deadline, is_told = self.clock.monotonic() + self._grace, False
        if self._launcher.going and not self._ends_runs:
            number = self._launcher.going
            runs = f"{number} run{'s' * (number != 1)}"
            text = f"ends: {runs} may take {seconds_text(self._grace)}; nothing new is started"
            self._diary.note(f"{text}; a second signal ends what runs")
        while self._launcher.going:
            self._wake.clear()
            try:
                self._launcher.settle()
            except Exception as error:  # noqa: BLE001  (the next service settles it)
                self._tell_trouble(error)
            if self._ends_runs and not is_told:
                is_told = True
                self._launcher.tell_all(signal.SIGTERM)
                deadline = self.clock.monotonic() + self._grace + _SETTLE
            left = deadline - self.clock.monotonic()
            if left <= 0 or not self._launcher.going:
                break
            self.clock.wait(self._wake, min(left, _CLOSE_LOOK))
        for thread in self._telling:
            thread.join()  # each ends within the time of a message
        number = self._launcher.going
        more = f"; {number} run{'s' * (number != 1)} go on, for another service to watch" if number else ""
        self._diary.note(f"service {self.name} ends{more}", "WARNING" if number else "INFO")
        try:
            self._presence.leave()
        except Exception as error:  # noqa: BLE001  (others see that the process is gone)
            self._tell_trouble(error)

    # -- the loop

    def _step_safely(self, most: int | None = None) -> float:
        """Do what is due; whatever is in the way is told once, and tried again after a while, or so often at most."""
        try:
            pause = self.step()
        except Exception as error:  # nothing ends a service but its user
            self._tried = self._tried or self.clock.now()
            self._times += 1
            self._tell_trouble(error)
            if most is not None and self._times >= most:
                raise
            return float(min(2.0 ** min(self._times - 2, 10), _LONGEST_BACKOFF))
        if self._tried is not None:
            since = (self.clock.now() - self._tried).total_seconds()
            self._diary.note(f"works again, after {seconds_text(max(since, 0.0))}: {self._trouble}")
            self._tried, self._times, self._trouble = None, 0, ""
            self._told.clear()
        return pause

    def _tell_trouble(self, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"[:_LONGEST_TEXT]
        self._trouble = text
        if text not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(text)
            self._diary.note(f"nothing is decided or started until this is over: {text}", "ERROR")

    def step(self) -> float:
        """Do all that is due now; gives how many seconds until something is due again."""
        now, clock = self.clock.now(), self.clock.monotonic()
        if now < self._looked - _SET_BACK:
            self._plan_anew(now)
        self._looked = now
        pause = self._presence.beat()
        if clock >= self._look_at:
            self.roster.look()
            self._look_at = clock + LOOK
        if self._seen_version != self.roster.version:
            self._take_up(now)
        has_news = self._launcher.has_news
        self._launcher.settle()
        if clock >= self._tend_at and self._heap and self._heap[0][0] <= now:
            self._adopt()  # a run that ended while nobody was there is in no tick's way
        has_news |= self._decide_due(now)
        if has_news or clock >= self._tend_at or self._asked:
            pause = min(pause, self._tend(clock))
        if self._decides and clock >= self._sweep_at:
            self._sweep_at = clock + _SWEEP
            self.history.sweep(now - _KEPT)
        following = (self._heap[0][0] - self.clock.now()).total_seconds() if self._heap else pause
        return min(pause, following, self._look_at - clock, self._tend_at - clock)

    def _tend(self, clock: float) -> float:
        """Look after launches, ours and those that are left; begin what may."""
        asked, self._asked = self._asked, False
        try:
            return self._tend_launches(clock)
        except Exception:
            self._asked = asked
            raise

    def _adopt(self) -> list[Launch]:
        """Look after launches, ours and those that are left; gives all that are open."""
        self._presence.look()
        launches = self.history.open_launches()
        if self._launcher.tend(launches, self._presence.is_gone, adopts=self._decides):
            launches = self.history.open_launches()
        return launches

    def _tend_launches(self, clock: float) -> float:
        launches = self._adopt()
        due = self._launcher.begin(launches)
        is_waiting = any(one.state == State.QUEUED and one.service == self.name for one in launches)
        self._tend_at = clock + (_CLOSE_LOOK if is_waiting else LOOK)
        return self._tend_at - clock if due is None else due

    def _decide_due(self, now: datetime) -> bool:
        """Decide about all schedules that are due."""
        due: list[str] = []
        while self._heap and self._heap[0][0] <= now:
            at, name = heapq.heappop(self._heap)
            if self._next_at.get(name) == at:
                due.append(name)
        if not due:
            return False
        budget = _MOST_COUNTED
        try:
            pauses, launches = self.history.pauses(), self.history.open_launches()
            while due:
                entry = self._seen[due[-1]]
                most = max(100, min(MOST_COUNTED, budget))
                choices = self._decide(entry, now, pauses, launches, most)
                budget -= sum(one.number for one in choices)
                self._plan(due.pop(), now)
        finally:
            for name in due:  # once more, when the history is back
                heapq.heappush(self._heap, (self._next_at[name], name))
        return True

    def _decide(self, entry: Entry, now: datetime, pauses: Any, launches: Any, most: int) -> list[Any]:
        try:
            return self._registrar.settle(entry, now, pauses, launches, tried=self._tried, most=most)
        except (HistoryUnavailableError, OSError):
            raise
        except Exception as error:  # noqa: BLE001  (one schedule never stops another)
            text = f"nothing can be decided: {type(error).__name__}: {error}"
            if text not in self._said:
                self._said.add(text)
                self._diary.note(text[:_LONGEST_TEXT], "ERROR", entry.name)
            return []

    def _plan(self, name: str, now: datetime) -> None:
        """Note when a schedule is due next."""
        ticks = self._seen[name].ticks
        following = next(ticks.after(now), None) if ticks is not None else None
        self._next_at.pop(name, None)
        if following is not None:
            self._next_at[name] = following
            heapq.heappush(self._heap, (following, name))

    def _plan_anew(self, now: datetime) -> None:
        """Look at all schedules again: the clock was set back, and what they waited for is far away."""
        self._diary.note(
            f"the clock was set back by {seconds_text((self._looked - now).total_seconds())}", "WARNING"
        )
        for name in self._next_at:
            self._next_at[name] = now
        self._heap = [(now, name) for name in self._next_at]

    # -- changes of files

    def _take_up(self, now: datetime) -> None:
        """Take up what has changed in the files."""
        entries, former = dict(self.roster.entries), self._seen
        is_first = self._seen_version == 0
        version = self.roster.version
        for text in self.roster.problems:
            if text not in self._said:
                self._diary.note(f"a file is wrong: {text}", "WARNING")
        self._said = {one for one in self._said if one in self.roster.problems} | set(self.roster.problems)
        for name, entry in entries.items() if self._decides else ():
            known = former.get(name)
            self._seen[name] = entry
            if known is not None and known._replace(ticks=None) == entry._replace(ticks=None):
                continue
            if not is_first and entry.ticks is not None and (known is None or known.on != entry.on):
                self._registrar.floors[name] = now
            self._tell_change(entry, known)
            if entry.ticks is None:
                self._registrar.refuse(entry, now)
            self._next_at[name] = now
            heapq.heappush(self._heap, (now, name))
        for name in [one for one in former if one not in entries]:
            self._diary.note("its file has it no more: nothing is decided about it", "WARNING", name)
            del self._seen[name]
            self._next_at.pop(name, None)
        self._seen_version = version

    def _tell_change(self, entry: Entry, known: Entry | None) -> None:
        if entry.unable and (known is None or known.unable != entry.unable):
            self._diary.note(f"can't run, its ticks are disabled: {entry.unable}", "ERROR", entry.name)
        elif known is not None and known.unable and not entry.unable:
            self._diary.note("can run again", schedule=entry.name)
        if known is not None and known.on != entry.on:
            self._diary.note(f"runs at {', '.join(entry.on)} from now on", schedule=entry.name)
