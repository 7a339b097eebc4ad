"""Proof that the tests would notice: with one promise of the engine switched off, the law that rests on it goes red.

Stages and claims are switched off under the campaign (`test_campaign`), which knows nothing of how they are kept.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sinagot.engine import attempt
from tests.chaos import test_hosts
from tests.chaos.conftest import StartProgram
from tests.engine import test_recovery

pytestmark = pytest.mark.chaos

#: Whoever publishes asks nobody whether the job is still its own.
WITHOUT_FENCES = """
    from sinagot.engine.state.claims import ClaimDesk
    ClaimDesk.is_ours = lambda desk, claim: True
"""


@pytest.mark.parametrize("death", ["between two moves", "before the event"])
def test_without_commits_finished_work_is_done_again(
    death: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody writes down what is about to be published, a death in between costs a second start of the script."""
    monkeypatch.setattr(attempt, "note_commit", lambda *arguments, **options: None)
    with pytest.raises(AssertionError):
        test_recovery.test_committed_job_is_finished_not_repeated(test_recovery.DEATHS[death], tmp_path)


def test_without_fences_a_late_attempt_wins(
    tmp_path: Path, start: StartProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the claim is not looked at once more, an attempt that thaws late replaces what was made meanwhile."""
    monkeypatch.setattr(test_hosts, "SITE", test_hosts.SITE + WITHOUT_FENCES)
    with pytest.raises(AssertionError):
        test_hosts.test_frozen_attempt_that_thaws_late_loses("main_process", tmp_path, start)
    late = tmp_path / "lab" / "dataset" / "out" / "R1.txt"
    assert late.read_text() == "made on one"
