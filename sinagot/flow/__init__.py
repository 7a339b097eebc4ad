"""Flows: processors that work on streams at the same time, each on value k before value k+1 is there.

A flow is one unit of work of the engine. Knows processors, streams and what functions depend on; must not know
pipelines or workspaces. The names below are re-exported; each module is imported when the first of its names is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sinagot.errors import FlowDefinitionError as FlowDefinitionError
    from sinagot.errors import FlowError as FlowError
    from sinagot.errors import FlowStalled as FlowStalled
    from sinagot.errors import UpstreamCancelled as UpstreamCancelled
    from sinagot.errors import UpstreamFailed as UpstreamFailed
    from sinagot.flow.celery import CeleryExecutor as CeleryExecutor
    from sinagot.flow.dask import DaskExecutor as DaskExecutor
    from sinagot.flow.executors import Executor as Executor
    from sinagot.flow.executors import LocalExecutor as LocalExecutor
    from sinagot.flow.flow import Flow as Flow
    from sinagot.flow.flow_run import FlowRun as FlowRun
    from sinagot.flow.marks import Depends as Depends
    from sinagot.flow.processor import Processor as Processor
    from sinagot.flow.ready import CurrentRecord as CurrentRecord
    from sinagot.flow.ready import RunContext as RunContext
    from sinagot.flow.ready import current_record as current_record
    from sinagot.flow.ready import params as params
    from sinagot.flow.ready import path_in as path_in
    from sinagot.flow.ready import path_out as path_out
    from sinagot.flow.ready import record_logger as record_logger
    from sinagot.flow.streams import IO as IO
    from sinagot.flow.streams import IOVal as IOVal
    from sinagot.flow.supervisor import Supervisor as Supervisor

_HOMES = {
    "CeleryExecutor": "sinagot.flow.celery",
    "CurrentRecord": "sinagot.flow.ready",
    "DaskExecutor": "sinagot.flow.dask",
    "Depends": "sinagot.flow.marks",
    "Executor": "sinagot.flow.executors",
    "Flow": "sinagot.flow.flow",
    "FlowDefinitionError": "sinagot.errors",
    "FlowError": "sinagot.errors",
    "FlowRun": "sinagot.flow.flow_run",
    "FlowStalled": "sinagot.errors",
    "IO": "sinagot.flow.streams",
    "IOVal": "sinagot.flow.streams",
    "LocalExecutor": "sinagot.flow.executors",
    "Processor": "sinagot.flow.processor",
    "RunContext": "sinagot.flow.ready",
    "Supervisor": "sinagot.flow.supervisor",
    "UpstreamCancelled": "sinagot.errors",
    "UpstreamFailed": "sinagot.errors",
    "current_record": "sinagot.flow.ready",
    "params": "sinagot.flow.ready",
    "path_in": "sinagot.flow.ready",
    "path_out": "sinagot.flow.ready",
    "record_logger": "sinagot.flow.ready",
}

__all__ = [
    "IO",
    "CeleryExecutor",
    "CurrentRecord",
    "DaskExecutor",
    "Depends",
    "Executor",
    "Flow",
    "FlowDefinitionError",
    "FlowError",
    "FlowRun",
    "FlowStalled",
    "IOVal",
    "LocalExecutor",
    "Processor",
    "RunContext",
    "Supervisor",
    "UpstreamCancelled",
    "UpstreamFailed",
    "current_record",
    "params",
    "path_in",
    "path_out",
    "record_logger",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sinagot.flow' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
