"""Laws of what is told about the inside of attempts: stages of pipelines, read from the events of a run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinagot.engine.accounts.acts import (
    acts_of,
    attempt_of_line,
    iter_acts,
    place_of_key,
    read_act,
    read_attempts,
)
from sinagot.engine.accounts.attempts import iter_attempts
from sinagot.engine.accounts.runs import run_ids
from sinagot.engine.accounts.stages import ActTally, StageFacts, in_order_of
from sinagot.engine.state.compact import compact, find_old
from sinagot.engine.state.history import event_files, last_event
from sinagot.pipeline.album import has_portraits, keep_portrait, read_portrait, read_portraits
from sinagot.pipeline.description import Description, EdgeView, NodeView
from sinagot.testing import await_true, make_workspace
from sinagot.workspace.workspace import Workspace

PIPELINE = '''
import time
from sinagot.pipeline import Pipeline, Stage
from sinagot.pipeline.input import dependency, path_in, path_out

def read(path):
    """Read a recording."""
    return path.read_text(), path.parent.parent

def power(found):
    text, folder = found
    if text == "bad":
        raise ValueError(f"no power <b>in</b> {text}")
    while text == "slow" and not (folder / "gate").exists():
        time.sleep(0.01)
    return text

def write(value, path):
    path.write_text(value)

pipeline = Pipeline(
    "spectral power",
    stages={
        "read": Stage(read, inputs=[path_in("raw", as_arg="path")]),
        "power": Stage(power, inputs=[dependency("read", as_arg="found")]),
        "write": Stage(write, inputs=[dependency("power", as_arg="value"), path_out("out", as_arg="path")]),
    },
    paths={"raw": "raw/{id}.txt", "out": "power/{id}.txt"},
)
'''


def make_lab(folder: Path, **texts: str) -> Workspace:
    return make_workspace(folder, records=texts, scripts={"power": PIPELINE})


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace in which a run has ended: of three records one is broken."""
    with make_lab(tmp_path_factory.mktemp("acts") / "lab", A="good", B="bad", C="good") as workspace:
        workspace.steps.run(printing=False)
        yield workspace


def state_of(workspace: Workspace) -> str:
    return str(workspace.configuration.state_path)


def counted(tally: ActTally) -> dict[str, dict[str, int]]:
    return {stage.stage: stage.counts for step in tally.steps() for stage in step.stages}


def test_each_attempt_tells_its_stages(lab: Workspace) -> None:
    """Of each attempt the stages stand in their order, with begin, end, duration, cause, and why one was skipped."""
    state, run_id = state_of(lab), run_ids(state_of(lab))[0]
    found = {one.record_id: one for one in iter_acts(state, run_id)}
    assert {name: [act.state for act in one.acts] for name, one in found.items()} == {
        "A": ["DONE"] * 3,
        "B": ["DONE", "ERROR", "SKIPPED"],
        "C": ["DONE"] * 3,
    }
    bad = found["B"]
    assert (bad.step, bad.outcome, bad.key) == ("power", "failed", "B/power")
    read, power, write = bad.acts
    assert read.begin <= read.end <= power.begin <= power.end and power.duration_s > 0
    assert (power.exc_type, power.exc_message) == ("ValueError", "no power <b>in</b> bad")
    assert power.where.endswith(" in power") and write.reason == "'power' failed"
    assert acts_of(state, run_id, "B/power") == acts_of(state, run_id, "B/power", bad.attempt) == bad
    assert acts_of(state, run_id, "B/other") is None and acts_of(state, "no-run", "B/power") is None


def test_stages_are_counted_over_all_jobs(lab: Workspace) -> None:
    """Each stage has its jobs by state, its median of good ones, and its failures by cause with the records."""
    state = state_of(lab)
    tally = ActTally(state, run_ids(state)[0])
    tally.read()
    (step,) = tally.steps()
    assert (step.step, step.jobs) == ("power", 3)
    read, power, write = step.stages
    assert [one.state for one in step.stages] == ["DONE", "ERROR", "DONE"]
    assert (read.counts, power.counts) == ({"DONE": 3}, {"DONE": 2, "ERROR": 1})
    assert write.counts == {"DONE": 2, "SKIPPED": 1} and write.median_s <= write.longest_s <= write.total_s
    (error,) = power.errors
    assert (error.exc_type, error.number, error.records) == ("ValueError", 1, ("B",))
    assert [job.key for job in tally.find("power", state="ERROR")] == ["B/power"]
    places = {job.attempt: (job.worker, job.place) for job in tally.find("power")}
    assert read_attempts(state, run_ids(state)[0], places) == {
        one.attempt: one for one in iter_acts(state, run_ids(state)[0])
    }
    assert {job.key for job in tally.find("power", "write", "DONE")} == {"A/power", "C/power"}
    assert not [*tally.find("power", "read", "SKIPPED")] and not [*tally.find("other")]


def test_a_failure_knows_its_stage(lab: Workspace) -> None:
    """Attempts, marks, details of a record and standing failures name the stage; nothing is written by asking."""
    state, run_id = state_of(lab), run_ids(state_of(lab))[0]
    before = sorted(path for path in Path(state).rglob("*"))
    assert [one["stage"] for one in iter_attempts(state, run_id) if one["outcome"] == "failed"] == ["power"]
    assert [group.stage for group in lab.runs.failures()] == ["power"]
    details = lab.records.get("B").details()
    (step,) = details.steps
    assert step.error.stage == "power" and [act.act for act in step.stages.acts] == ["read", "power", "write"]
    assert details.as_json()["steps"][0]["stages"]["acts"][1]["exc_type"] == "ValueError"
    assert [act.state for act in lab.records.get("A").details().steps[0].stages.acts] == ["DONE"] * 3
    assert sorted(path for path in Path(state).rglob("*")) == before


def test_the_graph_is_known_without_the_code(lab: Workspace) -> None:
    """A run keeps the graph of its pipeline; the next run of the same code takes it, and imports nothing for it."""
    state, run_id = state_of(lab), run_ids(state_of(lab))[0]
    kept = read_portraits(state, run_id)["power"]
    assert kept.name == "spectral power" and [one.name for one in kept.nodes] == ["read", "power", "write"]
    assert [(one.source, one.target) for one in kept.edges] == [("read", "power"), ("power", "write")]

    def make() -> Description:
        raise AssertionError("it is known")

    digest = json.loads(Path(state, "runs", run_id, "pipelines", "power.json").read_text())["digest"]
    assert keep_portrait(state, "20990101T000000-00", "power", digest, make) == kept
    assert keep_portrait(state, "20990101T000000-01", "power", "other code", make) is None
    assert has_portraits(state, "20990101T000000-01") and not read_portraits(state, "20990101T000000-01")
    assert read_portrait(state, run_id, "other") is None and not has_portraits(state, "no-run")
    for number in ("00", "01"):
        folder = Path(state, "runs", f"20990101T000000-{number}")
        for path in sorted(folder.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        folder.rmdir()


def test_portraits_survive_any_name_and_any_garbage(tmp_path: Path) -> None:
    """A name of any length and signs leads to its portrait; a torn one is none, and hides no other."""
    name = "RS-EEG-" + "ü/% " * 100
    one = Description("p", nodes=(NodeView("a"), NodeView("b")), edges=(EdgeView("a", "b"),))
    assert keep_portrait(str(tmp_path), "r", name, "d", lambda: one) == one
    (tmp_path / "runs" / "r" / "pipelines" / "torn.json").write_text('{"name": "x", "nod')
    (tmp_path / "runs" / "r" / "pipelines" / "list.json").write_text("[1]")
    assert (
        read_portraits(str(tmp_path), "r") == {name: one} and read_portrait(str(tmp_path), "r", name) == one
    )
    assert read_portrait(str(tmp_path), "r", "torn") is None


WORDS = ("RUNNING", "DONE", "ERROR", "SKIPPED", "INTERRUPTED", "MELTED")
EVENTS = st.builds(
    lambda key, attempt, act, state, second: {
        "event": "act",
        "key": f"{key}/step",
        "attempt": f"r-7-{attempt}",
        "act": act,
        "state": state,
        "time": f"2026-01-01T00:00:{second:02d}.000000+00:00",
        "duration_s": second / 7,
    },
    st.sampled_from(["A", "é", 'q"q']),
    st.integers(1, 2),
    st.sampled_from(["read", "wr\u2028ite"]),
    st.sampled_from(WORDS),
    st.integers(0, 59),
)
GARBAGE = st.sampled_from(
    [
        b"\n",
        b"\x00\xff\xfe\n",
        b'{"event": "act"\n',
        b'{"event": "act", "key": 3}\n',
        b'{"event": "act", "key": [], "attempt": {}, "act": null, "state": "NEW", "time": 5}\n',
        b'{"event": "act", "key": "A/step", "attempt": "r-7-1", "act": "read", "state": "DONE", "tim\n',
        b'{"event": "act", ' + b"[" * 5000 + b"\n",
    ]
)


@settings(max_examples=60, deadline=None)
@given(events=st.lists(EVENTS, max_size=14), data=st.data())
def test_reading_bears_anything_and_bit_by_bit(
    tmp_path_factory: pytest.TempPathFactory, events: list[dict[str, Any]], data: st.DataObject
) -> None:
    """Torn lines, garbage and words of other versions change nothing; what is read in pieces is what is read at once."""
    folders = [tmp_path_factory.mktemp("state") for _ in range(3)]
    files = []
    for folder in folders:
        (folder / "runs" / "r").mkdir(parents=True)
        files.append(folder / "runs" / "r" / "events-vm-7.jsonl")
    lines = [json.dumps(event).encode() + b"\n" for event in events]
    files[0].write_bytes(b"".join(lines))
    for place in sorted(data.draw(st.lists(st.integers(0, len(lines)), max_size=4)), reverse=True):
        lines.insert(place, data.draw(GARBAGE))
    whole = b"".join(lines)
    files[1].write_bytes(whole)
    clean, soiled, grown = (ActTally(str(folder), "r") for folder in folders)
    clean.read()
    soiled.read()
    for cut in sorted({*data.draw(st.lists(st.integers(0, len(whole)), max_size=5)), len(whole)}):
        files[2].write_bytes(whole[:cut])
        grown.read()
    assert clean.steps() == soiled.steps() == grown.steps()
    assert [*iter_acts(str(folders[0]), "r")] == [*iter_acts(str(folders[1]), "r")]
    known = {one["state"] for one in events} & set(WORDS[:-1])
    shown = {state for stages in counted(clean).values() for state in stages}
    assert shown <= (known - {"RUNNING"}) | {"INTERRUPTED"}  # nobody is at it


def test_of_a_job_the_newest_attempt_counts(tmp_path: Path) -> None:
    """A repetition replaces the attempt before it, whichever file is read first; of an act the first end counts."""

    def line(attempt: int, act: str, state: str, second: int) -> str:
        time = f"2026-01-01T00:00:{second:02d}.000000+00:00"
        facts = {"key": "A/step", "attempt": f"r-{attempt}-1", "act": act, "state": state, "time": time}
        return json.dumps({"event": "act", **facts}) + "\n"

    folder = tmp_path / "runs" / "r"
    folder.mkdir(parents=True)
    (folder / "events-vm-1.jsonl").write_text(line(1, "a", "RUNNING", 30) + line(1, "a", "DONE", 31))
    (folder / "events-vm-2.jsonl").write_text(
        line(2, "a", "RUNNING", 10) + line(2, "a", "ERROR", 11) + line(2, "b", "SKIPPED", 12)
    )
    tally = ActTally(str(tmp_path), "r")
    tally.read()
    assert {name: counts for name, counts in counted(tally).items() if counts} == {"a": {"DONE": 1}}
    assert acts_of(str(tmp_path), "r", "A/step").attempt == "r-1-1"
    with (folder / "events-vm-1.jsonl").open("a") as file:
        file.write(line(1, "a", "ERROR", 40) + line(3, "a", "RUNNING", 41) + line(3, "a", "INTERRUPTED", 42))
    tally.read()
    assert counted(tally)["a"] == {"INTERRUPTED": 1}
    # What was read is not read again: only what was added counts.
    text = (folder / "events-vm-1.jsonl").read_bytes()
    (folder / "events-vm-1.jsonl").write_bytes(b"x" * len(text) + line(3, "b", "DONE", 43).encode())
    tally.read()
    assert counted(tally) == {"a": {"INTERRUPTED": 1}, "b": {"DONE": 1}}


def test_of_a_processor_the_newest_counts_are_told(tmp_path: Path) -> None:
    """Progress moves the counts and not the beginning; sums are over all attempts; what is no count is left out."""

    def line(attempt: int, state: str, second: int, **facts: Any) -> str:
        at = f"2026-01-01T00:00:{second:02d}+00:00"
        known = {"key": "A/flow", "attempt": f"r-{attempt}-1", "act": "p", "state": state, "time": at}
        return json.dumps({"event": "act", **known, **facts}) + "\n"

    def told(taken: Any, written: Any, **more: Any) -> dict[str, Any]:
        return {"values_in": taken, "values_out": written, **more}

    folder = tmp_path / "runs" / "r"
    folder.mkdir(parents=True)
    events = folder / "events-vm-1.jsonl"
    events.write_text(
        line(1, "RUNNING", 1)
        + line(1, "RUNNING", 6, **told({"raw": 1}, {"x": 5}, lead=2, waits_for="for 'q'"))
        + line(1, "RUNNING", 11, **told({"raw": 2, "bad": "<b>"}, {"x": 9}, lead=-1, waits_for=["no"]))
    )
    tally = ActTally(str(tmp_path), "r")
    tally.read()

    def sums() -> tuple[Any, Any]:
        ((stage,),) = (one.stages for one in tally.steps())
        return stage.values_in, stage.values_out

    assert sums() == ({"raw": 2}, {"x": 9})
    assert tally.running() == []  # nobody holds the job
    (job,) = tally.jobs.values()
    assert job.told == "2026-01-01T00:00:11+00:00"
    assert [(one.act, one.state, one.values_out) for one in job.acts(["o", "p"])] == [
        ("o", "WAITING", None),
        ("p", "RUNNING", {"x": 9}),
    ]
    (act,) = acts_of(str(tmp_path), "r", "A/flow").acts
    assert (act.begin, act.state, act.lead, act.waits_for) == (
        "2026-01-01T00:00:01+00:00",
        "INTERRUPTED",
        None,
        "",
    )
    assert (act.values_in, act.values_out) == ({"raw": 2}, {"x": 9})
    with events.open("a") as file:
        file.write(line(1, "ERROR", 12, **told({"raw": 3}, {"x": 10})))
        file.write(json.dumps({"event": "failed", "key": "A/flow", "attempt": "r-1-1"}) + "\n")
        file.write(line(2, "RUNNING", 20) + line(2, "RUNNING", 25, **told({"raw": 1}, {"x": 1})))
    tally.read()
    assert sums() == ({"raw": 4}, {"x": 11})
    with events.open("a") as file:
        file.write(
            line(2, "DONE", 30, **told("garbage", None)) + line(2, "DONE", 31, **told({"raw": 99}, {}))
        )
    tally.read()
    assert acts_of(str(tmp_path), "r", "A/flow", "r-2-1").acts[0].values_in is None


def test_a_stage_of_a_killed_process_is_interrupted(tmp_path: Path) -> None:
    """While a process is in a stage it is running, for all who ask; after kill -9 it is interrupted, with no delay."""
    with make_lab(tmp_path / "lab", A="slow") as workspace:
        state = state_of(workspace)
        child = subprocess.Popen(
            [sys.executable, "-m", "sinagot", "-w", str(tmp_path / "lab"), "run"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def states() -> list[str]:
            found = acts_of(state, (run_ids(state) or ["-"])[0], "A/power")
            return [act.state for act in found.acts] if found is not None else []

        try:
            await_true(lambda: states() == ["DONE", "RUNNING"], "the second stage")
            tally = ActTally(state, run_ids(state)[0])
            tally.read()
            assert counted(tally)["power"] == {"RUNNING": 1}
            (step,) = workspace.records.get("A").details().steps
            assert [act.state for act in step.stages.acts] == ["DONE", "RUNNING"]
            (shown,) = workspace.runs.last.stages()
            assert [(one.stage, one.state) for one in shown.stages][1:] == [
                ("power", "RUNNING"),
                ("write", "WAITING"),
            ]
        finally:
            child.kill()
            child.wait()
        assert states() == ["DONE", "INTERRUPTED"]
        tally.read()
        assert counted(tally)["power"] == {"INTERRUPTED": 1}
        assert [job.key for job in tally.find("power", "power", "INTERRUPTED")] == ["A/power"]
        (step,) = workspace.records.get("A").details().steps
        assert [act.state for act in step.stages.acts] == ["DONE", "INTERRUPTED"]
        (tmp_path / "lab" / "dataset" / "gate").write_text("open")
        assert workspace.steps.run(printing=False).ok
        (step,) = workspace.records.get("A").details().steps
        assert [act.state for act in step.stages.acts] == ["DONE"] * 3


def test_a_pipeline_for_no_record_lives_as_long_as_its_run(tmp_path: Path) -> None:
    """A pipeline that runs by itself has no claims: its stages run while its process does; its graph is known too."""
    with make_lab(tmp_path / "lab") as workspace:
        state, gate = state_of(workspace), tmp_path / "gate"
        (tmp_path / "lab" / "night.py").write_text(
            "import time\nfrom pathlib import Path\nfrom sinagot.pipeline import Pipeline, Stage\n\n"
            "def wait():\n"
            f"    while not Path({str(gate)!r}).exists():\n        time.sleep(0.01)\n\n"
            'pipeline = Pipeline("night", stages={"wait": Stage(wait), "end": Stage(list, after=["wait"])})\n'
        )
        words = ["-w", str(tmp_path / "lab"), "pipeline", "run", str(tmp_path / "lab" / "night.py")]
        child = subprocess.Popen(
            [sys.executable, "-m", "sinagot", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

        def states() -> list[str]:
            return [act.state for one in iter_acts(state, (run_ids(state) or ["-"])[0]) for act in one.acts]

        try:
            await_true(lambda: states() == ["RUNNING"], "the first stage")
        finally:
            child.kill()
            child.wait()
        assert states() == ["INTERRUPTED"]
        (step,) = workspace.runs.last.stages()
        assert (step.step, [one.state for one in step.stages]) == ("night", ["INTERRUPTED", "WAITING"])
        assert [one.step for one in workspace.runs.last.acts("night")] == ["night"]
        kept = read_portraits(state, run_ids(state)[0])
        assert [edge.target for edge in kept["night"].edges] == ["end"]
        gate.write_text("open")
        done = subprocess.run(
            [sys.executable, "-m", "sinagot", *words], capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0 and states() == ["DONE"] * 2


def test_acts_decide_nothing_and_are_cleaned_away(tmp_path: Path) -> None:
    """What a dead attempt has left is judged without its acts; an old run keeps what results came from, and no acts."""
    with make_lab(tmp_path / "lab", A="good", B="good") as workspace:
        state = state_of(workspace)
        workspace.steps.run(printing=False)
        run_id = run_ids(state)[0]
        (path,) = event_files(f"{state}/runs/{run_id}")
        with open(path, "a") as file:  # a thread of an attempt that was given up writes late
            late = {"event": "act", "key": "A/power", "attempt": "x", "act": "read", "state": "DONE"}
            file.write(json.dumps(late) + "\n")
        assert last_event(path, "A/power")["event"] == "done"
        workspace.records.select(["B"]).steps.run(force=True, printing=False)
        (old,) = find_old(state, 1, None, lambda key: None)
        assert old.run_id == run_id and old.spare > 0
        compact(state, old)
        assert not [*iter_acts(state, run_id)] and not has_portraits(state, run_id)
        assert [one["record_id"] for one in iter_attempts(state, run_id)] == ["A"]
        assert workspace.runs[run_id].stages() == []
        assert workspace.steps.run(rerun="outdated", printing=False).counts["up_to_date"] == 2


def test_small_readers() -> None:
    """Names of steps and attempts are read off as they are; a stage of which nothing is known waits."""
    assert place_of_key("REC/RS/EEG/alpha") == "RS-EEG-alpha" and place_of_key("pipelines/n/n") == "n"
    assert attempt_of_line(b'{"event": "done"}') is None and attempt_of_line(b'"attempt": "torn') is None
    assert read_act(b"") is None
    (step,) = in_order_of([], {"s": ["a"]})
    assert step.stages == (StageFacts("a", {}, None, None, 0.0, ()),) and step.stages[0].state == "WAITING"
