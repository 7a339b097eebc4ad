"""Which runs were cut off, and which are over for good."""

from __future__ import annotations

import os
from pathlib import Path

from sinagot.engine import power
from sinagot.engine.state.claims import Owner


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


def test_begin_of_a_run_is_read_from_its_id() -> None:
    """A run id tells when the run began; one that does not is from the beginning of time."""
    assert power._begin_of("19700101T000010-abcdef") == 10.0
    assert power._begin_of("accept") == 0.0
