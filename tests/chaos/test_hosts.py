"""Drivers on two hosts that share a drive, frozen ones, and owners whose numbers were given to somebody else.

The second host is this one under another name, with faster beats: claims of one are judged by the other
from beats alone, as over a network.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sinagot import Workspace
from sinagot.engine.state.claims import file_key
from sinagot.engine.state.history import event_files, iter_all_events
from sinagot.engine.state.owners import Owner
from sinagot.testing import await_true, make_workspace, script_text
from tests.chaos.conftest import (
    HALVES,
    MODES,
    WAITING,
    WHOLE,
    Program,
    StartProgram,
    await_half,
    driver,
    each_mode,
    heal,
    let_go,
    outputs,
    statuses,
)

pytestmark = pytest.mark.chaos

#: Found by every Python that is started in the folder of a driver, its children included.
SITE = """
import os
host = os.environ.get("SINAGOT_TEST_HOST")
if host:
    known = os.uname()
    os.uname = lambda: os.uname_result((known.sysname, host, known.release, known.version, known.machine))
    from sinagot.engine.state import bench, claims
    claims.BEAT, bench.PULSE = 0.8, 0.1
"""


class Hosts:
    """Starts drivers of one workspace under the names of several hosts."""

    def __init__(self, start: StartProgram, workspace: Workspace) -> None:
        self._start = start
        self.workspace = workspace

    def start(self, host: str, **options: Any) -> Program:
        """Start a driver on a host."""
        text = driver(self.workspace, **options)
        begin = (
            f"import os\nos.environ['SINAGOT_TEST_HOST'] = {host!r}\nimport sitecustomize\nimport importlib\n"
        )
        return self._start(begin + "importlib.reload(sitecustomize)\n" + text)


def make_hosts(folder: Path, start: StartProgram, records: list[str], script: str = HALVES) -> Hosts:
    """Make a workspace that several hosts share."""
    (folder / "sitecustomize.py").write_text(SITE)
    return Hosts(start, make_workspace(folder / "lab", records=records, scripts={"a": script}))


def kinds(workspace: Workspace, key: str) -> list[str]:
    """Give the kinds of all events of a job, run by run."""
    found = []
    for run in sorted((workspace.data_path / ".sinagot" / "runs").glob("*")):
        for path in event_files(str(run)):
            found += [event["event"] for _, event in iter_all_events(path) if event.get("key") == key]
    return found


@each_mode
def test_two_hosts_share_the_work(mode: str, tmp_path: Path, start: StartProgram) -> None:
    """Drivers on two hosts do each record once, both end well, and both know that all is done."""
    body = """
        with open(self.data_path / "begun.txt", "a") as begun:
            begun.write(f"{self.id} {os.uname().nodename}\\n")
        time.sleep(0.1)
        self.path.output.write_text(self.id)
    """
    records = [f"R{number}" for number in range(8)]
    hosts = make_hosts(tmp_path, start, records, script_text(body))
    programs = [hosts.start(host, **MODES[mode]) for host in ("one", "two")]
    for program in programs:
        assert program.wait() == 0, program.said
        assert sum(program.ended()[1].values()) == 8
    begun = [line.split() for line in (hosts.workspace.data_path / "begun.txt").read_text().splitlines()]
    assert sorted(record for record, _ in begun) == records
    assert {host for _, host in begun} <= {"one", "two"}
    heal(hosts.workspace, left=0)


@each_mode
def test_host_that_lives_is_waited_for(mode: str, tmp_path: Path, start: StartProgram) -> None:
    """As long as a script of another host beats it is waited for, however long it takes; then it is done elsewhere."""
    hosts = make_hosts(tmp_path, start, ["R1"])
    first = hosts.start("one", **MODES[mode])
    await_half(hosts.workspace, "R1")
    second = hosts.start("two", **MODES[mode])
    with pytest.raises(TimeoutError):  # twice as long as it would take to believe it dead
        await_true(lambda: second.process.poll() is not None, "it waits", 5)
    let_go(hosts.workspace)
    assert (first.wait(), second.wait()) == (0, 0), second.said
    assert (first.ended()[1], second.ended()[1]) == ({"done": 1}, {"done_elsewhere": 1})
    heal(hosts.workspace, left=0)


@each_mode
def test_host_that_died_is_succeeded(mode: str, tmp_path: Path, start: StartProgram) -> None:
    """When a host is gone without a word, its claims are taken after three missed beats, and its work is done once more."""
    hosts = make_hosts(tmp_path, start, ["R1", "R2"])
    first = hosts.start("one", **MODES[mode])
    await_half(hosts.workspace, "R1")
    first.signal(signal.SIGKILL)
    first.assert_no_orphans()
    let_go(hosts.workspace)
    second = hosts.start("two", **MODES[mode])
    assert second.wait() == 0, second.said
    assert second.ended()[1] == {"done": 2}
    assert outputs(hosts.workspace) == {"R1.txt": WHOLE, "R2.txt": WHOLE}
    # What it left in its stage only its own host can be sure of.
    (hosts.workspace.data_path / "raw" / "R3.txt").touch()
    again = hosts.start("one", **MODES[mode])
    assert again.wait() == 0, again.said
    assert again.ended()[1] == {"done": 1, "up_to_date": 2}
    heal(hosts.workspace, left=0)


@each_mode
def test_frozen_attempt_that_thaws_late_loses(mode: str, tmp_path: Path, start: StartProgram) -> None:
    """A driver that was frozen so long that another host did its record publishes nothing when it thaws, and says so."""
    body = """
        tell(self.data_path / f"{self.id}.half", str(os.getpid()))
        await_file(self.data_path / "free")
        self.path.output.write_text(f"made on {os.uname().nodename}")
    """
    hosts = make_hosts(tmp_path, start, ["R1"], script_text(body, before=WAITING))
    workspace = hosts.workspace
    first = hosts.start("one", **MODES[mode])
    await_half(workspace, "R1")
    frozen = first.pids()
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        (workspace.data_path / "R1.half").unlink()
        let_go(workspace)
        second = hosts.start("two", mode="main_process")
        assert second.wait() == 0, second.said
        made = workspace.data_path / "out" / "R1.txt"
        assert made.read_text() == "made on two"
        before = made.stat()
    finally:
        for pid in frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    assert first.wait() == 0, first.said
    assert first.ended()[1] == {"done_elsewhere": 1}
    after = made.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert kinds(workspace, "R1/a").count("done") == 1 and "superseded" in kinds(workspace, "R1/a")
    assert statuses(workspace) == [30]
    assert not list((workspace.data_path / ".sinagot" / "failures").glob("*"))
    heal(workspace, left=0)


@pytest.mark.parametrize("how", ["number given again", "boot", "zombie"])
def test_owner_whose_number_belongs_to_another(how: str, tmp_path: Path) -> None:
    """A claim whose process number another program has now, or was of an earlier boot, holds nobody up: taken at once."""
    workspace = make_workspace(tmp_path, records=["R1"], scripts={"a": HALVES})
    let_go(workspace)
    code = "print(flush=True)" if how == "zombie" else "print(flush=True); input()"
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None and other.stdout.readline()
        start_time = Path(f"/proc/{other.pid}/stat").read_text().rpartition(")")[2].split()[19]
        owner = Owner.here("20200101T000000-abcdef")._replace(pid=other.pid, start=start_time)
        if how == "number given again":
            owner = owner._replace(start=str(int(start_time) - 1))
        elif how == "boot":
            owner = owner._replace(boot="00000000-0000-0000-0000-000000000000")
        else:
            state = Path(f"/proc/{other.pid}/stat")
            await_true(lambda: state.read_text().rpartition(")")[2].split()[0] == "Z", "it has ended")
        claim = workspace.data_path / ".sinagot" / "claims" / file_key("R1/a")
        claim.parent.mkdir(parents=True)
        claim.write_text(json.dumps(owner._asdict()))
        assert statuses(workspace) == [42]
        heal(workspace, left=1)
        if how != "zombie":
            assert other.poll() is None
    finally:
        other.kill()
        other.communicate()
