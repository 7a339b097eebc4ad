"""The history of runs on the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

from sinagot.testing import await_true
from tests.cli.conftest import Invoke, Lab, environment

WAIT = """
import time
from pathlib import Path
from sinagot import ScriptTemplate

class Script(ScriptTemplate):
    PATH_IN = "raw/{id}.txt"
    PATH_OUT = "one/{id}.txt"

    def run(self):
        while self.path.input.read_text() == "9" and not Path(self.data_path, "gate").exists():
            time.sleep(0.01)
        self.path.output.write_text("1")
"""


def test_nothing_has_run(invoke: Invoke, make_lab: Lab) -> None:
    """Without runs that is said, with exit code 5, and nothing is written."""
    lab = make_lab(1)
    for words in (["runs"], ["runs", "show"], ["runs", "diff", "last", "last"]):
        result = invoke(lab, *words)
        assert result.exit_code == 5 and "othing has run here yet" in result.stderr
    assert json.loads(invoke(lab, "runs", "--json").stdout) == {"runs": []}
    assert not (lab / "dataset/.sinagot").exists()


def test_table_is_newest_first(invoke: Invoke, make_lab: Lab) -> None:
    """The newest run stands first with its counts; --limit cuts, and says how many are left out."""
    lab = make_lab(1, 3)
    invoke(lab, "run")
    (lab / "dataset/raw/REC-2.txt").write_text("2")
    invoke(lab, "run")
    newest, oldest = json.loads(invoke(lab, "runs", "--json").stdout)["runs"]
    assert (newest["counts"]["done"], newest["ok"]) == (2, True)
    assert (oldest["counts"]["failed"], oldest["ok"]) == (1, False)
    lines = invoke(lab, "runs").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["run", newest["run_id"], oldest["run_id"]]
    assert lines[1].split()[4:8] == ["ended", "4", "2", "0"] and "  run" not in lines[2][:22]
    result = invoke(lab, "runs", "--limit", "1")
    assert len(result.stdout.splitlines()) == 2 and result.stderr == "1 older (--limit 2)\n"


def test_run_in_detail(invoke: Invoke, make_lab: Lab) -> None:
    """One run is told with steps, slowest jobs, failures by cause, and what was different from the run before."""
    lab = make_lab(1, 3)
    invoke(lab, "run")
    first = json.loads(invoke(lab, "runs", "show", "--json").stdout)
    assert first["changes"] is None and first["progress"] is None
    told = invoke(lab, "runs", "show", first["run_id"][-6:]).stdout
    assert f"Run {first['run_id']}: ended with failures\n" in told
    assert "Settled: 4 of 4 jobs of 2 records\n  2 done\n  1 failed\n  1 blocked\n" in told
    rows = [line.split() for line in told.splitlines()]
    assert any(row[:5] == ["one", "1", "1", "0", "0"] and row[-1] in ("MB", "GB") for row in rows)
    assert (
        "  one: ValueError: bad value 3 of 'REC-2'\n    1 record: REC-2, at scripts/one.py:11 in run\n"
        in told
    )
    assert "Slowest jobs\n" in told and "Different from" not in told
    with (lab / "workspace.toml").open("a") as file:
        file.write("[params]\nlow = 'a\x1bb'\n".replace("\x1b", "\\u001b").replace("'", '"'))
    (lab / "dataset/raw/REC-2.txt").write_text("2")
    script = lab / "scripts/one.py"
    script.write_text(script.read_text() + "# new\n")
    invoke(lab, "run")
    told = invoke(lab, "runs", "show").stdout
    assert "ended well" in told and f"Different from the run before, {first['run_id']}\n" in told
    assert "    params.low: - -> a\\x1bb\n" in told and "    one: one.py changed (" in told
    assert "  1 job ended otherwise\n" in told
    told = invoke(lab, "runs", "diff", first["run_id"], "last").stdout
    assert "    REC-2/one: failed -> done\n" in told and "times as long" in told
    found = json.loads(invoke(lab, "runs", "diff", "last", first["run_id"], "--json").stdout)
    assert found["config"] == [{"name": "params.low", "old": "a\x1bb", "new": None}]
    told = invoke(lab, "runs", "diff", "last", "last").stdout.splitlines()
    assert [line for line in told[1:] if not line.startswith("    ")] == [
        "  durations (median of good attempts)"
    ]


def test_run_that_goes_on_and_dies(invoke: Invoke, make_lab: Lab) -> None:
    """While it goes on its progress and what it is at are told; when it is killed, that it died and what is open."""
    lab = make_lab(1, 9, one=WAIT)
    command = [sys.executable, "-m", "sinagot", "run"]
    process = subprocess.Popen(
        command, cwd=lab, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        claims = lab / "dataset/.sinagot/claims"
        await_true(lambda: claims.is_dir() and os.listdir(claims) == ["REC-2%2Fone"], "REC-2 runs")
        await_true(lambda: "REC-2/one since 20" in invoke(lab, "runs", "show").stdout, "the log says so")
        await_true(lambda: "Going on: 2 of 4 " in invoke(lab, "runs", "show").stdout, "REC-1 is counted")
        told = invoke(lab, "runs", "show").stdout
        assert ": running\n" in told and "Going on: 2 of 4 (50 %), " in told and f"-{process.pid})\n" in told
        assert invoke(lab, "runs").stdout.splitlines()[1].split()[4] == "running"
        (job,) = json.loads(invoke(lab, "runs", "show", "--json").stdout)["progress"]["running"]
        assert (job["record_id"], job["step_label"]) == ("REC-2", "one")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    told = invoke(lab, "runs", "show").stdout
    assert ": died\n" in told and "  2 done\n  2 open: " in told and "Going on" not in told
    assert invoke(lab, "runs").stdout.splitlines()[1].split()[4] == "died"


def test_unknown_run(invoke: Invoke, make_lab: Lab) -> None:
    """An id that no run has, or several, is told with what there is; exit code 5."""
    lab = make_lab(1)
    invoke(lab, "run")
    invoke(lab, "run", "--force")
    for text, words in {"nope": "no run 'nope'; the newest is 2", "20": "may be any of 2 runs"}.items():
        result = invoke(lab, "runs", "show", text)
        assert result.exit_code == 5 and words in result.stderr


def test_narrow_terminal(make_lab: Lab, invoke: Invoke, monkeypatch) -> None:
    """On a terminal the command is cut where the line would be too long."""
    lab = make_lab(1)
    invoke(lab, "run")
    monkeypatch.setattr("sinagot.cli.commands.runs.terminal_width", lambda: 70)
    lines = invoke(lab, "runs").stdout.splitlines()
    assert len(lines[1]) == 70 and lines[1].endswith("...")
