"""Workspaces of which every output byte follows from the record's id, and a note of all that was started.

Imports nothing of sinagot: what it says of a result does not rest on what is tested.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

__all__ = ["MINES", "NOTE", "Note", "Oracle"]

_TOML = """
[records]
id_pattern = 'R\\d+'
[steps]
scripts = ["slow", "join"]
[path]
dataset = "./dataset"
scripts = "./scripts"
[run]
stop_grace = 2
[log]
level = "ERROR"
"""

#: Code that notes what begins and ends, beside the data.
NOTE = """
import fcntl, os, time

locks = []  # held while a script runs; the kernel gives them back when its process ends

def note(folder, unit, word):
    if word == "start":
        lock = open(os.path.join(folder, unit.replace("/", "-") + ".lock"), "w")
        locks.append(lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            note(folder, unit, "overlap")
    line = f"{word} {unit} {os.getpid()} {time.monotonic_ns()}\\n"
    handle = os.open(os.path.join(folder, "notes"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.write(handle, line.encode())
    os.close(handle)
"""

_NOTED = """
from sinagot import ScriptTemplate

class Noted(ScriptTemplate):
    def run(self):
        place = (self.data_path.parent, f"{self.id}/{self.label}")
        note(*place, "start")
        try:
            self.work()
            note(*place, "end")
        finally:
            locks.pop().close()
"""

#: Two outputs, written slowly in pieces; records that step on a mine end otherwise, until that is mended.
_SLOW = """
class Script(Noted):
    PATH_IN = ("raw", "{{id}}.txt")
    PATH_OUT = {{"a": ("a", "{{id}}.txt"), "b": ("b", "{{id}}.txt")}}

    def work(self):
        text = self.path.input.read_text()
        for name in ("a", "b"):
            with self.path.output[name].open("w") as file:
                for piece in range({pieces}):
                    file.write(f"{{text}} {{name}}{{piece}}\\n")
                    file.flush()
                    time.sleep({pause})
            mine = MINES.get(self.id)
            if name == "a" and mine and not (self.data_path.parent / "mended").exists():
                exec(mine, {{"script": self}})
"""

_JOIN = """
class Script(Noted):
    PATH_IN = {"a": ("a", "{id}.txt"), "b": ("b", "{id}.txt")}
    PATH_OUT = ("joined", "{id}.txt")

    def work(self):
        self.path.output.write_text(self.path.input["a"].read_text() + self.path.input["b"].read_text())
"""

#: What scripts do to their process: name -> code.
MINES = {
    "raises": "raise ValueError('no good')",
    "exits as if all were well": "raise SystemExit(0)",
    "ends its process": "import os; os._exit(7)",
    "segfaults": "import ctypes; ctypes.string_at(0)",
    "aborts": "import os; os.abort()",
    "kills itself": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "removes its output": "script.path.output['a'].unlink(); raise SystemExit",
    "writes one of two": "raise GeneratorExit",
    "raises what no pickle can carry": "raise type('Odd', (Exception,), {'handle': open('/dev/null')})()",
    "prints 20 MB": "print('x' * 20_000_000); raise OSError('full of words')",
    "leaves a child": "import subprocess; subprocess.Popen(['sleep', '600']); raise RuntimeError('ran away')",
    "closes what it did not open": "import os; os.closerange(3, 64); raise RuntimeError('closed')",
}


class Note(NamedTuple):
    """One line that a script has left."""

    word: str
    unit: str
    pid: int
    at: int


class Oracle:
    """The workspace of one trial: scripts, and what they make of each record.

    Parameters
    ----------
    folder : Path
        Where it is made.
    records : int
        How many.
    mines : mapping, optional
        Record id -> code that its first step runs half-way.
    pieces, pause
        In how many pieces an output is written, and the seconds after each.
    """

    #: The step on which mines lie.
    first = "slow"
    #: Where outputs are.
    folders: tuple[str, ...] = ("a", "b", "joined")

    def __init__(
        self,
        folder: Path,
        records: int = 8,
        *,
        mines: Mapping[str, str] | None = None,
        pieces: int = 5,
        pause: float = 0.004,
    ) -> None:
        self.folder = folder
        self.data = folder / "dataset"
        self.ids = [f"R{number}" for number in range(1, records + 1)]
        self.mines = dict(mines or {})
        self.pieces, self.pause = pieces, pause
        (self.data / "raw").mkdir(parents=True)
        for record_id in self.ids:
            (self.data / "raw" / f"{record_id}.txt").write_text(record_id)
        self.write()

    def write(self) -> None:
        """Write configuration and code."""
        (self.folder / "scripts").mkdir()
        (self.folder / "workspace.toml").write_text(_TOML)
        slow = _SLOW.format(pieces=self.pieces, pause=self.pause)
        (self.folder / "scripts" / "slow.py").write_text(f"{NOTE}{_NOTED}\nMINES = {self.mines!r}\n{slow}")
        (self.folder / "scripts" / "join.py").write_text(f"{NOTE}{_NOTED}\n{_JOIN}")

    @property
    def named(self) -> str:
        """What names the workspace on the command line."""
        return str(self.folder)

    @property
    def units(self) -> list[str]:
        """All jobs."""
        return [f"{record_id}/{step}" for record_id in self.ids for step in ("slow", "join")]

    def expected(self) -> dict[str, str]:
        """Give the text of every output."""
        texts = {}
        for record_id in self.ids:
            parts = {name: self.pieces_of(record_id, name) for name in "ab"}
            texts |= {f"{name}/{record_id}.txt": text for name, text in parts.items()}
            texts[f"joined/{record_id}.txt"] = parts["a"] + parts["b"]
        return texts

    def pieces_of(self, record_id: str, name: str) -> str:
        """Give the lines of which an output is made."""
        return "".join(f"{record_id} {name}{piece}\n" for piece in range(self.pieces))

    def outputs_of(self, unit: str) -> list[str]:
        """Give the outputs of a job."""
        record_id, step = unit.split("/")
        return [f"{folder}/{record_id}.txt" for folder in (("a", "b") if step == "slow" else ("joined",))]

    def look(self) -> tuple[set[str], set[str]]:
        """Give the outputs that are whole, and those that are there and are not."""
        whole, torn = set(), set()
        for name, text in self.expected().items():
            path = self.data / name
            if path.exists():
                (whole if path.read_text() == text else torn).add(name)
        # Under a final name there must be nothing that nobody declared.
        for folder in self.folders:
            found = {f"{folder}/{path.name}" for path in (self.data / folder).glob("[!.]*")}
            torn |= found - set(self.expected())
        return whole, torn

    def inputs_are_unchanged(self) -> bool:
        """Say whether each input is what it was."""
        raw = {path.stem: path.read_text() for path in (self.data / "raw").iterdir()}
        return raw == {record_id: record_id for record_id in self.ids}

    def notes(self) -> list[Note]:
        """Give what scripts have noted, in order."""
        path = self.folder / "notes"
        lines = path.read_text().splitlines() if path.exists() else []
        return [
            Note(word, unit, int(pid), int(at)) for word, unit, pid, at in (line.split() for line in lines)
        ]

    def starts(self) -> Counter[str]:
        """Count how often each job's script was started."""
        return Counter(note.unit for note in self.notes() if note.word == "start")

    def overlaps(self) -> int:
        """Count the starts of a job while another start of it went on."""
        return sum(note.word == "overlap" for note in self.notes())
