"""Sidecars: small JSON files beside outputs that tell what those come from, and how one is told from other files.

Knows names and the first bytes of a sidecar; must not know what it tells. A scan passes over those that are ours, the
attempt that makes an output replaces them.
"""

from __future__ import annotations

import os

__all__ = [
    "BEGIN",
    "SUFFIX",
    "is_sidecar",
    "may_be_replaced",
    "may_find_sidecars",
    "remove_sidecar",
    "sidecar_of",
]

#: Behind the whole name of the output: no script's own ``.json`` of the same stem is ever met.
SUFFIX = ".prov.json"
#: What each sidecar begins with.
BEGIN = '{\n "schema": "sinagot-provenance/'
_BEGIN = BEGIN.encode("ascii")


def sidecar_of(path: str) -> str:
    """Give the path of the sidecar of an output.

    Examples
    --------
    >>> sidecar_of("/lab/mean/REC-1.csv")
    '/lab/mean/REC-1.csv.prov.json'
    """
    return path + SUFFIX


def is_sidecar(path: str) -> bool:
    """Say whether a file is a sidecar that sinagot has written."""
    return path.endswith(SUFFIX) and _beginning(path) == _BEGIN


def may_be_replaced(path: str) -> bool:
    """Say whether nothing is lost when a sidecar is written here: nothing is there, one of ours, or an empty file.

    After a power cut a file may be there by its name only, empty or full of zeros.
    """
    if not os.path.lexists(path):
        return True
    found = None if os.path.islink(path) else _beginning(path)
    return found is not None and found.strip(b"\0") in (_BEGIN, b"")


def remove_sidecar(path: str) -> None:
    """Remove the sidecar of an output, if it is ours."""
    sidecar = sidecar_of(path)
    if is_sidecar(sidecar) and not os.path.islink(sidecar):
        os.unlink(sidecar)


def may_find_sidecars(tail: str) -> bool:
    """Say whether names with a certain end can be those of sidecars by accident.

    Parameters
    ----------
    tail : str
        What a pattern of a name ends with, behind its last field.

    Examples
    --------
    >>> may_find_sidecars(".csv"), may_find_sidecars(".json"), may_find_sidecars("")
    (False, True, True)

    A pattern that names them means them:

    >>> may_find_sidecars(".csv.prov.json"), may_find_sidecars(".prov.json")
    (False, False)
    """
    return SUFFIX.endswith(tail) and tail != SUFFIX


def _beginning(path: str) -> bytes | None:
    """Read as many bytes as a sidecar begins with; None where no plain file can be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None
    try:
        return os.read(descriptor, len(_BEGIN))
    except OSError:  # a folder
        return None
    finally:
        os.close(descriptor)
