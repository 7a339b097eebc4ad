"""What commands say of a look at the disk: where records were looked for, and what could not be read.

Knows scopes and words; must not look itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sinagot.cli.texts import clean, note, plain_list, warn

if TYPE_CHECKING:
    from sinagot.workspace.records import RecordCollection
    from sinagot.workspace.scope import Scope
    from sinagot.workspace.workspace import Workspace

__all__ = [
    "check_step",
    "is_group",
    "tell_nothing_found",
    "tell_problems",
    "tell_without_data",
    "where_records_are",
]

#: Folders that are named one by one.
_MOST_NAMED = 5


def where_records_are(scope: RecordCollection) -> str:
    """Say which files make a record.

    Parameters
    ----------
    scope : RecordCollection
        The records.

    Returns
    -------
    str
        Paths below the data folder with their fields, and what an id is.
    """
    workspace = scope.workspace
    configuration = workspace.configuration
    sources = [
        " and ".join(pattern.source for pattern in patterns)
        for patterns in workspace.blueprint.id_sources(scope.task, scope.modality)
    ]
    rule = f"; a whole id matches {configuration.id_pattern}" if configuration.id_pattern else ""
    return f"{plain_list(list(dict.fromkeys(sources)), most=4)}{rule}"


def check_step(scope: Scope, step: str | None) -> None:
    """Refuse the name of a step that a scope does not have.

    Parameters
    ----------
    scope : Scope
        Records or a record.
    step : str or None
        Value of ``--step``.

    Raises
    ------
    NotFoundError
        No modality of the scope has it.
    """
    from sinagot.config.hints import unknown_step

    groups = scope.steps.group_names() if scope.is_whole else []
    names = list(dict.fromkeys([*(one.label for one in scope.steps), *groups]))
    if step is not None and step not in names:
        raise unknown_step(repr(scope), step, names)


def tell_nothing_found(scope: RecordCollection) -> None:
    """Say that there are no records, and where they were looked for.

    Parameters
    ----------
    scope : RecordCollection
        The records.
    """
    if next(iter(scope.steps), None) is None and scope.workspace.configuration.records_path is None:
        note("No step is configured here, so nothing says where raw data are.")
        return
    note(f"No record found in {scope.workspace.data_path}")
    note(f"  looked for {where_records_are(scope)}")


def tell_without_data(everything: RecordCollection, records: Sequence[str]) -> None:
    """Say which records that were asked for have no data, and what may have been meant.

    Parameters
    ----------
    everything : RecordCollection
        All records of the scope.
    records : sequence of str
        Ids that were asked for.
    """
    from sinagot.config.hints import did_you_mean

    ids = everything.ids()
    for record_id in [one for one in records if one not in ids][:_MOST_NAMED]:
        hint = did_you_mean(record_id, ids)
        note(f"No data of record {record_id}{'; ' + hint if hint else ''}")


def tell_problems(workspace: Workspace) -> None:
    """Say what could not be read when the workspace last looked at the disk.

    Parameters
    ----------
    workspace : Workspace
        After a listing or a status.
    """
    for problem in workspace.problems[:_MOST_NAMED]:
        warn(clean(problem))
    if len(workspace.problems) > _MOST_NAMED:
        warn(f"... and {len(workspace.problems) - _MOST_NAMED} more that can't be read")


def is_group(workspace: Workspace, word: str) -> bool:
    """Say whether a word where a record may stand names a group step, or all records.

    Parameters
    ----------
    workspace : Workspace
        Where it is looked for.
    word : str
        Of the command line; a record that is there always wins.

    Returns
    -------
    bool
        True also for ``all/records``, as tables have it.
    """
    from sinagot.scripts.group import GROUP_ID

    if word == GROUP_ID:
        return True
    # Whether it may be an id does not tell: in a workspace class, by default, every word may.
    return word in workspace.steps.group_names() and not workspace.records.has(word)
