"""What the tasks of a DAG file call: one stage of a pipeline, with the values that the stages before it left.

Knows sources, descriptions and a folder of values for each run of a DAG; imports nothing of Airflow.
`sinagot.pipeline.views.airflow` writes such files.
"""

from __future__ import annotations

import os
import pickle
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from sinagot.errors import (
    ConfigurationError,
    MissingDataError,
    StorageError,
    StoredDataError,
    UnstorableDataError,
)
from sinagot.pipeline.description import Description, ParamView
from sinagot.pipeline.sources import Source, load_source
from sinagot.runlog.plain import plain_value

__all__ = ["DAYS", "SinglyRunnable", "StageValues", "airflow_folder", "run_airflow_stage"]

#: Where values lie, and how many days they stay; read from the environment of the task.
_FOLDER, _KEEP = "SINAGOT_AIRFLOW_DIR", "SINAGOT_AIRFLOW_DAYS"
#: Days after which the values of a run of a DAG are removed.
DAYS = 30.0
#: Stands in every folder of values; no folder without it is ever removed.
_MARKER = "values-of-a-dag-run"


class SinglyRunnable(Protocol):
    """What is asked of a pipeline whose stages run one by one, each in a process of its own."""

    def description(self) -> Description:
        """Say what it is made of."""

    def run_apart(
        self, name: str, parameters: Mapping[str, Any], outputs: Mapping[str, Mapping[str, Any]]
    ) -> Mapping[str, Any] | None:
        """Run one stage.

        Parameters
        ----------
        name : str
            The stage.
        parameters : mapping
            Those that are to be other than by default.
        outputs : mapping of str to mapping
            Stage -> its outputs by name, of all stages before this one that ran well; read when they are asked for.

        Returns
        -------
        mapping or None
            Outputs by name; None when the stage was skipped or has ended the pipeline well.
        """


class StageValues(Mapping[str, Mapping[str, Any]]):
    """What stages left in the folder of a run, each read when it is asked for.

    Parameters
    ----------
    folder : str
        Of one run of a DAG.
    names : iterable of str
        Stages that are looked for; those that left nothing are absent.
    """

    def __init__(self, folder: str | os.PathLike[str], names: set[str]) -> None:
        self._files = {name: file for name in sorted(names) if os.path.isfile(file := _file(folder, name))}
        self._read: dict[str, Mapping[str, Any]] = {}

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        if name not in self._read:
            file = self._files[name]
            try:
                with open(file, "rb") as stream:
                    self._read[name] = pickle.load(stream)
            except Exception as error:
                raise StoredDataError(
                    f"what stage {name!r} left in {file} cannot be read: {type(error).__name__}: {error}; "
                    "clear its task, so that it runs again",
                    file=file,
                ) from error
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def _file(folder: str | os.PathLike[str], stage: str) -> str:
    return os.path.join(folder, f"{sha256(stage.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.pickle")


def airflow_folder(dag_id: str, run_id: str) -> Path:
    """Give the folder for the values of one run of a DAG; nothing is made yet.

    Parameters
    ----------
    dag_id : str
        The DAG.
    run_id : str
        Its run, as Airflow names it.

    Returns
    -------
    Path
        Below ``SINAGOT_AIRFLOW_DIR``, else below ``sinagot`` in the folder of Airflow (``AIRFLOW_HOME``, or
        ``~/airflow``). Where tasks run on several machines, it has to be on a drive that all of them see.
    """
    base = os.environ.get(_FOLDER) or os.path.join(
        os.environ.get("AIRFLOW_HOME") or os.path.expanduser("~/airflow"), "sinagot"
    )
    readable = re.sub(r"[^A-Za-z0-9_.-]+", "_", f"{dag_id}-{run_id}")[:100].strip(".")
    digest = sha256(repr((dag_id, run_id)).encode()).hexdigest()[:16]
    return Path(os.path.abspath(base), f"{readable}-{digest}")


def run_airflow_stage(
    source: Source, stage: str, folder: str | os.PathLike[str], params: Mapping[str, Any]
) -> bool:
    """Run one stage of a pipeline, with what the stages before it left in a folder, and leave its outputs there.

    Parameters
    ----------
    source : tuple of str
        How the pipeline is found, as `sinagot.pipeline.sources.Source`.
    stage : str
        Name of the stage.
    folder : str or Path
        Of this run of the DAG; made when there is none, for this user alone.
    params : mapping of str to object
        Parameters as Airflow has them: plain values. Those of other names are left out.

    Returns
    -------
    bool
        False when the stage had nothing to do: it was skipped, or has ended the pipeline well.

    Raises
    ------
    ConfigurationError
        When the pipeline, the stage or a value of a parameter is not to be found.
    MissingDataError
        When a stage before it left nothing here.
    UnstorableDataError
        When an output cannot be pickled.

    Notes
    -----
    Outputs are pickles: only who may run code as this user may write into the folder. They stay until they are ``DAYS``
    old (``SINAGOT_AIRFLOW_DAYS``), so that single tasks can be cleared and run again; a stage without any before it
    removes what is older. Variables of a pipeline are not handed on from task to task.
    """
    pipeline: SinglyRunnable = load_source(source)
    description = pipeline.description()
    if stage not in {node.name for node in description.nodes}:
        raise ConfigurationError(
            f"pipeline {description.name!r} has no stage {stage!r} any more; write the DAG file anew, by to_airflow"
        )
    parameters = _changed(description, params)
    before = description.before(stage)
    if not before:
        _tidy(os.path.dirname(os.path.abspath(folder)))
    outputs = StageValues(folder, before)
    _check_values(description, stage, outputs, folder)
    file = _file(folder, stage)
    try:
        os.unlink(file)  # of a former try: nobody is to take it for the result of this one
    except OSError:
        pass
    made = pipeline.run_apart(stage, parameters, outputs)
    if made is None:
        return False
    _keep(file, dict(made), stage)
    return True


def _changed(description: Description, params: Mapping[str, Any]) -> dict[str, Any]:
    """Give the parameters that are other than by default, as what their type says."""
    changed = {}
    for one in description.parameters:
        if one.name not in params:
            continue
        value = params[one.name]
        if one.is_required or value != plain_value(one.default):
            changed[one.name] = _typed(one, value)
    return changed


#: Type of a parameter -> what makes its value of the text that Airflow has.
_MAKERS: dict[str, Callable[[str], Any]] = {
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "decimal": Decimal,
}


def _typed(one: ParamView, value: Any) -> Any:
    """Make of a plain value what a parameter is."""
    for choice in one.choices:
        if plain_value(choice) == value:
            return choice
    makers: dict[str, Callable[[str], Any]] = {
        "date": date.fromisoformat,
        "datetime": datetime.fromisoformat,
        "decimal": Decimal,
    }
    make = makers.get(one.type)
    if make is None or not isinstance(value, str):
        return value
    try:
        return make(value)
    except (ValueError, InvalidOperation) as error:
        raise ConfigurationError(f"parameter {one.name!r} must be a {one.type}, found {value!r}") from error


def _check_values(
    description: Description, stage: str, outputs: StageValues, folder: str | os.PathLike[str]
) -> None:
    """Say where values that a stage cannot do without should have come from."""
    rule = next(node.rule for node in description.nodes if node.name == stage)
    missing = [
        edge.source
        for edge in description.edges
        if edge.target == stage and edge.argument is not None and edge.source not in outputs
    ]
    if missing and rule == "all_success":
        raise MissingDataError(
            f"stage {missing[0]!r} left no value in {os.fspath(folder)}, and {stage!r} needs it; when tasks run on "
            f"several machines, {_FOLDER} must name a folder that all of them see; else clear that task, so "
            "that it runs again",
            path=os.fspath(folder),
        )


def _keep(file: str, outputs: dict[str, Any], stage: str) -> None:
    """Put the outputs of a stage in place, whole."""
    import cloudpickle

    try:
        text = cloudpickle.dumps(outputs)
    except Exception as error:
        raise UnstorableDataError(
            f"what stage {stage!r} gives cannot be handed on to another task: {type(error).__name__}: {error}; give "
            "plain data, or write a file and give its path"
        ) from error
    draft = f"{file}.{os.getpid()}~"
    folder = os.path.dirname(file)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        Path(folder, _MARKER).touch()
        with open(draft, "wb") as stream:
            stream.write(text)
        os.replace(draft, file)
    except OSError as error:
        raise StorageError(f"{file} can't be written: {error.strerror or error}", path=file) from error


def _tidy(base: str) -> None:
    """Remove folders of values that nobody has written to for long."""
    days = os.environ.get(_KEEP, "")
    try:
        oldest = time.time() - 86400 * (float(days) if days else DAYS)
    except ValueError as error:
        raise ConfigurationError(f"{_KEEP} must be a number of days, found {days!r}") from error
    try:
        entries = list(os.scandir(base))
    except OSError:
        return  # nothing was left yet
    for entry in entries:
        try:
            if entry.is_dir(follow_symlinks=False) and os.path.isfile(os.path.join(entry.path, _MARKER)):
                newest = max(one.stat().st_mtime for one in os.scandir(entry.path))
                if newest < oldest:
                    shutil.rmtree(entry.path, ignore_errors=True)
        except OSError:  # another task was quicker
            continue
