"""Facts in, verdicts out."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.engine.planning.graph import RecordGraph
from sinagot.engine.planning.plan import Facts, PlannedJob, Reason, Verdict, decide, plan_chain

ALL_FACTS = [
    Facts(present, missing, claim, failed)
    for present, missing, claim, failed in itertools.product(
        (True, False), ((), ("raw.csv",)), (None, "live", "dead"), (True, False)
    )
]
FLAGS = list(itertools.product((False, True), repeat=4))


@pytest.mark.parametrize("facts", ALL_FACTS, ids=str)
def test_verdicts_of_all_facts(facts: Facts) -> None:
    """For every combination of facts and wishes: needed or not, blocked before missing, missing before run; reasons always."""
    for force, ignore_missing, upstream_runs, is_bad in FLAGS:
        verdict, reasons = decide(
            facts,
            upstream_runs=upstream_runs,
            upstream_bad=("REC-1/a",) if is_bad else (),
            force=force,
            ignore_missing=ignore_missing,
        )
        is_needed = force or facts.failed or facts.claim is not None or not facts.outputs_present
        if not is_needed:
            expected = Verdict.UP_TO_DATE
        elif is_bad:
            expected = Verdict.BLOCKED
        elif facts.missing_inputs and not ignore_missing and not upstream_runs:
            expected = Verdict.MISSING_INPUT
        else:
            expected = Verdict.RUN
        assert verdict == expected
        assert reasons and all(reason.code and reason.text for reason in reasons)


@pytest.mark.parametrize(
    ("facts", "options", "codes"),
    [
        (Facts(True), {}, ["outputs_present"]),
        (Facts(False), {}, ["outputs_missing"]),
        (Facts(True, claim="dead"), {}, ["interrupted"]),
        (Facts(True, claim="live"), {}, ["claimed"]),
        (
            Facts(False, claim="dead", failed=True),
            {"force": True},
            ["forced", "interrupted", "failed", "outputs_missing"],
        ),
        (Facts(False, ("x",)), {}, ["input_missing"]),
        (Facts(False), {"upstream_bad": ("REC-1/a",)}, ["upstream"]),
    ],
)
def test_every_reason_is_told(facts: Facts, options: dict, codes: list[str]) -> None:
    """All reasons come with the verdict, as codes and sentences."""
    assert [reason.code for reason in decide(facts, **options)[1]] == codes


def test_reasons_name_paths_and_jobs() -> None:
    """Missing outputs, missing inputs and bad upstream jobs are named in the text."""
    assert "x.csv, y.csv" in decide(Facts(False, missing_outputs=("x.csv", "y.csv")))[1][0].text
    assert "raw.csv" in decide(Facts(False, ("raw.csv",)))[1][0].text
    assert "REC-1/a" in decide(Facts(False), upstream_bad=("REC-1/a",))[1][0].text


@pytest.mark.parametrize("facts", ALL_FACTS, ids=str)
def test_excluded_job_is_excluded_whatever_else_holds(facts: Facts) -> None:
    """No fact and no wish wins over a decision, and the reason is the decision's."""
    for force, ignore_missing, upstream_runs, is_bad in FLAGS:
        verdict, reasons = decide(
            facts._replace(excluded="excluded by me: asleep"),
            upstream_runs=upstream_runs,
            upstream_bad=("REC-1/a",) if is_bad else (),
            force=force,
            ignore_missing=ignore_missing,
        )
        assert (verdict, reasons) == (Verdict.EXCLUDED, (Reason("excluded", "excluded by me: asleep"),))


@pytest.mark.parametrize(
    ("before", "facts", "ignore_missing", "verdict"),
    [
        (Facts(False, excluded="x"), Facts(False, ("a",)), False, Verdict.EXCLUDED),
        (Facts(False, excluded="x"), Facts(False, ("a",)), True, Verdict.RUN),
        (Facts(False, excluded="x"), Facts(False), False, Verdict.RUN),
        (Facts(True, excluded="x"), Facts(False), False, Verdict.RUN),
        (Facts(True, excluded="x"), Facts(True), False, Verdict.UP_TO_DATE),
        (Facts(True, failed=True, excluded="x"), Facts(False), False, Verdict.EXCLUDED),
        (Facts(True, claim="dead", excluded="x"), Facts(False), True, Verdict.EXCLUDED),
        (Facts(True, failed=True, excluded="x"), Facts(True), False, Verdict.UP_TO_DATE),
    ],
)
def test_job_behind_an_excluded_one(
    make_node, before: Facts, facts: Facts, ignore_missing: bool, verdict: str
) -> None:
    """A job that needs what an excluded one does not give is out as well; else it goes its own way."""
    planned = plan(make_node, {"a": before, "b": facts, "c": Facts(True)}, ignore_missing=ignore_missing)
    assert planned["b"].verdict == verdict
    if verdict == Verdict.EXCLUDED:
        assert planned["b"].reasons[0].code == "upstream_excluded"


def plan(make_node, facts: dict[str, Facts], **options) -> dict[str, PlannedJob]:
    """Plan a row of three steps."""
    graph = RecordGraph(
        [make_node("a", ["raw"], ["a"]), make_node("b", ["a"], ["b"]), make_node("c", ["a", "b"], ["c"])]
    )
    planned = plan_chain(
        graph,
        graph.chains[0],
        lambda number: facts[graph.nodes[number].label],
        lambda number: graph.nodes[number].key("REC-1"),
        **options,
    )
    return {graph.nodes[job.node].label: job for job in planned}


def test_missing_input_that_is_about_to_be_made_is_no_obstacle(make_node) -> None:
    """A step runs when what it misses is written by a step that runs before it in the same plan."""
    gone = Facts(False, ("input",))
    found = plan(make_node, {"a": Facts(False), "b": gone, "c": gone})
    assert [job.verdict for job in found.values()] == [Verdict.RUN] * 3
    found = plan(make_node, {"a": gone, "b": gone, "c": gone})
    assert [job.verdict for job in found.values()] == [Verdict.MISSING_INPUT] * 3
    assert found["b"].missing == ("input",)


def test_step_that_another_run_is_at_is_waited_for(make_node) -> None:
    """A live claim of the step before blocks nothing and lacks nothing: the run asks again until it is over."""
    facts = {"a": Facts(False, claim="live"), "b": Facts(False, ("input",)), "c": Facts(False)}
    found = plan(make_node, facts, selected=frozenset({1, 2}))
    assert [job.verdict for job in found.values()] == [Verdict.RUN] * 2


def test_unfinished_step_that_does_not_run_blocks(make_node) -> None:
    """A step that failed or did not end blocks what it feeds unless it runs in the same plan, with or without an output."""
    for bad in (Facts(True, failed=True), Facts(False, failed=True), Facts(True, claim="dead")):
        facts = {"a": bad, "b": Facts(False), "c": Facts(False)}
        found = plan(make_node, facts, selected=frozenset({1, 2}))
        assert [job.verdict for job in found.values()] == [Verdict.BLOCKED] * 2
        assert found["b"].missing == ("REC-1/a",)
        assert [job.verdict for job in plan(make_node, facts).values()] == [Verdict.RUN] * 3


def test_step_that_another_run_works_on_is_waited_for(make_node) -> None:
    """What a live run is making now may appear: the step behind it runs; a mark of failure blocks as ever."""
    gone = Facts(False, ("input",))
    found = plan(make_node, {"a": gone._replace(claim="live"), "b": gone, "c": gone}, selected=frozenset({1}))
    assert found["b"].verdict == Verdict.RUN
    marked = gone._replace(claim="live", failed=True)
    found = plan(make_node, {"a": marked, "b": gone, "c": gone}, selected=frozenset({1}))
    assert found["b"].verdict == Verdict.BLOCKED


def test_block_of_a_plan_is_a_chain(make_node) -> None:
    """What misses its input runs not; steps behind a failed one that can't run are blocked, others are not touched."""
    facts = {"a": Facts(True, ("raw",), failed=True), "b": Facts(True), "c": Facts(False)}
    found = plan(make_node, facts)
    assert [job.verdict for job in found.values()] == [
        Verdict.MISSING_INPUT,
        Verdict.UP_TO_DATE,
        Verdict.BLOCKED,
    ]


def test_facts_are_asked_once_and_only_where_needed(make_node) -> None:
    """Each node's facts are asked for once; nodes that were not asked for only when they feed one that was."""
    asked: list[int] = []
    graph = RecordGraph(
        [make_node("a", ["raw"], ["a"]), make_node("b", ["raw"], ["b"]), make_node("c", ["b"], ["c"])]
    )

    def facts_of(number: int) -> Facts:
        asked.append(number)
        return Facts(True)

    planned = plan_chain(graph, graph.chains[0], facts_of, str, selected=frozenset({2}))
    assert [job.node for job in planned] == [2]
    assert sorted(asked) == [1, 2]


facts_strategy = st.builds(
    Facts,
    st.booleans(),
    st.sampled_from([(), ("raw",)]),
    st.sampled_from([None, "live", "dead"]),
    st.booleans(),
    outdated=st.sampled_from([(), (Reason("input_changed", "raw changed"),)]),
    excluded=st.sampled_from([None, None, "excluded by me"]),
)


@given(
    st.lists(facts_strategy, min_size=3, max_size=3),
    st.lists(st.sampled_from(["missing", "outdated", "always"]), min_size=3, max_size=3),
    st.booleans(),
    st.sets(st.integers(0, 2)),
)
def test_plan_invariants(
    facts: list[Facts], rerun: list[str], ignore_missing: bool, chosen: set[int]
) -> None:
    """One verdict for each node asked for, in order; a needed job is never up to date; nothing runs behind what is bad and does not run."""
    from sinagot.dataset.patterns import PathPattern
    from sinagot.engine.planning.graph import Slot, StepNode

    def slot(path: str) -> Slot:
        return Slot(None, PathPattern(f"{path}/{{id}}"), "/data", frozenset())

    graph = RecordGraph(
        [
            StepNode(
                label, number, None, None, inputs=[slot(source) for source in sources], outputs=[slot(label)]
            )
            for number, (label, sources) in enumerate((("a", ["raw"]), ("b", ["a"]), ("c", ["a", "b"])), 1)
        ]
    )
    selected = frozenset(chosen)
    # What changed is asked for only where it counts.
    facts = [
        one if rule == "outdated" else one._replace(outdated=())
        for one, rule in zip(facts, rerun, strict=True)
    ]
    planned = plan_chain(
        graph,
        (0, 1, 2),
        facts.__getitem__,
        str,
        rerun_of=rerun.__getitem__,
        ignore_missing=ignore_missing,
        selected=selected,
    )
    assert [job.node for job in planned] == sorted(selected)
    verdicts = {job.node: job.verdict for job in planned}
    for number, verdict in verdicts.items():
        own = facts[number]
        remade = [source for source in graph.nodes[number].upstream if verdicts.get(source) == Verdict.RUN]
        is_needed = (
            rerun[number] == "always"
            or own.failed
            or own.claim is not None
            or not own.outputs_present
            or (rerun[number] == "outdated" and bool(own.outdated or remade))
        )
        if own.excluded is not None:
            assert verdict == Verdict.EXCLUDED
            continue
        assert is_needed == (verdict != Verdict.UP_TO_DATE)
        if verdict == Verdict.RUN:
            for source in graph.nodes[number].upstream:
                is_bad = facts[source].failed or facts[source].claim == "dead"
                assert not is_bad or verdicts.get(source) == Verdict.RUN
