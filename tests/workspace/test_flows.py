"""The flow of records adds up, whatever state files, marks and decisions are in."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinagot.engine.accounts.flow import PLACES
from sinagot.engine.state.claims import file_key
from sinagot.engine.state.decisions import Target, append_decisions, decided
from sinagot.engine.state.owners import Owner
from tests.pages import read_page

IDS = ["REC-1", "REC-2", "REC-3"]
STEPS = "abcd"
#: What each step reads: b and c are beside each other, d joins b and c.
READS = {"a": ("raw",), "b": ("a",), "c": ("a",), "d": ("b", "c")}
JOBS = [(record, step) for record in IDS for step in STEPS]

listed = st.sets(st.sampled_from(IDS), min_size=1)
raws = st.sets(st.sampled_from(IDS))
files = st.sets(st.sampled_from(JOBS))
failures = st.dictionaries(st.sampled_from(JOBS), st.sampled_from([40, 42]), max_size=3)
claims = st.sets(st.sampled_from(JOBS), max_size=2)
decisions = st.lists(
    st.tuples(
        st.sampled_from(["exclude", "exclude", "include"]),
        st.sampled_from(IDS),
        st.sampled_from([None, *STEPS]),
        st.sampled_from(["asleep", "noise"]),
    ),
    max_size=4,
)


@pytest.fixture
def graph_lab(lab):
    """Give a workspace whose steps split and join."""
    lab.config(f"[steps]\nscripts = {list(STEPS)}\n", records='path = "list/{id}"\nid_pattern = "REC-[0-9]+"')
    for step, sources in READS.items():
        lab.script(step, {source: (source, "{id}.csv") for source in sources})
    return lab


def arrange(lab, found, raw, outputs, failed, claimed, said) -> None:
    """Bring files, marks, dead claims and decisions into a state."""
    for name in ("list", "raw", *STEPS, ".sinagot", "LOG"):
        shutil.rmtree(lab.data / name, ignore_errors=True)
    for record in found:
        lab.write(f"dataset/list/{record}")
    lab.raw(*raw)
    for record, step in outputs:
        lab.raw(record, folder=step)
    for (record, step), status in failed.items():
        lab.write(
            f"dataset/.sinagot/failures/{file_key(f'{record}/{step}')}",
            json.dumps({"status": status, "at": 0}),
        )
    dead = Owner.here("20200101T000000-abcdef")._replace(start="1").to_json()
    for record, step in claimed:
        lab.write(f"dataset/.sinagot/claims/{file_key(f'{record}/{step}')}", dead)
    if said:
        append_decisions(
            str(lab.data / ".sinagot"),
            [decided(what, Target(record, step=step), why) for what, record, step, why in said],
        )


def check_figure(text: str, counts) -> None:
    """Follow the arrows of a figure: what goes down and what goes aside is what came."""
    numbers = {name: int(count) for name, count in re.findall(r'(\w+)\["[^<"]*<br>(\d+)', text)}
    assert numbers["found"] == counts.found
    assert numbers["done"] == counts.places["done"]
    followers: dict[str, list[str]] = {}
    for source, target in re.findall(r"(\w+) --> (\w+)", text):
        followers.setdefault(source, []).append(target)
    for source, targets in followers.items():
        assert numbers[source] == sum(numbers[target] for target in targets)
    assert ("without" in numbers) == bool(counts.without_input)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(listed, raws, files, failures, claims, decisions)
def test_flow_adds_up(graph_lab, found, raw, outputs, failed, claimed, said) -> None:
    """Every record is in exactly one place of every row, every exclusion has a reason, every result is seen."""
    arrange(graph_lab, found, raw, outputs, failed, claimed, said)
    ws = graph_lab.open()
    report = ws.report_flow()
    for row in report.rows:
        assert sum(row.places.values()) == row.found
        assert sum(row.excluded.values()) == row.places["excluded"]
        assert tuple(row.places) == PLACES
    assert [row.found for row in report.steps] == [len(found)] * len(STEPS)
    assert (report.records.found, report.jobs.found) == (len(found), len(found) * len(STEPS))
    status = {(row["record_id"], row["step_label"]): row["step_status"] for row in ws.steps.iter_status()}
    for row in report.steps:
        codes = [code for (_, step), code in status.items() if step == row.step]
        assert row.places["done"] == codes.count(30)
        assert row.places["failed"] == codes.count(40)
        assert row.places["interrupted"] == codes.count(42)
        assert row.places["ready"] <= codes.count(10)
        assert row.places["excluded"] >= codes.count(50)
        # Results whose input is gone: all of records that are not found, and those that count as done.
        there = {record for record, step in outputs if step == row.step}
        gone = {
            record
            for record in there & found
            if status[record, row.step] == 30
            and any(
                (record not in raw) if source == "raw" else ((record, source) not in outputs)
                for source in READS[row.step]
            )
        }
        assert row.without_input == len(there - found) + len(gone)
    assert report.strays == sorted({record for record, _ in outputs} - found)
    check_figure(report.mermaid(), report.records)
    again = ws.records.select(sorted(found)).report_flow()
    assert [row.places for row in again.rows] == [row.places for row in report.rows]
    assert again.strays == []


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(listed, raws, files, failures, claims, decisions)
def test_run_and_plan_agree_on_what_is_excluded(
    graph_lab, found, raw, outputs, failed, claimed, said
) -> None:
    """What the plan excludes is what the run excludes; an excluded job never runs, and the flow shows it."""
    arrange(graph_lab, found, raw, outputs, failed, claimed, said)
    ws = graph_lab.open()
    verdicts = {(row["record_id"], row["step_label"]): row["verdict"] for row in ws.steps.plan().iter_jobs()}
    report = ws.steps.run(printing=False)
    ended = {(row["record_id"], row["step_label"]): row["outcome"] for row in report.iter_jobs()}
    assert sum(report.counts.values()) == report.total == len(found) * len(STEPS)
    for job, verdict in verdicts.items():
        assert (verdict == "excluded") == (ended[job] == "excluded")
        if verdict in ("run", "up_to_date", "excluded"):
            assert ended[job] == {"run": "done"}.get(verdict, verdict)
    excluded = {job for job, outcome in ended.items() if outcome == "excluded"}
    ran = {(place.partition("-")[2], place.partition("-")[0]) for place in graph_lab.ran()}
    assert not ran & excluded
    after = {(row["record_id"], row["step_label"]): row["step_status"] for row in ws.steps.iter_status()}
    assert {job for job, code in after.items() if code == 50} <= excluded
    # After a run nothing is left but what is done, out, or without data.
    left = ws.report_flow().jobs.places
    assert left["ready"] == 0


def test_harbour_of_places(lab) -> None:
    """Each place has its words: excluded with reasons, missing input through all steps, failed, waiting, done."""
    lab.config('[steps]\nscripts = ["a", "b"]\n', records='path = "list/{id}"\nid_pattern = "REC-[0-9]+"')
    lab.script("a")
    lab.script("b", ("a", "{id}.csv"))
    for number in range(1, 7):
        lab.write(f"dataset/list/REC-{number}")
    lab.raw(*(f"REC-{number}" for number in (1, 2, 3, 4, 6)))
    ws = lab.open()
    ws.records.select(["REC-1", "REC-2"]).exclude("asleep")
    ws["REC-3"].exclude("noise", "a")
    lab.fail("a-REC-4")
    ws.steps.run(printing=False)
    report = ws.report_flow()
    a, b = report.steps
    assert {place: count for place, count in a.places.items() if count} == {
        "excluded": 3,
        "missing_input": 1,
        "failed": 1,
        "done": 1,
    }
    assert {place: count for place, count in b.places.items() if count} == {
        "excluded": 3,
        "missing_input": 1,
        "waiting": 1,
        "done": 1,
    }
    assert a.excluded == {"asleep": 2, "noise": 1}
    assert {place: count for place, count in report.records.places.items() if count} == {
        "excluded": 3,
        "missing_input": 1,
        "failed": 1,
        "done": 1,
    }
    assert repr(report) == "<FlowReport instance | 6 found: 3 excluded, 1 missing input, 1 failed, 1 done>"
    assert report.mermaid() == (
        "flowchart TD\n"
        '    found["found<br>6"]\n'
        '    found --> excluded["excluded<br>3<br>asleep: 2<br>noise: 1"]\n'
        '    found --> left1["remaining<br>3"]\n'
        '    left1 --> missing_input["missing input<br>1"]\n'
        '    left1 --> left2["remaining<br>2"]\n'
        '    left2 --> failed["failed<br>1"]\n'
        '    left2 --> done["done<br>1"]\n'
    )
    assert list(report.table.loc["records"][["found", "excluded", "done"]]) == [6, 3, 1]
    assert "excluded because records asleep 2 noise 1" in read_page(report._repr_html_()).text


def test_outdated_results_are_told_where_that_counts(lab) -> None:
    """A result that is outdated is done under the rule "missing", and outdated under the rule "outdated"."""
    ws = lab.unit("a", ids=["REC-1"]).open()
    ws.steps.run(printing=False)
    lab.script("a", body="self.path.output.write_text('new')")
    assert lab.open().report_flow().jobs.places["done"] == 1
    file = lab.root / "workspace.toml"
    file.write_text(file.read_text() + "[run]\nrerun = 'outdated'\n")
    assert lab.open().report_flow().jobs.places["outdated"] == 1


def test_each_scope_has_its_flow(lab) -> None:
    """A unit counts the records that it finds; a record counts itself; a broken script is a failure."""
    ws = lab.scoped().open()
    (lab.data / "raw" / "REC-2-RS.csv").unlink()
    assert [row.places["missing_input"] for row in ws.report_flow().steps] == [1, 1, 0, 0, 0, 0]
    assert ws.RS.EEG.report_flow().records.found == 1
    assert ws["REC-1"].report_flow("a").records.found == 1
    lab.write("scripts/EEG/b.py", "this is no Python")
    (row,) = lab.open().RS.EEG.report_flow("b").steps
    assert row.places["failed"] == row.found


def test_reasons_of_people_do_not_break_the_figure(lab) -> None:
    """Quotes, brackets and long texts stand in a figure as text."""
    ws = lab.unit("a", ids=["REC-1"]).open()
    ws["REC-1"].exclude('said "no"; [x] <b> ' + "y" * 100)
    (line,) = [line for line in ws.report_flow().mermaid().splitlines() if "--> excluded" in line]
    assert line.count('"') == 2
    assert "said #34;no#34;#59; #91;x#93; #60;b#62; yyy" in line
    assert line.endswith(' ...: 1"]')
