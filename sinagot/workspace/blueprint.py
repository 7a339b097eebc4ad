"""A configuration and its scripts, compiled: the rule of ids, the units, and the graph of steps.

Knows the configuration and step specs; must not know scopes or what is on disk below the data folder.
Scripts are looked at anew for each question, so that an edit counts at once; nothing is parsed twice for one version.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sinagot.config.hints import did_you_mean
from sinagot.config.settings import Configuration, StepSettings
from sinagot.dataset.patterns import PathPattern
from sinagot.dataset.records import RecordIds
from sinagot.engine.job import JobStep
from sinagot.engine.planning.graph import RecordGraph, Slot, StepNode
from sinagot.errors import ConfigurationError, PatternError, ScriptError
from sinagot.scripts.loading import ScriptLibrary
from sinagot.scripts.spec import PathSource, StepSpec
from sinagot.scripts.template import ScriptTemplate
from sinagot.workspace.input_names import check_configured, check_declared, settled
from sinagot.workspace.parameters import Parameters

__all__ = ["Blueprint", "Unit"]

#: Task and modality; both None in unit mode.
Unit = tuple[str | None, str | None]


class Blueprint:
    """What a configuration and its scripts say, ready for questions.

    Parameters
    ----------
    configuration : Configuration
        The resolved configuration.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.library = ScriptLibrary(
            str(configuration.scripts_path),
            f"{configuration.state_path}/index",
            configuration.commands,
            lambda name, modality: self._configured(name, modality, configuration.run.steps).timeout,
        )
        self._ids: RecordIds | None = None
        self._nodes: dict[tuple[Unit, str, str], StepNode] = {}
        self._graph: tuple[tuple[Any, ...], RecordGraph] | None = None

    # -- ids

    @property
    def ids(self) -> RecordIds:
        """The rule of record ids.

        Raises
        ------
        ConfigurationError
            Neither `records.id_pattern` nor `records.path` with `records.id` is given.
        """
        if self._ids is None:
            config = self.configuration
            file = config.files[0] if config.files else None
            if config.id_pattern is None and config.records_id is None:
                raise ConfigurationError.at(
                    "it is not there, and records can't be told without it",
                    file=file,
                    key="records.id_pattern",
                    hint=r"write for example id_pattern = 'REC-\d+' below [records], or give path and id",
                )
            self._ids = RecordIds(config.id_pattern, config.records_id, config.entities, file=file)
        return self._ids

    def values_of(self, record_id: str) -> Mapping[str, str]:
        """Give the values of the fields of a record id."""
        return self.ids.values(record_id)

    # -- units and steps

    def units(self, task: str | None = None, modality: str | None = None) -> list[Unit]:
        """List the units in configuration order, of one task or modality where given."""
        config = self.configuration
        if config.is_unit_mode:
            return [(None, None)]
        return [
            (one.name, name)
            for one in config.tasks.values()
            for name in one.modalities
            if task in (None, one.name) and modality in (None, name)
        ]

    def script_names(self, task: str | None, modality: str | None) -> list[str]:
        """List the steps of a modality, each once: the shared ones, then those of the task, or of every task."""
        config = self.configuration
        if config.is_unit_mode:
            return list(config.scripts)
        settings = config.modalities.get(modality) if modality is not None else None
        if settings is None or not self.units(None, modality):
            return []  # a modality that no task lists has no steps
        names = list(settings.scripts)
        for name in config.tasks if task is None else (task,):
            names += settings.task_scripts.get(name, ())
        return list(dict.fromkeys(names))

    def group_names(self, task: str | None, modality: str | None) -> list[str]:
        """List the steps of a modality that run once for all records of a task."""
        config = self.configuration
        if config.is_unit_mode:
            return list(config.group_scripts)
        settings = config.modalities.get(modality) if modality is not None else None
        return list(settings.group_scripts) if settings is not None and self.units(task, modality) else []

    def labels(self, task: str | None, modality: str | None) -> dict[str, str]:
        """Give what stands for a task and a modality in paths."""
        config = self.configuration
        labels = {}
        if task is not None:
            labels["task"] = config.tasks[task].label
        if modality is not None:
            labels["modality"] = config.modalities[modality].label
        return labels

    def graph(self) -> RecordGraph:
        """Give the steps of one record, as the scripts are at this moment."""
        nodes = self._record_nodes()
        groups = self._group_nodes()
        version = tuple(map(id, (*nodes, *groups)))
        if self._graph is None or self._graph[0] != version:
            self._reroot([*nodes, *groups])
            self._check_outputs(nodes, groups)
            check_configured(self.configuration, [*nodes, *groups])
            self._graph = (version, RecordGraph(nodes, groups, self.roots))
        return self._graph[1]

    @property
    def roots(self) -> tuple[str, ...]:
        """Folders of data and outputs: what is noted of a path is where it lies below them."""
        return tuple(dict.fromkeys(map(str, (self.configuration.data_path, self.configuration.output_path))))

    def script_class(self, label: str, modality: str | None, task: str | None) -> type[ScriptTemplate]:
        """Give the class of a step's script, as the file is now.

        Raises
        ------
        ScriptError
            The file is missing or broken.
        """
        return self.library.load(self.library.spec(label, modality, task))

    def _record_nodes(self) -> list[StepNode]:
        """Give the steps of one record in configuration order."""
        return [
            self._node(unit, index, label)
            for unit in self.units()
            for index, label in enumerate(self.script_names(*unit), start=1)
        ]

    def _group_nodes(self) -> list[StepNode]:
        """Give the steps that run once for all records, in configuration order."""
        return [
            self._node(unit, index, label, is_group=True)
            for unit in self.units()
            for index, label in enumerate(
                Blueprint.group_names(self, *unit), start=len(Blueprint.script_names(self, *unit)) + 1
            )
        ]

    def free_group_names(self) -> list[str]:
        """List the steps for all records that belong to no task or modality."""
        return []

    def free_names(self) -> list[str]:
        """List the steps that belong to no task or modality: none in a workspace of scripts."""
        return []

    @property
    def ids_root(self) -> str:
        """Folder below which the files lie that ids are found by."""
        return str(self.configuration.data_path)

    def _node(self, unit: Unit, index: int, label: str, *, is_group: bool = False) -> StepNode:
        task, modality = unit
        try:
            spec = self.library.spec(label, modality, task)
            if spec.is_group != is_group:
                raise _wrong_list(spec)
        except ScriptError as error:
            return StepNode(label, index, task, modality, error=error)
        key = (unit, label, spec.digest)
        if key not in self._nodes:
            self._nodes[key] = self._parse(spec, unit, index)
        return self._nodes[key]

    def _parse(self, spec: StepSpec, unit: Unit, index: int) -> StepNode:
        task, modality = unit
        labels = self.labels(task, modality)
        inputs = self._slots(spec, spec.inputs, "PATH_IN", labels, may_be_free=True)
        outputs = self._slots(spec, spec.outputs, "PATH_OUT", labels)
        control = self._slots(spec, spec.control, "PATH_CONTROL", labels) if spec.control else []
        if spec.is_group:
            self._check_members(spec, inputs)
        check_declared(spec.settings, inputs, f"step {spec.name} ({spec.file}): CHECK")
        step = JobStep(
            spec.name,
            *unit,
            self.library.source(spec),
            spec.atomic,
            settled(self._settings(spec, modality), inputs),
            " -> ".join(" + ".join(slot.pattern.canonical for slot in side) for side in (inputs, outputs)),
            spec.typed,
            spec.is_pipeline,
            spec.is_flow,
        )
        return StepNode(
            spec.name,
            index,
            task,
            modality,
            inputs=inputs,
            outputs=outputs,
            control=control,
            is_dict_in=isinstance(spec.inputs, Mapping),
            is_dict_out=isinstance(spec.outputs, Mapping),
            job_step=step,
        )

    def _settings(self, spec: StepSpec, modality: str | None) -> StepSettings:
        """Give what holds for a step: the modality's word wins, then the step's, the script's, the workspace's."""
        config = self.configuration
        base = config.run.steps
        if spec.is_group:
            # It is there to be made again: only a word about this very step lets it be.
            base = base._replace(rerun="always" if base.rerun == "always" else "outdated")
        return self._configured(spec.name, modality, spec.settings.over(base))

    def _configured(self, name: str, modality: str | None, said: StepSettings) -> StepSettings:
        for key in ((None, name), (modality, name)):
            if key in self.configuration.steps:
                said = self.configuration.steps[key].over(said)
        return said

    def _slots(
        self,
        spec: StepSpec,
        source: PathSource,
        attribute: str,
        labels: Mapping[str, str],
        *,
        may_be_free: bool = False,
    ) -> list[Slot]:
        config = self.configuration
        root = str(config.data_path if may_be_free else config.output_path)
        entities = self.ids.entities
        slots = []
        for name, one in source.items() if isinstance(source, Mapping) else [(None, source)]:
            where = f"step {spec.name} ({spec.file}): {attribute}{f'[{name!r}]' if name is not None else ''}"
            pattern = PathPattern(one, where=where)
            self._check_fields(pattern, where, labels, may_be_free=may_be_free)
            if not may_be_free and spec.is_group:
                self._check_common(pattern, where)
            elif not may_be_free:
                self._check_owner(pattern, where)
            slots.append(Slot(name, pattern.bind(**labels), root, entities))
        return slots

    def _check_fields(
        self, pattern: PathPattern, where: str, labels: Mapping[str, str], *, may_be_free: bool
    ) -> None:
        """Refuse unknown fields; in inputs of workspaces with entities a field may be free unless it looks misspelt."""
        known = {"id", *labels, *self.ids.entities}
        declared = set(self.configuration.entities)
        for field in sorted(pattern.fields - known):
            hint = did_you_mean(field, sorted(known | declared))
            if may_be_free and (
                field in declared or (self.configuration.records_id is not None and not hint)
            ):
                continue
            allowed = ", ".join(
                f"{{{name}}}" for name in sorted(known | (declared if may_be_free else set()))
            )
            raise PatternError.at(
                f"unknown field {{{field}}} in {pattern.source!r}; known fields: {allowed}",
                key=where,
                hint=hint or None,
                found=field,
                allowed=sorted(known),
            )

    def _check_owner(self, pattern: PathPattern, where: str) -> None:
        """Refuse an output that all records would write."""
        ids = self.ids
        if "id" in pattern.fields or (ids.required and ids.entities <= pattern.fields):
            return
        fields = "{id}"
        if ids.required:
            fields += ", or " + ", ".join(f"{{{name}}}" for name in sorted(ids.entities))
        raise PatternError.at(
            f"{pattern.source!r} is the same file for every record; put {fields} into it",
            key=where,
            found=pattern.source,
        )

    def _check_common(self, pattern: PathPattern, where: str) -> None:
        """Refuse an output of a group step that were another file for each record."""
        own = pattern.fields & {"id", *self.ids.entities}
        if own:
            names = ", ".join(f"{{{name}}}" for name in sorted(own))
            raise PatternError.at(
                f"{pattern.source!r} has {names}, and a group step runs once for all records",
                key=where,
                hint="leave it out; {task} and {modality} may stand in it",
                found=pattern.source,
            )

    def _check_members(self, spec: StepSpec, inputs: Iterable[Slot]) -> None:
        """Refuse a group step that reads nothing of the records."""
        own = {"id", *self.ids.entities}
        if not any(slot.pattern.fields & own for slot in inputs):
            raise PatternError.at(
                "a group step reads a file of each record, and no path has {id}",
                key=f"step {spec.name} ({spec.file}): PATH_IN",
                found=spec.inputs,
            )

    def _check_outputs(self, steps: Sequence[StepNode], groups: Sequence[StepNode]) -> None:
        """Refuse two steps that write the same file, a step that writes its own input, one that reads a group's."""
        common = {(slot.root, slot.pattern.canonical): group for group in groups for slot in group.outputs}
        for node in (*steps, *groups):
            for slot in node.inputs:
                group = common.get((slot.root, slot.pattern.canonical))
                if group is not None:
                    raise ConfigurationError.at(
                        f"step {node.place} reads {slot.pattern.source!r}, which the group step {group.place} writes",
                        hint="nothing runs after group steps; let the group step write what is needed",
                    )
        writers: dict[tuple[str, str], StepNode] = {}
        for node in (*steps, *groups):
            own = {(slot.root, slot.pattern.canonical) for slot in node.inputs}
            for slot in node.outputs:
                name = (slot.root, slot.pattern.canonical)
                if name in own:
                    raise ConfigurationError.at(
                        f"step {node.place} writes its own input {slot.pattern.source!r}",
                        hint="write to another path, so that the input stays what it was",
                    )
                other = writers.setdefault(name, node)
                # One script that several tasks share may have one result for all of them: it is made once.
                is_shared = (other.label, other.modality) == (node.label, node.modality)
                if other is not node and (node in groups or not is_shared):
                    raise ConfigurationError.at(
                        f"steps {other.place} and {node.place} write the same file {slot.pattern.source!r}",
                        hint="put {task} or {modality}, or a name of its own, into one of the paths",
                    )

    def doubts(self) -> Sequence[str]:
        """Say what other processes would not see of the code."""
        return ()

    def check(self) -> Iterator[tuple[str, Exception]]:
        """Give every problem of scripts and patterns, with the name of its step."""
        for unit in self.units():
            names = self.script_names(*unit)
            for index, label in enumerate([*names, *self.group_names(*unit)], start=1):
                place = "-".join(part for part in (*unit, label) if part)
                try:
                    node = self._node(unit, index, label, is_group=index > len(names))
                except ConfigurationError as error:
                    yield place, error
                else:
                    if node.error is not None:
                        yield place, node.error
        try:
            graph = self.graph()
        except ConfigurationError as error:
            yield "steps", error
        else:
            nodes = (*graph.nodes, *graph.groups)
            for problem in Parameters(self.configuration, is_fresh=True).problems(nodes):
                yield "params", problem

    # -- where ids come from

    def id_sources(self, task: str | None = None, modality: str | None = None) -> list[list[PathPattern]]:
        """Give what ids are found by: for each source, the patterns that a record must match all.

        `[records] path` when it is given, else the inputs of the first step of each unit.

        Raises
        ------
        ScriptError
            No unit of the scope has a first step that can be loaded, and at least one should have.
        """
        config = self.configuration
        units = self.units(task, modality) or self.units()
        if config.records_path is not None:
            return self._from_path(units)
        sources: list[list[PathPattern]] = []
        broken: ScriptError | None = None
        for unit in units:
            names = self.script_names(*unit)
            if not names:
                continue
            node = self._node(unit, 1, names[0])
            if node.error is not None:
                broken = broken or node.error
            else:
                sources.append([slot.pattern for slot in node.inputs])
        if not sources and broken is not None:
            raise broken
        unique = {tuple(pattern.canonical for pattern in patterns): patterns for patterns in sources}
        return list(unique.values())

    def _from_path(self, units: list[Unit]) -> list[list[PathPattern]]:
        config = self.configuration
        assert config.records_path is not None
        file = config.files[0] if config.files else ""
        pattern = PathPattern(config.records_path, where=f"{file}: records.path")
        bounds = [pattern.bind(**self.labels(*unit)) for unit in units]
        return [[bound] for bound in {bound.canonical: bound for bound in bounds}.values()]

    def _reroot(self, nodes: Iterable[StepNode]) -> None:
        """Let inputs that another step writes be looked for where outputs go."""
        config = self.configuration
        if config.output_path == config.data_path:
            return
        written = {slot.pattern.canonical for node in nodes for slot in node.outputs}
        for node in nodes:
            for slot in node.inputs if not node.is_node else ():
                # Nodes are kept from one question to the next, and who writes what may have changed meanwhile.
                is_made = slot.pattern.canonical in written
                slot.move_to(os.fspath(config.output_path if is_made else config.data_path))


def _wrong_list(spec: StepSpec) -> ScriptError:
    """Say that a script and the list that names it do not fit."""
    if spec.is_group:
        text = "its class Script derives from GroupTemplate; list it in group_scripts, not in scripts"
    elif spec.command is not None:
        text = "it is a command, and group_scripts can only list Python scripts"
    else:
        text = "its class Script derives from ScriptTemplate; write class Script(GroupTemplate), or list it in scripts"
    return ScriptError(f"step {spec.name!r} ({spec.file}): {text}", step=spec.name, file=Path(spec.file))
