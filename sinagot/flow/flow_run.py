"""A run of a flow as its caller has it: the outputs by name, how it stands, and the way to end it.

Knows one run through `Leading`; must not know stores or tasks. `Supervisor.start_flow` gives one at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from sinagot.config.hints import did_you_mean
from sinagot.engine.words import ACTS
from sinagot.errors import UnknownStreamError
from sinagot.flow.leading import Leading
from sinagot.flow.status import FlowStatus, ProcessorStatus
from sinagot.flow.streams import IO

__all__ = ["FlowRun", "FlowStatus", "ProcessorStatus"]


class FlowRun(Mapping[str, IO[Any]]):
    """One run of a flow: a mapping from the name of an output to its stream.

    As an async context manager it ends with the block: what is of no use to anybody is cancelled (all, but for
    processors without outputs and those that feed them, which are waited for), and the streams are deleted. When the
    block ends by an exception, all is cancelled.

    Parameters
    ----------
    leading : Leading
        The run.
    names : tuple of str
        Outputs that it has.
    """

    def __init__(self, leading: Leading, names: tuple[str, ...]) -> None:
        self._leading = leading
        self._names = names

    @property
    def run_id(self) -> str:
        """Names the run."""
        return self._leading.run_id

    @property
    def errors(self) -> tuple[Exception, ...]:
        """What went wrong, the first that failed first; empty as long as all is well."""
        return tuple(self._leading.errors)

    def __getitem__(self, name: str) -> IO[Any]:
        if name not in self._names:
            raise self._unknown(name)
        return IO(self._leading.channels[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def _unknown(self, name: str) -> UnknownStreamError:
        known = f"outputs are {', '.join(map(repr, self._names)) or 'none'}"
        if name in self._leading.wiring.outputs:
            readers = ", ".join(map(repr, self._leading.wiring.readers[name]))
            hint = f"{name!r} goes to {readers}: start the flow with all_outputs=True to read it too"
        else:
            hint = did_you_mean(str(name), self._names)
        return UnknownStreamError(
            f"the run has no output {name!r}; {known}{'; ' + hint if hint else ''}",
            stream=name,
            allowed=self._names,
        )

    def status(self) -> FlowStatus:
        """Say how the run and its processors stand.

        Returns
        -------
        FlowStatus
            As of now.
        """
        return self._leading.status()

    async def wait(self) -> FlowStatus:
        """Wait until all processors have ended, well or not.

        Returns
        -------
        FlowStatus
            How it ended; `errors` tells what went wrong.
        """
        await self._leading.ended.wait()
        return self.status()

    async def cancel(self) -> FlowStatus:
        """Cancel what goes on, and wait until it has ended; after the end it does nothing.

        Returns
        -------
        FlowStatus
            How it ended.

        Notes
        -----
        A body in a thread ends at its next value, or when it waits for one: nothing can end it in between.
        """
        self._leading.cancel()
        return await self.wait()

    async def aclose(self) -> None:
        """Cancel what goes on, and delete the streams."""
        from anyio import CancelScope

        with CancelScope(shield=True):
            await self._leading.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._leading.release()
                await self._leading.ended.wait()
        finally:
            await self.aclose()

    def __repr__(self) -> str:
        outputs = ", ".join(self._names) or "no outputs"
        return f"<FlowRun {self.run_id}: {ACTS[self._leading.state].text}, {outputs}>"
