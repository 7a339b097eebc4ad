"""From a script file to a spec."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sinagot.config.settings import CommandSettings
from sinagot.errors import ScriptError
from sinagot.scripts.loading import ScriptLibrary, load_module, load_script
from sinagot.scripts.spec import StepSpec

ROOT = Path(__file__).parents[2]


def test_spec_holds_what_the_script_declares(shelf) -> None:
    """Paths in the order that the user wrote, ATOMIC, PATH_CONTROL, file and sources stand in the spec."""
    shelf.script(
        "EEG/alpha",
        "import tools",
        """
        PATH_IN = {"z": ["raw", "{id}-{task}.edf"], "a": "raw/{id}.txt"}
        PATH_CONTROL = ("control", "{id}.png")
        ATOMIC = False
        """,
    )
    helper = shelf.write("tools.py", "")
    spec = shelf.library().spec("alpha", "EEG", "RS")
    assert list(spec.inputs.items()) == [("z", ("raw", "{id}-{task}.edf")), ("a", "raw/{id}.txt")]
    assert (spec.outputs, spec.control, spec.atomic) == (("made", "{id}.csv"), ("control", "{id}.png"), False)
    assert (spec.name, spec.modality, spec.file) == ("alpha", "EEG", str(shelf.scripts / "EEG/alpha.py"))
    assert [path for path, _ in spec.sources] == [spec.file, str(helper)]
    assert (spec.command, spec.error) == (None, None)


def test_undeclared_control_is_none(shelf) -> None:
    """A script that says nothing of control files has none to be staged."""
    shelf.script("step")
    shelf.script("none", members="PATH_CONTROL = None")
    library = shelf.library()
    assert library.spec("step").control is library.spec("none").control is None


@pytest.mark.parametrize("attribute", ["PATH_IN", "PATH_OUT", "PATH_CONTROL"])
def test_unusable_declaration_names_the_attribute(shelf, attribute: str) -> None:
    """A declaration of another type is a ScriptError that names the attribute, the step and the file."""
    file = shelf.script("step", members=f"{attribute} = 3")
    with pytest.raises(ScriptError, match=attribute) as caught:
        shelf.library().spec("step")
    assert (caught.value.step, caught.value.file) == ("step", file)


def test_missing_script_is_told(shelf) -> None:
    """A missing file is named in full, with what was probably meant."""
    shelf.script("EEG/alpha")
    with pytest.raises(ScriptError) as caught:
        shelf.library().spec("alhpa", "EEG")
    assert str(caught.value) == (
        f"step 'alhpa': there is no file {shelf.scripts / 'EEG/alhpa.py'}; did you mean 'alpha'?"
    )
    with pytest.raises(ScriptError, match=r"there is no file .*b/step.py$"):
        shelf.library().spec("step", "b")


def test_folder_in_place_of_a_script_is_told(shelf) -> None:
    """What cannot be read is a ScriptError with the reason."""
    (shelf.scripts / "step.py").mkdir()
    with pytest.raises(ScriptError, match=r"cannot read .*step.py: Is a directory"):
        shelf.library().spec("step")


def test_script_is_executed_once(shelf, forget) -> None:
    """However often a spec or class is asked for, by however many libraries, a version is executed once."""
    shelf.script("step", shelf.counting("step"))
    library = shelf.library()
    specs = [library.spec("step") for _ in range(3)]
    assert specs[0] is specs[1] is specs[2]
    assert library.load(specs[0]) is shelf.load("step")
    assert shelf.count() == 1


def test_edit_is_seen_at_once(shelf) -> None:
    """An edit of the same size in the same second, with the same time, gives the new spec and class."""
    file = shelf.script("step", members="PATH_IN = ('raw', '{id}.aaa')")
    state = file.stat()
    library = shelf.library()
    before = library.spec("step")
    file.write_text(file.read_text().replace("aaa", "bbb"))
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    after = library.spec("step")
    assert (before.inputs, after.inputs) == (("raw", "{id}.aaa"), ("raw", "{id}.bbb"))
    assert before.digest != after.digest
    assert library.load(after).PATH_IN == ("raw", "{id}.bbb")
    assert library.load(before).PATH_IN == ("raw", "{id}.aaa"), "the version of a run that is going on"


def test_helpers_count_for_the_digest(shelf) -> None:
    """An edit of a local module is a new version of the step, executed anew."""
    shelf.script("step", "from tools import FOLDER", "PATH_IN = (FOLDER, '{id}.csv')")
    shelf.write("tools.py", "FOLDER = 'a'")
    library = shelf.library()
    before = library.spec("step")
    shelf.write("tools.py", "FOLDER = 'b'")
    after = library.spec("step")
    assert (before.inputs[0], after.inputs[0]) == ("a", "b")
    assert before.digest != after.digest


def test_hidden_helper_warns_once(shelf) -> None:
    """A helper hidden by a library is a warning, once per workspace."""
    shelf.script("step", "import json")
    shelf.write("json.py", "")
    library = shelf.library()
    with pytest.warns(UserWarning, match=r"step 'step': .*json.py is never imported"):
        library.spec("step")
    library.spec("step")


def test_broken_script_can_be_mended(shelf) -> None:
    """A step that could not be loaded is there as soon as its file is right."""
    shelf.write("step.py", "def (")
    library = shelf.library()
    with pytest.raises(ScriptError):
        library.spec("step")
    shelf.script("step")
    assert library.spec("step").outputs == ("made", "{id}.csv")


def test_index_hit_executes_nothing(shelf, forget) -> None:
    """A new process that finds the step's digest in the index gets an equal spec, and executes and parses nothing."""
    shelf.script(
        "step", shelf.counting("step") + "import tools", "PATH_IN = {'b': 'x/{id}', 'a': ['y', '{id}']}"
    )
    shelf.write("tools.py", shelf.counting("tools"))
    first = shelf.library()
    spec = first.spec("step")
    first.save_index()
    forget()
    again = shelf.library().spec("step")
    assert again == spec
    assert list(again.inputs) == ["b", "a"]
    assert shelf.count() == 2
    shelf.write("tools.py", shelf.counting("tools") + "x = 1")
    assert shelf.library().spec("step").digest != spec.digest
    assert shelf.count() == 4


def test_index_hit_loads_no_parser(shelf) -> None:
    """With an index, a spec costs neither ast nor what the script imports, and this layer itself is light."""
    shelf.script("step", "import decimal")
    library = shelf.library()
    library.spec("step")
    library.save_index()
    code = f"""
import sys
before = set(sys.modules)
from sinagot.scripts.loading import ScriptLibrary
ScriptLibrary({str(shelf.scripts)!r}, {str(shelf.index)!r}).spec("step")
heavy = "ast decimal inspect dataclasses subprocess logging difflib linecache tempfile asyncio pydantic"
print(sorted(set(heavy.split()) & set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_reading_writes_nothing(shelf) -> None:
    """Specs, classes and sources leave no file; without save_index there is no index folder."""
    shelf.script("step", "import tools")
    shelf.write("tools.py", "")
    before = sorted(shelf.scripts.parent.rglob("*"))
    shelf.load("step")
    assert sorted(shelf.scripts.parent.rglob("*")) == before


def test_spec_of_elsewhere_is_found_again(shelf) -> None:
    """A spec that another library made can be loaded as well."""
    shelf.script("step")
    spec = shelf.library().spec("step")
    assert shelf.library().load(spec).label == "step"


def test_command_step_wins_over_a_file(shelf) -> None:
    """A step that the configuration declares as a command needs no script, and travels like one."""
    settings = CommandSettings(("sort", "{input}"), "raw/{id}.txt", "made/{id}.txt")
    library = shelf.library(commands={"sort": settings})
    spec = library.spec("sort", "EEG")
    assert (spec.command, spec.inputs, spec.shell) == (("sort", "{input}"), "raw/{id}.txt", False)
    script = library.load(spec)
    assert (script.label, script.modality, script.PATH_OUT) == ("sort", "EEG", "made/{id}.txt")
    assert load_script(library.source(spec)) is script


def test_anything_that_can_say_its_spec_is_taken() -> None:
    """An object with to_step_spec() is a step."""
    spec = StepSpec("node", None, "node.py", "0", {}, "made/{id}.txt")

    class Node:
        def to_step_spec(self) -> StepSpec:
            return spec

    assert ScriptLibrary("/lab/scripts", commands={"node": Node()}).spec("node") is spec


def test_module_that_is_no_script_is_loaded(shelf) -> None:
    """A file with custom classes finds local modules, is registered, and executed once per version."""
    file = shelf.write(
        "EEG/models/record.py", shelf.counting("record") + "import tools\nclass Record: X = tools.NAME\n"
    )
    shelf.write("tools.py", "NAME = 1")
    folders = (str(file.parent), str(shelf.scripts))
    module = load_module(file, "EEG record", folders)
    assert module.Record.X == 1
    assert sys.modules[module.__name__] is module
    assert load_module(file, "EEG record", folders) is module
    shelf.write("tools.py", "NAME = 2")
    assert load_module(file, "EEG record", folders).Record.X == 2
    assert shelf.count() == 2


@pytest.mark.parametrize(
    ("text", "what"), [("x = 1\n1 / 0", ":2: ZeroDivisionError"), ("def (", ":1: SyntaxError")]
)
def test_broken_module_is_told(shelf, text: str, what: str) -> None:
    """A broken file that is no script is named as a module, with file and line."""
    file = shelf.write("record.py", text)
    with pytest.raises(ScriptError, match=f"^module 'EEG record': .*record.py{what}") as caught:
        load_module(file, "EEG record", (str(shelf.scripts),))
    assert (caught.value.step, caught.value.file) == (None, file)
    with pytest.raises(ScriptError, match=r"^module 'EEG record': there is no file"):
        load_module(shelf.scripts / "gone.py", "EEG record", (str(shelf.scripts),))


def test_unreadable_helper_is_absent(shelf) -> None:
    """A folder in place of a helper's file is no helper: Python's own error follows at the import."""
    shelf.script("step", "import tools")
    (shelf.scripts / "tools.py").mkdir()
    with pytest.raises(ScriptError, match="No module named 'tools'"):
        shelf.library().spec("step")
