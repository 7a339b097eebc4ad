"""Whether somebody has a file open for writing, as the kernel tells it.

Knows files, drives and the kernel's leases; must not know records, nor for how long anybody waits. What the kernel can
not tell, `sinagot.dataset.stillness` finds by two looks.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from errno import EAGAIN
from functools import cache
from signal import Signals
from stat import S_ISREG

from sinagot.dataset.mounts import list_mounts, mount_of

__all__ = ["Writers"]

_ASK = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class Writers:
    """Who writes, at one look: what is known of drives is kept.

    Notes
    -----
    A read lease (`man 2 fcntl`, F_SETLEASE) is refused as long as any process has the file open for writing, also one
    that pauses, and also in another container. It is asked for, and given back at once. Only the owner of a file may
    do so (or who has CAP_LEASE), only on Linux, and it tells something only where no other machine writes.

    Examples
    --------
    >>> Writers().is_written("no such file") is None
    True
    """

    def __init__(self) -> None:
        #: Device -> whether only programs of this machine write there.
        self._devices: dict[int, bool] = {}

    def is_written(self, path: str) -> bool | None:
        """Say whether a process has a file open for writing.

        Parameters
        ----------
        path : str
            Links are followed.

        Returns
        -------
        bool or None
            None when the kernel does not tell: of what is no plain file, of files of other users, of network drives.
        """
        ask = _asker()
        if ask is None:
            return None
        try:
            if not S_ISREG(os.stat(path).st_mode):  # opening a pipe or a device may do something
                return None
            opened = os.open(path, _ASK)
        except BlockingIOError:
            return True  # another one has a lease that no reader may break: a file server, for a client that writes
        except OSError:
            return None
        try:
            state = os.fstat(opened)
            is_told = S_ISREG(state.st_mode) and self._is_own(state.st_dev, path)
            return ask(opened) if is_told else None
        finally:
            os.close(opened)

    def _is_own(self, device: int, path: str) -> bool:
        if device not in self._devices:
            mount = mount_of(path, list_mounts())
            self._devices[device] = mount is not None and mount.is_own
        return self._devices[device]


@cache
def _asker() -> Callable[[int], bool | None] | None:
    """Give what asks for the lease of an open file; None where there are none."""
    if sys.platform != "linux":
        return None
    from fcntl import F_RDLCK, F_SETLEASE, F_SETSIG, F_UNLCK

    try:
        import ctypes

        # Who opens the file for writing is held up as long as the lease is there. `fcntl.fcntl` would let go of the
        # interpreter's lock before it comes back, and another thread could keep that for seconds; this does not.
        control = ctypes.PyDLL(None, use_errno=True).fcntl
    except (ImportError, OSError, AttributeError):  # a Python that was built without
        return None
    control.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_long)
    # Whoever opens the file meanwhile makes the kernel send a signal, by default one that ends this process (SIGIO).
    # Nobody listens to this one, and by itself it does nothing.
    harmless = int(Signals.SIGURG)

    def ask(opened: int) -> bool | None:
        if control(opened, F_SETSIG, harmless):
            return None
        refused = control(opened, F_SETLEASE, F_RDLCK)
        if not refused:
            control(
                opened, F_SETLEASE, F_UNLCK
            )  # closing is not enough: a child may have been forked in between
            return False
        return True if ctypes.get_errno() == EAGAIN else None

    return ask
