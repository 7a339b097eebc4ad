"""The benchmarks work; their figures are not looked at."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_row_can_be_measured(tmp_path: Path) -> None:
    """A run over tiny worlds measures every row and writes the page."""
    program = Path(__file__).with_name("run.py")
    # Half of the time goes into one row, so that two programs share the cores.
    shares = {
        "clusters": ["parallel", "listing", "start", "nodes", "people"],
        "others": ["noop", "cold", "tables", "calls", "rivals", "pipelines", "flows", "schedules", "large"],
    }
    pages = {name: tmp_path / f"{name}.md" for name in shares}
    running = {
        name: subprocess.Popen(
            [sys.executable, program, "--smoke", "--page", pages[name], "--only", *rows],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, rows in shares.items()
    }
    said = {name: child.communicate()[0] for name, child in running.items()}
    for name, child in running.items():
        assert child.returncode == 0, said[name]
        assert "Not measured" not in pages[name].read_text()
