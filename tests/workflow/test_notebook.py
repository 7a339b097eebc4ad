"""The tutorial that is a notebook runs in a real kernel, and shows what it says."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "workflows.md"
CELL = re.compile(r"^```\{code-cell\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of the kernel's own packages
def test_tutorial_runs_in_a_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes of a notebook compute here and on workers; a workflow shows itself, and a table is a table."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    traitlets = pytest.importorskip("traitlets.config")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    sources = CELL.findall(PAGE.read_text(encoding="utf-8"))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    # By files: a port that is free when the kernel is told of it may be somebody's when it begins.
    with tempfile.TemporaryDirectory() as sockets:  # names of sockets are short
        config = traitlets.Config(KernelManager={"transport": "ipc", "ip": f"{sockets}/kernel"})
        nbclient.NotebookClient(
            notebook, timeout=90, resources={"metadata": {"path": str(tmp_path)}}, config=config
        ).execute()
    shown: list[Any] = [
        output["data"]
        for cell in notebook.cells
        for output in cell.outputs
        if output.output_type == "execute_result"
    ]
    texts = [data["text/plain"] for data in shown]
    pages = [data.get("text/html", "") for data in shown]
    assert "['001', '002']" in texts
    assert [text for text in texts if text.isdigit() and len(text) <= 2] == ["36", "48"]
    assert "<RunReport instance | ok: 1 done, 1 up to date>" in texts
    assert any("1 failed" in text and "NOT OK" in text for text in texts)
    assert texts[-1] == "True"
    drawn = [page for page in pages if "TestWorkflow(" in page]
    assert ["missing" in page for page in drawn] == [True, False, False]
    assert ["stale" in page for page in drawn] == [False, False, True]
    assert any("<th>boats</th>" in page for page in pages)
