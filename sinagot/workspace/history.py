"""The runs of a workspace: what `ws.runs` gives.

Knows the accounts of runs and makes tables of them; must not read the state folder itself. Reading writes nothing:
an object looks when it is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from sinagot.engine.accounts.runs import RunFacts, facts_of, find_run, run_ids
from sinagot.workspace.tables import attempts_frame, runs_frame

if TYPE_CHECKING:
    from pandas import DataFrame

    from sinagot.engine.accounts.acts import AttemptActs
    from sinagot.engine.accounts.contrasts import RunDiff
    from sinagot.engine.accounts.digests import RunDigest
    from sinagot.engine.accounts.stages import ActTally, StepActs
    from sinagot.engine.accounts.standing import StandingFailure
    from sinagot.engine.accounts.underway import RunProgress

__all__ = ["Run", "Runs"]


class Run:
    """One run: what was known of it when it was looked up, as attributes, see `RunFacts`.

    Examples
    --------
    >>> import sinagot
    >>> ws = sinagot.Workspace("example/harbor")
    >>> report = ws.steps.run()  # doctest: +ELLIPSIS
    REC-...
    >>> ws.runs.last.state, ws.runs.last.counts["done"]
    ('ended', 6)
    """

    def __init__(self, state: str, facts: RunFacts, logs: str | None = None) -> None:
        self._state = state
        self._logs = logs
        #: What is known of it.
        self.facts = facts

    def __getattr__(self, name: str) -> Any:
        if name in RunFacts._fields or name in ("failures", "open", "settled"):
            return getattr(self.facts, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *RunFacts._fields, "failures", "open", "settled"})

    def attempts(self) -> DataFrame:
        """Give every attempt of the run that is over.

        Returns
        -------
        DataFrame
            One row an attempt, in the order in which they began; columns as `iter_attempts` names them.
        """
        return attempts_frame(self._state, self.facts.run_id)

    def progress(self) -> RunProgress:
        """Say how far the run is now: settled of total, rate, seconds to go, what runs."""
        from sinagot.engine.accounts.underway import RunWatch  # of runs that go on only

        return RunWatch(self._state, self.facts.run_id, self._logs).progress()

    def digest(self) -> RunDigest:
        """Give the run in short: its steps with durations and memory, slowest jobs, failures by cause."""
        from sinagot.engine.accounts.digests import digest_of_run  # rarely asked for

        return digest_of_run(self._state, self.facts.run_id)

    def stages(self) -> list[StepActs]:
        """Count the stages of the pipelines of the run, and the processors of its flows; empty when it had none.

        Returns
        -------
        list of StepActs
            One a step, its stages in running order; also those that have not begun.
        """
        from sinagot.pipeline.album import has_portraits, read_portraits  # of pipelines only

        if not has_portraits(self._state, self.facts.run_id):
            return []
        from sinagot.engine.accounts.stages import in_order_of

        portraits = read_portraits(self._state, self.facts.run_id)
        orders = {step: [node.name for node in one.in_order()] for step, one in portraits.items()}
        kinds = {step: one.kind for step, one in portraits.items()}
        found = in_order_of(self._tally().steps(), orders)
        return [one._replace(kind=kinds.get(one.step, one.kind)) for one in found]

    def acts(
        self, step: str | None = None, *, most: int | None = None, is_all: bool = True
    ) -> Iterator[AttemptActs]:
        """Give the stages of single attempts of pipelines in the run.

        Parameters
        ----------
        step : str, optional
            Only of this one, with its task and modality: of each job the newest attempt, the newest first.
        most : int, optional
            So many at most.
        is_all : bool
            Also those that went well.
        """
        from sinagot.engine.accounts.acts import iter_acts, read_attempts

        if step is None:
            yield from islice(iter_acts(self._state, self.facts.run_id), most)
            return
        tally = self._tally()
        chosen: dict[str, tuple[str, int]] = {}
        for state in (None,) if is_all else ("RUNNING", "ERROR", "INTERRUPTED"):
            chosen |= {job.attempt: (job.worker, job.place) for job in tally.find(step, state=state)}
        wanted = dict(islice(chosen.items(), most))
        found = read_attempts(self._state, self.facts.run_id, wanted)
        yield from (found[name] for name in wanted if name in found)

    def _tally(self) -> ActTally:
        from sinagot.engine.accounts.stages import ActTally

        tally = ActTally(self._state, self.facts.run_id)
        tally.read()
        return tally

    def before(self) -> Run | None:
        """Give the run before this one; None when there is none. What `accept` has settled is no run."""
        ids = run_ids(self._state)
        older = ids[ids.index(self.facts.run_id) + 1 :] if self.facts.run_id in ids else []
        found = (facts_of(self._state, run_id) for run_id in older)
        facts = next((one for one in found if one.kind == self.facts.kind), None)
        return None if facts is None else Run(self._state, facts, self._logs)

    def diff(self, other: Run | str) -> RunDiff:
        """Say what differs from this run to another one.

        Parameters
        ----------
        other : Run or str
            A run, or what `ws.runs[...]` takes.

        Raises
        ------
        UnknownRunError
            There is no such run.
        """
        from sinagot.engine.accounts.contrasts import diff_runs  # rarely asked for

        found = other.facts if isinstance(other, Run) else find_run(self._state, other)
        return diff_runs(self._state, self.facts.run_id, found.run_id)

    def _repr_html_(self) -> str:
        from sinagot.engine.accounts.cards import run_card  # in notebooks only

        return run_card(self.facts)

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{count} {outcome.replace('_', ' ')}" for outcome, count in self.facts.counts.items() if count
        )
        return f"<Run instance | {self.facts.run_id} {self.facts.state}: {counts or 'nothing settled'}>"


class Runs:
    """All runs of a workspace, newest first.

    Parameters
    ----------
    state : str
        The state folder.
    logs : str, optional
        The log folder.

    Examples
    --------
    >>> import sinagot
    >>> sinagot.Workspace("example/harbor").runs
    <Runs instance | none>
    """

    def __init__(self, state: str, logs: str | None = None) -> None:
        self._state = state
        self._logs = logs

    def __iter__(self) -> Iterator[Run]:
        yield from self.head(None)

    def head(self, count: int | None = 5) -> Iterator[Run]:
        """Give the newest `count` runs."""
        for run_id in run_ids(self._state)[: None if count is None else max(count, 0)]:
            yield Run(self._state, facts_of(self._state, run_id), self._logs)

    def __len__(self) -> int:
        return len(run_ids(self._state))

    def __bool__(self) -> bool:
        return bool(run_ids(self._state))

    def __getitem__(self, run_id: str | int) -> Run:
        """Find a run by its id, its beginning or end, or ``"last"``; or by its place, 0 for the newest.

        Raises
        ------
        UnknownRunError
            There is none, or there are several.
        IndexError
            There are not so many.
        """
        if isinstance(run_id, int):
            return Run(self._state, facts_of(self._state, run_ids(self._state)[run_id]), self._logs)
        return Run(self._state, find_run(self._state, run_id), self._logs)

    @property
    def last(self) -> Run | None:
        """The newest run; None when there is none."""
        return next(iter(self), None)

    def failures(self) -> list[StandingFailure]:
        """List the failures that stand now, over all runs, grouped by cause; the largest group first."""
        from sinagot.engine.accounts.standing import current_failures  # rarely asked for

        return current_failures(self._state)

    def to_dataframe(self) -> DataFrame:
        """Give one row a run, newest first: what is known of it, and one column for each outcome."""
        return runs_frame(run.facts for run in self)

    def _repr_html_(self) -> str:
        from sinagot.engine.accounts.cards import runs_card  # in notebooks only

        return runs_card(run_ids(self._state), lambda run_id: facts_of(self._state, run_id))

    def __repr__(self) -> str:
        ids = run_ids(self._state)
        return f"<Runs instance | {f'{len(ids)}, newest {ids[0]}' if ids else 'none'}>"
