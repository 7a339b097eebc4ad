"""How a plan is shown: jobs counted by step and reason, then one by one.

Knows plans and words; must not decide anything. `run --dry-run` and `plan` show the same object by the same lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sinagot.cli.exclusions import excluded_lines
from sinagot.cli.options import workspace_words
from sinagot.cli.texts import clean, columns, command_line, counted, painted, shortened, step_place
from sinagot.engine.pace import duration_text
from sinagot.engine.planning.plan import Verdict
from sinagot.engine.words import OUTCOMES
from sinagot.workspace.plans import Plan

if TYPE_CHECKING:
    from sinagot.engine.accounts.report import RunReport
    from sinagot.engine.planning.plan import Reason

__all__ = ["plan_lines"]

#: Jobs that are shown one by one, and kinds of jobs that are counted.
_MOST_JOBS = 20
_MOST_KINDS = 30
_LONGEST_REASON = 100
#: What reasons have in common whose text names files, jobs or people, by code; other texts are said as they are.
_KINDS = {
    "outputs_missing": "output not there",
    "input_missing": "input not there",
    "input_changed": "an input changed",
    "input_newer": "an input is newer than the output",
    "input_added": "an input is new",
    "input_removed": "an input is gone",
    "output_changed": "the output is not what was made",
    "paths_changed": "the declared paths changed",
    "params_changed": "a parameter changed",
    "upstream": "the step before it failed or is unfinished",
    "upstream_excluded": "the step before it is excluded",
    "upstream_runs": "the step before it is made again",
}
#: Verdicts in the order in which they are told.
_ORDER = (
    Verdict.RUN,
    Verdict.BLOCKED,
    Verdict.MISSING_INPUT,
    Verdict.EXCLUDED,
    Verdict.UP_TO_DATE,
)


def plan_lines(report: RunReport, *, all_jobs: bool = False) -> Iterator[str]:
    """Give what a run would do, and why.

    Parameters
    ----------
    report : RunReport
        Of a dry run.
    all_jobs : bool
        Show every job, also what is up to date.

    Yields
    ------
    str
        One line. Without `all_jobs` some twenty jobs are shown, none of them up to date: all are counted.
    """
    shown = _Shown(report, all_jobs=all_jobs)
    if shown.rows:
        yield from shown.kind_lines()
        yield ""
        yield from shown.job_lines()
        yield ""
    yield _last_line(report, shown.estimate)
    yield from excluded_lines(report)


def _last_line(report: RunReport, estimate: float | None) -> str:
    facts = [f"{counted(len(report.plan), 'job')} would run"]
    if estimate is not None:
        facts[0] += f" (about {duration_text(estimate)} of work)"
    facts += [f"{count:,} {OUTCOMES[outcome].text}" for outcome, count in report.counts.items() if count]
    return f"Dry run: {', '.join(facts)}; nothing was done."


class _Shown:
    """The jobs of a plan, counted by kind, and the first of them as rows of a table.

    Parameters
    ----------
    report : RunReport
        Of a dry run.
    all_jobs : bool
        Keep every job.
    """

    def __init__(self, report: RunReport, *, all_jobs: bool) -> None:
        plan = Plan(report)
        self.estimate = plan.estimate
        self.rows: list[dict[str, Any]] = []
        self._left_out = 0
        #: Step, verdict and why -> number of jobs, and seconds.
        self._kinds: dict[tuple[str, str, str], list[Any]] = {}
        for row in plan.iter_jobs():
            kind = (step_place(row), row["verdict"], "; ".join(dict.fromkeys(map(_kind, row["reasons"]))))
            counts = self._kinds.setdefault(kind, [0, None])
            counts[0] += 1
            if row["estimate_s"] is not None:
                counts[1] = (counts[1] or 0.0) + row["estimate_s"]
            if all_jobs:
                self.rows.append(row)
            elif row["verdict"] != Verdict.UP_TO_DATE:
                if len(self.rows) < _MOST_JOBS:
                    self.rows.append(row)
                else:
                    self._left_out += 1

    def kind_lines(self) -> Iterator[str]:
        """Give how many jobs there are of each kind: what would run first, the most first."""
        steps = list(dict.fromkeys(step for step, _, _ in self._kinds))
        kinds = sorted(
            self._kinds.items(), key=lambda one: (_ORDER.index(one[0][1]), steps.index(one[0][0]), -one[1][0])
        )
        cells = [
            [clean(step), _word(verdict), f"{count:,}", _about(seconds), clean(_cut(why))]
            for (step, verdict, why), (count, seconds) in kinds[:_MOST_KINDS]
        ]
        yield from self._table(["step", "", "jobs", "about", "why"], cells, word=1, about=3, right=2)
        if len(kinds) > _MOST_KINDS:
            more = counted(len(kinds) - _MOST_KINDS, "more kind")
            yield f"... and {more} of jobs; every job: {command_line(*workspace_words(), 'plan', '--json')}"

    def job_lines(self) -> Iterator[str]:
        """Give the jobs that were kept, in running order."""
        cells = [
            [
                clean(row["record_id"]),
                clean(step_place(row)),
                _word(row["verdict"]),
                _about(row["estimate_s"]),
                clean(shortened("; ".join(reason.text for reason in row["reasons"]))),
            ]
            for row in self.rows
        ]
        yield from self._table(["record", "step", "", "about", "why"], cells, word=2, about=3)
        if self._left_out:
            jobs = counted(self._left_out, "more job")
            yield f"... and {jobs}; all of them: {command_line(*workspace_words(), 'plan', '--all')}"

    def _table(
        self, head: list[str], cells: list[list[str]], *, word: int, about: int, right: int | None = None
    ) -> Iterator[str]:
        words = [row[word] for row in cells]
        rows: Sequence[list[str]] = [head, *cells]
        if self.estimate is None:  # nothing is known, or nothing runs: no empty column
            rows = [row[:about] + row[about + 1 :] for row in rows]
        lines = columns(rows, right=() if right is None else (right,))
        yield lines[0]
        for line, text in zip(lines[1:], words, strict=True):
            yield painted(text, line)


def _kind(reason: Reason) -> str:
    return _KINDS.get(reason.code, reason.text)


def _word(verdict: str) -> str:
    return "would run" if verdict == Verdict.RUN else OUTCOMES[verdict].text


def _about(seconds: float | None) -> str:
    return "" if seconds is None else duration_text(seconds)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]} ..."
