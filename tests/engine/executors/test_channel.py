"""The pipe between a parent and its child."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import pytest

from sinagot.engine.executors.channel import Channel


@pytest.fixture
def ends():
    """Give both ends of a pipe."""
    left, right = Channel.pair()
    yield left, right
    left.close()
    right.close()


def test_values_come_out_as_they_went_in(ends: tuple[Channel, Channel]) -> None:
    """Values of any size arrive whole and in order."""
    left, right = ends
    values = [b"", {"a": [1, None]}, "x" * 100_000, ("last",)]
    for value in values:
        left.send(value)
    assert [right.receive() for _ in values] == values


def test_post_waits_for_nobody(ends: tuple[Channel, Channel]) -> None:
    """What the pipe does not take is kept and goes out later: two ends that both send do not wait for each other."""
    left, right = ends
    large = [b"x" * 5_000_000, "y" * 5_000_000]
    for value in large:
        left.post(value)
    assert left.is_waiting
    got: list[object] = []
    reader = threading.Thread(target=lambda: got.extend(right.receive() for _ in large))
    reader.start()
    while left.is_waiting:
        left.flush()
    reader.join(60)
    assert got == large


def test_end_of_the_other_side_is_an_error(ends: tuple[Channel, Channel]) -> None:
    """Receiving from an end that is gone, also in the middle of a value, is EOFError; sending is an OSError."""
    left, right = ends
    left._socket.sendall(b"\0\0\0\0\0\0\0\xff half")
    left.close()
    with pytest.raises(EOFError):
        right.receive()
    with pytest.raises(OSError):
        for _ in range(3):
            right.send("into the void")
    with pytest.raises(OSError):
        right.post("x" * 5_000_000)


@pytest.mark.parametrize("way", ["send", "post"])
def test_buffers_go_beside_their_pickle(ends: tuple[Channel, Channel], way: str) -> None:
    """Large buffers, empty ones too, arrive whole and can be changed; what comes after them is not mixed up with them."""
    left, right = ends
    sent = bytearray(b"x" * 3_000_000)
    value = (
        "head",
        pickle.PickleBuffer(sent),
        pickle.PickleBuffer(bytearray()),
        pickle.PickleBuffer(b"fixed"),
    )
    got: list[Any] = []
    reader = threading.Thread(target=lambda: got.extend(right.receive() for _ in range(2)))
    reader.start()
    getattr(left, way)(value)
    getattr(left, way)("next")
    while left.is_waiting:
        left.flush()
    reader.join(60)
    (head, first, empty, fixed), last = got
    assert (head, bytes(empty), bytes(fixed), last) == ("head", b"", b"fixed", "next")
    first[0] = 0
    assert memoryview(first)[1:] == memoryview(sent)[1:]
