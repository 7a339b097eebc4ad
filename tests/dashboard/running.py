"""A run as a real process, and the way into a dashboard: for tests of pages that change while something runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.dashboard.conftest import Dashboard

__all__ = ["enter", "follow", "running"]


@contextmanager
def running(lab: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run all of a lab; the run is killed where it goes on."""
    run = subprocess.Popen(
        [sys.executable, "-m", "sinagot", "-w", str(lab), "run", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield run
    finally:
        run.kill()
        run.wait()


def follow(page: Any, link: Any) -> None:
    """Follow a link, and wait for the page that it leads to.

    In one moment: a link in a part of the page that is replaced between the two halves of a click leads nowhere.
    """
    link.wait_for()
    with page.expect_navigation():
        link.evaluate("(one) => one.click()")


def enter(page: Any, dashboard: Dashboard, path: str) -> None:
    """Go in by the link, and on to a page."""
    page.goto(dashboard.link)
    page.wait_for_selector(".tiles")
    page.goto(f"{dashboard.url}{path}")
