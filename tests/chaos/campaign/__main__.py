"""The campaign as a program: `python -m tests.chaos.campaign [--trials N] [--seed S] [--only TEXT] [--write PAGE]`."""

from __future__ import annotations

import argparse
import platform
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path

from tests.chaos.campaign.faults import FAULTS
from tests.chaos.campaign.flows import Flows
from tests.chaos.campaign.oracle import Oracle
from tests.chaos.campaign.trial import Score, Trial
from tests.clusters import DaskProcesses

__all__ = ["campaign", "main"]

_HEAD = """\
| fault | mode | injected | in time | survived | torn | lost | run again (allowed) | twice at once | stuck, orphans |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"""
#: What is run -> what is said behind the mode.
_WORLDS: dict[type[Oracle], str] = {Oracle: "", Flows: ", functions"}
_COUNTS = re.compile(r"(?<=<!-- counts -->\n).*?(?=<!-- end of counts -->)", re.DOTALL)


def campaign(
    trials: int, seed: int, only: str = "", *, prelude: str = ""
) -> Iterator[tuple[str, str, Score]]:
    """Give fault, mode and score of some trials, one fault after the other."""
    for name, (fault, modes) in FAULTS.items():
        for world, mode in product(_WORLDS, modes):
            shown = f"{mode}{_WORLDS[world]}"
            if only not in f"{name} ({shown})":
                continue
            total = Score()
            for number in range(trials):
                with ExitStack() as stack:
                    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sinagot-chaos-")))
                    trial = Trial(folder, mode, seed + number, prelude=prelude, world=world)
                    stack.callback(trial.end_programs)
                    if mode == "cluster":
                        trial.cluster = stack.enter_context(DaskProcesses(folder / "cluster"))
                    trial.examine(fault(trial))
                    trial.heal()
                    total += trial.scored()
                    if not trial.score.is_clean:
                        told = "\n".join(program.said[-2000:] for program in trial.programs)
                        print(
                            f"{name}, {shown}, seed {seed + number}: {trial.score}\n{told}", file=sys.stderr
                        )
            yield name, shown, total


def row(name: str, mode: str, score: Score) -> str:
    """Give a line of the table."""
    cells = [
        *(name, mode, score.injected, score.fired, score.survived, score.torn + score.accepted),
        *(score.lost, f"{score.again} ({score.in_flight})", score.overlapping, score.stuck + score.orphans),
    ]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main() -> int:
    """Run it, say what came of it, and write it into a page when asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10, help="of each fault in each mode")
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--only", default="", help="a part of `fault (mode)`")
    parser.add_argument("--write", type=Path, help="a page with a place for the counts")
    arguments = parser.parse_args()
    began = time.monotonic()
    rows, total = [], Score()
    print(_HEAD, flush=True)
    for name, mode, score in campaign(arguments.trials, arguments.seed, arguments.only):
        rows.append(row(name, mode, score))
        total += score
        print(rows[-1], flush=True)
    if arguments.write:
        minutes = (time.monotonic() - began) / 60
        told = (
            f"Measured {time.strftime('%Y-%m-%d')} on {platform.system()}, Python {platform.python_version()}, "
            f"in {minutes:.0f} minutes; {arguments.trials} trials a line, seed {arguments.seed}. Where the mode says "
            "*functions*, it is a workflow class with two stored steps, a value that is not stored, and one table of all."
        )
        rows.append(row("**all**", "", total))
        text = "\n".join(["", told, "", _HEAD, *rows, "", ""])
        page = arguments.write.read_text(encoding="utf-8")
        arguments.write.write_text(_COUNTS.sub(lambda _: text, page), encoding="utf-8")
    late = total.injected - total.fired
    print(f"{total.survived} survived, {total.broken} failed, {late} came too late", flush=True)
    return 1 if total.broken else 0


if __name__ == "__main__":
    sys.exit(main())
