"""What is told of arguments: any other value is another fingerprint, in every process."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import os
import subprocess
import sys
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sinagot as sg
from sinagot.engine.state.origins import params_text
from sinagot.errors import WorkflowError
from sinagot.workflow.codes import literals_of
from tests.workflow.conftest import seeds

SINCE = dt.datetime(2020, 1, 1, tzinfo=ZoneInfo("Europe/Paris"))


class Mode(enum.Enum):
    """Two words."""

    FAST = 1
    SLOW = 2


@dataclass
class Band:
    """A value of one's own."""

    low: float
    names: set[str] = field(default_factory=set)


def zeros(place: int | None = None) -> np.ndarray[Any, Any]:
    """Give many zeros, one of them a seven."""
    found = np.zeros(5000)
    if place is not None:
        found[place] = 7
    return found


def frame(number: float) -> pd.DataFrame:
    """Give a table with a number in it."""
    return pd.DataFrame({"a": [0.0, number], "b": ["x", "y"]})


OTHERS: dict[str, tuple[Any, Any]] = {
    "middle of an array": (zeros(), zeros(2500)),
    "digits that are not shown": (np.array([0.1234567890]), np.array([0.1234567899])),
    "shape": (np.zeros((2, 3)), np.zeros((3, 2))),
    "type of numbers": (np.zeros(2, dtype="f4"), np.zeros(2, dtype="f8")),
    "array in a list": ([np.array([1.00000000001])], [np.array([1.0])]),
    "objects in an array": (np.array([{"a": 1}], dtype=object), np.array([{"a": 2}], dtype=object)),
    "series": (pd.Series([0.12345678]), pd.Series([0.12345679])),
    "name of a series": (pd.Series([1], name="a"), pd.Series([1], name="b")),
    "table": (frame(0.12345678), frame(0.12345679)),
    "index": (frame(1), frame(1).set_index(pd.Index(["p", "q"]))),
    "categories": (pd.Series(["a"], dtype="category"), pd.Series(["b"], dtype="category")),
    "zone": (pd.Series([SINCE]), pd.Series([SINCE]).dt.tz_convert("UTC")),
    "list and tuple": ([1, 2], (1, 2)),
    "whole and broken": (1, 1.0),
    "number and text": ({1: 2}, {"1": 2}),
    "text that looks like a value": ("<1j>", 1j),
    "order": (OrderedDict(a=1, b=2), OrderedDict(b=2, a=1)),
    "time": (SINCE, SINCE.replace(fold=1)),
    "path": (Path("a"), "a"),
    "enum": (Mode.FAST, Mode.SLOW),
    "dataclass": (Band(1.0, {"a"}), Band(1.0, {"b"})),
    "bytes": (bytes(100), bytes(99) + b"1"),
    "two lambdas on a line": (lambda x: x + 1, lambda x: x + 2),
    "partial": (functools.partial(max, 1), functools.partial(max, 2)),
    "functions of a package": (np.mean, np.std),
    "long lists": (list(range(3000)), [*range(2999), 0]),
}


def told(value: Any) -> str:
    """Give the text that a result keeps of an argument."""
    return params_text({"argument": literals_of(value)})


@pytest.mark.parametrize("name", OTHERS)
def test_another_argument_is_told_apart(name: str) -> None:
    """Arguments count by all that they are, not by what they look like."""
    one, other = OTHERS[name]
    assert told(one) != told(other)
    assert told(one) == told(one)


def test_equal_data_are_told_alike_however_they_lie() -> None:
    """The order of rows and columns in memory and of insertion is no part of a value."""
    array = np.arange(6.0).reshape(2, 3)
    assert literals_of(array) == literals_of(np.asfortranarray(array)) == literals_of(array[::-1][::-1])
    grown = pd.DataFrame({"a": [0.0, 1.0]})
    grown["b"] = ["x", "y"]
    assert literals_of(grown) == literals_of(frame(1))
    assert literals_of({"a": 1, "b": {2, 3}}) == literals_of({"b": {3, 2}, "a": 1})


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.dates(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner)
    ),
    max_leaves=8,
)


def same(one: Any, other: Any) -> bool:
    """Say whether values are equal and of the same types all through."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        places = {(type(key), key): value for key, value in other.items()}
        return len(one) == len(other) and all(
            (type(key), key) in places and same(value, places[type(key), key]) for key, value in one.items()
        )
    return repr(one) == repr(other)


@given(PLAIN, PLAIN)
@settings(deadline=None)
def test_plain_values_are_told_alike_just_when_they_are(one: Any, other: Any) -> None:
    """Two values have one fingerprint when they are equal and of the same types, and only then."""
    assert (told(one) == told(other)) == same(one, other)


FINGERPRINTS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from tests.workflow.test_arguments import OTHERS, literals_of
from sinagot.workflow.pieces import pieces_of
words = {f"w{number}" for number in range(50)}
exec("def member(x): return x in {'a', 'b', 'c', 'd'} or x in WORDS", space := {"WORDS": words})
found = [literals_of([list(OTHERS.values()), words, {frozenset(words): words}, dict.fromkeys(words)])]
print(json.dumps([found, pieces_of(space["member"])], sort_keys=True))
"""


def test_fingerprints_are_the_same_in_every_process(tmp_path: Path) -> None:
    """Sets, dicts and objects with them have one fingerprint, whatever order a process puts them into."""
    told = {
        subprocess.run(
            [sys.executable, "-c", FINGERPRINTS, str(Path(__file__).parents[2])],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
        ).stdout
        for seed in ("0", "4242")
    }
    assert len(told) == 1


class Restless:
    """Something that is another one each time."""

    def __reduce__(self) -> Any:
        return Restless, (), {"place": id(self)}


def total(number: int, other: Any) -> float:
    """Add up numbers."""
    return float(number + np.asarray(other).sum())


def workspace_of(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Make a class with a seed and one stored step."""

    class Flow(sg.Workflow):
        number: int = sg.seed()
        result: float = function.step(number, *args, **kwargs)

    class Flows(sg.Workspace[Flow]):
        number = sg.LocalStorage("number/{workflow_id}.txt")
        result = sg.LocalStorage("result/{workflow_id}.txt")

    return Flows


def test_stored_result_of_another_array_is_made_again(tmp_path: Path) -> None:
    """A number in the middle of an array makes a result stale, also when it is changed in place afterwards."""
    root = seeds(tmp_path, 1)
    step = sg.step(total)
    assert workspace_of(step, zeros())(root)["W00000"].result == 0
    given = zeros(2500)
    wf = workspace_of(step, given)(root)["W00000"]
    assert wf.result == 7
    given[1] = 1
    assert wf.result == 8


@pytest.mark.parametrize(
    "given", [(one for one in ()), threading.Lock(), Restless()], ids=["generator", "lock", "id"]
)
def test_argument_that_nothing_tells_apart_is_refused(tmp_path: Path, given: Any) -> None:
    """What differs from process to process is an error when the class is made, unless a version stands for it."""
    with pytest.raises(
        WorkflowError, match=r"Flow\.result: nothing tells .*make it a seed, or write @sg\.step\(version"
    ):
        workspace_of(sg.step(total), given)
    assert workspace_of(sg.step(version=1)(total), given) is not None
