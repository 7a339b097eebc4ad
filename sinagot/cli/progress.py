"""Progress of a run on standard error: a bar on a terminal, a few plain lines elsewhere.

Knows how to draw what `sinagot.engine.pace` tells; must not know jobs. Nothing is shown, and rich is not imported,
for a run that is over at once.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from sinagot.cli.texts import clean, note
from sinagot.engine.pace import Snapshot, duration_text

if TYPE_CHECKING:
    from rich.live import Live

    from sinagot.engine.run import Progress

__all__ = ["ProgressDisplay"]

#: Characters that the bar keeps beside the words.
_SHORTEST_BAR = 12
#: The last failures that stand below the bar.
_MOST_FAILURES = 3
#: Seconds before the first plain line; each later pause is twice as long, up to the longest.
_FIRST_LINE, _LONGEST_PAUSE = 10.0, 600.0


class ProgressDisplay:
    """Shows a run while it goes on.

    Parameters
    ----------
    is_terminal : bool, optional
        Whether a bar can be drawn; found out from standard error when not given.

    Notes
    -----
    The bar is there before the first job and gone after the last one, so that what catches the output of scripts
    finds the same standard output at both ends of a job.
    """

    def __init__(self, is_terminal: bool | None = None) -> None:
        if is_terminal is None:
            is_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._is_terminal = is_terminal
        self._began = 0.0
        self._before: int | None = None
        self._progress: Progress | None = None
        self._failures: deque[str] = deque(maxlen=_MOST_FAILURES)
        self._next_line, self._pause = _FIRST_LINE, _FIRST_LINE
        self._live: Live | None = None

    def update(self, progress: Progress) -> None:
        """Take the newest counts; the engine calls this before the first job and then some times a second.

        Parameters
        ----------
        progress : Progress
            Counts of outcomes.
        """
        self._progress = progress
        if self._before is None:
            settled = sum(progress.counts.values())
            if settled == progress.total:
                return  # there was nothing to do
            self._before, self._began = settled, time.monotonic()
            if self._is_terminal:
                self._open_bar()
        if progress.last_failure and progress.last_failure not in self._failures:
            if not self._failures:  # at once, and to stay: so that a hopeless run can be stopped
                self._tell(f"failure: {progress.last_failure}")
            self._failures.append(progress.last_failure)
        if not self._is_terminal:
            self._tell_now_and_then()

    def snapshot(self) -> Snapshot:
        """Give the newest counts with their rate.

        Returns
        -------
        Snapshot
            What can be told now.
        """
        assert self._progress is not None and self._before is not None
        return Snapshot(self._progress, self._before, time.monotonic() - self._began)

    def close(self) -> None:
        """Take the bar away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *facts: object) -> None:
        self.close()

    def _tell(self, text: str) -> None:
        if self._live is not None:
            self._live.console.print(clean(text), markup=False, highlight=False, style="red")
        else:
            note(text)

    def _tell_now_and_then(self) -> None:
        elapsed = time.monotonic() - self._began
        if elapsed >= self._next_line:
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            self._next_line = elapsed + self._pause
            self._tell(f"{duration_text(elapsed)}: {' · '.join(self.snapshot().parts()).strip()}")

    def _open_bar(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(
            get_renderable=self._bar,
            console=Console(stderr=True),
            refresh_per_second=5,
            transient=True,
            # Lines that scripts print appear above the bar, unless they go to a file.
            redirect_stdout=sys.stdout.isatty(),
            redirect_stderr=sys.stderr.isatty(),
        )
        self._live.start()

    def _bar(self) -> Any:
        """Draw the bar; rich asks for it some times a second."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        width = self._live.console.width if self._live is not None else 80
        snapshot = self.snapshot()
        style = "yellow" if snapshot.counts.get("failed") else "green"
        bar = ProgressBar(
            total=max(snapshot.total, 1),
            completed=snapshot.settled,
            complete_style=style,
            finished_style=style,
        )
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(ratio=1, no_wrap=True)
        grid.add_column(no_wrap=True)
        grid.add_row(bar, Text(snapshot.line(width - _SHORTEST_BAR), overflow="ellipsis"))
        failures = (
            Text(f"  failed: {clean(text)}", style="red", no_wrap=True, overflow="ellipsis")
            for text in self._failures
        )
        return Group(grid, *failures)
