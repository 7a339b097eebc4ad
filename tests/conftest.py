"""What all tests share: real recordings, and a fresh copy of the harbor example."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A law holds on a busy machine too: no example is refused for the time that it takes, or that making it up does.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

ROOT = Path(__file__).parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"
#: What makes Chromium quiet: no sandbox in containers, no graphics, no calls home.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
#: Folders whose files take longest: they begin first, so that no process ends long after the others.
LONG = ("benchmarks", "examples", "dashboard", "chaos", "schedule", "workflow")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first; among others of their kind they stand by chance."""
    places = {folder: number for number, folder in enumerate(LONG)}

    def place(item: pytest.Item) -> int:
        parts = item.path.parts
        folder = parts[len(ROOT.parts) + 1] if item.path.is_relative_to(ROOT / "tests") else ""
        return places.get(folder, len(LONG))

    items.sort(key=place)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the read-only folder of real recordings beside the repository.

    Skips where it is absent; with ``SINAGOT_REQUIRE_SHARED=1``, which CI sets, that is a failure instead.
    """
    if not SHARED_DATA.is_dir():
        reason = "needs the real recordings in ../shared/data beside the repository"
        if os.environ.get("SINAGOT_REQUIRE_SHARED") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return SHARED_DATA


@pytest.fixture
def harbor(tmp_path: Path) -> Path:
    """Give a fresh copy of the harbor example, in which nothing has run yet."""
    made = shutil.ignore_patterns(".sinagot", "LOG", "__pycache__", "count", "mean")
    return Path(shutil.copytree(ROOT / "example" / "harbor", tmp_path / "harbor", ignore=made))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Give a real Chromium.

    Skips where there is none; with ``SINAGOT_REQUIRE_SHARED=1``, which CI sets, that is a failure instead.
    """
    if CHROMIUM is None:
        reason = "needs chromium (Debian: apt-get install chromium)"
        if os.environ.get("SINAGOT_REQUIRE_SHARED") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()
