"""The file of decisions: what was said last about a job holds, whoever writes, whatever broke."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.engine.state.decisions import FILE, Decisions, Target, append_decisions, decided
from sinagot.errors import StorageError

TASKS, MODALITIES, STEPS = ["RS", "HDC"], ["EEG", "behavior"], ["a", "b"]


def maybe(values: list[str]) -> st.SearchStrategy[str | None]:
    """Give one of some values, or None for all."""
    return st.sampled_from([None, *values])


targets = st.builds(
    Target, st.sampled_from(["REC-1", "REC-2"]), maybe(TASKS), maybe(MODALITIES), maybe(STEPS)
)
sayings = st.lists(st.tuples(st.sampled_from(["exclude", "include"]), targets), max_size=8)
JOBS = [
    (record, task, modality, step)
    for record in ("REC-1", "REC-2", "REC-3")
    for task in TASKS
    for modality in MODALITIES
    for step in STEPS
]


@given(sayings)
def test_what_was_said_last_about_a_job_holds(said: list[tuple[str, Target]]) -> None:
    """A job is excluded exactly when the last decision that covers it says so; what is in force says the same."""
    made = [decided(what, target, str(number)) for number, (what, target) in enumerate(said)]
    decisions = Decisions(made)
    short = Decisions(decisions.in_force())
    for job in JOBS:
        last = None
        for one in made:
            if one.target.record_id == job[0] and one.target.covers(*job[1:]):
                last = one
        expected = last if last is not None and last.what == "exclude" else None
        assert decisions.exclusion(*job) == expected
        assert short.exclusion(*job) == expected
    for _, target in said:
        covered = [job for job in JOBS if job[0] == target.record_id and target.covers(*job[1:])]
        if any(decisions.exclusion(*job) for job in covered):
            assert decisions.excludes_any(target)


def test_decisions_come_back_as_they_were_written(tmp_path: Path) -> None:
    """Every word of a decision is in the file, also ids and reasons with odd characters."""
    state = str(tmp_path / "state")
    made = [
        decided("exclude", Target("REC 1/é\udcff", "RS", None, "a"), "«line one\nline two»"),
        decided("include", Target("REC-2"), ""),
    ]
    append_decisions(state, made[:1])
    append_decisions(state, made[1:])
    assert Decisions.read(state).all == tuple(made)
    assert (tmp_path / "state" / FILE).read_bytes().count(b"\n") == 2
    assert made[0].user
    assert made[0].time.endswith("+00:00")


def test_no_file_is_no_decision(tmp_path: Path) -> None:
    """Without a file nothing is excluded, and asking writes nothing."""
    decisions = Decisions.read(str(tmp_path / "state"))
    assert not decisions
    assert (decisions.all, decisions.bad, decisions.warnings) == ((), 0, [])
    assert list(tmp_path.iterdir()) == []


def test_torn_and_broken_lines_are_passed_over_and_counted(tmp_path: Path) -> None:
    """A broken line costs itself only, and the next writer begins on a line of its own."""
    one = decided("exclude", Target("REC-1"), "asleep")
    (tmp_path / FILE).write_bytes(
        json.dumps(one.to_json()).encode()
        + b"\n\xff\xfe\n{}\n[]\n3\n"
        + b'{"decision": "exclude", "record_id": 3}\n'
        + b'{"decision": "exclude", "record_id": "REC-2", "task": []}\n'
        + b'{"decision": "accept", "record_id": "REC-3"}\n'
        + b'{"decision": "exclude", "record_'
    )
    append_decisions(str(tmp_path), [decided("exclude", Target("REC-4"), "late")])
    decisions = Decisions.read(str(tmp_path))
    assert [made.target.record_id for made in decisions.all] == ["REC-1", "REC-4"]
    assert decisions.bad == 7
    assert decisions.warnings == [f"{FILE}: 7 broken line(s) passed over"]


def test_several_writers_lose_nothing(tmp_path: Path) -> None:
    """Processes that decide at the same time write whole lines."""
    code = (
        "import sys\nfrom sinagot.engine.state.decisions import *\n"
        "for number in range(100):\n"
        f"    append_decisions({str(tmp_path)!r}, [decided('exclude', Target(sys.argv[1] + str(number)), 'x' * 50)])\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, name]) for name in ("A", "B", "C")]
    assert [writer.wait(100) for writer in writers] == [0, 0, 0]
    decisions = Decisions.read(str(tmp_path))
    assert decisions.bad == 0
    assert {one.target.record_id for one in decisions.all} == {
        f"{name}{n}" for name in "ABC" for n in range(100)
    }


def test_unreadable_file_is_an_error(tmp_path: Path) -> None:
    """Decisions that are there and can't be read stop whoever asks: what is excluded would run."""
    (tmp_path / FILE).mkdir()
    with pytest.raises(StorageError, match="can't be read"):
        Decisions.read(str(tmp_path))
    with pytest.raises(StorageError, match="can't be written"):
        append_decisions(str(tmp_path), [decided("exclude", Target("REC-1"), "x")])


def test_user_without_a_name_can_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container whose user has no name, the number stands for it."""

    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert decided("exclude", Target("REC-1"), "x").user == str(os.getuid())


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (Target("REC-1"), "REC-1"),
        (Target("REC-1", step="a"), "REC-1 a"),
        (Target("REC-1", "RS"), "REC-1 RS-*"),
        (Target("REC-1", None, "EEG"), "REC-1 *-EEG"),
        (Target("REC-1", "RS", "EEG"), "REC-1 RS-EEG"),
        (Target("REC-1", "RS", None, "a"), "REC-1 RS-*-a"),
    ],
)
def test_target_reads_well(target: Target, text: str) -> None:
    """People read what a decision is about as they read steps."""
    assert target.text == text
