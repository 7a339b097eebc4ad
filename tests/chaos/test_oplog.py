"""The power goes between any two operations of a run: whatever the disk holds of them, one plain run makes all right."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from sinagot import Workspace
from sinagot.testing import make_workspace, script_text
from tests.chaos.conftest import FULL
from tests.chaos.oplog import BYTES, NAMES, RECORDED, Cut, Disk, OpLog

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]

ROOT = Path(__file__).parents[2]
#: Of so many ways to lose power `make test` chooses some by chance, `make chaos` takes one after the other.
FEW = 12

BODY = """
with open({starts!r}, "a") as file:
    file.write(f"{{self.id}}/{{self.label}} ")
for path in self.path.output.values():
    path.write_text(f"{{path.name}} of {{self.label}}, " * 20)
time.sleep(0.03)
"""
#: A checkpoint is due every few seconds; here the run would be over by then.
PROGRAM = """
import sys
from sinagot import Workspace
from sinagot.engine.state import bench
bench.PULSE = 0.02
report = Workspace(sys.argv[1]).steps.run(printing=False)
sys.exit(0 if report.ok else 3)
"""


class Recorded(NamedTuple):
    """A run that went well, and all that it did."""

    root: Path
    before: Path
    log: OpLog
    starts: Path

    def disk(self) -> Disk:
        """Give the folder as it was before the run."""
        return Disk(self.root, self.before)

    def cuts(self, chance: random.Random) -> list[Cut]:
        """List the ways to lose power: all in full tests, else some."""
        if not FULL:
            places = [chance.choice(self.log.changes) for _ in range(FEW)]
            return [self._cut(after, chance.choice(NAMES), chance.choice(BYTES), chance) for after in places]
        return [
            self._cut(after, names, how, chance)
            for after in self.log.changes
            for names in NAMES
            for how in BYTES
            if how != "kept" or names == "synced" or after % 7 == 0
        ]

    def _cut(self, after: int, names: str, how: str, chance: random.Random) -> Cut:
        file = None
        if chance.random() < 0.5:
            disk = self.disk()
            self.log.replay(disk, after)
            file = chance.choice(disk.unsafe() or [None])
        return Cut(after, names, how, file)


def record(folder: Path, settings: str) -> Recorded:
    """Run two records with two steps under strace; the first has two outputs."""
    starts = folder / "starts"
    body = BODY.format(starts=str(starts))
    both = {"a": ("first", "a-{id}.txt"), "b": ("first", "b-{id}.txt")}
    scripts = {
        "first": script_text(body, path_out=both),
        "second": script_text(body, both, {"c": ("second", "{id}.txt")}),
    }
    root = folder / "lab"
    make_workspace(root, records=["R", "S"], scripts=scripts, settings=settings).close()
    before = folder / "before"
    shutil.copytree(root, before)
    told = folder / "told"
    options = ["-f", "-y", "-v", "-xx", "-s", "10000000", "-o", str(told), "-e", f"trace={RECORDED}"]
    words = ["strace", *options, sys.executable, "-c", PROGRAM, str(root)]
    ended = subprocess.run(
        words, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=100
    )
    assert ended.returncode == 0, ended.stderr
    return Recorded(root, before, OpLog(told, root), starts)


def outputs(root: Path) -> dict[str, str]:
    """Give every output."""
    paths = [path for folder in ("first", "second") for path in (root / "dataset" / folder).glob("[!.]*")]
    return {f"{path.parent.name}/{path.name}": path.read_text(errors="replace") for path in paths}


RIGHT = {
    f"{step}/{name}": f"{name} of {step}, " * 20
    for one in "RS"
    for step, name in (("first", f"a-{one}.txt"), ("first", f"b-{one}.txt"), ("second", f"{one}.txt"))
}


def started(recorded: Recorded) -> list[str]:
    """Give the jobs that were started since the last time this was asked."""
    found = recorded.starts.read_text().split() if recorded.starts.exists() else []
    recorded.starts.write_text("")
    return found


def boot_id() -> bytes:
    """Give what names this start of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()


OTHER_BOOT = b"00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("durability", ["lazy", "full"])
def test_replayed_operations_make_the_same_files(durability: str, tmp_path: Path) -> None:
    """The model is true: all operations done again give, byte for byte, what the run has left."""
    recorded = record(tmp_path, f'[run]\ndurability = "{durability}"')
    left = {str(path): path.read_bytes() for path in recorded.root.rglob("*") if path.is_file()}
    disk = recorded.disk()
    recorded.log.replay(disk, len(recorded.log.calls))
    made = {path: inode.data for path, inode in disk.names.items() if inode.data is not None}
    assert {path for path in made if "__pycache__" not in path} == {
        path for path in left if "__pycache__" not in path
    }
    assert all(made[path] == left[path] for path in left if "__pycache__" not in path)
    assert len(recorded.log.changes) > 100


@pytest.mark.slow
@pytest.mark.parametrize("durability", ["lazy", "full"])
@pytest.mark.timeout(1800)
def test_power_goes_between_any_two_operations(
    durability: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """After one plain run all outputs are right, and all is done; with full durability what was done stays done."""
    recorded = record(tmp_path, f'[run]\ndurability = "{durability}"')
    chance = random.Random(request.config.getoption("randomly_seed", 0))
    for cut in recorded.cuts(chance):
        disk = recorded.disk()
        recorded.log.replay(disk, cut.after)
        disk.write_out(recorded.root, cut, (boot_id(), OTHER_BOOT))
        done = finished(disk) if durability == "full" else set()
        started(recorded)
        with Workspace(recorded.root) as workspace:
            report = workspace.steps.run(printing=False, mode="main_process")
            assert report.ok, (cut, report.failures[0].cause, report.failures[0].traceback)
            assert outputs(recorded.root) == RIGHT, cut
            assert [row["step_status"] for row in workspace.steps.iter_status()] == [30] * 4, cut
            again = started(recorded)
            assert not done.intersection(again), (cut, done, again)
            assert len(again) == len(set(again)), cut
            report = workspace.steps.run(printing=False, mode="main_process")
            assert (report.counts["up_to_date"], report.warnings) == (4, []), cut
            assert started(recorded) == [], cut


def finished(disk: Disk) -> set[str]:
    """Name the jobs whose end is safely on the disk."""
    found = set()
    for path, inode in disk.safe_names.items():
        if "/events-" in path:
            for line in (inode.safe or b"").splitlines():
                if line.startswith(b'{"event": "done"'):
                    found.add(line.split(b'"key": "')[1].split(b'"')[0].decode())
    return found
