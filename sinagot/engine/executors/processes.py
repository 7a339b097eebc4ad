"""Jobs run in warm child processes of this one."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections import deque

from sinagot.engine.executors.channel import Channel
from sinagot.engine.executors.contract import Arrival, Chain, Lost

__all__ = ["ChildProcess", "ProcessExecutor", "describe_exit"]


def describe_exit(code: int) -> Lost:
    """Say how a process ended."""
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return Lost(f"worker process was killed by {name}", code, name)
    return Lost(f"worker process exited with code {code}", code)


class ChildProcess:
    """A warm child and the batches it has.

    Parameters
    ----------
    path : list of str, optional
        Folders to search for modules beyond those of this process.

    Raises
    ------
    OSError
        No process can be started.
    """

    def __init__(self, path: list[str] | None = None) -> None:
        path = [*sys.path, *(extra for extra in path or () if extra not in sys.path)]
        self.channel, other = Channel.pair()
        try:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "sinagot.engine.executors.child",
                    str(other.fileno()),
                    str(os.getpid()),
                ],
                pass_fds=(other.fileno(),),
                stdin=subprocess.DEVNULL,
                # A session of its own: Ctrl-C in the terminal reaches the driver only; the whole tree can be killed.
                start_new_session=True,
                # The package must be found as it is here, also when it is not installed.
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))},
            )
        except BaseException:
            self.channel.close()
            raise
        finally:
            other.close()
        self.numbers: deque[int] = deque()
        #: Asked to stop: it ends when its running job is over.
        self.is_draining = False
        with contextlib.suppress(OSError):  # a child that died at once is found by its silence
            self.channel.send((path, os.environ.get("PYTHONPATH")))

    def submit(self, number: int, chains: list[Chain]) -> None:
        """Hand over a batch to an idle child; a dead one is noticed when it is asked for results."""
        self.numbers.append(number)
        with contextlib.suppress(OSError):
            self.channel.send((number, chains))

    def post(self, number: int, chains: list[Chain]) -> None:
        """Hand over a batch to a busy child, which may be about to send results: nobody waits for the other."""
        self.numbers.append(number)
        with contextlib.suppress(OSError):
            self.channel.post((number, chains))

    def receive(self) -> Arrival | Lost:
        """Take one batch back, or learn how the child ended."""
        try:
            number, results = self.channel.receive()
        except EOFError:
            # The channel closes a moment before the process is over; killing it now would hide how it ended.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=1)
            self.kill()
            return describe_exit(self.process.wait())
        self.numbers.remove(number)
        return Arrival(number, results)

    def drain(self) -> None:
        """Ask the child to end after its running job."""
        self.is_draining = True
        with contextlib.suppress(OSError):
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the child's whole process group."""
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let the child end by itself; kill it when it does not."""
        self.channel.close()
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            pass
        self.kill()
        self.process.wait()


class ProcessExecutor:
    """A pool of warm children on this machine.

    Parameters
    ----------
    workers : int, optional
        Number of children, at most; the number of usable cores when not given.
    """

    ahead = 2
    here = False
    is_usable = True
    batch_seconds = 0.05

    def __init__(self, workers: int | None = None) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.slots = workers or cores
        self._children: list[ChildProcess] = []
        self._failed: list[Arrival] = []

    def warm(self, count: int) -> None:
        """Start children while the run is being prepared: a third of a second that would be waited for."""
        self._drop_ended()
        with contextlib.suppress(OSError):  # `submit` tries again, and says what is wrong
            while len(self._children) < min(count, self.slots):
                self._children.append(ChildProcess())

    def submit(self, number: int, chains: list[Chain]) -> None:
        """Give the batch to the child with the least to do; a new one while there are few."""
        self._drop_ended()
        usable = [child for child in self._children if not child.is_draining]
        idle = min(usable, key=lambda child: len(child.numbers), default=None)
        if (idle is None or idle.numbers) and len(usable) < self.slots:
            try:
                idle = ChildProcess()
            except OSError as error:
                if idle is None:
                    lost = Lost(f"no worker process can be started: {error}", usable=False)
                    self._failed.append(Arrival(number, None, lost))
                    return
            else:
                self._children.append(idle)
        assert idle is not None
        idle.post(number, chains)

    def _drop_ended(self) -> None:
        """Let go of idle children that have ended, or are about to: a batch sent there would be lost."""
        for child in list(self._children):
            if not child.numbers and (child.is_draining or child.process.poll() is not None):
                self._children.remove(child)
                child.close()

    def collect(self, timeout: float) -> list[Arrival]:
        """Give the batches that came back."""
        arrivals, self._failed = self._failed, []
        busy = {child.channel.fileno(): child for child in self._children if child.numbers}
        if arrivals or not busy:
            return arrivals
        poll = select.poll()
        for descriptor, child in busy.items():
            poll.register(descriptor, select.POLLIN | (select.POLLOUT if child.channel.is_waiting else 0))
        for descriptor, state in poll.poll(timeout * 1000):
            child = busy[descriptor]
            if state & select.POLLOUT:
                with contextlib.suppress(OSError):
                    child.channel.flush()
            if not state & ~select.POLLOUT:
                continue
            answer = child.receive()
            if isinstance(answer, Arrival):
                arrivals.append(answer)
            else:
                self._children.remove(child)
                child.channel.close()
                arrivals += [Arrival(number, None, answer) for number in child.numbers]
        return arrivals

    def drain(self) -> None:
        """Let each child finish its running job only."""
        for child in self._children:
            if child.numbers:
                child.drain()

    def kill(self) -> None:
        """Kill all children with what they started."""
        for child in self._children:
            if child.numbers:
                child.kill()

    def close(self) -> None:
        """End the children."""
        children, self._children = self._children, []
        for child in children:
            child.close()
