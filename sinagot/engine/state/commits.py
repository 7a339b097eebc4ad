"""The intent of a publication, put on record before its first file moves, so that a death in between can be healed.

Knows what a `commit` event tells; must not decide what is made of it: `sinagot.engine.state.recovery` does after a
death, `sinagot.engine.power` after a power cut.
"""

from __future__ import annotations

import os
import time
from typing import Any, NamedTuple

from sinagot.dataset.commit import Stage
from sinagot.dataset.moves import sync
from sinagot.dataset.prints import digest_within
from sinagot.engine.job import Job
from sinagot.engine.state.bench import Bench
from sinagot.engine.state.origins import short_path

__all__ = ["LAZY_DIGEST", "Committed", "note_commit", "read_commit"]

#: Bytes: of more the content is not read again when durability is lazy. About 10 ms of work.
LAZY_DIGEST = 16 << 20

Facts = tuple[str, int, int]


class Committed(NamedTuple):
    """What a `commit` event tells, with full paths."""

    attempt: str
    #: Final path, size and mtime_ns of all that was to move.
    files: tuple[Facts, ...]
    #: Final path -> digest, where one was taken.
    digests: dict[str, str]
    #: The files were under their final names already.
    in_place: bool
    #: Their bytes were on the disk when the event was written.
    synced: bool
    event: dict[str, Any]

    @property
    def is_provable(self) -> bool:
        """Whether it can be told of each file that its bytes are right, even after a power cut."""
        return self.synced or len(self.digests) == len(self.files)


def note_commit(
    job: Job,
    bench: Bench,
    attempt: str,
    began: float,
    source: dict[str, Any],
    stage: Stage | None,
    files: tuple[Facts, ...],
    digests: dict[str, str] | None = None,
) -> None:
    """Write down what will be moved into place; without a stage, what a script has written under the final names.

    `digests` is filled with what was taken, by final path.

    Raises
    ------
    OSError
        It could not be written: nothing may move.
    """
    output, is_full = job.options.output_path, job.options.is_full
    most = None if is_full else LAZY_DIGEST
    moved = []
    for final, size, mtime_ns in files:
        if stage is not None:
            digest = stage.digest(final, most)
        else:
            if is_full:
                sync(final, deep=True)
            digest = digest_within(os.path.realpath(final), most)
        moved.append([short_path(final, output, output), size, mtime_ns, digest])
        if digests is not None and digest is not None:
            digests[final] = digest
    event = {
        "event": "commit",
        "key": job.key,
        "attempt": attempt,
        "duration_s": round(time.perf_counter() - began, 6),
        "files": moved,
        **source,
    }
    if stage is None:
        event["in_place"] = True
    if is_full:
        event["synced"] = True
    bench.events.append(event, sync=is_full)


def read_commit(event: dict[str, Any], output: str) -> Committed | None:
    """Read a `commit` event back; None when it is none of ours.

    Parameters
    ----------
    event : dict
        As it was written, maybe by another version.
    output : str
        The root of outputs as it is called now: a dataset that was moved is still the same.
    """
    try:
        files = []
        digests = {}
        for short, size, mtime_ns, digest in event["files"]:
            final = short if os.path.isabs(short) else f"{output}/{short}"
            files.append((final, int(size), int(mtime_ns)))
            if digest is not None:
                digests[final] = str(digest)
        flags = bool(event.get("in_place")), bool(event.get("synced"))
        return Committed(str(event["attempt"]), tuple(files), digests, *flags, event)
    except (KeyError, TypeError, ValueError):
        return None
