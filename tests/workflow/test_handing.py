"""What a step changes in place is its own: no other step sees it, in whatever order attributes are read."""

from __future__ import annotations

import threading
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sinagot as sg
from sinagot.workflow.handing import own
from tests.workflow.conftest import Write, seeds

FLOW = """
import numpy as np
import pandas as pd
import sinagot as sg

class Box:
    def __init__(self): self.numbers = [0]

@sg.step
def made(number: int):
    {made}

@sg.step
def changed(given, more=None) -> int:
    {change}

@sg.step
def both(given, other: int) -> int:
    {change}

GIVEN = [0]

class Flow(sg.Workflow):
    number: int = sg.seed()
    value = made.step(number)
    one: int = changed.step(value)
    two: int = changed.step(value)
    many: int = changed.step(value, [value, GIVEN])
    after: int = both.step(value, one)

class Flows(sg.Workspace[Flow]):
    number = sg.LocalStorage("number/{{workflow_id}}.txt")

class Stored(Flows):
    one = sg.LocalStorage("one/{{workflow_id}}.txt")
    two = sg.LocalStorage("two/{{workflow_id}}.txt")
    many = sg.LocalStorage("many/{{workflow_id}}.txt")
    after = sg.LocalStorage("after/{{workflow_id}}.txt")
    ones = sg.collect(Flow.two).to("twos.json")
"""
KINDS = {
    "list": ("return [0]", "given.append(1); return len(given)"),
    "list in a dict": ("return {'a': [0]}", "given['a'].append(1); return len(given['a'])"),
    "array": ("return np.zeros(3)", "given += 2; return int(given[0])"),
    "table": ("return pd.DataFrame({'a': [0]})", "given['a'] += 2; return int(given['a'].iloc[0])"),
    "object": ("return Box()", "given.numbers.append(1); return len(given.numbers)"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["Flows", "Stored"])
def test_change_in_place_does_not_reach_other_steps(
    module: Write, tmp_path: Path, kind: str, name: str
) -> None:
    """Each step that takes a value gets it as it was made, in any order of reading, and so does who reads it."""
    made, change = KINDS[kind]
    flow: Any = module("handing_flow", FLOW.format(made=made, change=change))
    for number, order in enumerate(permutations(["one", "two", "many", "after"])):
        if number % 5:
            continue
        wf = getattr(flow, name)(seeds(tmp_path / str(number), 1))["W00000"]
        assert [getattr(wf, attribute) for attribute in order] == [2] * 4
        changed = flow.changed(wf.value)
        assert (changed, flow.changed(wf.value)) == (2, 2)


@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_batch_hands_values_out_as_they_were_made(module: Write, tmp_path: Path, mode: str) -> None:
    """In a batch the steps of one workflow do not see each other's changes either; nor does a collection."""
    flow: Any = module("handing_flow", FLOW.format(made=KINDS["array"][0], change=KINDS["array"][1]))
    with flow.Stored(seeds(tmp_path, 2)) as ws:
        workers = 1 if mode == "processes" else None
        assert ws.compute(mode=mode, workers=workers, progress=False).ok
        assert [(wf.one, wf.two, wf.many, wf.after) for wf in ws.values()] == [(2, 2, 2, 2)] * 2
        assert ws.ones == {"W00000": 2, "W00001": 2}


def test_literal_is_the_same_for_every_workflow(tmp_path: Path) -> None:
    """A list among the arguments that a step adds to is as it was for the next workflow."""

    @sg.step
    def length(number: int, given: list[int]) -> int:
        given.append(number)
        return len(given)

    class Flow(sg.Workflow):
        number: int = sg.seed()
        count: int = length.step(number, [7])

    class Flows(sg.Workspace[Flow]):
        number = sg.LocalStorage("number/{workflow_id}.txt")
        count = sg.LocalStorage("count/{workflow_id}.txt")

    ws = Flows(seeds(tmp_path, 3))
    assert [wf.count for wf in ws.values()] == [2, 2, 2]
    assert ws.compute(progress=False).counts["up_to_date"] == 3


def test_what_cannot_be_copied_is_shared() -> None:
    """A lock stays the lock that it is; everything else is another object of equal data."""
    lock = threading.Lock()
    assert own(lock) is lock
    table, array = pd.DataFrame({"a": [1]}), np.zeros(2)
    assert own(table) is not table
    assert own(table).equals(table)
    assert not np.shares_memory(own(array), array)
