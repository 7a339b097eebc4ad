"""A pipe for Python values between a parent and its own child process.

Length-prefixed pickles over a socket pair: no threads, no locks, and cheaper to import than `multiprocessing`.
Only the two ends of one pair ever talk, so that unpickling is as safe as the program itself.
"""

from __future__ import annotations

import pickle
import socket
import struct
from typing import Any

__all__ = ["Channel"]

_HEADER = struct.Struct("!Q")
_PIECE = 1 << 18


def _packed(value: Any) -> bytes:
    data = pickle.dumps(value, protocol=5)
    return _HEADER.pack(len(data)) + data


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
        self._waiting = bytearray()

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
        self._socket.sendall(_packed(value))

    def post(self, value: Any) -> None:
        """Send one value without waiting: what the pipe does not take yet is kept for `flush`."""
        self._waiting += _packed(value)
        self.flush()

    @property
    def is_waiting(self) -> bool:
        """True when something posted has yet to be sent."""
        return bool(self._waiting)

    def flush(self) -> None:
        """Send as much of what was posted as the pipe takes now; raises OSError when the other end is gone."""
        while self._waiting:
            try:
                sent = self._socket.send(self._waiting[:_PIECE], socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            del self._waiting[:sent]

    def receive(self) -> Any:
        """Receive one value; raises EOFError when the other end is gone."""
        (size,) = _HEADER.unpack(self._read(_HEADER.size))
        return pickle.loads(self._read(size))

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            try:
                piece = self._socket.recv(min(size - len(data), 1 << 20))
            except ConnectionError:
                piece = b""
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def close(self) -> None:
        """Close this end."""
        self._socket.close()
