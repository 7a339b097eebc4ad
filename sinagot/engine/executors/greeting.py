"""Makes sure that a worker elsewhere is fit for the jobs of a run: same package, same Python, same files.

Knows versions and the manifest of the run; must not know jobs. The driver asks the workers that are there
before the first job; each worker asks itself again at its first batch of a run, since some come later.
"""

from __future__ import annotations

import os
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from sinagot.version import __version__

__all__ = ["Greeting", "Look", "doubts_about", "look_around"]

#: Packages that driver and workers must have alike, beside sinagot itself.
_PACKAGES = ("dask", "distributed")
#: Seconds that a new file may take to be seen on another machine.
LATENCY = 5.0


class Greeting(NamedTuple):
    """What the driver is, and the file of this run that every worker must see; none (``""``) for calls."""

    versions: dict[str, str]
    path: str

    @classmethod
    def of(cls, state: str, run_id: str) -> Greeting:
        """Make the greeting of a run whose manifest is written.

        Parameters
        ----------
        state : str
            The state folder; empty for calls, which need no files.
        run_id : str
            The run.
        """
        return cls(_versions(), f"{state}/runs/{run_id}/run.json" if state else "")


class Look(NamedTuple):
    """What a worker is, and whether it sees the file."""

    host: str
    versions: dict[str, str]
    sees: bool


def look_around(path: str) -> Look:
    """Say what this process is, and whether it sees a file.

    Parameters
    ----------
    path : str
        The file, or nothing; on a network drive it may take a moment to be seen.
    """
    end = time.monotonic() + LATENCY
    while not (sees := not path or os.path.exists(path)) and time.monotonic() < end:
        time.sleep(0.2)
    return Look(os.uname().nodename, _versions(), sees)


def doubts_about(look: Look, greeting: Greeting) -> tuple[str | None, str | None]:
    """Compare a worker with the driver.

    Parameters
    ----------
    look : Look
        What the worker found.
    greeting : Greeting
        What the driver is.

    Returns
    -------
    refusal : str or None
        Why no job may run there.
    warning : str or None
        What the user should know.
    """
    if not look.sees:
        folder = os.path.dirname(os.path.dirname(os.path.dirname(greeting.path)))
        return (
            f"the worker on {look.host} does not see {greeting.path}: the state folder {folder} must be there under "
            "the same path as here, with the data and the scripts (a shared file system, mounted alike)"
        ), None
    worse: list[str] = []
    slight: list[str] = []
    for name, ours in greeting.versions.items():
        theirs = look.versions.get(name, "?")
        if theirs != ours:
            text = f"{name} {theirs} (here {ours})"
            (worse if _matters(name, ours, theirs) else slight).append(text)
    if worse:
        also = f", and {', '.join(slight)}" if slight else ""
        return (
            f"the worker on {look.host} has {', '.join(worse)}{also}: install the same versions there",
            None,
        )
    if slight:
        return (
            None,
            f"the worker on {look.host} has {', '.join(slight)}; the same versions everywhere are safer",
        )
    return None, None


def _matters(name: str, ours: str, theirs: str) -> bool:
    """Say whether jobs can't be trusted to a worker with another version of something.

    Examples
    --------
    >>> (
    ...     _matters("python", "3.11", "3.12"),
    ...     _matters("dask", "2026.8.0", "2026.9.1"),
    ...     _matters("dask", "2", "3"),
    ... )
    (True, False, True)
    """
    # Jobs are pickles of our own types; a Python differs where its minor version does.
    parts = {"python": 2, "sinagot": 2}.get(name, 1)
    return ours.split(".")[:parts] != theirs.split(".")[:parts]


def _versions() -> dict[str, str]:
    found = {"sinagot": __version__, "python": ".".join(map(str, sys.version_info[:2]))}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "?"
    return found
