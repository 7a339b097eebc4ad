"""The program of a warm child process: takes batches of jobs, gives back results.

A program of its own (never a fork of the user's program), so that the user's `__main__` is neither needed nor run.
What a script leaves behind is put right after each job; what it takes down with it is only this child.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

import sinagot.runlog.handler  # noqa: F401  (the first line of a log needs it: loaded while the driver prepares)
from sinagot.engine.attempt import run_chain
from sinagot.engine.bench import close_benches, tidy_benches
from sinagot.engine.executors.channel import Channel
from sinagot.engine.executors.hygiene import Hygiene

__all__ = ["main"]

#: Seconds between two looks at whether the parent still lives.
_PARENT_CHECK = 0.5


def _watch_parent(parent: int) -> None:
    """End this process and everything it started when the parent is gone, even in the middle of a job."""
    pause = threading.Event()
    while not pause.wait(_PARENT_CHECK):
        if os.getppid() != parent:
            os.killpg(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Serve batches until the parent closes the channel; SIGTERM lets the running job finish, and no more."""
    channel = Channel.from_descriptor(int(sys.argv[1]))
    parent = int(sys.argv[2])
    sys.path[:], python_path = channel.receive()
    if python_path is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = python_path
    sys.argv = ["sinagot-worker"]
    state = {"asked": False, "idle": False}

    def end(signum: int, frame: FrameType | None) -> None:
        state["asked"] = True
        if state["idle"]:
            raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch_parent, args=(parent,), daemon=True, name="sinagot-parent").start()
    hygiene = Hygiene()
    run_id: str | None = None
    try:
        while not state["asked"]:
            state["idle"] = True
            number, chains = channel.receive()
            state["idle"] = False
            if chains[0][0].options.run_id != run_id:
                if run_id is not None:
                    close_benches(run_id)
                run_id = chains[0][0].options.run_id
            results = [
                run_chain(chain, lambda: state["asked"], after_job=hygiene.restore) for chain in chains
            ]
            tidy_benches()
            try:
                channel.send((number, results))
            except OSError:
                break
    except EOFError:
        pass  # the parent has closed its end
    finally:
        close_benches()


if __name__ == "__main__":
    main()
