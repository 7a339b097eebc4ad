"""Laws of pipelines in Python: order, values, failures, and what a run leaves behind."""

from __future__ import annotations

import json
import pickle
import tempfile
import threading
import time
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinagot.pipeline import (
    DependencyInputMapper,
    ExitPipeline,
    Input,
    InputBinding,
    KeyedInputMapper,
    KeyedOutputMapper,
    LoggerSettings,
    Parameters,
    Pipeline,
    PipelineDefinitionError,
    PipelineError,
    SequentialOutputMapper,
    Stage,
    Variables,
    ctx,
    each,
)
from sinagot.pipeline.context import SOURCES
from sinagot.pipeline.input import dependency, immediate, known, param, record, var
from sinagot.pipeline.logging import info

TODAY = date(2026, 11, 21)


def get_data(source: Any, for_day: date) -> Any:
    info(f"Getting data from {source} for day {for_day}")
    return f"{source} for day {for_day}"


def combine_data(data1: str, data2: str) -> str:
    info(f"Combining data {data1} and {data2}")
    return f"{data1} and {data2}"


def validate_data(new_data: str, sources: list[str]) -> bool:
    info("Validating data against sources", data=new_data, sources=sources)
    return all(source in new_data for source in sources)


def make_example(log_dir: Path, *, is_reversed: bool = False) -> Pipeline:
    stages = {
        **{
            f"get_data{i}": Stage(
                get_data, inputs=[param(f"source{i}", as_arg="source"), known(TODAY, as_arg="for_day")]
            )
            for i in (1, 2)
        },
        "combine_data": Stage(
            combine_data, inputs=[dependency(f"get_data{i}", as_arg=f"data{i}") for i in (1, 2)]
        ),
        "validate_data": Stage(
            validate_data,
            inputs=[
                dependency("combine_data", as_arg="new_data"),
                Input(
                    as_arg="sources",
                    bind=InputBinding.deferred(ctx.PARAMETERS, mapper=lambda p: [p["source1"], p["source2"]]),
                    logged=True,
                ),
            ],
        ),
    }
    if is_reversed:
        stages = dict(reversed(stages.items()))
    return Pipeline(
        "ok enough",
        Parameters.define(source1="first", source2="second"),
        stages=stages,
        log_settings=LoggerSettings("ok_enough", log_dir=log_dir),
    )


def lines_of(folder: Path) -> list[dict[str, Any]]:
    (file,) = folder.iterdir()
    return [json.loads(line) for line in file.read_text().splitlines()]


def quiet(name: str = "quiet", **options: Any) -> Pipeline:
    return Pipeline(name, log_settings=LoggerSettings(name, stream=False), **options)


USERS = ("Getting data", "Combining data", "Validating data")


def test_the_example_runs_as_it_is_written(tmp_path: Path) -> None:
    """The documented pipeline gives the documented result, and one file of whole JSON lines in its order."""
    result = make_example(tmp_path / "logs").run()
    first, second = f"first for day {TODAY}", f"second for day {TODAY}"
    assert result == {
        "get_data1": first,
        "get_data2": second,
        "combine_data": f"{first} and {second}",
        "validate_data": True,
    }
    assert result.ok and set(result.status.values()) == {"DONE"} and not result.errors
    lines = lines_of(tmp_path / "logs")
    said = [line for line in lines if line["message"].startswith(USERS)]
    assert [line["stage"] for line in said] == ["get_data1", "get_data2", "combine_data", "validate_data"]
    assert said[-1]["sources"] == ["first", "second"] and said[-1]["data"] == f"{first} and {second}"
    assert {line["run_id"] for line in lines} == {result.run_id}
    assert {line["pipeline"] for line in lines} == {"ok enough"}
    assert (
        Path(said[0]["file"]).name == Path(__file__).name
        and said[0]["line"] == get_data.__code__.co_firstlineno + 1
    )
    assert lines[-1]["step_status"] == 30 and lines[-1]["duration_s"] > 0


def test_runs_leave_nothing_to_one_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One object runs fifty times: each message stands once a run, and no file is left open."""
    import psutil

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where locks are
    pipeline = make_example(tmp_path / "logs")
    ids = [pipeline.run().run_id for _ in range(50)]
    held = [one.path for one in psutil.Process().open_files()]
    assert [one for one in held if one.startswith(f"{tmp_path}/")] == []
    lines = lines_of(tmp_path / "logs")
    for run_id in ids:
        said = [line["message"] for line in lines if line["run_id"] == run_id]
        assert sum(text.startswith(USERS) for text in said) == 4
        assert said[0] == "Init run" and said[-1] == "Run finished"


def test_the_order_of_stages_follows_from_their_edges(tmp_path: Path) -> None:
    """Stages that are declared in reverse give the same result."""
    forward = make_example(tmp_path / "a").run()
    assert make_example(tmp_path / "b", is_reversed=True).run() == forward


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_stage_begins_before_what_it_needs_is_over(data: st.DataObject) -> None:
    """In any graph, on any number of threads, each stage is called once, after all that it needs."""
    count = data.draw(st.integers(1, 12))
    edges = {n: data.draw(st.sets(st.integers(0, n - 1))) if n else set() for n in range(count)}
    order = data.draw(st.permutations(range(count)))
    began: list[int] = []
    over: set[int] = set()

    def call(number: int) -> None:
        assert edges[number] <= over
        began.append(number)
        over.add(number)

    stages = {
        str(n): Stage(call, inputs=[known(n, "number")], after=[str(m) for m in sorted(edges[n])])
        for n in order
    }
    assert quiet(stages=stages, workers=data.draw(st.integers(1, 4))).run().ok
    assert sorted(began) == list(range(count))


def test_stages_without_edges_run_side_by_side() -> None:
    """Two stages that wait for one another end: both are running at the same time."""
    meeting = threading.Barrier(2, timeout=60)
    result = quiet(stages={"a": Stage(meeting.wait), "b": Stage(meeting.wait)}).run()
    assert sorted(result.values()) == [0, 1]


def test_a_failure_stops_what_depends_on_it_and_is_told(tmp_path: Path) -> None:
    """Of four stages in a row the second fails: the others are not called, and nothing says that all went well."""
    called: list[str] = []

    def fine(name: str) -> None:
        called.append(name)

    def broken() -> None:
        called.append("b")
        raise ValueError("no signal")

    pipeline = Pipeline(
        "four",
        stages={
            "a": Stage(fine, [known("a", "name")]),
            "b": Stage(broken, after=["a"]),
            "c": Stage(fine, [known("c", "name")], after=["b"]),
            "d": Stage(fine, [known("d", "name")], after=["c"]),
        },
        log_settings=LoggerSettings("four", stream=False, log_dir=tmp_path),
    )
    with pytest.raises(
        PipelineError, match=r"stage 'b' failed: ValueError: no signal; skipped: 'c', 'd'"
    ) as caught:
        pipeline.run()
    assert isinstance(caught.value.__cause__, ValueError) and caught.value.stage == "b"
    result = caught.value.result
    assert called == ["a", "b"] and not result.ok
    assert dict(result.status) == {"a": "DONE", "b": "ERROR", "c": "SKIPPED", "d": "SKIPPED"}
    assert list(result.errors) == ["b"] and list(result) == ["a"]
    lines = lines_of(tmp_path)
    assert lines[-1]["step_status"] == 40 and lines[-1]["exc_type"] == "ValueError"
    assert all(line["step_status"] != 30 and "Run finished" not in line["message"] for line in lines)
    failed = next(line for line in lines if line["message"].startswith("Stage failed"))
    assert failed["stage"] == "b" and "in broken" in failed["traceback"]


def test_continue_runs_what_does_not_depend_on_the_failure() -> None:
    """With on_error="continue" everything else is run, and the run fails at its end."""

    def broken() -> None:
        raise ValueError("no signal")

    stages = {
        "bad": Stage(broken),
        "behind": Stage(lambda: 1, after=["bad"]),
        "good": Stage(lambda: 2),
        "last": Stage(lambda good: good + 1, [dependency("good")]),
        "either": Stage(lambda bad: bad, [dependency("bad", default="nothing")]),
    }
    with pytest.raises(PipelineError) as caught:
        quiet(stages=stages, on_error="continue").run()
    result = caught.value.result
    assert dict(result) == {"good": 2, "last": 3, "either": "nothing"}
    assert result.status["behind"] == "SKIPPED"


def test_a_stage_ends_its_pipeline_early() -> None:
    """ExitPipeline is a success unless it says that it is none; what was not begun is skipped."""

    def enough(error: bool) -> None:
        raise ExitPipeline("nothing new today", error)

    def make(error: bool) -> Pipeline:
        return quiet(
            stages={"look": Stage(enough, [known(error, "error")]), "work": Stage(lambda: 1, after=["look"])}
        )

    result = make(False).run()
    assert result.ok and result.message == "nothing new today" and result.status["work"] == "SKIPPED"
    with pytest.raises(PipelineError, match="nothing new today"):
        make(True).run()


VALUES = [
    None,
    np.arange(6.0).reshape(2, 3),
    pd.DataFrame({"a": [1, None]}),
    "UNBOUND",
    "",
    "return",
    float("nan"),
    b"\0",
    ...,
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_any_value_passes_through_any_input(value: Any) -> None:
    """No value means something to the machinery: what a stage gets is the very object."""

    def same(x: Any) -> Any:
        return x

    stages = {
        "now": Stage(same, [immediate(value, "x")]),
        "plain": Stage(same, [Input("x", value)]),
        "param": Stage(same, [param("p", "x")]),
        "var": Stage(same, [var("v", "x")]),
        "callback": Stage(same, [Input("x", InputBinding.callback(lambda: value))]),
        "deferred": Stage(same, [Input("x", InputBinding.contextual(ctx.PARAMETERS, KeyedInputMapper("p")))]),
        "stages": Stage(
            same, [Input("x", InputBinding.deferred(ctx.STAGES, DependencyInputMapper("now")))], after=["now"]
        ),
        "edge": Stage(same, [dependency("now", "x")]),
        "item": Stage(same, [each(known([value, value], "x"))]),
        "logged": Stage(same, [known(value, "x", logged=True)]),
    }
    result = quiet(parameters={"p": value}, variables={"v": value}, stages=stages).run()
    items = result["item"]
    assert all(one is value for one in [*items, *(result[name] for name in stages if name != "item")])
    assert quiet(parameters={"p": 0}, stages={"a": Stage(same, [param("p", "x")])}).run(p=value)["a"] is value


def test_threads_share_one_object() -> None:
    """Eight threads run one pipeline at once, each with values of its own."""
    pipeline = quiet(
        parameters={"n": 0},
        variables={"seen": 0},
        stages={
            "set": Stage(lambda n: ctx.VARIABLES.set("seen", n) and time.sleep(0.002), [param("n")]),
            "get": Stage(lambda seen, n: (seen, n), [var("seen"), param("n")], after=["set"]),
        },
    )
    found: dict[int, Any] = {}

    def work(number: int) -> None:
        for turn in range(20):
            found[number, turn] = pipeline.run(n=(number, turn))["get"]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 160 and all(value == (key, key) for key, value in found.items())
    assert pipeline.variables["seen"] == 0


def test_a_map_gives_its_results_in_the_order_of_its_elements() -> None:
    """A thousand elements, eight at once: the list is in their order; no more than eight ever run together."""
    running = 0
    most = 0
    guard = threading.Lock()
    meeting = threading.Barrier(8, timeout=60)

    def square(x: int, offset: int) -> int:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        if x < 8:
            meeting.wait()
        with guard:
            running -= 1
        return x * x + offset

    pipeline = quiet(
        stages={
            "numbers": Stage(lambda: range(1000)),
            "squares": Stage(
                square, [each(dependency("numbers", "x"), max_concurrency=8), known(1, "offset")]
            ),
            "sum": Stage(lambda squares: sum(squares), [dependency("squares")]),
        }
    )
    result = pipeline.run()
    assert result["squares"] == [x * x + 1 for x in range(1000)] and result["sum"] == sum(result["squares"])
    assert most == 8


def test_a_poisoned_element_is_named_and_stops_the_rest() -> None:
    """Of a thousand elements one fails: which one is told, and what was not begun is not called."""
    called: list[int] = []
    pause = 0.02  # so that the failure is known long before all others could have been called

    def check(x: int) -> int:
        called.append(x)
        if x == 17:
            raise ValueError("bad electrode")
        if x > 17:
            time.sleep(pause)
        return x

    stages = {"check": Stage(check, [each(known(range(1000), "x"))]), "mean": Stage(len, after=["check"])}
    stages["mean"] = Stage(lambda check: len(check), [dependency("check")])
    with pytest.raises(PipelineError) as caught:
        quiet(stages=stages).run()
    assert "element 17 of 1000" in "".join(caught.value.__cause__.__notes__)
    assert max(called) < 500 and caught.value.result.status["mean"] == "SKIPPED"
    pause = 0.0
    with pytest.raises(PipelineError):
        quiet(stages=stages, on_error="continue").run()
    assert set(called) == set(range(1000))


def test_elements_of_several_lists_go_together() -> None:
    """Two mapped inputs are taken in step; lists of other lengths, and what is no list, are refused."""
    add = {"add": Stage(lambda x, y: x + y, [each(known([1, 2], "x")), each(known([10, 20], "y"))])}
    assert quiet(stages=add).run()["add"] == [11, 22]
    for x in ([1, 2, 3], "ab", 5, {"a": 1}):
        bad = {"add": Stage(lambda x, y: x + y, [each(known(x, "x")), each(known([10, 20], "y"))])}
        with pytest.raises(PipelineError, match="'add'"):
            quiet(stages=bad).run()
    assert quiet(stages={"none": Stage(_double, [each(known([], "n"))])}).run()["none"] == []


def test_what_fails_is_tried_again() -> None:
    """A stage is tried as often as it says, and not more; the last failure counts."""
    calls: list[int] = []

    def flaky(good_at: int) -> int:
        calls.append(ctx.STAGE.attempt)
        if len(calls) < good_at:
            raise OSError("share is away")
        return len(calls)

    def run(good_at: int) -> Any:
        calls.clear()
        stage = Stage(flaky, [known(good_at, "good_at")], retries=2, retry_wait=0.001)
        return quiet(stages={"read": stage}).run()["read"]

    assert run(3) == 3 and calls == [1, 2, 3]
    with pytest.raises(PipelineError, match="share is away"):
        run(4)
    assert calls == [1, 2, 3]


def test_continue_tries_each_element_again_and_goes_on_without_the_bad_one() -> None:
    """Each element has its own tries; with "continue" all are called, and who can do without the list runs."""
    tries: Counter[int] = Counter()

    def read(n: int) -> int:
        tries[n] += 1
        if n == 1 or (n == 2 and tries[n] < 3):
            raise OSError(f"share {n} is away")
        return n

    stages = {
        "read": Stage(read, [each(known(range(4), "n"))], retries=2, retry_wait=0.001),
        "maybe": Stage(lambda read: read, [dependency("read", required=False)]),
        "never": Stage(lambda read: read, [dependency("read")]),
    }
    with pytest.raises(PipelineError, match=r"share 1 is away; skipped: 'never'") as caught:
        quiet(stages=stages, on_error="continue").run()
    assert tries == {0: 1, 1: 3, 2: 3, 3: 1} and dict(caught.value.result) == {"maybe": None}


@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_a_pipeline_inside_of_a_stage_keeps_a_log_of_its_own(tmp_path: Path, mode: str) -> None:
    """What is said while the inner one runs is the inner one's; before and after it the outer stage is heard."""

    def make(name: str, function: Any) -> Pipeline:
        settings = LoggerSettings(name, stream=False, log_dir=tmp_path)
        return Pipeline(name, stages={name: Stage(function)}, log_settings=settings)

    def speak() -> str:
        info("inside")
        print("printed inside")
        return str(ctx.PIPELINE.name)

    inner = make("inner", speak)

    def use() -> list[str]:
        info("before")
        found = inner.run()["inner"]
        print("printed after")
        return [found, ctx.PIPELINE.name, ctx.STAGE.name]

    outer = make("outer", use).using(mode=mode, workers=1)
    assert outer.run()["outer"] == ["inner", "outer", "outer"]
    for name, said in (("inner", ["inside", "printed inside"]), ("outer", ["before", "printed after"])):
        lines = [json.loads(line) for line in (tmp_path / f"{name}.log").read_text().splitlines()]
        spoken = [line for line in lines if "stage" in line and not line["message"].startswith("Stage ")]
        assert [(line["pipeline"], line["message"]) for line in spoken] == [(name, text) for text in said]
        assert lines[-1]["message"] == "Run finished"


def test_outputs_have_the_names_that_mappers_give() -> None:
    """Tuples and mappings become named outputs; each is taken by its name."""
    pipeline = quiet(
        stages={
            "pair": Stage(lambda: ("x", "y"), output_mapper=SequentialOutputMapper("left", "right")),
            "table": Stage(lambda: {"n": 3, "m": 4}, output_mapper=KeyedOutputMapper("n", other="m")),
            "join": Stage(
                lambda a, b, c: (a, b, c),
                [
                    dependency("pair", "a", from_output="right"),
                    dependency("table", "b", "n"),
                    dependency("table", "c", "other"),
                ],
            ),
        }
    )
    result = pipeline.run()
    assert result["join"] == ("y", 3, 4)
    assert result.outputs["pair"] == {"left": "x", "right": "y"} and result["pair"]["left"] == "x"
    with pytest.raises(PipelineError, match="2 values"):
        quiet(stages={"pair": Stage(lambda: (1, 2, 3), output_mapper=SequentialOutputMapper("a", "b"))}).run()


def test_results_are_read_only_and_travel() -> None:
    """Nobody changes a result by mistake; pickled, it tells the same."""
    result = quiet(stages={"a": Stage(lambda: 1)}).run()
    with pytest.raises(TypeError):
        result["a"] = 2  # type: ignore[index]
    with pytest.raises(TypeError):
        result.outputs["a"]["return"] = 2  # type: ignore[index]
    twin = pickle.loads(pickle.dumps(result))
    assert twin == result and twin.status == result.status and twin.run_id == result.run_id


def _double(n: int) -> int:
    return 2 * n


def test_a_pipeline_travels_to_other_processes() -> None:
    """A pipeline of plain functions is pickled, and runs as before."""
    pipeline = quiet(parameters={"n": 4}, stages={"a": Stage(_double, [param("n")], retries=1)})
    assert pickle.loads(pickle.dumps(pipeline)).run(n=5)["a"] == 10


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (
            lambda: quiet(stages={"a": Stage(len, after=["bb"]), "b": Stage(len)}),
            "needs stage 'bb'.*did you mean 'b'",
        ),
        (
            lambda: quiet(stages={"a": Stage(len, after=["b"]), "b": Stage(len, after=["a"])}),
            "circle: '[ab]' <- ",
        ),
        (lambda: quiet(stages={"a": Stage(len, after=["a"])}), "circle"),
        (
            lambda: quiet(parameters={"low": 1}, stages={"a": Stage(len, [param("lov")])}),
            "parameter 'lov'.*'low'",
        ),
        (lambda: quiet(stages={"a": Stage(len, [var("x")])}), "variable 'x'"),
        (
            lambda: quiet(stages={"a": Stage(len), "b": Stage(len, [dependency("a", "x", "table")])}),
            "output 'table'",
        ),
        (lambda: Stage(len, [known(1, "x"), known(2, "x")]), "two inputs"),
        (lambda: Stage(3), "needs a function"),  # type: ignore[arg-type]
        (lambda: Stage(len, ["x"]), "is no input"),  # type: ignore[list-item]
        (lambda: Stage(len, timeout="soon"), "timeout must be"),
        (lambda: Stage(len, retries=-1), "retries must be"),
        (lambda: known(1, "not a name"), "as_arg"),
        (lambda: each(known([], "x"), 0), "max_concurrency"),
        (lambda: quiet(on_error="ignore"), "on_error"),
        (lambda: quiet().using(mode="thread"), "mode must be.*threads"),
        (lambda: InputBinding.deferred({"a": 1}), "ctx.PARAMETERS"),
        (lambda: InputBinding.deferred(ctx.PARAMETERS, mapper="low"), "mapper.*'low'"),
    ],
)
def test_what_does_not_fit_is_refused_when_it_is_made(make: Any, told: str) -> None:
    """Mistakes are told before anything runs, with names, and with what was probably meant."""
    with pytest.raises(PipelineDefinitionError, match=told):
        make()


def test_arguments_are_checked_before_any_stage_runs() -> None:
    """A function that lacks an argument, or has one too many, stops the run before its first stage."""
    called: list[int] = []
    stages = {
        "first": Stage(lambda: called.append(1)),
        "second": Stage(_double, [known(1, "m")], after=["first"]),
    }
    pipeline = quiet(stages=stages)
    assert pipeline.check() == [
        "stage 'second': its function has no argument 'm'; it has n",
        "stage 'second': argument 'n' of its function has no input",
    ]
    with pytest.raises(PipelineDefinitionError, match="'second'"):
        pipeline.run()
    assert not called


def test_typed_parameters_are_checked_before_any_stage_runs() -> None:
    """Types and bounds of a model hold for defaults, calls and secrets; all that is wrong is told at once."""
    from pydantic import BaseModel, Field

    class Band(BaseModel):
        low: float = Field(8.0, gt=0)
        high: float = 13.0
        name: str

    called: list[Any] = []
    pipeline = quiet(
        parameters=Parameters.define(Band, high=12.0),
        stages={"a": Stage(lambda low: called.append(low), [param("low")])},
    )
    pipeline.run(name="alpha", low="9")
    assert called == [9.0]
    with pytest.raises(PipelineDefinitionError, match=r"parameter '?name'?.* required"):
        pipeline.run()
    with pytest.raises(PipelineDefinitionError, match=r"low: .*greater than 0.*found -1"):
        pipeline.run(low=-1, name="x")
    with pytest.raises(PipelineDefinitionError, match=r"no parameter 'lo'.*did you mean 'low'"):
        pipeline.run(lo=1, name="x")
    assert called == [9.0]


def test_parameters_and_variables_are_mappings_with_a_memory_of_their_defaults() -> None:
    """set, sets, get and reset do what they say; a parameter that was not defined is refused."""
    parameters = Parameters.define(low=8.0, high=13.0)
    assert (
        parameters.set("low", 1) is parameters and parameters.get("low") == 1 and parameters.get("no", 5) == 5
    )
    with pytest.raises(PipelineDefinitionError, match=r"no parameter 'hihg'.*'high'"):
        parameters.sets(low=2, hihg=3)
    assert dict(parameters) == {"low": 1, "high": 13.0}
    assert dict(parameters.reset("low")) == {"low": 8.0, "high": 13.0}
    variables = Variables.define(a=1)
    variables["b"] = 2
    assert dict(variables.sets({"a": 3})) == {"a": 3, "b": 2} and dict(variables.reset()) == {"a": 1}


def test_names_are_set_taken_away_and_cleared_as_in_any_mapping() -> None:
    """What is deleted is gone until it is reset; unknown names are refused where they are no variables."""
    parameters, variables = Parameters.define(a=1), Variables.define(a=1)
    for names in (parameters, variables):
        assert names.pop("a") == 1 and dict(names) == {} and dict(names.reset("a")) == {"a": 1}
        names.clear()
        assert dict(names) == {} and dict(names.reset()) == {"a": 1}
    assert dict(variables.sets(b=2)) == {"a": 1, "b": 2}
    with pytest.raises(PipelineDefinitionError, match="'b'"):
        parameters["b"] = 2


@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_what_a_stage_puts_into_a_list_is_of_its_run_alone(mode: str) -> None:
    """A list or a table that is a default is another one in each run, and what is put into it reaches later stages."""

    def note() -> None:
        ctx.VARIABLES["seen"]["deep"].append(1)
        ctx.PARAMETERS["told"].append(2)

    pipeline = quiet(
        parameters={"told": []},
        variables={"seen": {"deep": []}},
        stages={"note": Stage(note), "read": Stage(lambda seen: seen, [var("seen")], after=["note"])},
    ).using(mode=mode, workers=1)
    assert [pipeline.run()["read"] for _ in range(2)] == [{"deep": [1]}] * 2
    assert pipeline.variables == {"seen": {"deep": []}} and pipeline.parameters == {"told": []}
    pipeline.variables["seen"]["deep"].append(0)
    assert pipeline.run()["read"] == {"deep": [0, 1]} and pipeline.variables.reset() == {"seen": {"deep": []}}


def test_a_mapper_that_names_a_stage_is_an_edge() -> None:
    """An input that takes one output out of ctx.STAGES waits for that stage, as a dependency does."""
    taken = InputBinding.deferred(ctx.STAGES, mapper=DependencyInputMapper("make"))
    stages = {"use": Stage(lambda x: x, [Input("x", taken)]), "make": Stage(lambda: 7)}
    assert quiet(stages=stages).run()["use"] == 7
    with pytest.raises(PipelineDefinitionError, match="'make'"):
        quiet(stages={"use": stages["use"]})
    wrong = InputBinding.deferred(ctx.PARAMETERS, mapper=KeyedInputMapper("lov"))
    with pytest.raises(PipelineDefinitionError, match=r"parameter 'lov'.*'low'"):
        quiet(parameters={"low": 1}, stages={"use": Stage(len, [Input("obj", wrong)])})


def test_every_source_of_the_context_is_an_input_in_every_mode() -> None:
    """Parameters, variables, stages, the stage, the pipeline and the logger reach a stage here and in another process."""

    def look(x: Any) -> str:
        if hasattr(x, "info"):
            x.info("said by the logger")
        return type(x).__name__

    sources = {name: getattr(ctx, name) for name in SOURCES}
    stages = {name: Stage(look, [Input("x", InputBinding.deferred(one))]) for name, one in sources.items()}
    kinds = ["PipelineInfo", "Parameters", "Variables", "mappingproxy", "StageInfo", "ScriptLogger"]
    for mode in ("threads", "processes"):
        assert list(quiet(stages=stages).using(mode=mode, workers=1).run().values()) == kinds


def test_stages_are_added_in_every_form_of_the_decorator() -> None:
    """Plain, called, with a name in two ways, and as a function: each adds the stage and gives the function back."""
    pipeline = quiet(parameters={"n": 2})

    @pipeline.stage
    def one(n: int) -> int:
        return n

    @pipeline.stage()
    def two(one: int) -> int:
        return one + 1

    @pipeline.stage("third", inputs=[dependency("two", "x")])
    def three(x: int) -> int:
        return x + 1

    @pipeline.stage(name="fourth", after=["third"], retries=1)
    def four(n: int) -> int:
        return n

    assert pipeline.stage(_double, inputs=[param("n")]) is _double
    assert one(5) == 5 and dict(pipeline.run()) == {"one": 2, "two": 3, "third": 4, "fourth": 2, "_double": 4}
    with pytest.raises(PipelineDefinitionError, match="there is a stage 'third' already"):
        pipeline.stage("third")(three)


def test_an_async_function_is_told_before_it_runs() -> None:
    """A coroutine that nobody awaits would pass for a result."""

    async def fetch() -> int:
        return 1

    with pytest.raises(PipelineDefinitionError, match=r"'fetch'.*async"):
        quiet(stages={"fetch": Stage(fetch)}).run()


def test_one_stage_runs_alone() -> None:
    """run_stage calls one stage with what is given, and asks for what another stage would make."""
    pipeline = quiet(
        parameters={"n": 4},
        stages={
            "a": Stage(_double, [param("n")]),
            "b": Stage(lambda a, n: a + n, [dependency("a"), param("n")]),
        },
    )
    assert pipeline.run_stage("a") == 8 and pipeline.run_stage("a", n=1) == 2
    assert pipeline.run_stage("b", a=100) == 104
    with pytest.raises(PipelineDefinitionError, match="needs 'a', which stage 'a' makes"):
        pipeline.run_stage("b")
    with pytest.raises(LookupError, match="no stage 'c'"):
        pipeline.run_stage("c")


def test_facts_of_a_record_need_a_record() -> None:
    """Inputs of a record are told where there is none, and can be given."""
    pipeline = quiet(stages={"a": Stage(lambda who: who, [record("id", "who")])})
    with pytest.raises(PipelineError, match=r"using\(record="):
        pipeline.run()
    assert pipeline.using(record="REC-1").run()["a"] == "REC-1"
