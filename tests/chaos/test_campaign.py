"""A small campaign, and proof that it would notice: with a promise switched off it goes red."""

from __future__ import annotations

import shutil

import pytest

from tests.chaos.campaign.__main__ import campaign
from tests.chaos.campaign.trial import Score

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

#: Scripts write to the final paths.
WITHOUT_STAGES = """
import os
from sinagot.dataset.stages import StageFolder

def final_path(stage, final):
    os.makedirs(os.path.dirname(final), exist_ok=True)
    return final

StageFolder.path = final_path
"""

#: Nobody is kept from a job that another one has begun.
WITHOUT_CLAIMS = """
from sinagot.engine.state.claims import ClaimDesk

ClaimDesk._create = lambda desk, path: True
ClaimDesk.is_ours = lambda desk, claim: True
ClaimDesk.holder = lambda desk, key: None
"""


def run(fault: str, seed: int, *, trials: int = 1, prelude: str = "") -> Score:
    """Hurt a run and give what was found."""
    total = Score()
    for _, _, score in campaign(trials, seed, fault, prelude=prelude):
        total += score
    return total


@pytest.mark.parametrize(
    "fault",
    [
        "kill -9 of all processes, three times (processes)",
        "kill -9 of all processes, three times (processes, functions)",
        "five drivers, two of them killed (main_process)",
        "five drivers, two of them killed (main_process, functions)",
        "scripts that end in every bad way (processes)",
        "scripts that end in every bad way (processes, functions)",
    ],
)
def test_fault_is_survived(fault: str) -> None:
    """Nothing torn, lost, run twice at once, left running or lied about; one plain run heals."""
    score = Score()
    for seed in range(20):
        if not score.fired:  # else it came when the run was over
            score += run(fault, seed)
    assert score.fired and not score.broken, score


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_bad_drive_is_survived() -> None:
    """Whichever system call a drive refuses, nothing torn is seen, and with space again one plain run heals."""
    score = run("one system call", seed=7, trials=2)
    assert score.fired and not score.broken, score


@pytest.mark.parametrize(
    ("prelude", "fault", "found"),
    [
        (WITHOUT_STAGES, "kill -9 of the driver (main_process)", "torn"),
        (WITHOUT_STAGES, "kill -9 of the driver (main_process, functions)", "torn"),
        (WITHOUT_CLAIMS, "five drivers at once (main_process)", "again"),
        (WITHOUT_CLAIMS, "five drivers at once (main_process, functions)", "again"),
    ],
    ids=["without stages", "without stages, functions", "without claims", "without claims, functions"],
)
def test_broken_promise_is_noticed(
    prelude: str, fault: str, found: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With one promise switched off the campaign finds what that promise is there for."""
    scores = (run(fault, seed, prelude=prelude) for seed in range(40))
    assert any(score.broken and getattr(score, found) for score in scores)
