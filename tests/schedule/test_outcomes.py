"""How runs ended, from what their programs left; and which services are known to be gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sinagot.schedule.history.facts import ServiceFacts, State
from sinagot.schedule.history.files import FileHistory
from sinagot.schedule.outcomes import end_of
from sinagot.schedule.presence import Presence
from tests.schedule.houses import TEN, SetClock

ENDED = {"end": "2026-03-02T10:00:00+00:00"}
WISH = "cancelled by ann"


@pytest.mark.parametrize(
    ("manifest", "code", "wish", "is_stopping", "state", "part"),
    [
        ({**ENDED, "ok": True}, 0, "", False, State.DONE, ""),
        # What was done is done, whatever somebody wished, and whatever the exit code hints.
        ({**ENDED, "ok": True}, -9, WISH, True, State.DONE, ""),
        ({**ENDED, "ok": False}, 3, "", False, State.FAILED, "last words"),
        ({**ENDED, "ok": False, "stopped_by": 15}, 143, "", False, State.CANCELLED, "SIGTERM"),
        ({**ENDED, "ok": False, "stopped_by": 15}, 143, WISH, False, State.CANCELLED, "ann"),
        ({**ENDED, "ok": False, "stopped_by": 15}, 143, "", True, State.STOPPED, "service"),
        ({}, 4, "", False, State.FAILED, "exit code 4 before anything ran: last words"),
        ({"end": None}, 1, "", False, State.FAILED, "exit code 1"),
        ({"end": None}, -9, "", False, State.LOST, "SIGKILL"),
        ({"end": None}, None, "", False, State.LOST, "without a word"),
        ({}, -2, WISH, False, State.CANCELLED, "ann"),
        ({"end": None}, None, "", True, State.STOPPED, ""),
    ],
)
def test_files_tell_and_exit_codes_hint(
    tmp_path: Path,
    manifest: dict[str, Any],
    code: int | None,
    wish: str,
    is_stopping: bool,
    state: State,
    part: str,
) -> None:
    """The manifest decides; without an end in it the exit code and the last words say what is known."""
    end = end_of(
        str(tmp_path),
        "run",
        "p",
        manifest,
        exit_code=code,
        tail="last words",
        wish=wish,
        is_stopping=is_stopping,
    )
    assert end.state == state
    assert part in end.message


@pytest.mark.parametrize(
    ("wish", "is_stopping", "state"),
    [("", False, State.LOST), (WISH, False, State.CANCELLED), ("", True, State.STOPPED)],
)
def test_a_shutdown_of_the_machine_is_nobodys_wish(
    tmp_path: Path, wish: str, is_stopping: bool, state: State
) -> None:
    """A run that a shutdown has told to end is lost, as by a power cut, and may be tried again; a wish of somebody holds."""
    told = {**ENDED, "ok": False, "stopped_by": 15}
    facts: dict[str, Any] = {"exit_code": None, "tail": "", "wish": wish, "is_stopping": is_stopping}
    assert end_of(str(tmp_path), "run", "p", told, **facts, is_restarted=True).state == state
    done = {**ENDED, "ok": True}
    assert end_of(str(tmp_path), "run", "p", done, **facts, is_restarted=True).state == State.DONE


def test_a_service_of_another_host_is_gone_when_it_beats_no_more(tmp_path: Path) -> None:
    """Three intervals of our own clock without a change; one that beats again is there, whatever its clock says."""
    history, clock = FileHistory(tmp_path), SetClock()
    presence = Presence(history, clock, every=10.0)
    other = ServiceFacts("far-1-1", "far", "boot", 1, "1", TEN, beat=1)
    history.beat(other)
    presence.look()
    clock.go(seconds=29)
    presence.look()
    assert not presence.is_gone("far-1-1")
    history.beat(other._replace(beat=2))
    presence.look()
    clock.go(seconds=29)
    assert not presence.is_gone("far-1-1")
    clock.go(seconds=2)
    presence.look()
    assert presence.is_gone("far-1-1")
    assert history.services() == []
    history.beat(other._replace(beat=3))
    presence.look()
    assert not presence.is_gone("far-1-1"), "it was frozen only"


def test_a_service_of_this_host_is_gone_when_its_process_is(tmp_path: Path) -> None:
    """The process is looked at: nobody waits for a beat; one that has left is gone as well."""
    history, clock = FileHistory(tmp_path), SetClock()
    presence, second = (Presence(history, clock, every=10.0) for _ in range(2))
    presence.beat()
    second.beat()
    me = presence.me
    history.beat(ServiceFacts("dead", me.host, me.boot, me.pid, "0", TEN, beat=1))
    presence.look()
    assert presence.is_gone("dead")
    assert not presence.is_gone(second.name)
    second.leave()
    presence.look()
    assert presence.is_gone(second.name)
    assert not presence.is_gone(presence.name)
