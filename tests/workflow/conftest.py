"""Small workflow classes, written to a module of their own and imported: other processes can load them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

#: The example of the documentation, word for word.
EXAMPLE = """\
import pandas as pd
import sinagot as sg

@sg.step
def multiply(df: pd.DataFrame, factor: int) -> pd.DataFrame:
    return df * factor

@sg.step
def get_single_data(df: pd.DataFrame) -> int:
    return int(df.iloc[0, 0])

class TestWorkflow(sg.Workflow):
    raw_data: pd.DataFrame = sg.seed()
    factor: int = sg.seed()
    multiplied_data: pd.DataFrame = multiply.step(raw_data, factor=factor)
    final_data: int = get_single_data.step(multiplied_data)

class TestWorkspace(sg.Workspace[TestWorkflow]):
    raw_data = sg.LocalStorage("raw_data/data-{workflow_id}.csv")
    factor = sg.LocalStorage("params/factor")
    multiplied_data = sg.LocalStorage("computed/multiplied_data-{workflow_id}.csv", write_kwargs={"index": False})
    # final_data is not stored: computed on demand
"""

#: Steps that leave a line in a file each time they are called: what counts calls in all processes.
COUNTING = """\
import os

import sinagot as sg

CALLS = os.environ.get("CALLS", os.devnull)


def note(name, workflow_id):
    descriptor = os.open(CALLS, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{name} {workflow_id}\\n".encode())
    os.close(descriptor)

"""

#: Two steps, one behind the other.
CHAIN = (
    COUNTING
    + """
import time

@sg.step
def plus(number: int, workflow_id: str) -> int:
    note("plus", workflow_id)
    if number in BAD:
        raise ValueError(f"number {number} is bad")
    time.sleep(PAUSE)
    return number + 1

@sg.step
def twice(number: int, workflow_id: str) -> int:
    note("twice", workflow_id)
    return 2 * number

class Chain(sg.Workflow):
    number: int = sg.seed()
    more: int = plus.step(number)
    result: int = twice.step(more)

class Chains(sg.Workspace[Chain]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    more = sg.LocalStorage("more/{workflow_id}.txt")
    result = sg.LocalStorage("result/{workflow_id}.txt")
"""
)


def chain(bad: str = "()", pause: float | str = 0.0) -> str:
    """Give the text of a module of two steps; some numbers are bad, and the first step takes a while."""
    return f"BAD = {bad}\nPAUSE = {pause}\n{CHAIN}"


Write = Callable[[str, str], ModuleType]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write a module and import it; a second text of the same name takes its place, as in a new program."""
    folder = tmp_path / "code"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    names: set[str] = set()

    def write(name: str, text: str) -> ModuleType:
        (folder / f"{name}.py").write_text(text)
        sys.modules.pop(name, None)
        importlib.invalidate_caches()
        names.add(name)
        return importlib.import_module(name)

    yield write
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with the input data of two workflows, and nothing else."""
    folder = tmp_path / "storage"
    (folder / "raw_data").mkdir(parents=True)
    (folder / "params").mkdir()
    (folder / "raw_data" / "data-001.csv").write_text("a,b\n1,2\n3,4\n")
    (folder / "raw_data" / "data-002.csv").write_text("a,b\n5,6\n")
    (folder / "params" / "factor").write_text("3\n")
    return folder


class Calls:
    """What steps have noted."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __call__(self) -> list[str]:
        """Give all lines, sorted."""
        return sorted(self.file.read_text().splitlines()) if self.file.exists() else []

    def clear(self) -> None:
        """Begin anew."""
        self.file.unlink(missing_ok=True)


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Count the calls of steps that are written with `COUNTING`, in all processes."""
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return Calls(tmp_path / "calls")


def seeds(folder: Path, count: int, name: str = "number") -> Path:
    """Write the seed of so many workflows: the number itself."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / name / f"W{number:05}.txt").write_text(f"{number}\n")
    return folder


def litter(root: Path) -> list[str]:
    """Give what nobody needs any more: stages, claims, owners, parts of files."""
    state = root / ".sinagot"
    found = [
        path for name in ("stage", "claims", "owners") for path in (state / name).rglob("*") if path.is_file()
    ]
    return [str(path) for path in (*found, *root.rglob("*~"), *root.rglob("*.part"))]
