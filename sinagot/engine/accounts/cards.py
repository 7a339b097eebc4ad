"""A run's report as HTML, for notebooks.

Knows reports; must not know workspaces. What takes long to find out (what differs between records) is left to those who
ask for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sinagot.engine.accounts.runs import RunFacts
from sinagot.engine.html import (
    Markup,
    bar,
    chip,
    code,
    facts,
    fold,
    joined,
    legend,
    paragraph,
    problem,
    table,
    told,
    wrapped,
)
from sinagot.engine.pace import duration_text
from sinagot.engine.words import OUTCOMES, STATUS, VERDICTS
from sinagot.scripts.group import GROUP_ID

__all__ = ["named", "report_card", "run_card", "runs_card"]

_MOST_CAUSES = 10
_MOST_RUNS = 10
_MOST_WARNINGS = 5
_MOST_NAMED = 5
_LONGEST_MESSAGE = 300


def report_card(report: Any) -> Markup:
    """Draw a report.

    Parameters
    ----------
    report : RunReport
        Of a run, or of a dry one; the run may be going on.
    """
    return told(f"{'Dry run' if report.dry else 'Run'} {report.run_id}", _parts(report))


def _parts(report: Any) -> Iterator[Markup]:
    counts = report.counts
    yield paragraph(_verdict(report))
    if report.plan:
        counts = {"run": len(report.plan), **counts}
    words = {"run": VERDICTS["run"], **OUTCOMES}
    if any(counts.values()):
        yield bar(counts, words, report.total)
        yield paragraph(legend(counts, words))
    if report.stopped_because is not None:
        yield problem(report.stopped_because)
    groups = report.failures
    if groups:
        yield paragraph("Failures by cause:")
        yield table(["step", "", "cause", "records"], map(_row, groups), most=_MOST_CAUSES, total=len(groups))
    for warning in report.warnings[:_MOST_WARNINGS]:
        yield problem(f"Warning: {warning}")
    if len(report.warnings) > _MOST_WARNINGS:
        yield paragraph(f"... and {len(report.warnings) - _MOST_WARNINGS:,} more warnings")


def _verdict(report: Any) -> Markup:
    """Say in one line how it is."""
    if report.is_running:
        return joined(chip(STATUS["PROCESSING"]), f"{report.total:,} jobs of {report.n_records:,} records")
    about = f"{report.total:,} jobs of {report.n_records:,} records"
    if report.dry:
        return joined(about, "; nothing was done")
    if not report.ok:
        ending = chip(OUTCOMES["interrupted" if report.stopped_by is not None else "failed"])
    else:
        ending = chip(OUTCOMES["done"] if report.total else OUTCOMES["up_to_date"])
    return joined(ending, about, f" in {duration_text(report.duration)}")


def _row(group: Any) -> Sequence[object]:
    cause = group.cause
    if len(cause) > _LONGEST_MESSAGE:
        cause = f"{cause[:_LONGEST_MESSAGE]} ..."
    stage = joined(", in stage ", code(group.stage)) if group.stage else ""
    more = [joined("at ", code(group.where), stage)] if group.where else []
    if group.traceback:
        more.append(fold("traceback", Markup(f"<pre>{joined(group.traceback)}</pre>")))
    whose = "all records" if GROUP_ID in group.records else named(group.records)
    lines = Markup("<br>").join([code(cause), *more])
    return [
        group.step,
        chip(OUTCOMES[group.outcome]),
        Markup(lines),
        joined(f"{group.count:,}: ", wrapped(whose)),
    ]


def runs_card(ids: Sequence[str], look_up: Callable[[str], RunFacts]) -> Markup:
    """Draw the newest runs of a workspace.

    Parameters
    ----------
    ids : sequence of str
        All runs, newest first.
    look_up : callable
        Gives what is known of one; asked for those that are shown only.
    """
    return told(f"{len(ids):,} runs" if len(ids) != 1 else "1 run", _runs_parts(ids, look_up))


def _runs_parts(ids: Sequence[str], look_up: Callable[[str], RunFacts]) -> Iterator[Markup]:
    rows = (
        (
            found.run_id,
            _state_chip(found),
            _took(found),
            bar(found.counts, OUTCOMES, found.jobs),
            _legend(found),
        )
        for found in map(look_up, ids)
    )
    if not ids:
        yield paragraph("nothing has run here yet")
        return
    yield table(["run", "", "took", "", "jobs"], rows, most=_MOST_RUNS, total=len(ids))


def run_card(run: RunFacts) -> Markup:
    """Draw what is known of one run."""
    return told(f"Run {run.run_id}", _run_parts(run))


def _run_parts(run: RunFacts) -> Iterator[Markup]:
    yield paragraph(_state_chip(run), _took(run))
    yield bar(run.counts, OUTCOMES, run.jobs)
    yield paragraph(_legend(run))
    rows = [("command", code(run.command) if run.command else ""), ("host", run.host), ("user", run.user)]
    yield facts([*rows, ("mode", run.mode), ("started", run.start)])
    if run.stopped_because:
        yield problem(run.stopped_because)
    for warning in run.warnings[:_MOST_WARNINGS]:
        yield problem(f"Warning: {warning}")


def _legend(run: RunFacts) -> Markup:
    return legend(run.counts, OUTCOMES)


def _state_chip(run: RunFacts) -> Markup:
    """Say how a run stands: its state, and whether all went well."""
    if run.state == "running":
        return chip(STATUS["PROCESSING"])
    if run.state == "ended":
        return chip(OUTCOMES["done" if run.ok else "failed"])
    return chip(OUTCOMES["interrupted"]._replace(text=run.state))


def _took(run: RunFacts) -> str:
    return "" if run.duration_s is None else duration_text(run.duration_s)


def named(ids: Sequence[str], most: int = _MOST_NAMED) -> str:
    """Write the first of some ids, and how many more there are.

    Examples
    --------
    >>> named(["a", "b", "c"], most=2)
    'a, b ... and 1 more'
    """
    shown = ", ".join(ids[:most])
    return f"{shown} ... and {len(ids) - most:,} more" if len(ids) > most else shown
