"""The program of a warm child process: takes batches of jobs, gives back results.

A program of its own (never a fork of the user's program), so that the user's `__main__` is neither needed nor run.
What a script leaves behind is put right after each job; what it takes down with it is only this child. Of a job with
limits the parent is told when it begins and when its script has returned; of others nothing is said.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import signal
import sys
import threading
import traceback
from importlib import import_module, invalidate_caches
from types import FrameType
from typing import Any, NoReturn

from sinagot.engine.attempt import obeying, run_chain
from sinagot.engine.executors.channel import Channel
from sinagot.engine.executors.contract import Chain
from sinagot.engine.executors.hygiene import Hygiene, has_left_threads
from sinagot.engine.executors.slip import Slip
from sinagot.engine.job import CallJob, JobResult
from sinagot.engine.limits import Began, FailureCount, Watcher, end_overrun, is_bloated, watched_by
from sinagot.engine.state.bench import close_benches, tidy_benches

__all__ = ["main"]

#: Seconds between two looks at whether the parent still lives.
_PARENT_CHECK = 0.5
_PR_SET_CHILD_SUBREAPER = 36
#: What the first line of a log needs, and what calls do: most children have only one of them.
_HANDLER, _CALLS = "sinagot.runlog.handler", "sinagot.engine.acts.calls"


def _watch_parent(parent: int) -> None:
    """End this process and everything it started when the parent is gone, even in the middle of a job."""
    pause = threading.Event()
    while not pause.wait(_PARENT_CHECK):
        if os.getppid() != parent:
            _end_all()


def _end_all() -> NoReturn:
    """Kill what this process started, in its process group and outside of it, and then this process."""
    from sinagot.engine.executors.trees import processes_of

    for pid in processes_of(os.getpid())[1:]:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    os.killpg(os.getpid(), signal.SIGKILL)
    raise AssertionError("a killed process goes no further")


def _adopt_orphans() -> None:
    """Let processes whose parent has ended become children of this one, so that none gets away from its job."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class _Server:
    """Runs batches; asked to end, it finishes the running job and no more."""

    def __init__(self, channel: Channel, slip: Slip) -> None:
        self._channel = channel
        self._failures = FailureCount(None)
        self._run_id: str | None = None
        self._served = 0
        self.is_asked = False
        #: Asked by a signal from outside: what the script's own programs say of it is no failure of theirs.
        self.requested = False
        #: The running job is finished, however long that takes: the driver has the clock.
        self.is_hurried = False
        self.script_running = False
        self._is_idle = False
        signal.signal(signal.SIGTERM, self.end)
        if hasattr(signal, "SIGUSR1"):
            signal.signal(signal.SIGUSR1, self.end)  # a batch system warns all processes of its time limit
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._hygiene: Hygiene | None = None
        watched_by(Watcher(self._tell, slip.read))

    def end(self, signum: int, frame: FrameType | None) -> None:
        """Take note of SIGTERM; it also ends an attempt that is over its time."""
        self.is_asked = True
        if self._is_idle:
            raise SystemExit(0)
        end_overrun()
        self.requested = True

    def serve(self) -> None:
        """Run one batch."""
        self._is_idle = True
        number, chains = self._channel.receive()
        self._is_idle = False
        if self._hygiene is None:
            self._begin(chains[0][0])
        options = chains[0][0].options
        if options.run_id != self._run_id:
            if self._run_id is not None:
                close_benches(self._run_id)
            self._run_id = options.run_id
            self._failures = FailureCount(options.max_failures)
        results = [self._run(chain) for chain in chains]
        tidy_benches()
        try:
            self._channel.send((number, results, self.is_asked))
        except OSError:
            self.is_asked = True  # nobody waits for them

    def _begin(self, first: Any) -> None:
        """Make ready for the first batch: what is there then is what each job finds."""
        invalidate_caches()  # files may have come while it waited
        is_call = isinstance(first, CallJob)
        if is_call:
            import_module(_CALLS)  # before the clock of the job starts
        if not is_call or (first.voice is not None and first.voice.target is not None):
            import_module(_HANDLER)
        self._hygiene = Hygiene()

    def _run(self, chain: Chain) -> list[JobResult]:
        settings = chain[0].step.settings
        if self._served and (settings.isolate or is_bloated(settings)):
            self.is_asked = True  # this one needs a fresh process
        self._served += 1
        calls: Any = chain
        if isinstance(calls[0], CallJob):
            from sinagot.engine.acts.calls import run_calls

            results = run_calls(calls, self._is_over, self._after)
        else:
            results = run_chain(chain, self._is_over, after_job=self._after)
        if settings.isolate:
            self.is_asked = True
        return results

    def _is_over(self) -> bool:
        return self.is_asked or self._failures.is_full

    def _after(self, result: JobResult) -> None:
        if self._hygiene is not None:
            self._hygiene.restore()
        if has_left_threads():
            self.is_asked = True  # nobody can end them: the next job gets a fresh process
        self._failures.note(result)

    def _tell(self, began: Began | None) -> None:
        with contextlib.suppress(OSError):  # a parent that is gone is noticed elsewhere
            self._channel.send(began)


def main() -> None:
    """Serve batches until the parent closes the channel."""
    channel = Channel.from_descriptor(int(sys.argv[1]))
    parent = int(sys.argv[2])
    slip = Slip(int(sys.argv[3]))
    slip.close_descriptor()
    sys.path[:], python_path, ahead = channel.receive()
    if python_path is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = python_path
    sys.argv = ["sinagot-worker"]
    for name in ahead:
        import_module(name)
    _adopt_orphans()
    server = _Server(channel, slip)
    gc.freeze()  # what was loaded so far stays: nobody looks through it again, not even at the end
    threading.Thread(target=_watch_parent, args=(parent,), daemon=True, name="sinagot-parent").start()
    code = 1
    try:
        with obeying(server):
            while not server.is_asked:
                server.serve()
        code = 0
    except (EOFError, SystemExit) as end:  # the parent has closed its end
        code = 0
        if isinstance(end, SystemExit):
            raise
    finally:
        close_benches()
        if has_left_threads():
            if code:
                traceback.print_exc()
            _leave(code)


def _leave(code: int) -> None:
    """End without the threads that scripts have left behind: Python would wait for them."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
