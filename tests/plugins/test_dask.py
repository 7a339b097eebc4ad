"""The old name of Dask's run manager."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from sinagot.plugins.dask import DaskRunManager

if TYPE_CHECKING:
    import pytest

    from tests.plugins.conftest import Study


def test_the_old_name_is_light() -> None:
    """Importing the old name loads neither dask nor distributed."""
    code = "import sys, sinagot.plugins.dask; print(sorted({'dask', 'distributed', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_old_name_runs_through_dask(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run manager made from a workspace runs a scope's steps in dask mode and hands the report back."""
    ws = study.open()
    asked: list[tuple[object, ...]] = []

    def run(self: object, *arguments: object, **options: object) -> str:
        asked.append((*arguments, options))
        return "report"

    monkeypatch.setattr(type(ws.steps), "run", run)
    monkeypatch.setattr(ws, "close", lambda: asked.append(("closed",)))
    manager = DaskRunManager(ws)
    assert manager.run(ws.RS, "alpha", force=True) == "report"
    manager.close()
    assert asked == [("alpha", True, False, False, {"mode": "dask"}), ("closed",)]
