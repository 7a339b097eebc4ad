"""What of a workspace can go: old runs, litter, what was put aside, caches, outputs of a step.

Knows the folders and the declared paths of steps; must not ask anybody. First it is found, then
removed. Nothing that a live run owns is found, and nothing that the next run needs to heal what a dead one has left.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from sinagot.dataset.moves import remove
from sinagot.dataset.sidecars import remove_sidecar
from sinagot.engine.paths import flat_paths
from sinagot.engine.state.aside import aside_folder
from sinagot.engine.state.compact import compact, find_old, folder_size
from sinagot.engine.state.kept import FailureMarks, failed_folders, names_in
from sinagot.engine.state.origins import Prints, split_key
from sinagot.engine.state.sweep import litter, remove_litter
from sinagot.errors import ConfigurationError, StorageError
from sinagot.workspace.contracts import House, Selection
from sinagot.workspace.looks import survey_of

if TYPE_CHECKING:
    from sinagot.engine.planning.graph import StepNode
    from sinagot.engine.planning.survey import Survey

__all__ = ["KEPT_RUNS", "Item", "find_items", "find_outputs"]

#: Newest runs that stay as they are, where nobody says how many.
KEPT_RUNS = 10


class Item(NamedTuple):
    """Something that can be removed: what it is, the bytes that this frees, and how."""

    name: str
    size: int
    remove: Callable[[], object]


def find_items(
    workspace: House, kind: str, *, keep_runs: int = KEPT_RUNS, before: float | None = None
) -> list[Item]:
    """Find what can go.

    Parameters
    ----------
    workspace : Workspace
        Where.
    kind : {"runs", "stage", "aside", "failed", "index"}
        Of the state folder.
    keep_runs : int
        So many of the newest runs stay as they are.
    before : float, seconds, optional
        Only runs that were last written before this moment, since 1970.

    Returns
    -------
    list of Item
        Nothing is removed yet.
    """
    configuration = workspace.configuration
    state = str(configuration.state_path)
    stage = f"{configuration.output_path}/.sinagot/stage"
    if kind == "runs":
        old = find_old(state, keep_runs, before, partial(_present, workspace, {}))
        return [Item(one.run_id, one.spare, partial(compact, state, one)) for one in old]
    if kind == "stage":
        return [Item(path, folder_size(path), partial(remove_litter, path)) for path in litter(state, stage)]
    folders = {
        "aside": (aside_folder(str(configuration.output_path)),),
        "failed": failed_folders(state, stage),
        "index": (f"{state}/index",),
    }[kind]
    paths = [f"{folder}/{name}" for folder in folders for name in sorted(names_in(folder))]
    return [Item(path, folder_size(path), partial(remove, path)) for path in paths]


def _present(workspace: House, known: dict[str, StepNode], key: str) -> Prints | None:
    """Say what is there of the outputs of a job; None where it is no job of today."""
    if not known:
        known.update({node.place_key: node for node in workspace.blueprint.graph().nodes})
    record_id, end = split_key(key)
    node = known.get(end)
    if node is None or node.job_step is None:
        return None
    with suppress(ValueError, OSError):
        survey = survey_of(workspace, [record_id])
        return survey.changes.present(record_id, node, content=node.settings.check == "content").outputs
    return None


def find_outputs(scope: Selection, step: str) -> tuple[list[Item], list[str]]:
    """Find the outputs of a step.

    Parameters
    ----------
    scope : Scope
        The records.
    step : str
        Name of the step.

    Returns
    -------
    list of Item, list of str
        One a job that has outputs or a failure, and the keys of jobs that are left alone: a run works on them, or has
        died there and the next run has to look.
    """
    workspace = scope.workspace
    if workspace.groups_of(scope, step):
        raise ConfigurationError.at(
            f"{step!r} is a group step: its outputs are not removed here; sinagot run --step {step} --force makes "
            "them anew",
            key="step",
            found=step,
        )
    nodes = [node for node in workspace.nodes_of(scope, step) if node.error is None]
    ids = scope.record_ids()
    for node in nodes:
        _check_outputs(node, step)
    survey = survey_of(workspace, ids)
    items: list[Item] = []
    busy: list[str] = []
    for record_id in ids:
        for node in nodes:
            item = _output_item(survey, workspace, record_id, node)
            if survey.marks_of(record_id, node)[0] is not None:
                busy.append(node.key(record_id))
            elif item is not None:
                items.append(item)
    return items, busy


def _check_outputs(node: StepNode, step: str) -> None:
    """Refuse where a declared path may stand for data that the step has not made."""
    sources = {(slot.root, slot.pattern.canonical) for slot in node.inputs}
    for slot in node.outputs:
        if slot.free or (slot.root, slot.pattern.canonical) in sources:
            what = "stand for any number of files" if slot.free else "are its own inputs"
            raise ConfigurationError.at(
                f"outputs of step {step!r} {what}: they are not removed here", key="step", found=step
            )


def _output_item(survey: Survey, workspace: House, record_id: str, node: StepNode) -> Item | None:
    """Give the outputs of a job, under the paths that its step declares and no others."""
    declared = flat_paths(survey.paths(node.outputs, node.is_dict_out, record_id)) if node.outputs else []
    control = [slot for slot in node.control if not slot.free]
    declared += [path for slot in control for path in flat_paths(survey.paths([slot], False, record_id))]
    paths = [path for path in declared if os.path.lexists(path)]
    if not paths and survey.marks_of(record_id, node)[1] is None:
        return None
    key = node.key(record_id)
    state, output = str(workspace.configuration.state_path), workspace.configuration.output_path
    say = partial(_note_removal, workspace, record_id, node)
    removal = partial(_remove_outputs, state, f"{output}/.sinagot/stage", key, paths, say)
    return Item(key, sum(map(folder_size, paths)), removal)


def _note_removal(workspace: House, record_id: str, node: StepNode) -> None:
    """Say in the record's log who has removed what: it is also what makes its last failure one of the past."""
    from sinagot.engine.state.decisions import user_name
    from sinagot.runlog.capture import AttemptLog
    from sinagot.runlog.write import RecordLog
    from sinagot.scripts.codes import StepStatus
    from sinagot.workspace.running import run_options

    options = run_options(workspace, ignore_missing=False, debug=False, printing=False)
    context = {
        "workspace_version": options.workspace_version,
        "record_id": record_id,
        "task": node.task,
        "modality": node.modality,
        "step_label": node.label,
    }
    log = AttemptLog(RecordLog(options.log, record_id), context, 0, None)
    log.line(StepStatus.DATA_READY, f"outputs removed by {user_name()} (sinagot clean)")


def _remove_outputs(
    state: str, stage: str, key: str, paths: Sequence[str], say: Callable[[], object]
) -> None:
    """Remove the outputs of a job while no run can work on it, and then what is known of its failure."""
    from sinagot.engine.request import new_run_id
    from sinagot.engine.state.claims import Claim, ClaimDesk

    desk = ClaimDesk(state, new_run_id())
    try:
        claim = desk.take(key)
        if not isinstance(claim, Claim):
            raise StorageError(f"{key}: a run works on it", path=state)
        try:
            for path in paths:
                remove(path)
            for left in filter(os.path.lexists, paths):
                raise StorageError(f"{left} can't be removed", path=left)
            for path in paths:
                remove_sidecar(path)  # it tells what an output comes from that is there no more
            say()
            FailureMarks(state, stage).clear(key)
        finally:
            desk.release(claim)
    finally:
        desk.finish()
