"""Checks what `[pipelines]` says: names that there are, parameters that are said once, keys that are meant.

Knows where tables of pipelines may stand; must not know types (the schema does), nor which pipelines there are: who
knows them asks `stray_tables`. `sinagot.config.checks` calls the rest, beside the type checks: no type is trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path as FilePath
from typing import Any

from sinagot.config.fit import id_test, table_at, unknown_name
from sinagot.config.hints import did_you_mean, near_miss
from sinagot.config.params import PIPELINE_KEYS
from sinagot.config.problems import KeyPath, Problems, key_text
from sinagot.config.settings import Configuration
from sinagot.config.sources import read_source
from sinagot.errors import ConfigurationError

__all__ = ["check_pipelines", "hint_about", "stray_tables"]

_OF_RECORD = ("params", "tasks", "modalities")
_OF_PART = ("params",)
_WORDS = {"tasks": "task", "modalities": "modality"}

Path = tuple[str, ...]


def check_pipelines(tables: dict[str, Any], problems: Problems) -> None:
    """Report what is wrong with the tables of pipelines.

    Parameters
    ----------
    tables : dict
        Merged tables; of any type.
    problems : Problems
        Takes the errors and warnings.
    """
    is_id: Callable[[str], Any] | None = None
    for name in table_at(tables, "pipelines"):
        path: Path = ("pipelines", name)
        _check_table(tables, path, PIPELINE_KEYS, problems)
        for record_id in table_at(tables, *path, "records"):
            is_id = is_id or id_test(tables)
            place = (*path, "records", record_id)
            if not is_id(record_id):
                text = "no record can have this id: it does not match records.id_pattern"
                problems.error(place, text, found=record_id)
            _check_table(tables, place, _OF_RECORD, problems)
    for record_id in table_at(tables, "records", "exceptions"):
        path = ("records", "exceptions", record_id, "pipelines")
        for name in table_at(tables, *path):
            _check_table(tables, (*path, name), _OF_RECORD, problems)


def _check_table(tables: dict[str, Any], path: Path, keys: Collection[str], problems: Problems) -> None:
    """Check one table, of which `keys` are ours, and those inside it."""
    table = table_at(tables, *path)
    for key, value in table.items():
        if key in PIPELINE_KEYS:
            if key not in keys:
                problems.error((*path, key), "can't stand here", hint=_apart(path, key), found=value)
        elif isinstance(value, dict) and (meant := near_miss(key, keys)) is not None:
            text = f"read as a parameter; did you mean {meant!r}? If not, {_apart(path, key)}"
            problems.warning((*path, key), text)
    _check_doubles(path, table, problems)
    for section, word in _WORDS.items():
        known = table_at(tables, section)
        for name in table_at(table, section) if section in keys else ():
            place = (*path, section, name)
            if name not in known:
                unknown_name(place, word, name, known, problems)
            _check_table(tables, place, _OF_PART, problems)


def _check_doubles(path: Path, table: dict[str, Any], problems: Problems) -> None:
    """Refuse a parameter that stands in a table and in its `params`: of several files, none were the later one."""
    direct = {key: value for key, value in table.items() if key not in PIPELINE_KEYS}
    for keys in _common(direct, table_at(table, "params")):
        said = key_text((*path, *keys))
        problems.error((*path, "params", *keys), f"said twice: {said} is the same parameter")


def _common(one: dict[str, Any], other: dict[str, Any]) -> Iterator[Path]:
    for key, value in one.items():
        if key in other:
            if value and other[key] and isinstance(value, dict) and isinstance(other[key], dict):
                yield from ((key, *below) for below in _common(value, other[key]))
            else:
                yield (key,)


def _apart(path: Path, key: str) -> str:
    return f"a parameter of this name is written as {key_text((*path, 'params', key))}"


def hint_about(path: KeyPath) -> str:
    """Say what is meant by a key of `[pipelines]` that has a value of another type.

    Parameters
    ----------
    path : tuple of str or int
        The key.

    Returns
    -------
    str
        Empty for all other keys.

    Examples
    --------
    >>> hint_about(("pipelines", "clean", "tasks"))
    'a parameter of this name is written as pipelines.clean.params.tasks'
    >>> hint_about(("run", "mode"))
    ''
    """
    if path[:1] != ("pipelines",):
        return ""
    if len(path) < 3:
        return "[pipelines.NAME] holds parameters of a pipeline; a section of your own needs another name"
    place, key = tuple(str(part) for part in path[:-1]), str(path[-1])
    return _apart(place, key) if key in PIPELINE_KEYS else ""


def stray_tables(
    configuration: Configuration,
    pipelines: Collection[str],
    steps: Collection[str],
    *,
    are_all_known: bool = True,
) -> list[str]:
    """Warn of tables whose name is that of no pipeline.

    Parameters
    ----------
    configuration : Configuration
        What is written.
    pipelines : collection of str
        Names of pipelines: steps, and those of the folder of templates.
    steps : collection of str
        Steps that are none. A table of one of them counts as `[steps.NAME.params]` does.
    are_all_known : bool
        Whether those are all pipelines that there are; else nothing is said of a name that is no step.

    Returns
    -------
    list of str
        Warnings with file, line, and the name that may have been meant.
    """
    tables = configuration.raw
    places: list[Path] = [("pipelines",)]
    places += [
        ("records", "exceptions", one, "pipelines") for one in table_at(tables, "records", "exceptions")
    ]
    found: list[tuple[Path, str, str]] = []
    for place in places:
        for name in table_at(tables, *place):
            if name in steps:
                own = key_text((*place[:-1], "steps", name, "params"))
                text = f"the step {name!r} is no pipeline; its parameters count, and belong into [{own}]"
                found.append(((*place, name), text, ""))
            elif name not in pipelines and are_all_known:
                hint = did_you_mean(name, pipelines) or did_you_mean(name, steps)
                found.append(((*place, name), "there is no such pipeline", hint))
    return _placed(found, configuration.files) if found else []


def _placed(found: list[tuple[Path, str, str]], files: Collection[FilePath]) -> list[str]:
    """Write warnings with their places, as the files are now."""
    try:
        problems = Problems([read_source(file) for file in files])
    except ConfigurationError:  # edited, and broken, meanwhile
        return [str(ConfigurationError.at(text, key=key_text(path), hint=hint)) for path, text, hint in found]
    for path, text, hint in found:
        problems.warning(path, text, hint)
    return problems.warnings
