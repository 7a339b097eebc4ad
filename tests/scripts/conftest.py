"""A scripts folder to write scripts into, and a library over it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sinagot.scripts import classes, imports, modules, sources
from sinagot.scripts.loading import ScriptLibrary
from sinagot.scripts.template import ScriptTemplate

HEAD = "from sinagot.scripts.template import ScriptTemplate\n"
BODY = """
class Script(ScriptTemplate):
    PATH_IN = ("raw", "{id}.csv")
    PATH_OUT = ("made", "{id}.csv")
"""


class Shelf:
    """A workspace's scripts folder; scripts append to the file `ran` what they want to be counted."""

    def __init__(self, folder: Path) -> None:
        self.scripts = folder / "scripts"
        self.index = folder / "state" / "index"
        self.ran = folder / "ran.txt"
        self.scripts.mkdir(parents=True)

    def write(self, name: str, text: str) -> Path:
        """Write a file below the scripts folder."""
        file = self.scripts / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    def script(self, name: str, before: str = "", members: str = "") -> Path:
        """Write a script that can be used; `before` stands above its class, `members` inside."""
        file = f"{name}.py"
        text = HEAD + textwrap.dedent(before) + BODY + textwrap.indent(textwrap.dedent(members), "    ")
        return self.write(file, text)

    def counting(self, what: str) -> str:
        """Give a statement that notes that it was executed."""
        return f"with open({str(self.ran)!r}, 'a') as ran: ran.write({what!r} + '\\n')\n"

    def count(self) -> int:
        """Count the notes."""
        return len(self.ran.read_text().splitlines()) if self.ran.exists() else 0

    def library(self, **options: object) -> ScriptLibrary:
        """Open a library, as a new process of the workspace would."""
        return ScriptLibrary(self.scripts, self.index, **options)  # type: ignore[arg-type]

    def load(self, name: str, modality: str | None = None) -> type[ScriptTemplate]:
        """Load a script with a new library."""
        library = self.library()
        return library.load(library.spec(name, modality))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "lab")


@pytest.fixture
def new_shelf(tmp_path: Path) -> Callable[[], Shelf]:
    """Give one workspace after the other."""
    numbers: Iterator[int] = iter(range(100))
    return lambda: Shelf(tmp_path / f"lab{next(numbers)}")


@pytest.fixture
def forget() -> Iterator[Callable[[], None]]:
    """Give a function after which this process has never executed a script, like a new one."""
    tables: tuple[dict[Any, Any], ...] = (
        classes._CLASSES,
        classes._FAILED,
        imports.IMPORTS,
        modules._LOADED,
        sources._TEXTS,
    )
    before = [dict(table) for table in tables]

    def do() -> None:
        for table in tables:
            table.clear()

    yield do
    for table, contents in zip(tables, before, strict=True):
        table.update(contents)
