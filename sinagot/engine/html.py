"""Pieces of HTML that notebooks and pages show: escaped texts, capped tables, chips, bars, one style.

Pure: words and numbers in, text out; must not know what is shown. Nothing loads it before somebody asks for HTML.
A piece needs no script and no other file, and is legible where its style is taken away.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from html import escape
from itertools import islice

from sinagot.engine.words import TONES, Word, css

__all__ = [
    "Markup",
    "bar",
    "chip",
    "code",
    "facts",
    "fold",
    "fragment",
    "joined",
    "legend",
    "paragraph",
    "problem",
    "style",
    "table",
    "text",
    "told",
    "visible",
    "wrapped",
]

#: Rows of a table that are written out.
MOST_ROWS = 20
#: Per cent of a bar from which on a part has room for its sign and number.
_ROOM = 14.0

#: Ground that is known to be dark, and to be light: JupyterLab, VS Code, pages of documentation, Colab.
_DARK = (
    '[data-jp-theme-light="false"]',
    ".vscode-dark",
    ".vscode-high-contrast",
    '[data-theme="dark"]',
    'html[theme="dark"]',
)
_LIGHT = ('[data-jp-theme-light="true"]', ".vscode-light", '[data-theme="light"]')

_RULES = """
.sinagot{font-size:.92em;line-height:1.45;color:inherit;max-width:72em;overflow-x:auto}
.sinagot .sg-title{font-weight:600;margin:0 0 .3em}
.sinagot p{margin:.3em 0}
.sinagot table{border-collapse:collapse;margin:.4em 0;font-size:1em;border:0}
.sinagot th,.sinagot td{padding:.2em .7em .2em 0;text-align:left;vertical-align:top;border:0;font-weight:400;
background:none;white-space:normal;max-width:48em}
.sinagot thead th{font-weight:600;border-bottom:1px solid}
.sinagot .sg-n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.sinagot code,.sinagot .sg-wrap,.sinagot .sg-problem{overflow-wrap:anywhere}
.sinagot .sg-more{font-style:italic}
.sinagot .sg-chip{display:inline-block;padding:0 .5em;margin:0 .35em .15em 0;border-radius:.8em;white-space:nowrap}
.sinagot .sg-bar{display:block;width:100%;min-width:12em;height:1.35em;margin:.15em 0;border-radius:.25em}
.sinagot .sg-bar rect+rect{stroke:currentColor;stroke-opacity:.4}
.sinagot .sg-bar text{font-size:.85em;text-anchor:middle;dominant-baseline:central}
.sinagot .sg-graph{display:block;max-width:100%;height:auto;margin:.4em 0}
.sinagot .sg-graph text{font-size:12px}
.sinagot .sg-problem{border-left:.3em solid var(--sg-bad);padding-left:.6em;white-space:pre-wrap}
.sinagot pre,.sinagot code{background:none;color:inherit;font-size:.95em;white-space:pre-wrap}
.sinagot pre{overflow-x:auto;margin:.3em 0}
.sinagot details{margin:.3em 0}
.sinagot summary{cursor:pointer}
"""


class Markup(str):
    """HTML that was made here: it is not escaped again. Template engines know it by ``__html__``.

    Examples
    --------
    >>> text("<b>"), text(Markup("<b>"))
    ('&lt;b&gt;', '<b>')
    """

    __slots__ = ()

    def __html__(self) -> str:
        return self


def text(value: object) -> Markup:
    r"""Give a value as HTML: texts of data are escaped, what cannot be seen is made visible, numbers get commas.

    Parameters
    ----------
    value : object
        A text, a number, None (nothing), or `Markup`, which stays as it is.

    Examples
    --------
    >>> text("a<b\x1b"), text(12000), text(None)
    ('a&lt;b\\x1b', '12,000', '')
    """
    if isinstance(value, Markup):
        return value
    if value is None:
        return Markup()
    if isinstance(value, int) and not isinstance(value, bool):
        return Markup(f"{value:,}")
    return Markup(escape(visible(str(value))))


def visible(found: str) -> str:
    r"""Write control characters, and halves of characters, so that a page or a picture can hold them.

    Examples
    --------
    >>> visible("a\tb\x00")
    'a\tb\\x00'
    """
    if found.isprintable():
        return found
    return "".join(
        one if one.isprintable() or one in "\n\t" or unicodedata.category(one) == "Zs" else repr(one)[1:-1]
        for one in found
    )


def joined(*parts: object) -> Markup:
    """Put pieces side by side."""
    return Markup("".join(text(part) for part in parts))


def paragraph(*parts: object) -> Markup:
    """Give a paragraph."""
    return Markup(f"<p>{joined(*parts)}</p>")


def code(value: object) -> Markup:
    """Give a text in the letters of code.

    Examples
    --------
    >>> code("a < b")
    '<code>a &lt; b</code>'
    """
    return Markup(f"<code>{text(value)}</code>")


def wrapped(value: object) -> Markup:
    """Give a text that may be broken anywhere: paths and the like would make a table too wide."""
    return Markup(f'<span class="sg-wrap">{text(value)}</span>')


def fold(summary: object, *parts: object) -> Markup:
    """Give something that is closed until it is asked for."""
    return Markup(f"<details><summary>{text(summary)}</summary>{joined(*parts)}</details>")


def problem(*parts: object) -> Markup:
    """Say what is wrong."""
    return Markup(f'<p class="sg-problem">{joined(*parts)}</p>')


def chip(word: Word, count: int | None = None) -> Markup:
    """Give a word with its sign on its colour, and how many where that is told.

    Parameters
    ----------
    word : Word
        Of a status, an outcome or a verdict.
    count : int, optional
        How many there are.

    Examples
    --------
    >>> from sinagot.engine.words import STATUS
    >>> chip(STATUS["DONE"], 12)
    '<span class="sg-chip sg-good"><span aria-hidden="true">✓</span> 12 done</span>'
    """
    number = "" if count is None else f"{count:,} "
    sign = f'<span aria-hidden="true">{escape(word.sign)}</span>'
    return Markup(f'<span class="sg-chip sg-{word.tone}">{sign} {number}{escape(word.text)}</span>')


def legend(counts: Mapping[str, int], words: Mapping[str, Word]) -> Markup:
    """Give a chip for each of some counts that is not 0, in the order of the words."""
    return Markup("".join(chip(words[name], counts[name]) for name in words if counts.get(name)))


def bar(counts: Mapping[str, int], words: Mapping[str, Word], total: int | None = None) -> Markup:
    """Draw counts as the parts of one bar; parts with room for it have their sign and number in them.

    Parameters
    ----------
    counts : mapping of str to int
        How many of each.
    words : mapping of str to Word
        What they are called; their order is that of the parts.
    total : int, optional
        What the whole bar stands for; the sum when not given. What is not counted stays empty.

    Returns
    -------
    Markup
        An inline drawing; its label says the same in words.
    """
    whole = max(total or 0, sum(counts.values()), 1)
    parts, told, at = [], [], 0.0
    for name, word in words.items():
        count = counts.get(name, 0)
        if not count:
            continue
        width = 100 * count / whole
        said = f"{count:,} {word.text}"
        told.append(said)
        tone = TONES[word.tone]
        # The colours stand in the drawing too: some programs take styles away.
        parts.append(
            f'<rect class="sg-{word.tone}" x="{at:.3f}%" y="0" width="{width:.3f}%" height="100%" '
            f'fill="{tone.light}"><title>{escape(said)}</title></rect>'
        )
        if width >= _ROOM:
            parts.append(
                f'<text class="sg-{word.tone}-on" x="{at + width / 2:.3f}%" y="50%" fill="{tone.light_ink}">'
                f"{escape(word.sign)} {count:,}</text>"
            )
        at += width
    label = escape(", ".join(told) or "nothing")
    return Markup(
        f'<svg class="sg-bar" role="img" aria-label="{label}" width="100%" height="18">'
        '<rect class="sg-empty" x="0" y="0" width="100%" height="100%" fill="#888888" fill-opacity="0.2"></rect>'
        f"{''.join(parts)}</svg>"
    )


def table(
    head: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    most: int = MOST_ROWS,
    total: int | None = None,
) -> Markup:
    """Give a table of which the first rows are written out, and how many more there are.

    Parameters
    ----------
    head : sequence of object
        Names of the columns; none for a table without a head.
    rows : iterable of sequence of object
        Cells; numbers stand on the right.
    most : int
        Rows that are written out.
    total : int, optional
        Number of all rows, where `rows` is not to be walked through to its end.

    Examples
    --------
    >>> print(table([], [["a", 1], ["b", 2], ["c", 3]], most=1))
    <table><tbody><tr><td>a</td><td class="sg-n">1</td></tr><tr><td class="sg-more" colspan="2">... and 2
    more</td></tr></tbody></table>
    """
    if total is None:
        rows = list(rows)
        total = len(rows)
    shown = [list(row) for row in islice(rows, most)]
    cells = ["".join(_cell(value) for value in row) for row in shown]
    width = max([len(head), *map(len, shown), 1])
    if total > len(shown):
        cells.append(f'<td class="sg-more" colspan="{width}">... and {total - len(shown):,} more</td>')
    kinds = [_kind(value) for value in shown[0]] if shown else [""] * len(head)
    top = "".join(f'<th scope="col"{kind}>{text(name)}</th>' for name, kind in zip(head, kinds, strict=False))
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return Markup(
        f"<table>{f'<thead><tr>{top}</tr></thead>' if top else ''}<tbody>{body}</tbody></table>"
        if cells or top
        else ""
    )


def _cell(value: object) -> str:
    return f"<td{_kind(value)}>{text(value)}</td>"


def _kind(value: object) -> str:
    """Put numbers on the right."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return ' class="sg-n"' if is_number else ""


def facts(rows: Iterable[tuple[str, object]]) -> Markup:
    """Give names and values, without those that say nothing."""
    return table([], [(name, value) for name, value in rows if value not in (None, "")], most=50)


@cache
def style() -> Markup:
    """Give the style of all pieces: colours of light and of dark ground, everything below the class ``sinagot``."""

    def grounds(places: Sequence[str], *, dark: bool) -> str:
        return css(",".join(f"{place} .sinagot" for place in places), dark=dark)

    fills = "".join(
        f".sinagot .sg-{name}{{background:var(--sg-{name});color:var(--sg-{name}-ink);fill:var(--sg-{name})}}"
        f".sinagot .sg-{name}-on{{fill:var(--sg-{name}-ink)}}"
        for name in TONES
    )
    dark = f"@media (prefers-color-scheme:dark){{{css('.sinagot', dark=True)}}}"
    colours = css(".sinagot") + dark + grounds(_LIGHT, dark=False) + grounds(_DARK, dark=True)
    return Markup(f"<style>{colours}{_RULES.replace(chr(10), '')}{fills}</style>")


def fragment(title: object, *parts: object) -> Markup:
    """Put pieces together to something that stands for itself, with its style.

    Parameters
    ----------
    title : object
        Stands above.
    *parts : object
        Pieces made here; plain texts are escaped.

    Returns
    -------
    Markup
        One ``<div class="sinagot">``.
    """
    return Markup(
        f'<div class="sinagot">{style()}<p class="sg-title">{text(title)}</p>{joined(*parts)}</div>'
    )


def told(title: object, parts: Iterable[object]) -> Markup:
    """Make a piece of parts that have to be looked up; where that fails, it says what went wrong.

    Parameters
    ----------
    title : object
        Stands above.
    parts : iterable of object
        Looked up one by one.
    """
    found: list[object] = []
    try:
        found.extend(parts)
    except Exception as error:  # noqa: BLE001  (a notebook shows what is wrong, and goes on)
        found.append(problem(f"{type(error).__name__}: {error}"))
    return fragment(title, *found)
