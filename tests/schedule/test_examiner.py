"""Pipelines are looked at by a program of its own: what their files do when they are loaded hurts nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sinagot.errors import ConfigurationError, NotFoundError
from sinagot.schedule.examiner import Examiner
from sinagot.testing import make_workspace

GOOD = """
from sinagot.pipeline import Pipeline, Stage
from sinagot.pipeline.input import param

def say(count):
    return count

pipeline = Pipeline("{name}", stages={{"say": Stage(say, inputs=[param("count")])}}, parameters={{"count": 3}})
"""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """Give a workspace with one pipeline in a file."""
    make_workspace(tmp_path / "lab", records=1).close()
    (tmp_path / "lab" / "pipelines").mkdir()
    (tmp_path / "lab" / "pipelines" / "day.py").write_text(GOOD.format(name="day"))
    return tmp_path / "lab"


@pytest.fixture
def examiner(lab: Path) -> Iterator[Examiner]:
    """Give an examiner of the workspace."""
    found = Examiner(["-w", str(lab)])
    yield found
    found.close()


def test_parameters_are_checked_without_a_run(examiner: Examiner) -> None:
    """What is unknown is told with its path, what fits is fine, and names of files are names of nothing."""
    assert examiner.check("day", {"count": 1}) == ("day", (), frozenset())
    ((path, text),) = examiner.check("day", {"cuont": 1}).faults
    assert path == ("cuont",) and "count" in text
    for name in ("night", "pipelines/day.py", "pipelines/day.py:pipeline", "../lab/pipelines/day.py"):
        with pytest.raises(NotFoundError, match="day"):
            examiner.check(name, {})


def test_files_are_seen_as_they_are_now(lab: Path, examiner: Examiner) -> None:
    """A file that is edited, or added, is seen at the next question; one that is broken hides no other."""
    assert [row["name"] for row in examiner.catalogue().rows] == ["day"]
    (lab / "pipelines" / "day.py").write_text(GOOD.format(name="dawn"))
    (lab / "pipelines" / "night.py").write_text("print('x'\n")
    assert not examiner.check("dawn", {}).faults
    with pytest.raises(NotFoundError):
        examiner.check("day", {})


def test_file_that_kills_its_program_is_told(lab: Path, examiner: Examiner) -> None:
    """Code that ends the process at import ends the examiner's program only; when it is gone, all is as before."""
    bad = lab / "pipelines" / "bad.py"
    bad.write_text("import os\nos._exit(3)\n")
    with pytest.raises(ConfigurationError, match="pipeline check"):
        examiner.check("day", {})
    found = examiner.catalogue()
    assert found.rows == () and "pipeline check" in found.errors[0]
    bad.write_text("raise RuntimeError('no')\n")
    assert not examiner.check("day", {}).faults
