"""Executing scripts, and what is said of one that cannot be loaded."""

from __future__ import annotations

import linecache
import pickle
import re
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from sinagot.errors import ScriptError
from sinagot.scripts.loading import load_script


def error_of(shelf, name: str = "step") -> ScriptError:
    with pytest.raises(ScriptError) as caught:
        shelf.load(name)
    assert caught.value.step == name
    assert caught.value.file == shelf.scripts / f"{name}.py"
    assert isinstance(caught.value, ImportError)
    return caught.value


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("x = 1\ndef (", 2, "SyntaxError"),
        ("x = 1\nreturn", 2, "SyntaxError"),
        ("x = 1\n\n  y = 2", 3, "IndentationError"),
        (
            "\nimport no_such_module_anywhere",
            2,
            "ModuleNotFoundError: No module named 'no_such_module_anywhere'",
        ),
        ("from os import no_such_name", 1, "ImportError"),
        ("x = 1\ndef f():\n    return 1 / 0\nf()", 3, "ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)", 2, "SystemExit: 3: the script ends the program"),
        ("raise BaseExceptionGroup('g', [OSError()])", 1, "ExceptionGroup"),
    ],
)
def test_broken_script_is_named_with_file_and_line(shelf, text: str, line: int, what: str) -> None:
    """Whatever a script does at import, the ScriptError names step, file, line and cause, and chains it."""
    file = shelf.write("step.py", text)
    error = error_of(shelf)
    assert str(error).startswith(f"step 'step': {file}:{line}: ")
    assert what in str(error)
    assert type(error.__cause__).__name__ in str(error)
    assert error.line == line
    assert pickle.loads(pickle.dumps(error)).step == "step"


@pytest.mark.parametrize("content", [b"x = '\xff'", b"x = 1\0"])
def test_file_that_is_no_text_is_a_script_error(shelf, content: bytes) -> None:
    """Bytes that are not Python source are reported with the file."""
    file = shelf.write("step.py", "")
    file.write_bytes(content)
    assert str(file) in str(error_of(shelf))


def test_broken_helper_names_both_files(shelf) -> None:
    """An error in a local module names the module's file and line, and the script's."""
    script = shelf.script("step", "import tools")
    helper = shelf.write("tools.py", "x = 1\nx.no\n")
    text = str(error_of(shelf))
    assert f"({script}): {helper}:2: AttributeError" in text
    helper.write_text("def (")
    assert f"({script}): {helper}:1: SyntaxError" in str(error_of(shelf))


def test_keyboard_interrupt_is_let_through(shelf) -> None:
    """Ctrl-C while a script is imported is Ctrl-C, and leaves no half-made module."""
    shelf.write("step.py", "raise KeyboardInterrupt")
    before = set(sys.modules)
    with pytest.raises(KeyboardInterrupt):
        shelf.load("step")
    assert not [name for name in set(sys.modules) - before if "sinagot_script" in name]


def test_missing_class_is_told(shelf) -> None:
    """A file without class Script says so and what was probably meant."""
    shelf.write("step.py", "class Scirpt: pass")
    assert re.search(r"has no class Script; did you mean 'Scirpt'\?", str(error_of(shelf)))
    shelf.write("step.py", "x = 1")
    assert str(error_of(shelf)).endswith("has no class Script")


@pytest.mark.parametrize("text", ["class Script: pass", "Script = 3", "def Script(): pass"])
def test_class_of_another_kind_is_told(shelf, text: str) -> None:
    """A Script that does not derive from ScriptTemplate says what to write."""
    shelf.write("step.py", text)
    assert "does not derive from ScriptTemplate; write: class Script(ScriptTemplate)" in str(error_of(shelf))


def test_labels_are_set(shelf) -> None:
    """The class carries the step's name and modality before its first instance is made."""
    shelf.script("EEG/alpha.v2")
    script = shelf.load("alpha.v2", "EEG")
    assert (script.label, script.modality) == ("alpha.v2", "EEG")


def test_shared_class_is_labelled_per_step(shelf) -> None:
    """Two steps that import their Script from one local module each have a class of their own."""
    shelf.script("base")
    for name in ("one", "two"):
        shelf.write(f"{name}.py", "from base import Script")
    scripts = [shelf.load(name) for name in ("one", "two")]
    assert [script.label for script in scripts] == ["one", "two"]
    assert [pickle.loads(pickle.dumps(script)) for script in scripts] == scripts


def test_script_module_is_registered(shelf) -> None:
    """Dataclasses and pickling work in a script, and its module knows the user's file."""
    before = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    before += "@dataclass\nclass Point:\n    x: int = 1\n"
    file = shelf.write("step.py", before)
    file.write_text(before + shelf.script("other").read_text())
    script = shelf.load("step")
    module = sys.modules[script.__module__]
    assert (module.__file__, module.Script) == (str(file), script)
    assert pickle.loads(pickle.dumps(module.Point(3))) == module.Point(3)
    assert pickle.loads(pickle.dumps(script)) is script
    assert linecache.getline(str(file), 3) == "@dataclass\n"


def test_module_name_is_stable(shelf) -> None:
    """An edit keeps the name of the module, so what was pickled before can be read."""
    shelf.script("step", "x = 1")
    old = shelf.load("step")
    shelf.script("step", "x = 2")
    new = shelf.load("step")
    assert old is not new
    assert old.__module__ == new.__module__


def test_pickle_finds_the_version_that_runs(shelf) -> None:
    """With two versions in one process, the one loaded last is the registered one."""
    library = shelf.library()
    shelf.script("step", "x = 1")
    old = library.spec("step")
    script = library.load(old)
    shelf.script("step", "x = 2")
    library.load(library.spec("step"))
    assert library.load(old) is script
    assert sys.modules[script.__module__].Script is script


def test_failed_edit_keeps_the_good_module(shelf) -> None:
    """A version that fails does not take the registered module of the last good one away."""
    shelf.script("step")
    module = sys.modules[shelf.load("step").__module__]
    shelf.write("step.py", "1 / 0")
    error_of(shelf)
    assert sys.modules[module.__name__] is module


def test_failure_is_executed_once_per_run(shelf, tmp_path, forget) -> None:
    """In a worker, a script that fails for one record is not executed for the next one of that run.

    A fix of the surroundings counts in the next run.
    """
    shelf.script(
        "step", shelf.counting("step") + "import os\nif 'BREAK' in os.environ: raise OSError('broken')"
    )
    library = shelf.library()
    spec = library.spec("step")
    sources = [library.snapshot([spec], tmp_path / name)[0] for name in ("run1", "run2")]
    forget()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BREAK", "1")
        for _ in range(3):
            with pytest.raises(ScriptError, match="broken") as caught:
                load_script(sources[0])
            assert isinstance(caught.value.__cause__, OSError)
    assert shelf.count() == 2
    assert load_script(sources[1]).label == "step"


def test_warnings_of_the_compiler_come_once(shelf) -> None:
    """A warning about the script's text reaches the user once, with the script's file."""
    shelf.script("step", r"x = '\d'")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        shelf.load("step")
    assert [warning.filename for warning in caught] == [str(shelf.scripts / "step.py")]


def test_missing_module_of_a_helper_is_named(shelf) -> None:
    """When a helper imports what is not there, the message names the missing module."""
    shelf.script("step", "import tools")
    shelf.write("tools.py", "import not_there_at_all")
    assert "No module named 'not_there_at_all'" in str(error_of(shelf))


def test_two_threads_load_a_script_once(shelf) -> None:
    """Threads that ask for one script at the same time get one class, executed once."""
    shelf.script("step", shelf.counting("step") + "import time\ntime.sleep(0.05)")
    library = shelf.library()
    source = library._find("step", None, library.file("step"))
    with ThreadPoolExecutor(4) as pool:
        scripts = set(pool.map(load_script, [source] * 4))
    assert len(scripts) == 1
    assert shelf.count() == 1


def test_helper_edited_after_the_run_began_is_told(shelf, forget) -> None:
    """A worker without a snapshot refuses a script, or a helper, that is not the one of the job."""
    for edited in ("step", "tools"):
        shelf.script("step", "import tools")
        shelf.write("tools.py", "x = 1")
        library = shelf.library()
        source = library.source(library.spec("step"))
        forget()
        shelf.write(f"{edited}.py", "x = 2")
        with pytest.raises(ScriptError, match=rf"{edited}.py was edited after the run began"):
            load_script(source)
