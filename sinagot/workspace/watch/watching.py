"""The watch: new recordings are run as they arrive, by ordinary runs, until somebody stops it.

Knows what has arrived, when to look again and how a run is started; must not know a terminal. What it keeps is needed
by nobody: it may be killed at any moment, and the next one goes on with what is left.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sinagot.config.settings import WatchSettings
from sinagot.engine.stop import RunTerminated, StopRequest, run_interrupted
from sinagot.errors import MissingExtraError, ScriptError, SinagotError, WorkspaceBusyError
from sinagot.runlog.lines import now_utc
from sinagot.workspace.narrowing import Narrowing
from sinagot.workspace.notices import send_notice
from sinagot.workspace.running import start_run
from sinagot.workspace.watch.arrivals import Arrivals, Look
from sinagot.workspace.watch.wakeups import Wakeups
from sinagot.workspace.watch.whereabouts import Whereabouts

if TYPE_CHECKING:
    from sinagot.engine.accounts.report import RunReport
    from sinagot.workspace.records import RecordCollection

__all__ = ["Watch", "WatchEvent"]

#: What a run is asked for where nothing else is said.
_RUN: dict[str, Any] = {
    "force": False,
    "ignore_missing": False,
    "debug": False,
    "dry_run": False,
    "mode": None,
    "workers": None,
    "client": None,
    "address": None,
    "exclusive": False,
    "max_failures": None,
    "printing": False,
    "progress": None,
    "params": None,
}


class WatchEvent(NamedTuple):
    """Something that a watch tells."""

    #: UTC, ISO 8601.
    time: str
    #: ``begun``, ``arrived``, ``run``, ``note`` (something that should be known) or ``ended``.
    kind: str
    #: One line for people.
    text: str
    #: The records that it is about.
    ids: tuple[str, ...] = ()
    #: Of the run, for ``run``.
    report: RunReport | None = None


class Watch:
    """Runs new recordings as they arrive; iterating over it is what makes it work.

    Parameters
    ----------
    workspace : Workspace
        Where recordings arrive.
    task, modality : str, optional
        Only this task or modality.
    quiet, interval : float, seconds, optional
        How long files must be the same, and the pause between two looks; win over `[watch]`, as the next three.
    events : {"auto", "on", "off"}, optional
        Let the system tell of changes, or poll.
    sentinel : str, optional
        Path pattern of a file that must be there besides.
    outdated : bool, optional
        Run also what was made from something that changed since.
    retry : bool
        Steps that failed before run once more; else only when their inputs change.
    once : bool
        End when what is there now has been looked at: twice, where something may still be growing.
    notify : bool
        Send the messages of `[notify]`.
    reopen : callable, optional
        Opens the workspace anew when its configuration was edited; without it the former one goes on to hold.
    **options
        As those of `StepCollection.run`: `mode`, `workers`, `client`, `address`, `exclusive`, `printing`, `params`.

    Yields
    ------
    WatchEvent
        What has arrived, and the report of each run.

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C, while it runs something or waits.
    SystemExit
        SIGTERM or SIGHUP (143, 129), while it runs something.

    Notes
    -----
    A step runs when all its inputs that no step writes are there, and were the same at two looks that are `quiet`
    seconds apart. Group steps are about all records: `steps.run` runs them.

    Examples
    --------
    >>> import sinagot
    >>> ws = sinagot.Workspace("example/harbor")
    >>> [event.kind for event in ws.watch(quiet=0.1, once=True)]
    ['begun', 'arrived', 'run', 'ended']
    """

    def __init__(
        self,
        workspace: Any,
        *,
        task: str | None = None,
        modality: str | None = None,
        quiet: float | None = None,
        interval: float | None = None,
        events: str | None = None,
        sentinel: str | tuple[str, ...] | None = None,
        outdated: bool | None = None,
        retry: bool = False,
        once: bool = False,
        notify: bool = False,
        reopen: Callable[[], Any] | None = None,
        **options: Any,
    ) -> None:
        self._unit = (task, modality)
        self._once, self._notify, self._reopen = once, notify, reopen
        said = {
            "quiet": quiet,
            "interval": interval,
            "events": events,
            "sentinel": sentinel,
            "outdated": outdated,
        }
        self._said = {name: value for name, value in said.items() if value is not None}
        unknown = sorted(set(options) - set(_RUN))
        if unknown:
            raise TypeError(
                f"a watch has no option {unknown[0]!r}; it has {', '.join((*WatchSettings._fields, *_RUN))}"
            )
        self._options = _RUN | options
        self._arrivals = Arrivals(retry=retry)
        self._notes: dict[str, str] = {}
        self._announced: set[str] = set()
        self._signum: int | None = None
        self._is_over = False
        self._end: BaseException | None = None
        self._running: StopRequest | None = None
        self._opened: Any | None = None
        self._use(workspace)
        self._wakeups = Wakeups(self.settings.interval)

    def _use(self, workspace: Any) -> None:
        """Take up a workspace; what is wrong with what is asked for is told now."""
        settings = workspace.configuration.watch._replace(**self._said)
        scope: RecordCollection = workspace.records
        if self._unit != (None, None):
            scope = scope.get_subscope(*self._unit)
        self._places = Whereabouts(scope, settings)
        self.workspace, self.settings, self._scope = workspace, settings, scope
        rule = workspace.configuration.run.steps.rerun
        self._is_outdated_meant = settings.outdated if settings.outdated is not None else rule == "outdated"

    # -- from outside

    def stop(self, signum: int | None = None) -> None:
        """End the watch, from any thread or a signal handler.

        Parameters
        ----------
        signum : int, optional
            The signal that came: running scripts get `run.stop_grace` seconds, and no time at all the second time.
            Without one nothing new is started, and what runs may take its time.
        """
        self._is_over = True
        self._signum = self._signum or signum
        running = self._running
        if running is not None and signum is not None:
            running.request(signum)
        elif running is not None:
            running.ask()
        self._wakeups.ring()

    # -- the loop

    def __iter__(self) -> Iterator[WatchEvent]:
        try:
            yield self._begin()
            yield from self._watch()
            yield _event("ended", "Stopped." if self._is_over else "Done.")
        except KeyboardInterrupt as error:
            self._end = self._end or error
            yield _event("ended", "Stopped.")
        finally:
            self._wakeups.deafen()
            if self._opened is not None:
                self._opened.close()
        if self._end is None and self._signum is not None:
            is_interrupt = self._signum == signal.SIGINT
            self._end = run_interrupted() if is_interrupt else RunTerminated(self._signum)
        if self._end is not None:
            raise self._end

    def _watch(self) -> Iterator[WatchEvent]:
        looks = 0
        while not self._is_over:
            self._wakeups.forget()
            began = time.monotonic()
            yield from self._reread()
            look: Look | None = None
            problem = self._places.find_gap()
            if problem is None:
                try:
                    look = self._look()
                except (SinagotError, OSError) as error:
                    problem = f"can't look: {error}"
            if problem is None and "look" in self._notes and self._wakeups.has_events:
                self._listen()  # of folders that were gone the system tells nothing any more
            yield from self._note("look", problem)
            self._wakeups.looked(time.monotonic() - began)
            yield from self._announce(look)
            has_run = False
            if look is not None and look.ready and not self._is_over:
                has_run = yield from self._run(look.ready)
            looks += 1
            if self._once:
                if look is None or look.due is None or looks > 1:
                    return
                self._wakeups.rest(look.due)
            elif problem is not None or (look is not None and look.ready and not has_run):
                self._wakeups.rest(self.settings.interval)  # a drive is gone, or full, or busy
            elif not has_run:  # else more may have arrived meanwhile
                yield from self._hear()
                self._wakeups.wait(look.due if look is not None else None)

    def _begin(self) -> WatchEvent:
        """Say what is watched, and how."""
        config, settings = self.workspace.configuration, self.settings
        how = "what is there now" if self._once else f"a look every {settings.interval:g} s"
        self._wants_events = settings.events == "on" or (
            settings.events == "auto" and not self._places.is_shared
        )
        if self._wants_events and not self._once:
            try:
                self._listen()
                how = "told of changes by the system"
            except MissingExtraError as error:
                if settings.events == "on":
                    raise
                how += f" ({error})"
                self._wants_events = False
        if settings.events == "auto" and not self._once and self._places.is_shared:
            how += ", as the drive is one of several machines"
        groups = self.workspace.groups_of(self._scope, None)
        left = f"; group steps are left to `sinagot run`: {', '.join(one.label for one in groups)}"
        return _event(
            "begun",
            f"Watching {config.data_path}: {how}; files must be quiet for {settings.quiet:g} s"
            f"{left if groups else ''}.",
        )

    def _look(self) -> Look:
        return self._arrivals.look(
            self._scope,
            self.settings,
            outdated=self._is_outdated_meant,
            is_shared=self._places.is_shared,
        )

    def _announce(self, look: Look | None) -> Iterator[WatchEvent]:
        """Say once of a record that it arrives."""
        if look is None:
            return
        new = tuple(one for one in look.waiting if one not in self._announced)
        self._announced = set(look.waiting)
        if new:
            yield _event("arrived", f"arrived: {_listed(new)}", new)

    # -- running

    def _run(self, ready: Mapping[str, frozenset[int]]) -> Generator[WatchEvent, None, bool]:
        """Run what is complete; gives whether a run took place."""
        ids = tuple(sorted(ready))
        broken = None
        try:
            report = start_run(
                self._scope.select(ids),
                Narrowing(),
                rerun="outdated" if self._is_outdated_meant else "missing",
                only=ready,
                begun=self._take_stop,
                wait=True,
                **self._options,
            )
        except ScriptError as error:
            if error.report is None:
                raise
            report, broken = error.report, str(error)
        except (KeyboardInterrupt, RunTerminated) as stop:
            stopped = getattr(stop, "report", None)
            if stopped is None:
                raise
            report = stopped
            self._end = stop if self._signum is not None or not self._is_over else None
            self._is_over = True
        except WorkspaceBusyError as error:
            yield from self._note("run", f"waiting: {error}")
            return False
        except (SinagotError, OSError) as error:
            yield from self._note("run", f"can't run: {error}")
            return False
        finally:
            self._running = None
        yield from self._note("run", None)
        self._arrivals.note(report.ledger)
        yield _event("run", f"run {report.run_id}: {report.summary()}", ids, report)
        yield from self._note("scripts", broken)
        for text in send_notice(report, self.workspace.configuration) if self._notify else ():
            yield _event("note", text)
        return True

    def _take_stop(self, running: StopRequest) -> None:
        """Keep what stops the run that begins; who asked while it was prepared has asked it as well."""
        self._running = running
        if self._is_over and self._signum is not None:
            running.request(self._signum)
        elif self._is_over:
            running.ask()

    # -- what may happen meanwhile

    def _note(self, about: str, text: str | None) -> Iterator[WatchEvent]:
        """Say something once, as long as it does not change; None when it is over."""
        before = self._notes.pop(about, None)
        if text is not None:
            self._notes[about] = text
            if text != before:
                yield _event("note", text)
        elif before is not None and about == "look":
            yield _event("note", f"{self.workspace.configuration.data_path} can be read again")

    def _reread(self) -> Iterator[WatchEvent]:
        """Take up an edited configuration; one that is broken changes nothing."""
        if not self._places.were_edited():
            return
        if self._reopen is None:
            yield _event(
                "note", "the configuration was edited; the former one holds until the watch is started anew"
            )
            return
        opened = None
        try:
            opened = self._reopen()
            self._use(opened)
        except (SinagotError, OSError) as error:
            if opened is not None:
                opened.close()
            yield from self._note(
                "configuration", f"the configuration was edited, and the former one goes on to hold: {error}"
            )
            return
        former, self._opened = self._opened, opened
        if former is not None:
            former.close()
        self._notes.pop("configuration", None)
        self._wakeups.interval = self.settings.interval
        if self._wakeups.has_events:
            self._listen()
        yield _event("note", "the configuration was edited: the new one holds from now on")

    def _hear(self) -> Iterator[WatchEvent]:
        """Say it when the system has ceased to tell of changes."""
        if self._wants_events and self._wakeups.problem is not None:
            yield _event("note", f"from now on by polling, since events failed: {self._wakeups.problem}")
            self._wants_events = False

    def _listen(self) -> None:
        self._wakeups.listen(self._places.folders, self._places.ignored)


def _event(kind: str, text: str, ids: tuple[str, ...] = (), report: RunReport | None = None) -> WatchEvent:
    return WatchEvent(now_utc(), kind, text, ids, report)


def _listed(ids: tuple[str, ...], most: int = 5) -> str:
    more = f" and {len(ids) - most:,} more" if len(ids) > most else ""
    return ", ".join(ids[:most]) + more
