"""One trial: a workspace, the programs that run it, and three looks at what a fault has left."""

from __future__ import annotations

import random
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from sinagot import Workspace
from sinagot.workspace.code_first.doors import open_named
from tests.chaos.campaign.oracle import Oracle
from tests.chaos.conftest import Program
from tests.clusters import DaskProcesses

__all__ = ["MODES", "Score", "Trial"]

#: Words of the command line for each way to run.
MODES = {
    "main_process": (),
    "processes": ("--jobs", "2"),
    "dask": ("--dask", "--jobs", "2"),
}

_PROGRAM = """
import sys
{prelude}
if __name__ == "__main__":
    sys.argv = ["sinagot", *{words!r}]
    from sinagot.cli.main import main
    sys.exit(main())
"""

#: Seconds after which a run counts as stuck.
_BOUND = 90.0


@dataclass
class Score:
    """What trials have shown; all but the first three are to be 0, and in no trial `again` more than `in_flight`."""

    injected: int = 0
    #: The fault really came while the run went on.
    fired: int = 0
    #: It came in time, and nothing of what follows was found.
    survived: int = 0
    #: Trials in which something was found, whether the fault came in time or not.
    broken: int = 0
    #: Files under a final name that are not whole, before anything was run again.
    torn: int = 0
    #: Files that are not whole and whose step is called done.
    accepted: int = 0
    #: Jobs that one plain run leaves neither done nor failed.
    lost: int = 0
    #: Starts of scripts beyond one a job, and how many were allowed: those that were under way at the fault.
    again: int = 0
    in_flight: int = 0
    #: Two scripts of one job at one time.
    overlapping: int = 0
    #: Exit code 0 though something is missing, or failures of which nothing is told.
    lies: int = 0
    stuck: int = 0
    orphans: int = 0
    #: Claims, stages and former versions that lie about after the plain run; changed inputs.
    litter: int = 0

    def __iadd__(self, other: Score) -> Self:
        """Add the counts of another one."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))
        return self

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found that must not be."""
        counts = asdict(self)
        again = max(counts.pop("again") - counts.pop("in_flight"), 0)
        for name in ("injected", "fired", "survived", "broken"):
            del counts[name]
        return not any(counts.values()) and not again


class Trial:
    """A workspace and the programs that run it.

    Parameters
    ----------
    folder : Path
        An empty folder.
    mode : str
        One of `MODES`, or ``cluster``: a scheduler and workers of their own.
    seed : int
        Decides when the fault comes.
    prelude : str
        Code that each driver runs before it begins.
    world : type
        What makes the workspace, and knows what belongs into it.
    """

    cluster: DaskProcesses

    def __init__(
        self, folder: Path, mode: str, seed: int, *, prelude: str = "", world: type[Oracle] = Oracle
    ) -> None:
        self.folder = folder
        self.mode = mode
        self.chance = random.Random(seed)
        self.prelude = prelude
        self.oracle = world(folder / "lab")
        self.score = Score(injected=1)
        self.programs: list[Program] = []
        #: Jobs that may be under way in one driver at one time.
        self.slots = 1 if mode == "main_process" else 2
        #: Drivers and workers that were ended: each may cost what was under way in it.
        self.allowed = 0

    def start(self, *words: str) -> Program:
        """Start a driver: the command line, as a user calls it."""
        mode = ("--address", self.cluster.address) if self.mode == "cluster" else MODES[self.mode]
        words = ("-w", self.oracle.named, "run", *mode, *words)
        program = Program(self.folder, _PROGRAM.format(prelude=self.prelude, words=words))
        self.programs.append(program)
        return program

    def await_starts(self, count: int, program: Program) -> bool:
        """Wait until so many scripts have begun; False when the program has ended before."""
        end = time.monotonic() + _BOUND
        while sum(self.oracle.starts().values()) < count:
            if program.process.poll() is not None or time.monotonic() > end:
                return False
            time.sleep(0.002)
        return True

    def await_moment(self, program: Program) -> bool:
        """Wait for a moment in the midst of the run; False when it is over."""
        count = self.chance.randrange(1, len(self.oracle.units))
        if not self.await_starts(count, program):
            return False
        time.sleep(self.chance.uniform(0, 0.06))
        return program.process.poll() is None

    def finish(self, program: Program) -> int | None:
        """Wait for the end of a driver; one that does not end is stuck, and is ended."""
        try:
            return program.wait(_BOUND)
        except AssertionError:
            self.score.stuck += 1
            program.signal_group(signal.SIGKILL)
            return None

    # -- looking

    def examine(self, codes: list[int | None]) -> None:
        """Look at what is there before anything is run again; `codes` are those of drivers that ended by themselves."""
        whole, torn = self.oracle.look()
        self.score.torn += len(torn)
        self.score.accepted += self._accepted(torn)
        missing = set(self.oracle.expected()) - whole
        if missing and 0 in codes:
            self.score.lies += 1
        deadline = time.monotonic() + 30
        while any(program.pids() for program in self.programs) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.score.orphans += sum(len(program.pids()) for program in self.programs)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """Open the workspace here; of a class, nothing stays in this process: the next trial has one of this name."""
        name, is_class, root = self.oracle.named.partition("=")
        path = list(sys.path)
        opened = open_named(name, root, [str(self.folder)]) if is_class else Workspace(self.oracle.folder)
        try:
            with opened as workspace:
                yield workspace
        finally:
            sys.path[:] = path
            package = name.partition(".")[0]
            for module in [one for one in sys.modules if is_class and one.partition(".")[0] == package]:
                del sys.modules[module]

    def _accepted(self, torn: set[str]) -> int:
        with self._opened() as workspace:
            done = {
                f"{row['record_id']}/{row['step_label']}"
                for row in workspace.steps.iter_status()
                if row["step_status"] == 30
            }
        return sum(1 for unit in done for name in self.oracle.outputs_of(unit) if name in torn)

    def heal(self) -> None:
        """Run plainly, once; then all is done or has failed with a cause, and nothing lies about."""
        if self.oracle.mines:
            self._check_failures()
            (self.oracle.folder / "mended").touch()
        program = Program(self.folder, _PROGRAM.format(prelude="", words=("-w", self.oracle.named, "run")))
        self.programs.append(program)
        code = self.finish(program)
        whole, torn = self.oracle.look()
        missing = set(self.oracle.expected()) - whole
        lost = [
            unit
            for unit in self.oracle.units
            if any(name in missing for name in self.oracle.outputs_of(unit))
        ]
        self.score.lost += len(lost)
        self.score.accepted += self._accepted(torn)
        if (code == 0) != (not missing):
            self.score.lies += 1
        starts = self.oracle.starts()
        self.score.again += sum(count - 1 for count in starts.values())
        self.score.in_flight += self.allowed
        self.score.overlapping += self.oracle.overlaps()
        self.score.litter += len(self._litter()) + (not self.oracle.inputs_are_unchanged())

    def _check_failures(self) -> None:
        """Each record that stepped on a mine has failed with a cause that can be read, and no other."""
        with self._opened() as workspace:
            rows = list(workspace.steps.iter_status())
            failed = {
                row["record_id"]
                for row in rows
                if row["step_label"] == self.oracle.first and row["step_status"] in (40, 42)
            }
            untold = [
                record_id
                for record_id in failed
                if not any(line.get("exc_type") for line in workspace.records.get(record_id).logs_json())
            ]
        self.score.lies += len(failed.symmetric_difference(self.oracle.mines)) + len(untold)

    def _litter(self) -> list[Path]:
        state = self.oracle.data / ".sinagot"
        found = [path for kind in ("claims", "stage") for path in (state / kind).rglob("*") if path.is_file()]
        return found + [path for path in self.oracle.data.rglob(".sinagot-*") if path.is_file()]

    # -- the end

    def scored(self) -> Score:
        """Say what was found; a fault that came too late has not been survived."""
        self.score.broken = int(not self.score.is_clean)
        self.score.survived = int(self.score.fired and not self.score.broken)
        return self.score

    def end_programs(self) -> None:
        """End whatever is left."""
        for program in self.programs:
            program.end()
