"""Batches of a code-first workspace: from names of nodes to a request for the engine.

Knows a blueprint's nodes and how a run is started; must not decide what runs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinagot.config.hints import did_you_mean
from sinagot.engine.job import Outcome
from sinagot.engine.state.aside import aside_folder, move_aside
from sinagot.errors import NotFoundError, StepFailedError, StoredDataError
from sinagot.runlog.read import read_lines
from sinagot.scripts.group import GROUP_ID
from sinagot.workflow.collect_script import LEFT_OUT
from sinagot.workflow.collecting import Collected
from sinagot.workflow.collection_files import CollectionFile
from sinagot.workflow.evaluation import PUT_ASIDE
from sinagot.workspace.code_first.node_blueprint import NodeBlueprint
from sinagot.workspace.code_first.refusals import raise_failure
from sinagot.workspace.code_first.staleness import warn_of_stale
from sinagot.workspace.code_first.values import Values, tell
from sinagot.workspace.display.live import choose_display
from sinagot.workspace.narrowing import Narrowing
from sinagot.workspace.running import start_run

if TYPE_CHECKING:
    from sinagot.engine.accounts.ledger import Failure
    from sinagot.engine.accounts.report import RunReport
    from sinagot.engine.run import Progress

__all__ = ["collect_values", "compute", "targets_of"]

#: What `start_run` takes, with what holds when nothing is said.
_OPTIONS: dict[str, Any] = {
    "ignore_missing": False,
    "debug": False,
    "dry_run": False,
    "rerun": None,
    "mode": None,
    "workers": None,
    "client": None,
    "address": None,
    "exclusive": False,
    "max_failures": None,
    "printing": False,
    "wait": True,
    # Of a stage of a pipeline: who stops it, and the run that it joins.
    "begun": None,
    "whole": None,
}


def targets_of(blueprint: NodeBlueprint, names: Sequence[str]) -> tuple[str, ...]:
    """Give the names of the nodes that are meant; outputs of scripts by the names of their scripts' steps."""
    parts = blueprint.recipe.parts
    known = [name for name, part in parts.items() if not part.is_seed and not part.is_script]
    known += blueprint.free_group_names()
    if not names:
        return tuple(part.name for part in blueprint.recipe.steps if part.is_kept)
    for name in names:
        if not isinstance(name, str):
            raise NotFoundError(
                f"compute() takes names of nodes one by one, as in compute('a', 'b'); found {name!r}",
                name=name,
                allowed=known,
            )
        if name not in known:
            what = "is a seed: it is given" if name in parts and parts[name].is_seed else "is no step"
            hint = did_you_mean(name, known)
            raise NotFoundError(
                f"{name!r} {what}; steps are {', '.join(known) or 'none'}{'; ' + hint if hint else ''}",
                name=name,
                allowed=known,
            )
    return tuple(dict.fromkeys(names))


def compute(
    workspace: Any,
    blueprint: NodeBlueprint,
    names: Sequence[str],
    *,
    ids: Sequence[str] | None,
    force: bool,
    on_error: str,
    progress: Callable[[Progress], None] | bool,
    level: int = 4,
    **options: Any,
) -> RunReport:
    """Compute nodes of many workflows; see `CodeFirst.compute`. Of stale results is warned so many calls above."""
    for option in options:
        if option not in _OPTIONS:
            hint = did_you_mean(option, _OPTIONS)
            raise TypeError(f"compute() has no option {option!r}{'; ' + hint if hint else ''}")
    if on_error not in ("collect", "raise"):
        raise ValueError(f"on_error must be 'collect' or 'raise', found {on_error!r}")
    given = {**_OPTIONS, **options}
    if on_error == "raise" and given["max_failures"] is None:
        given["max_failures"] = 1
    narrowing = Narrowing(targets=targets_of(blueprint, names), is_forced=force)
    collections = [name for name in narrowing.targets if name in blueprint.free_group_names()]
    if collections and ids is not None:
        raise ValueError(f"{collections[0]} is made of all workflows, and ids= names some: leave it out")
    scope = workspace.records if ids is None else workspace.records.select(ids)
    display = choose_display(progress, wait=given["wait"], dry_run=given["dry_run"])
    report = start_run(scope, narrowing, force=False, progress=display, **given)
    if given["wait"] and not given["dry_run"]:
        _make_again(workspace, narrowing, report, given)
    if blueprint.stale == "warn" and given["wait"] and not given["dry_run"]:
        steps = [name for name in narrowing.targets if name in blueprint.recipe.parts]
        warn_of_stale(workspace, blueprint, steps, report.ledger.ids, level=level)
    if on_error == "raise" and given["wait"] and not report.ok:
        raise_failure(report)
    return report


def _make_again(workspace: Any, narrowing: Narrowing, report: RunReport, given: Mapping[str, Any]) -> None:
    """Make stored results again that turned out to be damaged when another step read them: they were put aside."""
    damaged = {
        failure.record_id
        for failure in report.ledger.failures
        if failure.cause.exc_type.endswith("StoredDataError") and PUT_ASIDE in failure.cause.message
    }
    if damaged:
        scope = workspace.records.select(damaged)
        again = start_run(scope, narrowing._replace(is_forced=False), force=False, progress=None, **given)
        report.ledger.adopt(again.ledger)


def collect_values(
    workspace: Any, blueprint: NodeBlueprint, values: Values, one: Collected
) -> dict[str, Any]:
    """Give the data of one node of all workflows, id -> data; those that fail are left out and named.

    Parameters
    ----------
    workspace : Workspace
        A code-first one.
    blueprint : NodeBlueprint
        Its blueprint.
    values : Values
        Its data on demand.
    one : Collected
        What is collected.

    Raises
    ------
    StepFailedError
        The collection is strict, and a workflow failed; or the step that stores it did.
    """
    if one.storage is not None:
        return _stored(workspace, blueprint, one)
    part = blueprint.recipe.parts[one.takes]
    found: dict[str, Any] = {}
    failures: dict[str, Exception] = {}
    ids = list(workspace)
    if part.is_kept and not part.is_script and not part.is_seed:
        report = compute(
            workspace,
            blueprint,
            (one.takes,),
            ids=None,
            force=False,
            on_error="collect",
            progress=False,
            level=6,
        )
        # These have just failed: reading them would only let them fail again.
        failures = {failure.record_id: _failed(failure, one.takes) for failure in _causes(report)}
    elif blueprint.stale == "warn" and not part.is_script and not part.is_seed:
        warn_of_stale(workspace, blueprint, (one.takes,), ids, level=5)
    for workflow_id, data, error in values.each([one for one in ids if one not in failures], one.takes):
        if error is None:
            found[workflow_id] = data
        else:
            failures[workflow_id] = error
    if failures:
        failures = {workflow_id: failures[workflow_id] for workflow_id in ids if workflow_id in failures}
        first, problem = next(iter(failures.items()))
        text = f"{one.name}: {len(failures)} of {len(failures) + len(found)} workflows have no {one.takes}: "
        text += f"{', '.join(list(failures)[:10])} ({problem})"
        if one.strict:
            raise StepFailedError(text, workflow_id=first, node=one.takes) from problem
        warnings.warn(text, UserWarning, stacklevel=4)
    return found


def _causes(report: RunReport) -> list[Failure]:
    """Give what failed itself, once a record."""
    bad = [one for one in report.ledger.failures if one.outcome != Outcome.BLOCKED]
    return list({one.record_id: one for one in reversed(bad)}.values())[::-1]


def _failed(failure: Failure, name: str) -> StepFailedError:
    step, cause = failure.step_label, failure.cause
    return StepFailedError(
        f"step {step!r} of {failure.record_id!r} failed: {cause.exc_type}: {cause.message}",
        workflow_id=failure.record_id,
        node=step,
        blocked=() if step == name else (name,),
    )


def _stored(workspace: Any, blueprint: NodeBlueprint, one: Collected) -> dict[str, Any]:
    """Bring a stored collection up to date, as a run would, and read it; one that cannot be read is made again."""
    assert one.storage is not None, "only stored collections come here"
    path = Path(blueprint.root, one.storage.path)
    file = CollectionFile(blueprint.recipe, one)
    failed = _bring_up_to_date(workspace, one)
    try:
        found = file.read(path) if path.exists() else {}
    except StoredDataError as error:
        kept = move_aside(str(path), aside_folder(str(workspace.configuration.output_path)))
        tell(workspace, one.name, GROUP_ID, f"{error}; {PUT_ASIDE} {kept}, and made again")
        failed = _bring_up_to_date(workspace, one)
        found = file.read(path)
    left_out = {name: why for name, why in failed.items() if name not in found}
    lacking = [name for name in workspace if name not in found and name not in left_out]
    left_out |= _said_of(workspace, one.name, lacking)
    if left_out:
        left_out = dict(sorted(left_out.items()))
        text = f"{one.name}: {len(left_out)} workflow(s) are left out: {', '.join(list(left_out)[:10])}"
        warnings.warn(f"{text} ({next(iter(left_out.values()))})", UserWarning, stacklevel=5)
    return found


def _said_of(workspace: Any, name: str, lacking: Sequence[str]) -> dict[str, str]:
    """Give why workflows are not in a stored collection, as the step that made it has said in its log."""
    if not lacking:
        return {}
    lines, _ = read_lines(str(workspace.configuration.log_path), GROUP_ID)
    said = [str(line.get("message", "")) for line in reversed(lines) if line.get("step_label") == name]
    found = {}
    for workflow_id in lacking:
        start = LEFT_OUT % (workflow_id, "")
        why = next((text.removeprefix(start) for text in said if text.startswith(start)), None)
        if why is not None:  # the others are excluded, or have no input
            found[workflow_id] = why
    return found


def _bring_up_to_date(workspace: Any, one: Collected) -> dict[str, str]:
    """Run what a stored collection needs, and it; gives the workflows of which a step failed, and why."""
    narrowing = Narrowing(until_step=one.name)
    report = start_run(workspace.records, narrowing, force=False, progress=None, **_OPTIONS)
    bad = [group for group in report.failures if group.outcome != "blocked"]
    own = [group for group in bad if group.step == one.name]
    if own or (bad and one.strict):
        # Where a step before it failed, that is why a strict collection does.
        group = next((group for group in bad if one.strict and group.step != one.name), None) or own[0]
        raise StepFailedError(
            f"{one.name}: {group.cause}", report=report, node=group.step, workflow_id=group.records[0]
        )
    said = ((one.record_id, one.step_label, one.cause) for one in _causes(report))
    return {name: f"{step}: {cause.exc_type}: {cause.message}" for name, step, cause in said}
