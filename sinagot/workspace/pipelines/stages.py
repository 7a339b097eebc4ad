"""Stages of templates that work on a workspace: `steps:` runs steps of scripts, `compute:` nodes of a class.

Knows scopes and reports of runs; must not know jobs of a template or how stages are ordered. What they run becomes a
part of the run of the pipeline: its id stands on every line in the logs of the records.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from sinagot.engine.stop import RunTerminated
from sinagot.errors import ConfigurationError, PipelineError, ScriptError, SinagotError, TemplateError
from sinagot.pipeline.templates.expressions import Template
from sinagot.pipeline.templates.faults import load_error
from sinagot.pipeline.templates.places import Place
from sinagot.pipeline.templates.sections import Section
from sinagot.pipeline.templates.stages.kind import Frame, Surroundings
from sinagot.pipeline.templates.stages.sayings import say
from sinagot.runlog.secrets import redact_value
from sinagot.workspace.narrowing import Narrowing, parse_shard
from sinagot.workspace.pipelines.tallies import first_failure, tally_of
from sinagot.workspace.running import start_run

if TYPE_CHECKING:
    from sinagot.engine.accounts.report import RunReport
    from sinagot.pipeline.templates.running import TemplateRun

__all__ = ["Compute", "Steps"]

_ALL = "all"
_MODES = ("main_process", "processes", "dask")
_RULES = ("missing", "outdated", "always")
_OPTIONS = ("force", "max-failures", "mode", "workers", "workspace", "allow-failures")


class _Options(NamedTuple):
    """What both kinds are told of how they run; nothing of it can be an expression."""

    force: bool
    max_failures: int | None
    mode: str | None
    workers: int | None
    #: Folder, or module:Class=FOLDER; as written.
    workspace: str
    is_lenient: bool

    @classmethod
    def read(cls, section: Section) -> Self:
        mode = section.word("mode", _MODES, "") if section.has("mode") else ""
        return cls(
            section.flag("force", False),
            section.count("max-failures", 1, least=1) if section.has("max-failures") else None,
            mode or None,
            section.count("workers", 1, least=1) if section.has("workers") else None,
            section.text("workspace"),
            section.flag("allow-failures", False),
        )

    def for_run(self) -> dict[str, Any]:
        """Give those that a run takes by these names."""
        return {"max_failures": self.max_failures, "mode": self.mode, "workers": self.workers}


@dataclass(frozen=True)
class _OnWorkspace:
    """What both kinds have in common.

    A record is in one list of the outputs: that of the worst that a step of it came to.
    """

    names: Template
    #: Key of `where` -> its value.
    where: Mapping[str, Template]
    params: Template
    options: _Options
    rerun: str | None
    ignore_missing: bool
    place: Place
    keys: tuple[str, ...] = ("steps",)
    what = "steps"
    where_keys: tuple[str, ...] = ()
    is_local = True
    joins = True
    no_timeout = "has no timeout: give one to the steps, by `timeout` below [steps.NAME]"

    @classmethod
    def read(cls, section: Section, around: Surroundings) -> Self:
        """Read names, scope and options."""
        key = cls.keys[0]
        if not isinstance(section.data.get(key), (str, list)) or not section.data[key]:
            section.fail((key,), f"allowed is a name, or a list of names, of {cls.what}")
        where = section.section("where", "a scope")
        if where is not None:
            where.allow(*cls.where_keys)
        params = section.data.get("params")
        if params is not None and not isinstance(params, (dict, str)):
            section.fail(("params",), "allowed is a mapping of names to values")
        return cls(
            section.template(key),
            {name: where.template(name) for name in cls.where_keys if where.has(name)} if where else {},
            section.template("params", {}),
            _Options.read(section),
            section.word("rerun", _RULES, "missing") if section.has("rerun") else None,
            section.flag("ignore-missing", False),
            section.places.of((key,)),
        )

    def check(self, known: Mapping[str, Any], around: Surroundings) -> Iterable[ConfigurationError]:
        """Find unknown steps, tasks and records: the configuration is read, and nothing is run."""
        problems = [
            problem
            for template in (self.names, self.params, *self.where.values())
            for problem in template.check(known, around.filters)
        ]
        yield from problems
        if problems:
            return
        try:
            with ExitStack() as stack:
                workspace = stack.enter_context(self.open(around.root))
                # What only the run tells is looked at then.
                names = _listed(self.names.render({}), self.keys[0]) if self.names.is_constant else []
                where = {key: one.render({}) for key, one in self.where.items() if one.is_constant}
                self.look(workspace, names, where)
        except ConfigurationError as error:
            for one in error.problems or (error,):
                yield one if one.line is not None else load_error(self.place, str(one), self.keys[0])
        except (SinagotError, TypeError, ValueError) as error:
            yield load_error(self.place, str(error), self.keys[0])

    def open(self, root: str) -> Any:
        """Open the workspace."""
        raise NotImplementedError

    def look(self, workspace: Any, names: Sequence[str], where: Mapping[str, Any]) -> Any:
        """Give the scope; whatever there is not is an error."""
        raise NotImplementedError

    def start(self, scope: Any, names: Sequence[str], **options: Any) -> RunReport:
        """Run."""
        raise NotImplementedError

    def within(self) -> Iterator[Any]:
        """Give nothing: it steers no stages."""
        return iter(())

    def call(self, frame: Frame) -> tuple[Callable[..., dict[str, Any]], dict[str, Any]]:
        """Give what runs them."""
        values = {
            "names": _listed(self.names.render(frame.context, frame.filters), self.keys[0]),
            "where": {key: one.render(frame.context, frame.filters) for key, one in self.where.items()},
            "params": self.params.render(frame.context, frame.filters) or {},
        }
        redact = frame.run.scene.log.redact
        if redact_value(values, redact) != values:
            raise TemplateError(
                "a secret would stand in the logs of the records and beside every result; let the script read the "
                "variable of the environment itself"
            )
        return self._run, {"frame": frame, **values}

    def _run(
        self, frame: Frame, names: list[str], where: dict[str, Any], params: Mapping[str, Any]
    ) -> dict[str, Any]:
        run: TemplateRun = frame.run
        with ExitStack() as stack:
            workspace = stack.enter_context(self.open(run.template.root))
            scope = self.look(workspace, names, where)
            whole = run.joining.whole_of(str(workspace.configuration.state_path))
            stack.enter_context(whole.turn())
            try:
                report = self.start(
                    scope,
                    names,
                    whole=whole,
                    params=dict(params) or None,
                    force=self.options.force,
                    **self.options.for_run(),
                )
            except RunTerminated as end:
                raise KeyboardInterrupt(
                    str(end)
                ) from end  # the run of the pipeline tells which signal it was
            except ScriptError as error:
                told = getattr(error, "report", None)
                if told is not None:
                    error.outputs = tally_of(told)  # type: ignore[attr-defined]
                raise
            outputs = tally_of(report)
            say(f"{', '.join(names)}: {report.summary()}", self.place)
            if not report.ok and not self.options.is_lenient:
                raise PipelineError(first_failure(report, outputs), stage=frame.name, outputs=outputs)
            return outputs


class Steps(_OnWorkspace):
    """Run steps of the workspace: those that are not done, of the records of a scope."""

    keys = (
        "steps",
        "where",
        "params",
        "rerun",
        "ignore-missing",
        *_OPTIONS,
    )
    what = "steps, or `all`"
    where_keys = ("task", "modality", "records", "failed", "shard")

    def open(self, root: str) -> Any:
        """Open the workspace of the templates, or the one that is named."""
        from sinagot.workspace.workspace import Workspace

        return Workspace(os.path.join(root, os.path.expanduser(self.options.workspace)))

    def look(self, workspace: Any, names: Sequence[str], where: Mapping[str, Any]) -> Any:
        """Give the records, and which steps of them."""
        scope = workspace.get_subscope(where.get("task"), where.get("modality"))
        records = where.get("records")
        if records is not None:
            scope = scope.select(_listed(records, "records"))
        failed = where.get("failed", False)
        if not isinstance(failed, bool):
            raise TemplateError(f"failed: found {failed!r}, allowed is true or false")
        shard = where.get("shard")
        share = None if shard is None else parse_shard(str(shard))
        narrowing = Narrowing(steps=tuple(names) if names != [_ALL] else (), failed=failed, shard=share)
        for name in narrowing.steps:
            scope.steps.check_name(name, is_whole=narrowing.is_whole)
        return scope, narrowing

    def start(self, scope: Any, names: Sequence[str], **options: Any) -> RunReport:
        """Run the steps."""
        records, narrowing = scope
        return start_run(
            records,
            narrowing,
            ignore_missing=self.ignore_missing,
            debug=False,
            dry_run=False,
            rerun=self.rerun,
            client=None,
            address=None,
            exclusive=False,
            printing=False,
            progress=None,
            wait=True,
            **options,
        )


class Compute(_OnWorkspace):
    """Compute nodes of a workspace class, and what they are made from, where that is not done."""

    keys = ("compute", "where", *_OPTIONS)
    what = "nodes"
    where_keys = ("ids",)

    def open(self, root: str) -> Any:
        """Open the workspace class on its folder."""
        from sinagot.workspace.code_first.doors import open_named  # most templates have none

        name, equals, folder = self.options.workspace.partition("=")
        if not equals or ":" not in name:
            raise ConfigurationError.at(
                "says no workspace class",
                file=self.place.file,
                line=self.place.line,
                key="compute",
                hint='write workspace: "module:Class=FOLDER"',
            )
        return open_named(name, os.path.join(root, os.path.expanduser(folder)), [root])

    def look(self, workspace: Any, names: Sequence[str], where: Mapping[str, Any]) -> Any:
        """Give the workspace, and the ids."""
        from sinagot.workspace.code_first.computing import targets_of

        targets_of(workspace.blueprint, names)
        ids = where.get("ids")
        chosen = None if ids is None else _listed(ids, "ids")
        if chosen is not None:
            workspace.records.select(chosen)
        return workspace, chosen

    def start(self, scope: Any, names: Sequence[str], **options: Any) -> RunReport:
        """Compute the nodes."""
        workspace, ids = scope
        del options["params"]
        report: RunReport = workspace.compute(*names, ids=ids, progress=False, **options)
        return report


def _listed(value: Any, key: str) -> list[str]:
    """Give one text, or several, as a list."""
    many = [value] if isinstance(value, str) else value
    if not isinstance(many, (list, tuple)) or not all(isinstance(one, str) for one in many):
        raise TemplateError(f"{key}: found {value!r:.200}, allowed is text, or a list of texts")
    return list(dict.fromkeys(many))
