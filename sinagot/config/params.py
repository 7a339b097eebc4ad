"""Where the parameters of a step come from: the layers of a configuration, from the widest to the narrowest.

Knows the tables that hold parameters and how they are merged; must not know scripts or types of values.
`sinagot.workspace.parameters` asks here, for a step and perhaps a record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = [
    "OVERRIDE",
    "PIPELINE_KEYS",
    "Layer",
    "exceptions_of",
    "iter_values",
    "layers_of",
    "merge_layers",
    "parse_setting",
    "pipeline_layers",
    "special_records",
]

#: Keys of a table of `[pipelines]` that are ours; all others are parameters.
PIPELINE_KEYS = ("params", "tasks", "modalities", "records")
#: Path of the layer that the caller gave.
OVERRIDE = ("params",)

Path = tuple[str, ...]


class Layer(NamedTuple):
    """Parameters that stand in one place."""

    #: Keys of the table that holds them; of an override (of a call or command line) it leads nowhere.
    path: Path
    values: Mapping[str, Any]
    #: The layer speaks about one step only: every parameter in it must be one of that step.
    is_of_step: bool = False
    is_override: bool = False

    def holds(self, path: Path) -> bool:
        """Say whether a value stands here, at the end of some keys.

        Examples
        --------
        >>> layer = Layer(("params",), {"band": {"low": 8}})
        >>> layer.holds(("band", "low")), layer.holds(("band", "high"))
        (True, False)
        """
        values: Any = self.values
        for key in path:
            if not isinstance(values, Mapping) or key not in values:
                return False
            values = values[key]
        return True


def exceptions_of(tables: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the tables of single records, by id."""
    found: Mapping[str, Any] = tables.get("records", {}).get("exceptions", {})
    return found


def special_records(tables: Mapping[str, Any]) -> frozenset[str]:
    """Give the ids of the records that have parameters of their own, in whatever table.

    Examples
    --------
    >>> tables = {
    ...     "records": {"exceptions": {"REC-1": {}}},
    ...     "pipelines": {"clean": {"records": {"REC-2": {}}}},
    ... }
    >>> sorted(special_records(tables))
    ['REC-1', 'REC-2']
    """
    of_pipelines = (
        record_id for one in tables.get("pipelines", {}).values() for record_id in one.get("records", ())
    )
    return frozenset((*exceptions_of(tables), *of_pipelines))


def layers_of(
    tables: Mapping[str, Any],
    task: str | None,
    modality: str | None,
    step: str,
    record_id: str | None = None,
) -> list[Layer]:
    """Give the layers that hold for a step, the widest first: each wins over those before it.

    Parameters
    ----------
    tables : mapping
        A checked configuration.
    task, modality, step : str
        The step and where it stands. `[steps.NAME.params]` and `[pipelines.NAME]` both speak about it.
    record_id : str, optional
        A record whose own tables count as well: all of them win over what holds for every record.

    Returns
    -------
    list of Layer
        Those that are written.

    Examples
    --------
    >>> tables = {"params": {"low": 1}, "steps": {"alpha": {"params": {"low": 2}}}}
    >>> [layer.path for layer in layers_of(tables, None, None, "alpha")]
    [('params',), ('steps', 'alpha', 'params')]
    """
    return list(_iter_layers(tables, _Scope(step, task, modality, is_step=True), record_id))


def pipeline_layers(
    tables: Mapping[str, Any],
    name: str,
    task: str | None = None,
    modality: str | None = None,
    record_id: str | None = None,
) -> list[Layer]:
    """Give the layers that hold for a pipeline that is no step, the widest first.

    Parameters
    ----------
    tables : mapping
        A checked configuration.
    name : str
        The pipeline.
    task, modality, record_id : str, optional
        What it runs for, where it runs for something.

    Returns
    -------
    list of Layer
        Those that are written; tables of steps are none of its. What speaks about it alone has `is_of_step`.

    Examples
    --------
    >>> tables = {"params": {"low": 1}, "pipelines": {"nightly": {"low": 2, "tasks": {"RS": {"low": 3}}}}}
    >>> [layer.path for layer in pipeline_layers(tables, "nightly", "RS")]
    [('params',), ('pipelines', 'nightly'), ('pipelines', 'nightly', 'tasks', 'RS')]
    """
    return list(_iter_layers(tables, _Scope(name, task, modality, is_step=False), record_id))


class _Scope(NamedTuple):
    """Whose parameters are asked for."""

    name: str
    task: str | None
    modality: str | None
    is_step: bool


def _iter_layers(tables: Mapping[str, Any], scope: _Scope, record_id: str | None) -> Iterator[Layer]:
    own = ("pipelines", scope.name)
    yield from _said_of(tables, (), [own], scope)
    if record_id is not None:
        exception = ("records", "exceptions", record_id)
        yield from _said_of(tables, exception, [(*exception, *own), (*own, "records", record_id)], scope)


def _said_of(
    tables: Mapping[str, Any], before: Path, pipelines: Sequence[Path], scope: _Scope
) -> Iterator[Layer]:
    """Give the layers below some keys: what holds for all records, or for one; `pipelines` are its own tables."""
    name, task, modality = scope.name, scope.task, scope.modality
    in_modality: list[Path] = [] if modality is None else [("modalities", modality)]
    in_task: list[Path] = [] if task is None else [("tasks", task)]
    wide: list[Path] = [(), *in_modality, *in_task]
    for place in wide:
        yield from _layer(tables, (*before, *place, "params"))
    if scope.is_step:
        yield from _layer(tables, (*before, "steps", name, "params"), is_of_step=True)
    for path in pipelines:
        yield from _open_layers(tables, path)
    for place in in_modality if scope.is_step else ():
        yield from _layer(tables, (*before, *place, "steps", name, "params"), is_of_step=True)
    for place in (*in_modality, *in_task):
        for path in pipelines:
            yield from _open_layers(tables, (*path, *place))


def _layer(tables: Mapping[str, Any], path: Path, *, is_of_step: bool = False) -> Iterator[Layer]:
    if values := _table_at(tables, path):
        yield Layer(path, values, is_of_step)


def _open_layers(tables: Mapping[str, Any], path: Path) -> Iterator[Layer]:
    """Give the layers of a table that holds parameters beside words of ours."""
    if values := {key: one for key, one in _table_at(tables, path).items() if key not in PIPELINE_KEYS}:
        yield Layer(path, values, is_of_step=True)
    yield from _layer(tables, (*path, "params"), is_of_step=True)


def _table_at(tables: Any, path: Path) -> Mapping[str, Any]:
    for key in path:
        tables = tables.get(key) if isinstance(tables, dict) else None
    return tables if isinstance(tables, dict) else {}


def merge_layers(layers: Sequence[Layer]) -> dict[str, Any]:
    """Merge layers in depth: tables are joined, of two other values the later one wins.

    Examples
    --------
    >>> merge_layers([Layer((), {"band": {"low": 8, "high": 12}}), Layer((), {"band": {"low": 9}})])
    {'band': {'low': 9, 'high': 12}}
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        _merge(merged, layer.values)
    return merged


def _merge(merged: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        former = merged.get(key)
        if isinstance(value, Mapping):
            merged[key] = below = dict(former) if isinstance(former, dict) else {}
            _merge(below, value)
        else:
            merged[key] = value


def iter_values(values: Mapping[str, Any], before: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Give every value that is no table, with its keys; of an empty table the table.

    Examples
    --------
    >>> list(iter_values({"band": {"low": 8}, "name": "x"}))
    [(('band', 'low'), 8), (('name',), 'x')]
    """
    for key, value in values.items():
        path = (*before, key)
        if isinstance(value, Mapping) and value:
            yield from iter_values(value, path)
        else:
            yield path, value


def parse_setting(text: str) -> dict[str, Any]:
    """Read a parameter as it is given on a command line.

    Parameters
    ----------
    text : str
        ``key=value``; the key may be dotted, the value is TOML or a plain word.

    Returns
    -------
    dict
        As a TOML file with this line has it.

    Raises
    ------
    ValueError
        It is none; the message says what was expected.

    Examples
    --------
    >>> parse_setting("band.low=8.5"), parse_setting("method=welch")
    ({'band': {'low': 8.5}}, {'method': 'welch'})
    """
    import re
    import tomllib

    key, equals, value = text.partition("=")
    key, value = key.strip(), value.strip()
    if not equals or not key or not value:
        raise ValueError(f"{text!r} is no parameter; write key=value")
    is_word = re.fullmatch(r"[A-Za-z_/~.][\w./~:-]*", value) and value not in ("true", "false", "inf", "nan")
    if is_word:
        value = f"'{value}'"
    try:
        if "\n" in text:
            raise ValueError("more than one line")
        return tomllib.loads(f"{key} = {value}")
    except ValueError as error:
        hint = "values are those of TOML: 2.5, true, [1, 2], '\"two words\"'"
        raise ValueError(f"{text!r} can't be read ({error}); {hint}") from error
