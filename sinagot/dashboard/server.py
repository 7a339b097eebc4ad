"""The server: the app on a socket, with limits on who may hold it and for how long.

Knows uvicorn; must not know pages. Ends within two seconds whoever is connected.
"""

from __future__ import annotations

import asyncio
import socket
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from sinagot.errors import ConfigurationError

__all__ = ["Server", "bind"]

#: Seconds for the headers, and for the body, of a request.
HEADER_TIME = 10.0
#: Connections at one time; from so many on, each new one takes the place of one whose request has not come.
MOST_CONNECTIONS = 128
CROWDED = 96
#: Bytes of the headers of a request.
LARGEST_HEADER = 32 * 1024
#: Bytes of a body that are still read when it has been answered: who sends them all at once then sees the answer.
LARGEST_REST = 8 << 20


def _name(state: Any) -> str:
    """Give the name of a state of h11: they are classes."""
    return str(getattr(state, "__name__", state))


def _is_waiting(state: Any) -> bool:
    """Say whether a request has not come whole."""
    return _name(state) in ("IDLE", "SEND_BODY")


class _Protocol(H11Protocol):
    """Closes connections that begin a request and do not end it: after a time, or when others want their place."""

    _reaper: asyncio.TimerHandle | None = None
    _began = 0.0
    #: Bytes that came after the answer.
    _rest = 0

    def connection_made(self, transport: Any) -> None:
        self._make_room()
        super().connection_made(transport)
        self._began = self.loop.time()
        self._reaper = self.loop.call_later(HEADER_TIME, self._reap)

    def _make_room(self) -> None:
        """Close the connection that has waited longest for its request, where there are many."""
        if len(self.connections) < CROWDED:
            return
        held = [one for one in self.connections if isinstance(one, _Protocol)]
        waiting = [one for one in held if _is_waiting(one.conn.their_state)]
        if waiting:
            oldest = min(waiting, key=lambda one: one._began)
            oldest.transport.abort()
            self.connections.discard(
                oldest
            )  # its place is free at once, not only when the loop has closed it

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        is_open = _is_waiting(self.conn.their_state)
        is_answered = is_open and _name(self.conn.our_state) == "DONE"
        self._rest = self._rest + len(data) if is_answered else 0
        if self._rest > LARGEST_REST:
            self.transport.abort()
        elif not is_open and self._reaper is not None:
            self._reaper.cancel()
            self._reaper = None
        elif is_open and self._reaper is None:
            self._reaper = self.loop.call_later(HEADER_TIME, self._reap)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._reaper is not None:
            self._reaper.cancel()
            self._reaper = None
        super().connection_lost(exc)

    def _reap(self) -> None:
        self._reaper = None
        if _is_waiting(self.conn.their_state):
            self.transport.abort()


class Server(uvicorn.Server):
    """Serves an app of `create_app` until it is told to end.

    Parameters
    ----------
    app : FastAPI
        The app; what it watches begins and ends with the server.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        #: Number of the signal that ended it.
        self.stopped_by = 0
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="none",
                lifespan="on",
                log_level="warning",
                access_log=False,  # addresses may hold ids of people
                proxy_headers=False,
                server_header=False,
                limit_concurrency=MOST_CONNECTIONS,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=1,
                h11_max_incomplete_event_size=LARGEST_HEADER,
                backlog=256,
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End when asked, and at once when asked twice; who started the server learns by which signal."""
        self.force_exit = self.should_exit
        if self.force_exit:
            self._app.state.house.reception.hurry()
        self.should_exit = True
        self.stopped_by = sig

    def give_up(self) -> None:
        """End without a signal; any thread may call it."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End all streams, then the server."""
        self._app.state.house.close_streams()
        await super().shutdown(sockets)


def bind(host: str, port: int) -> socket.socket:
    """Take a port.

    Parameters
    ----------
    host : str
        Name or number of an address of this machine.
    port : int
        0 for any that is free.

    Raises
    ------
    ConfigurationError
        It is taken, or not ours to take.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        taken = socket.socket(family, kind, protocol)
        try:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(address)
            taken.listen(256)
        except OSError:
            taken.close()
            raise
    except OSError as error:
        raise ConfigurationError.at(
            f"{host} port {port} can't be had: {error.strerror or error}; another server may be there already: open "
            "its page, or take another port (--port 0 takes any that is free)",
            key="port",
        ) from error
    taken.setblocking(False)
    return taken
