"""Threads of ours, for tests that see to it that none is left: others of the same process may have begun some before."""

import threading
from collections.abc import Callable

__all__ = ["since_now"]


def since_now() -> Callable[[], list[str]]:
    """Give what names those threads of ours that have begun from now on and live."""
    before = set(threading.enumerate())

    def fresh() -> list[str]:
        return sorted(
            one.name for one in threading.enumerate() if one not in before and one.name.startswith("sinagot")
        )

    return fresh
