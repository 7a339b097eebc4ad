"""Laws of loading a configuration: paths, defaults, values, and one error with everything wrong."""

from __future__ import annotations

import importlib.util
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sinagot.config.load import dask_problem, load_configuration
from sinagot.config.settings import CommandSettings, ModalitySettings, StepSettings, TaskSettings
from sinagot.errors import ConfigurationError

if TYPE_CHECKING:
    from tests.config.conftest import Desk


def test_empty_configuration_has_every_default(desk: Desk) -> None:
    """A file without a key gives all defaults."""
    configuration = desk.load("")
    dataset = desk.folder / "dataset"
    assert configuration.raw == {
        "path": {"dataset": "./dataset", "scripts": "./scripts"},
        "run": {"mode": "main_process"},
        "log": {"name": "sinagot", "format": "%(asctime)s : %(message)s", "level": "INFO"},
        "dask": {"scheduler": {"type": "processes"}},
    }
    assert configuration[3:8] == (
        dataset, desk.folder / "scripts", dataset, dataset / "LOG", dataset / ".sinagot"
    )  # fmt: skip
    assert configuration.run == ("main_process", None, 10.0, StepSettings(), "lazy", None)
    assert configuration.steps == {}
    assert configuration.log == ("sinagot", "%(asctime)s : %(message)s", "INFO", 4 * 2**20, 5)
    assert configuration.dask == ("processes", {})
    assert (configuration.info, configuration.version, configuration.warnings) == ({}, "0.1.0", ())
    assert configuration.is_unit_mode
    assert configuration.files == (desk.file,)


def test_what_is_said_of_steps(desk: Desk) -> None:
    """Keys of steps stand in `[run]` for all, below the step's name, and below the modality's; quantities have units."""
    configuration = desk.load(
        """
        [run]
        rerun = "outdated"
        retry_wait = "0.5 min"
        [tasks.RS]
        modalities = ["EEG"]
        [modalities.EEG]
        scripts = ["alpha", "beta"]
        [modalities.EEG.steps.alpha]
        timeout = "2 h"
        memory = 1000
        isolate = true
        nonempty = false
        [steps.alpha]
        nonempty = true
        keep_failed = true
        provenance = true
        memory = "2 GiB"
        retries = 3
        retry_on = ["timeout", "OSError"]
        threads = 2
        check = "digest"
        """
    )
    assert configuration.run.steps == StepSettings(rerun="outdated", retry_wait=30.0)
    assert configuration.steps == {
        (None, "alpha"): StepSettings(
            None, "digest", None, 2 * 2**30, 3, None, ("timeout", "OSError"), 2
        )._replace(nonempty=True, keep_failed=True, provenance=True),
        ("EEG", "alpha"): StepSettings(timeout=7200.0, memory=1000, isolate=True, nonempty=False),
    }


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("rerun = 'never'", "'missing', 'outdated' or 'always'"),
        ("check = 'hash'", "'stat' or 'digest'"),
        ("timeout = '10 minutes'", "seconds as a number, or text such as '90 s', '10 min', '2 h'"),
        ("timeout = -1", "must be more than 0"),
        ("memory = 'much'", "bytes as an integer, or text such as '500 MB', '2 GB'"),
        ("memory = 1.5", "bytes as an integer"),
        ("retries = -1", "an integer from 0"),
        ("threads = 0", "an integer from 1"),
        ("retry_on = 'error'", "a list of text"),
        ("isolate = 1", "true or false"),
        ("nonempty = 'yes'", "true or false"),
        ("keep_failed = 1", "true or false"),
    ],
)
@pytest.mark.parametrize("table", ["run", "steps.a", "modalities.EEG.steps.a"])
def test_bad_keys_of_steps(desk: Desk, table: str, key: str, words: str) -> None:
    """A wrong value is an error with its line and what is allowed, wherever it stands."""
    error = desk.error(f"[{table}]\n{key}\n")
    assert (error.line, error.key) == (2, f"{table}.{key.split()[0]}")
    assert words in str(error)


@pytest.mark.parametrize("table", ["run", "steps.a", "modalities.EEG.steps.a"])
def test_check_may_be_said_of_single_inputs(desk: Desk, table: str) -> None:
    """A table of inputs arrives in its order; a word that is none is an error with its own line, key and near word."""
    configuration = desk.load(
        f"[{table}.check]\nevents = 'digest'\n'raw/{{id}}.csv' = 'stat'\n[modalities.EEG]\nscripts = ['a']\n"
    )
    said = configuration.run.steps if table == "run" else next(iter(configuration.steps.values()))
    assert said == StepSettings(check=(("events", "digest"), ("raw/{id}.csv", "stat")))
    assert hash(said) == hash(pickle.loads(pickle.dumps(said)))
    error = desk.error(f"[{table}]\ncheck = {{events = 'digset', raw = 3}}\n")
    lines = str(error).splitlines()
    key = f"{table}.check."
    assert lines[1].endswith(
        f":2: {key}events: found 'digset', allowed 'stat' or 'digest'; did you mean 'digest'?"
    )
    assert lines[2].endswith(f":2: {key}raw: found 3 (an integer), allowed 'stat' or 'digest'")


@pytest.mark.parametrize(
    ("value", "end"),
    [
        ("'digset'", "found 'digset', allowed {}; did you mean 'digest'?"),
        ("['events']", "found the list ['events'], allowed {}"),
    ],
)
def test_check_is_a_word_or_a_table(desk: Desk, value: str, end: str) -> None:
    """Of anything else both forms are told."""
    error = desk.error(f"[run]\ncheck = {value}\n")
    assert str(error).endswith(end.format("'stat' or 'digest', or a table of these by input"))


def test_the_nearer_word_about_an_input_holds() -> None:
    """What is said of an input wins over what is said of all further out; a word for all wins over every name there."""
    named = StepSettings(check=(("events", "digest"),))
    other = StepSettings(check=(("events", "stat"), ("recording", "digest")))
    for settings, events, recording, rest in (
        (named, "digest", "stat", "stat"),
        (named.over(StepSettings()), "digest", "stat", "stat"),
        (StepSettings().over(named), "digest", "stat", "stat"),
        (named.over(other), "digest", "digest", "stat"),
        (other.over(named), "stat", "digest", "stat"),
        (other.over(named.over(StepSettings(check="digest"))), "stat", "digest", "digest"),
        (StepSettings(check="digest").over(other), "digest", "digest", "digest"),
        (StepSettings(retries=1), None, None, None),
    ):
        said = [settings.check_of(name) for name in ("events", "recording", None)]
        assert said == [events, recording, rest]


@pytest.mark.parametrize("section", ["path", "run", "log", "dask"])
def test_section_may_hold_only_some_keys(desk: Desk, section: str) -> None:
    """Defaults hold key by key, whether the section is there or not."""
    assert desk.load(f"[{section}]\n").raw == desk.load("").raw


def test_opening_writes_nothing(desk: Desk) -> None:
    """Loading, good or bad, makes no file and no folder."""
    desk.load("[steps]\nscripts = ['a']\n")
    desk.error("[run]\nmode = 'x'\n")
    assert sorted(os.listdir(desk.folder)) == ["dataset", "scripts", "workspace.toml"]
    assert os.listdir(desk.folder / "dataset") == []


def test_unit_mode_configuration(desk: Desk) -> None:
    """Every key of a workspace without tasks arrives."""
    configuration = desk.load(
        """
        [records]
        id_pattern = 'REC-\\d{8}'
        path = ["RAW", "{id}.csv"]
        id = "{day}"
        entities = { day = '\\d+' }
        [steps]
        scripts = ["count", "mean.v2"]
        [steps.count]
        command = ["wc", "-l", "{input}"]
        input = ["RAW", "{id}.csv"]
        output = { number = ["OUT", "{id}.txt"], all = "OUT/all" }
        shell = true
        [run]
        mode = "processes"
        workers = 4
        stop_grace = 2
        [log]
        max_bytes = 1000
        backups = 1
        [info]
        version = "2.0"
        author = "me"
        [processed.size]
        step_label = "count"
        data_type = "int"
        [my_own]
        anything = 1
        """
    )
    assert configuration.scripts == ("count", "mean.v2")
    assert (configuration.id_pattern, configuration.records_path) == (r"REC-\d{8}", ("RAW", "{id}.csv"))
    assert (configuration.records_id, configuration.entities) == ("{day}", {"day": r"\d+"})
    assert configuration.commands == {
        "count": CommandSettings(
            ("wc", "-l", "{input}"),
            ("RAW", "{id}.csv"),
            {"number": ("OUT", "{id}.txt"), "all": "OUT/all"},
            True,
        )
    }
    assert configuration.run == ("processes", 4, 2.0, StepSettings(), "lazy", None)
    assert configuration.log[3:] == (1000, 1)
    assert (configuration.version, configuration.info["author"]) == ("2.0", "me")
    assert configuration.processed == {"size": {"step_label": "count", "data_type": "int"}}
    assert configuration.raw["my_own"] == {"anything": 1}
    assert configuration.warnings == ()


SCOPED = """
[tasks.RS]
modalities = ["EEG", "clinical"]
label = "1"
[tasks.HDC]
modalities = ["EEG"]
[modalities.EEG]
scripts = ["a", "b"]
label = "eeg"
task_scripts.HDC = ["c"]
[modalities.clinical.models]
plugin = "pandas"
data_path = ["CLINICAL", "{id}.json"]
custom = { free = true }
[modalities.spare]
"""


def test_scoped_configuration(desk: Desk) -> None:
    """Tasks and modalities keep their order, scripts and labels; a modality that no task lists is legal."""
    configuration = desk.load(SCOPED)
    assert not configuration.is_unit_mode
    assert configuration.tasks == {
        "RS": TaskSettings("RS", "1", ("EEG", "clinical")),
        "HDC": TaskSettings("HDC", "HDC", ("EEG",)),
    }
    models = {"plugin": "pandas", "data_path": ["CLINICAL", "{id}.json"], "custom": {"free": True}}
    assert list(configuration.modalities.values()) == [
        ModalitySettings("EEG", "eeg", ("a", "b"), {"HDC": ("c",)}, None, {}),
        ModalitySettings("clinical", "clinical", (), {}, "pandas", models),
        ModalitySettings("spare", "spare", (), {}, None, {}),
    ]
    assert configuration.warnings == ()


def test_several_files_merge_and_the_first_is_the_root(desk: Desk, new_desk: Callable[[str], Desk]) -> None:
    """Later files add and replace keys; relative paths start at the first; a problem is shown in the file that has it."""
    other = new_desk("other")
    first = desk.write("[steps]\nscripts = ['a']\n[run]\nmode = 'processes'\nworkers = 2\n")
    second = other.write("[run]\nworkers = 8\n[path]\noutput = 'results'\n", "more.toml")
    configuration = load_configuration([first, str(second)])
    assert (configuration.run.mode, configuration.run.workers) == ("processes", 8)
    assert configuration.output_path == desk.folder / "results"
    assert configuration.root == desk.folder
    second.write_text("\n[run]\nworkers = 'many'\n")
    with pytest.raises(ConfigurationError) as caught:
        load_configuration((first, second))
    assert (caught.value.file, caught.value.line, caught.value.key) == (second, 3, "run.workers")


def test_each_broken_file_is_named(desk: Desk) -> None:
    """Two files that are no TOML are two problems."""
    files = [desk.write("a = \n", "a.toml"), desk.write("b = \n", "b.toml")]
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(files)
    assert [problem.file for problem in caught.value.problems or ()] == files


@pytest.mark.parametrize("form", ["data", "./data", "data/", "../lab/data", "~/lab/data", "./x/../data"])
def test_every_form_of_path_means_the_same(desk: Desk, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Relative paths of every form start at the configuration's folder, from wherever the process runs."""
    (desk.folder / "data").mkdir()
    monkeypatch.setenv("HOME", str(desk.folder.parent))
    for folder in ("/", desk.folder):
        monkeypatch.chdir(folder)
        file = desk.write(
            f"[path]\ndataset = '{form}'\nlog = '{form}/L'\nstate = '{form}/S'\noutput = '{form}/O'\n"
        )
        configuration = load_configuration(file)
        data = desk.folder / "data"
        assert configuration[3] == data
        assert configuration[5:8] == (data / "O", data / "L", data / "S")


def test_log_and_state_follow_the_dataset_not_the_output(desk: Desk) -> None:
    """`path.output` moves neither logs nor state."""
    configuration = desk.load("[path]\noutput = 'derivatives'\n")
    assert configuration.output_path == desk.folder / "derivatives"
    assert configuration[6:8] == (desk.folder / "dataset" / "LOG", desk.folder / "dataset" / ".sinagot")


def test_arguments_win_over_the_file(desk: Desk, tmp_path: Path) -> None:
    """`data_path` and `scripts_path` win; what is written in the file is then not looked for, and `raw` keeps it."""
    (tmp_path / "d").mkdir()
    (tmp_path / "s").mkdir()
    file = desk.write("[path]\ndataset = 'absent'\nscripts = 'absent'\n[steps]\nscripts = ['a']\n")
    configuration = load_configuration(file, tmp_path / "d", "../s")
    assert configuration[3:8] == (
        tmp_path / "d",
        tmp_path / "s",
        tmp_path / "d",
        tmp_path / "d/LOG",
        tmp_path / "d/.sinagot",
    )
    assert configuration.raw["path"] == {"dataset": "absent", "scripts": "absent"}
    assert configuration.warnings == ()


def test_absent_data_folder_is_an_error(desk: Desk) -> None:
    """A data folder that is absent, or a file, is named in full with the key, the line, or the argument."""
    error = desk.error("[path]\ndataset = 'nowhere'\n")
    assert str(error) == f"{desk.file}:2: path.dataset: no such data folder: {desk.folder / 'nowhere'}"
    assert "this is a file, not a folder" in str(desk.error("[path]\ndataset = 'workspace.toml'\n"))
    with pytest.raises(ConfigurationError, match=r"^data_path: no such data folder: /no/such$"):
        load_configuration(desk.write(""), "/no/such")
    (desk.folder / "dataset").rmdir()
    assert str(desk.error("")) == f"{desk.file}: path.dataset: no such data folder: {desk.folder / 'dataset'}"


@pytest.mark.parametrize("key", ["output", "log", "state"])
def test_folder_of_ours_cannot_be_a_file(desk: Desk, key: str) -> None:
    """`path.output`, `path.log` and `path.state` may be absent, but not files."""
    assert desk.error(f"[path]\n{key} = './workspace.toml'\n").key == f"path.{key}"
    assert desk.load(f"[path]\n{key} = './absent'\n").warnings == ()


def test_scripts_beside_the_configuration_are_found_with_a_warning(desk: Desk) -> None:
    """Where `./scripts` is absent the configuration's folder serves; nobody is warned when no script is named."""
    (desk.folder / "scripts").rmdir()
    configuration = desk.load("[steps]\nscripts = ['a']\n")
    assert configuration.scripts_path == desk.folder
    absent = f"no such scripts folder: {desk.folder / 'scripts'}"
    served = f"the configuration's folder serves instead: {desk.folder}"
    assert configuration.warnings == (f"{desk.file}: path.scripts: {absent}; {served}",)
    assert desk.load("").warnings == ()
    assert len(desk.load("[modalities.EEG]\nscripts = ['a']\n").warnings) == 1
    elsewhere = desk.load("[path]\nscripts = 'code'\n[steps]\nscripts = ['a']\n")
    assert elsewhere.scripts_path == desk.folder / "code"
    assert "path.scripts: no such scripts folder" in elsewhere.warnings[0]


@pytest.mark.parametrize(
    ("written", "level"),
    [("'debug'", "DEBUG"), ("'Info'", "INFO"), ("30", "WARNING"), ("'warn'", "WARNING"), ("'FATAL'", "CRITICAL"), ("0", "NOTSET")],
)  # fmt: skip
def test_level_is_a_name_in_any_case_or_a_number(desk: Desk, written: str, level: str) -> None:
    """`log.level` is one of logging's names or numbers, and is given as the usual name."""
    assert desk.load(f"[log]\nlevel = {written}\n").log.level == level


@pytest.mark.parametrize(
    "text", ["%(asctime)s", "%(levelname)-8s %(message)s", "%(lineno)d%% %(subject)s", "%(created).3f"]
)
def test_good_log_format_is_kept(desk: Desk, text: str) -> None:
    """Every %-format that logging can use is accepted, fields of the user's own too."""
    assert desk.load(f"[log]\nformat = '{text}'\n").log.format == text


def test_dask_mode_without_dask_says_what_to_install(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the dask mode, and only there, a missing package is an error with the command that mends it."""
    found = importlib.util.find_spec
    assert desk.load("[run]\nmode = 'dask'\n").run.mode == "dask"
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "distributed" else found(name, *rest)
    )
    error = desk.error("[run]\nmode = 'dask'\n")
    assert (error.key, error.line) == ("run.mode", 2)
    assert "pip install distributed" in str(error)
    assert dask_problem()
    assert desk.load("").run.mode == "main_process"


WRONG = [
    # text, key, line, words of the message
    ("[steps]\nscripts = 'count'\n", "steps.scripts", 2, "found 'count', allowed a list of text"),
    ("[steps]\nscripts = [\n'a',\n3]\n", "steps.scripts", 2, "item 2: found 3 (an integer), allowed a list of text"),
    ("[steps]\nscripts = ['a', 'b', 'a']\n", "steps.scripts", 2, "'a' is listed 2 times"),
    ("[steps]\nscripts = ['a/b']\n", "steps.scripts", 2, "found 'a/b' (it holds '/'), allowed the name of a script"),
    ("[steps]\nscripts = ['']\n", "steps.scripts", 2, "it is empty"),
    ("steps = 3\n", "steps", 1, "found 3 (an integer), allowed a table"),
    ("path = 'x'\n", "path", 1, "found 'x', allowed a table"),
    ("tasks = 1\n", "tasks", 1, "found 1 (an integer), allowed a table"),
    ("modalities = ['EEG']\n", "modalities", 1, "found the list ['EEG'], allowed a table"),
    ("[[run]]\nmode = 1\n", "run", 1, "found the list [{'mode': 1}], allowed a table"),
    ("[step]\nscripts = []\n", "step", 1, "did you mean '[steps]'?"),
    ("\n[Modality.EEG]\n", "Modality", 2, "did you mean '[modalities]'?"),
    ("[run]\nmode = 'dsk'\n", "run.mode", 2, "found 'dsk', allowed 'main_process', 'processes' or 'dask'; did you mean 'dask'?"),
    ("[run]\nworkers = 0\n", "run.workers", 2, "found 0 (an integer), allowed an integer from 1"),
    ("[run]\nworkers = true\n", "run.workers", 2, "found true (a boolean), allowed an integer from 1"),
    ("[run]\nstop_grace = nan\n", "run.stop_grace", 2, "found nan (a number), allowed a number from 0"),
    ("[log]\nlevel = 'debgu'\n", "log.level", 2, "did you mean 'DEBUG'?"),
    ("[log]\nlevel = 15\n", "log.level", 2, "found 15 (an integer), allowed DEBUG, INFO"),
    ("[log]\nlevel = true\n", "log.level", 2, "found true (a boolean), allowed DEBUG, INFO"),
    ("[log]\nformat = '%(message'\n", "log.format", 2, "allowed a %-format"),
    ("[log]\nformat = '%(message)d'\n", "log.format", 2, "allowed a %-format"),
    ("[log]\nformat = '%(message)999999999s'\n", "log.format", 2, "too wide"),
    ("[log]\nmax_bytes = -1\n", "log.max_bytes", 2, "allowed an integer from 0"),
    ("[dask.scheduler]\ntype = 'thread'\n", "dask.scheduler.type", 2, "did you mean 'threads'?"),
    ("dask = { scheduler = 'threads' }\n", "dask.scheduler", 1, "allowed a table"),
    ("[dask.cluster]\naddress = 8786\n", "dask.cluster.address", 2, "allowed text that is not empty"),
    ("[path]\ndataset = ''\n", "path.dataset", 2, "found '', allowed text that is not empty"),
    ("[path]\nstate = 3\n", "path.state", 2, "found 3 (an integer), allowed text"),
    ("[path]\nlog = \"a\\u0000b\"\n", "path.log", 2, "allowed a path"),
    ("[path]\ndataset = \"a\\u0000b\"\n", "path.dataset", 2, "allowed a path"),
    ("[records]\nid_pattern = '('\n", "records.id_pattern", 2, "found '(' (missing ), unterminated subpattern"),
    ("[records]\nid_pattern = '(a+)+'\n", "records.id_pattern", 2, "found '(a+)+' (a repeated group"),
    ("[records.entities]\nrun = '[a'\n", "records.entities.run", 2, "allowed a regular expression"),
    ("[records]\npath = [1]\n", "records.path", 2, "found the list [1], allowed text or a list of text"),
    ("[info]\nversion = 2\n", "info.version", 2, "found 2 (an integer), allowed text"),
    ("[info]\nversion = 2020-01-01\n", "info.version", 2, "found 2020-01-01 (a date or time), allowed text"),
    ("[tasks.RS]\n", "tasks.RS.modalities", 1, "required, and absent; allowed a list of text"),
    ("[tasks.RS]\nmodality = []\n", "tasks.RS.modalities", 1, "did you write it as 'modality'?"),
    ("[tasks.RS]\nmodalities = ['EGG']\n[modalities.EEG]\n", "tasks.RS.modalities", 2, "unknown modality 'EGG', allowed: EEG; did you mean 'EEG'?"),
    ("[tasks.RS]\nmodalities = ['EEG']\n", "tasks.RS.modalities", 2, "none is configured"),
    ("[tasks.RS]\nmodalities = ['EEG', 'EEG']\n[modalities.EEG]\n", "tasks.RS.modalities", 2, "'EEG' is listed 2 times"),
    ("[modalities.EEG]\ntask_scripts.RS = []\n", "modalities.EEG.task_scripts.RS", 2, "unknown task 'RS'"),
    ("[modalities.EEG]\nscripts = 'a'\n", "modalities.EEG.scripts", 2, "allowed a list of text"),
    ("[tasks.RS]\nmodalities = ['EEG']\n[modalities.EEG]\nscripts = ['a']\ntask_scripts.RS = ['a']\n", "modalities.EEG.task_scripts.RS", 5, "already"),
    ("[modalities.EEG.models]\nplugin = 'panda'\n", "modalities.EEG.models.plugin", 2, "did you mean 'pandas'?"),
    ("[modalities.EEG.models]\ndata_path = 'x'\n", "modalities.EEG.models.data_path", 2, "allowed a list of text"),
    ("[modalities.EEG]\nlabel = 'a/b'\n", "modalities.EEG.label", 2, "found 'a/b' (it holds '/')"),
    ("[modalities.A]\nlabel = 'x'\n[modalities.B]\nlabel = 'x'\n", "modalities.B.label", 4, "'x' is the label of 'A' already"),
    ("[steps]\nscripts = ['a']\n[steps.a]\ncommand = 'ls'\n", "steps.a.command", 4, "allowed a list of text"),
    ("[steps]\nscripts = ['a']\n[steps.a]\ncommand = []\n", "steps.a.command", 4, "found an empty list, allowed a list of text"),
    ("[steps]\nscripts = ['a']\n[steps.a]\ninput = 'x'\n", "steps.a.command", 3, "required, and absent"),
    ("[steps]\nscripts = ['a']\n[steps.a]\ncommand = ['x']\ninput = 3\n", "steps.a.input", 5, "allowed text, a list of text or a table"),
    ("[processed.x]\n", "processed.x.step_label", 1, "required, and absent; allowed text"),
    ("[steps]\nscripts = ['a']\n[processed.x]\nstep_label = 'a'\ndata_getter = 'csv'\n", "processed.x.data_getter", 5, "allowed 'single_data', 'dataframe_from_csv' or 'series_from_csv'"),
    ("[steps]\nscripts = ['a']\n[processed.x]\nstep_label = 'a'\ntask = 'RS'\n", "processed.x.task", 5, "unknown task 'RS', allowed: none is configured"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "key", "line", "words"), WRONG, ids=[f"{case[1]}-{i}" for i, case in enumerate(WRONG)]
)
def test_wrong_value_says_where_what_and_what_is_allowed(
    desk: Desk, text: str, key: str, line: int, words: str
) -> None:
    """An error names file, line, key, what was found and what is allowed, and is its own only problem."""
    error = desk.error(text)
    assert (error.file, error.key, error.line) == (desk.file, key, line)
    assert str(error).startswith(f"{desk.file}:{line}: {key}: ")
    assert words in str(error)
    assert [str(problem) for problem in error.problems or ()] == [str(error)]
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_everything_wrong_is_told_at_once(desk: Desk) -> None:
    """All problems are in one error, in the order of the file, those of the disk too."""
    error = desk.error(
        "[path]\ndataset = 'nowhere'\n[run]\nmode = 'x'\n[steps]\nscripts = 3\n[step]\n[tasks.steps]\nmodalities = ['M']\n"
    )
    problems = error.problems or ()
    assert [problem.key for problem in problems] == [
        "path.dataset", "run.mode", "steps.scripts", "step", "tasks.steps", "tasks.steps.modalities"
    ]  # fmt: skip
    assert str(error).split("\n") == [
        "6 problems in the configuration:",
        *(f"  {problem}" for problem in problems),
    ]


def test_message_stays_short_with_a_thousand_problems(desk: Desk) -> None:
    """A long list of problems is cut in the message, never in `problems`."""
    error = desk.error("".join(f"[tasks.t{n}]\n" for n in range(1000)))
    assert len(error.problems or ()) == 1000
    assert str(error).endswith("... and 980 more")


WARNED = [
    ("[steps]\nscirpts = ['a']\n", "2: steps.scirpts: unknown key; did you mean 'scripts'?"),
    ("[path]\ndatset = 'x'\n", "2: path.datset: unknown key; did you mean 'dataset'?"),
    ("[run]\nreruns = 'outdated'\n", "2: run.reruns: unknown key; did you mean 'rerun'?"),
    ("[modalities.EEG]\nscripts = ['a']\n[modalities.EEG.steps.b]\n", "3: modalities.EEG.steps.b: EEG has no such step"),
    ("[records]\nfile_match = 'x'\n", "2: records.file_match: unknown key (known: id_pattern, path, id, entities, exceptions)"),
    ("[dask]\nqueue = 3\n", "2: dask.queue: unknown key (known: scheduler, cluster)"),
    ("[modalities.EEG]\nsripts = []\n", "2: modalities.EEG.sripts: unknown key; did you mean 'scripts'?"),
    ("[steps]\nscripts = ['a']\n[steps.a]\ntimeuot = 3\n", "4: steps.a.timeuot: unknown key; did you mean 'timeout'?"),
    ("[steps]\nscripts = ['a']\n[steps.b]\ncommand = ['x']\n", "3: steps.b: no list of scripts names this step"),
    ("[steps]\nscripts = ['a.py']\n", "2: steps.scripts: 'a.py' means the file 'a.py.py'; names stand without '.py'"),
    ("[steps]\nscripts = ['a']\n[modalities.EEG]\n", "2: steps.scripts: never run, because a workspace with tasks has modalities.<M>.scripts"),
    ("[tasks.RS]\nmodalities = []\n[modalities.EEG]\ntask_scripts.RS = ['a']\n", "4: modalities.EEG.task_scripts.RS: never run, because the task 'RS' does not list 'EEG'"),
    ("[steps]\nscripts = ['count']\n[processed.x]\nstep_label = 'cuont'\n", "4: processed.x.step_label: no list of scripts names the step 'cuont'; did you mean 'count'?"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), WARNED, ids=[case[1].split(":")[1].strip() for case in WARNED])
def test_doubtful_key_is_a_warning(desk: Desk, text: str, words: str) -> None:
    """What changes nothing is a warning with file, line, key and a hint."""
    assert desk.load(text).warnings == (f"{desk.file}:{words}",)


@pytest.mark.parametrize("section", ["recordings", "amplifier", "masks", "tool"])
def test_other_sections_are_free(desk: Desk, section: str) -> None:
    """A section of the user's own is kept, without a word."""
    configuration = desk.load(f"[{section}]\nx = 1\n")
    assert configuration.raw[section] == {"x": 1}
    assert configuration.warnings == ()


@pytest.mark.parametrize("plugin", ["pandas", "processed", "lab.models", "lab.models:Record", "lab:Record"])
def test_plugin_of_ours_or_an_import_path_is_accepted(desk: Desk, plugin: str) -> None:
    """Import paths are taken on trust until somebody needs the class."""
    configuration = desk.load(f"[modalities.EEG.models]\nplugin = '{plugin}'\n")
    assert configuration.modalities["EEG"].plugin == plugin


def test_plugin_may_be_an_entry_point(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of the group `sinagot.plugins` are plugins too, and are proposed."""
    (desk.folder / "lab-1.dist-info").mkdir()
    desk.write("Metadata-Version: 2.1\nName: lab\nVersion: 1\n", "lab-1.dist-info/METADATA")
    desk.write("[sinagot.plugins]\nlab_eeg = lab:Plugin\n", "lab-1.dist-info/entry_points.txt")
    monkeypatch.syspath_prepend(str(desk.folder))
    text = "[modalities.EEG.models]\nplugin = '{}'\n"
    assert desk.load(text.format("lab_eeg")).modalities["EEG"].plugin == "lab_eeg"
    assert "did you mean 'lab_eeg'?" in str(desk.error(text.format("lab_egg")))


def test_configurations_share_nothing(desk: Desk) -> None:
    """Changing the tables of one changes neither another nor the defaults."""
    first = desk.load("")
    changed: dict[str, Any] = first.raw
    changed["path"]["dataset"] = changed["dask"]["scheduler"]["type"] = "changed"
    changed["log"].clear()
    assert desk.load("").raw["path"]["dataset"] == "./dataset"
    assert desk.load("").dask.scheduler == "processes"
    assert desk.load("").log.name == "sinagot"
