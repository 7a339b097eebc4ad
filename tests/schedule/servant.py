"""A service as a program: ``python -m tests.schedule.servant ROOT CLOCK``; it ends as `sinagot schedule run` does."""

from __future__ import annotations

import sys
from pathlib import Path

from sinagot.cli.schedules import serve
from sinagot.config.schedules import history_of
from sinagot.schedule.history.opening import open_history
from sinagot.schedule.service import Service
from sinagot.workspace.workspace import Workspace
from tests.schedule.houses import FileClock


def main(root: str, clock: str) -> None:
    """Work until a signal comes."""
    workspace = Workspace(root)
    service = Service(
        workspace,
        open_history(workspace.configuration.state_path, history_of(workspace.configuration).url),
        clock=FileClock(Path(clock)),
        tell=lambda level, text: print(level, text, flush=True),
    )
    with serve(service):
        service.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
