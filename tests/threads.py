"""Threads of ours, for tests that see to it that none is left: others of the same process may have begun some before."""

import threading
from collections.abc import Callable

from sinagot.testing import await_true

__all__ = ["FLOWS", "since_now"]

#: What names of threads of flows begin with. Other parts of us, such as spare children, go on for other tests, and may
#: begin a thread at any time.
FLOWS = (
    "sinagot-flow",
    "sinagot-line",
    "sinagot-beats",
    "sinagot-redis",
    "sinagot-dependencies",
)


def since_now(*kinds: str) -> Callable[[], None]:
    """Give what waits until none of those threads lives that have begun from now on: of flows, or of other kinds."""
    before = set(threading.enumerate())

    def left() -> list[str]:
        return sorted(
            one.name
            for one in threading.enumerate()
            if one not in before and one.name.startswith(kinds or FLOWS)
        )

    return lambda: await_true(lambda: not left(), "no thread is left", 20)
