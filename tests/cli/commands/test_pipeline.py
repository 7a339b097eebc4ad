"""`sinagot pipeline`: what is there, whether it is right, and runs for no record, as programs that can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sinagot import Workspace
from sinagot.testing import await_true
from tests.cli.conftest import Invoke, Program, environment

#: Each stage says that it began, and then waits for a file where one is named.
NIGHT = """
import time
from pathlib import Path
from pydantic import BaseModel, Field
from sinagot.pipeline import Parameters, Pipeline, Stage
from sinagot.pipeline.input import dependency, param
from sinagot.pipeline.logging import info

HERE = Path(__file__).parents[1]

class Wanted(BaseModel):
    count: int = Field(3, ge=1, description="how many numbers")
    wait: str = ""
    fail: bool = False

def step(name, wait):
    (HERE / f"{name}.began").touch()
    while wait == name and not (HERE / f"{name}.go").exists():
        time.sleep(0.01)

def numbers(count, wait):
    step("numbers", wait)
    info("counting to %d", count)
    return list(range(count))

def squares(numbers, wait, fail):
    step("squares", wait)
    if fail:
        raise ValueError("no squares today")
    return [number**2 for number in numbers]

def total(squares, wait):
    step("total", wait)
    print("the sum is", sum(squares))
    return sum(squares)

night = Pipeline("night", Parameters.define(Wanted), stages={
    "total": Stage(total, [dependency("squares"), param("wait")]),
    "squares": Stage(squares, [dependency("numbers"), param("wait"), param("fail")]),
    "numbers": Stage(numbers, [param("count"), param("wait")]),
})
"""

BANDS = """
from sinagot.pipeline import Pipeline, Stage
from sinagot.pipeline.input import dependency, param, path_in, path_out

def read(raw):
    with open(raw.parents[2] / "calls.txt", "a") as calls:
        calls.write(f"{raw.stem}\\n")
    return int(raw.read_text())

def scale(read, low):
    if read == 13:
        raise ValueError("an unlucky number")
    return read * low

def write(scale, out):
    out.write_text(str(scale))

pipeline = Pipeline("bands of a record", {"low": 1}, stages={
    "read": Stage(read, [path_in("raw")]),
    "scale": Stage(scale, [dependency("read"), param("low")]),
    "write": Stage(write, [dependency("scale"), path_out("out")]),
}, paths={"raw": "raw/{id}.txt", "out": "bands/{id}.txt"})
"""

TOML = "[records]\nid_pattern = 'REC-\\d+'\n[steps]\nscripts = ['bands']\n[run]\nstop_grace = 0.2\n"


@pytest.fixture
def lab(make_lab: Callable[..., Path]) -> Path:
    """Give a workspace with a pipeline for no record, `night`, and one that is a step, `bands`."""
    root = make_lab(1, 2, 3, toml=TOML, bands=BANDS)
    (root / "pipelines").mkdir()
    (root / "pipelines" / "night.py").write_text(NIGHT)
    return root


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Give a function that starts a command line in a folder; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def begin(folder: Path, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "sinagot", *words],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def began(lab: Path, stage: str) -> None:
    await_true((lab / f"{stage}.began").exists, f"stage {stage}")


def stages_of(run: dict[str, object]) -> dict[str, str]:
    rows = run["stages"]
    assert isinstance(rows, list)
    return {row["stage"]: row["state"] for row in rows}


def test_what_is_there_is_listed_and_shown(lab: Path, invoke: Invoke) -> None:
    """Pipelines of steps and of files are listed with stages and typed parameters, and shown as text and as Mermaid."""
    listed = json.loads(invoke(lab, "pipeline", "list", "--json").stdout)
    assert listed["errors"] == []
    bands, night = listed["pipelines"]
    assert (bands["name"], bands["kind"], bands["steps"]) == ("bands", "step", ["bands"])
    assert (night["name"], night["kind"], night["stages"]) == (
        "night",
        "python",
        ["total", "squares", "numbers"],
    )
    count = night["parameters"][0]
    assert (count["name"], count["type"], count["default"], count["doc"]) == (
        "count",
        "int",
        3,
        "how many numbers",
    )
    table = invoke(lab, "pipeline", "list").stdout
    assert "pipelines/night.py" in table and "count: int = 3" in table
    assert "squares <- 2 squares" in invoke(lab, "pipeline", "show", "night").stdout
    drawn = invoke(lab, "pipeline", "show", "pipelines/night.py:night", "--form", "mermaid").stdout
    assert drawn.count("-->") == 2
    assert not (lab / "dataset" / ".sinagot").exists()
    nothing = invoke(lab, "pipeline", "show", "nigth")
    assert nothing.exit_code == 5 and "did you mean 'night'?" in nothing.stderr
    nothing = invoke(lab, "pipeline", "show", "pipelines/nigth.py")
    assert nothing.exit_code == 5 and "did you mean 'night.py'?" in nothing.stderr


def test_a_broken_file_hides_no_other(lab: Path, invoke: Invoke) -> None:
    """All that is wrong is told, each with its file and line; what is good is listed, and runs."""
    (lab / "pipelines" / "torn.py").write_text("from sinagot.pipeline import Pipeline\n\ntorn = Pipeline(\n")
    (lab / "pipelines" / "odd.py").write_text(
        "from sinagot.pipeline import Pipeline, Stage\n"
        "odd = Pipeline('odd', {'day': 1}, stages={'one': Stage(lambda a, b: a, [])})\n"
    )
    toml = TOML + "[pipelines.night]\ncount = 0\ncuont = 3\n[pipelines.odd]\nday = 2\n"
    (lab / "workspace.toml").write_text(toml)
    listed = invoke(lab, "pipeline", "list")
    assert listed.exit_code == 0
    assert "torn.py" in listed.stderr and "night" in listed.stdout and "odd" in listed.stdout
    checked = invoke(lab, "pipeline", "check")
    assert checked.exit_code == 4
    for text in (
        "torn.py:3",
        "argument 'b' of its function has no input",
        "workspace.toml:8: pipelines.night.count: found 0",
        "workspace.toml:9: pipelines.night.cuont",
        "did you mean 'count'?",
    ):
        assert text in checked.stdout
    assert "bands: ok" in checked.stdout
    (lab / "pipelines" / "torn.py").unlink()
    (lab / "workspace.toml").write_text(TOML + "[pipelines.nihgt]\ncount = 2\n")
    checked = invoke(lab, "pipeline", "check", "--json")
    found = json.loads(checked.stdout)
    assert checked.exit_code == 4 and not found["ok"]
    assert "pipelines.nihgt: there is no such pipeline; did you mean 'night'?" in found["errors"][0]
    assert invoke(lab, "pipeline", "check", "night", "bands").exit_code == 0
    assert invoke(lab, "pipeline", "run", "night").exit_code == 0


def test_parameters_come_from_files_and_the_command_line(lab: Path, invoke: Invoke) -> None:
    """`--set` wins over the table; `config show` tells types and origins; what is wrong stops before any stage."""
    (lab / "workspace.toml").write_text(TOML + "[params]\ncount = 4\n[pipelines.night]\ncount = 5\n")
    shown = invoke(lab, "config", "show", "--json").stdout
    (night,) = json.loads(shown)["pipelines"]
    count = night["params"][0]
    assert (count["value"], count["type"], count["origin"], count["line"]) == (
        5,
        "int",
        "pipelines.night.count",
        10,
    )
    assert "the sum is 30" in invoke(lab, "pipeline", "run", "night").output
    assert "the sum is 1\n" in invoke(lab, "pipeline", "run", "night", "--set", "count=2").output
    last = Workspace(lab).runs.last
    assert last is not None
    manifest = json.loads(Path(last.folder, "run.json").read_text())
    assert (manifest["kind"], manifest["pipeline"], manifest["params"]) == ("pipeline", "night", {"count": 2})
    assert {one["key"]: one["origin"] for one in manifest["parameters"]} == {
        "count": "this run",
        "wait": "default",
        "fail": "default",
    }
    assert set(manifest["sources"]["night"]) == {"night.py"}
    for file in lab.glob("*.began"):
        file.unlink()
    for words, code, text in (
        (("--set", "count=many"), 4, "params.count: found 'many'"),
        (("--set", "cuont=2"), 4, "did you mean 'count'?"),
        (("--set", "count"), 2, "write key=value"),
    ):
        refused = invoke(lab, "pipeline", "run", "night", *words)
        assert refused.exit_code == code and text in refused.stderr
    (lab / "workspace.toml").write_text(TOML + "[pipelines.night]\ncount = -1\n")
    refused = invoke(lab, "pipeline", "run", "night")
    assert refused.exit_code == 4 and "workspace.toml:8: pipelines.night.count: found -1" in refused.stderr
    refused = invoke(lab, "pipeline", "run", "bands")
    assert refused.exit_code == 4 and "sinagot run --step bands" in refused.stderr
    assert not list(lab.glob("*.began"))
    assert len(Workspace(lab).runs) == 2


def test_a_run_is_in_the_history(lab: Path, program: Program) -> None:
    """It is told as any run: counts, log, digest; a failure has its cause, its exit code, and what was skipped."""
    done = program(lab, "pipeline", "run", "night", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"], told["exit_code"]) == (0, True, 0)
    assert list(stages_of(told).values()) == ["DONE", "DONE", "DONE"]
    assert "the sum is 5" in done.stderr and "squares  done" in done.stderr
    failed = program(lab, "pipeline", "run", "night", "--set", "fail=true")
    assert failed.returncode == 3
    assert "1 done, 1 error, 1 skipped" in failed.stdout
    assert "ValueError: no squares today" in failed.stdout and "'squares' failed" in failed.stdout
    workspace = Workspace(lab)
    second, first = workspace.runs
    assert (first.kind, first.state, first.ok, first.counts["done"], first.jobs) == (
        "pipeline",
        "ended",
        True,
        1,
        1,
    )
    assert first.run_id == told["run_id"] and first.command.endswith("sinagot pipeline run night --json")
    assert (second.state, second.ok, second.counts["failed"]) == ("ended", False, 1)
    (cause,) = second.digest().failures
    assert (cause.exc_type, cause.step) == ("ValueError", "night") and "night.py:29" in cause.where
    log = (lab / "dataset" / "LOG" / "pipelines%2Fnight.log").read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    own = [line for line in lines if line["run_id"] == first.run_id]
    assert [line["message"] for line in own if line["message"].startswith(("count", "the"))] == [
        "counting to 3",
        "the sum is 5",
    ]
    assert own[-1]["step_status"] == 30 and own[-1]["params"]["count"] == 3
    assert (lines[-1]["step_status"], lines[-1]["exc_type"]) == (40, "ValueError")
    shown = program(lab, "logs", "pipelines/night", "-n", "1").stdout
    assert "stage 'squares' failed" in shown
    assert "no squares today" in program(lab, "runs", "show").stdout
    assert workspace.runs.failures() == []
    # Neither mark nor claim is left, and records know nothing of it.
    assert program(lab, "status").stdout.count("ready") >= 3
    assert not list((lab / "dataset" / ".sinagot" / "owners").iterdir())


def test_a_killed_run_died_and_nothing_is_damaged(lab: Path, start: Start, program: Program) -> None:
    """Kill -9 between two stages: it counts as died, and as interrupted; the next run goes well."""
    process = start(lab, "pipeline", "run", "night", "--set", "wait=squares")
    began(lab, "squares")
    assert json.loads(program(lab, "runs", "--json").stdout)["runs"][0]["state"] == "running"
    process.kill()
    process.wait()
    (killed,) = json.loads(program(lab, "runs", "--json").stdout)["runs"]
    assert (killed["state"], killed["ok"], killed["jobs"]) == ("died", False, 1)
    assert not (lab / "total.began").exists()
    again = program(lab, "pipeline", "run", "night")
    assert again.returncode == 0, again.stderr
    newest, oldest = json.loads(program(lab, "runs", "--json").stdout)["runs"]
    assert (newest["state"], oldest["state"]) == ("ended", "died")
    assert len(list((lab / "dataset" / ".sinagot" / "owners").iterdir())) == 0
    assert program(lab, "run").returncode == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_interrupts_it(lab: Path, start: Start, number: int, code: int) -> None:
    """Ctrl-C or SIGTERM in a stage: after its grace the stage is cut off, and all is on record."""
    process = start(lab, "pipeline", "run", "night", "--json", "--set", "wait=squares")
    began(lab, "squares")
    os.kill(process.pid, number)
    stdout, stderr = process.communicate(timeout=60)
    told = json.loads(stdout)
    assert (process.returncode, told["exit_code"], told["stopped_by"]) == (code, code, number)
    assert stages_of(told) == {"total": "WAITING", "squares": "INTERRUPTED", "numbers": "DONE"}, stderr
    assert not (lab / "total.began").exists()
    run = Workspace(lab).runs.last
    assert run is not None
    assert (run.state, run.stopped_by, run.counts["interrupted"], run.ok) == ("stopped", number, 1, False)
    log = (lab / "dataset" / "LOG" / "pipelines%2Fnight.log").read_text()
    assert json.loads(log.splitlines()[-1])["step_status"] == 42


def test_a_stage_that_ends_in_time_is_done_and_nothing_follows(lab: Path, start: Start) -> None:
    """After Ctrl-C a running stage gets a while; when it ends well, it counts, and the next one does not begin."""
    (lab / "workspace.toml").write_text(TOML.replace("0.2", "60"))
    process = start(lab, "pipeline", "run", "night", "--json", "--set", "wait=squares")
    began(lab, "squares")
    os.kill(process.pid, signal.SIGINT)
    assert process.stderr is not None
    while "Stopping" not in process.stderr.readline():
        assert process.poll() is None
    (lab / "squares.go").touch()
    stdout, _ = process.communicate(timeout=60)
    told = json.loads(stdout)
    assert process.returncode == 130
    assert stages_of(told) == {"total": "WAITING", "squares": "DONE", "numbers": "DONE"}
    assert not (lab / "total.began").exists()


def test_two_runs_at_once(lab: Path, start: Start) -> None:
    """Two programs run the same pipeline at the same time: both are done, each with its own run."""
    both = [start(lab, "pipeline", "run", "night", "--json", "--set", "wait=squares") for _ in range(2)]

    def are_both_at_it() -> bool:
        events = (lab / "dataset" / ".sinagot" / "runs").glob("*/events-*.jsonl")
        return sum('"act": "squares"' in file.read_text() for file in events) == 2

    await_true(are_both_at_it, "both in their second stage")
    (lab / "squares.go").touch()
    told = [json.loads(process.communicate(timeout=60)[0]) for process in both]
    assert [one["ok"] for one in told] == [True, True]
    assert len({one["run_id"] for one in told}) == 2
    assert [run.state for run in Workspace(lab).runs] == ["ended", "ended"]


def test_outside_of_a_workspace_a_file_runs_by_itself(tmp_path: Path, program: Program) -> None:
    """No workspace is needed to show, check and run a file; nothing is written beside what it writes itself."""
    folder = tmp_path / "alone" / "flows"
    folder.mkdir(parents=True)
    file = folder / "night.py"
    file.write_text(NIGHT)
    done = program(folder, "pipeline", "run", "night.py", "--json", "--set", "count=4")
    assert (done.returncode, json.loads(done.stdout)["ok"]) == (0, True), done.stderr
    assert program(folder, "pipeline", "check", "night.py").stdout == "night: ok\n"
    assert "3 stages" in program(folder, "pipeline", "show", "night.py").stdout
    failed = program(folder, "pipeline", "run", "night.py", "--set", "fail=true")
    assert failed.returncode == 3 and "no squares today" in failed.stdout
    refused = program(folder, "pipeline", "run", "night.py", "--set", "count=0")
    assert refused.returncode == 4 and "params.count: found 0" in refused.stderr
    assert program(folder, "pipeline", "run", "night").returncode == 2
    assert sorted(one.name for one in folder.iterdir()) == ["night.py"]


def test_ctrl_c_twice_ends_it_at_once_outside_too(tmp_path: Path, start: Start) -> None:
    """Outside of a workspace as well a second Ctrl-C does not wait for the stage, and the exit code is 130."""
    folder = tmp_path / "alone" / "flows"
    folder.mkdir(parents=True)
    (folder / "night.py").write_text(NIGHT)
    process = start(folder, "pipeline", "run", "night.py", "--json", "--set", "wait=squares")
    began(folder.parent, "squares")
    assert process.stderr is not None
    os.kill(process.pid, signal.SIGINT)
    while "Stopping" not in process.stderr.readline():
        assert process.poll() is None
    os.kill(process.pid, signal.SIGINT)
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stages_of(json.loads(stdout)) == {"total": "WAITING", "squares": "INTERRUPTED", "numbers": "DONE"}


def test_a_pipeline_is_exported(lab: Path, invoke: Invoke) -> None:
    """The DAG file is Python with a task per stage, and a file of others is not replaced unasked."""
    dag = lab / "dag.py"
    assert invoke(lab, "pipeline", "export", "night", "--airflow", str(dag)).exit_code == 0
    text = dag.read_text()
    compile(text, str(dag), "exec")
    assert all(repr(name) in text or f'"{name}"' in text for name in ("numbers", "squares", "total"))
    dag.write_text("mine = 1\n")
    refused = invoke(lab, "pipeline", "export", "night", "--airflow", str(dag))
    assert refused.exit_code == 4 and dag.read_text() == "mine = 1\n"
    assert invoke(lab, "pipeline", "export", "night", "--airflow", str(dag), "--overwrite").exit_code == 0


def test_names_are_completed(lab: Path, invoke: Invoke) -> None:
    """Runs tell the shell the names of pipelines: one of steps those of steps, one of a pipeline all of them."""
    from sinagot.engine.state.names import KnownNames

    state = str(lab / "dataset" / ".sinagot")
    assert invoke(lab, "run").exit_code == 0
    assert KnownNames.read(state).pipelines == ["bands"]
    assert invoke(lab, "pipeline", "run", "night").exit_code == 0
    assert invoke(lab, "run", "--force").exit_code == 0
    known = KnownNames.read(state)
    assert (known.pipelines, known.steps, known.records) == (
        ["bands", "night"],
        ["bands"],
        ["REC-1", "REC-2", "REC-3"],
    )


def test_as_a_step_it_runs_once_a_record(make_lab: Callable[..., Path], program: Program) -> None:
    """200 records through two processes: one is broken and ERROR, 199 are DONE; a second run calls no stage."""
    values = [13 if number == 77 else number for number in range(1, 201) if number != 13] + [500]
    lab = make_lab(*values, toml=TOML, bands=BANDS)
    first = program(lab, "run", "--jobs", "2", "--json")
    counts = json.loads(first.stdout)["counts"]
    assert (first.returncode, counts["done"], counts["failed"]) == (3, 199, 1), first.stderr
    calls = lab / "calls.txt"
    assert len(calls.read_text().split()) == 200
    calls.unlink()
    broken = f"REC-{values.index(13) + 1}"
    statuses = {row["record_id"]: int(row["step_status"]) for row in Workspace(lab).steps.iter_status()}
    assert (sorted(statuses.values()), statuses[broken]) == ([30] * 199 + [40], 40)
    second = program(lab, "run", "--jobs", "2", "--json")
    assert json.loads(second.stdout)["counts"]["up_to_date"] == 199
    assert calls.read_text().split() == [broken]  # what has failed is tried again, and nothing else


def test_a_template_runs_as_the_others(lab: Path, invoke: Invoke) -> None:
    """A pipeline of the folder `conf` is listed, checked with the lines of both files, and run with its history."""
    (lab / "conf").mkdir()
    (lab / "conf" / "greetings.yaml").write_text(
        "hello:\n  type: pipeline.Pipeline\n  params:\n    who: str\n    times: {type: int, default: 2}\n"
        "  jobs:\n    first:\n      stages:\n        - name: say it\n          id: say\n"
        '          echo: "hello ${{ params.who }}"\n'
    )
    (lab / "workspace.toml").write_text(TOML + "[pipelines.hello]\nwho = 'you'\n")
    listed = json.loads(invoke(lab, "pipeline", "list", "--json").stdout)["pipelines"][-1]
    assert (listed["name"], listed["kind"], listed["problem"]) == ("hello", "template", None)
    assert invoke(lab, "pipeline", "check").exit_code == 0
    done = invoke(lab, "pipeline", "run", "hello", "--json")
    assert done.exit_code == 0 and list(stages_of(json.loads(done.stdout)).values()) == ["DONE"]
    assert "hello you" in (lab / "dataset" / "LOG" / "pipelines%2Fhello.log").read_text()
    run = Workspace(lab).runs.last
    assert run is not None and (run.kind, run.ok) == ("pipeline", True)
    refused = invoke(lab, "pipeline", "run", "hello", "--set", "times=often")
    assert refused.exit_code == 4 and "params.times" in refused.stderr and "a whole number" in refused.stderr
    (lab / "workspace.toml").write_text(TOML + "[pipelines.hello]\ntimes = 'often'\n")
    checked = invoke(lab, "pipeline", "check")
    assert checked.exit_code == 4 and "workspace.toml:8: pipelines.hello.times: refused" in checked.stdout
    assert len(Workspace(lab).runs) == 1


def test_a_template_is_checked_with_its_time_tables_and_policies(lab: Path, invoke: Invoke) -> None:
    """`pipeline check` tells wrong cron lines and policies with their lines; folder and zone are the configured ones."""
    (lab / "flows").mkdir()
    (lab / "workspace.toml").write_text(TOML + "[schedule]\nconf = 'flows'\n")
    text = "hello:\n  type: pipeline.Pipeline\n  on: {cron: '0 6 31 2 *'}\n  overlap: skipp\n  jobs:\n"
    (lab / "flows" / "a.yaml").write_text(text + "    one:\n      stages: [{name: say, echo: hello}]\n")
    checked = invoke(lab, "pipeline", "check")
    assert checked.exit_code == 4
    assert "a.yaml:3: hello.on.cron: found '0 6 31 2 *', which never comes" in checked.stdout
    assert (
        "a.yaml:4: hello.overlap: found 'skipp'" in checked.stdout
        and "did you mean 'skip'?" in checked.stdout
    )


def test_a_run_may_write_no_log_file(lab: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is switched off, a run for no record leaves no log file, and its events and its end all the same."""
    (lab / "conf").mkdir()
    (lab / "conf" / "a.yaml").write_text(
        "hello:\n  type: pipeline.Pipeline\n  jobs:\n    one:\n      stages: [{name: say, echo: hello}]\n"
    )
    monkeypatch.setenv("WORKFLOW_LOG_ENABLE_WRITE", "false")
    assert invoke(lab, "pipeline", "run", "hello").exit_code == 0
    assert not (lab / "dataset" / "LOG").exists()
    run = Workspace(lab).runs.last
    assert run is not None and (run.kind, run.ok) == ("pipeline", True)
    monkeypatch.setenv("WORKFLOW_LOG_ENABLE_WRITE", "true")
    assert invoke(lab, "pipeline", "run", "hello").exit_code == 0
    assert "hello" in (lab / "dataset" / "LOG" / "pipelines%2Fhello.log").read_text()
