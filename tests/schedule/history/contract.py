"""The laws of a history, for every one: inherit `HistoryContract`, and give `place`."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinagot.errors import CursorError, UnstorableDataError
from sinagot.schedule.history.contract import History
from sinagot.schedule.history.facts import Decision, Launch, Origin, Pause, ServiceFacts, State, Verdict
from sinagot.schedule.history.opening import open_history
from tests.schedule.history.actor import a_pair, tick

__all__ = ["HistoryContract", "Place", "all_pages", "lines_of", "start_actor"]

ROOT = Path(__file__).parents[3]

#: State folder, and address of a database.
Place = tuple[str, str | None]

TEXT = st.text(st.characters(), max_size=20)  # lone surrogates and NUL too
TIMES = st.datetimes(
    datetime(1971, 1, 1),  # noqa: DTZ001
    datetime(2900, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=9, minutes=30))]),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
#: One history serves all examples, and three classes have the test.
SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
NAMES = [
    "plain",
    "a/b",
    "../../etc",
    ".",
    "..",
    "",
    "été à Zürich",
    "x" * 5000,
    "é" * 300,
    "odd \udcff byte",
    "nul \x00",
    "back\\slash \\u0041",
    "Plain",
    "a%2Fb",
    "~",
    "%",
    "line\nbreak",
]


def start_actor(what: str, place: Place, word: str) -> subprocess.Popen[str]:
    """Start a program that uses a history."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.schedule.history.actor", what, place[0], place[1] or "", word],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )


def lines_of(actor: subprocess.Popen[str]) -> list[str]:
    """Wait for the end of a program; give what it printed."""
    said, _ = actor.communicate()
    assert actor.returncode == 0
    return said.splitlines()


def all_pages(page: Callable[..., tuple[list[Any], str | None]], **options: Any) -> list[Any]:
    """Follow the cursors to the end."""
    found, cursor = page(**options)
    while cursor is not None:
        more, cursor = page(**options, before=cursor)
        assert more
        found += more
    return found


class HistoryContract:
    """What every history keeps; `place` is a fixture of the class that inherits it."""

    #: Rounds of killing.
    KILLS = 2

    @pytest.fixture
    def place(self) -> Place:
        """Say where a fresh history is."""
        raise NotImplementedError

    @pytest.fixture
    def history(self, place: Place) -> Iterator[History]:
        """Give a fresh history."""
        opened = open_history(*place)
        yield opened
        opened.close()

    @pytest.fixture
    def other(self, place: Place, history: History) -> Iterator[History]:
        """Give the same history, as another service sees it."""
        opened = open_history(*place)
        yield opened
        opened.close()

    def fill(self, history: History, decisions: list[Decision]) -> None:
        """Put many decisions on record, faster than by deciding."""
        raise NotImplementedError

    # -- decisions

    def test_a_tick_is_decided_once(self, history: History, other: History) -> None:
        """Of two who decide about a tick one gets True, and only its launch is on record."""
        decision, launch = a_pair("first")
        assert history.decide(decision, launch)
        assert not other.decide(*a_pair("second"))
        assert not history.decide(decision, launch)
        assert other.newest("hourly") == decision
        assert other.launch("first") == launch
        assert other.launch("second") is None
        assert other.open_launches() == [launch]
        assert other.launches() == ([launch], None)

    @pytest.mark.slow
    def test_programs_that_race_share_the_ticks(self, place: Place, history: History) -> None:
        """Eight programs that decide about the same ticks win each once together, with the launch of the winner."""
        won = lines_of(start_actor("race", place, "8"))
        assert len(won) == 8
        winners = sorted(run_id for line in won for run_id in json.loads(line))
        assert len(winners) == 20
        decided = all_pages(history.decisions, limit=7)
        assert sorted(str(decision.run_id) for decision in decided) == winners
        assert len({(decision.schedule, decision.tick) for decision in decided}) == 20
        assert sorted(launch.run_id for launch in history.open_launches()) == winners
        assert sorted(launch.run_id for launch in all_pages(history.launches, limit=7)) == winners

    @pytest.mark.slow
    def test_a_kill_leaves_both_or_neither(self, place: Place, history: History) -> None:
        """Whenever a program is killed, of each tick decision and launch are on record or none, and what it was told is."""
        chance = random.Random(8)
        told: dict[str, str] = {}
        for round_ in range(self.KILLS):
            actor = start_actor("steady", place, f"r{round_}")
            assert actor.stdout is not None
            try:
                lines = [actor.stdout.readline() for _ in range(chance.randint(1, 12))]
            finally:
                actor.kill()
            lines += actor.communicate()[0].splitlines(keepends=True)
            # Of a word that is cut off we were told nothing.
            told |= {
                line.split()[1]: line.split()[0] for line in lines if line.endswith("\n") and " " in line
            }
        decided = all_pages(history.decisions)
        assert told.keys() <= {decision.run_id for decision in decided}
        assert [decision.tick for decision in decided] == [tick(n) for n in reversed(range(len(decided)))]
        launches = {launch.run_id: launch for launch in all_pages(history.launches)}
        assert launches.keys() == {decision.run_id for decision in decided}
        assert all(launches[run_id].state == State.DONE for run_id, word in told.items() if word == "over")
        going = [launch for launch in launches.values() if launch.state != State.DONE]
        assert sorted(history.open_launches()) == sorted(going)

    def test_a_decision_needs_no_launch(self, history: History) -> None:
        """A tick that nothing is run for is decided as well, with the number of those before it."""
        missed = Decision(
            "hourly", tick(60), Verdict.MISSED, "nobody", tick(61), "x", number=60, first=tick(1)
        )
        assert history.decide(missed)
        assert history.newest("hourly") == missed
        assert history.open_launches() == []

    def test_the_newest_is_the_latest_tick(self, history: History) -> None:
        """The newest decision has the latest tick of its schedule, whenever it was decided."""
        for number in (3, 1440, 2):
            assert history.decide(a_pair(f"run{number}", number)[0])
        assert history.decide(a_pair("else", 5000, "other")[0])
        newest = history.newest("hourly")
        assert newest is not None and newest.tick == tick(1440)
        assert history.newest("never") is None

    def test_a_launch_of_something_else_is_refused(self, history: History) -> None:
        """A decision and a launch that do not belong together are an error, and nothing is on record."""
        decision, launch = a_pair("one")
        for other in (
            launch._replace(run_id="x"),
            launch._replace(schedule="x"),
            launch._replace(tick=tick(1)),
        ):
            with pytest.raises(ValueError, match="is not the one of the decision"):
                history.decide(decision, other)
        assert history.newest("hourly") is None
        assert history.launches() == ([], None)

    def test_times_have_a_zone(self, history: History) -> None:
        """A time without a zone is refused, and nothing is on record."""
        naive = datetime(2026, 1, 1)  # noqa: DTZ001
        with pytest.raises(ValueError, match="no zone"):
            history.decide(a_pair("one")[0]._replace(tick=naive))
        with pytest.raises(ValueError, match="no zone"):
            history.decide(a_pair("one")[0]._replace(time=naive))
        assert history.decisions() == ([], None)

    def test_times_bound_what_is_listed(self, history: History) -> None:
        """`since` is inside, `until` is not, in any zone, with or without a schedule."""
        for number in (0, 1, 2, 3000, 3001):
            for schedule in ("hourly", "other"):
                assert history.decide(a_pair(f"{schedule}{number}", number, schedule)[0])
        far = tick(3000).astimezone(timezone(timedelta(hours=-7)))
        found, cursor = history.decisions("hourly", since=tick(1), until=far)
        assert [decision.tick for decision in found] == [tick(2), tick(1)] and cursor is None
        found, _ = history.decisions(since=far)
        assert [decision.tick for decision in found] == [tick(3001)] * 2 + [tick(3000)] * 2
        found, cursor = history.decisions(until=tick(3001), limit=3)
        found += history.decisions(until=tick(3001), before=cursor)[0]
        assert [decision.tick for decision in found] == [tick(n) for n in (3000, 3000, 2, 2, 1, 1, 0, 0)]

    def test_cursors_stay_where_they_are(self, history: History) -> None:
        """Whatever comes meanwhile, pages that follow one another hold each entry that was there once, in order."""
        for number in range(0, 20, 2):
            for schedule in ("a", "b"):
                assert history.decide(*a_pair(f"{schedule}{number}", number, schedule))
        first, cursor = history.decisions(limit=7)
        asked, place = history.launches(limit=7)
        assert cursor is not None and place is not None
        for number in (100, 17, 16):
            assert history.decide(*a_pair(f"c{number}", number, "c"))
        for page, former, after in ((history.decisions, first, cursor), (history.launches, asked, place)):
            rest: list[Any] = []
            at: str | None = after
            while at is not None:
                more, at = page(before=at, limit=3)  # type: ignore[operator]
                rest += more
            ids = [entry.run_id for entry in [*former, *rest]]
            there = [f"{schedule}{number}" for number in range(18, -1, -2) for schedule in ("b", "a")]
            assert [run_id for run_id in ids if run_id[0] != "c"] == there
            assert len(ids) == len(set(ids))

    @pytest.mark.parametrize("cursor", ["", "x", "é", "AAAA", "=" * 9, "2026~"])
    def test_a_wrong_cursor_is_told(self, history: History, cursor: str) -> None:
        """What no answer gave as a cursor is an error that carries it."""
        for page in (history.decisions, history.launches):
            with pytest.raises(CursorError) as caught:
                page(before=cursor)
            assert caught.value.cursor == cursor

    def test_many_decisions_come_in_pages(self, history: History) -> None:
        """Ten thousand decisions come in pages, each once and in order; the newest one is known."""
        made = [a_pair(f"run{n}", n, f"schedule {n % 3}")[0] for n in range(10_000)]
        self.fill(history, made)
        found = all_pages(history.decisions, limit=2500)
        assert found == made[::-1]
        assert history.newest("schedule 0") == made[9999]
        page, cursor = history.decisions("schedule 1", until=tick(5000), limit=100)
        assert page == made[4999::-3][:100] and cursor is not None

    # -- launches

    def test_launches_come_last_asked_first(self, history: History) -> None:
        """Launches are listed by the time they were asked for, latest first; those that are open, oldest first."""
        times = [tick(5), tick(1), tick(3000), tick(1) + timedelta(microseconds=1)]
        for n, asked in enumerate(times):
            history.add(Launch(f"run{n}", "clean", Origin.API, State.QUEUED, asked))
        found = all_pages(history.launches, limit=1)
        assert [launch.run_id for launch in found] == ["run2", "run0", "run3", "run1"]
        assert [launch.run_id for launch in history.open_launches()] == ["run1", "run3", "run0", "run2"]
        assert history.launches(limit=4)[1] is None
        assert history.launches(limit=3)[1] is not None

    def test_launches_are_found_by_what_they_are(self, history: History) -> None:
        """Launches are listed by schedule, pipeline and states, and by all at once."""
        history.decide(*a_pair("a", 1, "s"))
        history.add(Launch("b", "s", Origin.API, State.RUNNING, tick(2)))
        history.add(Launch("c", "t", Origin.HAND, State.DONE, tick(3)))
        history.add(Launch("d", "t", Origin.HAND, State.FAILED, tick(4)))

        def ids(**options: Any) -> list[str]:
            return [launch.run_id for launch in history.launches(**options)[0]]

        assert ids(schedule="s") == ["a"]
        assert ids(pipeline="s") == ["b", "a"]
        assert ids(states=[State.DONE, State.FAILED]) == ["d", "c"]
        assert ids(states=[]) == []
        assert ids(pipeline="t", states={State.DONE}) == ["c"]
        assert ids(schedule="t") == []

    def test_a_run_id_is_used_once(self, history: History) -> None:
        """A launch whose run is on record already is refused, and the one on record stays."""
        launch = Launch("run", "clean", Origin.API, State.QUEUED, tick(1))
        history.add(launch)
        with pytest.raises(ValueError, match="on record already"):
            history.add(launch._replace(pipeline="other"))
        assert history.launch("run") == launch

    def test_of_two_changes_one_is_made(self, history: History, other: History) -> None:
        """Who changes a launch that somebody has changed since is told so, and looks again."""
        launch = a_pair("run")[1]
        history.decide(*a_pair("run"))
        new = history.change(launch, state=State.RUNNING, service="x", pid=7, began=tick(1))
        assert new == launch._replace(state=State.RUNNING, service="x", pid=7, began=tick(1), version=1)
        assert other.change(launch, state=State.CANCELLED) is None
        assert other.launch("run") == new
        done = other.change(new, state=State.DONE, ended=tick(2), exit_code=0, message="fine")
        assert done is not None and done.version == 2
        assert history.launch("run") == done
        assert history.open_launches() == []

    def test_of_many_changes_at_once_one_is_made(self, history: History, place: Place) -> None:
        """Of eight who change one version at the same time, one is told that it did, each time."""
        launch = a_pair("run")[1]
        history.decide(*a_pair("run"))
        opened = [open_history(*place) for _ in range(4)]
        with ThreadPoolExecutor(8) as pool:
            for version in range(3):
                seen = launch
                answers = list(pool.map(lambda n: opened[n % 4].change(seen, message=str(n)), range(8)))  # noqa: B023
                made = [answer for answer in answers if answer is not None]
                assert len(made) == 1
                launch = made[0]
                assert history.launch("run") == launch
                assert launch.version == version + 1
        for one in opened:
            one.close()

    def test_what_is_over_stays_over(self, history: History) -> None:
        """A launch that is over is never open again; how it ended may be told better."""
        lost = Launch("run", "clean", Origin.API, State.LOST, tick(1))
        history.add(lost)
        with pytest.raises(ValueError, match="can't be running again"):
            history.change(lost, state=State.RUNNING)
        better = history.change(lost, state=State.DONE)
        assert better is not None and history.launch("run") == better
        assert history.open_launches() == []

    @pytest.mark.parametrize(
        "fact", ["run_id", "version", "asked", "tick", "schedule", "pipeline", "origin", "typo"]
    )
    def test_what_a_launch_is_never_changes(self, history: History, fact: str) -> None:
        """What a launch is found by, and a fact that there is none, are refused."""
        history.decide(*a_pair("run"))
        with pytest.raises((ValueError, TypeError), match=fact):
            history.change(a_pair("run")[1], **{fact: "x"})

    def test_a_launch_that_is_not_on_record_is_not_changed(self, history: History) -> None:
        """To change a launch that nobody has put on record changes nothing."""
        assert history.change(a_pair("run")[1], state=State.RUNNING) is None
        assert history.launch("run") is None

    # -- values

    @settings(max_examples=20, suppress_health_check=SHARED)
    @given(data=st.data())
    def test_facts_come_back_as_they_were(self, history: History, data: Any) -> None:
        """Any text, any time to the microsecond and any JSON come back equal, times in UTC."""
        run_id = uuid4().hex  # each example has a tick and a run of its own
        name, words = data.draw(TEXT) + run_id, data.draw(st.lists(TEXT, min_size=5, max_size=5))
        time, when = data.draw(TIMES), data.draw(st.none() | TIMES)
        params = data.draw(st.dictionaries(TEXT, JSON, max_size=3))
        verdict, origin = data.draw(st.sampled_from(Verdict)), data.draw(st.sampled_from(Origin))
        decision = Decision(name, time, verdict, words[0], time, words[1], run_id)
        launch = Launch(run_id, words[2], origin, State.QUEUED, time, params, name, time, 3, when, words[3])
        assert history.decide(decision, launch)
        found = history.launch(run_id)
        assert found == launch
        assert type(found) is Launch and type(found.state) is State
        assert found.asked.utcoffset() == timedelta(0)
        listed = history.decisions(name, since=time, until=time + timedelta(microseconds=1))[0]
        assert listed == [decision]
        assert type(listed[0].verdict) is Verdict
        changed = history.change(launch, message=words[4], ended=when, exit_code=-9, state=State.FAILED)
        assert changed is not None and history.launch(run_id) == changed

    def test_any_name_is_a_name_of_its_own(self, history: History, other: History) -> None:
        """Schedules of any names, however odd or long or alike, are kept apart."""
        for n, name in enumerate(NAMES):
            assert history.decide(*a_pair(f"run{n}", 0, name))
            assert history.pause(Pause(name, tick(0), "ada", name))
            history.beat(ServiceFacts(name, "h", "b", n, "1", tick(0), 1))
        for n, name in enumerate(NAMES):
            newest = other.newest(name)
            assert newest is not None and (newest.schedule, newest.run_id) == (name, f"run{n}")
            assert [launch.run_id for launch in other.launches(schedule=name)[0]] == [f"run{n}"]
        assert sorted(other.pauses()) == sorted(NAMES)
        assert sorted(service.name for service in other.services()) == sorted(NAMES)
        assert len(other.decisions()[0]) == len(NAMES)

    def test_odd_run_ids_are_only_unknown(self, history: History) -> None:
        """A run id that nobody gave, however odd, is of no launch."""
        history.decide(*a_pair("run"))
        for odd in ("", "..", "../run", "x" * 5000, "a\x00", "\udcff", "un"):
            assert history.launch(odd) is None

    def test_what_json_does_not_know_is_refused(self, history: History) -> None:
        """Parameters that are no JSON are an error that says whose they are, and nothing is on record."""
        decision, launch = a_pair("run")
        with pytest.raises(UnstorableDataError, match="run"):
            history.decide(decision, launch._replace(params={"x": object()}))
        assert history.launch("run") is None
        assert history.decide(decision, launch)

    # -- pauses and services

    def test_a_pause_stands_until_it_is_ended(self, history: History, other: History) -> None:
        """A schedule is paused once, by the first who does, and resumed once."""
        first = Pause("hourly", tick(0), "ada", "holidays")
        assert history.pauses() == {}
        assert history.pause(first)
        assert not other.pause(Pause("hourly", tick(1), "bob", "other"))
        assert other.pauses() == {"hourly": first}
        assert other.resume("hourly")
        assert not history.resume("hourly")
        assert history.pauses() == {}

    def test_services_are_known_until_they_leave(self, history: History, other: History) -> None:
        """A service is known from its first beat on, with its latest one, until it leaves."""
        one = ServiceFacts("h-1", "h", "boot", 1, "77", tick(0), 1)
        two = ServiceFacts("h-2", "h", "boot", 2, "78", tick(1), 5)
        history.beat(one)
        history.beat(two)
        history.beat(one._replace(beat=2))
        assert sorted(other.services()) == [one._replace(beat=2), two]
        other.leave("h-2")
        other.leave("h-2")
        assert history.services() == [one._replace(beat=2)]

    # -- keeping house

    def test_what_is_old_and_over_is_forgotten(self, history: History, other: History) -> None:
        """A sweep forgets old decisions and launches, never the newest decision nor what goes on, and no tick comes back."""
        for number in range(5):
            assert history.decide(*a_pair(f"a{number}", number, "a"))
            assert history.decide(*a_pair(f"b{number}", number, "b"))
        for launch in history.open_launches():
            if launch.run_id != "b2":
                history.change(launch, state=State.DONE)
        assert history.sweep(tick(1000)) == 4 + 2 + 9
        assert [decision.run_id for decision in other.decisions("a")[0]] == ["a4"]
        assert [decision.run_id for decision in other.decisions("b")[0]] == ["b4", "b3", "b2"]
        assert [launch.run_id for launch in other.launches()[0]] == ["b2"]
        assert [launch.run_id for launch in other.open_launches()] == ["b2"]
        for number in range(4):
            assert not other.decide(*a_pair(f"again{number}", number, "a"))
        assert other.launch("again0") is None and other.launch("a0") is None
        assert history.sweep(tick(1000)) == 0
        assert other.decide(*a_pair("a5", 5, "a"))

    def test_what_is_young_is_kept(self, history: History) -> None:
        """A sweep forgets nothing from its time on."""
        for number in range(4):
            decision, launch = a_pair(f"a{number}", number, "a")
            assert history.decide(decision, launch)
            history.change(launch, state=State.DONE)
        assert history.sweep(tick(2)) == 4
        assert [decision.run_id for decision in history.decisions()[0]] == ["a3", "a2"]
        assert [launch.run_id for launch in history.launches()[0]] == ["a3", "a2"]
