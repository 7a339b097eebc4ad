"""The benchmarks work; their figures are not looked at."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.conftest import FULL

#: Sections by what they need most, so that two programs share the cores.
CLUSTERS = ("parallel", "listing", "start", "nodes", "people")
OTHERS = ("noop", "cold", "tables", "calls", "rivals", "pipelines", "flows", "schedules", "large")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_row_can_be_measured(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A run over tiny worlds measures every row and writes the page: with `make chaos` of all sections, else of some by chance."""
    program = Path(__file__).with_name("run.py")
    chance = random.Random(request.config.getoption("randomly_seed", 0))
    shares = {
        name: rows if FULL else chance.sample(rows, len(rows) // 2)
        for name, rows in (("clusters", CLUSTERS), ("others", OTHERS))
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
