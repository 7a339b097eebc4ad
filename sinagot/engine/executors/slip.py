"""A few bytes that a child and its parent share: what the parent saw of the child's memory.

Knows one number and the attempt that it belongs to; must not know who measures.
"""

from __future__ import annotations

import mmap
import os
import struct

__all__ = ["Slip"]

_FORM = struct.Struct("qd")


class Slip:
    """One end of the shared bytes.

    Examples
    --------
    >>> slip = Slip()
    >>> other = Slip(slip.descriptor)
    >>> slip.write(3, 1e6)
    >>> other.read(3), other.read(4)
    (1000000.0, 0.0)
    """

    def __init__(self, descriptor: int | None = None) -> None:
        if descriptor is None:
            descriptor = _new_file()
        self.descriptor = descriptor
        self._bytes = mmap.mmap(descriptor, _FORM.size)

    def close_descriptor(self) -> None:
        """Close the descriptor; the bytes stay shared."""
        os.close(self.descriptor)

    def write(self, serial: int, peak: float) -> None:
        """Say what was seen of the attempt of a number."""
        _FORM.pack_into(self._bytes, 0, serial, peak)

    def read(self, serial: int) -> float:
        """Give what was seen of the attempt of a number, 0 when nothing was."""
        found: int
        found, peak = _FORM.unpack_from(self._bytes)
        return float(peak) if found == serial else 0.0


def _new_file() -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("sinagot-slip")
    else:
        import tempfile  # macOS

        descriptor, name = tempfile.mkstemp(prefix="sinagot-slip-")
        os.unlink(name)
    os.truncate(descriptor, _FORM.size)
    return descriptor
