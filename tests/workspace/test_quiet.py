"""Reading writes nothing; a second run costs its listings; an edit is seen at once."""

from __future__ import annotations

import json
import os

import pytest

from sinagot import Workspace

LOOKS = {
    "opening": lambda ws: None,
    "config": lambda ws: (ws.config, ws.info, ws.version, repr(ws), dir(ws)),
    "logger": lambda ws: ws.logger.debug("x"),
    "ids": lambda ws: (ws.records.ids(), len(ws), "REC-9" in ws, ws.records.has("REC-1")),
    "status": lambda ws: (ws.steps.status(), ws["REC-1"].status_dict(), ws["REC-9"].status_json()),
    "counts": lambda ws: (
        ws.records.count_detail(),
        ws["REC-1"].count_raw_data(),
        ws.records.count_step("b", "output"),
    ),
    "logs": lambda ws: (ws["REC-1"].logs(), ws["REC-1"].logs_json(), ws.records.logs()),
    "steps": lambda ws: [
        (step.script, step.script_class, step.script.path) for step in ws["REC-1"].steps.all()
    ],
    "dry run": lambda ws: ws.steps.run(dry_run=True),
    "close": lambda ws: ws.close(),
}


@pytest.mark.parametrize("name", LOOKS)
@pytest.mark.parametrize("state", ["fresh", "after a run", "after a failure"])
def test_looking_writes_nothing(lab, name: str, state: str) -> None:
    """Opening, listing, status, counts, logs, steps and dry runs create, change and remove nothing."""
    lab.unit("a", "b")
    if state != "fresh":
        if state == "after a failure":
            lab.fail("a-REC-2")
        lab.open().steps.run()
    before = lab.tree()
    LOOKS[name](lab.open())
    assert lab.tree() == before


def test_looking_works_on_a_read_only_dataset(lab) -> None:
    """A dataset that can't be written can be looked at."""
    lab.unit()
    lab.data.chmod(0o555)
    try:
        for look in LOOKS.values():
            look(lab.open())
    finally:
        lab.data.chmod(0o755)


def test_first_run_makes_log_and_state(lab) -> None:
    """`LOG` and `.sinagot` are made by the first run that has something to do."""
    lab.unit("a")
    lab.config('[steps]\nscripts = ["a"]\n', records=r"id_pattern = 'OTHER-\d'")
    assert lab.open().steps.run().total == 0
    assert not (lab.data / "LOG").exists() and not (lab.data / ".sinagot").exists()
    lab.config('[steps]\nscripts = ["a"]\n')
    lab.open().steps.run()
    assert (lab.data / "LOG").is_dir() and (lab.data / ".sinagot").is_dir()


SPY = """
import json, sys
opened = []
def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        opened.append(arguments[0])
sys.addaudithook(watch)
before = set(sys.modules)  # tools that measure bring their own
from sinagot import Workspace
ws = Workspace(".")
{ask}
heavy = ("pandas", "numpy", "dask", "distributed", "pydantic", "concurrent_log_handler", "json_log_formatter", "rich", "click",
    "difflib", "multiprocessing", "asyncio")
modules = [name for name in set(sys.modules) - before if name.partition(".")[0] in heavy]
scripts = [name for name in sys.modules if getattr(sys.modules[name], "__file__", None) and "/lab/scripts/" in sys.modules[name].__file__]
print(json.dumps([opened, modules, scripts]))
"""


def test_second_run_opens_no_log_and_imports_nothing_heavy(lab) -> None:
    """When all is up to date: no log file is opened, no script executed, and nothing heavy is imported."""
    lab.unit("a", "b", ids=[f"REC-{number}" for number in range(20)]).open().steps.run()
    lab.ran()
    before = lab.tree()
    done = lab.python(
        SPY.format(
            ask="report = ws.steps.run(); assert report.counts['up_to_date'] == 40, report; repr(report)"
        )
    )
    opened, modules, scripts = json.loads(done.stdout)
    assert [name for name in opened if "/LOG" in name] == []
    assert modules == [] and scripts == []
    assert [name for name in opened if name.startswith(str(lab.data / "raw"))] == []
    assert lab.tree() == before and lab.ran() == []


def test_listing_after_a_run_executes_no_script(lab) -> None:
    """Ids come from the cache of script paths: neither the script nor what it imports is loaded."""
    lab.unit("a", "b")
    lab.script("a", head="import numpy")
    lab.open().steps.run()
    done = lab.python(SPY.format(ask="assert ws.records.ids() == ['REC-1', 'REC-2']"))
    _, modules, scripts = json.loads(done.stdout)
    assert modules == [] and scripts == []


def test_run_with_a_failure_mark_goes_on_reading_no_log_of_others(lab) -> None:
    """One failed record does not make the run look into the logs of the others."""
    lab.unit("a", ids=[f"REC-{number}" for number in range(5)])
    lab.fail("a-REC-3")
    lab.open().steps.run()
    done = lab.python(
        SPY.format(ask="report = ws.steps.run(printing=False); assert report.counts['failed'] == 1")
    )
    opened, _, _ = json.loads(done.stdout)
    logs = {os.path.basename(name) for name in opened if "/LOG/" in name}
    assert logs <= {"REC-3.log"}


def test_scripts_are_executed_once_per_version(lab) -> None:
    """A script's file is executed once per process and version, not once per record."""
    lab.unit("a", ids=[f"REC-{number}" for number in range(5)])
    noted = lab.root / "executed.txt"
    lab.script("a", head=f"with open({str(noted)!r}, 'a') as noted: noted.write('x')")
    ws = lab.open()
    ws.records.ids()
    ws.steps.status()
    ws.steps.run()
    ws.steps.run(force=True)
    assert noted.read_text() == "x"


def test_edit_is_seen_at_once(lab) -> None:
    """An edit of a script counts at once, also in the same second, with the same size and the same time stamp."""
    lab.unit("a", ids=["REC-1"])
    file = lab.script("a", body="self.path.output.write_text('1')")
    ws = lab.open()
    for text in "1234":
        file.write_text(file.read_text().replace(f"write_text('{int(text) - 1}')", f"write_text('{text}')"))
        os.utime(file, (1_000_000_000, 1_000_000_000))
        ws.steps.run(force=True).raise_for_failures()
        assert lab.text("a/REC-1.csv") == text
    with_path = file.read_text().replace("('a', '{id}.csv')", "('b', '{id}.csv')")
    file.write_text(with_path)
    os.utime(file, (1_000_000_000, 1_000_000_000))
    assert ws["REC-1"].steps.get("a").script.path.output == lab.data / "b/REC-1.csv"
    assert ws["REC-1"].steps.get("a").status() == 10


def test_edit_of_a_helper_is_seen_at_once(lab) -> None:
    """An edit of a module beside the scripts counts at once, too."""
    lab.unit("a", ids=["REC-1"])
    lab.script("a", head="import some_helper", body="self.path.output.write_text(some_helper.TEXT)")
    ws = lab.open()
    for text in ("one", "two"):
        helper = lab.write("scripts/some_helper.py", f"TEXT = {text!r}\n")
        os.utime(helper, (1_000_000_000, 1_000_000_000))
        ws.steps.run(force=True).raise_for_failures()
        assert lab.text("a/REC-1.csv") == text


def test_edit_during_a_run_counts_for_the_next(lab) -> None:
    """One run is one version of the code: an edit while it goes on is seen by the next run."""
    lab.unit("a", ids=["REC-1", "REC-2"])
    file = lab.script("a", body="self.path.output.write_text('old')")
    new = file.read_text().replace("'old'", "'new'")
    lab.wish("a-REC-1", f"Path({str(file)!r}).write_text({new!r})")
    ws = lab.open()
    ws.steps.run().raise_for_failures()
    assert (lab.text("a/REC-1.csv"), lab.text("a/REC-2.csv")) == ("old", "old")
    ws.steps.run(force=True)
    assert lab.text("a/REC-2.csv") == "new"


def test_no_bytecode_is_left_beside_scripts(lab) -> None:
    """Running leaves the scripts folder as it was."""
    lab.unit("a", ids=["REC-1"])
    lab.write("scripts/beside.py", "X = 1")
    lab.script("a", head="import beside")
    before = {name: facts for name, facts in lab.tree().items() if name.startswith("scripts")}
    lab.open().steps.run().raise_for_failures()
    assert {name: facts for name, facts in lab.tree().items() if name.startswith("scripts")} == before


def test_deleting_the_index_loses_nothing(lab) -> None:
    """`.sinagot/index` is a cache: without it, and with nonsense in it, answers are the same."""
    import shutil

    lab.unit()
    lab.open().steps.run()
    index = lab.data / ".sinagot/index"
    assert index.is_dir()
    for file in index.rglob("*"):
        if file.is_file():
            file.write_bytes(b"\x00nonsense")
    assert lab.open().steps.run().counts["up_to_date"] == 4
    shutil.rmtree(index)
    assert lab.open().steps.run().counts["up_to_date"] == 4
    assert lab.open().steps.status()["step_status"].tolist() == [30] * 4


def test_deleting_the_state_folder_keeps_outputs(lab) -> None:
    """Without the state folder outputs count as delivered from outside."""
    import shutil

    lab.unit()
    ws = Workspace(lab.root)
    ws.steps.run()
    shutil.rmtree(lab.data / ".sinagot")
    assert ws.steps.run().counts["up_to_date"] == 4
    assert ws.steps.run(force=True).counts["done"] == 4


@pytest.mark.parametrize("folder", ["raw", "a"])
def test_folder_that_cannot_be_read_is_named(lab, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that can't be read is never taken for an empty one in silence: workspace and report name it."""
    ws = lab.unit("a").open()
    (lab.data / "a").mkdir()
    scandir = os.scandir

    def refuse(path: str = "."):
        if os.fspath(path) == str(lab.data / folder):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    for look in (ws.records.ids, ws.steps.status):
        look()
        if folder == "raw" or look == ws.steps.status:
            (problem,) = ws.problems
            assert folder in problem and "Permission denied" in problem
    report = ws.steps.run(dry_run=True)
    assert [text for text in report.warnings if folder in text and "Permission denied" in text]
    monkeypatch.undo()
    assert ws.steps.run().warnings == [] and ws.problems == []
