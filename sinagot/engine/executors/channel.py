"""A pipe for Python values between a parent and its own child process.

Length-prefixed pickles over a socket pair: no threads, no locks, and cheaper to import than `multiprocessing`. What a
value holds as large buffers (arrays, `pickle.PickleBuffer`) goes beside its pickle and is not copied for it.
Only the two ends of one pair ever talk, so that unpickling is as safe as the program itself.
"""

from __future__ import annotations

import pickle
import socket
import struct
from collections import deque
from typing import Any

__all__ = ["Channel"]

#: Bytes of the pickle, and how many buffers come after it; their sizes stand between.
_HEADER = struct.Struct("!QQ")
_SIZE = struct.Struct("!Q")
_PIECE = 1 << 18


def _packed(value: Any) -> list[bytes | memoryview]:
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    raw = [buffer.raw() for buffer in buffers]
    sizes = b"".join(_SIZE.pack(one.nbytes) for one in raw)
    return [_HEADER.pack(len(data), len(raw)) + sizes + data, *raw]


class Channel:
    """One end of the pipe.

    Examples
    --------
    >>> left, right = Channel.pair()
    >>> left.send({"a": 1})
    >>> right.receive()
    {'a': 1}
    >>> left.close()
    >>> right.receive()
    Traceback (most recent call last):
    EOFError
    >>> right.close()
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._waiting: deque[memoryview] = deque()

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        """Make both ends."""
        left, right = socket.socketpair()
        return cls(left), cls(right)

    @classmethod
    def from_descriptor(cls, descriptor: int) -> Channel:
        """Take over an inherited descriptor; programs started from here do not inherit it."""
        sock = socket.socket(fileno=descriptor)
        sock.set_inheritable(False)
        return cls(sock)

    def fileno(self) -> int:
        """Give the descriptor, for `select`."""
        return self._socket.fileno()

    def send(self, value: Any) -> None:
        """Send one value; raises OSError when the other end is gone."""
        for part in _packed(value):
            self._socket.sendall(part)

    def post(self, value: Any) -> None:
        """Send one value without waiting: what the pipe does not take yet is kept for `flush`.

        The buffers of the value are kept as they are: they must not be changed before they are sent.
        """
        self._waiting += map(memoryview, _packed(value))
        self.flush()

    @property
    def is_waiting(self) -> bool:
        """True when something posted has yet to be sent."""
        return bool(self._waiting)

    def flush(self) -> None:
        """Send as much of what was posted as the pipe takes now; raises OSError when the other end is gone."""
        while self._waiting:
            first = self._waiting[0]
            try:
                sent = self._socket.send(first[:_PIECE], socket.MSG_DONTWAIT) if first.nbytes else 0
            except BlockingIOError:
                return
            if sent == first.nbytes:
                self._waiting.popleft()
            else:
                self._waiting[0] = first[sent:]

    def receive(self) -> Any:
        """Receive one value; raises EOFError when the other end is gone."""
        size, count = _HEADER.unpack(self._read(_HEADER.size))
        if not count:
            return pickle.loads(self._read(size))
        sizes = [of for (of,) in _SIZE.iter_unpack(self._read(count * _SIZE.size))]
        data = self._read(size)
        return pickle.loads(data, buffers=[self._read(one) for one in sizes])

    def _read(self, size: int) -> bytearray:
        data = bytearray(size)
        rest = memoryview(data)
        while rest:
            try:
                count = self._socket.recv_into(rest)
            except ConnectionError:
                count = 0
            if not count:
                raise EOFError
            rest = rest[count:]
        return data

    def close(self) -> None:
        """Close this end."""
        self._socket.close()
