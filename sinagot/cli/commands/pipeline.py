"""`sinagot pipeline`: which pipelines there are, whether they are right, what they look like, and a run of one.

Knows the command line; how pipelines are found and shown is `sinagot.cli.pipelines`'s. Keys of ``list --json``:
``pipelines`` (list of ``name``; ``kind``: step, python or template; ``file``; ``steps``; ``stages``, names;
``parameters``, list of ``name, type, default, is_required, doc, choices``; ``problem``, text or null) and ``errors``
(list of text). Of ``check --json``: ``ok``, ``pipelines`` (list of ``name, problems``) and ``errors``. Of ``run
--json``: ``pipeline``, ``run_id``, ``exit_code``, ``ok``, ``stopped_by`` (number of the signal, or null), ``message``
(why it ended early, or null), ``duration_s`` and ``stages`` (list of ``stage``, ``state``, ``duration_s``, ``error``).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import click

from sinagot.cli.completion import known
from sinagot.cli.exits import Exit
from sinagot.cli.options import json_option, open_workspace, read_settings, workspace_options

__all__ = ["command"]

_RUN_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{6,32}")
_WORDS = """
\b
A pipeline is named by its NAME in the workspace, or by its file: FILE.py, or
FILE.py:name where the file defines several.
"""


def _run_id(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Check what services call a run: it becomes the name of a folder."""
    if value is not None and _RUN_ID.fullmatch(value) is None:
        raise click.BadParameter(f"{value!r} is no run id", ctx, parameter)
    return value


def _moment(ctx: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    """Read a moment; one without a zone is UTC."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r}: {error}", ctx, parameter) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.group(
    "pipeline",
    epilog="""
\b
Examples:
  sinagot pipeline list
  sinagot pipeline check
  sinagot pipeline show night
  sinagot pipeline run night --set count=3
  sinagot pipeline run flows/night.py         a file, in a workspace or outside
"""
    + _WORDS,
)
def command() -> None:
    """List, check, show, run and export pipelines."""


@command.command("list", epilog="\b\nExamples:\n  sinagot pipeline list\n  sinagot pipeline list --json")
@json_option
@workspace_options
def list_(as_json: bool) -> int:
    """List the pipelines of the workspace.

    Those are steps whose script defines one, Python files of the folder `pipelines`, and templates of the folder
    `conf`. A file that can't be loaded hides no other. Exit code 5 when there is none.
    """
    from sinagot.cli.failures import plain
    from sinagot.cli.pipelines import list_json, list_lines
    from sinagot.cli.texts import note, print_json, say, shortened, warn

    workspace = open_workspace()
    pipelines = workspace.pipelines
    if as_json:
        print_json(
            {"pipelines": list_json([*pipelines.values()]), "errors": [str(one) for one in pipelines.errors]}
        )
    elif pipelines:
        for line in list_lines([*pipelines.values()], workspace.configuration.root):
            say(line)
    for error in pipelines.errors if not as_json else ():
        warn(shortened(plain(error)))
    if not pipelines and not pipelines.errors:
        note(
            "No pipeline here: a script may define one in place of a class Script, and so may a file in pipelines/"
        )
    return Exit.OK if pipelines or pipelines.errors else Exit.NOTHING


@command.command(
    "check",
    epilog="""
\b
Examples:
  sinagot pipeline check                      all of the workspace
  sinagot pipeline check night bands
  sinagot pipeline check flows/night.py

Exit code 4 when something is wrong; all that is wrong is told.
""",
)
@click.argument("names", nargs=-1, metavar="[NAME|FILE]...", shell_complete=known("pipelines"))
@json_option
@workspace_options
def check(names: tuple[str, ...], as_json: bool) -> int:
    """Check pipelines without running anything.

    Looked at are files and templates, stages and their arguments, parameters and where they are written, and tables of
    [pipelines] that are about none.
    """
    from sinagot.cli.pipelines import find_pipeline, tell_problems
    from sinagot.cli.texts import note, print_json

    errors: list[str] = []
    if names:
        found = [find_pipeline(name) for name in names]
    else:
        from sinagot.workspace.pipelines.checking import stray_tables_of

        workspace = open_workspace()
        pipelines = workspace.pipelines
        found = [*pipelines.values()]
        errors = [*map(str, pipelines.errors), *stray_tables_of(workspace, pipelines)]
    problems = [(one.name, one.problems()) for one in found]
    is_ok = not errors and not any(texts for _, texts in problems)
    if as_json:
        rows = [{"name": name, "problems": texts} for name, texts in problems]
        print_json({"ok": is_ok, "pipelines": rows, "errors": errors})
    else:
        for name, texts in problems:
            tell_problems(name, texts)
        if errors:
            tell_problems("workspace", errors)
        if not problems and not errors:
            note("No pipeline here.")
    return Exit.OK if is_ok else Exit.INVALID


@command.command(
    "show",
    epilog="\b\nExamples:\n  sinagot pipeline show night\n  sinagot pipeline show night --form mermaid\n"
    + _WORDS,
)
@click.argument("name", metavar="NAME|FILE", shell_complete=known("pipelines"))
@click.option(
    "--form",
    type=click.Choice(["text", "mermaid", "dot", "json"]),
    default="text",
    help="For people, for Mermaid, for Graphviz, or for programs.  [text]",
)
@workspace_options
def show(name: str, form: str) -> int:
    """Show what a pipeline is made of: parameters, stages, and what they take from where."""
    from sinagot.cli.pipelines import find_pipeline
    from sinagot.cli.texts import say

    say(find_pipeline(name).describe(form))
    return Exit.OK


@command.command(
    "run",
    epilog="""
\b
Examples:
  sinagot pipeline run night
  sinagot pipeline run night --set count=3 --set day=2026-01-31
  sinagot pipeline run flows/night.py:tidy --json

\b
Exit codes:
  0  all stages are done, or one has ended the pipeline early
  3  a stage failed; what depends on it was skipped
  4  pipeline, configuration or a parameter is wrong: nothing has run
  5  there is no such pipeline
  130 Ctrl-C, 143 SIGTERM: running stages get a while to end, nothing new is
     started; a second Ctrl-C ends them at once

A pipeline that reads files of a record is a step: sinagot run --step NAME.
"""
    + _WORDS,
)
@click.argument("name", metavar="NAME|FILE", shell_complete=known("pipelines"))
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Give a parameter, for this run.")
@click.option("--run-id", hidden=True, metavar="ID", callback=_run_id, help="What the run is called.")
@click.option(
    "--release", hidden=True, metavar="TIME", callback=_moment, help="The moment that it is for, ISO."
)
@click.option(
    "--params-from", "file", hidden=True, metavar="FILE", help="Parameters as JSON; - is standard input."
)
@json_option
@workspace_options
def run(
    name: str,
    settings: tuple[str, ...],
    run_id: str | None,
    release: datetime | None,
    file: str | None,
    as_json: bool,
) -> int:
    """Run a pipeline for no record.

    In a workspace it is a run as any other: `sinagot runs` tells of it, and its log is that of `pipelines/NAME`.
    """
    from sinagot.cli.pipelines import carry_out, find_pipeline, read_given

    params = {**(read_given(file) if file else {}), **read_settings(settings)}
    return carry_out(find_pipeline(name), params, as_json=as_json, run_id=run_id, logical_date=release)


@command.command(
    "export",
    epilog="\b\nExamples:\n  sinagot pipeline export night --airflow dags/night.py\n" + _WORDS,
)
@click.argument("name", metavar="NAME|FILE", shell_complete=known("pipelines"))
@click.option(
    "--airflow",
    "file",
    metavar="FILE",
    required=True,
    type=click.Path(),
    help="Write a DAG file for Airflow.",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that was not made here.")
@workspace_options
def export(name: str, file: str, overwrite: bool) -> int:
    """Write a pipeline down for another scheduler: a task per stage, the same edges."""
    from sinagot.cli.pipelines import find_pipeline
    from sinagot.cli.texts import clean, say

    written = find_pipeline(name).to_airflow(file, overwrite=overwrite)
    say(f"Wrote {clean(str(written))}")
    return Exit.OK


@command.command("answer", hidden=True)
@click.argument("descriptor", type=int)
@workspace_options
def answer(descriptor: int) -> int:
    """Tell a program of ours which pipelines there are: code of the user is loaded here, and not there."""
    from sinagot.schedule.examiner import answer_questions

    answer_questions(lambda: open_workspace(show_warnings=False), descriptor)
    return Exit.OK
