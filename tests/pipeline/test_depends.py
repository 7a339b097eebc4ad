"""Laws of dependencies in pipelines: built for a stage, where it runs, and cleaned up at its end."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest

from sinagot.errors import PipelineDefinitionError, PipelineError
from sinagot.flow import CurrentRecord, Depends, current_record, params, path_in, record_logger
from sinagot.pipeline import LoggerSettings, Parameters, Pipeline, Stage, each
from sinagot.pipeline.input import dependency, known, param
from sinagot.pipeline.running import PipelineRun
from sinagot.testing import make_workspace

HERE = LoggerSettings("here", stream=False)


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Give what the dependencies have told, from whichever process."""
    file = tmp_path / "told"
    file.touch()
    monkeypatch.setenv("TOLD", str(file))
    return lambda: file.read_text().split()


def tell(word: str) -> None:
    with open(os.environ["TOLD"], "a") as file:
        file.write(f"{word}\n")


def opened(name: str) -> Iterator[str]:
    tell(f"open-{name}")
    try:
        yield f"{name}-{os.getpid()}"
    finally:
        tell(f"close-{name}")


async def fetched(source: Annotated[str, Depends(opened)]) -> AsyncIterator[str]:
    tell("fetch")
    yield source
    tell("done")


def use(name: str, item: int, got: Annotated[str, Depends(fetched)], again: str = Depends(opened)) -> Any:
    tell(f"use-{item}")
    if item < 0:
        raise ValueError("no such item")
    return got, again


def test_a_stage_gets_what_it_depends_on_and_cleans_up(told: Callable[[], list[str]]) -> None:
    """Marked arguments need no input; each is built once per call of the stage, and closed in reverse at its end."""
    stages = {
        "use": Stage(use, [param("name"), known(1, "item")]),
        "after": Stage(lambda use: use, [dependency("use")]),
    }
    pipeline = Pipeline("one", {"name": "db"}, stages=stages, log_settings=HERE)
    assert pipeline.check() == []
    assert pipeline.run()["after"] == (f"db-{os.getpid()}",) * 2
    assert told() == ["open-db", "fetch", "use-1", "done", "close-db"]
    assert pickle.loads(pickle.dumps(stages["use"])).plan.nodes


def test_elements_share_what_is_built_once(told: Callable[[], list[str]]) -> None:
    """A stage that is called once per element builds for all of them, and cleans up after the last."""
    stage = Stage(use, [known("db", "name"), each(known(list(range(20)), "item"))])
    Pipeline("map", stages={"use": stage}, log_settings=HERE).run()
    found = told()
    assert found[:2] == ["open-db", "fetch"] and found[-2:] == ["done", "close-db"]
    assert sorted(found[2:-2]) == sorted(f"use-{number}" for number in range(20))


@pytest.mark.parametrize("items", [known(-1, "item"), each(known([1, -1, 2], "item"))])
def test_a_failing_stage_is_cleaned_up_after_each_try(told: Callable[[], list[str]], items: Any) -> None:
    """What was built is closed when the stage fails, and built anew when it is tried again."""
    stage = Stage(use, [known("db", "name"), items], retries=0 if items.is_each else 1, retry_wait=0.01)
    pipeline = Pipeline("fails", stages={"use": stage}, log_settings=HERE, workers=1)
    with pytest.raises(PipelineError, match="no such item"):
        pipeline.run()
    tries = 1 if items.is_each else 2
    assert told().count("open-db") == told().count("close-db") == tries and told()[-1] == "close-db"


@pytest.mark.parametrize("mode", ["timeout", "processes", "dask"])
@pytest.mark.filterwarnings("ignore:Port")
def test_it_is_built_where_the_stage_runs(told: Callable[[], list[str]], mode: str) -> None:
    """In a child process or on a cluster the dependencies are built there, for each call."""
    limit = {"timeout": 60} if mode == "timeout" else {}
    stages = {
        "use": Stage(use, [param("name"), each(known([1, 2], "item"))], **limit),
        "facts": Stage(facts, [param("name")], **limit),
    }
    pipeline = Pipeline("away", {"name": "db"}, stages=stages, log_settings=HERE)
    if mode != "timeout":
        pipeline = pipeline.using(mode=mode, workers=1)
    result = pipeline.using(record={"id": "A", "task": "RS"}, paths={}).run()
    made = {one for pair in result["use"] for one in pair}
    assert all(one.startswith("db-") and not one.endswith(f"-{os.getpid()}") for one in made)
    assert told().count("open-db") == told().count("close-db") == 2
    assert result["facts"] == ("A", "RS", "db")


def facts(
    name: str,
    record: Annotated[CurrentRecord, Depends(current_record)],
    said: Annotated[Any, Depends(params)],
    logger: Annotated[Any, Depends(record_logger)],
) -> Any:
    logger.info("facts of %s", record.id)
    return record.id, record.task, said["name"]


def test_what_does_not_fit_is_told_when_the_stage_is_made() -> None:
    """A dependency that lacks something, or that would change with each element, is an error before anything runs."""

    def lacks(nme: str) -> None: ...
    def bad(name: str, x: Any = Depends(lacks)) -> None: ...
    def of_item(item: int) -> None: ...
    def mapped(item: int, x: Any = Depends(of_item)) -> None: ...

    with pytest.raises(
        PipelineDefinitionError, match=r"stage of bad: argument 'nme' of dependency lacks .*'name'\?"
    ):
        Stage(bad, [known("db", "name")])
    with pytest.raises(PipelineDefinitionError, match="another one for each element"):
        Stage(mapped, [each(known([1], "item"))])
    finding = Pipeline("gap", stages={"use": Stage(use, [known("db", "name")])}, log_settings=HERE)
    assert finding.check() == ["stage 'use': argument 'item' of its function has no input"]
    with pytest.raises(PipelineDefinitionError, match="reads path 'raw', which there is not"):
        Pipeline("paths", stages={"read": Stage(read_raw)}, log_settings=HERE)


def read_raw(path: Annotated[Path, Depends(path_in("raw"))]) -> str:
    return path.read_text()


def test_a_stage_alone_takes_a_stand_in() -> None:
    """`run_stage` with a value for a marked argument builds nothing; the decorator leaves marked arguments alone."""
    pipeline = Pipeline("alone", {"path": "parameter"}, log_settings=HERE, paths={"raw": ("{id}.txt",)})
    pipeline.stage(read_raw)
    assert not pipeline.stages["read_raw"].inputs
    with pytest.raises(PipelineError, match=r"path_in\('raw'\): this run has no files of a record"):
        pipeline.run_stage("read_raw")
    assert pipeline.run_stage("read_raw", path=Path(__file__)).startswith('"""Laws')


async def broken() -> AsyncIterator[int]:
    raise OSError("no disk")
    yield 1


def unclosed() -> Iterator[int]:
    yield 1
    raise OSError("no disk")


@pytest.mark.parametrize(("source", "line"), [(broken, "broken"), (unclosed, "unclosed")])
def test_a_failure_is_told_by_the_line_of_the_dependency(tmp_path: Path, source: Any, line: str) -> None:
    """The traceback begins in the user's function that failed, and not in what called it."""

    def use(x: int = Depends(source)) -> None: ...

    logs = LoggerSettings("lines", stream=False, log_dir=tmp_path)
    with pytest.raises(PipelineError, match="OSError: no disk"):
        Pipeline("lines", stages={"use": Stage(use)}, log_settings=logs).run()
    (told,) = [
        one
        for one in map(json.loads, (tmp_path / "lines.log").read_text().splitlines())
        if "traceback" in one
    ]
    assert __file__ in told["traceback"].splitlines()[1] and f"in {line}" in told["traceback"].splitlines()[1]


def test_a_stage_without_dependencies_is_called_as_it_is() -> None:
    """Nothing stands between the engine and a function that depends on nothing."""
    pipeline = Pipeline("plain", stages={"read": Stage(read_plain)}, log_settings=HERE)
    act = PipelineRun(pipeline, pipeline.parameters, "run").act_of("read", pipeline.stages["read"])
    assert act.function is read_plain and act.around is None


def read_plain() -> None: ...


def test_parameters_come_with_their_types() -> None:
    """The ready-made `params` has the values as they were checked."""

    def low(said: Annotated[Any, Depends(params)]) -> float:
        return float(said["low"]) * 2

    pipeline = Pipeline("typed", Parameters.define(low=1.5), stages={"low": Stage(low)}, log_settings=HERE)
    assert (pipeline.run()["low"], pipeline.run(low=4)["low"]) == (3.0, 8.0)


SCRIPT = """
from pathlib import Path
from typing import Annotated
from sinagot.flow import CurrentRecord, Depends, current_record, path_in, path_out, record_logger
from sinagot.pipeline import Pipeline, Stage

def words(path: Annotated[Path, Depends(path_in("raw"))]):
    with open(path) as file:
        yield file.read().split()

def write(
    words: Annotated[list[str], Depends(words)],
    path: Annotated[Path, Depends(path_out("out"))],
    record: Annotated[CurrentRecord, Depends(current_record)],
    logger=Depends(record_logger),
):
    logger.info("words of %s", record.id, extra={"count": len(words)})
    path.write_text(" ".join([record.id, *words]))

def check(path: Annotated[Path, Depends(path_in("out"))]):
    assert path.is_file()

pipeline = Pipeline(
    "words",
    paths={"raw": ("raw", "{id}.txt"), "out": ("out", "{id}.txt")},
    stages={"check": Stage(check), "write": Stage(write, timeout=TIMEOUT)},
)
"""


@pytest.mark.parametrize("timeout", ["None", "60"])
def test_a_pipeline_of_a_workspace_gets_files_by_its_dependencies(tmp_path: Path, timeout: str) -> None:
    """Files that stages depend on are those of the step: they order stages, and are written whole."""
    scripts = {"words": SCRIPT.replace("TIMEOUT", timeout)}
    ws = make_workspace(tmp_path / "lab", records={"A": "x y", "B": "z"}, scripts=scripts)
    assert ws.steps.run().counts["done"] == 2
    assert (tmp_path / "lab/dataset/out/A.txt").read_text() == "A x y"
    assert ws.steps.run().counts["up_to_date"] == 2
    (line,) = [line for line in ws.records.get("A").logs_json() if line["message"] == "words of A"]
    assert (line["stage"], line["count"], line["record_id"]) == ("write", 2, "A")
