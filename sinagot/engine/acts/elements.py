"""The elements of an act that is called once for each: which they are, and what is told when some of them fail.

Knows sequences; must not know threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sinagot.engine.acts.act import Act, ActResult

__all__ = ["elements_of", "failed_elements_error"]

#: Numbers of failed elements that a message names.
_MOST_NAMED = 10


def elements_of(act: Act, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the arguments of each call.

    Raises
    ------
    TypeError
        What should be a sequence is none.
    ValueError
        Two of them differ in length.

    Examples
    --------
    >>> act = Act("power", pow, each=("base",))
    >>> elements_of(act, {"exp": 2, "base": [2, 3]})
    [{'exp': 2, 'base': 2}, {'exp': 2, 'base': 3}]
    """
    columns: dict[str, Sequence[Any]] = {}
    for name in act.each:
        value = values[name]
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
            raise TypeError(
                f"stage {act.name!r} is called for each element of {name!r}, which must be a list or another sequence "
                f"of values; found {type(value).__name__}"
            )
        columns[name] = list(value)
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(
            f"stage {act.name!r} is called for each element of several lists of other lengths: {told}"
        )
    rest = {name: value for name, value in values.items() if name not in columns}
    count = next(iter(lengths.values()))
    return [{**rest, **{name: column[place] for name, column in columns.items()}} for place in range(count)]


def failed_elements_error(found: Sequence[ActResult], bad: Sequence[int]) -> BaseException:
    """Give the exception of the first element that failed, with a note of all."""
    error = found[bad[0]].error
    assert error is not None, "a failed act has its exception"
    named = ", ".join(map(str, bad[:_MOST_NAMED])) + (", ..." if len(bad) > _MOST_NAMED else "")
    skipped = sum(one.state == "SKIPPED" for one in found)
    rest = f", {skipped} were not begun" if skipped else ""
    error.add_note(f"element {bad[0]} of {len(found)}; failed: {named}{rest}")
    return error
