"""Group steps: once for all records, behind the steps that feed them, again when one of these changed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sinagot.errors import ConfigurationError, NotFoundError, NotUnitError, PatternError, ScriptError
from sinagot.scripts.group import GROUP_ID
from sinagot.utils import StepStatus

ROOT = Path(__file__).parents[2]

GROUP = """
from pathlib import Path
from sinagot import GroupTemplate

class Script(GroupTemplate):
    PATH_IN = {path_in!r}
    PATH_OUT = {path_out!r}
    {members}

    def run(self):
        with open({ran!r}, "a") as ran:
            ran.write(self.label + "\\n")
        wish = Path({wishes!r}) / self.label
        lines = [f"{{one}} {{path.read_text().split()}}" for one, path in self.inputs.items()]
        self.path.output.write_text("\\n".join(lines) + "\\nmissing " + ",".join(self.missing))
        if wish.exists():
            exec(wish.read_text(), {{"self": self, "Path": Path}})
"""


def group(
    lab: Any,
    name: str = "table",
    path_in: Any = ("b", "{id}.csv"),
    path_out: Any = "table.txt",
    members: str = "",
    text: str = GROUP,
) -> Path:
    """Write the script of a group step."""
    text = text.format(
        path_in=path_in,
        path_out=path_out,
        members=members,
        ran=str(lab._ran),
        wishes=str(lab._wishes),
    )
    file: Path = lab.root / f"scripts/{name}.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


@pytest.fixture
def grouped(lab) -> Any:
    """Give a workspace of steps a and b and a group step that reads what b writes."""
    lab.unit("a", "b", ids=["REC-1", "REC-2", "REC-3"], more='group_scripts = ["table"]')
    group(lab)
    return lab


def quiet(lab, *args: Any, **options: Any) -> dict[str, int]:
    """Run; give the counts that are not 0."""
    report = lab.open().steps.run(*args, printing=False, **options)
    return {outcome: count for outcome, count in report.counts.items() if count}


def names(lab) -> list[str]:
    """Give the records that the table holds, and those it misses."""
    *lines, missing = lab.text("table.txt").splitlines()
    return [line.split()[0] for line in lines] + ["|", *missing.split()[1:]]


def verdict(lab, **options: Any) -> tuple[str, list[str]]:
    """Give what the plan says of the group step, and the codes of its reasons."""
    (row,) = [row for row in lab.open().steps.plan(**options).iter_jobs() if row["record_id"] == GROUP_ID]
    return row["verdict"], [reason.code for reason in row["reasons"]]


@pytest.mark.parametrize(
    "options", [{}, {"mode": "processes", "workers": 2}], ids=["main_process", "processes"]
)
def test_group_step_runs_once_behind_all_records(grouped, options: dict[str, Any]) -> None:
    """In one run it comes after every record step, once, with the inputs of all; then it is up to date."""
    assert quiet(grouped, **options) == {"done": 7}
    ran = grouped.ran()
    assert ran[-1] == "table" and len(ran) == 7
    assert names(grouped) == ["REC-1", "REC-2", "REC-3", "|"]
    assert quiet(grouped, **options) == {"up_to_date": 7}
    assert grouped.ran() == []


def test_group_step_runs_on_dask(grouped) -> None:
    """Through a Dask cluster too it runs once, last."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert quiet(grouped, client=client) == {"done": 7}
    assert grouped.ran()[-1] == "table"
    assert names(grouped) == ["REC-1", "REC-2", "REC-3", "|"]


def test_added_redone_and_removed_records_make_it_outdated(grouped) -> None:
    """A record that is added, made again or gone is a reason to run; the plan says which, and the run agrees."""
    quiet(grouped)
    grouped.raw("REC-4")
    assert verdict(grouped) == ("run", ["upstream_runs"])
    assert quiet(grouped) == {"done": 3, "up_to_date": 6}
    assert names(grouped) == ["REC-1", "REC-2", "REC-3", "REC-4", "|"]
    grouped.open()["REC-2"].steps.run("b", force=True, printing=False)
    assert verdict(grouped) == ("run", ["input_changed"])
    assert quiet(grouped) == {"done": 1, "up_to_date": 8}
    (grouped.data / "raw/REC-1.csv").unlink()
    assert verdict(grouped) == ("run", ["input_removed"])
    assert quiet(grouped) == {"done": 1, "up_to_date": 6}
    assert names(grouped) == ["REC-2", "REC-3", "REC-4", "|"]
    assert verdict(grouped) == ("up_to_date", ["outputs_present"])


def test_edited_script_parameters_and_paths_make_it_outdated(grouped) -> None:
    """Its own script, parameters and paths count, whatever `rerun` says for all steps."""
    quiet(grouped)
    config = grouped.root / "workspace.toml"
    config.write_text(config.read_text() + "\n[steps.table.params]\nlow = 1\n[run]\nrerun = 'missing'\n")
    assert verdict(grouped) == ("run", ["params_changed"])
    assert quiet(grouped)["done"] == 1
    group(grouped, members="UNUSED = 1")
    assert verdict(grouped) == ("run", ["script_changed"])
    assert quiet(grouped)["done"] == 1
    group(grouped, path_in=("a", "{id}.csv"))
    assert verdict(grouped)[1][0] == "paths_changed"
    assert quiet(grouped) == {"done": 1, "up_to_date": 6}


def test_word_about_the_step_lets_it_be(grouped) -> None:
    """With `rerun = "missing"` for this very step, only missing outputs and failures count."""
    config = grouped.root / "workspace.toml"
    config.write_text(config.read_text() + "\n[steps.table]\nrerun = 'missing'\n")
    quiet(grouped)
    grouped.raw("REC-4")
    assert verdict(grouped) == ("up_to_date", ["outputs_present"])
    assert quiet(grouped) == {"done": 2, "up_to_date": 7}
    (grouped.data / "table.txt").unlink()
    assert quiet(grouped) == {"done": 1, "up_to_date": 8}
    assert "REC-4" in names(grouped)


def test_it_runs_with_the_records_that_are_good(grouped) -> None:
    """Records that failed are in `missing`, and the log says so; when they are healed it runs again with them."""
    grouped.fail("b-REC-2")
    assert quiet(grouped) == {"done": 6, "failed": 1}
    assert names(grouped) == ["REC-1", "REC-3", "|", "REC-2"]
    assert (20, "Processing run: 2 of 3 records, without REC-2") in [
        (row.step_status, row.message) for row in grouped.open().steps.get("table").logs().itertuples()
    ]
    grouped.heal("b-REC-2")
    assert quiet(grouped) == {"done": 2, "up_to_date": 5}
    assert names(grouped) == ["REC-1", "REC-2", "REC-3", "|"]


def test_old_output_of_a_failed_record_does_not_count(grouped) -> None:
    """A record whose step failed when it was made again keeps its old output, and is left out all the same."""
    quiet(grouped)
    grouped.fail("b-REC-2")
    quiet(grouped, "b", force=True)
    assert (grouped.data / "b/REC-2.csv").exists()
    assert quiet(grouped, "table") == {"done": 1}
    assert names(grouped) == ["REC-1", "REC-3", "|", "REC-2"]


def test_excluded_records_are_neither_there_nor_missing(grouped) -> None:
    """What somebody excluded is left out without a word in `missing`."""
    quiet(grouped)
    grouped.open()["REC-3"].exclude("asleep")
    assert quiet(grouped)["done"] == 1
    assert names(grouped) == ["REC-1", "REC-2", "|"]
    grouped.open()["REC-1"].exclude("an outlier", step="table")
    assert verdict(grouped) == ("run", ["input_removed"])
    assert quiet(grouped) == {"done": 1, "up_to_date": 4, "excluded": 2}
    assert names(grouped) == ["REC-2", "|"]


def test_no_input_at_all_is_missing_input(grouped) -> None:
    """Without one good record it does not run, and its log says what was looked for."""
    for record_id in ("REC-1", "REC-2", "REC-3"):
        grouped.fail(f"a-{record_id}")
    assert quiet(grouped) == {"failed": 3, "blocked": 3, "missing_input": 1}
    (line,) = grouped.open().steps.get("table").logs().itertuples()
    assert line.step_status == StepStatus.DATA_NOT_AVAILABLE and "b/{id}.csv" in line.message


def test_failed_and_interrupted_group_steps_run_again(grouped) -> None:
    """A failure is in report, status and table of jobs; the next run tries again."""
    grouped.fail("table")
    report = grouped.open().steps.run(printing=False)
    (failure,) = report.failures
    assert (failure.step, failure.records, report.ok) == ("table", (GROUP_ID,), False)
    last = report.jobs.iloc[-1]
    assert (last.record_id, last.outcome, last.exc_type) == (GROUP_ID, "failed", "ValueError")
    assert not (grouped.data / "table.txt").exists()
    step = grouped.open().steps.get("table")
    assert step.status() == StepStatus.ERROR
    grouped.heal("table")
    assert quiet(grouped) == {"done": 1, "up_to_date": 6}
    assert step.status() == StepStatus.DONE
    grouped.raw("REC-1", folder="b")
    assert step.status() == StepStatus.OUTDATED


def test_only_scopes_of_all_records_run_it(grouped) -> None:
    """A record, a selection, a share and `failed` leave it out; asked for there by name it is refused."""
    ws = grouped.open()
    ws["REC-1"].steps.run(printing=False)
    ws.records.select(["REC-2"]).steps.run(printing=False)
    ws.steps.run(shard="1/1", printing=False)
    ws.steps.run(failed=True, printing=False)
    assert "table" not in grouped.ran()
    for steps, options in (
        (ws["REC-1"].steps, {}),
        (ws.records.select(["REC-1"]).steps, {}),
        (ws.steps, {"shard": "1/2"}),
        (ws.steps, {"failed": True}),
    ):
        with pytest.raises(NotFoundError, match="for all records at once"):
            steps.run("table", **options)
    with pytest.raises(NotUnitError):
        ws.steps.get("a").status()
    assert ws["REC-1"].steps.status().record_id.tolist() == ["REC-1", "REC-1"]


def test_it_runs_alone_and_stands_behind_what_feeds_it(grouped) -> None:
    """`run("table")` runs it only; until b leaves it out, until table and from b hold it."""
    assert quiet(grouped, until_step="b") == {"done": 6}
    assert "table" not in grouped.ran()
    assert quiet(grouped, "table") == {"done": 1}
    assert grouped.ran() == ["table"]
    assert quiet(grouped, until_step="table") == {"up_to_date": 7}
    assert quiet(grouped, from_step="b") == {"up_to_date": 4}
    assert quiet(grouped, from_step="table", force=True) == {"done": 1}
    assert grouped.open().steps.group_names() == ["table"]


def test_too_many_failures_end_the_run_before_it(grouped) -> None:
    """After `fail_fast` it is not begun, and counts as such."""
    grouped.fail("b-REC-3")
    assert quiet(grouped, fail_fast=True) == {"done": 5, "failed": 1, "not_begun": 1}


def test_debug_lets_its_exception_out(grouped) -> None:
    """With `debug` the exception of a group step leaves as it is, after it is on record."""
    quiet(grouped)
    grouped.fail("table", "KeyError('here')")
    with pytest.raises(KeyError, match="here"):
        grouped.open().steps.run("table", force=True, debug=True, printing=False)
    assert grouped.open().steps.get("table").status() == StepStatus.ERROR


def test_retries_hold_for_it(grouped) -> None:
    """`retries` repeat a group step within one run."""
    group(grouped, members="RETRIES = 1\n    RETRY_WAIT = 0.01")
    grouped.wish(
        "table",
        "mark = self.data_path / 'once'\nif not mark.exists():\n    mark.touch()\n    raise ValueError",
    )
    assert quiet(grouped) == {"done": 7}
    assert grouped.ran().count("table") == 2


def test_accept_settles_a_change_of_its_script(grouped) -> None:
    """`accept` holds for group steps too."""
    quiet(grouped)
    group(grouped, members="UNUSED = 1")
    (one,) = grouped.open().steps.accept("only a name", "table")
    assert one.record_id == GROUP_ID
    assert verdict(grouped) == ("up_to_date", ["outputs_present"])


def test_each_task_has_its_own(lab) -> None:
    """With tasks it runs once a task, over the records of that task; scopes hold theirs."""
    lab.scoped(ids=["REC-1", "REC-2"])
    config = lab.root / "workspace.toml"
    config.write_text(
        config.read_text().replace('scripts = ["a", "b"]', 'scripts = ["a", "b"]\ngroup_scripts = ["table"]')
    )
    (lab.data / "raw/REC-2-HDC.csv").unlink()
    group(lab, "EEG/table", ("EEG-b", "{id}-{task}.csv"), ("tables", "{task}-{modality}.txt"))
    ws = lab.open()
    assert ws.RS.EEG.steps.run(printing=False).counts["done"] == 5
    assert not (lab.data / "tables/HDC-EEG.txt").exists()
    rows = [row for row in ws.steps.iter_status() if row["record_id"] == GROUP_ID]
    assert [(row["task"], row["modality"], row["step_status"]) for row in rows] == [
        ("RS", "EEG", 30),
        ("HDC", "EEG", 0),
    ]
    assert {name: step is not None for name, step in ws.steps.get("table").items()} == {
        "EEG": True,
        "behavior": False,
        "clinical": False,
    }
    assert ws.steps.run(printing=False).ok
    assert lab.text("tables/HDC-EEG.txt").splitlines()[-1] == "missing "
    assert [line.split()[0] for line in lab.text("tables/RS-EEG.txt").splitlines()[:2]] == ["REC-1", "REC-2"]


def test_dict_of_inputs_is_a_dict_for_each_record(lab) -> None:
    """Where PATH_IN is a dict, `inputs` holds a dict of paths for each record that has all of them."""
    lab.unit("a", "b", more='group_scripts = ["table"]')
    text = GROUP.replace("path.read_text().split()", "sorted(path)")
    group(lab, path_in={"first": ("a", "{id}.csv"), "notes": "notes/{id}.txt"}, text=text)
    lab.write("dataset/notes/REC-1.txt", "x")
    assert quiet(lab) == {"done": 5}
    assert lab.text("table.txt").splitlines() == ["REC-1 ['first', 'notes']", "missing REC-2"]


@pytest.mark.parametrize(
    ("config", "paths", "error", "words"),
    [
        (
            'group_scripts = ["table", "a"]',
            {},
            ConfigurationError,
            "'a' is in the scripts for single records",
        ),
        ('group_scripts = ["table"]', {"path_out": "{id}.txt"}, PatternError, "once for all records"),
        ('group_scripts = ["table"]', {"path_in": "b/all.csv"}, PatternError, "a file of each record"),
        ('group_scripts = ["table", "more"]', {}, ConfigurationError, "write the same file"),
        ('group_scripts = ["table", "c"]', {}, ScriptError, "list it in scripts"),
    ],
    ids=["in both lists", "id in output", "no id in input", "same output", "record script"],
)
def test_what_cannot_be_is_refused(lab, config: str, paths: dict[str, Any], error: Any, words: str) -> None:
    """A wrong list, a wrong path or a wrong class is an error that says what to do."""
    lab.unit("a", "b", more=config)
    lab.script("c")
    group(lab, **paths)
    group(lab, "more")
    with pytest.raises(error, match=words):
        lab.open().steps.run(printing=False)


def test_group_script_in_scripts_is_refused(lab) -> None:
    """A script of all records in the list of records' scripts is a ScriptError; what can run has run."""
    lab.unit("a", "b", "table")
    group(lab)
    with pytest.raises(ScriptError, match="list it in group_scripts"):
        lab.open().steps.run(printing=False)
    assert sorted(lab.ran()) == ["a-REC-1", "a-REC-2", "b-REC-1", "b-REC-2"]


def test_record_step_that_reads_its_result_is_refused(grouped) -> None:
    """Nothing runs behind a group step, and a configuration that wants it is refused."""
    grouped.script("b", {"own": ("a", "{id}.csv"), "all": ("table.txt",)})
    with pytest.raises(ConfigurationError, match="which the group step table writes"):
        grouped.open().steps.run(printing=False)


def test_killed_run_is_finished_by_the_next(grouped) -> None:
    """After kill -9 while a group step runs it is INTERRUPTED, and a plain run does it, and only it."""
    gate = grouped.gate("table")
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom sinagot import Workspace\nWorkspace('.').steps.run()"
    program = subprocess.Popen([sys.executable, "-c", code], cwd=grouped.root, stdout=subprocess.DEVNULL)
    gate.wait()
    assert grouped.open().steps.get("table").status() == StepStatus.PROCESSING
    program.send_signal(signal.SIGKILL)
    program.wait()
    assert grouped.open().steps.get("table").status() == StepStatus.INTERRUPTED
    assert not (grouped.data / "table.txt").exists()
    grouped.heal("table")
    grouped.ran()
    assert verdict(grouped)[1] == ["interrupted", "outputs_missing"]
    assert quiet(grouped) == {"done": 1, "up_to_date": 6}
    assert grouped.ran() == ["table"]
    assert names(grouped) == ["REC-1", "REC-2", "REC-3", "|"]


def test_two_drivers_run_it_once(grouped) -> None:
    """Of two runs at the same time one runs the group step; the other waits for it and says so."""
    gate = grouped.gate("table")
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom sinagot import Workspace\nprint(Workspace('.').steps.run(printing=False).counts)"
    program = subprocess.Popen(
        [sys.executable, "-c", code], cwd=grouped.root, stdout=subprocess.PIPE, text=True
    )
    gate.wait()
    report = grouped.open().steps.run(printing=False, wait=False)
    gate.open()
    counts = report.wait().counts
    assert program.communicate()[0] and program.returncode == 0
    assert (
        counts["up_to_date"] + counts["done_elsewhere"] == 7
    )  # the former when it began after the other's end
    assert grouped.ran().count("table") == 1


def test_signal_before_it_leaves_it_to_the_next_run(grouped) -> None:
    """Ctrl-C while records run: the group step is not begun and counts as interrupted; the next run does it."""
    grouped.wish("b-REC-2", f"import os; os.kill(os.getpid(), {int(signal.SIGINT)})")
    with pytest.raises(KeyboardInterrupt) as stop:
        grouped.open().steps.run(printing=False)
    report: Any = stop.value
    (outcome,) = [row["outcome"] for row in report.report.iter_jobs() if row["record_id"] == GROUP_ID]
    assert outcome == "interrupted"
    assert "table" not in grouped.ran()
    grouped.heal("b-REC-2")
    assert quiet(grouped)["done"] >= 2
    assert names(grouped) == ["REC-1", "REC-2", "REC-3", "|"]


EDITS = {
    "add": lambda lab, one: lab.raw(f"REC-{one + 4}"),
    "touch": lambda lab, one: lab.raw(f"REC-{one}", folder="b"),
    "remove": lambda lab, one: (lab.data / f"raw/REC-{one}.csv").unlink(missing_ok=True),
    "script": lambda lab, one: group(lab, members=f"EDIT = {one}"),
    "output": lambda lab, one: (lab.data / "table.txt").unlink(missing_ok=True),
    "upstream": lambda lab, one: (lab.data / f"b/REC-{one}.csv").unlink(missing_ok=True),
    "exclude": lambda lab, one: lab.open().records.get(f"REC-{one}").exclude("why not"),
    "include": lambda lab, one: lab.open().records.get(f"REC-{one}").include(),
    "force": lambda lab, one: lab.open()[f"REC-{one}"].steps.run("a", force=True, printing=False),
    "nothing": lambda lab, one: None,
}


@pytest.mark.parametrize("seed", range(4))
def test_plan_and_run_never_disagree(grouped, seed: int) -> None:
    """Whatever was edited, what the plan says of each job is what the run does; afterwards nothing is left to do."""
    chance = random.Random(seed)
    words = {"run": "done"}
    for _ in range(6):
        for edit in chance.choices(list(EDITS), k=chance.randint(1, 2)):
            EDITS[edit](grouped, chance.randint(1, 3))
        planned = [
            (row["record_id"], row["step_label"], words.get(row["verdict"], row["verdict"]))
            for row in grouped.open().steps.plan().iter_jobs()
        ]
        report = grouped.open().steps.run(printing=False)
        done = [(row["record_id"], row["step_label"], row["outcome"]) for row in report.iter_jobs()]
        assert planned == done
        assert "run" not in grouped.open().steps.plan().counts


def test_many_changed_inputs_are_counted(lab) -> None:
    """A plan names some of the inputs that changed and counts the others."""
    lab.unit("a", ids=["REC-1"], more='group_scripts = ["table"]')
    group(lab, path_in=("a", "{id}.csv"), members='PATH_CONTROL = "control.txt"')
    lab.wish("table", "self.path.control.write_text('seen')")
    quiet(lab)
    assert lab.text("control.txt") == "seen"
    more = [f"REC-{number}" for number in range(2, 10)]
    lab.raw(*more)
    quiet(lab, until_step="a")
    (row,) = lab.open().steps.plan("table").iter_jobs()
    texts = [reason.text for reason in row["reasons"]]
    assert texts[0] == "input a/REC-2.csv is new"
    assert texts[-1] == "and 3 more inputs: added"
    lab.raw(*more, folder="a")
    assert quiet(lab, "table") == {"done": 1}


def test_record_at_work_is_left_out_of_a_run_of_it_alone(grouped) -> None:
    """Asked for alone, it takes what is there: a record whose step is at work elsewhere is missing."""
    quiet(grouped)
    gate = grouped.gate("b-REC-2")
    report = grouped.open()["REC-2"].steps.run("b", force=True, printing=False, wait=False)
    gate.wait()
    assert quiet(grouped, "table") == {"done": 1}
    assert names(grouped) == ["REC-1", "REC-3", "|", "REC-2"]
    gate.open()
    report.wait()
    assert quiet(grouped) == {"done": 1, "up_to_date": 6}
    assert names(grouped) == ["REC-1", "REC-2", "REC-3", "|"]
