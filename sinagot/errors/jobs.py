"""Errors of single attempts and of calls in other processes.

What went wrong that is no exception of a script; knows only the root.
"""

from __future__ import annotations

from sinagot.errors.tree import SinagotError

__all__ = [
    "BadOutputError",
    "CallInterruptedError",
    "CommandFailedError",
    "ForeignFileError",
    "InputChangedError",
    "JobError",
    "MissingOutputError",
    "RemoteError",
    "StepMemoryError",
    "StepTimeoutError",
    "SupersededError",
    "UnsendableError",
    "WorkerLostError",
]


class WorkerLostError(SinagotError, RuntimeError):
    """A worker process died while it ran a job."""

    FACTS = ("exit_code", "signal")


class UnsendableError(SinagotError, TypeError):
    """A function, an argument or a result can't be sent to another process or back; `part` says which."""

    FACTS = ("call", "part", "type_name")

    call: str | None
    part: str | None
    type_name: str | None


class RemoteError(SinagotError, RuntimeError):
    """A call failed in another process with an exception that can't be rebuilt here; `exc_type` names its type."""

    FACTS = ("exc_type",)

    exc_type: str | None


class CallInterruptedError(SinagotError, InterruptedError):
    """A call in another process was ended because a stop was asked for."""


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
