"""Jobs run in warm child processes of this one, and are watched there when they have limits."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence

from sinagot.engine.executors.channel import Channel
from sinagot.engine.executors.contract import Arrival, Chain, Lost
from sinagot.engine.executors.slip import Slip
from sinagot.engine.executors.trees import kill_tree
from sinagot.engine.executors.watch import PAUSE, Watch
from sinagot.engine.limits import Began, Lane, lane_of, thread_variables
from sinagot.engine.machine import default_workers

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
    threads : int, optional
        What its environment tells numeric libraries.

    Raises
    ------
    OSError
        No process can be started.
    """

    def __init__(self, path: list[str] | None = None, threads: int | None = None) -> None:
        path = [*sys.path, *(extra for extra in path or () if extra not in sys.path)]
        self.threads = threads
        self._slip = Slip()
        self.channel, other = Channel.pair()
        try:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "sinagot.engine.executors.child",
                    str(other.fileno()),
                    str(os.getpid()),
                    str(self._slip.descriptor),
                ],
                pass_fds=(other.fileno(), self._slip.descriptor),
                stdin=subprocess.DEVNULL,
                # A session of its own: Ctrl-C in the terminal reaches the driver only; the whole tree can be killed.
                start_new_session=True,
                # The package must be found as it is here, also when it is not installed.
                env={
                    **os.environ,
                    **thread_variables(threads),
                    "PYTHONPATH": os.pathsep.join(filter(None, path)),
                },
            )
        except BaseException:
            self.channel.close()
            raise
        finally:
            other.close()
            self._slip.close_descriptor()
        self.numbers: deque[int] = deque()
        #: Asked to stop, or about to by itself: it ends when its running job is over.
        self.is_draining = False
        #: Its job that has limits, while it runs.
        self.watch: Watch | None = None
        self._has_ended = False
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

    def receive(self) -> Arrival | Lost | None:
        """Take one batch back, or learn how the child ended; None when it only told of a job."""
        try:
            said = self.channel.receive()
        except EOFError:
            # The channel closes a moment before the process is over; killing it now would hide how it ended.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=1)
            self.kill()
            verdict = self.watch.verdict if self.watch is not None else None
            return verdict or describe_exit(self.process.wait())
        if said is None or isinstance(said, Began):
            self.watch = Watch(self.process.pid, said, self._slip) if said is not None else None
            return None
        number, results, self._has_ended = said
        self.is_draining = self.is_draining or self._has_ended
        self.watch = None
        self.numbers.remove(number)
        return Arrival(number, results)

    def await_answer(self) -> Arrival | Lost:
        """Wait for a batch, or for the end of the child; meanwhile its job is watched."""
        while True:
            poll = select.poll()
            poll.register(self.channel.fileno(), select.POLLIN)
            if poll.poll(None if self.watch is None else PAUSE * 1000):
                answer = self.receive()
                if answer is not None:
                    return answer
            else:
                self.look()

    def look(self) -> None:
        """Look at the running job if it has limits; one that is asked to end takes the child with it."""
        if self.watch is not None and self.watch.look():
            self.is_draining = True

    def lost_batches(self, how: Lost) -> list[Arrival]:
        """Give the batches that a child that has ended still had: at most the first was begun."""
        innocent = Lost(how.text, is_begun=False)
        return [
            Arrival(number, None, innocent if place or self._has_ended else how)
            for place, number in enumerate(self.numbers)
        ]

    def drain(self) -> None:
        """Ask the child to end after its running job."""
        self.is_draining = True
        with contextlib.suppress(OSError):
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the child with all that it started."""
        if self.process.poll() is None:
            kill_tree(self.process.pid)
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
        Number of children, at most; one for each usable core when not given.
    """

    ahead = 2
    here = False
    is_usable = True
    batch_seconds = 0.05
    notices: Sequence[str] = ()

    def __init__(self, workers: int | None = None) -> None:
        self.slots = workers or default_workers()
        self._children: list[ChildProcess] = []
        self._failed: list[Arrival] = []
        #: Batches that wait for a child of another kind than those that are busy.
        self._waiting: deque[tuple[int, list[Chain]]] = deque()

    def warm(self, count: int) -> None:
        """Start children while the run is being prepared: a third of a second that would be waited for."""
        self._drop_ended()
        with contextlib.suppress(OSError):  # `submit` tries again, and says what is wrong
            while len(self._children) < min(count, self.slots):
                self._children.append(ChildProcess())

    def submit(self, number: int, chains: list[Chain]) -> None:
        """Give the batch to the child with the least to do; a new one while there are few."""
        self._drop_ended()
        if not self._place(number, chains):
            self._waiting.append((number, chains))

    def _place(self, number: int, chains: list[Chain]) -> bool:
        """Give a batch to a child; False when it must wait for one to be idle."""
        lane = lane_of(chains[0][0].step.settings) or Lane()
        usable = [child for child in self._children if not child.is_draining]
        alike = [] if lane.is_alone else [child for child in usable if child.threads == lane.threads]
        chosen = min(alike, key=lambda child: len(child.numbers), default=None)
        busy = sum(1 for child in usable if child.numbers)
        if (chosen is None or chosen.numbers) and busy < self.slots:
            self._make_room(usable, lane)
            try:
                chosen = ChildProcess(threads=lane.threads)
            except OSError as error:
                if chosen is None:
                    lost = Lost(f"no worker process can be started: {error}", usable=False)
                    self._failed.append(Arrival(number, None, lost))
                    return True
            else:
                self._children.append(chosen)
        if chosen is None:
            return False
        chosen.post(number, chains)
        return True

    def _make_room(self, usable: list[ChildProcess], lane: Lane) -> None:
        """End an idle child of another kind when there are many."""
        idle = [child for child in usable if not child.numbers]
        if len(idle) >= self.slots:
            other = next((child for child in idle if child.threads != lane.threads), idle[0])
            self._children.remove(other)
            other.close()

    def _drop_ended(self) -> None:
        """Let go of idle children that have ended, or are about to: a batch sent there would be lost."""
        for child in list(self._children):
            if not child.numbers and (child.is_draining or child.process.poll() is not None):
                self._children.remove(child)
                child.close()

    def collect(self, timeout: float) -> list[Arrival]:
        """Give the batches that came back."""
        end = time.monotonic() + timeout
        while True:
            arrivals, self._failed = self._failed, []
            busy = {child.channel.fileno(): child for child in self._children if child.numbers}
            if arrivals or not busy:
                return arrivals
            rest = max(end - time.monotonic(), 0.0)
            arrivals += self._listen(busy, rest)
            if self._waiting:
                self._drop_ended()
                while self._waiting and self._place(*self._waiting[0]):
                    self._waiting.popleft()
            if arrivals or rest == 0.0:
                return arrivals

    def _listen(self, busy: dict[int, ChildProcess], timeout: float) -> list[Arrival]:
        """Hear what children say within a time, and look at their jobs that have limits."""
        arrivals: list[Arrival] = []
        poll = select.poll()
        for descriptor, child in busy.items():
            poll.register(descriptor, select.POLLIN | (select.POLLOUT if child.channel.is_waiting else 0))
        is_watched = any(child.watch is not None for child in busy.values())
        for descriptor, state in poll.poll((min(timeout, PAUSE) if is_watched else timeout) * 1000):
            child = busy.pop(descriptor)
            if state & select.POLLOUT:
                with contextlib.suppress(OSError):
                    child.channel.flush()
            if not state & ~select.POLLOUT:
                continue
            answer = child.receive()
            if isinstance(answer, Arrival):
                arrivals.append(answer)
            elif answer is not None:
                self._children.remove(child)
                child.channel.close()
                arrivals += child.lost_batches(answer)
        if is_watched:
            for child in busy.values():  # those that said something just now are looked at next time
                child.look()
        return arrivals

    def drain(self) -> None:
        """Let each child finish its running job only; what waits does not begin."""
        self._failed += [Arrival(number, [[] for _ in chains]) for number, chains in self._waiting]
        self._waiting.clear()
        for child in self._children:
            if child.numbers:
                child.drain()

    def kill(self) -> None:
        """Kill all children with what they started; what waits does not begin."""
        self._failed += [Arrival(number, [[] for _ in chains]) for number, chains in self._waiting]
        self._waiting.clear()
        for child in self._children:
            if child.numbers:
                child.kill()

    def close(self) -> None:
        """End the children."""
        children, self._children = self._children, []
        for child in children:
            child.close()
