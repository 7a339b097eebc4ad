"""Facts in, verdict and reasons out: what would be done with each job, before anything runs.

Pure: nothing here touches the disk. Dry runs, reports and the real run use the same verdicts.
The facts come from `sinagot.engine.planning.survey`; the verdicts go to `sinagot.engine.run`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from sinagot.engine.planning.graph import RecordGraph

__all__ = ["NOT_NEEDED", "Facts", "PlannedJob", "Reason", "Verdict", "decide", "plan_chain"]


class Verdict:
    """What the plan says of a job."""

    RUN = "run"
    UP_TO_DATE = "up_to_date"
    MISSING_INPUT = "missing_input"
    BLOCKED = "blocked"
    EXCLUDED = "excluded"


class Reason(NamedTuple):
    """Why: a code that programs use and a sentence that people read; what changed, from what to what."""

    code: str
    text: str
    subject: str | None = None
    old: str | None = None
    new: str | None = None


NOT_NEEDED = Reason("not_needed", "not stored: computed when it is asked for")
#: Of a result on the way to what was asked for.
SPARED = Reason(
    "not_needed", "its file is not there, and nothing that is asked for needs it: it would be the same"
)


class Facts(NamedTuple):
    """What is known of one job."""

    outputs_present: bool
    missing_inputs: tuple[str, ...] = ()
    #: None, "live" or "dead".
    claim: str | None = None
    #: A mark says that the last attempt failed or was interrupted.
    failed: bool = False
    #: Declared outputs that are absent, for the reason's text.
    missing_outputs: tuple[str, ...] = ()
    #: What changed since the outputs were made; only asked for where that counts.
    outdated: tuple[Reason, ...] = ()
    #: Who excluded the job, when and why.
    excluded: str | None = None


class PlannedJob(NamedTuple):
    """One job with its verdict and all reasons."""

    node: int
    verdict: str
    reasons: tuple[Reason, ...] = ()
    missing: tuple[str, ...] = ()


def decide(
    facts: Facts,
    *,
    upstream_runs: bool = False,
    upstream_bad: tuple[str, ...] = (),
    upstream_excluded: tuple[str, ...] = (),
    remade: tuple[str, ...] = (),
    force: bool = False,
    needed: bool = False,
    ignore_missing: bool = False,
) -> tuple[str, tuple[Reason, ...]]:
    """Decide what is to be done with one job.

    Parameters
    ----------
    facts : Facts
        What is known of the job.
    upstream_runs : bool
        A step that feeds this one runs before it in the same plan, so that a missing input may appear.
    upstream_bad : tuple of str
        Keys of feeding jobs whose last attempt failed or is unfinished and that will not run in this plan.
    upstream_excluded : tuple of str
        Keys of feeding jobs that are excluded and have nothing to give: nobody is going to make it, so that this job
        is out as well.
    remade : tuple of str
        Keys of feeding jobs that run in this plan, where that makes the outputs of this one outdated.
    force : bool
        The user asked for it.
    needed : bool
        Its value is not stored, and somebody needs it.
    ignore_missing : bool
        The user wants it to run without its inputs.

    Returns
    -------
    tuple of str and tuple of Reason
        A word of `Verdict` and why.

    Examples
    --------
    >>> verdict, reasons = decide(Facts(outputs_present=True))
    >>> verdict, [reason.text for reason in reasons]
    ('up_to_date', ['all outputs are there'])
    >>> decide(Facts(outputs_present=False))[0], decide(Facts(False, missing_inputs=("raw.csv",)))[0]
    ('run', 'missing_input')
    """
    if facts.excluded is not None:
        return Verdict.EXCLUDED, (Reason("excluded", facts.excluded),)
    reasons: list[Reason] = []
    if force:
        reasons.append(Reason("forced", "asked to run again"))
    if needed:
        reasons.append(Reason("needed", "its value is needed, and not stored"))
    if facts.claim == "dead":
        reasons.append(Reason("interrupted", "the last attempt did not end"))
    elif facts.claim == "live":
        reasons.append(Reason("claimed", "another run is working on it"))
    if facts.failed:
        reasons.append(Reason("failed", "the last attempt failed"))
    if not facts.outputs_present:
        names = ", ".join(facts.missing_outputs)
        reasons.append(
            Reason("outputs_missing", f"output not there: {names}" if names else "outputs are not there")
        )
    else:
        reasons += facts.outdated
        reasons += [Reason("upstream_runs", f"{key} is made again", key) for key in remade]
    if not reasons:
        return Verdict.UP_TO_DATE, (Reason("outputs_present", "all outputs are there"),)
    if upstream_bad:
        why = f"the step before it failed or is unfinished: {', '.join(upstream_bad)}"
        return Verdict.BLOCKED, (Reason("upstream", why),)
    if upstream_excluded:
        why = f"the step before it is excluded: {', '.join(upstream_excluded)}"
        return Verdict.EXCLUDED, (Reason("upstream_excluded", why),)
    if facts.missing_inputs and not ignore_missing and not upstream_runs:
        return Verdict.MISSING_INPUT, (
            Reason("input_missing", f"input not there: {', '.join(facts.missing_inputs)}"),
        )
    return Verdict.RUN, tuple(reasons)


def plan_chain(
    graph: RecordGraph,
    chain: Iterable[int],
    facts_of: Callable[[int], Facts],
    key_of: Callable[[int], str],
    *,
    rerun_of: Callable[[int], str] = lambda number: "missing",
    ignore_missing: bool = False,
    selected: frozenset[int] | None = None,
    wanted: frozenset[int] = frozenset(),
    spare: frozenset[int] = frozenset(),
    is_as_before: Callable[[int], bool] = lambda number: False,
) -> list[PlannedJob]:
    """Decide on the jobs of one chain of one record, in running order.

    Parameters
    ----------
    graph : RecordGraph
        The steps and who feeds whom.
    chain : iterable of int
        Nodes of the chain, in running order.
    facts_of, key_of : callable
        Node index -> facts; node index -> job key. Asked only where needed.
    rerun_of : callable
        Node index -> when it runs again: ``"missing"``, ``"outdated"`` or ``"always"``.
    ignore_missing : bool
        What the user asked for.
    selected : frozenset of int, optional
        Nodes that were asked for; all when None.
    wanted : frozenset of int
        Nodes whose values are made although nothing stores them.
    spare : frozenset of int
        Nodes that are on the way only: where their results are gone, they are made again for those that run.
    is_as_before : callable
        Spare node that has no result any more -> whether it would be made as it was.

    Returns
    -------
    list of PlannedJob
        One for each selected node.
    """
    facts_by_node: dict[int, Facts] = {}

    def known(number: int) -> Facts:
        if number not in facts_by_node:
            facts_by_node[number] = facts_of(number)
        return facts_by_node[number]

    chosen = [number for number in chain if selected is None or number in selected]
    gone = {
        number
        for number in spare.intersection(chosen)
        if not known(number).outputs_present and is_as_before(number)
    }
    restored: set[int] = set()
    decide_all = partial(
        _decide_all,
        graph,
        chosen,
        key_of=key_of,
        rerun_of=rerun_of,
        ignore_missing=ignore_missing,
        wanted=wanted,
        restored=restored,
    )

    def as_if_there(number: int) -> Facts:
        facts = known(number)
        return facts._replace(outputs_present=True) if number in gone else facts

    while gone:
        # Those that somebody turns out to need are not.
        planned = decide_all(as_if_there)
        needs = {one.node for one in planned if one.verdict in (Verdict.RUN, Verdict.MISSING_INPUT)}
        asked = {source for number in needs for source in graph.nodes[number].upstream} & gone
        if not asked:
            return [one._replace(reasons=(SPARED,)) if _is_idle(one, gone) else one for one in planned]
        gone -= asked
        restored |= asked
    return decide_all(known)


def _is_idle(planned: PlannedJob, gone: Collection[int]) -> bool:
    return planned.node in gone and planned.verdict == Verdict.UP_TO_DATE


def _decide_all(
    graph: RecordGraph,
    chosen: Sequence[int],
    known: Callable[[int], Facts],
    *,
    key_of: Callable[[int], str],
    rerun_of: Callable[[int], str],
    ignore_missing: bool,
    wanted: frozenset[int],
    restored: Collection[int],
) -> list[PlannedJob]:
    """Decide on some jobs of one record; what is restored is no reason to make again what comes from it."""
    running: set[int] = set()
    #: Of these, the ones whose results will be as they were.
    alike: set[int] = set()
    planned: list[PlannedJob] = []
    # What is stored first: a value that is not is made for those that run, and decided on behind them.
    values = [number for number in chosen if not graph.nodes[number].is_kept]
    for number in [*(number for number in chosen if graph.nodes[number].is_kept), *reversed(values)]:
        node = graph.nodes[number]
        is_needed = number in wanted or not running.isdisjoint(graph.takers[number])
        if not node.is_kept and not is_needed:
            planned.append(PlannedJob(number, Verdict.UP_TO_DATE, (NOT_NEEDED,)))
            continue
        facts = known(number)
        bad: list[str] = []
        out: list[str] = []
        # The step before runs here first, or another run is at it: a missing input may appear.
        is_coming = any(source in running for source in node.upstream)
        for source in node.upstream:
            if source in running or not graph.nodes[source].is_kept:
                continue  # a value is made in the same chain when it is needed
            other = known(source)
            is_bad = other.failed or other.claim == "dead"
            if other.excluded is not None:
                lacks = not other.outputs_present and facts.missing_inputs and not ignore_missing
                if is_bad or lacks:
                    out.append(key_of(source))
            elif is_bad:
                bad.append(key_of(source))
            is_coming = is_coming or other.claim == "live"
        rerun = rerun_of(number)
        changed = [source for source in node.upstream if source in running and source not in alike]
        verdict, reasons = decide(
            facts,
            upstream_runs=is_coming,
            upstream_bad=tuple(bad),
            upstream_excluded=tuple(out),
            remade=tuple(map(key_of, changed)) if rerun == "outdated" else (),
            force=rerun == "always",
            needed=not node.is_kept,
            ignore_missing=ignore_missing,
        )
        if verdict == Verdict.RUN:
            running.add(number)
            if number in restored and not changed:
                alike.add(number)
        missing = facts.missing_inputs if verdict == Verdict.MISSING_INPUT else tuple(bad)
        planned.append(PlannedJob(number, verdict, reasons, missing))
    if values:
        places = {number: place for place, number in enumerate(chosen)}
        planned.sort(key=lambda one: places[one.node])
    return planned
