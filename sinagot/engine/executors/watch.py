"""Watches one attempt from outside of its process, and ends it with all that it started when it is over its limits.

Knows processes, times and bytes; must not know jobs. A watch is looked at by whoever waits for the child: no thread
of its own, and no cost for a job without limits.
"""

from __future__ import annotations

import math
import signal
import time

from sinagot.config.quantities import bytes_text
from sinagot.engine.executors.contract import Lost
from sinagot.engine.executors.slip import Slip
from sinagot.engine.executors.trees import kill_tree, signal_tree, use_of
from sinagot.engine.limits import Began, timeout_text

__all__ = ["PAUSE", "TERM_GRACE", "Watch"]

#: Seconds between two looks.
PAUSE = 0.1
#: Seconds between two looks at the memory of an attempt that is only limited in time.
_SLOW_PAUSE = 0.5
#: Seconds between SIGTERM and SIGKILL.
TERM_GRACE = 10.0


class Watch:
    """One attempt that runs in a child.

    Parameters
    ----------
    pid : int
        The child.
    began : Began
        What it said.
    slip : Slip
        Where the child reads what was seen.

    Attributes
    ----------
    verdict : Lost or None
        Why it was ended; None when it was not.
    """

    def __init__(self, pid: int, began: Began, slip: Slip) -> None:
        self.began = began
        self.verdict: Lost | None = None
        self._pid = pid
        self._slip = slip
        self._peak = 0
        self._cpu = self._cpu_before = 0.0
        self._is_measured = False
        self._measure_at = 0.0
        self._kill_at = math.inf
        self._is_killed = False

    def look(self) -> bool:
        """Look at the attempt once; True when it was asked to end, or was ended."""
        now = time.monotonic()
        if not self._is_killed and now >= self._measure_at:
            self._measure(now)
            if self.began.memory is not None and self._peak > self.began.memory:
                self._kill(self._lost("StepMemoryError", self._memory_text(self.began.memory)))
        timeout = self.began.timeout
        if timeout is not None and now - self.began.start >= timeout:
            if self.verdict is None:
                self.verdict = self._lost("StepTimeoutError", timeout_text(timeout))
                self._kill_at = now + (TERM_GRACE if self.began.grace is None else self.began.grace)
                signal_tree(self._pid, signal.SIGTERM)
            elif now >= self._kill_at and not self._is_killed:
                self._kill(self._lost("StepTimeoutError", timeout_text(timeout)))
        return self.verdict is not None

    def _measure(self, now: float) -> None:
        limit = self.began.memory
        use = use_of(self._pid)
        if limit is not None and use.memory > limit:
            use = use_of(self._pid, exactly=True)  # what forked processes share was counted twice
        if not self._is_measured:
            self._is_measured = True
            self._cpu_before = use.cpu
        self._cpu = max(self._cpu, use.cpu)
        if use.memory > self._peak:
            self._peak = use.memory
            self._slip.write(self.began.serial, self._peak)
        self._measure_at = now + (_SLOW_PAUSE if limit is None else PAUSE / 2)

    def _memory_text(self, limit: int) -> str:
        return (
            f"out of memory: peak {bytes_text(self._peak)} of {bytes_text(limit)}; "
            f"raise `memory` to {bytes_text(_rounded(1.5 * self._peak))} if it needs that much"
        )

    def _kill(self, verdict: Lost) -> None:
        self.verdict = verdict
        self._is_killed = True
        kill_tree(self._pid)

    def _lost(self, exc_type: str, text: str) -> Lost:
        facts = {
            "duration_s": round(time.monotonic() - self.began.start, 6),
            "cpu_s": round(self._cpu - self._cpu_before, 3),
            "peak_memory_mb": round(self._peak / (1 << 20), 1),
        }
        return Lost(text, exc_type=exc_type, key=self.began.key, attempt=self.began.attempt, facts=facts)


def _rounded(count: float) -> float:
    """Round up to one digit and a half: 1, 1.5, 2, 2.5, ... times a power of ten."""
    step = 10.0 ** math.floor(math.log10(count)) / 2
    return math.ceil(count / step) * step
