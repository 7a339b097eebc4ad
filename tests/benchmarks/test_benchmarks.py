"""The benchmarks work; their figures are not looked at."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_every_row_can_be_measured(tmp_path: Path) -> None:
    """A run over tiny worlds measures every row and writes the page."""
    page = tmp_path / "page.md"
    program = Path(__file__).with_name("run.py")
    ended = subprocess.run(
        [sys.executable, program, "--smoke", "--page", page], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Not measured" not in page.read_text()
