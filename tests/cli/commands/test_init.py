"""The workspaces that `sinagot init` writes."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import pytest

from sinagot import Workspace
from tests.cli.conftest import Invoke


def test_new_workspace_loads_and_runs(invoke: Invoke, tmp_path: Path) -> None:
    """What init writes opens without warnings, finds raw data and runs them."""
    assert invoke(tmp_path, "init", "study").exit_code == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ws = Workspace(tmp_path / "study")
    assert ws.steps.scripts_names() == ["lines"]
    checked = invoke(tmp_path, "-w", "study", "check")
    assert checked.exit_code == 5
    assert "Nothing is wrong, but there is no record." in checked.stdout
    (tmp_path / "study" / "dataset" / "raw" / "REC-1.txt").write_text("a\nb\n")
    assert invoke(tmp_path, "-w", "study", "check").exit_code == 0
    assert invoke(tmp_path, "-w", "study", "run").exit_code == 0
    assert (tmp_path / "study" / "dataset" / "lines" / "REC-1.txt").read_text() == "2\n"


def test_current_folder_is_the_default(invoke: Invoke, tmp_path: Path) -> None:
    """Without a folder the current one becomes the workspace; the next command to type needs no -w."""
    result = invoke(tmp_path, "init")
    assert (tmp_path / "workspace.toml").is_file()
    assert result.stdout.endswith("Next: sinagot check\n")


@pytest.mark.parametrize("name", ["workspace.toml", "scripts/lines.py"])
def test_nothing_is_overwritten_unasked(invoke: Invoke, tmp_path: Path, name: str) -> None:
    """A file that is there stays, and nothing else is written; --force overwrites it."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    result = invoke(tmp_path, "init")
    assert result.exit_code == 2
    assert f"{name} is there already; --force overwrites it" in result.stderr
    assert (tmp_path / name).read_text() == "mine"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [Path(name).name]
    assert invoke(tmp_path, "init", "--force").exit_code == 0
    assert (tmp_path / name).read_text() != "mine"


@pytest.mark.parametrize(
    "name", ["workspace.toml.txt", "bids.toml.txt", "script.py.txt", "bids_script.py.txt"]
)
def test_templates_are_full_of_comments(name: str) -> None:
    """What is written explains itself."""
    from sinagot.cli.commands.init import _TEMPLATES

    lines = (_TEMPLATES / name).read_text(encoding="utf-8").splitlines()
    assert sum("#" in line for line in lines) >= 4


@pytest.mark.parametrize(
    ("tree", "recordings", "first"),
    [("eeg_matchingpennies", 7, "sub-05"), ("motion_dualtask", 15, "sub-07_ses-stand")],
)
def test_real_bids_trees_open_by_pattern(
    invoke: Invoke, tmp_path: Path, shared_data: Path, tree: str, recordings: int, first: str
) -> None:
    """A real BIDS tree opens as it is, uneven sessions and runs included; results stay below derivatives."""
    root = Path(
        shutil.copytree(shared_data / "bids" / tree, tmp_path / "tree", copy_function=shutil.copyfile)
    )
    before = {path for path in root.rglob("*") if path.is_file()}
    result = invoke(tmp_path, "init", "tree", "--bids")
    assert result.exit_code == 0
    assert f"Found {recordings} recordings (eeg)" in result.stdout
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ws = Workspace(root)
    assert (ws.records.count(), ws.records.ids()[0]) == (recordings, first)
    assert invoke(tmp_path, "-w", "tree", "check").exit_code == 0
    assert invoke(tmp_path, "-w", "tree", "run").exit_code == 0
    made = {path.relative_to(root) for path in root.rglob("*") if path.is_file()} - {
        path.relative_to(root) for path in before
    }
    outside = {path.as_posix() for path in made if path.parts[0] != "derivatives"}
    assert {name for name in outside if "__pycache__" not in name} == {
        "workspace.toml",
        "code/sinagot/eeg/describe.py",
    }
    assert len(list(root.glob("derivatives/sinagot/sub-*/**/*_describe.json"))) == recordings


def test_empty_bids_tree_is_no_obstacle(invoke: Invoke, tmp_path: Path) -> None:
    """Without recordings the preset opens all the same, and says what is left to name."""
    result = invoke(tmp_path, "init", "--bids")
    assert "No recording was found: name your tasks" in result.stdout
    assert "None was found: name yours." in (tmp_path / "workspace.toml").read_text()
    assert invoke(tmp_path, "check").exit_code == 5
