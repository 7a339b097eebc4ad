"""The blueprint of a code-first workspace: the nodes of a workflow class as steps, beside those of scripts.

Knows a recipe and how a step of the engine looks; must not know scopes or what is on disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from sinagot.config.hints import did_you_mean
from sinagot.config.settings import Configuration, StepSettings
from sinagot.dataset.patterns import PathPattern
from sinagot.dataset.records import RecordIds
from sinagot.engine.job import JobStep, job_key
from sinagot.engine.planning.graph import RecordGraph, Slot, StepNode
from sinagot.errors import ConfigurationError, PatternError, ScriptError, WorkflowError
from sinagot.scripts.template import ScriptTemplate
from sinagot.workflow.collecting import Collected
from sinagot.workflow.nodes import ScriptCall
from sinagot.workflow.parts import Part
from sinagot.workflow.recipe import Recipe
from sinagot.workspace.blueprint import Blueprint
from sinagot.workspace.parameters import Parameters

__all__ = ["RERUN", "NodeBlueprint"]

#: What a workspace does with stored results that would be made otherwise now -> when steps run again.
RERUN = {"recompute": "outdated", "warn": "missing", "ignore": "missing"}


class NodeBlueprint(Blueprint):
    """What a workflow class, its storages and maybe a configuration say.

    Parameters
    ----------
    configuration : Configuration
        Of the folder.
    recipe : Recipe
        The nodes.
    root : str
        Folder that the paths of storages start from.
    id_pattern : str, optional
        Regular expression of a whole id.
    stale : str
        A key of `RERUN`.
    """

    def __init__(
        self, configuration: Configuration, recipe: Recipe, root: str, id_pattern: str | None, stale: str
    ) -> None:
        super().__init__(configuration)
        self.recipe = recipe
        self._root = root
        self._id_pattern = id_pattern
        #: What is done with stored results that would be made otherwise now.
        self.stale = stale
        self._collections: list[StepNode] | None = None
        self._collections_version = -1
        self._known: tuple[tuple[int, ...], list[StepNode]] | None = None
        recipe.code.look_again()

    @cached_property
    def ids(self) -> RecordIds:
        """The rule of ids: the class's own, else that of the configuration, else any name."""
        config = self.configuration
        pattern = self._id_pattern or config.id_pattern
        template = None if self._id_pattern else config.records_id
        if pattern is None and template is None:
            pattern = ".+"
        file = config.files[0] if config.files else None
        return RecordIds(pattern, template, config.entities, file=file)

    @property
    def ids_root(self) -> str:
        """Folder that the paths of storages start from; without seeds of single records, that of the scripts' data."""
        return self._root if self.own_seeds else super().ids_root

    @property
    def own_seeds(self) -> list[str]:
        """Names of the seeds that are another file for each workflow."""
        return [
            part.name
            for part in self.recipe.seeds
            if part.storage is not None and self.patterns[part.name].fields
        ]

    @property
    def root(self) -> str:
        """Folder that the paths of storages start from."""
        return self._root

    @property
    def roots(self) -> tuple[str, ...]:
        """Folders of data and outputs, and of storages: the data may lie in a folder of it."""
        return tuple(dict.fromkeys((*super().roots, self._root)))

    def free_names(self) -> list[str]:
        """List the steps of the workflow class."""
        return [part.name for part in self.recipe.steps]

    def script_names(self, task: str | None, modality: str | None) -> list[str]:
        """List the steps, scripts first; those of the workflow class belong to no modality."""
        names = super().script_names(task, modality)
        return names + self.free_names() if self.configuration.is_unit_mode else names

    def id_sources(self, task: str | None = None, modality: str | None = None) -> list[list[PathPattern]]:
        """Give what ids are found by: every seed that is another file for each; without any, as scripts say."""
        if self.own_seeds:
            return [[self.patterns[name] for name in self.own_seeds]]
        has_scripts = any(self.script_names_of(*unit) for unit in self.units())
        return super().id_sources(task, modality) if has_scripts else []

    def script_names_of(self, task: str | None, modality: str | None) -> list[str]:
        """List the scripts alone."""
        return super().script_names(task, modality)

    @cached_property
    def patterns(self) -> dict[str, PathPattern]:
        """Where each seed and stored step lies, by name."""
        found = {}
        for part in self.recipe.parts.values():
            if part.storage is not None:
                found[part.name] = self._pattern(part)
        for part in self.recipe.steps:
            if part.storage is not None and not found[part.name].fields and not self._is_common(part, found):
                raise WorkflowError(
                    f"{self.recipe.title}.{part.name}: {part.storage.path!r} is one file for all workflows, and the "
                    "step is made from data of each; put {workflow_id} into the path",
                    attribute=part.name,
                )
        return found

    def _pattern(self, part: Part) -> PathPattern:
        assert part.storage is not None, "only what is stored has a pattern"
        where = f"{self.recipe.title}.{part.name}"
        text = part.storage.path.replace("{workflow_id}", "{id}")
        pattern = PathPattern(text, where=where)
        known = {"id", *self.ids.entities}
        for field in sorted(pattern.fields - known):
            names = sorted({"workflow_id", *self.ids.entities})
            hint = did_you_mean(field, names)
            raise PatternError.at(
                f"unknown field {{{field}}} in {part.storage.path!r}; known fields: "
                f"{', '.join(f'{{{name}}}' for name in names)}",
                key=where,
                hint=hint or None,
                found=field,
                allowed=names,
            )
        return pattern

    def _is_common(self, part: Part, patterns: Mapping[str, PathPattern]) -> bool:
        """Say whether a step reads nothing of a single record."""
        names = [part.name, *part.values]
        nodes = [self.recipe.parts[name].node for name in names]
        return not any(getattr(node, "takes_id", False) for node in nodes) and all(
            name in patterns and not patterns[name].fields for name in part.files
        )

    # -- steps

    def script_class(self, label: str, modality: str | None, task: str | None) -> type[ScriptTemplate]:
        """Give the class of a step's script; of a node, what an attempt runs."""
        if modality is None and label in (*self.free_names(), *self.free_group_names()):
            found: type[ScriptTemplate] = self.recipe.script_class(label)
            return found
        return super().script_class(label, modality, task)

    def doubts(self) -> Sequence[str]:
        """Say what other processes would not see of the code: values of modules that were changed in this one."""
        return self.recipe.code.doubts()

    def check(self) -> Iterator[tuple[str, Exception]]:
        """Give every problem of scripts, nodes and patterns, with the name of its step."""
        try:
            graph = self.graph()
        except (ConfigurationError, WorkflowError, ScriptError) as error:
            yield "steps", error
            return
        nodes = (*graph.nodes, *graph.groups)
        yield from ((node.place, node.error) for node in nodes if node.error is not None)
        for problem in Parameters(self.configuration, is_fresh=True).problems(nodes):
            yield "params", problem

    def _record_nodes(self) -> list[StepNode]:
        scripts = [
            self._node(unit, index, label)
            for unit in self.units()
            for index, label in enumerate(self.script_names_of(*unit), start=1)
        ]
        version = (self.recipe.code.version(), *map(id, scripts))
        if self._known is None or self._known[0] != version:
            first = len(scripts) + 1 if self.configuration.is_unit_mode else 1
            own = [
                self._step_node(part, index, scripts)
                for index, part in enumerate(self.recipe.steps, start=first)
            ]
            self._known = (version, own)
        return [*scripts, *self._known[1]]

    def _group_nodes(self) -> list[StepNode]:
        stored = [one for one in self.recipe.collections.values() if one.storage is not None]
        version = self.recipe.code.number  # asked for with the nodes, a moment ago
        if self._collections is None or self._collections_version != version:
            self._collections_version = version
            first = len(self.script_names(None, None)) + 1
            self._collections = [
                self._collection(one, index) for index, one in enumerate(stored, start=first)
            ]
        return [*super()._group_nodes(), *self._collections]

    def group_names(self, task: str | None, modality: str | None) -> list[str]:
        """List the steps that run once for all records; stored collections belong to no modality."""
        names = super().group_names(task, modality)
        return names + self.free_group_names() if self.configuration.is_unit_mode else names

    def free_group_names(self) -> list[str]:
        """List the stored collections."""
        return [name for name, one in self.recipe.collections.items() if one.storage is not None]

    def _collection(self, collected: Collected, index: int) -> StepNode:
        assert collected.storage is not None, "only stored collections are steps"
        part = self.recipe.parts[collected.takes]
        names = (part.name,) if part.is_kept or part.is_seed else part.files
        scripts = [node for node in super()._record_nodes() if not node.is_node]
        inputs = [slot for name in names for slot in self.slots(name, scripts)]
        where = f"{self.recipe.title}.{collected.name}"
        pattern = PathPattern(collected.storage.path, known=(), where=where)
        said = self._configured(collected.name, None, self.configuration.run.steps)
        step = JobStep(
            collected.name,
            None,
            None,
            self.recipe.code.collection_source(collected.name),
            True,
            said._replace(rerun="outdated", check="content"),
            " + ".join(slot.pattern.canonical for slot in inputs) + f" -> {pattern.canonical}",
        )
        return StepNode(
            collected.name,
            index,
            None,
            None,
            inputs=inputs,
            outputs=[Slot(None, pattern, self._root, self.ids.entities)],
            is_dict_in=True,
            job_step=step,
            params={},
        )

    def _step_node(self, part: Part, index: int, scripts: Sequence[StepNode]) -> StepNode:
        inputs = [slot for name in part.files for slot in self.slots(name, scripts)]
        outputs = (
            [Slot(None, self.patterns[part.name], self._root, self.ids.entities)] if part.is_kept else []
        )
        paths = " -> ".join(" + ".join(slot.pattern.canonical for slot in side) for side in (inputs, outputs))
        step = JobStep(
            part.name, None, None, self.recipe.source(part.name), True, self._settings_of(part), paths
        )
        parts = self.recipe.parts
        return StepNode(
            part.name,
            index,
            None,
            None,
            inputs=inputs,
            outputs=outputs,
            is_dict_in=True,
            is_dict_out=not outputs,
            job_step=step,
            takes=[
                job_key("", None, None, name)
                for name in part.takes
                if not parts[name].is_kept and not parts[name].is_seed
            ],
            params=self.recipe.literals(part.name),
            is_common=bool(outputs) and not self.patterns[part.name].fields,
        )

    def _settings_of(self, part: Part) -> StepSettings:
        base = part.settings.over(self.configuration.run.steps)
        said = self._configured(part.name, None, base)
        return said._replace(check="content", rerun=RERUN[self.stale])

    def slots(self, name: str, scripts: Sequence[StepNode]) -> list[Slot]:
        """Give the paths of a seed, of a stored step, or of the outputs of a script."""
        node = self.recipe.parts[name].node
        if not isinstance(node, ScriptCall):
            if name not in self.patterns:
                return []  # a seed of a class without storages: whoever needs it is told
            return [Slot(name, self.patterns[name], self._root, self.ids.entities)]
        script = self.script_of(node, scripts)
        return [
            Slot(
                f"{name}/{slot.name}" if slot.name is not None else name,
                slot.pattern,
                slot.root,
                self.ids.entities,
            )
            for slot in script.outputs
        ]

    def node_of(self, graph: RecordGraph, part: Part) -> StepNode:
        """Give the step of a node; of the output of a script, that of the script."""
        if isinstance(part.node, ScriptCall):
            return self.script_of(part.node, [node for node in graph.nodes if not node.is_node])
        return next(node for node in graph.nodes if node.is_node and node.label == part.name)

    @staticmethod
    def feeding(graph: RecordGraph, node: StepNode) -> list[StepNode]:
        """Give a step and all that it is made from, in running order."""
        chosen = {node.index}
        pending = [node.index]
        while pending:
            for number in graph.nodes[pending.pop()].upstream:
                if number not in chosen:
                    chosen.add(number)
                    pending.append(number)
        return [graph.nodes[number] for number in sorted(chosen)]

    def path_of(self, part: Part, workflow_id: str) -> Path:
        """Give the file of a seed or of a stored step."""
        return Path(self._root, self.patterns[part.name].format(self.values_of(workflow_id)))

    def files_of(self, part: Part, node: StepNode | None, workflow_id: str) -> Any:
        """Give where the data of a node lie: a path, a dict of those, or None where nothing stores them."""
        if node is None:
            return str(self.path_of(part, workflow_id))
        if not node.is_kept:
            return None
        values = self.values_of(workflow_id)
        return StepNode.paths(node.outputs, node.is_dict_out, lambda slot: slot.final(values))

    def script_of(self, node: ScriptCall, scripts: Sequence[StepNode]) -> StepNode:
        """Find the step of a script that a node stands for.

        Raises
        ------
        WorkflowError
            The configuration has no such step.
        ScriptError
            It is broken.
        """
        unit = (node.task, node.modality)
        for script in scripts:
            if script.label == node.label and (script.task, script.modality) == unit:
                if script.error is not None:
                    raise script.error
                return script
        known = sorted({script.place for script in scripts})
        hint = did_you_mean(node.label, [script.label for script in scripts])
        raise WorkflowError(
            f"{self.recipe.workflow.__name__}.{node.name}: there is no script {node.label!r} "
            f"{f'of {node.task} and {node.modality} ' if any(unit) else ''}in the configuration of {self._root}; "
            f"it has {', '.join(known) or 'none'}{'; ' + hint if hint else ''}",
            attribute=node.name,
        )
