"""Laws of the history in files: those of every history, and what deaths, odd files and drives ask for."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sinagot.errors import HistoryUnavailableError
from sinagot.schedule.history.contract import History
from sinagot.schedule.history.facts import Decision, Pause, ServiceFacts, State, Verdict
from sinagot.schedule.history.files import FileHistory
from sinagot.schedule.history.notation import to_plain
from tests.schedule.history.actor import a_pair, tick
from tests.schedule.history.contract import HistoryContract, Place

#: What makes and removes files.
CALLS = ("link", "mkdir", "replace", "unlink", "fsync")


class Dead(BaseException):
    """The process is no more: nothing may catch this."""


class Death:
    """Lets this process seem to die at the n-th call that makes or removes something; later ones do nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.left = at
        self.is_dead = False
        for name in CALLS:
            monkeypatch.setattr(os, name, self._mortal(getattr(os, name)))

    def _mortal(self, call: Any) -> Any:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.left -= 1
            self.is_dead = self.is_dead or self.left < 0
            if self.is_dead:
                raise Dead
            return call(*args, **kwargs)

        return wrapped


def files_below(folder: Path) -> list[str]:
    """List what is in a folder, all the way down."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_what_was_read_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a list only what has changed since is read; of one schedule nothing of others is; changes by others are seen."""
    other = FileHistory(tmp_path)
    for number in range(6):
        _, launch = a_pair(f"run-{number}", number, "even" if number % 2 == 0 else "odd")
        other.add(launch)
        assert other.change(launch, state=State.DONE) is not None
    history = FileHistory(tmp_path)
    assert len(history.launches()[0]) == 6
    touched: list[str] = []
    for name in ("names", "read"):
        really = getattr(history._files, name)
        monkeypatch.setattr(
            history._files, name, lambda path, really=really: touched.append(path) or really(path)
        )
    found = history.launches(schedule="even")[0]
    assert [one.run_id for one in found] == ["run-4", "run-2", "run-0"]
    assert not [path for path in touched if path.endswith(".json") or "run-1" in path or "run-3" in path]
    assert other.change(found[0], message="looked at") is not None
    touched.clear()
    assert history.launches(schedule="even", limit=1)[0][0].message == "looked at"
    assert [path.rpartition("/")[2] for path in touched if path.endswith(".json")] == ["000002.json"]
    touched.clear()
    newest = history.launch("run-4")
    assert newest is not None and newest.message == "looked at"
    assert len(touched) == 1


class TestFiles(HistoryContract):
    """The contract, in files."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Iterator[Place]:
        """Say where a fresh history is: in memory where that can be, as ten thousand files take their time on a disk."""
        memory = Path("/dev/shm")
        if not os.access(memory, os.W_OK):
            yield str(tmp_path / "state"), None
            return
        with tempfile.TemporaryDirectory(dir=memory) as folder:
            yield f"{folder}/state", None

    def fill(self, history: History, decisions: list[Decision]) -> None:
        """Write the files as they are."""
        assert isinstance(history, FileHistory)
        ticks = history._ticks
        for decision in decisions:
            path = Path(ticks._path(decision.schedule, decision.tick))
            with suppress(FileExistsError):
                path.parent.mkdir(parents=True)
            path.write_text(json.dumps(to_plain(decision)))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Give a state folder that is not there yet."""
    return tmp_path / "state"


@pytest.fixture
def history(state: Path) -> FileHistory:
    """Give a fresh history."""
    return FileHistory(state)


@pytest.fixture
def umask() -> Iterator[None]:
    """Keep the umask of this process."""
    mask = os.umask(0o022)
    yield
    os.umask(mask)


def test_reading_makes_nothing(history: FileHistory, state: Path) -> None:
    """Whatever is asked of a history that is not there, or is, nothing is made or changed."""
    for _ in range(2):
        before = files_below(state)
        history.newest("x")
        history.decisions()
        history.launch("run")
        history.launches()
        history.open_launches()
        history.pauses()
        history.services()
        history.resume("x")
        history.leave("x")
        assert not history.change(a_pair("none")[1], state=State.RUNNING)
        assert files_below(state) == before
        assert state.exists() == bool(before)
        history.decide(*a_pair("run"))


def test_nothing_is_left_of_making(history: FileHistory, state: Path) -> None:
    """What was made under another name is gone when a call returns, also when somebody else was first."""
    history.decide(*a_pair("run"))
    history.decide(*a_pair("late"))
    history.change(a_pair("run")[1], state=State.DONE)
    assert files_below(state / "service" / "new") == []
    assert files_below(state / "service" / "open") == []


@pytest.mark.parametrize("at", range(24))
def test_a_death_at_any_call_leaves_both_or_neither(
    history: FileHistory, state: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Whichever call is the last one of a process, a decision and its launch are on record together or not at all."""
    with monkeypatch.context() as patch:
        death = Death(patch, at)
        try:
            history.decide(*a_pair("first"))
        except Dead:
            pass
    fresh = FileHistory(state)
    is_made = fresh.newest("hourly") is not None
    assert is_made or death.is_dead
    expected = [a_pair("first")[1]] if is_made else []
    assert fresh.launches()[0] == fresh.open_launches() == expected
    assert (fresh.launch("first") is not None) == is_made
    assert fresh.decide(*a_pair("second")) != is_made
    assert [launch.run_id for launch in fresh.open_launches()] == ["first" if is_made else "second"]
    assert fresh.skipped == 0


@pytest.mark.parametrize("at", range(9))
def test_a_death_in_a_change_leaves_the_old_or_the_new(
    history: FileHistory, state: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Whichever call is the last one of a process, a launch is as it was or as it was to be; a sweep heals its mark."""
    history.decide(*a_pair("run"))
    with monkeypatch.context() as patch:
        Death(patch, at)
        with suppress(Dead):
            history.change(a_pair("run")[1], state=State.DONE)
    fresh = FileHistory(state)
    found = fresh.launch("run")
    assert found is not None
    assert fresh.open_launches() == ([] if found.state == State.DONE else [found])
    fresh.sweep(tick(-1000))
    assert len(files_below(state / "service" / "open")) == len(fresh.open_launches())


def test_what_a_death_has_left_is_swept(
    history: FileHistory, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Launches without decision, and files that were being made, are cleared away when nobody can be making them."""
    service = state / "service"
    link = os.link

    def mortal(source: str, target: str) -> None:
        if "/ticks/" in target:
            raise Dead
        link(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", mortal)
        with pytest.raises(Dead):
            history.decide(*a_pair("run"))
    (service / "new" / "torn").write_text("{")
    history.sweep(tick(0))
    assert [path for path in files_below(service) if path.endswith("000000.json")]
    assert len(files_below(service / "open")) == 1
    long_ago = time.time() - 7200
    for path in service.rglob("*"):
        os.utime(path, (long_ago, long_ago))
    history.sweep(tick(0))
    assert files_below(service / "open") == files_below(service / "new") == []
    assert files_below(service / "launches") == []
    for path in (service / "old").iterdir():
        os.utime(path, (long_ago, long_ago))
    history.sweep(tick(0))
    assert files_below(service / "old") == []


def test_who_slept_before_the_decision_puts_the_launch_down_again(
    history: FileHistory, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A launch that a sweep took for left behind is on record when its process wakes and decides."""
    link = os.link

    def slow(source: str, target: str) -> None:
        if "/ticks/" in target:
            shutil.rmtree(state / "service" / "launches")
            shutil.rmtree(state / "service" / "open")
        link(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", slow)
        assert history.decide(*a_pair("run"))
    assert history.open_launches() == [a_pair("run")[1]]


def test_who_slept_over_a_sweep_decides_nothing(
    history: FileHistory, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tick that was forgotten between a look at it and the decision is not decided again, and no launch of it seen."""
    link = os.link
    for number in (0, 1):
        history.decide(a_pair(f"run{number}", number)[0])
    (path,) = state.rglob("20260301T120000*.json")
    aside = path.rename(state / "aside")

    def slow(source: str, target: str) -> None:
        if "/ticks/" in target:
            aside.rename(path)
            assert FileHistory(state).sweep(tick(1)) == 1
        link(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", slow)
        assert not history.decide(*a_pair("again"))
    assert [decision.run_id for decision in history.decisions()[0]] == ["run1"]
    assert history.launches() == ([], None)
    assert history.open_launches() == []


TORN = [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schedule": 1}', b"[" * 100_000]


@pytest.mark.parametrize("content", TORN)
def test_torn_files_are_passed_over_and_counted(history: FileHistory, state: Path, content: bytes) -> None:
    """A file that can't be understood is no error and hides nothing else; it is counted."""
    history.decide(*a_pair("old", 0))
    history.decide(*a_pair("new", 1))
    history.add(a_pair("third", 2)[1]._replace(schedule=None, tick=None))
    history.pause(Pause("hourly", tick(0), "ada", ""))
    history.beat(ServiceFacts("s", "h", "b", 1, "1", tick(0), 1))
    paths = [path for path in state.rglob("*.json") if "~old" not in str(path) and "T120000" not in path.name]
    assert len(paths) == 5
    for path in paths:
        path.write_bytes(content)
    fresh = FileHistory(state)
    assert [decision.run_id for decision in fresh.decisions()[0]] == ["old"]
    assert [launch.run_id for launch in fresh.launches()[0]] == ["old"]
    assert [launch.run_id for launch in fresh.open_launches()] == ["old"]
    assert fresh.pauses() == {} and fresh.services() == []
    assert fresh.skipped == 5
    # A tick whose decision is torn has been decided: a run of it may have begun.
    newest = fresh.newest("hourly")
    assert newest is not None and newest.tick == tick(1) and newest.verdict == Verdict.MISSED
    assert str(state) in newest.reason
    assert not fresh.decide(*a_pair("again", 1))
    assert fresh.pause(Pause("hourly", tick(1), "bob", ""))
    assert fresh.pauses()["hourly"].user == "bob"


def test_a_torn_version_holds_up_nobody(history: FileHistory, state: Path) -> None:
    """Of a launch whose newest version is torn the one before it holds, and it can be changed."""
    history.decide(*a_pair("run"))
    assert history.change(a_pair("run")[1], state=State.RUNNING)
    (path,) = state.rglob("000001.json")
    path.write_bytes(b"")
    (found,) = history.open_launches()
    assert found.state == State.QUEUED and found.version == 1
    new = history.change(found, state=State.LOST)
    assert new is not None and history.launch("run") == new


def test_foreign_files_are_passed_over(history: FileHistory, state: Path) -> None:
    """What somebody else has put there, copies of our files too, is nobody's decision, launch, pause or service."""
    history.decide(*a_pair("run"))
    history.pause(Pause("hourly", tick(0), "ada", ""))
    history.beat(ServiceFacts("s", "h", "b", 1, "1", tick(0), 1))
    service = state / "service"
    for path in [path for path in service.rglob("*") if path.is_file()]:
        shutil.copy(path, path.with_name(f"{path.stem} (copy){path.suffix}"))
    for folder in [service, *(path for path in service.rglob("*") if path.is_dir())]:
        (folder / ".DS_Store").write_bytes(b"\x00")
        (folder / "a folder").mkdir()
        (folder / "99999999").mkdir()
    shutil.copytree(service / "ticks" / "hourly", service / "ticks" / "hourly copy")
    fresh = FileHistory(state)
    decision, launch = a_pair("run")
    assert fresh.decisions()[0] == [decision] and fresh.newest("hourly") == decision
    assert fresh.launches()[0] == fresh.open_launches() == [launch]
    assert len(fresh.pauses()) == len(fresh.services()) == 1
    assert fresh.sweep(tick(-1000)) == 0
    assert fresh.open_launches() == [launch]


def test_a_launch_of_tomorrow_is_found(history: FileHistory) -> None:
    """A launch is found by its run id, whatever time that begins with."""
    for run_id in (
        "20260301T120000-aaaaaa",
        "20260228T120000-bbbbbb",
        "19990101T000000-cccccc",
        "99999999-dddddd",
    ):
        launch = a_pair(run_id)[1]._replace(schedule=None, tick=None)
        history.add(launch)
        assert history.launch(run_id) == launch


def test_what_is_over_costs_open_launches_nothing(
    history: FileHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To list open launches no file of one that is over is read."""
    for number in range(6):
        history.decide(*a_pair(f"run{number}", number))
        if number:
            history.change(a_pair(f"run{number}", number)[1], state=State.DONE)
    read: list[str] = []
    plain = history._files.read
    monkeypatch.setattr(history._files, "read", lambda path: read.append(path) or plain(path))
    assert len(history.open_launches()) == 1
    assert read and all("run0" in path or "/ticks/" in path for path in read)


def test_a_page_reads_its_entries_only(history: FileHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of decisions reads as many files as it has entries, however many there are before and behind it."""
    TestFiles().fill(history, [a_pair(f"run{n}", n)[0] for n in range(300)])
    read: list[str] = []
    plain = history._files.read
    monkeypatch.setattr(history._files, "read", lambda path: read.append(path) or plain(path))
    history.decisions(until=tick(200), limit=10)
    assert len([path for path in read if "T" in path]) <= 11
    assert len(read) < 20


def test_a_link_whose_answer_was_lost_is_ours(history: FileHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a network drive has made a link, and says when asked again that it is there, the tick is ours."""
    link = os.link

    def twice(source: str, target: str) -> None:
        link(source, target)
        raise FileExistsError(errno.EEXIST, "File exists", target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", twice)
        assert history.decide(*a_pair("run"))
    assert history.open_launches() == [a_pair("run")[1]]
    assert not history.decide(*a_pair("other"))


def test_a_drive_without_links_serves(
    history: FileHistory, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are no hard links, an exclusive create decides."""

    def refuse(source: str, target: str) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", target)

    monkeypatch.setattr(os, "link", refuse)
    assert history.decide(*a_pair("run"))
    assert not FileHistory(state).decide(*a_pair("other"))
    assert history.change(a_pair("run")[1], state=State.RUNNING) is not None
    assert history.change(a_pair("run")[1], state=State.DONE) is None
    assert FileHistory(state).launches()[0][0].state == State.RUNNING


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT])
def test_a_drive_that_fails_is_told(
    history: FileHistory, state: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A drive that is full, read-only or broken is an error which names the folder, and nothing is on record."""

    def refuse(source: str, target: str) -> None:
        raise OSError(number, os.strerror(number), target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", refuse)
        for call in (
            lambda: history.decide(*a_pair("run")),
            lambda: history.pause(Pause("x", tick(0), "ada", "")),
        ):
            with pytest.raises(HistoryUnavailableError, match=os.strerror(number)) as caught:
                call()
            assert caught.value.address == str(state / "service")
    assert history.decisions()[0] == [] and history.launches()[0] == []
    assert history.decide(*a_pair("run"))


def test_a_drive_that_can_not_be_read_is_told(history: FileHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drive that can't be listed does not seem to be empty: nobody takes a schedule for a new one."""
    history.decide(*a_pair("run"))

    def refuse(*args: Any) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "listdir", refuse)
    for call in (lambda: history.newest("hourly"), history.open_launches, history.pauses, history.launches):
        with pytest.raises(HistoryUnavailableError, match="Input/output error"):
            call()


def test_colleagues_can_read_it(history: FileHistory, state: Path, umask: None) -> None:
    """Files have the permissions that the umask gives, so that others can go on with what one has begun."""
    os.umask(0o002)
    history.decide(*a_pair("run"))
    history.beat(ServiceFacts("s", "h", "b", 1, "1", tick(0), 1))
    modes = {path.stat().st_mode & 0o777 for path in (state / "service").rglob("*") if path.is_file()}
    assert modes == {0o664}
