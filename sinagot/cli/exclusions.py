"""How exclusions are told: by `sinagot run`, `exclude` and `include`.

Knows decisions and words; must not decide what is excluded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sinagot.cli.texts import clean, counted, plain_list

if TYPE_CHECKING:
    from sinagot.engine.accounts.report import RunReport
    from sinagot.engine.state.decisions import Decision

__all__ = ["decision_lines", "excluded_lines"]

_MOST_REASONS = 5


def excluded_lines(report: RunReport) -> Iterator[str]:
    """Say which records of a run were left out, wholly or in part, and why.

    Parameters
    ----------
    report : RunReport
        Of a run or a dry run.

    Yields
    ------
    str
        One line a reason; nothing when nothing is excluded.
    """
    if not report.counts["excluded"]:
        return
    records: dict[str, dict[str, None]] = {}
    for row in report.iter_jobs():
        if row["outcome"] == "excluded":
            records.setdefault(row["reason"] or "", {})[row["record_id"]] = None
    yield ""
    for why, ids in list(records.items())[:_MOST_REASONS]:
        yield f"Excluded: {counted(len(ids), 'record')}: {clean(plain_list(list(ids)))} ({clean(why)})"
    if len(records) > _MOST_REASONS:
        yield f"  ... and {counted(len(records) - _MOST_REASONS, 'more reason')}; all of them: sinagot exclude --list"


def decision_lines(decisions: Iterable[Decision]) -> Iterator[str]:
    """Write decisions for people.

    Parameters
    ----------
    decisions : iterable of Decision
        What is told.

    Yields
    ------
    str
        One line a decision.
    """
    for one in decisions:
        yield f"{clean(one.target.text)}: {clean(one.text)}"
