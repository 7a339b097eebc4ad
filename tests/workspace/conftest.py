"""A lab: a workspace folder of one's own, with scripts that say what they did and that can be told to fail."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from sinagot import Workspace
from sinagot.engine.accounts.report import RunReport
from sinagot.testing import await_true

ROOT = Path(__file__).parents[2]

SCRIPT = """
from pathlib import Path
from sinagot import ScriptTemplate
{head}

class Script(ScriptTemplate):
    PATH_IN = {path_in!r}
    PATH_OUT = {path_out!r}
    {members}

    def run(self):
        place = "-".join(part for part in (self.task, self.modality, self.label, self.id) if part)
        with open({ran!r}, "a") as ran:
            ran.write(place + "\\n")
        wish = Path({wishes!r}) / place
{body}
        if wish.exists():
            exec(wish.read_text(), {{"self": self, "Path": Path}})
"""

#: What a script writes unless told otherwise: its inputs and its name, into each of its outputs.
WRITE = """
def parts(paths):
    return list(paths.values()) if isinstance(paths, dict) else paths if isinstance(paths, list) else [paths]
text = "".join(path.read_text() for path in parts(self.path.input) if path.is_file()) + self.label + "\\n"
for path in parts(self.path.output):
    path.write_text(text)
"""


class Lab:
    """A workspace folder: `workspace.toml`, `scripts`, `dataset`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.scripts = root / "scripts"
        self.data = root / "dataset"
        self._ran = root / "ran.txt"
        self._wishes = root / "wishes"
        for folder in (self.scripts, self.data, self._wishes):
            folder.mkdir(parents=True)

    # -- what a user writes

    def config(self, text: str, *, records: str = r"id_pattern = 'REC-\d+'") -> Path:
        """Write workspace.toml."""
        file = self.root / "workspace.toml"
        head = f"[records]\n{records}\n" if records else ""
        new = file.with_suffix(".new")  # a watch never sees half of it
        new.write_text(head + textwrap.dedent(text), encoding="utf-8")
        return new.replace(file)

    def write(self, name: str, text: str = "") -> Path:
        """Write a file below the workspace folder."""
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return file

    def script(
        self,
        name: str,
        path_in: Any = None,
        path_out: Any = None,
        *,
        body: str = WRITE,
        head: str = "",
        members: str = "",
    ) -> Path:
        """Write a script: ``step`` or ``modality/step``; paths default to those of a small pipeline."""
        label = name.rpartition("/")[2]
        scoped = "{id}-{task}.csv" if "/" in name else "{id}.csv"
        text = SCRIPT.format(
            head=textwrap.dedent(head),
            path_in=("raw", scoped) if path_in is None else path_in,
            path_out=(label, scoped) if path_out is None else path_out,
            members=members,
            ran=str(self._ran),
            wishes=str(self._wishes),
            body=textwrap.indent(textwrap.dedent(body), " " * 8),
        )
        return self.write(f"scripts/{name}.py", text)

    def raw(self, *ids: str, folder: str = "raw", suffix: str = ".csv") -> None:
        """Write raw files."""
        for record_id in ids:
            self.write(f"dataset/{folder}/{record_id}{suffix}", f"{record_id}\n")

    def unit(self, *steps: str, ids: Iterable[str] = ("REC-1", "REC-2"), more: str = "") -> Lab:
        """Make a workspace without tasks: steps that feed each other in a row."""
        names = steps or ("a", "b")
        self.config(f"[steps]\nscripts = {list(names)}\n{textwrap.dedent(more)}")
        before = "raw"
        for name in names:
            self.script(name, (before, "{id}.csv"))
            before = name
        self.raw(*ids)
        return self

    def scoped(self, ids: Iterable[str] = ("REC-1", "REC-2"), more: str = "") -> Lab:
        """Make a workspace with tasks RS (EEG, clinical) and HDC (EEG, clinical, behavior); only EEG and behavior have steps."""
        self.config(
            """
            [tasks.RS]
            modalities = ["EEG", "clinical"]
            [tasks.HDC]
            modalities = ["EEG", "clinical", "behavior"]
            [modalities.EEG]
            scripts = ["a", "b"]
            [modalities.EEG.task_scripts]
            HDC = ["c"]
            [modalities.behavior]
            scripts = ["a"]
            [modalities.clinical]
            """
            + textwrap.dedent(more)
        )
        self.script("EEG/a", path_out=("EEG-a", "{id}-{task}.csv"))
        self.script("EEG/b", ("EEG-a", "{id}-{task}.csv"), ("EEG-b", "{id}-{task}.csv"))
        self.script("EEG/c", ("EEG-b", "{id}-{task}.csv"), ("EEG-c", "{id}-{task}.csv"))
        self.script("behavior/a", ("moves", "{id}-{task}.csv"), ("behavior-a", "{id}-{task}.csv"))
        self.raw(*(f"{record_id}-{task}" for record_id in ids for task in ("RS", "HDC")))
        self.raw(*(f"{record_id}-HDC" for record_id in ids), folder="moves")
        return self

    # -- what happens

    def open(self, **options: Any) -> Workspace:
        """Open the workspace."""
        return Workspace(self.root, **options)

    def wish(self, place: str, code: str) -> None:
        """Let a script do something more, after it wrote: ``a-REC-1``, ``RS-EEG-a-REC-1``."""
        (self._wishes / place).write_text(textwrap.dedent(code), encoding="utf-8")

    def fail(self, place: str, error: str = "ValueError('no good')") -> None:
        """Let a script fail after it wrote its output."""
        self.wish(place, f"raise {error}")

    def gate(self, place: str) -> Gate:
        """Let a script wait, after it wrote, until the gate is opened."""
        return Gate(self, place)

    def wait_for_plan(self, report: RunReport) -> None:
        """Wait until a run has begun: it has looked at its first record, and decided what to do."""
        await_true((self.data / ".sinagot" / "runs" / report.run_id).is_dir, "the run has its plan")

    def heal(self, place: str) -> None:
        """Take a wish back."""
        (self._wishes / place).unlink()

    def ran(self) -> list[str]:
        """Give the places that ran since the last question, in order."""
        if not self._ran.exists():
            return []
        places = self._ran.read_text(encoding="utf-8").split()
        self._ran.unlink()
        return places

    def tree(self) -> dict[str, tuple[int, int, bytes]]:
        """Give every file and folder below the workspace, with what would tell that it was touched."""
        found = {}
        for folder, _, files in os.walk(self.root):
            for path in (Path(folder), *(Path(folder, name) for name in files)):
                state = path.lstat()
                content = path.read_bytes() if path.is_file() else b""
                found[str(path.relative_to(self.root))] = (state.st_mtime_ns, state.st_ino, content)
        return found

    def lines(self, record_id: str = "REC-1", **fields: Any) -> list[dict[str, Any]]:
        """Give the log lines of a record whose fields are as given."""
        lines = self.open().records.get(record_id).logs_json()
        return [line for line in lines if all(line.get(name) == value for name, value in fields.items())]

    def messages(self, record_id: str = "REC-1", **fields: Any) -> list[tuple[int, str]]:
        """Give status and message of the log lines of a record."""
        return [(line["step_status"], line["message"]) for line in self.lines(record_id, **fields)]

    def text(self, name: str) -> str:
        """Read a file below the dataset."""
        return (self.data / name).read_text(encoding="utf-8")

    def python(self, code: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program in the workspace folder."""
        options = {"check": True, "timeout": 100} | options
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            cwd=self.root,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            **options,
        )


class Gate:
    """Where a script waits; nobody waits for ever."""

    LONGEST = 60  # seconds

    def __init__(self, lab: Lab, place: str) -> None:
        self._reached = lab.root / f"reached-{place}"
        self._open = lab.root / f"open-{place}"
        self._reached.unlink(missing_ok=True)
        self._open.unlink(missing_ok=True)
        lab.wish(
            place,
            f"""
            import time
            Path({str(self._reached)!r}).touch()
            end = time.monotonic() + {self.LONGEST}
            while not Path({str(self._open)!r}).exists():
                assert time.monotonic() < end
                time.sleep(0.005)
            """,
        )

    def wait(self) -> None:
        """Wait until the script has come to the gate."""
        await_true(self._reached.exists, "the script comes to the gate")

    def open(self) -> None:
        """Let the script go on."""
        self._open.touch()


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Give an empty workspace folder."""
    return Lab(tmp_path / "lab")


@pytest.fixture
def new_lab(tmp_path: Path) -> Callable[[str], Lab]:
    """Give further workspace folders by name."""
    return lambda name: Lab(tmp_path / name)
