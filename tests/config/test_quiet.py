"""Warnings are ignored within, and heard again afterwards, whichever threads interleave."""

from __future__ import annotations

import threading
import warnings

import pytest

from sinagot.config.quiet import quiet


def test_filters_come_back_whichever_threads_interleave() -> None:
    """Of two threads, the one that began first ends first: what the process heard before, it hears again."""
    is_in, may_go = threading.Event(), threading.Event()

    def first() -> None:
        with quiet():
            is_in.set()
            may_go.wait(10)

    def second() -> None:
        with quiet():
            pass

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        threads = [threading.Thread(target=first), threading.Thread(target=second)]
        threads[0].start()
        is_in.wait(10)
        threads[1].start()
        may_go.set()
        for thread in threads:
            thread.join()
        with pytest.raises(UserWarning):
            warnings.warn("heard", stacklevel=1)


def test_nothing_is_heard_within() -> None:
    """A warning within leads to nothing, also where warnings are errors."""
    with quiet():
        warnings.warn("not heard", stacklevel=1)
