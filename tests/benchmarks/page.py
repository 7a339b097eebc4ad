"""The table for the terminal and the page `docs/benchmarks.md`.

Knows sections and how Markdown wants them; must not know how anything was measured.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from figures import Section

HEADS = ["what", "on", "sinagot", "against", "figure", "rounds", "asked (aim)", ""]

_TOP = """# Benchmarks

What sinagot costs, as ratios against its limit or its peers, all measured in one run on one machine.
Seconds of your machine differ; the ratios should not by much. `make bench` measures anew and writes this
page (`ARGS=--large` with a hundred thousand records and a million files); nothing in the tests depends on it.

Each figure is the middle of several rounds in which all cases take turns; beside it stand the lowest and
the highest round. *Asked* is what we hold ourselves to now, in brackets where we are going; it is asked
of the rows in memory. On disk there are fewer records and half as many rounds.
"""

_REMARKS = """## Remarks

- make and ninja are far ahead below a few thousand records: their whole no-op is shorter than the start of
  a Python interpreter, let alone our imports. The row of few records shows that fixed part; beyond it a
  record costs us its share of a listing, and them a stat for each file.
- ninja and make do more in a no-op (they compare time stamps) and promise less in a build (no log, no
  claim, outputs that are not atomic).
- The peers of the rows with two workers promise nothing at all: a killed worker leaves half a file. They
  show the limit, not an alternative.
- What other tools do from nothing and again is not the same work: make, ninja, doit and luigi compare time
  stamps or existence, Snakemake notes scripts and parameters as well, pools know nothing at all.
- The cold rows are the worst case: steps of some 40 microseconds. The overhead is per step, so that a step
  of a second does not feel it.
- Figures on a disk depend on its journal and on what else it does; no `fsync` is called per step
  (durability `lazy`).
- A machine that is busy with other work gives larger spreads, and the rows with two workers suffer first:
  trust a figure whose lowest and highest round lie close together.
"""


def markdown(sections: Sequence[Section], facts: Iterable[tuple[str, str]], note: str, minutes: float) -> str:
    """Give the page."""
    day = datetime.now(UTC).date().isoformat()
    parts = [_TOP, f"Measured {day}, in {minutes:.1f} minutes{note}.\n", _table(["machine", ""], facts)]
    parts.append("## Figures\n")
    for section in sections:
        parts.append(f"### {section.title}\n")
        if section.problem:
            parts.append(f"Not measured: {textwrap.shorten(section.problem, 160)}\n")
        elif section.left_out:
            parts.append(f"Left out: {section.left_out}.\n")
        else:
            parts.append(_table(HEADS, (figure.cells() for figure in section.figures)))
    parts.append("## How each row is measured\n")
    parts += [f"**{section.title}.** {section.how}\n" for section in sections]
    return "\n".join([*parts, _REMARKS])


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def terminal(sections: Sequence[Section]) -> str:
    """Give the table as text in columns."""
    rows = [figure.cells() for section in sections for figure in section.figures]
    widths = [max(len(cell) for cell in column) for column in zip(HEADS, *rows, strict=True)]
    lines = [
        "  ".join(["", *(head.ljust(width) for head, width in zip(HEADS, widths, strict=True))]).rstrip()
    ]
    for section in sections:
        lines += ["", section.title]
        for figure in section.figures:
            cells = (cell.ljust(width) for cell, width in zip(figure.cells(), widths, strict=True))
            lines.append("  " + "  ".join(cells).rstrip())
        if section.problem:
            lines.append(f"  not measured: {section.problem}")
        if section.left_out:
            lines.append(f"  left out: {section.left_out}")
    return "\n".join(lines)
