"""Servers that tests start for themselves, on the loopback interface: Redis, PostgreSQL, mail, workers of Celery."""

from __future__ import annotations

import asyncio
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from email import message_from_bytes
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from uuid import uuid4

import pytest

from sinagot.testing import await_true
from tests.clusters import ROOT, end

__all__ = ["CeleryWorkers", "Letter", "PostOffice", "PostgresServer", "RedisServer"]

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


class PostgresServer:
    """One PostgreSQL on a free port, with a folder of its own; `with` ends it.

    Skips where there is none; with ``SINAGOT_REQUIRE_SHARED=1``, which CI sets, that is a failure instead.
    """

    #: Not what keeps data over a power cut: over the death of the server they are kept all the same.
    OPTIONS = (
        "fsync=off",
        "full_page_writes=off",
        "shared_buffers=16MB",
        "autovacuum=off",
        "logging_collector=off",
    )

    def __init__(self) -> None:
        self.port = _free_port()
        self.folder: Path
        self.process: subprocess.Popen[bytes]
        self._programs: Path
        self._as: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._programs = self._find()
        # Not below pytest's own folder, which its user alone may enter: the server refuses to be root.
        self.folder = Path(tempfile.mkdtemp(prefix="sinagot-postgres-"))
        try:
            if os.getuid() == 0:
                user = next(one for one in pwd.getpwall() if one.pw_name in ("postgres", "nobody"))
                self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
                os.chown(self.folder, user.pw_uid, user.pw_gid)
            words = [
                "-U",
                "lab",
                "--auth=trust",
                "--no-sync",
                "--no-instructions",
                "--encoding=UTF8",
                "--locale=C",
            ]
            self._run("initdb", "-D", str(self.folder / "data"), *words).wait()
            self.start()
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        return self

    def _find(self) -> Path:
        found = sorted(
            Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3])
        )
        program = found[-1] if found else shutil.which("initdb")
        if program is None:
            reason = "needs a PostgreSQL server (Debian: apt-get install postgresql)"
            if os.environ.get("SINAGOT_REQUIRE_SHARED") == "1":
                pytest.fail(reason)
            pytest.skip(reason)
        return Path(program).parent

    def _run(self, program: str, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / "postgres.log").open("ab") as log:
            return subprocess.Popen(
                [self._programs / program, *words],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as,
            )

    def start(self) -> None:
        """Start it, also again: at the same address, with what its folder has."""
        options = [*self.OPTIONS, f"port={self.port}", "listen_addresses=127.0.0.1"]
        options.append(f"unix_socket_directories={self.folder}")
        words = ["-D", str(self.folder / "data"), *(word for option in options for word in ("-c", option))]
        self.process = self._run("postgres", *words)

        def answers() -> bool:
            if self.process.poll() is not None:  # the children of one that was killed still have its memory
                self.process = self._run("postgres", *words)
            return self._answers()

        try:
            await_true(answers, "PostgreSQL starts")
        except TimeoutError as error:
            raise TimeoutError((self.folder / "postgres.log").read_text(errors="replace")[-2000:]) from error

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        import psycopg

        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self) -> Any:
        import psycopg

        return psycopg.connect(f"postgresql://lab@127.0.0.1:{self.port}/postgres", autocommit=True)

    def new_place(self) -> str:
        """Make an empty schema, and give the address at which its tables are the only ones.

        A database of its own would be three hundred files, a quarter of a second each time.
        """
        name = f"lab_{uuid4().hex}"
        with self._connect() as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"postgresql://lab:s3cret-word@127.0.0.1:{self.port}/postgres?options=-csearch_path%3D{name}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.send_signal(signal.SIGQUIT)  # at once, with its children
        self.process.wait()
        shutil.rmtree(self.folder)


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


class Letter(NamedTuple):
    """A mail as the server took it."""

    to: list[str]
    subject: str
    text: str
    head: dict[str, str]


class PostOffice:
    """A mail server on a free port, which keeps what is handed in; `with` ends it."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.port: int
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="post-office")

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  (so it is called)
        """Take a letter."""
        mail = message_from_bytes(envelope.content)
        text = mail.get_payload(decode=True).decode()  # type: ignore[union-attr]
        self.letters.append(Letter(envelope.rcpt_tos, str(mail["Subject"]), text, dict(mail.items())))
        return "250 taken"

    def __enter__(self) -> Self:
        from aiosmtpd.smtp import SMTP

        def answer() -> Any:
            return SMTP(self, hostname="lab", loop=self._loop)

        self._server = self._loop.run_until_complete(self._loop.create_server(answer, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread.start()
        return self

    @property
    def toml(self) -> str:
        """What a configuration says of it."""
        return (
            '[notify.email]\nto = ["eeg@lab.example"]\nfrom = "sinagot@lab.example"\n'
            f'host = "127.0.0.1"\nport = {self.port}\nsecurity = "none"\n'
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

        async def close() -> None:
            self._server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await asyncio.sleep(0)  # transports close in the next turn

        self._loop.run_until_complete(close())
        self._loop.close()


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
