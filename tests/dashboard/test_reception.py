"""When a service begins to work beside the pages, and when it does not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sinagot.dashboard import reception
from sinagot.dashboard.app import create_app
from sinagot.dashboard.reception import Reception
from sinagot.errors import ConfigurationError, HistoryUnavailableError
from sinagot.testing import await_true, make_workspace
from tests.dashboard.test_api import TEMPLATES


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """Give a workspace without pipelines."""
    make_workspace(tmp_path / "lab", records=1).close()
    return tmp_path / "lab"


@pytest.fixture
def make(lab: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give a maker of receptions that look often; they are closed with the test."""
    from sinagot.workspace.workspace import Workspace

    monkeypatch.setattr(reception, "_LOOK", 0.01)
    made = []

    def start(**options: bool) -> Reception:
        made.append(Reception(Workspace(lab), ["-w", str(lab)], **{"read_only": False, **options}))
        made[-1].begin()
        return made[-1]

    yield start
    for one in made:
        one.close()


def _schedule(lab: Path) -> None:
    (lab / "conf").mkdir()
    (lab / "conf" / "all.yaml").write_text(TEMPLATES)


def test_service_begins_with_the_first_schedule(lab: Path, make: Any) -> None:
    """Without a schedule nothing works and nothing is written; one that is added later begins."""
    found = make()
    assert not found.is_running and not (lab / "dataset" / ".sinagot").exists()
    _schedule(lab)
    await_true(lambda: found.is_running, "the service to begin")
    await_true(lambda: found.service.state_of("yearly").newest, "its first decision")


@pytest.mark.parametrize("options", [{"read_only": True}, {"decides": False}])
def test_service_does_not_begin_by_itself(lab: Path, make: Any, options: dict[str, bool]) -> None:
    """Read-only, or with schedules left to others, there is no service for schedules; they are told all the same."""
    _schedule(lab)
    found = make(**options)
    assert not found.is_running
    assert found.service.state_of("yearly").newest is None


def test_service_begins_when_the_history_is_back(
    lab: Path, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A history that can't be reached keeps no page away; the service begins when it can."""
    _schedule(lab)
    is_away, really = True, reception.open_history_of

    def open_history_of(*arguments: Any, **options: Any) -> Any:
        if is_away:
            raise HistoryUnavailableError("away", address="nowhere")
        return really(*arguments, **options)

    monkeypatch.setattr(reception, "open_history_of", open_history_of)
    found = make()
    assert not found.is_running and found.is_away and "away" in found.reach()
    is_away = False
    await_true(lambda: found.is_running, "the service to begin")
    assert not found.is_away and found.reach() == ""


def test_history_that_will_never_be_there_is_told(
    lab: Path, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waiting does not help is raised for who asks, and ends the server where it shows up later."""
    answers: list[Exception] = []

    def open_history_of(*arguments: Any, **options: Any) -> Any:
        raise answers[0]

    monkeypatch.setattr(reception, "open_history_of", open_history_of)
    answers[:] = [HistoryUnavailableError("away", address="nowhere")]
    found = make()
    ended = threading.Event()
    found.note_failure = ended.set
    answers[:] = [ConfigurationError("history.url: a newer sinagot", key="history.url")]
    assert ended.wait(60) and found.failure is answers[0] and found.is_away
    with pytest.raises(ConfigurationError, match="newer"):
        found.reach()


def test_variable_names_the_history(lab: Path, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages and the API keep to the history of WORKFLOW_API_DB_URL, as the commands do."""
    pytest.importorskip("sqlalchemy")
    monkeypatch.setenv("WORKFLOW_API_DB_URL", f"sqlite:///{lab}/history.db")
    history = make().history
    assert type(history).__name__ == "DatabaseHistory" and (lab / "history.db").exists()


def test_an_error_of_ours_is_a_problem_too(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody has foreseen is told as the others are, without its inside: the server's output has that."""
    from sinagot.workspace.workspace import Workspace

    def launch_of(*_: Any) -> Any:
        raise OSError("/secret/place: stale file handle")

    monkeypatch.setattr(Reception, "launch_of", launch_of)
    app = create_app(Workspace(lab), token="t" * 16)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/runs/x", headers={"Authorization": "Bearer " + "t" * 16})

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json()["status"] == 500 and "secret" not in answer.text
