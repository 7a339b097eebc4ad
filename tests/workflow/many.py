"""Thousands of workflows, by programs of their own: what a caller holds of them, and what Ctrl-C leaves of a batch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sinagot.testing import await_true
from tests.workflow.conftest import Calls, chain, litter, seeds

__all__ = ["check_interrupt", "check_many", "needs_peaks"]

STATUS = Path("/proc/self/status")
needs_peaks = pytest.mark.skipif(
    not STATUS.exists(), reason="the kernel does not tell the most memory of a process"
)

#: The most that a process ever held, in kB; unlike `getrusage`, without what the process held that started it.
PEAK = """
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
"""
BARE = f"{PEAK}\nprint(peak())"
PROGRAM = f"""
import json
import sys
from chain_flow import Chains
{PEAK}
told = [0, 0]

def note(progress):
    told[:] = [told[0] + 1, progress.total]

try:
    with Chains(sys.argv[1]) as ws:
        report = ws.compute("result", workers=2, **({{}} if "shown" in sys.argv else {{"progress": note}}))
except KeyboardInterrupt as error:
    report = error.report
    raise
finally:
    counts = {{name: count for name, count in report.counts.items() if count}}
    print(json.dumps([counts, told, peak() if "peak" in sys.argv else 0]), flush=True)
"""


class Batch:
    """Programs that compute all workflows of a folder, each in a process of its own.

    Parameters
    ----------
    folder : Path
        An empty folder.
    count : int
        How many workflows.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.count = count
        self.root = seeds(folder / "data", count)
        self._folder = folder
        self._said = folder / "said"
        (folder / "chain_flow.py").write_text(
            chain(pause="float(os.environ.get('PAUSE', 0))").replace("BAD", "import os\nBAD", 1)
        )
        (folder / "program.py").write_text(PROGRAM)

    @property
    def said(self) -> str:
        """What the program says on standard error."""
        return self._said.read_text()

    def start(self, *words: str, pause: float = 0.0) -> subprocess.Popen[str]:
        """Start a program, in a group of its own, as a shell does; the first of the two steps takes so many seconds."""
        with self._said.open("w") as said:
            return subprocess.Popen(
                [sys.executable, "program.py", str(self.root), *words],
                cwd=self._folder,
                env={**os.environ, "PAUSE": str(pause)},
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                start_new_session=True,
            )

    def end(self, running: subprocess.Popen[str], code: int = 0) -> Any:
        """Wait for the end of a program, and give what it tells of its run: counts, progress, peak of memory."""
        shown, _ = running.communicate(timeout=300)
        assert running.returncode == code, self.said
        return json.loads(shown)

    def run(self) -> Any:
        """Run a program to its end."""
        return self.end(self.start("peak"))

    def stored(self, name: str) -> set[str]:
        """Give the ids of which a node is stored; whatever stands under a final name is whole."""
        found = {path.stem: path.read_text() for path in (self.root / name).iterdir()}
        expected = {
            f"W{number:05}": f"{(number + 1) * (2 if name == 'result' else 1)}\n"
            for number in range(self.count)
        }
        assert found.items() <= expected.items()
        return found.keys()


def check_many(folder: Path, calls: Calls, *, few: int, many: int) -> None:
    """Compare what two batches cost their caller, and run both again."""
    bare = int(
        subprocess.run([sys.executable, "-c", BARE], capture_output=True, text=True, check=True).stdout
    )
    computing, looking = {}, {}
    for count in (few, many):
        (folder / str(count)).mkdir()
        batch = Batch(folder / str(count), count)
        counts, told, computing[count] = batch.run()
        assert counts == {"done": 2 * count}
        assert told[0] > 1 and told[1] == 2 * count
        assert calls() == sorted(
            f"{step} W{number:05}" for number in range(count) for step in ("plus", "twice")
        )
        assert len(batch.stored("more")) == len(batch.stored("result")) == count
        calls.clear()
        counts, _, looking[count] = batch.run()
        assert counts == {"up_to_date": 2 * count}
        assert calls() == []
        assert litter(batch.root) == []
    assert computing[many] - bare <= 1.3 * (computing[few] - bare), (bare, computing)
    # Whoever looks at what is there reads what is on record of it, all at once.
    assert looking[many] - looking[few] <= 6 * (many - few), (bare, looking)


def check_interrupt(folder: Path, calls: Calls, *, count: int) -> None:
    """Interrupt a batch that says how far it is, look at what it leaves, and run it again."""
    batch = Batch(folder, count)
    running = batch.start("shown", pause=20 / count)  # all of it would take many seconds

    def is_in_the_middle() -> bool:
        is_shown = f" of {2 * count:,} jobs" in batch.said
        return (is_shown and len(calls()) > count // 10) or running.poll() is not None

    await_true(is_in_the_middle, "progress is shown, and a part is done")
    assert running.poll() is None, batch.said
    os.killpg(running.pid, signal.SIGINT)
    # Python ends a program by the signal, which is 130 for a shell.
    counts, _, _ = batch.end(running, -signal.SIGINT)
    first = counts["done"]
    assert 0 < first < 2 * count
    assert len(batch.stored("more")) + len(batch.stored("result")) == first == len(calls())
    counts, _, _ = batch.end(batch.start())
    assert counts["done"] == 2 * count - first
    assert calls() == sorted(f"{step} W{number:05}" for number in range(count) for step in ("plus", "twice"))
    assert len(batch.stored("more")) == len(batch.stored("result")) == count
    assert litter(batch.root) == []
