"""The workspace itself: opening, configuration, records by id, closing."""

from __future__ import annotations

import logging
import os
import pickle
from pathlib import Path
from types import GeneratorType

import pytest

import sinagot
from sinagot import Workspace
from sinagot.errors import ConfigurationError, InvalidIdError, ScopeError
from sinagot.models import Record, RecordCollection, StepCollection


def test_workspace_opens_from_a_folder_a_file_and_a_list(lab) -> None:
    """A folder, its file, a list and a tuple of files, as text or Path, open the same workspace."""
    lab.unit()
    file = lab.root / "workspace.toml"
    for source in (lab.root, str(lab.root), file, str(file), [file], (str(lab.root),)):
        ws = Workspace(source)
        assert ws.records.ids() == ["REC-1", "REC-2"]
        assert ws.data_path == lab.data
        assert ws.scripts_path == lab.scripts


def test_workspace_members_have_the_established_types(lab) -> None:
    """Every member of the table gives what the table says."""
    ws = lab.unit().open()
    assert repr(ws) == "<Workspace instance>"
    assert type(ws.config) is dict
    assert isinstance(ws.data_path, Path) and ws.data_path.is_absolute()
    assert isinstance(ws.scripts_path, Path) and ws.scripts_path.is_absolute()
    assert isinstance(ws.records, RecordCollection)
    assert isinstance(ws.steps, StepCollection)
    assert ws.steps.scripts_names() == ws.records.steps.scripts_names()
    assert isinstance(ws.logger, logging.Logger) and ws.logger.name == "sinagot"
    assert ws.is_unit_mode is True
    assert ws.info == {}
    assert ws.version == "0.1.0"
    assert ws.close() is None


def test_scoped_workspace_has_tasks_and_modalities(lab) -> None:
    """In scoped mode each task and each modality is an attribute that gives a collection."""
    ws = lab.scoped().open()
    assert ws.is_unit_mode is False
    for name in ("RS", "HDC", "EEG", "clinical", "behavior"):
        assert isinstance(getattr(ws, name), RecordCollection)
        assert name in dir(ws)
    assert repr(ws.RS) == "<RecordCollection instance | task: RS, modality: None>"
    assert repr(ws.EEG) == "<RecordCollection instance | task: None, modality: EEG>"


@pytest.mark.parametrize("section", ["[tasks]\n", "[modalities]\n", "[modalities.EEG]\n"])
def test_scoped_mode_is_on_as_soon_as_a_section_is_there(lab, section: str) -> None:
    """An empty section of tasks or modalities is enough for scoped mode; without tasks there are no units."""
    lab.config(section)
    ws = lab.open()
    assert ws.is_unit_mode is False
    assert list(ws.records.iter_units()) == []
    assert ws.steps.status().empty


def test_unknown_attribute_says_what_may_be_meant(lab) -> None:
    """An unknown name is an AttributeError that names the workspace, the name and a likely one."""
    ws = lab.scoped().open()
    with pytest.raises(AttributeError, match=r"behaviour.*did you mean 'behavior'") as caught:
        ws.behaviour  # noqa: B018
    assert isinstance(caught.value, ScopeError)
    assert not hasattr(ws, "__wrapped__")
    assert not hasattr(ws, "_repr_png_")


def test_arguments_win_over_the_configuration(lab, new_lab) -> None:
    """`data_path` and `scripts_path` replace what the configuration says, as text or Path."""
    lab.unit("a", ids=[])
    other = new_lab("other").unit("a", ids=["REC-7"])
    lab.config('[steps]\nscripts = ["a"]\n[path]\ndataset = "./nowhere"\nscripts = "./nowhere"\n')
    for data, scripts in ((other.data, other.scripts), (str(other.data), str(other.scripts))):
        ws = lab.open(data_path=data, scripts_path=scripts)
        assert ws.data_path == other.data
        assert ws.scripts_path == other.scripts
        assert ws.records.ids() == ["REC-7"]
    report = Workspace(lab.root, other.data, other.scripts).steps.run()
    assert report.counts["done"] == 1
    assert other.text("a/REC-7.csv") == "REC-7\na\n"
    assert not (lab.data / "LOG").exists()


def test_config_has_the_default_sections(lab) -> None:
    """`config` is what the file says, with `path`, `run`, `log` and `dask` filled in key by key."""
    lab.unit("a", more='[log]\nlevel = "ERROR"\n[path]\ndataset = "./dataset"\n[lab]\nroom = 7\n')
    config = lab.open().config
    assert config["records"] == {"id_pattern": r"REC-\d+"}
    assert config["steps"] == {"scripts": ["a"]}
    assert config["path"] == {"dataset": "./dataset", "scripts": "./scripts"}
    assert config["log"] == {"name": "sinagot", "format": "%(asctime)s : %(message)s", "level": "ERROR"}
    assert config["run"] == {"mode": "main_process"}
    assert config["dask"] == {"scheduler": {"type": "processes"}}
    assert config["lab"] == {"room": 7}


def test_changing_the_config_changes_nothing(lab) -> None:
    """`config` is a fresh deep copy, of workspaces and scopes alike."""
    ws = lab.unit().open()
    for owner in (ws, ws.records, ws.records.first()):
        owner.config["steps"]["scripts"].append("zzz")
        owner.config["path"]["dataset"] = "elsewhere"
        owner.config.clear()
    ws.info["version"] = "9"
    assert ws.config["steps"] == {"scripts": ["a", "b"]}
    assert ws.steps.scripts_names() == ["a", "b"]
    assert ws.version == "0.1.0"
    assert Workspace(lab.root).config == ws.config


def test_info_and_version_come_from_the_section(lab) -> None:
    """`info` is the section as written; `version` is in it, and stands in every log line."""
    lab.unit("a", ids=["REC-1"], more='[info]\nversion = "2.5"\nauthor = "me"\n[info.more]\nx = 1\n')
    ws = lab.open()
    assert ws.info == {"version": "2.5", "author": "me", "more": {"x": 1}}
    assert ws.version == "2.5"
    ws.steps.run()
    assert {line["workspace_version"] for line in lab.lines()} == {"2.5"}
    assert lab.lines()[0].keys() >= {"log_from", "workspace_version"}
    assert list(lab.lines()[0])[:2] == ["log_from", "workspace_version"]


def test_version_of_a_subclass_stands_in_log_lines_and_scripts(lab) -> None:
    """A subclass may override `version`; log lines and `self.workspace_version` follow it."""

    class Lately(Workspace):
        @property
        def version(self) -> str:
            return "lately"

    lab.unit("a", ids=["REC-1"])
    lab.wish("a-REC-1", "self.logger.info(self.workspace_version)")
    Lately(lab.root).steps.run()
    assert {line["workspace_version"] for line in lab.lines()} == {"lately"}
    assert (20, "lately") in lab.messages()


def test_several_files_merge_in_depth(lab) -> None:
    """Tables merge in depth, other values are replaced, relative paths start at the first file."""
    lab.unit("a", "b")
    lab.config(
        '[steps]\nscripts = ["a", "b"]\n[path]\ndataset = "./dataset"\n[info]\nversion = "1"\nwho = "me"\n'
    )
    second = lab.write(
        "elsewhere/more.toml",
        '[steps]\nscripts = ["b"]\n[info]\nversion = "2"\n[path]\nscripts = "./scripts"\n',
    )
    ws = Workspace([lab.root / "workspace.toml", second])
    assert ws.steps.scripts_names() == ["b"]
    assert ws.info == {"version": "2", "who": "me"}
    assert ws.data_path == lab.data
    assert ws.scripts_path == lab.scripts


@pytest.mark.parametrize(
    "written", ["{}", "./{}", "../lab/{}", "../lab/./{}", "~/lab/{}", "{root}/{}"], ids=lambda text: text
)
def test_relative_paths_start_at_the_configuration(lab, written: str, monkeypatch, tmp_path: Path) -> None:
    """Relative paths of every form start at the configuration's folder, wherever the process is; `~` is expanded."""
    lab.unit("a")
    data, scripts = (written.format(name, root=lab.root) for name in ("dataset", "scripts"))
    lab.config(f'[steps]\nscripts = ["a"]\n[path]\ndataset = "{data}"\nscripts = "{scripts}"\n')
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir("/")
    ws = lab.open()
    assert os.path.samefile(ws.data_path, lab.data)
    assert os.path.samefile(ws.scripts_path, lab.scripts)
    assert ws.records.ids() == ["REC-1", "REC-2"]
    monkeypatch.chdir(lab.root)
    assert Workspace(".").steps.run().counts["done"] == 2


@pytest.mark.parametrize(
    ("section", "data", "scripts"),
    [("", "dataset", "scripts"), ('dataset = "."', ".", "scripts"), ('scripts = "."', "dataset", ".")],
)
def test_each_key_of_path_has_its_own_default(lab, section: str, data: str, scripts: str) -> None:
    """A `[path]` section without a key has the default of that key."""
    lab.unit("a")
    lab.config(f'[steps]\nscripts = ["a"]\n[path]\n{section}\n')
    ws = lab.open()
    assert (ws.data_path, ws.scripts_path) == (lab.root / data, lab.root / scripts)


def test_configuration_folder_serves_where_scripts_is_absent(lab) -> None:
    """Without a `./scripts` folder the configuration's folder serves, and a warning says so."""
    lab.unit("a")
    (lab.scripts / "a.py").rename(lab.root / "a.py")
    lab.scripts.rmdir()
    with pytest.warns(UserWarning, match="configuration's folder serves"):
        ws = lab.open()
    assert ws.scripts_path == lab.root
    assert ws.steps.run().counts["done"] == 2


def test_outputs_logs_and_state_may_lie_elsewhere(lab) -> None:
    """`path.output`, `path.log` and `path.state` keep a read-only dataset as it is."""
    lab.unit("a", "b", ids=["REC-1"])
    lab.config(
        '[steps]\nscripts = ["a", "b"]\n[path]\noutput = "./made"\nlog = "./logs"\nstate = "./state"\n'
    )
    before = {name: facts for name, facts in lab.tree().items() if name.startswith("dataset")}
    lab.data.chmod(0o555)
    try:
        report = lab.open().steps.run()
    finally:
        lab.data.chmod(0o755)
    assert report.counts["done"] == 2
    assert {name: facts for name, facts in lab.tree().items() if name.startswith("dataset")} == before
    assert (lab.root / "made/b/REC-1.csv").read_text() == "REC-1\na\nb\n"
    assert (lab.root / "logs/REC-1.log").exists()
    assert (lab.root / "state/runs").is_dir()
    assert lab.open().steps.status()["step_status"].tolist() == [30, 30]
    step = lab.open().records.get("REC-1").steps.get("b")
    assert step.script.path.input == lab.root / "made/a/REC-1.csv"
    assert lab.open().steps.run().counts["up_to_date"] == 2


def test_workspace_is_a_mapping_of_records(lab) -> None:
    """Length, membership, iteration and `[id]` speak of records; an empty workspace is true all the same."""
    ws = lab.unit().open()
    assert len(ws) == 2
    assert list(ws) == ["REC-1", "REC-2"]
    assert isinstance(ws["REC-2"], Record) and ws["REC-2"].id == "REC-2"
    assert ws["REC-999"].id == "REC-999"
    assert "REC-1" in ws
    assert "REC-999" not in ws
    assert "other" not in ws and 7 not in ws and None not in ws
    assert ws.get("REC-1").id == "REC-1"
    assert ws.get("REC-999") is None
    assert ws.get("other", "nobody") == "nobody"
    for name in ("a", "raw"):
        for file in (lab.data / name).glob("*"):
            file.unlink()
    assert len(ws) == 0 and bool(ws)


@pytest.mark.parametrize(
    "record_id", ["rec-1", "REC-1 ", "REC-1\n", "xREC-1", "", ".", "..", "../REC-1", "REC-1/"]
)
def test_id_that_does_not_match_raises_and_leaves_nothing(lab, record_id: str) -> None:
    """An id that does not match as a whole is a ValueError and a KeyError that names id and pattern; nothing is written."""
    ws = lab.unit().open()
    before = lab.tree()
    for ask in (ws.__getitem__, ws.records.get):
        with pytest.raises(InvalidIdError) as caught:
            ask(record_id)
        assert isinstance(caught.value, ValueError)
        assert isinstance(caught.value, KeyError)
        assert repr(record_id)[1:-1] in str(caught.value)
        assert caught.value.pattern == r"REC-\d+"
    assert ws.records.has(record_id) is False
    assert record_id not in ws
    assert lab.tree() == before


@pytest.mark.parametrize("value", [None, 7, b"REC-1", ["REC-1"], Path("REC-1")], ids=repr)
def test_id_of_another_type_is_no_id(lab, value: object) -> None:
    """`has` says no to what is no text, and `get` refuses it as an invalid id."""
    ws = lab.unit().open()
    assert ws.records.has(value) is False
    with pytest.raises(InvalidIdError):
        ws.records.get(value)


def test_opening_needs_the_data_folder(lab) -> None:
    """A missing data folder is a ConfigurationError that names it, also when it comes as an argument."""
    lab.unit()
    with pytest.raises(ConfigurationError, match="nowhere"):
        lab.open(data_path=lab.root / "nowhere")
    lab.config('[path]\ndataset = "./gone"\n')
    with pytest.raises(ConfigurationError, match="gone"):
        lab.open()


def test_configuration_that_is_not_there_is_named(lab, tmp_path: Path) -> None:
    """A folder without workspace.toml and a missing file are ConfigurationErrors with the path."""
    for path in (lab.root, tmp_path / "none.toml"):
        with pytest.raises(ConfigurationError, match=str(path)):
            Workspace(path)


def test_workspace_can_be_used_after_close(lab) -> None:
    """`close` may come twice, `with` closes, and a closed workspace goes on working."""
    lab.unit()
    with lab.open() as ws:
        assert isinstance(ws, Workspace)
        assert ws.steps.run().ok
    ws.close()
    ws.close()
    assert ws.records.count() == 2
    assert ws.steps.run(force=True).counts["done"] == 4


def test_with_closes_when_the_body_raises(lab, monkeypatch) -> None:
    """An exception in the body of a `with` leaves it, after `close`."""
    closed = []
    monkeypatch.setattr(Workspace, "close", lambda ws: closed.append(ws))
    ws = lab.unit().open()
    with pytest.raises(ZeroDivisionError), ws:
        1 / 0  # noqa: B018
    assert closed == [ws]


def test_generators_are_generators(lab) -> None:
    """`iter_ids`, `all`, `head`, `iter_tasks`, `iter_modalities` and `iter_units` are generators, `ids` is a list."""
    records = lab.scoped().open().records
    assert type(records.ids()) is list
    for made in (
        records.iter_ids(),
        records.all(),
        records.head(),
        records.iter_tasks(),
        records.iter_modalities(),
        records.iter_units(),
        records.first().iter_units(),
    ):
        assert isinstance(made, GeneratorType)


def test_public_names_of_the_package() -> None:
    """`sinagot` has `Workspace`, `ScriptTemplate` and its version; `__all__` names the two classes."""
    assert sinagot.__all__ == ["ScriptTemplate", "Workspace"]
    assert isinstance(sinagot.__version__, str)


def test_errors_of_scopes_can_be_pickled(lab) -> None:
    """An invalid id raised in another process arrives with its facts."""
    with pytest.raises(InvalidIdError) as caught:
        lab.unit().open().records.get("x")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.record_id, str(copy)) == ("x", str(caught.value))
