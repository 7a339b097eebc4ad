"""Remembers that configuration files were found good, so that pydantic is loaded once per edit.

Knows one small file per digest in `<state>/index`; must not hold settings: a verdict only saves the checks.
Read by `sinagot.config.load` at every opening, written when a run starts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from sinagot.config.sources import Source
from sinagot.version import __version__

__all__ = ["find_verdict", "make_digest", "save_verdict"]

#: Changes when the checks do within one version of the package.
CACHE_FORMAT = 5


def make_digest(sources: Iterable[Source], overrides: Iterable[str | None]) -> str:
    """Make the digest of a configuration.

    Parameters
    ----------
    sources : iterable of Source
        The files, in order. Their absolute paths count, because warnings name them.
    overrides : iterable of str or None
        Arguments that win over the files.

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    digest = hashlib.sha256(f"{CACHE_FORMAT}\0{__version__}\0{sys.version_info[:2]}".encode())
    for override in overrides:
        digest.update(b"\0-" if override is None else b"\0+" + os.fsencode(override))
    for source in sources:
        digest.update(
            b"\0" + os.fsencode(source.file) + b"\0" + str(len(source.data)).encode() + b"\0" + source.data
        )
    return digest.hexdigest()


def find_verdict(state: Path, digest: str) -> tuple[str, ...] | None:
    """Read the warnings of files that were found good before.

    Parameters
    ----------
    state : Path
        The state folder; it need not exist.
    digest : str
        Of `make_digest`.

    Returns
    -------
    tuple of str or None
        The warnings; None when nothing, or nothing readable, is kept for this digest.
    """
    try:
        with open(_cache_file(state, digest), encoding="utf-8") as stream:
            kept = json.load(stream)
        warnings = kept["warnings"]
        good = kept["digest"] == digest and isinstance(warnings, list)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return tuple(warnings) if good and all(isinstance(text, str) for text in warnings) else None


def save_verdict(state: Path, digest: str, warnings: Iterable[str]) -> None:
    """Keep the warnings of good files; a folder that cannot be written is no problem.

    Parameters
    ----------
    state : Path
        The state folder; it is made.
    digest : str
        Of `make_digest`.
    warnings : iterable of str
        Those that follow from the files alone.
    """
    file = _cache_file(state, digest)
    temporary = f"{file}.{os.getpid()}.tmp"
    try:
        if os.path.exists(file) and find_verdict(state, digest) is not None:
            return
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(temporary, "w", encoding="utf-8") as stream:
            json.dump({"digest": digest, "warnings": list(warnings)}, stream)
        os.replace(temporary, file)
    except OSError:
        # A miss costs time only. What was begun is taken away, if that can be done.
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def _cache_file(state: Path, digest: str) -> str:
    return os.path.join(state, "index", f"config-{digest}.json")
