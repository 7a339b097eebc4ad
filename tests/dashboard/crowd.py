"""A thousand clients that are slow or mean harm, as a program: ``python -m tests.dashboard.crowd PORT RUN_ID``.

Reads the token from its environment. Says ``there`` when each of them has been connected; ends when its input does, and
says then what became of them. Who is thrown out comes back, as programs that mean it do.
"""

from __future__ import annotations

import json
import os
import resource
import selectors
import socket
import sys
import time
from contextlib import suppress

__all__ = ["KINDS"]

#: How many there are of each.
KINDS = {
    # The first half of some headers, and nothing more.
    "half": 600,
    # The headers of a wish for a run, and its body byte by byte.
    "drip": 150,
    # Who listens to the run, and never reads.
    "deaf": 200,
    # Bodies of a gigabyte, as fast as they are taken: one that is said, and one in chunks.
    "large": 25,
    "endless": 25,
}
GIGABYTE = 1 << 30
#: Seconds after which the first one comes back, and the last one; between two bytes of a slow one, and two looks.
BACK, LATE, SLOW, LOOK = 0.5, 1.5, 0.5, 0.05
PIECE = b"x" * 65536
CHUNK = b"10000\r\n" + PIECE + b"\r\n"


class Client:
    """One of them."""

    def __init__(self, kind: str, crowd: Crowd, back: float) -> None:
        self.kind, self.crowd, self.back = kind, crowd, back
        self.socket: socket.socket | None = None
        self.due = 0.0
        self.left, self.sent = b"", 0

    def connect(self) -> None:
        """Come, or come back."""
        self.socket = socket.socket()
        self.socket.setblocking(False)
        if self.kind == "deaf":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.left, self.sent = self.crowd.heads[self.kind], 0
        self.socket.connect_ex(("127.0.0.1", self.crowd.port))
        self.crowd.selector.register(self.socket, selectors.EVENT_WRITE | selectors.EVENT_READ, self)

    def leave(self) -> None:
        """Be thrown out."""
        if self.socket is not None:
            self.crowd.selector.unregister(self.socket)
            self.socket.close()
            self.socket, self.due = None, time.monotonic() + self.back

    def read(self) -> None:
        """Take the answer; its end is the end of this visit."""
        assert self.socket is not None
        if not self.socket.recv(65536):
            self.leave()

    def write(self) -> None:
        """Send what may be sent now."""
        assert self.socket is not None
        if not self.left and self.kind in ("large", "endless") and self.sent < GIGABYTE:
            self.left = PIECE if self.kind == "large" else CHUNK
        if self.left:
            number = self.socket.send(self.left)
            self.left = self.left[number:]
            self.sent += number
            self.crowd.most = max(self.crowd.most, self.sent)
        elif self.kind not in ("large", "endless"):
            self.crowd.there.add(self)
            self.due = time.monotonic() + SLOW
            if self.kind == "deaf":  # it hears nothing any more, not even that it is thrown out
                self.crowd.selector.unregister(self.socket)
                self.due = float("inf")
            else:
                self.crowd.selector.modify(self.socket, selectors.EVENT_READ, self)

    def tend(self, now: float) -> None:
        """Do what is due without being asked."""
        if now < self.due:
            return
        if self.socket is None:
            self.connect()
        elif self.kind == "drip" and not self.left:
            self.due = now + SLOW
            self.socket.send(b" ")


class Crowd:
    """All of them."""

    def __init__(self, port: int, run_id: str, token: str) -> None:
        self.port = port
        head = "{} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + "\r\n{}"
        json_head = "Content-Type: application/json\r\n"
        asks, changes = "POST /api/v1/pipelines/quick/runs", "PUT /api/v1/schedules/yearly"
        heads = {
            "half": head.format(asks, "Content-Le"),
            "drip": head.format(asks, f"{json_head}Content-Length: 1000\r\n\r\n"),
            "deaf": head.format(f"GET /api/v1/runs/{run_id}/events", "\r\n"),
            "large": head.format(changes, f"{json_head}Content-Length: {GIGABYTE}\r\n\r\n"),
            "endless": head.format(asks, f"{json_head}Transfer-Encoding: chunked\r\n\r\n"),
        }
        self.heads = {kind: text.encode() for kind, text in heads.items()}
        self.selector = selectors.DefaultSelector()
        #: Bytes of the longest body that somebody got rid of.
        self.most = 0
        self.there: set[Client] = set()
        pause = (LATE - BACK) / sum(KINDS.values())
        kinds = [kind for kind, number in KINDS.items() for _ in range(number)]
        self.clients = [Client(kind, self, BACK + number * pause) for number, kind in enumerate(kinds)]

    def work(self) -> None:
        """Go on until the input ends."""
        self.selector.register(sys.stdin, selectors.EVENT_READ, None)
        expected = sum(KINDS[kind] for kind in ("half", "drip", "deaf"))
        is_said = False
        while True:
            now = time.monotonic()
            for client in self.clients:
                with suppress(OSError):
                    client.tend(now)
            for key, events in self.selector.select(LOOK):
                if key.data is None:
                    return
                self.serve(key.data, events)
            if not is_said and len(self.there) == expected:
                is_said = True
                print("there", flush=True)

    def serve(self, client: Client, events: int) -> None:
        """Let one read or write."""
        try:
            if events & selectors.EVENT_READ and client.kind != "deaf":
                client.read()
            if events & selectors.EVENT_WRITE and client.socket is not None:
                client.write()
        except OSError:
            client.leave()


def main(port: str, run_id: str) -> None:
    """Be a crowd."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2048, hard), hard))
    crowd = Crowd(int(port), run_id, os.environ["CROWD_TOKEN"])
    crowd.work()
    print(json.dumps({"most": crowd.most}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
