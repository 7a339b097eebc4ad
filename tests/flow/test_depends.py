"""Laws of dependencies: one plan, two doors, two event loops."""

from __future__ import annotations

import functools
import inspect
import pickle
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from typing import Annotated, Any, NamedTuple

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinagot.errors import DependencyError
from sinagot.flow import CurrentRecord, Depends, current_record, params, path_in, path_out, record_logger
from sinagot.flow.depends import Plan, plan_of
from tests.threads import since_now

DOORS = ("asyncio", "trio", "thread")


class Run(NamedTuple):
    """What a run tells of itself."""

    record: Mapping[str, Any] | None = None
    paths: Mapping[str, Any] | None = None
    params: Mapping[str, Any] = {}
    logger: Any = None


def through(door: str, plan: Plan, body: Callable[[dict[str, Any]], Any] = dict, **given: Any) -> Any:
    """Open a plan by a door, and give what a body makes of the arguments."""
    context = given.pop("context", None)
    if door == "thread":
        with plan.open_here(given, context) as arguments:
            return body(arguments)

    async def main() -> Any:
        async with plan.open(given, context) as arguments:
            return body(arguments)

    return anyio.run(main, backend=door)


def two() -> int:
    return 2


async def three(base: Annotated[int, Depends(two)]) -> int:
    await anyio.sleep(0)
    return base + 1


def four(a: int = Depends(two), b: int = Depends(three)) -> Iterator[int]:
    yield a + b - 1


async def five(a: Annotated[int, Depends(four)], foo: int) -> AsyncIterator[int]:
    yield a + foo


@pytest.mark.parametrize("door", DOORS)
def test_all_styles_give_their_values(door: str) -> None:
    """Default and Annotated, sync, async, nested, generators: each argument gets what its function makes."""

    def function(
        foo: int, x: Annotated[int, Depends(five)], y: int = Depends(three), *, z: int = 9
    ) -> None: ...

    plan = plan_of(function, {"foo"})
    assert (plan.given, list(plan.dependencies), plan.defaults) == (("foo",), ["x", "y"], ("z",))
    assert through(door, plan, foo=1) == {"foo": 1, "x": 5, "y": 3}


@pytest.mark.parametrize("door", DOORS)
def test_whatever_can_be_called_is_a_dependency(door: str) -> None:
    """Classes, objects, methods, partial functions and lambdas are called; an empty mark calls the argument's type."""

    class Scale:
        def __init__(self, base: int = Depends(two)) -> None:
            self.base = base

        def doubled(self) -> int:
            return 2 * self.base

        async def __call__(self) -> int:
            return 3 * self.base

    scale = Scale(5)
    part = functools.partial(five, foo=30)

    def function(
        made: Annotated[Scale, Depends()],
        bound: Any = Depends(scale.doubled),
        called: Any = Depends(scale),
        part: Any = Depends(part),
        short: Any = Depends(lambda: 7),
        empty: Any = Depends(dict),
    ) -> None: ...

    found = through(door, plan_of(function, ()))
    assert found.pop("made").base == 2
    assert found == {"bound": 10, "called": 15, "part": 34, "short": 7, "empty": {}}


def test_texts_of_annotations_find_names_local_to_a_function() -> None:
    """An annotation is a text here; what it names is found where the function was defined, and only there."""

    def local() -> str:
        return "local"

    def function(x: Annotated[str, Depends(local)], y: NotThere = None) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    assert through("thread", plan_of(function, ())) == {"x": "local"}

    def made() -> Callable[..., None]:
        def gone() -> int:
            return 0

        def orphan(x: Annotated[int, Depends(gone)]) -> None: ...

        return orphan

    def stranger() -> None:
        gone = two
        assert gone
        plan_of(made(), ())

    with pytest.raises(
        DependencyError, match=r"argument 'x' of orphan .*test_depends.py:\d+.*'gone' is not defined"
    ):
        stranger()


def test_what_cannot_be_resolved_is_told_before_anything_runs() -> None:
    """The error names function, argument, file and line, and what may have been meant."""

    def source(fo: int) -> int:
        raise AssertionError("it is not called")

    def lacks(foo: int, bar: int) -> None: ...
    def nested(foo: int, x: int = Depends(source)) -> None: ...
    def twice(x: Annotated[int, Depends(two)] = Depends(two)) -> None: ...
    def empty(x=Depends()) -> None: ...  # type: ignore[no-untyped-def]
    def placed(x=Depends(two), /) -> None: ...  # type: ignore[no-untyped-def]
    def round_a(x: Annotated[int, Depends(round_b)]) -> int: ...  # type: ignore[empty-body]
    def round_b(x: Annotated[int, Depends(round_a)]) -> int: ...  # type: ignore[empty-body]

    for function, text in (
        (lacks, r"argument 'bar' of lacks \(.*test_depends.py:\d+\) comes from nowhere.* inputs are foo"),
        (nested, r"argument 'fo' of dependency source \(.*\).*did you mean 'foo'\?"),
        (twice, "argument 'x' of twice .* marked twice"),
        (empty, r"argument 'x' of empty .* empty Depends\(\)"),
        (placed, "argument 'x' of placed .* by place only"),
        (round_a, "circle: round_a -> round_b -> round_a"),
    ):
        with pytest.raises(DependencyError, match=text):
            plan_of(function, {"foo"})
    with pytest.raises(DependencyError, match="without a call"):
        Depends(3)  # type: ignore[arg-type]
    with pytest.raises(DependencyError, match="another one for each element"):
        plan_of(nested, {"foo", "fo"}, varying={"fo"})


@pytest.mark.parametrize("door", DOORS)
def test_what_is_given_is_not_built(door: str) -> None:
    """An argument that the caller gives wins over the function that would make it, for a test with a stand-in."""

    def never() -> None:
        raise AssertionError("it is not called")

    def function(x: Any = Depends(never)) -> None: ...

    assert through(door, plan_of(function, ()), x=3) == {"x": 3}
    assert not plan_of(function, {"x"}).dependencies


@pytest.mark.parametrize("door", DOORS)
def test_without_a_cache_each_asker_has_its_own(door: str) -> None:
    """`use_cache=False` builds anew for each argument; others share one, and each opening begins anew."""
    calls = iter(range(100))

    def number() -> int:
        return next(calls)

    def nested(x: int = Depends(number)) -> int:
        return x

    def function(
        a: Any = Depends(number),
        b: Any = Depends(number, use_cache=False),
        c: Any = Depends(nested),
        d: Any = Depends(number, use_cache=False),
    ) -> None: ...

    plan = plan_of(function, ())
    assert through(door, plan) == {"a": 0, "b": 1, "c": 0, "d": 2}
    assert through(door, plan)["a"] == 3


class Broken(Exception):  # noqa: N818
    """What fails here."""


KINDS = ("value", "awaited", "generator", "async generator")
graphs = st.lists(
    st.tuples(st.sampled_from(KINDS), st.frozensets(st.integers(0, 7), max_size=3)), min_size=1, max_size=8
)
faults = st.tuples(st.sampled_from(("none", "body", "cancel", "build", "clean-up")), st.integers(0, 7))


def made(
    number: int, kind: str, parts: dict[str, Callable[..., Any]], fault: int | str, told: list[Any]
) -> Any:
    """Make one dependency that tells what becomes of it."""

    def build(found: dict[str, Any]) -> Any:
        told.append(("built", number))
        if fault == "build":
            raise Broken(number)
        return number, sorted(found.items())

    def clean() -> None:
        told.append(("cleaned", number))
        if fault == "clean-up":
            raise Broken(number)

    def value(**found: Any) -> Any:
        return build(found)

    async def awaited(**found: Any) -> Any:
        await anyio.sleep(0)
        return build(found)

    def generator(**found: Any) -> Iterator[Any]:
        made = build(found)
        try:
            yield made
        finally:
            clean()

    async def async_generator(**found: Any) -> AsyncIterator[Any]:
        made = build(found)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.sleep_forever)
                yield made
                tasks.cancel_scope.cancel()
        finally:
            await anyio.sleep(0)
            clean()

    function = {"value": value, "awaited": awaited, "generator": generator}.get(kind, async_generator)
    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=Depends(one))
            for name, one in parts.items()
        ]
    )
    return function


@settings(max_examples=150, deadline=None)
@given(graphs, faults, st.sampled_from(DOORS))
def test_each_is_built_once_and_cleaned_in_reverse_whatever_fails(
    graph: list[tuple[str, frozenset[int]]], fault: tuple[str, int], door: str
) -> None:
    """In any graph, with a failure or cancellation anywhere, by any door: built once, cleaned once, in reverse."""
    told: list[Any] = []
    functions: list[Any] = []
    what, place = fault
    if what == "cancel" and door == "thread":
        what = "body"
    for number, (kind, parts) in enumerate(graph):
        known = {f"p{part}": functions[part] for part in sorted(parts) if part < number}
        functions.append(made(number, kind, known, what if place == number else "", told))
    is_faulty = place < len(graph) and (
        what == "build" or (what == "clean-up" and "generator" in graph[place][0])
    )

    def function(**found: Any) -> None: ...

    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(f"p{number}", inspect.Parameter.KEYWORD_ONLY, default=Depends(one))
            for number, one in enumerate(functions)
        ]
    )
    plan = plan_of(function, ())

    def body(arguments: dict[str, Any]) -> dict[str, Any]:
        told.append("body")
        assert all(arguments[name][0] == int(name[1:]) for name in arguments) and len(arguments) == len(graph)
        if what == "body":
            raise KeyError("body")
        return arguments

    async def cancelled() -> None:
        with anyio.CancelScope() as scope:
            async with plan.open({}):
                told.append("body")
                scope.cancel()
                await anyio.sleep_forever()
        assert scope.cancelled_caught

    error: BaseException | None = None
    try:
        if what == "cancel":
            anyio.run(cancelled, backend=door)
        else:
            through(door, plan, body)
    except Exception as problem:  # noqa: BLE001
        error = problem
    if what == "body":
        assert type(error) is KeyError and not hasattr(error, "__notes__")
    else:
        assert isinstance(error, Broken) is is_faulty and (error is None) is not is_faulty
    built = [one[1] for one in told if one[0] == "built"]
    cleaned = [one[1] for one in told if one[0] == "cleaned"]
    assert len(set(built)) == len(built)
    assert ("body" in told) is not (is_faulty and what == "build")
    if what == "build" and is_faulty:
        assert built.pop() == place
    assert cleaned == [number for number in reversed(built) if "generator" in graph[number][0]]


@pytest.mark.parametrize("door", DOORS)
def test_a_failing_clean_up_does_not_hide_the_first_error(door: str) -> None:
    """The first error is raised as it was, with a note of what failed after it; and no clean-up can swallow it."""

    def swallows() -> Iterator[int]:
        with suppress(Exception):
            yield 1

    async def fails(x: int = Depends(swallows)) -> AsyncIterator[int]:
        try:
            yield x
        finally:
            raise Broken("while closing")

    def function(x: int = Depends(fails)) -> None: ...

    def body(arguments: dict[str, Any]) -> None:
        raise KeyError("first")

    with pytest.raises(KeyError) as caught:
        through(door, plan_of(function, ()), body)
    assert caught.value.__notes__ == [
        "the clean-up of dependency fails failed as well: Broken: while closing"
    ]
    with pytest.raises(Broken, match="while closing"):
        through(door, plan_of(function, ()))


async def yields_none() -> AsyncIterator[int]:
    for one in ():
        yield one


def yields_two() -> Iterator[int]:
    yield 1
    yield 2


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("source", "count"), [(yields_none, "none"), (yields_two, "more than one")])
def test_a_generator_must_yield_one_value(door: str, source: Any, count: str) -> None:
    """Other generators are told by name and place."""

    def function(x: int = Depends(source)) -> None: ...

    with pytest.raises(
        DependencyError, match=rf"{source.__name__} \(.*\) must yield one value.* yields {count}"
    ):
        through(door, plan_of(function, ()))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_clean_ups_are_shielded_from_the_cancellation(backend: str) -> None:
    """What awaits in a clean-up ends its work; one that fails then is told, and not lost with the cancellation."""
    told: list[str] = []

    async def slow() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            for _ in range(3):
                await anyio.sleep(0)
            told.append("closed")

    async def fails() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await anyio.sleep(0)
            raise Broken("while closing")

    def one(x: int = Depends(slow)) -> None: ...
    def other(y: int = Depends(slow), x: int = Depends(fails)) -> None: ...

    async def main(plan: Plan) -> None:
        with anyio.CancelScope() as scope:
            async with plan.open({}):
                scope.cancel()
                await anyio.sleep_forever()

    anyio.run(main, plan_of(one, ()), backend=backend)
    assert told == ["closed"]
    with pytest.raises(Broken):
        anyio.run(main, plan_of(other, ()), backend=backend)
    assert told == ["closed"] * 2


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_dependency_that_cancels_what_depends_on_it_is_an_error(backend: str) -> None:
    """A scope inside of a dependency may end the body; that is told, and never taken for a success."""

    async def limited() -> AsyncIterator[anyio.CancelScope]:
        with anyio.CancelScope() as scope:
            yield scope

    async def watched(x: int = Depends(limited)) -> AsyncIterator[int]:
        async with anyio.create_task_group():
            yield 1

    def function(scope: Any = Depends(limited), y: int = Depends(watched)) -> None: ...

    async def main() -> None:
        async with plan_of(function, ()).open({}) as arguments:
            arguments["scope"].cancel()
            await anyio.sleep_forever()

    with pytest.raises(DependencyError, match="dependency limited cancelled what depends on it"):
        anyio.run(main, backend=backend)


def test_in_a_thread_sync_functions_stay_there_and_the_loop_ends() -> None:
    """What is bound to its thread, as a database, can be used by the function; no thread is left behind."""
    threads: list[str] = []

    def here() -> Iterator[int]:
        threads.append(threading.current_thread().name)
        yield threading.get_ident()
        threads.append(threading.current_thread().name)

    async def there(x: int = Depends(here)) -> AsyncIterator[int]:
        threads.append(threading.current_thread().name)
        yield threading.get_ident()
        threads.append(threading.current_thread().name)

    def function(x: int = Depends(here), y: int = Depends(there)) -> None: ...

    none_is_left = since_now()
    own = threading.current_thread().name
    found = through("thread", plan_of(function, ()))
    assert found["x"] == threading.get_ident() != found["y"]
    assert threads == [own, "sinagot-dependencies", "sinagot-dependencies", own]
    none_is_left()


@pytest.mark.parametrize("door", DOORS)
def test_ready_made_dependencies_read_the_run(door: str) -> None:
    """Record, paths, parameters and logger of the run are there at any depth, in async functions too."""

    async def nested(record: Annotated[CurrentRecord, Depends(current_record)]) -> str:
        return current_record().id + record.id

    def function(
        x: Any = Depends(nested),
        raw: Any = Depends(path_in("raw")),
        out: Any = Depends(path_out("out")),
        said: Any = Depends(params),
        logger: Any = Depends(record_logger),
    ) -> None: ...

    plan = plan_of(function, ())
    assert sorted(plan.paths) == [("in", "raw"), ("out", "out")]
    run = Run(
        {"id": "A", "task": "RS", "modality": None}, {"raw": "a.raw", "out": "a.out"}, {"low": 8.0}, "voice"
    )
    found = through(door, plan, context=run)
    assert found == {"x": "AA", "raw": "a.raw", "out": "a.out", "said": {"low": 8.0}, "logger": "voice"}
    with pytest.raises(
        DependencyError, match=r"path_in\('raw'\): there is no path 'raw'; .*did you mean 'raw2'"
    ):
        through(door, plan, context=Run({"id": "A"}, {"raw2": ""}, {}, "voice"))
    with pytest.raises(DependencyError, match="for no record"):
        through(door, plan, context=Run())


@pytest.mark.parametrize("asked", [current_record, params, record_logger, path_in("raw"), path_out("out")])
def test_outside_of_a_run_ready_made_dependencies_say_so(asked: Callable[[], Any]) -> None:
    """Without a run there is nothing to give, and the message says what to write."""
    with pytest.raises(DependencyError, match=r"write Depends\("):
        asked()


def test_a_plan_travels() -> None:
    """A plan comes out of a pickle with what is shared still shared."""
    plan = pickle.loads(pickle.dumps(plan_of(five, {"foo"})))
    assert through("thread", plan, foo=4) == {"foo": 4, "a": 4} and len(plan.nodes) == 3


@pytest.mark.parametrize(
    "name", ["sinagot.flow", "sinagot.flow.depends", "sinagot.flow.opening", "sinagot.pipeline.stage"]
)
def test_no_event_loop_is_loaded_before_it_is_needed(name: str) -> None:
    """Neither anyio nor asyncio is loaded by whoever only marks or plans, or opens without async functions."""
    code = f"""
import sys, importlib; importlib.import_module({name!r})
from sinagot.flow import Depends
from sinagot.flow.depends import plan_of
def function(x=Depends(dict)): ...
with plan_of(function, ()).open_here({{}}) as found: assert found == {{"x": {{}}}}
print(sorted({{"anyio", "asyncio", "trio", "fast_depends"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
