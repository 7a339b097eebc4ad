"""Laws of the settings of schedules: what wins, what is refused, and who is told to have said it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sinagot.config.load import load_configuration
from sinagot.config.schedules import VARIABLES, history_of, schedule_in, schedule_of, without_password
from sinagot.config.settings import PolicySettings, ScheduleSettings
from sinagot.errors import ConfigurationError

TOML = """\
[records]
id_pattern = 'REC'
[schedule]
registry = ["lab.hooks"]
filters = ["lab.filters"]
conf = "flows"
timezone = "Europe/Paris"
stage_default_id = false
stage_raise_error = true
max_job_parallel = 3
max_runs = 2
workers = 1
max_waiting = 7
log_enable_write = false
overlap = "queue"
catchup = "all"
max_catchup = 5
grace = "2 h"
retry = 2
retry_delay = "1 min"
[history]
url = "sqlite:///runs.db"
"""
WRITTEN = ScheduleSettings(
    ("lab.hooks",), ("lab.filters",), "flows", "Europe/Paris", False, True, 3, 2, 1, 7, "leave", False
)._replace(policies=PolicySettings("queue", "all", 5, 7200.0, 2, 60.0))

SAID = {
    "WORKFLOW_CORE_REGISTRY": ("., other", (".", "other")),
    "WORKFLOW_CORE_REGISTRY_FILTER": ("one,two", ("one", "two")),
    "WORKFLOW_CORE_PATH_CONF": ("yaml", "yaml"),
    "WORKFLOW_CORE_TIMEZONE": ("Asia/Tokyo", "Asia/Tokyo"),
    "WORKFLOW_CORE_STAGE_DEFAULT_ID": ("TRUE", True),
    "WORKFLOW_CORE_STAGE_RAISE_ERROR": ("off", False),
    "WORKFLOW_CORE_MAX_JOB_PARALLEL": ("9", 9),
    "WORKFLOW_CORE_MAX_PIPELINE_POKING": ("8", 8),
    "WORKFLOW_APP_PROCESS_WORKER": (" 6 ", 6),
    "WORKFLOW_APP_PIPELINE_PER_PROCESS": ("11", 11),
    "WORKFLOW_LOG_ENABLE_WRITE": ("1", True),
    "WORKFLOW_API_DB_URL": ("postgresql://db/lab", "postgresql://db/lab"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a workspace that says all there is to say."""
    (tmp_path / "dataset").mkdir()
    (tmp_path / "workspace.toml").write_text(TOML)
    return tmp_path


def test_files_say_all_and_variables_win(folder: Path) -> None:
    """Each key of the file holds, each variable wins over its key and over no other, an empty one says nothing."""
    configuration = load_configuration(folder)
    assert schedule_of(configuration, {}) == schedule_in(folder, {}) == configuration.schedule == WRITTEN
    assert history_of(configuration, {}).url == "sqlite:///runs.db"
    assert set(SAID) == set(VARIABLES)
    for name, (text, value) in SAID.items():
        table, key, _ = VARIABLES[name]
        if table == "history":
            assert history_of(configuration, {name: text}) == configuration.history._replace(url=value)
            assert schedule_of(configuration, {name: text}) == WRITTEN
            continue
        expected = WRITTEN._replace(**{key: value})
        assert (
            schedule_of(configuration, {name: text})
            == schedule_in(folder, {name: text})
            == expected
            != WRITTEN
        )
        assert schedule_of(configuration, {name: ""}) == WRITTEN
        assert schedule_of(None, {name: text}) == ScheduleSettings()._replace(**{key: value})


def test_without_a_file_there_are_defaults(tmp_path: Path) -> None:
    """A folder without a configuration, or with one that says nothing of schedules, has the defaults."""
    assert schedule_in(tmp_path, {}) == schedule_of(None, {}) == ScheduleSettings()
    (tmp_path / "workspace.toml").write_text("[run]\nmode = 5\n")
    assert schedule_in(tmp_path, {}) == ScheduleSettings()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('timezone = "Europe/Pari"', "schedule.timezone: found 'Europe/Pari' (unknown time zone"),
        ('overlap = "skipp"', "did you mean 'skip'?"),
        ("max_runs = 0", "schedule.max_runs: found 0 (an integer), allowed an integer from 1"),
        ('grace = "soon"', "schedule.grace: found 'soon'"),
        ("retry = -1", "schedule.retry: found -1"),
        ("log_enable_write = 1", "schedule.log_enable_write: found 1 (an integer), allowed true or false"),
        ("registry = []", "schedule.registry: found an empty list"),
    ],
)
def test_wrong_settings_are_told_with_their_line(line: str, words: str, tmp_path: Path) -> None:
    """What a key cannot be is an error with file and line, by whoever reads it."""
    (tmp_path / "dataset").mkdir()
    (tmp_path / "workspace.toml").write_text(f"[schedule]\n{line}\n")
    reads: list[Any] = [schedule_in, load_configuration]
    for read in reads:
        with pytest.raises(ConfigurationError) as caught:
            read(tmp_path)
        assert words in str(caught.value) and "workspace.toml:2: " in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("WORKFLOW_CORE_MAX_JOB_PARALLEL", "0"),
        ("WORKFLOW_CORE_MAX_PIPELINE_POKING", "many"),
        ("WORKFLOW_LOG_ENABLE_WRITE", "maybe"),
        ("WORKFLOW_CORE_TIMEZONE", "Europe/Pari"),
    ],
)
def test_wrong_variables_are_told_by_name(name: str, text: str) -> None:
    """A variable that says what is not possible is an error with its name."""
    with pytest.raises(ConfigurationError) as caught:
        schedule_of(None, {name: text})
    assert str(caught.value).startswith(f"{name}: ") and text in str(caught.value)


def test_near_misses_of_the_tables_are_refused(tmp_path: Path) -> None:
    """`[schedules]` is too much like `[schedule]` to be a table of one's own."""
    (tmp_path / "dataset").mkdir()
    (tmp_path / "workspace.toml").write_text("[schedules]\ntimezone = 'Europe/Paris'\n")
    with pytest.raises(ConfigurationError, match="did you mean '\\[schedule\\]'"):
        load_configuration(tmp_path)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://lab:p@ss:w@db:5432/lab?x=1", "postgresql+psycopg://lab:***@db:5432/lab?x=1"),
        ("postgresql://lab@db/lab", "postgresql://lab@db/lab"),
        ("sqlite:////a/b@c:d.db", "sqlite:////a/b@c:d.db"),
    ],
)
def test_passwords_of_addresses_are_not_shown(url: str, shown: str) -> None:
    """Of an address with a password the rest is shown."""
    assert without_password(url) == shown
