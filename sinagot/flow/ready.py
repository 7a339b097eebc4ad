"""Dependencies that are ready-made: the record, its paths and logger, and the parameters of the run that goes on.

Knows what a run tells of itself, as a protocol; must not know which kind of run it is. Flows and pipelines give it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from sinagot.config.hints import did_you_mean
from sinagot.errors import DependencyError

__all__ = [
    "RUN",
    "CurrentRecord",
    "RunContext",
    "current_record",
    "params",
    "path_in",
    "path_out",
    "record_logger",
]


class RunContext(Protocol):
    """What a run tells of itself."""

    @property
    def record(self) -> Mapping[str, Any] | None:
        """``id``, ``task`` and ``modality`` of the record that it is for; None where it is for none."""

    @property
    def paths(self) -> Mapping[str, Any] | None:
        """Files of the record by name; None where it is for none."""

    @property
    def params(self) -> Mapping[str, Any]:
        """Its parameters, with their values."""

    @property
    def logger(self) -> Any:
        """Says what belongs to the record; None where nobody listens."""


#: The run for which something is built here and now.
RUN: ContextVar[RunContext | None] = ContextVar("sinagot_run", default=None)


class CurrentRecord(NamedTuple):
    """The record that a run is for."""

    id: str
    task: str | None
    modality: str | None
    #: Its files by name.
    paths: Mapping[str, Any]


def _run(asked: str) -> RunContext:
    found = RUN.get()
    if found is None:
        raise DependencyError(
            f"{asked} is known only where a step of a workspace, or a pipeline, builds what its functions depend on: "
            f"write Depends({asked}) at an argument; a flow that is started by itself has inputs instead"
        )
    return found


def current_record() -> CurrentRecord:
    """Give the record that the run is for: ``record: Annotated[CurrentRecord, Depends(current_record)]``.

    Raises
    ------
    DependencyError
        There is no run, or it is for no record.
    """
    run = _run("current_record")
    if run.record is None:
        raise DependencyError(
            "current_record: this run is for no record: run it as a step of a workspace, or give one, as in "
            "pipeline.using(record=...)"
        )
    facts = run.record
    return CurrentRecord(facts.get("id", ""), facts.get("task"), facts.get("modality"), dict(run.paths or {}))


def record_logger() -> Any:
    """Give the logger whose lines go to the log of the record, with the stage or processor that asked for it.

    Raises
    ------
    DependencyError
        There is no run.
    """
    logger = _run("record_logger").logger
    if logger is None:
        raise DependencyError("record_logger: nobody listens to what this run says")
    return logger


def params() -> Mapping[str, Any]:
    """Give the parameters of the run, with the values and types that they have there.

    Raises
    ------
    DependencyError
        There is no run.
    """
    return _run("params").params


@dataclass(frozen=True)
class _Path:
    """Gives a path of the record; two of the same name are the same."""

    #: ``in`` or ``out``, and the name.
    path: tuple[str, str]

    @property
    def __name__(self) -> str:
        """What messages call it."""
        return f"path_{self.path[0]}({self.path[1]!r})"

    def __call__(self) -> Any:
        known = _run(self.__name__).paths
        name = self.path[1]
        if known is None:
            raise DependencyError(
                f"{self.__name__}: this run has no files of a record: run it as a step of a workspace, or give them, "
                "as in pipeline.using(paths={...})"
            )
        if name not in known:
            hint = did_you_mean(name, list(known))
            raise DependencyError(
                f"{self.__name__}: there is no path {name!r}; there is {', '.join(known) or 'none'}"
                + (f"; {hint}" if hint else "")
            )
        return known[name]


def path_in(name: str) -> Callable[[], Any]:
    """Give a dependency on an input file of the record: ``path: Annotated[Path, Depends(path_in("raw"))]``.

    Parameters
    ----------
    name : str
        As the pipeline or flow declares it.

    Examples
    --------
    >>> path_in("raw") == path_in("raw"), path_in("raw")
    (True, _Path(path=('in', 'raw')))
    """
    return _Path(("in", name))


def path_out(name: str) -> Callable[[], Any]:
    """Give a dependency on the path where an output file of the record is to be written.

    Parameters
    ----------
    name : str
        As the pipeline or flow declares it.
    """
    return _Path(("out", name))
