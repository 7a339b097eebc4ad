"""A service as a program: ``python -m tests.schedule.servant ROOT CLOCK [BEAT]``; it ends as `sinagot schedule run` does.

With a beat, in seconds, it also waits no longer than that for a database that is away.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sinagot.cli.schedules import serve
from sinagot.config.schedules import history_of
from sinagot.schedule.history.database import DatabaseHistory
from sinagot.schedule.history.opening import open_history
from sinagot.schedule.service import Service
from sinagot.workspace.workspace import Workspace
from tests.schedule.houses import FileClock


def main(root: str, clock: str, beat: str = "") -> None:
    """Work until a signal comes."""
    workspace = Workspace(root)
    history = open_history(workspace.configuration.state_path, history_of(workspace.configuration).url)
    if beat and isinstance(history, DatabaseHistory):
        history._database.patience = float(beat)
    service = Service(
        workspace,
        history,
        clock=FileClock(Path(clock)),
        beat=float(beat or 10),
        tell=lambda level, text: print(level, text, flush=True),
    )
    with serve(service):
        service.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
