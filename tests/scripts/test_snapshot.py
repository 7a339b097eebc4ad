"""One run is one version."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sinagot.config.settings import CommandSettings
from sinagot.scripts.loading import activated, load_script

ROOT = Path(__file__).parents[2]

WORKER = """
import json, sys
from sinagot.scripts.loading import activated, load_script
from sinagot.scripts.sources import LocalModule, SourceSet
*rest, modules, command, program = json.loads(sys.argv[1])
source = SourceSet(*rest, tuple(LocalModule(*module) for module in modules), command, program)
with activated(source):
    script = load_script(source)("data", "REC-1")
    print(json.dumps(script.run()))
"""


@pytest.fixture
def edited(shelf, tmp_path):
    """A step that was copied and edited afterwards, helper included."""
    shelf.script(
        "step",
        "import tools",
        "def run(self):\n    import lazy\n    return tools.NAME, lazy.NAME, __file__\n",
    )
    for name in ("tools", "lazy"):
        shelf.write(f"{name}.py", "NAME = 'old'")
    library = shelf.library()
    (source,) = library.snapshot([library.spec("step")], tmp_path / "run" / "scripts")
    shelf.write("step.py", "def (")
    for name in ("tools", "lazy"):
        shelf.write(f"{name}.py", "NAME = 'new'")
    return source


def test_edit_is_not_seen_by_the_run(shelf, edited, forget) -> None:
    """After an edit, a job of the run executes the version that the run began with, under the user's file names."""
    forget()
    with activated(edited):
        assert load_script(edited)("data", "REC-1").run() == ("old", "old", str(shelf.scripts / "step.py"))


def test_worker_needs_nothing_but_the_set(shelf, edited) -> None:
    """Another process gets the same from the plain data alone, even when the user's files are gone."""
    for file in shelf.scripts.iterdir():
        file.unlink()
    done = subprocess.run(
        [sys.executable, "-c", WORKER, json.dumps(edited)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert json.loads(done.stdout) == ["old", "old", str(shelf.scripts / "step.py")]


def test_copies_are_named_by_content(shelf, tmp_path) -> None:
    """Equal files are copied once, a second snapshot writes nothing, and no draft is left."""
    shelf.script("one", "import tools")
    shelf.script("two", "import tools")
    shelf.write("tools.py", "")
    library = shelf.library()
    specs = [library.spec(name) for name in ("one", "two")]
    sources = library.snapshot(specs, tmp_path / "run")
    assert [source.step for source in sources] == ["one", "two"]
    files = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "run").iterdir()}
    assert len(files) == 2, "the two scripts are equal, the helper is the other"
    library.snapshot(specs, tmp_path / "run")
    assert {file.name: file.stat().st_mtime_ns for file in (tmp_path / "run").iterdir()} == files


def test_command_steps_have_nothing_to_copy(shelf, tmp_path) -> None:
    """A command step travels as it is."""
    library = shelf.library(commands={"sort": CommandSettings(("sort",), None, "made/{id}.txt")})
    spec = library.spec("sort")
    assert library.snapshot([spec], tmp_path / "run") == (library.source(spec),)
