"""`sinagot why`: what a run would do with each step of a record, and every reason.

Knows how a plan is shown; the plan is the workspace's. Keys of ``--json``: ``record_id`` and ``steps``, a list of
``step``, ``verdict`` (run, up_to_date, missing_input, blocked, excluded), ``reasons`` and ``changed``, each a list of
``code``, ``text``, ``subject``, ``old``, ``new``; ``estimate_s`` (number or null). ``changed`` tells what changed since
a result was made, also where that is no reason to run (`rerun = "missing"`); ``packages``, a list of ``name``, ``old``,
``new``, which installed packages are other versions now, which never is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from sinagot.cli.completion import known
from sinagot.cli.exits import Exit
from sinagot.cli.findings import is_group
from sinagot.cli.options import json_option, open_workspace, scope_options, workspace_options
from sinagot.cli.texts import clean, print_json, say, step_place
from sinagot.engine.accounts.packages import PackageChange, PackageNotes
from sinagot.engine.job import job_key
from sinagot.scripts.group import GROUP_ID

if TYPE_CHECKING:
    from sinagot.engine.planning.plan import Reason
    from sinagot.workspace.workspace import Workspace

__all__ = ["command"]

_WORDS = {
    "run": "would run",
    "up_to_date": "up to date",
    "missing_input": "no input",
    "blocked": "blocked",
    "excluded": "excluded",
}


@click.command(
    "why",
    epilog="""
\b
Examples:
  sinagot why REC-1                  every step of a record
  sinagot why REC-1 mean             one step
  sinagot why REC-1 --outdated       as if `rerun` were "outdated" for all steps
  sinagot why table                  a step of `group_scripts`
""",
)
@click.argument("record_id", shell_complete=known("records"), metavar="RECORD")
@click.argument("step", shell_complete=known("steps"), required=False)
@scope_options
@click.option("--outdated", is_flag=True, help='As if `rerun` were "outdated" for every step.')
@json_option
@workspace_options
def command(
    record_id: str, step: str | None, task: str | None, modality: str | None, outdated: bool, as_json: bool
) -> int:
    """Say what a run would do with a record, and why.

    Nothing is run. What changed since a result was made is told also where it is no reason to run again.
    """
    with open_workspace() as workspace:
        scope: Any = workspace.records
        if is_group(workspace, record_id):
            step = record_id if step is None and record_id != GROUP_ID else step
            record_id = GROUP_ID
        else:
            scope = scope.get(record_id)
        if task is not None or modality is not None:
            scope = scope.get_subscope(task, modality)
        rows = list(_rows(scope, record_id, step, "outdated" if outdated else None))
        changed = {step_place(row): row["reasons"] for row in _rows(scope, record_id, step, "outdated")}
        notes = PackageNotes(str(workspace.configuration.state_path))
        packages = {step_place(row): notes.changes(_key(row), step_place(row)) for row in rows}
        places = {} if as_json else dict(_places(workspace, record_id, changed))
    if as_json:
        steps = [
            _plain(row, _changes(row, changed))
            | {"packages": [one._asdict() for one in packages[step_place(row)]]}
            for row in rows
        ]
        print_json({"record_id": record_id, "steps": steps})
    else:
        for line in _lines(rows, changed, packages, places):
            say(line)
    return Exit.OK if rows else Exit.NOTHING


def _rows(scope: Any, record_id: str, step: str | None, rerun: str | None) -> Iterator[dict[str, Any]]:
    """Give the jobs of a record or, of a plan of all that comes before them, those for all records."""
    if record_id != GROUP_ID:
        yield from scope.steps.plan(step, rerun=rerun).iter_jobs()
        return
    for row in scope.steps.plan(None, until_step=step, rerun=rerun).iter_jobs():
        if row["record_id"] == GROUP_ID:
            yield row


def _changes(row: dict[str, Any], changed: dict[str, list[Reason]]) -> list[Reason]:
    """Give what changed since the result was made; nothing where there is no result."""
    told = (
        "outputs_present",
        "outputs_missing",
        "forced",
        "failed",
        "interrupted",
        "claimed",
        "upstream",
        "input_missing",
        "excluded",
        "upstream_excluded",
        "needed",
        "not_needed",
    )
    return [reason for reason in changed[step_place(row)] if reason.code not in told]


def _places(
    workspace: Workspace, record_id: str, changed: dict[str, list[Reason]]
) -> Iterator[tuple[tuple[str, str], str]]:
    """Give where a parameter that changed is written now, by step and name."""
    from sinagot.cli.texts import shortened
    from sinagot.config.problems import key_text
    from sinagot.workspace.origins import OriginFinder
    from sinagot.workspace.parameters import Parameters

    finder = OriginFinder(workspace.configuration)
    parameters = Parameters(workspace.configuration, is_lenient=True)
    graph = workspace.blueprint.graph()
    for node in (*graph.nodes, *graph.groups):
        reasons = [one for one in changed.get(node.place, ()) if one.code == "params_changed"]
        names = {one.subject for one in reasons if one.subject is not None}
        if not names or node.is_node:
            continue
        rows = list(finder.params(parameters, node, None if record_id == GROUP_ID else record_id))
        for name in names:
            key = key_text((name,))
            own = [one.place for one in rows if one.key == key or one.key.startswith(f"{key}.")]
            if own:
                yield (node.place, name), shortened(", ".join(dict.fromkeys(own)))


def _plain(row: dict[str, Any], changes: list[Reason]) -> dict[str, Any]:
    return {
        "step": step_place(row),
        "verdict": row["verdict"],
        "reasons": [reason._asdict() for reason in row["reasons"]],
        "changed": [reason._asdict() for reason in changes],
        "estimate_s": row["estimate_s"],
    }


def _key(row: dict[str, Any]) -> str:
    return job_key(row["record_id"], row["task"], row["modality"], row["step_label"])


def _lines(
    rows: list[dict[str, Any]],
    changed: dict[str, list[Reason]],
    packages: dict[str, list[PackageChange]],
    places: dict[tuple[str, str], str],
) -> Iterator[str]:
    from sinagot.config.quantities import seconds_text

    for row in rows:
        about = "" if row["estimate_s"] is None else f", about {seconds_text(row['estimate_s'])}"
        yield f"{clean(step_place(row))}: {_WORDS[row['verdict']]}{about}"
        for reason in row["reasons"]:
            yield f"    {_text(row, reason, places)}"
        further = [reason for reason in _changes(row, changed) if reason not in row["reasons"]]
        if further:
            yield "  changed since it was made, which is no reason to run again here (see --outdated):"
            for reason in further:
                yield f"    {_text(row, reason, places)}"
        if packages[step_place(row)]:
            yield "  packages that were others when it was made, which is no reason to run again:"
            for one in packages[step_place(row)]:
                yield f"    {clean(one.text)}"


def _text(row: dict[str, Any], reason: Reason, places: dict[tuple[str, str], str]) -> str:
    place = places.get((step_place(row), reason.subject or "")) if reason.code == "params_changed" else None
    return clean(f"{reason.text}, {place}" if place else reason.text)
