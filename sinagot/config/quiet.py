"""Warnings of Python about texts that are only looked at: not for the user, and not lost for everybody else.

Knows the `warnings` module; must not know what is looked at.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

__all__ = ["quiet"]

#: `warnings.catch_warnings` restores what the whole process had: threads that interleave would silence it for ever.
_TURN = RLock()


@contextmanager
def quiet() -> Iterator[None]:
    """Ignore all warnings within; threads that do so take turns.

    Examples
    --------
    >>> with quiet():
    ...     warnings.warn("nobody hears this", stacklevel=1)
    """
    with _TURN, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
