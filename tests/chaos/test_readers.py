"""Readers beside a run: whoever asks for the status, at whatever moment, gets an answer, and sees whole files only."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from sinagot.testing import await_true, make_workspace, script_text
from tests.chaos.conftest import (
    MODES_NOW,
    ROOT,
    Program,
    StartProgram,
    driver,
    heal,
)

pytestmark = pytest.mark.chaos

#: Asks everything that can be asked, again and again, with a workspace that is opened anew each time.
READER = """
import json
import time
from pathlib import Path
from sinagot import Workspace

folder = {folder!r}
asked, seen = 0, set()
while not Path(folder, "enough").exists():
    workspace = Workspace(folder)
    rows = list(workspace.steps.iter_status())
    seen.update(row["step_status"] for row in rows)
    assert len(rows) == {count}, rows
    for row in rows:
        assert row["step_status"] in (0, 10, 20, 30, 42), row
        if row["step_status"] == 30:
            for name in "ab":
                text = (workspace.data_path / name / (row["record_id"] + ".txt")).read_text()
                assert text.endswith("end") and len(text) == 20_003, (row, len(text))
    for record in workspace.records.all():
        for line in record.logs_json():
            assert line["message"] in ("Init run", "Processing run", "said", "Run finished"), line
    workspace.steps.run(dry_run=True, printing=False)
    asked += 1
    if asked > 3 and {{20, 30}} <= seen:
        Path(__file__).with_suffix(".seen").touch()
    time.sleep(0.02)
print("ASKED", json.dumps([asked, sorted(seen)]), flush=True)
"""

BODY = """
print("said")
for path in self.path.output.values():
    with path.open("w") as file:
        for _ in range(10):
            file.write(self.id[0] * 2000)
            file.flush()
            time.sleep(0.001)
        file.write("end")
"""


@pytest.mark.parametrize("mode", MODES_NOW)
def test_status_is_asked_for_all_the_time(mode: str, tmp_path: Path, start: StartProgram) -> None:
    """Status, logs, plans and the command, asked without pause while outputs are replaced: no error, no torn view, no harm."""
    both = {"a": ("a", "{id}.txt"), "b": ("b", "{id}.txt")}
    workspace = make_workspace(tmp_path, records=12, scripts={"a": script_text(BODY, path_out=both)})
    is_slow = mode == "dask"  # to start, and more so beside busy readers
    readers: list[Program] = [
        start(READER.format(folder=str(tmp_path), count=12)) for _ in range(1 if is_slow else 2)
    ]
    workers = {} if mode == "main_process" else {"workers": 2}
    rounds = itertools.chain((False, True) if is_slow else (False, True, True), itertools.repeat(True))
    for number, force in enumerate(rounds):
        # On a busy machine a reader may miss the moments of the first ones.
        if number > 1 + (not is_slow) and len(list(tmp_path.glob("*.seen"))) == len(readers):
            break
        assert all(reader.process.poll() is None for reader in readers), [reader.said for reader in readers]
        writer = start(driver(workspace, mode=mode, force=force, **workers))
        while writer.process.poll() is None:
            told = subprocess.run(
                [sys.executable, "-m", "sinagot", "-w", str(tmp_path), "status", "--json"],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            assert told.returncode == 0, told.stderr
            json.loads(told.stdout)
        assert writer.wait() == 0, writer.said
        assert writer.ended()[1] == {"done": 12}
    (tmp_path / "enough").touch()
    for reader in readers:
        assert reader.wait() == 0, reader.said
        asked, seen = json.loads(reader.said.partition("ASKED ")[2])
        assert asked > 3 and {20, 30} <= set(seen)
    await_true(lambda: not any(reader.pids() for reader in readers), "readers end")
    heal(workspace, left=0)
