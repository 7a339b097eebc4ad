"""A recording of a day goes through the flow of the EEG example in the memory of three minutes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.chaos.conftest import FULL
from tests.recordings import check_memory, needs_proc

pytestmark = pytest.mark.chaos

DAY = 24 * 3600
#: What the recording and the streams of its chunks take, with some room.
NEEDED = 5_000_000_000


@needs_proc
@pytest.mark.skipif(
    not FULL, reason="a day is for `make chaos`; half an hour is in tests/examples/test_eeg_flow.py"
)
def test_a_day_takes_the_memory_of_three_minutes(shared_data: Path, tmp_path: Path) -> None:
    """1.8 GB of samples take at most 12 MB more than 4 MB of them, give the same alpha, and leave no file."""
    if shutil.disk_usage(tmp_path).free < NEEDED:
        pytest.skip(f"needs {NEEDED / 1e9:g} GB of room for the recording and its streams")
    check_memory(shared_data / "eeg" / "Subject00_1.edf", tmp_path, DAY)
