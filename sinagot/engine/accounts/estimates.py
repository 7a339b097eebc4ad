"""About how long a plan takes, from how long its jobs took before.

Knows a planned report and what earlier attempts measured; must not decide anything.
"""

from __future__ import annotations

from sinagot.engine.accounts.report import RunReport
from sinagot.engine.planning.plan import Verdict
from sinagot.engine.state.origins import Origins

__all__ = ["estimate"]


def estimate(report: RunReport, origins: Origins) -> None:
    """Say how long each job that would run took last time, or its step takes on average.

    Parameters
    ----------
    report : RunReport
        Of a dry run; its `estimates` are filled.
    origins : Origins
        What is known of earlier attempts.
    """
    ledger = report.ledger
    jobs = [at for at, planned in report.planned.items() if planned.verdict == Verdict.RUN]
    known: dict[int, list[float]] = {}
    for record, number in jobs:
        origin = origins.get(ledger.graph.node(number).key(ledger.id_of(record, number)))
        if origin is not None:
            report.estimates[record, number] = origin.duration
            known.setdefault(number, []).append(origin.duration)
    for number in {number for _, number in jobs} - known.keys():
        known[number] = origins.durations_of(ledger.graph.node(number).place_key)
    for record, number in jobs:
        if known[number]:
            mean = sum(known[number]) / len(known[number])
            report.estimates.setdefault((record, number), mean)
