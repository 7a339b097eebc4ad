"""From a scope to a request for the engine, and from its answer back to what the user gets.

Knows workspaces and the engine's request; must not decide what runs. Nothing heavy is imported before a job has to run.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

from sinagot.engine.executors.contract import Executor
from sinagot.engine.executors.main_process import MainProcessExecutor
from sinagot.engine.job import RunOptions
from sinagot.engine.run import Prepared, RunRequest, new_run_id, run
from sinagot.engine.stop import RunTerminated, run_interrupted
from sinagot.errors import ScriptError, WorkspaceBusyError
from sinagot.runlog.write import LogTarget
from sinagot.workspace.choices import ExecutorChoice
from sinagot.workspace.contracts import House, Selection
from sinagot.workspace.tables import jobs_frame

if TYPE_CHECKING:
    from distributed import Client

    from sinagot.engine.graph import StepNode
    from sinagot.engine.report import RunReport

__all__ = ["start_run"]


def start_run(
    scope: Selection,
    step_label: str | None,
    *,
    force: bool,
    ignore_missing: bool,
    debug: bool,
    dry_run: bool,
    mode: str | None,
    workers: int | None,
    client: Client | None,
    address: str | None,
    exclusive: bool,
    printing: bool,
    progress: Callable[..., None] | None,
    wait: bool,
) -> RunReport:
    """Run the steps of a scope; see `StepCollection.run`."""
    workspace = scope.workspace
    graph = workspace.blueprint.graph()
    nodes = workspace.nodes_of(scope, step_label)
    broken = [node for node in nodes if node.error is not None]
    choice = ExecutorChoice(
        workspace, mode=mode, workers=workers, client=client, address=address, debug=debug
    )
    options = _options(workspace, force=force, ignore_missing=ignore_missing, debug=debug, printing=printing)
    if exclusive:
        _refuse_company(workspace)
    selected = frozenset(node.index for node in nodes if node.error is None)

    def lend_executor(stopping: Callable[[], bool]) -> AbstractContextManager[Executor]:
        if choice.here:
            return nullcontext(MainProcessExecutor(stopping))
        return workspace.executor(choice.key, choice.make)

    ids = _record_ids(scope, nodes, selected)
    request = RunRequest(
        graph=graph,
        ids=ids,
        rule=workspace.blueprint.ids,
        selected=selected,
        options=options,
        lend_executor=lend_executor,
        prepare=lambda folder: _prepare(
            workspace, [graph.nodes[number] for number in selected], choice, folder
        ),
        stop_grace=workspace.configuration.run.stop_grace,
        here=choice.here,
        dry_run=dry_run,
        progress=progress,
        unread=tuple(workspace.problems),
    )
    report = run(request, background=not wait)
    report.bind_frame(jobs_frame)
    report.bind_check(partial(_finish, broken=broken))
    return report.wait() if wait else report


def _record_ids(scope: Selection, nodes: list[StepNode], selected: frozenset[int]) -> list[str]:
    """List the records; none when no script can be loaded, since that is what has to be told."""
    return [] if nodes and not selected else scope.record_ids()


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


def _options(
    workspace: House, *, force: bool, ignore_missing: bool, debug: bool, printing: bool
) -> RunOptions:
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
        started=time.time(),
        force=force,
        ignore_missing=ignore_missing,
        debug=debug,
        printing=printing,
    )


def _prepare(workspace: House, nodes: list[StepNode], choice: ExecutorChoice, folder: str) -> Prepared:
    """Copy the code of the run, write the caches, and say what the manifest should tell."""
    import platform

    from sinagot.config.load import save_cached
    from sinagot.config.snapshot import save_snapshot
    from sinagot.scripts.snapshot import copy_sources
    from sinagot.version import __version__

    configuration = workspace.configuration
    sources = [node.job_step.source for node in nodes if node.job_step is not None]
    copies = copy_sources(sources, f"{folder}/code")
    save_cached(configuration)
    save_snapshot(configuration.raw, folder)
    workspace.blueprint.library.save_index()
    manifest = {
        "argv": sys.argv,
        "host": os.uname().nodename,
        "pid": os.getpid(),
        "user": os.environ.get("USER"),
        "mode": choice.mode,
        "versions": {
            "sinagot": __version__,
            "python": platform.python_version(),
            "workspace": workspace.version,
        },
        "configuration": {
            "files": [str(file) for file in configuration.files],
            "digest": configuration.digest,
        },
        "scripts": {node.place: node.job_step.source.digest for node in nodes if node.job_step is not None},
    }
    return Prepared({node.index: copy for node, copy in zip(nodes, copies, strict=True)}, manifest)


def _refuse_company(workspace: House) -> None:
    """Raise when another live run works on the workspace."""
    from sinagot.engine.claims import live_owners

    others = live_owners(str(workspace.configuration.state_path))
    if others:
        owner = others[0]
        raise WorkspaceBusyError(
            f"run {owner.run_id} (process {owner.pid} on {owner.host}) works on this workspace",
            run_id=owner.run_id,
            owner=owner,
        )
