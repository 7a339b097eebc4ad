"""Turns configuration files into a `Configuration`, or into one error that names everything wrong.

Knows the order: find, read, merge, check (or trust the cache), look at the disk, build. Writes nothing.
The workspace calls `load_configuration` when it is opened, the engine `save_cached` when a run starts.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sinagot.config import settings
from sinagot.config.build import build
from sinagot.config.cache import find_verdict, make_digest, save_verdict
from sinagot.config.problems import Problems, joined_error
from sinagot.config.sources import (
    ConfigPath,
    Source,
    absolute_path,
    early_state,
    find_files,
    merge_tables,
    read_source,
)
from sinagot.errors import ConfigurationError

__all__ = ["dask_problem", "load_configuration", "save_cached"]

_DEFAULT_SCRIPTS = settings.DEFAULTS["path"]["scripts"]


def load_configuration(
    config_path: ConfigPath,
    data_path: str | os.PathLike[str] | None = None,
    scripts_path: str | os.PathLike[str] | None = None,
) -> settings.Configuration:
    """Read, merge and check configuration files.

    Parameters
    ----------
    config_path : str, path-like, or list or tuple of those
        Files, or folders that hold a ``workspace.toml``. Tables are merged in depth, other values replaced.
    data_path, scripts_path : str or path-like, optional
        Win over ``path.dataset`` and ``path.scripts``; relative ones start at the configuration's folder too.

    Returns
    -------
    Configuration
        With every default filled in and every path absolute.

    Raises
    ------
    ConfigurationError
        When anything is wrong; all of it is in `problems`.

    Notes
    -----
    Nothing is written. Where `save_cached` kept a verdict on these very files, they are not checked again.

    Examples
    --------
    >>> configuration = load_configuration("example/harbor")
    >>> configuration.scripts, configuration.run.mode
    (('count', 'mean'), 'main_process')
    """
    files = find_files(config_path)
    sources = _read_all(files)
    tables = merge_tables(source.tables for source in sources)
    overrides = tuple(os.fspath(path) if path else None for path in (data_path, scripts_path))
    digest = make_digest(sources, overrides)
    problems = Problems(sources)
    root = files[0].parent

    state = early_state(tables, overrides[0], root)
    verdict = None if state is None else find_verdict(state, digest)
    if verdict is None:
        from sinagot.config.checks import check_tables

        check_tables(tables, problems)
        verdict = tuple(problems.warnings)
    problems.warnings = []  # from here on: what depends on the disk
    well_formed = not problems.errors
    settings.fill_defaults(tables)
    paths = _find_paths(tables, overrides, root, problems)
    if well_formed and tables["run"]["mode"] == "dask" and (missing := dask_problem()):
        problems.error(("run", "mode"), missing, found="dask")
    if problems.errors:
        raise joined_error(problems.errors, (*verdict, *problems.warnings))
    return build(tables, files, digest, paths, verdict, (*verdict, *problems.warnings))


def save_cached(configuration: settings.Configuration) -> None:
    """Keep the verdict on a configuration, so that the next opening needs no checks.

    Parameters
    ----------
    configuration : Configuration
        What `load_configuration` gave. Failing to write is ignored: a miss costs time only.
    """
    save_verdict(configuration.state_path, configuration.digest, configuration.file_warnings)


def dask_problem() -> str:
    """Say what the dask mode lacks here.

    Returns
    -------
    str
        A message that names what to install, or ``""``. Nothing is imported to find out.
    """
    from importlib.util import find_spec

    missing = [name for name in ("dask", "distributed") if find_spec(name) is None]
    if not missing:
        return ""
    names = " and ".join(missing)
    return f"the mode 'dask' needs {names}, not installed here; install with: pip install {' '.join(missing)}"


def _read_all(files: list[Path]) -> list[Source]:
    sources, errors = [], []
    for file in files:
        try:
            sources.append(read_source(file))
        except ConfigurationError as error:
            errors.append(error)
    if errors:
        raise joined_error(errors)
    return sources


def _find_paths(
    tables: dict[str, Any], overrides: tuple[str | None, ...], root: Path, problems: Problems
) -> dict[str, Path]:
    """Make the paths absolute and look at the disk; wrong types were reported before and are left out."""
    written = tables["path"] if isinstance(tables["path"], dict) else {}
    given = {
        **written,
        **{
            key: path for key, path in zip(("dataset", "scripts"), overrides, strict=True) if path is not None
        },
    }
    paths = {}
    for key in ("dataset", "scripts", "output", "log", "state"):
        text = given.get(key)
        if isinstance(text, str) and "\0" in text:
            problems.mismatch(("path", key), text, "a path")
        elif isinstance(text, str) and text:
            paths[key] = absolute_path(text, root)
    if "dataset" in paths:
        _check_data_folder(paths["dataset"], is_argument=overrides[0] is not None, problems=problems)
    for key in ("output", "log", "state"):
        if key in paths and os.path.exists(paths[key]) and not os.path.isdir(paths[key]):
            problems.error(("path", key), f"this is a file, not a folder: {paths[key]}", found=written[key])
    if "scripts" in paths:
        is_default = overrides[1] is None and paths["scripts"] == root / Path(_DEFAULT_SCRIPTS)
        paths["scripts"] = _check_scripts_folder(tables, paths["scripts"], root, is_default, problems)
    return paths


def _check_data_folder(path: Path, is_argument: bool, problems: Problems) -> None:
    if os.path.isdir(path):
        return
    word = "this is a file, not a folder" if os.path.exists(path) else "no such data folder"
    if is_argument:
        message = f"data_path: {word}: {path}"
        problems.errors.append(
            ConfigurationError(message, key="data_path", found=str(path), allowed="a folder")
        )
    else:
        problems.error(("path", "dataset"), f"{word}: {path}", found=str(path), allowed="a folder")


def _check_scripts_folder(
    tables: dict[str, Any], path: Path, root: Path, is_default: bool, problems: Problems
) -> Path:
    if os.path.isdir(path):
        return path
    if _names_scripts(tables):
        served = f"; the configuration's folder serves instead: {root}" if is_default else ""
        problems.warning(("path", "scripts"), f"no such scripts folder: {path}{served}")
    return root if is_default else path


def _names_scripts(tables: dict[str, Any]) -> bool:
    steps, modalities = tables.get("steps"), tables.get("modalities")
    lists = [steps.get("scripts")] if isinstance(steps, dict) else []
    for one in modalities.values() if isinstance(modalities, dict) else ():
        if isinstance(one, dict):
            lists += [one.get("scripts"), one.get("task_scripts")]
    return any(lists)
