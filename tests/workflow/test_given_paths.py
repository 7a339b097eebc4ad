"""Steps that give back paths: what they made is moved to its storage, what was there before them stays."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

import sinagot as sg
from sinagot.errors import StepFailedError


@sg.step
def given(source: Path, how: str) -> Path:
    """Give a path in one of several ways."""
    text = source.read_text()
    if how == "input":
        return source
    if how == "folder of the input":
        return source.parent
    if how == "dataset":
        return source.parent.parent
    if how == "older file elsewhere":
        return source.parent.parent.parent / "elsewhere.txt"
    made = Path(tempfile.mkdtemp()) / "made.txt"
    made.write_text(text.upper())
    if how == "link to the input":
        made.unlink()
        made.symlink_to(source)
    return made.parent if how == "new folder" else made


class Giving(sg.Workflow):
    source: Path = sg.seed()
    how: str = sg.seed()
    result: Path = given.step(source, how)


class Givings(sg.Workspace[Giving]):
    source = sg.LocalStorage("raw/{workflow_id}.txt")
    how = sg.LocalStorage("how")
    result = sg.LocalStorage("result/{workflow_id}")


class Maybe(sg.Workflow):
    source: Path = sg.seed()
    how: str = sg.seed()
    result: Path | None = given.step(source, how)


class Maybes(sg.Workspace[Maybe]):
    source = sg.LocalStorage("raw/{workflow_id}.txt")
    how = sg.LocalStorage("how")
    result = sg.LocalStorage("result/{workflow_id}")


@pytest.mark.parametrize("kind", [Givings, Maybes])
@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("input", "raw a"),
        ("link to the input", "raw a"),
        ("older file elsewhere", "elsewhere"),
        ("new file", "RAW A"),
        ("new folder", {"made.txt": "RAW A"}),
        ("folder of the input", {"a.txt": "raw a", "b.txt": "raw b"}),
    ],
)
def test_only_what_the_step_made_is_moved(
    how: str,
    expected: str | dict[str, str],
    kind: type[sg.Workspace[Giving]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The result is stored in each case; input data and older files stay, new ones leave nothing behind."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    root = tmp_path / "root"
    (root / "raw").mkdir(parents=True)
    for name in "ab":
        (root / "raw" / f"{name}.txt").write_text(f"raw {name}")
    (root / "how").write_text(how)
    (tmp_path / "elsewhere.txt").write_text("elsewhere")
    time.sleep(0.05)
    with kind(root) as ws:
        found = ws["a"].result
        assert found == root / "result" / "a" and not found.is_symlink()
        stored = (
            found.read_text() if found.is_file() else {one.name: one.read_text() for one in found.iterdir()}
        )
        assert stored == expected
        assert ws["a"].result == found
    assert {one.name: one.read_text() for one in (root / "raw").iterdir()} == {
        "a.txt": "raw a",
        "b.txt": "raw b",
    }
    assert (tmp_path / "elsewhere.txt").read_text() == "elsewhere"
    left = [name for _, _, names in os.walk(tmp_path / "temporary") for name in names]
    assert left == (["made.txt"] if how == "link to the input" else [])


def test_folder_around_the_dataset_is_refused(tmp_path: Path) -> None:
    """A step that gives the dataset itself fails by name; nothing is written, nothing moved."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.txt").write_text("raw a")
    (tmp_path / "how").write_text("dataset")
    with Givings(tmp_path) as ws, pytest.raises(StepFailedError, match="holds the dataset itself"):
        _ = ws["a"].result
    assert (tmp_path / "raw" / "a.txt").read_text() == "raw a"
    assert not (tmp_path / "result" / "a").exists()
