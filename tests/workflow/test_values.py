"""Reading attributes: what is computed, how often, and what is done with results that changed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import sinagot as sg
from sinagot.testing import await_true
from tests.workflow.conftest import COUNTING, EXAMPLE, Calls, Write, chain, litter, seeds

DIAMOND = (
    COUNTING
    + """
@sg.step
def common(number: int, workflow_id: str) -> float:
    note("common", workflow_id)
    return number + 0.5

@sg.step
def left(value: float, workflow_id: str) -> float:
    note("left", workflow_id)
    return value * 2

@sg.step
def right(value: float, workflow_id: str) -> float:
    note("right", workflow_id)
    return value * 3

@sg.step
def joined(one: float, two: float, workflow_id: str) -> float:
    note("joined", workflow_id)
    return one + two

class Diamond(sg.Workflow):
    number: int = sg.seed()
    top: float = common.step(number)
    one: float = left.step(top)
    two: float = right.step(top)
    both: float = joined.step(one, two)

class Unstored(sg.Workspace[Diamond]):
    number = sg.LocalStorage("number/{workflow_id}.txt")

class Sides(Unstored):
    one = sg.LocalStorage("one/{workflow_id}.txt")
    two = sg.LocalStorage("two/{workflow_id}.txt")

class Stored(Sides):
    top = sg.LocalStorage("top/{workflow_id}.txt")
    both = sg.LocalStorage("both/{workflow_id}.json")
"""
)
ALL = ["common", "joined", "left", "right"]


@pytest.mark.parametrize("kind", ["Unstored", "Sides", "Stored"])
def test_diamond_computes_each_step_once_in_one_object(
    module: Write, tmp_path: Path, calls: Calls, kind: str
) -> None:
    """A step that two others need runs once, whichever of them are stored, in any order of access."""
    ws = getattr(module("diamond_flow", DIAMOND), kind)(seeds(tmp_path / "data", 2))
    wf = ws["W00001"]
    assert (wf.two, wf.one, wf.both, wf.top) == (4.5, 3.0, 7.5, 1.5)
    assert calls() == [f"{name} W00001" for name in ALL]
    assert (wf.two, wf.both) == (4.5, 7.5)
    assert calls() == [f"{name} W00001" for name in ALL]


@pytest.mark.parametrize("kind", ["Unstored", "Sides", "Stored"])
@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_diamond_computes_each_step_once_in_a_batch(
    module: Write, tmp_path: Path, calls: Calls, kind: str, mode: str
) -> None:
    """In a batch each step runs once for each workflow, and a second batch of stored nodes runs nothing."""
    with getattr(module("diamond_flow", DIAMOND), kind)(seeds(tmp_path / "data", 5)) as ws:
        report = ws.compute("both", mode=mode, workers=2 if mode == "processes" else None)
        assert report.ok, report.failures
        assert calls() == sorted(f"{name} {one}" for name in ALL for one in ws)
        if kind == "Stored":
            calls.clear()
            assert ws.compute("both").counts["up_to_date"] == 20
            assert calls() == []


def test_two_nodes_of_one_function_are_two_nodes(tmp_path: Path) -> None:
    """Nodes are known by their names, not by their functions, in any order of access."""

    @sg.step
    def double(number: int) -> int:
        return 2 * number

    class Doubling(sg.Workflow):
        s: int = sg.seed()
        d1: int = double.step(s)
        d2: int = double.step(d1)

    class Doublings(sg.Workspace[Doubling]):
        s = sg.LocalStorage("number/{workflow_id}.txt")

    root = seeds(tmp_path, 3)
    wf = Doublings(root)["W00002"]
    assert (wf.d2, wf.d1) == (8, 4)
    wf = Doublings(root)["W00002"]
    assert (wf.d1, wf.d2) == (4, 8)


def test_changed_seed_computes_all_again_and_a_touch_none(
    module: Write, tmp_path: Path, calls: Calls
) -> None:
    """Content decides: another value makes all stale, another time none."""
    text = (
        COUNTING
        + """
@sg.step
def scaled(number: int, factor: int, workflow_id: str) -> int:
    note("scaled", workflow_id)
    return number * factor

class Scaling(sg.Workflow):
    number: int = sg.seed()
    factor: int = sg.seed()
    result: int = scaled.step(number, factor)

class Scalings(sg.Workspace[Scaling]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    factor = sg.LocalStorage("params/factor")
    result = sg.LocalStorage("result/{workflow_id}.txt")
"""
    )
    root = seeds(tmp_path / "data", 3)
    (root / "params").mkdir()
    (root / "params" / "factor").write_text("2")
    flow = module("scaling_flow", text)
    ws = flow.Scalings(root)
    assert ws.compute("result").counts["done"] == 3
    assert ws["W00002"].result == 4
    os.utime(root / "params" / "factor", ns=(1, 1))
    assert ws.compute("result").counts["up_to_date"] == 3
    assert ws["W00002"].result == 4
    calls.clear()
    (root / "params" / "factor").write_text("7")
    assert ws["W00002"].result == 14
    assert calls() == ["scaled W00002"]
    assert flow.Scalings(root).compute("result").counts["done"] == 2
    assert calls() == [f"scaled W0000{number}" for number in range(3)]
    (root / "params" / "factor").write_text("9")
    calls.clear()
    assert flow.Scalings(root, stale="ignore")["W00002"].result == 14
    with pytest.warns(UserWarning, match=r"result of 'W00002' is stale: input params/factor changed"):
        assert flow.Scalings(root, stale="warn")["W00002"].result == 14
    assert calls() == []


def test_batch_warns_once_of_what_is_stale(module: Write, tmp_path: Path) -> None:
    """With `stale="warn"` a batch or a collection says once which results are stale, why, and how they are made again."""
    text = (
        DIAMOND
        + """
class Warned(Sides):
    stale = "warn"
    all_ones = sg.collect(Diamond.one)
    all_boths = sg.collect(Diamond.both)
"""
    )
    root = seeds(tmp_path / "data", 4)
    flow = module("diamonds", text)
    with flow.Warned(root) as ws:
        ws.compute(progress=False, mode="main_process")
        for number in (1, 2):
            (root / "number" / f"W0000{number}.txt").write_text("9")
        reason = r"W00001, W00002 \(input number/W00001.txt changed .*\)"
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            assert ws.compute("one", "both", progress=False, mode="main_process").ok
            values = [ws.all_ones["W00001"], ws.all_boths["W00001"], ws["W00001"].both]
        assert values == [3.0, 7.5, 7.5]
        assert [Path(one.filename) for one in told] == [Path(__file__)] * 4
        batch, kept, unkept, single = (str(one.message) for one in told)
        assert re.search(
            rf"2 results of 'one' are stale: {reason}; 2 results of 'both' come from what is", batch
        )
        assert batch.endswith("Warned(..., stale='recompute').compute('one', 'both') makes them again")
        assert re.match(rf"2 results of 'one' are stale: {reason}; stored", kept)
        assert re.match(r"2 results of 'both' come from what is stale: W00001, W00002 \(", unkept)
        assert re.match(r"both of 'W00001' is made from stale data: (one|two): input number", single)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ws.compute("one", ids=["W00000", "W00003"], progress=False, mode="main_process")
            assert ws.compute("one", force=True, progress=False, mode="main_process").ok


SOURCE = """
import sinagot as sg
from local_numbers import SHIFT

UNUSED = 1
OFFSET = 10

def helper(number):
    return number + OFFSET

@sg.step({options})
def moved(number: int) -> int:
    {body}

@sg.step
def other(number: int) -> int:
    return number

class Moving(sg.Workflow):
    number: int = sg.seed()
    place: int = moved.step(number, **{literal})

class Movings(sg.Workspace[Moving]):
    number = sg.LocalStorage("number/{{workflow_id}}.txt")
    place = sg.LocalStorage("place/{{workflow_id}}.txt")
"""


@pytest.mark.parametrize(
    ("before", "after", "is_stale"),
    [
        ("", "", False),
        ("return helper(number)", "return helper(number) + 1", True),
        ("OFFSET = 10", "OFFSET = 11", True),
        ("return number + OFFSET", "return number + OFFSET + 0", True),
        ("UNUSED = 1", "UNUSED = 2", False),
        ("    return number\n", "    return number + 1\n", False),
        ("\nUNUSED", "\n\n# a comment\nUNUSED", False),
        ("@sg.step()", "@sg.step(retries=3)", False),
    ],
    ids=["nothing", "body", "constant", "helper", "unused constant", "other step", "comment", "settings"],
)
def test_edit_of_a_step_makes_its_results_stale(
    module: Write, tmp_path: Path, before: str, after: str, is_stale: bool
) -> None:
    """What counts is the function and what it uses; the rest of the module may change."""
    text = SOURCE.format(options="", body="return helper(number)", literal={})
    module("local_numbers", "SHIFT = 0\n")
    root = seeds(tmp_path / "data", 1)
    assert module("moving_flow", text).Movings(root)["W00000"].place == 10
    report = module("moving_flow", text.replace(before, after)).Movings(root).compute("place")
    assert report.counts["done"] == is_stale


def test_edit_of_a_local_module_makes_results_stale(module: Write, tmp_path: Path) -> None:
    """A module beside that of the step counts as part of it, when the step uses it."""
    text = SOURCE.format(options="", body="return number + SHIFT", literal={})
    root = seeds(tmp_path / "data", 1)
    module("local_numbers", "SHIFT = 1\n")
    assert module("moving_flow", text).Movings(root)["W00000"].place == 1
    module("local_numbers", "SHIFT = 2\n")
    assert module("moving_flow", text).Movings(root)["W00000"].place == 2


def test_version_counts_instead_of_the_source(module: Write, tmp_path: Path) -> None:
    """With a version, an edit changes nothing, and another version does."""
    module("local_numbers", "SHIFT = 0\n")
    root = seeds(tmp_path / "data", 1)
    first = SOURCE.format(options="version='1'", body="return 1", literal={})
    assert module("moving_flow", first).Movings(root)["W00000"].place == 1
    edited = SOURCE.format(options="version='1'", body="return 2", literal={})
    assert module("moving_flow", edited).Movings(root)["W00000"].place == 1
    newer = SOURCE.format(options="version='2'", body="return 2", literal={})
    assert module("moving_flow", newer).Movings(root)["W00000"].place == 2


def test_failure_names_the_step_and_is_not_remembered(module: Write, tmp_path: Path) -> None:
    """The step's exception is the cause, steps behind it are blocked; after a repair the same object computes."""
    root = seeds(tmp_path / "data", 2)
    flow = module(
        "failing_flow",
        """
import sinagot as sg

@sg.step
def checked(number: int) -> int:
    if number < 1:
        raise ValueError("too small")
    return number

@sg.step
def plus(number: int) -> int:
    return number + 1

class Failing(sg.Workflow):
    number: int = sg.seed()
    good: int = checked.step(number)
    more: int = plus.step(good)

class Failings(sg.Workspace[Failing]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    good = sg.LocalStorage("good/{workflow_id}.txt")
""",
    )
    ws = flow.Failings(root)
    wf = ws["W00000"]
    with pytest.raises(
        sg.StepFailedError, match="step 'good' of 'W00000' failed: ValueError: too small"
    ) as caught:
        wf.more
    assert (caught.value.node, caught.value.workflow_id, caught.value.blocked) == (
        "good",
        "W00000",
        ("more",),
    )
    assert isinstance(caught.value.__cause__, ValueError)
    assert ws.records.get("W00000").steps.get("good").status() == sg.StepStatus.ERROR
    assert ws.records.get("W00000").logs_json()[-1]["exc_type"] == "ValueError"
    (root / "number" / "W00000.txt").write_text("5")
    assert wf.more == 6
    assert ws.records.get("W00000").steps.get("good").status() == sg.StepStatus.DONE


def test_value_is_checked_against_its_annotation(tmp_path: Path) -> None:
    """A stored step that does not give what it says fails with its name, and nothing is written."""

    @sg.step
    def nothing(number: int) -> Any:
        return None

    class Nothing(sg.Workflow):
        number: int = sg.seed()
        result: int = nothing.step(number)

    class Nothings(sg.Workspace[Nothing]):
        number = sg.LocalStorage("number/{workflow_id}.txt")
        result = sg.LocalStorage("result/{workflow_id}.txt")

    ws = Nothings(seeds(tmp_path, 1))
    with pytest.raises(sg.StepFailedError, match="'result' of 'W00000': should be int, found NoneType"):
        ws["W00000"].result
    assert not (tmp_path / "result" / "W00000.txt").exists()


def test_torn_result_is_put_aside_and_computed_again(module: Write, root: Path) -> None:
    """A stored file that is not what was made, or cannot be read, is kept elsewhere, told of, and made again."""
    ws = module("example_flow", EXAMPLE).TestWorkspace(root)
    assert ws["001"].final_data == 3
    file = root / "computed" / "multiplied_data-001.csv"
    whole = file.read_text()
    file.write_text(whole[:5])
    assert ws["001"].multiplied_data.to_csv(index=False) == whole
    (kept,) = (path for path in (root / ".sinagot" / "aside").rglob("*.csv"))
    assert kept.read_text() == whole[:5]
    told = [
        line["message"]
        for line in ws.records.get("001").logs_json()
        if "is not what was made" in line["message"]
    ]
    assert len(told) == 1
    file.write_text(whole[:7])
    report = ws.compute("multiplied_data")
    assert (report.counts["done"], report.ok) == (2, True)
    assert file.read_text() == whole


def test_file_without_fingerprint_is_trusted_unless_it_cannot_be_read(module: Write, root: Path) -> None:
    """A result that was made by hand is data; one that is no table is put aside, also behind another step."""
    ws = module("example_flow", EXAMPLE).TestWorkspace(root)
    (root / "computed").mkdir()
    (root / "computed" / "multiplied_data-001.csv").write_text("a\n40\n")
    assert ws["001"].final_data == 40
    (root / "computed" / "multiplied_data-002.csv").write_bytes(b"\xff\xfe\x00")
    assert list(ws["002"].multiplied_data["a"]) == [15]
    assert any("it is kept as" in line["message"] for line in ws.records.get("002").logs_json())
    (root / "computed" / "multiplied_data-002.csv").write_bytes(b"\xff\xfe\x00")
    assert ws["002"].final_data == 15
    assert (root / "computed" / "multiplied_data-002.csv").read_text() == "a,b\n15,18\n"


def test_file_that_cannot_be_read_is_made_again_in_a_batch(module: Write, root: Path) -> None:
    """A step that meets a damaged file of another one has it made again, and is computed, in the same batch."""
    text = EXAMPLE + "    final_data = sg.LocalStorage('final/{workflow_id}')\n"
    (root / "computed").mkdir()
    (root / "computed" / "multiplied_data-002.csv").write_bytes(b"\xff\xfe\x00")
    with module("example_flow", text).TestWorkspace(root) as ws:
        report = ws.compute("final_data", workers=2)
        assert (report.ok, report.counts["done"]) == (True, 4), report.failures[0].traceback
        assert (root / "final" / "002").read_text() == "15\n"


def test_torn_seed_is_an_error_that_names_it(module: Write, root: Path) -> None:
    """Input data are never touched: node, id and path are told."""
    (root / "params" / "factor").write_text("three")
    ws = module("example_flow", EXAMPLE).TestWorkspace(root)
    with pytest.raises(sg.StoredDataError, match="seed 'factor' of '001'") as caught:
        ws["001"].multiplied_data
    assert (caught.value.node, caught.value.workflow_id) == ("factor", "001")
    assert caught.value.path == root / "params" / "factor"
    assert (root / "params" / "factor").read_text() == "three"


def test_async_steps_and_ids_and_structures_of_nodes(tmp_path: Path) -> None:
    """A coroutine function is waited for; the id is given to whom asks; lists and dicts of nodes are filled."""

    @sg.step
    async def slow(number: int) -> int:
        return number + 1

    @sg.step
    def told(parts: list[int], named: dict[str, Any], workflow_id: str, last: int = 7) -> str:
        return f"{workflow_id} {parts} {named} {last}"

    class Telling(sg.Workflow):
        number: int = sg.seed()
        more: int = slow.step(number)
        text: str = told.step([number, more, 5], named={"a": more, "b": (number, "x")})

    class Tellings(sg.Workspace[Telling]):
        number = sg.LocalStorage("number/{workflow_id}.txt")
        text = sg.LocalStorage("text/{workflow_id}.txt")

    wf = Tellings(seeds(tmp_path, 3))["W00002"]
    assert wf.text == "W00002 [2, 3, 5] {'a': 3, 'b': (2, 'x')} 7"


def test_results_of_shared_input_are_computed_once_for_all(
    module: Write, tmp_path: Path, calls: Calls
) -> None:
    """A step that reads nothing of a single workflow, stored without an id, runs once for all of them."""
    text = (
        COUNTING
        + """
@sg.step
def squared(factor: int) -> int:
    note("squared", "-")
    return factor * factor

@sg.step
def scaled(number: int, square: int) -> int:
    return number * square

class Common(sg.Workflow):
    number: int = sg.seed()
    factor: int = sg.seed()
    square: int = squared.step(factor)
    result: int = scaled.step(number, square)

class Commons(sg.Workspace[Common]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    factor = sg.LocalStorage("params/factor")
    square = sg.LocalStorage("computed/square.txt")
    result = sg.LocalStorage("computed/{workflow_id}.txt")
"""
    )
    root = seeds(tmp_path / "data", 8)
    (root / "params").mkdir()
    (root / "params" / "factor").write_text("3")
    with module("common_flow", text).Commons(root) as ws:
        assert ws.compute(workers=2).ok
        assert calls() == ["squared -"]
        assert ws["W00004"].result == 36
        (root / "params" / "factor").write_text("2")
        assert ws["W00004"].result == 16
        assert ws.compute(workers=2).ok
        assert calls() == ["squared -", "squared -"]
        assert ws["W00003"].result == 12


def test_incomplete_workflows_are_listed_with_what_they_lack(tmp_path: Path) -> None:
    """Ids need every seed of their own; the pattern of the class matches the whole id; fields come from its groups."""

    @sg.step
    def joined(one: str, two: str, workflow_id: str) -> str:
        return f"{workflow_id}: {one}{two}"

    class Pair(sg.Workflow):
        one: str = sg.seed()
        two: str = sg.seed()
        both: str = joined.step(one, two)

    class Pairs(sg.Workspace[Pair]):
        WORKFLOW_ID_PATTERN = r"(?P<subject>S\d)-(?P<session>\d)"
        one = sg.LocalStorage(("one", "{subject}", "{workflow_id}.txt"))
        two = sg.LocalStorage("two/{subject}_{session}.txt")
        both = sg.LocalStorage("both/{subject}/{session}.txt")

    for path in ("one/S1/S1-1.txt", "one/S2/S2-1.txt", "two/S1_1.txt", "two/S3_1.txt", "two/odd.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    ws = Pairs(tmp_path)
    assert list(ws) == ["S1-1"]
    assert ws.incomplete() == {"S2-1": ["two"]}
    with pytest.raises(KeyError, match=r"'S2-1' has no two; ws\.workflow"):
        ws["S2-1"]
    assert ws["S1-1"].both == "S1-1: xx"
    assert (tmp_path / "both" / "S1" / "1.txt").exists()
    with pytest.raises(sg.SinagotError, match="is no record id"):
        ws.workflow("S1")


def test_class_without_storages_reads_nothing(tmp_path: Path) -> None:
    """`sg.Workspace[W]` itself can be opened; what needs a seed says that it is stored nowhere."""

    @sg.step
    def constant() -> int:
        return 7

    @sg.step
    def plus(one: int, two: int) -> int:
        return one + two

    class Flow(sg.Workflow):
        number: int = sg.seed()
        seven: int = constant.step()
        more: int = plus.step(number, seven)

    ws = sg.Workspace[Flow](tmp_path)
    assert list(ws) == []
    wf = ws.workflow("x")
    assert wf.seven == 7
    for name in ("number", "more"):
        with pytest.raises(sg.StoredDataError, match="seed 'number' of 'x' is stored nowhere"):
            getattr(wf, name)
    ws.close()


LISTING = """
import json, os, sys
from diamonds import Sides
ws = Sides(sys.argv[1])
listed = []
sys.addaudithook(lambda event, facts: listed.append(str(facts[0])) if event in ("os.scandir", "os.listdir") else None)
values = [ws["W00001"].both, ws["W00002"].both, ws["W00001"].one]
os.remove(ws.root_path / "one" / "W00003.txt")
values += [ws["W00003"].both, ws["W00003"].one]
ws.records.get("W00004").steps.status(), ws["W00004"]._repr_html_()
print(json.dumps([values, listed]))
"""


def test_one_value_costs_no_listing_of_all(module: Write, tmp_path: Path) -> None:
    """Who reads attributes of one workflow looks at its files alone: no folder that all workflows share is listed."""
    root = seeds(tmp_path / "data", 5)
    with module("diamonds", DIAMOND).Sides(root) as ws:
        ws.compute(progress=False, mode="main_process")
    done = subprocess.run(
        [sys.executable, "-c", LISTING, root],
        cwd=tmp_path / "code",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    values, listed = json.loads(done.stdout)
    assert values == [7.5, 12.5, 3.0, 17.5, 7.0]
    shared = {str(root / name) for name in ("", "number", "one", "two")}
    shared |= {str(root / ".sinagot" / name) for name in ("failures", "claims")}
    assert [path for path in listed if path.rstrip("/") in shared] == []


def test_run_on_demand_ends_when_nobody_asks(
    module: Write, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that only waits holds nothing: its run ends by itself, and the next request begins another."""
    from sinagot.engine import session
    from sinagot.engine.state.owners import live_owners

    monkeypatch.setattr(session, "IDLE", 0.2)
    ws = module("example_flow", EXAMPLE).TestWorkspace(root)
    assert ws["001"].final_data == 3
    state = str(root / ".sinagot")
    assert len(list((root / ".sinagot" / "runs").iterdir())) == 1
    await_true(lambda: live_owners(state) == [], "the run ends")
    assert ws["002"].final_data == 15
    assert ws.compute("multiplied_data", exclusive=True).ok
    assert len(list((root / ".sinagot" / "runs").iterdir())) == 2


HELD = """
import gc
import sys
import weakref
from chain_flow import Chains

for use in (lambda ws: ws["W00001"].result, lambda ws: ws.compute("result", progress=False)):
    ws = Chains(sys.argv[1])
    use(ws)
    held = weakref.ref(ws)
    del ws
    gc.collect()
    print(held())
"""


def test_workspace_that_nobody_holds_is_gone(module: Write, tmp_path: Path) -> None:
    """One that has computed is freed, also where nobody closed it, and the run of what was read ends with it."""
    module("chain_flow", chain())
    root = seeds(tmp_path / "data", 2)
    done = subprocess.run(
        [sys.executable, "-c", HELD, root],
        cwd=tmp_path / "code",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("None\nNone\n", "")
    assert litter(root) == []
