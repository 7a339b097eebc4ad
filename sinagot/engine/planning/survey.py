"""The facts that plans and status are decided from, looked up with as few file-system calls as possible.

Knows listings, marks and claims; must not decide anything. A folder is listed once per survey, existence is looked up
in sets; only paths whose folder depends on the record are stat'ed.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from urllib.parse import unquote

from sinagot.dataset.listings import Lookups, OrderedNames
from sinagot.dataset.records import RecordIds
from sinagot.dataset.scan import Listing, glob_matches
from sinagot.engine.paths import Paths, script_paths
from sinagot.engine.planning.changes import Changes, ParamsOf, Seen, no_params
from sinagot.engine.planning.graph import RecordGraph, Slot, StepNode
from sinagot.engine.planning.plan import Facts, PlannedJob, plan_chain
from sinagot.engine.planning.status import Evidence, StepStatus, needs_log, step_status
from sinagot.engine.state.begun import read_claims
from sinagot.engine.state.claims import KEPT, file_key
from sinagot.engine.state.decisions import Decision, Decisions
from sinagot.engine.state.history import Marks
from sinagot.engine.state.origins import Origins
from sinagot.runlog.read import newest_status
from sinagot.scripts.group import GROUP_ID
from sinagot.scripts.template import StepPaths

__all__ = ["RULES", "Survey"]

#: When steps run again.
RULES = ("missing", "outdated", "always")

#: Records that are looked at together.
_BLOCK = 256

Values = Mapping[str, str]


class Survey:
    """What is on disk for some records, at one moment.

    Parameters
    ----------
    graph : RecordGraph
        The steps.
    ids : sequence of str
        The records, sorted.
    rule : RecordIds
        What an id is, and the values of its fields.
    state, logs : str
        State folder and log folder.
    rerun : str, optional
        When steps run again, whatever is said of them: ``"missing"``, ``"outdated"`` or ``"always"``.
    params_of : callable, optional
        Step and record id -> its parameters.
    origins : Origins, optional
        What results came from, where it is read already.
    forced : frozenset of int
        Nodes that run whatever is there.
    is_alone : bool
        Of one record, one by one: each path is looked up, and no folder that all records share is listed.
    """

    def __init__(
        self,
        graph: RecordGraph,
        ids: Sequence[str],
        rule: RecordIds,
        state: str,
        logs: str,
        *,
        rerun: str | None = None,
        params_of: ParamsOf = no_params,
        origins: Origins | None = None,
        forced: frozenset[int] = frozenset(),
        is_alone: bool = False,
    ) -> None:
        self._origins = origins
        self._forced = forced
        self.graph = graph
        self.ids = ids
        self.rule = rule
        self.values_of = rule.values
        self.params_of = params_of
        self._rerun = rerun
        self._state = state
        self._logs = logs
        self._is_alone = is_alone
        self._failures = Marks(state, "failures")
        names = self._names_of_marks() if is_alone else None
        self.failed = self._failures.names() if names is None else self._failures.among(names)
        self.claims, self.idle_claims = read_claims(state, logs, names)
        #: Name of a mark -> the attempt that had failed when that was noted.
        self.failed_attempts: dict[str, str] = {}
        #: What people excluded.
        self.decisions = Decisions.read(state)
        self._listings: dict[str, Listing] = {}
        self._lookups: dict[tuple[str, str], Lookups] = {}
        self._present: dict[int, bytearray] = {}
        #: Root and pattern -> whether it is there, record by record.
        self._flags: dict[tuple[str, str], bytes] = {}
        self._log_names: set[str] | None = None
        self._marked = self._find_marked()

    # -- listings

    def listing(self, root: str) -> Listing:
        """Give the listing of a root folder, made on first use."""
        if root not in self._listings:
            self._listings[root] = Listing(root)
        return self._listings[root]

    def _names(self, slot: Slot) -> set[str] | Lookups:
        """Give the names in the folder of a slot."""
        assert slot.folder is not None
        if not self._is_alone:
            return self.listing(slot.root).names(slot.folder)
        key = (slot.root, slot.folder)
        if key not in self._lookups:
            self._lookups[key] = Lookups(self.listing(slot.root), slot.folder)
        return self._lookups[key]

    @property
    def problems(self) -> list[str]:
        """Folders that could not be read."""
        return [problem for listing in self._listings.values() for problem in listing.problems]

    def present(self, node: StepNode) -> bytearray:
        """Say for each record (1 or 0) whether all outputs of a step are there."""
        if node.index not in self._present:
            self._present[node.index] = self.have(node.outputs)
        return self._present[node.index]

    def have(self, slots: Iterable[Slot]) -> bytearray:
        """Say for each record (1 or 0) whether all that some slots name is there."""
        found = bytearray(b"\1") * len(self.ids)
        for slot in slots:
            self._sieve(found, slot)
        return found

    def _sieve(self, found: bytearray, slot: Slot) -> None:
        if slot.full is None:
            for number, record_id in enumerate(self.ids):
                if found[number] and not self.exists(slot, record_id):
                    found[number] = 0
        elif (flags := self._flags_of(slot)) != found:
            found[:] = bytes(a & b for a, b in zip(found, flags, strict=True))

    def _flags_of(self, slot: Slot, *, is_lean: bool = False) -> bytes:
        """Say for each record (1 or 0) whether what a slot names is there, where its path depends on the id alone."""
        key = (slot.root, slot.pattern.canonical)
        flags = self._flags.get(key)
        if flags is None:
            make, skip = slot.formatter, slot.skip
            assert make is not None and slot.folder is not None
            # A set of names takes twice the room of a list, and a third of the time.
            names = (
                OrderedNames(self.listing(slot.root).entries(slot.folder)) if is_lean else self._names(slot)
            )
            flags = self._flags[key] = bytes([make(record_id)[skip:] in names for record_id in self.ids])
        return flags

    def forget_names(self, selected: Iterable[int]) -> None:
        """Keep one byte a path and record instead of all names, where plans of some steps need no more."""
        nodes = self.graph.nodes
        asked = {number for one in selected for number in (one, *nodes[one].upstream)}
        slots = [slot for one in asked for slot in (*nodes[one].inputs, *nodes[one].outputs)]
        if all(slot.full is not None for slot in slots):
            for slot in slots:
                self._flags_of(slot, is_lean=True)
            for listing in self._listings.values():
                listing.forget()

    def exists(self, slot: Slot, record_id: str) -> bool:
        """Say whether what a slot names is there for a record."""
        if slot.free:
            return bool(
                glob_matches(self.listing(slot.root), slot.pattern, self.values_of(record_id), self.rule)
            )
        relative = slot.relative(self._values(slot, record_id))
        if slot.folder is None or os.path.isabs(slot.folder):
            return self.listing(slot.root).exists(relative)
        return relative[slot.skip :] in self._names(slot)

    def _values(self, slot: Slot, record_id: str) -> Values:
        return {"id": record_id} if slot.formatter is not None else self.values_of(record_id)

    def resolve(self, slot: Slot, record_id: str) -> str | list[str]:
        """Give the full path of a slot; a list of all matches when it has free fields."""
        if slot.full is not None:
            return slot.full(record_id)
        if slot.free:
            matches = glob_matches(
                self.listing(slot.root), slot.pattern, self.values_of(record_id), self.rule
            )
            return [os.path.join(slot.root, match) for match in matches]
        return slot.final(self._values(slot, record_id))

    def paths(self, slots: Sequence[Slot], is_dict: bool, record_id: str) -> Paths:
        """Give the full paths of slots in the shape that the script declared."""
        if not is_dict:
            return self.resolve(slots[0], record_id)
        return StepNode.paths(slots, is_dict, partial(self.resolve, record_id=record_id))

    def script_paths(self, node: StepNode, record_id: str) -> StepPaths:
        """Give the final paths of a step for one record, as its script would see them."""
        return script_paths(
            self.paths(node.inputs, node.is_dict_in, record_id),
            self.paths(node.outputs, node.is_dict_out, record_id),
            self.paths(node.control, False, record_id) if node.control else None,
        )

    def missing(self, slots: Iterable[Slot], record_id: str) -> tuple[str, ...]:
        """Give the full path of everything that is not there."""
        return tuple(self.text(slot, record_id) for slot in slots if not self.exists(slot, record_id))

    def _missing_of(self, slots: Iterable[Slot], record: int) -> tuple[str, ...]:
        """Give what `missing` gives, for a record by its number."""
        missing: tuple[str, ...] = ()
        for slot in slots:
            flags = self._flags.get((slot.root, slot.pattern.canonical))
            if not (flags[record] if flags is not None else self.exists(slot, self.ids[record])):
                missing += (self.text(slot, self.ids[record]),)
        return missing

    def text(self, slot: Slot, record_id: str) -> str:
        """Give the full path of a slot as text, with a star for each free field."""
        if not slot.free:
            return slot.final(self._values(slot, record_id))
        stars = {**self.values_of(record_id), **dict.fromkeys(slot.free, "*")}
        return os.path.join(slot.root, slot.pattern.format(stars))

    # -- marks and claims

    def add_failed(self, names: set[str]) -> None:
        """Take jobs for failed, as if marks of these names were there."""
        if names:
            self.failed = {*self.failed, *names}
            self._marked = self._find_marked()

    def _names_of_marks(self) -> set[str]:
        """Give the names of all marks and claims that may be about the records, or about group steps."""
        keys = [node.key(record_id) for record_id in self.ids for node in self.graph.nodes]
        return set(map(file_key, [*keys, *(node.key(GROUP_ID) for node in self.graph.groups)]))

    def _find_marked(self) -> frozenset[str]:
        """Give the records that any mark or claim may be about."""
        names = {*self.failed, *self.claims}
        # Of an over-long key the name has the beginning only: all records that begin so may be meant.
        self._cut = {name[:KEPT] for name in names if name[KEPT : KEPT + 1] == "~"}
        #: What all records share failed or is claimed: that is about each of them.
        self._is_common_marked = any(
            node.is_common and file_key(node.key(GROUP_ID)) in names for node in self.graph.nodes
        )
        return frozenset(unquote(name, errors="surrogateescape").partition("/")[0] for name in names)

    def is_marked(self, record_id: str) -> bool:
        """Say whether a mark or claim may be about a record."""
        if self._is_common_marked or record_id in self._marked:
            return True
        return bool(self._cut) and file_key(f"{record_id}/")[:KEPT] in self._cut

    def marks_of(self, record_id: str, node: StepNode) -> tuple[str | None, str | None]:
        """Give the claim on a job (``"live"`` or ``"dead"``) and the name of the mark of its failure, if any."""
        if not self.is_marked(record_id):
            return None, None
        name = file_key(node.key(record_id))
        claim = None
        if name in self.claims:
            claim = "live" if self.claims[name][1] else "dead"
        return claim, name if name in self.failed else None

    def _failure(self, mark: str | None) -> int | None:
        """Read the status on the mark of a failure."""
        return (
            None if mark is None else int((self._failures.read(mark) or {}).get("status", StepStatus.ERROR))
        )

    def note_failures(self, records: Iterable[int], selected: Iterable[int]) -> None:
        """Remember which attempts have failed up to now: of others, another run has tried the job meanwhile."""
        if not self.failed:
            return
        groups = [node.key(GROUP_ID) for node in self.graph.groups]
        marked = [self.ids[record] for record in records if self.is_marked(self.ids[record])]
        nodes = [self.graph.nodes[number] for number in selected]
        for key in dict.fromkeys((*groups, *(node.key(one) for one in marked for node in nodes))):
            name = file_key(key)
            attempt = (self._failures.read(name) or {}).get("attempt") if name in self.failed else None
            if attempt is not None:
                self.failed_attempts[name] = str(attempt)

    def failed_attempt(self, record_id: str, node: StepNode) -> str | None:
        """Name the attempt at a job that had failed when that was noted; None where none had."""
        mark = self.marks_of(record_id, node)[1] if self.failed_attempts else None
        return None if mark is None else self.failed_attempts.get(mark)

    # -- decisions

    def exclusion(self, record_id: str, node: StepNode) -> Decision | None:
        """Give the decision that excludes a job; None when it is not excluded."""
        return self.decisions.exclusion(record_id, node.task, node.modality, node.label)

    # -- what changed

    def rerun_of(self, node: StepNode, record: int = 0) -> str:
        """Say when a step runs again; what all records share is made anew for the first of them only."""
        if node.index in self._forced and not (record and node.is_shared):
            return "always"
        return self._rerun or node.settings.rerun or "missing"

    @cached_property
    def changes(self) -> Changes:
        """What changed since results were made; nothing is looked up before it is asked."""
        return Changes(self.graph, self._state, self.paths, self.text, self.params_of, self._origins)

    def count_older(self, nodes: Sequence[StepNode], seconds: float = math.inf) -> tuple[int, bool]:
        """Count the results that are older than one of their inputs, of steps for which that is no reason to run.

        Parameters
        ----------
        nodes : sequence of StepNode
            The steps.
        seconds : float
            How long it may take: every file is looked at.

        Returns
        -------
        tuple of int and bool
            How many there are, and whether all were looked at.
        """
        count, end = 0, time.monotonic() + seconds
        watched = [
            node for node in nodes if node.error is None and node.is_kept and self.rerun_of(node) == "missing"
        ]
        for start in range(0, len(self.ids), _BLOCK):
            if time.monotonic() > end:
                return count, False
            ids = self.ids[start : start + _BLOCK]
            seen: Seen = {}
            for node in watched:
                older = self.changes.older(ids, node, seen)
                kept = self.present(node)[start : start + _BLOCK]
                count += sum(
                    is_older and is_there and self.exclusion(record_id, node) is None
                    for record_id, is_older, is_there in zip(ids, older, kept, strict=True)
                )
        return count, True

    def facts(self, record: int, node: StepNode, *, is_shown: bool = False) -> Facts:
        """Give what the plan needs to know of one job; the names of missing outputs only if somebody will read them."""
        record_id = self.ids[record]
        present = bool(self.present(node)[record])
        exclusion = self.exclusion(record_id, node)
        is_watched = present and node.is_kept and exclusion is None and self.rerun_of(node) == "outdated"
        claim, failed = self.marks_of(record_id, node)
        return Facts(
            outputs_present=present,
            missing_inputs=self._missing_of(node.inputs, record),
            claim=claim,
            failed=failed is not None,
            missing_outputs=self._missing_of(node.outputs, record) if is_shown and not present else (),
            outdated=self.changes.reasons(record_id, node) if is_watched else (),
            excluded=exclusion.text if exclusion is not None else None,
        )

    def plan(
        self,
        record: int,
        *,
        ignore_missing: bool,
        selected: frozenset[int],
        wanted: frozenset[int] = frozenset(),
        spare: frozenset[int] = frozenset(),
        is_shown: bool = False,
    ) -> list[list[PlannedJob]]:
        """Plan the selected steps of one record, chain by chain; `wanted` and `spare` are told in `plan_chain`."""
        record_id = self.ids[record]
        plans = []
        for chain in self.graph.chains:
            if selected.isdisjoint(chain):
                continue
            plans.append(
                plan_chain(
                    self.graph,
                    chain,
                    lambda number: self.facts(record, self.graph.nodes[number], is_shown=is_shown),
                    lambda number: self.graph.nodes[number].key(record_id),
                    rerun_of=lambda number: self.rerun_of(self.graph.nodes[number], record),
                    ignore_missing=ignore_missing,
                    selected=selected,
                    wanted=wanted,
                    spare=spare,
                    is_as_before=lambda number: self.changes.is_as_before(
                        record_id, self.graph.nodes[number]
                    ),
                )
            )
        return plans

    def claim_run(self, key: str) -> str | None:
        """Name the run that holds a job."""
        owner = self.claims.get(file_key(key), (None, False))[0]
        return owner.run_id if owner is not None else None

    # -- status

    def status(self, record: int, node: StepNode) -> StepStatus:
        """Give the status of one step of one record."""
        record_id = self.ids[record]
        if self.exclusion(record_id, node) is not None:
            return step_status(Evidence(False, False, excluded=True))
        claim, mark = self.marks_of(record_id, node)
        failure = self._failure(mark)
        present = node.is_kept and bool(self.present(node)[record])
        inputs = present or not self._missing_of(node.inputs, record)
        evidence = Evidence(present, inputs, claim, failure)
        if needs_log(evidence) and self._has_log(record_id):
            evidence = self._ask_log(evidence, record_id, node)
        if present and claim is None and failure is None and self.rerun_of(node) == "outdated":
            evidence = evidence._replace(outdated=self.changes.is_outdated(record_id, node))
        return step_status(evidence)

    def _has_log(self, record_id: str) -> bool:
        if self._log_names is None:
            from sinagot.runlog.write import log_file_name

            self._log_file_name = log_file_name
            try:
                self._log_names = set(os.listdir(self._logs))
            except OSError:
                self._log_names = set()
        return self._log_file_name(record_id) in self._log_names

    def _ask_log(self, evidence: Evidence, record_id: str, node: StepNode) -> Evidence:
        found = newest_status(self._logs, record_id, node.task, node.modality, node.label)
        if found is None:
            return evidence
        status, line = found
        return evidence._replace(log_status=status, log_owner_dead="run_id" in line)
