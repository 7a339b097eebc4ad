"""Servers that tests start for themselves, on the loopback interface: Redis, and workers of Celery."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from sinagot.testing import await_true
from tests.clusters import ROOT, end

__all__ = ["CeleryWorkers", "RedisServer"]

#: The module that the workers load.
MODULE = """
from celery import Celery
from sinagot.flow import CeleryExecutor

app = Celery("lab", broker={url!r}, backend={url!r})
app.conf.broker_connection_retry_on_startup = False
CeleryExecutor(app)
"""


class RedisServer:
    """One Redis on a free port; `with` ends it.

    Skips where there is none; with ``SINAGOT_REQUIRE_SHARED=1``, which CI sets, that is a failure instead.
    """

    def __init__(self, folder: Path, *options: str, password: str = "") -> None:
        self.folder = folder
        self.port: int = _free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.password = password
        self.options = [*options, *(["--requirepass", password] if password else [])]
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        self.start()
        return self

    @property
    def config(self) -> dict[str, Any]:
        """What a supervisor is told of it."""
        return {"url": self.url, **({"password": self.password} if self.password else {})}

    def start(self) -> None:
        """Start it, also again: at the same address, with what its folder has."""
        program = shutil.which("redis-server")
        if program is None:
            reason = "needs redis-server (Debian: apt-get install redis-server)"
            if os.environ.get("SINAGOT_REQUIRE_SHARED") == "1":
                pytest.fail(reason)
            pytest.skip(reason)
        self.folder.mkdir(parents=True, exist_ok=True)
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                [program, *words, *self.options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        await_true(self._answers, "Redis starts")
        assert self.process.poll() is None, (self.folder / "redis.log").read_text()

    def kill(self) -> None:
        """End it at once: it saves nothing."""
        self.process.kill()
        self.process.wait()

    def client(self) -> Any:
        """Give a client of the caller's own."""
        import redis

        return redis.Redis(port=self.port, password=self.password or None, protocol=2)

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            return True  # it has ended, and its log says why
        with socket.socket() as caller:
            return caller.connect_ex(("127.0.0.1", self.port)) == 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self.process)


def _free_port() -> int:
    """Give a port that nobody listens to, and that the system gives to nobody.

    From the range of which callers get their ports (above 32767) somebody could get it before the server begins, or
    while it is away; who calls a port of that range where nobody listens may even be connected with himself.
    """
    while True:
        port = random.SystemRandom().randrange(10_000, 32_768)  # tests have one seed in all processes
        with socket.socket() as free:
            try:
                free.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


class CeleryWorkers:
    """Workers of one app, as ``celery worker`` starts them; `with` ends them."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.workers: list[subprocess.Popen[bytes]] = []

    @property
    def app(self) -> Any:
        """An app of the caller, with the same broker."""
        from celery import Celery

        return Celery("lab", broker=self.url, backend=self.url)

    def start(self, queue: str = "celery", places: int = 6) -> subprocess.Popen[bytes]:
        """Start a worker, and wait until it listens."""
        name = f"{queue}-{len(self.workers)}"
        words = [
            "-A",
            "lab_tasks",
            "worker",
            "-Q",
            queue,
            "-c",
            str(places),
            "-n",
            f"{name}@here",
            "-l",
            "INFO",
        ]
        log = self.folder / f"{name}.log"
        with log.open("ab") as out:
            worker = subprocess.Popen(
                [sys.executable, "-m", "celery", *words, "--without-gossip", "--without-mingle"],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{self.folder}"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.workers.append(worker)
        await_true(lambda: b" ready." in log.read_bytes(), f"worker {name} listens")
        return worker

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "lab_tasks.py").write_text(MODULE.format(url=self.url))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers:
            end(worker)
