"""`sinagot report`: figures about a study. `flow` tells where its records have gone.

Knows how counts are shown; they are the workspace's, and add up. Keys of ``flow --json``: ``steps`` (a list), ``jobs``
and ``records``, each with ``name``, ``task``, ``modality``, ``step`` (null where it is not about one), ``found``,
``excluded`` (object, reason -> number), ``places`` (object: excluded, missing_input, failed, interrupted, running,
ready, waiting, outdated, done -> number; their sum is ``found``), ``without_input``; ``strays`` (list of record ids).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from sinagot.cli.completion import known
from sinagot.cli.exits import Exit
from sinagot.cli.options import (
    choose_records,
    json_option,
    open_workspace,
    record_option,
    scope_options,
    workspace_options,
)

if TYPE_CHECKING:
    from sinagot.workspace.flows import FlowReport

__all__ = ["command"]


@click.group(
    "report",
    epilog="""
\b
Examples:
  sinagot report flow
  sinagot report flow --mermaid > flow.mmd
""",
)
def command() -> None:
    """Say where the records of the study have gone."""


@command.command(
    "flow",
    epilog="""
\b
Examples:
  sinagot report flow
  sinagot report flow --task RS --modality EEG
  sinagot report flow --mermaid > flow.mmd
  sinagot report flow --json

Each row adds up to the number of records found. The row "records" counts each
record where the worst of its steps stands; exclusions are told by their reasons.
""",
)
@scope_options
@record_option
@click.option("--step", shell_complete=known("steps"), metavar="NAME", help="Only this step.")
@click.option("--mermaid", is_flag=True, help="Print a figure, as text for Mermaid.")
@json_option
@workspace_options
def flow(
    task: str | None,
    modality: str | None,
    records: tuple[str, ...],
    step: str | None,
    mermaid: bool,
    as_json: bool,
) -> int:
    """Count found -> excluded -> missing input -> failed -> done, for each step and for all."""
    from sinagot.cli.findings import check_step, tell_nothing_found, tell_problems
    from sinagot.cli.texts import note, print_json, say

    if mermaid and as_json:
        raise click.UsageError("--mermaid and --json: which of them?")
    workspace = open_workspace()
    scope = choose_records(workspace, task, modality, records)
    check_step(scope, step)
    report = scope.report_flow(step)
    tell_problems(workspace)
    is_empty = not report.steps or not (report.records.found or report.strays)
    if as_json:
        print_json(report.as_json())
    elif mermaid:
        say(report.mermaid().rstrip("\n"))
    elif not is_empty:
        for line in _lines(report):
            say(line)
    if is_empty and not report.steps:
        note("No step is configured here.")
    elif is_empty:
        tell_nothing_found(scope)
    return Exit.NOTHING if is_empty else Exit.OK


def _lines(report: FlowReport) -> Iterator[str]:
    from sinagot.cli.texts import clean, columns, plain_list
    from sinagot.engine.accounts.flow import PLACES, WITHOUT_INPUT, WORDS

    rows = report.rows
    used = [place for place in PLACES if place == "done" or any(one.places[place] for one in rows)]
    table = [["", "found", *(WORDS[place] for place in used)]]
    table += [
        [clean(one.name), f"{one.found:,}", *(f"{one.places[place]:,}" for place in used)] for one in rows
    ]
    yield from columns(table, right=range(1, len(used) + 2))
    jobs, records = report.jobs.excluded, report.records.excluded
    if jobs:
        yield ""
        cells = [["excluded", "jobs", "records"]]
        cells += [[clean(why), f"{count:,}", f"{records.get(why, 0):,}"] for why, count in jobs.items()]
        yield from columns(cells, right=[1, 2])
    counts = {one.name: one.without_input for one in report.steps if one.without_input}
    if counts:
        parts = ", ".join(f"{clean(name)} {count:,}" for name, count in counts.items())
        yield ""
        yield f"{WITHOUT_INPUT.capitalize()}: {parts}"
        if report.strays:
            yield f"  records that were not found: {clean(plain_list(report.strays))}"
