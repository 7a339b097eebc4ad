"""The doctor's round: which folders are looked at, in which order, and what all of it comes to.

Knows the folders of a workspace; what is found is the matter of `sinagot.dataset.drive` and the modules beside this
one. Nothing is imported before somebody asks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from sinagot.dataset.drive import examine_drive, examine_stage, existing
from sinagot.dataset.findings import PROBLEM, Finding
from sinagot.dataset.mounts import Mount, list_mounts, mount_of
from sinagot.engine.machine import default_workers
from sinagot.workspace.contracts import House
from sinagot.workspace.doctor.environment import examine_machine, examine_python

__all__ = ["examine_folder", "examine_workspace"]

_STATE = ".sinagot"


class _Ground(NamedTuple):
    """Folders of a workspace that lie on one mount."""

    roles: list[str]
    folders: list[str]


def examine_workspace(
    workspace: House, *, dask: bool = False, address: str | None = None
) -> Iterator[Finding]:
    """Look at all that runs of a workspace need.

    Parameters
    ----------
    workspace : Workspace
        Whose folders and settings.
    dask : bool
        Look at the workers of the configured cluster too; it is started for that.
    address : str, optional
        Look at the workers of this scheduler.

    Yields
    ------
    Finding
        Drives first, then Python, the machine and workers.
    """
    configuration = workspace.configuration
    mounts = list_mounts()
    folders = {
        "data": str(configuration.data_path),
        "output": str(configuration.output_path),
        "log": str(configuration.log_path),
        "state": str(configuration.state_path),
    }
    by_digest = configuration.run.steps.check == "digest"
    for ground in _grounds(folders, mounts):
        place = ", ".join(ground.roles)
        written = [one for one in zip(ground.roles, ground.folders, strict=True) if one[0] != "data"]
        base = _probe_base(dict(written))
        begin = existing(ground.folders[0])
        yield from examine_drive(place, begin, base, mounts, writes=bool(written), by_digest=by_digest)
        yield from _permissions(dict(written))
    yield examine_stage(folders["output"])
    workers = _worker_count(workspace)
    yield from examine_python(workers)
    yield from examine_machine(workers)
    if dask or address is not None:
        from sinagot.workspace.doctor.workers import examine_workers  # it knows executors

        yield from examine_workers(workspace, address)


def examine_folder(path: str) -> Iterator[Finding]:
    """Look at a folder that belongs to no workspace, and at Python and the machine.

    Parameters
    ----------
    path : str
        An existing folder.

    Yields
    ------
    Finding
        A folder that cannot be written is a warning: it may hold raw data.
    """
    folder = os.path.abspath(path)
    may_write = os.access(folder, os.W_OK | os.X_OK)
    yield from examine_drive("folder", folder, f"{folder}/{_STATE}", list_mounts(), writes=may_write)
    yield from examine_python()
    yield from examine_machine()


def _grounds(folders: dict[str, str], mounts: list[Mount]) -> list[_Ground]:
    """Put together the folders that lie on one mount."""
    grounds: dict[tuple[int, str], _Ground] = {}
    for role, folder in folders.items():
        begin = existing(folder)
        mount = mount_of(begin, mounts)
        key = os.stat(begin).st_dev, mount.point if mount is not None else ""
        ground = grounds.setdefault(key, _Ground([], []))
        ground.roles.append(role)
        ground.folders.append(folder)
    return list(grounds.values())


def _probe_base(written: dict[str, str]) -> str | None:
    """Say where experiments may be made: in the state folder, else where sinagot keeps its stages."""
    if "state" in written:
        return written["state"]
    return next((f"{folder}/{_STATE}" for folder in written.values()), None)


def _permissions(written: dict[str, str]) -> Iterator[Finding]:
    """Name the folders that this user may not write; the one that was tried has been told."""
    for role, folder in written.items():
        begin = existing(folder)
        if not os.access(begin, os.W_OK | os.X_OK):
            advice = f"runs can't write there: get the right, or set [path] {role} to a folder of yours."
            yield Finding(role, "permission", f"{begin} can't be written by you", PROBLEM, advice)


def _worker_count(workspace: House) -> int:
    """Give the number of processes that a run has at work at once."""
    run = workspace.configuration.run
    if run.mode == "main_process":
        return 1
    return run.workers or default_workers()
