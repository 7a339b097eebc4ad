"""Spans cost nothing where nobody has set OpenTelemetry up, and tell names and outcomes where somebody has."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from sinagot.schedule.spans import span


class _Tracer:
    """Notes what it is told; the real API without a provider does nothing."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, dict[str, Any]]] = []

    @contextmanager
    def start_as_current_span(self, name: str, attributes: dict[str, Any]) -> Iterator[_Tracer]:
        self.spans.append((name, dict(attributes)))
        yield self

    def set_attributes(self, attributes: dict[str, Any]) -> None:
        self.spans[-1][1].update(attributes)


def test_span_is_told_to_who_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a provider a span has its name, what was known before, and what came of it."""
    tracer, module = _Tracer(), ModuleType("opentelemetry.trace")
    monkeypatch.setattr(module, "get_tracer", lambda name: tracer, raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", module)
    with span("sinagot.launch", pipeline="nightly") as tell:
        tell(run_id="x")
    assert tracer.spans == [("sinagot.launch", {"sinagot.pipeline": "nightly", "sinagot.run_id": "x"})]


def test_real_api_takes_spans() -> None:
    """The API of OpenTelemetry takes our spans, and an error passes through them."""
    pytest.importorskip("opentelemetry.trace")
    with pytest.raises(ValueError, match="no"), span("sinagot.request", method="GET") as tell:
        tell(status=200, route="/")
        raise ValueError("no")


def test_nothing_is_imported_for_it() -> None:
    """A program that has not asked for OpenTelemetry does not load it."""
    code = (
        "import sys\nfrom sinagot.schedule.spans import span\n"
        "with span('a') as tell:\n    tell(b=1)\nprint([name for name in sys.modules if 'opentelemetry' in name])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
