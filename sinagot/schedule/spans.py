"""Spans of OpenTelemetry round what a service does; nothing at all where nobody has set it up.

Knows the API of OpenTelemetry (extra `otel`), never an exporter: the program that serves chooses one, as
`opentelemetry-instrument sinagot serve` does. Names and attributes hold no values of parameters.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["span"]

_API = "opentelemetry.trace"
_NAME = "sinagot"

#: Adds attributes to a span.
_Tell = Callable[..., None]


@contextmanager
def span(name: str, **attributes: Any) -> Iterator[_Tell]:
    """Tell OpenTelemetry of what is done within, where a provider is set.

    Parameters
    ----------
    name : str
        Of the span.
    **attributes : str, bool, int or float
        Each gets the prefix ``sinagot.``.

    Yields
    ------
    callable
        Takes further attributes as keywords.

    Examples
    --------
    >>> with span("sinagot.launch", pipeline="nightly") as tell:
    ...     tell(run_id="20260131T235959-0a1b2c")
    """
    # Who has set a provider has imported this; for all others it costs nothing.
    trace: Any = sys.modules.get(_API)
    if trace is None:
        yield lambda **more: None
        return
    with trace.get_tracer(_NAME).start_as_current_span(name, attributes=_named(attributes)) as current:
        yield lambda **more: current.set_attributes(_named(more))


def _named(attributes: dict[str, Any]) -> dict[str, Any]:
    return {f"{_NAME}.{key}": value for key, value in attributes.items()}
