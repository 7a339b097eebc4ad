"""Steps of a scope: look at them, ask for their status, run them.

Knows scopes and makes requests of the engine from them; must not execute anything itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sinagot.config.hints import unknown_step
from sinagot.engine.planning.status import StepStatus
from sinagot.errors import NotFoundError
from sinagot.scripts.group import GROUP_ID
from sinagot.workspace.contracts import Selection
from sinagot.workspace.display.live import choose_display
from sinagot.workspace.looks import group_status_of, group_survey_of, status_of, survey_of
from sinagot.workspace.narrowing import Narrowing, parse_shard
from sinagot.workspace.running import start_run
from sinagot.workspace.step import Step
from sinagot.workspace.tables import status_frame

if TYPE_CHECKING:
    from distributed import Client
    from pandas import DataFrame

    from sinagot.engine.accounts.report import RunReport
    from sinagot.engine.planning.accept import Accepted
    from sinagot.engine.planning.graph import StepNode
    from sinagot.engine.run import Progress
    from sinagot.workspace.plans import Plan

__all__ = ["Step", "StepCollection"]


class StepCollection:
    """The steps of a scope.

    Parameters
    ----------
    model : Scope
        A collection of records or a record.

    Examples
    --------
    >>> import sinagot
    >>> steps = sinagot.Workspace("example/harbor").steps
    >>> steps.scripts_names(), steps.count(), steps.get("mean")
    (['count', 'mean'], 2, <Step instance | label: mean>)
    """

    def __init__(self, model: Selection) -> None:
        self.model = model

    @property
    def _is_flat(self) -> bool:
        return self.model.workspace.is_unit_mode or self.model.modality is not None

    def _names(self, modality: str | None) -> list[str]:
        task = self.model.task
        workspace = self.model.workspace
        if (
            modality is not None
            and task is not None
            and modality not in workspace.configuration.tasks[task].modalities
        ):
            return []
        return workspace.blueprint.script_names(task, modality)

    def _by_modality(self, take: Callable[[str | None], Any]) -> Any:
        if self._is_flat:
            return take(self.model.modality)
        return {name: take(name) for name in self.model.workspace.configuration.modalities}

    def scripts_names(self) -> Any:
        """List the names of the steps; a dict modality -> list for a scope without a modality."""
        return self._by_modality(self._names)

    def count(self) -> Any:
        """Count the steps; a dict modality -> int for a scope without a modality."""
        return self._by_modality(lambda modality: len(self._names(modality)))

    def first(self) -> Any:
        """Give the first step, None without one; a dict for a scope without a modality."""

        def take(modality: str | None) -> Step | None:
            names = self._names(modality)
            return Step(self._of(modality), names[0]) if names else None

        return self._by_modality(take)

    def _of(self, modality: str | None) -> Selection:
        if modality is None or self.model.modality is not None:
            return self.model
        scope: Selection = self.model.get_subscope(modality=modality)
        return scope

    def get(self, script_name: str) -> Any:
        """Give a step by name; a dict modality -> step (None where unknown) for a scope without a modality.

        Raises
        ------
        NotFoundError
            There is no such step; also a LookupError.
        """
        if self._is_flat:
            self.check_name(script_name)
            return Step(self.model, script_name)

        def take(modality: str | None) -> Step | None:
            groups = self.model.workspace.blueprint.group_names(self.model.task, modality)
            is_known = script_name in (*self._names(modality), *groups)
            return Step(self._of(modality), script_name) if is_known else None

        return self._by_modality(take)

    def all(self) -> Iterator[Step]:
        """Give the steps, modality by modality."""
        if self._is_flat:
            for name in self._names(self.model.modality):
                yield Step(self.model, name)
        else:
            for modality, names in self.scripts_names().items():
                for name in names:
                    yield Step(self._of(modality), name)

    def __iter__(self) -> Iterator[Step]:
        return self.all()

    def group_names(self) -> list[str]:
        """List the steps that run once for all records (`group_scripts`), each once."""
        model = self.model
        units = model.workspace.blueprint.units(model.task, model.modality)
        blueprint = model.workspace.blueprint
        names = [name for unit in units for name in blueprint.group_names(*unit)]
        free = blueprint.free_group_names() if model.task is None and model.modality is None else []
        return list(dict.fromkeys([*names, *free]))

    def _free_names(self) -> list[str]:
        """List the steps of no task or modality, where the scope is about all of them."""
        model = self.model
        return model.workspace.blueprint.free_names() if model.task is None and model.modality is None else []

    def check_name(self, step_label: str, *, is_whole: bool = True) -> None:
        """Refuse the name of a step that there is not.

        Parameters
        ----------
        step_label : str
            The name.
        is_whole : bool
            All records of the scope are meant: group steps run for all of them only.

        Raises
        ------
        NotFoundError
            There is none, or it is a group step and some records are meant.
        """
        names = self.scripts_names()
        groups = self.group_names()
        known = (
            [*names, *groups]
            if isinstance(names, list)
            else list(
                dict.fromkeys(
                    [*(name for some in names.values() for name in some), *groups, *self._free_names()]
                )
            )
        )
        if step_label in groups and not (is_whole and self.model.is_whole):
            raise NotFoundError(
                f"{step_label!r} is a group step: it runs for all records at once, not for some of them",
                name=step_label,
            )
        if step_label not in known:
            raise unknown_step(repr(self.model), step_label, known)

    def run(
        self,
        step_label: str | None = None,
        force: bool = False,
        ignore_missing: bool = False,
        debug: bool = False,
        *,
        rerun: str | None = None,
        params: Mapping[str, Any] | None = None,
        from_step: str | None = None,
        until_step: str | None = None,
        failed: bool = False,
        shard: str | tuple[int, int] | None = None,
        dry_run: bool = False,
        mode: str | None = None,
        workers: int | None = None,
        client: Client | None = None,
        address: str | None = None,
        exclusive: bool = False,
        fail_fast: bool = False,
        max_failures: int | None = None,
        printing: bool = True,
        progress: Callable[[Progress], None] | bool | None = None,
        wait: bool = True,
    ) -> RunReport:
        """Run the steps of the scope that are not done.

        Parameters
        ----------
        step_label : str, optional
            Run this step only.
        force : bool
            Run also what is up to date.
        ignore_missing : bool
            Run also where inputs are not there.
        debug : bool
            Run in this process, in order, and let the script's own exception out.
        rerun : {"missing", "outdated", "always"}, optional
            When steps run again: outputs are missing or failed; also when something that they came from changed; or
            always. As configured for each step when not given.
        params : mapping, optional
            Parameters that win over the configuration, for this run.
        from_step, until_step : str, optional
            Only this step and what comes after it, or before it: in its unit, and wherever files lead.
        failed : bool
            Only records of which a step failed or was interrupted.
        shard : str or tuple of int, optional
            Only a share of the records: ``"2/8"`` is the second of eight. Which one a record is in depends on its id.
        dry_run : bool
            Plan only; the report's `plan` says what would run and why.
        mode : {"main_process", "processes", "dask"}, optional
            Where jobs run; as configured when not given.
        workers : int, optional
            Number of worker processes; without `mode` it means ``"processes"``.
        client : distributed.Client, optional
            Run through this client; it stays open.
        address : str, optional
            Run through the Dask scheduler at this address.
        exclusive : bool
            Refuse to start while another run works on the workspace.
        fail_fast : bool
            Start nothing new after the first failed job.
        max_failures : int, optional
            Start nothing new after so many failed jobs.
        printing : bool
            Print the lines of the attempts to standard output.
        progress : callable or bool, optional
            Called with a `Progress` some times a second. True shows how far it is, False does not; when not given, it
            is shown in notebooks only.
        wait : bool
            Return when the run is over. With False a thread goes on with it and fills the report; see `RunReport.wait`.

        Returns
        -------
        RunReport
            What became of every job.

        Raises
        ------
        NotFoundError
            There is no such step.
        ConfigurationError
            A script's class `Params` refuses parameters; nothing was run.
        ScriptError
            Some scripts are broken; what could run has run, `report` has it.
        WorkspaceBusyError
            Exclusive use was asked for and another run is going on.
        KeyboardInterrupt
            Ctrl-C; its `report` has what was done.
        SystemExit
            SIGTERM, SIGHUP or SIGUSR1 (code 143, 129 or 138), with `report` as well.
        """
        narrowing = self._narrowed(step_label, from_step, until_step, failed, shard)
        return start_run(
            self.model,
            narrowing,
            force=force,
            ignore_missing=ignore_missing,
            debug=debug,
            rerun=rerun,
            params=params,
            dry_run=dry_run,
            mode=mode,
            workers=workers,
            client=client,
            address=address,
            exclusive=exclusive,
            max_failures=1 if fail_fast else max_failures,
            printing=printing,
            progress=choose_display(progress, wait=wait, dry_run=dry_run),
            wait=wait,
        )

    def plan(self, step_label: str | None = None, force: bool = False, **options: Any) -> Plan:
        """Say what `run` would do with every job, and why; nothing is run and nothing is written.

        Parameters
        ----------
        step_label : str, optional
            This step only.
        force : bool
            As if all were to run again.
        **options
            As those of `run` that say what runs: `ignore_missing`, `rerun`, `params`, `from_step`, `until_step`,
            `failed`, `shard`.

        Returns
        -------
        Plan
            Every job with verdict, reasons (old and new value of what changed) and about how long it takes.

        Raises
        ------
        NotFoundError
            There is no such step.
        ScriptError
            Some scripts are broken.

        Examples
        --------
        >>> import sinagot
        >>> ws = sinagot.Workspace("example/harbor")
        >>> ws.records.get("REC-20200601").steps.plan("mean", force=True)
        <Plan instance | 1 run>
        """
        from sinagot.workspace.plans import Plan

        return Plan(self.run(step_label, force, dry_run=True, printing=False, **options))

    def count_older(self, step_label: str | None = None) -> int:
        """Count results that are older than one of their inputs, of steps that run again only when outputs are missing.

        Parameters
        ----------
        step_label : str, optional
            This step only.

        Examples
        --------
        >>> import sinagot
        >>> sinagot.Workspace("example/harbor").steps.count_older()
        0
        """
        workspace = self.model.workspace
        survey = survey_of(workspace, self.model.record_ids())
        return survey.count_older(workspace.nodes_of(self.model, step_label))[0]

    def accept(self, reason: str, step_label: str | None = None) -> list[Accepted]:
        """Settle changes that do not change results: what is there counts as made from what is there now.

        Parameters
        ----------
        reason : str
            Why; kept with who and when.
        step_label : str, optional
            This step only.

        Returns
        -------
        list of Accepted
            The results that were outdated, each with what had changed; they are up to date from now on.

        Raises
        ------
        NotFoundError
            There is no such step.
        ValueError
            There is no reason.
        """
        if step_label is not None:
            self.check_name(step_label)
        from sinagot.workspace.accepting import accept

        return accept(self.model, reason, step_label)

    def _narrowed(
        self,
        step: str | None,
        from_step: str | None,
        until_step: str | None,
        failed: bool,
        shard: str | tuple[int, int] | None,
    ) -> Narrowing:
        share = None if shard is None else parse_shard(shard)
        narrowing = Narrowing(step, from_step, until_step, failed, share)
        for label in narrowing.labels:
            self.check_name(label, is_whole=narrowing.is_whole)
        return narrowing

    def iter_status(self, step_label: str | None = None) -> Iterator[dict[str, Any]]:
        """Give one row a record, unit and step: `record_id, task, modality, step_index, step_label, step_status`.

        Group steps have one row each, at the end; their `record_id` is ``"all/records"``.
        """
        model = self.model
        workspace = model.workspace
        nodes = workspace.nodes_of(model, step_label)
        ids = model.record_ids()
        survey = survey_of(workspace, ids)
        for record, record_id in enumerate(ids):
            for node in nodes:
                yield _status_row(record_id, node, status_of(survey, record, node))
        workspace.note_problems(survey.problems)
        groups = workspace.groups_of(model, step_label)
        look = group_survey_of(model) if groups else None
        for node in groups:
            assert look is not None
            yield _status_row(GROUP_ID, node, group_status_of(look, node))

    def status(self) -> DataFrame:
        """Give the status of every step as a table.

        Returns
        -------
        DataFrame
            One row a step and unit; columns `record_id, task, modality, step_index` (from 1), `step_label`,
            `step_status` (a value of `StepStatus`).
        """
        return status_frame(self.iter_status())

    def _repr_html_(self) -> str:
        from sinagot.workspace.display.cards import steps_card  # in notebooks only

        return steps_card(self.model, repr(self))

    def __repr__(self) -> str:
        if self.model.workspace.is_unit_mode:
            return "<StepCollection instance>"
        return f"<StepCollection instance | task: {self.model.task}, modality: {self.model.modality}>"


def _status_row(record_id: str, node: StepNode, status: StepStatus) -> dict[str, Any]:
    return {
        "record_id": record_id,
        "task": node.task,
        "modality": node.modality,
        "step_index": node.step_index,
        "step_label": node.label,
        "step_status": int(status),
    }
