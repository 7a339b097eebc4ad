"""A dashboard as a real process, programs that ask it, and a real browser."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from sinagot.testing import await_true


class Dashboard:
    """`sinagot serve` on a workspace, until it is closed."""

    def __init__(self, folder: Path, log: Path, *options: str) -> None:
        self.folder = folder
        self._log = log
        environment = {name: value for name, value in os.environ.items() if name != "SINAGOT_TOKEN"}
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sinagot", "-w", str(folder), "serve", "--port", "0", *options],
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        await_true(lambda: self.process.poll() is not None or self._link(), "the link of the dashboard")
        assert self._link(), self.text
        self.link = self._link()
        self.url, _, self.token = self.link.partition("#token=")
        self.url = self.url.rstrip("/")
        self.client = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, trust_env=False, timeout=60
        )

    def _link(self) -> str:
        found = re.search(r"http://\S+#token=\S+(?=\n)", self.text)
        return found[0] if found else ""

    @property
    def text(self) -> str:
        """What it has printed."""
        return self._log.read_text()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(httpx.URL(self.url).port or 0)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Ask as a program that has the token."""
        return self.client.get(path, **options)

    def html(self, path: str, **options: Any) -> httpx.Response:
        """Ask for a page, with the token: some addresses are pages to browsers only."""
        return self.get(path, headers={"Accept": "text/html"}, **options)

    def json(self, path: str, **options: Any) -> Any:
        """Ask the API."""
        answer = self.get(f"/api/v1{path}", **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def stranger(self, **headers: str) -> httpx.Client:
        """Give a client without token."""
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=60)

    def stop(self, number: int = signal.SIGINT) -> int:
        """End it, and give its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=60)

    def close(self) -> None:
        """End it whatever it does."""
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


Serve = Callable[..., Dashboard]


@contextmanager
def _serving(logs: Path) -> Iterator[Serve]:
    started: list[Dashboard] = []

    def start(folder: Path, *options: str) -> Dashboard:
        started.append(Dashboard(folder, logs / f"serve-{len(started)}.log", *options))
        return started[-1]

    try:
        yield start
    finally:
        for one in started:
            one.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Give a starter of dashboards; they end with the test."""
    with _serving(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def serve_long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Give a starter of dashboards that many tests ask: starting one takes a second or two."""
    with _serving(tmp_path_factory.mktemp("serve")) as start:
        yield start


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """Give a page of its own; whatever a script or the policy of the page complains about fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if message.type == "error" and "status of 401" not in message.text
            else None
        ),
    )
    opened.complaints = complaints
    yield opened
    context.close()
    assert not complaints
