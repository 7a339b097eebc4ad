"""What is shown of a pipeline: each stage and each edge once, whatever they are called."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinagot.engine.charts.chart import Box, Chart, Line
from sinagot.engine.charts.layout import HEIGHT, MOST_ACROSS, MOST_DOWN, MOST_LINES, WIDTH, lay_out
from sinagot.engine.words import ACTS
from sinagot.errors import ConfigurationError
from sinagot.pipeline.description import Description, EdgeView, NodeView, ParamView
from sinagot.pipeline.views.graph import chart_of, edge_label
from sinagot.pipeline.views.kinds import FORMS, describe
from sinagot.pipeline.views.page import page
from tests.pages import read_page
from tests.pipeline.graphs import descriptions, plain, read_dot, read_mermaid, unquoted

quick = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

STUDY = Description(
    "alpha study",
    doc="Mean alpha power of each part.\nMore of it here.",
    parameters=(ParamView("low", "float", 8.0, doc="Hz"), ParamView("who", "str", is_required=True)),
    nodes=(
        NodeView("mean", doc="Average."),
        NodeView("read", source="flow.py:3"),
        NodeView("plot", kind="each"),
    ),
    edges=(
        EdgeView("read", "mean", "data", "table"),
        EdgeView("mean", "plot", "value"),
        EdgeView("read", "plot"),
    ),
)


def test_text_tells_what_runs_when_and_takes_what_from_where() -> None:
    """The listing has parameters with type and default, and stages in running order with what they take."""
    assert describe(STUDY, "text", {"read": "DONE", "mean": "ERROR"}).splitlines() == [
        "alpha study  (3 stages)",
        "Mean alpha power of each part.",
        "",
        "Parameters",
        "  low: float = 8.0",
        "      Hz",
        "  who: str (required)",
        "",
        "Stages, in running order",
        "  1  read  (flow.py:3, ✓ done)",
        "  2  mean  (✗ error)",
        "        Average.",
        "        table as data <- 1 read",
        "  3  plot  (once per element)",
        "        value <- 2 mean",
        "        after 1 read",
    ]


@quick
@given(descriptions())
def test_mermaid_has_each_stage_and_each_edge_once(description: Description) -> None:
    """Read back, a flowchart has the stages and the edges of the pipeline, each once, with their labels."""
    nodes, edges = read_mermaid(describe(description, "mermaid"))
    assert Counter(nodes) == Counter(plain(node.name) for node in description.nodes)
    assert Counter(edges) == Counter(
        (plain(edge.source), plain(edge.target), plain(edge_label(edge))) for edge in description.edges
    )


@quick
@given(descriptions())
def test_dot_has_each_stage_and_each_edge_once(description: Description) -> None:
    """Read back, DOT has as many nodes as the pipeline has stages, all apart, and its edges, each once."""
    nodes, edges = read_dot(describe(description, "dot"))
    order = [node.name for node in description.in_order()]
    assert len(nodes) == len(set(nodes)) == len(order)
    # In groups the order is another one: names tell which is which, where they do not look the same.
    assert {unquoted(one).rstrip(" ") for one in nodes} == {plain(name).rstrip(" ") for name in order}
    assert len(edges) == len(set(description.edges))
    assert {name for source, target, _ in edges for name in (source, target)} <= set(nodes)
    assert Counter(unquoted(label) if label else "" for _, _, label in edges) == Counter(
        plain(edge_label(edge)) for edge in description.edges
    )


@quick
@given(descriptions(), st.data())
def test_page_escapes_everything(description: Description, data: Any) -> None:
    """Whatever names, documents and errors hold, the page has our tags only, and can be written as UTF-8."""
    names = [node.name for node in description.nodes]
    known = st.dictionaries(st.sampled_from(names), st.sampled_from([*ACTS, "odd"])) if names else st.just({})
    states = data.draw(known)
    made = page(description, states, dict.fromkeys(states, 1.5), dict.fromkeys(names, "</p><script>\x00"))
    read = read_page(made)
    assert set(read.tags) <= {
        *(
            "div",
            "style",
            "p",
            "svg",
            "title",
            "desc",
            "path",
            "g",
            "rect",
            "text",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
        ),
        *("td", "code", "span"),
    }
    assert read.tags.count("svg") == (len(names) > 0) + any(state in ACTS for state in states.values())
    for state in states.values():
        assert state not in ACTS or ACTS[state].text in read.text


@quick
@given(descriptions())
def test_text_is_narrow_and_steers_no_terminal(description: Description) -> None:
    """The listing has no line above 80 columns and no control character, and numbers every stage."""
    text = describe(description)
    assert all(len(line) <= 80 for line in text.split("\n"))
    assert all(one.isprintable() or one == "\n" or one.isspace() for one in text) and "\x1b" not in text
    for number, node in enumerate(description.in_order(), start=1):
        assert re.search(rf"^ +{number}(  |$)", text, re.MULTILINE), node


@quick
@given(descriptions())
def test_description_survives_json(description: Description) -> None:
    """A description comes back from JSON with its stages and edges; written again it is the same, and later keys do no harm."""
    text = describe(description, "json")
    again = Description.from_json(text)
    assert (again.name, again.nodes, again.edges, again.groups) == (
        description.name, description.nodes, description.edges, description.groups,
    )  # fmt: skip
    assert again.to_json(indent=2) == text
    later = again.as_json() | {"colour": "red"}
    later["nodes"] = [{**node, "weight": 3} for node in later["nodes"]]
    assert Description.from_json(later) == again


def test_bad_descriptions_are_told() -> None:
    """An unknown form, a circle, an edge to nowhere, two of one name and JSON of others are errors that name it."""
    with pytest.raises(
        ConfigurationError, match=r"'mermaids' is no form.*text, mermaid, dot, json; did you mean 'mermaid'\?"
    ):
        describe(STUDY, "mermaids")
    circle = STUDY._replace(edges=(*STUDY.edges, EdgeView("plot", "read")))
    for bad, said in (
        (circle, "wait for one another: 'mean', 'read', 'plot'"),
        (STUDY._replace(edges=(EdgeView("read", "men"),)), "'men'"),
        (STUDY._replace(nodes=(*STUDY.nodes, NodeView("read"))), "two stages are called 'read'"),
    ):
        for form in set(FORMS) - {"json"}:
            with pytest.raises(ConfigurationError, match=said):
                describe(bad, form)
        assert said in read_page(page(bad)).text
    for text in ("[]", "{}", '{"name": "x", "nodes": [1]}', "{", '{"name": "x", "nodes": 3}'):
        with pytest.raises(ConfigurationError, match="no description"):
            Description.from_json(text)


@quick
@given(st.lists(st.tuples(st.integers(0, 119), st.integers(0, 119)), max_size=900), st.integers(1, 120))
def test_picture_has_a_bound_and_no_box_on_another(pairs: list[tuple[int, int]], count: int) -> None:
    """However large a graph is, boxes stand apart, lines lead downwards, and what is left out is counted."""
    lines = [Line(str(a), str(b)) for a, b in sorted(set(pairs)) if a < b < count]
    layout = lay_out(Chart("x", [Box(str(number)) for number in range(count)], lines))
    rows: dict[int, list[int]] = {}
    for _, point in layout.boxes:
        rows.setdefault(point.y, []).append(point.x)
        assert 0 <= point.x <= layout.width - WIDTH and 0 <= point.y <= layout.height - HEIGHT
    assert len(rows) <= MOST_DOWN and all(len(row) <= MOST_ACROSS for row in rows.values())
    for row in rows.values():
        assert all(b - a >= WIDTH for a, b in zip(sorted(row), sorted(row)[1:], strict=False))
    assert sum(box.many or 1 for box, _ in layout.boxes) == count
    assert len(layout.lines) <= MOST_LINES
    for _, points in layout.lines:
        assert all(one.y < other.y for one, other in itertools.pairwise(points))


@pytest.mark.parametrize("shape", ["wide", "long"])
def test_a_thousand_stages_are_folded(shape: str) -> None:
    """A page of 1,000 stages stays small, says how many it does not show, and shows those that failed."""
    names = [f"stage {number}" for number in range(1000)]
    edges = [
        EdgeView(names[0] if shape == "wide" else names[number - 1], names[number], "x")
        for number in range(1, 1000)
    ]
    many = Description("many", nodes=tuple(map(NodeView, names)), edges=tuple(edges))
    made = page(many, {"stage 700": "ERROR", "stage 3": "DONE"}, {}, dict.fromkeys(names, "broken"))
    read = read_page(made)
    assert len(made) < 60_000
    assert (
        "... and 950 more" in read.text
        and "... and 995 more errors" in read.text
        and "stage 700" in read.text
    )
    drawn = "".join(read.drawn)
    assert re.search(r"\.\.\. and 9\d\d more", drawn)
    if shape == "wide":
        assert "✗ error" in drawn
    assert len(read_mermaid(describe(many, "mermaid"))[0]) == 1000


def test_page_in_a_browser(tmp_path: Path, browser: Any) -> None:
    """In a browser the page is fit for readers of screens on light and on dark ground, and asks for nothing."""
    from axe_playwright_python.sync_playwright import Axe

    states = dict(zip(["read", "mean", "plot"], ["DONE", "ERROR", "SKIPPED"], strict=True))
    made = page(STUDY, states, {"read": 1.5}, {"mean": ValueError("<b> is no number")})
    ground = "@media (prefers-color-scheme:dark){body{background:#111;color:#eee}}"
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>x</title><style>{ground}</style></head>'
    file = tmp_path / "page.html"
    file.write_text(f"{head}<body><main><h1>Pipeline</h1>{made}</main></body></html>", encoding="utf-8")
    with closing(browser.new_context()) as context:
        shown = context.new_page()
        asked: list[str] = []
        shown.on("request", lambda request: asked.append(request.url))
        shown.goto(file.as_uri())
        assert asked == [file.as_uri()]
        picture = shown.get_by_role("img", name="alpha study: read done 1.5 s, mean error, plot skipped")
        assert picture.locator("desc").text_content() == "read done 1.5 s, mean error, plot skipped"
        for scheme in ("light", "dark"):
            shown.emulate_media(color_scheme=scheme)
            found = Axe().run(shown)
            assert found.violations_count == 0, found.generate_report()


def test_every_state_has_a_word() -> None:
    """Boxes of all states carry the words and the colours of the house."""
    nodes = tuple(NodeView(name) for name in ACTS)
    chart = chart_of(Description("p", nodes=nodes), {name: name.lower() for name in ACTS}, {"DONE": 75.0})
    assert [box.word for box in chart.boxes] == list(ACTS.values())
    assert chart.boxes[0].note == "1 min 15 s"
