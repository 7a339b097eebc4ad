"""The name by which versions 0.2 and 0.3 ran steps through Dask.

Knows nothing of its own: `run.mode = "dask"`, or `mode="dask"` for one run, is the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sinagot.engine.accounts.report import RunReport
    from sinagot.workspace.scope import Scope
    from sinagot.workspace.workspace import Workspace

__all__ = ["DaskRunManager"]


class DaskRunManager:
    """Runs the steps of scopes through Dask, as `[dask]` says.

    Parameters
    ----------
    workspace : Workspace
        It keeps the cluster, for other runs as well.

    See Also
    --------
    sinagot.workspace.steps.StepCollection.run : does the same with ``mode="dask"``.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def run(
        self,
        model: Scope,
        step_label: str | None = None,
        force: bool = False,
        ignore_missing: bool = False,
        debug: bool = False,
    ) -> RunReport:
        """Run the steps of a scope that are not done; see `StepCollection.run`."""
        return model.steps.run(step_label, force, ignore_missing, debug, mode="dask")

    def close(self) -> None:
        """End the cluster, if the workspace started one."""
        self.workspace.close()
