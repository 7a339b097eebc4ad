"""The shape of the work on one record."""

from __future__ import annotations

from collections import defaultdict
from graphlib import CycleError, TopologicalSorter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.dataset.patterns import PathPattern
from sinagot.engine.planning.graph import RecordGraph, Slot, StepNode
from sinagot.errors import ConfigurationError


def upstream(graph: RecordGraph) -> dict[str, set[str]]:
    """Give the labels that feed each label."""
    return {node.label: {graph.nodes[source].label for source in node.upstream} for node in graph.nodes}


def test_edges_follow_paths_not_neighbours(make_node) -> None:
    """c reads a's output while b stands between: c waits for a, not for b; two steps on the raw file do not wait."""
    graph = RecordGraph(
        [make_node("a", ["raw"], ["a"]), make_node("b", ["raw"], ["b"]), make_node("c", ["a"], ["c"])]
    )
    assert upstream(graph) == {"a": set(), "b": set(), "c": {"a"}}
    assert [node.label for node in graph.nodes] == ["a", "b", "c"]
    assert graph.chains == ((0, 1, 2),)


def test_later_step_of_a_unit_never_feeds_an_earlier_one(make_node) -> None:
    """Within a unit the configured order rules, whatever the paths say."""
    graph = RecordGraph([make_node("a", ["b"], ["a"]), make_node("b", ["raw"], ["b"])])
    assert [node.label for node in graph.nodes] == ["a", "b"]
    assert upstream(graph) == {"a": set(), "b": set()}


def test_other_units_come_first_when_they_feed(make_node) -> None:
    """A step waits for another unit's output; ties go by configuration; units that share nothing are chains of their own."""
    x, y, z = ("T", "x"), ("T", "y"), ("T", "z")
    graph = RecordGraph(
        [
            make_node("x1", ["raw", "y1"], ["x1"], x),
            make_node("x2", ["raw"], ["x2"], x),
            make_node("y1", ["raw"], ["y1"], y),
            make_node("z1", ["raw"], ["z1"], z),
        ]
    )
    assert [node.label for node in graph.nodes] == ["y1", "x1", "x2", "z1"]
    assert upstream(graph)["x1"] == {"y1"}
    assert graph.chains == ((0, 1, 2), (3,))


@pytest.mark.parametrize("units", [("x", "y"), ("x", "x")], ids=["two units", "one unit"])
def test_circle_is_refused(make_node, units: tuple[str, str]) -> None:
    """Steps that feed each other can never all run: the error names them."""
    nodes = [
        make_node("raw", ["raw"], ["z"], ("T", "x")),
        make_node("a", ["b"], ["a"], ("T", units[0])),
        make_node("b", ["a"], ["b"], ("T", units[1])),
    ]
    with pytest.raises(
        ConfigurationError, match=r"wait for each other in a circle: (T-.-a -> T-.-b|T-.-b -> T-.-a) -> "
    ):
        RecordGraph(nodes)


def test_circle_through_the_order_of_a_unit_is_refused(make_node) -> None:
    """A unit whose first step waits for a unit that waits for its second step is a circle too."""
    nodes = [
        make_node("x1", ["y"], ["x1"], ("T", "x")),
        make_node("x2", ["raw"], ["x2"], ("T", "x")),
        make_node("y1", ["x2"], ["y"], ("T", "y")),
    ]
    with pytest.raises(ConfigurationError, match="T-y-y1") as caught:
        RecordGraph(nodes)
    assert "T-x-x1" in str(caught.value) and "T-x-x2" in str(caught.value)


def test_same_path_below_another_root_is_no_edge() -> None:
    """An input below one root is not fed by an output of the same relative path below another."""

    def one(path: str, root: str) -> Slot:
        return Slot(None, PathPattern(path), root, frozenset())

    graph = RecordGraph(
        [
            StepNode("a", 1, None, None, outputs=[one("a/{id}", "/made")]),
            StepNode("b", 2, None, None, inputs=[one("a/{id}", "/data")], outputs=[one("b/{id}", "/made")]),
            StepNode("c", 3, None, None, inputs=[one("a/{id}", "/made")], outputs=[one("c/{id}", "/made")]),
        ]
    )
    assert upstream(graph) == {"a": set(), "b": set(), "c": {"a"}}


@pytest.mark.parametrize(
    ("task", "modality", "place", "key"),
    [(None, None, "a", "REC-1/a"), ("RS", "EEG", "RS-EEG-a", "REC-1/RS/EEG/a")],
)
def test_places_and_keys(task: str | None, modality: str | None, place: str, key: str) -> None:
    """A step is named for people and for files."""
    node = StepNode("a", 1, task, modality)
    assert (node.place, node.key("REC-1")) == (place, key)


def test_slots_give_paths_below_their_root() -> None:
    """A slot gives relative and full paths, fast where `{id}` is the only field."""
    plain = Slot(None, PathPattern(("raw", "{id}.csv")), "/data", frozenset())
    assert plain.formatter is not None and plain.folder == "raw"
    assert plain.final({"id": "REC-1"}) == "/data/raw/REC-1.csv"
    entity = Slot(
        "x", PathPattern("sub-{subject}/{id}[_run-{run}].csv"), "/data", frozenset({"subject", "run"})
    )
    assert entity.formatter is None and entity.folder is None and entity.free == set()
    assert entity.relative({"id": "I", "subject": "1", "run": ""}) == "sub-1/I.csv"
    free = Slot(None, PathPattern("{id}_{system}.csv"), "/data", frozenset())
    assert free.free == {"system"}


paths = st.sampled_from(["raw", *"pqrstu"])
steps = st.lists(
    st.tuples(st.sampled_from([("T", "x"), ("T", "y"), ("U", "x")]), st.sets(paths, max_size=3)),
    min_size=1,
    max_size=7,
)


def has_circle(wanted: list[tuple[tuple[str, str], set[str], str]]) -> bool:
    """Say whether steps (unit, inputs, output) wait for each other."""
    waits: dict[int, set[int]] = {}
    for number, (unit, inputs, output) in enumerate(wanted):
        waits[number] = {other for other in range(number) if wanted[other][0] == unit}
        for other, (its_unit, its_inputs, its_output) in enumerate(wanted):
            if its_output in inputs and other != number and (its_unit != unit or output in its_inputs):
                waits[number].add(other)
    try:
        TopologicalSorter(waits).prepare()
    except CycleError:
        return True
    return False


@given(steps)
def test_any_graph_has_an_order(wanted: list[tuple[tuple[str, str], set[str]]]) -> None:
    """Every step comes out once, after all that feeds it, each unit in its order; chains part the steps and cut no edge.

    Or steps wait for each other, and the graph is refused.
    """
    counts: dict[tuple[str, str], int] = defaultdict(int)
    nodes = []
    wanted = sorted(wanted, key=lambda step: step[0])
    for number, (unit, inputs) in enumerate(wanted):
        counts[unit] += 1

        def slot(path: str) -> Slot:
            return Slot(None, PathPattern(f"{path}/{{id}}"), "/data", frozenset())

        out = [slot("pqrstuv"[number])]
        nodes.append(
            StepNode(f"{number}", counts[unit], *unit, inputs=[slot(path) for path in inputs], outputs=out)
        )
    if has_circle([(unit, inputs, "pqrstuv"[number]) for number, (unit, inputs) in enumerate(wanted)]):
        with pytest.raises(ConfigurationError, match="circle"):
            RecordGraph(nodes)
        return
    graph = RecordGraph(nodes)
    assert sorted(node.label for node in graph.nodes) == sorted(node.label for node in nodes)
    assert [node.index for node in graph.nodes] == list(range(len(nodes)))
    for node in graph.nodes:
        assert all(source < node.index for source in node.upstream)
        for source in node.upstream:
            fed = {slot.pattern.canonical for slot in graph.nodes[source].outputs}
            assert fed & {slot.pattern.canonical for slot in node.inputs}
    for unit in counts:
        indices = [node.step_index for node in graph.nodes if (node.task, node.modality) == unit]
        assert indices == sorted(indices)
    assert sorted(number for chain in graph.chains for number in chain) == list(range(len(nodes)))
    home = {number: chain for chain in graph.chains for number in chain}
    for node in graph.nodes:
        assert all(home[source] == home[node.index] for source in node.upstream)
        assert list(home[node.index]) == sorted(home[node.index])
    for one in graph.nodes:
        for two in graph.nodes:
            if (one.task, one.modality) == (two.task, two.modality):
                assert home[one.index] == home[two.index]
