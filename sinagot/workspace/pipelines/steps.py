"""Steps whose script defines a pipeline; and tables of `[pipelines]` that are about none.

Knows steps by their specs; must not know what goes on inside a pipeline, nor templates: who knows these names them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from sinagot.config.pipelines import stray_tables
from sinagot.config.schedules import schedule_of
from sinagot.errors import ScriptError
from sinagot.scripts.spec import StepSpec
from sinagot.workspace.pipelines.templates import conf_folder

if TYPE_CHECKING:
    from sinagot.workspace.contracts import House

__all__ = ["PIPELINES_FOLDER", "PipelineStep", "broken_scripts", "pipelines_of", "table_doubts"]

#: Python files whose pipelines run for no record, beside the configuration.
PIPELINES_FOLDER = "pipelines"
#: A script that can't be loaded may be a pipeline when it speaks of one.
_SPEAKS_OF_PIPELINES = re.compile(rb"\bPipeline\b")


class PipelineStep(NamedTuple):
    """A step of a workspace whose script defines a pipeline."""

    name: str
    task: str | None
    modality: str | None
    #: Of the script.
    file: str

    @property
    def place(self) -> str:
        """The step with its task and modality, as it is shown."""
        return "-".join(part for part in (self.task, self.modality, self.name) if part)


def pipelines_of(workspace: House) -> list[PipelineStep]:
    """List the steps of a workspace that are pipelines, in the order of the configuration.

    Parameters
    ----------
    workspace : Workspace
        A workspace of scripts. A script that can't be loaded is none.

    Returns
    -------
    list of PipelineStep
        One for each task and modality that has it.

    Examples
    --------
    >>> import sinagot
    >>> pipelines_of(sinagot.Workspace("example/harbor"))
    []
    """
    return [
        PipelineStep(name, task, modality, spec.file)
        for name, task, modality, spec in _steps(workspace)
        if isinstance(spec, StepSpec) and spec.is_pipeline
    ]


def table_doubts(workspace: House, templates: Iterable[str] | None = None) -> list[str]:
    """Say which tables of `[pipelines]` are about no pipeline.

    Parameters
    ----------
    workspace : Workspace
        With its configuration and scripts, as they are now.
    templates : iterable of str, optional
        Names of pipelines that are no steps. Where they are not given and a folder of such is there, a name that is no
        step may be one of them.

    Returns
    -------
    list of str
        Warnings, with file and line.

    Examples
    --------
    >>> import sinagot
    >>> table_doubts(sinagot.Workspace("example/harbor"))
    []
    """
    tables = workspace.configuration.raw
    if not tables.get("pipelines") and not tables.get("records", {}).get("exceptions"):
        return []
    steps = list(_steps(workspace))
    # Nothing is said of a script that can't be loaded: that is told already.
    pipelines = {name for name, _, _, spec in steps if not isinstance(spec, StepSpec) or spec.is_pipeline}
    others = {name for name, _, _, _ in steps} - pipelines
    root = workspace.configuration.root
    folders = (conf_folder(root, schedule_of(workspace.configuration)), root / PIPELINES_FOLDER)
    are_all_known = templates is not None or not any(folder.is_dir() for folder in folders)
    known = {*pipelines, *(templates or ())}
    return stray_tables(workspace.configuration, known, others, are_all_known=are_all_known)


def broken_scripts(workspace: House) -> list[ScriptError]:
    """Give why scripts that may be pipelines can't be loaded, each once."""
    found = {str(spec): spec for *_, spec in _steps(workspace) if isinstance(spec, ScriptError)}
    return [error for error in found.values() if _speaks_of_pipelines(error)]


def _speaks_of_pipelines(error: ScriptError) -> bool:
    try:
        with open(str(error.file), "rb") as file:
            return _SPEAKS_OF_PIPELINES.search(file.read()) is not None
    except OSError:
        return False


def _steps(
    workspace: House,
) -> Iterator[tuple[str, str | None, str | None, StepSpec | ScriptError]]:
    blueprint = workspace.blueprint
    for task, modality in blueprint.units():
        for name in (*blueprint.script_names(task, modality), *blueprint.group_names(task, modality)):
            try:
                yield name, task, modality, blueprint.library.spec(name, modality, task)
            except ScriptError as error:
                yield name, task, modality, error
