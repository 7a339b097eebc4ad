"""One tree of errors: what can go wrong, as facts a caller can act on.

Knows nothing of the rest of the package; every other layer raises from here.
Each child also has the standard parent that a user would catch by habit.

SinagotError
├── ConfigurationError (ValueError)      a workspace file, pattern or argument is wrong
│   └── PatternError                     a path pattern cannot be used
├── ScriptError (ImportError)            a script file is missing or broken
├── MissingExtraError (ImportError)      an optional package is not installed
├── ScopeError (AttributeError)          no such task, modality or combination
│   ├── NotUnitError                     a unit is needed, this scope is larger
│   └── NoModalityError                  a modality is needed, this scope has none
├── WorkflowError (TypeError, ValueError)  a workflow class, or where it is stored, is wrong
├── UnknownWorkflowError (KeyError)      no workflow of that id has all its input data
├── InvalidIdError (ValueError, KeyError)  a text that cannot be a record id
├── NotFoundError (LookupError)          no step of that name
├── UnknownRunError (LookupError)        no run of that id
├── AmbiguousRecordError (ValueError)    two files for one id and one pattern
├── StepFailedError (RuntimeError)       jobs of a run failed (raise_for_failures)
├── WorkspaceBusyError (RuntimeError)    another run works here and --exclusive was asked
├── StorageError (OSError)               state, log or output folder can't be written
├── StoredDataError (ValueError)         a stored file does not hold what it should
│   └── MissingDataError (FileNotFoundError)  input data of a workflow are not there
├── UnstorableDataError (TypeError, ValueError)  a value can't be stored as asked
├── WorkerLostError (RuntimeError)       a worker process died under a job
└── JobError (RuntimeError)              one attempt of one job went wrong
    ├── MissingOutputError               declared outputs were not written
    ├── InputChangedError                an input changed while the script ran
    ├── ForeignFileError                 an extra file would replace a file of others
    ├── BadOutputError                   an output is no plain file or folder, or empty
    ├── CommandFailedError               a command step ended with a non-zero code
    ├── StepMemoryError (MemoryError)    an attempt used more than its `memory`
    ├── StepTimeoutError (TimeoutError)  an attempt took longer than its `timeout`
    └── SupersededError                  the claim was lost before publishing
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = [
    "AmbiguousRecordError",
    "BadOutputError",
    "CommandFailedError",
    "ConfigurationError",
    "ForeignFileError",
    "InputChangedError",
    "InvalidIdError",
    "JobError",
    "MissingDataError",
    "MissingExtraError",
    "MissingOutputError",
    "NoModalityError",
    "NotFoundError",
    "NotUnitError",
    "PatternError",
    "ScopeError",
    "ScriptError",
    "SinagotError",
    "StepFailedError",
    "StepMemoryError",
    "StepTimeoutError",
    "StorageError",
    "StoredDataError",
    "SupersededError",
    "UnknownRunError",
    "UnknownWorkflowError",
    "UnstorableDataError",
    "WorkerLostError",
    "WorkflowError",
    "WorkspaceBusyError",
]


class SinagotError(Exception):
    """Base of every error that sinagot raises on purpose.

    Parameters
    ----------
    message : str
        What happened, where, and what to do next.
    **facts
        What the error is about; each becomes an attribute.

    Examples
    --------
    >>> error = SinagotError("no such thing", name="x")
    >>> error.name, str(error)
    ('x', 'no such thing')
    """

    #: Names of the facts that instances of the class carry (``None`` when not given).
    FACTS: tuple[str, ...] = ()

    def __init__(self, message: str = "", **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts
        for name in self.FACTS:
            setattr(self, name, facts.get(name))
        for name, value in facts.items():
            setattr(self, name, value)

    def __str__(self) -> str:
        # KeyError, a standard parent of one child, would print the message in quotes.
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.facts)


def _rebuild(kind: type[SinagotError], message: str, facts: dict[str, Any]) -> SinagotError:
    return kind(message, **facts)


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


class WorkerLostError(SinagotError, RuntimeError):
    """A worker process died while it ran a job."""

    FACTS = ("exit_code", "signal")


class JobError(SinagotError, RuntimeError):
    """One attempt of one job went wrong for a reason that is not the script's exception."""

    FACTS: tuple[str, ...] = ("paths",)

    paths: tuple[str, ...] | None


class MissingOutputError(JobError):
    """The script returned without writing what it declares."""


class InputChangedError(JobError):
    """An input file changed while the script ran; nothing was published."""


class ForeignFileError(JobError):
    """An extra file beside the outputs would replace a file that this job did not publish."""


class BadOutputError(JobError):
    """An output is neither a file nor a folder, is a link that leads elsewhere, or is empty where it must not be."""


class CommandFailedError(JobError):
    """A command step ended with a non-zero exit code."""

    FACTS = ("paths", "command", "exit_code")


class StepMemoryError(JobError, MemoryError):
    """The attempt and what it started used more memory than `memory` allows; it was killed."""


class StepTimeoutError(JobError, TimeoutError):
    """The attempt took longer than `timeout` allows; it was ended with everything that it started."""


class SupersededError(JobError):
    """The attempt lost its claim before publishing; nothing was published."""
