"""How another process opens the store of a run: a handle, small and picklable.

Knows stores by what opens them; must not know runs. `postings` carry handles; a store of another kind gives its own
by a method `handle`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sinagot.errors import StorageError
from sinagot.flow.ends import Mark
from sinagot.flow.spool import SpoolStore
from sinagot.flow.waiting import file_name

__all__ = ["SpoolHandle", "StoreHandle", "claim", "handle_of", "opened", "opened_for_control", "with_names"]


class StoreHandle(Protocol):
    """Opens a store that is there; it can be pickled."""

    def open(self, is_alive: Callable[[str], bool] | None = None) -> Any:
        """Open the store; its `remove` closes it, and deletes nothing."""


@dataclass(frozen=True)
class SpoolHandle:
    """Open the folder of a spool.

    Attributes
    ----------
    folder : str
        Where it is, for all who open it.
    pickle : bool or tuple of str
        As for `SpoolStore`.
    spool_limit : int or None
        As for `SpoolStore`.
    """

    folder: str
    pickle: bool | tuple[str, ...] = False
    spool_limit: int | None = None

    def open(self, is_alive: Callable[[str], bool] | None = None) -> SpoolStore:
        """Open the store.

        Parameters
        ----------
        is_alive : callable, optional
            As for `SpoolStore`.

        Raises
        ------
        StorageError
            When the folder is not there; says for which host.
        """
        try:
            return SpoolStore(
                self.folder,
                keep=True,
                pickle=self.pickle,
                spool_limit=self.spool_limit,
                is_alive=is_alive,
            )
        except StorageError as error:
            raise StorageError(
                f"host {socket.gethostname()} cannot use the folder of the flow's streams: {error}; name one that the "
                "workers see as well and that belongs to the same user: Supervisor.attach(..., folder=...)",
                path=self.folder,
            ) from error


def handle_of(store: Any) -> StoreHandle:
    """Give what opens a store elsewhere.

    Parameters
    ----------
    store : StreamStore
        The store.
    """
    if isinstance(store, SpoolStore):
        pickles = store.pickle if isinstance(store.pickle, bool) else tuple(store.pickle)
        return SpoolHandle(os.path.abspath(store.folder), pickles, store.spool_limit)
    handle: StoreHandle = store.handle()
    return handle


def opened(handle: StoreHandle) -> Any:
    """Open a store; whether those who write in it live is known from their heartbeats, not asked by the store."""
    return handle.open(is_alive=lambda _: True)


def opened_for_control(handle: Any) -> Any:
    """Open a store for streams of the machinery, which no limit of the user is meant for."""
    config: Any = getattr(handle, "config", None)
    if getattr(config, "trim", None) is not None:
        handle = replace(handle, config=replace(config, trim=None))
    return opened(replace(handle, spool_limit=None))


def with_names(handle: Any, names: Iterable[tuple[str, str]]) -> Any:
    """Give a handle that treats streams as others are treated: pairs of the known name and the new one."""
    pickles = getattr(handle, "pickle", False)
    if isinstance(pickles, bool):
        return handle
    return replace(handle, pickle=(*pickles, *(new for known, new in names if known in pickles)))


async def claim(store: Any, name: str) -> bool:
    """Take what a name stands for; of all who ask for it, on all hosts, one gets it.

    Parameters
    ----------
    store : StreamStore
        A store, as its handle opened it.
    name : str
        A name that no stream has.

    Returns
    -------
    bool
        False when somebody was first.
    """
    if not isinstance(store, SpoolStore):
        return bool(await store.end(name, Mark.complete()))  # the first mark stands
    path = os.path.join(store.folder, f"{file_name(name)}.claim")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return False
    except OSError as error:
        raise StorageError(
            f"host {socket.gethostname()} cannot write to the folder of the flow's streams {store.folder}: "
            f"{error.strerror}",
            path=store.folder,
        ) from error
    return True
