"""Scopes: narrowing by task and modality, walking through units, texts, names."""

from __future__ import annotations

import itertools
import logging

import pytest

from sinagot import Workspace
from sinagot.errors import ConfigurationError, ScopeError
from sinagot.models import Record, RecordCollection

UNITS = [("RS", "EEG"), ("RS", "clinical"), ("HDC", "EEG"), ("HDC", "clinical"), ("HDC", "behavior")]


def both(ws: Workspace) -> list:
    """Give both kinds of scope."""
    return [ws.records, ws.records.get("REC-1")]


def place(scope) -> tuple[str | None, str | None]:
    return scope.task, scope.modality


@pytest.mark.parametrize("kind", [0, 1], ids=["collection", "record"])
def test_subscopes_are_found_in_any_order(lab, kind: int) -> None:
    """Task then modality, modality then task, and both at once give the same unit of the same kind."""
    scope = both(lab.scoped().open())[kind]
    for task, modality in UNITS:
        units = [
            getattr(getattr(scope, task), modality),
            getattr(getattr(scope, modality), task),
            scope.get_subscope(task, modality),
            scope.get_subscope(task=task).get_subscope(modality=modality),
            scope.get_subscope(modality=modality).get_subscope(task=task),
        ]
        assert {place(unit) for unit in units} == {(task, modality)}
        assert {type(unit) for unit in units} == {type(scope)}
        assert all(unit.is_unit is True for unit in units)
        assert len(set(map(repr, units))) == 1
    assert place(scope) == (None, None)
    assert scope.is_unit is False
    assert scope.RS.is_unit is False and scope.EEG.is_unit is False


def test_subscope_of_what_is_fixed_already_keeps_it(lab) -> None:
    """Narrowing a unit to its own task or modality gives the unit again."""
    unit = lab.scoped().open().records.first().RS.EEG
    for again in (unit.get_subscope(), unit.get_subscope("RS"), unit.get_subscope(modality="EEG")):
        assert place(again) == ("RS", "EEG")
        assert again.id == unit.id


@pytest.mark.parametrize("kind", [0, 1], ids=["collection", "record"])
def test_combinations_that_are_not_configured_raise(lab, kind: int) -> None:
    """An unknown task or modality, and one that does not fit, are AttributeErrors that name what there is."""
    scope = both(lab.scoped().open())[kind]
    for ask, text in (
        (lambda: scope.get_subscope(task="MMN"), "no task 'MMN'.*RS, HDC"),
        (lambda: scope.get_subscope(modality="MEG"), "no modality 'MEG'.*EEG, behavior, clinical"),
        (lambda: scope.get_subscope("RS", "behavior"), "'RS' has no modality 'behavior'.*EEG, clinical"),
        (lambda: scope.RS.behavior, "'RS' has no modality 'behavior'"),
        (lambda: scope.behavior.RS, "'RS' has no modality 'behavior'"),
        (lambda: scope.RS.get_subscope("HDC"), "narrowed to task RS"),
        (lambda: scope.RS.HDC, "no attribute 'HDC'"),
        (lambda: scope.EEG.clinical, "no attribute 'clinical'"),
        (lambda: scope.RS.RS, "no attribute 'RS'"),
        (lambda: scope.EGG, "no attribute 'EGG'; did you mean 'EEG'"),
        (lambda: scope.stats, "no attribute 'stats'"),
    ):
        with pytest.raises(AttributeError, match=text) as caught:
            ask()
        assert isinstance(caught.value, ScopeError)


@pytest.mark.parametrize("kind", [0, 1], ids=["collection", "record"])
def test_iterators_follow_the_configuration(lab, kind: int) -> None:
    """Tasks, modalities and units come in configuration order, and not where that dimension is fixed."""
    scope = both(lab.scoped().open())[kind]
    assert list(scope.iter_tasks()) == ["RS", "HDC"]
    assert list(scope.iter_modalities()) == ["EEG", "clinical", "behavior"]
    assert [place(unit) for unit in scope.iter_units()] == UNITS

    assert list(scope.HDC.iter_tasks()) == []
    assert list(scope.HDC.iter_modalities()) == ["EEG", "clinical", "behavior"]
    assert [place(unit) for unit in scope.HDC.iter_units()] == UNITS[2:]

    assert list(scope.behavior.iter_tasks()) == ["HDC"]
    assert list(scope.EEG.iter_modalities()) == []
    assert [place(unit) for unit in scope.EEG.iter_units()] == [("RS", "EEG"), ("HDC", "EEG")]

    unit = scope.RS.EEG
    assert list(unit.iter_tasks()) == [] and list(unit.iter_modalities()) == []
    assert list(unit.iter_units()) == [unit]
    assert all(type(each) is type(scope) for each in scope.iter_units())


@pytest.mark.parametrize("kind", [0, 1], ids=["collection", "record"])
def test_unit_mode_is_one_unit(lab, kind: int) -> None:
    """Without tasks a scope is its own unit: task and modality are None, there is nothing to narrow to."""
    scope = both(lab.unit().open())[kind]
    assert place(scope) == (None, None)
    assert scope.is_unit is True
    assert list(scope.iter_tasks()) == [] and list(scope.iter_modalities()) == []
    assert list(scope.iter_units()) == [scope]
    assert place(scope.get_subscope()) == (None, None)
    with pytest.raises(AttributeError, match="no task 'RS'"):
        scope.get_subscope("RS")
    with pytest.raises(AttributeError, match="EEG"):
        scope.EEG  # noqa: B018


def test_scope_knows_its_workspace(lab) -> None:
    """`workspace`, `config` and `logger` of every scope are those of its workspace."""
    ws = lab.scoped().open()
    for scope in (ws.records, ws.RS, ws.records.first(), ws.records.first().RS.EEG):
        assert scope.workspace is ws
        assert scope.config == ws.config
        assert isinstance(scope.logger, logging.Logger) and scope.logger is ws.logger


def test_texts(lab, new_lab) -> None:
    """The texts of workspaces, collections, records and steps are the established ones."""
    ws = lab.scoped().open()
    record = ws.records.get("REC-1")
    assert repr(ws.records) == "<RecordCollection instance | task: None, modality: None>"
    assert repr(ws.RS) == "<RecordCollection instance | task: RS, modality: None>"
    assert repr(ws.RS.EEG) == "<RecordCollection instance | task: RS, modality: EEG>"
    assert repr(record) == "<Record instance | id: REC-1, task: None, modality: None>"
    assert repr(record.EEG) == "<Record instance | id: REC-1, task: None, modality: EEG>"
    assert repr(record.RS.EEG.steps.first()) == "<ScopedStep instance | task: RS, modality: EEG, label: a>"
    assert repr(record.RS.steps) == "<StepCollection instance | task: RS, modality: None>"
    unit = new_lab("unit").unit().open()
    assert repr(unit) == "<Workspace instance>"
    assert repr(unit.records) == "<RecordCollection instance>"
    assert repr(unit["REC-1"]) == "<Record instance | id: REC-1>"
    assert repr(unit.steps) == "<StepCollection instance>"
    assert repr(unit.steps.first()) == "<Step instance | label: a>"


def test_dir_offers_what_can_be_asked_for(lab) -> None:
    """Completion offers the members and the tasks and modalities that are open, and no others; all of them resolve."""
    ws = lab.scoped().open()
    names = {"RS", "HDC", "EEG", "clinical", "behavior"}
    for scope, offered in (
        (ws, names),
        (ws.records, names),
        (ws.RS, {"EEG", "clinical"}),
        (ws.records.first().EEG, {"RS", "HDC"}),
        (ws.records.first().behavior, {"HDC"}),
        (ws.RS.EEG, set()),
    ):
        assert set(dir(scope)) & names == offered
        assert {"get_subscope", "iter_units", "steps"} <= set(dir(scope)) or scope is ws
        for name in offered:
            assert getattr(scope, name).workspace is ws


def test_established_members_are_offered_in_both_modes(lab, new_lab) -> None:
    """Every established member of collections and records exists in both modes."""
    scope = {
        *("task", "modality", "is_unit", "get_subscope", "iter_tasks", "iter_modalities", "iter_units"),
        *("steps", "workspace", "config", "logger", "count_detail", "count_step", "count_raw_data"),
    }
    collection = scope | {"iter_ids", "ids", "all", "first", "head", "get", "has", "count", "logs"}
    record = scope | {"id", "logs", "logs_json", "status_dict", "status_json"}
    for ws in (lab.scoped().open(), new_lab("unit").unit().open()):
        assert collection <= set(dir(ws.records))
        assert record <= set(dir(ws.records.first()))


def test_names_that_are_no_identifiers_work_through_get_subscope(lab) -> None:
    """A task or modality whose name Python can't write is reached by `get_subscope`; completion leaves it out."""
    lab.config('[tasks."rest-1"]\nmodalities = ["16 ch"]\n[modalities."16 ch"]\nscripts = ["a"]\n')
    lab.script("16 ch/a")
    lab.raw("REC-1-rest-1")
    ws = lab.open()
    unit = ws.records.get_subscope("rest-1", "16 ch")
    assert place(unit) == ("rest-1", "16 ch")
    assert unit.ids() == ["REC-1"]
    assert unit.steps.run().counts["done"] == 1
    assert "rest-1" not in dir(ws) and "16 ch" not in dir(ws.records)
    assert [place(each) for each in ws.records.iter_units()] == [("rest-1", "16 ch")]


def test_labels_stand_in_paths_and_names_in_python(lab) -> None:
    """`label` of a task and of a modality stands for `{task}` and `{modality}` in every pattern; `self.task` is the name."""
    lab.config(
        '[tasks.rest]\nlabel = "1"\nmodalities = ["EEG"]\n[modalities.EEG]\nlabel = "eeg"\nscripts = ["a", "b"]\n'
    )
    lab.script("EEG/a", ("{modality}", "{id}_{task}.edf"), ("made-{modality}", "{id}_{task}-a"))
    lab.script("EEG/b", ("made-{modality}", "{id}_{task}-a"), "made-{modality}/{id}_{task}-b")
    lab.raw("REC-1_1", folder="eeg", suffix=".edf")
    lab.wish("rest-EEG-a-REC-1", "self.logger.info(f'{self.task} {self.modality} {self.path.final.name}')")
    ws = lab.open()
    assert ws.rest.EEG.ids() == ["REC-1"]
    assert ws.steps.run().counts["done"] == 2
    assert (lab.data / "made-eeg/REC-1_1-b").exists()
    assert "rest EEG REC-1_1-a" in [line["message"] for line in lab.lines(task="rest", modality="EEG")]
    assert ws.records.first().rest.EEG.steps.get("b").script.path.output == lab.data / "made-eeg/REC-1_1-b"
    assert ws.records.first().status_dict()["rest"]["EEG"][1]["step_status"] == 30


@pytest.mark.parametrize("kind", ["tasks", "modalities"])
@pytest.mark.parametrize("name", ["steps", "config", "count", "task", "records", "get", "logs", "run"])
def test_names_of_the_surface_are_refused(lab, kind: str, name: str) -> None:
    """A task or modality with the name of an established member is a ConfigurationError that names it, and touches nothing."""
    task, modality = (name, "EEG") if kind == "tasks" else ("RS", name)
    lab.config(f'[tasks.{task}]\nmodalities = ["{modality}"]\n[modalities.{modality}]\nscripts = []\n')
    members = {cls: set(vars(cls)) for cls in (Workspace, Record, RecordCollection)}
    with pytest.raises(ConfigurationError, match=name):
        lab.open()
    assert {cls: set(vars(cls)) for cls in members} == members


def test_name_of_a_newer_member_is_a_warning(lab) -> None:
    """A task with the name of a newer member works through `get_subscope`; opening warns and says so."""
    lab.config('[tasks.history]\nmodalities = ["EEG"]\n[modalities.EEG]\nscripts = ["a"]\n')
    lab.script("EEG/a")
    lab.raw("REC-1-history")
    with pytest.warns(UserWarning, match=r"history.*get_subscope"):
        ws = lab.open()
    assert ws.records.get_subscope("history").steps.run().counts["done"] == 1


def test_unlisted_modality_is_legal(lab) -> None:
    """A modality that no task lists has no units and no steps; its scopes exist, and its collection covers all ids."""
    lab.scoped(more='[modalities.extra]\nscripts = ["a"]\n')
    ws = lab.open()
    assert place(ws.extra) == (None, "extra")
    assert ws.extra.ids() == ["REC-1", "REC-2"]
    assert place(ws.records.first().extra) == (None, "extra")
    for scope in (ws.extra, ws.records.first().extra):
        assert list(scope.iter_units()) == [] and list(scope.iter_tasks()) == []
        assert scope.steps.scripts_names() == []
        assert scope.steps.count() == 0
        assert scope.steps.first() is None
        assert list(scope.steps.all()) == []
        assert scope.steps.status().empty
        assert scope.steps.run().total == 0
        assert scope.count_raw_data().empty
    assert "extra" in dir(ws) and "extra" not in dir(ws.RS)
    assert ws.steps.scripts_names()["extra"] == []
    with pytest.raises(AttributeError, match="extra"):
        ws.RS.extra  # noqa: B018


def test_modality_without_scripts_is_no_obstacle(lab) -> None:
    """Units whose modality has no scripts are there, count nothing and stop nobody."""
    ws = lab.scoped().open()
    assert [place(unit) for unit in ws.clinical.iter_units()] == [("RS", "clinical"), ("HDC", "clinical")]
    assert ws.clinical.ids() == []
    assert ws.clinical.steps.scripts_names() == []
    assert ws.clinical.steps.run().total == 0
    assert ws.steps.run().counts["done"] == 12
    assert set(ws.steps.status()["modality"]) == {"EEG", "behavior"}


def test_scopes_of_two_units_can_be_walked_through_at_once(lab) -> None:
    """Nested loops over one collection meet every pair."""
    records = lab.unit(ids=["REC-1", "REC-2", "REC-3"]).open().records
    ids = records.ids()
    assert [(one.id, two.id) for one in records.all() for two in records.all()] == list(
        itertools.product(ids, ids)
    )
    assert [(one, two) for one in records.iter_ids() for two in records.iter_ids()] == list(
        itertools.product(ids, ids)
    )
