"""From a scope to a request for the engine, and from its answer back to what the user gets.

Knows workspaces and the engine's request; must not decide what runs. Nothing heavy is imported before a job has to run.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from functools import partial
from typing import TYPE_CHECKING, Any

from sinagot.engine.executors.contract import Executor
from sinagot.engine.executors.main_process import MainProcessExecutor
from sinagot.engine.job import RunOptions
from sinagot.engine.limits import needs_child
from sinagot.engine.planning.survey import RULES
from sinagot.engine.request import new_run_id
from sinagot.engine.run import Prepared, RunRequest, run
from sinagot.engine.stop import RunTerminated, StopRequest, run_interrupted
from sinagot.errors import ConfigurationError, ScriptError, WorkspaceBusyError
from sinagot.runlog.write import LogTarget
from sinagot.scripts.program import packed
from sinagot.workspace.choices import ExecutorChoice
from sinagot.workspace.contracts import House, Selection
from sinagot.workspace.display.live import NotebookDisplay
from sinagot.workspace.looks import group_ids
from sinagot.workspace.narrowing import Narrowing
from sinagot.workspace.parameters import Parameters
from sinagot.workspace.tables import jobs_frame

if TYPE_CHECKING:
    from distributed import Client

    from sinagot.engine.accounts.report import RunReport
    from sinagot.engine.planning.graph import StepNode
    from sinagot.engine.whole import Whole
    from sinagot.scripts.sources import SourceSet

__all__ = ["manifest_of", "prepare_run", "run_options", "start_run"]


def start_run(
    scope: Selection,
    narrowing: Narrowing,
    *,
    force: bool,
    ignore_missing: bool,
    debug: bool,
    dry_run: bool,
    rerun: str | None,
    mode: str | None,
    workers: int | None,
    client: Client | None,
    address: str | None,
    exclusive: bool,
    max_failures: int | None,
    printing: bool,
    progress: Callable[..., None] | None,
    wait: bool,
    params: Mapping[str, Any] | None = None,
    only: Mapping[str, frozenset[int]] | None = None,
    begun: Callable[[StopRequest], None] | None = None,
    whole: Whole | None = None,
) -> RunReport:
    """Run the steps of a scope; see `StepCollection.run`, and `RunRequest` for `only`, `begun` and `whole`."""
    workspace = scope.workspace
    if rerun not in (None, *RULES):
        raise ConfigurationError.at(
            f"{rerun!r} is no rule; allowed are 'missing', 'outdated' or 'always'", key="rerun", found=rerun
        )
    graph = workspace.blueprint.graph()
    in_scope, groups_in_scope = workspace.nodes_of(scope, None), workspace.groups_of(scope, None)
    nodes = narrowing.choose_nodes(graph, in_scope, groups_in_scope)
    groups = narrowing.choose_groups(graph, in_scope, groups_in_scope)
    broken = [node for node in (*nodes, *groups) if node.error is not None]
    choice = ExecutorChoice(
        workspace, mode=mode, workers=workers, client=client, address=address, debug=debug
    )
    if max_failures is not None and max_failures < 1:
        raise ValueError(f"max_failures must be 1 or more, found {max_failures}")
    options = run_options(workspace, ignore_missing=ignore_missing, debug=debug, printing=printing)
    options = options._replace(max_failures=max_failures)
    if whole is not None:
        options = options._replace(run_id=whole.run_id)
    if exclusive:
        _refuse_company(workspace)
    selected = frozenset(node.index for node in nodes if node.error is None)
    forced = frozenset(narrowing.target_numbers([*nodes, *groups])) if narrowing.is_forced else frozenset()

    def lend_executor(stopping: Callable[[], bool]) -> AbstractContextManager[Executor]:
        if choice.here:
            return closing(MainProcessExecutor(stopping))
        return workspace.executor(choice.key, choice.make)

    for doubt in () if choice.here else workspace.blueprint.doubts():
        warnings.warn(doubt, UserWarning, stacklevel=4)
    ids = _record_ids(scope, narrowing, nodes, selected)
    good = [node for node in (*nodes, *groups) if node.error is None]
    parameters = _checked_parameters(workspace, params, good, ids)

    def prepare(folder: str) -> Prepared:
        is_all = scope.is_whole and narrowing.is_whole and (scope.task, scope.modality) == (None, None)
        _save_names(workspace, ids, is_all=is_all)
        return prepare_run(workspace, good, choice, folder, parameters)

    request = RunRequest(
        graph=graph,
        ids=ids,
        rule=workspace.blueprint.ids,
        selected=selected,
        options=options,
        lend_executor=lend_executor,
        prepare=prepare,
        stop_grace=workspace.configuration.run.stop_grace,
        here=choice.here,
        dry_run=dry_run,
        rerun="always" if force else rerun,
        params_of=parameters,
        progress=progress,
        all_ids=lambda: workspace.make_collection(None, None).record_ids(),
        unread=tuple(workspace.problems),
        groups=frozenset(node.index for node in groups if node.error is None),
        group_ids=group_ids(scope, ids),
        wanted=narrowing.wanted(nodes),
        spare=narrowing.spare(nodes, groups),
        forced=forced,
        only=only,
        begun=begun,
        whole=whole,
    )
    report = run(request, background=not wait)
    report.bind_frame(jobs_frame)
    report.bind_check(partial(_finish, broken=broken))
    if not wait and isinstance(progress, NotebookDisplay):
        progress.open()
    return report.wait() if wait else report


def _record_ids(
    scope: Selection, narrowing: Narrowing, nodes: list[StepNode], selected: frozenset[int]
) -> Sequence[str]:
    """List the records; none when no script can be loaded, since that is what has to be told."""
    if nodes and not selected:
        return []
    configuration = scope.workspace.configuration
    state, logs = str(configuration.state_path), str(configuration.log_path)
    return narrowing.choose_ids(scope.record_ids(), nodes, state, logs)


def _checked_parameters(
    workspace: House, override: Mapping[str, Any] | None, nodes: Sequence[StepNode], ids: Sequence[str]
) -> Parameters:
    """Give the parameters of the run, or raise: what a script refuses is told before anything runs."""
    parameters = Parameters(workspace.configuration, override)
    problems = parameters.problems(nodes, ids)
    if problems:
        from sinagot.config.problems import joined_error

        raise joined_error(problems)
    for doubt in parameters.doubts(nodes):
        warnings.warn(doubt, UserWarning, stacklevel=4)
    return parameters


def _finish(report: RunReport, broken: list[StepNode]) -> None:
    """Say what a plain return would hide: an interruption, broken scripts."""
    import signal

    if report.stopped_by is not None:
        if report.stopped_by == signal.SIGINT:
            raise run_interrupted(report)
        raise RunTerminated(report.stopped_by, report)
    if broken:
        first = broken[0].error
        assert first is not None
        others = f" (and {len(broken) - 1} more broken steps)" if len(broken) > 1 else ""
        raise ScriptError(f"{first}{others}", step=first.step, file=first.file, report=report) from first


def run_options(workspace: House, *, ignore_missing: bool, debug: bool, printing: bool) -> RunOptions:
    """Give what all jobs of a new run of a workspace share."""
    configuration = workspace.configuration
    state = str(configuration.state_path)
    log = configuration.log
    return RunOptions(
        run_id=new_run_id(),
        data_path=str(configuration.data_path),
        output_path=str(configuration.output_path),
        state_path=state,
        log=LogTarget(str(configuration.log_path), f"{state}/locks", log.max_bytes, log.backups),
        level=log.level,
        scoped=not configuration.is_unit_mode,
        workspace_version=workspace.version,
        ignore_missing=ignore_missing,
        debug=debug,
        printing=printing,
        durability=configuration.run.durability,
        latency_wait=configuration.run.latency_wait,
        roots=workspace.blueprint.roots,
    )


def prepare_run(
    workspace: House,
    nodes: list[StepNode],
    choice: ExecutorChoice,
    folder: str,
    parameters: Parameters,
) -> Prepared:
    """Copy the code of the run, write the caches, and say what the manifest should tell."""
    from sinagot.scripts.editions import Editions
    from sinagot.scripts.snapshot import copy_sources

    configuration = workspace.configuration
    named = {node.place: node.job_step.source for node in nodes if node.job_step is not None}
    sources = [node.job_step.source for node in nodes if node.job_step is not None]
    if not choice.here or any(needs_child(node.settings) for node in nodes):
        sources = [packed(source) for source in sources]
    copies = copy_sources(sources, f"{folder}/code")
    parameters.save()
    if configuration.output_path.parent.name == "derivatives":
        from sinagot.workspace.reports.descriptions import describe_outputs  # of BIDS trees only

        describe_outputs(configuration)
    if any(node.job_step is not None and node.job_step.has_acts for node in nodes):
        from sinagot.workspace.portraits import keep_portraits  # of pipelines and flows only

        keep_portraits(str(configuration.state_path), os.path.basename(folder), nodes)
    manifest = manifest_of(workspace, named, folder) | {"mode": choice.mode, "params": parameters.told()}
    by_node = {node.index: copy for node, copy in zip(nodes, copies, strict=True)}
    return Prepared(by_node, manifest, Editions(sources, configuration.files).edited)


def manifest_of(workspace: House, sources: Mapping[str, SourceSet], folder: str) -> dict[str, Any]:
    """Write what every run keeps beside its manifest, and give the facts that every manifest has.

    Parameters
    ----------
    workspace : Workspace
        Whose run it is.
    sources : mapping of str to SourceSet
        The code that runs, by what it is called.
    folder : str
        Of the run.
    """
    import platform

    from sinagot.config.load import save_cached
    from sinagot.config.packages import save_packages
    from sinagot.config.snapshot import save_snapshot
    from sinagot.scripts.packages import packages_of
    from sinagot.version import __version__

    configuration = workspace.configuration
    if configuration.files:
        save_cached(configuration)
    save_snapshot(configuration.raw, folder)
    save_packages(folder)
    workspace.blueprint.library.save_index()
    return {
        "argv": sys.argv,
        "host": os.uname().nodename,
        "pid": os.getpid(),
        "user": os.environ.get("USER"),
        "versions": {
            "sinagot": __version__,
            "python": platform.python_version(),
            "workspace": workspace.version,
        },
        # By step: a result was made with those that its step imports.
        "packages": {name: packages_of(source) for name, source in sources.items()},
        "configuration": {
            "files": [str(file) for file in configuration.files],
            "digest": configuration.digest,
        },
        "scripts": {name: source.digest for name, source in sources.items()},
        # By file: what changed since is told by name.
        "sources": {name: source.named_digests for name, source in sources.items()},
    }


def _save_names(workspace: House, ids: Sequence[str], *, is_all: bool) -> None:
    """Keep the names of records and steps for who completes words in a shell."""
    from sinagot.engine.state.names import KnownNames
    from sinagot.workspace.pipelines.steps import pipelines_of

    graph = workspace.blueprint.graph()
    nodes = [*graph.nodes, *graph.groups]
    kinds = [
        dict.fromkeys(name for node in nodes if (name := getattr(node, kind)) is not None)
        for kind in ("label", "task", "modality")
    ]
    state = str(workspace.configuration.state_path)
    # Those that are no steps are told by their own runs.
    former = KnownNames.read(state).pipelines
    pipelines = [*dict.fromkeys([*former, *(step.name for step in pipelines_of(workspace))])]
    KnownNames(list(ids), *map(list, kinds))._replace(pipelines=pipelines).save(state, is_all=is_all)


def _refuse_company(workspace: House) -> None:
    """Raise when another live run works on the workspace."""
    from sinagot.engine.state.owners import live_owners

    others = live_owners(str(workspace.configuration.state_path))
    if others:
        owner = others[0]
        raise WorkspaceBusyError(
            f"run {owner.run_id} (process {owner.pid} on {owner.host}) works on this workspace",
            run_id=owner.run_id,
            owner=owner,
        )
