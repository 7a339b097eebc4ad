"""Which steps and records of a scope one request is about: from a step, until a step, failed ones, a share.

Knows the graph of steps and marks of failures; must not decide what runs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sinagot.engine.planning.graph import RecordGraph, StepNode, on_the_way
from sinagot.engine.state.begun import read_claims
from sinagot.engine.state.claims import file_key
from sinagot.engine.state.history import Marks
from sinagot.errors import ConfigurationError

__all__ = ["Narrowing", "parse_shard"]


def parse_shard(text: str | tuple[int, int]) -> tuple[int, int]:
    """Read which share of the records is meant.

    Parameters
    ----------
    text : str or tuple of int
        ``"2/8"`` or ``(2, 8)``: the second of eight.

    Raises
    ------
    ConfigurationError
        It is none; also a ValueError.

    Examples
    --------
    >>> parse_shard("2/8")
    (2, 8)
    """
    if isinstance(text, str):
        found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text, re.ASCII)
        number, count = (int(found[1]), int(found[2])) if found else (0, 0)
    else:
        number, count = text
    if not 1 <= number <= count:
        raise ConfigurationError.at(
            f"{text!r} is no share of the records", key="shard", found=text, hint="write i/n, such as 2/8"
        )
    return number, count


class Narrowing(NamedTuple):
    """What one request is about, within its scope."""

    step: str | None = None
    from_step: str | None = None
    until_step: str | None = None
    #: Only records of which a step failed or was interrupted.
    failed: bool = False
    #: Number of the share, from 1, and count of shares.
    shard: tuple[int, int] | None = None
    #: Names of nodes of a workflow class: they, and all that they are made from.
    targets: tuple[str, ...] = ()
    #: Whether these run whatever is there.
    is_forced: bool = False
    #: Names of steps, where several are meant and not all.
    steps: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of steps that were given."""
        named = (self.step, self.from_step, self.until_step, *self.steps)
        return tuple(name for name in named if name is not None)

    def _means(self, node: StepNode) -> bool:
        return self.step in (None, node.label) and (not self.steps or node.label in self.steps)

    def choose_nodes(
        self, graph: RecordGraph, nodes: Sequence[StepNode], groups: Sequence[StepNode] = ()
    ) -> list[StepNode]:
        """Choose steps.

        Parameters
        ----------
        graph : RecordGraph
            All steps and who feeds whom.
        nodes : sequence of StepNode
            Those of the scope.
        groups : sequence of StepNode
            Group steps of the scope.

        Returns
        -------
        list of StepNode
            In the given order. From a step: it, those after it in its unit, and all that read what these make. Until a
            step: it, those before it in its unit, and all that make what these read.
        """
        chosen = [node for node in nodes if self._means(node)]
        if self.targets:
            ends = self._ends(nodes, groups)
            kept = _closure(ends, {node.index: node.upstream for node in graph.nodes})
            return [node for node in graph.nodes if node.index in kept]
        if self.from_step is not None:
            first = {(n.task, n.modality): n.step_index for n in nodes if n.label == self.from_step}
            later = {
                n.index for n in nodes if n.step_index >= first.get((n.task, n.modality), n.step_index + 1)
            }
            kept = _closure(later, {node.index: _followers(graph, node.index) for node in graph.nodes})
            chosen = [node for node in chosen if node.index in kept]
        if self.until_step is not None:
            last = {(n.task, n.modality): n.step_index for n in nodes if n.label == self.until_step}
            earlier = {n.index for n in nodes if n.step_index <= last.get((n.task, n.modality), 0)}
            earlier |= {number for n in groups if n.label == self.until_step for number in n.upstream}
            kept = _closure(earlier, {node.index: node.upstream for node in graph.nodes})
            chosen = [node for node in chosen if node.index in kept]
        return chosen

    def target_numbers(self, nodes: Sequence[StepNode]) -> set[int]:
        """Give the nodes that were asked for by name."""
        return {
            node.index
            for node in nodes
            if node.job_step is not None and node.label in self.targets and node.is_node
        }

    def _ends(self, nodes: Sequence[StepNode], groups: Sequence[StepNode]) -> set[int]:
        """Give the steps of records that were asked for by name, or whose results a group step reads that was."""
        asked = [group for group in groups if group.label in self.targets]
        return self.target_numbers(nodes).union(*(group.upstream for group in asked))

    def wanted(self, nodes: Sequence[StepNode]) -> frozenset[int]:
        """Give the nodes whose values are asked for although nothing stores them."""
        names = {*self.targets, *self.steps, *([self.step] if self.step is not None else ())}
        return frozenset(node.index for node in nodes if node.label in names and not node.is_kept)

    def spare(self, nodes: Sequence[StepNode], groups: Sequence[StepNode] = ()) -> frozenset[int]:
        """Give the nodes that are only on the way to those asked for by name."""
        return on_the_way(nodes, self._ends(nodes, groups)) if self.targets else frozenset()

    def choose_groups(
        self, graph: RecordGraph, nodes: Sequence[StepNode], groups: Sequence[StepNode]
    ) -> list[StepNode]:
        """Choose group steps: they stand behind the steps whose outputs they read.

        Parameters
        ----------
        graph, nodes, groups : RecordGraph and sequences of StepNode
            As for `choose_nodes`.

        Returns
        -------
        list of StepNode
            None at all where only some records are meant.
        """
        if not self.is_whole:
            return []
        if self.targets:
            return [group for group in groups if group.label in self.targets]
        chosen = [group for group in groups if self._means(group)]
        if self.from_step is not None:
            later = {node.index for node in Narrowing(from_step=self.from_step).choose_nodes(graph, nodes)}
            chosen = [
                group
                for group in chosen
                if group.label == self.from_step or not later.isdisjoint(group.upstream)
            ]
        if self.until_step is not None:
            chosen = [group for group in chosen if group.label == self.until_step]
        return chosen

    @property
    def is_whole(self) -> bool:
        """True when all records of the scope are meant."""
        return not self.failed and self.shard is None

    def choose_ids(
        self, ids: Sequence[str], nodes: Iterable[StepNode], state: str, logs: str
    ) -> Sequence[str]:
        """Choose records.

        Parameters
        ----------
        ids : sequence of str
            Those of the scope.
        nodes : iterable of StepNode
            The chosen steps: only their failures count.
        state, logs : str
            State folder and log folder.

        Notes
        -----
        Which share a record is in depends on its id alone: records that arrive later change nothing for the others.
        """
        if self.shard is not None:
            from zlib import crc32

            number, count = self.shard
            ids = [one for one in ids if crc32(one.encode("utf-8", "surrogatepass")) % count == number - 1]
        if self.failed:
            dead = {
                name for name, (_, is_honoured) in read_claims(state, logs).open.items() if not is_honoured
            }
            marked = Marks(state, "failures").names() | dead
            chosen = list(nodes)
            ids = [one for one in ids if marked and any(file_key(node.key(one)) in marked for node in chosen)]
        return ids


def _followers(graph: RecordGraph, number: int) -> tuple[int, ...]:
    return tuple(node.index for node in graph.nodes if number in node.upstream)


def _closure(start: Collection[int], edges: dict[int, tuple[int, ...]]) -> set[int]:
    reached = set(start)
    pending = list(start)
    while pending:
        for other in edges[pending.pop()]:
            if other not in reached:
                reached.add(other)
                pending.append(other)
    return reached
