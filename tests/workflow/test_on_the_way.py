"""Results on the way to what is asked for: made again for those that need them, and only for those."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.workflow.conftest import COUNTING, Calls, Write, seeds

#: number -> one -> two -> four, and one -> three -> four; value (not stored) stands between two and five.
NET = (
    COUNTING
    + """
def step(name, what):
    def call(workflow_id: str, a: int, b: int = 0) -> int:
        note(name, workflow_id)
        return what(a, b)
    return sg.step(version=name)(call)

class Net(sg.Workflow):
    number: int = sg.seed()
    one: int = step("one", lambda a, b: a + 1).step(a=number)
    two: int = step("two", lambda a, b: a * 10).step(a=one)
    three: int = step("three", lambda a, b: a * 100).step(a=one)
    four: int = step("four", lambda a, b: a + b).step(a=two, b=three)
    value: int = step("value", lambda a, b: -a).step(a=two)
    five: int = step("five", lambda a, b: a - 1).step(a=value)

class Nets(sg.Workspace[Net]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    one = sg.LocalStorage("one/{workflow_id}.txt")
    two = sg.LocalStorage("two/{workflow_id}.txt")
    three = sg.LocalStorage("three/{workflow_id}.txt")
    four = sg.LocalStorage("four/{workflow_id}.txt")
    five = sg.LocalStorage("five/{workflow_id}.txt")
"""
)
KEPT = ("one", "two", "three", "four", "five")
FROM = {
    "one": ("number",),
    "two": ("one",),
    "three": ("one",),
    "four": ("two", "three"),
    "value": ("two",),
    "five": ("value",),
}
ID = "W00000"


def results(number: int) -> dict[str, int]:
    """Give what each node makes of a number."""
    one = number + 1
    return {
        "one": one,
        "two": 10 * one,
        "three": 100 * one,
        "four": 110 * one,
        "value": -10 * one,
        "five": -10 * one - 1,
    }


def expected_calls(target: str, gone: set[str]) -> set[str]:
    """Give the steps that have to run for a result, where some files are gone and all others are as they were made."""
    needed: set[str] = set()

    def need(name: str) -> None:
        if name in needed or (name in KEPT and name not in gone) or name == "number":
            return
        needed.add(name)
        for source in FROM[name]:
            need(source)

    need(target)
    return needed


@pytest.fixture
def nets(calls: Calls, module: Write, tmp_path: Path):
    """Give the workspace class and a folder with one workflow."""
    made = module("net", NET)
    return made.Nets, seeds(tmp_path / "root", 1)


@pytest.mark.parametrize("door", ["batch", "read"])
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    gone=st.sets(st.sampled_from(KEPT)),
    target=st.sampled_from(["four", "five", "two", "one"]),
    is_new=st.booleans(),
    number=st.integers(-3, 3),
)
def test_what_nobody_needs_is_not_made_again(
    nets, calls: Calls, door: str, gone: set[str], target: str, is_new: bool, number: int
) -> None:
    """Of deleted results those are made again that what is asked for needs; of changed input, all that comes from it."""
    kind, root = nets
    file = root / "number" / f"{ID}.txt"
    file.write_text(f"{number}\n")
    with kind(root) as ws:
        assert ws.compute(*KEPT, force=True, progress=False).ok
    for name in gone:
        (root / name / f"{ID}.txt").unlink()
    if is_new:
        file.write_text(f"{number + 7}\n")
    value = results(number + 7 * is_new)
    calls.clear()
    with kind(root) as ws:
        planned = {label for _, label, _ in ws.compute(target, dry_run=True, progress=False).plan}
        if door == "batch":
            report = ws.compute(target, progress=False)
            assert report.ok, report.failures
        assert getattr(ws[ID], target) == value[target]
        made = {line.split()[0] for line in calls()}
        above = {"one": {"one"}, "two": {"one", "two"}, "four": {"one", "two", "three", "four"}}
        above["five"] = {"one", "two", "value", "five"}
        assert made == (above[target] if is_new else expected_calls(target, gone))
        assert len(calls()) == len(made) and planned == made
        calls.clear()
        assert ws.compute(target, progress=False).ok and getattr(ws[ID], target) == value[target]
        assert calls() == []


def test_plan_says_of_a_value_that_nothing_stores_it(nets) -> None:
    """What no storage holds is not said to be there; what is on the way and gone is said not to be needed."""
    kind, root = nets
    with kind(root) as ws:
        assert ws.compute(*KEPT, progress=False).ok
        said = {row["step_label"]: row["reasons"][0].text for row in ws.steps.plan().iter_jobs()}
        assert said["value"] == "not stored: computed when it is asked for"
        assert {said[name] for name in KEPT} == {"all outputs are there"}
        (root / "two" / f"{ID}.txt").unlink()
        dry = ws.compute("five", dry_run=True, progress=False)
        texts = {
            dry.ledger.graph.node(number).label: one.reasons[0].text
            for (_, number), one in dry.planned.items()
        }
        assert texts["two"].startswith("its file is not there, and nothing that is asked for needs it")
