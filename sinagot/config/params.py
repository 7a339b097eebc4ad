"""Where the parameters of a step come from: the layers of a configuration, from the widest to the narrowest.

Knows the tables that hold parameters and how they are merged; must not know scripts or types of values.
`sinagot.workspace.parameters` asks here, for a step and perhaps a record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = [
    "OVERRIDE",
    "Layer",
    "exceptions_of",
    "iter_values",
    "layers_of",
    "merge_layers",
    "parse_setting",
]

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
        The step and where it stands.
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
    layers = list(_iter_layers(tables, (), task, modality, step))
    if record_id is not None:
        own = exceptions_of(tables).get(record_id)
        if own:
            layers += _iter_layers(own, ("records", "exceptions", record_id), task, modality, step)
    return layers


def _iter_layers(
    tables: Mapping[str, Any], before: Path, task: str | None, modality: str | None, step: str
) -> Iterator[Layer]:
    paths: list[tuple[Path, bool]] = [((), False)]
    if modality is not None:
        paths.append((("modalities", modality), False))
    if task is not None:
        paths.append((("tasks", task), False))
    paths.append((("steps", step), True))
    if modality is not None:
        paths.append((("modalities", modality, "steps", step), True))
    for path, is_of_step in paths:
        table: Any = tables
        for key in (*path, "params"):
            table = table.get(key) if isinstance(table, dict) else None
        if isinstance(table, dict) and table:
            yield Layer((*before, *path, "params"), table, is_of_step)


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
