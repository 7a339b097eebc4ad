"""Which runs were cut off, and which are over for good."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from sinagot.engine import power
from sinagot.engine.state.owners import Owner


def note(state: Path, **facts: object) -> str:
    """Leave the note of an open run."""
    name = f"20260101T000000-{len(list((state / 'open').iterdir())):06x}"
    owner = Owner.here(name)._replace(**facts)
    (state / "open" / name).write_text(owner.to_json())
    return name


def test_open_runs(tmp_path: Path) -> None:
    """Runs of another boot of this machine were cut; those of other machines are not ours to judge; dead ones are settled."""
    state = str(tmp_path)
    assert power.cut_runs(state) == []
    power.settle_dead(state)
    power.open_run(state, "20260102T000000-aaaaaa")
    dead = note(tmp_path, pid=2**22 + 1, start="1")
    cut = note(tmp_path, boot="before")
    other = note(tmp_path, boot="theirs", host="elsewhere")
    torn = note(tmp_path)
    (tmp_path / "open" / torn).write_text("")
    assert power.cut_runs(state) == [cut, torn]
    power.forget(state, [cut, torn])
    power.settle_dead(state)
    assert dead not in os.listdir(tmp_path / "open") and other in os.listdir(tmp_path / "open")
    power.close_run(state, "20260102T000000-aaaaaa")
    power.close_run(state, "20260102T000000-aaaaaa")
    assert power.cut_runs(state) == []


def test_run_that_just_begins_was_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever another run sees while one begins, it is never a torn note; what was left of such a moment goes one day."""
    state = str(tmp_path)
    seen = []
    to_json, replace = Owner.to_json, os.replace

    def look(*arguments: str) -> None:
        seen.append(power.cut_runs(state))
        replace(*arguments)

    monkeypatch.setattr(Owner, "to_json", lambda owner: seen.append(power.cut_runs(state)) or to_json(owner))
    monkeypatch.setattr(os, "replace", look)
    power.open_run(state, "20260102T000000-aaaaaa")
    assert seen == [[], []] and power.cut_runs(state) == []
    for name, age in ((".old", 7200), (".new", 0)):
        (tmp_path / "open" / name).write_text("")
        os.utime(tmp_path / "open" / name, (time.time() - age,) * 2)
    power.settle_dead(state)
    assert os.listdir(tmp_path / "open") == [".new"]


def test_outputs_of_a_run_that_went_on_meanwhile_are_right(tmp_path: Path) -> None:
    """A run of another machine that began before the one that was cut, and went on, is no reason to doubt its outputs."""
    output = tmp_path / "out.txt"
    output.write_text("whole")
    state = output.stat()
    commit = {
        "event": "commit",
        "key": "R/a",
        "attempt": "x",
        "files": [["out.txt", state.st_size, state.st_mtime_ns, None]],
    }
    for run_id, events in (("20260101T000000-aaaaaa", [commit]), ("20260102T000000-bbbbbb", [])):
        folder = tmp_path / "runs" / run_id
        folder.mkdir(parents=True)
        text = "".join(json.dumps(event) + "\n" for event in events)
        (folder / "events-here-1.jsonl").write_text(text)
    trace = power._Trace(str(tmp_path), ["20260102T000000-bbbbbb"], str(tmp_path))
    assert trace.is_right(str(output))


def test_begin_of_a_run_is_read_from_its_id() -> None:
    """A run id tells when the run began; one that does not is from the beginning of time."""
    assert power._begin_of("19700101T000010-abcdef") == 10.0
    assert power._begin_of("accept") == 0.0
