"""Row 1: how long Python takes to import sinagot, and the command line to say how it is used."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from bench import Bench
from figures import Figure, Goal, ratio, seconds
from measuring import alternate, cpu, process

TITLE = "Start"
HOW = """CPU (user and system) of the whole process, in units of `python -c pass` of the same round.
`--help` is the console script. Each command is run once before, so that files are in the page cache and
byte code is compiled."""


def measure(bench: Bench) -> list[Figure]:
    python = sys.executable
    commands = {
        "pass": [python, "-c", "pass"],
        "import sinagot": [python, "-c", "import sinagot"],
        "sinagot --help": [Path(python).with_name("sinagot"), "--help"],
        "sinagot run --help": [Path(python).with_name("sinagot"), "run", "--help"],
    }
    cases = {name: partial(process, command) for name, command in commands.items()}
    taken = alternate(cases, bench.sizes.starts, warm=True)
    unit = cpu(taken["pass"])
    goals = {
        "import sinagot": Goal(2.5, 2.5),
        "sinagot --help": Goal(6, 6),
        "sinagot run --help": Goal(),
    }
    return [
        Figure(
            f"`{name}`",
            "",
            seconds(cpu(taken[name])),
            f"`python -c pass` {seconds(unit)}",
            ratio(cpu(taken[name]), unit),
            goal=goal,
        )
        for name, goal in goals.items()
    ]
