"""A pipeline as text for a terminal: its parameters, and its stages in running order with what they take from where.

Knows descriptions and words; must not know colours or how wide the terminal is. No line is longer than 80 columns, and
nothing in it can steer a terminal.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal

from sinagot.pipeline.description import Description, NodeView, ParamView
from sinagot.pipeline.views.graph import edge_label, kind_text, word_of
from sinagot.runlog.printing import escaped

__all__ = ["default_text", "listing", "value_text"]

_WIDTH = 80
_LONGEST_VALUE = 40
_MOST_CHOICES = 8


def listing(description: Description, states: Mapping[str, str] | None = None) -> str:
    """Write a pipeline down for people.

    Parameters
    ----------
    description : Description
        The pipeline.
    states : mapping of str to str, optional
        Name of a stage -> its state.

    Returns
    -------
    str
        Lines of at most 80 columns.

    Raises
    ------
    ConfigurationError
        When the stages have no order.
    """
    order = description.in_order()
    counted = f"{len(order):,} stage{'' if len(order) == 1 else 's'}"
    kind = "" if description.kind == "pipeline" else f"{escaped(description.kind)}, "
    lines = [*_filled(f"{escaped(description.name)}  ({kind}{counted})", "", "  ")]
    lines += _prose(description.doc, "")
    if description.parameters:
        lines += ["", "Parameters"]
        for one in description.parameters:
            lines += _parameter(one)
    if order:
        lines += ["", "Stages, in running order"]
        lines += _stages(description, order, states or {})
    return "\n".join(lines)


def _parameter(one: ParamView) -> Iterator[str]:
    end = " (required)" if one.is_required else f" = {default_text(one)}"
    yield from _filled(f"{escaped(one.name)}: {escaped(one.type)}{end}", "  ", "      ")
    if one.choices:
        told = [value_text(value) for value in one.choices[:_MOST_CHOICES]]
        more = ", ..." if len(one.choices) > _MOST_CHOICES else ""
        yield from _filled(f"one of {', '.join(told)}{more}", "      ", "      ")
    yield from _prose(one.doc, "      ")


def _stages(description: Description, order: list[NodeView], states: Mapping[str, str]) -> Iterator[str]:
    """Give the stages group by group; each has its number in the order of all."""
    numbers = {node.name: number for number, node in enumerate(order, start=1)}
    digits = len(str(len(order)))
    takes: dict[str, list[str]] = {}
    for edge in dict.fromkeys(description.edges):
        label = edge_label(edge) if edge.argument is not None else ""
        # The number says which stage is meant, where names are odd.
        source = f"{numbers[edge.source]} {escaped(edge.source)}"
        takes.setdefault(edge.target, []).append(
            f"{escaped(label)} <- {source}" if label else f"after {source}"
        )
    groups: dict[str | None, list[NodeView]] = {None: []}
    for node in order:
        groups.setdefault(node.group, []).append(node)
    known = {one.name: one for one in description.groups}
    for name, nodes in groups.items():
        if name is not None:
            group = known.get(name)
            label = group.label if group and group.label not in ("", name) else ""
            yield ""
            yield from _filled(f"[{escaped(name)}]{'  ' + escaped(label) if label else ''}", "  ", "      ")
            yield from _prose(group.doc if group else "", "      ")
        for node in nodes:
            yield from _stage(node, f"{numbers[node.name]:>{digits}}", takes.get(node.name, []), states)


def _stage(node: NodeView, number: str, takes: list[str], states: Mapping[str, str]) -> Iterator[str]:
    inner = " " * (len(number) + 7)
    word = word_of(states.get(node.name))
    said = [node.label if node.label != node.name else "", kind_text(node), node.source]
    facts = [escaped(part) for part in said if part]
    facts += [f"rule {escaped(node.rule)}"] if node.rule != "all_success" else []
    facts += [f"{word.sign} {word.text}"] if word else []
    end = f"  ({', '.join(facts)})" if facts else ""
    yield from _filled(f"{number}  {escaped(node.name)}{end}", "  ", inner)
    yield from _prose(node.doc, inner)
    for line in takes:
        yield from _filled(line, inner, f"{inner}    ")


def _prose(text: str, indent: str) -> list[str]:
    """Give the first sentence or line of what somebody wrote."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return _filled(escaped(first), indent, indent) if first else []


def _filled(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
        drop_whitespace=True,
    ) or [first]


def default_text(one: ParamView) -> str:
    """Write what a parameter is when nobody says otherwise.

    Examples
    --------
    >>> (
    ...     default_text(ParamView("low", "float", 8.0)),
    ...     default_text(ParamView("token", "str", "abc", is_secret=True)),
    ... )
    ('8.0', '***')
    """
    return "required" if one.is_required else "***" if one.is_secret else value_text(one.default)


def value_text(value: object) -> str:
    r"""Write a value as one short line.

    Examples
    --------
    >>> value_text("first"), value_text(list(range(100))), value_text("\x1b[2J")
    ("'first'", '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1...', "'\\x1b[2J'")
    """
    try:
        text = str(value) if isinstance(value, (date, Decimal)) else repr(value)
    except Exception:  # noqa: BLE001  (the text of a user's object is a user's code)
        text = f"<{type(value).__name__} without text>"
    if not isinstance(value, (str, int, float, bool, type(None), list, tuple, dict, set)) and "\n" in text:
        text = f"<{type(value).__name__}>"  # a table, an array
    return escaped(text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}...")
