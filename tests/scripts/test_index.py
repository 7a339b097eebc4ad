"""The cache of specs: a miss costs time only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sinagot.scripts.loading import ScriptLibrary


@pytest.fixture
def entry(shelf) -> Path:
    """The one entry of an index that was saved."""
    shelf.script("step", shelf.counting("step"))
    library = shelf.library()
    library.spec("step")
    library.save_index()
    (file,) = shelf.index.iterdir()
    return file


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "null", '{"format": 0}', '{"format": 1}', '{"format": 1, "imports": 3}', "é"]
)
def test_damaged_entry_is_a_miss(shelf, entry: Path, forget, text: str) -> None:
    """Whatever stands in the file, the spec is made from the script."""
    entry.write_text(text)
    forget()
    assert shelf.library().spec("step").outputs == ("made", "{id}.csv")
    assert shelf.count() == 2


@pytest.mark.parametrize("damage", [{"inputs": 3}, {"control": 3}, {"outputs": None}])
def test_entry_with_wrong_paths_is_a_miss(shelf, entry: Path, forget, damage: dict) -> None:
    """Paths of a wrong type are not believed."""
    entry.write_text(json.dumps(json.loads(entry.read_text()) | damage))
    forget()
    assert shelf.library().spec("step").inputs == ("raw", "{id}.csv")
    assert shelf.count() == 2


def test_entry_keeps_whether_it_is_a_pipeline(shelf, entry: Path, forget) -> None:
    """What a script defines is known without executing it; an entry that does not say it is a miss."""
    kept = json.loads(entry.read_text())
    assert kept["is_pipeline"] is False
    entry.write_text(json.dumps(kept | {"is_pipeline": True}))
    forget()
    assert shelf.library().spec("step").is_pipeline
    assert shelf.count() == 1
    del kept["is_pipeline"]
    entry.write_text(json.dumps(kept))
    forget()
    assert not shelf.library().spec("step").is_pipeline
    assert shelf.count() == 2


def test_two_steps_have_two_entries(shelf, entry: Path) -> None:
    """Steps of one name in two modalities do not share an entry; nothing but entries is left in the folder."""
    library = shelf.library()
    for modality in ("EEG", "behavior"):
        shelf.script(f"{modality}/step")
        library.spec("step", modality)
    library.save_index()
    assert len(list(shelf.index.iterdir())) == 3
    assert {file.suffix for file in shelf.index.iterdir()} == {".json"}


def test_only_news_are_written(shelf, entry: Path, forget) -> None:
    """Saving after nothing but hits writes nothing."""
    before = entry.stat().st_mtime_ns
    forget()
    library = shelf.library()
    library.spec("step")
    library.save_index()
    assert entry.stat().st_mtime_ns == before


def test_moved_workspace_hits(shelf, entry: Path, forget, tmp_path: Path) -> None:
    """A workspace that was moved keeps its index, and its specs have the new paths."""
    forget()
    moved = shelf.scripts.parent.rename(tmp_path / "moved")
    spec = ScriptLibrary(moved / "scripts", moved / "state" / "index").spec("step")
    assert spec.file == str(moved / "scripts" / "step.py")
    assert (moved / "ran.txt").read_text() == "step\n"


def test_folder_that_cannot_be_written_is_no_error(shelf) -> None:
    """An index that cannot be saved is left."""
    shelf.script("step")
    shelf.index.parent.mkdir()
    shelf.index.write_text("a file in the way")
    library = shelf.library()
    library.spec("step")
    library.save_index()
    assert shelf.index.read_text() == "a file in the way"


def test_library_without_index_works(shelf) -> None:
    """Without an index folder nothing is read or written."""
    shelf.script("step")
    library = ScriptLibrary(shelf.scripts)
    library.spec("step")
    library.save_index()
    assert not shelf.index.exists()


def test_what_is_said_of_single_inputs_comes_back(shelf, forget) -> None:
    """A spec of the index is the one that was made from the script, and can be hashed as that can."""
    shelf.script("step", members="CHECK = {'events': 'digest'}\nRETRY_ON = ['timeout']")
    library = shelf.library()
    made = library.spec("step").settings
    library.save_index()
    forget()
    found = shelf.library().spec("step").settings
    assert found == made and hash(found) == hash(made)
    assert (found.check, found.retry_on) == ((("events", "digest"),), ("timeout",))
