"""Who works on what: claims are taken once, honoured while their owner lives, and taken over when it is dead."""

from __future__ import annotations

import errno
import json
import os
import platform
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.engine.state import claims, owners
from sinagot.engine.state.claims import Claim, ClaimDesk, Held, file_key
from sinagot.engine.state.owners import Owner, bury, dead_owner_files, held_claims, live_owners, name_process

ROOT = Path(__file__).parents[2]
KEY = "REC-1/a"


@pytest.fixture
def state(tmp_path: Path) -> str:
    return str(tmp_path / "state")


@pytest.fixture
def desk(state: str):
    """Give the desk of a run that goes on."""
    made = ClaimDesk(state, "run-1")
    yield made
    made.finish()


def program(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start another process."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


HOLDER = """
import sys
from sinagot.engine.state.claims import ClaimDesk
desk = ClaimDesk(sys.argv[1], "run-other")
print(type(desk.take(sys.argv[2])).__name__, flush=True)
sys.stdin.readline()
"""


def put(state: str, owner: Owner | str, key: str = KEY, age: float = 0.0) -> Path:
    """Write a claim by hand."""
    path = Path(state, "claims", file_key(key))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(owner if isinstance(owner, str) else owner.to_json())
    moment = time.time() - age
    os.utime(path, (moment, moment))
    return path


def test_claim_is_taken_once_and_released(desk: ClaimDesk, state: str) -> None:
    """A claim appears with its owner in it, is held until released, and is then free for others."""
    claim = desk.take(KEY)
    assert isinstance(claim, Claim) and not claim.taken_over
    assert desk.is_ours(claim) and desk.holder(KEY) == (desk.owner, "live")
    other = ClaimDesk(state, "run-2")
    try:
        held = other.take(KEY)
        assert isinstance(held, Held) and held.owner == desk.owner
        assert isinstance(other.take("REC-1/b"), Claim)
        desk.release(claim)
        assert desk.holder(KEY) == (None, None)
        again = other.take(KEY)
        assert isinstance(again, Claim) and not again.taken_over
    finally:
        other.finish()


def test_owner_is_written_as_it_is() -> None:
    """An owner survives its text; what is no owner gives None."""
    owner = Owner.here("run-1")
    assert owner.pid == os.getpid() and owner.start and owner.boot
    assert Owner.from_json(owner.to_json()) == owner
    for text in ("", "{", "[]", "7", "null", '{"host": 1}', '"x"'):
        assert Owner.from_json(text) is None


def test_live_process_holds_its_claim_and_a_killed_one_does_not(desk: ClaimDesk, state: str) -> None:
    """The claim of another live process is honoured; after kill -9 it is taken over, and the taker knows."""
    holder = program(HOLDER, state, KEY)
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline().strip() == "Claim"
        held = desk.take(KEY)
        assert isinstance(held, Held) and held.owner is not None and held.owner.pid == holder.pid
        assert held_claims(state) == {file_key(KEY): (held.owner, True)}
        assert holder.pid in [owner.pid for owner in live_owners(state)]
    finally:
        holder.kill()
        holder.communicate()
    assert held_claims(state)[file_key(KEY)][1] is False
    claim = desk.take(KEY)
    assert isinstance(claim, Claim) and claim.taken_over
    assert [owner.pid for owner in live_owners(state)] == [os.getpid()]
    assert len(dead_owner_files(state)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"start": "1"},
        {"boot": "another-boot"},
        {"pid": 2**22 + 1},
        {"run_id": "run-that-ended"},
        {"run_id": "run-of-this-process-before"},
    ],
    ids=str,
)
def test_dead_owners_are_told_by_what_they_wrote(desk: ClaimDesk, state: str, change: dict) -> None:
    """PID with another start time, another boot, no such process, a run with an end, a finished run of our own: all dead."""
    ended = Path(state, "runs", "run-that-ended", "run.json")
    ended.parent.mkdir(parents=True)
    ended.write_text(json.dumps({"end": "2026-01-01"}))
    put(state, desk.owner._replace(**change))
    assert held_claims(state)[file_key(KEY)][1] is False
    claim = desk.take(KEY)
    assert isinstance(claim, Claim) and claim.taken_over and desk.is_ours(claim)


def test_live_owner_of_this_host_is_honoured(desk: ClaimDesk, state: str) -> None:
    """A process that lives, with its start time and boot, holds its claim however old the claim is."""
    parent = os.getppid()
    put(state, desk.owner._replace(pid=parent, start=owners.start_time(parent)), age=10_000)
    assert isinstance(desk.take(KEY), Held)
    assert held_claims(state)[file_key(KEY)][1] is True


def test_own_finished_run_is_never_honoured(desk: ClaimDesk, state: str) -> None:
    """A process takes over what its own earlier run left behind (notebooks live on)."""
    before = ClaimDesk(state, "run-0")
    before.take(KEY)
    assert isinstance(desk.take(KEY), Held)
    before.finish()
    assert isinstance(desk.take(KEY), Claim)


LEADERLESS = """
import ctypes, threading, sys
# The first thread ends by itself, as it may be the first to go when a process is killed.
THREAD_EXIT = {"x86_64": 60, "aarch64": 93}
def wait():
    print("begun", flush=True)
    sys.stdin.read()
import platform
threading.Thread(target=wait).start()
ctypes.CDLL(None).syscall(THREAD_EXIT[platform.machine()], 0)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="a call of Linux by number",
)
def test_process_whose_first_thread_has_ended_lives_until_the_last_has(desk: ClaimDesk, state: str) -> None:
    """Locks and files of a killed process are held by the thread that goes last: until then its claim is honoured."""
    child = program(LEADERLESS)
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "begun\n"
        stat = Path(f"/proc/{child.pid}/stat")
        deadline = time.monotonic() + 60
        while stat.read_text().rpartition(")")[2].split()[0] != "Z" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert stat.read_text().rpartition(")")[2].split()[0] == "Z"
        put(state, desk.owner._replace(pid=child.pid, start=owners.start_time(child.pid)))
        assert owners.start_time(child.pid)
        assert isinstance(desk.take(KEY), Held)
        child.kill()
        while owners.start_time(child.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert isinstance(desk.take(KEY), Claim)
    finally:
        child.kill()
        child.communicate()


def test_zombie_is_dead(desk: ClaimDesk, state: str) -> None:
    """A process that has ended and was not waited for holds nothing."""
    if not Path("/proc/self/stat").exists():
        pytest.skip("needs /proc")
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    put(state, desk.owner._replace(pid=child.pid, start=owners.start_time(child.pid)))
    assert isinstance(desk.take(KEY), Held)
    child.kill()
    while owners.start_time(child.pid):
        time.sleep(0.005)
    try:
        assert isinstance(desk.take(KEY), Claim)
    finally:
        child.communicate()


def test_other_host_is_judged_by_its_beats(
    desk: ClaimDesk, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An owner on another host is dead when its beat has not changed for three beats of our own clock, or when its run has an end."""
    now = [1000.0]
    monkeypatch.setattr(claims.time, "monotonic", lambda: now[0])
    owner = desk.owner._replace(host="elsewhere")
    path = put(state, owner, age=10_000)
    assert isinstance(desk.take(KEY), Held)
    now[0] += claims.BEAT * claims.BEATS_MISSED - 1
    assert isinstance(desk.take(KEY), Held)
    os.utime(path)
    now[0] += 2
    assert isinstance(desk.take(KEY), Held)
    now[0] += claims.BEAT * claims.BEATS_MISSED + 1
    assert isinstance(desk.take(KEY), Claim)

    put(state, owner._replace(run_id="ended"), "REC-1/b")
    assert isinstance(desk.take("REC-1/b"), Held)
    ended = Path(state, "runs", "ended", "run.json")
    ended.parent.mkdir(parents=True)
    ended.write_text('{"end": 1}')
    assert isinstance(desk.take("REC-1/b"), Claim)


def test_torn_claim_is_not_for_ever(desk: ClaimDesk, state: str) -> None:
    """A claim that names nobody is being written now, or was torn by a power cut: young it is honoured, old it is taken over."""
    put(state, "")
    assert isinstance(desk.take(KEY), Held)
    assert held_claims(state)[file_key(KEY)] == (None, True)
    put(state, "\x00\x00", age=120)
    assert held_claims(state)[file_key(KEY)] == (None, False)
    claim = desk.take(KEY)
    assert isinstance(claim, Claim) and claim.taken_over


def test_fencing_tells_who_lost_the_claim(desk: ClaimDesk, state: str) -> None:
    """A claim that was taken over, replaced or removed is not ours any more, and releasing it leaves the new one alone."""
    claim = desk.take(KEY)
    assert isinstance(claim, Claim)
    os.unlink(claim.path)
    assert not desk.is_ours(claim)
    desk.release(claim)
    path = put(state, desk.owner._replace(run_id="thief"))
    assert not desk.is_ours(claim)
    desk.release(claim)
    assert path.exists()


def test_removed_state_folder_is_noticed(desk: ClaimDesk, state: str) -> None:
    """When someone removes the state folder the claim is lost, the beat goes on, and release raises nothing."""
    import shutil

    claim = desk.take(KEY)
    assert isinstance(claim, Claim)
    shutil.rmtree(state)
    desk._beat_at -= 100
    desk.beat()
    assert not desk.is_ours(claim)
    desk.release(claim)
    assert held_claims(state) == {} and live_owners(state) == [] and dead_owner_files(state) == []


def test_beat_of_the_owner_is_the_beat_of_its_claims(desk: ClaimDesk) -> None:
    """A claim carries the time stamp of its owner's file; beats are rare however often they are asked for."""
    claim = desk.take(KEY)
    assert isinstance(claim, Claim)
    os.utime(desk._owner_file, (1, 1))
    desk.beat()
    assert os.stat(claim.path).st_mtime == 1
    desk._beat_at -= claims.BEAT
    desk.beat()
    assert os.stat(claim.path).st_mtime > 1


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EMLINK])
def test_file_systems_without_hard_links(state: str, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Without hard links claims are made by exclusive create: taken once, told apart by their text, released, taken over."""

    def no_links(*_: object) -> None:
        raise OSError(number, "no links here")

    monkeypatch.setattr(claims.os, "link", no_links)
    one, two = ClaimDesk(state, "run-1"), ClaimDesk(state, "run-2")
    try:
        claim = one.take(KEY)
        assert isinstance(claim, Claim) and one.is_ours(claim)
        held = two.take(KEY)
        assert isinstance(held, Held) and held.owner == one.owner
        assert not two.is_ours(claim)
        two.release(claim)
        assert one.is_ours(claim)
        one.release(claim)
        put(state, one.owner._replace(start="1"))
        claim = two.take(KEY)
        assert isinstance(claim, Claim) and claim.taken_over
    finally:
        one.finish()
        two.finish()


def test_errors_that_are_no_lack_of_links_are_told(desk: ClaimDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is no reason to go on without links: the error leaves."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(claims.os, "link", full)
    with pytest.raises(OSError, match="full"):
        desk.take(KEY)


def test_only_the_dead_claim_that_was_seen_is_replaced(desk: ClaimDesk, state: str) -> None:
    """Who comes too late to a dead claim leaves the live one alone, and leaves no litter."""
    other = ClaimDesk(state, "run-2")
    try:
        claim = other.take(KEY)
        assert isinstance(claim, Claim)
        assert desk._replace_dead(claim.path, "text of the dead one") is False
        assert other.is_ours(claim)
        assert desk._replace_dead(f"{state}/claims/none", "x") is False
        assert sorted(os.listdir(f"{state}/owners")) == sorted(
            os.path.basename(one._owner_file) for one in (desk, other)
        )
    finally:
        other.finish()


@pytest.mark.parametrize("trouble", ["no lock", "held for long"])
def test_takeover_works_without_the_lock(
    desk: ClaimDesk, state: str, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """Where the lock of takers can't be had, a dead claim is taken over all the same."""
    import fcntl

    errors = {
        "no lock": OSError(errno.ENOLCK, "no locks"),
        "held for long": BlockingIOError(errno.EAGAIN, "held"),
    }

    def refuse(*_: object) -> None:
        raise errors[trouble]

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(claims, "_LOCK_TRIES", 3)
    put(state, desk.owner._replace(start="1"))
    claim = desk.take(KEY)
    assert isinstance(claim, Claim) and claim.taken_over and desk.is_ours(claim)


RACER = """
import sys, time
from sinagot.engine.state.claims import Claim, ClaimDesk
state, count = sys.argv[1], int(sys.argv[2])
desk = ClaimDesk(state, "race")
print("ready", flush=True)
sys.stdin.readline()
won = []
for number in range(count):
    claim = desk.take(f"REC-{number}/a")
    if isinstance(claim, Claim):
        won.append(number)
        assert desk.is_ours(claim)
print(won, flush=True)
sys.stdin.readline()
"""


def test_race_for_dead_claims_has_one_winner_each(state: str) -> None:
    """Several processes that take over the same dead claims at once: each claim has one winner, and it owns it."""
    count, racers = 150, 4
    dead = Owner.here("old")._replace(start="1")
    for number in range(count):
        put(state, dead, f"REC-{number}/a")
    programs = [program(RACER, state, str(count)) for _ in range(racers)]
    try:
        for one in programs:
            assert one.stdout is not None and one.stdout.readline() == "ready\n"
        for one in programs:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        won = []
        for one in programs:
            assert one.stdout is not None
            won += json.loads(one.stdout.readline())
        assert sorted(won) == list(range(count))
        owners = {owner for owner, _ in held_claims(state).values()}
        assert {owner.pid for owner in owners if owner} <= {one.pid for one in programs}
        assert all(alive for _, alive in held_claims(state).values())
        assert len(os.listdir(f"{state}/owners")) == racers
    finally:
        for one in programs:
            one.communicate("end\n")


@given(st.text(min_size=1), st.text(min_size=1))
def test_file_keys_are_file_names_and_differ(one: str, two: str) -> None:
    """Any key gives a plain file name that is neither hidden nor too long; different keys give different names."""
    name = file_key(one)
    assert "/" not in name and "\0" not in name and not name.startswith(".")
    assert len(name.encode()) <= 200
    assert (name == file_key(two)) == (one == two)


def test_file_keys_of_long_keys_keep_their_beginning() -> None:
    """Of an over-long key the beginning can be read; two that differ at the end only are two."""
    one, two = (file_key(f"REC-1/{'x' * 300}{end}") for end in "ab")
    assert one != two and one.startswith("REC-1%2Fxxx") and len(one) < 200


def test_process_on_another_host_that_is_known_to_be_dead(
    state: str, desk: ClaimDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim of a process on another host is free at once when somebody there saw it end; others there are as before."""
    monkeypatch.setattr(owners, "_BURIED", set())
    owner = desk.owner._replace(host="elsewhere")
    put(state, owner)
    put(state, owner._replace(pid=owner.pid + 1), "REC-2/a")
    assert isinstance(desk.take(KEY), Held)
    bury("elsewhere", owner.pid, owner.start)
    assert desk.holder(KEY) == (owner, "dead")
    claim = desk.take(KEY)
    assert isinstance(claim, Claim) and claim.taken_over
    assert isinstance(desk.take("REC-2/a"), Held)
    assert name_process(os.getpid()) == (desk.owner.host, desk.owner.pid, desk.owner.start)
