"""The configuration of a folder without a file, and what environment variables say of any.

Knows defaults, and names of variables; must not know what a workflow is. Code-first workspaces are opened with it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sinagot.config import settings
from sinagot.config.build import build
from sinagot.config.load import load_configuration
from sinagot.errors import ConfigurationError

__all__ = ["VARIABLES", "folder_configuration", "with_environment"]

#: Variable -> section and key that it stands for.
VARIABLES = {
    "SINAGOT_LOGGING_LEVEL": ("log", "level"),
    "SINAGOT_MODE": ("run", "mode"),
    "SINAGOT_WORKERS": ("run", "workers"),
}
#: Variables of workspaces that ran on Ray.
_ALIASES = ("SINAGOT_RAY_LOCAL_MODE", "SINAGOT_RAY_ADDRESS", "SINAGOT_RAY_NUM_CPUS")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_MODES = ("main_process", "processes", "dask")
_TRUE = ("1", "true", "yes", "on")


def folder_configuration(root: Path) -> settings.Configuration:
    """Give the configuration of a folder: of its ``workspace.toml`` where there is one, else defaults alone.

    Parameters
    ----------
    root : Path
        An absolute path.

    Returns
    -------
    Configuration
        Without a file, or where the file's data folder is the default and not there, the folder itself holds the data.

    Raises
    ------
    ConfigurationError
        There is no such folder, or the file is broken.

    Examples
    --------
    >>> import tempfile
    >>> configuration = folder_configuration(Path(tempfile.mkdtemp()))
    >>> configuration.files, configuration.run.mode, configuration.data_path == configuration.root
    ((), 'main_process', True)
    """
    if not root.is_dir():
        word = "this is a file, not a folder" if root.exists() else "no such folder"
        raise ConfigurationError.at(
            f"{word}: {root}", key="root path", found=str(root), hint="make it, and put the input data there"
        )
    file = root / settings.CONFIG_NAME
    if file.is_file():
        default = root / settings.DEFAULTS["path"]["dataset"]
        return load_configuration(file, None if default.is_dir() or _says_dataset(file) else root)
    tables = settings.fill_defaults({"path": {"dataset": "."}})
    paths = {"dataset": root, "scripts": root}
    return build(tables, [file], "", paths, (), ())._replace(files=())


def _says_dataset(file: Path) -> bool:
    import tomllib

    try:
        path = tomllib.loads(file.read_text(encoding="utf-8")).get("path", {})
    except (OSError, ValueError):
        return True  # it is told when it is loaded
    return isinstance(path, dict) and "dataset" in path


def with_environment(
    configuration: settings.Configuration, environment: Mapping[str, str] | None = None
) -> settings.Configuration:
    """Let environment variables win over a configuration.

    Parameters
    ----------
    configuration : Configuration
        The configuration.
    environment : mapping of str to str, optional
        That of this process when not given.

    Returns
    -------
    Configuration
        With what the variables say; `warnings` tells of those that are read for old times' sake.

    Raises
    ------
    ConfigurationError
        A variable says what is not possible.
    """
    variables = os.environ if environment is None else environment
    said = {name: variables[name] for name in VARIABLES if variables.get(name)}
    old = {name: variables[name] for name in _ALIASES if variables.get(name)}
    if old.get("SINAGOT_RAY_NUM_CPUS"):
        said.setdefault("SINAGOT_WORKERS", old["SINAGOT_RAY_NUM_CPUS"])
    if "SINAGOT_WORKERS" in said and configuration.run.mode == "main_process":
        said.setdefault("SINAGOT_MODE", "processes")
    if old.get("SINAGOT_RAY_LOCAL_MODE", "").lower() in _TRUE:
        said["SINAGOT_MODE"] = variables.get("SINAGOT_MODE") or "main_process"
    warnings = [*configuration.warnings, *([_old_text(old)] if old else [])]
    raw: dict[str, Any] = {
        key: dict(value) if isinstance(value, dict) else value for key, value in configuration.raw.items()
    }
    log, run = configuration.log, configuration.run
    if "SINAGOT_LOGGING_LEVEL" in said:
        level = _one_of("SINAGOT_LOGGING_LEVEL", said["SINAGOT_LOGGING_LEVEL"].upper(), _LEVELS)
        log = log._replace(level=level)
    if "SINAGOT_MODE" in said:
        run = run._replace(mode=_one_of("SINAGOT_MODE", said["SINAGOT_MODE"], _MODES))
    if "SINAGOT_WORKERS" in said:
        run = run._replace(workers=_count(said["SINAGOT_WORKERS"]))
    raw["log"] = {**raw.get("log", {}), "level": log.level}
    raw["run"] = {**raw.get("run", {}), "mode": run.mode}
    return configuration._replace(log=log, run=run, raw=raw, warnings=tuple(warnings))


def _old_text(old: Mapping[str, str]) -> str:
    words = {
        "SINAGOT_RAY_LOCAL_MODE": "SINAGOT_MODE=main_process",
        "SINAGOT_RAY_NUM_CPUS": "SINAGOT_WORKERS",
        "SINAGOT_RAY_ADDRESS": "nothing: it is not used; give compute(address=...) a Dask scheduler",
    }
    named = "; ".join(f"{name} (now {words[name]})" for name in old)
    return f"there is no Ray any more, jobs are distributed by Dask; these variables are read as: {named}"


def _one_of(name: str, found: str, allowed: tuple[str, ...]) -> str:
    if found not in allowed:
        raise ConfigurationError.at(
            f"should be one of {', '.join(allowed)}; found {found!r}", key=name, found=found, allowed=allowed
        )
    return found


def _count(text: str) -> int:
    try:
        count = int(float(text))
    except ValueError:
        count = 0
    if count < 1:
        raise ConfigurationError.at(
            f"should be a number from 1; found {text!r}", key="SINAGOT_WORKERS", found=text
        )
    return count
