"""Turns: how long one task may go on before the others of its event loop have theirs.

Knows a clock and the loop; must not know streams. Stores and channels ask here, for most of what they do needs no wait.
"""

from __future__ import annotations

from time import perf_counter

__all__ = ["Turn"]

#: Seconds for which others may have to wait.
_TURN = 0.002


class Turn:
    """The turn of whoever runs right now, in one event loop.

    Notes
    -----
    Asking costs a look at the clock. Passing on is a checkpoint: tasks can be cancelled there, and go on behind all
    others that can.
    """

    __slots__ = ("_end",)

    def __init__(self) -> None:
        self._end = 0.0

    def is_over(self) -> bool:
        """Say whether it is time to give others their turn."""
        return perf_counter() >= self._end

    async def pass_on(self, rounds: int = 1) -> None:
        """Give others their turn.

        Parameters
        ----------
        rounds : int, default 1
            How often: who waits for an event is told in the first round, and goes on in the second.
        """
        from anyio.lowlevel import checkpoint

        for _ in range(rounds):
            await checkpoint()
        self._end = perf_counter() + _TURN
