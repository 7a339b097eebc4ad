"""Where the jobs of a run of a workspace are executed: what its configuration says, what the call says, and who wins.

Knows workspaces; must not know jobs or modes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinagot.engine.executors.places import Place
from sinagot.workspace.contracts import House

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["ExecutorChoice"]


class ExecutorChoice(Place):
    """Where the jobs of a run are executed; equal choices share one executor of the workspace."""

    def __init__(
        self,
        workspace: House,
        *,
        mode: str | None,
        workers: int | None,
        client: Client | None,
        address: str | None,
        debug: bool,
    ) -> None:
        configuration = workspace.configuration
        super().__init__(
            configuration.run,
            configuration.dask,
            mode=mode,
            workers=workers,
            client=client if client is not None else workspace.client,
            address=address,
            debug=debug,
        )
