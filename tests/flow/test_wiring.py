"""Laws of how processors hang together, and of what is told when they do not."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sinagot.flow
from sinagot.flow import IO, Flow, FlowDefinitionError, IOVal, Processor
from sinagot.flow.stalls import Wait, stalled
from sinagot.flow.wiring import check_inputs, wired

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])


def processor(name: str, inputs: Any = (), outputs: Any = (), **options: Any) -> Processor:
    """Give a processor that takes whatever it declares."""
    return Processor(name, inputs, outputs, **options)(lambda **streams: streams)


@given(st.lists(st.tuples(st.sets(NAMES, max_size=3), st.sets(NAMES, max_size=2)), min_size=1, max_size=5))
def test_wiring_orders_or_refuses(drawn: list[tuple[set[str], set[str]]]) -> None:
    """Processors come behind their producers, each stream has one, or the error names a circle or a second producer."""
    given_ = [
        processor(f"p{number}", sorted(inputs), sorted(outputs))
        for number, (inputs, outputs) in enumerate(drawn)
    ]
    written = [stream for one in given_ for stream in one.outputs]
    try:
        wiring = wired(given_)
    except FlowDefinitionError as error:
        if len(set(written)) < len(written):
            assert "has two producers" in str(error)  # noqa: PT017  (either outcome is right, each with its law)
            return
        ring = error.facts["circle"]
        by_name = {one.name: one for one in given_}
        assert ring[0] == ring[-1]
        for source, target in pairwise(ring):
            assert set(by_name[source].outputs) & set(by_name[target].inputs)
        return
    seen: set[str] = set()
    for one in wiring.processors:
        assert not {wiring.producers[stream] for stream in one.inputs if stream in wiring.producers} - seen
        seen.add(one.name)
    read = {stream for one in given_ for stream in one.inputs}
    assert set(wiring.inputs) == read - set(written)
    assert set(wiring.results) == set(written) - read
    assert seen == {one.name for one in given_}


@given(st.dictionaries(NAMES, st.tuples(st.lists(NAMES, min_size=1, max_size=3), st.booleans()), max_size=5))
def test_stalled_are_those_who_can_never_go_on(drawn: dict[str, tuple[list[str], bool]]) -> None:
    """Who is named waits for others who are named only; who is not named can go on once others have moved."""
    waits = {name: Wait(tuple(whom), "", needs_all) for name, (whom, needs_all) in drawn.items()}
    stuck = set(stalled(waits, "abcde"))
    for name in stuck:
        found = [one in stuck for one in waits[name].whom]
        assert any(found) if waits[name].needs_all else all(found)
    free = set("abcde") - set(waits)
    while new := {
        name
        for name, wait in waits.items()
        if name not in free and (all if wait.needs_all else any)(one in free for one in wait.whom)
    }:
        free |= new
    assert free | stuck == set("abcde")
    assert not free & stuck


def foo_to_bar(foo: IO[int]) -> Any:
    """Give a value for a stream whose name is not quite an output."""
    yield IOVal(name="baar", value=foo)


def needs_more(foo: IO[int], factor: int) -> int:
    """Ask for something that nobody gives."""
    return factor


WRONG = {
    "no processor": ([], "at least one processor"),
    "two of one name": ([processor("a"), processor("a")], "two processors are called 'a'"),
    "no function": ([Processor("a", [], ["b"])], "has no function"),
    "two producers": ([processor("a", [], ["x"]), processor("b", [], ["x"])], "two producers, 'a' and 'b'"),
    "circle": (
        [processor("a", ["y"], ["x"]), processor("b", ["x"], ["y"])],
        "in a circle: 'a' -> x -> 'b' -> y -> 'a'",
    ),
    "own output": ([processor("a", ["x"], ["x"])], "in a circle: 'a' -> x -> 'a'"),
    "undeclared": (
        [Processor("a", ["foo"], ["bar"])(foo_to_bar)],
        "'baar', which is not among its outputs ('bar'); did you mean 'bar'?",
    ),
    "no parameter": (
        [Processor("a", ["fooo"], ["baar"])(foo_to_bar)],
        "no parameter of that name; did you mean 'foo'?",
    ),
    "from nowhere": ([Processor("a", ["foo"], ["bar"])(needs_more)], "argument 'factor'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_told(case: str) -> None:
    """What is wrong with a flow is an error of `resolve`, with the names, the place and what may have been meant."""
    processors, text = WRONG[case]
    flow = Flow.from_tasks(*processors)
    with pytest.raises(FlowDefinitionError) as caught:
        flow.resolve()
    assert text in str(caught.value)
    assert not flow.resolved
    if case not in ("no processor", "no function"):
        assert f"{__file__.rpartition('/')[2]}:" in str(caught.value)


def test_inputs_are_checked_with_near_names() -> None:
    """An input that is unknown, written by a processor, or missing is an error that says which there are."""
    wiring = wired(
        [
            processor("a", ["first"], ["second"]),
            processor("b", ["second", "thrid"], []),
            processor("c", [], ["third"]),
        ]
    )
    check_inputs(wiring, ["first", "thrid"])
    for names, text in {
        (
            "first",
            "thrid",
            "frist",
        ): "no input 'frist'; inputs of the flow are 'first', 'thrid'; did you mean 'first'?",
        ("first", "thrid", "second"): "processor 'a' writes it",
        ("first",): "neither given nor written by a processor; did you mean 'third'?",
        ("thrid",): "input 'first' of 'a'",
    }.items():
        with pytest.raises(FlowDefinitionError) as caught:
            check_inputs(wiring, names)
        assert text in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"name": ""}, "not empty"),
        ({"name": "a", "inputs": "foo"}, "list of names; write ['foo']"),
        ({"name": "a", "inputs": ["x", "x"]}, "has 'x' twice"),
        ({"name": "a", "outputs": [1]}, "1 in outputs"),
        ({"name": "a", "max_lead": 0}, "max_lead = 0"),
        ({"name": "a", "retries": -1}, "retries = -1"),
    ],
)
def test_declarations_are_checked(arguments: Any, text: str) -> None:
    """A name or a number that cannot be used is told when the processor is made."""
    with pytest.raises(FlowDefinitionError) as caught:
        Processor(**arguments)
    assert text in str(caught.value)


def test_processor_has_one_function() -> None:
    """A processor stays what it is once it has a function, and serves in any number of flows."""
    one = processor("a", [], ["x"])
    with pytest.raises(FlowDefinitionError, match="already the function"):
        one(len)
    with pytest.raises(AttributeError):
        one.name = "b"  # type: ignore[misc]
    assert Flow.from_tasks(one).resolve().resolved
    assert Flow.from_processors(one).resolve().resolved


def test_descriptions_name_streams_and_processors() -> None:
    """A flow is described for people, for Mermaid and for Graphviz; another form is refused."""
    flow = Flow.from_tasks(
        processor("power", ["clean"], ["alpha"], wait=True, retries=2),
        processor("clean", ["raw"], ["clean"], max_lead=4),
        name="eeg",
    )
    assert flow.describe().splitlines() == [
        "eeg: 2 processors",
        "  inputs   raw",
        "  clean    raw -> clean; leads by 4 at most",
        "  power    clean -> alpha; waits for all its inputs; retries 2",
        "  results  alpha",
    ]
    assert 'n1 -->|"clean"| n2' in flow.describe("mermaid")
    assert '"clean" -> "power" [label="clean"];' in flow.describe("dot")
    with pytest.raises(FlowDefinitionError, match="did you mean 'mermaid'"):
        flow.describe("mermiad")


def test_names_of_the_package_resolve() -> None:
    """Each name that the package offers is there."""
    assert all(getattr(sinagot.flow, name) is not None for name in sinagot.flow.__all__)
