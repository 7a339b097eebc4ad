"""Laws of large pipelines: what is held, and how much work many stages are."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sinagot.pipeline import LoggerSettings, Pipeline, Stage, ctx
from sinagot.pipeline.input import dependency, known
from sinagot.pipeline.parameters import Parameters
from sinagot.pipeline.running import PipelineRun


def quiet(stages: dict[str, Stage]) -> Pipeline:
    return Pipeline("quiet", stages=stages, log_settings=LoggerSettings("quiet", stream=False))


def run_as_step(pipeline: Pipeline) -> PipelineRun:
    """Run it as an attempt of a step does: values are kept as long as somebody reads them."""
    run = PipelineRun(pipeline, Parameters({}), "run", keeps=False)
    _, scene = pipeline.place.open(pipeline, "run", run.parameters)
    assert run.perform(scene, pipeline.stages).ok
    return run


def test_a_step_lets_go_of_what_nobody_reads_any_more() -> None:
    """In an attempt of a step an array is gone when its last reader is over."""
    held: list[weakref.ref[Any]] = []

    def make() -> Any:
        array = np.zeros(1000)
        held.append(weakref.ref(array))
        return array

    def more(array: Any) -> Any:
        assert array.shape == (1000,)
        return make()

    def look(**_: Any) -> list[bool]:
        return [one() is not None for one in held]

    stages = {
        "first": Stage(make),
        "second": Stage(more, [dependency("first", "array")]),
        "third": Stage(more, [dependency("second", "array")]),
        "look": Stage(look, [dependency("third", "array")]),
        "seen": Stage(lambda seen: _SEEN.append(seen), [dependency("look", "seen")]),
    }
    _SEEN.clear()
    assert not run_as_step(quiet(stages)).outputs
    assert _SEEN == [[False, False, True]] and not any(one() is not None for one in held)


_SEEN: list[Any] = []


def test_a_step_keeps_what_a_stage_may_ask_for() -> None:
    """A stage that reads ctx.STAGES by itself finds in a step what it finds elsewhere."""

    def look() -> None:
        _SEEN.append(ctx.STAGES["make"]["return"])

    _SEEN.clear()
    stages = {"make": Stage(lambda: 7), "use": Stage(lambda x: x, [dependency("make", "x")])}
    run_as_step(quiet({**stages, "look": Stage(look, after=["use"])}))
    assert _SEEN == [7]


def side_by_side(count: int) -> Pipeline:
    return quiet({str(n): Stage(lambda: 1) for n in range(count)})


def chain(count: int) -> Pipeline:
    return quiet({str(n): Stage(lambda: 1, after=[str(n - 1)] if n else []) for n in reversed(range(count))})


def dense(count: int) -> Pipeline:
    edges = {n: [dependency(str(m), f"a{m}") for m in range(max(0, n - 5), n)] for n in range(count)}
    return quiet({str(n): Stage(lambda **_: 1, inputs) for n, inputs in edges.items()})


def decorated(count: int) -> Pipeline:
    pipeline = quiet({})
    for n in range(count):
        pipeline.stage(f"s{n}", inputs=[known(n, "n")])(lambda n: n)
    return pipeline


@pytest.mark.parametrize("make", [side_by_side, chain, dense, decorated])
def test_many_stages_are_no_more_work_each_than_few(make: Callable[[int], Pipeline]) -> None:
    """Eight times as many stages are eight times as many calls of functions: to make, to check and to describe."""

    def calls(count: int) -> int:
        counted = 0

        def count_one(frame: Any, event: str, argument: Any) -> None:
            nonlocal counted
            counted += event in ("call", "c_call")

        sys.setprofile(count_one)
        try:
            pipeline = make(count)
            assert not pipeline.check() and len(pipeline.description().nodes) == count
        finally:
            sys.setprofile(None)
        assert len(pipeline.run()) == count
        return counted

    assert calls(1000) < 10 * calls(125)
