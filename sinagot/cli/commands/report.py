"""`sinagot report`: what a paper, a colleague or an archive wants to know of a study.

Knows where reports go; texts and pages are made in `sinagot.workspace.reports`. Keys of ``flow --json``: ``steps`` (a
list), ``jobs`` and ``records``, each with ``name``, ``task``, ``modality``, ``step`` (null where it is not about
one), ``found``, ``excluded`` (object, reason -> number), ``places`` (object: excluded, missing_input, failed,
interrupted, running, ready, waiting, outdated, done -> number; their sum is ``found``), ``without_input``; ``strays``
(list of record ids). Keys of ``methods --json``: ``run`` (null for all), ``paragraph``, ``workspace``, ``runs``
(number), ``span`` (first and last moment), ``versions`` and ``packages`` (object, name -> version -> number of runs;
null where not recorded), ``steps`` (with ``params``: key, value, origin, record_id), ``overrides`` (run -> parameters),
``counts``, ``flow`` (as above; null for one run), ``exclusions``, ``durations`` (step -> seconds), ``citation``.
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
    from sinagot.workspace.reports.flows import FlowReport
    from sinagot.workspace.reports.study import Study

__all__ = ["command"]


@click.group(
    "report",
    epilog="""
\b
Examples:
  sinagot report flow
  sinagot report flow --mermaid > flow.mmd
  sinagot report methods > methods.md
  sinagot report html -o report.html
  sinagot report html last
""",
)
def command() -> None:
    """Write reports: where the records have gone, the text for a paper, a page."""


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


@command.command(
    "methods",
    epilog="""
\b
Examples:
  sinagot report methods > methods.md
  sinagot report methods last
  sinagot report methods --json

RUN is "all" (the records as they stand now, and all runs), "last", or the id of
a run, or its beginning or end. Exit code 5 when there is no such run.
""",
)
@click.argument("run", default="all")
@json_option
@workspace_options
def methods(run: str, as_json: bool) -> int:
    """Write what a paper says: a paragraph, versions, parameters, counts, exclusions."""
    from sinagot.cli.texts import print_json, say
    from sinagot.workspace.reports.methods import MethodsReport

    report = MethodsReport(_study(run))
    if as_json:
        print_json(report.as_json())
    else:
        say(report.markdown().rstrip("\n"))
    return Exit.OK


@command.command(
    "html",
    epilog="""
\b
Examples:
  sinagot report html
  sinagot report html last -o run.html
  sinagot report html 20260131T235959 -o - | less

One file that needs nothing else: no network, no script, no sinagot. RUN is "all" (the
records as they stand now, and all runs), "last", or the id of a run, or its beginning or
end. Exit code 5 when there is no such run.
""",
)
@click.argument("run", default="all")
@click.option(
    "-o",
    "--output",
    default=None,
    metavar="FILE",
    help="Where to write; report.html, or report-RUN.html, in the current folder when not given; - prints it.",
)
@click.option("--force", is_flag=True, help="Replace a file that is no report of sinagot.")
@workspace_options
def html(run: str, output: str | None, force: bool) -> int:
    """Write one page with everything: counts, grid, failures, durations, versions, decisions."""
    from pathlib import Path

    from sinagot.cli.texts import clean, say, short_path
    from sinagot.workspace.reports.page import is_page, page_of, save_page

    study = _study(run)
    if output == "-":
        click.echo(page_of(study).encode(), nl=False)
        return Exit.OK
    file = Path(output or ("report.html" if study.run is None else f"report-{study.run.run_id}.html"))
    if file.is_dir():
        file = file / "report.html"
    if file.exists() and not (force or is_page(file)):
        raise click.UsageError(f"{file} is there already and is no report of sinagot; --force replaces it")
    say(f"Written: {clean(short_path(str(save_page(study, file))))}")
    return Exit.OK


def _study(run: str) -> Study:
    from sinagot.cli.findings import tell_problems
    from sinagot.workspace.reports.study import study_of

    workspace = open_workspace()
    study = study_of(workspace, run)
    tell_problems(workspace)
    return study


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
