"""How many chains travel together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sinagot.engine.batches import BatchSize


def test_first_batch_is_one_chain() -> None:
    """Before anything is known a batch has one chain, so that the first answer comes soon."""
    assert BatchSize(4, 2).next(10_000) == 1


def test_tiny_chains_travel_together_and_long_ones_alone() -> None:
    """A batch holds about the target of work; chains longer than that go one by one."""
    size = BatchSize(2, 1, target=0.1)
    size.learn(1, 0.1 / 20)
    assert [size.next(100_000) for _ in range(4)] == [4, 16, 20, 20]
    size = BatchSize(2, 1, target=0.1)
    size.learn(1, 0.3)
    assert size.next(100_000) == 1


def test_one_quick_chain_does_not_make_a_huge_batch() -> None:
    """A batch is at most four times as large as the one before, however quick the first chain was."""
    size = BatchSize(2, 1)
    size.learn(1, 0.0)
    assert size.next(100_000) == 4


def test_size_follows_what_is_learnt() -> None:
    """When chains take longer than they did, batches get smaller."""
    size = BatchSize(1, 0)
    size.learn(10, 0.01)
    before = size.next(10_000)
    for _ in range(20):
        size.learn(10, 1.0)
    assert size.next(10_000) == 1 < before


@given(
    st.integers(1, 64),
    st.integers(0, 4),
    st.integers(0, 10**6),
    st.lists(st.tuples(st.integers(0, 600), st.floats(0, 1e4)), max_size=5),
)
def test_size_is_bounded(slots: int, ahead: int, remaining: int, learnt: list[tuple[int, float]]) -> None:
    """Whatever was learnt, a batch has at least one chain, at most 512, and leaves the other slots their share."""
    size = BatchSize(slots, ahead)
    for chains, seconds in learnt:
        size.learn(chains, seconds)
    found = size.next(remaining)
    assert 1 <= found <= 512
    assert found <= max(1, -(-remaining // (slots * (1 + ahead))))
