"""A history that is away is waited for by services, and by nobody who asks one question."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from sinagot.cli.exits import Exit
from sinagot.cli.main import group
from sinagot.errors import ConfigurationError, HistoryUnavailableError
from sinagot.schedule.history import waiting
from sinagot.schedule.history.contract import History
from sinagot.schedule.history.files import FileHistory
from sinagot.schedule.history.waiting import await_history
from sinagot.testing import await_true
from tests.schedule.houses import Lab, template


def test_history_that_is_away_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each trouble is told once, however often it is met, and the end of it too."""
    monkeypatch.setattr(waiting, "_LONGEST_BACKOFF", 0.01)
    answers = ["no host", "no host", "no user"]
    told: list[tuple[str, str]] = []

    def open_now() -> History:
        if answers:
            raise HistoryUnavailableError(answers.pop(0), address="db")
        return FileHistory(tmp_path)

    found = await_history(open_now, lambda: False, lambda level, text: told.append((level, text)))
    assert isinstance(found, FileHistory)
    assert [level for level, _ in told] == ["ERROR", "ERROR", "INFO"]
    assert all(word in text for word, (_, text) in zip(("no host", "no user", "is there"), told, strict=True))


def test_what_waiting_does_not_help_is_raised() -> None:
    """A wrong address ends the wait at once."""

    def open_now() -> History:
        raise ConfigurationError("history.url: no address", key="history.url")

    with pytest.raises(ConfigurationError, match="no address"):
        await_history(open_now, lambda: False, lambda level, text: None)


def test_server_that_does_not_answer_holds_up_nobody(tmp_path: Path) -> None:
    """Who wants to end ends at once; what is opened too late is closed."""
    asked, answer, closed = threading.Event(), threading.Event(), threading.Event()

    class Closing(FileHistory):
        def close(self) -> None:
            closed.set()

    def open_now() -> History:
        asked.set()
        assert answer.wait(60)
        return Closing(tmp_path)

    assert await_history(open_now, asked.is_set, lambda level, text: None) is None
    answer.set()
    assert closed.wait(60)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Give a workspace whose history is a file of SQLite in a folder that is not there yet."""
    url = f"sqlite:///{tmp_path}/later/history.db"
    return Lab(tmp_path / "lab", template("night", on="0 6 * * *"), toml=f'[history]\nurl = "{url}"\n')


def test_service_that_waits_ends_on_a_signal(lab: Lab, tmp_path: Path) -> None:
    """`schedule run` says why it waits, and ends well when it is told to."""
    words = [sys.executable, "-m", "sinagot", "-w", str(lab.root), "schedule", "run"]
    said = tmp_path / "said.txt"
    with said.open("wb") as output:
        service = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT)
    try:
        await_true(lambda: "until this is over" in said.read_text(), "why it waits")
        service.send_signal(signal.SIGTERM)
        assert service.wait(60) == Exit.OK
        assert "ends: its history was not reached" in said.read_text()
    finally:
        service.kill()
        service.wait()


def test_who_asks_once_is_told_at_once(lab: Lab) -> None:
    """Commands that ask one question, and `run --once`, fail with the reason; a wrong address ends a service too."""
    start = ["-w", str(lab.root), "schedule"]
    for words in (("list",), ("run", "--once")):
        found = CliRunner().invoke(group, [*start, *words])
        assert found.exit_code not in (Exit.OK, Exit.NOTHING) and "is not available" in found.stderr
    toml = lab.root / "workspace.toml"
    toml.write_text(toml.read_text().replace("sqlite:", "oracle:"))
    found = CliRunner().invoke(group, [*start, "run"])
    assert found.exit_code == Exit.INVALID and "no history in 'oracle'" in found.stderr
