"""Runs a lab's scripts over every recording in its data folder: nothing lost, nothing redone, nothing hidden.

The public names; each is imported when it is first used, so that `import sinagot` stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sinagot.version import __version__ as __version__

if TYPE_CHECKING:
    from sinagot.engine.accounts.report import RunReport as RunReport
    from sinagot.engine.planning.status import StepStatus as StepStatus
    from sinagot.errors import ConfigurationError as ConfigurationError
    from sinagot.errors import SinagotError as SinagotError
    from sinagot.errors import StepFailedError as StepFailedError
    from sinagot.errors import StoredDataError as StoredDataError
    from sinagot.scripts.group import GroupTemplate as GroupTemplate
    from sinagot.scripts.template import ScriptTemplate as ScriptTemplate
    from sinagot.workflow.collecting import collect as collect
    from sinagot.workflow.nodes import script as script
    from sinagot.workflow.nodes import seed as seed
    from sinagot.workflow.nodes import step as step
    from sinagot.workflow.storage import LocalStorage as LocalStorage
    from sinagot.workflow.storage import TypeHandler as TypeHandler
    from sinagot.workflow.workflow import Workflow as Workflow
    from sinagot.workspace.workspace import Workspace as Workspace

__all__ = ["ScriptTemplate", "Workspace"]

_HOMES = {
    "ConfigurationError": "sinagot.errors",
    "GroupTemplate": "sinagot.scripts.group",
    "LocalStorage": "sinagot.workflow.storage",
    "RunReport": "sinagot.engine.accounts.report",
    "ScriptTemplate": "sinagot.scripts.template",
    "SinagotError": "sinagot.errors",
    "StepFailedError": "sinagot.errors",
    "StoredDataError": "sinagot.errors",
    "StepStatus": "sinagot.engine.planning.status",
    "TypeHandler": "sinagot.workflow.storage",
    "Workflow": "sinagot.workflow.workflow",
    "Workspace": "sinagot.workspace.workspace",
    "collect": "sinagot.workflow.collecting",
    "script": "sinagot.workflow.nodes",
    "seed": "sinagot.workflow.nodes",
    "step": "sinagot.workflow.nodes",
}


#: Packages with names of their own.
_PACKAGES = ("pipeline",)


def __getattr__(name: str) -> Any:
    if name not in _HOMES and name not in _PACKAGES:
        raise AttributeError(f"module 'sinagot' has no attribute {name!r}")
    from importlib import import_module

    if name in _PACKAGES:
        return import_module(f"sinagot.{name}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_PACKAGES})
