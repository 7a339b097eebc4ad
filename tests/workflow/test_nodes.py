"""Workflow classes: what is told when a class is made, inheritance, drawings."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import sinagot as sg
from sinagot.errors import MissingExtraError, PatternError, WorkflowError
from sinagot.workflow import storage
from tests.workflow.conftest import Write, seeds


@sg.step
def double(number: int) -> int:
    """Double a number."""
    return 2 * number


@sg.step
def add(one: int, two: int = 1) -> int:
    """Add two numbers."""
    return one + two


class Numbers(sg.Workflow):
    """One seed and one step."""

    number: int = sg.seed()
    twice: int = double.step(number)


class Odd:
    """A type that nobody can store."""


def test_storage_of_no_node_is_told_with_near_names() -> None:
    """A storage whose name is no node fails when the class is made."""
    with pytest.raises(
        WorkflowError, match=r"Wrong\.numbr .*Numbers has no node 'numbr'.*did you mean 'number'"
    ):

        class Wrong(sg.Workspace[Numbers]):
            number = sg.LocalStorage("number/{workflow_id}")
            numbr = sg.LocalStorage("x")


def test_seed_without_storage_is_told() -> None:
    """Each seed must be stored somewhere."""
    with pytest.raises(WorkflowError, match=r"Wrong\.number: a seed must be stored somewhere"):

        class Wrong(sg.Workspace[Numbers]):
            twice = sg.LocalStorage("twice/{workflow_id}")


def test_pair_of_type_and_file_that_cannot_be_stored_is_told() -> None:
    """A type without handler, and a suffix that does not fit the type, fail when the class is made."""

    class Oddities(sg.Workflow):
        number: int = sg.seed()
        odd: Odd = double.step(number)

    with pytest.raises(
        WorkflowError, match=r"Wrong\.odd: Odd cannot be stored in 'odd\.bin'; derive a class"
    ):

        class Wrong(sg.Workspace[Oddities]):
            number = sg.LocalStorage("number/{workflow_id}")
            odd = sg.LocalStorage("odd.bin")

    class Tables(sg.Workflow):
        table: dict[str, int] = sg.seed()

    with pytest.raises(WorkflowError, match=r"dict.* cannot be stored in 't\.csv'; .*\.json, \.toml"):

        class AlsoWrong(sg.Workspace[Tables]):
            table = sg.LocalStorage("t.csv")


def test_missing_package_is_told_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file type that needs another package names it and how to install it, when the class is made."""
    import pandas as pd

    monkeypatch.setattr(storage, "find_spec", lambda name: None)

    class Frames(sg.Workflow):
        table: pd.DataFrame = sg.seed()

    with pytest.raises(MissingExtraError, match="extra 'parquet'"):

        class Wrong(sg.Workspace[Frames]):
            table = sg.LocalStorage("t.parquet")


def test_circle_is_told() -> None:
    """Nodes that are made from each other fail when the class is made."""

    class First(sg.Workflow):
        a: int = sg.seed()
        b: int = double.step(a)
        c: int = double.step(b)

    with pytest.raises(WorkflowError, match="needs itself: b -> c -> b"):

        class Second(First):
            b: int = double.step(First.c)


def test_overridden_node_feeds_inherited_ones(tmp_path: Path) -> None:
    """Nodes are looked up by name in the class that is used; a plain value may stand in the place of a node."""

    class First(sg.Workflow):
        number: int = sg.seed()
        shift: int = sg.seed()
        moved: int = add.step(number, shift)
        twice: int = double.step(moved)

    class Second(First):
        shift = 100
        moved: int = add.step(double.step(First.number), two=First.shift)

    class Workspace(sg.Workspace[Second]):
        number = sg.LocalStorage("number/{workflow_id}.txt")

    wf = Workspace(seeds(tmp_path, 3))["W00002"]
    assert (wf.moved, wf.twice) == (104, 208)


def test_node_of_another_class_is_told() -> None:
    """What a node is made from must be an attribute of the class."""
    with pytest.raises(WorkflowError, match="is made from 'twice', which is no attribute of Other"):

        class Other(sg.Workflow):
            more: int = double.step(Numbers.twice)


def test_wrong_arguments_are_told_where_they_stand() -> None:
    """Arguments are matched with the function's parameters when the node is made."""
    with pytest.raises(WorkflowError, match=r"add\.step\(\.\.\.\): .*'three'"):
        add.step(1, three=3)
    with pytest.raises(WorkflowError, match=r"no setting 'retrys'.*did you mean 'retries'"):
        sg.step(retrys=1)
    with pytest.raises(WorkflowError, match="timeout must be"):
        sg.step(timeout="soon")
    with pytest.raises(WorkflowError, match="for functions"):
        sg.step(3)  # type: ignore[call-overload]


def test_annotations_as_text_are_resolved(module: Write, tmp_path: Path) -> None:
    """Under `from __future__ import annotations` types are what they mean, also where a node has the type's name."""
    text = """
from __future__ import annotations
from datetime import date
import sinagot as sg

@sg.step
def year(date: date) -> int:
    return date.year

class Days(sg.Workflow):
    date: date = sg.seed()
    year: int = year.step(date)

class DaysWorkspace(sg.Workspace[Days]):
    date = sg.LocalStorage("{workflow_id}")
    year = sg.LocalStorage("year/{workflow_id}")
"""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "one").write_text("2020-02-24")
    ws = module("days_flow", text).DaysWorkspace(tmp_path / "data")
    assert ws["one"].year == 2020
    with pytest.raises(WorkflowError, match=r"Bad\.x: the annotation 'Nowhere' cannot be resolved"):
        module(
            "bad_flow",
            "from __future__ import annotations\nimport sinagot as sg\nclass Bad(sg.Workflow):\n    x: Nowhere = sg.seed()\n",
        )


def test_data_cannot_be_assigned_and_names_are_kept() -> None:
    """Attributes of a workflow are data; names that the object needs are refused."""
    wf: Any = Numbers(None, "x")
    with pytest.raises(AttributeError, match="cannot be set"):
        wf.number = 3
    with pytest.raises(WorkflowError, match="cannot have this name"):

        class Wrong(sg.Workflow):
            workspace: int = sg.seed()

    with pytest.raises(WorkflowError, match="is the same node"):

        class AlsoWrong(sg.Workflow):
            one: int = sg.seed()
            two = one


def test_unknown_field_and_common_file_are_told(tmp_path: Path) -> None:
    """Fields of paths are those of ids; a step of single records cannot be stored in one file for all."""

    class Misspelt(sg.Workspace[Numbers]):
        number = sg.LocalStorage("number/{workflowid}.txt")

    with pytest.raises(PatternError, match=r"unknown field \{workflowid\}.*did you mean 'workflow_id'"):
        Misspelt(tmp_path)

    class Common(sg.Workspace[Numbers]):
        number = sg.LocalStorage("number/{workflow_id}.txt")
        twice = sg.LocalStorage("twice.txt")

    with pytest.raises(WorkflowError, match=r"Common\.twice: 'twice\.txt' is one file for all workflows"):
        Common(tmp_path)


def test_workspace_is_bound_to_workflow_classes_only() -> None:
    """What stands in the brackets is a workflow class, and `stale` is a known word."""
    with pytest.raises(WorkflowError, match=r"for classes derived from sinagot\.Workflow"):
        sg.Workspace[int]  # type: ignore[type-var]


def test_drawings_show_nodes_and_edges() -> None:
    """Mermaid, DOT and text name each node and what it is made from."""
    assert Numbers.graph("text") == "number  seed\ntwice   double(number)"
    assert "n0 --> n1" in Numbers.graph()
    assert '"number" -> "twice";' in Numbers.graph("dot")
    with pytest.raises(ValueError, match="no kind of drawing"):
        Numbers.graph("svg")


def test_workflow_shows_itself_with_what_is_stored(tmp_path: Path) -> None:
    """In a notebook a workflow is a table of its nodes: stored, missing, stale. Nothing is computed for it."""

    class Workspace(sg.Workspace[Numbers]):
        number = sg.LocalStorage("number/{workflow_id}.txt")
        twice = sg.LocalStorage("twice/{workflow_id}.txt")

    ws = Workspace(seeds(tmp_path, 2))
    wf: Any = ws["W00001"]
    assert "missing" in wf._repr_html_()
    assert not (tmp_path / ".sinagot").exists()
    assert wf.twice == 2
    assert len(re.findall(r"(?<!not )stored</span>", wf._repr_html_())) == 2
    (tmp_path / "number" / "W00001.txt").write_text("5")
    assert "stale" in wf._repr_html_()
    assert "2 workflows" in ws._repr_html_()


@pytest.mark.parametrize("path", [None, 3, "", [], ["a", 3], b"x"])
def test_storage_without_a_path_is_refused(path: object) -> None:
    """A storage needs a path: anything else is an error that shows what was found."""
    with pytest.raises(WorkflowError, match=r"a path is a text or a list of texts, and not empty; found"):
        sg.LocalStorage(path)  # type: ignore[arg-type]


@pytest.mark.timeout(900)  # mypy may begin without a cache
def test_type_checker_sees_workflows_and_records(tmp_path: Path) -> None:
    """Under mypy's strict rules `ws[id]` is the workflow class of a bound workspace, and a record of any other;
    the node of a coroutine function is of the type that is awaited."""
    pytest.importorskip("mypy")
    file = tmp_path / "typed.py"
    file.write_text(
        """
import sinagot as sg
from sinagot import Workspace

@sg.step
def double(number: int) -> int:
    return 2 * number

@sg.step
async def fetch(number: int) -> int:
    return number

@sg.step(version="2", retries=1)
async def fetch_again(number: int) -> list[str]:
    return [str(number)]

@sg.step(version=1)
def show(numbers: list[str]) -> str:
    return ", ".join(numbers)

class Numbers(sg.Workflow):
    number: int = sg.seed()
    twice: int = double.step(number)
    fetched: int = fetch.step(number)
    texts: list[str] = fetch_again.step(fetched)
    shown: str = show.step(texts)

async def call() -> int:
    return await fetch(3)

class NumbersWorkspace(sg.Workspace[Numbers]):
    number = sg.LocalStorage("number/{workflow_id}")

ws = NumbersWorkspace("/data", "lab", stale="warn")
reveal_type(ws["001"])
reveal_type(ws["001"].twice)
reveal_type(Workspace("/toml")["REC"])
reveal_type(double(3))
reveal_type(ws.compute("twice", ids=["001"]))
reveal_type(ws["001"].fetched)
reveal_type(fetch.step(1))
reveal_type(show(["1"]))
"""
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(file)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[
            2
        ],  # with the settings of the repository, and what `make types` has cached
    )
    told = [
        line.partition('"')[2].rstrip('"') for line in done.stdout.splitlines() if "Revealed type" in line
    ]
    assert [one.removeprefix("builtins.") for one in told] == [
        "typed.Numbers",
        "int",
        "sinagot.workspace.records.Record",
        "int",
        "sinagot.engine.accounts.report.RunReport",
        "int",
        "int",
        "str",
    ], done.stdout
    assert "error" not in done.stdout, done.stdout
