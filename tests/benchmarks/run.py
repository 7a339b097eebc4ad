"""`make bench`: measures every row, prints the table and writes docs/benchmarks.md.

Nothing is asserted: a machine is slow or busy, and that is no fault of the code. The exit code is 1 only where a row
could not be measured.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import machine
import page
import peers
from bench import FULL, QUICK, SMOKE, Bench
from figures import Section
from measuring import MeasuringError
from rows import (
    calls,
    cold,
    flows,
    large,
    listing,
    nodes,
    noop,
    parallel,
    people,
    pipelines,
    reading,
    rivals,
    schedules,
    starting,
)

ROWS = {
    "start": starting,
    "listing": listing,
    "noop": noop,
    "cold": cold,
    "parallel": parallel,
    "nodes": nodes,
    "pipelines": pipelines,
    "flows": flows,
    "schedules": schedules,
    "tables": reading,
    "calls": calls,
    "people": people,
    "rivals": rivals,
    "large": large,
}
PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.partition("\n")[0])
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick", action="store_true", help="small sizes, memory only, nothing installed: two minutes"
    )
    size.add_argument("--smoke", action="store_true", help="a few records, to see that it works")
    parser.add_argument(
        "--only", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW", help=", ".join(ROWS)
    )
    parser.add_argument(
        "--large",
        action="store_true",
        help="measure a hundred thousand records too (ten minutes, 3 GB of memory)",
    )
    parser.add_argument("--million", action="store_true", help="list a million files too (minutes)")
    parser.add_argument("--no-disk", action="store_true", help="measure in memory only")
    parser.add_argument("--disk", type=Path, metavar="FOLDER", help="scratch folder on a disk (/var/tmp)")
    parser.add_argument(
        "--page", type=Path, help="write the page here (docs/benchmarks.md when all rows are measured)"
    )
    return parser.parse_args()


def main() -> int:
    options = parse()
    sizes = SMOKE if options.smoke else QUICK if options.quick else FULL
    is_small = options.quick or options.smoke
    facts = machine.facts()
    start = time.monotonic()
    sections: list[Section] = []
    chosen = {"large": options.large, "million": options.million, "install": not is_small}
    with (
        machine.places(options.disk, disk_too=not (is_small or options.no_disk)) as places,
        Bench(sizes, places, **chosen) as bench,
    ):
        for name in [name for name in ROWS if name in options.only]:
            row = ROWS[name]
            if name == "large" and not (options.large or options.smoke):
                sections.append(Section(row.TITLE, row.HOW, [], left_out="measured with `--large` only"))
                continue
            print(row.TITLE, file=sys.stderr, flush=True)
            try:
                sections.append(Section(row.TITLE, row.HOW, row.measure(bench)))
            except MeasuringError as error:
                sections.append(Section(row.TITLE, row.HOW, [], str(error)))
    minutes = (time.monotonic() - start) / 60
    facts += [("peers installed", ", ".join(map(" ".join, peers.versions().items())) or "none")]
    failed = sum(bool(section.problem) for section in sections)
    print(page.terminal(sections))
    target = options.page or (PAGE if len(sections) == len(ROWS) and not options.smoke else None)
    if target is not None:
        note = " with `--quick`: small sizes, few rounds, rough figures" if is_small else ""
        target.write_text(page.markdown(sections, facts, note, minutes), encoding="utf-8")
    print(f"\n{minutes:.1f} minutes" + (f"; {failed} rows could not be measured" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
