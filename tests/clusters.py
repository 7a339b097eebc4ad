"""A Dask cluster of real processes on the loopback interface, as `dask scheduler` and `dask worker` start it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sinagot.testing import alive, await_true

ROOT = Path(__file__).parents[1]

__all__ = ["DaskProcesses", "Slurm", "end"]


class DaskProcesses:
    """One scheduler and some workers with one thread each, on free ports; `with` ends them."""

    #: Variables of the environment of scheduler and workers.
    settings: Mapping[str, str] = {}

    def __init__(self, folder: Path, workers: int = 2) -> None:
        self.folder = folder
        self.address = ""
        self.scheduler: subprocess.Popen[bytes]
        self.workers: list[subprocess.Popen[bytes]] = []
        self._count = workers

    def place(self, kind: str) -> tuple[list[str], str]:
        """Give the words that bring a scheduler or a worker to where it runs, and its address there."""
        return [], "127.0.0.1"

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        way, host = self.place(words[0])
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
            **self.settings,
        }
        with (self.folder / "dask.log").open("ab") as log:
            return subprocess.Popen(
                [*way, sys.executable, "-m", "dask", *words, "--host", host],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start_scheduler(self, port: int = 0) -> None:
        """Start the scheduler and learn its address."""
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        self.scheduler = self._start(
            "scheduler", "--port", str(port), "--no-dashboard", "--scheduler-file", str(file)
        )
        await_true(lambda: _address(file), "the Dask scheduler starts")
        self.address = _address(file)

    def start_worker(self, nanny: str = "--no-nanny") -> subprocess.Popen[bytes]:
        """Start one worker; without a nanny its process is the one that runs tasks."""
        worker = self._start("worker", self.address, "--nthreads", "1", nanny, "--no-dashboard")
        self.workers.append(worker)
        return worker

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.start_scheduler()
            for _ in range(self._count):
                self.start_worker()
            self.await_workers(self._count)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def log(self) -> str:
        """Give what scheduler and workers have said."""
        return (self.folder / "dask.log").read_text(errors="replace")

    def await_workers(self, count: int) -> None:
        """Wait until the scheduler knows so many workers."""
        from distributed import Client

        if not count:
            return
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in [*self.workers, self.scheduler]:
            end(process)


#: Stand-ins for the programs of SLURM: jobs are processes of this machine, each in a session of its own.
SBATCH = """
import os, pathlib, subprocess, sys
folder = pathlib.Path({folder!r})
refusal = folder / "refusal"
if refusal.exists():
    sys.exit("sbatch: error: " + refusal.read_text())
number = 1
while True:  # two may be handed in at the same time
    try:
        (folder / f"{{number}}.pid").open("x").close()
        break
    except FileExistsError:
        number += 1
script = folder / f"{{number}}.sh"
script.write_text(pathlib.Path(sys.argv[-1]).read_text())
members = [word for line in script.read_text().splitlines() if "--array=1-" in line for word in [line.rpartition("-")[2]]]
for member in range(1, int(members[0]) + 1) if members else [None]:
    environment = dict(os.environ, **({{"SLURM_ARRAY_TASK_ID": str(member)}} if member else {{}}))
    with open(folder / f"{{number}}.out", "ab") as out:
        job = subprocess.Popen(
            ["bash", str(script)], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, start_new_session=True
        )
    with open(folder / f"{{number}}.pid", "a") as pids:
        pids.write(f"{{job.pid}}\\n")
print("Submitted batch job", number)
"""
SCANCEL = """
import os, pathlib, signal, sys
for number in sys.argv[1:]:
    for pid in (pathlib.Path({folder!r}) / f"{{number}}.pid").read_text().split():
        try:
            os.killpg(int(pid), signal.SIGTERM)
        except ProcessLookupError:
            pass
"""
SQUEUE = """
import pathlib
for file in pathlib.Path({folder!r}).glob("*.pid"):
    for pid in file.read_text().split():
        try:
            state = pathlib.Path(f"/proc/{{pid}}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            state = "X"
        if state not in "ZX":
            print(file.stem)
"""


class Slurm:
    """A batch system of one machine: `sbatch`, `scancel` and `squeue` in a folder for the PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "bin"
        self.programs.mkdir(parents=True)
        for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL), ("squeue", SQUEUE)):
            file = self.programs / name
            file.write_text(f"#!{sys.executable}\n{text.format(folder=str(folder))}")
            file.chmod(0o755)

    def refuse(self, text: str) -> None:
        """Let `sbatch` refuse what comes from now on."""
        (self.folder / "refusal").write_text(text)

    def scripts(self) -> list[str]:
        """Give the texts of what was handed in, in order."""
        files = sorted(self.folder.glob("*.sh"), key=lambda file: int(file.stem))
        return [file.read_text() for file in files]

    def pids(self) -> list[int]:
        """List the processes that jobs began with, of those that still run."""
        found = [int(pid) for file in self.folder.glob("*.pid") for pid in file.read_text().split()]
        return alive(*found)

    def kill(self, pid: int) -> None:
        """End a job as its time limit does in the end."""
        os.killpg(pid, signal.SIGKILL)

    def end(self) -> None:
        """End what still runs."""
        for pid in self.pids():
            self.kill(pid)


def end(process: subprocess.Popen[Any], number: int = signal.SIGKILL) -> None:
    """End a process that a test started, with its group."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass
    process.wait(60)


def _address(file: Path) -> str:
    try:
        return str(json.loads(file.read_text())["address"])
    except (OSError, ValueError, KeyError):
        return ""
