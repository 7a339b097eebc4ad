"""Small workspaces, and two ways to run the command line: in this process and as a program."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sinagot.cli.main import group

#: Reads its number; says by it what happens: 3 fails, 4 prints, others are fine.
ONE = """
from sinagot import ScriptTemplate

class Script(ScriptTemplate):
    PATH_IN = "raw/{id}.txt"
    PATH_OUT = "one/{id}.txt"

    def run(self):
        value = int(self.path.input.read_text())
        if value == 3:
            raise ValueError(f"bad value {value} of '{self.id}'")
        if value == 4:
            print("hello from", self.id)
        self.path.output.write_text("1")
"""

TWO = """
from sinagot import ScriptTemplate

class Script(ScriptTemplate):
    PATH_IN = "one/{id}.txt"
    PATH_OUT = "two/{id}.txt"

    def run(self):
        self.path.output.write_text("2")
"""

Lab = Callable[..., Path]
Invoke = Callable[..., Result]
Program = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def _no_workspace_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SINAGOT_WORKSPACE", "WORKFLOW_ROOT_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make_lab(tmp_path: Path) -> Lab:
    """Give a maker of workspaces with steps one and two, and records whose raw files hold a number."""

    def make(*values: int, name: str = "lab", toml: str | None = None, **scripts: str) -> Path:
        lab = tmp_path / name
        (lab / "dataset" / "raw").mkdir(parents=True)
        (lab / "scripts").mkdir()
        for step, text in {"one": ONE, "two": TWO, **scripts}.items():
            (lab / "scripts" / f"{step}.py").write_text(text)
        for number, value in enumerate(values, start=1):
            (lab / "dataset" / "raw" / f"REC-{number}.txt").write_text(str(value))
        default = "[records]\nid_pattern = 'REC-\\d+'\n[steps]\nscripts = ['one', 'two']\n"
        (lab / "workspace.toml").write_text(default if toml is None else toml)
        return lab

    return make


@pytest.fixture
def scoped_lab(make_lab: Lab) -> Path:
    """Give a workspace with tasks RS (EEG) and HDC (EEG, behavior); record 2 has no HDC."""
    lab = make_lab(
        toml="[records]\nid_pattern = 'REC-\\d+'\n[tasks.RS]\nmodalities = ['EEG']\n[tasks.HDC]\n"
        "modalities = ['EEG', 'behavior']\n[modalities.EEG]\nscripts = ['one']\n[modalities.behavior]\n"
    )
    (lab / "scripts" / "EEG").mkdir()
    script = ONE.replace("raw/{id}.txt", "raw/{id}-{task}.txt").replace("one/{id}.txt", "one/{id}-{task}.txt")
    (lab / "scripts" / "EEG" / "one.py").write_text(script)
    for name in ("REC-1-RS", "REC-1-HDC", "REC-2-RS"):
        (lab / "dataset" / "raw" / f"{name}.txt").write_text("1")
    return lab


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Give a function that runs a command line in this process, in a folder."""

    def run(folder: Path, *words: str) -> Result:
        monkeypatch.chdir(folder)
        return CliRunner().invoke(group, list(words), prog_name="sinagot")

    return run


def environment() -> dict[str, str]:
    """Return the environment for a program of ours."""
    return {**os.environ, "NO_COLOR": "1", "PYTHONUNBUFFERED": ""}


@pytest.fixture
def program() -> Program:
    """Give a function that runs a command line as a program of its own."""

    def run(folder: Path, *words: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *options, "-m", "sinagot", *words],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    return run
