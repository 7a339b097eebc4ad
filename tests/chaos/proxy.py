"""A network that can be made bad: a proxy on the loopback interface that passes bytes on, holds them, or cuts."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Self

#: Bytes of one read.
_PIECE = 65536
#: Seconds between two looks at what the proxy is asked to do.
_PAUSE = 0.02


class Proxy:
    """Stands between those who connect to `address` and a server; `with` ends it.

    Attributes
    ----------
    upward, downward : bool
        Bytes to the server, and from it, are passed on; held back bytes follow when that is so again.
    delay : float, seconds
        What each piece of bytes waits.
    is_open : bool
        New connections are accepted and served.
    """

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition("//")[2].rpartition(":")
        self._target = (host, int(port))
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self.upward = self.downward = self.is_open = True
        self.delay = 0.0
        self.passed = 0
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._is_over = False

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def _begin(self, call: object, *arguments: object) -> None:
        thread = threading.Thread(target=call, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._is_over:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            if not self.is_open:
                client.close()
                continue
            try:
                server = socket.create_connection(self._target)
            except OSError:  # the server has ended
                client.close()
                continue
            self._sockets += [client, server]
            self._begin(self._pass_on, client, server, "upward")
            self._begin(self._pass_on, server, client, "downward")

    def _pass_on(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(_PIECE):
                time.sleep(self.delay)
                while not getattr(self, way):
                    if self._is_over:
                        return
                    time.sleep(_PAUSE)
                sink.sendall(piece)
                self.passed += len(piece)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def hold(self, *, upward: bool = True, downward: bool = True) -> None:
        """Pass nothing on any more, in one direction or in both; connections stay open."""
        self.upward, self.downward = not upward, not downward

    def cut(self, *, for_ever: bool) -> None:
        """Break all connections; new ones are refused from now on, or served."""
        self.is_open = not for_ever
        for one in list(self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        self.cut(for_ever=True)
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for one in (self._server, *self._sockets):
            one.close()
