"""Says which names a task or a modality cannot have, because the scopes' own members bear them.

Knows the members of the public surface as words; must not import the classes that have them.
The checks ask here before anything is built; a test of the workspace can compare the words with the classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

__all__ = ["NEWER", "RESERVED", "NameClash", "check_names"]

#: Members of the surface of versions 0.2 and 0.3. A task of such a name was never reachable: it is refused.
RESERVED = frozenset(
    {
        # workspace
        "close",
        "config",
        "data_path",
        "info",
        "is_unit_mode",
        "logger",
        "records",
        "scripts_path",
        "steps",
        "version",
        # both kinds of scope
        "count_detail",
        "count_raw_data",
        "count_step",
        "get_subscope",
        "is_unit",
        "iter_modalities",
        "iter_tasks",
        "iter_units",
        "modality",
        "task",
        "workspace",
        # collections of records
        "all",
        "count",
        "first",
        "get",
        "has",
        "head",
        "ids",
        "iter_ids",
        "logs",
        # records
        "id",
        "logs_json",
        "status_dict",
        "status_json",
        # what users call on the steps of every one of them
        "run",
    }
)

#: Members that came later, and those of the plugins. A task of such a name stays reachable by `get_subscope`.
NEWER = frozenset(
    {
        "accept",
        "as_stream_value",
        "blueprint",
        "client",
        "configuration",
        "data",
        "decisions",
        "details",
        "doctor",
        "entities",
        "exclude",
        "executor",
        "explain",
        "fixed_task",
        "forget_problems",
        "get_processed_data",
        "groups_of",
        "has_own_files",
        "history",
        "include",
        "incomplete",
        "is_record",
        "is_whole",
        "items",
        "jobs",
        "keys",
        "log_path",
        "make_collection",
        "make_record",
        "nodes_of",
        "note_problems",
        "output_path",
        "pipelines",
        "plan",
        "plot",
        "problems",
        "record_ids",
        "report",
        "report_flow",
        "runs",
        "scope",
        "scripts_names",
        "select",
        "state_path",
        "status",
        "stream",
        "tables",
        "to_dataframe",
        "units",
        "values",
        "watch",
        "why",
        "workflows",
    }
)


class NameClash(NamedTuple):
    """One name that cannot be used (`is_error`) or is hidden by a member; `section` holds it."""

    section: str
    name: str
    is_error: bool
    message: str


def check_names(tasks: Iterable[str], modalities: Iterable[str]) -> Iterator[NameClash]:
    """Compare the names of tasks and modalities with the members of scopes, and with each other.

    Parameters
    ----------
    tasks, modalities : iterable of str
        Names as configured. They need not be identifiers.

    Yields
    ------
    NameClash
        One per name that is refused or hidden.

    Examples
    --------
    >>> [(clash.name, clash.is_error) for clash in check_names(["RS", "steps"], ["EEG", "plan"])]
    [('steps', True), ('plan', False)]
    """
    task_names = list(tasks)
    for section, names in (("tasks", task_names), ("modalities", list(modalities))):
        word = "task" if section == "tasks" else "modality"
        for name in names:
            if section == "modalities" and name in task_names:
                yield NameClash(
                    section, name, True, f"{name!r} is a task too; rename the task or the modality"
                )
            problem = _problem(name)
            if problem:
                yield NameClash(section, name, True, f"{name!r} cannot be the name of a {word}: {problem}")
            elif name in NEWER or name.startswith("_"):
                message = f"a member {name!r} hides the {word}; reach it by get_subscope({word}={name!r})"
                yield NameClash(section, name, False, message)


def _problem(name: str) -> str:
    if name in RESERVED:
        return f"workspaces or records have a member {name!r}"
    if name.startswith("__") and name.endswith("__"):
        return "Python keeps names with two underscores on both sides"
    return folder_name_problem(name)


def folder_name_problem(name: str) -> str:
    """Say why a text cannot be one part of a path.

    Parameters
    ----------
    name : str
        A name of a task, a modality or a script, or a label.

    Returns
    -------
    str
        The reason, or ``""`` when it can.

    Examples
    --------
    >>> folder_name_problem("count"), folder_name_problem("a/b")
    ('', "it holds '/'")
    """
    if not name or name.isspace():
        return "it is empty"
    if name in (".", ".."):
        return "it is the name of a folder above"
    for mark in ("/", "\\", "\0"):
        if mark in name:
            return f"it holds {mark!r}"
    return ""
