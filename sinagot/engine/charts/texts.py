"""Graphs as text for other programs: Mermaid flowcharts and DOT of Graphviz.

Pure. Names and labels are texts of people: whatever is in them, they stay labels.
"""

from __future__ import annotations

from sinagot.engine.charts.chart import Box, Chart, Line, one_line
from sinagot.engine.words import TONES

__all__ = ["dot", "mermaid", "mermaid_label"]


def mermaid(chart: Chart) -> str:
    """Write a graph as a Mermaid flowchart: each box once, each line once.

    Parameters
    ----------
    chart : Chart
        The graph.

    Returns
    -------
    str
        Lines of text; the last one has no end of line.

    Examples
    --------
    >>> print(mermaid(Chart("p", [Box("read"), Box("mean")], [Line("read", "mean", "table")])))
    flowchart TD
        n0["read"]
        n1["mean"]
        n0 -->|"table"| n1
    """
    marks = {box.name: f"n{number}" for number, box in enumerate(chart.boxes)}
    lines = ["flowchart TD"]
    for number, (title, boxes) in enumerate(_framed(chart)):
        if title is None:
            lines += [f"    {marks[box.name]}{_mermaid_box(box)}" for box in boxes]
        else:
            lines.append(f'    subgraph f{number}["{mermaid_label(title)}"]')
            lines += [f"        {marks[box.name]}{_mermaid_box(box)}" for box in boxes]
            lines.append("    end")
    for line in chart.lines:
        arrow = "-->" if line.is_data else "-.->"
        label = f'|"{mermaid_label(line.label)}"|' if line.label else ""
        lines.append(f"    {marks[line.source]} {arrow}{label} {marks[line.target]}")
    lines += [
        f"    style {marks[box.name]} fill:{TONES[box.word.tone].light},color:{TONES[box.word.tone].light_ink}"
        for box in chart.boxes
        if box.word is not None
    ]
    return "\n".join(lines)


def _mermaid_box(box: Box) -> str:
    left, right = ("([", "])") if box.is_round else ("[", "]")
    return f'{left}"{"<br/>".join(map(mermaid_label, _said(box)))}"{right}'


def mermaid_label(text: str) -> str:
    """Write a text of people so that Mermaid takes it as text.

    Examples
    --------
    >>> mermaid_label('said "no"; [x]')
    'said #34;no#34;#59; #91;x#93;'
    """
    plain = one_line(text)
    return "".join(one if one.isalnum() or one in " .,-_/()" else f"#{ord(one)};" for one in plain)


def dot(chart: Chart) -> str:
    """Write a graph in DOT, the language of Graphviz: each box once, each line once.

    Parameters
    ----------
    chart : Chart
        The graph.

    Returns
    -------
    str
        Lines of text; the last one has no end of line.

    Examples
    --------
    >>> print(dot(Chart("p", [Box("read"), Box("mean")], [Line("read", "mean", is_data=False)])))
    digraph "p" {
        "read" [label="read", shape=box];
        "mean" [label="mean", shape=box];
        "read" -> "mean" [style=dashed];
    }
    """
    marks = _dot_names(chart)
    lines = [f"digraph {_quoted(chart.name)} {{"]
    for number, (title, boxes) in enumerate(_framed(chart)):
        if title is None:
            lines += [f"    {marks[box.name]} {_dot_box(box)};" for box in boxes]
        else:
            lines += [f"    subgraph cluster_{number} {{", f"        label={_quoted(title)};"]
            lines += [f"        {marks[box.name]} {_dot_box(box)};" for box in boxes]
            lines.append("    }")
    lines += [f"    {marks[line.source]} -> {marks[line.target]}{_dot_facts(line)};" for line in chart.lines]
    return "\n".join([*lines, "}"])


def _dot_names(chart: Chart) -> dict[str, str]:
    """Give each box its name in quotes; what cannot be seen is written in letters, which another name may have."""
    marks: dict[str, str] = {}
    taken: set[str] = set()
    for box in chart.boxes:
        mark = _quoted(box.name)
        while mark in taken:
            mark = f'{mark[:-1]} "'
        taken.add(mark)
        marks[box.name] = mark
    return marks


def _dot_box(box: Box) -> str:
    colours = ""
    if box.word is not None:
        tone = TONES[box.word.tone]
        colours = f', style=filled, fillcolor="{tone.light}", fontcolor="{tone.light_ink}"'
    return f"[label={_quoted(*_said(box))}, shape={'ellipse' if box.is_round else 'box'}{colours}]"


def _dot_facts(line: Line) -> str:
    facts = [f"label={_quoted(line.label)}"] if line.label else []
    facts += [] if line.is_data else ["style=dashed"]
    return f" [{', '.join(facts)}]" if facts else ""


def _quoted(*lines: str) -> str:
    """Write a label; HTML entities mean something in it too."""
    escaped = (
        one_line(text).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;") for text in lines
    )
    return '"' + "\\n".join(escaped) + '"'


def _said(box: Box) -> list[str]:
    """List the lines that stand in a box."""
    state = " ".join(part for part in (box.word.text if box.word else "", box.note) if part)
    return [box.name, *(part for part in (box.detail, state) if part)]


def _framed(chart: Chart) -> list[tuple[str | None, list[Box]]]:
    """Give the boxes by frame, with the title of each; those that stand free first."""
    free: list[Box] = []
    frames: dict[str, list[Box]] = {}
    for box in chart.boxes:
        (free if box.frame is None else frames.setdefault(box.frame, [])).append(box)
    framed = [(chart.frames.get(name) or name, boxes) for name, boxes in frames.items()]
    return [(None, free), *framed] if free else [*framed]
