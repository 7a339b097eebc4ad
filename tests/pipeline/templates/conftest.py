"""What the laws of templates share: a folder `conf`, pipelines of it, and what a run of one wrote."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sinagot.errors import ConfigurationError
from sinagot.pipeline import LoggerSettings, Pipeline


class Shelf:
    """A workspace folder with templates in `conf`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, text: str) -> Path:
        """Write a file; its folder is made."""
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return file

    def jobs(self, text: str, *, more: str = "", name: str = "p") -> Pipeline:
        """Write a pipeline of jobs, and load it."""
        head = f"{name}:\n  type: pipeline.Pipeline\n"
        body = textwrap.indent(textwrap.dedent(more).strip() + "\n" * bool(more), "  ") + "  jobs:\n"
        self.write(f"conf/{name}.yaml", head + body + textwrap.indent(textwrap.dedent(text), "    "))
        return self.load(name)

    def stages(self, text: str, *, more: str = "", name: str = "p") -> Pipeline:
        """Write a pipeline of one job `a`, and load it."""
        return self.jobs(
            "a:\n  stages:\n" + textwrap.indent(textwrap.dedent(text), "    "), more=more, name=name
        )

    def load(self, name: str = "p", **options: Any) -> Pipeline:
        """Load a pipeline whose lines go to a file."""
        settings = LoggerSettings(name, stream=False, log_dir=self.root / "logs")
        return Pipeline.from_loader(name, root=self.root, log_settings=settings, **options)

    def problems(self, text: str, *, more: str = "") -> list[str]:
        """Give all that is wrong with the jobs of a pipeline, each with its line below `jobs`."""
        with pytest.raises(ConfigurationError) as caught:
            self.jobs(text, more=more)
        return [
            str(one).removeprefix(f"{self.root}/conf/") for one in caught.value.problems or (caught.value,)
        ]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of all logs."""
        files = sorted((self.root / "logs").glob("*"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def said(self, stage: str) -> list[str]:
        """Give what one stage said."""
        inside = ("Stage ",)
        return [
            line["message"]
            for line in self.lines
            if line.get("stage") == stage and not line["message"].startswith(inside)
        ]


Outputs = Callable[..., Any]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Give an empty one."""
    return Shelf(tmp_path)
