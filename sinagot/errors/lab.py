"""Errors about workspaces, their scripts, workflows and pipelines.

What is wrong with what somebody wrote, asked for or stored; knows only the root.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sinagot.errors.tree import SinagotError

__all__ = [
    "AmbiguousRecordError",
    "ConfigurationError",
    "DependencyError",
    "ExitPipeline",
    "InvalidIdError",
    "MissingDataError",
    "MissingExtraError",
    "NoModalityError",
    "NotFoundError",
    "NotUnitError",
    "PatternError",
    "PipelineDefinitionError",
    "PipelineError",
    "ScopeError",
    "ScriptError",
    "StepFailedError",
    "StorageError",
    "StoredDataError",
    "TemplateError",
    "UnknownRunError",
    "UnknownWorkflowError",
    "UnstorableDataError",
    "WorkflowError",
    "WorkspaceBusyError",
]


class ConfigurationError(SinagotError, ValueError):
    """Something that the user wrote in a workspace file or an argument is wrong.

    The message is built from the facts: ``file:line: key: what is wrong (found ..., allowed ...); did you mean ...``.
    Several problems found at once are in `problems`, each a `ConfigurationError` of its own; `warnings` tells
    what else was noticed.
    """

    FACTS = ("file", "line", "key", "found", "allowed", "hint", "problems", "warnings")

    file: Path | None
    line: int | None
    key: str | None
    found: Any
    allowed: Any
    hint: str | None
    problems: tuple[ConfigurationError, ...] | None
    warnings: tuple[str, ...] | None

    @classmethod
    def at(
        cls,
        message: str,
        *,
        file: Path | None = None,
        line: int | None = None,
        key: str | None = None,
        hint: str | None = None,
        **facts: Any,
    ) -> ConfigurationError:
        """Make an error whose text starts with the place and ends with the hint."""
        place = "" if file is None else f"{file}:{line}: " if line else f"{file}: "
        text = f"{place}{key + ': ' if key else ''}{message}{'; ' + hint if hint else ''}"
        return cls(text, file=file, line=line, key=key, hint=hint, **facts)


class PatternError(ConfigurationError):
    """A path pattern cannot be used: unknown field, unbalanced brace, absolute path."""


class ScriptError(SinagotError, ImportError):
    """A script is missing, has no class ``Script``, or cannot be imported."""

    FACTS = ("step", "file", "report")

    step: str | None
    file: Path | None
    report: Any


class MissingExtraError(SinagotError, ImportError):
    """A package of an optional extra is not installed."""

    FACTS = ("package", "extra")


class ScopeError(SinagotError, AttributeError):
    """A task, a modality or their combination does not exist in this scope."""

    FACTS = ("scope", "attribute", "allowed")


class NotUnitError(ScopeError):
    """The operation needs a record, a task and a modality."""


class NoModalityError(ScopeError):
    """The operation needs a scope with a modality."""


class WorkflowError(SinagotError, TypeError, ValueError):
    """A workflow class, or what a workspace says of its storage, cannot be used; `attribute` names the place."""

    FACTS = ("workflow", "attribute")

    workflow: str | None
    attribute: str | None


class UnknownWorkflowError(SinagotError, KeyError):
    """There is no workflow of that id: it has no input data, or not all."""

    FACTS = ("workflow_id", "missing")

    workflow_id: str
    missing: tuple[str, ...] | None


class InvalidIdError(SinagotError, ValueError, KeyError):
    """A text that does not match the id pattern, or could leave the dataset."""

    FACTS = ("record_id", "pattern")

    record_id: str
    pattern: str | None


class NotFoundError(SinagotError, LookupError):
    """There is no step of that name in the scope."""

    FACTS = ("name", "allowed")

    name: str
    allowed: Any


class UnknownRunError(SinagotError, LookupError):
    """There is no run of that id, or several that begin or end so."""

    FACTS = ("run_id", "allowed")

    run_id: str
    allowed: tuple[str, ...] | None


class AmbiguousRecordError(SinagotError, ValueError):
    """Two files belong to one id and one pattern."""

    FACTS = ("record_id", "paths", "entity")

    record_id: str
    paths: tuple[str, ...]
    entity: str | None


class StepFailedError(SinagotError, RuntimeError):
    """Some jobs of a run failed, and the report is attached; or a node was asked for, and it or one before it failed.

    In the second case `node` is the one that failed, `blocked` those behind it that were not begun, and the exception
    of the step is the cause.
    """

    FACTS = ("report", "workflow_id", "node", "blocked")

    report: Any
    workflow_id: str | None
    node: str | None
    blocked: tuple[str, ...] | None


class PipelineError(SinagotError, RuntimeError):
    """A run of a pipeline failed; `result` has what was done, `stage` names the stage, the cause is chained."""

    FACTS: tuple[str, ...] = ("pipeline", "stage", "result")

    pipeline: str | None
    stage: str | None
    result: Any


class PipelineDefinitionError(PipelineError, ValueError):
    """Stages, inputs or parameters of a pipeline do not fit together; nothing was run."""

    FACTS = ("pipeline", "stage", "parameter")


class DependencyError(SinagotError, TypeError, ValueError):
    """What a function depends on can't be had; `function` and `argument` say where it is asked for."""

    FACTS = ("function", "argument")

    function: str | None
    argument: str | None


class ExitPipeline(SinagotError, RuntimeError):  # noqa: N818  (it is no failure, unless it says so)
    """Raised by a stage to end its pipeline early.

    Parameters
    ----------
    message : str
        Why.
    error : bool, default False
        The run has failed by it.
    """

    FACTS = ("error",)

    error: bool

    def __init__(self, message: str = "", error: bool = False, **facts: Any) -> None:
        super().__init__(message, error=error, **facts)


class WorkspaceBusyError(SinagotError, RuntimeError):
    """Another run works on the workspace and exclusive use was asked for."""

    FACTS = ("run_id", "owner")


class StorageError(SinagotError, OSError):
    """A folder that a run needs can't be written."""

    FACTS = ("path",)


class StoredDataError(SinagotError, ValueError):
    """A file of a record does not hold what it should; `record_id`, `file` and `value` say which and what.

    Of a workflow, `node`, `workflow_id` and `path` say it.
    """

    FACTS = ("record_id", "file", "value", "node", "workflow_id", "path")


class MissingDataError(StoredDataError, FileNotFoundError):
    """Input data of a workflow are not there."""


class UnstorableDataError(SinagotError, TypeError, ValueError):
    """A value that can't be stored was to be stored; `record_id`, `key` and `value` say which."""

    FACTS = ("record_id", "key", "value")


class TemplateError(SinagotError, ValueError):
    """A template, condition or hook of a pipeline cannot be used with the values of this run.

    `file` and `line` say where it is written, `expression` what. What is wrong whatever the values is a
    `ConfigurationError` when the pipeline is loaded.
    """

    FACTS = ("file", "line", "expression", "found", "allowed", "hint")

    file: Path | None
    line: int | None
    expression: str | None
    found: Any
    allowed: Any
    hint: str | None
