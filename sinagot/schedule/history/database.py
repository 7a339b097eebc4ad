"""The history of schedules in a database, so that services on several machines share it.

Knows the tables; `connecting` knows connections, `schema` how the tables come to be. What two services try at the same
time, primary keys and conditional updates give to one of them.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Row

from sinagot.schedule.history.belonging import Belonging, part_of
from sinagot.schedule.history.connecting import Database
from sinagot.schedule.history.contract import History
from sinagot.schedule.history.facts import (
    OPEN_STATES,
    Decision,
    Launch,
    Origin,
    Pause,
    ServiceFacts,
    State,
    Verdict,
)
from sinagot.schedule.history.notation import (
    changed,
    check_pair,
    in_utc,
    key_of,
    page_of,
    read_cursor,
    read_stamp,
    stamp,
    to_json,
)
from sinagot.schedule.history.schema import prepare
from sinagot.schedule.history.tables import DECISIONS, FORGOTTEN, LAUNCHES, PAUSES, SERVICES

__all__ = ["DatabaseHistory"]


class DatabaseHistory(History):
    """Decisions, launches, pauses and services in a database.

    Parameters
    ----------
    url : str
        Its address: ``postgresql://...`` or ``sqlite:///...``. The tables are made, or brought up to date, at once.
    patience : float, default 10
        Seconds for which a connection that broke is made anew before that is an error.
    is_read_only : bool
        Nothing is made or changed: tables have to be there.
    belonging : Belonging, optional
        Whose history it is: several workspaces have parts of their own. The whole when not given.

    Raises
    ------
    ConfigurationError
        When the address can't be used, or the tables were made by a newer program, or may be another workspace's.
    HistoryUnavailableError
        When the database can't be reached.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import UTC
    >>> history = DatabaseHistory(f"sqlite:///{tempfile.mkdtemp()}/history.db")
    >>> history.pause(Pause("hourly", datetime(2026, 1, 31, tzinfo=UTC), "ada", "holidays"))
    True
    >>> list(history.pauses())
    ['hourly']
    >>> history.close()
    """

    def __init__(
        self,
        url: str,
        *,
        patience: float = 10.0,
        is_read_only: bool = False,
        belonging: Belonging | None = None,
    ) -> None:
        self._database = Database(url, patience, is_read_only=is_read_only)
        try:
            prepare(self._database)
            part = "" if belonging is None else part_of(self._database, belonging)
            if part:
                self._database.close()
                self._database = Database(url, patience, is_read_only=is_read_only, part=part)
                prepare(self._database)
        except BaseException:
            self._database.close()
            raise

    @property
    def address(self) -> str:
        """Where the database is, without its password."""
        return self._database.address

    # -- decisions

    def decide(self, decision: Decision, launch: Launch | None = None) -> bool:
        """Take a tick: True for one caller ever."""
        check_pair(decision, launch)
        key = key_of(decision.schedule)
        row = _row(decision, schedule_key=key)
        launch_row = _launch_row(launch) if launch is not None else None

        def work(connection: Connection, is_again: bool) -> bool:
            if not self._insert(connection, DECISIONS, row):
                return is_again and _find_decision(connection, key, decision.tick) == decision
            floor = connection.execute(
                sa.select(FORGOTTEN.c.before).where(FORGOTTEN.c.schedule_key == key)
            ).scalar()
            if floor is not None and decision.tick < floor:
                connection.rollback()
                return False
            if launch_row is not None and not self._insert(connection, LAUNCHES, launch_row):
                raise ValueError(f"the run {decision.run_id} is on record already")
            return True

        return self._database.write(work)

    def newest(self, schedule: str) -> Decision | None:
        """Give the decision with the latest tick of a schedule."""
        query = _decisions().where(DECISIONS.c.schedule_key == key_of(schedule))
        query = query.order_by(DECISIONS.c.tick.desc()).limit(1)
        row = self._database.read(lambda connection: connection.execute(query).first())
        return _decision(row) if row is not None else None

    def decisions(
        self,
        schedule: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> tuple[list[Decision], str | None]:
        """Give decisions, latest tick first, and the cursor of the next part."""
        table = DECISIONS.c
        query = _decisions().order_by(table.tick.desc(), table.schedule_key.desc()).limit(limit + 1)
        if schedule is not None:
            query = query.where(table.schedule_key == key_of(schedule))
        if since is not None:
            query = query.where(table.tick >= in_utc(since))
        if until is not None:
            query = query.where(table.tick < in_utc(until))
        if before is not None:
            query = query.where(_is_behind(table.tick, table.schedule_key, before))
        rows = self._database.read(lambda connection: connection.execute(query).all())
        found = map(_decision, rows)
        return page_of(((stamp(one.tick), key_of(one.schedule), one) for one in found), limit)

    # -- launches

    def add(self, launch: Launch) -> None:
        """Put a launch on record that belongs to no tick, or tries one again."""
        row = _launch_row(launch)

        def work(connection: Connection, is_again: bool) -> bool:
            if self._insert(connection, LAUNCHES, row):
                return True
            return is_again and _find_launch(connection, launch.run_id) == launch

        if not self._database.write(work):
            raise ValueError(f"the run {launch.run_id} is on record already")

    def change(self, launch: Launch, **facts: Any) -> Launch | None:
        """Change a launch that is still as it was seen."""
        new = changed(launch, facts)
        row = _launch_row(new)
        is_seen = (LAUNCHES.c.run_key == row["run_key"]) & (LAUNCHES.c.version == launch.version)
        update = LAUNCHES.update().where(is_seen).values(row)

        def work(connection: Connection, is_again: bool) -> bool:
            if connection.execute(update).rowcount:
                return True
            return is_again and _find_launch(connection, launch.run_id) == new

        return new if self._database.write(work) else None

    def launch(self, run_id: str) -> Launch | None:
        """Give a launch by its run."""
        return self._database.read(lambda connection: _find_launch(connection, run_id))

    def launches(
        self,
        *,
        schedule: str | None = None,
        pipeline: str | None = None,
        states: Collection[State] | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> tuple[list[Launch], str | None]:
        """Give launches, the one asked for last first, and the cursor of the next part."""
        table = LAUNCHES.c
        query = _launches().order_by(table.asked.desc(), table.run_key.desc()).limit(limit + 1)
        if schedule is not None:
            query = query.where(table.schedule_key == key_of(schedule))
        if pipeline is not None:
            query = query.where(table.pipeline_key == key_of(pipeline))
        if states is not None:
            query = query.where(table.state.in_(list(states)))
        if before is not None:
            query = query.where(_is_behind(table.asked, table.run_key, before))
        rows = self._database.read(lambda connection: connection.execute(query).all())
        found = map(_launch, rows)
        return page_of(((stamp(one.asked), key_of(one.run_id), one) for one in found), limit)

    def open_launches(self) -> list[Launch]:
        """Give all that are queued or running, oldest first."""
        query = _launches().where(LAUNCHES.c.state.in_(OPEN_STATES))
        query = query.order_by(LAUNCHES.c.asked, LAUNCHES.c.run_key)
        return [
            _launch(row) for row in self._database.read(lambda connection: connection.execute(query).all())
        ]

    # -- pauses

    def pause(self, pause: Pause) -> bool:
        """Pause a schedule; False when it is paused already."""
        row = _row(pause, schedule_key=key_of(pause.schedule))

        def work(connection: Connection, is_again: bool) -> bool:
            if self._insert(connection, PAUSES, row):
                return True
            return is_again and _pauses(connection).get(pause.schedule) == pause

        return self._database.write(work)

    def resume(self, schedule: str) -> bool:
        """End a pause; False when there is none."""
        delete = PAUSES.delete().where(PAUSES.c.schedule_key == key_of(schedule))
        return self._database.write(lambda connection, is_again: connection.execute(delete).rowcount > 0)

    def pauses(self) -> dict[str, Pause]:
        """Give the pauses that stand, by schedule."""
        return self._database.read(_pauses)

    # -- services

    def beat(self, service: ServiceFacts) -> None:
        """Say that a service lives."""
        row = _row(service, service_key=key_of(service.name))
        known = SERVICES.update().where(SERVICES.c.service_key == row["service_key"]).values(row)

        def work(connection: Connection, is_again: bool) -> None:
            if not connection.execute(known).rowcount:
                self._insert(connection, SERVICES, row)

        self._database.write(work)

    def leave(self, service: str) -> None:
        """Forget a service."""
        delete = SERVICES.delete().where(SERVICES.c.service_key == key_of(service))
        self._database.write(lambda connection, is_again: connection.execute(delete))

    def services(self) -> list[ServiceFacts]:
        """Give the services that have not left."""
        query = sa.select(*(SERVICES.c[name] for name in ServiceFacts._fields)).order_by(
            SERVICES.c.service_key
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return [ServiceFacts._make(row) for row in rows]

    # -- keeping house

    def sweep(self, before: datetime) -> int:
        """Forget what is old and over."""
        before = in_utc(before)
        newest = sa.select(DECISIONS.c.schedule_key, sa.func.max(DECISIONS.c.tick)).group_by(
            DECISIONS.c.schedule_key
        )
        rows = self._database.read(lambda connection: connection.execute(newest).all())
        number = sum(self._forget(key, min(before, tick)) for key, tick in rows)
        old = LAUNCHES.delete().where(LAUNCHES.c.asked < before, LAUNCHES.c.state.not_in(OPEN_STATES))
        return number + self._database.write(lambda connection, is_again: connection.execute(old).rowcount)

    def _forget(self, key: str, limit: datetime) -> int:
        """Remove decisions before a limit, and say that none of them is made again."""
        of_key = DECISIONS.c.schedule_key == key
        going = sa.select(LAUNCHES.c.run_id).where(LAUNCHES.c.state.in_(OPEN_STATES))
        needed = sa.select(sa.func.min(DECISIONS.c.tick)).where(of_key, DECISIONS.c.run_id.in_(going))

        def work(connection: Connection, is_again: bool) -> int:
            first = connection.execute(needed).scalar()
            until = min(limit, first) if first is not None else limit
            number = connection.execute(DECISIONS.delete().where(of_key, DECISIONS.c.tick < until)).rowcount
            if number and not self._insert(connection, FORGOTTEN, {"schedule_key": key, "before": until}):
                is_earlier = (FORGOTTEN.c.schedule_key == key) & (FORGOTTEN.c.before < until)
                connection.execute(FORGOTTEN.update().where(is_earlier).values(before=until))
            return number

        return self._database.write(work)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def _insert(self, connection: Connection, table: sa.Table, row: dict[str, Any]) -> bool:
        """Insert a row; False when there is one with its key. Who inserts it at the same time is waited for."""
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        statement = insert(table).values(row).on_conflict_do_nothing(index_elements=list(table.primary_key))
        return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount > 0


def _is_behind(time: Any, key: Any, cursor: str) -> Any:
    """Give the condition of what comes behind a cursor, latest first."""
    stamped, place = read_cursor(cursor)
    moment = read_stamp(stamped)
    return (time < moment) | ((time == moment) & (key < place))


def _decisions() -> Any:
    return sa.select(*(DECISIONS.c[name] for name in Decision._fields))


def _decision(row: Row[Any]) -> Decision:
    found = Decision._make(row)
    return found._replace(verdict=Verdict(found.verdict))


def _find_decision(connection: Connection, key: str, tick: datetime) -> Decision | None:
    row = connection.execute(
        _decisions().where(DECISIONS.c.schedule_key == key, DECISIONS.c.tick == tick)
    ).first()
    return _decision(row) if row is not None else None


def _launches() -> Any:
    return sa.select(*(LAUNCHES.c[name] for name in Launch._fields))


def _launch(row: Row[Any]) -> Launch:
    found = Launch._make(row)
    return found._replace(
        origin=Origin(found.origin), state=State(found.state), params=json.loads(str(found.params))
    )


def _find_launch(connection: Connection, run_id: str) -> Launch | None:
    row = connection.execute(_launches().where(LAUNCHES.c.run_key == key_of(run_id))).first()
    return _launch(row) if row is not None else None


def _launch_row(launch: Launch) -> dict[str, Any]:
    keys = {
        "run_key": key_of(launch.run_id),
        "pipeline_key": key_of(launch.pipeline),
        "schedule_key": key_of(launch.schedule) if launch.schedule is not None else None,
    }
    params = to_json(launch.params, f"the parameters of the launch {launch.run_id}")
    return {**_row(launch, **keys), "params": params}


def _row(facts: Decision | Launch | Pause | ServiceFacts, **keys: str | None) -> dict[str, Any]:
    """Give the columns of facts, with the keys that they are found by; a time without zone is refused."""
    plain = facts._asdict().items()
    return {**keys, **{name: in_utc(one) if isinstance(one, datetime) else one for name, one in plain}}


def _pauses(connection: Connection) -> dict[str, Pause]:
    query = sa.select(*(PAUSES.c[name] for name in Pause._fields)).order_by(PAUSES.c.schedule_key)
    found = [Pause._make(row) for row in connection.execute(query)]
    return {pause.schedule: pause for pause in found}
