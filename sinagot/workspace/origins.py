"""What holds, and who said so: every value of the configuration and of a step's parameters with its origin.

Knows files, lines, layers and defaults; must not decide what wins: that is done where the values are used.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sinagot.config.params import iter_values
from sinagot.config.problems import key_text
from sinagot.config.schedules import variables_said, without_password
from sinagot.config.settings import Configuration, StepSettings
from sinagot.config.sources import Source, read_source
from sinagot.engine.planning.graph import StepNode
from sinagot.errors import ConfigurationError
from sinagot.workspace.parameters import Parameters

__all__ = ["OriginFinder", "Shown"]

_PATHS = ("dataset", "scripts", "output", "log", "state")


class Shown(NamedTuple):
    """One value, and where it comes from."""

    #: Dotted, as TOML writes it.
    key: str
    value: Any
    #: ``"default"``, ``"argument"``, ``"this run"``, the class of a script, an environment variable, or the key of the
    #: table that holds it.
    origin: str
    file: str | None = None
    line: int | None = None

    @property
    def place(self) -> str:
        """Say where it comes from: file and line where it is written in one."""
        if self.file is None:
            return self.origin
        return f"{self.file}:{self.line}" if self.line else self.file


class OriginFinder:
    """Finds where values are written, as the files are now.

    Parameters
    ----------
    configuration : Configuration
        What holds.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._sources: list[Source] = []
        for file in configuration.files:
            try:
                self._sources.append(read_source(file))
            except ConfigurationError:
                continue  # broken or gone since it was read: what it said is known, its lines are not

    def _find(self, path: tuple[str, ...]) -> tuple[Path, int] | None:
        from sinagot.config.locate import locate

        for source in reversed(self._sources):
            line = locate(source.text, path)
            if line is not None:
                return source.file, line
        return None

    def shown_at(self, key: str, path: tuple[str, ...], value: Any, origin: str) -> Shown:
        """Give a value with its place; `origin` tells where it comes from when no file has it."""
        for length in range(len(path), 0, -1):
            found = self._find(path[:length])
            if found is not None:
                return Shown(key, value, key_text(path[:length]), str(found[0]), found[1])
        return Shown(key, value, origin)

    def configuration(self, steps: Collection[str] = ()) -> Iterator[Shown]:
        """Give every value of the configuration, paths as they are used; parameters of steps come apart.

        Parameters
        ----------
        steps : collection of str
            Names of all steps: tables of `[pipelines]` about other names are given here.
        """
        config = self._configuration
        said = variables_said()
        for path, value in iter_values(config.raw):
            if path[:2] in said:
                continue  # a variable wins, see below
            if path == ("history", "url"):
                value = without_password(str(value))  # noqa: PLW2901
            if path[:1] == ("pipelines",):
                if len(path) == 1 or path[1] in steps:
                    continue
            elif "params" in path or path[:2] == ("records", "exceptions") or path[:1] == ("path",):
                continue
            found = self._find(path)
            place = (str(found[0]), found[1]) if found is not None else (None, None)
            yield Shown(key_text(path), value, "default" if found is None else key_text(path), *place)
        for path, one in said.items():
            value = without_password(one.value) if path == ("history", "url") else one.value
            yield Shown(key_text(path), list(value) if isinstance(value, tuple) else value, one.variable)
        for name in _PATHS:
            key = "data" if name == "dataset" else name
            used = getattr(config, f"{key}_path")
            path = ("path", name)
            found = self._find(path)
            written = config.raw.get("path", {}).get(name)
            is_argument = name in ("dataset", "scripts") and not _is_same(config.root, written, used)
            if found is None or is_argument:
                yield Shown(key_text(path), str(used), "argument" if is_argument else "default")
            else:
                yield Shown(key_text(path), str(used), key_text(path), str(found[0]), found[1])

    def settings(self, node: StepNode, of_class: StepSettings) -> Iterator[Shown]:
        """Give what holds for a step beyond its paths."""
        tables: list[tuple[str, ...]] = [("steps", node.label)]
        if node.modality is not None:
            tables.insert(0, ("modalities", node.modality, "steps", node.label))
        for name in StepSettings._fields:
            value = getattr(node.settings, name)
            if value is None:
                continue
            if isinstance(value, tuple) and name == "check":
                yield from self._checks(value, tables, of_class)
                continue
            found = next((one for one in ((*table, name) for table in tables) if self._find(one)), None)
            if found is not None:
                yield self.shown_at(name, found, value, "")
            elif getattr(of_class, name) is not None:
                yield Shown(name, value, f"class attribute {name.upper()}")
            else:
                yield self.shown_at(name, ("run", name), value, "default")

    def _checks(
        self, ways: Iterable[tuple[Any, str]], tables: Iterable[tuple[str, ...]], of_class: StepSettings
    ) -> Iterator[Shown]:
        """Give how changes of the inputs of a step are told, input by input: its own word wins, then that for all."""
        own = of_class.check
        for name, way in ways:
            key = key_text(("check", name))
            found = next(
                (path for table in tables if (path := self._check_at((*table, "check"), name))), None
            )
            if found is None and own is not None and (isinstance(own, str) or name in dict(own)):
                yield Shown(key, way, "class attribute CHECK")
            else:
                path = found or self._check_at(("run", "check"), name)
                yield self.shown_at(key, path, way, "") if path else Shown(key, way, "default")

    def _check_at(self, path: tuple[str, ...], name: str) -> tuple[str, ...] | None:
        """Find where a table says something of an input: by its name, or of all."""
        said: Any = self._configuration.raw
        for part in path:
            said = said.get(part) if isinstance(said, dict) else None
        if isinstance(said, dict):
            return (*path, name) if name in said else None
        return None if said is None else path

    def params(self, parameters: Parameters, node: StepNode, record_id: str | None) -> Iterator[Shown]:
        """Give the parameters of a step, of a record where one is given."""
        layers = parameters.layers(node, record_id)
        effective = parameters(node, record_id or "")
        given = getattr(effective, "given", effective)
        for path, value in iter_values(effective):
            layer = next((one for one in reversed(layers) if one.holds(path)), None)
            if layer is None and path[0] in given:
                layer = next((one for one in reversed(layers) if path[0] in one.values), None)
            if layer is None:
                yield Shown(key_text(path), value, "default of class Params")
            elif layer.is_override:
                yield Shown(key_text(path), value, "this run")
            else:
                yield self.shown_at(key_text(path), (*layer.path, *path), value, key_text(layer.path))


def _is_same(root: Path, written: Any, used: Path) -> bool:
    from sinagot.config.sources import absolute_path

    # Where the default folder of scripts is absent, that of the configuration serves.
    return isinstance(written, str) and used in (absolute_path(written, root), root)
