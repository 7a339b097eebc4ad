"""A pipeline as a DAG file of Airflow: one task per stage, the same edges.

Knows descriptions and what such a file looks like for Airflow 2 and 3; imports nothing of Airflow. What the tasks call
is `sinagot.pipeline.airflow`.
"""

from __future__ import annotations

import os
import re
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sinagot.engine.html import visible
from sinagot.engine.state.history import replace_text
from sinagot.errors import ConfigurationError, StorageError
from sinagot.pipeline.description import Description, NodeView, ParamView
from sinagot.pipeline.sources import Source, checked_source
from sinagot.pipeline.views.graph import edge_label, kind_text
from sinagot.pipeline.views.listing import default_text
from sinagot.runlog.plain import plain_value

__all__ = ["MARKER", "TYPES", "dag_text", "is_plain", "task_ids", "to_airflow"]

#: The first line of every file that was made here.
MARKER = "# Made by sinagot (to_airflow). Do not edit: change the pipeline, and make the file anew."

#: Type of a parameter -> what JSON calls it.
TYPES = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "decimal": "string",
    "date": "string",
    "datetime": "string",
    "map": "object",
    "array": "array",
}
_LONGEST_ID = 200
_RULES = ("all_success", "all_failed", "all_done", "one_success", "one_failed", "none_failed", "none_skipped")

_TEMPLATE = '''\
{marker}
"""A task for each stage of a pipeline. Needs sinagot and the code of the pipeline where tasks run."""

from datetime import datetime, timezone

try:  # Airflow 3
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.models.param import Param
try:
    from airflow.providers.standard.operators.python import PythonOperator
except ImportError:
    from airflow.operators.python import PythonOperator

#: How the pipeline is found.
SOURCE = {source}

#: Task, stage, trigger rule, documentation.
STAGES = {stages}

#: Tasks: what comes first, and what comes after it.
EDGES = {edges}

#: Parameter, default in a tuple (empty: it has to be given), what else is known of it.
PARAMETERS = {parameters}


def run_stage(number, **context):
    from sinagot.pipeline.airflow import airflow_folder, run_airflow_stage

    folder = airflow_folder(context["dag"].dag_id, context["run_id"])
    if not run_airflow_stage(SOURCE, STAGES[number][1], folder, dict(context["params"])):
        try:  # Airflow 3
            from airflow.sdk.exceptions import AirflowSkipException
        except ImportError:  # Airflow 2
            from airflow.exceptions import AirflowSkipException
        raise AirflowSkipException("the stage had nothing to do")


with DAG(
    dag_id={dag_id},
    schedule={schedule},
    start_date={start},
    catchup=False,
    params={{name: Param(*default, **facts) for name, default, facts in PARAMETERS}},
    doc_md={doc},
    tags=["sinagot"],
) as dag:
    tasks = {{
        task: PythonOperator(
            task_id=task, python_callable=run_stage, op_args=[number], trigger_rule=rule, doc_md=doc
        )
        for number, (task, _, rule, doc) in enumerate(STAGES)
    }}
    for before, after in EDGES:
        tasks[before] >> tasks[after]
'''


def to_airflow(
    description: Description,
    path: str | os.PathLike[str],
    *,
    source: Source,
    dag_id: str | None = None,
    schedule: str | None = None,
    start: date = date(2024, 1, 1),
    overwrite: bool = False,
) -> Path:
    """Write a DAG file with a task per stage and the same edges.

    Parameters
    ----------
    description : Description
        The pipeline.
    path : str or Path
        The file, or a folder: there the file gets the name of the DAG.
    source : tuple of str
        How tasks find the pipeline, as `sinagot.pipeline.sources.Source`.
    dag_id : str, optional
        Name of the DAG; made of the pipeline's when not given.
    schedule : str, optional
        A cron line or a word that Airflow knows; without it the DAG runs when it is asked to.
    start : date, default 2024-01-01
        Before it no run is scheduled; UTC where it has no time zone. Runs of the past are never caught up on.
    overwrite : bool
        Replace a file that was not made here.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConfigurationError
        When the pipeline cannot be found again, a scheduled run would lack a parameter, or a file of others is there.
    StorageError
        When it cannot be written.

    Notes
    -----
    The file is loaded by Airflow 2.10 and later, and by Airflow 3. Writing it needs no Airflow.
    """
    made = _valid_id(description.name if dag_id is None else dag_id, "pipeline")
    if dag_id is not None and made != dag_id:
        text = (
            f"{dag_id!r} cannot be the name of a DAG: letters, digits, '_', '-' and '.' only; write {made!r}"
        )
        raise ConfigurationError(text)
    text = dag_text(description, source=source, dag_id=made, schedule=schedule, start=start)
    target = os.path.realpath(path)
    if os.path.isdir(target):
        target = os.path.join(target, f"{made}.py")
    try:
        if not overwrite and not _is_ours(target):
            raise ConfigurationError(
                f"{target} is there, and was not made by sinagot; choose another name, or say overwrite=True"
            )
        os.makedirs(os.path.dirname(target), exist_ok=True)
        replace_text(target, text)
    except OSError as error:
        raise StorageError(f"{target} can't be written: {error.strerror or error}", path=target) from error
    return Path(target)


def _is_ours(path: str) -> bool:
    """Say whether a file may be replaced: there is none, or it was made here."""
    try:
        with open(path, "rb") as file:
            return file.readline().rstrip(b"\r\n") == MARKER.encode()
    except FileNotFoundError:
        return True


def dag_text(
    description: Description,
    *,
    source: Source,
    dag_id: str,
    schedule: str | None = None,
    start: date = date(2024, 1, 1),
) -> str:
    """Give the text of a DAG file: ASCII, whatever the names are.

    Parameters
    ----------
    description : Description
        The pipeline.
    source : tuple of str
        How tasks find the pipeline.
    dag_id : str
        Name of the DAG.
    schedule : str, optional
        A cron line or a word that Airflow knows.
    start : date
        Before it no run is scheduled.

    Raises
    ------
    ConfigurationError
        When the pipeline cannot be found again, or a scheduled run would lack a parameter.
    """
    required = [one.name for one in description.parameters if one.is_required]
    if schedule is not None and required:
        told = ", ".join(map(repr, required))
        raise ConfigurationError(f"runs by a schedule need defaults for all parameters; without one: {told}")
    order = description.in_order()
    ids = task_ids([node.name for node in order])
    edges = dict.fromkeys((ids[edge.source], ids[edge.target]) for edge in description.edges)
    stages = [
        (
            ids[node.name],
            node.name,
            node.rule if node.rule in _RULES else "all_success",
            _stage_doc(node, description),
        )
        for node in order
    ]
    return _TEMPLATE.format(
        marker=MARKER,
        source=_literal(checked_source(source)),
        stages=_literal(stages),
        edges=_literal(list(edges)),
        parameters=_literal([_param(one) for one in description.parameters if is_plain(one)]),
        dag_id=_literal(dag_id),
        schedule=_literal(schedule),
        start=_moment(start),
        doc=_literal(_pipeline_doc(description)),
    )


def _literal(value: Any) -> str:
    """Write plain values as Python does, in ASCII, one element a line."""
    if isinstance(value, list) and value:
        return "[\n" + "".join(f"    {one!a},\n" for one in value) + "]"
    return ascii(value)


def _moment(start: date) -> str:
    if not isinstance(start, datetime):
        return f"datetime({start.year}, {start.month}, {start.day}, tzinfo=timezone.utc)"
    zone = "" if start.tzinfo is not None else ".replace(tzinfo=timezone.utc)"
    return f"datetime.fromisoformat({start.isoformat()!r}){zone}"


def task_ids(names: list[str]) -> dict[str, str]:
    """Give each stage a name that Airflow takes, different from all others, also where capitals do not count.

    Examples
    --------
    >>> task_ids(["read", "Read", "read it!", "", "read it?"])
    {'read': 'read', 'Read': 'Read_2', 'read it!': 'read_it', '': 'stage', 'read it?': 'read_it_2'}
    """
    taken: set[str] = set()
    ids: dict[str, str] = {}
    # Names that are good as they are keep them, wherever they stand.
    for name in sorted(names, key=lambda one: _valid_id(one, "stage") != one):
        made = stem = _valid_id(name, "stage")
        number = 1
        while made.lower() in taken:
            number += 1
            made = f"{stem}_{number}"
        taken.add(made.lower())
        ids[name] = made
    return {name: ids[name] for name in names}


def _valid_id(name: str, otherwise: str) -> str:
    """Make a name of letters, digits, dashes, dots and underscores."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name)[:_LONGEST_ID].strip("_") or otherwise


def _stage_doc(node: NodeView, description: Description) -> str:
    takes = []
    for edge in dict.fromkeys(description.edges):
        if edge.target == node.name:
            label = f"`{edge_label(edge)}` from" if edge.argument is not None else "after"
            takes.append(f"- {label} `{edge.source}`")
    label = node.label if node.label != node.name else ""
    return _doc(f"**{node.name}**", label, node.doc, kind_text(node), node.source, "\n".join(takes))


def _pipeline_doc(description: Description) -> str:
    own = [one for one in description.parameters if not is_plain(one)]
    kept = "\n".join(f"- `{one.name}` = `{default_text(one)}`" for one in own)
    return _doc(
        f"**{description.name}**",
        description.doc,
        f"Parameters that keep what the pipeline says, as they cannot be asked for here:\n\n{kept}"
        if kept
        else "",
    )


def _doc(*parts: str) -> str:
    """Join paragraphs; the end of line says that it is no name of a file, as one that ends with ``.md`` would be."""
    return visible("\n\n".join(part for part in parts if part.strip()) + "\n")


def is_plain(one: ParamView) -> bool:
    """Say whether a parameter can be asked for in Airflow: its default is one that JSON has, or a date, and no secret.

    Examples
    --------
    >>> is_plain(ParamView("n", "int", 3)), is_plain(ParamView("table", "any", object()))
    (True, False)
    """
    if one.is_secret:
        return False
    if one.is_required or isinstance(one.default, (date, Decimal)):
        return True
    try:
        return bool(plain_value(one.default) == one.default) and one.default == one.default
    except Exception:  # noqa: BLE001  (arrays have an opinion of their own on what is equal)
        return False


def _param(one: ParamView) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """Give name, default and facts of a parameter; a default that does not fit its type takes the type away."""
    facts: dict[str, Any] = {}
    default = plain_value(one.default)
    kind = TYPES.get(one.type)
    if one.choices:
        allowed = [plain_value(value) for value in one.choices]
        if one.is_required or default in allowed:
            facts["enum"] = allowed
    elif kind is not None and (one.is_required or _fits(default, kind)):
        facts["type"] = kind
        if one.type == "date" and (one.is_required or type(one.default) is date):
            facts["format"] = "date"
    elif kind is not None and default is None:
        facts["type"] = ["null", kind]
    if one.doc:
        facts["description"] = visible(one.doc)
    return one.name, () if one.is_required else (default,), facts


def _fits(value: Any, kind: str) -> bool:
    kinds: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "integer": (int,),
        "number": (int, float),
        "boolean": (bool,),
        "object": (dict,),
        "array": (list,),
    }
    return isinstance(value, kinds[kind]) and (kind == "boolean" or not isinstance(value, bool))
