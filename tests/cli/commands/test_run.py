"""Running, and what is said of it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sinagot.testing import await_true
from tests.cli.conftest import ONE, TWO, Invoke, Lab, Program, environment

#: Says that it has begun, then waits until it may end, and takes a while.
SLOW = """
import time
from sinagot import ScriptTemplate

class Script(ScriptTemplate):
    PATH_IN = "raw/{id}.txt"
    PATH_OUT = "one/{id}.txt"

    def run(self):
        (self.data_path / "begun").touch()
        end = time.monotonic() + 100
        while not (self.data_path / "go").exists() and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.05)
        self.path.output.write_text("1")
"""


def test_run_and_run_again(invoke: Invoke, make_lab: Lab) -> None:
    """A run says what it did; the second one has nothing to do."""
    lab = make_lab(1, 2)
    result = invoke(lab, "run")
    assert result.exit_code == 0
    assert "4 jobs of 2 records in" in result.stdout
    assert result.stdout.splitlines()[1] == "  4 done"
    again = invoke(lab, "run")
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout == "Nothing to do: 4 jobs of 2 records are up to date.\n"
    assert invoke(lab, "run", "--record", "REC-1", "--step", "one").stdout == (
        "Nothing to do: 1 job of 1 record is up to date.\n"
    )
    assert invoke(lab, "run", "--force", "--step", "one").stdout.splitlines()[1] == "  2 done"


def test_failures_are_grouped_by_cause(invoke: Invoke, make_lab: Lab) -> None:
    """One bad record hides nothing: causes with their records, where it happened, and commands to go on with."""
    lab = make_lab(3, 1, 3)
    result = invoke(lab, "run")
    assert result.exit_code == 3
    assert result.stderr.startswith("failure: REC-")
    assert len(result.stderr.splitlines()) == 1
    lines = result.stdout.splitlines()
    assert [line.strip() for line in lines[1:4]] == [
        "2 done",
        "2 failed",
        "2 blocked (a step before it failed or is not finished)",
    ]
    assert lines[5:] == [
        "Failures by cause:",
        "  one: ValueError: bad value 3 of 'REC-1'",
        "    2 records: REC-1, REC-3",
        "    at scripts/one.py:11 in run",
        "    log:   sinagot logs REC-1 --step one",
        "    again: sinagot run --record REC-1 --record REC-3",
        "    debug: sinagot run --step one --record REC-1 --debug",
    ]
    assert invoke(lab, "logs", "REC-1", "--step", "one").exit_code == 0
    (lab / "dataset" / "raw" / "REC-1.txt").write_text("1")
    assert invoke(lab, "run", "--record", "REC-1").exit_code == 0


def test_commands_lead_to_the_same_workspace(invoke: Invoke, scoped_lab: Path) -> None:
    """Commands to copy name the workspace as it was named, and the unit of the failure."""
    (scoped_lab / "dataset" / "raw" / "REC-1-HDC.txt").write_text("3")
    lines = invoke(scoped_lab.parent, "-w", "lab", "run", "--step", "one").stdout.splitlines()
    assert "    log:   sinagot -w lab logs REC-1 --task HDC --modality EEG --step one" in lines
    assert "    again: sinagot -w lab run --task HDC --modality EEG --step one --record REC-1" in lines


def test_commands_keep_other_folders(invoke: Invoke, make_lab: Lab) -> None:
    """A data folder that was named stands in the commands to copy, quoted where a shell needs it."""
    make_lab(1)
    other = make_lab(3, name="other lab")
    words = ["-w", "lab", "--data-path", "other lab/dataset", "run"]
    assert (
        "sinagot -w lab --data-path 'other lab/dataset' logs REC-1 --step one"
        in invoke(other.parent, *words).stdout
    )


def test_many_causes_are_cut(invoke: Invoke, make_lab: Lab) -> None:
    """Of many causes the largest are written out; a long text is cut."""
    script = ONE.replace(
        "raise ValueError(f\"bad value {value} of '{self.id}'\")",
        "raise ValueError(chr(96 + int(self.id[4:])) * 400)",
    )
    result = invoke(make_lab(*[3] * 12, one=script), "run")
    assert result.stdout.count("    log:") == 10
    assert "... and 2 more causes; all of them: sinagot runs show --json" in result.stdout
    assert max(map(len, result.stdout.splitlines())) < 200


def test_missing_input_is_counted_and_named(invoke: Invoke, scoped_lab: Path) -> None:
    """Uneven data is normal: exit code 0, with the count, the records, and where to read which file is missing."""
    result = invoke(scoped_lab, "run")
    assert result.exit_code == 0
    assert "  3 done\n  1 missing input\n" in result.stdout
    assert "Missing input: 1 record: REC-2\n" in result.stdout
    assert "which: sinagot logs REC-2 --task HDC --modality EEG --step one" in result.stdout
    log = invoke(scoped_lab, "logs", "REC-2", "--task", "HDC").stdout
    assert str(scoped_lab / "dataset" / "raw" / "REC-2-HDC.txt") in log


def test_named_record_without_data(invoke: Invoke, make_lab: Lab) -> None:
    """A record that has no data is nothing to run: exit code 5 and the one that may be meant."""
    lab = make_lab(1, 2)
    result = invoke(lab, "run", "--record", "REC-22")
    assert result.exit_code == 5
    assert "No data of record REC-22; did you mean 'REC-2'?" in result.stderr
    result = invoke(lab, "run", "--record", "REC-22", "--record", "REC-1")
    assert result.exit_code == 0
    assert "Missing input: 1 record: REC-22" in result.stdout


def test_nothing_matches(invoke: Invoke, make_lab: Lab) -> None:
    """No record, an unknown step, a step whose inputs are not made yet: exit code 5."""
    assert "No record found" in invoke(make_lab(name="empty"), "run").stderr
    assert invoke(make_lab(name="empty2"), "run").exit_code == 5
    lab = make_lab(1)
    result = invoke(lab, "run", "--step", "tow")
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr == "Error: no step 'tow'; steps are one, two; did you mean 'two'?\n"
    result = invoke(lab, "run", "--step", "two")
    assert result.exit_code == 5
    assert "1 missing input" in result.stdout
    (lab / "workspace.toml").write_text("[records]\nid_pattern = 'REC-\\d+'\npath = 'raw/{id}.txt'\n")
    result = invoke(lab, "run")
    assert (result.exit_code, result.stderr) == (5, "No step is configured here.\n")


def test_ignore_missing(invoke: Invoke, make_lab: Lab) -> None:
    """--ignore-missing runs also where inputs are missing."""
    lab = make_lab(1)
    assert invoke(lab, "run", "--step", "two", "--ignore-missing").exit_code == 0
    assert (lab / "dataset" / "two" / "REC-1.txt").exists()


def test_dry_run_does_nothing(invoke: Invoke, make_lab: Lab) -> None:
    """--dry-run says what would run and why, and writes nothing."""
    lab = make_lab(1)
    before = set(lab.rglob("*"))
    result = invoke(lab, "run", "--dry-run")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[1].split() == ["one", "would", "run", "1", "output", "not", "there"]
    assert [line.split()[:2] for line in lines[4:7]] == [
        ["record", "step"],
        ["REC-1", "one"],
        ["REC-1", "two"],
    ]
    assert "output not there: dataset/one/REC-1.txt" in lines[5]
    assert lines[-1] == "Dry run: 2 jobs would run; nothing was done."
    assert {path for path in lab.rglob("*") if "__pycache__" not in str(path)} == before
    found = json.loads(invoke(lab, "run", "--dry-run", "--json").stdout)
    assert found["dry_run"] is True
    assert [row["step"] for row in found["plan"]] == ["one", "two"]
    assert found["estimate_s"] is None
    invoke(lab, "run")
    assert (
        invoke(lab, "run", "--dry-run").stdout
        == "Dry run: 0 jobs would run, 2 up to date; nothing was done.\n"
    )


def test_dry_run_tells_every_verdict_and_how_long(invoke: Invoke, make_lab: Lab) -> None:
    """Once it is known how long steps take, a dry run says how long the work is; the JSON has all jobs with all reasons."""
    lab = make_lab(1, 2)
    invoke(lab, "run")
    (lab / "dataset/raw/REC-1.txt").write_text("changed")
    (lab / "dataset/raw/REC-3.txt").write_text("new")
    lines = invoke(lab, "run", "--dry-run", "--outdated").stdout.splitlines()
    start = lines.index("") + 1
    assert lines[start].split() == ["record", "step", "about", "why"]
    assert all(" s  " in line for line in lines[start + 1 : start + 5]), lines
    assert "bytes of" in lines[start + 1] and " -> " in lines[start + 1]
    assert lines[-1].startswith("Dry run: 4 jobs would run (about ") and "2 up to date" in lines[-1]
    found = json.loads(invoke(lab, "run", "--dry-run", "--outdated", "--json").stdout)
    verdicts = {(row["record_id"], row["step"]): row for row in found["verdicts"]}
    assert {at: row["verdict"] for at, row in verdicts.items()} == {
        (f"REC-{number}", step): "up_to_date" if number == 2 else "run"
        for number in (1, 2, 3)
        for step in ("one", "two")
    }
    (reason,) = verdicts["REC-1", "one"]["reasons"]
    assert reason["code"] == "input_changed" and reason["old"] != reason["new"]
    total = sum(row["estimate_s"] for row in verdicts.values() if row["estimate_s"] is not None)
    assert found["estimate_s"] == pytest.approx(total) and total > 0
    assert json.loads(invoke(lab, "run", "--json").stdout)["verdicts"] == []


def test_json_stands_alone(program: Program, make_lab: Lab) -> None:
    """With --json standard output is JSON whatever scripts print, or programs that they start."""
    lab = make_lab(4, 3, one=ONE.replace("print(", "import os; os.system('echo from a program'); print("))
    for words in (["--force"], ["--force", "--jobs", "2"]):
        done = program(lab, "run", "--json", *words)
        found = json.loads(done.stdout)
        assert done.returncode == found["exit_code"] == 3
        assert (found["ok"], found["records"], found["jobs"]) == (False, 2, 4)
        assert (found["counts"]["done"], found["counts"]["failed"], found["counts"]["blocked"]) == (2, 1, 1)
        failure = found["failures"][0]
        assert (failure["step"], failure["exc_type"], failure["records"]) == ("one", "ValueError", ["REC-2"])
        assert "bad value 3" in failure["traceback"]
    done = program(lab, "run", "--json", "--force")
    assert "hello from REC-1" in done.stderr
    assert "from a program" in done.stderr


def test_json_names_missing_input(invoke: Invoke, scoped_lab: Path) -> None:
    """With --json each job without input is named."""
    found = json.loads(invoke(scoped_lab, "run", "--json").stdout)
    assert found["missing_input"] == [{"record_id": "REC-2", "step": "HDC-EEG-one"}]
    assert (found["exit_code"], found["stopped_by"], found["warnings"]) == (0, None, [])


def test_printed_lines_reach_standard_output(program: Program, make_lab: Lab) -> None:
    """What a script prints is on standard output; the lines of attempts that Python users see are not."""
    done = program(make_lab(4), "run")
    assert done.stdout.startswith("hello from REC-1\nRun ")
    assert "Init run" not in done.stdout


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('raise ValueError("bad")', "ValueError: bad"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("pass", "did not write"),
    ],
)
def test_debug_shows_the_error_of_the_script(invoke: Invoke, make_lab: Lab, body: str, said: str) -> None:
    """--debug stops at the first failure and shows it from the script's line on; exit code 3."""
    script = TWO.replace("one/{id}", "raw/{id}").replace('self.path.output.write_text("2")', body)
    lab = make_lab(1, 2, one=script.replace('"two/', '"one/'))
    result = invoke(lab, "run", "--debug")
    assert result.exit_code == 3
    assert result.stdout == ""
    if said != "did not write":
        assert result.stderr.startswith("Traceback (most recent call last):\n  File ")
        assert "sinagot/engine" not in result.stderr
        assert result.stderr.endswith(f"{said}\n")
    else:
        assert result.stderr.startswith("Error: ")
    assert "error of sinagot itself" not in result.stderr
    assert [line.split()[1] for line in invoke(lab, "status").stdout.splitlines()[-2:]] == ["error", "ready"]


def test_debug_runs_here(invoke: Invoke, make_lab: Lab) -> None:
    """--debug with another place to run is a usage error."""
    result = invoke(make_lab(1), "run", "--debug", "--jobs", "2")
    assert result.exit_code == 2
    assert "--debug runs here" in result.stderr


def test_error_of_ours_is_not_the_script_s(
    invoke: Invoke, make_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error outside any script stays unexpected, also with --debug."""

    def broken(*args: object, **options: object) -> None:
        raise RuntimeError("of ours")

    monkeypatch.setattr("sinagot.workspace.steps.StepCollection.run", broken)
    result = invoke(make_lab(1), "run", "--debug")
    assert result.exit_code == 1
    assert "error of sinagot itself" in result.stderr


def test_broken_script(invoke: Invoke, make_lab: Lab) -> None:
    """What can run has run; then the broken script is named: exit code 4."""
    lab = make_lab(1, two="def x(:\n")
    result = invoke(lab, "run")
    assert result.exit_code == 4
    assert "  1 done" in result.stdout
    assert "Error: step 'two': scripts/two.py:1: SyntaxError" in result.stderr
    assert json.loads(invoke(lab, "run", "--json").stdout)["exit_code"] == 4
    (lab / "scripts" / "one.py").unlink()
    result = invoke(lab, "run")
    assert (result.exit_code, result.stdout) == (4, "")


def test_warnings_of_the_run(invoke: Invoke, make_lab: Lab) -> None:
    """What the user should know of the run is said on standard error."""
    place = (
        "import os; path = self.data_path / 'one' / f'{self.id}.txt'; os.makedirs(path.parent, exist_ok=True)"
    )
    script = ONE.replace('self.path.output.write_text("1")', f"{place}; path.write_text('1')")
    result = invoke(make_lab(1, one=script), "run")
    assert result.exit_code == 0
    assert "Warning: script " in result.stderr
    assert "in place" in result.stderr


def test_places_to_run(program: Program, make_lab: Lab) -> None:
    """--jobs runs in processes, --dask through a cluster that is started and ended: the results are the same."""
    for words in (["--jobs", "2"], ["--dask", "--jobs", "2"]):
        lab = make_lab(1, 2, 3, name=words[0].strip("-"))
        done = program(lab, "run", *words)
        assert done.returncode == 3, done.stderr
        assert "Traceback" not in done.stderr
        assert sorted(path.name for path in (lab / "dataset" / "two").iterdir()) == ["REC-1.txt", "REC-2.txt"]


def test_exclusive(make_lab: Lab, program: Program) -> None:
    """--exclusive refuses to start while another run works here: exit code 6. Without it the other's work is used."""
    lab = make_lab(*range(10, 16), one=SLOW)
    other = subprocess.Popen(
        [sys.executable, "-m", "sinagot", "run"],
        cwd=lab,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    await_true((lab / "dataset" / "begun").exists, "a script runs")
    done = program(lab, "run", "--exclusive")
    (lab / "dataset" / "go").touch()
    assert other.wait(timeout=60) == 0
    assert done.returncode == 6
    assert "works on this workspace" in done.stderr
    assert program(lab, "run", "--exclusive").returncode == 0


def await_stopping(process: subprocess.Popen[str]) -> str:
    """Wait until a program has heard a signal; give what it has said up to there."""
    assert process.stderr is not None
    said = ""
    while "Stopping: " not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    return said


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
@pytest.mark.parametrize("words", [[], ["--json"]])
def test_signals(make_lab: Lab, program: Program, number: int, code: int, words: list[str]) -> None:
    """A signal ends the run after the script that is running, with its exit code and a summary; the rest is left."""
    lab = make_lab(*range(10, 40), one=SLOW)
    process = subprocess.Popen(
        [sys.executable, "-m", "sinagot", "run", *words],
        cwd=lab,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    await_true((lab / "dataset" / "begun").exists, "a script runs")
    process.send_signal(number)
    heard = await_stopping(process)
    (lab / "dataset" / "go").touch()
    shown, errors = process.communicate(timeout=60)
    errors = heard + errors
    assert process.returncode == code
    assert "Traceback" not in errors
    if words:
        found = json.loads(shown)
        assert (found["stopped_by"], found["exit_code"], found["ok"]) == (number, code, False)
    else:
        assert " interrupted" in shown
        assert "The same command goes on from here" in shown
        assert "Failures by cause" not in shown
    # What had begun is whole, and no more than that is there.
    done = len(list((lab / "dataset" / "one").iterdir()))
    assert 1 <= done < 30


def run_in_terminal(lab: Path, *words: str, columns: int = 60) -> tuple[str, int]:
    """Run a command line whose standard output and error are a terminal; give all that was written there."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "sinagot", *words],
        cwd=lab,
        env={**environment(), "TERM": "xterm", "COLUMNS": str(columns)},
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    shown = b""
    try:
        while piece := os.read(leader, 65536):
            shown += piece
    except OSError:
        pass  # the other end is closed
    os.close(leader)
    return shown.decode(), process.wait(timeout=60)


def test_bar_on_a_terminal(make_lab: Lab) -> None:
    """On a terminal a bar tells how far the run is; lines that scripts print stay whole; at the end it is gone."""
    shown, code = run_in_terminal(make_lab(4, 5, 6), "run")
    assert code == 0
    assert "━" in shown
    assert "0% 0/6" in shown
    assert "hello from REC-1\r\n" in shown
    assert "6 done" in shown.rpartition("Run ")[2]


def test_no_bar_where_a_debugger_may_be(make_lab: Lab) -> None:
    """With --debug the terminal is left to the script."""
    shown, code = run_in_terminal(make_lab(4), "run", "--debug")
    assert code == 0
    assert "━" not in shown


def test_hang_up_of_a_terminal_that_is_gone(make_lab: Lab) -> None:
    """A closed terminal window ends the run with 129, although nobody can read the summary."""
    lab = make_lab(*range(10, 40), one=SLOW)
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "sinagot", "run"],
        cwd=lab,
        env={**environment(), "TERM": "dumb"},
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    await_true((lab / "dataset" / "begun").exists, "a script runs")
    os.close(leader)
    process.send_signal(signal.SIGHUP)
    (lab / "dataset" / "go").touch()
    assert process.wait(timeout=60) == 129


def test_stopped_forced_run_says_what_is_kept(make_lab: Lab) -> None:
    """A forced run that was stopped does not promise to go on where it was."""
    lab = make_lab(*range(10, 40), one=SLOW)
    process = subprocess.Popen(
        [sys.executable, "-m", "sinagot", "run", "--force"],
        cwd=lab,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    await_true((lab / "dataset" / "begun").exists, "a script runs")
    process.send_signal(signal.SIGINT)
    await_stopping(process)
    (lab / "dataset" / "go").touch()
    shown, _ = process.communicate(timeout=60)
    assert "Jobs that were not begun keep their former results." in shown


def test_run_can_end_at_the_first_failure(invoke: Invoke, make_lab: Lab) -> None:
    """--fail-fast and --max-failures begin nothing new after failures, say why and what is left, and end with code 3."""
    lab = make_lab(3, 1, 3)
    result = invoke(lab, "run", "--fail-fast")
    assert result.exit_code == 3
    assert "Stopped: after 1 failed job. Not begun: " in result.stdout
    result = invoke(lab, "run", "--max-failures", "1", "--json")
    report = json.loads(result.stdout)
    assert report["stopped_because"] == "the run was stopped after 1 failed job"
    assert report["counts"]["not_begun"] and sum(report["counts"].values()) == report["jobs"]
    assert report["failures"][0]["differences"] == []
    assert invoke(lab, "run", "--max-failures", "1", "--fail-fast").exit_code == 2
    assert invoke(lab, "run", "--max-failures", "0").exit_code == 2
