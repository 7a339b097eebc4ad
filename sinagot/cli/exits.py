"""Exit codes: what a shell or a scheduler may rely on.

Knows the numbers; must not know how a command comes to one.
"""

from __future__ import annotations

__all__ = ["Exit"]


class Exit:
    """Exit codes of the command line."""

    OK = 0
    #: An error of sinagot itself, or of the system.
    UNEXPECTED = 1
    USAGE = 2
    #: Some jobs failed, were blocked, or were interrupted without a signal.
    FAILED = 3
    #: Configuration or script is wrong.
    INVALID = 4
    #: No such record, task, modality, step or run; or no job asked for has its input.
    NOTHING = 5
    BUSY = 6
    INTERRUPTED = 130
    #: As a shell has it for a program that writes to a closed pipe.
    PIPE = 141
