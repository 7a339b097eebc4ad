"""Finding local modules without executing anything."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

import pytest

from sinagot.scripts.imports import Found, find_sources, imported_names


def find(shelf, name: str = "step") -> Found:
    file = shelf.scripts / f"{name}.py"
    return find_sources(name, None, str(file), (str(file.parent), str(shelf.scripts)))


def names(found: Found) -> list[str]:
    return [module.name for module in found.source.modules]


def test_imports_anywhere_count() -> None:
    """Statements in functions and branches, and literal names of import_module, are all imports."""
    text = b"""
import a, b.c as d
from e import f, g
from h import *
if True:
    def run():
        import i
        importlib.import_module("j.k")
        import_module(name)
        import_module(".relative", package="x")
        __import__("l")
"""
    assert imported_names(text) == ("a", "b.c", "e", "e.f", "e.g", "h", "i", "j.k", "l")


def test_relative_imports_keep_their_dots() -> None:
    """Relative names start with their dots, so that they can be resolved inside any package."""
    assert imported_names(b"from . import a\nfrom ..b import c") == (".", ".a", "..b", "..b.c")


def test_parsing_is_silent() -> None:
    """Whatever the compiler warns of, the search does not: warnings belong to the execution."""
    assert imported_names(b"import a\nx = '\\d'\nassert (x, 'y')") == ("a",)


def test_modules_are_found_recursively(shelf) -> None:
    """A module that a local module imports is found too, however deep, and in circles."""
    shelf.script("step", "import first")
    shelf.write("first.py", "import second, json")
    shelf.write("second.py", "import first")
    assert names(find(shelf)) == ["first", "second"]


def test_packages_are_followed(shelf) -> None:
    """A package is its __init__ and those of its modules that something imports; parents come first."""
    shelf.script("step", "from pack.deep import mod\nimport pack.plain")
    shelf.write("pack/__init__.py", "from . import own\nfrom .other import thing\nfrom .... import toofar")
    for name in ("own", "other", "plain", "unused"):
        shelf.write(f"pack/{name}.py", "")
    shelf.write("pack/deep/__init__.py", "")
    shelf.write("pack/deep/mod.py", "from ..sibling import x\nfrom .. import own")
    shelf.write("pack/sibling.py", "from . import other as o")
    found = names(find(shelf))
    assert set(found) == {
        "pack", "pack.own", "pack.other", "pack.plain", "pack.deep", "pack.deep.mod", "pack.sibling",
    }  # fmt: skip
    for name in found:
        parent = name.rpartition(".")[0]
        assert not parent or found.index(parent) < found.index(name)


def test_folders_without_init_are_followed(shelf) -> None:
    """A bare folder of modules is a package, also inside of another; one with the name of a library is none."""
    shelf.script("step", "import tools.inner.filters, json.decoder\nfrom empty import nothing")
    shelf.write("tools/inner/filters.py", "from ..other import x")
    shelf.write("tools/other.py", "")
    shelf.write("json/data.txt", "")
    (shelf.scripts / "empty").mkdir()
    found = find(shelf)
    assert names(found) == ["tools", "tools.inner", "tools.inner.filters", "empty", "tools.other"]
    assert [module.name for module in found.source.modules if module.is_bare] == [
        "tools",
        "tools.inner",
        "empty",
    ]
    assert found.warnings == ()
    assert list(found.source.named_digests) == ["step.py", "tools.inner.filters", "tools.other"]


def test_a_module_has_no_modules_inside(shelf) -> None:
    """`import tools.x` finds tools alone when tools is a plain file."""
    shelf.script("step", "import tools.x")
    shelf.write("tools.py", "")
    shelf.write("x.py", "")
    assert names(find(shelf)) == ["tools"]


def test_the_scripts_folder_comes_after_the_scripts_own(shelf) -> None:
    """A module beside the script wins over one of the same name in the scripts folder; both folders are searched."""
    shelf.script("EEG/step", "import tools, shared")
    own = shelf.write("EEG/tools.py", "")
    shelf.write("tools.py", "")
    shelf.write("shared.py", "")
    found = find(shelf, "EEG/step")
    assert names(found) == ["tools", "shared"]
    assert found.source.modules[0].path == str(own)


def test_hidden_helper_is_told(shelf) -> None:
    """A helper that has the name of a library is not used, and a sentence names both files."""
    shelf.script("step", "import json, pytest, sys")
    helpers = [shelf.write(f"{name}.py", "") for name in ("json", "pytest", "sys")]
    found = find(shelf)
    assert names(found) == []
    assert len(found.warnings) == 3
    for text, helper in zip(found.warnings, helpers, strict=True):
        assert str(helper) in text
        assert "rename" in text


def test_a_library_that_is_not_loaded_hides_too(
    shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands earlier on the module path wins, loaded or not."""
    library = tmp_path / "site"
    library.mkdir()
    (library / "some_library.py").touch()
    monkeypatch.syspath_prepend(library)
    shelf.script("step", "import some_library")
    shelf.write("some_library.py", "")
    found = find(shelf)
    assert names(found) == []
    assert "site" in found.warnings[0]


def test_the_own_folder_on_the_module_path_hides_nothing(shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the scripts folder itself is on the module path, its modules are local all the same."""
    monkeypatch.syspath_prepend(shelf.scripts)
    shelf.script("step", "import own_tools_a, own_tools_b")
    shelf.write("own_tools_a.py", "")
    file = shelf.write("own_tools_b.py", "")
    module = types.ModuleType("own_tools_b")
    module.__file__ = str(file)
    monkeypatch.setitem(sys.modules, "own_tools_b", module)
    assert names(find(shelf)) == ["own_tools_a", "own_tools_b"]


def test_folder_without_init_gives_way(shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare folder on the module path does not hide a module, as in Python."""
    (tmp_path / "site" / "bare_tools").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "site")
    shelf.script("step", "import bare_tools")
    shelf.write("bare_tools.py", "")
    assert names(find(shelf)) == ["bare_tools"]


def test_module_made_by_hand_hides(shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that stands in sys.modules without a file is what Python imports."""
    monkeypatch.setitem(sys.modules, "made_up", types.ModuleType("made_up"))
    shelf.script("step", "import made_up")
    shelf.write("made_up.py", "")
    assert "made_up" in find(shelf).warnings[0]


def test_step_named_like_a_library_is_no_hidden_helper(shelf) -> None:
    """A step `statistics` and a script that imports the library of that name: nothing to warn of."""
    shelf.script("statistics")
    shelf.script("step", "import statistics")
    found = find(shelf)
    assert (names(found), found.warnings) == ([], ())


def test_digest_changes_with_any_module(shelf) -> None:
    """The digest of a step is that of the script and of everything local below it; modules have theirs."""
    shelf.script("step", "import first, other")
    shelf.write("first.py", "import second")
    shelf.write("second.py", "x = 1")
    shelf.write("other.py", "")
    before = find(shelf).source
    shelf.write("second.py", "x = 2")
    after = find(shelf).source
    assert before.digest != after.digest
    assert before.text_digest == after.text_digest
    versions = {
        old.name: old.digest == new.digest for old, new in zip(before.modules, after.modules, strict=True)
    }
    assert versions == {"first": False, "second": False, "other": True}


def test_edit_of_same_size_and_time_is_seen(shelf) -> None:
    """Bytes decide: an edit that leaves size and time as they were changes the digest."""
    shelf.script("step", "import tools")
    file = shelf.write("tools.py", "x = 1")
    state = file.stat()
    before = find(shelf).source.digest
    file.write_text("x = 2")
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert find(shelf).source.digest != before


def test_digest_does_not_depend_on_the_place(new_shelf) -> None:
    """Two copies of a workspace have equal digests."""
    digests = set()
    for _ in range(2):
        shelf = new_shelf()
        shelf.script("step", "import tools")
        shelf.write("tools.py", "")
        digests.add(find(shelf).source.digest)
    assert len(digests) == 1


def test_broken_helper_is_a_syntax_error(shelf) -> None:
    """A local module that is not Python is reported with its own file."""
    shelf.script("step", "import tools")
    file = shelf.write("tools.py", "def (")
    with pytest.raises(SyntaxError) as caught:
        find(shelf)
    assert caught.value.filename == str(file)
