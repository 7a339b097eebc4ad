"""Puts on record what becomes of ticks: `decide` says it, the history takes each once, the log tells it.

Knows the history and pure decisions; must not know when it is asked, or how a run is started.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sinagot.engine.request import new_run_id
from sinagot.schedule.deciding import MOST_COUNTED, Choice, Standing, decide
from sinagot.schedule.history.facts import Decision, Launch, Origin, Pause, State, Verdict
from sinagot.schedule.roster import Entry

if TYPE_CHECKING:
    from sinagot.schedule.diary import Diary
    from sinagot.schedule.history.contract import History

__all__ = ["Registrar", "barred", "user_name"]

#: Launches among which one by hand is looked for.
_RECENT = 50
#: Clocks of hosts are so far apart without a word.
_APART = timedelta(minutes=1)


def barred(entry: Entry, pause: Pause | None) -> str:
    """Say why ticks of a schedule do not run; empty where they do."""
    if pause is not None:
        return f"paused by {pause.user}{': ' if pause.reason else ''}{pause.reason}"
    return f"can't run: {entry.unable}" if entry.unable else ""


def user_name() -> str:
    """Give the name of the user of this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an id without a name, as in containers
        import os

        return f"user {os.getuid()}"


def _is_ahead(launch: Launch, newest: Decision | None) -> bool:
    """Say whether somebody has asked by hand for a tick before it was decided: it is not in its own way."""
    is_decided = launch.tick is None or (newest is not None and launch.tick <= newest.tick)
    return launch.origin == Origin.HAND and not is_decided


class Registrar:
    """Decides about schedules in the name of one service.

    Parameters
    ----------
    history : History
        Where decisions are on record.
    diary : Diary
        What is told of them.
    service : str
        Its name.
    """

    def __init__(self, history: History, diary: Diary, service: str) -> None:
        self._history, self._diary, self._service = history, diary, service
        #: Time tables that are others since, by schedule: ticks before are nobody's.
        self.floors: dict[str, datetime] = {}
        #: Decisions that were made by clocks which were ahead, by schedule: they were told of.
        self._ahead: dict[str, datetime] = {}

    def settle(
        self,
        entry: Entry,
        now: datetime,
        pauses: Mapping[str, Pause],
        open_launches: Sequence[Launch],
        *,
        tried: datetime | None = None,
        most: int = MOST_COUNTED,
    ) -> list[Choice]:
        """Decide about all ticks of a schedule up to now.

        Parameters
        ----------
        entry : Entry
            The schedule; nothing is decided about one whose ticks nobody knows.
        now : datetime
            UTC.
        pauses : mapping of str to Pause
            Those that stand.
        open_launches : sequence of Launch
            All that are queued or go on.
        tried : datetime, optional
            Since when the history was away.
        most : int
            Ticks are counted so far.

        Returns
        -------
        list of Choice
            Those that this service was the first to make.
        """
        if entry.ticks is None:
            return []
        newest = self._history.newest(entry.name)
        if newest is not None and newest.tick - now > _APART:
            self._tell_ahead(newest, now)
            return []
        standing = Standing(
            None if newest is None else newest.tick,
            [one for one in open_launches if one.schedule == entry.name and not _is_ahead(one, newest)],
            barred(entry, pauses.get(entry.name)),
            self.floors.get(entry.name),
            tried,
        )
        choices = decide(now, entry.ticks, entry.policies, standing, most)
        return [one for one in choices if self._take(entry, one, now)]

    def _tell_ahead(self, newest: Decision, now: datetime) -> None:
        """Tell, once, that a clock was ahead, or this one is behind: no tick is decided twice."""
        if self._ahead.get(newest.schedule) == newest.tick:
            return
        self._ahead[newest.schedule] = newest.tick
        text = (
            f"its ticks up to {newest.tick:%Y-%m-%d %H:%M} UTC were decided before, and here it is "
            f"{now:%Y-%m-%d %H:%M} UTC: a clock was ahead, or this one is behind; none of them runs again (under "
            "another name the schedule runs at once)"
        )
        self._diary.note(text, "WARNING", newest.schedule)

    def refuse(self, entry: Entry, now: datetime) -> None:
        """Put on record that a schedule is disabled whose ticks nobody knows, once for each reason."""
        newest = self._history.newest(entry.name)
        if newest is None or (newest.verdict == Verdict.DISABLED and newest.reason.endswith(entry.unable)):
            return  # never a schedule as far as is known, or said before
        if newest.tick < now:
            self._take(entry, Choice(now, Verdict.DISABLED, f"can't run: {entry.unable}"), now)

    def _take(self, entry: Entry, choice: Choice, now: datetime) -> bool:
        """Put a choice on record; False where another service was first."""
        decision = Decision(
            entry.name,
            choice.tick,
            choice.verdict,
            choice.reason,
            now,
            self._service,
            number=choice.number,
            first=choice.first,
        )
        launch: Launch | None = None
        if choice.asks:
            by_hand = self._by_hand(entry.name, choice.tick)
            if by_hand is not None:
                decision = decision._replace(run_id=by_hand.run_id, reason=f"run by hand: {by_hand.run_id}")
            else:
                launch = Launch(
                    new_run_id(),
                    entry.name,
                    Origin.SCHEDULE,
                    State.QUEUED,
                    now,
                    schedule=entry.name,
                    tick=choice.tick,
                    service=self._service,
                )
                decision = decision._replace(run_id=launch.run_id)
        if not self._history.decide(decision, launch):
            return False
        self._diary.decided(decision)
        if launch is not None:
            self._withdraw_late(decision, launch)
        return True

    def _by_hand(self, schedule: str, tick: datetime) -> Launch | None:
        """Give the launch that somebody has asked for by hand, for this very tick."""
        found, _ = self._history.launches(schedule=schedule, limit=_RECENT)
        return next((one for one in found if one.tick == tick and one.origin == Origin.HAND), None)

    def _withdraw_late(self, decision: Decision, launch: Launch) -> None:
        """Take a launch back where another service has decided about its tick among others while this one slept."""
        newest = self._history.newest(decision.schedule)
        if newest is None or newest.first is None or not newest.first <= decision.tick < newest.tick:
            return
        text = f"this service was late: the tick was decided before ({newest.verdict}, together with others)"
        taken = self._history.change(launch, state=State.CANCELLED, ended=decision.time, message=text)
        if taken is not None:
            self._diary.launched(taken, text)
