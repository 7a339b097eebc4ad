"""What one process needs for the jobs of a run, shared by its threads."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sinagot.engine.state.bench import Bench


def test_attempts_of_threads_have_names_of_their_own(tmp_path: Path) -> None:
    """Threads that begin attempts at the same time get different names, and one heart beats for all."""
    options: Any = SimpleNamespace(
        state_path=str(tmp_path / "state"),
        run_id="run-1",
        stage_base=str(tmp_path / "stage"),
        output_path=str(tmp_path),
        data_path=str(tmp_path),
        is_full=False,
    )
    bench = Bench(options)
    former = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            names = list(pool.map(lambda _: bench.next_attempt(), range(2000)))
    finally:
        sys.setswitchinterval(former)
        bench.close()
    assert len(set(names)) == 2000
