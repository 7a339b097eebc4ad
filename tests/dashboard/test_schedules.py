"""Pages of schedules: how each stands, the calendar of its ticks with every decision, and that data cannot act."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sinagot.dashboard import calendars
from sinagot.dashboard.calendars import Calendars, Cell, Sheet
from sinagot.schedule.history.contract import History
from sinagot.schedule.history.facts import Decision, Launch, Origin, Pause, State, Verdict
from sinagot.schedule.history.files import FileHistory
from sinagot.schedule.on import On
from sinagot.schedule.roster import MergedTicks
from sinagot.schedule.tries import last_tries
from sinagot.testing import make_workspace
from tests.dashboard.conftest import Dashboard, Serve
from tests.dashboard.reading import check_anybody_can_read
from tests.dashboard.running import enter, follow

EVIL = "<script>window.hurt=1</script>"
REASON = "</p><img src=x onerror=window.hurt=1> holidays"
PARIS = ZoneInfo("Europe/Paris")
HOUR = timedelta(hours=1)
#: Midnight in Paris.
FIRST = datetime(2026, 2, 28, 23, tzinfo=UTC)
TEMPLATE = """
'{name}':
  type: pipeline.Pipeline
  on: {{cron: '{cron}', timezone: {zone}}}
  {more}
  jobs:
    one:
      stages:
        - name: it
          echo: hello
"""
TEMPLATES = [
    {"name": "hourly", "cron": "0 * * * *", "more": "overlap: queue"},
    {"name": "nightly", "cron": "30 2 * * *", "zone": "America/New_York"},
    {"name": EVIL, "cron": "0 0 1 1 *", "zone": "Asia/Tokyo"},
    {"name": "wants", "cron": "0 0 1 1 *", "more": f"params: {{'{EVIL}': {{type: str, required: true}}}}"},
]


def _lab(folder: Path, *templates: dict[str, str]) -> History:
    make_workspace(folder, records=["A"]).close()
    (folder / "conf").mkdir()
    texts = [TEMPLATE.format(**{"zone": "Europe/Paris", "more": "", **one}) for one in templates]
    (folder / "conf" / "all.yaml").write_text("".join(texts))
    return FileHistory(folder / "dataset" / ".sinagot")


def _decide(
    history: History,
    tick: datetime,
    verdict: Verdict = Verdict.FIRED,
    state: State | None = State.DONE,
    *,
    reason: str = "0.1 s after its time",
    first: datetime | None = None,
    number: int = 1,
    name: str = "hourly",
) -> str:
    """Put a decision on record; gives the run that was asked for, in a state."""
    run_id = f"{tick:%Y%m%dT%H%M%S}-00{tick:%d%H%M}" if state is not None else None
    asked = tick + timedelta(seconds=0.1)
    decision = Decision(name, tick, verdict, reason, asked, "host-1", run_id, number, first)
    if run_id is None or state is None:
        assert history.decide(decision)
        return ""
    launch = Launch(run_id, name, Origin.SCHEDULE, State.QUEUED, asked, schedule=name, tick=tick)
    assert history.decide(decision, launch)
    if state != State.QUEUED:
        message = "" if state == State.DONE else f"ValueError: {EVIL}"
        assert history.change(launch, state=state, began=asked, ended=asked, message=message)
    return run_id


def _begin(history: History, name: str = "hourly") -> None:
    _decide(history, FIRST - HOUR / 2, Verdict.BEGUN, None, name=name)


def _march(history: History) -> None:
    """Put March 2026 on record, which has an hour less in Paris: 4 days each hour, 60 missed, then two more."""
    _begin(history)
    for hour in range(96):
        state = State.FAILED if hour == 30 else State.DONE
        if hour == 31:
            _decide(history, FIRST + hour * HOUR, Verdict.SKIPPED, None, reason=f"run {EVIL} goes on")
        elif hour == 32:
            _decide(history, FIRST + hour * HOUR, Verdict.DISABLED, None, reason=f"paused by ada: {REASON}")
        else:
            verdict = {33: Verdict.QUEUED, 34: Verdict.CAUGHT_UP}.get(hour, Verdict.FIRED)
            _decide(history, FIRST + hour * HOUR, verdict, state)
    first = FIRST + 96 * HOUR
    _decide(
        history, first + 59 * HOUR, Verdict.MISSED, None, reason="nobody was there", first=first, number=60
    )
    _decide(history, first + 60 * HOUR)
    _decide(history, first + 61 * HOUR, state=State.QUEUED)


def _sheet(history: History, now: datetime, cron: str = "0 * * * *") -> Sheet:
    newest = history.newest("hourly")
    assert newest is not None
    table = MergedTicks([On(cron, "Europe/Paris")])
    return Sheet("hourly", (f"{cron} Europe/Paris",), PARIS, table, now, newest.tick, history)


def _by_day(weeks: list[list[Cell | None]]) -> dict[int, Cell]:
    return {cell.date.day: cell for week in weeks for cell in week if cell is not None}


# -- calendars


def test_ticks_are_counted_on_the_days_on_which_they_were_due(tmp_path: Path) -> None:
    """A month counts each tick once, on the clock of the schedule; those that were missed together on their days."""
    history = FileHistory(tmp_path)
    _march(history)
    sheet = _sheet(history, datetime(2026, 3, 20, tzinfo=UTC))
    weeks = Calendars().month(sheet, dt.date(2026, 3, 1))
    assert [len(week) for week in weeks] == [7] * 6
    assert [cell and cell.date.day for cell in weeks[0]] == [None] * 6 + [1]
    days = _by_day(weeks)
    assert days[1].counts == {"fired": 24} and days[1].failed == 0
    assert days[2].counts == {"fired": 20, "caught-up": 1, "queued": 1, "skipped-overlap": 1, "disabled": 1}
    assert days[2].failed == 1
    assert [days[day].counts for day in (5, 6, 7)] == [
        {"missed": 24},
        {"missed": 24},
        {"missed": 12, "fired": 2},
    ]
    assert days[8].counts == {} and days[21].counts == {"due": 24}
    assert days[29].counts == {"due": 23}
    assert all(day.is_counted for day in days.values())
    hours = Calendars().hours(sheet, dt.date(2026, 3, 2))
    assert [(cell.hour, cell.failed) for cell in hours if cell.failed] == [(6, 1)]
    assert [list(cell.counts) for cell in hours[6:11]] == [
        ["fired"],
        ["skipped-overlap"],
        ["disabled"],
        ["queued"],
        ["caught-up"],
    ]


def test_ticks_that_were_missed_into_the_next_month_are_counted_in_both(tmp_path: Path) -> None:
    """One decision about ticks of two months is shown in each."""
    history = FileHistory(tmp_path)
    _begin(history)
    last = datetime(2026, 4, 2, 9, tzinfo=UTC)
    first = datetime(2026, 3, 30, 22, tzinfo=UTC)
    _decide(history, last, Verdict.MISSED, None, first=first, number=60)
    sheet = _sheet(history, last + HOUR / 2)
    march, april = (_by_day(Calendars().month(sheet, dt.date(2026, month, 1))) for month in (3, 4))
    assert march[31].counts == {"missed": 24}
    assert [april[day].counts["missed"] for day in (1, 2)] == [24, 12]


def test_new_decisions_are_added_to_what_was_counted(tmp_path: Path) -> None:
    """A calendar that is asked again counts what was decided meanwhile, and how runs have ended."""
    history, made = FileHistory(tmp_path), Calendars()
    _begin(history)
    day = dt.date(2026, 3, 1)
    run_id = _decide(history, FIRST, state=State.RUNNING)
    assert made.hours(_sheet(history, FIRST + HOUR / 2), day)[0].failed == 0
    launch = history.launch(run_id)
    assert launch is not None and history.change(launch, state=State.LOST, ended=FIRST)
    _decide(history, FIRST + HOUR)
    found = made.hours(_sheet(history, FIRST + 2 * HOUR), day)
    assert [(cell.hour, dict(cell.counts), cell.failed) for cell in found[:3]] == [
        (0, {"fired": 1}, 1),
        (1, {"fired": 1}, 0),
        (3, {"due": 1}, 0),
    ]


def test_last_try_counts(tmp_path: Path) -> None:
    """A tick whose run failed and was tried again stands as its last try does."""
    history = FileHistory(tmp_path)
    _begin(history)
    _decide(history, FIRST, state=State.FAILED)
    asked = FIRST + timedelta(seconds=0.1)
    again = Launch(
        "20260228T231000-00ff00", "hourly", Origin.SCHEDULE, State.DONE, asked, {}, "hourly", FIRST, 2
    )
    history.add(again)
    sheet = _sheet(history, FIRST + HOUR / 2)
    sheet = sheet._replace(tries=last_tries(history, "hourly"))
    assert Calendars().hours(sheet, dt.date(2026, 3, 1))[0].failed == 0


def test_months_of_very_many_ticks_are_read_bit_by_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One question reads a limited number of decisions and runs; asked again, all days are counted in the end."""
    monkeypatch.setattr(calendars, "_MOST_READ", 40)
    monkeypatch.setattr(calendars, "_MOST_RUNS", 30)
    history, made = FileHistory(tmp_path), Calendars()
    _march(history)
    sheet = _sheet(history, datetime(2026, 3, 8, tzinfo=UTC))
    looks = [_by_day(made.month(sheet, dt.date(2026, 3, 1))) for _ in range(6)]
    assert not looks[0][1].is_counted
    assert looks[-1][1].counts == {"fired": 24} and all(day.is_counted for day in looks[-1].values())


# -- pages


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, serve_long: Serve) -> Iterator[Dashboard]:
    """Serve a lab whose schedules have a past, and leave ticks alone."""
    folder = tmp_path_factory.mktemp("schedules") / "lab"
    history = _lab(folder, *TEMPLATES)
    _march(history)
    _begin(history, EVIL)
    _begin(history, "gone")
    history.pause(Pause(EVIL, FIRST, "ada", REASON))
    yield serve_long(folder, "--no-schedules")
    history.close()


def _history(dashboard: Dashboard) -> History:
    return FileHistory(dashboard.folder / "dataset" / ".sinagot")


def test_list_tells_how_each_stands(dashboard: Dashboard, page: Any) -> None:
    """Each schedule has its times, state, reason, next tick in its zone and in UTC; names and reasons do not act."""
    enter(page, dashboard, "/")
    follow(page, page.get_by_role("link", name="Schedules"))
    rows = {row.split("\t")[0]: row for row in page.locator("tbody tr").all_inner_texts()}
    assert list(rows) == sorted(one["name"] for one in TEMPLATES)
    assert (
        "paused" in rows[EVIL]
        and f"Paused by ada since {FIRST.astimezone():%Y-%m-%d %H:%M}: {REASON}" in rows[EVIL]
    )
    assert "0 0 1 1 * Asia/Tokyo" in rows[EVIL]
    assert "can't run" in rows["wants"] and f'"{EVIL}": required, and absent' in rows["wants"]
    assert "02:30 E" in rows["nightly"]
    for row in (rows["nightly"], rows["wants"]):  # another test may have let them be seen
        assert "not seen by a service yet" in row or "begun" in row
    begun = (FIRST - HOUR / 2).astimezone(ZoneInfo("Asia/Tokyo"))
    assert f"{begun:%Y-%m-%d %H:%M} JST" in rows[EVIL]  # on the clock of the schedule, as what comes next
    assert "fired" in rows["hourly"] and "queued" in rows["hourly"]
    assert "No service is known to decide" in page.locator("main").inner_text()
    follow(page, page.get_by_role("link", name=EVIL))
    assert page.locator("h1").inner_text() == f"Schedule {EVIL}"
    assert page.evaluate("window.hurt") is None and page.locator("main script, main img").count() == 0


def test_calendar_leads_to_decisions_and_runs(dashboard: Dashboard, page: Any) -> None:
    """A day of the calendar leads to its hours and its decisions with reasons and runs, and the list has a next part."""
    enter(page, dashboard, "/schedules/hourly?month=2026-03")
    assert page.locator("#day-2026-03-02").get_attribute("aria-label") == (
        "02 March: 20 fired, 1 caught up, 1 queued, 1 skipped: overlap, 1 disabled, 1 failed"
    )
    decisions = page.locator("[aria-label=Decisions] tbody tr")
    assert "60 ticks" in decisions.nth(2).inner_text()
    assert decisions.count() == 50
    follow(page, page.get_by_role("link", name="older"))
    assert decisions.count() == 50 and "60 ticks" not in page.locator("main").inner_text()
    follow(page, page.locator("#day-2026-03-02"))
    assert page.locator(".hours tbody tr").count() == 24 and decisions.count() == 24
    text = page.locator("main").inner_text()
    assert f"paused by ada: {REASON}" in text and f"run {EVIL} goes on" in text
    assert "Mon 2026-03-02 06:00 CET" in text and "2026-03-02 05:00 UTC" in text
    assert page.locator("[aria-label='Next ticks'] tbody tr").count() == 20
    failed = decisions.filter(has_text="failed")
    assert f"ValueError: {EVIL}" in failed.inner_text()
    follow(page, failed.locator("a"))
    text = page.locator("main").inner_text()
    assert f"ValueError: {EVIL}" in text and "by the schedule hourly" in text
    follow(page, page.get_by_role("link", name="hourly"))
    assert page.locator("h1").inner_text() == "Schedule hourly"
    assert page.evaluate("window.hurt") is None and page.locator("main script, main img").count() == 0


def test_page_changes_as_ticks_are_decided_and_a_schedule_is_paused(dashboard: Dashboard, page: Any) -> None:
    """A decision comes to an open page by itself; its buttons pause with a reason and let go on."""
    enter(page, dashboard, "/schedules/nightly")
    page.evaluate("window.isSame = 1")
    history = _history(dashboard)
    _decide(history, datetime.now(UTC), Verdict.BEGUN, None, name="nightly", reason=f"seen {EVIL}")
    page.wait_for_selector("td:text-is('seen <script>window.hurt=1</script>')")
    page.get_by_role("button", name="Pause nightly").click()
    assert "schedule pause nightly" in page.locator("#ask-command").inner_text()
    page.locator("#ask-reason").fill(REASON)
    page.locator("#ask-yes").click()
    page.wait_for_selector("#stands:has-text('paused')")
    assert REASON in page.locator("main").inner_text()
    pause = history.pauses()["nightly"]
    assert (pause.user, pause.reason) == ("dashboard", REASON)
    page.get_by_role("button", name="Resume nightly").click()
    page.locator("#ask-yes").click()
    page.wait_for_selector("#stands:has-text('on')")
    assert "nightly" not in history.pauses()
    assert page.evaluate("[window.isSame, window.hurt]") == [1, None]


def test_what_is_not_there_is_told(dashboard: Dashboard) -> None:
    """Unknown schedules are 404, impossible days 422; one without a file is shown with its past; and no service is hidden."""
    assert dashboard.html("/schedules/none").status_code == 404
    gone = dashboard.html("/schedules/gone")
    assert gone.status_code == 200 and "No file has this schedule any more" in gone.text
    for query in ("day=2026-02-30", "month=2026-13", "day=x", "month=9999-12", "before=zz"):
        assert dashboard.html(f"/parts/schedules/hourly?{query}").status_code == 422, query
    assert dashboard.html("/schedules/hourly?before=ffff").status_code == 404
    for action in ("pause", "resume"):
        body = {"schedule": "none", **({"reason": "x"} if action == "pause" else {})}
        assert dashboard.client.post(f"/api/v1/actions/{action}", json=body).status_code == 404
    assert dashboard.client.post("/api/v1/actions/pause", json={"schedule": "hourly"}).status_code == 422
    with dashboard.stranger() as stranger:
        assert stranger.get("/schedules/hourly", headers={"Accept": "text/html"}).status_code == 401


def test_anybody_can_read_it(browser: Any, dashboard: Dashboard) -> None:
    """axe-core finds nothing serious, on light and on dark ground; nothing is wider than a telephone."""
    check_anybody_can_read(browser, dashboard, ["/schedules", "/schedules/hourly?day=2026-03-02"])


def test_tick_that_was_lost_is_caught_up_and_shown(tmp_path: Path, serve: Serve, page: Any) -> None:
    """A service that comes late makes up for a tick: the page shows the decision, and its run, which is done."""
    lab = tmp_path / "lab"
    history = _lab(lab, {"name": "hourly", "cron": "*/20 * * * *"})
    begin = datetime.now(UTC) - timedelta(hours=3)
    _decide(history, begin, Verdict.BEGUN, None)
    dashboard = serve(lab)
    enter(page, dashboard, "/schedules/hourly")
    page.wait_for_selector("[aria-label=Decisions] td:has(a):has-text('done')")
    text = page.locator("[aria-label=Decisions]").inner_text()
    assert "missed" in text and "begun" in text and ("caught up" in text or "fired" in text)
    assert "Service: " in page.locator("main").inner_text()
    follow(page, page.locator("[aria-label=Decisions] a").first)
    page.wait_for_selector("dd:text-is('ended well')")


def test_read_only_page_has_no_buttons_and_tells_of_a_history_that_is_away(
    tmp_path: Path, serve: Serve
) -> None:
    """With --read-only neither pages nor the API pause; what can't be read is told, in place of an empty list."""
    lab = tmp_path / "lab"
    _lab(lab, {"name": "hourly", "cron": "0 0 1 1 *"})
    dashboard = serve(lab, "--read-only")
    paths = ("/schedules", "/schedules/hourly")
    for path in paths:
        answer = dashboard.html(path)
        assert answer.status_code == 200 and "data-action" not in answer.text
    body = {"schedule": "hourly", "reason": "x"}
    assert dashboard.client.post("/api/v1/actions/pause", json=body).status_code == 403
    pauses = lab / "dataset" / ".sinagot" / "service" / "pauses"
    pauses.parent.mkdir(parents=True, exist_ok=True)
    pauses.symlink_to(pauses)
    for path in paths:
        answer = dashboard.html(path)
        assert (answer.status_code, "What is on record can't be read" in answer.text) == (200, True), path
