"""One version of a script as data."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from sinagot.errors import ScriptError
from sinagot.scripts.sources import LocalModule, SourceSet, digest_of, text_of


def test_set_travels(shelf) -> None:
    """A set survives pickling: it is plain data."""
    shelf.script("step", "import tools")
    shelf.write("tools.py", "")
    library = shelf.library()
    source = library.source(library.spec("step"))
    assert source.modules
    assert pickle.loads(pickle.dumps(source)) == source


@pytest.mark.parametrize("step", ["alpha.v2", "é", "a b", "1-2", "a_b"])
def test_module_name_is_an_identifier(step: str) -> None:
    """Whatever a step is called, its module has a valid name, and another one in another folder."""
    one = SourceSet(step, "EEG", f"/a/{step}.py", "", "", "").module_name
    two = SourceSet(step, "EEG", f"/b/{step}.py", "", "", "").module_name
    assert one.isidentifier()
    assert one != two


def test_text_of_another_version_is_refused(tmp_path: Path) -> None:
    """A worker never executes a text other than the one that the run began with."""
    file = tmp_path / "step.py"
    file.write_text("edited")
    source = SourceSet("step", None, str(file), str(file), digest_of(b"as it was"), "")
    with pytest.raises(ScriptError, match="edited after the run began"):
        text_of(source)


def test_missing_text_is_a_script_error(tmp_path: Path) -> None:
    """A copy that is gone is reported with the user's file."""
    module = LocalModule("tools", "/lab/tools.py", str(tmp_path / "gone.py"), digest_of(b"gone"), "")
    with pytest.raises(ScriptError, match=r"'tools' \(/lab/tools.py\): cannot read") as caught:
        text_of(module)
    assert caught.value.file == Path("/lab/tools.py")
