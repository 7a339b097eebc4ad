"""Stages of pipelines in a terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path

from sinagot.testing import make_workspace
from tests.cli.conftest import Invoke

PIPELINE = """
from sinagot.pipeline import Pipeline, Stage
from sinagot.pipeline.input import dependency, path_in, path_out

def read(path):
    return path.read_text()

def mean(text):
    return float(text)

def write(value, path):
    path.write_text(str(value))

pipeline = Pipeline(
    "means",
    stages={
        "read": Stage(read, inputs=[path_in("raw", as_arg="path")]),
        "mean\x1b[31m": Stage(mean, inputs=[dependency("read", as_arg="text")]),
        "write": Stage(write, inputs=[dependency("mean\x1b[31m", as_arg="value"), path_out("out", as_arg="path")]),
    },
    paths={"raw": "raw/{id}.txt", "out": "mean/{id}.txt"},
)
"""


def test_stages_are_told_in_a_terminal(tmp_path: Path, invoke: Invoke) -> None:
    """A run tells each stage in a table and the attempts in lines, a record its last attempt; JSON has all of it."""
    texts = {f"R{number:02d}": "1" for number in range(24)} | {"bad": "x"}
    lab = tmp_path / "lab"
    make_workspace(lab, records=texts, scripts={"means": PIPELINE}).close()
    done = invoke(lab, "run")
    assert done.exit_code == 3 and re.search(r"means\.py:9 in mean, stage mean", done.stdout)
    told = invoke(lab, "runs", "show").stdout
    assert "Stages of means (25 jobs)" in told and "\x1b" not in told
    assert re.search(r"stage +done +error +skipped +median +longest", told)
    assert re.search(r"read +25 +0 +0 ", told) and re.search(r"write +24 +0 +1 ", told)
    assert re.search(
        r"bad: read [\d.e-]+ s -> mean\S* failed: ValueError: could not .* -> write skipped", told
    )
    assert "and 24 more jobs" in told and "R03: read" not in told
    (step,) = json.loads(invoke(lab, "runs", "show", "--json").stdout)["pipelines"]
    assert (step["step"], step["jobs"], len(step["attempts"])) == ("means", 25, 25)
    assert [stage["state"] for stage in step["stages"]] == ["DONE", "ERROR", "DONE"]
    record = invoke(lab, "show", "bad").stdout
    assert re.search(r"means: read [\d.e-]+ s -> mean\S* failed: ValueError", record)
    assert "in mean, stage mean" in record
    (found,) = json.loads(invoke(lab, "show", "R03", "--json").stdout)["steps"]
    assert [act["state"] for act in found["stages"]["acts"]] == ["DONE"] * 3 and found["stages"][
        "outcome"
    ] == "done"
    page = invoke(lab, "report", "html", "-o", str(tmp_path / "page.html"))
    assert page.exit_code == 0 and ", in stage <code>mean" in (tmp_path / "page.html").read_text()
    assert [one["stage"] for one in json.loads(invoke(lab, "run", "--json").stdout)["failures"]] == [
        "mean\x1b[31m"
    ]
