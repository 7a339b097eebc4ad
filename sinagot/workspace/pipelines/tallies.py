"""What a run came to, record by record, as outputs of a stage: plain lists of ids.

Knows reports; must not know stages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sinagot.engine.job import Outcome
from sinagot.scripts.group import GROUP_ID

if TYPE_CHECKING:
    from sinagot.engine.accounts.report import RunReport

__all__ = ["first_failure", "tally_of"]

#: What a record is, by the first of these that one of its steps came to.
_WORST = (
    Outcome.FAILED,
    Outcome.INTERRUPTED,
    Outcome.BLOCKED,
    Outcome.NOT_BEGUN,
    Outcome.MISSING_INPUT,
    Outcome.EXCLUDED,
    Outcome.DONE,
    Outcome.UP_TO_DATE,
)


def tally_of(report: RunReport) -> dict[str, Any]:
    """Give the outputs of a run.

    Parameters
    ----------
    report : RunReport
        Of a run that is over.

    Returns
    -------
    dict of str to object
        A list of record ids for each outcome, each id in one of them; ``good``, those that are done or were up to date;
        ``counts`` of jobs; ``run_id``; ``failures``, each with ``step``, ``cause`` and ``records``.
    """
    found: dict[str, int] = {}
    for row in report.iter_jobs():
        outcome = Outcome.DONE if row["outcome"] == Outcome.DONE_ELSEWHERE else row["outcome"]
        if row["record_id"] != GROUP_ID and outcome in _WORST:
            place = _WORST.index(outcome)
            found[row["record_id"]] = min(place, found.get(row["record_id"], place))
    lists = {
        str(outcome): [record for record, one in found.items() if one == place]
        for place, outcome in enumerate(_WORST)
    }
    failures = [
        {"step": group.step, "cause": group.cause, "records": list(group.records)}
        for group in report.failures
    ]
    good = (Outcome.DONE, Outcome.UP_TO_DATE)
    lists["good"] = [record for record, one in found.items() if _WORST[one] in good]
    return {**lists, "counts": dict(report.counts), "run_id": report.run_id, "failures": failures}


def first_failure(report: RunReport, outputs: dict[str, Any]) -> str:
    """Say how many records failed, and the most frequent cause.

    Parameters
    ----------
    report : RunReport
        Of a run in which something failed.
    outputs : dict
        As of `tally_of`.
    """
    bad = sum(len(outputs[outcome]) for outcome in _WORST[:3])
    all_ = sum(len(outputs[outcome]) for outcome in _WORST)
    told = f"{bad} of {all_} record{'s' * (all_ != 1)} failed" if bad else "a step for all records failed"
    if outputs["failures"]:
        first = outputs["failures"][0]
        told += f"; {first['step']}: {first['cause']} ({len(first['records'])} times, first {first['records'][0]})"
    return told
