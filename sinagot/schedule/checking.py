"""What is known of a run before it is asked for: its pipeline can run for no record, and its parameters fit.

Knows pipelines, which it loads: code of the user runs where this is called. Must not know histories.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sinagot.workspace.pipelines.catalogue import HousePipeline, Pipelines
from sinagot.workspace.pipelines.parameters import PipelineParameters
from sinagot.workspace.pipelines.solo import check_alone

if TYPE_CHECKING:
    from sinagot.config.settings import Configuration
    from sinagot.workspace.contracts import House

__all__ = ["Checked", "check_run", "examine"]


class Checked(NamedTuple):
    """A run that may be asked for, or why it may not."""

    #: Plain name of the pipeline.
    name: str
    #: Of each parameter that is unknown, missing or refused, its path, and what is wrong with it.
    faults: tuple[tuple[tuple[str, ...], str], ...] = ()
    #: Names of parameters whose values nobody is to read.
    secrets: frozenset[str] = frozenset()


def examine(one: HousePipeline, configuration: Configuration, params: Mapping[str, Any]) -> Checked:
    """Check that a pipeline can run for no record, and tell what is wrong with parameters.

    Parameters
    ----------
    one : HousePipeline
        The pipeline.
    configuration : Configuration
        What is written of its parameters.
    params : mapping
        What is given for this run.

    Raises
    ------
    ConfigurationError, ScriptError, PipelineDefinitionError
        It can't be loaded, or can't run by itself.
    """
    layers = _layers(one, configuration, params)
    faults = tuple(layers.faults())
    return Checked(one.name, faults, frozenset() if faults else layers.secrets(layers.checked()))


def check_run(
    workspace: House, configuration: Configuration, name: str, params: Mapping[str, Any]
) -> Checked:
    """Check in this process that a run may be asked for.

    Parameters
    ----------
    workspace : Workspace
        Whose pipelines.
    configuration : Configuration
        As it is now.
    name : str
        Of the pipeline, or of its file.
    params : mapping
        What is given for this run.

    Raises
    ------
    NotFoundError
        There is no such pipeline.
    ConfigurationError, ScriptError, PipelineDefinitionError
        A parameter is unknown, missing or refused, or the pipeline can't run by itself.
    """
    one = Pipelines(workspace)[name]
    layers = _layers(one, configuration, params)
    return Checked(one.name, secrets=layers.secrets(layers.checked()))


def _layers(
    one: HousePipeline, configuration: Configuration, params: Mapping[str, Any]
) -> PipelineParameters:
    check_alone(one.name, one.pipeline)
    return PipelineParameters(configuration, one.name, one.pipeline.parameters, params)
