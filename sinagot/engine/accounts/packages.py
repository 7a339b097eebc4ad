"""Which installed packages differ from those that a result was made with.

Knows origins and manifests of runs; must not decide anything: this is a note, and no reason to run again.
"""

from __future__ import annotations

from typing import NamedTuple

from sinagot.config.packages import installed_packages, plain_name
from sinagot.engine.state.history import read_manifest
from sinagot.engine.state.origins import Origins

__all__ = ["PackageChange", "PackageNotes"]


class PackageChange(NamedTuple):
    """A package that is another version now; None where it is not installed any more."""

    name: str
    old: str
    new: str | None

    @property
    def text(self) -> str:
        """Say it in a few words."""
        return f"{self.name} {self.old} -> {self.new or 'not installed'}"


class PackageNotes:
    """Compares what results were made with and what is installed here and now.

    Parameters
    ----------
    state : str
        The state folder.
    """

    def __init__(self, state: str) -> None:
        self._state = state
        self._origins = Origins(state)

    def changes(self, key: str, place: str) -> list[PackageChange]:
        """Give the packages that a step imports and that are other versions than when a result of it was made.

        Parameters
        ----------
        key : str
            Key of the job.
        place : str
            Name of the step, as in manifests.
        """
        origin = self._origins.get(key)
        packages = read_manifest(self._state, origin.run_id).get("packages", {}) if origin is not None else {}
        noted = packages.get(place) if isinstance(packages, dict) else None
        found = []
        here = installed_packages() if noted else {}
        for name, old in (noted if isinstance(noted, dict) else {}).items():
            new = here.get(plain_name(str(name)))
            if new != old:
                found.append(PackageChange(str(name), str(old), new))
        return found
