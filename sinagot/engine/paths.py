"""Final paths of a step in the shape that its script declared: one, a list, or a dict of those.

Knows shapes only; must not know records or steps. Jobs carry these shapes, scripts see them as `Path` objects.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sinagot.scripts.template import StepPaths

__all__ = ["Paths", "as_paths", "declared_inputs", "flat_paths", "script_paths", "with_parent"]

#: A list stands for all matches of a pattern with a field that is no part of the id.
Paths = str | list[str] | dict[str, "str | list[str]"]


def flat_paths(paths: Paths | None) -> list[str]:
    """List the paths, whatever their shape.

    Examples
    --------
    >>> flat_paths({"a": "x.csv", "b": ["y1.csv", "y2.csv"]})
    ['x.csv', 'y1.csv', 'y2.csv']
    """
    if paths is None:
        return []
    if isinstance(paths, str):
        return [paths]
    if isinstance(paths, list):
        return list(paths)
    return [path for value in paths.values() for path in flat_paths(value)]


def declared_inputs(inputs: Paths) -> Iterator[str]:
    """Give each input; a pattern with free fields that matches nothing is one absent path."""
    for value in inputs.values() if isinstance(inputs, dict) else [inputs]:
        if isinstance(value, str):
            yield value
        else:
            yield from value or ["(no file matches)"]


def with_parent(path: str) -> str:
    """Make the folder of a path that a script writes in place, and give the path back."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


def script_paths(
    inputs: Paths, outputs: Paths, control: Paths | None, place: Callable[[str], str] = str
) -> StepPaths:
    """Give a script its paths: inputs as they are, outputs where `place` puts them, final ones for its eyes."""
    return StepPaths(
        input=as_paths(inputs),
        output=as_paths(outputs, place),
        control=None if control is None else as_paths(control, place),
        final=lambda: as_paths(outputs),
    )


def as_paths(paths: Paths, place: Callable[[str], str] = str) -> Any:
    """Give paths as `Path` objects in their shape, each where `place` puts it."""
    if isinstance(paths, str):
        return Path(place(paths))
    if isinstance(paths, list):
        return [Path(place(path)) for path in paths]
    return {name: as_paths(value, place) for name, value in paths.items()}
