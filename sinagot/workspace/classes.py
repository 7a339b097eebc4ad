"""Finds the classes of a modality's records: custom ones beside the scripts, a plugin's, or the plain ones.

Knows names and import paths of plugins, never the plugins themselves; must not know what the classes do.
A workspace asks once for each modality and keeps the answer: no two workspaces share one.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType, new_class
from typing import Any

from sinagot.config.hints import did_you_mean
from sinagot.config.settings import Configuration
from sinagot.errors import ConfigurationError, ScriptError
from sinagot.scripts.loading import load_module
from sinagot.workspace.records import Record, RecordCollection

__all__ = ["PLUGINS", "find_class"]

#: Built-in plugins by name. Others are entry points of the group `sinagot.plugins`, or import paths.
PLUGINS = {
    "pandas": "sinagot.plugins.models.pandas:Pandas",
    "processed": "sinagot.plugins.models.processed:Processed",
}
_PLAIN: dict[str, type[Any]] = {"Record": Record, "RecordCollection": RecordCollection}
_FILES = {"Record": "record", "RecordCollection": "record_collection"}


def find_class(configuration: Configuration, modality: str, kind: str) -> type[Any]:
    """Give the class of a modality's records or collections.

    Parameters
    ----------
    configuration : Configuration
        Where the scripts are, and what the modality asks for.
    modality : str
        Name of the modality.
    kind : {"Record", "RecordCollection"}
        Which of its two classes.

    Returns
    -------
    type
        Derived from `Record` or `RecordCollection`; with `task` as a class attribute if one of the modality's two
        classes fixes it.

    Raises
    ------
    ScriptError
        The custom file is broken, has no such class, or fixes a task that is not configured.
    ConfigurationError
        The plugin can't be found or has no such classes.

    Notes
    -----
    A file ``scripts/<M>/models/record.py`` (class `Record`, or the name in `modalities.<M>.models.record`) or
    ``record_collection.py`` (class `RecordCollection`) comes first, then the plugin. A plugin is a module with classes
    ``<Prefix>Record`` and ``<Prefix>RecordCollection`` (one may be absent), named as ``module``, ``module:Prefix`` or
    ``module:PrefixRecord``.
    """
    found = _find(configuration, modality, kind)
    if _fixed_task(found) is None:
        other = "Record" if kind == "RecordCollection" else "RecordCollection"
        task = _fixed_task(_find(configuration, modality, other))
        if task is not None:
            # Derived, and not written on the class: it may serve another modality or workspace as well.
            body = {"task": task, "__module__": found.__module__, "__doc__": found.__doc__}
            return new_class(found.__name__, (found,), exec_body=lambda space: space.update(body))
    return found


def _find(configuration: Configuration, modality: str, kind: str) -> type[Any]:
    settings = configuration.modalities[modality]
    file = os.path.join(str(configuration.scripts_path), modality, "models", f"{_FILES[kind]}.py")
    name = settings.models.get("record") if kind == "Record" else None
    if name is not None or os.path.exists(file):
        return _custom(configuration, modality, file, kind, name or kind)
    if settings.plugin is not None:
        return _plugin(configuration, settings.plugin, modality, kind)
    return _PLAIN[kind]


def _fixed_task(found: type[Any]) -> str | None:
    task = getattr(found, "task", None)
    return task if isinstance(task, str) else None


# -- custom classes


def _custom(configuration: Configuration, modality: str, file: str, kind: str, name: str) -> type[Any]:
    folders = (os.path.dirname(file), os.path.join(str(configuration.scripts_path), modality))
    module = load_module(
        file, f"{modality}.models.{_FILES[kind]}", (*folders, str(configuration.scripts_path))
    )
    found = getattr(module, name, None)
    own = [value.__name__ for value in _classes(module, kind)]
    if not isinstance(found, type) or not issubclass(found, _PLAIN[kind]):
        what = (
            "there is no class" if found is None else "this is no class derived from sinagot.models.{kind}:"
        )
        hint = did_you_mean(name, own) or f"write: class {name}(sinagot.models.{kind})"
        raise _script_error(modality, file, f"{what.format(kind=kind)} {name}; {hint}")
    if found is _PLAIN[kind] and own:
        import warnings

        warnings.warn(
            f"modality {modality!r}: {file}: {', '.join(own)} is never used, the class has to be named {name}",
            UserWarning,
            stacklevel=2,
        )
    task = _fixed_task(found)
    if task is not None and task not in configuration.tasks:
        known = list(configuration.tasks)
        hint = did_you_mean(task, known) or f"tasks are {', '.join(known) or 'none'}"
        raise _script_error(
            modality, file, f"{name} fixes the task {task!r}, which is not configured; {hint}"
        )
    return found


def _classes(module: ModuleType, kind: str) -> list[type[Any]]:
    """List the classes of a kind that a module makes itself."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, _PLAIN[kind]) and value.__module__ == module.__name__
    ]


def _script_error(modality: str, file: str, problem: str) -> ScriptError:
    return ScriptError(f"modality {modality!r}: {file}: {problem}", step=None, file=Path(file))


# -- plugins


def _plugin(configuration: Configuration, plugin: str, modality: str, kind: str) -> type[Any]:
    path = PLUGINS.get(plugin) or _entry_point(plugin) or plugin
    place, _, name = path.partition(":")
    try:
        module = importlib.import_module(place)
    except Exception as error:
        text = f"plugin {plugin!r} can't be imported: {type(error).__name__}: {error}"
        raise _plugin_error(configuration, modality, plugin, text) from error
    classes = {each: _class_of(module, name, each) for each in _PLAIN}
    if not any(classes.values()):
        prefix = _prefix(name)
        names = " or ".join(f"{prefix}{each} (derived from sinagot.models.{each})" for each in _PLAIN)
        text = f"plugin {plugin!r} ({place}) has no class {names}"
        raise _plugin_error(configuration, modality, plugin, text)
    return classes[kind] or _PLAIN[kind]


def _class_of(module: ModuleType, name: str, kind: str) -> type[Any] | None:
    if name:
        found = getattr(module, f"{_prefix(name)}{kind}", None)
        return found if isinstance(found, type) and issubclass(found, _PLAIN[kind]) else None
    own = _classes(module, kind)
    named = [value for value in own if value.__name__ == kind]
    return next(iter(named or own), None)


def _prefix(name: str) -> str:
    return name.removesuffix("RecordCollection").removesuffix("Record")


def _entry_point(plugin: str) -> str | None:
    from importlib.metadata import entry_points

    for entry in entry_points(group="sinagot.plugins"):
        if entry.name == plugin:
            return entry.value.replace(" ", "").partition("[")[0]
    return None


def _plugin_error(configuration: Configuration, modality: str, plugin: str, text: str) -> ConfigurationError:
    return ConfigurationError.at(
        text,
        file=configuration.files[0] if configuration.files else None,
        key=f"modalities.{modality}.models.plugin",
        found=plugin,
        allowed=sorted(PLUGINS),
        hint=did_you_mean(plugin, list(PLUGINS)) or None,
    )
