"""Schedules as the command line shows them: tables, JSON, and what a service says while it works.

Knows what a service tells; must not know the words of the command line.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sinagot.cli.exits import Exit
from sinagot.cli.moments import local_time
from sinagot.cli.options import open_workspace, workspace_words
from sinagot.cli.texts import clean, columns, painted, say, shortened, warn

if TYPE_CHECKING:
    from sinagot.schedule.history.contract import History
    from sinagot.schedule.history.facts import Decision, Launch
    from sinagot.schedule.service import Service
    from sinagot.schedule.states import ScheduleState

__all__ = [
    "decision_json",
    "decision_lines",
    "launches_of",
    "local",
    "opened",
    "run_service",
    "serve",
    "state_json",
    "state_lines",
    "tell_problems",
    "wait_for",
]

_LONGEST = 100
_LOOK = 0.5  # seconds
_TONES = {
    "fired": "done",
    "caught-up": "done",
    "queued": "running",
    "skipped-overlap": "interrupted",
    "missed": "interrupted",
    "done": "done",
    "failed": "failed",
    "lost": "failed",
}


@contextmanager
def opened(*, decides: bool = True) -> Iterator[Service]:
    """Open the service of the workspace that the command line means, for one question; it is not started.

    Parameters
    ----------
    decides : bool
        As of `Service`.

    Raises
    ------
    HistoryUnavailableError
        Its history can't be reached: who asks one question does not wait.
    """
    from sinagot.schedule.history.opening import open_history_of
    from sinagot.schedule.service import Service

    workspace = open_workspace(show_warnings=False)
    history = open_history_of(workspace.configuration)
    try:
        yield Service(workspace, history, words=workspace_words(), decides=decides)
    finally:
        history.close()


def run_service(*, once: bool, until: datetime | None) -> None:
    """Run the service of the workspace that the command line means, and show what it logs.

    While its history can't be reached it waits, but not with `once`: who asked comes again by himself.

    Parameters
    ----------
    once, until : bool, datetime
        As of `Service.run`.
    """
    from sinagot.config.schedules import history_of
    from sinagot.schedule.history.opening import open_history_of
    from sinagot.schedule.history.waiting import await_history
    from sinagot.schedule.service import Service

    workspace = open_workspace(show_warnings=True)
    asked: list[int] = []

    def is_unwanted() -> bool:
        return bool(asked) or (until is not None and datetime.now(UTC) >= until)

    with _handled(lambda signum, frame: asked.append(signum)):
        if once or not history_of(workspace.configuration).url:  # files are there
            history: History | None = open_history_of(workspace.configuration)
        else:
            history = await_history(lambda: open_history_of(workspace.configuration), is_unwanted, _tell)
        if history is None:
            _tell("INFO", "ends: its history was not reached")
            return
        try:
            service = Service(workspace, history, words=workspace_words(), tell=_tell)
            with serve(service):
                if asked:  # between the two
                    service.ask_to_stop()
                service.run(once=once, until=until)
        finally:
            history.close()


def _tell(level: str, text: str) -> None:
    clock = datetime.now().astimezone().strftime("%H:%M:%S")
    line = clean(shortened(text)).strip()
    if level == "INFO":
        say(f"{clock}  {line}")
    else:
        say(f"{clock}  {painted('failed' if level == 'ERROR' else 'interrupted', f'{level}: {line}')}")


@contextmanager
def serve(service: Service) -> Iterator[None]:
    """Let signals end a service: the first lets runs go on, the second ends them too.

    Parameters
    ----------
    service : Service
        Which runs in this thread.
    """
    times = 0

    def stop(signum: int, frame: Any) -> None:
        nonlocal times
        times += 1
        service.ask_to_stop(end=True if times > 1 else None)

    with _handled(stop):
        yield


@contextmanager
def _handled(stop: Callable[[int, Any], None]) -> Iterator[None]:
    """Let a function hear SIGINT and SIGTERM."""
    former = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def wait_for(service: Service, launch: Launch) -> tuple[Launch, int]:
    """Wait for a run that was asked for by hand; Ctrl-C and SIGTERM end it.

    Parameters
    ----------
    service : Service
        Which was started, and runs it.
    launch : Launch
        Which.

    Returns
    -------
    tuple of Launch and int
        As it ended, and the exit code.
    """
    from sinagot.schedule.history.facts import OPEN_STATES, State
    from sinagot.schedule.registrar import user_name

    asked: list[int] = []
    pause = threading.Event()

    def stop(signum: int, frame: Any) -> None:
        asked.append(signum)
        pause.set()

    done = 0
    with _handled(stop):
        while launch.state in OPEN_STATES:
            pause.wait(_LOOK)
            pause.clear()
            if len(asked) > done:
                done += 1
                service.cancel(launch.run_id, user_name())
            launch = service.launch_of(launch.run_id)
    if asked:
        return launch, 128 + asked[0]
    return launch, Exit.OK if launch.state == State.DONE else Exit.FAILED


def tell_problems(service: Service) -> None:
    """Say what is wrong with files that may hold schedules."""
    for text in service.roster.problems:
        warn(shortened(text))


def local(moment: datetime | None) -> str:
    """Write a moment as local time; a dash where there is none."""
    return "-" if moment is None else local_time(moment.isoformat())


def _cut(text: str) -> str:
    line = clean(text).partition("\n")[0]
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."


# -- schedules


def state_lines(states: Sequence[ScheduleState]) -> Iterator[str]:
    """Write schedules as a table.

    Parameters
    ----------
    states : sequence of ScheduleState
        As the service tells them.

    Yields
    ------
    str
        Lines, the names of the columns first.
    """
    rows = [["schedule", "on", "next", "last decision", "state"]]
    rows += [
        [one.name, ", ".join(one.on) or "?", local(one.next_tick), _newest(one), _word(one)] for one in states
    ]
    yield from columns([[clean(cell) for cell in row] for row in rows])


def _newest(one: ScheduleState) -> str:
    newest = one.newest
    return "-" if newest is None else f"{newest.verdict} {local(newest.tick)}"


def _word(one: ScheduleState) -> str:
    words = []
    if one.pause is not None:
        words.append(f"paused by {one.pause.user}{': ' if one.pause.reason else ''}{one.pause.reason}")
    if one.unable:
        words.append(f"can't run: {_cut(shortened(one.unable))}")
    words += [f"{launch.state} {launch.run_id}" for launch in one.open]
    return "; ".join(words) or "waits"


def state_json(one: ScheduleState) -> dict[str, Any]:
    """Give a schedule as plain values.

    Parameters
    ----------
    one : ScheduleState
        As the service tells it.
    """
    pause = one.pause
    return {
        "name": one.name,
        "file": one.file,
        "on": list(one.on),
        "policies": one.policies,
        "unable": one.unable or None,
        "paused": pause is not None,
        "pause": None
        if pause is None
        else {"since": _iso(pause.since), "user": pause.user, "reason": pause.reason},
        "next_tick": _iso(one.next_tick),
        "newest": None if one.newest is None else decision_json(one.newest),
        "open": [
            {"run_id": launch.run_id, "state": str(launch.state), "tick": _iso(launch.tick)}
            for launch in one.open
        ],
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()


# -- decisions


def launches_of(history: History, decisions: Sequence[Decision]) -> dict[str, Launch]:
    """Give what became of decisions, by the run that each asked for: its last try.

    Parameters
    ----------
    history : History
        Where they are on record.
    decisions : sequence of Decision
        What is shown.
    """
    from sinagot.schedule.tries import last_tries

    tries: dict[str, dict[datetime, Launch]] = {}
    found = {}
    for one in decisions:
        launch = history.launch(one.run_id) if one.run_id else None
        if one.run_id is None or launch is None:
            continue
        if launch.state in ("failed", "lost"):
            if one.schedule not in tries:
                tries[one.schedule] = last_tries(history, one.schedule)
            launch = tries[one.schedule].get(one.tick, launch)
        found[one.run_id] = launch
    return found


def decision_lines(decisions: Sequence[Decision], launches: dict[str, Launch]) -> Iterator[str]:
    """Write decisions as a table.

    Parameters
    ----------
    decisions : sequence of Decision
        What is shown.
    launches : dict of str to Launch
        Of `launches_of`.

    Yields
    ------
    str
        Lines, the names of the columns first.
    """
    rows = [["tick", "schedule", "decision", "run", "came to", "why"]]
    tones = []
    for one in decisions:
        launch = launches.get(one.run_id or "")
        came = "-" if launch is None else str(launch.state)
        again = f" (try {launch.attempt})" if launch is not None and launch.attempt > 1 else ""
        number = f" ({one.number:,} ticks)" if one.number > 1 else ""
        why = one.reason if launch is None or not launch.message else f"{one.reason}; {launch.message}"
        rows.append(
            [
                local(one.tick),
                one.schedule,
                f"{one.verdict}{number}",
                (launch.run_id if launch is not None else one.run_id) or "-",
                f"{came}{again}",
                _cut(shortened(why)),
            ]
        )
        tones.append((str(one.verdict), came))
    lines = columns([[clean(cell) for cell in row] for row in rows])
    yield lines[0].rstrip()
    for line, (verdict, came) in zip(lines[1:], tones, strict=True):
        tone = _TONES.get(came if came in ("failed", "lost") else verdict)
        yield painted(tone, line.rstrip()) if tone in ("failed", "interrupted") else line.rstrip()


def decision_json(one: Decision, launch: Launch | None = None) -> dict[str, Any]:
    """Give a decision as plain values.

    Parameters
    ----------
    one : Decision
        What is shown.
    launch : Launch, optional
        What became of it.
    """
    found = {
        "schedule": one.schedule,
        "tick": _iso(one.tick),
        "verdict": str(one.verdict),
        "reason": one.reason,
        "time": _iso(one.time),
        "service": one.service,
        "run_id": one.run_id,
        "number": one.number,
        "first": _iso(one.first),
    }
    if launch is not None:
        found |= {
            "state": str(launch.state),
            "message": launch.message,
            "began": _iso(launch.began),
            "ended": _iso(launch.ended),
            "attempt": launch.attempt,
            "last_run_id": launch.run_id,
        }
    return found
