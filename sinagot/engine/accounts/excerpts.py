"""The lines of code round the place where an attempt failed, as they were when it ran.

Knows the run's copies of code, and the user's files; must not know records. Each run keeps the files that it used,
named by their digest; where a copy is gone, the file serves, and it is said whether it is the same.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from sinagot.engine.state.history import read_manifest
from sinagot.scripts.sources import digest_of

__all__ = ["CodeLine", "Excerpt", "excerpt_of"]

_PLACE = re.compile(r"(?P<file>.+):(?P<line>\d+) in (?P<function>.+)", re.DOTALL)
#: Bytes of a file beyond which it is no script.
_LARGEST = 1 << 24


class CodeLine(NamedTuple):
    """One line; `is_marked` for the one where it happened."""

    number: int
    text: str
    is_marked: bool


class Excerpt(NamedTuple):
    """Lines of code round one place."""

    file: str
    line: int
    function: str
    #: Empty when the file is not there any more.
    lines: tuple[CodeLine, ...]
    #: What is to be known of the lines: that the file was edited since, say. Empty when all is well.
    note: str


def excerpt_of(state: str, run_id: str | None, step: str, where: str, around: int = 3) -> Excerpt | None:
    """Give the lines round a place in the code of a run.

    Parameters
    ----------
    state : str
        The state folder.
    run_id : str or None
        The run; None where it is not known.
    step : str
        ``task-modality-step``, or the step.
    where : str
        ``file:line in function``, as causes have it.
    around : int
        So many lines before and after.

    Returns
    -------
    Excerpt or None
        None when the text names no place.
    """
    found = _PLACE.fullmatch(where)
    if found is None:
        return None
    file, line = found["file"], int(found["line"])
    data, note = _code_of(state, run_id, step, file)
    lines = data.decode("utf-8", "replace").splitlines() if data is not None else []
    if data is not None and not 1 <= line <= len(lines):
        lines, note = [], f"the file has no line {line} now: it has changed since"
    shown = [
        CodeLine(number, lines[number - 1], number == line)
        for number in range(max(line - around, 1), min(line + around, len(lines)) + 1)
    ]
    return Excerpt(file, line, found["function"], tuple(shown), note)


def _code_of(state: str, run_id: str | None, step: str, file: str) -> tuple[bytes | None, str]:
    """Give a file as it ran, and what has to be said of it."""
    now = _read(file)
    digests = _digests(state, run_id, step)
    digest = _own(digests, file)
    if now is not None and digest_of(now) in ([digest] if digest else digests.values()):
        return now, ""
    kept = _read(f"{state}/runs/{run_id}/code/{digest}.py") if digest is not None else None
    if kept is not None:
        return kept, "the file is gone now" if now is None else "as it ran; the file has changed since"
    if now is None:
        return None, "the file is gone"
    if digest is not None:
        return now, "the file has changed since it ran; this is how it is now"
    return now, "as the file is now; it may have changed since it ran"


def _digests(state: str, run_id: str | None, step: str) -> dict[str, str]:
    sources = read_manifest(state, run_id).get("sources") if run_id else None
    found = sources.get(step) if isinstance(sources, dict) else None
    return {str(name): str(digest) for name, digest in found.items()} if isinstance(found, dict) else {}


def _own(digests: dict[str, str], file: str) -> str | None:
    """Choose the digest of a file: a script is noted by the name of its file, a local module by what is imported."""
    if os.path.basename(file) in digests:
        return digests[os.path.basename(file)]
    parts = os.path.splitext(file)[0].removesuffix("/__init__").split("/")
    names = (".".join(parts[-count:]) for count in range(min(len(parts), 9), 0, -1))
    return next((digests[name] for name in names if name in digests), None)


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read(_LARGEST)
    except (OSError, ValueError):
        return None
