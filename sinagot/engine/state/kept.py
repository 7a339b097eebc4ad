"""What failed attempts had written, for people to look at: ``<state>/failed/<attempt>``, at most one folder a job.

Knows stages, and the marks of failures, each of which names what is kept of its job; must not know why an attempt
failed. Keeping costs one rename: where the state folder is on another file system than the outputs, a folder beside
the stages serves.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

from sinagot.dataset.commit import Stage
from sinagot.dataset.moves import remove
from sinagot.engine.job import Cause, Job
from sinagot.engine.state.history import Marks
from sinagot.engine.state.owners import Owner

__all__ = ["FailureMarks", "failed_folders", "keep", "keep_of_dead", "kept_names", "names_in"]


def failed_folders(state: str, stage_base: str) -> tuple[str, ...]:
    """Give the folders in which something may be kept: that of the state, and one on the outputs' file system.

    Examples
    --------
    >>> failed_folders("/lab/.sinagot", "/lab/.sinagot/stage")
    ('/lab/.sinagot/failed',)
    """
    return tuple(dict.fromkeys((f"{state}/failed", f"{os.path.dirname(stage_base)}/failed")))


def names_in(folder: str) -> list[str]:
    """List a folder; nothing is in one that is not there, or cannot be read."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def keep(job: Job, attempt: str, stage: Stage, cause: Cause) -> Cause:
    """Keep what a failed attempt had written, if its step says so.

    Parameters
    ----------
    job : Job
        What failed.
    attempt : str
        Name of the attempt.
    stage : Stage
        Its private folder.
    cause : Cause
        Why it failed.

    Returns
    -------
    Cause
        With the place as the last line of message and traceback; the same when nothing is kept: the failure is what
        has to be told.
    """
    if not job.step.settings.keep_failed:
        return cause
    for folder in failed_folders(job.options.state_path, job.options.stage_base):
        kept = f"{folder}/{attempt}"
        with contextlib.suppress(OSError):  # another file system, no space, no permission
            if not stage.keep(kept):
                break
            note = f"\nwhat it had written is kept in {kept}"
            trace = f"{cause.traceback.rstrip()}{note}\n" if cause.traceback else ""
            # By the first line of messages failures are grouped.
            return cause._replace(message=cause.message + note, traceback=trace, kept=attempt)
    return cause


def keep_of_dead(job: Job, former: Owner, taker: str, cause: Cause) -> Cause:
    """Keep what an attempt had written that failed with its process; see `keep`.

    Parameters
    ----------
    job : Job
        What failed; its claim must have been taken over, and nothing of the attempt may have been committed.
    former : Owner
        The dead process.
    taker : str
        Name of an attempt of this process: what stands under it is not swept away before its mark is set.
    cause : Cause
        Why it failed.
    """
    options = job.options
    if not (job.step.settings.keep_failed and job.step.atomic):
        return cause
    begin = f"{former.run_id}-{former.pid}-"
    names = [name for name in names_in(options.stage_base) if name.startswith(begin)]
    names = [name for name in names if "~" not in name]  # taken over, to be finished
    # The highest number is the attempt it died at; emptied folders of earlier ones may be left.
    for name in sorted(names, key=lambda name: (len(name), name))[-1:]:
        stage = Stage(options.stage_base, name, options.output_path)
        cause = keep(job, f"{taker}~{name}", stage, cause)
    return cause


class FailureMarks(Marks):
    """The marks of failures, and what is kept of those jobs: it goes with the mark, or when a newer one keeps more."""

    def __init__(self, state: str, stage_base: str) -> None:
        super().__init__(state, "failures")
        self._places = failed_folders(state, stage_base)

    def set(self, key: str, facts: dict[str, Any]) -> None:
        """Set or replace the mark of a job; what was kept stays, unless this attempt has kept something."""
        former = _kept_by(self.get(key))
        if former is None:
            super().set(key, facts)
            return
        super().set(key, {"kept": former, **facts})
        if facts.get("kept", former) != former:
            self._remove(former)

    def clear(self, key: str) -> None:
        """Remove the mark of a job, and what was kept of it."""
        kept = _kept_by(self.get(key))
        super().clear(key)
        if kept is not None:
            self._remove(kept)

    def _remove(self, name: str) -> None:
        for place in self._places:
            remove(f"{place}/{name}")


def kept_names(state: str) -> set[str] | None:
    """Give the names of all that marks of failures keep; None when a mark cannot be read."""
    marks = Marks(state, "failures")
    found = set()
    for name in marks.names():
        facts = marks.read(name)
        if facts == {}:
            return None
        kept = _kept_by(facts)
        if kept is not None:
            found.add(kept)
    return found


def _kept_by(mark: dict[str, Any] | None) -> str | None:
    """Read the name of what is kept; a mark that was tampered with names nothing."""
    name = (mark or {}).get("kept")
    is_plain = isinstance(name, str) and os.path.basename(name) == name and name not in ("", ".", "..")
    return name if is_plain else None
