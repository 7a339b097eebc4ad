"""Finds the classes of a modality's records: custom ones beside the scripts, a plugin's, or the plain ones.

Knows names and import paths of plugins, never the plugins themselves; must not know what the classes do.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

from sinagot.config.settings import Configuration
from sinagot.errors import ConfigurationError, ScriptError
from sinagot.scripts.loading import load_module
from sinagot.workspace.records import Record, RecordCollection

__all__ = ["PLUGINS", "find_class"]

#: Built-in plugins: module and prefix of its class names. Others come from the entry points `sinagot.plugins`.
PLUGINS = {
    "pandas": ("sinagot.plugins.models.pandas", "Pandas"),
    "processed": ("sinagot.plugins.models.processed", "Processed"),
}
_PLAIN = {"Record": Record, "RecordCollection": RecordCollection}
_FILES = {"Record": "record.py", "RecordCollection": "record_collection.py"}


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

    Raises
    ------
    ScriptError
        The custom file is broken or has no such class.
    ConfigurationError
        The plugin can't be found or has no such class.
    """
    settings = configuration.modalities[modality]
    folder = os.path.join(str(configuration.scripts_path), modality, "models")
    file = os.path.join(folder, _FILES[kind])
    if os.path.exists(file):
        return _custom(configuration, file, kind, settings.models, modality)
    if settings.plugin is not None:
        return _plugin(settings.plugin, kind, modality)
    return _PLAIN[kind]


def _custom(
    configuration: Configuration, file: str, kind: str, models: dict[str, Any], modality: str
) -> type[Any]:
    name = str(models.get("record", kind)) if kind == "Record" else kind
    module = load_module(
        file, f"{modality}_models_{kind}", (os.path.dirname(file), str(configuration.scripts_path))
    )
    found = getattr(module, name, None)
    if not isinstance(found, type) or not issubclass(found, _PLAIN[kind]):
        what = "no class" if found is None else "a wrong class"
        raise ScriptError(
            f"modality {modality!r}: {file} has {what} {name}; write: class {name}(sinagot.models.{kind})",
            step=None,
            file=file,
        )
    return found


def _plugin(plugin: str, kind: str, modality: str) -> type[Any]:
    path, prefix = PLUGINS.get(plugin) or _entry_point(plugin, modality)
    module = importlib.import_module(path)
    found = getattr(module, f"{prefix}{kind}", None)
    if not isinstance(found, type) or not issubclass(found, _PLAIN[kind]):
        raise ConfigurationError.at(
            f"plugin {plugin!r} ({path}) has no class {prefix}{kind} that derives from sinagot.models.{kind}",
            key=f"modalities.{modality}.models.plugin",
            found=plugin,
        )
    return found


def _entry_point(plugin: str, modality: str) -> tuple[str, str]:
    from importlib.metadata import entry_points

    for entry in entry_points(group="sinagot.plugins"):
        if entry.name == plugin:
            return entry.module, entry.attr or ""
    path, _, prefix = plugin.partition(":")
    try:
        importlib.import_module(path)
    except ImportError as error:
        raise ConfigurationError.at(
            f"there is no plugin {plugin!r}: {error}",
            key=f"modalities.{modality}.models.plugin",
            found=plugin,
            allowed=sorted(PLUGINS),
        ) from error
    return path, prefix
