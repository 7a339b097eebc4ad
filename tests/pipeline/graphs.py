"""Random descriptions of pipelines with hostile names, and readers that take drawings apart again."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

from sinagot.pipeline.description import Description, EdgeView, GroupView, NodeView, ParamView

ODD = [
    '"', "\\", "a\\", "]", '"]', "-->", "end", "subgraph", "#35;", "&amp;", "&", "<b>", "</svg>", "<script>", "`x`", "|", "{{ x }}",
    "{% raw %}", "\x00", "\x1b[2J", "\u202e", "\ud800", "\n", "a\nb", "1. x", "- x", "", " ", "é", "日本", "x" * 300, "'''", '"""', "#", "%s", "{}",
    "n0", "x.md", "return", "\\N", "A", "a", "a-2", "a_2", "\r\n", "\\x00",
]  # fmt: skip
#: Halves of characters and control characters too.
texts = st.sampled_from(ODD) | st.text(st.characters(), max_size=12)
values = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.lists(st.integers(), max_size=3)
types = st.sampled_from(
    ["str", "int", "float", "bool", "date", "datetime", "choice", "map", "array", "decimal", "any", "Odd"]
)


@st.composite
def descriptions(draw: Any) -> Description:
    """Give a pipeline without circles: edges lead from a stage to one behind it, in an order that is then shuffled."""
    names = draw(st.lists(texts, unique=True, max_size=8))
    group_names = draw(st.lists(texts, unique=True, max_size=3))
    groups = st.none() | st.sampled_from(group_names) if group_names else st.none()
    edges: list[EdgeView] = []
    for number, target in enumerate(names[1:], start=1):
        sources = draw(st.lists(st.sampled_from(names[:number]), max_size=3))
        edges += [
            EdgeView(source, target, draw(st.none() | texts), draw(st.none() | texts)) for source in sources
        ]
    nodes = [
        NodeView(name, draw(texts), draw(texts), draw(groups), draw(texts), draw(texts))
        for name in draw(st.permutations(names))
    ]
    parameters = [
        ParamView(
            name,
            draw(types),
            draw(values),
            draw(st.booleans()),
            draw(texts),
            tuple(draw(st.lists(values, max_size=2))),
        )
        for name in draw(st.lists(texts, unique=True, max_size=3))
    ]
    return Description(
        draw(texts), draw(texts), draw(texts), tuple(parameters), tuple(nodes), tuple(dict.fromkeys(edges)),
        tuple(GroupView(name, draw(texts), draw(texts)) for name in group_names),
    )  # fmt: skip


def plain(text: str) -> str:
    """Give a name as drawings write it: one line, what cannot be seen in letters."""
    from sinagot.engine.charts.chart import one_line

    return one_line(text)


_MERMAID = {
    "node": re.compile(r'^ +(n\d+)(?:\["|\(\[")([^"]*)"\]?\)?\]?$'),
    "edge": re.compile(r'^ +(n\d+) (-->|-\.->)(?:\|"([^"]*)"\|)? (n\d+)$'),
    "frame": re.compile(r'^ +subgraph f\d+\["([^"]*)"\]$'),
    "end": re.compile(r"^ +end$"),
    "style": re.compile(r"^ +style n\d+ fill:#[0-9a-f]{6},color:#[0-9a-f]{6}$"),
}


def read_mermaid(text: str) -> tuple[list[str], list[tuple[str, str, str]]]:
    """Take a flowchart apart: first lines of its boxes, and its edges as (source, target, label)."""
    first, *lines = text.split("\n")
    assert first == "flowchart TD"
    nodes: dict[str, str] = {}
    edges = []
    depth = 0
    for line in lines:
        ((kind, found),) = [(kind, match) for kind, rule in _MERMAID.items() if (match := rule.match(line))]
        if kind == "node":
            assert found[1] not in nodes
            nodes[found[1]] = _decoded(found[2].split("<br/>")[0])
        elif kind == "edge":
            edges.append((found[1], found[4], _decoded(found[3] or "")))
        depth += {"frame": 1, "end": -1}.get(kind, 0)
        assert depth in (0, 1)
    assert depth == 0
    return list(nodes.values()), [(nodes[source], nodes[target], label) for source, target, label in edges]


def _decoded(text: str) -> str:
    assert not re.search(r'[<>"`{}|\[\]]', text)
    return re.sub(r"#(\d+);", lambda found: chr(int(found[1])), text)


_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|->|[A-Za-z_0-9]+|[{}\[\];=,])', re.DOTALL)


def read_dot(text: str) -> tuple[list[str], list[tuple[str, str, str]]]:
    """Take DOT apart with its own rules for quotes: names of nodes, and edges as (source, target, label)."""
    tokens, at = [], 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        assert found, text[at : at + 40]
        tokens.append(found[1])
        at = found.end()
    assert tokens[0] == "digraph" and tokens[2] == "{" and tokens[-1] == "}"
    assert tokens.count("{") == tokens.count("}")
    nodes, edges = [], []
    for number, token in enumerate(tokens):
        if token[0] == '"' and tokens[number - 1] in (";", "{", "}"):
            facts = _facts(tokens, number + (3 if tokens[number + 1] == "->" else 1))
            if tokens[number + 1] == "->":
                edges.append((token, tokens[number + 2], facts.get("label", "")))
            else:
                nodes.append(token)
                assert facts["shape"] in ("box", "ellipse")
    return nodes, edges


def _facts(tokens: list[str], at: int) -> dict[str, str]:
    if tokens[at] != "[":
        return {}
    inner = tokens[at + 1 : tokens.index("]", at)]
    return {inner[number - 1]: inner[number + 1] for number, token in enumerate(inner) if token == "="}


def unquoted(text: str) -> str:
    """Give what a label of DOT shows."""
    return re.sub(r"\\(.)", lambda found: found[1], text[1:-1]).replace("&amp;", "&")
