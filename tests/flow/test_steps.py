"""Laws of flows as steps of a workspace."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest

from sinagot.errors import FlowDefinitionError, ScriptError
from sinagot.flow import Flow
from sinagot.testing import await_true, make_workspace
from tests.clusters import DaskProcesses

WORDS = """
import logging
from typing import Annotated, Any
from sinagot.flow import *

read = Processor("read", ["raw"], ["words"])
double = Processor("double", ["words"], ["twice"])
count = Processor("count", ["twice"])

@read
async def _read(
    raw,
    logger: Annotated[Any, Depends(record_logger)],
    record: Annotated[CurrentRecord, Depends(current_record)],
):
    path = await raw.first()
    print("printed by", record.id)
    for word in path.read_text().split():
        yield word
    logger.info("read", extra={"size": path.stat().st_size})

@double
def _double(words, given=Depends(params)):
    words = iter(words)
    for word in words:
        logging.getLogger("lib").warning("word %s", word)
        if word == "broken":
            assert not [*words]  # which waits for the end of who reads
            raise ValueError("no signal")
        yield {"word": word, "size": len(word) * given.get("times", 2)}

@count
async def _count(twice, out=Depends(path_out("total"))):
    out.write_text(str(sum([row["size"] async for row in twice])))

flow = Flow.from_processors(
    read, double, count,
    path_in=("raw", "{id}.txt"), path_out={"total": ("out", "{id}.total")},
    sink={"twice": ("out", "{id}.jsonl"), "words": "out/{id}.txt"},
)
"""


@pytest.fixture(autouse=True)
def streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder in which streams are kept."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def lines_of(workspace: Any, record: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workspace.records.get(record).logs_json()
    return found


def out_of(workspace: Any) -> dict[str, str]:
    folder = workspace.data_path / "out"
    return {one.name: one.read_text() for one in sorted(folder.iterdir())} if folder.is_dir() else {}


@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_a_flow_is_a_step_like_any_other(tmp_path: Path, streams: Path, mode: str) -> None:
    """Sinks and files are outputs; status, rerun and a change of the script are those of steps; no stream is left."""
    ws = make_workspace(tmp_path / "lab", records={"A": "x yy", "B": "z"}, scripts={"words": WORDS})
    report = ws.steps.run(mode=mode)
    assert report.ok and report.counts["done"] == 2
    assert out_of(ws) == {
        "A.jsonl": '{"word": "x", "size": 2}\n{"word": "yy", "size": 4}\n',
        "A.total": "6",
        "A.txt": "x\nyy\n",
        "B.jsonl": '{"word": "z", "size": 2}\n',
        "B.total": "2",
        "B.txt": "z\n",
    }
    assert ws.steps.run(mode=mode).counts["up_to_date"] == 2
    script = tmp_path / "lab/scripts/words.py"
    script.write_text(script.read_text().replace('"times", 2', '"times", 3'))
    assert ws.steps.run(mode=mode, rerun="outdated").counts["done"] == 2
    assert out_of(ws)["A.total"] == "9"
    # The executors' own files are no business of flows.
    assert [one.name for one in streams.iterdir() if "flow" in one.name] == []


def test_each_processor_has_a_voice_in_the_log_of_the_record(tmp_path: Path) -> None:
    """What bodies print and log, in the loop and in threads, stands there with flow and processor."""
    ws = make_workspace(tmp_path / "lab", records={"A": "x yy"}, scripts={"words": WORDS})
    report = ws.steps.run()
    lines = lines_of(ws, "A")
    said = {line["message"]: line for line in lines if line.get("processor")}
    assert {line["flow"] for line in said.values()} == {"words"}
    assert {(line["run_id"], line["record_id"]) for line in lines} == {(report.run_id, "A")}
    assert (said["printed by A"]["processor"], said["printed by A"]["logger"]) == ("read", "stdout")
    assert (said["read"]["processor"], said["read"]["size"]) == ("read", 4)
    assert (said["word yy"]["processor"], said["word yy"]["logger"]) == ("double", "lib")
    ends = {line["processor"]: line for line in lines if line["message"] == "Processor finished"}
    assert {name: (one["values_in"], one["values_out"]) for name, one in ends.items()} == {
        "read": ({"raw": 1}, {"words": 2}),
        "double": ({"words": 2}, {"twice": 2}),
        "count": ({"twice": 2}, {}),
    }
    assert all(one["duration_s"] > 0 and one["processor_status"] == 30 for one in ends.values())
    starts = [line["processor"] for line in lines if line["message"] == "Processor started"]
    assert sorted(starts) == ["count", "double", "read"]
    assert [line.get("processor") for line in lines if line["step_status"] in (0, 30)] == [None, None]
    acts = {act.act: act for step in ws.records.get("A").details().steps for act in step.stages.acts}
    assert {name: act.state for name, act in acts.items()} == dict.fromkeys(ends, "DONE")


@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_a_processor_that_fails_is_the_failure_of_its_record(tmp_path: Path, mode: str) -> None:
    """One record fails with the exception of its processor, told with its name; no part of a sink is published."""
    texts = {"A": "x", "B": "fine broken", "C": "y"}
    ws = make_workspace(tmp_path / "lab", records=texts, scripts={"words": WORDS})
    report = ws.steps.run(mode=mode)
    assert (report.counts["done"], report.counts["failed"]) == (2, 1)
    (failure,) = report.failures
    assert (failure.exc_type, failure.message, failure.stage) == ("ValueError", "no signal", "double")
    assert "in _double" in failure.where
    assert {name for name in out_of(ws) if name.startswith("B")} == set()
    last = lines_of(ws, "B")[-1]
    assert last["step_status"] == 40 and "in processor 'double' of flow 'words'" in last["traceback"]
    ends = {one["processor"]: one for one in lines_of(ws, "B") if one.get("processor_status")}
    assert {name: one["processor_status"] for name, one in ends.items()} == {
        "read": 30,
        "double": 40,
        "count": 42,
    }
    assert ends["double"]["exc_type"] == "ValueError" and ends["double"]["values_out"] == {"twice": 1}
    (tmp_path / "lab/dataset/raw/B.txt").write_text("mended")
    assert ws.steps.run(mode=mode).counts["done"] == 1
    with pytest.raises(ValueError, match="no signal"):
        (tmp_path / "lab/dataset/raw/B.txt").write_text("broken")
        ws.records.get("B").steps.run(force=True, debug=True)
    assert out_of(ws)["B.txt"] == "mended\n"


TYPED = """
from pathlib import Path
from pydantic import BaseModel, Field, SecretStr
from sinagot.flow import *

class Params(BaseModel):
    times: int = Field(2, ge=1)
    key: SecretStr = SecretStr("")

words = Processor("words", ["raw", "times"], ["lines"], retries=1)

@words
async def _words(raw, times, given=Depends(params), raw_too=Depends(path_in("raw"))):
    print("the key is", given["key"].get_secret_value())
    path = await raw.first()
    assert path == raw_too and isinstance(path, Path)
    yield path.read_text() * await times.first()
    mark = path.with_suffix(".tried")
    if not mark.exists():
        mark.touch()
        raise OSError("try again")

flow = Flow.from_processors(
    words, name="typed", params=Params, path_in={"raw": ("raw", "{id}.txt")}, sink={"lines": ("out", "{id}.txt")},
    backend="trio",
)
"""


def test_parameters_are_checked_and_their_secrets_are_in_no_log(tmp_path: Path) -> None:
    """Layers of [params] reach inputs and Depends(params) with their types; retries of a processor are told."""
    settings = "[steps.words.params]\ntimes = 3\nkey = 'hunter22'\n"
    ws = make_workspace(tmp_path / "lab", records={"A": "x"}, scripts={"words": TYPED}, settings=settings)
    assert ws.steps.run().ok
    assert out_of(ws) == {"A.txt": "xxx\n"}
    lines = lines_of(ws, "A")
    assert "hunter22" not in json.dumps(lines) and "the key is ***" in [line["message"] for line in lines]
    again = [line for line in lines if line["message"].startswith("Processor failed")]
    assert [(line["level"], line["flow"], line["processor"]) for line in again] == [
        ("WARNING", "typed", "words")
    ]
    assert ws.steps.run(params={"times": 1}, rerun="outdated").counts["done"] == 1
    with pytest.raises(ValueError, match="times"):
        ws.steps.run(params={"times": 0}, force=True)


FORMATS = """
import numpy as np
from datetime import date
from sinagot.flow import *

make = Processor("make", [], ["json", "table", "lines", "stack", "none"])

@make
def _make():
    yield IOVal("json", {"power": np.float64(1.5), "bad": float("nan"), "rows": np.array([[1, 2], [3, 4]])})
    yield IOVal("json", [None, np.array([1.0, np.inf]), date(2024, 1, 31), np.int8(3), "é"])
    for number in range(3):
        yield IOVal("table", {"n": number, "x": float("nan") if number else np.float32(0.5), "who, what": "a"})
        yield IOVal("lines", number if number else "first")
        yield IOVal("stack", np.full((2, 4), number, dtype="float32"))

@Processor("all", ["json", "table", "lines", "stack", "none"], [], wait=True)
def _all(json, table, lines, stack, none):
    pass

flow = Flow.from_processors(make, _all, path_in=("raw", "{id}.txt"), sink={
    "json": "out/{id}.jsonl", "table": "out/{id}.csv", "lines": "out/{id}.txt", "stack": "out/{id}.npy",
    "none": "out/{id}-none.npy"})
"""


def test_sinks_write_by_suffix(tmp_path: Path) -> None:
    """JSON lines, tables, lines and stacks of arrays are what others read; what is no number is null or empty."""
    import csv

    ws = make_workspace(tmp_path / "lab", records=["A"], scripts={"words": FORMATS})
    ws.steps.run().raise_for_failures()
    out = tmp_path / "lab/dataset/out"
    assert [json.loads(line) for line in (out / "A.jsonl").read_text("utf-8").splitlines()] == [
        {"power": 1.5, "bad": None, "rows": [[1, 2], [3, 4]]},
        [None, [1.0, None], "2024-01-31", 3, "é"],
    ]
    with (out / "A.csv").open(newline="") as file:
        assert [*csv.reader(file)] == [
            ["n", "x", "who, what"],
            ["0", "0.5", "a"],
            ["1", "", "a"],
            ["2", "", "a"],
        ]
    assert (out / "A.txt").read_text() == "first\n1\n2\n"
    stack = np.load(out / "A.npy")
    assert stack.dtype == np.float32 and stack.shape == (3, 2, 4) and stack[:, 0, 0].tolist() == [0, 1, 2]
    assert np.load(out / "A-none.npy").shape == (0,)


@pytest.mark.parametrize(
    ("suffix", "good", "bad", "told"),
    [
        (".jsonl", "1", "{1, 2}", "JSON has no word for set"),
        (".jsonl", "1", "{1: 2}", "keys of a dict are texts"),
        (".csv", "{'a': 1}", "{'a': 1, 'b': 2}", "its columns are a, b; those of the first value were a"),
        (".csv", "{'a': 1}", "[1]", "a row of a table is a dict"),
        (".txt", "'a'", "'a\\nb'", "end of line"),
        (".txt", "'a'", "b'a'", "found bytes"),
        (".npy", "np.zeros(3)", "np.zeros(4)", r"its shape is \(4,\); that of the first value was \(3,\)"),
        (".npy", "np.zeros(3)", "np.array(['a', 'b', 'c'])", "its type is <U1"),
    ],
)
def test_a_value_that_does_not_fit_fails_the_attempt(
    tmp_path: Path, streams: Path, suffix: str, good: str, bad: str, told: str
) -> None:
    """The error names value, stream and file as it would be called; the flow ends, however long it would go on."""
    script = f"""
import numpy as np
from anyio import sleep
from sinagot.flow import *

make = Processor("make", [], ["some"])

@make
async def _make():
    yield {good}
    yield {bad}
    await sleep(600)

flow = Flow.from_processors(
    make, path_in="raw/{{id}}.txt", sink={{"some": "out/{{id}}{suffix}"}}, pickle=True)
"""
    ws = make_workspace(tmp_path / "lab", records=["A"], scripts={"words": script})
    (failure,) = ws.steps.run().failures
    file = tmp_path / f"lab/dataset/out/A{suffix}"
    assert failure.exc_type == "sinagot.errors.SinkError"
    assert failure.message.startswith(f"value 2 of stream 'some' cannot be written to {file}: ")
    assert re.search(told, failure.message)
    assert out_of(ws) == {} and os.listdir(streams) == []


MAKE = """
from sinagot.flow import *
make = Processor("make", ["raw"], ["some"])
@make
def _make(raw):
    yield 1
"""


@pytest.mark.parametrize(
    ("flow", "told"),
    [
        ("Flow(make, path_in='{id}.txt')", "writes no file, and so can be no step"),
        (
            "Flow(make, path_in='{id}.txt', sink={'sum': '{id}.csv'})",
            "sink 'sum' is no stream.*there is some",
        ),
        ("Flow(make, path_in='{id}.txt', sink={'some': '{id}.mat'})", r"end with .jsonl, .csv, .txt, .npy"),
        (
            "Flow(make, path_in={'row': '{id}.txt'}, sink={'some': '{id}.csv'})",
            "input 'raw'.*did you mean 'row'",
        ),
        ("Flow(make, sink={'some': '{id}.csv'})", "nothing is known for input 'raw'"),
        (
            "Flow(make, path_in='{id}.txt', path_out={'a': '{id}'})",
            "path_out 'a', and no processor asks for it",
        ),
        (
            "Flow(Processor('b', [], [])(lambda a=Depends(path_in('raw')): 1), path_out={'x': '{id}'})",
            r"processor 'b' asks for path_in\('raw'\), and path_in of the flow has none",
        ),
        (
            "Flow(make, make, Processor('b', [], ['some'])(lambda: 1), sink={'some': '{id}.csv'})",
            "two producers",
        ),
    ],
)
def test_a_flow_that_can_be_no_step_is_told(tmp_path: Path, flow: str, told: str) -> None:
    """A file whose flow does not fit is a broken script: step, file and reason are named, by check as well."""
    ws = make_workspace(tmp_path / "lab", records={"A": "x"}, scripts={"words": f"{MAKE}\nflow = {flow}\n"})
    with pytest.raises(ScriptError, match=told) as caught:
        ws.steps.run()
    assert caught.value.step == "words" and str(caught.value.file).endswith("words.py")
    ((_, problem),) = ws.blueprint.check()
    assert str(problem) == str(caught.value)
    # Where the flow, or the processor that is to blame, is written.
    assert re.search(rf"{re.escape(str(tmp_path))}/lab/scripts/words.py:\d+", str(problem))


def test_options_are_checked_where_the_flow_is_made() -> None:
    """A wrong backend, sink, interval or kind of parameters is told at once."""
    for options, told in (
        ({"backend": "triio"}, "did you mean 'trio'"),
        ({"sink": ("out", "{id}.csv")}, "sink is a mapping"),
        ({"progress": 0}, "progress = 0"),
        ({"params": {"low": 1}}, "pydantic model"),
    ):
        with pytest.raises(FlowDefinitionError, match=told):
            Flow.from_processors(**options)


def test_people_and_programs_are_told_of_processors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`show` and `runs show` tell states, counts and causes of processors, and a run keeps the graph of the flow."""
    from sinagot.cli.main import main

    texts = {"A": "x", "B": "fine broken"}
    ws = make_workspace(tmp_path / "lab", records=texts, scripts={"words": WORDS})
    ws.steps.run()
    capsys.readouterr()

    def told(*words: str) -> str:
        with pytest.raises(SystemExit):
            main(["-w", str(tmp_path / "lab"), *words])
        return capsys.readouterr().out

    shown = told("show", "B")
    assert "Processors\n" in shown and "Stages\n" not in shown
    assert "double failed (in 2 words; out 1 twice): ValueError: no signal" in shown
    shown = told("runs", "show")
    assert (
        "Processors of words (2 jobs)" in shown
        and "double failed: ValueError: no signal (1 record: B" in shown
    )
    (flow,) = json.loads(told("runs", "show", "--json"))["pipelines"]
    assert flow["kind"] == "flow" and [one["stage"] for one in flow["stages"]] == ["read", "double", "count"]
    acts = {one["record_id"]: one["acts"] for one in flow["attempts"]}
    assert acts["A"][1]["values_in"] == {"words": 1} and acts["A"][1]["values_out"] == {"twice": 1}
    assert "words / double: word fine" in told("logs", "B")


ENDLESS = """
from pathlib import Path
from anyio import sleep, CancelScope
from sinagot.flow import *

MARKS = Path({marks!r})

async def resource():
    try:
        yield 1
    finally:
        await sleep(0.05)
        (MARKS / "resource").touch()

make = Processor("make", ["raw"], ["numbers"], max_lead=10)
thread = Processor("thread", ["numbers"], ["doubled"])

@make
async def _make(raw, one=Depends(resource)):
    number = 0
    try:
        while True:
            yield number
            number += 1
            await sleep(0.001)
            if number == 50:
                (MARKS / "going").touch()
    finally:
        with CancelScope(shield=True):
            await sleep(0.05)
        (MARKS / "body").touch()

@thread
def _thread(numbers):
    try:
        for number in numbers:
            yield 2 * number
    finally:
        (MARKS / "thread").touch()

flow = Flow.from_processors(
    make, thread, path_in="raw/{{id}}.txt", sink={{"doubled": "out/{{id}}.jsonl"}}, backend={backend!r}, progress=0.05)
"""


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    """Give the folder in which bodies and clean-ups leave a mark."""
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(("number", "mode"), [("SIGINT", "main_process"), ("SIGTERM", "main_process")])
def test_a_stop_cancels_the_flow(
    tmp_path: Path, streams: Path, marks: Path, backend: str, number: str, mode: str
) -> None:
    """Clean-ups run, in the loop and in threads; the job is interrupted, and neither outputs nor streams are left."""
    script = ENDLESS.format(marks=str(marks), backend=backend)
    settings = f"[run]\nmode = {mode!r}\n"
    ws = make_workspace(tmp_path / "lab", records=["A"], scripts={"words": script}, settings=settings)
    signum = getattr(signal, number)

    def is_told() -> bool:
        return (marks / "going").exists() and any(
            line["values_out"]["numbers"] > 1 for line in progress_of(ws)
        )

    with _running(tmp_path) as (program, said):
        await_true(is_told, "the flow, and a line about how far it is")
        program.send_signal(signum)
        await_true(lambda: "Stopping" in said.read_text(), "the first signal")
        program.send_signal(signum)
        program.wait(60)
    output = said.read_text()
    assert program.returncode in (130, 143, -signum), output
    assert "Traceback" not in output, output
    assert {one.name for one in marks.iterdir()} == {"going", "resource", "body", "thread"}
    assert out_of(ws) == {} and [one.name for one in streams.iterdir() if "flow" in one.name] == []
    lines = lines_of(ws, "A")
    assert lines[-1]["step_status"] == 42
    ends = {one["processor"]: one["processor_status"] for one in lines if one.get("processor_status")}
    assert ends == {"make": 42, "thread": 42}
    last = progress_of(ws)[-1]
    assert last["values_out"]["numbers"] > 1 and last["lead"] <= 11
    assert last["values_in"] == {"raw": 0} and isinstance(last["waits_for"], str)


def progress_of(workspace: Any) -> list[dict[str, Any]]:
    """Give the lines that say how far the first processor is."""
    lines = lines_of(workspace, "A")
    return [
        one for one in lines if one["message"].startswith("Processor goes on") and one["processor"] == "make"
    ]


@contextmanager
def _running(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run the workspace of a folder in a program of its own; give that, and the file in which is what it says."""
    said = folder / "said"
    command = [sys.executable, "-m", "sinagot", "-w", str(folder / "lab"), "run"]
    with said.open("w") as output:
        program = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield program, said
    finally:
        program.kill()
        program.wait()


def test_a_flow_that_takes_too_long_is_ended(tmp_path: Path, streams: Path, marks: Path) -> None:
    """A timeout cancels it: clean-ups run, and the job fails with what it is called for every step."""
    script = ENDLESS.format(marks=str(marks), backend="asyncio")
    for number, timeout in enumerate((2, 8, 30)):  # on a busy machine it may take long until all has begun
        ws = make_workspace(
            tmp_path / f"lab{number}",
            records=["A"],
            scripts={"words": script},
            settings=f"[steps.words]\ntimeout = {timeout}\n",
        )
        (failure,) = ws.steps.run().failures
        if (marks / "going").exists():
            break
    assert failure.exc_type == "StepTimeoutError"
    assert {one.name for one in marks.iterdir()} == {"going", "resource", "body", "thread"}
    assert out_of(ws) == {} and [one.name for one in streams.iterdir() if "flow" in one.name] == []


KILLED = """
import os, signal
from pathlib import Path
from sinagot.flow import *

make = Processor("make", ["raw"], ["numbers"])

@make
async def _make(raw):
    path = await raw.first()
    for number in range(1000):
        yield number
    mark = path.with_suffix(".killed")
    if path.read_text() == "kill" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)

flow = Flow.from_processors(make, path_in="raw/{id}.txt", sink={"numbers": "out/{id}.jsonl"})
"""


def test_what_a_killed_process_leaves_is_removed_by_the_next(tmp_path: Path, streams: Path) -> None:
    """No part of a sink is published; the attempt is an error, and streams go when another process needs a place."""
    ws = make_workspace(tmp_path / "lab", records={"A": "kill", "B": "x"}, scripts={"words": KILLED})
    report = ws.steps.run(mode="processes", workers=1)
    assert (report.counts["done"], report.counts["failed"]) == (1, 1)
    assert [*out_of(ws)] == ["B.jsonl"] and len(out_of(ws)["B.jsonl"].splitlines()) == 1000
    assert ws.steps.run(mode="processes", workers=1).ok
    assert out_of(ws)["A.jsonl"] == out_of(ws)["B.jsonl"]
    assert [one.name for one in streams.iterdir() if "flow" in one.name] == []


DEAF = """
import time
from pathlib import Path
from sinagot.flow import *

MARKS = Path({marks!r})
deaf = Processor("deaf", [], ["numbers"])
other = Processor("other", ["numbers"])

@deaf
def _deaf():
    yield 1
    (MARKS / "going").touch()
    time.sleep(600)

@other
async def _other(numbers):
    try:
        async for number in numbers.stream():
            pass
    finally:
        (MARKS / "other").touch()

flow = Flow(deaf, other, path_in="raw/{{id}}.txt", sink={{"numbers": "out/{{id}}.jsonl"}}, backend={backend!r})
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_body_that_does_not_hear_holds_up_no_stop(
    tmp_path: Path, streams: Path, marks: Path, backend: str
) -> None:
    """A body that sits in a call for ever is left behind; all others are cleaned up, and the program ends."""
    script = DEAF.format(marks=str(marks), backend=backend)
    ws = make_workspace(tmp_path / "lab", records=["A"], scripts={"words": script})
    with _running(tmp_path) as (program, said):
        await_true((marks / "going").exists, "the flow")
        program.send_signal(signal.SIGINT)
        await_true(lambda: "Stopping" in said.read_text(), "the first signal")
        program.send_signal(signal.SIGINT)
        program.wait(60)
    assert program.returncode in (130, -signal.SIGINT) and "Traceback" not in said.read_text()
    assert (marks / "other").exists() and out_of(ws) == {}
    assert lines_of(ws, "A")[-1]["step_status"] == 42
    assert [one.name for one in streams.iterdir() if "flow" in one.name] == []


SPREAD = """
import os, sys, time
from pathlib import Path
from sinagot.flow import *

MARKS = Path({marks!r})
parts = Processor("parts", ["raw"], ["numbers"], max_lead=5)
square = Processor("square", ["numbers"], ["squares"])

@parts
async def _parts(raw, record=Depends(current_record), log=Depends(record_logger)):
    (MARKS / f"{{record.id}}.{{os.getpid()}}.{{os.getppid()}}").touch()
    for number in range(int((await raw.first()).read_text())):
        yield number
        log.info("%s gives %d", record.id, number)

@square
def _square(numbers, record=Depends(current_record)):
    for number in numbers:
        print(record.id, "squares", number)
        yield number ** 2
        while number == 3 and record.id == "R07" and not (MARKS / "go").exists():
            time.sleep(0.01)

flow = Flow.from_processors(parts, square, path_in="raw/{{id}}.txt", sink={{"squares": "out/{{id}}.jsonl"}})
"""


@pytest.mark.slow
def test_fifty_records_on_two_workers_one_of_which_is_killed(
    tmp_path: Path, streams: Path, marks: Path
) -> None:
    """All is right, and each log has what was said for its record only; a killed worker costs a second attempt."""
    texts = {f"R{number:02}": str(number % 7 + 4) for number in range(50)}
    script = SPREAD.format(marks=str(marks))
    ws = make_workspace(tmp_path / "lab", records=texts, scripts={"squares": script})
    out = tmp_path / "lab/dataset/out"
    with DaskProcesses(tmp_path / "cluster", workers=2) as cluster, ws:
        report = ws.steps.run(address=cluster.address, printing=False, wait=False)
        await_true(lambda: _said(ws, "R07", "R07 squares 3"), "the flow of R07 stands in the middle")
        (mark,) = marks.glob("R07.*")
        assert not (out / "R07.jsonl").exists()
        os.kill(int(mark.suffix[1:]), signal.SIGKILL)  # the worker, with the child that runs the script
        await_true(lambda: len([*marks.glob("R07.*")]) == 2, "another attempt of R07", 60)
        assert not (out / "R07.jsonl").exists()
        (marks / "go").touch()
        report.wait(100)
    assert report.ok and report.counts["done"] == 50
    for record, text in texts.items():
        numbers = range(int(text))
        assert (out / f"{record}.jsonl").read_text() == "".join(f"{number**2}\n" for number in numbers)
        said = [line["message"] for line in lines_of(ws, record) if line.get("processor")]
        mine = [one for one in said if " gives " in one or " squares " in one]
        assert {one.split()[0] for one in mine} == {record}
        if record != "R07":
            for word in ("gives", "squares"):
                assert [one for one in mine if word in one] == [
                    f"{record} {word} {number}" for number in numbers
                ]
            assert said.count("Processor finished") == 2
    assert len({one.name.split(".")[2] for one in marks.glob("R*.*")}) == 2
    assert not list((tmp_path / "lab/dataset/.sinagot/stage").glob("*/*"))


def _said(workspace: Any, record: str, message: str) -> bool:
    return any(line["message"] == message for line in lines_of(workspace, record))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_step_runs_where_a_loop_runs_already(tmp_path: Path, backend: str) -> None:
    """In a notebook, or a program that is async itself, flows run as anywhere, and can be looked at."""
    ws = make_workspace(tmp_path / "lab", records={"A": "x yy"}, scripts={"words": WORDS})

    async def main() -> bool:
        return ws.steps.run(mode="main_process").ok

    assert anyio.run(main, backend=backend)
    assert out_of(ws)["A.total"] == "6"
    said = {line["message"]: line.get("processor") for line in lines_of(ws, "A")}
    assert said["printed by A"] == "read" and said["word yy"] == "double"
    flow = ws.steps.first().script_class.flow
    assert flow.describe("mermaid").count("words") >= 1 and "double" in flow.describe()


VOICES = """
import logging, threading
import anyio
from anyio.to_thread import run_sync
from sinagot.flow import *

def told(where):
    logging.getLogger("lib").warning(where)

def get_tool(name="tool"):
    told("dependency of one")
    return name

one = Processor("one", [], ["a"])
two = Processor("two", ["a"], ["b"])

@one
async def _one(tool=Depends(get_tool)):
    for number in range(3):
        await run_sync(told, f"worker of one {number}")
        thread = threading.Thread(target=told, args=(f"thread of one {number}",))
        thread.start()
        thread.join()
        async with anyio.create_task_group() as group:
            group.start_soon(run_sync, told, f"task of one {number}")
        yield number

@two
async def _two(a):
    async for number in a.stream():
        await run_sync(told, f"worker of two {number}")
        print("printed by two", number)
        yield number

flow = Flow(one, two, path_in="raw/{id}.txt", sink={"b": "out/{id}.txt"})
"""


def test_worker_threads_and_tasks_speak_for_the_processor_that_uses_them(tmp_path: Path) -> None:
    """Pools that processors share, threads and tasks that they start: each line has the processor that it is of."""
    ws = make_workspace(tmp_path / "lab", records=["A"], scripts={"words": VOICES})
    assert ws.steps.run(printing=False).ok
    said = [line for line in lines_of(ws, "A") if " one" in line["message"] or " two" in line["message"]]
    assert len(said) == 1 + 3 * 3 + 2 * 3
    for line in said:
        assert line["processor"] == ("one" if " one" in line["message"] else "two"), line["message"]


ODD = """
import sys
import anyio
from sinagot.flow import *

odd = Processor("odd", ["raw"], ["some"])

async def fail():
    raise ValueError("no signal")

@odd
async def _odd(raw):
    yield 1
    if (await raw.first()).read_text() == "exit":
        sys.exit(0)
    async with anyio.create_task_group() as group:
        group.start_soon(fail)

flow = Flow(odd, path_in="raw/{id}.txt", sink={"some": "out/{id}.txt"})
"""


def test_ends_that_are_no_plain_errors_are_told(tmp_path: Path) -> None:
    """What a task of a body raises is the cause, without its group; no way to leave makes half a sink a result."""
    ws = make_workspace(tmp_path / "lab", records={"A": "exit", "B": "group"}, scripts={"odd": ODD})
    causes = {one.records: one for one in ws.steps.run(printing=False).failures}
    assert causes["A",].message == "processor 'odd' ended the program by SystemExit: 0"
    assert (causes["B",].exc_type, causes["B",].message, causes["B",].stage) == (
        "ValueError",
        "no signal",
        "odd",
    )
    assert causes["B",].where.endswith("in fail") and out_of(ws) == {}
