"""What makes a stored result stale besides arguments: in files, in notebooks, in classes that are used already."""

from __future__ import annotations

import linecache
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

import sinagot as sg
from sinagot.cli.main import group
from sinagot.errors import WorkflowError
from tests.workflow.conftest import Write, seeds
from tests.workflow.test_arguments import workspace_of


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], dict[str, Any]]]:
    """Run cells as a notebook does: in one module without a file, with the text of each kept for tracebacks."""
    notebook = ModuleType("__notebook__")
    monkeypatch.setitem(sys.modules, "__notebook__", notebook)
    names: list[str] = []

    def run(text: str) -> dict[str, Any]:
        name = f"<cell {len(names)}>"
        names.append(name)
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        exec(compile(text, name, "exec"), vars(notebook))
        return vars(notebook)

    yield run
    for name in names:
        linecache.cache.pop(name, None)


CELL = """
import threading
import sinagot as sg
TABLE = [3]
SCALE = {"k": 1}
LOCK = threading.Lock()
SEEN = []
class Tool:
    factor = 1
    def __init__(self, plus): self.plus = plus
    def go(self, x): return x * self.factor + self.plus
tool = Tool(0)
def make(given):
    return lambda x: x + given["k"]
inner = make({"k": 0})
def helper(x): return x
def counted(x):
    SEEN.append(x)
    return x
@sg.step
def moved(number: int) -> int:
    with LOCK:
        return helper(counted(number)) + TABLE[0] + SCALE["k"] + tool.go(10) + inner(0)
"""
CLASSES = """
class Flow(sg.Workflow):
    number: int = sg.seed()
    place: int = moved.step(number)
    unstored: int = moved.step(number)
class Flows(sg.Workspace[Flow]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    place = sg.LocalStorage("place/{workflow_id}.txt")
"""
CHANGES = {
    "list": ("TABLE = [100]", 111),
    "list in place": ("TABLE[0] = 100", 111),
    "dict in place": ("SCALE['k'] = 50", 63),
    "helper": ("def helper(x): return x + 1000", 1014),
    "helper of a package": ("from operator import neg as helper", 14),
    "object": ("tool = Tool(5)", 19),
    "class of an object": ("class Tool:\n    def go(self, x): return x * 3\ntool = Tool()", 34),
    "attribute of a class": ("Tool.factor = 2", 24),
    "closure": ("inner = make({'k': 2})", 16),
    "lock": ("LOCK = threading.Lock()", 14),
    "nothing that counts": ("OTHER = 5", 14),
}
#: Changes that change no result; a value that nothing stores belongs to its class, and is made again with that.
SAME = ("lock", "nothing that counts")


@pytest.mark.parametrize("is_made_again", [True, False], ids=["class made again", "same class"])
@pytest.mark.parametrize("name", CHANGES)
def test_change_in_a_notebook_counts_at_once(
    cell: Callable[[str], dict[str, Any]], tmp_path: Path, name: str, is_made_again: bool
) -> None:
    """What would run now decides: functions, classes, objects and data that a step reads, and nothing it does not."""
    root = seeds(tmp_path, 1)
    cell(CELL)
    space = cell(CLASSES)
    wf = space["Flows"](root)["W00000"]
    assert (wf.place, wf.unstored) == (14, 14)
    calls = len(space["SEEN"])
    assert (wf.place, wf.unstored) == (14, 14)
    assert len(space["SEEN"]) == calls
    change, expected = CHANGES[name]
    cell(change)
    if is_made_again:
        cell(CLASSES)
        wf = space["Flows"](root)["W00000"]
    assert wf.place == expected
    assert wf.unstored == expected
    assert len(space["SEEN"]) == calls + (is_made_again if name in SAME else 2)


NOTEBOOK = """
import linecache, sys
def cell(name, text):
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    exec(compile(text, name, "exec"), globals())
cell("<cell 1>", sys.argv[2])
cell("<cell 2>", sys.argv[3])
with Flows(sys.argv[1]) as ws:
    for text in ("", "def helper(x): return x + 1000", "TABLE[0] = 4"):
        cell("<cell 3>", text)
        counts = ws.compute("place", workers=1, mode="processes", progress=False).counts
        print(counts["done"], open(f"{sys.argv[1]}/place/W00000.txt").read().strip())
"""


def test_workers_do_not_go_on_with_an_earlier_function(tmp_path: Path) -> None:
    """Worker processes that have a class already get it anew when one of its functions or constants is another one."""
    root = seeds(tmp_path / "data", 1)
    text = CELL.replace("    with LOCK:\n        return", "    return")
    command = [sys.executable, "-c", NOTEBOOK, str(root), text, CLASSES]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split() == ["1", "14", "1", "1014", "1", "1015"]


# -- modules

MODULE = """
import os
import sinagot as sg

TABLE = [3]
PLACE = os.path.join("{place}", "x")
def helper(x): return x
def maker(given):
    @sg.step
    def made(number: int) -> int:
        return number + given["k"]
    return made

@sg.step
def moved(number: int) -> int:
    return helper(number) + TABLE[0] + (PLACE == "")

class Flow(sg.Workflow):
    number: int = sg.seed()
    place: int = moved.step(number)

class Flows(sg.Workspace[Flow]):
    number = sg.LocalStorage("number/{{workflow_id}}.txt")
    place = sg.LocalStorage("place/{{workflow_id}}.txt")
"""


def test_module_counts_as_it_is_now(module: Write, tmp_path: Path) -> None:
    """A constant or function of a module that was put into the place of another counts, in the same process."""
    root = seeds(tmp_path / "data", 1)
    flow: Any = module("module_flow", MODULE.format(place="a"))
    wf = flow.Flows(root)["W00000"]
    assert wf.place == 3
    flow.TABLE[0] = 4
    assert wf.place == 4
    flow.helper = lambda x: x + 10
    assert wf.place == 14
    # A module that is loaded again is what its text says.
    assert module("module_flow", MODULE.format(place="a")).Flows(root)["W00000"].place == 3


PATCHED = """
import sinagot as sg

ADDED = 2

@sg.step
def added(number: int) -> int:
    return number + ADDED

class Flow(sg.Workflow):
    number: int = sg.seed()
    result: int = added.step(number)

class Lab(sg.Workspace[Flow]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    result = sg.LocalStorage("result/{workflow_id}.txt")
"""


def test_value_that_was_changed_in_memory_counts_here_and_is_told_of(module: Write, tmp_path: Path) -> None:
    """A constant that a program sets in a module counts in this process; that workers load the file is said."""
    flow = module("patched_flow", PATCHED)
    with flow.Lab(seeds(tmp_path, 1)) as ws:
        assert ws["W00000"].result == 2
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert ws.compute(workers=1, progress=False).counts["done"] == 0
        flow.ADDED = 3
        assert ws["W00000"].result == 3
        with pytest.warns(UserWarning, match="ADDED of patched_flow was changed in this process, and worker"):
            ws.compute(workers=1, progress=False)
        flow.ADDED = 2
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert ws.compute(workers=1, progress=False).counts["done"] == 1
        assert ws["W00000"].result == 2


def test_what_a_call_gave_counts_by_its_text(
    module: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A constant that a module asks the system for, such as a folder, may differ between machines."""
    root = seeds(tmp_path / "data", 1)
    text = MODULE.format(place="a").replace('"a"', '"a", *os.environ.get("PLACES", "").split()')
    assert module("module_flow", text).Flows(root).compute(progress=False).counts["done"] == 1
    monkeypatch.setenv("PLACES", "b c")
    again = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import module_flow; print(module_flow.Flows({str(root)!r}).compute(progress=False).counts['done'])",
        ],
        cwd=tmp_path / "code",
        capture_output=True,
        text=True,
        check=True,
    )
    assert again.stdout.strip() == "0"


def test_variables_of_enclosing_functions_count(module: Write, tmp_path: Path) -> None:
    """A step that a function makes is another step with other data."""
    root = seeds(tmp_path / "data", 1)
    maker = module("module_flow", MODULE.format(place="a")).maker  # type: ignore[attr-defined]
    assert workspace_of(maker({"k": 1}))(root)["W00000"].result == 1
    assert workspace_of(maker({"k": 10}))(root)["W00000"].result == 10


LOCAL = """
import sinagot as sg

for one in range({last}):
    other = one

@sg.step
def moved(number: int) -> int:
    one = [other for other in (number,)]
    return (lambda inner: inner(one))(lambda other: other[0])

class Flow(sg.Workflow):
    number: int = sg.seed()
    place: int = moved.step(number)

class Flows(sg.Workspace[Flow]):
    number = sg.LocalStorage("number/{{workflow_id}}.txt")
    place = sg.LocalStorage("place/{{workflow_id}}.txt")
"""


def test_variables_of_a_function_are_not_those_of_its_module(module: Write, tmp_path: Path) -> None:
    """A name at the top of a module does not count for a step with a variable of the same name."""
    root = seeds(tmp_path / "data", 1)
    assert module("local_flow", LOCAL.format(last=2)).Flows(root).compute(progress=False).counts["done"] == 1
    assert module("local_flow", LOCAL.format(last=3)).Flows(root).compute(progress=False).counts["done"] == 0


@pytest.mark.parametrize("name", ["site-packages", "dist-packages", "mine"])
def test_package_of_another_site_folder_is_installed(name: str, tmp_path: Path) -> None:
    """What comes by PYTHONPATH from a folder called site-packages counts as a library; from any other, as the user's own."""
    folder = tmp_path / "apps" / name
    folder.mkdir(parents=True)
    (folder / "welch.py").write_text("def welch():\n    return 1\n")
    asks = "import welch; from sinagot.workflow.names import is_library; print(is_library(welch.welch))"
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", asks],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(name != "mine")


PACKAGED = """
import oddlib
import sinagot as sg

@sg.step
def noted(number: int) -> int:
    return number

@sg.step(packages=["oddlib"])
def counted(number: int) -> int:
    return number

class Flow(sg.Workflow):
    number: int = sg.seed()
    one: int = noted.step(number)
    two: int = counted.step(number)

class Lab(sg.Workspace[Flow]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    one = sg.LocalStorage("one/{workflow_id}.txt")
    two = sg.LocalStorage("two/{workflow_id}.txt")
"""


def test_version_of_a_package_is_noted_and_counts_where_asked(
    module: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`why` tells that a package is another version now; results are made again where `packages` names it, only there."""
    info = tmp_path / "site" / "oddlib-0.dist-info"
    info.mkdir(parents=True)
    (tmp_path / "site" / "oddlib.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    root = seeds(tmp_path / "data", 1)
    done = []
    for version in ("1.0", "2.0"):
        info = info.rename(info.with_name(f"oddlib-{version}.dist-info"))
        with module("packaged_flow", PACKAGED).Lab(root) as ws:
            if version == "2.0":
                shown = CliRunner().invoke(group, ["-w", f"packaged_flow:Lab={root}", "why", "W00000"]).output
                one, two = shown.split("two: ")
                assert one.startswith("one: up to date") and two.startswith("would run")
                assert "no reason to run again:\n    oddlib 1.0 -> 2.0" in one
                assert "package oddlib" in two
            done.append(ws.compute(progress=False, mode="main_process").counts["done"])
    assert done == [2, 1]
    with pytest.raises(WorkflowError, match="'no_such_lib' is no installed package"):
        sg.step(packages=["no_such_lib"])
    with pytest.raises(WorkflowError, match=r"packages=\['numpy'\]"):
        sg.step(packages="numpy")
