"""One warm child process, seen from its parent: how it is started, what it is given, how it ends.

Knows the program of children and the channel to it; must not know how many there are, nor what runs next. Executors
of this machine have some, a Dask worker has its own.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Sequence

from sinagot.engine.executors.channel import Channel
from sinagot.engine.executors.contract import Arrival, Chain, Lost
from sinagot.engine.executors.slip import Slip
from sinagot.engine.executors.trees import kill_tree
from sinagot.engine.executors.watch import PAUSE, Watch
from sinagot.engine.limits import Began, thread_variables

__all__ = ["FOR_ALL", "FOR_JOBS", "ChildProcess", "close_children", "describe_exit"]

#: Seconds that a child gets to end by itself.
_END_GRACE = 2.0
#: Seconds from the end of its channel to its own: long on a busy machine, where a kill would hide how it ended.
_LAST_SECONDS = 5.0
#: Modules of ours that the first job of a child needs, and those that calls need too.
FOR_JOBS = ("sinagot.runlog.handler",)
FOR_ALL = (*FOR_JOBS, "sinagot.engine.acts.calls", "cloudpickle")


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
    ahead : sequence of str
        Modules of ours that it loads before it is given anything; the others when it needs them.

    Raises
    ------
    OSError
        No process can be started.
    """

    def __init__(
        self, path: Sequence[str] | None = None, threads: int | None = None, ahead: Sequence[str] = ()
    ) -> None:
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
            self.channel.send((path, os.environ.get("PYTHONPATH"), tuple(ahead)))

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
            _await_end(self.process, _LAST_SECONDS)
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
        _await_end(self.process, _END_GRACE)
        self.kill()
        self.process.wait()

    def discard(self) -> None:
        """End the child at once; only for one that was never given anything."""
        self.channel.close()
        self.process.kill()
        self.process.wait()

    def disown(self) -> None:
        """Forget the child, in a fork of the process that has started it: it is not to be waited for here."""
        self.channel.close()
        self.process.returncode = 0


def close_children(children: Sequence[ChildProcess]) -> None:
    """Let children end by themselves, all at once."""
    for child in children:
        child.channel.close()
    for child in children:
        child.close()


def _await_end(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for the end of a process; `Popen.wait` would look at it every 50 ms only."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # not Linux, or it was waited for
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)
        return
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(seconds * 1000)
    finally:
        os.close(descriptor)
