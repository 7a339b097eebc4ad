"""One value for all workflows: `sinagot.collect`."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

import pandas as pd
import pytest

import sinagot as sg
from sinagot.errors import WorkflowError
from tests.workflow.conftest import COUNTING, Calls, Write, seeds

FLOW = """
import pandas as pd
import sinagot as sg

@sg.step
def checked(number: int) -> int:
    if number == 2:
        raise ValueError("two is bad")
    return number * 10

@sg.step
def table(number: int) -> pd.DataFrame:
    return pd.DataFrame({"n": [number, number + 1]})

class Flow(sg.Workflow):
    number: int = sg.seed()
    tens: int = checked.step(number)
    rows: pd.DataFrame = table.step(tens)

class Stored(sg.Workspace[Flow]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    tens = sg.LocalStorage("tens/{workflow_id}.txt")
    all_numbers = sg.collect(Flow.number)
    all_tens = sg.collect(Flow.tens)
    strict_tens = sg.collect(Flow.tens, strict=True)
    tens_table = sg.collect(Flow.tens).to("tables/tens.csv")
    tens_file = sg.collect(Flow.tens).to("tables/tens.json")
    all_rows = sg.collect(Flow.rows).to("tables/rows.csv")
    tables_on_demand = sg.collect(Flow.rows)
"""


def test_collection_is_a_dict_by_id(module: Write, tmp_path: Path) -> None:
    """Without a place to store it, a collection computes what is not there and gives the data by id."""
    ws = module("collect_flow", FLOW).Stored(seeds(tmp_path, 2))
    assert ws.all_numbers == {"W00000": 0, "W00001": 1}
    assert ws.all_tens == {"W00000": 0, "W00001": 10}
    assert ws.strict_tens == ws.all_tens


def test_failing_workflows_are_left_out_and_named(module: Write, tmp_path: Path) -> None:
    """A workflow that fails is named in a warning; a strict collection fails with it."""
    ws = module("collect_flow", FLOW).Stored(seeds(tmp_path, 4))
    with pytest.warns(UserWarning, match="1 of 4 workflows have no tens: W00002 .*two is bad"):
        assert list(ws.all_tens) == ["W00000", "W00001", "W00003"]
    with pytest.raises(sg.StepFailedError, match="W00002"):
        ws.strict_tens
    with pytest.warns(UserWarning, match="left out: W00002"):
        assert ws.tens_table == {"W00000": 0, "W00001": 10, "W00003": 30}


def test_stored_collection_is_a_step_for_all_records(module: Write, tmp_path: Path, calls: Calls) -> None:
    """One file for all: made by a run, behind the records; made again when a record is added or made again."""
    with module("collect_flow", FLOW).Stored(seeds(tmp_path, 2)) as ws:
        report = ws.steps.run(printing=False, workers=2)
        assert report.ok, report.failures
        assert (tmp_path / "tables" / "tens.csv").read_text() == "workflow_id,value\nW00000,0\nW00001,10\n"
        assert ws.tens_table == {"W00000": 0, "W00001": 10} == ws.tens_file
        assert ws.steps.run(printing=False).counts["done"] == 0
        (tmp_path / "number" / "W00001.txt").write_text("7")
        assert ws.tens_table == {"W00000": 0, "W00001": 70}
        (tmp_path / "number" / "W00009.txt").write_text("9")
        assert ws.tens_file == {"W00000": 0, "W00001": 70, "W00009": 90}


@pytest.mark.filterwarnings("ignore:.*no list of scripts names this step")
def test_inputs_of_a_stored_collection_have_the_names_of_nodes(module: Write, tmp_path: Path) -> None:
    """What a collection reads is told by content; settings name it as the node does, and another name is refused."""
    root = seeds(tmp_path, 2)
    toml = "[steps.tens_table]\ncheck = {tens = 'digest'}\n[run]\ncheck = {number = 'digest'}\n"
    (root / "workspace.toml").write_text("[path]\ndataset = '.'\n" + toml)
    flow = module("collect_flow", FLOW)
    ws = flow.Stored(root)
    assert ws.tens_table == ws.tens_file == {"W00000": 0, "W00001": 10}
    os.utime(root / "tens" / "W00001.txt", ns=(0, 10**18))
    plan = flow.Stored(root).steps.plan().iter_jobs()
    stale = [job["step_label"] for job in plan if job["verdict"] == "run"]
    assert stale == ["all_rows"], "it was never made"
    (root / "workspace.toml").write_text("[path]\ndataset = '.'\n" + toml.replace("tens =", "ten ="))
    with pytest.raises(sg.ConfigurationError, match=r"steps\.tens_table\.check\.ten: .* did you mean 'tens'"):
        flow.Stored(root).tens_table


def test_tables_of_all_records_stand_below_each_other(module: Write, tmp_path: Path) -> None:
    """Tables become one, with the ids in front; nodes that are not stored are computed for it."""
    ws = module("collect_flow", FLOW).Stored(seeds(tmp_path, 2))
    found = ws.all_rows
    stored = pd.read_csv(tmp_path / "tables" / "rows.csv")
    assert stored.to_dict("list") == {
        "workflow_id": ["W00000", "W00000", "W00001", "W00001"],
        "n": [0, 1, 10, 11],
    }
    assert list(found) == ["W00000", "W00001"]
    assert list(found["W00001"]["n"]) == [10, 11]


def test_collection_of_no_node_is_told(module: Write) -> None:
    """What is collected is a node of the class, under a name of its own."""
    flow = module("collect_flow", FLOW)
    with pytest.raises(WorkflowError, match="takes an attribute of a workflow class"):
        sg.collect("tens")

    class Other(sg.Workflow):
        more: int = sg.seed()

    with pytest.raises(WorkflowError, match=r"Wrong\.all_more: Flow has no node 'more'"):

        class Wrong(flow.Stored):  # type: ignore[name-defined]
            all_more = sg.collect(Other.more)


@pytest.mark.parametrize("dataset", ["dataset", ".", "elsewhere/data"])
def test_collection_is_made_once_wherever_the_dataset_is(module: Write, tmp_path: Path, dataset: str) -> None:
    """What a collection was made from is known again in a dataset of its own folder, and after a move of all."""
    place = tmp_path / "one"
    (place / dataset).mkdir(parents=True)
    (place / "workspace.toml").write_text(f'[path]\ndataset = "{dataset}"\n[steps]\nscripts = []\n')
    lab = module("collect_flow", FLOW).Stored
    with lab(seeds(place, 2)) as ws:
        assert ws.steps.run(printing=False).ok
        assert ws.steps.run(printing=False).counts["done"] == 0
    moved = place.rename(tmp_path / "two")
    with lab(moved) as ws:
        assert ws.steps.run(printing=False).counts["done"] == 0
        assert ws.tens_table == {"W00000": 0, "W00001": 10}


@pytest.mark.parametrize("text", ["{}", '{"W00000": 0', '{"W00000": 5}'])
def test_damaged_collection_is_put_aside_and_made_again(module: Write, tmp_path: Path, text: str) -> None:
    """A stored collection that is torn, or that somebody edited, is no data: it is kept apart, logged, made again."""
    with module("collect_flow", FLOW).Stored(seeds(tmp_path, 2)) as ws:
        good = ws.tens_file
        (tmp_path / "tables" / "tens.json").write_text(text)
        assert ws.tens_file == good == {"W00000": 0, "W00001": 10}
        kept = list((tmp_path / ".sinagot" / "aside").rglob("tens.json"))
        assert [one.read_text() for one in kept] == [text]
        assert ws.steps.run(printing=False).counts["failed"] == 0
        assert ws.steps.run(printing=False).counts["done"] == 0
    assert "it is kept as" in (tmp_path / "LOG" / "all%2Frecords.log").read_text()


def test_torn_collection_that_nobody_is_known_to_have_made_is_made_again(
    module: Write, tmp_path: Path
) -> None:
    """A file from elsewhere is trusted as long as it can be read."""
    (seeds(tmp_path, 2) / "tables").mkdir()
    with module("collect_flow", FLOW).Stored(tmp_path) as ws:
        ws.compute("tens", progress=False)
        (tmp_path / "tables" / "tens.json").write_text('{"W00000": 7}')
        assert ws.tens_file == {"W00000": 7}
        (tmp_path / "tables" / "tens.json").write_text("{")
        assert ws.tens_file == {"W00000": 0, "W00001": 10}


FAILING = (
    COUNTING
    + """
@sg.step
def kept(number: int, workflow_id: str) -> int:
    note("kept", workflow_id)
    if number == 1:
        raise ValueError("one is bad")
    return number

@sg.step
def passing(number: int, workflow_id: str) -> int:
    note("passing", workflow_id)
    if number == 2 and "MENDED" not in os.environ:
        raise ValueError("two is bad")
    if number == 2 and "TOUCHED" in os.environ:
        os.utime(os.environ["TOUCHED"])  # an input changes while the collection is made
    return number * 10

class Flow(sg.Workflow):
    number: int = sg.seed()
    stored: int = kept.step(number)
    unstored: int = passing.step(number)
    after: int = passing.step(stored)

class Lab(sg.Workspace[Flow]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    stored = sg.LocalStorage("stored/{workflow_id}.txt")
    all_stored = sg.collect(Flow.stored)
    all_unstored = sg.collect(Flow.unstored)
    all_after = sg.collect(Flow.after)
    after_file = sg.collect(Flow.after).to("after.json")
    unstored_file = sg.collect(Flow.unstored).to("unstored.json")
    strict_file = sg.collect(Flow.stored, strict=True).to("strict.json")
    strict_after = sg.collect(Flow.unstored, strict=True).to("strict_after.json")
"""
)


def test_failing_values_of_a_stored_collection_are_named(module: Write, tmp_path: Path) -> None:
    """Who is left out of a stored collection is said with the cause, whether or not a file holds what failed."""
    with module("failing_flow", FAILING).Lab(seeds(tmp_path, 4)) as ws:
        for _ in range(2):  # also where the collection is up to date
            with pytest.warns(
                UserWarning, match=r"unstored_file: 1 workflow.*: W00002 \(ValueError: two is bad"
            ):
                assert list(ws.unstored_file) == ["W00000", "W00001", "W00003"]
        with pytest.warns(
            UserWarning, match=r"after_file: 2 workflow.*: W00001, W00002 \(stored: ValueError: one is bad"
        ):
            assert ws.after_file == {"W00000": 0, "W00003": 30}
        (tmp_path / "number" / "W00002.txt").write_text("5")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert list(ws.unstored_file) == list(ws)


def test_failed_values_of_a_stored_collection_are_tried_again(
    module: Write, tmp_path: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a stored collection was made without is told, and tried again by each run: it alone, until it is there."""
    with module("failing_flow", FAILING).Lab(seeds(tmp_path, 4)) as ws:
        for names in (["W00000", "W00001", "W00002", "W00003"], ["W00002"]):
            calls.clear()
            report = ws.compute("unstored_file", progress=False, workers=2)
            assert report.ok
            assert [line for line in report.warnings if "made without 1 record that failed: W00002" in line]
            assert calls() == [f"passing {name}" for name in names]
        plan = ws.steps.plan().iter_jobs()
        (job,) = [one for one in plan if one["step_label"] == "unstored_file"]
        assert job["verdict"] == "run"
        assert [reason.code for reason in job["reasons"]] == ["records_failed"]
        assert ws.steps.get("unstored_file").status() == sg.StepStatus.OUTDATED
        monkeypatch.setenv("MENDED", "1")
        touched = tmp_path / "number" / "W00000.txt"
        before = touched.stat()
        monkeypatch.setenv("TOUCHED", str(touched))
        assert ws.compute("unstored_file", progress=False, mode="main_process").counts["failed"] == 1
        os.utime(touched, ns=(before.st_atime_ns, before.st_mtime_ns))
        monkeypatch.delenv("TOUCHED")
        calls.clear()  # nothing was published: what is there still lacks one, and that is still known
        assert ws.unstored_file == {"W00000": 0, "W00001": 10, "W00002": 20, "W00003": 30}
        assert calls() == ["passing W00002"]
        assert ws.compute("unstored_file", progress=False).counts["done"] == 0
        assert ws.compute("unstored_file", progress=False, force=True).counts["done"] == 1
        assert len(calls()) == 5
        with pytest.raises(ValueError, match="unstored_file is made of all workflows"):
            ws.compute("unstored_file", ids=["W00001"])


def test_strict_collection_says_what_failed(module: Write, tmp_path: Path) -> None:
    """A strict collection fails with the cause of the step that failed, and not with what lacks for it."""
    with module("failing_flow", FAILING).Lab(seeds(tmp_path, 4)) as ws:
        with pytest.raises(sg.StepFailedError, match=r"strict_file: .*one is bad"):
            ws.strict_file
        with pytest.raises(sg.StepFailedError, match=r"strict_after: .*W00002.*two is bad"):
            ws.strict_after


@pytest.mark.parametrize("name", ["all_stored", "all_unstored", "all_after"])
def test_collecting_calls_each_step_once(module: Write, tmp_path: Path, calls: Calls, name: str) -> None:
    """Also a step that fails is called once for each workflow."""
    with (
        module("failing_flow", FAILING).Lab(seeds(tmp_path, 4)) as ws,
        pytest.warns(UserWarning, match="is bad"),
    ):
        assert len(getattr(ws, name)) == {"all_stored": 3, "all_unstored": 3, "all_after": 2}[name]
    found = calls()
    assert len(found) == len(set(found)) == {"all_stored": 4, "all_unstored": 4, "all_after": 4 + 3}[name]


def test_damaged_result_on_the_way_is_made_again(module: Write, tmp_path: Path) -> None:
    """A collection that nothing stores survives a torn result on the way to it."""
    with module("collect_flow", FLOW).Stored(seeds(tmp_path, 2)) as ws:
        assert len(ws.all_tens) == 2
        (tmp_path / "tens" / "W00001.txt").write_text("x")
        assert list(ws.tables_on_demand) == ["W00000", "W00001"]
        assert list(ws.tables_on_demand["W00001"]["n"]) == [10, 11]


class Numbers(sg.Workflow):
    """One seed."""

    number: int = sg.seed()


class Free(sg.Workspace[Numbers]):
    """What every workspace has."""

    number = sg.LocalStorage("number/{workflow_id}.txt")


def test_collection_does_not_take_the_place_of_a_member(tmp_path: Path) -> None:
    """Any attribute that a workspace has is refused as the name of a collection, with a name that is free."""
    ws = Free(tmp_path)
    members = {*dir(ws), *vars(ws), "records", "values", "items", "get", "root_path", "client"} - {"number"}
    for name in (name for name in members if not name.startswith("__")):
        with pytest.raises(WorkflowError, match=rf"Lab\.{re.escape(name)}: .* call it all_"):
            type("Lab", (Free,), {name: sg.collect(Numbers.number)})  # type: ignore[attr-defined]
    first = type("Lab", (Free,), {"all_records": sg.collect(Numbers.number)})  # type: ignore[attr-defined]
    again = type("Lab", (first,), {"all_records": sg.collect(Numbers.number, strict=True)})  # type: ignore[attr-defined]
    assert again(seeds(tmp_path, 2)).all_records == {"W00000": 0, "W00001": 1}


@pytest.mark.parametrize(
    "name", ["records", "steps", "values", "get", "items", "stale", "client", "problems", "root_path"]
)
def test_nodes_may_be_called_as_members_are(tmp_path: Path, name: str) -> None:
    """A node and its storage may have the name of a member: the workspace keeps its own, the workflow has the data."""
    members = {name: sg.seed(), "__annotations__": {name: int}}
    flow = type("Flow", (sg.Workflow,), members)
    lab = type("Lab", (sg.Workspace[flow],), {name: sg.LocalStorage("number/{workflow_id}.txt")})  # type: ignore[misc,valid-type]
    ws = lab(seeds(tmp_path, 2))
    assert list(ws) == ws.records.ids() == list(ws.keys()) == ["W00000", "W00001"]
    assert getattr(ws["W00001"], name) == getattr(ws.get("W00001"), name) == 1
    assert len(list(ws.values())) == len(ws.items()) == 2
    assert not isinstance(getattr(ws, name), sg.LocalStorage)
