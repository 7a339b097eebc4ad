"""Where the processors of a run are run: here, in the event loop of the caller.

Knows a work as something that runs; must not know what it does. `leading` hands works out and settles what comes back.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from sinagot.flow.processor import Processor

__all__ = ["Executor", "LocalExecutor", "Runnable"]


class Runnable(Protocol):
    """One processor of one run, with its streams."""

    @property
    def processor(self) -> Processor:
        """What is run."""

    async def run(self) -> None:
        """Run it here until it has written all."""


@runtime_checkable
class Executor(Protocol):
    """Runs processors."""

    async def run(self, work: Runnable) -> None:
        """Run one processor of one run until it has written all.

        Parameters
        ----------
        work : Runnable
            The processor; its name is ``work.processor.name``.

        Raises
        ------
        BaseException
            What its body raised.
        """
        ...


class LocalExecutor:
    """Run processors in the event loop of the caller; bodies that are not async have a thread each.

    Attributes
    ----------
    is_here : bool
        All processors run in this process; nobody else reads their streams.

    Examples
    --------
    >>> LocalExecutor()
    LocalExecutor()
    """

    is_here = True

    async def run(self, work: Runnable) -> None:
        """Run one processor of one run until it has written all.

        Parameters
        ----------
        work : Runnable
            The processor.
        """
        await work.run()

    def __repr__(self) -> str:
        return "LocalExecutor()"
