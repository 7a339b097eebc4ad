"""Pipelines of a workspace in Python: found by name, run for no record, with history, log and parameters."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from sinagot.errors import (
    ConfigurationError,
    NotFoundError,
    PipelineDefinitionError,
    PipelineError,
    StorageError,
)

NIGHT = """
from pydantic import BaseModel, SecretStr
from sinagot.pipeline import ExitPipeline, Parameters, Pipeline, Secret, Stage
from sinagot.pipeline.input import dependency, param, record
from sinagot.pipeline.logging import info
from helping import double

class Wanted(BaseModel):
    low: float = 8.0
    token: SecretStr = SecretStr("d3fault-t0ken")
    end: bool = False

def read(low, token, end):
    from lately import half
    info("token is %s", token.get_secret_value())
    print("and again", token.get_secret_value())
    if end:
        raise ExitPipeline("nothing new today")
    if low < 0:
        raise ValueError(f"no band of {low} with {token.get_secret_value()}")
    return half(double(low))

night = Pipeline("night", Parameters.define(Wanted), stages={
    "read": Stage(read, [param("low"), param("token"), param("end")]),
    "show": Stage(lambda read: read + 1, [dependency("read")]),
})
plain = Pipeline("a plain/one", {"count": 1, "key": Secret("s3cret-key")}, stages={
    "one": Stage(lambda count, key: count, [param("count"), param("key")]),
})
of_record = Pipeline("of a record", stages={"one": Stage(lambda id: id, [record("id")])})
"""


@pytest.fixture
def house(lab: Any) -> Any:
    """Give a workspace with steps, three pipelines for no record in one file, and modules beside them."""
    lab.unit("a", more="[params]\nlow = 4.0\nothers = 1\n[pipelines.night]\nlow = 9.5\n")
    lab.write("pipelines/night.py", NIGHT)
    lab.write("pipelines/helping.py", "def double(value): return 2 * value\n")
    lab.write("scripts/lately.py", "def half(value): return value / 2\n")
    return lab


def test_looking_writes_nothing(house: Any) -> None:
    """Names, parts, parameters and problems are told from files alone; names that are not there have near ones."""
    before = house.tree()
    ws = house.open()
    assert list(ws.pipelines) == ["night", "a plain/one", "of a record"]
    assert repr(ws.pipelines) == "<Pipelines instance | night, a plain/one, of a record>"
    night = ws.pipelines["night"]
    assert (night.kind, night.file) == ("python", str(house.root / "pipelines" / "night.py"))
    assert night.problems() == [] and ws.pipelines.errors == []
    shown = {one.key: (one.value, one.origin, one.line) for one in night.parameters(end=True)}
    assert shown["low"] == (9.5, "pipelines.night.low", 9)
    assert shown["token"][:2] == ("***", "default") and shown["end"][:2] == (True, "this run")
    assert "low: float = 8.0" in night.describe() and "d3fault" not in night.describe("json")
    assert "night" in ws.pipelines._repr_html_() and "read" in night._repr_html_()
    assert ws.pipelines["pipelines/night.py:plain"].name == "a plain/one"
    assert "night" in ws.pipelines and "nihgt" not in ws.pipelines and ws.pipelines.get("nihgt") is None
    for word, text in (
        ("nihgt", "did you mean 'night'"),
        ("pipelines/nihgt.py", "did you mean 'night.py'"),
        ("pipelines/night.py", "defines 3 pipelines: night, plain, of_record"),
        ("pipelines/night.py:plane", "did you mean 'plain'"),
        ("pipelines/helping.py", "defines no pipeline"),
    ):
        with pytest.raises(NotFoundError, match=text):
            ws.pipelines[word]
    assert house.tree() == before


def test_a_run_gives_what_a_pipeline_gives(house: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Values, layers, modules that are imported late, and the history; any name may stand in the log."""
    ws = house.open()
    result = ws.pipelines["night"].run()
    assert dict(result) == {"read": 9.5, "show": 10.5}
    assert result.ok and ws.runs.last.run_id == result.run_id
    assert "pipelines/night" in capsys.readouterr().out
    assert ws.pipelines["a plain/one"].run(count=5)["one"] == 5
    assert ws.runs.last.digest().steps[0].step == "a plain/one"
    assert sorted(file.name for file in (house.data / "LOG").iterdir()) == [
        "pipelines%2Fa plain%252Fone.log",
        "pipelines%2Fnight.log",
    ]
    ended = ws.pipelines["night"].run(end=True)
    assert (ended.message, ended.ok, dict(ended.status)["show"]) == ("nothing new today", True, "SKIPPED")
    with pytest.raises(PipelineError, match="stage 'read' failed") as caught:
        ws.pipelines["night"].run(low=-1.0)
    assert isinstance(caught.value.__cause__, ValueError) and not caught.value.result.ok
    assert [run.ok for run in ws.runs] == [False, True, True, True]
    assert ws.steps.run(printing=False).ok and ws.report() is not None


def test_what_is_wrong_is_told_before_anything_is_written(house: Any) -> None:
    """Unknown and refused parameters, and pipelines that need a record, are errors; there is no trace of them."""
    before = house.tree()
    night = house.open().pipelines["night"]
    for params, text in (
        ({"low": "much"}, r"params.low: found 'much' .*valid number"),
        ({"lwo": 1}, r"no such parameter \(it has low, token, end\); did you mean 'low'"),
        ({"low": "x", "lwo": 1}, "2 problems"),
    ):
        with pytest.raises(ConfigurationError, match=text):
            night.run(**params)
    with pytest.raises(PipelineDefinitionError, match="sinagot run --step of a record"):
        house.open().pipelines["of a record"].run()
    assert house.tree() == before
    house.config("[steps]\nscripts = ['a']\n[pipelines.night]\nlow = 'x'\nhihg = 2\n")
    with pytest.raises(ConfigurationError) as caught:
        house.open().pipelines["night"].run()
    first, second = caught.value.problems
    assert (first.line, second.line, first.file) == (6, 7, house.root / "workspace.toml")


def test_secrets_stand_nowhere(house: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """A secret is in no file that a run writes, good or bad, and in no line that it shows but what the code prints."""
    ws = house.open()
    ws.pipelines["night"].run(token="gIvEn-t0ken")
    with pytest.raises(PipelineError):
        ws.pipelines["night"].run(token="gIvEn-t0ken", low=-2.0)
    ws.pipelines["a plain/one"].run(key="gIvEn-key")
    written = b"".join(
        file.read_bytes()
        for folder in (house.data / "LOG", house.data / ".sinagot" / "runs")
        for file in folder.rglob("*")
        if file.is_file() and file.suffix != ".py"
    )
    assert b"token is ***" in written and b"and again ***" in written
    for secret in (b"gIvEn-t0ken", b"gIvEn-key", b"d3fault-t0ken", b"s3cret-key"):
        assert secret not in written
    shown = [line for line in capfd.readouterr().out.splitlines() if line.startswith("pipelines/")]
    assert shown and not any("gIvEn" in line for line in shown)


def test_runs_from_threads_are_apart(house: Any) -> None:
    """Eight threads run one pipeline at once: each gets its own values, and its own run."""
    night = house.open().pipelines["night"]
    found: dict[int, Any] = {}
    threads = [
        threading.Thread(target=lambda low=low: found.update({low: night.run(low=float(low))}))
        for low in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {low: result["show"] for low, result in found.items()} == {low: low + 1.0 for low in range(8)}
    runs = list(house.open().runs)
    assert len({run.run_id for run in runs}) == 8 and all(run.state == "ended" and run.ok for run in runs)


def test_a_state_folder_that_cannot_be_written_is_told(house: Any) -> None:
    """Nothing of the user's runs when the run could not be put on record."""
    house.write(
        "pipelines/mark.py",
        f"""
        from pathlib import Path
        from sinagot.pipeline import Pipeline, Stage
        mark = Pipeline("mark", stages={{"one": Stage(Path({str(house.root / "ran")!r}).touch)}})
    """,
    )
    house.write("dataset/.sinagot", "a file is in the way")
    with pytest.raises(StorageError, match="state folder"):
        house.open().pipelines["mark"].run()
    assert not (house.root / "ran").exists()


def test_names_that_are_taken_and_files_of_steps(house: Any) -> None:
    """Of two pipelines of one name the first counts, and both files are told; a step's file stands for the step."""
    house.write("pipelines/other.py", NIGHT.replace('"a plain/one"', '"other"'))
    house.write(
        "scripts/a.py",
        """
        from sinagot.pipeline import Pipeline, Stage
        from sinagot.pipeline.input import path_in, path_out
        def copy(raw, out):
            out.write_text(raw.read_text())
        pipeline = Pipeline("copying", stages={"copy": Stage(copy, [path_in("raw"), path_out("out")])},
                            paths={"raw": "raw/{id}.csv", "out": "a/{id}.csv"})
        """,
    )
    ws = house.open()
    assert list(ws.pipelines) == ["a", "night", "a plain/one", "of a record", "other"]
    assert [Path(str(error.file)).name for error in ws.pipelines.errors] == ["other.py", "other.py"]
    assert "two pipelines are called 'night'" in str(ws.pipelines.errors[0])
    step = ws.pipelines["scripts/a.py"]
    assert (step.name, step.kind, step.places) == ("a", "step", ("a",))
    with pytest.raises(PipelineDefinitionError, match="sinagot run --step a"):
        step.run()
    report = ws.steps.run(printing=False)
    assert report.ok, report.failures[0].traceback
    assert (house.data / "a" / "REC-1.csv").read_text() == "REC-1\n"
    manifest = json.loads(Path(ws.runs.last.folder, "run.json").read_text())
    assert manifest["scripts"].keys() == {"a"}
