"""Local modules: importable under plain names, and only while their script runs."""

from __future__ import annotations

import pickle
import sys
import threading
import traceback
from importlib.machinery import PathFinder

import pytest

from sinagot.scripts.loading import activated, load_script
from sinagot.scripts.modules import LocalFinder

USES = "import tools\n"
LAZY = """
def run(self):
    import tools
    return tools.NAME
"""


def source_of(shelf, name: str = "step", modality: str | None = None):
    library = shelf.library()
    return library.source(library.spec(name, modality))


def run(source):
    """Do what the engine does."""
    with activated(source):
        return load_script(source)("data", "REC-1").run()


@pytest.fixture(autouse=True)
def _nothing_is_left():
    path, finders, names = list(sys.path), list(sys.meta_path), set(sys.modules)
    yield
    assert sys.path == path
    assert sys.meta_path == finders
    left = {name for name in set(sys.modules) - names if "sinagot" not in name}
    assert not left & {"tools", "pack", "first", "second"}


def test_two_workspaces_never_meet(new_shelf) -> None:
    """Each workspace gets its own tools.py, at import time and lazily inside run(), in any order."""
    sources = []
    for name in ("one", "two"):
        shelf = new_shelf()
        shelf.script("step", f"{USES}TOP = tools.NAME", LAZY)
        shelf.write("tools.py", f"NAME = {name!r}")
        sources.append(source_of(shelf))
    for _ in range(2):
        assert [run(source) for source in sources] == ["one", "two"]
    assert [sys.modules[load_script(source).__module__].TOP for source in sources] == ["one", "two"]


def test_two_modalities_never_meet(shelf) -> None:
    """The folders of two modalities may each have a tools.py."""
    for name in ("EEG", "behavior"):
        shelf.script(f"{name}/step", members=LAZY)
        shelf.write(f"{name}/tools.py", f"NAME = {name!r}")
    assert [run(source_of(shelf, "step", name)) for name in ("EEG", "behavior")] == ["EEG", "behavior"]


def test_helper_is_executed_once_and_shared(shelf) -> None:
    """Two steps that import one helper share one module, executed once."""
    shelf.write("tools.py", shelf.counting("tools") + "NAME = []")
    for name in ("first_step", "second_step"):
        shelf.script(name, USES, LAZY)
    lists = [run(source_of(shelf, name)) for name in ("first_step", "second_step", "first_step")]
    assert lists[0] is lists[1] is lists[2]
    assert shelf.count() == 1


def test_edited_helper_is_loaded_anew(shelf) -> None:
    """After an edit of a helper, or of a helper's helper, the next job sees it; an older version goes on beside it."""
    shelf.script("step", USES, LAZY)
    shelf.write("tools.py", "from deep import NAME")
    shelf.write("deep.py", "NAME = 1")
    old = source_of(shelf)
    assert run(old) == 1
    shelf.write("deep.py", "NAME = 2")
    assert run(source_of(shelf)) == 2
    assert run(old) == 1


def test_packages_work(shelf) -> None:
    """Packages, relative imports and modules in them work; versions of a module follow its package's attribute."""
    shelf.script("step", "import pack.mod", "def run(self):\n    return pack.mod.NAME, pack.OTHER\n")
    shelf.write("pack/__init__.py", "from .other import OTHER")
    shelf.write("pack/other.py", "OTHER = 'o'")
    shelf.write("pack/mod.py", "NAME = 1")
    old = source_of(shelf)
    assert run(old) == (1, "o")
    shelf.write("pack/mod.py", "NAME = 2")
    assert run(source_of(shelf)) == (2, "o")
    assert run(old) == (1, "o")


def test_computed_import_inside_a_package_works(shelf) -> None:
    """What a package imports by a computed name is found too, and leaves nothing behind."""
    shelf.script("step", "import pack", "def run(self):\n    return pack.load('mod'), pack.load('sub')\n")
    shelf.write(
        "pack/__init__.py",
        "import importlib\ndef load(name):\n    return importlib.import_module(f'pack.{name}').NAME\n",
    )
    shelf.write("pack/mod.py", "NAME = 1")
    shelf.write("pack/sub/__init__.py", "NAME = 2")
    assert run(source_of(shelf)) == (1, 2)
    assert not [name for name in sys.modules if name.startswith("pack.")]


def test_missing_module_of_a_package_is_missing(shelf) -> None:
    """A computed name that is not there is Python's own ModuleNotFoundError."""
    shelf.script(
        "step", "import pack, importlib", "def run(self):\n    importlib.import_module('pack.' + 'no')\n"
    )
    shelf.write("pack/__init__.py", "try:\n    from pack import gone\nexcept ImportError:\n    pass\n")
    with pytest.raises(ModuleNotFoundError, match=r"pack\.no"):
        run(source_of(shelf))


def test_names_that_were_there_come_back(shelf) -> None:
    """A module that somebody else registered under the name afterwards is there again after the job."""
    shelf.script("step", USES, LAZY)
    shelf.write("tools.py", "NAME = 'local'")
    source = source_of(shelf)
    foreign = type(sys)("tools")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "tools", foreign)
        assert run(source) == "local"
        assert sys.modules["tools"] is foreign


def test_contexts_nest(new_shelf) -> None:
    """A script that opens another workspace finds its own modules again afterwards."""
    sources = []
    for name in ("one", "two"):
        shelf = new_shelf()
        shelf.script("step", members=LAZY)
        shelf.write("tools.py", f"NAME = {name!r}")
        sources.append(source_of(shelf))
    with activated(sources[0]):
        assert run(sources[1]) == "two"
        assert run(sources[0]) == "one"
        import tools

        assert tools.NAME == "one"


def test_threads_never_meet(new_shelf) -> None:
    """Two workspaces that run in two threads keep their modules apart."""
    sources = []
    for name in ("one", "two"):
        shelf = new_shelf()
        shelf.script("step", members=LAZY)
        shelf.write("tools.py", f"import time\ntime.sleep(0.001)\nNAME = {name!r}")
        sources.append((name, source_of(shelf)))
    wrong = []

    def work(name, source) -> None:
        wrong.extend(name for _ in range(50) if run(source) != name)

    threads = [threading.Thread(target=work, args=item) for item in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_failed_helper_is_tried_again(shelf) -> None:
    """A helper that fails at its first import is executed again by the next one."""
    shelf.script("step", members=LAZY)
    shelf.write(
        "tools.py",
        f"{shelf.counting('tools')}import os\nif 'READY' not in os.environ: raise OSError\nNAME = 1",
    )
    source = source_of(shelf)
    with pytest.raises(OSError):
        run(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("READY", "1")
        assert run(source) == 1
    assert shelf.count() == 2


def test_traceback_of_a_helper_shows_the_users_line(shelf) -> None:
    """A traceback names the user's file and shows the line that was executed, edited or not."""
    shelf.script("step", USES, "def run(self):\n    tools.fail()\n")
    file = shelf.write("tools.py", "def fail():\n    raise KeyError('as it was')\n")
    source = source_of(shelf)
    load_script(source)
    file.write_text("\n\n# edited\n")
    try:
        run(source)
    except KeyError:
        text = traceback.format_exc()
    assert f'File "{file}", line 2, in fail' in text
    assert "raise KeyError('as it was')" in text


def test_objects_of_helpers_can_be_pickled(shelf) -> None:
    """An instance of a helper's class is pickled under its plain name and read back by another step."""
    members = "def run(self):\n    import pickle, tools\n    return {}\n"
    shelf.write("tools.py", "class Point:\n    x = 1\n")
    shelf.script("saves", USES, members.format("pickle.dumps(tools.Point())"))
    shelf.script(
        "reads", USES, "def run(self):\n    import pickle\n    return pickle.loads(self.opts['data']).x\n"
    )
    data = run(source_of(shelf, "saves"))
    assert b"tools" in data
    reads = source_of(shelf, "reads")
    with activated(reads):
        assert load_script(reads)("data", "REC-1", opts={"data": data}).run() == 1
    with pytest.raises(ModuleNotFoundError):
        pickle.loads(data)


def test_helper_knows_itself(shelf) -> None:
    """A helper's __file__, source text and __name__ are those of the user's file; nothing is written beside it."""
    shelf.script("step", USES, "def run(self):\n    return tools\n")
    file = shelf.write(
        "tools.py", "import inspect\ndef own():\n    return 1\nTEXT = inspect.getsource(own)\n"
    )
    shelf.write("pack/__init__.py", "")
    tools = run(source_of(shelf))
    assert (tools.__file__, tools.__name__) == (str(file), "tools")
    assert tools.TEXT == "def own():\n    return 1\n"
    assert tools.__spec__.loader.get_source("tools") == file.read_text()
    assert tools.__spec__.loader.is_package("tools") is False
    assert not list(shelf.scripts.rglob("__pycache__"))


def test_script_that_clears_the_finders_does_no_harm(shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that removes our finder from sys.meta_path does not break the way out."""
    shelf.script("step", USES, "def run(self):\n    import sys\n    del sys.meta_path[0]\n")
    shelf.write("tools.py", "")
    run(source_of(shelf))
    assert not [finder for finder in sys.meta_path if isinstance(finder, LocalFinder)]


def test_other_threads_miss_no_finder(shelf) -> None:
    """What another thread imports is found, also when a script's modules come and go in the middle of its search."""
    shelf.script("step", USES)
    shelf.write("tools.py", "")
    turn = activated(source_of(shelf))

    ended: list[str] = []

    class Slow:
        """The finder before the one that finds: the turn ends while it looks."""

        def find_spec(self, name, path=None, target=None) -> None:
            if not ended:
                turn.__exit__(None, None, None)
                ended.append(name)

    folder = str(shelf.write("library/stand_in_of_a_library.py", "NAME = 1").parent)
    place = sys.meta_path.index(PathFinder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "meta_path", [*sys.meta_path[:place], Slow(), *sys.meta_path[place:]])
        patch.syspath_prepend(folder)
        turn.__enter__()
        import stand_in_of_a_library

        patch.delitem(sys.modules, "stand_in_of_a_library")
    assert ended == ["stand_in_of_a_library"]
    assert stand_in_of_a_library.NAME == 1


def test_without_local_modules_nothing_is_touched(shelf) -> None:
    """The context of a script without local modules is one shared object that does nothing."""
    shelf.script("step")
    shelf.script("other")
    assert activated(source_of(shelf)) is activated(source_of(shelf, "other"))
