"""The same world as a workflow class: two stored nodes, a value that is not stored, and one table of all.

Imports nothing of sinagot, as the world of scripts does.
"""

from __future__ import annotations

import json

from tests.chaos.campaign.oracle import NOTE, Oracle

__all__ = ["Flows"]

_TOML = """
[records]
id_pattern = 'R\\d+'
[run]
stop_grace = 2
[log]
level = "ERROR"
"""

#: Texts are written slowly, line by line; records that step on a mine end otherwise, until that is mended.
_FLOWS = """
from pathlib import Path
from types import SimpleNamespace

import sinagot as sg

class Text(str):
    unit = ""

def begun(unit, text):
    note(FOLDER, unit, "start")
    made = Text(text)
    made.unit = unit
    return made

class TextHandler(sg.TypeHandler, data_type=Text):
    def check(self, data):
        if not isinstance(data, Text):
            raise TypeError("should be Text")
        return data

    def read(self, path):
        return Text(path.read_text())

    def write(self, path, data):
        lines = data.splitlines(keepends=True)
        record_id, _, node = data.unit.partition("/")
        mine = MINES.get(record_id) if node == "a" else None
        try:
            with path.open("w") as file:
                for number, line in enumerate(lines):
                    file.write(line)
                    file.flush()
                    time.sleep(PAUSE)
                    if mine and number == len(lines) // 2 and not Path(FOLDER, "mended").exists():
                        exec(mine, {"script": SimpleNamespace(path=SimpleNamespace(output={"a": path}))})
            note(FOLDER, data.unit, "end")
        finally:
            locks.pop().close()

@sg.step
def slow(raw: str, workflow_id: str) -> Text:
    return begun(f"{workflow_id}/a", "".join(f"{raw} a{piece}\\n" for piece in range(PIECES)))

@sg.step
def join(a: Text, workflow_id: str) -> Text:
    return begun(f"{workflow_id}/joined", a + a.replace(" a", " b"))

@sg.step
def length(joined: Text) -> int:
    return len(joined)

class Flow(sg.Workflow):
    raw: str = sg.seed()
    a: Text = slow.step(raw)
    joined: Text = join.step(a)
    length: int = length.step(joined)

class Flows(sg.Workspace[Flow]):
    raw = sg.LocalStorage("raw/{workflow_id}.txt")
    a = sg.LocalStorage("a/{workflow_id}.txt")
    joined = sg.LocalStorage("joined/{workflow_id}.txt")
    lengths = sg.collect(Flow.length, strict=True).to("tables/lengths.json")
"""


class Flows(Oracle):
    """The workspace of one trial: a workflow class, and what it makes of each record and of all."""

    first = "a"
    folders = ("a", "joined", "tables")

    def write(self) -> None:
        """Write configuration and code."""
        (self.data / "workspace.toml").write_text(_TOML)
        (self.folder / "__init__.py").write_text("")
        names = {"FOLDER": str(self.folder), "MINES": self.mines, "PIECES": self.pieces, "PAUSE": self.pause}
        constants = "".join(f"{name} = {value!r}\n" for name, value in names.items())
        (self.folder / "flows.py").write_text(f"{NOTE}\n{constants}{_FLOWS}")

    @property
    def named(self) -> str:
        """What names the workspace on the command line, started beside the folder of the code."""
        return f"{self.folder.name}.flows:Flows={self.data}"

    @property
    def units(self) -> list[str]:
        """All jobs: those of records, and the table."""
        return [f"{record_id}/{node}" for record_id in self.ids for node in ("a", "joined")] + ["all/lengths"]

    def expected(self) -> dict[str, str]:
        """Give the text of every output."""
        texts, lengths = {}, {}
        for record_id in self.ids:
            texts[f"a/{record_id}.txt"] = self.pieces_of(record_id, "a")
            joined = self.pieces_of(record_id, "a") + self.pieces_of(record_id, "b")
            texts[f"joined/{record_id}.txt"] = joined
            lengths[record_id] = len(joined)
        return texts | {"tables/lengths.json": json.dumps(lengths)}

    def outputs_of(self, unit: str) -> list[str]:
        """Give the outputs of a job."""
        record_id, _, node = unit.partition("/")
        return ["tables/lengths.json"] if node == "lengths" else [f"{node}/{record_id}.txt"]
