"""A dry run and the run that follows never disagree, whatever state the files and marks are in."""

from __future__ import annotations

import itertools
import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinagot.engine.state.claims import file_key
from sinagot.engine.state.owners import Owner

IDS = ["REC-1", "REC-2"]
STEPS = "abcd"
#: What each step reads: b and c are beside each other, d joins b and c.
READS = {"a": ("raw",), "b": ("a",), "c": ("a",), "d": ("b", "c")}
PLACES = [(record, step) for record in IDS for step in STEPS]

raws = st.sets(st.sampled_from(IDS), min_size=1)
files = st.sets(st.sampled_from(PLACES))
failures = st.dictionaries(st.sampled_from(PLACES), st.sampled_from([40, 42]))
claims = st.sets(st.sampled_from(PLACES))
asked = st.sampled_from([None, *STEPS])


@pytest.fixture
def graph_lab(lab):
    """Give a workspace whose steps split and join."""
    lab.config(f"[steps]\nscripts = {list(STEPS)}\n", records='path = "list/{id}"\nid_pattern = "REC-[0-9]+"')
    for step, sources in READS.items():
        lab.script(step, {source: (source, "{id}.csv") for source in sources})
    for record in IDS:
        lab.write(f"dataset/list/{record}")
    return lab


def arrange(lab, raw, outputs, failed, claimed) -> None:
    """Bring files, marks and dead claims into a state."""
    for name in ("raw", *STEPS, ".sinagot", "LOG"):
        shutil.rmtree(lab.data / name, ignore_errors=True)
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


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(raws, files, failures, claims, asked, st.booleans(), st.booleans())
def test_dry_run_says_what_the_run_does(
    graph_lab, raw, outputs, failed, claimed, step, force, ignore_missing
) -> None:
    """What a dry run would run is what runs, in that order, and every other job gets the same outcome."""
    lab = graph_lab
    arrange(lab, raw, outputs, failed, claimed)
    options = {"step_label": step, "force": force, "ignore_missing": ignore_missing, "printing": False}
    lab.ran()
    before = lab.tree()
    dry = lab.open().steps.run(**options, dry_run=True)
    assert lab.tree() == before
    report = lab.open().steps.run(**options)
    assert lab.ran() == [f"{label}-{record}" for record, label, _ in dry.plan]
    assert report.counts["done"] == len(dry.plan)
    for outcome in set(report.counts) - {"done"}:
        assert report.counts[outcome] == dry.counts[outcome], outcome
    assert (
        sum(report.counts.values()) == report.total == dry.total == len(dry.plan) + sum(dry.counts.values())
    )
    assert report.ok == (report.counts["blocked"] == 0)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files, failures, claims)
def test_plain_run_leads_everything_to_done(graph_lab, outputs, failed, claimed) -> None:
    """From any state one plain run ends with every step of records that have raw data done, and a second one does nothing."""
    lab = graph_lab
    arrange(lab, IDS, outputs, failed, claimed)
    lab.open().steps.run(printing=False)
    assert set(lab.open().steps.status()["step_status"]) == {30}
    lab.ran()
    assert lab.open().steps.run(printing=False).counts["up_to_date"] == 8
    assert lab.ran() == []


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(raws, files, failures, claims, st.sets(st.sampled_from(PLACES)))
def test_no_step_reads_what_is_unfinished(graph_lab, raw, outputs, failed, claimed, breaking) -> None:
    """Whatever fails on the way, no script starts while a step that feeds it is failed or unfinished, and each runs once at most."""
    lab = graph_lab
    arrange(lab, raw, outputs, failed, claimed)
    for record, step in PLACES:
        place = lab.root / "wishes" / f"{step}-{record}"
        place.unlink(missing_ok=True)
        if (record, step) in breaking:
            lab.fail(f"{step}-{record}")
    lab.ran()
    report = lab.open().steps.run(printing=False)
    ran = lab.ran()
    assert len(ran) == len(set(ran)) == report.counts["done"] + report.counts["failed"]
    for record, step in PLACES:
        if f"{step}-{record}" in ran:
            for source in set(READS[step]) - {"raw"}:
                assert (record, source) not in breaking or f"{source}-{record}" not in ran
                assert f"{source}-{record}" in ran[: ran.index(f"{step}-{record}")] or (
                    (record, source) in outputs
                    and (record, source) not in failed
                    and (record, source) not in claimed
                )
    assert sum(report.counts.values()) == report.total
    assert not list(itertools.chain(lab.data.glob(".sinagot/owners/*"), lab.data.glob(".sinagot/stage/*")))
