"""Laws of `steps:` and `compute:`: they run on the engine as a part of the pipeline's run, and tell records."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sinagot import Workspace
from sinagot.errors import ConfigurationError, PipelineError
from sinagot.testing import await_true, make_workspace, script_text

IDS = [f"REC-{number:02}" for number in range(50)]
BAD = ["REC-03", "REC-17"]
COUNT = script_text(
    f"""
    if self.id in {BAD!r} and not Path({{mended!r}}).exists():
        raise ValueError("no signal in " + self.id)
    self.path.output.write_text("1")
    """,
    ("raw", "{id}.txt"),
    ("count", "{id}.txt"),
)
MEAN = script_text("self.path.output.write_text('2')", ("count", "{id}.txt"), ("mean", "{id}.txt"))
TWO = """
a:
  stages:
    - {name: count, steps: count}
b:
  needs: a
  trigger-rule: all_done
  stages:
    - {name: mean, steps: [mean], where: {records: "${{ jobs.a.stages.count.outputs.good }}"}}
    - {name: tell, echo: "${{ jobs.a.stages.count.outputs.failed }}"}
"""


@pytest.fixture
def house(shelf: Any) -> Any:
    """Give a workspace of 50 records and two steps, the first of which fails for two records until it is mended."""
    mended = shelf.root / "mended"
    make_workspace(
        shelf.root,
        records=IDS,
        scripts={"count": COUNT.replace("{mended!r}", repr(str(mended))), "mean": MEAN},
    ).close()
    shelf.mended = mended
    return shelf


def runs_of(root: Path) -> dict[str, dict[str, Any]]:
    """Give the manifests of all runs."""
    return {file.parent.name: json.loads(file.read_text()) for file in root.rglob("runs/*/run.json")}


def lines_of(root: Path) -> dict[str, list[dict[str, Any]]]:
    """Give the lines of the logs of the records."""
    files = root.rglob("REC-*.log")
    return {file.stem: [json.loads(line) for line in file.read_text().splitlines()] for file in files}


def test_outputs_tell_records_and_logs_have_the_run(house: Any) -> None:
    """Of 50 records 48 are done and 2 failed; each log has the pipeline's run; a second run goes on from there."""
    pipe = house.jobs(TWO)
    result = pipe.execute()
    stages = result.context["jobs"]["a"]["stages"] | result.context["jobs"]["b"]["stages"]
    outputs = stages["count"]["outputs"]
    good = [one for one in IDS if one not in BAD]
    assert result.status == 1
    assert (outputs["done"], outputs["failed"], outputs["run_id"]) == (good, BAD, result.run_id)
    lists = [
        name for name, one in outputs.items() if isinstance(one, list) and name not in ("good", "failures")
    ]
    assert sorted(record for name in lists for record in outputs[name]) == IDS
    assert outputs["counts"]["done"] == 48 and outputs["counts"]["failed"] == 2
    assert outputs["failures"] == [
        {"step": "count", "cause": "ValueError: no signal in REC-03", "records": BAD}
    ]
    assert (
        "2 of 50 records failed; count: ValueError: no signal in REC-03"
        in stages["count"]["errors"]["message"]
    )
    assert stages["mean"]["outputs"]["done"] == good and house.said("b/tell") == [str(BAD)]
    lines = lines_of(house.root)
    assert sorted(lines) == IDS
    assert {line["run_id"] for some in lines.values() for line in some} == {result.run_id}
    ((name, manifest),) = runs_of(house.root).items()
    assert (name, manifest["kind"], manifest["pipeline"]) == (result.run_id, "pipeline", "p")
    assert (manifest["jobs"], manifest["records"], manifest["ok"]) == (98, 50, False) and manifest["end"]
    assert (manifest["counts"]["done"], manifest["counts"]["failed"]) == (96, 2)
    assert set(manifest["scripts"]) == {"count", "mean"}
    house.mended.touch()
    again = pipe.execute()
    outputs = again.context["jobs"]["a"]["stages"]["count"]["outputs"]
    assert again.ok and (outputs["done"], outputs["up_to_date"], outputs["good"]) == (BAD, good, IDS)
    third = pipe.execute()
    assert third.ok and len(runs_of(house.root)) == 2, "where nothing has to be done nothing is written"


def test_in_the_history_of_a_workspace_all_is_one_run(house: Any) -> None:
    """`ws.pipelines[...].run` has one run of one id: its manifest, counts and attempts are those of both stages."""
    house.jobs(TWO)
    with Workspace(house.root) as ws:
        with pytest.raises(PipelineError, match="2 of 50 records failed") as caught:
            ws.pipelines["p"].run()
        result = caught.value.result
        assert result.status == {"a/count": "ERROR", "b/mean": "DONE", "b/tell": "DONE"}
        ((name, manifest),) = runs_of(house.root).items()
        assert name == result.run_id and (manifest["jobs"], manifest["pipeline"], manifest["ok"]) == (
            99,
            "p",
            False,
        )
        assert (manifest["counts"]["done"], manifest["counts"]["failed"]) == (96, 3)
        assert {node["name"] for node in manifest["stages"]["nodes"]} == set(result.status)
        attempts = [line["attempt"] for some in lines_of(house.root).values() for line in some]
        assert len(set(attempts)) == 98 and all(one.startswith(name) for one in attempts)
        house.mended.touch()
        assert ws.pipelines["p"].run().ok


@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_stages_side_by_side_share_the_run(house: Any, mode: str) -> None:
    """Two jobs at once, each with steps for its own records: one after the other, all in one run, no name twice."""
    pipe = house.jobs(
        f"""
        a: {{stages: [{{name: x, steps: all, where: {{records: [REC-00, REC-01]}}, mode: {mode}}}]}}
        b: {{stages: [{{name: x, steps: all, where: {{records: [REC-04, REC-05]}}, mode: {mode}}}]}}
        c: {{stages: [{{name: x, steps: [mean, count], where: {{records: [REC-04, REC-03]}}, force: true, allow-failures: true}}]}}
        """
    )
    result = pipe.execute()
    assert result.ok, result.error
    outputs = {name: job["stages"]["x"]["outputs"] for name, job in result.context["jobs"].items()}
    assert outputs["a"]["good"] == ["REC-00", "REC-01"] and outputs["b"]["good"] == ["REC-04", "REC-05"]
    assert (outputs["c"]["done"], outputs["c"]["failed"]) == (["REC-04"], ["REC-03"])
    assert outputs["c"]["counts"]["blocked"] == 1
    attempts = {
        (line["attempt"], line["record_id"], line["step_label"])
        for some in lines_of(house.root).values()
        for line in some
        if line["attempt"]
    }
    assert len({one for one, *_ in attempts}) == len(attempts)
    assert not list(house.root.rglob("claims/*")) and not list(house.root.rglob("owners/*"))


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("steps: conut", "did you mean 'count'"),
        ("steps: [count, men]", "did you mean 'mean'"),
        ("steps: []", "a name, or a list of names"),
        ("steps: 3", "a name, or a list of names"),
        ("steps: count\n  where: {task: rest}", "rest"),
        ("steps: count\n  where: {modlity: x}", "did you mean 'modality'"),
        ("steps: count\n  where: {records: [a/b]}", "a/b"),
        ("steps: count\n  where: {records: 3}", "a list of texts"),
        ("steps: count\n  where: {shard: 9/3}", "9/3"),
        ("steps: count\n  rerun: alwys", "did you mean 'always'"),
        ("steps: count\n  mode: proceses", "did you mean 'processes'"),
        ("steps: count\n  max-failures: 0", "from 1"),
        ("steps: count\n  froce: true", "did you mean 'force'"),
        ("steps: count\n  workspace: nowhere", "nowhere"),
        ("steps: count\n  timeout: 3", r"\[steps.NAME\]"),
        ("steps: ${{ params.x }}", "unknown name|params has no 'x'"),
        ("compute: mean", "module:Class=FOLDER"),
        ("compute: mean\n  workspace: nothing_here:Lab=.", "nothing_here"),
    ],
)
def test_what_there_is_not_is_told_before_anything_runs(house: Any, stage: str, words: str) -> None:
    """Unknown steps, scopes, records, keys and workspaces: with file and line, from the configuration alone."""
    before = sorted(house.root.rglob("*"))
    with pytest.raises(ConfigurationError, match=words) as caught:
        house.stages(f"- name: x\n  {stage}")
    assert "p.yaml:" in str(caught.value)
    assert [one for one in sorted(house.root.rglob("*")) if one not in before] == [
        house.root / "conf",
        house.root / "conf" / "p.yaml",
    ]


def test_the_command_checks_all_templates_without_running(house: Any) -> None:
    """`sinagot pipeline check` tells every problem of every template with its line, hooks and arguments included."""
    house.write(
        "tasks.py",
        "from sinagot.pipeline.templates.hooks import tag\n@tag('lab')\ndef read(day: int) -> dict:\n    return {}\n",
    )
    house.write(
        "conf/deep/er/bad.yaml",
        """\
        bad:
          type: pipeline.Pipeline
          on: nobody
          jobs:
            a:
              stages:
                - {name: x, uses: tasks/read@lab, with: {dya: x}}
                - {name: y, uses: tasks/raed@lab}
                - {name: z, steps: conut}
                - {name: w, bsah: ls}
        broken: [
        """,
    )
    house.write(
        "conf/good.yaml", "good: {type: pipeline.Pipeline, jobs: {a: {stages: [{name: x, steps: count}]}}}\n"
    )
    house.write(
        "conf/other.yaml",
        """\
        other:
          type: pipeline.Pipeline
          jobs:
            a:
              stages:
                - {name: x, uses: tasks/read@lab, with: {dya: x}}
                - {name: y, uses: tasks/raed@lab}
                - {name: z, steps: conut}
                - {name: w, bsah: ls}
        """,
    )
    before = sorted(house.root.rglob("*"))
    command = [sys.executable, "-m", "sinagot", "-w", str(house.root), "pipeline", "check", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 4, done.stderr
    told = json.loads(done.stdout)
    problems = {one["name"]: one["problems"] for one in told["pipelines"]}
    assert problems["good"] == [] and not told["ok"]
    for line, words in (
        (6, "did you mean 'day'"),
        (7, "did you mean 'tasks/read@lab'"),
        (8, "did you mean 'count'"),
        (9, "did you mean 'bash'"),
    ):
        assert any(f"other.yaml:{line}: " in one and words in one for one in problems["other"]), (
            line,
            problems,
        )
    assert len(problems["other"]) == len(set(problems["other"]))
    assert any("bad.yaml:11" in one or "bad.yaml:12" in one for one in told["errors"]), told["errors"]
    after = [
        one for one in sorted(house.root.rglob("*")) if one not in before and "__pycache__" not in one.parts
    ]
    assert after == []


def test_a_secret_is_not_handed_to_steps(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters of scripts stand beside results: one with a secret in it is refused, and not shown."""
    monkeypatch.setenv("LAB_TOKEN", "t0psecret")
    result = house.stages("- {name: x, steps: count, params: {key: '${LAB_TOKEN}'}}").execute()
    assert result.status == 1 and "a secret would stand in the logs" in str(result.error)
    assert not any(
        "t0psecret" in file.read_text(errors="replace") for file in house.root.rglob("*") if file.is_file()
    )


def test_templates_elsewhere_name_their_workspace(
    house: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """`workspace:` starts at the folder of the templates."""
    other = type(house)(tmp_path_factory.mktemp("other"))
    folder = os.path.relpath(house.root, other.root)
    result = other.stages(
        f"- {{name: x, steps: count, where: {{records: [REC-00]}}, workspace: {folder}}}"
    ).execute()
    assert result.ok and (house.root / "dataset" / "count" / "REC-00.txt").is_file()


LAB = """\
import sinagot as sg

@sg.step
def added(number: int) -> int:
    if number == 3:
        raise ValueError("no signal")
    return number + 1

@sg.step
def twice(added: int) -> int:
    return 2 * added

class Flow(sg.Workflow):
    number: int = sg.seed()
    added: int = added.step(number)
    twice: int = twice.step(added)

class Lab(sg.Workspace[Flow]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    added = sg.LocalStorage("added/{workflow_id}.txt")
    twice = sg.LocalStorage("twice/{workflow_id}.txt")
"""


def test_compute_makes_nodes_of_a_class(shelf: Any) -> None:
    """Nodes and what they are made from; some ids, what failed, unknown nodes; in the run of the pipeline."""
    shelf.write("lab_of_templates.py", LAB)
    for number in range(5):
        shelf.write(f"data/number/W{number}.txt", str(number))
    stages = """
        - name: some
          compute: twice
          workspace: lab_of_templates:Lab=data
          where: {ids: "${{ params.ids }}"}
        - {name: rest, compute: [added, twice], workspace: "lab_of_templates:Lab=data", mode: main_process}
        """
    params = "params: {ids: {type: array, default: [W1, W2]}}"
    try:
        result = shelf.stages(stages, more=params).execute()
        with pytest.raises(ConfigurationError, match=r"p\.yaml:\d+: .*did you mean 'twice'"):
            shelf.stages(stages.replace("[added, twice]", "twcie"), more=params)
    finally:
        sys.path.remove(str(shelf.root))
        sys.modules.pop("lab_of_templates", None)
    some, rest = result.context["jobs"]["a"]["stages"].values()
    assert (
        some["outputs"]["done"] == ["W1", "W2"]
        and (shelf.root / "data/twice/W2.txt").read_text().strip() == "6"
    )
    assert (rest["outputs"]["good"], rest["outputs"]["failed"]) == (["W0", "W1", "W2", "W4"], ["W3"])
    assert rest["status"] == "ERROR" and "ValueError: no signal" in rest["errors"]["message"]
    assert list(runs_of(shelf.root)) == [result.run_id]


SLOW = """
(Path({mark!r}) / self.id).touch()
time.sleep(60)
"""


def start(house: Any, *, count: int, mode: str) -> subprocess.Popen[bytes]:
    """Start a program whose pipeline runs steps that take long; give it when they run."""
    mark = house.root / "begun"
    mark.mkdir()
    (house.root / "scripts" / "count.py").write_text(
        script_text(SLOW.format(mark=str(mark)), path_out=("count", "{id}.txt"))
    )
    house.jobs(f"a: {{stages: [{{name: x, steps: count, mode: {mode}, workers: {count}}}, {{name: y}}]}}")
    code = (
        "import sys; from sinagot.pipeline import Pipeline;"
        "Pipeline.from_loader('p', root=sys.argv[1]).execute()"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", code, str(house.root)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    await_true(lambda: len(list(mark.iterdir())) == count or program.poll() is not None, "steps run")
    return program


def test_ctrl_c_ends_the_stage_as_the_engine_ends_runs(house: Any) -> None:
    """The run is told as stopped, its jobs as interrupted, and no claim is left."""
    with (house.root / "workspace.toml").open("a") as file:
        file.write("\n[run]\nstop_grace = 0.2\n")
    program = start(house, count=2, mode="processes")
    program.send_signal(signal.SIGINT)
    _, said = program.communicate(timeout=60)
    assert program.returncode in (-signal.SIGINT, 130), said.decode()
    (manifest,) = runs_of(house.root).values()
    assert manifest["stopped_by"] == signal.SIGINT and manifest["end"] and not manifest["ok"]
    with Workspace(house.root) as ws:
        assert {
            row["step_status"] for row in ws.steps.iter_status("count") if row["step_status"] == 20
        } == set()


def test_kill_heals_as_always(house: Any) -> None:
    """After kill -9 of the whole the next run does what was left, under its own name."""
    program = start(house, count=2, mode="processes")
    program.kill()
    program.communicate()
    (former,) = runs_of(house.root)
    good = script_text("self.path.output.write_text('1')", path_out=("count", "{id}.txt"))
    (house.root / "scripts" / "count.py").write_text(good)
    result = house.load().execute()
    assert result.ok and result.run_id != former
    assert result.context["jobs"]["a"]["stages"]["x"]["outputs"]["done"] == IDS
