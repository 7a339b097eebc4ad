"""The parameters that a step has for a record: layers of the configuration, an override, and the script's own check.

Knows the configuration and the graph's steps; must not know what is on disk below the data folder. Resolved once a
step; a record costs more only where the configuration speaks about it.
"""

from __future__ import annotations

import hashlib
import json
import os
from _thread import get_ident
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sinagot.config.hints import did_you_mean
from sinagot.config.params import OVERRIDE, Layer, layers_of, merge_layers, special_records
from sinagot.config.settings import Configuration
from sinagot.engine.planning.graph import StepNode
from sinagot.errors import ConfigurationError, ScriptError
from sinagot.scripts.classes import load_script
from sinagot.scripts.command import wanted_params
from sinagot.scripts.modules import activated
from sinagot.scripts.params import TypedParams, ValueProblem, model_of, names_of, typed_params

__all__ = ["Parameters"]

_NONE: dict[str, Any] = {}
_FORMAT = 1
#: Verdicts that are kept.
_MOST_KEPT = 1000


class Parameters:
    """Parameters of all steps, for one question.

    Parameters
    ----------
    configuration : Configuration
        The layers.
    override : mapping, optional
        What a call gave; it wins over every layer.
    is_lenient : bool
        Values that a class `Params` refuses are given as they are: who only looks is told nothing.
    is_fresh : bool
        Check anew what is known to be good.

    Attributes
    ----------
    override : dict
        As given.
    exceptions : frozenset of str
        Records that may have other parameters than all others: the configuration speaks about them.
    """

    def __init__(
        self,
        configuration: Configuration,
        override: Mapping[str, Any] | None = None,
        *,
        is_lenient: bool = False,
        is_fresh: bool = False,
    ) -> None:
        self._configuration = configuration
        self._tables = configuration.raw
        self.override = dict(override or {})
        self._is_lenient = is_lenient
        self._file = f"{configuration.state_path}/index/params.json"
        self.exceptions = special_records(self._tables)
        self._has_layers = bool(self.override) or _speaks_of_params(self._tables)
        self._known: dict[tuple[StepNode, str | None], Mapping[str, Any]] = {}
        #: Verdicts by script and values: what a class `Params` made of them, and the names that it takes.
        self._verdicts: dict[str, list[Any]] | None = {} if is_fresh else None
        self._news = False

    def __call__(self, node: StepNode, record_id: str) -> Mapping[str, Any]:
        """Give the parameters of a step for a record.

        Raises
        ------
        ConfigurationError
            The script's class `Params` refuses them.
        """
        if node.params is not None:
            return node.params
        key = (node, record_id if record_id in self.exceptions else None)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._resolve(*key)
        return found

    def layers(self, node: StepNode, record_id: str | None) -> list[Layer]:
        """Give the layers of a step, the widest first, the override last."""
        found = layers_of(self._tables, node.task, node.modality, node.label, record_id)
        if self.override:
            found.append(Layer(OVERRIDE, self.override, is_override=True))
        return found

    def _resolve(self, node: StepNode, record_id: str | None) -> Mapping[str, Any]:
        is_typed = node.job_step is not None and node.job_step.typed
        command = node.job_step.source.command if node.job_step is not None else None
        if not is_typed and command is None and not self._has_layers:
            return _NONE
        layers = self.layers(node, record_id)
        merged = merge_layers(layers)
        if command is not None and not self._is_lenient:
            self._check_command(node, command.words, merged)
        if not is_typed:
            return merged or _NONE
        try:
            found, names = self._typed(node, merged)
        except ScriptError:
            return merged  # it can't be loaded: its attempt tells
        problems = found if isinstance(found, list) else []
        errors = [*self._unknown(node, layers, names), *(self._error(node, layers, one) for one in problems)]
        if not errors and isinstance(found, TypedParams):
            return found
        if self._is_lenient:
            return merged
        from sinagot.config.problems import joined_error

        raise joined_error(errors)

    def _check_command(self, node: StepNode, words: Iterable[str], values: Mapping[str, Any]) -> None:
        """Refuse a command with a placeholder for a parameter that nobody gives."""
        from sinagot.config.problems import joined_error

        errors = [
            self._at(
                (*self._own_table(node), *name.split(".")),
                f"required, and absent (the command of step {node.place} has {{param.{name}}})",
            )
            for name in wanted_params(words)
            if not Layer((), values).holds(tuple(name.split(".")))
        ]
        if errors:
            raise joined_error(errors)

    # -- the script's own check

    def _typed(
        self, node: StepNode, merged: dict[str, Any]
    ) -> tuple[TypedParams | list[ValueProblem], list[str] | None]:
        assert node.job_step is not None
        source = node.job_step.source
        if self._verdicts is None:
            self._verdicts = self._load()
        # A digest: values may be secrets, and this is kept in a file.
        key = f"{source.digest} {hashlib.sha256(_text(merged).encode()).hexdigest()}"
        if key in self._verdicts:
            effective, names = self._verdicts[key]
            taken = {name: value for name, value in merged.items() if names is None or name in names}
            return TypedParams(effective, taken), names
        with activated(source):
            model = model_of(load_script(source))
            found, names = typed_params(model, merged), names_of(model)
        if isinstance(found, TypedParams):
            self._verdicts[key] = [dict(found), names]
            self._news = True
        return found, names

    def _unknown(
        self, node: StepNode, layers: Sequence[Layer], names: list[str] | None
    ) -> Iterator[ConfigurationError]:
        """Refuse what is written for this step and what its class does not know."""
        if names is None:
            return
        known = ", ".join(names) or "none"
        for layer in layers:
            for name in layer.values if layer.is_of_step else ():
                if name not in names:
                    yield self._at(
                        (*layer.path, name),
                        f"step {node.place} has no such parameter (its class Params has {known})",
                        hint=did_you_mean(name, names) or None,
                        found=name,
                        allowed=names,
                    )

    def _error(self, node: StepNode, layers: Sequence[Layer], problem: ValueProblem) -> ConfigurationError:
        from sinagot.config.problems import shown

        says = f"class Params of step {node.place}: {problem.text}"
        layer = next((one for one in reversed(layers) if problem.path and one.holds(problem.path)), None)
        if layer is None:
            text = f"required, and absent ({says})" if problem.is_missing else says
            return self._at((*self._own_table(node), *problem.path), text)
        found = "***" if problem.is_secret else _value(layer.values, problem.path)
        path = (*layer.path, *problem.path)
        words = f"{says}" if problem.is_missing or not problem.path else f"found {shown(found)} ({says})"
        if layer.is_override:
            return ConfigurationError.at(f"{words}; given for this run", key=".".join(path), found=found)
        return self._at(path, words, found=found)

    def _own_table(self, node: StepNode) -> tuple[str, ...]:
        """Give the key of the table that holds the parameters of a step alone: where one that is absent belongs."""
        own = ("steps", node.label, "params")
        if node.label in self._tables.get("pipelines", {}):
            return ("pipelines", node.label)
        return own if node.modality is None else ("modalities", node.modality, *own)

    def _at(self, path: tuple[str, ...], message: str, **facts: Any) -> ConfigurationError:
        """Make an error with the place of a key, as the files are now."""
        from sinagot.config.problems import error_at

        return error_at(self._configuration.files, path, message, **facts)

    # -- all at once

    def problems(
        self, nodes: Iterable[StepNode], ids: Iterable[str] | None = None
    ) -> list[ConfigurationError]:
        """Check the parameters of steps for all records, or for some.

        Parameters
        ----------
        nodes : iterable of StepNode
            The steps.
        ids : iterable of str, optional
            Records; all of which the configuration speaks when not given.

        Returns
        -------
        list of ConfigurationError
            Everything that the scripts' classes `Params` refuse, each once.
        """
        asked_ids = None if ids is None or not self.exceptions else set(ids)
        own = [one for one in sorted(self.exceptions) if asked_ids is None or one in asked_ids]
        found: dict[str, ConfigurationError] = {}
        asked = [node for node in nodes if node.job_step is not None]
        for node in asked:
            if node.job_step is not None and node.job_step.typed:
                for record_id in (None, *own):
                    try:
                        self._known[node, record_id] = self._resolve(node, record_id)
                    except ConfigurationError as error:
                        found |= {str(one): one for one in error.problems or (error,)}
        return [*found.values(), *self._stray_overrides(asked)]

    def _stray_overrides(self, nodes: Sequence[StepNode]) -> Iterator[ConfigurationError]:
        """Refuse an override that no step takes; a script without a class `Params` may take any."""
        if not self.override or not nodes or not all(node.job_step and node.job_step.typed for node in nodes):
            return
        takes: dict[str, None] = {}
        for node in nodes:
            _, names = self._typed(node, merge_layers(self.layers(node, None)))
            if names is None:
                return
            takes |= dict.fromkeys(names)
        for name in self.override:
            if name not in takes:
                hint = did_you_mean(name, takes)
                yield ConfigurationError.at(
                    f"no step of this run has such a parameter; there is {', '.join(takes) or 'none'}",
                    key=f"params.{name}",
                    hint=hint or None,
                    found=name,
                    allowed=list(takes),
                )

    def doubts(self, nodes: Iterable[StepNode]) -> list[str]:
        """Say which parameters of the override look like misspelt ones of the configuration."""
        if not self.override:
            return []
        known: dict[str, None] = {}
        for node in nodes:
            for layer in layers_of(self._tables, node.task, node.modality, node.label):
                known |= dict.fromkeys(layer.values)
            if node.job_step is not None and node.job_step.typed:
                known |= dict.fromkeys(self(node, ""))
        hints = {name: did_you_mean(name, known) for name in self.override if name not in known}
        return [f"parameter {name} is set nowhere else; {hint}" for name, hint in hints.items() if hint]

    def told(self) -> dict[str, Any]:
        """Give the override as a manifest may have it: what a class `Params` shows as stars is shown so."""
        shown = self.override
        for found in self._known.values():
            if isinstance(found, TypedParams):
                shown = _starred(shown, found)
        return shown

    # -- what was found good before

    def _load(self) -> dict[str, list[Any]]:
        try:
            with open(self._file, encoding="ascii") as file:
                kept = json.load(file)
            if kept["format"] == _FORMAT:
                return {str(key): list(value) for key, value in kept["verdicts"].items() if len(value) == 2}
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            pass  # absent, cut or of another kind: checked anew
        return {}

    def save(self) -> None:
        """Keep what was found good, so that the next run need not load the scripts; a failure costs time only."""
        if not self._news or not self._verdicts:
            return
        draft = f"{self._file}.{os.getpid()}-{get_ident()}"  # several threads may run at once
        newest = dict(list(self._verdicts.items())[-_MOST_KEPT:])
        try:
            text = json.dumps({"format": _FORMAT, "verdicts": newest})
            os.makedirs(os.path.dirname(self._file), exist_ok=True)
            with open(draft, "w", encoding="ascii") as file:
                file.write(text)
            os.replace(draft, self._file)
            self._news = False
        except (OSError, TypeError, ValueError):
            pass


def _starred(value: Any, shown: Any) -> Any:
    """Give a value with stars wherever another way to show it has nothing but stars."""
    if isinstance(value, Mapping) and isinstance(shown, Mapping):
        return {key: _starred(one, shown.get(key)) for key, one in value.items()}
    return "***" if isinstance(shown, str) and shown and not shown.strip("*") else value


def _speaks_of_params(tables: Mapping[str, Any]) -> bool:
    """Say whether any layer is written: most workspaces have none, and their records cost nothing."""
    if tables.get("params") or tables.get("pipelines") or special_records(tables):
        return True
    for section in ("tasks", "modalities", "steps"):
        for one in tables.get(section, {}).values():
            if isinstance(one, dict) and (
                one.get("params") or _speaks_of_params({"steps": one.get("steps", {})})
            ):
                return True
    return False


def _text(value: Any) -> str:
    """Write values so that only equal ones of equal types are equal texts."""
    return json.dumps(value, sort_keys=True, default=lambda one: [type(one).__name__, str(one)])


def _value(values: Any, path: Sequence[str]) -> Any:
    for key in path:
        values = values[key]
    return values
