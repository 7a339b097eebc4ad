"""Where the workspace is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Invoke, Lab


def test_nearest_folder_upwards(invoke: Invoke, make_lab: Lab) -> None:
    """Without an option the nearest workspace.toml upwards is opened."""
    lab = make_lab(1, 2)
    assert invoke(lab / "dataset" / "raw", "records").stdout.split() == ["REC-1", "REC-2"]


@pytest.mark.parametrize("place", ["before", "after", "environment"])
@pytest.mark.parametrize("form", ["lab", "lab/workspace.toml"])
def test_named_workspace(
    invoke: Invoke, make_lab: Lab, monkeypatch: pytest.MonkeyPatch, place: str, form: str
) -> None:
    """A folder or file named by -w, before or after the command, or by the environment is opened."""
    lab = make_lab(1)
    if place == "environment":
        monkeypatch.setenv("SINAGOT_WORKSPACE", form)
    words = {"before": ["-w", form, "records"], "after": ["records", "-w", form], "environment": ["records"]}
    assert invoke(lab.parent, *words[place]).stdout.split() == ["REC-1"]


def test_option_wins_over_environment(invoke: Invoke, make_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """-w wins over SINAGOT_WORKSPACE."""
    lab = make_lab(1)
    monkeypatch.setenv("SINAGOT_WORKSPACE", "nowhere")
    assert invoke(lab.parent, "-w", "lab", "records").exit_code == 0


def test_root_of_templates_comes_after_the_workspace(
    invoke: Invoke, make_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WORKFLOW_ROOT_PATH names the workspace where neither -w nor SINAGOT_WORKSPACE does, before the nearest one."""
    make_lab(1)
    other = make_lab(1, 2, name="other")
    monkeypatch.setenv("WORKFLOW_ROOT_PATH", "../lab")
    assert invoke(other, "records").stdout.split() == ["REC-1"]
    assert invoke(other, "-w", ".", "records").stdout.split() == ["REC-1", "REC-2"]
    monkeypatch.setenv("SINAGOT_WORKSPACE", ".")
    assert invoke(other, "records").stdout.split() == ["REC-1", "REC-2"]
    monkeypatch.delenv("SINAGOT_WORKSPACE")
    monkeypatch.setenv("WORKFLOW_ROOT_PATH", "nowhere")
    assert "WORKFLOW_ROOT_PATH: no such file or folder: nowhere" in invoke(other, "records").stderr


def test_several_files_are_merged(invoke: Invoke, make_lab: Lab) -> None:
    """-w may be given several times: the later file wins."""
    lab = make_lab(1, 2)
    (lab / "more.toml").write_text("[records]\nid_pattern = 'REC-2'\n")
    assert invoke(lab, "-w", "workspace.toml", "-w", "more.toml", "records").stdout.split() == ["REC-2"]


def test_other_folders(invoke: Invoke, make_lab: Lab) -> None:
    """--data-path and --scripts-path win over the configuration, and start where the user is."""
    make_lab(1)
    other = make_lab(1, 2, 5, name="other")
    words = ["--data-path", "other/dataset", "--scripts-path", "other/scripts"]
    assert len(invoke(other.parent, "-w", "lab", *words, "records").stdout.split()) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no workspace.toml in"),
        (["-w", "nowhere"], "no such file or folder: nowhere"),
        (["-w", "empty"], "no workspace.toml in empty; make one there: sinagot init empty"),
        (
            ["-w", "lab.flows:LabWorkspace=empty", "--data-path", "empty"],
            "nothing else can be named beside it",
        ),
    ],
)
def test_no_workspace_is_a_usage_error(invoke: Invoke, tmp_path: Path, words: list[str], said: str) -> None:
    """When there is no workspace to open, the exit code is 2 and the message says what to do."""
    (tmp_path / "empty").mkdir()
    result = invoke(tmp_path, *words, "status")
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_wrong_variable_is_named(invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that came from the environment is blamed on it."""
    monkeypatch.setenv("SINAGOT_WORKSPACE", "nowhere")
    assert "SINAGOT_WORKSPACE: no such file or folder: nowhere" in invoke(tmp_path, "status").stderr


def test_broken_configuration_ends_with_4(invoke: Invoke, make_lab: Lab) -> None:
    """A configuration that is wrong is said in words with file and line, all at once, for every command."""
    lab = make_lab(1, toml="[step]\nscripts = []\n[run]\nmode = 'dusk'\n")
    for words in (["status"], ["run"], ["records"], ["logs", "REC-1"]):
        result = invoke(lab, *words)
        assert result.exit_code == 4
        assert "workspace.toml:1: step: unknown section" in result.stderr
        assert "workspace.toml:4: run.mode: found 'dusk'" in result.stderr
        assert "Traceback" not in result.stderr


def test_warnings_are_words(invoke: Invoke, make_lab: Lab) -> None:
    """A warning of the configuration is one line on standard error, not a Python warning."""
    lab = make_lab(1, toml="[records]\nid_pattern = 'REC-1'\n[steps]\nscripts = ['one']\n[run]\nworkrs = 3\n")
    result = invoke(lab, "records")
    assert result.exit_code == 0
    assert result.stderr == "Warning: workspace.toml:6: run.workrs: unknown key; did you mean 'workers'?\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--task", "RSS"], "no task 'RSS'"),
        (["--modality", "EG"], "no modality 'EG'"),
        (["--task", "RS", "--modality", "behavior"], "task 'RS' has no modality 'behavior'"),
    ],
)
def test_unknown_scope_ends_with_5(invoke: Invoke, scoped_lab: Path, words: list[str], said: str) -> None:
    """A task or modality that is not there ends with 5 and the names that are."""
    for command in ("status", "run", "records"):
        result = invoke(scoped_lab, command, *words)
        assert result.exit_code == 5
        assert said in result.stderr
        assert "instance" not in result.stderr


def test_invalid_id_ends_with_5(invoke: Invoke, make_lab: Lab) -> None:
    """A text that cannot be a record id ends with 5, before anything runs."""
    lab = make_lab(1)
    for words in (["run", "--record", "../etc"], ["status", "--record", "X"], ["logs", "X"]):
        result = invoke(lab, *words)
        assert result.exit_code == 5
        assert "is no record id" in result.stderr
    assert not (lab / "dataset" / ".sinagot").exists()
