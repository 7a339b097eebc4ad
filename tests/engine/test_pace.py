"""How far a run is, in words."""

from __future__ import annotations

import pytest

from sinagot.engine.job import Outcome
from sinagot.engine.pace import Snapshot
from sinagot.engine.request import Progress


def counts(**of: int) -> dict[str, int]:
    """Return counts as the engine gives them."""
    return dict.fromkeys(Outcome.ALL, 0) | of


def test_rate_counts_only_what_was_done_since_the_start() -> None:
    """What was up to date before makes neither the rate higher nor the time left shorter."""
    snapshot = Snapshot(Progress(counts(up_to_date=50, done=20), 100, None), before=50, elapsed=10.0)
    assert (snapshot.rate, snapshot.fraction) == (2.0, 0.7)
    assert snapshot.parts() == [" 70% 70/100", "20 done", "15 s left", "2.0/s"]


@pytest.mark.parametrize(
    ("worked", "elapsed", "text"),
    [(0, 5.0, ""), (300, 1.0, "300/s"), (30, 60.0, "30/min"), (2, 7200.0, "1.0/h"), (1, 7200.0, "0.5/h")],
)
def test_rate_has_the_unit_that_fits(worked: int, elapsed: float, text: str) -> None:
    """Slow work is told by the minute or the hour."""
    snapshot = Snapshot(Progress(counts(done=worked), 1000, None), before=0, elapsed=elapsed)
    assert (snapshot.rate_text if worked else "".join(snapshot.parts()[2:])) == text


@pytest.mark.parametrize("width", range(10, 90, 7))
def test_line_fits_the_terminal(width: int) -> None:
    """However narrow the terminal, how far it is is told, and failures before other counts."""
    snapshot = Snapshot(Progress(counts(done=60, failed=8, blocked=8), 200, None), before=0, elapsed=2.0)
    line = snapshot.line(width)
    assert line.startswith(" 38% 76/200")
    assert len(line) <= max(width, len(" 38% 76/200"))
    assert ("8 failed" in line) or ("60 done" not in line)
