"""Steps and collections of steps."""

from __future__ import annotations

import pytest

from sinagot import ScriptTemplate
from sinagot.errors import NotFoundError, NotUnitError, ScriptError
from sinagot.models import Step
from sinagot.utils import StepStatus

COLUMNS = ["record_id", "task", "modality", "step_index", "step_label", "step_status"]


def test_collection_in_unit_mode(lab) -> None:
    """In unit mode names are a list, the count a number, `first` and `get` steps."""
    ws = lab.unit("b", "a").open()
    for steps in (ws.steps, ws.records.steps, ws["REC-1"].steps):
        assert steps.scripts_names() == ["b", "a"]
        assert steps.count() == 2 and type(steps.count()) is int
        assert isinstance(steps.first(), Step) and steps.first().label == "b"
        assert isinstance(steps.get("a"), Step) and steps.get("a").label == "a"
        assert [step.label for step in steps.all()] == [step.label for step in steps] == ["b", "a"]


def test_collection_without_steps(lab) -> None:
    """A workspace without scripts has no first step, and running it is no error."""
    lab.config("")
    ws = lab.open()
    assert ws.is_unit_mode is True
    assert (ws.steps.scripts_names(), ws.steps.count(), ws.steps.first()) == ([], 0, None)
    assert list(ws.steps.all()) == []
    with pytest.raises(NotFoundError, match="none"):
        ws.steps.get("a")
    record = ws.records.get("REC-1")
    assert record.status_dict() == {} and record.steps.status().empty


def test_collection_of_a_scope_with_a_modality_is_flat(lab) -> None:
    """With a modality names are a list: the shared scripts, then those of the task (of every task without one), each once."""
    ws = lab.scoped().open()
    assert ws.RS.EEG.steps.scripts_names() == ["a", "b"]
    assert ws.HDC.EEG.steps.scripts_names() == ["a", "b", "c"]
    assert ws.EEG.steps.scripts_names() == ["a", "b", "c"]
    assert ws.EEG.steps.count() == 3
    assert ws.EEG.steps.first().label == "a"
    assert ws.EEG.steps.get("c").label == "c"
    assert ws.clinical.steps.scripts_names() == []
    assert ws.clinical.steps.count() == 0
    assert ws.clinical.steps.first() is None


def test_task_scripts_come_after_the_shared_ones_each_once(lab) -> None:
    """Of several tasks, the tasks' scripts follow in the order of the tasks; one that two tasks have is listed once."""
    lab.config(
        """
        [tasks.T2]
        modalities = ["M"]
        [tasks.T1]
        modalities = ["M"]
        [modalities.M]
        scripts = ["s1", "s2"]
        task_scripts = {T1 = ["x", "one"], T2 = ["x", "two"]}
        """
    )
    steps = lab.open().M.steps
    assert steps.scripts_names() == ["s1", "s2", "x", "two", "one"]
    assert lab.open().T1.M.steps.scripts_names() == ["s1", "s2", "x", "one"]
    assert lab.open().T2.M.steps.scripts_names() == ["s1", "s2", "x", "two"]


def test_collection_of_a_scope_without_a_modality_is_a_dict(lab) -> None:
    """Without a modality each answer is a dict with every modality in it."""
    ws = lab.scoped().open()
    for scope in (ws, ws.records, ws["REC-1"]):
        steps = scope.steps
        assert steps.scripts_names() == {"EEG": ["a", "b", "c"], "behavior": ["a"], "clinical": []}
        assert steps.count() == {"EEG": 3, "behavior": 1, "clinical": 0}
        first = steps.first()
        assert {name: step and step.label for name, step in first.items()} == {
            "EEG": "a",
            "behavior": "a",
            "clinical": None,
        }
        assert first["EEG"].modality == "EEG" and first["EEG"].task is None
        found = steps.get("b")
        assert found["EEG"].label == "b" and found["behavior"] is None and found["clinical"] is None
        assert steps.get("zzz") == {"EEG": None, "behavior": None, "clinical": None}
        assert [(step.modality, step.label) for step in steps] == [
            ("EEG", "a"),
            ("EEG", "b"),
            ("EEG", "c"),
            ("behavior", "a"),
        ]
    assert ws.RS.steps.scripts_names() == {"EEG": ["a", "b"], "behavior": [], "clinical": []}
    assert ws.RS.steps.count() == {"EEG": 2, "behavior": 0, "clinical": 0}
    assert ws.RS.steps.first()["behavior"] is None
    assert ws.RS.steps.get("a")["behavior"] is None
    assert ws.RS.steps.get("a")["EEG"].task == "RS"


def test_unknown_step_is_not_found(lab, new_lab) -> None:
    """`get` and `run` of an unknown name raise NotFoundError with the names there are and a likely one."""
    unit, scoped = lab.unit("count", "mean").open(), new_lab("scoped").scoped().open()
    for ask in (
        lambda: unit.steps.get("cuont"),
        lambda: unit.steps.run("cuont"),
        lambda: unit["REC-1"].steps.get("cuont"),
    ):
        with pytest.raises(NotFoundError, match=r"cuont.*count, mean.*did you mean 'count'") as caught:
            ask()
        assert isinstance(caught.value, LookupError)
        assert caught.value.name == "cuont"
    for ask in (
        lambda: scoped.RS.EEG.steps.get("c"),
        lambda: scoped.RS.EEG.steps.run("c"),
        lambda: scoped.RS.steps.run("c"),
        lambda: scoped.steps.run("zzz"),
    ):
        with pytest.raises(NotFoundError):
            ask()
    assert not (unit.data_path / ".sinagot").exists()


def test_step_members_in_unit_mode(lab) -> None:
    """A step has label, id, task, modality, script, class, model, status and logs."""
    ws = lab.unit().open()
    record = ws["REC-1"]
    step = record.steps.get("b")
    assert (step.label, step.id, step.task, step.modality) == ("b", "REC-1", None, None)
    assert step.model is record
    assert issubclass(step.script_class, ScriptTemplate) and step.script_class.__name__ == "Script"
    script = step.script
    assert isinstance(script, step.script_class)
    assert (script.id, script.task, script.modality, script.label) == ("REC-1", None, None, "b")
    assert script.data_path == lab.data
    assert script.path.input == lab.data / "a/REC-1.csv"
    assert script.path.output == script.path.final == lab.data / "b/REC-1.csv"
    assert script.data_exist.input == {lab.data / "a/REC-1.csv": False}
    assert script.logger is None
    assert script.opts == {} and script.debug is False
    assert step.status() == 0 and type(step.status()) is int
    assert record.steps.get("a").status() == StepStatus.DATA_READY == 10
    ws.steps.run()
    assert step.status() == 30
    assert step.logs()["step_label"].unique().tolist() == ["b"]
    assert step.script.data_exist.output == {lab.data / "b/REC-1.csv": True}


def test_step_members_in_scoped_mode(lab) -> None:
    """In scoped mode a step has the task and modality of its scope."""
    record = lab.scoped().open()["REC-1"]
    step = record.RS.EEG.steps.get("a")
    assert (step.label, step.id, step.task, step.modality) == ("a", "REC-1", "RS", "EEG")
    assert (step.script.task, step.script.modality) == ("RS", "EEG")
    assert step.script.path.input == lab.data / "raw/REC-1-RS.csv"
    assert step.status() == 10
    assert step.run().counts["done"] == 1
    assert lab.ran() == ["RS-EEG-a-REC-1"]
    assert step.status() == 30


def test_step_of_a_collection(lab) -> None:
    """The step of a collection has no id; it runs for every record, and asked for one status it says what to ask."""
    ws = lab.unit().open()
    step = ws.steps.get("a")
    assert step.id is None
    assert step.model is not None and step.script.label == "a"
    with pytest.raises(NotUnitError, match=r"steps\.status\(\)"):
        step.status()
    assert step.run().counts["done"] == 2
    assert lab.ran() == ["a-REC-1", "a-REC-2"]
    assert len(step.logs()) == 6


def test_step_of_a_record_that_is_no_unit_has_no_single_status(lab) -> None:
    """A record without task has one status a unit: asking for one raises."""
    step = lab.scoped().open()["REC-1"].EEG.steps.get("a")
    with pytest.raises(NotUnitError):
        step.status()
    assert step.run().counts["done"] == 2


def test_step_of_a_broken_script(lab) -> None:
    """`script` and `script_class` of a broken file raise ScriptError; its status is an error."""
    lab.unit()
    lab.write("scripts/b.py", "1 +")
    step = lab.open()["REC-1"].steps.get("b")
    with pytest.raises(ScriptError, match=r"b\.py"):
        step.script_class  # noqa: B018
    with pytest.raises(ScriptError, match=r"b\.py"):
        step.script  # noqa: B018
    assert step.status() == 40


@pytest.mark.parametrize("scoped", [False, True], ids=["unit", "scoped"])
def test_status_is_a_table_with_one_row_a_step_and_unit(lab, scoped: bool) -> None:
    """`status()` has the established columns, one row a record, unit and step, in configuration order."""
    ws = (lab.scoped() if scoped else lab.unit()).open()
    frame = ws.steps.status()
    assert list(frame.columns) == COLUMNS
    assert frame["step_index"].dtype == frame["step_status"].dtype == "int64"
    if scoped:
        expected = [
            ("RS", "EEG", 1, "a"),
            ("RS", "EEG", 2, "b"),
            ("HDC", "EEG", 1, "a"),
            ("HDC", "EEG", 2, "b"),
        ]
        expected += [("HDC", "EEG", 3, "c"), ("HDC", "behavior", 1, "a")]
    else:
        expected = [(None, None, 1, "a"), (None, None, 2, "b")]
    rows = list(frame[COLUMNS[:-1]].itertuples(index=False, name=None))
    assert rows == [(record_id, *row) for record_id in ("REC-1", "REC-2") for row in expected]
    assert set(frame["step_status"]) == {0, 10}
    assert ws["REC-2"].steps.status()["record_id"].unique().tolist() == ["REC-2"]
    if scoped:
        assert len(ws.RS.steps.status()) == 4
        assert ws.RS.steps.status()["task"].unique().tolist() == ["RS"]
        assert len(ws["REC-1"].EEG.HDC.steps.status()) == 3
        assert ws["REC-1"].clinical.steps.status().empty
        assert list(ws["REC-1"].clinical.steps.status().columns) == COLUMNS


def test_status_of_a_record_without_data(lab) -> None:
    """A valid id without data has a status too: nothing is there."""
    ws = lab.unit().open()
    assert ws["REC-999"].steps.status()["step_status"].tolist() == [0, 0]
    assert ws["REC-999"].status_dict()[None][None][0]["step_status"] == 0
