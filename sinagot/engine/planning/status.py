"""Status is a function of evidence, and this is the one place where it is decided.

Knows facts (outputs, marks, claims, the newest log line) as plain values; must not look anything up itself.
"""

from __future__ import annotations

from typing import NamedTuple

from sinagot.scripts.codes import StepStatus

__all__ = ["Evidence", "StepStatus", "needs_log", "step_status"]


class Evidence(NamedTuple):
    """What is known of one step of one unit."""

    outputs_present: bool
    inputs_present: bool
    #: None, "live" or "dead".
    claim: str | None = None
    #: Status on the mark of a failed attempt (40 or 42), None without one.
    failure: int | None = None
    #: Status of the newest log line of the step, None when unknown or not asked for.
    log_status: int | None = None
    #: The newest log line names a process that is known to have ended.
    log_owner_dead: bool = False
    #: Something changed since the outputs were made; only asked for where that counts.
    outdated: bool = False
    #: Somebody decided that it does not count.
    excluded: bool = False


def needs_log(evidence: Evidence) -> bool:
    """Say whether the log must be asked: outputs are missing and the state folder knows nothing of the step."""
    return not evidence.outputs_present and evidence.claim is None and evidence.failure is None


def step_status(evidence: Evidence) -> StepStatus:
    """Decide the status of a step.

    Examples
    --------
    >>> step_status(Evidence(outputs_present=True, inputs_present=True)).name
    'DONE'
    >>> step_status(Evidence(outputs_present=True, inputs_present=True, failure=40)).name
    'ERROR'
    >>> step_status(Evidence(outputs_present=False, inputs_present=True, claim="dead")).name
    'INTERRUPTED'
    """
    if evidence.excluded:
        return StepStatus.EXCLUDED
    if evidence.claim is not None:
        return StepStatus.PROCESSING if evidence.claim == "live" else StepStatus.INTERRUPTED
    if evidence.failure is not None:
        return StepStatus.INTERRUPTED if evidence.failure == StepStatus.INTERRUPTED else StepStatus.ERROR
    if evidence.outputs_present:
        return StepStatus.OUTDATED if evidence.outdated else StepStatus.DONE
    if evidence.log_status == StepStatus.ERROR:
        return StepStatus.ERROR
    if evidence.log_status == StepStatus.INTERRUPTED:
        return StepStatus.INTERRUPTED
    if evidence.log_status == StepStatus.PROCESSING:
        return StepStatus.INTERRUPTED if evidence.log_owner_dead else StepStatus.PROCESSING
    return StepStatus.DATA_READY if evidence.inputs_present else StepStatus.INIT
