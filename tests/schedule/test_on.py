"""Laws of time tables: what may be written, where they are found, and what is told of a mistake."""

from __future__ import annotations

import datetime as dt
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.errors import ConfigurationError, MissingExtraError
from sinagot.pipeline.templates import cron
from sinagot.pipeline.templates.template import read_template
from sinagot.schedule.on import On

FILE = """
on_every_5_min:
  type: on.On
  cron: "*/5 * * * *"
morning:
  type: on.On
  cronjob: "0 6 * * *"
  timezone: Asia/Bangkok
bad:
  type: on.On
  cron: "0 6 31 2 *"
  timezone: Asia/Bankok
daily:
  type: pipeline.Pipeline
  on: morning
  jobs:
    one:
      stages:
        - name: nothing
"""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """Give a folder with time tables."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/on.yaml").write_text(FILE)
    return tmp_path


def test_time_table_is_found_by_its_name(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time table of a file gives its ticks one by one, with either key, and with values that win over the file."""
    monkeypatch.setenv("WORKFLOW_ROOT_PATH", str(lab))
    schedule = On.from_loader(name="on_every_5_min", externals={})
    assert str(schedule.cronjob) == "*/5 * * * *"
    ticks = schedule.generate("2022-01-01 00:00:00")
    assert [f"{ticks.next:%Y-%m-%d %H:%M:%S}" for _ in range(3)] == [
        "2022-01-01 00:05:00",
        "2022-01-01 00:10:00",
        "2022-01-01 00:15:00",
    ]
    assert f"{ticks.prev:%H:%M}" == "00:10"
    ticks.reset()
    assert f"{ticks.prev:%Y %H:%M}" == "2021 23:55"
    assert On.from_loader("morning", root=lab) == On("0 6 * * *", "Asia/Bangkok")
    assert On.from_loader("morning", {"cron": "0 7 * * *"}) == On("0 7 * * *", "Asia/Bangkok")
    assert On.from_loader("bad", {"cron": "@hourly", "timezone": "Asia/Tokyo"}).zone.key == "Asia/Tokyo"


def test_wrong_time_table_is_told_with_its_lines(lab: Path) -> None:
    """All that is wrong with a time table is told at once, with file and line; so is a name that nobody has."""
    with pytest.raises(ConfigurationError) as caught:
        On.from_loader("bad", root=lab)
    assert [problem.line for problem in caught.value.problems or ()] == [11, 12]
    assert "never comes" in str(caught.value) and "did you mean 'Asia/Bangkok'?" in str(caught.value)
    with pytest.raises(ConfigurationError, match="did you mean 'morning'"):
        On.from_loader("mornin", root=lab)


def test_time_table_is_a_value() -> None:
    """Two that say the same are equal, as keys too; none can be changed; each survives pickling."""
    one, other = On("@daily", "Europe/Paris"), On(" 0  0 * * ? ", timezone="Europe/Paris")
    assert one == other and len({one, other}) == 1 and one != On("@daily", "Asia/Tokyo")
    assert repr(one) == "On(cronjob='0 0 * * *', timezone='Europe/Paris')"
    assert pickle.loads(pickle.dumps(one)) == one
    with pytest.raises(AttributeError):
        one.timezone = "Asia/Tokyo"  # type: ignore[misc]


def test_both_keys_are_arguments() -> None:
    """`cron` is another name of `cronjob`, as in files; both at once, or none, is an error."""
    assert On(cron="@daily", timezone="Asia/Tokyo") == On(cronjob="@daily", timezone="Asia/Tokyo")
    with pytest.raises(ConfigurationError, match="both cron and cronjob"):
        On("@daily", cron="@hourly")
    with pytest.raises(ConfigurationError, match="0 fields"):
        On()


def test_environment_names_the_time_zone_of_those_that_name_none(
    monkeypatch: pytest.MonkeyPatch, lab: Path
) -> None:
    """`WORKFLOW_CORE_TIMEZONE` holds where no zone is written, and a wrong one is told by its name."""
    assert On("@daily").timezone == "Etc/UTC"
    monkeypatch.setenv("WORKFLOW_CORE_TIMEZONE", "Asia/Tokyo")
    assert On("@daily").timezone == On.from_loader("on_every_5_min", root=lab).timezone == "Asia/Tokyo"
    assert On.from_loader("morning", root=lab).timezone == "Asia/Bangkok"
    monkeypatch.setenv("WORKFLOW_CORE_TIMEZONE", "Asia/Tokio")
    with pytest.raises(
        ConfigurationError, match=r"WORKFLOW_CORE_TIMEZONE: unknown .* did you mean 'Asia/Tokyo'"
    ):
        On("@daily")


@pytest.mark.parametrize(
    "start",
    [
        "2024-07-01 10:30",
        dt.datetime.fromisoformat("2024-07-01 10:30"),
        dt.datetime(2024, 7, 1, 8, 30, tzinfo=dt.UTC),
        "2024-07-01T08:30:00Z",
        "2024-07-01 17:30:00+09:00",
    ],
)
def test_moment_without_an_offset_is_of_the_time_table(start: Any) -> None:
    """A start is text or a moment; without an offset it is of the zone of the table, and so are all answers."""
    tick = On("@hourly", "Europe/Paris").next(start)
    assert tick.isoformat() == "2024-07-01T11:00:00+02:00" and str(tick.tzinfo) == "Europe/Paris"
    assert On("@daily", "Europe/Paris").next(dt.date(2024, 7, 1)).day == 2


@pytest.mark.parametrize("start", ["tomorrow", "", None, 5, "2024-13-01", pd.NaT])
def test_what_is_no_moment_is_refused(start: Any) -> None:
    """A start that is no moment is an error that says what one is."""
    with pytest.raises(ConfigurationError, match=r"start: found .*, allowed a moment such as"):
        On("@daily").next(start)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"interval": "daily"}, "0 0 * * *"),
        ({"interval": "daily", "time": "01:30"}, "30 1 * * *"),
        ({"interval": "weekly"}, "0 0 * * MON"),
        ({"interval": "weekly", "day": "Friday", "time": "18:30"}, "30 18 * * FRI"),
        ({"interval": "monthly"}, "0 0 1 * *"),
        ({"interval": "monthly", "day": "tuesday", "time": dt.time(12)}, "0 12 * * TUE#1"),
        ({"interval": "monthly", "day": 31, "time": "7:05"}, "5 7 31 * *"),
    ],
)
def test_intervals_become_cron_lines(value: dict[str, Any], text: str) -> None:
    """Each day, each week on a day, each month on a day or on the first such weekday."""
    assert On.from_value(value).cronjob == text
    assert On.from_value({**value, "timezone": "Asia/Tokyo"}).timezone == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, "interval: found nothing, allowed daily, weekly or monthly"),
        ("daily", "value: found 'daily', allowed a mapping such as"),
        ({"interval": "dayly"}, "did you mean 'daily'?"),
        ({"interval": "daily", "day": "monday"}, "day: every day has no day"),
        (
            {"interval": "weekly", "day": "fryday"},
            "day: found 'fryday', allowed a weekday; did you mean 'friday'?",
        ),
        ({"interval": "weekly", "day": 3}, "day: found 3"),
        ({"interval": "monthly", "day": 32}, "or a number from 1 to 31"),
        ({"interval": "monthly", "day": 0}, "day: found 0"),
        ({"interval": "monthly", "day": True}, "day: found true"),
        ({"interval": "daily", "time": "25:00"}, "time: found '25:00', allowed a time such as '06:30'"),
        ({"interval": "daily", "time": 630}, "time: found 630"),
        ({"interval": "daily", "tiem": "06:30"}, "tiem: unknown key"),
        ({"interval": "daily", "timezone": "Mars/North"}, "timezone: unknown time zone"),
    ],
)
def test_wrong_intervals_are_told(value: Any, words: str) -> None:
    """What an interval cannot be is told with its key."""
    with pytest.raises(ConfigurationError) as caught:
        On.from_value(value)
    assert words in str(caught.value)


@given(st.text(st.sampled_from("0123456789 */,-#?LWMONFRI@daily\t٣²"), max_size=24) | st.text(max_size=12))
def test_any_text_is_a_line_or_an_error(text: str) -> None:
    """Whatever is written is a cron line with a tick, or an error that says what is wrong."""
    try:
        on = On(text)
    except ConfigurationError as error:
        found = error.key
    else:
        assert on.next("2024-01-01") > on.prev("2024-01-01")
        found = On(on.cronjob).cronjob
    assert found in ("cronjob", cron.normalised(text))


def test_without_the_package_templates_load_and_ticks_say_what_to_install(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where cronsim is missing, the form of a line is checked, and whoever asks for ticks hears of the extra."""
    monkeypatch.setitem(sys.modules, "cronsim", None)
    cron._read.cache_clear()
    assert read_template("daily", root=lab).problems == ()
    assert cron.fault_of_cron("0 0 31 2 *") is None
    assert (cron.fault_of_cron("0 6 * *") or ("",))[0].startswith("found 4 fields")
    with pytest.raises(MissingExtraError, match="extra 'schedule'") as caught:
        On("@daily")
    assert (caught.value.package, caught.value.extra) == ("cronsim", "schedule")


def test_missing_zone_data_is_told(tmp_path: Path) -> None:
    """On a machine without time zones the error says what to install."""
    code = (
        "import sys, zoneinfo; sys.modules['tzdata'] = None; zoneinfo.reset_tzpath(to=[])\n"
        "from sinagot.schedule.on import On\n"
        "try: On('@daily', 'Europe/Paris')\n"
        "except ValueError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert (
        "unknown time zone 'Europe/Paris'; this machine knows no time zones: install the package tzdata"
        in done.stdout
    )
