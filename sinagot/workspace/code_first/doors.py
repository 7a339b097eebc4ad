"""From the name of a workspace class to a workspace: ``lab.flows:LabWorkspace``.

Knows import paths and how a class is told from others; must not know what a workflow is. The command line and
`[workflow] class` come here.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sinagot.config.hints import did_you_mean
from sinagot.errors import ConfigurationError
from sinagot.workflow.names import is_library_file

if TYPE_CHECKING:
    from sinagot.config.settings import Configuration

__all__ = ["open_configured", "open_named"]


def open_configured(configuration: Configuration, **options: Any) -> Any:
    """Open the workspace class that `[workflow] class` names, on the folder of its configuration.

    Parameters
    ----------
    configuration : Configuration
        Where it is named.
    **options
        As those of the class.

    Raises
    ------
    ConfigurationError
        None is named, or there is no such class.
    """
    name = configuration.raw.get("workflow", {}).get("class")
    if name is None:
        raise ConfigurationError.at(
            "it is not there, and says which workspace class the workflows are of",
            file=configuration.files[0] if configuration.files else None,
            key="workflow.class",
            hint='write for example class = "lab.flows:LabWorkspace" below [workflow]',
        )
    root = str(configuration.root)
    return open_named(name, root, [root, str(configuration.scripts_path)], **options)


def open_named(name: str, root: str | os.PathLike[str], folders: Sequence[str] = (), **options: Any) -> Any:
    """Import a workspace class and open it on a folder.

    Parameters
    ----------
    name : str
        Module and class, with a colon between.
    root : str or Path
        The folder of the data.
    folders : sequence of str
        Where the module is looked for besides the search path, at its end.
    **options
        As those of the class.

    Returns
    -------
    Workspace
        Opened; nothing was written.

    Raises
    ------
    ConfigurationError
        There is no such module or class, it is bound to no workflow class, or the module fails when it is imported.
    """
    module_name, colon, class_name = name.partition(":")
    if not colon or not class_name:
        raise ConfigurationError.at(
            f"{name!r} names no class", key="workflow.class", found=name, hint="write module:Class"
        )
    for folder in folders:
        if folder not in sys.path:
            sys.path.append(folder)
    found = _imported(name, module_name, folders)
    for part in class_name.split("."):
        if not hasattr(found, part):
            hint = did_you_mean(part, [one for one in dir(found) if not one.startswith("_")])
            raise ConfigurationError.at(
                f"{module_name} has no class {part!r}", key="workflow.class", found=name, hint=hint or None
            )
        found = getattr(found, part)
    if not isinstance(found, type) or not hasattr(found, "workflow_class"):
        raise ConfigurationError.at(
            f"{name!r} is no workspace class of workflows: it must derive from sinagot.Workspace[...]",
            key="workflow.class",
            found=name,
        )
    return found(root, **options)


def _imported(name: str, module_name: str, folders: Sequence[str]) -> Any:
    """Import a module; whatever ends that is an error of the module, told with the line where it is."""
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise _broken(name, module_name, error) from error
        where = ", ".join([*folders, "where Python looks"])
        raise ConfigurationError.at(
            f"no module {error.name!r} (looked for in {where})",
            key="workflow.class",
            found=name,
            hint="start in the folder that holds it, or install it",
        ) from error
    except (Exception, SystemExit) as error:
        raise _broken(name, module_name, error) from error


def _broken(name: str, module_name: str, error: BaseException) -> ConfigurationError:
    what = f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"
    place = _place(error)
    return ConfigurationError.at(
        f"module {module_name!r} cannot be imported: {f'{place}: ' if place else ''}{what}",
        key="workflow.class",
        found=name,
        hint=f"repair the module; python -c 'import {module_name}' shows the whole traceback",
    )


def _place(error: BaseException) -> str:
    """Give file and line of the innermost code of the user's own, else of any: libraries are asked by somebody."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    own, any_place = "", ""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        any_place = f"{code.co_filename}:{trace.tb_lineno}"
        if not is_library_file(code.co_filename):
            own = any_place
        trace = trace.tb_next
    return own or any_place
