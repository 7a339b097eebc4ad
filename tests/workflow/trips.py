"""What round trips share: how often they are made, what is drawn, and the way to a file and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from sinagot.workflow.storage import LocalStorage, find_handler

quick = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

words = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=20)
names = st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=8)
whole = st.integers(-(2**62), 2**62)


def round_trip(folder: Path, annotation: Any, suffix: str, data: Any) -> Any:
    """Write data as a step's result and read them back."""
    handler = find_handler(annotation, LocalStorage(f"x{suffix}"), is_seed=False, where="W.x")
    path = folder / f"x{suffix}"
    handler.write(path, handler.check(data))
    return handler.read(path)
