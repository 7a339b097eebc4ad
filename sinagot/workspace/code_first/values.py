"""Data of workflows on demand: read where they are stored and as they would be made now, else computed.

Knows a code-first workspace's blueprint and the engine's session; must not know how a step is executed. Reading what is
stored and fresh costs a few looks at files besides the file itself.
"""

from __future__ import annotations

import os
import warnings
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinagot.dataset.prints import print_of
from sinagot.engine.job import Outcome
from sinagot.engine.limits import needs_child
from sinagot.engine.memory import Memory
from sinagot.engine.paths import Paths
from sinagot.engine.planning.changes import Changes
from sinagot.engine.planning.graph import Slot, StepNode, on_the_way
from sinagot.engine.request import Prepared
from sinagot.engine.session import Answer, Session
from sinagot.engine.state.aside import aside_folder, move_aside
from sinagot.engine.state.claims import file_key
from sinagot.engine.state.origins import Origins, params_text, same_prints
from sinagot.errors import MissingDataError, StepFailedError, StoredDataError
from sinagot.runlog.lines import make_line
from sinagot.runlog.write import RecordLog
from sinagot.scripts.codes import StepStatus
from sinagot.workflow.evaluation import PUT_ASIDE, Evaluation, read_part
from sinagot.workflow.handing import own
from sinagot.workflow.parts import Part
from sinagot.workspace.choices import ExecutorChoice
from sinagot.workspace.code_first.node_blueprint import NodeBlueprint
from sinagot.workspace.code_first.refusals import raise_failure, raise_failure_of
from sinagot.workspace.parameters import Parameters
from sinagot.workspace.running import prepare_run, run_options

if TYPE_CHECKING:
    from sinagot.engine.planning.graph import RecordGraph
    from sinagot.workspace.contracts import House

__all__ = ["Latest", "Values", "tell"]

#: A damaged file is made again; one that is damaged again and again is not our file alone.
_MOST_TRIES = 3


def tell(workspace: House, label: str, record_id: str, text: str) -> None:
    """Write a warning into the log of a record, on behalf of a step that is not running."""
    options = run_options(workspace, ignore_missing=False, debug=False, printing=False)
    context = dict.fromkeys(("task", "modality", "run_id", "attempt"))
    context |= {"workspace_version": options.workspace_version, "record_id": record_id, "step_label": label}
    line = make_line(context, StepStatus.PROCESSING, text, level="WARNING")
    RecordLog(options.log, record_id).write(line)


class Latest:
    """The run of what was computed on demand; it outlives its workspace by being ended, and must not hold it."""

    def __init__(self) -> None:
        self.session: Session | None = None

    def close(self) -> None:
        """End it."""
        session, self.session = self.session, None
        if session is not None:
            session.close()


class Values:
    """The data of the workflows of one workspace.

    Parameters
    ----------
    workspace : Workspace
        A code-first one.
    blueprint : NodeBlueprint
        Its blueprint.
    stale : str
        What is done with results that would be made otherwise now.
    """

    def __init__(self, workspace: House, blueprint: NodeBlueprint, stale: str) -> None:
        self._workspace = workspace
        self._blueprint = blueprint
        self._stale = stale
        #: What is ended with the workspace.
        self.latest = Latest()
        self._origins: Origins | None = None
        self._state = str(workspace.configuration.state_path)
        self._changes: tuple[RecordGraph, Changes] | None = None
        self._warned: set[str] = set()

    # -- one node

    def get(self, workflow_id: str, name: str, memory: Memory, *, tells: bool = True) -> Any:
        """Give the data of a node.

        Parameters
        ----------
        workflow_id : str
            Id of the record.
        name : str
            Name of the node.
        memory : Memory
            Values that no file holds, kept by the workflow object.
        tells : bool
            Warn of stale results, where the workspace does.

        Raises
        ------
        StepFailedError
            The step, or one before it, failed.
        MissingDataError
            Input data are not there.
        StoredDataError
            Input data cannot be read as what they should be.
        """
        part = self._blueprint.recipe.parts[name]
        if part.is_seed:
            if part.storage is None:
                raise MissingDataError(
                    f"seed {name!r} of {workflow_id!r} is stored nowhere by {self._blueprint.recipe.title}",
                    node=name,
                    workflow_id=workflow_id,
                )
            return read_part(part, workflow_id, self._blueprint.path_of(part, workflow_id))
        graph = self._blueprint.graph()
        for number in range(_MOST_TRIES):
            try:
                return self._get(graph, part, workflow_id, memory, tells=tells and self._stale == "warn")
            except StoredDataError as error:
                if not self._is_put_aside(error, workflow_id) or number == _MOST_TRIES - 1:
                    raise
        raise AssertionError("the last try gives or raises")

    def each(self, ids: Sequence[str], name: str) -> Iterator[tuple[str, Any, Exception | None]]:
        """Give the data of a node of many workflows, one after the other, or what went wrong with each.

        Parameters
        ----------
        ids : sequence of str
            Ids of records.
        name : str
            Name of the node.

        Notes
        -----
        What nothing stores is computed in this process: its values are needed here, and sending them costs more than
        most of them. Folders are looked at once for all, and values on the way are let go with their workflow. Of
        stale results nothing is said: whoever asks for many tells of all at once.
        """
        part = self._blueprint.recipe.parts[name]
        if part.is_seed or part.is_kept:
            for workflow_id in ids:
                yield self._one(workflow_id, name)
            return
        graph = self._blueprint.graph()
        node = self._blueprint.node_of(graph, part)
        session, request = self._request(graph, node)
        for workflow_id, answer, memory in session.compute_each(graph, self._blueprint.ids, ids, **request):
            try:
                raise_failure_of(self._blueprint, graph, node, workflow_id, answer, memory)
                found = workflow_id, memory.values[name][1], None
            except StoredDataError as error:
                is_gone = self._is_put_aside(error, workflow_id)
                yield self._one(workflow_id, name) if is_gone else (workflow_id, None, error)
            except StepFailedError as error:
                yield workflow_id, None, error
            else:
                yield found

    def _one(self, workflow_id: str, name: str) -> tuple[str, Any, Exception | None]:
        try:
            return workflow_id, self.get(workflow_id, name, Memory(), tells=False), None
        except (StepFailedError, StoredDataError) as error:
            return workflow_id, None, error

    def _get(self, graph: RecordGraph, part: Part, workflow_id: str, memory: Memory, *, tells: bool) -> Any:
        node = self._blueprint.node_of(graph, part)
        is_fresh = node.is_kept and self._is_fresh(graph, node, workflow_id)
        if tells and (is_fresh or not node.is_kept):
            reason = self.why_stale(graph, node, workflow_id)
            if reason:
                what = (
                    "is stale: {}; it is given as it is stored"
                    if node.is_kept
                    else "is made from stale data: {}"
                )
                warnings.warn(
                    f"{node.label} of {workflow_id!r} {what.format(reason)}", UserWarning, stacklevel=5
                )
        if is_fresh:
            return self._load(part, node, workflow_id)
        known = None if node.is_kept else self._remembered(graph, part, node, workflow_id, memory)
        if known is not None:
            return own(known[0])
        feeding = self._blueprint.feeding(graph, node)
        limited = [one for one in feeding if needs_child(one.settings)]
        if node.is_kept and limited:
            self._compute_within_limits([node.label], workflow_id)
        else:
            stored = [one.label for one in limited if one.is_kept and one.is_node]
            if stored:
                self._compute_within_limits(stored, workflow_id)
            self._warn_of_limits(one.label for one in limited if not one.is_kept)
            answer = self._compute(graph, node, workflow_id, memory)
            raise_failure_of(self._blueprint, graph, node, workflow_id, answer, memory)
            for one in feeding:
                if one.is_node and not one.is_kept:
                    memory.versions[one.label] = _version(one)
        if node.is_kept:
            return self._load(part, node, workflow_id)
        return own(memory.values[part.name][1])

    def _remembered(
        self, graph: RecordGraph, part: Part, node: StepNode, workflow_id: str, memory: Memory
    ) -> tuple[Any] | None:
        """Give a value that no file holds and that was computed for this object before, if it came from the same."""
        if part.name not in memory.values or memory.versions.get(part.name) != _version(node):
            return None
        values = self._blueprint.values_of(workflow_id)
        files = {str(slot.name): slot.final(values) for slot in node.inputs}
        found = Evaluation(self._blueprint.recipe, workflow_id, files, memory).recall(part)
        if found is None or (self._stale == "recompute" and self.why_stale(graph, node, workflow_id)):
            return None
        return found

    def _load(self, part: Part, node: StepNode, workflow_id: str) -> Any:
        paths = self._paths(node.outputs, node.is_dict_out, workflow_id)
        if isinstance(paths, dict):
            return {name: Path(str(path)) for name, path in paths.items()}
        return read_part(part, workflow_id, Path(str(paths)))

    def _is_put_aside(self, error: StoredDataError, workflow_id: str) -> bool:
        """Put a stored result that cannot be read aside; False when it is input data, or not there."""
        part = self._blueprint.recipe.parts.get(getattr(error, "node", None) or "")
        if part is None or part.is_seed or part.is_script or isinstance(error, MissingDataError):
            return False
        path = self._blueprint.path_of(part, workflow_id)
        if path.exists():
            node = self._blueprint.node_of(self._blueprint.graph(), part)
            origin = self.origins.get(node.key(workflow_id))
            with suppress(OSError):  # it cannot be read at all
                if origin is not None and same_prints(origin.outputs, [print_of(str(path), content=True)]):
                    return False  # it is what was written: whoever reads it is at fault
            folder = aside_folder(str(self._workspace.configuration.output_path))
            kept = move_aside(str(path), folder)
            tell(self._workspace, part.name, workflow_id, f"{error}; {PUT_ASIDE} {kept}, and made again")
        return True

    # -- fresh or not

    def _paths(self, slots: Sequence[Slot], is_dict: bool, record_id: str) -> Paths:
        values = self._blueprint.values_of(record_id)
        return StepNode.paths(slots, is_dict, lambda slot: slot.final(values))

    @property
    def origins(self) -> Origins:
        """What results came from, as it is known now."""
        if self._origins is None:
            self._origins = Origins(self._state)
        else:
            self._origins.refresh()
        return self._origins

    def _changes_of(self, graph: RecordGraph) -> Changes:
        origins = self.origins
        if self._changes is None or self._changes[0] is not graph:
            values_of = self._blueprint.values_of
            made = Changes(
                graph,
                self._state,
                self._paths,
                lambda slot, record_id: slot.final(values_of(record_id)),
                Parameters(self._workspace.configuration, is_lenient=True),
                origins,
            )
            self._changes = (graph, made)
        return self._changes[1]

    def _is_there(self, node: StepNode, workflow_id: str) -> bool:
        paths = self._paths(node.outputs, True, workflow_id) if node.is_dict_out else None
        flat = paths.values() if isinstance(paths, dict) else [self._paths(node.outputs, False, workflow_id)]
        return all(os.path.exists(str(path)) for path in flat)

    def _is_fresh(self, graph: RecordGraph, node: StepNode, workflow_id: str) -> bool:
        """Say whether what is stored is what would be made now; without asking, where nobody wants to know."""
        if not self._is_there(node, workflow_id):
            return False
        name = file_key(node.key(workflow_id))
        if any(os.access(f"{self._state}/{kind}/{name}", os.F_OK) for kind in ("failures", "claims")):
            return False
        return self._stale != "recompute" or not node.is_node or not self.why_stale(graph, node, workflow_id)

    def why_stale(self, graph: RecordGraph, node: StepNode, workflow_id: str) -> str:
        """Say why a stored result would be made otherwise now, itself or through what it is made from; else nothing."""
        changes = self._changes_of(graph)
        pending, known = [node.index], {node.index}
        while pending:
            one = graph.nodes[pending.pop()]
            if one.is_node and one.is_kept:
                is_there = self._is_there(one, workflow_id)
                look = changes.is_outdated if is_there else changes.is_source_outdated
                if look(workflow_id, one):
                    reasons = changes.reasons(workflow_id, one) if is_there else ()
                    texts = [reason.text for reason in reasons] or ["what it is made from changed"]
                    return "; ".join(texts if one is node else [f"{one.label}: {text}" for text in texts])
            pending += [number for number in one.upstream if number not in known]
            known.update(one.upstream)
        return ""

    def states(self, workflow_id: str) -> dict[str, str]:
        """Give one word a node: stored, stale, missing, failed, not stored, no input. Nothing is computed."""
        blueprint = self._blueprint
        graph = blueprint.graph()
        found = {}
        for part in blueprint.recipe.parts.values():
            if part.is_seed:
                is_there = part.storage is not None and self._blueprint.path_of(part, workflow_id).exists()
                found[part.name] = "stored" if is_there else "no input"
                continue
            node = self._blueprint.node_of(graph, part)
            mark = f"{self._state}/failures/{file_key(node.key(workflow_id))}"
            if os.access(mark, os.F_OK):
                found[part.name] = "failed"
            elif not node.is_kept:
                found[part.name] = "not stored"
            elif not self._is_there(node, workflow_id):
                found[part.name] = "missing"
            else:
                found[part.name] = "stale" if self.why_stale(graph, node, workflow_id) else "stored"
        return found

    # -- computing

    def _compute(self, graph: RecordGraph, node: StepNode, workflow_id: str, memory: Memory) -> Answer:
        session, request = self._request(graph, node)
        return session.compute(
            graph,
            self._blueprint.ids,
            workflow_id,
            **request,
            memory=memory,
            is_known=lambda one: self._is_known(graph, one, workflow_id, memory),
        )

    def _request(self, graph: RecordGraph, node: StepNode) -> tuple[Session, dict[str, Any]]:
        """Give the session that computes a node, and what it is to be asked."""
        chosen = self._blueprint.feeding(graph, node)
        for one in chosen:
            if one.error is not None:
                raise one.error
        session = self.latest.session
        if session is None or session.is_over:
            session = self.latest.session = self._begin(graph)
        return session, {
            "selected": frozenset(one.index for one in chosen),
            "wanted": frozenset() if node.is_kept else frozenset({node.index}),
            "spare": on_the_way(chosen, {node.index}),
            "params_of": Parameters(self._workspace.configuration),
            "origins": self.origins,
        }

    def _is_known(self, graph: RecordGraph, node: StepNode, workflow_id: str, memory: Memory) -> bool:
        if node.is_kept or not node.is_node:
            return False
        part = self._blueprint.recipe.parts[node.label]
        return self._remembered(graph, part, node, workflow_id, memory) is not None

    def _warn_of_limits(self, names: Iterable[str]) -> None:
        """Say once that values which no file holds are computed here, where nobody could end a step."""
        for name in names:
            if name not in self._warned:
                self._warned.add(name)
                text = (
                    f"the limits of step {name!r} do not hold when its value is read: nothing stores it, and it is "
                    "computed in this process; give it a storage, or use compute()"
                )
                warnings.warn(text, UserWarning, stacklevel=6)

    def _compute_within_limits(self, names: Sequence[str], workflow_id: str) -> None:
        """Compute stored results in a process that can be ended: a step on the way has a limit of time or memory."""
        workspace: Any = self._workspace
        report = workspace.compute(*names, ids=[workflow_id], progress=False)
        raise_failure(report)
        if report.counts[Outcome.MISSING_INPUT]:
            reasons = [str(row["reason"]) for row in report.iter_jobs() if row["reason"]]
            raise MissingDataError(
                f"{names[-1]!r} of {workflow_id!r} cannot be made: {'; '.join(reasons)}",
                node=names[-1],
                workflow_id=workflow_id,
                record_id=workflow_id,
            )

    def _begin(self, graph: RecordGraph) -> Session:
        options = run_options(self._workspace, ignore_missing=False, debug=False, printing=False)
        nodes = [node for node in graph.nodes if node.error is None]
        parameters = Parameters(self._workspace.configuration)
        find = weakref.ref(self._workspace)  # whoever computes has it in hand

        def prepare(folder: str) -> Prepared:
            workspace = find()
            assert workspace is not None, "it is at work"
            choice = ExecutorChoice(
                workspace, mode="main_process", workers=None, client=None, address=None, debug=True
            )
            return prepare_run(workspace, nodes, choice, folder, parameters)

        return Session(options, prepare)


def _version(node: StepNode) -> tuple[str, str]:
    """Give what a value comes from besides files: code and arguments."""
    return node.job_step.source.digest if node.job_step is not None else "", params_text(node.params)
