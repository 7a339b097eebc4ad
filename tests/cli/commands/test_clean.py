"""What can go, and what must not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinagot import Workspace
from sinagot.engine.state import compact as compact_module
from sinagot.testing import await_true
from sinagot.workspace.cleaning import find_items
from tests.cli.conftest import ONE, Invoke, Lab, environment


def answers(lab: Path) -> list[Any]:
    """Return what status, why and plans say of every job, from the events alone and from the cache."""
    found: list[Any] = []
    for _ in range(2):
        with Workspace(lab) as ws:
            found.append([tuple(row.values()) for row in ws.steps.iter_status()])
            for rerun in ("missing", "outdated"):
                rows = ws.steps.plan(rerun=rerun).iter_jobs()
                found.append([{**row, "reasons": [*map(tuple, row["reasons"])]} for row in rows])
        shutil.rmtree(lab / "dataset/.sinagot/index", ignore_errors=True)
    return found


def run(lab: Path, **options: Any) -> None:
    """Run in this process, quietly."""
    with Workspace(lab) as ws:
        ws.steps.run(printing=False, **options)


def change(lab: Path, what: str, record: str) -> None:
    """Do what people do between two runs."""
    output, saved = lab / f"dataset/one/{record}.txt", lab / f"saved-{record}"
    if what == "edit input":
        (lab / f"dataset/raw/{record}.txt").write_text(
            "7" * (1 + len((lab / f"dataset/raw/{record}.txt").read_text()))
        )
    elif what == "edit script":
        (lab / "scripts/two.py").write_text((lab / "scripts/two.py").read_text() + "\n# cosmetic\n")
    elif what == "accept":
        with Workspace(lab) as ws:
            ws.records.get(record).steps.accept("cosmetic")
    elif what == "break":
        (lab / f"dataset/raw/{record}.txt").write_text("3")
    elif what == "remove output":
        output.unlink(missing_ok=True)
    elif what == "save output" and output.exists():
        shutil.copy2(output, saved)
    elif what == "put back" and saved.exists():
        shutil.copy2(saved, output)
    elif what == "force":
        with Workspace(lab) as ws:
            ws.records.get(record).steps.run(force=True, printing=False)
    elif what == "run":
        run(lab)
    elif what == "run outdated":
        run(lab, rerun="outdated")


CHANGES = [
    "edit input",
    "edit script",
    "accept",
    "break",
    "remove output",
    "save output",
    "put back",
    "force",
    "run",
]


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    history=st.lists(
        st.tuples(st.sampled_from([*CHANGES, "run outdated"]), st.sampled_from(["REC-1", "REC-2"])),
        max_size=8,
    ),
    number=st.integers(1, 10**9),
)
def test_answers_are_the_same_without_old_runs(
    make_lab: Lab, history: list[tuple[str, str]], number: int
) -> None:
    """Whatever has happened, cleaning runs changes no status, no verdict and no reason; a second time finds nothing."""
    lab = make_lab(1, 2, name=f"lab-{number}-{os.urandom(4).hex()}")
    run(lab)
    for what, record in history:
        change(lab, what, record)
    before = answers(lab)
    for _ in range(2):
        with Workspace(lab) as ws:
            items = find_items(ws, "runs", keep_runs=1)
            for item in items:
                item.remove()
        assert answers(lab) == before
    assert items == []


def test_crash_at_any_point_loses_nothing(make_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """However far the cleaning came, what results come from is still told, and the next cleaning goes on."""
    lab = make_lab(1, 2, 5)
    run(lab)
    for what, record in [
        ("force", "REC-1"),
        ("edit input", "REC-2"),
        ("run outdated", ""),
        ("edit script", ""),
    ]:
        change(lab, what, record)
    change(lab, "accept", "REC-1")
    change(lab, "force", "REC-3")
    before = answers(lab)
    steps = 0
    while True:
        left = steps

        def guard(function: Any) -> Any:
            def call(*args: Any, **options: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    raise KeyboardInterrupt
                return function(*args, **options)

            return call

        with monkeypatch.context() as patch, Workspace(lab) as ws:
            items = find_items(ws, "runs", keep_runs=1)
            for name in ("replace", "unlink"):
                patch.setattr(compact_module.os, name, guard(getattr(os, name)))
            patch.setattr(compact_module.shutil, "rmtree", guard(shutil.rmtree))
            try:
                for item in items:
                    item.remove()
                done = True
            except KeyboardInterrupt:
                done = False
        assert answers(lab) == before
        if done:
            break
        steps += 1
    assert steps > 3


def test_runs_that_somebody_needs_stay(make_lab: Lab, invoke: Invoke) -> None:
    """The newest run, a run that goes on, and one that died with a job stay as they are; then healing finds all."""
    slow = ONE.replace(
        "value = int", "import time; (self.data_path / 'begun').touch(); time.sleep(60); value = int"
    )
    lab = make_lab(1, one=slow)
    process = subprocess.Popen(
        [sys.executable, "-m", "sinagot", "run"], cwd=lab, env=environment(), stderr=subprocess.DEVNULL
    )
    try:
        await_true((lab / "dataset/begun").exists, "the script has begun")
        _clean_beside(lab, invoke)
    finally:
        process.kill()
        process.wait()
    state = lab / "dataset/.sinagot"
    (dead,) = os.listdir(state / "runs")
    (lab / "scripts/one.py").write_text(ONE)
    (lab / "dataset/raw/REC-2.txt").write_text("1")
    run(lab, step_label="two")
    with Workspace(lab) as ws:
        ws.records.get("REC-2").steps.run(printing=False)
    assert invoke(lab, "clean", "runs", "--keep-runs", "1", "--yes").exit_code == 0
    assert dead in os.listdir(state / "runs")
    assert "interrupted" in invoke(lab, "status", "--record", "REC-1").stdout


def test_cleaned_run_is_told_as_such(make_lab: Lab, invoke: Invoke) -> None:
    """Cleaning is no sign of life of a run, and what it has removed is told as gone, not as something that differs."""
    lab = make_lab(1, 3)
    run(lab)
    (lab / "dataset/raw/REC-3.txt").write_text("1")
    run(lab)
    runs = lab / "dataset/.sinagot/runs"
    new, old = [one["run_id"] for one in json.loads(invoke(lab, "runs", "--json").stdout)["runs"]]
    for path in (runs / old).iterdir():
        os.utime(path, (10**9, 10**9))
    assert invoke(lab, "clean", "runs", "--keep-runs", "1", "--yes").exit_code == 0
    assert {int(path.stat().st_mtime) for path in (runs / old).iterdir()} == {10**9}
    found = json.loads(invoke(lab, "runs", "diff", old, new, "--json").stdout)
    assert (found["cleaned"], found["config"], found["outcomes"]) == ([old], [], [])
    assert f"{old} was cleaned" in invoke(lab, "runs", "diff", old, new).stdout


def _clean_beside(lab: Path, invoke: Invoke) -> None:
    """Clean all there is while a run goes on; it loses nothing."""
    state = lab / "dataset/.sinagot"

    def tree() -> list[Path]:
        return sorted(path for path in state.rglob("*") if "index" not in path.parts)

    before = tree()
    assert invoke(lab, "clean", "runs", "--keep-runs", "1", "--yes").exit_code == 0
    for kind in ("stage", "failed", "aside"):
        assert invoke(lab, "clean", kind, "--yes").exit_code == 0
    assert "Left alone" in invoke(lab, "clean", "outputs", "--step", "one", "--yes").stderr
    assert tree() == before


def test_outputs_of_a_step(make_lab: Lab, invoke: Invoke) -> None:
    """Only what the step declares goes, of a link the link; a failure is forgotten; the next run makes it again."""
    lab = make_lab(1, 3, 5)
    invoke(lab, "run")
    one = lab / "dataset/one"
    (one / "mine.txt").write_text("not of the step")
    (one / "REC-1.txt").rename(lab / "elsewhere.txt")
    (one / "REC-1.txt").symlink_to(lab / "elsewhere.txt")
    dry = invoke(lab, "clean", "outputs", "--step", "one", "--dry-run")
    assert "Would go: 3 jobs" in dry.stdout and (one / "REC-3.txt").exists()
    slip = invoke(lab, "clean", "outputs", "--step", "one", "REC-1", "REC-22", "--yes")
    assert slip.exit_code == 5 and "REC-22" in slip.stderr and (one / "REC-1.txt").exists()
    result = invoke(lab, "clean", "outputs", "--step", "one", "REC-1", "REC-2", "--yes")
    assert "Removed: 2 jobs" in result.stdout
    assert sorted(os.listdir(one)) == ["REC-3.txt", "mine.txt"]
    assert (lab / "elsewhere.txt").read_text() == "1"
    found = {
        (row["record_id"], row["step_label"]): row["status_name"]
        for row in json.loads(invoke(lab, "status", "--json").stdout)["status"]
    }
    assert found["REC-1", "one"] == found["REC-2", "one"] == "DATA_READY"
    assert found["REC-1", "two"] == "DONE" and found["REC-3", "one"] == "DONE"
    assert "outputs removed by" in invoke(lab, "logs", "REC-2", "-n", "1").stdout
    (lab / "dataset/raw/REC-2.txt").write_text("1")
    invoke(lab, "run")
    assert sorted(os.listdir(one)) == ["REC-1.txt", "REC-2.txt", "REC-3.txt", "mine.txt"]


def test_outputs_go_with_their_provenance(make_lab: Lab, invoke: Invoke) -> None:
    """What tells where an output comes from goes with it; a file of that name that somebody else wrote stays."""
    lab = make_lab(1, 5)
    with open(lab / "workspace.toml", "a") as file:
        file.write("[run]\nprovenance = true\n")
    invoke(lab, "run")
    one = lab / "dataset/one"
    assert len(os.listdir(one)) == 4
    (one / "REC-2.txt.prov.json").write_text("{}")
    assert invoke(lab, "clean", "outputs", "--step", "one", "--yes").exit_code == 0
    assert os.listdir(one) == ["REC-2.txt.prov.json"]


def test_outputs_that_are_not_plain_stay(make_lab: Lab, invoke: Invoke) -> None:
    """A step that declares any number of files is refused, an unknown one too: nothing is removed."""
    many = ONE.replace('"one/{id}.txt"', '"one/{id}-{part}.txt"')
    lab = make_lab(1, one=many, toml="[records]\nid_pattern = 'REC-\\d+'\n[steps]\nscripts = ['one']\n")
    (lab / "dataset/one").mkdir()
    (lab / "dataset/one/REC-1-a.txt").write_text("mine")
    result = invoke(lab, "clean", "outputs", "--step", "one", "--yes")
    assert result.exit_code == 4, result.output
    assert (lab / "dataset/one/REC-1-a.txt").exists()
    assert invoke(lab, "clean", "outputs", "--step", "on", "--yes").exit_code == 5
    assert invoke(lab, "clean", "outputs", "--yes").exit_code == 2


def test_nothing_goes_without_being_chosen_and_agreed_to(make_lab: Lab, invoke: Invoke) -> None:
    """`clean` alone shows sizes; a choice asks, and where nobody can be asked it is refused with code 2."""
    lab = make_lab(1, 3)
    for _ in range(3):
        invoke(lab, "run", "--force")
    before = sorted(lab.rglob("*"))
    shown = invoke(lab, "clean").stdout
    assert "runs" in shown and "index" in shown and "Nothing was removed." in shown
    refused = invoke(lab, "clean", "runs", "--keep-runs", "1")
    assert refused.exit_code == 2 and "--yes" in refused.stderr
    assert "Would go: 2 runs" in invoke(lab, "clean", "runs", "--keep-runs", "1", "--dry-run").stdout
    assert (
        invoke(lab, "clean", "runs", "--older-than", "30d", "--yes").stdout == "There is nothing to remove.\n"
    )
    assert invoke(lab, "clean", "runs", "--older-than", "soon", "--yes").exit_code == 2
    assert sorted(lab.rglob("*")) == before
    assert "Removed: 2 runs" in invoke(lab, "clean", "runs", "--keep-runs", "1", "--yes").stdout
    assert len(os.listdir(lab / "dataset/.sinagot/runs")) == 1
    decisions = lab / "dataset/.sinagot/decisions.jsonl"
    invoke(lab, "exclude", "REC-1", "--reason", "x")
    for kind in ("stage", "aside", "failed", "index"):
        assert invoke(lab, "clean", kind, "--yes").exit_code == 0
    assert decisions.exists() and not os.listdir(lab / "dataset/.sinagot/index")


def test_litter_of_the_dead_goes(make_lab: Lab, invoke: Invoke) -> None:
    """A private folder that nobody owns or needs goes; one that a dead claim needs stays."""
    lab = make_lab(1)
    invoke(lab, "run")
    stage = lab / "dataset/.sinagot/stage"
    (stage / "20200101T000000-abcdef-123-1").mkdir(parents=True)
    (stage / "20200101T000000-abcdef-123-1" / "x").write_text("12345")
    assert "Removed: 1 item, 5 B." in invoke(lab, "clean", "stage", "--yes").stdout
    assert list(stage.iterdir()) == []
