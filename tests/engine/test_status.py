"""Status is a function of evidence: the whole table."""

from __future__ import annotations

import itertools

import pytest

from sinagot.engine.planning.status import Evidence, needs_log, step_status
from sinagot.utils import StepStatus

ALL = [
    Evidence(*values)
    for values in itertools.product(
        (True, False),
        (True, False),
        (None, "live", "dead"),
        (None, 40, 42),
        (None, 0, 20, 30, 40, 41, 42, 99),
        (True, False),
    )
]


def test_claims_come_first() -> None:
    """A live claim is PROCESSING and a dead one INTERRUPTED, whatever else is known."""
    for evidence in ALL:
        if evidence.claim is not None:
            expected = StepStatus.PROCESSING if evidence.claim == "live" else StepStatus.INTERRUPTED
            assert step_status(evidence) is expected


def test_marks_come_next() -> None:
    """A mark without a claim is ERROR or INTERRUPTED, also where outputs are there."""
    for evidence in ALL:
        if evidence.claim is None and evidence.failure is not None:
            expected = StepStatus.INTERRUPTED if evidence.failure == 42 else StepStatus.ERROR
            assert step_status(evidence) is expected


def test_outputs_come_before_logs_and_inputs() -> None:
    """Outputs without claim and mark are DONE, whatever a log says."""
    for evidence in ALL:
        if evidence.claim is None and evidence.failure is None and evidence.outputs_present:
            assert step_status(evidence) is StepStatus.DONE


@pytest.mark.parametrize(
    ("logged", "owner_dead", "expected"),
    [
        (40, False, StepStatus.ERROR),
        (40, True, StepStatus.ERROR),
        (42, False, StepStatus.INTERRUPTED),
        (20, False, StepStatus.PROCESSING),
        (20, True, StepStatus.INTERRUPTED),
        *[(status, dead, None) for status in (None, 0, 30, 41, 99) for dead in (True, False)],
    ],
)
def test_log_is_believed_where_nothing_else_is_known(
    logged: int | None, owner_dead: bool, expected: StepStatus | None
) -> None:
    """Without outputs, claim and mark the newest line tells of errors and work in progress; other lines leave it to the inputs."""
    for inputs in (True, False):
        found = step_status(Evidence(False, inputs, log_status=logged, log_owner_dead=owner_dead))
        assert found is (expected or (StepStatus.DATA_READY if inputs else StepStatus.INIT))


def test_log_is_asked_only_where_it_decides() -> None:
    """The log is needed where outputs are missing and the state folder knows nothing; elsewhere it changes no status."""
    for evidence in ALL:
        if not needs_log(evidence):
            assert step_status(evidence) is step_status(
                evidence._replace(log_status=None, log_owner_dead=False)
            )
        else:
            assert not evidence.outputs_present and evidence.claim is None and evidence.failure is None


def test_verdicts_of_plans_are_never_a_status() -> None:
    """BLOCKED, DATA_NOT_AVAILABLE, OUTDATED and EXCLUDED never come out."""
    found = {step_status(evidence) for evidence in ALL}
    assert found == {
        StepStatus.INIT,
        StepStatus.DATA_READY,
        StepStatus.PROCESSING,
        StepStatus.DONE,
        StepStatus.ERROR,
        StepStatus.INTERRUPTED,
    }
