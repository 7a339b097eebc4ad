"""The status of every step of every record as columns of one byte a job, made anew at little cost.

Knows what a former look found, and which folders have changed since; must not decide what a status is: jobs that are
not plainly done, ready or without input are left to `Survey.status`. Whoever watches a workspace for hours asks it.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from sinagot.engine.planning.graph import Slot, StepNode
from sinagot.engine.planning.status import Evidence, StepStatus
from sinagot.engine.planning.survey import Survey
from sinagot.runlog.lines import log_file_name

__all__ = ["Census"]

#: Seconds. A folder that changed so recently may change again without a new time stamp: it is listed anew.
_FRESH = 2.0
#: No status: files alone do not tell.
_ASK = 255


class _Known:
    """What one look leaves for the next one about the same records."""

    def __init__(self) -> None:
        #: Root and pattern -> time stamp of the folder, and what was there.
        self.flags: dict[tuple[str, str], tuple[int, bytes]] = {}
        #: Step and record -> size and time of the log, and what its newest line says.
        self.logs: dict[tuple[int, str], tuple[tuple[int, int] | None, tuple[int | None, bool]]] = {}


class Census(Survey):
    """What is on disk for all records, as columns of status codes.

    Parameters
    ----------
    *args : object
        As those of `Survey`.
    former : Census, optional
        An earlier look at the same steps: what has not changed since is not looked up again.
    **options : object
        As those of `Survey`.
    """

    def __init__(self, *args: Any, former: Census | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._known: _Known = _Known()
        is_same = former is not None and former.graph is self.graph and former.ids == self.ids
        self._before = former._known if former is not None and is_same else _Known()

    @property
    def is_told_by_folders(self) -> bool:
        """True when whatever changes a status leaves a new time stamp on a folder that is watched."""
        nodes = self.graph.nodes
        return all(
            slot.full is not None for node in nodes for slot in (*node.inputs, *node.outputs)
        ) and not any(self.rerun_of(node) == "outdated" for node in nodes if node.error is None)

    def folders(self) -> set[str]:
        """Give the folders whose time stamps tell of changes: those of files, claims, failures and logs."""
        found = {f"{self._state}/{name}" for name in ("claims", "failures", "decisions.jsonl", "runs")}
        found.add(self._logs)
        for node in self.graph.nodes:
            found |= {_folder(slot) for slot in (*node.inputs, *node.outputs) if slot.folder is not None}
        return found

    def column(self, node: StepNode) -> bytearray:
        """Give the status codes of one step, record by record: those that `status` gives."""
        if node.error is not None:
            return bytearray([StepStatus.ERROR]) * len(self.ids)
        codes = self._plain_codes(node)
        for record in self._special:
            codes[record] = _ASK
        if self._has_logs:
            for code in (StepStatus.DATA_READY, StepStatus.INIT):
                for record in list(_places(codes, code)):
                    if self._has_log(self.ids[record]):
                        codes[record] = _ASK
        for record in list(_places(codes, _ASK)):
            codes[record] = self.status(record, node)
        return codes

    @cached_property
    def _has_logs(self) -> bool:
        try:
            with os.scandir(self._logs) as entries:
                return next(entries, None) is not None
        except OSError:
            return False

    @cached_property
    def _special(self) -> list[int]:
        """The records that a claim, a mark or a decision may be about."""
        if self._cut or self._is_common_marked:
            return [
                record
                for record, record_id in enumerate(self.ids)
                if self.is_marked(record_id) or self.decisions.speaks_of(record_id)
            ]
        names = {*self._marked, *(one.target.record_id for one in self.decisions.all)}
        places = ((bisect_left(self.ids, name), name) for name in names)
        return sorted(place for place, name in places if self.ids[place : place + 1] == [name])

    def _plain_codes(self, node: StepNode) -> bytearray:
        """Give the codes as files alone tell them; `_ASK` where they do not."""
        size = len(self.ids)
        if not node.is_kept or any(slot.full is None for slot in node.inputs):
            return bytearray([_ASK]) * size
        inputs = int.from_bytes(bytes([1]) * size)
        for slot in node.inputs:
            inputs &= int.from_bytes(self._flags_of(slot))
        done = _ASK if self.rerun_of(node) == "outdated" else StepStatus.DONE
        table = bytes([StepStatus.INIT, StepStatus.DATA_READY, done, done]) + bytes(252)
        # All records in one addition: bit 0 of a byte tells of its inputs, bit 1 of its outputs.
        flags = (int.from_bytes(self.present(node)) << 1) + inputs
        return bytearray(flags.to_bytes(size).translate(table)) if size else bytearray()

    def _flags_of(self, slot: Slot, *, is_lean: bool = False) -> bytes:
        key = (slot.root, slot.pattern.canonical)
        if key not in self._flags and slot.full is not None:
            stamp = _stamp(_folder(slot))
            former = self._before.flags.get(key)
            if stamp and former is not None and former[0] == stamp:
                self._flags[key] = former[1]
            flags = super()._flags_of(slot, is_lean=is_lean)
            self.listing(slot.root).forget()
            self._known.flags[key] = (stamp, flags)
        return super()._flags_of(slot, is_lean=is_lean)

    def _ask_log(self, evidence: Evidence, record_id: str, node: StepNode) -> Evidence:
        key = (node.index, record_id)
        try:
            facts = os.stat(f"{self._logs}/{log_file_name(record_id)}")
        except OSError:
            return evidence
        state = (facts.st_size, facts.st_mtime_ns)
        former = self._before.logs.get(key)
        if former is None or former[0] != state:
            asked = super()._ask_log(evidence, record_id, node)
            former = (state, (asked.log_status, asked.log_owner_dead))
        self._known.logs[key] = former
        status, is_dead = former[1]
        return evidence._replace(log_status=status, log_owner_dead=is_dead)


def _places(codes: bytearray, code: int) -> Iterator[int]:
    place = -1
    while (place := codes.find(code, place + 1)) >= 0:
        yield place


def _folder(slot: Slot) -> str:
    return os.path.join(slot.root, slot.folder or "")


def _stamp(folder: str) -> int:
    """Give the time stamp of a folder; 0 where it is too new to tell one state from the next."""
    try:
        stamp = os.stat(folder).st_mtime_ns
    except OSError:
        return 0
    return stamp if time.time() - stamp / 1e9 > _FRESH else 0
