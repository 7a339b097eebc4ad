"""Running: what runs, in which order, what the answer says, and what is shown."""

from __future__ import annotations

import re
import signal
import threading

import pytest

from sinagot import StepFailedError
from sinagot.errors import WorkspaceBusyError

LINE = re.compile(r"(\S+) \| \d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \|\u00a0(\S+) : (.*)")


def shown(text: str) -> list[tuple[str, str, str]]:
    """Take the lines on standard output apart; a line of another form is an error."""
    return [LINE.fullmatch(line).groups() for line in text.splitlines()]


def test_picture_of_the_readme(harbor, capsys) -> None:
    """The established lines appear on standard output: id, local time, step and message, with a no-break space."""
    from sinagot import Workspace

    ws = Workspace(harbor)
    report = ws.records.get("REC-20200603").steps.run()
    found = shown(capsys.readouterr().out)
    messages = ["Init run", "Processing run", "Run finished"]
    assert found == [("REC-20200603", step, text) for step in ("count", "mean") for text in messages]
    assert "\n" not in repr(report)
    assert repr(report) == "<RunReport instance | ok: 2 done>"
    assert (harbor / "dataset/count/REC-20200603.csv").exists()
    assert not (harbor / "dataset/count/REC-20200601.csv").exists()


def test_lines_of_scoped_mode_have_task_and_modality(lab, capsys) -> None:
    """In scoped mode the step is shown as task-modality-step."""
    lab.scoped(ids=["REC-1"]).open().RS.steps.run("a")
    assert {step for _, step, _ in shown(capsys.readouterr().out)} == {"RS-EEG-a"}


def test_records_units_and_steps_run_in_order(lab) -> None:
    """Records one after the other, units of a record in configuration order, steps in order."""
    report = lab.scoped().open().steps.run()
    units = ["RS-EEG-a", "RS-EEG-b", "HDC-EEG-a", "HDC-EEG-b", "HDC-EEG-c", "HDC-behavior-a"]
    assert lab.ran() == [f"{unit}-{record}" for record in ("REC-1", "REC-2") for unit in units]
    assert report.counts["done"] == report.total == 12


def test_run_covers_its_scope_only(lab) -> None:
    """A task, a modality, a record and a step each run what belongs to them and nothing else."""
    ws = lab.scoped().open()
    ws["REC-2"].behavior.steps.run()
    assert lab.ran() == ["HDC-behavior-a-REC-2"]
    ws.RS.steps.run("a")
    assert lab.ran() == ["RS-EEG-a-REC-1", "RS-EEG-a-REC-2"]
    ws["REC-1"].steps.get("b")["EEG"].run()
    assert lab.ran() == ["RS-EEG-b-REC-1"]
    ws.steps.run(step_label="a")
    assert lab.ran() == ["HDC-EEG-a-REC-1", "HDC-behavior-a-REC-1", "HDC-EEG-a-REC-2"]


def test_second_run_does_nothing(lab) -> None:
    """What is done is not run again; the report says so and no line is printed or logged."""
    ws = lab.unit().open()
    ws.steps.run()
    lab.ran()
    before = lab.tree()
    report = lab.open().steps.run()
    assert report.counts == dict.fromkeys(report.counts, 0) | {"up_to_date": 4}
    assert report.ok and repr(report) == "<RunReport instance | ok: 4 up to date>"
    assert lab.ran() == []
    assert lab.tree() == before


def test_deleted_output_is_made_anew_and_nothing_else(lab) -> None:
    """An output that is gone is made again; what was made from it stays (presence decides)."""
    ws = lab.unit("a", "b", "c").open()
    ws.steps.run()
    lab.ran()
    (lab.data / "b/REC-2.csv").unlink()
    assert ws.steps.status().query("step_status != 30")["step_label"].tolist() == ["b"]
    assert ws.steps.run().counts["done"] == 1
    assert lab.ran() == ["b-REC-2"]


def test_hand_edited_output_stays(lab) -> None:
    """Under the default policy presence decides: an output that someone edited is not made again."""
    ws = lab.unit().open()
    ws.steps.run()
    lab.write("dataset/a/REC-1.csv", "by hand")
    lab.write("dataset/raw/REC-2.csv", "newer input")
    assert ws.steps.run().counts["up_to_date"] == 4
    assert lab.text("a/REC-1.csv") == "by hand"


def test_force_runs_what_is_done(lab) -> None:
    """`force` runs everything in the scope again."""
    ws = lab.unit().open()
    ws.steps.run()
    lab.ran()
    assert ws["REC-1"].steps.run(force=True).counts["done"] == 2
    assert ws.steps.get("b").run(force=True).counts["done"] == 2
    assert ws.steps.run("a", True).counts["done"] == 2
    assert lab.ran() == ["a-REC-1", "b-REC-1", "b-REC-1", "b-REC-2", "a-REC-1", "a-REC-2"]


def test_missing_input_is_not_run_unless_ignored(lab) -> None:
    """A step whose input is missing does not run and is no failure; `ignore_missing` runs it."""
    ws = lab.unit(ids=["REC-1"]).open()
    report = ws.steps.run("b")
    assert (report.counts["missing_input"], report.total, report.ok) == (1, 1, True)
    assert lab.ran() == []
    assert not (lab.data / "b").exists()
    assert ws.steps.run("b", ignore_missing=True).counts["done"] == 1
    assert lab.ran() == ["b-REC-1"]
    assert lab.text("b/REC-1.csv") == "b\n"


def test_exception_is_reported_and_the_rest_goes_on(lab) -> None:
    """An exception of one script stops what depends on it and nothing else; `run` returns."""
    lab.unit("a", "b", "c", ids=["REC-1", "REC-2", "REC-3"])
    lab.script("c", ("raw", "{id}.csv"))
    lab.fail("a-REC-2", "KeyError('EEG Fp1')")
    report = lab.open().steps.run()
    assert not report.ok
    assert {name: count for name, count in report.counts.items() if count} == {
        "done": 7,
        "failed": 1,
        "blocked": 1,
    }
    assert lab.ran()[3:6] == ["a-REC-2", "c-REC-2", "a-REC-3"]
    (group,) = [group for group in report.failures if group.exc_type == "KeyError"]
    assert (group.step, group.records, group.count) == ("a", ("REC-2",), 1)
    assert "EEG Fp1" in group.message and "EEG Fp1" in group.traceback
    assert group.where.endswith("in <module>") or "a.py" in group.where


def test_raise_for_failures(lab) -> None:
    """`raise_for_failures` raises with the report when something failed, and only then."""
    lab.unit()
    ws = lab.open()
    lab.fail("b-REC-1")
    report = ws.steps.run()
    with pytest.raises(StepFailedError, match=r"1 failed.*b: ValueError: no good.*REC-1") as caught:
        report.raise_for_failures()
    assert caught.value.report is report
    lab.heal("b-REC-1")
    assert ws.steps.run().raise_for_failures() is None


def test_failures_of_one_cause_are_one_group(lab) -> None:
    """Failures that differ in numbers and paths only are one group, the largest first; the notebook shows it."""
    lab.unit("a", ids=[f"REC-{number}" for number in range(5)])
    for number in range(4):
        lab.fail(f"a-REC-{number}", f"ValueError('file /x/{number}.edf has {number} <samples>')")
    lab.fail("a-REC-4", "OSError('other')")
    report = lab.open().steps.run()
    assert [(group.exc_type, group.count) for group in report.failures] == [("ValueError", 4), ("OSError", 1)]
    html = report._repr_html_()
    assert "&lt;samples&gt;" in html and "<samples>" not in html
    assert report.run_id in html


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit], ids=lambda kind: kind.__name__)
def test_debug_lets_the_exception_out(lab, kind: type[BaseException]) -> None:
    """`debug=True` lets the script's own exception leave `run()`, after the failure is on record and the claim is free."""
    lab.unit(ids=["REC-1", "REC-2"])
    lab.fail("a-REC-1", f"{kind.__name__}('mine')")
    ws = lab.open()
    with pytest.raises(kind, match="mine") as caught:
        ws.steps.run(debug=True)
    assert type(caught.value) is kind
    assert caught.traceback[-1].name == "<module>"
    assert lab.ran() == ["a-REC-1"]
    assert ws["REC-1"].steps.get("a").status() == 40
    assert list((lab.data / ".sinagot/claims").iterdir()) == []
    assert list((lab.data / ".sinagot/owners").iterdir()) == []
    assert not (lab.data / "a/REC-1.csv").exists()
    lab.heal("a-REC-1")
    assert ws.steps.run().counts["done"] == 4


def test_debug_is_seen_by_the_script_and_says_what_is_processed_already(lab) -> None:
    """With `debug` the script's `debug` is true, and steps that are up to date log so."""
    lab.unit("a", ids=["REC-1"])
    lab.wish("a-REC-1", "self.logger.info(f'debug {self.debug} status {int(self.status)}')")
    ws = lab.open()
    ws.steps.run(debug=True)
    assert (20, "debug True status 20") in lab.messages()
    ws.steps.run(debug=True)
    assert lab.messages()[-1] == (30, "Run already processed")
    ws.steps.run()
    assert [text for _, text in lab.messages()].count("Run already processed") == 1


def test_script_sees_its_record(lab) -> None:
    """In a run a script has id, task, modality, label, data_path, opts, paths and a logger; outputs do not exist yet."""
    lab.scoped(ids=["REC-1"])
    lab.script(
        "EEG/a",
        path_out=("deep", "er", "{id}-{task}.csv"),
        body="""
        assert (self.id, self.task, self.modality, self.label) == ("REC-1", "RS", "EEG", "a")
        assert self.data_path.name == "dataset" and self.opts == {}
        assert self.path.input.name == "REC-1-RS.csv" and self.path.input.is_absolute()
        assert self.path.final == self.data_path / "deep" / "er" / "REC-1-RS.csv"
        assert self.path.output.name == self.path.final.name
        assert self.path.output.parent.is_dir() and not self.path.output.exists()
        assert self.data_exist.input == {self.path.input: True}
        assert self.data_exist.output == {self.path.output: False}
        assert self.debug is False
        self.logger.info("here")
        self.path.output.write_text("done")
        """,
    )
    report = lab.open().RS.EEG.steps.run("a")
    assert report.counts["done"] == 1, report.failures[0].traceback
    assert lab.text("deep/er/REC-1-RS.csv") == "done"


def test_dry_run_runs_nothing_and_says_why(lab) -> None:
    """`dry_run` writes nothing; its plan names record, step and reason of what would run."""
    lab.unit("a", "b", "c")
    lab.open()["REC-1"].steps.run("a")
    before = lab.tree()
    report = lab.open().steps.run(dry_run=True)
    assert lab.tree() == before
    assert report.dry is True
    assert [entry[:2] for entry in report.plan] == [
        *(("REC-1", "b"), ("REC-1", "c")),
        *(("REC-2", "a"), ("REC-2", "b"), ("REC-2", "c")),
    ]
    assert all("output not there" in reason for _, _, reason in report.plan)
    assert report.counts["up_to_date"] == 1 and report.counts["done"] == 0
    assert str(lab.data / "b/REC-1.csv") in report.plan[0][2]


def test_progress_is_told(lab) -> None:
    """`progress` is called with counts, the total and the last failure; the last call has the end."""
    lab.unit("a")
    lab.fail("a-REC-2")
    seen = []
    lab.open().steps.run(progress=seen.append)
    assert seen[-1].total == 2
    assert seen[-1].counts["done"] == 1 and seen[-1].counts["failed"] == 1
    assert "REC-2/a" in seen[-1].last_failure


def test_printing_can_be_left_out(lab, capsys) -> None:
    """`printing=False` shows nothing; the log has every line all the same."""
    lab.unit("a", ids=["REC-1"]).open().steps.run(printing=False)
    assert capsys.readouterr().out == ""
    assert len(lab.messages()) == 3


def test_run_in_the_background(lab) -> None:
    """With `wait=False` the report comes at once and fills; `wait()` waits, with a bound when asked."""
    lab.unit("a")
    gate = lab.gate("a-REC-1")
    report = lab.open().steps.run(wait=False)
    with pytest.raises(TimeoutError, match=report.run_id):
        report.wait(0.02)
    assert report.counts["done"] == 0
    gate.open()
    assert report.wait(60) is report
    assert report.counts["done"] == 2 and report.ok
    assert len(report.jobs) == 2


def test_background_run_tells_of_broken_scripts(lab) -> None:
    """A run in the background raises what a plain one does, from `wait()`."""
    from sinagot.errors import ScriptError

    lab.unit()
    lab.write("scripts/b.py", "def (")
    report = lab.open().steps.run(wait=False)
    with pytest.raises(ScriptError, match=r"b\.py") as caught:
        report.wait()
    assert caught.value.report is report
    assert report.counts["done"] == 2


def test_exclusive_refuses_company(lab) -> None:
    """With `exclusive` a run refuses to start while another one works, and names it; alone it runs."""
    lab.unit("a", ids=["REC-1"])
    gate = lab.gate("a-REC-1")
    first = lab.open().steps.run(wait=False)
    try:
        gate.wait()
        with pytest.raises(WorkspaceBusyError, match=first.run_id) as caught:
            lab.open().steps.run(exclusive=True)
        assert caught.value.run_id == first.run_id
    finally:
        gate.open()
        first.wait(60)
    assert lab.open().steps.run(exclusive=True).counts["up_to_date"] == 1
    assert lab.open().steps.run(exclusive=True, force=True).counts["done"] == 1


def test_two_runs_of_one_process_run_each_step_once(lab) -> None:
    """A second run beside the first waits for what the first works on and reports it as done elsewhere."""
    lab.unit("a", "b", ids=["REC-1", "REC-2"])
    gate = lab.gate("a-REC-1")
    first = lab.open().steps.run(wait=False)
    gate.wait()
    second = lab.open().steps.run(wait=False)
    lab.wait_for_plan(second)
    gate.open()
    first.wait(60)
    second.wait(60)
    assert sorted(lab.ran()) == ["a-REC-1", "a-REC-2", "b-REC-1", "b-REC-2"]
    assert first.ok and second.ok
    assert second.counts["done_elsewhere"] >= 1
    assert first.counts["done"] + second.counts["done"] == 4
    assert sum(second.counts.values()) == sum(first.counts.values()) == 4


def test_two_processes_run_each_step_once(lab) -> None:
    """Two programs started together on one workspace run each script once and both report all of it as well."""
    ids = [f"REC-{number}" for number in range(30)]
    lab.unit("a", "b", ids=ids)
    code = "from sinagot import Workspace; r = Workspace('.').steps.run(printing=False); print(r.ok, sum(r.counts.values()), r.counts['failed'])"
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda: answers.append(lab.python(code).stdout.strip())) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["True 60 0"] * 2
    assert sorted(lab.ran()) == sorted(f"{step}-{record}" for step in "ab" for record in ids)
    for record in ids:
        messages = [text for _, text in lab.messages(record, step_label="b")]
        assert messages == ["Init run", "Processing run", "Run finished"]


def test_signals_are_handled_as_before_after_a_run(lab) -> None:
    """A run leaves signal handlers, the current folder and standard output as they were."""
    import os
    import sys

    before = [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), os.getcwd(), sys.stdout]
    lab.unit("a").open().steps.run()
    assert before == [
        signal.getsignal(signal.SIGINT),
        signal.getsignal(signal.SIGTERM),
        os.getcwd(),
        sys.stdout,
    ]


def test_unknown_mode_is_refused(lab) -> None:
    """A mode that does not exist is refused by name, in the configuration and as an argument."""
    from sinagot import ConfigurationError

    ws = lab.unit().open()
    with pytest.raises(ConfigurationError, match=r"'fast'.*main_process, processes, dask"):
        ws.steps.run(mode="fast")
    lab.config('[run]\nmode = "fast"\n')
    with pytest.raises(ConfigurationError, match="fast"):
        lab.open()


def test_manifest_tells_of_the_run(lab) -> None:
    """`runs/<run_id>/run.json` has start, end, counts, versions and script digests; the code of the run is kept beside it."""
    import json

    lab.unit(more='[info]\nversion = "7"\n')
    report = lab.open().steps.run()
    folder = lab.data / ".sinagot/runs" / report.run_id
    manifest = json.loads((folder / "run.json").read_text())
    assert manifest["end"] is not None and manifest["counts"]["done"] == 4
    assert manifest["versions"]["workspace"] == "7"
    assert set(manifest["scripts"]) == {"a", "b"}
    assert any(path.suffix == ".py" for path in (folder / "code").rglob("*"))


def test_step_behind_one_that_another_run_is_at_waits_for_it(lab) -> None:
    """Asked for b while another run is at a: b is run when a is done, and nothing is reported as missing or blocked."""
    lab.unit("a", "b", ids=["REC-1"])
    gate = lab.gate("a-REC-1")
    first = lab.open().steps.run("a", wait=False)
    gate.wait()
    second = lab.open().steps.run("b", wait=False)
    lab.wait_for_plan(second)
    gate.open()
    first.wait(60)
    second.wait(60)
    assert second.counts["done"] == 1 and lab.ran() == ["a-REC-1", "b-REC-1"]
    assert lab.text("b/REC-1.csv") == "REC-1\na\nb\n"
