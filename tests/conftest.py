"""What all tests share: real recordings, and a fresh copy of the harbor example."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


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
