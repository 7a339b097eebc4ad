"""The pieces of HTML that notebooks and pages are made of."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinagot.engine import html
from sinagot.engine.words import ACTS, NODES, OUTCOMES, PLACES, STATUS, TONES, VERDICTS
from tests.pages import read_page

ANY_TEXT = st.text(st.characters(), max_size=30)  # halves of characters and control characters too


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(ANY_TEXT, ANY_TEXT)
def test_no_text_of_data_gets_out_of_its_cell(one: str, other: str) -> None:
    """Whatever an id, a message or a path holds, the page has our tags only, and can be written as UTF-8."""
    cells = html.table([one], [[other, one], [html.code(other), html.problem(one)]])
    page = read_page(html.fragment(one, cells, html.fold(one, other), html.paragraph(other), other))
    assert page.tags == [
        *("div", "style", "p", "table", "thead", "tr", "th", "tbody", "tr", "td", "td", "tr", "td", "code", "td", "p"),
        *("details", "summary", "p"),
    ]  # fmt: skip


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from(list(STATUS)), st.integers(0, 10**6)), st.none() | st.integers(0, 10**7)
)
def test_bar_says_its_counts_in_words(counts: dict[str, int], total: int | None) -> None:
    """A bar is one picture whose label has every count and word; its parts never leave it."""
    drawn = html.bar(counts, STATUS, total)
    read_page(drawn)
    for name, count in counts.items():
        assert (f"{count:,} {STATUS[name].text}" in drawn) == bool(count)
    widths = [float(part.split('width="')[1].split("%")[0]) for part in drawn.split("<rect ")[2:]]
    assert sum(widths) <= 100.01


def test_long_table_is_capped_and_says_so() -> None:
    """No more rows are made than are shown, and the others are counted."""
    asked = []

    def rows() -> object:
        for number in range(10**9):
            asked.append(number)
            yield [number]

    page = read_page(html.table(["n"], rows(), most=3, total=10**9))  # type: ignore[arg-type]
    assert page.text == "n 0 1 2 ... and 999,999,997 more"
    assert len(asked) == 3
    assert read_page(html.table(["n"], [[1]])).text == "n 1"


def test_colour_is_never_alone() -> None:
    """Every word of every family has a sign beside its text, and the style knows its colour on both grounds."""
    style = html.style()
    for words in (STATUS, OUTCOMES, VERDICTS, PLACES, NODES, ACTS):
        for word in words.values():
            assert read_page(html.chip(word, 3)).text == f"{word.sign} 3 {word.text}"
            assert f".sg-{word.tone}{{" in style
    for name, tone in TONES.items():
        assert f"--sg-{name}:{tone.light}" in style and f"--sg-{name}:{tone.dark}" in style
    assert "prefers-color-scheme:dark" in style
    assert style.index("prefers-color-scheme:dark") < style.index('[data-jp-theme-light="true"]')
