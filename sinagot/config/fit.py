"""Checks that different tables fit each other: tasks, modalities, scripts, commands, processed values.

Knows which key speaks about which other key; must not know types (the schema does) nor the disk.
Called by `sinagot.config.checks`. It runs beside the type checks, so nothing here trusts a type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sinagot.config.hints import did_you_mean
from sinagot.config.names import check_names, folder_name_problem
from sinagot.config.problems import KeyPath, Problems

__all__ = ["check_fit", "id_test", "table_at", "unknown_name"]

#: Plugins of this package; other names are entry points or import paths.
PLUGINS = ("pandas", "processed")
PLUGIN_GROUP = "sinagot.plugins"


def check_fit(tables: dict[str, Any], problems: Problems) -> None:
    """Report tables that do not fit each other.

    Parameters
    ----------
    tables : dict
        Merged tables; of any type.
    problems : Problems
        Takes the errors and warnings.
    """
    tasks, modalities = table_at(tables, "tasks"), table_at(tables, "modalities")
    for clash in check_names(tasks, modalities):
        report = problems.error if clash.is_error else problems.warning
        report((clash.section, clash.name), clash.message)
    _check_labels(tables, problems)
    _check_tasks(tables, problems)
    _check_scripts(tables, problems)
    _check_commands(tables, problems)
    _check_exceptions(tables, problems)
    _check_plugins(modalities, problems)
    _check_processed(tables, problems)
    _check_cluster(tables, problems)


def _check_cluster(tables: dict[str, Any], problems: Problems) -> None:
    kind = table_at(tables, "dask", "scheduler").get("type", "processes")
    cluster = table_at(tables, "dask", "cluster")
    if "class" in cluster and "address" in cluster:
        problems.error(("dask", "cluster", "class"), "stands beside `address`; one of the two makes no sense")
    if "adapt" in cluster and "jobs" in cluster:
        problems.error(("dask", "cluster", "jobs"), "stands beside `adapt`, which decides how many there are")
    given = cluster.keys() - {"connect_timeout", "no_workers_timeout"}
    if given and kind != "distributed" and "class" not in cluster:
        problems.warning(
            ("dask", "cluster"), f"has no effect with the scheduler {kind!r}; it needs 'distributed'"
        )


def table_at(value: Any, *keys: str) -> dict[str, Any]:
    """Give the table at the end of some keys; an empty one where something else stands there, or nothing.

    Examples
    --------
    >>> table_at({"tasks": {"RS": 3}}, "tasks"), table_at({"tasks": {"RS": 3}}, "tasks", "RS")
    ({'RS': 3}, {})
    """
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _check_labels(tables: dict[str, Any], problems: Problems) -> None:
    for section in ("tasks", "modalities"):
        used: dict[str, str] = {}
        for name in table_at(tables, section):
            label = table_at(tables, section, name).get("label", name)
            if not isinstance(label, str):
                continue
            reason = folder_name_problem(label)
            if reason and label != name:
                problems.mismatch(
                    (section, name, "label"), label, "text that can stand in a file name", detail=reason
                )
            elif label in used:
                # Two tasks of one label would read and write the same files.
                problems.error((section, name, "label"), f"{label!r} is the label of {used[label]!r} already")
            used.setdefault(label, name)


def _check_tasks(tables: dict[str, Any], problems: Problems) -> None:
    tasks, modalities = table_at(tables, "tasks"), table_at(tables, "modalities")
    for task in tasks:
        path: KeyPath = ("tasks", task, "modalities")
        listed = _texts(table_at(tasks, task).get("modalities"))
        _check_repeats(path, listed, problems)
        for name in dict.fromkeys(listed):
            if name not in modalities:
                unknown_name(path, "modality", name, modalities, problems)
    for modality in modalities:
        for task in table_at(modalities, modality, "task_scripts"):
            path = ("modalities", modality, "task_scripts", task)
            if task not in tasks:
                unknown_name(path, "task", task, tasks, problems)
            elif modality not in _texts(table_at(tasks, task).get("modalities")):
                problems.warning(path, f"never run, because the task {task!r} does not list {modality!r}")


def unknown_name(path: KeyPath, word: str, name: str, known: dict[str, Any], problems: Problems) -> None:
    """Report a name that is none of those that are configured.

    Parameters
    ----------
    path : tuple of str
        Where it stands.
    word : str
        What it should be: ``"task"``.
    name : str
        What was written.
    known : dict
        Those that there are.
    problems : Problems
        Takes the error.
    """
    allowed = list(known)
    listed = ", ".join(allowed) or "none is configured"
    hint = did_you_mean(name, allowed)
    problems.error(
        path, f"unknown {word} {name!r}, allowed: {listed}", found=name, allowed=allowed, hint=hint or None
    )


def _chains(tables: dict[str, Any]) -> Iterator[tuple[KeyPath, list[str], list[str]]]:
    """Yield every list of scripts: its key, its names, and those that run before them in the same chain."""
    steps = table_at(tables, "steps")
    yield ("steps", "scripts"), _texts(steps.get("scripts")), []
    yield ("steps", "group_scripts"), _texts(steps.get("group_scripts")), _texts(steps.get("scripts"))
    for name in table_at(tables, "modalities"):
        modality = table_at(tables, "modalities", name)
        shared = _texts(modality.get("scripts"))
        yield ("modalities", name, "scripts"), shared, []
        for task, scripts in table_at(modality, "task_scripts").items():
            yield ("modalities", name, "task_scripts", task), _texts(scripts), shared
        own = [script for some in table_at(modality, "task_scripts").values() for script in _texts(some)]
        yield ("modalities", name, "group_scripts"), _texts(modality.get("group_scripts")), [*shared, *own]


def _check_scripts(tables: dict[str, Any], problems: Problems) -> None:
    for path, scripts, before in _chains(tables):
        _check_repeats(path, scripts, problems)
        for script in dict.fromkeys(scripts):
            reason = folder_name_problem(script)
            if reason:
                problems.mismatch(
                    path, script, "the name of a script, without folder and '.py'", detail=reason
                )
            elif script in before:
                where = "single records" if path[-1] == "group_scripts" else "every task"
                problems.error(path, f"{script!r} is in the scripts for {where} already", found=script)
            elif script.endswith(".py"):
                problems.warning(
                    path, f"{script!r} means the file {script + '.py'!r}", "names stand without '.py'"
                )
    scoped = "tasks" in tables or "modalities" in tables
    for key in ("scripts", "group_scripts"):
        if scoped and _texts(table_at(tables, "steps").get(key)):
            problems.warning(
                ("steps", key), f"never run, because a workspace with tasks has modalities.<M>.{key}"
            )


def _check_repeats(path: KeyPath, names: list[str], problems: Problems) -> None:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    for name, count in counts.items():
        if count > 1:
            problems.error(path, f"{name!r} is listed {count} times", found=name)


def _check_commands(tables: dict[str, Any], problems: Problems) -> None:
    known = {script for _, scripts, _ in _chains(tables) for script in scripts}
    for name, step in table_at(tables, "steps").items():
        if name == "scripts" or not isinstance(step, dict):
            continue
        path = ("steps", name)
        if "command" not in step and step.keys() & {"input", "output", "shell"}:
            problems.error(
                (*path, "command"), "required, and absent; allowed a list of text", allowed="a list of text"
            )
        if name not in known:
            problems.warning(path, "no list of scripts names this step", did_you_mean(name, known))
    for modality in table_at(tables, "modalities"):
        own = table_at(tables, "modalities", modality)
        listed = [
            *_texts(own.get("scripts")),
            *(s for some in table_at(own, "task_scripts").values() for s in _texts(some)),
            *_texts(own.get("group_scripts")),
        ]
        for name in table_at(own, "steps"):
            if name not in listed:
                problems.warning(
                    ("modalities", modality, "steps", name),
                    f"{modality} has no such step",
                    did_you_mean(name, listed),
                )


def _check_exceptions(tables: dict[str, Any], problems: Problems) -> None:
    """Warn of tables of single records that speak of something that is not there."""
    known = {
        "tasks": list(table_at(tables, "tasks")),
        "modalities": list(table_at(tables, "modalities")),
        "steps": list(dict.fromkeys(script for _, scripts, _ in _chains(tables) for script in scripts)),
    }
    words = {"tasks": "task", "modalities": "modality", "steps": "step"}
    is_id = id_test(tables)
    for record_id in table_at(tables, "records", "exceptions"):
        path = ("records", "exceptions", record_id)
        own = table_at(tables, *path)
        if not is_id(record_id):
            problems.warning(path, "no record can have this id: it does not match records.id_pattern")
        places: list[tuple[KeyPath, str, Any]] = [
            ((*path, section), section, own.get(section)) for section in words
        ]
        places += [
            ((*path, "modalities", name, "steps"), "steps", table_at(own, "modalities", name).get("steps"))
            for name in table_at(own, "modalities")
        ]
        for place, section, names in places:
            for name in names if isinstance(names, dict) else ():
                if name not in known[section]:
                    hint = did_you_mean(name, known[section])
                    problems.warning((*place, name), f"there is no such {words[section]}", hint)


def id_test(tables: dict[str, Any]) -> Callable[[str], Any]:
    """Give a function that says whether a text may be the id of a record, as far as `records.id_pattern` tells.

    Examples
    --------
    >>> is_id = id_test({"records": {"id_pattern": "REC-[0-9]+"}})
    >>> bool(is_id("REC-1")), bool(is_id("REC"))
    (True, False)
    """
    import re  # only where a record has a table of its own

    pattern = table_at(tables, "records").get("id_pattern")
    try:
        return re.compile(pattern).fullmatch if isinstance(pattern, str) else bool
    except re.error:  # told elsewhere
        return bool


def _check_plugins(modalities: dict[str, Any], problems: Problems) -> None:
    for modality in modalities:
        plugin = table_at(modalities, modality, "models").get("plugin")
        if not isinstance(plugin, str) or plugin in PLUGINS or _is_import_path(plugin):
            continue
        known = [*PLUGINS, *_entry_points()]
        if plugin not in known:
            problems.mismatch(
                ("modalities", modality, "models", "plugin"),
                plugin,
                f"{', '.join(map(repr, known))}, or an import path such as 'package.module:Class'",
                did_you_mean(plugin, known),
            )


def _is_import_path(plugin: str) -> bool:
    module, _, attribute = plugin.partition(":")
    parts = module.split(".") + (attribute.split(".") if ":" in plugin else [])
    return len(parts) > 1 and all(part.isidentifier() for part in parts)


def _entry_points() -> list[str]:
    # Takes tens of milliseconds: only for names that are not ours.
    from importlib.metadata import entry_points

    return sorted({entry.name for entry in entry_points(group=PLUGIN_GROUP)})


def _check_processed(tables: dict[str, Any], problems: Problems) -> None:
    known = {script for _, scripts, _ in _chains(tables) for script in scripts}
    for key in table_at(tables, "processed"):
        settings = table_at(tables, "processed", key)
        for word, section in (("task", "tasks"), ("modality", "modalities")):
            name = settings.get(word)
            if isinstance(name, str) and name not in table_at(tables, section):
                unknown_name(("processed", key, word), word, name, table_at(tables, section), problems)
        label = settings.get("step_label")
        if isinstance(label, str) and label not in known:
            path = ("processed", key, "step_label")
            problems.warning(path, f"no list of scripts names the step {label!r}", did_you_mean(label, known))
