"""The shape of the work on one record."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.dataset.patterns import PathPattern
from sinagot.engine.graph import RecordGraph, Slot, StepNode


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


def test_circle_of_units_is_broken_by_configuration_order(make_node) -> None:
    """Units that feed each other in a circle still come out, each once, in configuration order."""
    graph = RecordGraph([make_node("x", ["y"], ["x"], ("T", "x")), make_node("y", ["x"], ["y"], ("T", "y"))])
    assert [node.label for node in graph.nodes] == ["x", "y"]
    assert upstream(graph) == {"x": set(), "y": {"x"}}


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


@given(steps)
def test_any_graph_has_an_order(wanted: list[tuple[tuple[str, str], set[str]]]) -> None:
    """Every step comes out once, after all that feeds it, each unit in its order; chains part the steps and cut no edge."""
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
