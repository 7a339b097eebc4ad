"""What is asked of a service at any time, on any thread: runs, their ends, how schedules stand, pauses.

Knows rosters, the history and pipelines; must not know loops or clocks on the wall beyond asking what time it is.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from sinagot.config.hints import did_you_mean
from sinagot.config.quantities import seconds_text
from sinagot.engine.request import new_run_id
from sinagot.errors import NotFoundError, WorkspaceBusyError
from sinagot.runlog.secrets import MASK
from sinagot.schedule.checking import Checked, check_run
from sinagot.schedule.clock import Clock
from sinagot.schedule.diary import Diary
from sinagot.schedule.history.facts import OPEN_STATES, Decision, Launch, Origin, Pause, State
from sinagot.schedule.launching import Launcher
from sinagot.schedule.outcomes import CANCEL
from sinagot.schedule.presence import Presence
from sinagot.schedule.registrar import Registrar
from sinagot.schedule.roster import Entry, Roster
from sinagot.schedule.states import ScheduleState

if TYPE_CHECKING:
    from sinagot.schedule.history.contract import History
    from sinagot.workspace.contracts import House

__all__ = ["Desk"]


class Desk:
    """What a service is asked.

    Parameters
    ----------
    workspace : Workspace
        Whose pipelines run.
    history : History
        What services share.
    words : sequence of str
        Options that lead to the workspace on a command line; those of its configuration files when not given.
    clock : Clock, optional
        Another one than the machine's.
    tell : callable, optional
        Gets level and text of each line that it logs.
    beat : float, seconds
        Between two signs of life.

    Attributes
    ----------
    history : History
        As given.
    roster : Roster
        The schedules.
    """

    def __init__(
        self,
        workspace: House,
        history: History,
        *,
        words: Sequence[str] = (),
        clock: Clock | None = None,
        tell: Callable[[str, str], None] = lambda level, text: None,
        beat: float = 10.0,
    ) -> None:
        self.history = history
        self._workspace = workspace
        self.clock = clock or Clock()
        self._wake = threading.Event()
        self._presence = Presence(history, self.clock, beat)
        self._diary = Diary(workspace, self.name, tell)
        self.roster = Roster(workspace)
        self._registrar = Registrar(history, self._diary, self.name)
        configuration = workspace.configuration
        files = [word for file in configuration.files for word in ("-w", str(file))]
        self._launcher = Launcher(
            history,
            state=str(configuration.state_path),
            words=list(words) or files,
            me=self._presence.me,
            name=self.name,
            diary=self._diary,
            now=self.clock.now,
            wake=self._wake.set,
        )
        self._guard = threading.Lock()
        self._is_closing = False
        #: Something was asked for that the loop has not looked at.
        self._asked = False
        #: Launches that may wait in this service.
        self.most_waiting = 100

    @property
    def name(self) -> str:
        """Host, process and start."""
        return self._presence.name

    def _nudge(self) -> None:
        self._asked = True
        self._wake.set()

    # -- runs

    def launch(
        self,
        pipeline: str,
        params: Mapping[str, Any] | None = None,
        origin: Origin = Origin.API,
        *,
        checked: Checked | None = None,
    ) -> Launch:
        """Ask for a run of a pipeline, for no record; it may be called on any thread.

        Parameters
        ----------
        pipeline : str
            Its name.
        params : mapping, optional
            Parameters; they win over those of the configuration.
        origin : Origin
            Who asks.
        checked : Checked, optional
            What `sinagot.schedule.examiner.Examiner` has answered, without faults: then nothing of the pipeline is
            loaded in this process.

        Returns
        -------
        Launch
            On record, and queued; its ``run_id`` is that of the run.

        Raises
        ------
        NotFoundError
            There is no such pipeline.
        ConfigurationError, PipelineDefinitionError
            A parameter is unknown, missing or refused, or the pipeline can't run by itself. Nothing is on record.
        WorkspaceBusyError
            Too many wait already, or the service ends.
        HistoryUnavailableError
            It can't be put on record.
        """
        return self._ask(pipeline, params or {}, origin, checked=checked)

    def launch_tick(
        self, schedule: str, tick: datetime, params: Mapping[str, Any] | None = None, *, force: bool = False
    ) -> Launch:
        """Ask by hand for the run of a schedule that a nominal time stands for; see `launch`.

        Parameters
        ----------
        schedule : str
            Its name.
        tick : datetime
            Aware; it need not be one of the time table.
        params : mapping, optional
            As of `launch`.
        force : bool
            Run it although it ran before.

        Raises
        ------
        WorkspaceBusyError
            It ran before, or a run of it is queued or goes on.
        """
        self.entry(schedule)
        former = next(
            (one for one in self._tries(schedule, tick) if one.state in (*OPEN_STATES, State.DONE)), None
        )
        if former is not None and not force:
            raise WorkspaceBusyError(
                f"{schedule} has run {former.run_id} for {tick:%Y-%m-%d %H:%M} UTC, which is {former.state}; "
                "run it once more with --force",
                run_id=former.run_id,
            )
        return self._ask(schedule, params or {}, Origin.HAND, schedule, tick)

    def _tries(self, schedule: str, tick: datetime) -> list[Launch]:
        found: list[Launch] = []
        before: str | None = None
        while True:
            part, before = self.history.launches(schedule=schedule, before=before, limit=500)
            found += [one for one in part if one.tick == tick]
            if before is None:
                return found

    def _ask(
        self,
        name: str,
        params: Mapping[str, Any],
        origin: Origin,
        schedule: str | None = None,
        tick: datetime | None = None,
        checked: Checked | None = None,
    ) -> Launch:
        if checked is None:
            self.roster.look()
            checked = check_run(self._workspace, self.roster.configuration, name, params)
        plain: dict[str, Any] = json.loads(json.dumps(dict(params), default=str))
        secrets = {key: value for key, value in plain.items() if key in checked.secrets}
        launch = Launch(
            new_run_id(),
            checked.name,
            origin,
            State.QUEUED,
            self.clock.now(),
            {key: MASK if key in secrets else value for key, value in plain.items()},
            schedule,
            tick,
            service=self.name,
        )
        with self._guard:
            if self._is_closing:
                raise WorkspaceBusyError("the service is about to end; ask another one, or ask again later")
            self._presence.beat()  # before anything is on record in its name
            waiting = sum(
                other.state == State.QUEUED and other.service == self.name
                for other in self.history.open_launches()
            )
            if waiting >= self.most_waiting:
                raise WorkspaceBusyError(f"{waiting} runs wait already; ask again when some of them are over")
            self._launcher.keep_secret(launch.run_id, secrets)
            self.history.add(launch)
        self._diary.launched(launch, f"asked for: {origin}")
        self._nudge()
        return launch

    def cancel(self, run_id: str, by: str) -> Launch:
        """End a run: one that waits never begins, one that goes on is told to end (SIGTERM).

        Parameters
        ----------
        run_id : str
            The run.
        by : str
            Who wants it, for the record.

        Returns
        -------
        Launch
            As it stands now: ``running`` until its program has ended. Of one that is over nothing changes.

        Raises
        ------
        NotFoundError
            No launch has this run.
        """
        text = f"{CANCEL}{by}"
        while True:
            launch = self.launch_of(run_id)
            if launch.state not in OPEN_STATES:
                return launch
            if launch.state == State.QUEUED:
                facts: dict[str, Any] = {"state": State.CANCELLED, "ended": self.clock.now()}
            elif launch.message:
                self._launcher.signal(launch, signal.SIGTERM)  # once more: at once
                return launch
            else:
                facts = {}
            changed = self.history.change(launch, message=text, **facts)
            if changed is not None:
                break
        self._diary.launched(changed, text)
        if changed.state == State.RUNNING:
            self._launcher.tell_end(changed)
        self._nudge()
        return changed

    def launch_of(self, run_id: str) -> Launch:
        """Give a launch by its run.

        Raises
        ------
        NotFoundError
            No launch has this run.
        """
        found = self.history.launch(run_id)
        if found is None:
            raise NotFoundError(f"no run {run_id!r} was asked for here", name=run_id, allowed=())
        return found

    # -- schedules

    def entry(self, schedule: str) -> Entry:
        """Give a schedule as its file says it now.

        Raises
        ------
        NotFoundError
            There is none of this name.
        """
        self.roster.look()
        found = self.roster.entries.get(schedule)
        if found is None:
            known = list(self.roster.entries)
            hint = did_you_mean(schedule, known)
            text = f"no schedule {schedule!r}; there is {', '.join(known[:20]) or 'none'}{'; ' + hint if hint else ''}"
            if self.roster.problems:
                text += f"; not everything could be read ({self.roster.problems[0]})"
            raise NotFoundError(text, name=schedule, allowed=known)
        return found

    def states(self) -> list[ScheduleState]:
        """Tell of all schedules, by name."""
        self.roster.look()
        pauses, launches = self.history.pauses(), self.history.open_launches()
        return [self._state(one, pauses, launches) for one in self.roster.entries.values()]

    def state_of(self, schedule: str) -> ScheduleState:
        """Tell how a schedule stands.

        Raises
        ------
        NotFoundError
            There is none of this name.
        """
        return self._state(self.entry(schedule), self.history.pauses(), self.history.open_launches())

    def _state(self, entry: Entry, pauses: Mapping[str, Pause], launches: Sequence[Launch]) -> ScheduleState:
        newest = self.history.newest(entry.name)
        pause = pauses.get(entry.name)
        following = None
        if entry.ticks is not None and not entry.unable and pause is None:
            since = max(self.clock.now(), newest.tick) if newest is not None else self.clock.now()
            following = next(entry.ticks.after(since), None)
        return ScheduleState(
            entry.name,
            entry.file,
            entry.on,
            _policies(entry),
            entry.unable,
            pause,
            following,
            newest,
            tuple(one for one in launches if one.schedule == entry.name),
        )

    def next_ticks(self, schedule: str, n: int = 5) -> list[datetime]:
        """Give the next nominal times of a schedule, UTC, whether it is paused or not.

        Parameters
        ----------
        schedule : str
            Its name.
        n : int
            How many.

        Raises
        ------
        NotFoundError
            There is none of this name.
        """
        ticks = self.entry(schedule).ticks
        return [] if ticks is None else list(islice(ticks.after(self.clock.now()), n))

    def pause(self, schedule: str, by: str, reason: str = "") -> ScheduleState:
        """Pause a schedule: its ticks are decided as ``disabled``, and never made up for.

        Parameters
        ----------
        schedule : str
            Its name.
        by : str
            Who pauses it.
        reason : str
            Why, for others.

        Raises
        ------
        NotFoundError
            There is none of this name.
        """
        self.entry(schedule)
        if self.history.pause(Pause(schedule, self.clock.now(), by, reason)):
            self._diary.note(f"paused by {by}{': ' if reason else ''}{reason}", schedule=schedule)
        self._nudge()
        return self.state_of(schedule)

    def resume(self, schedule: str, by: str) -> ScheduleState:
        """End a pause; the ticks in it stay ``disabled``.

        Parameters
        ----------
        schedule : str
            Its name.
        by : str
            Who ends it.

        Raises
        ------
        NotFoundError
            There is none of this name.
        """
        entry = self.entry(schedule)
        pauses = self.history.pauses()
        if schedule in pauses:
            # No service may have been there while it was paused.
            self._registrar.settle(entry, self.clock.now(), pauses, ())
            self.history.resume(schedule)
            self._diary.note(f"resumed by {by}", schedule=schedule)
        self._nudge()
        return self.state_of(schedule)

    def decisions(self, schedule: str | None = None, limit: int = 50) -> list[Decision]:
        """Give the newest decisions, of one schedule or of all, latest tick first."""
        return self.history.decisions(schedule, limit=limit)[0]


def _policies(entry: Entry) -> dict[str, str]:
    policies = entry.policies
    found = {"overlap": policies.overlap, "catchup": policies.catchup}
    if policies.catchup == "all":
        found["max-catchup"] = str(policies.max_catchup)
    if policies.grace is not None:
        found["grace"] = seconds_text(policies.grace)
    if policies.retries:
        found["retry"] = f"{policies.retries} after {seconds_text(policies.retry_delay)}"
    return found
