"""Pipelines: stages joined by data and order, in Python or in YAML, run on the engine of the workspace.

A pipeline is a step whose inside is visible. Knows stages, their inputs and what a run of them comes to; must not know
workspaces. The names below are re-exported; each module is imported when the first of its names is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sinagot.errors import ExitPipeline as ExitPipeline
    from sinagot.errors import PipelineDefinitionError as PipelineDefinitionError
    from sinagot.errors import PipelineError as PipelineError
    from sinagot.pipeline.context import ctx as ctx
    from sinagot.pipeline.input import Input as Input
    from sinagot.pipeline.input import InputBinding as InputBinding
    from sinagot.pipeline.input import each as each
    from sinagot.pipeline.mappers import DependencyInputMapper as DependencyInputMapper
    from sinagot.pipeline.mappers import KeyedInputMapper as KeyedInputMapper
    from sinagot.pipeline.mappers import KeyedOutputMapper as KeyedOutputMapper
    from sinagot.pipeline.mappers import SequentialOutputMapper as SequentialOutputMapper
    from sinagot.pipeline.parameters import Parameters as Parameters
    from sinagot.pipeline.parameters import Secret as Secret
    from sinagot.pipeline.parameters import Variables as Variables
    from sinagot.pipeline.pipeline import Pipeline as Pipeline
    from sinagot.pipeline.result import PipelineResult as PipelineResult
    from sinagot.pipeline.settings import LoggerSettings as LoggerSettings
    from sinagot.pipeline.stage import Stage as Stage
    from sinagot.pipeline.templates.filters import custom_filter as custom_filter
    from sinagot.pipeline.templates.hooks import tag as tag

_HOMES = {
    "DependencyInputMapper": "sinagot.pipeline.mappers",
    "ExitPipeline": "sinagot.errors",
    "Input": "sinagot.pipeline.input",
    "InputBinding": "sinagot.pipeline.input",
    "KeyedInputMapper": "sinagot.pipeline.mappers",
    "KeyedOutputMapper": "sinagot.pipeline.mappers",
    "LoggerSettings": "sinagot.pipeline.settings",
    "Parameters": "sinagot.pipeline.parameters",
    "Pipeline": "sinagot.pipeline.pipeline",
    "PipelineDefinitionError": "sinagot.errors",
    "PipelineError": "sinagot.errors",
    "PipelineResult": "sinagot.pipeline.result",
    "Secret": "sinagot.pipeline.parameters",
    "SequentialOutputMapper": "sinagot.pipeline.mappers",
    "Stage": "sinagot.pipeline.stage",
    "Variables": "sinagot.pipeline.parameters",
    "ctx": "sinagot.pipeline.context",
    "custom_filter": "sinagot.pipeline.templates.filters",
    "each": "sinagot.pipeline.input",
    "tag": "sinagot.pipeline.templates.hooks",
}

__all__ = [
    "DependencyInputMapper",
    "ExitPipeline",
    "Input",
    "InputBinding",
    "KeyedInputMapper",
    "KeyedOutputMapper",
    "LoggerSettings",
    "Parameters",
    "Pipeline",
    "PipelineDefinitionError",
    "PipelineError",
    "PipelineResult",
    "Secret",
    "SequentialOutputMapper",
    "Stage",
    "Variables",
    "ctx",
    "custom_filter",
    "each",
    "tag",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sinagot.pipeline' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
