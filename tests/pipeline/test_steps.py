"""Laws of pipelines as steps of a workspace."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinagot.errors import ScriptError, StepFailedError
from sinagot.testing import make_workspace

SCRIPT = """
import warnings
from pathlib import Path
from sinagot.pipeline import Parameters, Pipeline, Stage, each
from sinagot.pipeline.input import dependency, param, path_in, path_out, record
from sinagot.pipeline.logging import info

CALLS = Path({calls!r})

def read(path, id):
    with open(CALLS, "a") as file:
        file.write(id + "\\n")
    info("reading", size=path.stat().st_size)
    print("printed by", id)
    return path.read_text().split()

def double(word, times):
    if word == "broken":
        raise ValueError("no signal")
    return word * times

def write(words, path):
    path.write_text(" ".join(words))

pipeline = Pipeline(
    "words",
    Parameters.define(times=2),
    paths={{"raw": ("raw", "{{id}}.txt"), "out": ("out", "{{id}}.txt")}},
    stages={{
        "write": Stage(write, [dependency("double", "words"), path_out("out", "path")]),
        "double": Stage(double, [each(dependency("read", "word")), param("times")]),
        "read": Stage(read, [path_in("raw", "path"), record("id")]),
    }},
)
"""


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """Give the file in which the first stage writes down each record that it is called for."""
    return tmp_path / "calls"


def words(calls: Path) -> dict[str, str]:
    return {"words": SCRIPT.format(calls=str(calls))}


def test_a_pipeline_is_a_step_like_any_other(tmp_path: Path, calls: Path) -> None:
    """Run, status, rerun and parameters are those of steps; lines of stages stand in the record's log."""
    ws = make_workspace(tmp_path / "lab", records={"A": "x y", "B": "z"}, scripts=words(calls))
    report = ws.steps.run()
    assert report.ok and report.counts["done"] == 2
    assert (tmp_path / "lab/dataset/out/A.txt").read_text() == "xx yy"
    assert ws.steps.run().counts["up_to_date"] == 2 and sorted(calls.read_text().split()) == ["A", "B"]
    lines = [line for line in ws.records.get("A").logs_json() if line.get("stage")]
    assert [line["stage"] for line in lines if line["message"] == "Stage finished"] == [
        "read",
        "double",
        "write",
    ]
    assert {(line["pipeline"], line["run_id"], line["record_id"]) for line in lines} == {
        ("words", report.run_id, "A")
    }
    said = {line["message"]: line for line in lines}
    assert said["reading"]["size"] == 3 and said["reading"]["stage"] == "read"
    assert said["printed by A"]["logger"] == "stdout" and said["printed by A"]["stage"] == "read"


def test_parameters_come_from_the_layers_of_the_workspace(tmp_path: Path, calls: Path) -> None:
    """[pipelines.NAME], records of their own, and a call give parameters; an unknown one is refused by name."""
    settings = "[pipelines.words]\ntimes = 3\n[pipelines.words.records.B]\ntimes = 1\n"
    ws = make_workspace(
        tmp_path / "lab", records={"A": "x", "B": "z"}, scripts=words(calls), settings=settings
    )
    out = tmp_path / "lab/dataset/out"
    assert ws.steps.run().ok
    assert ((out / "A.txt").read_text(), (out / "B.txt").read_text()) == ("xxx", "z")
    report = ws.steps.run(rerun="outdated", params={"times": 4})
    assert report.counts["done"] == 2 and (out / "B.txt").read_text() == "zzzz"
    settings = "[pipelines.words]\ntime = 3\n"
    ws = make_workspace(tmp_path / "other", records={"A": "x"}, scripts=words(calls), settings=settings)
    with pytest.raises(ValueError, match=r"time.*did you mean 'times'"):
        ws.steps.run()


@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_a_stage_that_fails_is_the_failure_of_its_record(tmp_path: Path, calls: Path, mode: str) -> None:
    """One record fails with the exception of its stage, told with stage and element; the others are done."""
    texts = {"A": "x", "B": "fine broken", "C": "y"}
    ws = make_workspace(tmp_path / "lab", records=texts, scripts=words(calls))
    report = ws.steps.run(mode=mode)
    assert (report.counts["done"], report.counts["failed"]) == (2, 1)
    (failure,) = report.failures
    assert failure.exc_type == "ValueError" and failure.message == "no signal" and "double" in failure.where
    assert not (tmp_path / "lab/dataset/out/B.txt").exists()
    last = ws.records.get("B").logs_json()[-1]
    assert last["step_status"] == 40
    assert "in stage 'double' of pipeline 'words'" in last["traceback"]
    assert "element 1 of 2" in last["traceback"]
    (tmp_path / "lab/dataset/raw/B.txt").write_text("mended")
    assert ws.steps.run(mode=mode).counts["done"] == 1
    assert (tmp_path / "lab/dataset/out/B.txt").read_text() == "mendedmended"


def test_debug_lets_the_exception_of_the_stage_out(tmp_path: Path, calls: Path) -> None:
    """With debug=True the caller gets what the stage raised."""
    ws = make_workspace(tmp_path / "lab", records={"A": "broken"}, scripts=words(calls))
    with pytest.raises(ValueError, match="no signal"):
        ws.steps.run(debug=True)
    with pytest.raises(StepFailedError):
        ws.steps.run().raise_for_failures()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("from sinagot.pipeline import Pipeline\npipeline = Pipeline('x')", "writes no file"),
        (
            "from sinagot.pipeline import Pipeline\npipeline = Pipeline('x', paths={'a': ('a', '{id}')})",
            "path 'a', and no stage uses it",
        ),
        (
            "from sinagot.pipeline import *\npipeline = Pipeline('x', stages={'a': Stage(len, after=['b'])})",
            "needs stage 'b'",
        ),
    ],
)
def test_a_pipeline_that_can_be_no_step_is_told(tmp_path: Path, text: str, told: str) -> None:
    """A file whose pipeline does not fit is a broken script: step, file and reason are named."""
    ws = make_workspace(tmp_path / "lab", records={"A": "x"}, scripts={"words": text})
    with pytest.raises(ScriptError, match=told) as caught:
        ws.steps.run()
    assert caught.value.step == "words" and str(caught.value.file).endswith("words.py")
