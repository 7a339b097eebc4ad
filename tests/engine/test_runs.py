"""The accounts of runs: what happened is told truly, whatever state the files are in and whoever still writes them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sinagot.engine.accounts.attempts import EventTally, iter_attempts
from sinagot.engine.accounts.contrasts import diff_runs
from sinagot.engine.accounts.runs import SILENCE, find_run, list_runs
from sinagot.engine.accounts.standing import current_failures
from sinagot.engine.accounts.underway import RunWatch
from sinagot.engine.state.history import Marks, RunFolder, event_files
from sinagot.errors import SinagotError, UnknownRunError
from sinagot.testing import await_true, make_workspace, script_text
from sinagot.workspace.workspace import Workspace

ROOT = Path(__file__).parents[2]
#: Does what the raw file says; one that says "wait" ends when there is a file `gate-<id>` in the data folder.
BODY = """
text = self.path.input.read_text()
gate = Path(self.data_path) / f"gate-{self.id}"
if text == "fail":
    raise ValueError(f"no good: {self.id}")
while text == "wait" and not gate.exists():
    time.sleep(0.01)
self.path.output.write_text("done")
"""


@pytest.fixture
def lab(tmp_path: Path) -> Workspace:
    """Give a workspace of one step; A and B are good, C fails, D waits."""
    texts = {"A": "good", "B": "good", "C": "fail", "D": "wait"}
    return make_workspace(tmp_path / "lab", records=texts, scripts={"one": script_text(BODY)})


def state_of(ws: Workspace) -> str:
    return str(ws.configuration.state_path)


def start(ws: Workspace, *words: str) -> subprocess.Popen[bytes]:
    """Start a run in another process."""
    command = [sys.executable, "-m", "sinagot", "-w", str(ws.data_path.parent), "run", *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def is_at(ws: Workspace, *ids: str) -> bool:
    """Say whether just the jobs of these records run."""
    claims = ws.data_path / ".sinagot/claims"
    return claims.is_dir() and set(os.listdir(claims)) == {f"{record_id}%2Fone" for record_id in ids}


def finish(ws: Workspace, *ids: str) -> None:
    for record_id in ids:
        (ws.data_path / f"gate-{record_id}").touch()


def counts(facts: Any) -> dict[str, int]:
    return {outcome: count for outcome, count in facts.counts.items() if count}


def test_nothing_has_run(lab: Workspace) -> None:
    """Where nothing has run there is nothing to tell, and looking makes no folder."""
    state = state_of(lab)
    assert list_runs(state) == [] and current_failures(state) == []
    with pytest.raises(UnknownRunError, match="nothing has run here yet") as caught:
        find_run(state, "last")
    assert isinstance(caught.value, SinagotError) and isinstance(caught.value, LookupError)
    assert not os.path.exists(state)


def test_run_in_another_process_is_followed_to_its_end(lab: Workspace) -> None:
    """A run that goes on is told as running, with what is settled and what runs now since when; and then as ended."""
    state = state_of(lab)
    lab["A"].steps.run(printing=False)
    process = start(lab)
    try:
        await_true(lambda: is_at(lab, "D"), "D runs")
        facts = find_run(state, "last")
        # The driver tells once a second what has no event.
        assert (facts.state, facts.end, facts.ok, facts.pid, facts.jobs) == (
            "running",
            None,
            None,
            process.pid,
            4,
        )
        assert (facts.mode, facts.workers, facts.user) == ("main_process", 1, os.environ.get("USER"))
        assert facts.command == f"python -m sinagot -w {lab.data_path.parent} run"
        watch = RunWatch(state, facts.run_id, str(lab.configuration.log_path))
        await_true(lambda: watch.progress().running[0].since, "the log says that it runs")
        progress = watch.progress()
        assert counts(progress) == {"done": 1, "failed": 1, "up_to_date": 1}
        assert (progress.settled, progress.total, progress.state) == (3, 4, "running")
        assert progress.rate > 0 and progress.eta_s is not None and progress.eta_s > 0
        (job,) = progress.running
        assert (job.key, job.record_id, job.step_label) == ("D/one", "D", "one")
        assert job.since is not None and facts.start is not None and job.since > facts.start
        assert job.worker == f"{os.uname().nodename}-{process.pid}"
        finish(lab, "D")
        assert process.wait() == 3
        progress = watch.progress()
        assert (progress.state, progress.settled, progress.running) == ("ended", 4, ())
        assert (progress.eta_s, counts(progress)) == (0.0, {"done": 2, "failed": 1, "up_to_date": 1})
    finally:
        process.kill()
        process.wait()
    facts = find_run(state, "last")
    assert (facts.state, facts.ok, facts.failures, facts.open) == ("ended", False, 1, 0)
    assert facts.duration_s is not None and facts.duration_s > 0
    files = {
        "code",
        "config.toml",
        "packages.txt",
        "run.json",
        *map(os.path.basename, event_files(facts.folder)),
    }
    assert set(os.listdir(facts.folder)) == files  # how far it was is no news any more


def test_killed_run_has_died_with_the_right_counts(lab: Workspace) -> None:
    """A run that was killed is told as dead with what it did; what it was at is neither done nor failed, but open."""
    state = state_of(lab)
    process = start(lab)
    await_true(lambda: is_at(lab, "D"), "D runs")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    facts = find_run(state, "last")
    assert (facts.state, facts.end, facts.ok, facts.open) == ("died", None, False, 1)
    assert counts(facts) == {"done": 2, "failed": 1}
    assert facts.duration_s is not None and 0 < facts.duration_s < 3600
    assert RunWatch(state, facts.run_id).progress().running == ()


def test_stopped_run(lab: Workspace) -> None:
    """A run that a signal ended is told as stopped, and by which."""
    process = start(lab)
    await_true(lambda: is_at(lab, "D"), "D runs")
    process.send_signal(signal.SIGINT)
    process.wait()
    facts = find_run(state_of(lab), "last")
    assert (facts.state, facts.stopped_by, facts.ok) == ("stopped", signal.SIGINT, False)
    assert counts(facts) == {"done": 2, "failed": 1, "interrupted": 1}


def test_two_runs_at_once_are_two(lab: Workspace) -> None:
    """Of two runs that go on at once each is told with its own jobs only."""
    (lab.data_path / "raw/E.txt").write_text("wait")
    state = state_of(lab)
    processes = [start(lab, "--record", record_id) for record_id in "DE"]
    try:
        await_true(lambda: is_at(lab, "D", "E"), "both run")
        runs = list_runs(state)
        assert [run.state for run in runs] == ["running"] * 2
        assert {run.pid for run in runs} == {process.pid for process in processes}
        jobs = {run.pid: RunWatch(state, run.run_id).progress().running for run in runs}
        assert [[job.record_id for job in jobs[process.pid]] for process in processes] == [["D"], ["E"]]
        finish(lab, "D", "E")
        assert [process.wait() for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [(run.state, run.counts["done"]) for run in list_runs(state)] == [("ended", 1)] * 2


@pytest.fixture
def old(lab: Workspace) -> str:
    """Give the state folder after a run of A, B and C."""
    lab.records.select(["A", "B", "C"]).steps.run(printing=False)
    return state_of(lab)


def test_torn_lines_cost_themselves_only(old: str) -> None:
    """Of a dead run with torn and foreign lines the whole ones count, and a line without end counts when it has one."""
    facts = find_run(old, "last")
    manifest = Path(facts.folder, "run.json")
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"end": None, "owner": None}))
    (path,) = map(Path, event_files(facts.folder))
    whole = [
        line for line in path.read_bytes().splitlines(keepends=True) if line.startswith(b'{"event": "done"')
    ]
    with path.open("ab") as file:
        file.write(b'{"event": "done", "key": "X/one", "ti\n\xff\n[]\nnull\n{"event": "done"')
    assert counts(find_run(old, "last")) == {"done": 2, "failed": 1}
    assert len(list(iter_attempts(old, facts.run_id))) == 3
    tally = EventTally(facts.folder)
    tally.read()
    with path.open("ab") as file:
        file.write(b", " + whole[0][len(b'{"event": "done", ') :])
    tally.read()
    assert tally.counts == {"done": 3, "failed": 1, "interrupted": 0}


@pytest.mark.parametrize(
    "text", [None, "", '{"start": "2026', "[]", "[" * 10**5, '{"end": null, "counts": 3, "owner": []}']
)
def test_broken_manifest_is_told_from_what_is_left(old: str, text: str | None) -> None:
    """A run whose manifest is absent, torn or nonsense has its start from its id and its counts from its events."""
    facts = find_run(old, "last")
    aged = "20200131T235959-0a1b2c"
    shutil.move(facts.folder, f"{old}/runs/{aged}")
    manifest = Path(old, "runs", aged, "run.json")
    manifest.unlink() if text is None else manifest.write_text(text)
    for path in (manifest.parent, *manifest.parent.iterdir()):
        os.utime(path, (0, 0))
    Path(old, "runs", "notes").mkdir()
    (found,) = list_runs(old)
    assert (found.run_id, found.state, found.start) == (aged, "died", "2020-01-31T23:59:59.000000+00:00")
    assert (found.jobs, found.command, found.ok, found.duration_s) == (None, "", False, None)
    assert counts(found) == {"done": 2, "failed": 1}


def test_silence_of_another_machine_is_death(old: str) -> None:
    """A run of another machine goes on as long as it writes anything, and is dead after long silence."""
    facts = find_run(old, "last")
    manifest = Path(facts.folder, "run.json")
    told = json.loads(manifest.read_text())
    told |= {"end": None, "owner": told["owner"] | {"host": "elsewhere"}}
    manifest.write_text(json.dumps(told))
    assert find_run(old, "last").state == "running"
    long_ago = manifest.stat().st_mtime - 2 * SILENCE
    for path in Path(facts.folder).iterdir():
        os.utime(path, (long_ago, long_ago))
    assert find_run(old, "last").state == "died"
    beat = Path(old, "owners", f"{facts.run_id}-1-00")
    beat.write_text("{}")
    assert find_run(old, "last").state == "running"


def test_driver_notes_what_has_no_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the driver has booked without an event is told by its note, and the note goes with the end of the run."""
    monkeypatch.setattr("sinagot.engine.state.history.NOTE_EVERY", 0.0)
    folder = RunFolder(str(tmp_path), "20260131T235959-0a1b2c")
    folder.note(lambda: {"excluded": 1})  # it has not begun
    assert list_runs(str(tmp_path)) == []
    folder.begin(jobs=9, booked={"up_to_date": 2})
    assert counts(find_run(str(tmp_path), "last")) == {"up_to_date": 2}
    folder.note(lambda: {"up_to_date": 2, "missing_input": 3, "done": 4})
    assert counts(find_run(str(tmp_path), "last")) == {"up_to_date": 2, "missing_input": 3}
    folder.end(counts={"up_to_date": 2, "missing_input": 3, "done": 4}, ok=True)
    folder.note(dict)
    assert os.listdir(folder.path) == ["run.json"]


def test_run_is_found_by_a_part_of_its_id(tmp_path: Path) -> None:
    """A beginning or an end that one run alone has is enough; else the error names what may be meant."""
    state = str(tmp_path)
    ids = ["20260131T235959-0a1b2c", "20260131T235959-ffffff", "20260202T000000-0a1b2c"]
    for run_id in ids:
        RunFolder(state, run_id).begin()
    assert [run.run_id for run in list_runs(state)] == ids[::-1]
    assert [run.run_id for run in list_runs(state, limit=1)] == ids[:1:-1]
    for text, number in {"last": 2, ids[0]: 0, "202602": 2, "ffffff": 1}.items():
        assert find_run(state, text).run_id == ids[number]
    for text in ("20260131", "0a1b2c", ids[0][:-1] + "d", "", "../x"):
        with pytest.raises(UnknownRunError) as caught:
            find_run(state, text)
        assert caught.value.run_id == text and any(run_id in str(caught.value) for run_id in ids)


def test_many_runs_are_listed_without_their_events(old: str) -> None:
    """Of runs that have ended no event is read, however many there are."""
    facts = find_run(old, "last")
    text = Path(facts.folder, "run.json").read_text()
    for number in range(2000):
        folder = Path(old, "runs", f"20250101T000000-{number:06x}")
        folder.mkdir()
        (folder / "run.json").write_text(text)
        os.mkfifo(folder / "events-vm-1.jsonl")  # who opens it waits for ever
    runs = list_runs(old)
    assert len(runs) == 2001 and {run.counts["done"] for run in runs} == {2}


def test_attempts_tell_when_where_and_why(old: str) -> None:
    """Each attempt has its beginning and end, its process, what was measured, and its cause."""
    facts = find_run(old, "last")
    attempts = {attempt["record_id"]: attempt for attempt in iter_attempts(old, facts.run_id)}
    assert {name: one["outcome"] for name, one in attempts.items()} == {
        "A": "done",
        "B": "done",
        "C": "failed",
    }
    for one in attempts.values():
        assert one["end_s"] - one["start_s"] == pytest.approx(one["duration_s"], abs=1e-5)
        assert facts.start is not None and facts.start <= one["start"] < one["end"] <= str(facts.end)
        assert one["worker"] == f"{os.uname().nodename}-{os.getpid()}" and one["cpu_s"] >= 0
    assert (attempts["C"]["exc_type"], attempts["C"]["exc_message"]) == ("ValueError", "no good: C")
    assert "one.py:" in attempts["C"]["where"]


def test_standing_failures_are_grouped_by_cause(lab: Workspace) -> None:
    """Failures stand until the next good attempt, grouped over all runs by type, line, message and step."""
    for record_id in ("E1", "E2"):
        (lab.data_path / f"raw/{record_id}.txt").write_text("fail")
    state = state_of(lab)
    for record_id in ("C", "E1", "E2"):
        lab[record_id].steps.run(printing=False)
    odd = "e/" + "x" * 300
    Marks(state, "failures").set(f"{odd}/one", {"key": f"{odd}/one", "exc_type": "OSError", "at": 7})
    Path(state, "failures", "F%2Fone").write_text("torn {")
    numbered, *others = current_failures(state)
    (alone,) = (one for one in others if one.records == ("C",))
    assert (alone.exc_type, alone.step, alone.outcome) == ("ValueError", "one", "failed")
    by_type = {one.exc_type: one for one in others}
    assert (
        by_type["OSError"].records == (odd,)
        and by_type["OSError"].newest == "1970-01-01T00:00:07.000000+00:00"
    )
    assert by_type["Unknown"].records == ("F",) and by_type["Unknown"].newest is None
    assert numbered.records == ("E1", "E2")
    assert (numbered.newest_record, numbered.run_id) == ("E2", find_run(state, "last").run_id)
    assert (
        "no good: E2" in numbered.message
        and "one.py:" in numbered.where
        and "Traceback" in numbered.traceback
    )
    assert [one.records for one in current_failures(state, {"C"})] == [("C",)]
    (lab.data_path / "raw/C.txt").write_text("good")
    lab["C"].steps.run(printing=False)
    assert [one for one in current_failures(state) if "C" in one.records] == []
    lab.records.select(["E1"]).exclude("asleep")
    assert [one.records for one in current_failures(state) if one.step == "one" and "E2" in one.records] == [
        ("E2",)
    ]


def test_difference_of_two_runs(tmp_path: Path) -> None:
    """What differs is told by name: a key of the configuration, a script, a parameter, how jobs ended; the rest is not."""
    texts = {"A": "good", "C": "fail"}
    ws = make_workspace(tmp_path, records=texts, scripts={"one": script_text(BODY)})
    ws.steps.run(printing=False)
    (tmp_path / "dataset/raw/C.txt").write_text("good")
    (tmp_path / "dataset/out/A.txt").unlink()
    with (tmp_path / "scripts/one.py").open("a") as file:
        file.write("\n# other\n")
    with (tmp_path / "workspace.toml").open("a") as file:
        file.write("\n[run]\nmax_tries = 2\n[info]\nname = 'x'\n")
    with pytest.warns(UserWarning, match="max_tries"):
        ws = Workspace(tmp_path)
    ws.steps.run(printing=False)
    state = state_of(ws)
    b, a = list_runs(state)
    diff = diff_runs(state, a.run_id, b.run_id)
    assert [(one.name, one.old, one.new) for one in diff.config] == [
        ("run.max_tries", None, 2),
        ("info.name", None, "x"),
    ]
    (script,) = diff.scripts
    assert script.name == "one: one.py" and None not in (script.old, script.new) and script.old != script.new
    assert (diff.versions, diff.params, diff.is_same) == ((), (), False)
    assert diff.outcomes == (("C/one", "failed", "done"),)
    (step,) = diff.steps
    assert (step.step, step.count_old, step.count_new) == ("one", 1, 2) and step.ratio is not None
    assert diff.packages == ()
    kept = Path(b.folder, "packages.txt")
    kept.write_text(kept.read_text().replace("\nclick==", "\nclick==999."))
    (package,) = diff_runs(state, a.run_id, b.run_id).packages
    assert package.name == "click" and package.new == f"999.{package.old}"
    same = diff_runs(state, b.run_id, b.run_id)
    assert same.is_same and not same.outcomes and not same.command
