"""Figures for Prometheus: what is done, what waits, what was decided, how long answers take.

Knows the text format by `prometheus-client`; figures are looked up when they are asked for, but for those of requests,
which `Meter` counts. No label holds an id of a record or a value of a parameter.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE

from sinagot.errors import SinagotError
from sinagot.schedule.history.facts import State, Verdict
from sinagot.schedule.spans import span
from sinagot.scripts.codes import StepStatus

if TYPE_CHECKING:
    from sinagot.dashboard.house import House
    from sinagot.schedule.history.contract import History

__all__ = ["CONTENT_TYPE", "Meter", "Metrics"]

#: Newest decisions and launches that are counted.
MOST = 1000
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


class Metrics:
    """Figures of one server."""

    def __init__(self) -> None:
        self._own = CollectorRegistry()
        self.requests = Histogram(
            "sinagot_request_duration_seconds",
            "Time to the whole answer, by the pattern of its address; streams are not counted.",
            ("method", "route", "status"),
            registry=self._own,
            buckets=_BUCKETS,
        )

    def text(self, house: House) -> bytes:
        """Write all figures.

        Parameters
        ----------
        house : House
            What they are about.
        """
        looked = CollectorRegistry()
        looked.register(_Looked(house))
        return bytes(generate_latest(looked)) + bytes(generate_latest(self._own))


class _Looked:
    """Looks figures up when they are asked for."""

    def __init__(self, house: House) -> None:
        self._house = house

    def describe(self) -> list[Any]:
        """Say nothing ahead: nothing is looked up for that."""
        return []

    def collect(self) -> Iterator[Any]:
        """Give all figures; a history that can't be reached is a figure too."""
        house = self._house
        view = house.snapshot.view()
        totals = {status.name: view.totals.get(status.name, 0) for status in StepStatus}
        yield _gauge("jobs", "Jobs of the workspace by status.", "status", totals)
        yield GaugeMetricFamily("sinagot_records", "Records of the workspace.", value=len(view.ids))
        runs = Counter(dict.fromkeys(("running", "ended", "stopped", "died"), 0))
        runs.update(one.state for one in house.chronicle.runs())
        yield _gauge("runs", "Newest runs of the workspace by state, 200 at most.", "state", runs)
        try:
            found = list(self._of_service(house.reception.history))
        except (SinagotError, OSError):
            found = [GaugeMetricFamily("sinagot_history_up", "Whether the history can be reached.", value=0)]
        yield from found

    def _of_service(self, history: History) -> Iterator[Any]:
        launches, _ = history.launches(limit=MOST)
        states = Counter(dict.fromkeys(map(str, State), 0))
        states.update(str(one.state) for one in launches)
        yield _gauge("launches", f"Newest launches by state, {MOST} at most.", "state", states)
        waiting = Counter({str(State.QUEUED): 0, str(State.RUNNING): 0})
        waiting.update(str(one.state) for one in history.open_launches())
        yield _gauge("open_launches", "Launches that wait or go on, all of them.", "state", waiting)
        decisions, _ = history.decisions(limit=MOST)
        verdicts = Counter(dict.fromkeys(map(str, Verdict), 0))
        for one in decisions:
            verdicts[str(one.verdict)] += one.number
        yield _gauge("ticks", f"Ticks by verdict, of the {MOST} newest decisions.", "verdict", verdicts)
        states_of = self._house.reception.service.states()
        following = {one.name: one.next_tick.timestamp() for one in states_of if one.next_tick is not None}
        yield _gauge("next_tick_timestamp_seconds", "Next moment of each schedule.", "schedule", following)
        paused = {one.name: int(one.pause is not None) for one in states_of}
        yield _gauge("schedule_paused", "Whether a schedule is paused.", "schedule", paused)
        unable = {one.name: int(bool(one.unable)) for one in states_of}
        yield _gauge("schedule_unable", "Whether the runs of a schedule can't start.", "schedule", unable)
        beats = {one.name: one.beat for one in history.services()}
        yield _gauge(
            "service_beats", "Signs of life of each service; it grows while it lives.", "service", beats
        )
        yield GaugeMetricFamily("sinagot_history_up", "Whether the history can be reached.", value=1)


def _gauge(name: str, text: str, label: str, values: Any) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"sinagot_{name}", text, labels=[label])
    for key, value in values.items():
        # Names of files that are no UTF-8 come as halves of surrogate pairs.
        family.add_metric([str(key).encode("utf-8", "replace").decode()], float(value))
    return family


class Meter:
    """Middleware that measures how long answers take, and tells OpenTelemetry where that is set up.

    Parameters
    ----------
    app : callable
        The app, as ASGI has it.
    metrics : Metrics
        Gets the figures.
    """

    def __init__(self, app: _App, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status, is_stream = time.perf_counter(), 0, False

        async def noted(message: MutableMapping[str, Any]) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                is_stream = any(value.startswith(b"text/event-stream") for _, value in message["headers"])
            await send(message)

        with span("sinagot.request", method=scope["method"]) as tell:
            try:
                await self._app(scope, receive, noted)
            finally:
                route = _pattern(scope)
                tell(route=route, status=status)
                if not is_stream:
                    took = time.perf_counter() - begun
                    self._metrics.requests.labels(scope["method"], route, str(status)).observe(took)


def _pattern(scope: _Scope) -> str:
    """Give the pattern of an address, in which nothing of the request stands."""
    return str(getattr(scope.get("route"), "path", "") or "other")
