"""The grid of a report: every record with a sign for each of its steps, and switches that need no script.

Pure: words in, HTML out. A cell is some 25 bytes, so that ten thousand records of six steps stay below two megabytes;
ids are text, to be found by the search of a browser.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sinagot.engine.html import Markup, joined, legend, text
from sinagot.engine.words import OUTCOMES, PLACES, Word
from sinagot.workspace.reports.flows import FlowReport
from sinagot.workspace.reports.outcomes import RunGrid

__all__ = ["flow_grid", "run_grid", "switch_rules"]

_NOTHING = '<td class="n"></td>'


def flow_grid(flow: FlowReport) -> Markup:
    """Give the records of a workspace as they stand now."""
    counts = flow.records.places
    switches = _switches(counts, PLACES, len(flow.ids))
    rows = flow.iter_places()
    return joined(
        legend(flow.jobs.places, PLACES), switches, _table([one.name for one in flow.steps], rows, PLACES)
    )


def run_grid(grid: RunGrid) -> Markup:
    """Give the records that a run has tried."""
    counts: dict[str, int] = {}
    rows = []
    for record_id, outcomes in grid.iter_outcomes():
        whole = next((one for one in ("failed", "interrupted") if one in outcomes), "done")
        counts[whole] = counts.get(whole, 0) + 1
        rows.append((record_id, whole, outcomes))
    return joined(_switches(counts, OUTCOMES, len(rows)), _table(grid.steps, rows, OUTCOMES))


def _switches(counts: Mapping[str, int], words: Mapping[str, Word], total: int) -> Markup:
    """Give buttons that show all records, or those of one place."""
    used = [name for name in words if counts.get(name)]
    if len(used) < 2:
        return Markup()
    made = f'<label><input type="radio" name="show" checked> all {total:,}</label>'
    for name in used:
        word = words[name]
        made += (
            f'<label><input type="radio" name="show" id="show-{name}"> {text(word.sign)} {text(word.text)} '
            f"{counts[name]:,}</label>"
        )
    return Markup(f'<fieldset class="switches"><legend>Records shown</legend>{made}</fieldset>')


def switch_rules() -> str:
    """Give the style by which the switches hide rows, and the colours of cells."""
    names = dict.fromkeys([*PLACES, *OUTCOMES])
    hide = "".join(
        f".sinagot:has(#show-{name}:checked) .grid tbody tr:not(.{_short(name)}){{display:none}}"
        for name in names
    )
    words = {**OUTCOMES, **PLACES}
    fill = "".join(
        f".grid td.{_short(name)}{{background:var(--sg-{words[name].tone});color:var(--sg-{words[name].tone}-ink)}}"
        for name in names
    )
    return hide + fill


def _short(name: str) -> str:
    """Give the class of a place: few letters, since there are so many cells.

    Examples
    --------
    >>> _short("missing_input"), _short("done")
    ('mi', 'do')
    """
    first, _, second = name.partition("_")
    return first[0] + second[0] if second else name[:2]


def _table(
    steps: Sequence[str], rows: Iterable[tuple[str, str, Sequence[str | None]]], words: Mapping[str, Word]
) -> Markup:
    head = "".join(f'<th scope="col">{text(step)}</th>' for step in steps)
    cells = {name: f'<td class="{_short(name)}">{text(word.sign)}</td>' for name, word in words.items()}
    return Markup(
        '<table class="grid"><caption>Signs are those of the legend.</caption><thead><tr><th scope="col">record</th>'
        f"{head}</tr></thead><tbody>{''.join(_rows(rows, cells))}</tbody></table>"
    )


def _rows(rows: Iterable[tuple[str, str, Sequence[str | None]]], cells: Mapping[str, str]) -> Iterator[str]:
    for record_id, whole, places in rows:
        made = "".join(_NOTHING if place is None else cells[place] for place in places)
        yield f'<tr class="{_short(whole)}"><th scope="row">{text(record_id)}</th>{made}</tr>\n'
