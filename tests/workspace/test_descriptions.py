"""The description of a BIDS derivative: written by the first run, and of nobody else's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sinagot import Workspace, __version__
from sinagot.workspace.reports.descriptions import DESCRIPTION

TOML = """
[records]
path = "sub-{subject}/eeg/sub-{subject}_eeg.txt"
id = "sub-{subject}"
[path]
dataset = "."
scripts = "./code"
output = "./OUTPUT"
log = "./OUTPUT/LOG"
state = "./OUTPUT/.sinagot"
[steps]
scripts = ["a"]
"""
SCRIPT = """
from sinagot import ScriptTemplate
class Script(ScriptTemplate):
    PATH_IN = "sub-{subject}/eeg/sub-{subject}_eeg.txt"
    PATH_OUT = "sub-{subject}/eeg/sub-{subject}_count.txt"
    def run(self):
        self.path.output.write_text("1")
"""


def tree(folder: Path, raw: Any = None, output: str = "derivatives/sinagot") -> Workspace:
    """Make a BIDS tree of one recording."""
    for name, text in {
        "workspace.toml": TOML.replace("OUTPUT", output),
        "code/a.py": SCRIPT,
        "sub-1/eeg/sub-1_eeg.txt": "x",
        **({} if raw is None else {DESCRIPTION: json.dumps(raw)}),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return Workspace(folder)


def test_first_run_describes_the_outputs(tmp_path: Path) -> None:
    """Looking writes nothing; a run writes a whole, valid description, and leaves no draft; what is there stays."""
    workspace = tree(tmp_path, {"Name": "Café study", "BIDSVersion": "1.8.0", "DatasetDOI": "doi:10.1/x"})
    assert workspace.steps.run(dry_run=True, printing=False).plan
    assert not (tmp_path / "derivatives").exists()
    assert workspace.steps.run(printing=False).ok
    file = tmp_path / "derivatives/sinagot" / DESCRIPTION
    assert json.loads(file.read_text()) == {
        "Name": "sinagot: derivatives of Café study",
        "BIDSVersion": "1.8.0",
        "DatasetType": "derivative",
        "DatasetLinks": {"raw": "../.."},
        "GeneratedBy": [{"Name": "sinagot", "Version": __version__}],
        "SourceDatasets": [{"URL": "bids:raw:", "DOI": "doi:10.1/x"}],
    }
    assert sorted(path.name for path in file.parent.iterdir()) == [".sinagot", "LOG", DESCRIPTION, "sub-1"]
    before = file.stat()
    assert workspace.steps.run(printing=False, force=True).ok
    assert file.stat().st_mtime_ns == before.st_mtime_ns


def test_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """In our own file only our version changes; what people added stays."""
    workspace = tree(tmp_path)
    assert workspace.steps.run(printing=False).ok
    file = tmp_path / "derivatives/sinagot" / DESCRIPTION
    found = json.loads(file.read_text())
    assert (found["BIDSVersion"], found["Name"]) == ("1.10.0", f"sinagot: derivatives of {tmp_path.name}")
    found |= {"Authors": ["Somebody"]}
    found["GeneratedBy"][0]["Version"] = "0.3.0"
    file.write_text(json.dumps(found))
    assert workspace.steps.run(printing=False, force=True).ok
    assert json.loads(file.read_text()) == found | {
        "GeneratedBy": [{"Name": "sinagot", "Version": __version__}]
    }


@pytest.mark.parametrize("text", ["{", "[]", '{"GeneratedBy": [{"Name": "fMRIPrep"}]}', '{"GeneratedBy": 7}'])
def test_file_of_somebody_else_is_kept(text: str, tmp_path: Path) -> None:
    """A description that does not name us first, or is none, is never touched."""
    workspace = tree(tmp_path)
    file = tmp_path / "derivatives/sinagot" / DESCRIPTION
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert workspace.steps.run(printing=False).ok
    assert file.read_text() == text


def test_other_folders_are_not_described(tmp_path: Path) -> None:
    """Where outputs go elsewhere, nothing is written."""
    workspace = tree(tmp_path, output="results")
    assert workspace.steps.run(printing=False).ok
    assert not list(tmp_path.rglob(DESCRIPTION))
