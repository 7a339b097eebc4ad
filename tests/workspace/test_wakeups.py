"""Waiting between two looks: on which drives, for what, and how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sinagot.dataset.mounts import Mount
from sinagot.workspace.watch import wakeups
from sinagot.workspace.watch.wakeups import Wakeups, on_shared_drive


@pytest.mark.parametrize(
    ("kind", "below", "is_shared"), [("ext4", "ext4", False), ("nfs4", "ext4", True), ("ext4", "cifs", True)]
)
def test_network_drive_is_known_also_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, below: str, is_shared: bool
) -> None:
    """A folder on a network drive, or in which one is mounted, is not told of by events."""
    mounts = [
        Mount("/", kind, "x"),
        Mount(f"{tmp_path}/raw/site", below, "y"),
        Mount("/elsewhere", "nfs4", "z"),
    ]
    monkeypatch.setattr(wakeups, "list_mounts", lambda: mounts)
    assert on_shared_drive([str(tmp_path)]) is is_shared


def test_change_below_a_folder_ends_the_waiting(tmp_path: Path) -> None:
    """A new file deep in a folder is told; what happens in folders that are of no interest is not."""
    (tmp_path / "state").mkdir()
    waiting = Wakeups(interval=0.01)
    waiting.listen([str(tmp_path)], [str(tmp_path / "state")])
    try:
        number = 0
        while not waiting._is_told:  # it takes a moment until the system is asked
            number += 1
            (tmp_path / f"{number}.csv").write_text("1")
            waiting.rest(0.05)
        assert waiting.has_events
    finally:
        waiting.deafen()
    assert not waiting.has_events


def test_bell_ends_all_waiting() -> None:
    """Whoever rings ends the waiting, now and later."""
    waiting: Any = Wakeups(interval=60.0)
    waiting.ring()
    waiting.wait(None)
    waiting.rest(60.0)
    waiting.forget()
    waiting.rest(60.0)
