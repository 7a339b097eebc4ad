"""How far a run is, shown where it was started from Python: live in a notebook, else as lines on standard error.

Knows what notebooks understand; must not know jobs. IPython is never imported here: where it is not loaded already,
nobody could see what it shows.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sinagot.engine.pace import Snapshot, duration_text

if TYPE_CHECKING:
    from sinagot.engine.run import Progress

__all__ = ["NotebookDisplay", "ProgressLine", "choose_display", "in_notebook"]


def in_notebook() -> bool:
    """Say whether this program is a notebook's kernel, which shows HTML.

    Examples
    --------
    >>> in_notebook()
    False
    """
    shell = _shell()
    return getattr(shell, "kernel", None) is not None


def _shell() -> Any:
    """Give the shell of IPython, where there is one."""
    ipython = sys.modules.get("IPython")
    get = getattr(ipython, "get_ipython", None)
    return get() if callable(get) else None


def choose_display(
    progress: Callable[[Progress], None] | bool | None, *, wait: bool, dry_run: bool
) -> Callable[[Progress], None] | None:
    """Say what is told of the progress of a run.

    Parameters
    ----------
    progress : callable or bool, optional
        What the user wants: nothing (False), to be called, to see it (True), or what is usual at this place (None):
        a display in notebooks, nothing elsewhere.
    wait : bool
        The run is waited for.
    dry_run : bool
        Nothing runs.

    Returns
    -------
    callable or None
        Takes a `Progress` now and then; the last one says that the run is over.
    """
    if callable(progress):
        return progress
    if dry_run or progress is False:
        return None
    if in_notebook():
        return NotebookDisplay()
    # Lines of a run that goes on beside the prompt would get between what is typed there.
    return ProgressLine() if progress and wait else None


class ProgressLine:
    """Says on standard error how far a run is: one line that changes on a terminal, else a line now and then."""

    _QUIET = 1.0  # seconds in which nothing is said: most runs are over by then
    _PAUSE = 10.0  # seconds between two lines where they stay

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._said = self._start - self._PAUSE
        self._width = 0

    def __call__(self, progress: Progress) -> None:
        """Take note of where the run is."""
        now = time.monotonic()
        stream = sys.stderr
        if stream is None or now - self._start < self._QUIET:
            return
        is_terminal = stream.isatty()
        if is_terminal or now - self._said >= self._PAUSE:
            self._said = now
            done = sum(progress.counts.values())
            failed = progress.counts.get("failed", 0)
            text = f"{done:,} of {progress.total:,} jobs{f', {failed:,} failed' if failed else ''}"
            text += f", {now - self._start:.0f} s"
            stream.write(f"\r{text.ljust(self._width)}" if is_terminal else f"{text}\n")
            self._width = len(text)
        if progress.is_over and is_terminal and self._width:
            stream.write("\n")
        stream.flush()


class NotebookDisplay:
    """Shows a run in the output of the cell that started it; other cells can run meanwhile.

    Notes
    -----
    A run that finds nothing to do shows nothing. The last state stays, in the saved notebook too.
    """

    #: Seconds between two pictures: each is sent to the browser, and kept by it.
    PAUSE = 0.25

    def __init__(self) -> None:
        self._began = 0.0
        self._before: int | None = None
        self._shown = 0.0
        self._handle: Any = None
        self._lock = threading.Lock()
        #: The state of a run that found nothing to do.
        self._idle: Progress | None = None

    def open(self) -> None:
        """Take the place below the cell while it runs: of a run that goes on behind it, nothing may come in time."""
        with self._lock:
            if self._handle is None and self._idle is None:
                self._show("Run begins", "Run begins")
            elif self._idle is not None:
                self._show_idle(self._idle)

    def __call__(self, progress: Progress) -> None:
        """Take the newest counts."""
        with self._lock:
            self._take(progress)

    def _take(self, progress: Progress) -> None:
        now = time.monotonic()
        if self._before is None:
            settled = sum(progress.counts.values())
            if progress.is_over or settled == progress.total:
                self._idle = progress
                if self._handle is not None:
                    self._show_idle(progress)
                return
            self._before, self._began = settled, now
        elif now - self._shown < self.PAUSE and not progress.is_over:
            return
        self._shown = now
        words, title, parts = self._picture(progress, now - self._began)
        self._show(words, title, *parts)

    def _show_idle(self, progress: Progress) -> None:
        words = "Nothing had to be done"
        self._show(words, words, *_counted(progress))

    def _show(self, words: str, title: str, *parts: object) -> None:
        from sinagot.engine.html import fragment

        picture = {"text/html": fragment(title, *parts), "text/plain": words}
        try:
            self._send(picture)
        except Exception:  # noqa: BLE001  (no run ends because nobody can see how far it is)
            self._shown = float("inf")

    def _send(self, picture: dict[str, str]) -> None:
        if self._handle is not None:
            self._handle.update(picture, raw=True)
            return
        from importlib import import_module

        display = import_module("IPython.display").display  # it is loaded: this is its kernel
        self._handle = display(picture, raw=True, display_id=True)

    def _picture(self, progress: Progress, elapsed: float) -> tuple[str, str, list[object]]:
        """Give the words, the title and the pieces of a state."""
        from sinagot.engine.html import code, paragraph

        snapshot = Snapshot(progress, self._before or 0, elapsed)
        words = " · ".join(snapshot.parts()).strip()
        took = duration_text(elapsed)
        parts = [*_counted(progress)]
        if not progress.is_over:
            title = f"Running for {took}"
            parts.insert(1, paragraph(words))
        else:
            is_cut = snapshot.settled < snapshot.total or progress.counts.get("interrupted", 0)
            title = f"Run stopped after {took}" if is_cut else f"Run over after {took}"
            words = f"{title}: {words}"
        if progress.last_failure:
            parts.append(paragraph("last failure: ", code(progress.last_failure)))
            words += f" · last failure: {progress.last_failure}"
        return words, title, parts


def _counted(progress: Progress) -> list[object]:
    """Draw the counts: a bar, and what its parts mean."""
    from sinagot.engine.html import bar, legend, paragraph
    from sinagot.engine.words import OUTCOMES

    return [
        bar(progress.counts, OUTCOMES, progress.total),
        paragraph(legend(progress.counts, OUTCOMES)),
    ]
