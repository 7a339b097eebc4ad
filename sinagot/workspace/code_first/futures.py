"""Futures of Dask for the data of one node: one task a workflow, which runs its jobs and gives the data.

Knows a blueprint's nodes, plans and clients; must not execute anything here. `sinagot.workflow.distant` is what runs on
a worker.
"""

from __future__ import annotations

import pickle
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

from sinagot.config.hints import did_you_mean
from sinagot.engine.limits import needs_child
from sinagot.engine.planning.graph import on_the_way
from sinagot.engine.planning.jobs import JobMaker
from sinagot.engine.planning.plan import Verdict
from sinagot.engine.state.history import RunFolder
from sinagot.errors import NotFoundError, StorageError
from sinagot.scripts.program import packed
from sinagot.scripts.snapshot import copy_sources
from sinagot.workflow.distant import RemoteNode, remote_value
from sinagot.workspace.choices import ExecutorChoice
from sinagot.workspace.code_first.node_blueprint import NodeBlueprint
from sinagot.workspace.looks import survey_of
from sinagot.workspace.parameters import Parameters
from sinagot.workspace.running import prepare_run, run_options

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["remote"]


def remote(
    workspace: Any,
    blueprint: NodeBlueprint,
    name: str,
    *,
    client: Client | None = None,
    address: str | None = None,
    workers: int | None = None,
) -> list[Any]:
    """Compute a node of all workflows on Dask; see `CodeFirst.remote`."""
    parts = blueprint.recipe.parts
    if name not in tuple(parts):
        hint = did_you_mean(str(name), parts)
        raise NotFoundError(
            f"no node {name!r}; there are {', '.join(parts)}{'; ' + hint if hint else ''}", name=name
        )
    choice = ExecutorChoice(
        workspace, mode="dask", workers=workers, client=client, address=address, debug=False
    )
    with workspace.executor(choice.key, choice.make) as executor:
        found = executor.client  # kept open until the workspace is closed
    return _Request(workspace, blueprint, choice, found).submit(name)


class _Request:
    """One request for futures: a run whose chains are tasks of Dask."""

    def __init__(self, workspace: Any, blueprint: NodeBlueprint, choice: ExecutorChoice, client: Any) -> None:
        self._workspace = workspace
        self._blueprint = blueprint
        self._choice = choice
        self._client = client
        self._options = run_options(workspace, ignore_missing=False, debug=False, printing=False)
        self._folder = RunFolder(self._options.state_path, self._options.run_id)
        self._open = 0
        self._guard = threading.Lock()

    def submit(self, name: str) -> list[Any]:
        """Plan each workflow and send what it needs; gives the futures."""
        blueprint, options = self._blueprint, self._options
        graph = blueprint.graph()
        ids = list(self._workspace)
        part = blueprint.recipe.parts[name]
        node = None if part.is_seed else blueprint.node_of(graph, part)
        chosen = [] if node is None else blueprint.feeding(graph, node)
        for one in chosen:
            if one.error is not None:
                raise one.error
        for one in chosen:
            if not one.is_kept and needs_child(one.settings):
                text = f"the limits of step {one.label!r} do not hold for futures: nothing stores it; give it a storage"
                warnings.warn(text, UserWarning, stacklevel=4)
        parameters = Parameters(self._workspace.configuration)
        try:
            prepared = prepare_run(self._workspace, chosen, self._choice, self._folder.path, parameters)
            self._folder.begin(kind="futures", records=len(ids), **prepared.manifest)
            (owner,) = copy_sources([packed(blueprint.recipe.code.owner)], f"{self._folder.path}/code")
        except OSError as error:
            raise StorageError(
                f"the state folder {options.state_path} can't be written: {error.strerror or error}; futures need it",
                path=options.state_path,
            ) from error
        wanted = frozenset() if node is None or node.is_kept else frozenset({node.index})
        spare = on_the_way(chosen, () if node is None else {node.index})
        survey = survey_of(self._workspace, ids)
        survey.note_failures(range(len(ids)), [one.index for one in chosen])
        maker = JobMaker(survey, options, parameters, wanted)
        steps = {
            one.index: one.job_step._replace(source=prepared.sources[one.index])
            for one in chosen
            if one.job_step is not None
        }
        self._open = len(ids)
        futures = []
        for record, workflow_id in enumerate(ids):
            plans = survey.plan(
                record, ignore_missing=False, selected=frozenset(steps), wanted=wanted, spare=spare
            )
            numbers = [job.node for plan in plans for job in plan if job.verdict == Verdict.RUN]
            files = blueprint.files_of(part, node, workflow_id)
            request = RemoteNode(name, workflow_id, maker.jobs(record, numbers, steps), owner, files)
            future = self._client.submit(
                remote_value,
                pickle.dumps(request),
                list(sys.path),
                key=f"{workflow_id}/{name}-{options.run_id}",
                pure=False,
            )
            future.add_done_callback(self._note)
            futures.append(future)
        if not futures:
            self._folder.end(ok=True)
        return futures

    def _note(self, future: Any) -> None:
        """Take note that a future is over; the run ends with the last one."""
        with self._guard:
            self._open -= 1
            is_over = not self._open
        if is_over:
            self._folder.end(ok=True)
