"""The books of a run and what is said of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.engine.accounts.ledger import Ledger
from sinagot.engine.accounts.report import RunReport
from sinagot.engine.job import Cause, Outcome
from sinagot.engine.planning.graph import RecordGraph, StepNode
from sinagot.errors import StepFailedError

IDS = ["REC-1", "REC-2", "REC-3"]
CAUSE = Cause("ValueError", "file /x/REC-1.edf has 3 channels", "Traceback ...", "a.py:3 in run")


@pytest.fixture
def graph(make_node) -> RecordGraph:
    return RecordGraph([make_node("a", ["raw"], ["a"]), make_node("b", ["a"], ["b"])])


def report_of(ledger: Ledger) -> RunReport:
    return RunReport("run-1", ledger, "/nowhere")


def test_every_job_is_accounted_for(graph: RecordGraph) -> None:
    """The counts add up to the jobs asked for, and each row has its outcome."""
    ledger = Ledger(graph, IDS, frozenset({0, 1}))
    assert ledger.total == 6 and sum(ledger.counts.values()) == 0
    ledger.mark_all(Outcome.UP_TO_DATE)
    ledger.unmark_record(1)
    ledger.mark(1, 0, Outcome.DONE)
    assert [row[2] for row in ledger.rows()] == ["up_to_date"] * 2 + ["done", "pending"] + ["up_to_date"] * 2
    ledger.fail(1, graph.nodes[1], Outcome.FAILED, CAUSE)
    assert ledger.counts == dict.fromkeys(Outcome.ALL, 0) | {"up_to_date": 4, "done": 1, "failed": 1}
    assert [(failure.record_id, failure.step_label) for failure in ledger.failures] == [("REC-2", "b")]


def test_closing_books_what_is_open_and_nothing_else(graph: RecordGraph) -> None:
    """An interrupted run books every open job and leaves the others."""
    ledger = Ledger(graph, IDS, frozenset({0, 1}))
    ledger.mark(0, 0, Outcome.DONE)
    ledger.close(Outcome.INTERRUPTED)
    ledger.close(Outcome.FAILED)
    assert ledger.counts["done"] == 1 and ledger.counts["interrupted"] == 5 and ledger.counts["failed"] == 0


def test_memory_of_failures_is_bounded(graph: RecordGraph) -> None:
    """Of failures that share a cause one keeps its traceback and whole message; each keeps its outcome."""
    ledger = Ledger(graph, IDS, frozenset({0, 1}))
    long = CAUSE._replace(message="number 1\n" + "x" * 5000, traceback="t" * 5000)
    for record in range(3):
        ledger.fail(record, graph.nodes[0], Outcome.FAILED, long)
        ledger.fail(record, graph.nodes[1], Outcome.BLOCKED, Cause("Blocked", f"REC-{record}/a failed", ""))
    kept = [failure.cause for failure in ledger.failures if failure.outcome == Outcome.FAILED]
    assert [(len(cause.message), len(cause.traceback)) for cause in kept] == [
        (5009, 5000),
        (1000, 0),
        (1000, 0),
    ]
    groups = report_of(ledger).failures
    assert [(group.outcome, group.count) for group in groups] == [("failed", 3), ("blocked", 3)]
    assert groups[0].traceback == long.traceback


def test_nodes_not_asked_for_are_not_counted(graph: RecordGraph) -> None:
    """A run of one step has one job a record."""
    ledger = Ledger(graph, IDS, frozenset({1}))
    ledger.mark_all(Outcome.DONE)
    assert ledger.total == 3 == sum(ledger.counts.values())
    assert [node.label for _, node, *_ in ledger.rows()] == ["b"] * 3


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.sampled_from(Outcome.ALL))))
def test_ledger_is_a_table(marks: list[tuple[int, int, str]]) -> None:
    """Marks in any order: the last one counts, and counts are those of the rows."""
    graph = RecordGraph([StepNode(label, number, None, None) for number, label in enumerate("ab", 1)])
    ledger = Ledger(graph, IDS, frozenset({0, 1}))
    expected: dict[tuple[int, int], str] = {}
    for record, node, outcome in marks:
        ledger.mark(record, node, outcome)
        expected[record, node] = outcome
    found = [row[2] for row in ledger.rows()]
    assert found == [expected.get((record, node), "pending") for record in range(3) for node in range(2)]
    assert ledger.counts == {outcome: found.count(outcome) for outcome in Outcome.ALL}


@pytest.mark.parametrize(
    ("outcome", "ok"),
    [
        *[
            (outcome, True)
            for outcome in (Outcome.DONE, Outcome.UP_TO_DATE, Outcome.DONE_ELSEWHERE, Outcome.MISSING_INPUT)
        ],
        *[(outcome, False) for outcome in (Outcome.FAILED, Outcome.BLOCKED, Outcome.INTERRUPTED)],
    ],
)
def test_ok_means_that_what_was_asked_is_done(graph: RecordGraph, outcome: str, ok: bool) -> None:
    """Failed, blocked and interrupted jobs make a report not ok; a missing input does not."""
    ledger = Ledger(graph, IDS, frozenset({0}))
    ledger.mark_all(outcome)
    report = report_of(ledger)
    assert report.ok is ok
    assert outcome.replace("_", " ") in repr(report) and ("NOT OK" in repr(report)) is not ok
    assert "\n" not in repr(report)
    if ok:
        report.raise_for_failures()
    else:
        with pytest.raises(StepFailedError) as caught:
            report.raise_for_failures()
        assert caught.value.report is report


def test_empty_report_says_so() -> None:
    """A run without jobs has nothing to do and is ok."""
    report = report_of(Ledger(RecordGraph([]), [], frozenset()))
    assert repr(report) == "<RunReport instance | ok: nothing to do>"
    assert report.ok and report.total == 0 and report.failures == [] and report.n_records == 0
    assert "ok" in report._repr_html_()
    with pytest.raises(RuntimeError, match="iter_jobs"):
        report.jobs  # noqa: B018


def test_failures_are_grouped_by_type_place_text_and_step(graph: RecordGraph) -> None:
    """One cause is one group: numbers, paths and quoted names in the text may differ; type, line, text or step may not."""
    ledger = Ledger(graph, IDS, frozenset({0, 1}))
    a, b = graph.nodes
    ledger.fail(0, a, Outcome.FAILED, CAUSE)
    ledger.fail(1, a, Outcome.FAILED, CAUSE._replace(message="file /y/REC-2.edf has 44 channels"))
    ledger.fail(2, a, Outcome.FAILED, CAUSE._replace(where="a.py:9 in run"))
    ledger.fail(0, b, Outcome.FAILED, CAUSE)
    ledger.fail(1, b, Outcome.FAILED, CAUSE._replace(exc_type="KeyError"))
    report = report_of(ledger)
    groups = report.failures
    assert [group.count for group in groups] == [2, 1, 1, 1]
    first = groups[0]
    assert (first.step, first.records, first.exc_type) == ("a", ("REC-1", "REC-2"), "ValueError")
    assert (first.message, first.where, first.traceback) == (CAUSE.message, CAUSE.where, CAUSE.traceback)
    assert first.cause == f"ValueError: {CAUSE.message}"
    with pytest.raises(
        StepFailedError, match=r"5 failed; a: ValueError: file /x/REC-1.edf.*2 record\(s\), first REC-1"
    ):
        report.raise_for_failures()
    jobs = list(report.iter_jobs())
    assert [job["exc_type"] for job in jobs] == [
        "ValueError",
        "ValueError",
        "ValueError",
        "KeyError",
        "ValueError",
        None,
    ]


def test_notebook_text_is_escaped(graph: RecordGraph) -> None:
    """What a message says never becomes markup."""
    ledger = Ledger(graph, IDS, frozenset({0}))
    ledger.fail(0, graph.nodes[0], Outcome.FAILED, CAUSE._replace(message="<script>alert(1)</script>"))
    assert "<script>" not in report_of(ledger)._repr_html_()


def test_background_errors_are_raised_by_wait(graph: RecordGraph) -> None:
    """What breaks in a run in the background is raised where it is waited for, and the check at the end is made."""

    def fall() -> None:
        raise OSError("disk gone")

    report = report_of(Ledger(graph, IDS, frozenset()))
    report.follow(fall)
    with pytest.raises(OSError, match="disk gone"):
        report.wait(60)

    report = report_of(Ledger(graph, IDS, frozenset()))
    checked: list[RunReport] = []
    report.bind_check(checked.append)
    report.follow(lambda: None)
    assert report.wait(60) is report and checked == [report]
