"""A study of the SoNeTAA shape: EEG and behavior with steps, clinical forms in JSON, and a modality for results."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from sinagot import Workspace

CONFIG = r"""
[records]
id_pattern = 'REC-\d{6}-[A-Z]'

[tasks.RS]
modalities = ["EEG", "clinical"]
[tasks.HDC]
modalities = ["EEG", "behavior", "clinical"]

[modalities.EEG]
scripts = ["alpha"]
[modalities.behavior]
scripts = ["scores"]
[modalities.clinical.models]
plugin = "pandas"
data_path = {data_path}
[modalities.processed.models]
plugin = "processed"
"""

SCRIPT = """
from sinagot import ScriptTemplate

class Script(ScriptTemplate):
    PATH_IN = {path_in!r}
    PATH_OUT = {path_out!r}

    def run(self):
        raise RuntimeError("nobody runs it here")
"""


class Study:
    """A workspace folder in which files are put where steps would write them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "dataset"
        self.data.mkdir(parents=True)
        self.config()
        self.script("EEG/alpha", ("raw", "{id}-{task}.csv"), ("alpha", "{id}-{task}.txt"))
        scores = {name: ("scores", "{id}-{task}-" + name + ".csv") for name in ("table", "values")}
        self.script("behavior/scores", ("moves", "{id}-{task}.csv"), scores)

    def config(self, more: str = "", data_path: str = "['clinical', '{id}.json']") -> None:
        """Write workspace.toml."""
        self.write("workspace.toml", CONFIG.replace("{data_path}", data_path) + textwrap.dedent(more))

    def script(self, name: str, path_in: Any, path_out: Any) -> None:
        """Write a script that declares paths and is never run."""
        self.write(f"scripts/{name}.py", SCRIPT.format(path_in=path_in, path_out=path_out))

    def write(self, name: str, text: str = "") -> Path:
        """Write a file below the workspace folder."""
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return file

    def form(self, record_id: str, values: Any, name: str = "clinical/{}.json") -> Path:
        """Write a clinical form."""
        return self.write(f"dataset/{name.format(record_id)}", json.dumps(values))

    def open(self) -> Workspace:
        """Open the workspace."""
        return Workspace(self.root)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Give a study without data."""
    return Study(tmp_path / "study")
