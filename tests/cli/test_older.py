"""Results that are older than an input are told, where that is no reason to run."""

from __future__ import annotations

import os

from tests.cli.conftest import Invoke, Lab


def test_older_results_are_told(invoke: Invoke, make_lab: Lab) -> None:
    """Where an input is newer, a run that has nothing to do says so, and so does the status when asked; then no more."""
    lab = make_lab(1, 2)
    assert "older" not in invoke(lab, "run").stdout
    for name in ("one", "two"):
        os.utime(lab / "dataset" / name / "REC-1.txt", ns=(10**18, 10**18))
    assert invoke(lab, "run").stdout.endswith("1 result older than an input (sinagot run --outdated)\n")
    assert "1 result older than an input" in invoke(lab, "status", "-v").stdout
    assert "older" not in invoke(lab, "status").stdout
    assert "older" not in invoke(lab, "run", "--step", "two").stdout
    told = invoke(lab, "run", "--outdated").stdout
    assert "2 done" in told and "older" not in told
