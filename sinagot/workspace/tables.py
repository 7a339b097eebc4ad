"""Tables for people: status, counts, logs and jobs as pandas DataFrames; rows as Parquet for other programs.

The only module of this layer that uses pandas and pyarrow, and only inside its functions: a run never needs them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from sinagot.config.hints import unknown_step
from sinagot.engine.state.history import iter_events
from sinagot.errors import MissingExtraError
from sinagot.scripts.group import GROUP_ID
from sinagot.workspace.contracts import Selection
from sinagot.workspace.looks import survey_of

if TYPE_CHECKING:
    from pandas import DataFrame

    from sinagot.engine.accounts.report import RunReport
    from sinagot.engine.accounts.runs import RunFacts
    from sinagot.engine.planning.survey import Survey

__all__ = [
    "attempts_frame",
    "count_frame",
    "decisions_frame",
    "flow_frame",
    "job_status_frame",
    "jobs_frame",
    "logs_frame",
    "plan_frame",
    "records_frame",
    "runs_frame",
    "status_frame",
    "write_parquet",
]

STATUS_COLUMNS = ["record_id", "task", "modality", "step_index", "step_label", "step_status"]
DECISION_COLUMNS = [
    "time",
    "user",
    "host",
    "decision",
    "record_id",
    "task",
    "modality",
    "step_label",
    "reason",
]
JOB_COLUMNS = [
    "record_id",
    "task",
    "modality",
    "step_index",
    "step_label",
    "outcome",
    "reason",
    "exc_type",
    "exc_message",
]
_RUN_FIELDS = [
    "run_id",
    "state",
    "kind",
    "start",
    "end",
    "duration_s",
    "jobs",
    "records",
    "ok",
    "command",
    "host",
    "pid",
    "user",
    "mode",
    "workers",
    "version",
]
#: Rows that are written at once to Parquet.
_BATCH = 5_000
_MEASURED = ["attempt", "duration_s", "cpu_s", "peak_memory_mb"]


def status_frame(status_rows: Iterable[dict[str, Any]]) -> DataFrame:
    """Make the table of `StepCollection.status`."""
    import pandas as pd

    rows = [tuple(row.values()) for row in status_rows]
    frame = pd.DataFrame(rows, columns=STATUS_COLUMNS)
    return frame.astype({"step_index": "int64", "step_status": "int64"})


def job_status_frame(scope: Selection, step_label: str | None = None) -> DataFrame:
    """Make the table of `Views.status`."""
    import pandas as pd

    from sinagot.engine.planning.status import StepStatus
    from sinagot.engine.words import STATUS

    nodes = [*scope.workspace.nodes_of(scope, None), *scope.workspace.groups_of(scope, None)]
    labels = list(dict.fromkeys(node.label for node in nodes))
    if step_label is not None and step_label not in labels:
        raise unknown_step(repr(scope), step_label, labels)
    frame = status_frame(scope.steps.iter_status(step_label))
    names = frame["step_status"].map({int(status): status.name for status in StepStatus})
    configuration = scope.workspace.configuration
    kinds = {
        "task": list(configuration.tasks),
        "modality": list(configuration.modalities),
        "step_label": labels,
    }
    for column, known in kinds.items():
        frame[column] = pd.Categorical(frame[column], categories=known)
    frame["status_name"] = pd.Categorical(names, categories=list(STATUS), ordered=True)
    return frame.astype({"record_id": "str"})


def records_frame(scope: Selection, *, with_paths: bool = False) -> DataFrame:
    """Make the table of `Views.to_dataframe`."""
    import pandas as pd

    workspace = scope.workspace
    frame = job_status_frame(scope)
    blueprint = workspace.blueprint
    ids = scope.record_ids()
    # Not of each row: there are as many as steps.
    values = {one: blueprint.values_of(one) for one in ids}
    names = list(dict.fromkeys(name for found in values.values() for name in found if name != "id"))
    for place, name in enumerate(names, start=1):
        known = {one: found.get(name) or None for one, found in values.items()}
        column = f"entity_{name}" if name in frame.columns else name
        frame.insert(place, column, frame["record_id"].map(known).astype("str"))
    if with_paths:
        survey = survey_of(workspace, ids)
        nodes = {(node.task, node.modality, node.label): node for node in workspace.nodes_of(scope, None)}
        files: dict[str, list[Any]] = {"input": [], "output": []}
        jobs = zip(*(frame[key] for key in ("record_id", "task", "modality", "step_label")), strict=True)
        for record_id, task, modality, label in jobs:
            node = nodes.get((_plain(task), _plain(modality), label)) if record_id in values else None
            is_known = node is not None and node.error is None
            for name, found in files.items():
                found.append(_paths(survey, node, name, record_id) if is_known else None)
        for name, found in files.items():
            frame[name] = pd.Series(found, dtype=object)
    return frame


def _plain(value: Any) -> str | None:
    """Give the text of a cell, None for an empty one."""
    return value if isinstance(value, str) else None


def _paths(survey: Survey, node: Any, name: str, record_id: str) -> Any:
    slots, is_dict = (node.inputs, node.is_dict_in) if name == "input" else (node.outputs, node.is_dict_out)
    return survey.paths(slots, is_dict, record_id) if slots else None


def logs_frame(scope: Selection, step_label: str | None = None) -> DataFrame:
    """Make the table of the logs of a scope, newest first."""
    from sinagot.runlog import read

    folder = str(scope.workspace.configuration.log_path)
    is_group = step_label is not None and bool(scope.workspace.groups_of(scope, step_label))
    ids = [GROUP_ID] if is_group else scope.record_ids()
    frame = read.logs_frame(
        [(folder, record_id) for record_id in ids], task=scope.task, modality=scope.modality
    )
    if step_label is not None:
        frame = frame[frame["step_label"] == step_label].reset_index(drop=True)
    return frame


def count_frame(scope: Selection, step_label: str | None, position: str, with_record_id: bool) -> DataFrame:
    """Make the table of `Scope.count_step`."""
    import pandas as pd

    if position not in ("input", "output"):
        raise ValueError(f"position must be 'input' or 'output', found {position!r}")
    workspace = scope.workspace
    ids = scope.record_ids()
    survey = survey_of(workspace, ids)
    known = list(dict.fromkeys(node.label for node in workspace.nodes_of(scope, None)))
    if step_label is not None and step_label not in known:
        raise unknown_step(repr(scope), step_label, known)
    rows: list[dict[str, Any]] = []
    for node in workspace.nodes_of(scope, step_label):
        if node.error is not None or (step_label is None and node.step_index != 1):
            continue
        slots = node.inputs if position == "input" else node.outputs
        found = [
            record_id
            for record_id in ids
            if survey.exclusion(record_id, node) is None
            and all(survey.exists(slot, record_id) for slot in slots)
        ]
        unit = {"task": node.task, "modality": node.modality}
        if with_record_id:
            rows += [{"record_id": record_id, **unit, "count": 1} for record_id in found]
        elif found:
            rows.append({**unit, "count": len(found)})
    columns = [*(["record_id"] if with_record_id else []), "task", "modality", "count"]
    return pd.DataFrame(rows, columns=columns).astype({"count": "int64"})


def plan_frame(rows: Iterable[dict[str, Any]]) -> DataFrame:
    """Make the table of `Plan.jobs`: reasons as text."""
    from sinagot.runlog.read import frame_of

    columns = [*STATUS_COLUMNS[:-1], "verdict", "reasons", "estimate_s"]
    texts = [{**row, "reasons": "; ".join(one.text for one in row["reasons"])} for row in rows]
    return frame_of(texts, columns=columns).astype({"estimate_s": "float64"})


def decisions_frame(scope: Selection) -> DataFrame:
    """Make the table of `Workspace.decisions`."""
    import pandas as pd

    from sinagot.workspace.excluding import read_decisions

    rows = [
        (one.time, one.user, one.host, one.what, *one.target, one.reason) for one in read_decisions(scope).all
    ]
    return pd.DataFrame(rows, columns=DECISION_COLUMNS, dtype=object)


def flow_frame(rows: Iterable[dict[str, Any]]) -> DataFrame:
    """Make the table of `FlowReport`."""
    import pandas as pd

    return pd.DataFrame(rows).set_index("name")


def attempts_frame(state: str, run_id: str) -> DataFrame:
    """Make the table of `Run.attempts`: one row an attempt, in the order in which they began."""
    import pandas as pd

    from sinagot.engine.accounts.attempts import ATTEMPT_FIELDS, iter_attempts
    from sinagot.runlog.read import frame_of

    frame = frame_of(list(iter_attempts(state, run_id)), columns=list(ATTEMPT_FIELDS))
    for name in ("start", "end"):
        frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601", errors="coerce")
    return frame.sort_values("start_s", kind="stable", ignore_index=True)


def runs_frame(runs: Iterable[RunFacts]) -> DataFrame:
    """Make the table of `Runs.to_dataframe`: one row a run, one column an outcome."""
    import pandas as pd

    from sinagot.engine.job import Outcome

    rows = [
        {name: getattr(run, name) for name in _RUN_FIELDS} | {name: run.counts[name] for name in Outcome.ALL}
        for run in runs
    ]
    frame = pd.DataFrame(rows, columns=[*_RUN_FIELDS, *Outcome.ALL])
    for name in ("start", "end"):
        frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601", errors="coerce")
    return frame


def jobs_frame(report: RunReport) -> DataFrame:
    """Make the table of `RunReport.jobs`: the ledger, with what the run's events measured."""
    from sinagot.runlog.read import frame_of

    frame = frame_of(list(report.iter_jobs()), columns=JOB_COLUMNS)
    events = frame_of(list(iter_events(report.folder)))
    if events.empty:
        return frame.assign(**dict.fromkeys(_MEASURED))
    keys = ["record_id", "task", "modality", "step_label"]
    measured = events.drop_duplicates(keys, keep="last").reindex(columns=[*keys, *_MEASURED])
    for key in keys:
        # Unit mode: a column of None is an object column on one side and a float column on the other.
        measured[key] = measured[key].astype(object)
        frame[key] = frame[key].astype(object)
    return frame.merge(measured, on=keys, how="left")


def write_parquet(stream: IO[bytes], columns: Mapping[str, str], rows: Iterator[dict[str, Any]]) -> int:
    """Write rows as Parquet, some thousands at a time.

    Parameters
    ----------
    stream : binary file
        Where.
    columns : mapping of str to str
        Name -> kind: text, int, float, or time (ISO 8601, UTC).
    rows : iterator of dict
        Cells by column; None where there is nothing.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    MissingExtraError
        pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError(
            "Parquet needs pyarrow, which is not installed here; install it with: pip install pyarrow (the extra "
            "'parquet' of sinagot); or take --format csv",
            package="pyarrow",
            extra="parquet",
        ) from error
    kinds = {
        "text": pa.string(),
        "int": pa.int64(),
        "float": pa.float64(),
        "time": pa.timestamp("us", tz="UTC"),
    }
    schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
    count = 0
    with parquet.ParquetWriter(stream, schema) as writer:
        while batch := list(islice(rows, _BATCH)):
            count += len(batch)
            cells = {name: [_arrow_cell(row[name], kind) for row in batch] for name, kind in columns.items()}
            writer.write_table(pa.table(cells, schema=schema))
    return count


def _arrow_cell(value: Any, kind: str) -> Any:
    if value is None or kind in ("int", "float"):
        return value
    if kind == "time":
        from datetime import datetime

        return datetime.fromisoformat(value)
    return value.encode("utf-8", "backslashreplace").decode()  # an id may have bytes that are no UTF-8
