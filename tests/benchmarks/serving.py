"""The dashboard as a process of its own, asked as programs ask it and scrolled in a real browser.

Knows the link that `sinagot serve` prints, its addresses and the grid; must not know what is asked of the figures.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from measuring import ENVIRONMENT, MeasuringError, command

#: Seconds: beyond that a server or a browser is taken for dead.
PATIENCE = 120
_LINK = re.compile(r"http://([^:/\s]+):(\d+)(\S*)/#token=(\S+)\n")
#: No sandbox in containers, no graphics, no calls home.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--no-first-run",
)

#: Scrolls two rows each frame, as a wheel does, and then jumps; tells the milliseconds between frames, and how long
#: the rows of the place that was jumped to were not there.
_SCROLL = """async ({frames, jumps}) => {
  const grid = document.getElementById("grid");
  const frame = () => new Promise(requestAnimationFrame);
  const isWhole = () => {
    const ids = [...grid.querySelectorAll(".row .id")];
    return ids.length > 3 && ids.every((one) => one.textContent !== "…");
  };
  const gaps = [], waits = [];
  let last = await frame();
  for (let number = 0; number < frames; number++) {
    grid.scrollTop += 64;
    const now = await frame();
    gaps.push(now - last);
    last = now;
  }
  for (let number = 1; number <= jumps; number++) {
    grid.scrollTop = grid.scrollHeight * number / (jumps + 1);
    const start = performance.now();
    await frame();
    await frame();
    while (!isWhole()) await frame();
    waits.push(performance.now() - start);
  }
  return {gaps, waits};
}"""


class Answer(NamedTuple):
    """What one request took, in seconds, and what came."""

    wall: float
    body: bytes


class Server:
    """A dashboard that is up."""

    def __init__(self, process: subprocess.Popen[bytes], link: re.Match[str], started: float) -> None:
        host, port, self._prefix, token = link.groups()
        self.pid = process.pid
        self.link = link[0].strip()
        #: Seconds from the start of the program to its link.
        self.started = started
        self._headers = {"Authorization": f"Bearer {token}"}
        self._connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)

    def get(self, path: str) -> Answer:
        """Ask for a page, to the last byte."""
        start = time.perf_counter()
        self._connection.request("GET", self._prefix + path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        wall = time.perf_counter() - start
        if answer.status != 200:
            raise MeasuringError(f"{path} is answered by {answer.status}")
        return Answer(wall, body)

    def memory(self) -> float:
        """Give the resident size in MB."""
        import psutil

        return psutil.Process(self.pid).memory_info().rss / 1024**2

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Start a dashboard on a workspace; it ends with the block."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command("-w", str(folder), "serve", "--port", "0", "--read-only"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT,
        )
        try:
            link = _link(process, output.fileno())
            server = Server(process, link, time.perf_counter() - start)
            try:
                yield server
            finally:
                server.close()
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _link(process: subprocess.Popen[bytes], output: int) -> re.Match[str]:
    deadline = time.monotonic() + PATIENCE
    while True:
        text = os.pread(output, 100_000, 0).decode(errors="replace")
        if found := _LINK.search(text):
            return found
        if process.poll() is not None or time.monotonic() > deadline:
            raise MeasuringError(f"sinagot serve gives no link: {text[-300:]}")
        time.sleep(0.002)


class Scrolling(NamedTuple):
    """Milliseconds between frames, and from each jump to its rows."""

    gaps: list[float]
    waits: list[float]


def missing_browser() -> str:
    """Say what is missing to scroll in a real browser; empty where all is there."""
    if find_spec("playwright") is None:
        return "playwright is not installed"
    return "" if chromium() else "there is no chromium"


def chromium() -> str | None:
    """Find Chromium: the variable CHROMIUM, else on the PATH."""
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


def scroll(server: Server, rounds: int, frames: int, jumps: int) -> list[Scrolling]:
    """Scroll the grid of a dashboard in Chromium, each round on a page of its own."""
    from playwright.sync_api import Error, sync_playwright

    taken = []
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=list(_ARGUMENTS))
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.set_default_timeout(1000 * PATIENCE)
            page.goto(server.link)
            page.wait_for_selector("h1:has-text('Overview')")
            for _ in range(rounds):
                page.goto(server.link.partition("#")[0] + "grid")
                page.wait_for_selector("#grid[data-ready] .row .badge")
                taken.append(Scrolling(**page.evaluate(_SCROLL, {"frames": frames, "jumps": jumps})))
            browser.close()
    except Error as error:
        raise MeasuringError(f"the browser says: {error}") from error
    return taken
