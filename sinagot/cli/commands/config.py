"""`sinagot config`: what holds, and who said so.

Knows how values are shown; what holds is the workspace's. Keys of ``show --json``: ``configuration`` (list of values;
without RECORD only), ``steps``, a list of ``step``, ``task``, ``modality``, ``step_label``, ``settings`` and ``params``
(lists of values), and ``pipelines`` (without RECORD only, those that are no steps), a list of ``pipeline``, ``kind``,
``problem`` (text or null) and ``params``, whose values have a ``type`` as well. A value has ``key``, ``value``,
``origin`` (key of the table that holds it, ``default``, ``argument``, ``this run`` or words), ``file`` and ``line``
(null where no file has it).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from sinagot.cli.completion import known
from sinagot.cli.exits import Exit
from sinagot.cli.options import json_option, open_workspace, read_settings, scope_options, workspace_options

if TYPE_CHECKING:
    from sinagot.engine.planning.graph import StepNode
    from sinagot.workspace.origins import Shown
    from sinagot.workspace.pipelines.catalogue import HousePipeline
    from sinagot.workspace.workspace import Workspace

__all__ = ["command"]

#: Characters of a value; the whole is in the JSON.
_LONGEST_VALUE = 120


@click.group(
    "config",
    epilog="""
\b
Examples:
  sinagot config show
  sinagot config show REC-7 alpha
""",
)
def command() -> None:
    """Show the configuration and the parameters that hold."""


@command.command(
    "show",
    epilog="""
\b
Examples:
  sinagot config show                       configuration, and parameters of every step
  sinagot config show REC-7                 parameters of a record
  sinagot config show REC-7 alpha           of one step
  sinagot config show REC-7 alpha --set low=8.5

Beside each value stands where it comes from: file and line, the script's class,
or "default".
""",
)
@click.argument("record_id", shell_complete=known("records"), metavar="[RECORD]", required=False)
@click.argument("step", shell_complete=known("steps"), metavar="[STEP]", required=False)
@scope_options
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="As if this parameter were given to a run."
)
@json_option
@workspace_options
def show(
    record_id: str | None,
    step: str | None,
    task: str | None,
    modality: str | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> int:
    """Show every value that holds, and where it comes from."""
    from sinagot.cli.findings import check_step
    from sinagot.cli.texts import print_json, say

    override = read_settings(settings)
    workspace = open_workspace()
    scope: Any = workspace.records if record_id is None else workspace.records.get(record_id)
    if task is not None or modality is not None:
        scope = scope.get_subscope(task, modality)
    check_step(scope, step)
    nodes = [*workspace.nodes_of(scope, step), *workspace.groups_of(scope, step)]
    found = _Found(workspace, nodes, record_id, override)
    if record_id is None and task is None and modality is None:
        found.look_at_pipelines(workspace, override)
    if as_json:
        print_json(found.as_json())
    else:
        for line in found.lines():
            say(line)
    return Exit.OK


class _Found:
    """Values with their origins."""

    def __init__(
        self, workspace: Workspace, nodes: Sequence[StepNode], record_id: str | None, override: dict[str, Any]
    ) -> None:
        from sinagot.workspace.origins import OriginFinder
        from sinagot.workspace.parameters import Parameters

        finder = OriginFinder(workspace.configuration)
        parameters = Parameters(workspace.configuration, override)
        self.configuration = list(finder.configuration(_told_apart(workspace))) if record_id is None else None
        self.steps: list[tuple[StepNode, list[Shown], list[Shown]]] = []
        for node in nodes:
            if node.error is None and not node.is_node:
                of_class = workspace.blueprint.library.spec(node.label, node.modality, node.task).settings
                params = list(finder.params(parameters, node, record_id))
                self.steps.append((node, list(finder.settings(node, of_class)), params))
        self.broken = [node for node in nodes if node.error is not None]
        self.pipelines: list[tuple[HousePipeline, list[Shown], dict[str, str], str | None]] = []

    def look_at_pipelines(self, workspace: Workspace, override: dict[str, Any]) -> None:
        """Take in the parameters of pipelines that are no steps, with the names of their types."""
        from sinagot.errors import SinagotError

        for one in workspace.pipelines.values():
            if one.kind == "step":
                continue
            try:
                types = {param.name: param.type for param in one.description().parameters}
                given = {name: value for name, value in override.items() if name in types}
                self.pipelines.append((one, one.parameters(**given), types, None))
            except SinagotError as error:
                self.pipelines.append((one, [], {}, str(error)))

    def as_json(self) -> dict[str, Any]:
        """Give plain values."""
        steps = [
            {
                "step": node.place,
                "task": node.task,
                "modality": node.modality,
                "step_label": node.label,
                "settings": [one._asdict() for one in settings],
                "params": [one._asdict() for one in params],
            }
            for node, settings, params in self.steps
        ]
        if self.configuration is None:
            return {"steps": steps}
        pipelines = [
            {
                "pipeline": one.name,
                "kind": one.kind,
                "problem": problem,
                "params": [{**value._asdict(), "type": types.get(value.key)} for value in values],
            }
            for one, values, types, problem in self.pipelines
        ]
        configuration = [one._asdict() for one in self.configuration]
        return {"configuration": configuration, "steps": steps, "pipelines": pipelines}

    def lines(self) -> Iterator[str]:
        """Give the values for people."""
        from sinagot.cli.texts import clean, short_path

        if self.configuration is not None:
            yield "Configuration"
            yield from _rows(self.configuration)
        for number, (node, settings, params) in enumerate(self.steps):
            if number or self.configuration is not None:
                yield ""
            yield f"Step {clean(node.place)}"
            yield from _rows(settings)
            if params:
                yield "  parameters"
            yield from _rows(params, indent="    ")
            if not settings and not params:
                yield "  no parameters"
        for one, values, types, problem in self.pipelines:
            yield ""
            yield f"Pipeline {clean(one.name)}"
            if problem is not None:
                yield f"  can't be loaded: {clean(short_path(problem))}"
            yield from _rows(values, types=types)
            if not values and problem is None:
                yield "  no parameters"
        for node in self.broken:
            yield ""
            yield f"Step {clean(node.place)}: its script can't be loaded: {clean(short_path(str(node.error)))}"


def _told_apart(workspace: Workspace) -> set[str]:
    """Give the names of steps and pipelines: their parameters have a part of their own."""
    blueprint = workspace.blueprint
    units = blueprint.units()
    steps = {
        name for unit in units for name in (*blueprint.script_names(*unit), *blueprint.group_names(*unit))
    }
    return steps.union(workspace.pipelines)


def _rows(
    values: Iterable[Shown], indent: str = "  ", types: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Align values and where they come from; with types a column for those."""
    from sinagot.cli.texts import clean, columns, shortened

    rows = [
        [
            clean(one.key),
            *([] if types is None else [types.get(one.key, "any")]),
            clean(_text(one.value)),
            clean(shortened(one.place)),
        ]
        for one in values
    ]
    yield from (f"{indent}{line}" for line in columns(rows)) if rows else ()


def _text(value: Any) -> str:
    """Write a value nearly as TOML has it, on one line."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]} ..."
