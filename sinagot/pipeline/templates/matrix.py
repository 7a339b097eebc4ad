"""Strategies of jobs: one run of a job for each combination of some values.

Pure: values in, combinations out.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sinagot.errors import ConfigurationError, TemplateError
from sinagot.pipeline.templates.expressions import Template
from sinagot.pipeline.templates.sections import Section

__all__ = ["MOST", "Strategy", "label_of", "read_strategy"]

#: Combinations that one job may have.
MOST = 10_000


@dataclass(frozen=True)
class Strategy:
    """A matrix of values, and how its combinations are run."""

    matrix: Template
    include: Template
    exclude: Template
    width: int | None
    is_fail_fast: bool
    #: Names of the values; None where only the run tells.
    keys: tuple[str, ...] | None

    def check(self, known: Mapping[str, Any], filters: Any) -> list[ConfigurationError]:
        """Find unknown names."""
        return [
            problem
            for template in (self.matrix, self.include, self.exclude)
            for problem in template.check(known, filters)
        ]

    def combinations(self, context: Mapping[str, Any], filters: Any) -> list[dict[str, Any]]:
        """Give the values of each run, in the order of the file.

        Raises
        ------
        TemplateError
            Something is no list.
        """
        matrix = self.matrix.render(context, filters) or {}
        if not isinstance(matrix, Mapping):
            raise TemplateError(f"a matrix is a mapping of names to lists, found {type(matrix).__name__}")
        columns = {name: _listed(name, values) for name, values in matrix.items()}
        found = [dict(zip(columns, values, strict=True)) for values in itertools.product(*columns.values())]
        if not columns:
            found = []
        if len(found) > MOST:
            raise TemplateError(f"the matrix has {len(found)} combinations, allowed are {MOST}")
        excluded = _listed("exclude", self.exclude.render(context, filters) or [])
        found = [one for one in found if not any(_holds(one, out) for out in excluded)]
        for more in _listed("include", self.include.render(context, filters) or []):
            if not isinstance(more, Mapping):
                raise TemplateError(f"include is a list of mappings, found {type(more).__name__}")
            if dict(more) not in found:
                found.append(dict(more))
        return found


def _listed(name: str, values: Any) -> list[Any]:
    if isinstance(values, (list, tuple)):
        return list(values)
    raise TemplateError(f"{name} of a strategy must be a list, found {type(values).__name__}")


def _holds(one: Mapping[str, Any], part: Any) -> bool:
    return (
        isinstance(part, Mapping) and bool(part) and all(one.get(key) == value for key, value in part.items())
    )


def label_of(values: Mapping[str, Any]) -> str:
    """Name a combination.

    Examples
    --------
    >>> label_of({"task": "rest", "run": 2})
    'task=rest,run=2'
    """
    return ",".join(
        f"{name}={value if isinstance(value, str) else _json(value)}" for name, value in values.items()
    )


def _json(value: Any) -> str:
    return json.dumps(value, default=str)


def read_strategy(section: Section) -> Strategy:
    """Read what stands under ``strategy:``."""
    section.allow("matrix", "include", "exclude", "max-parallel", "fail-fast")
    matrix = section.data.get("matrix")
    keys: tuple[str, ...] | None = None
    if isinstance(matrix, dict):
        keys = tuple(matrix)
        include = section.data.get("include") or []
        if isinstance(include, list):
            keys = tuple(
                dict.fromkeys([*keys, *(key for one in include if isinstance(one, dict) for key in one)])
            )
        for name, values in matrix.items():
            if not isinstance(values, list) and not (isinstance(values, str) and "${{" in values):
                section.fail(("matrix", name), "allowed is a list of values, or an expression that gives one")
    elif matrix is not None and not (isinstance(matrix, str) and "${{" in matrix):
        section.fail(("matrix",), "allowed is a mapping of names to lists")
    return Strategy(
        section.template("matrix", {}),
        section.template("include", []),
        section.template("exclude", []),
        section.count("max-parallel", 0) or None,
        section.flag("fail-fast", False),
        keys,
    )
