"""Group steps: what is known of them, what is done with each, and its job.

A group step is planned when every job of the records is over: what it reads is what is there then. Knows a survey, as
plans of records do; must not execute anything. `sinagot.engine.run` asks it, and whoever shows status.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, NamedTuple

from sinagot.dataset.prints import print_of
from sinagot.engine.job import Job, JobStep, RunOptions
from sinagot.engine.paths import Paths, flat_paths
from sinagot.engine.planning.changes import DAMAGED, Changes
from sinagot.engine.planning.graph import RecordGraph, Slot, StepNode
from sinagot.engine.planning.outdated import Present
from sinagot.engine.planning.plan import Facts, PlannedJob, Reason, Verdict, decide
from sinagot.engine.planning.status import Evidence, StepStatus, needs_log, step_status
from sinagot.engine.planning.survey import Survey
from sinagot.engine.state.claims import file_key
from sinagot.engine.state.origins import Prints, prints_of
from sinagot.engine.state.partial import PartialMarks, lacking_text
from sinagot.scripts.group import GROUP_ID

__all__ = ["GroupSurvey", "Members"]

#: Changed inputs that are named one by one.
_MOST_NAMED = 5

#: Group step -> ids of the records that it is about.
IdsOf = Callable[[StepNode], Sequence[str]]


class Members(NamedTuple):
    """Which records a group step can read."""

    #: Record id -> its inputs, in the shape that the script declared.
    paths: dict[str, Paths]
    #: Records of which an input is not there, or not to be trusted: what makes it failed, was cut off, or is at work.
    missing: tuple[str, ...]

    @property
    def flat(self) -> list[str]:
        """All paths, record by record."""
        return [path for paths in self.paths.values() for path in flat_paths(paths)]


class GroupSurvey(Survey):
    """What is on disk for group steps, at one moment.

    Parameters
    ----------
    graph : RecordGraph
        The steps.
    *args : object
        As those of `Survey` behind its records.
    ids_of : callable
        Group step -> ids of all records of its task and modality.
    **options : object
        As those of `Survey`.
    """

    def __init__(self, graph: RecordGraph, *args: Any, ids_of: IdsOf, **options: Any) -> None:
        super().__init__(graph, (GROUP_ID,), *args, **options)
        self._ids_of = ids_of
        self._members: dict[int, Members] = {}
        self._looks: dict[int, list[str | None]] = {}
        self._found: dict[int, tuple[Reason, ...]] = {}
        self._partial = PartialMarks(self._state)

    # -- records

    def members(self, node: StepNode) -> Members:
        """Say which records a group step can read, and which it cannot; excluded ones are neither."""
        if node.index not in self._members:
            feeders = [self.graph.node(number) for number in node.upstream]
            paths: dict[str, Paths] = {}
            missing = []
            for record_id in self._ids_of(node):
                if self._is_excluded(record_id, (node, *feeders)):
                    continue
                is_good = not self._is_doubtful(record_id, feeders)
                if is_good and all(self.exists(slot, record_id) for slot in node.inputs):
                    paths[record_id] = self.paths(node.inputs, node.is_dict_in, record_id)
                else:
                    missing.append(record_id)
            self._members[node.index] = Members(paths, tuple(missing))
        return self._members[node.index]

    def is_marked(self, record_id: str) -> bool:
        """Say whether a mark or claim may be about a record, or about a group step."""
        return record_id == GROUP_ID or super().is_marked(record_id)

    def _is_excluded(self, record_id: str, nodes: Iterable[StepNode]) -> bool:
        if not self.decisions or not self.decisions.speaks_of(record_id):
            return False
        return any(self.exclusion(record_id, node) is not None for node in nodes)

    def _is_doubtful(self, record_id: str, feeders: Iterable[StepNode]) -> bool:
        """Say whether what makes an input failed, was cut off, or is at work."""
        return self.is_marked(record_id) and any(
            self.marks_of(record_id, node) != (None, None) for node in feeders
        )

    def is_fed_now(self, nodes: Iterable[StepNode], selected: Collection[int]) -> bool:
        """Say whether somebody is at a job whose output a group step reads, of steps that were asked for."""
        live = {name for name, (_, is_honoured) in self.claims.items() if is_honoured}
        return bool(live) and any(
            file_key(self.graph.node(number).key(record_id)) in live
            for node in nodes
            for number in node.upstream
            if number in selected
            for record_id in self._ids_of(node)
        )

    # -- paths

    @staticmethod
    def _final(slot: Slot) -> str:
        return os.path.join(slot.root, slot.pattern.format({}))

    def absent_outputs(self, node: StepNode) -> tuple[str, ...]:
        """Give the outputs of a group step that are not there."""
        looks = self.outputs_seen(node)
        return tuple(
            self._final(slot) for slot, look in zip(node.outputs, looks, strict=True) if look is None
        )

    def outputs_seen(self, node: StepNode) -> list[str | None]:
        """Give the prints of the outputs of a group step, as they were when they were first asked for.

        A job compares with these: what another run has made since the plan is not made again.
        """
        if node.index not in self._looks:
            self._looks[node.index] = [print_of(self._final(slot)) for slot in node.outputs]
        return self._looks[node.index]

    # -- what changed

    @cached_property
    def changes(self) -> _GroupChanges:
        """What changed since results were made; nothing is looked up before it is asked."""
        return _GroupChanges(self, self._state)

    # -- plan

    def plan_group(
        self,
        node: StepNode,
        *,
        ignore_missing: bool = False,
        coming: Sequence[str] = (),
        is_shown: bool = False,
    ) -> PlannedJob:
        """Decide what is to be done with a group step.

        Parameters
        ----------
        node : StepNode
            The step.
        ignore_missing : bool
            What the user asked for.
        coming : sequence of str
            Ids of records whose inputs would be made before, in the same plan.
        is_shown : bool
            Somebody will read the names of missing outputs.
        """
        facts = self.facts(0, node, is_shown=is_shown, coming=coming)
        is_forced = self.rerun_of(node) == "always"
        verdict, why = decide(
            facts, upstream_runs=bool(coming), force=is_forced, ignore_missing=ignore_missing
        )
        missing = facts.missing_inputs if verdict == Verdict.MISSING_INPUT else ()
        return PlannedJob(node.index, verdict, why, missing)

    def present(self, node: StepNode) -> bytearray:
        """Say (1 or 0) whether all outputs of a group step are there."""
        return bytearray([not self.absent_outputs(node)])

    def facts(
        self, record: int, node: StepNode, *, is_shown: bool = False, coming: Sequence[str] = ()
    ) -> Facts:
        """Give what the plan needs to know of a group step; see `plan_group`."""
        absent = self.absent_outputs(node)
        is_watched = not absent and self.rerun_of(node) == "outdated"
        claim, failed = self.marks_of(GROUP_ID, node)
        patterns = tuple(os.path.join(slot.root, slot.pattern.source) for slot in node.inputs)
        return Facts(
            outputs_present=not absent,
            missing_inputs=() if self.members(node).paths else patterns,
            claim=claim,
            failed=failed is not None,
            missing_outputs=absent if is_shown else (),
            outdated=(*self._reasons(node, coming), *self._lacking_reason(node)) if is_watched else (),
        )

    def lacking(self, node: StepNode) -> dict[str, str]:
        """Give the records that what is there was made without, because they failed, and why they did."""
        is_asked = self.rerun_of(node) == "outdated" and not self.absent_outputs(node)
        return self._partial.lacking(node.key(GROUP_ID)) if is_asked else {}

    def _lacking_reason(self, node: StepNode) -> tuple[Reason, ...]:
        lacking = self.lacking(node)
        return (Reason("records_failed", lacking_text(lacking)),) if lacking else ()

    def _is_outdated(self, node: StepNode) -> bool:
        is_watched = self.rerun_of(node) == "outdated" and not self.absent_outputs(node)
        return is_watched and bool(self._changed(node))

    def _changed(self, node: StepNode) -> tuple[Reason, ...]:
        """Say what changed since the outputs were made, as it was when first asked: each input is looked at once."""
        if node.index not in self._found:
            self._found[node.index] = self.changes.reasons(GROUP_ID, node)
        return self._found[node.index]

    def _reasons(self, node: StepNode, coming: Sequence[str]) -> tuple[Reason, ...]:
        """Say what changed; of records that are made again only that they are."""
        reasons = self._changed(node)
        if coming:
            anew = {
                self.changes.short(path)
                for record_id in coming
                for path in flat_paths(self.paths(node.inputs, node.is_dict_in, record_id))
            }
            reasons = tuple(one for one in reasons if one.subject not in anew)
            names = ", ".join(coming[:_MOST_NAMED]) + (", ..." if len(coming) > _MOST_NAMED else "")
            reasons += (Reason("upstream_runs", f"made again before: {names} ({len(coming)})", names),)
        return _named(reasons)

    # -- job

    def job(self, node: StepNode, step: JobStep, options: RunOptions, params: Mapping[str, Any]) -> Job:
        """Make the job of a group step."""
        members = self.members(node)
        outputs = StepNode.paths(node.outputs, node.is_dict_out, self._final)
        is_outdated = self._is_outdated(node)
        is_damaged = is_outdated and any(reason.code == DAMAGED for reason in self._changed(node))
        lacking = tuple(self.lacking(node))
        return Job(
            node.key(GROUP_ID),
            GROUP_ID,
            step,
            members.flat,
            outputs,
            StepNode.paths(node.control, False, self._final) if node.control else None,
            (),  # what a feeding step has made was looked at here, record by record
            options,
            params,
            self.rerun_of(node) == "always",
            # Where another run was at it, and nothing else is a reason, what is there afterwards is its result.
            self.outputs_seen(node) if is_outdated or lacking else None,
            damaged=tuple(flat_paths(outputs)) if is_damaged else (),
            members=members.paths,
            absent=members.missing,
            again=() if is_outdated else lacking,
            failure=self.failed_attempt(GROUP_ID, node),
        )

    # -- status

    def group_status(self, node: StepNode) -> StepStatus:
        """Give the status of a group step."""
        claim, mark = self.marks_of(GROUP_ID, node)
        failure = self._failure(mark)
        is_there = not self.absent_outputs(node)
        evidence = Evidence(is_there, is_there or bool(self.members(node).paths), claim, failure)
        if needs_log(evidence) and self._has_log(GROUP_ID):
            evidence = self._ask_log(evidence, GROUP_ID, node)
        if is_there and claim is None and failure is None:
            evidence = evidence._replace(outdated=self._is_outdated(node) or bool(self.lacking(node)))
        return step_status(evidence)


def _named(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """Name some changed inputs, and count the others: there may be as many as records."""
    kept: list[Reason] = []
    counts: dict[str, int] = {}
    for one in reasons:
        if one.code.startswith("input_"):
            counts[one.code] = counts.get(one.code, 0) + 1
            if counts[one.code] > _MOST_NAMED:
                continue
        kept.append(one)
    for code, count in counts.items():
        if count > _MOST_NAMED:
            word = code.removeprefix("input_")
            kept.append(Reason(code, f"and {count - _MOST_NAMED:,} more inputs: {word}"))
    return tuple(kept)


class _GroupChanges(Changes):
    """What changed since the results of group steps were made: the inputs of all records count as one list."""

    def __init__(self, survey: GroupSurvey, state: str) -> None:
        super().__init__(survey.graph, state, survey.paths, survey.text, survey.params_of)
        self._survey = survey

    def present(self, record_id: str, node: StepNode, *, content: bool | None = None) -> Present:
        """Look at what is there now for a group step whose outputs are there."""
        assert node.job_step is not None
        members = self._survey.members(node)
        outputs: Prints = self._survey.outputs_seen(node)
        if content:
            paths = self._survey.paths(node.outputs, node.is_dict_out, GROUP_ID)
            outputs = prints_of(paths, partial(print_of, content=True), self.short)
        return Present(
            ["inputs"],
            prints_of(members.flat, self._look(node, members.paths.values(), content), self.short),
            outputs,
            node.job_step.source.digest,
            self._params_text(node, record_id),
            node.job_step.paths,
        )
