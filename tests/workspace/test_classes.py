"""Classes of a modality's records: custom ones, plugins, plain ones."""

from __future__ import annotations

import importlib.metadata
import pickle
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from sinagot.errors import ConfigurationError, ScriptError
from sinagot.models import Record, RecordCollection
from sinagot.plugins.models.pandas import PandasRecord, PandasRecordCollection

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workspace.conftest import Lab

RECORD = """
from sinagot.models import Record as BaseRecord

class Record(BaseRecord):
    {body}
"""
COLLECTION = """
from sinagot.models import RecordCollection as BaseRecordCollection

class RecordCollection(BaseRecordCollection):
    {body}
"""


def custom(lab: Lab, record: str = "", collection: str = "", modality: str = "behavior") -> None:
    """Write custom classes with these bodies."""
    for name, text, body in (("record", RECORD, record), ("record_collection", COLLECTION, collection)):
        if body:
            lab.write(f"scripts/{modality}/models/{name}.py", text.replace("{body}", body))


@pytest.fixture
def study(lab: Lab) -> Lab:
    """Give a workspace with tasks RS and HDC; only HDC has behavior."""
    return lab.scoped()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Give a function that makes an importable module of a text and tells its name."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def make(text: str) -> str:
        name = f"sinagot_lab_plugin_{tmp_path.name.replace('-', '_')}_{len(made)}"
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        (tmp_path / name / "models.py").write_text(text)
        made.append(name)
        return f"{name}.models"

    yield make
    for name in list(sys.modules):
        if name.startswith(tuple(made)) and made:
            del sys.modules[name]


# -- custom classes


def test_plain_classes_without_files(study: Lab) -> None:
    """A modality without plugin and files has the plain classes."""
    ws = study.open()
    assert type(ws.behavior) is RecordCollection
    assert type(ws.records.get("REC-1").behavior) is Record


def test_custom_classes_are_used_everywhere(study: Lab) -> None:
    """Classes beside the scripts are those of the modality's scopes, with or without the task, and of no other."""
    custom(study, "def hello(self): return 'record ' + self.id", "def hello(self): return 'collection'")
    ws = study.open()
    record = ws.records.get("REC-1")
    assert ws.behavior.hello() == ws.HDC.behavior.hello() == "collection"
    assert ws.behavior.get("REC-1").hello() == "record REC-1"
    assert record.behavior.hello() == record.HDC.behavior.hello() == "record REC-1"
    assert [one.hello() for one in ws.HDC.behavior.all()] == ["record REC-1", "record REC-2"]
    assert type(ws.EEG) is RecordCollection
    assert type(ws.HDC) is RecordCollection


def test_custom_classes_are_shown_by_their_modality(study: Lab) -> None:
    """The text of a custom scope names the modality, with its first letter in upper case."""
    custom(study, "pass", "pass")
    ws = study.open()
    assert repr(ws.behavior) == "<BehaviorRecordCollection instance | task: None, modality: behavior>"
    record = ws.HDC.behavior.get("REC-1")
    assert repr(record) == "<BehaviorRecord instance | id: REC-1, task: HDC, modality: behavior>"


def test_one_class_alone(study: Lab) -> None:
    """A file for one of the two classes leaves the other plain."""
    custom(study, "flag = True")
    ws = study.open()
    assert type(ws.behavior) is RecordCollection
    assert ws.behavior.first().flag


def test_constructors_may_take_anything(study: Lab) -> None:
    """A custom class may have a constructor that hands on what it gets."""
    init = "def __init__(self, *args, **kwargs):\n        super().__init__(*args, **kwargs)\n        self.extra = 1"
    custom(study, init, init)
    ws = study.open()
    assert (ws.behavior.extra, ws.behavior.first().extra, ws.records.get("REC-1").behavior.extra) == (1, 1, 1)


@pytest.mark.parametrize(
    "fixed", [("task = 'HDC'", "task = 'HDC'"), ("task = 'HDC'", ""), ("", "task = 'HDC'")]
)
def test_a_class_may_fix_the_task(study: Lab, fixed: tuple[str, str]) -> None:
    """A task that one of the classes fixes is the task of the modality's scopes and of their records: units."""
    custom(study, *fixed)
    ws = study.open()
    record = ws.records.get("REC-1")
    for scope in (ws.behavior, record.behavior, ws.behavior.first(), ws.HDC.behavior, record.HDC.behavior):
        assert (scope.task, scope.modality, scope.is_unit) == ("HDC", "behavior", True)
    assert ws.behavior.ids() == ["REC-1", "REC-2"]
    assert record.behavior.steps.get("a").status() == 10
    assert ws.records.get("REC-1").EEG.task is None
    shown = "<BehaviorRecord instance" if fixed[0] else "<Record instance"
    assert repr(record.behavior) == f"{shown} | id: REC-1, task: HDC, modality: behavior>"


def test_a_fixed_task_has_to_be_configured(study: Lab) -> None:
    """A class that fixes a task which is not there is an error with the file and the nearest task."""
    custom(study, "task = 'HCD'")
    with pytest.raises(
        ScriptError, match=r"models/record\.py: Record fixes the task 'HCD'.*did you mean 'HDC'"
    ):
        _ = study.open().behavior


def test_the_class_may_have_another_name(study: Lab) -> None:
    """`models.record` names the class of the records."""
    study.config(
        (study.root / "workspace.toml").read_text() + "[modalities.behavior.models]\nrecord = 'Special'\n",
        records="",
    )
    custom(study, "pass\nclass Special(Record):\n    special = True")
    ws = study.open()
    assert ws.behavior.first().special
    assert ws.records.get("REC-1").behavior.special


def test_a_name_needs_its_file(study: Lab) -> None:
    """`models.record` without the file is an error that names it."""
    study.config(
        (study.root / "workspace.toml").read_text() + "[modalities.behavior.models]\nrecord = 'Special'\n",
        records="",
    )
    with pytest.raises(ScriptError, match=r"behavior/models/record\.py"):
        study.open().behavior.first()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", r"record\.py: there is no class Record; write: class Record\(sinagot\.models\.Record\)"),
        ("class Record:\n    pass\n", "no class derived from sinagot.models.Record: Record; write"),
        ("Record = 1\n", "no class derived from"),
        ("from sinagot.models import Record as B\nclass Recrd(B):\n    pass\n", "did you mean 'Recrd'"),
        ("import os\n\n1 / 0\n", r"record\.py:3: ZeroDivisionError"),
        ("def f(:\n", r"record\.py:1: SyntaxError"),
        ("import nowhere_at_all\n", r"record\.py:1: ModuleNotFoundError"),
    ],
)
def test_a_broken_file_is_named(study: Lab, text: str, message: str) -> None:
    """A file that fails, or has no such class, is an error with file and line; other modalities go on."""
    study.write("scripts/behavior/models/record.py", text)
    ws = study.open()
    with pytest.raises(ScriptError, match=message) as caught:
        _ = ws.records.get("REC-1").behavior
    assert caught.value.file == study.scripts / "behavior" / "models" / "record.py"
    assert ws.records.get("REC-1").EEG.id == "REC-1"


def test_a_class_of_another_name_is_not_overlooked(study: Lab) -> None:
    """A file that only imports the plain class by the expected name warns that its own is never used."""
    study.write(
        "scripts/behavior/models/record.py",
        "from sinagot.models import Record\nclass BehaviorRecord(Record):\n    pass\n",
    )
    with pytest.warns(UserWarning, match="BehaviorRecord is never used, the class has to be named Record"):
        assert type(study.open().records.get("REC-1").behavior) is Record


def test_local_modules_are_importable(study: Lab) -> None:
    """Modules beside the classes, the modality's scripts and all scripts can be imported."""
    study.write("scripts/behavior/models/near.py", "NAME = 'near'\n")
    study.write("scripts/behavior/middle.py", "NAME = 'middle'\n")
    study.write("scripts/far.py", "NAME = 'far'\n")
    text = "import near, middle, far\n" + RECORD.replace(
        "{body}", "names = [near.NAME, middle.NAME, far.NAME]"
    )
    study.write("scripts/behavior/models/record.py", text)
    assert study.open().behavior.first().names == ["near", "middle", "far"]
    assert not {"near", "middle", "far"} & set(sys.modules)


def test_an_edit_counts_for_the_next_workspace(study: Lab) -> None:
    """An edited file, or local module, is loaded anew by the next workspace object; one object keeps what it has."""
    study.write("scripts/tools.py", "NUMBER = 1\n")
    study.write(
        "scripts/behavior/models/record.py", "import tools\n" + RECORD.replace("{body}", "n = tools.NUMBER")
    )
    old = study.open()
    assert old.behavior.first().n == 1
    study.write("scripts/tools.py", "NUMBER = 2\n")
    assert (old.behavior.first().n, study.open().behavior.first().n) == (1, 2)
    custom(study, "n = 3")
    assert study.open().behavior.first().n == 3


def test_workspaces_never_meet(new_lab: Callable[[str], Lab]) -> None:
    """Two workspaces with classes for the same modality have each their own, and leave nothing on the plain ones."""
    labs = [new_lab(name).scoped() for name in ("one", "two", "three")]
    for number, lab in enumerate(labs[:2]):
        lab.write("scripts/tools.py", f"NUMBER = {number}\n")
        text = RECORD.replace("{body}", f"n = tools.NUMBER\n    task = {('HDC', None)[number]!r}")
        lab.write(
            "scripts/behavior/models/record.py", f"import tools\n{text}".replace("    task = None\n", "")
        )
    one, two, three = [lab.open() for lab in labs]
    assert (one.behavior.first().n, two.behavior.first().n, one.behavior.first().n) == (0, 1, 0)
    assert (one.behavior.task, two.behavior.task, three.behavior.task) == ("HDC", None, None)
    assert type(three.behavior.first()) is Record
    assert isinstance(Record.task, property)
    assert isinstance(RecordCollection.task, property)


def test_classes_of_the_module_can_be_pickled(study: Lab) -> None:
    """The module of custom classes is registered: its dataclasses work and what it makes can be pickled."""
    body = "def point(self): return Point(1)\n\n@dataclass\nclass Point:\n    x: int"
    study.write(
        "scripts/behavior/models/record.py",
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        + RECORD.replace("{body}", body),
    )
    point = study.open().behavior.first().point()
    assert pickle.loads(pickle.dumps(point)) == point


# -- plugins


def plugged(lab: Lab, plugin: str, modality: str = "clinical") -> None:
    """Name a plugin for a modality."""
    lab.scoped(
        more=f"[modalities.{modality}.models]\nplugin = '{plugin}'\ndata_path = ['form', '{{id}}.json']\n"
    )


@pytest.mark.parametrize(
    "plugin", ["pandas", "sinagot.plugins.models.pandas", "sinagot.plugins.models.pandas:Pandas"]
)
def test_plugins_are_named(lab: Lab, plugin: str) -> None:
    """A plugin of the package is named by its name or its import path."""
    plugged(lab, plugin)
    ws = lab.open()
    assert type(ws.clinical) is PandasRecordCollection
    assert type(ws.records.get("REC-1").RS.clinical) is PandasRecord


def test_a_custom_class_wins_over_the_plugin(lab: Lab) -> None:
    """A custom class takes the place of one class of the plugin; the other stays."""
    plugged(lab, "pandas")
    custom(lab, "flag = True", modality="clinical")
    ws = lab.open()
    assert ws.records.get("REC-1").clinical.flag
    assert type(ws.clinical) is PandasRecordCollection


PLUGIN = """
from sinagot.models import Record, RecordCollection

class {prefix}Record(Record):
    mine = "record"

class {prefix}RecordCollection(RecordCollection):
    mine = "collection"
"""


@pytest.mark.parametrize("form", ["{}", "{}:Lab", "{}:LabRecord", "{}:LabRecordCollection"])
def test_plugins_by_import_path(lab: Lab, package: Callable[[str], str], form: str) -> None:
    """An import path names a module, or the prefix of its classes, or one of them."""
    plugged(lab, form.format(package(PLUGIN.replace("{prefix}", "Lab"))))
    ws = lab.open()
    assert (ws.clinical.mine, ws.records.get("REC-1").clinical.mine) == ("collection", "record")


def test_a_plugin_may_have_one_class(lab: Lab, package: Callable[[str], str]) -> None:
    """A plugin with a class of records only leaves the collection plain."""
    module = package("import sinagot.models as m\nclass Record(m.Record):\n    mine = 1\n")
    plugged(lab, f"{module}:Record")
    ws = lab.open()
    assert type(ws.clinical) is RecordCollection
    assert ws.records.get("REC-1").clinical.mine == 1


def test_plugins_by_entry_point(
    lab: Lab, package: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed package offers a plugin by an entry point of the group `sinagot.plugins`."""
    module = package(PLUGIN.replace("{prefix}", "Lab"))
    entry = importlib.metadata.EntryPoint("labs", f"{module}:Lab", "sinagot.plugins")
    other = importlib.metadata.EntryPoint("others", "nowhere", "sinagot.plugins")
    asked = importlib.metadata.entry_points

    def entry_points(**options: str) -> object:
        return [other, entry] if options == {"group": "sinagot.plugins"} else asked(**options)

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    plugged(lab, "labs")
    assert lab.open().clinical.mine == "collection"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"has no class Record \(derived from sinagot\.models\.Record\) or RecordCollection"),
        ("class Record:\n    pass\n", "has no class Record"),
        (
            "import nowhere_at_all\n",
            "can't be imported: ModuleNotFoundError: No module named 'nowhere_at_all'",
        ),
        ("1 / 0\n", "can't be imported: ZeroDivisionError"),
    ],
)
def test_a_broken_plugin_is_named(lab: Lab, package: Callable[[str], str], text: str, message: str) -> None:
    """A plugin that fails, or has no classes, is an error with file and key; other modalities go on."""
    plugged(lab, package(text))
    ws = lab.open()
    with pytest.raises(
        ConfigurationError, match=rf"workspace\.toml: modalities\.clinical\.models\.plugin: .*{message}"
    ):
        _ = ws.clinical
    assert ws.EEG.ids() == ["REC-1", "REC-2"]


def test_a_plugin_that_is_not_installed_is_named(lab: Lab) -> None:
    """An import path that leads nowhere is an error, at the latest when the modality is used."""
    plugged(lab, "sinagot_nowhere.models")
    with pytest.raises(ConfigurationError, match=r"models\.plugin: .*sinagot_nowhere"):
        _ = lab.open().clinical


def test_custom_walk_over_ids_counts_everywhere(study: Lab) -> None:
    """A class that leaves out records when it walks over the ids leaves them out of the list and the count as well."""
    study.raw("REC-1-HDC", "REC-2-HDC", folder="moves")
    body = "def iter_ids(self):\n        yield from (one for one in super().iter_ids() if one != 'REC-1')"
    custom(study, collection=body)
    records = study.open().behavior
    assert "REC-2" in records.ids() and "REC-1" not in records.ids()
    assert records.ids() == list(records.iter_ids()) and records.count() == len(records.ids())
