"""Plots: what is drawn, and what is left alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import sinagot as sg
from sinagot.engine.words import STATUS, TONES
from sinagot.testing import make_workspace, script_text

ROOT = Path(__file__).parents[2]
BODY = """
if self.id.endswith("$b$"):
    raise ValueError("no good")
self.path.output.write_text("x")
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give a workspace of some records, with odd ids, of which one failed and one is excluded."""
    steps = {
        "first": script_text(BODY, "raw/{id}.txt", "first/{id}.txt"),
        "second_$": script_text(BODY, "first/{id}.txt", "second/{id}.txt"),
    }
    ids = ["$a$", "$b$", "c_^{", "d\x1b[2J", "e <b>"]
    made = make_workspace(tmp_path_factory.mktemp("world"), records=ids, scripts=steps)
    made["e <b>"].exclude("asleep")
    made.steps.run(printing=False)
    return made


@pytest.fixture
def ax() -> Any:
    """Give axes of a figure that pyplot knows nothing of."""
    matplotlib = pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    before = dict(matplotlib.rcParams)
    figure = Figure()
    FigureCanvasAgg(figure)
    yield figure.subplots()
    figure.canvas.draw()  # a sign without a glyph, or a text that is taken for mathematics, would warn or raise
    assert dict(matplotlib.rcParams) == before
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []


def labels(axis: Any) -> list[str]:
    """Give the texts along an axis."""
    return [one.get_text() for one in axis.get_ticklabels()]


def legend(ax: Any) -> list[str]:
    """Give the texts of the legend."""
    return [one.get_text() for one in ax.get_legend().get_texts()]


def test_few_records_are_a_matrix(world: Any, ax: Any) -> None:
    """Each record has a row and each step a column; each field has the colour and the sign of its status."""
    assert world.plot.status(ax=ax) is ax
    assert labels(ax.yaxis) == ["$a$", "$b$", "c_^{", "d\\x1b[2J", "e <b>"]
    assert labels(ax.xaxis) == ["first", "second_$"]
    names = ["DONE", "DONE", "ERROR", "INIT", "DONE", "DONE", "DONE", "DONE", "EXCLUDED", "EXCLUDED"]
    assert [one.get_text() for one in ax.texts] == [STATUS[name].sign for name in names]
    from matplotlib.colors import to_hex

    assert [to_hex(one.get_facecolor()) for one in ax.patches] == [
        TONES[STATUS[name].tone].light for name in names
    ]
    assert legend(ax) == ["✓ done", "✗ error", "· no input", "– excluded"]  # noqa: RUF001


def test_many_records_are_bars(world: Any, ax: Any) -> None:
    """Each step has a bar; its parts are as long as there are records of a status, and hatched where colours are near."""
    world.plot.status(ax=ax, most=2)
    assert labels(ax.yaxis) == ["first", "second_$"]
    widths = [[one.get_width() for one in bars] for bars in ax.containers]
    assert widths == [[3, 3], [1, 0], [0, 1], [1, 1]]  # done, error, no input, excluded
    assert [bars[0].get_hatch() for bars in ax.containers][:2] == ["", "xxx"]
    assert "✓ 3" in [one.get_text() for one in ax.texts]


def test_durations_are_those_of_the_attempts(world: Any, ax: Any) -> None:
    """Each step that went well somewhere has a box, with the number of attempts beside its name."""
    world.plot.durations(ax=ax)
    assert labels(ax.yaxis) == ["first (3)", "second_$ (3)"]
    points = sorted(float(x) for line in ax.lines if line.get_marker() == "." for x in line.get_xdata())
    table = world.runs.last.attempts()
    assert points == sorted(table[table["outcome"] == "done"]["duration_s"])


def test_durations_of_a_record_are_its_own(world: Any, ax: Any) -> None:
    """A scope shows what is its own."""
    world["$a$"].plot.durations(ax=ax, run="last")
    assert labels(ax.yaxis) == ["first (1)", "second_$ (1)"]


def test_timeline_has_a_row_for_each_worker(world: Any, ax: Any) -> None:
    """All attempts stand in the row of their worker, from their begin on, as long as they took."""
    world.plot.timeline(ax=ax)
    table = world.runs.last.attempts()
    assert labels(ax.yaxis) == list(dict.fromkeys(table["worker"]))
    spans = [path.get_extents() for one in ax.collections for path in one.get_paths()]
    assert len(spans) == len(table) == 7
    begins = sorted(table["start_s"] - table["start_s"].min())
    assert sorted(one.x0 for one in spans) == pytest.approx(begins)
    assert legend(ax) == ["✓ done", "✗ failed"]
    assert world.runs.last.run_id in ax.get_title(loc="left")


@pytest.mark.parametrize("kind", ["status", "durations"])
def test_nothing_to_draw_is_said(tmp_path: Path, ax: Any, kind: str) -> None:
    """A workspace without records gives axes that say so."""
    getattr(make_workspace(tmp_path, records=[]).plot, kind)(ax=ax)
    assert [one.get_text() for one in ax.texts] == [
        {"status": "no records", "durations": "nothing has run yet"}[kind]
    ]


def test_run_that_is_not_there(tmp_path: Path, world: Any) -> None:
    """A run that nobody knows is told before anything is drawn."""
    with pytest.raises(sg.errors.UnknownRunError, match="elephant"):
        world.plot.timeline("elephant")
    with pytest.raises(sg.errors.UnknownRunError):
        make_workspace(tmp_path).plot.timeline()


def test_without_matplotlib_the_extra_is_named() -> None:
    """Where matplotlib is missing, the error names the extra; all else works."""
    code = """
import sys
sys.modules["matplotlib"] = None
import sinagot
ws = sinagot.Workspace("example/harbor")
try:
    ws.plot.status()
except sinagot.errors.MissingExtraError as error:
    assert error.extra == "plot" and "matplotlib" in str(error)
else:
    raise SystemExit("no error")
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_axes_of_our_own_are_of_pyplot(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without axes a new figure is made, which notebooks show; it is not shown by force."""
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("MPLBACKEND", "agg")
    code = f"""
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
import sinagot
ws = sinagot.Workspace({str(world.configuration.root)!r})
made = [ws.plot.status(), ws.plot.durations(), ws.plot.timeline()]
assert plt.get_fignums() == [1, 2, 3], plt.get_fignums()
for ax in made:
    ax.figure.canvas.draw()
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=ROOT)
