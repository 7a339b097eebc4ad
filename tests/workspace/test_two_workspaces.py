"""Two workspaces in one program never meet."""

from __future__ import annotations

import logging
import sys

import pytest

from sinagot import Workspace
from sinagot.models import Record, RecordCollection, Scope, Step, StepCollection


def test_tasks_and_modalities_belong_to_their_workspace(lab, new_lab) -> None:
    """Names of one workspace are unknown to another, also to one of the same names in other combinations."""
    other = new_lab("other")
    other.config('[tasks.REST]\nmodalities = ["MEG"]\n[modalities.MEG]\nscripts = ["m"]\n')
    other.script("MEG/m")
    other.raw("REC-7-REST")
    one, two = lab.scoped().open(), other.open()
    unit = new_lab("unit").unit().open()
    assert one.RS.EEG.ids() == ["REC-1", "REC-2"]
    assert two.REST.MEG.ids() == ["REC-7"]
    for ws, name in ((one, "REST"), (one, "MEG"), (two, "RS"), (two, "EEG"), (unit, "RS"), (unit, "REST")):
        for owner in (ws, ws.records, ws.records.first()):
            assert name not in dir(owner)
            assert not hasattr(owner, name)


def test_nothing_is_written_on_classes(lab) -> None:
    """Opening, walking and running leave every class as it was."""
    classes = (Workspace, Scope, Record, RecordCollection, Step, StepCollection)
    before = {cls: set(vars(cls)) for cls in classes}
    ws = lab.scoped().open()
    ws.steps.run()
    list(ws.records.first().RS.iter_units())
    assert {cls: set(vars(cls)) for cls in classes} == before


def test_scripts_of_one_name_are_two(lab, new_lab) -> None:
    """Two workspaces with scripts of one name run each its own, in turns."""
    two = new_lab("two").unit("a", ids=["REC-1"])
    two.script("a", body="self.path.output.write_text('two')")
    one = lab.unit("a", ids=["REC-1"])
    first, second = one.open(), two.open()
    for _ in range(2):
        first.steps.run(force=True)
        second.steps.run(force=True)
        assert one.text("a/REC-1.csv") == "REC-1\na\n" and two.text("a/REC-1.csv") == "two"
    assert first.steps.first().script_class is not second.steps.first().script_class


def test_helper_modules_of_one_name_are_two(lab, new_lab) -> None:
    """Modules beside the scripts are importable, are those of the workspace, and are gone from the search afterwards."""
    labs = [lab.unit("a", ids=["REC-1"]), new_lab("two").unit("a", ids=["REC-1"])]
    for number, one in enumerate(labs):
        one.write("scripts/my_tools.py", f"NUMBER = {number}\n")
        one.script("a", head="import my_tools", body="self.path.output.write_text(str(my_tools.NUMBER))")
    path = list(sys.path)
    opened = [one.open() for one in labs]
    for ws in (*opened, *opened):
        ws.steps.run(force=True).raise_for_failures()
    assert [one.text("a/REC-1.csv") for one in labs] == ["0", "1"]
    assert sys.path == path
    assert "my_tools" not in sys.modules


def test_helper_imported_late_is_that_of_the_workspace(lab, new_lab) -> None:
    """A helper that is imported inside `run()` is the one beside the script, too."""
    labs = [lab.unit("a", ids=["REC-1"]), new_lab("two").unit("a", ids=["REC-1"])]
    for number, one in enumerate(labs):
        one.write("scripts/late_tools.py", f"NUMBER = {number}\n")
        one.script("a", body="import late_tools\nself.path.output.write_text(str(late_tools.NUMBER))")
    for one in labs:
        one.open().steps.run().raise_for_failures()
    assert [one.text("a/REC-1.csv") for one in labs] == ["0", "1"]


def test_modality_folder_comes_before_the_scripts_folder(lab) -> None:
    """In scoped mode a helper is looked for in the script's folder, then in the scripts folder, after everything else."""
    lab.scoped(ids=["REC-1"])
    lab.write("scripts/EEG/near_tools.py", "WHERE = 'EEG'")
    lab.write("scripts/near_tools.py", "WHERE = 'top'")
    lab.write("scripts/far_tools.py", "WHERE = 'top'")
    lab.write("scripts/json.py", "raise RuntimeError('never')")
    body = "self.path.output.write_text(near_tools.WHERE + far_tools.WHERE + json.dumps(1))"
    lab.script("EEG/a", head="import far_tools, json, near_tools", body=body)
    lab.script(
        "behavior/a",
        ("moves", "{id}-{task}.csv"),
        ("behavior-a", "{id}-{task}.csv"),
        head="import far_tools, json, near_tools",
        body=body,
    )
    with pytest.warns(UserWarning, match=r"json\.py is never imported"):
        lab.open().steps.run("a").raise_for_failures()
    assert lab.text("a/REC-1-RS.csv") == "EEGtop1"
    assert lab.text("behavior-a/REC-1-HDC.csv") == "toptop1"


def test_log_settings_belong_to_their_workspace(lab, new_lab, capsys) -> None:
    """Level and log folder of a run are those of its workspace, whichever was opened last."""
    one = lab.unit("a", ids=["REC-1"], more='[log]\nlevel = "ERROR"\n').open()
    two = new_lab("two").unit("a", ids=["REC-1"]).open()
    one.steps.run()
    assert capsys.readouterr().out == ""
    two.steps.run()
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert len(one["REC-1"].logs()) == len(two["REC-1"].logs()) == 3


def test_handlers_of_other_people_stay(lab) -> None:
    """Opening, using `ws.logger` and running remove no handler of others from the logger."""
    handlers = [logging.NullHandler(), logging.StreamHandler()]
    logger = logging.getLogger("sinagot")
    for handler in handlers:
        logger.addHandler(handler)
    try:
        ws = lab.unit("a").open()
        ws.logger.debug("x")
        lab.open().logger.debug("x")
        ws.steps.run()
        assert all(handler in logger.handlers for handler in handlers)
    finally:
        for handler in handlers:
            logger.removeHandler(handler)


def test_defaults_are_not_shared(lab, new_lab) -> None:
    """What one workspace's config or a script's `opts` is changed to is seen nowhere else."""
    lab.unit("a", ids=["REC-1", "REC-2"])
    for record in ("REC-1", "REC-2"):
        lab.wish(f"a-{record}", "assert self.opts == {}\nself.opts['x'] = 1")
    lab.open().steps.run().raise_for_failures()
    lab.open().config["dask"]["scheduler"]["type"] = "threads"
    assert new_lab("two").unit("a").open().config["dask"] == {"scheduler": {"type": "processes"}}


def test_marks_and_claims_belong_to_their_workspace(lab, new_lab) -> None:
    """A failure of a record in one workspace says nothing of the same id in another."""
    one, two = lab.unit("a", ids=["REC-1"]), new_lab("two").unit("a", ids=["REC-1"])
    one.fail("a-REC-1")
    one.open().steps.run()
    two.open().steps.run()
    assert one.open()["REC-1"].steps.first().status() == 40
    assert two.open()["REC-1"].steps.first().status() == 30


def test_scripts_may_use_dataclasses_and_pickle(lab) -> None:
    """A script's module is registered while it is used: dataclasses, pickling of its classes and type hints work."""
    lab.unit("a", ids=["REC-1"])
    lab.script(
        "a",
        head="""
        import pickle, typing
        from dataclasses import dataclass

        @dataclass
        class Event:
            sample: int
        """,
        body="""
        again = pickle.loads(pickle.dumps(Event(7)))
        assert again == Event(7) and typing.get_type_hints(Event) == {"sample": int}
        self.path.output.write_text(str(again.sample))
        """,
    )
    lab.open().steps.run().raise_for_failures()
    assert lab.text("a/REC-1.csv") == "7"


def test_two_workspaces_on_one_folder_agree(lab) -> None:
    """Two objects of one folder see each other's work at once."""
    lab.unit()
    one, two = lab.open(), lab.open()
    one.steps.run("a")
    assert two.steps.status()["step_status"].tolist() == [30, 10] * 2
    assert two.steps.run().counts["done"] == 2
    assert one.steps.run().counts["up_to_date"] == 4


@pytest.mark.parametrize("name", ["steps", "records"])
def test_scopes_are_made_anew(lab, name: str) -> None:
    """Scopes are handed out fresh: setting something on one is not seen on the next."""
    ws = lab.unit().open()
    getattr(ws, name).note = 1
    assert "note" not in vars(getattr(ws, name))


def test_workspaces_that_run_side_by_side(lab, new_lab) -> None:
    """Three workspaces in three threads keep their helpers, their prints and their logs apart."""
    import threading

    labs = [lab, new_lab("two"), new_lab("three")]
    ids = [f"REC-{number}" for number in range(8)]
    for number, one in enumerate(labs):
        one.unit("a", ids=ids)
        one.write("scripts/early_tools.py", f"NUMBER = {number}\n")
        one.write("scripts/late_tools.py", f"NUMBER = {number}\n")
        body = f"""
        import time
        print("workspace {number}", self.id)
        time.sleep(0.002)
        import late_tools
        self.path.output.write_text(f"{{early_tools.NUMBER}}{{late_tools.NUMBER}}")
        """
        one.script("a", head="import early_tools", body=body)
    reports = []
    threads = [
        threading.Thread(target=lambda one=one: reports.append(one.open().steps.run(printing=False)))
        for one in labs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = [(report.counts["done"], [str(one) for one in report.failures[:1]]) for report in reports]
    assert told == [(8, [])] * 3, [
        (report.counts, report.warnings, list(report.iter_jobs())[:1]) for report in reports
    ]
    for number, one in enumerate(labs):
        assert {one.text(f"a/{record}.csv") for record in ids} == {f"{number}{number}"}
        for record in ids:
            said = [text for _, text in one.messages(record) if text.startswith("workspace")]
            assert said == [f"workspace {number} {record}"]
