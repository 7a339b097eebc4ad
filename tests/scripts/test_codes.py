"""The numbers stand in log files."""

from __future__ import annotations

import json

from sinagot.scripts.codes import StepStatus


def test_values_never_change() -> None:
    """The integers of all states are those that log files hold."""
    assert {status.name: int(status) for status in StepStatus} == {
        "INIT": 0,
        "DATA_READY": 10,
        "PROCESSING": 20,
        "DONE": 30,
        "OUTDATED": 31,
        "ERROR": 40,
        "DATA_NOT_AVAILABLE": 41,
        "INTERRUPTED": 42,
        "BLOCKED": 43,
        "EXCLUDED": 50,
    }


def test_status_is_a_number_in_json() -> None:
    """A status is written as its number."""
    assert json.dumps({"step_status": StepStatus.DONE}) == '{"step_status": 30}'
