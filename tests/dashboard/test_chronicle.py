"""Lists of runs, part by part."""

from __future__ import annotations

import json
from pathlib import Path

from sinagot.dashboard.chronicle import Chronicle
from sinagot.testing import make_workspace


def test_runs_come_part_by_part(tmp_path: Path) -> None:
    """Each run is told once, newest first, whatever the length of the parts; one that goes in between hides no other."""
    workspace = make_workspace(tmp_path / "lab")
    ids = [f"20260131T1000{second:02d}-0a1b2c" for second in range(7)]
    folder = Path(workspace.configuration.state_path) / "runs"
    for run_id in ids:
        (folder / run_id).mkdir(parents=True)
        (folder / run_id / "run.json").write_text(
            json.dumps({"end": "2026-01-31T11:00:00+00:00", "ok": True})
        )
    chronicle = Chronicle(workspace)
    found, has_more = chronicle.runs_after(None, 3)
    seen = [one.run_id for one in found]
    (folder / seen[-1] / "run.json").unlink()
    (folder / seen[-1]).rmdir()
    while has_more:
        found, has_more = chronicle.runs_after(seen[-1], 3)
        seen += [one.run_id for one in found]
    assert seen == ids[::-1]
    workspace.close()
