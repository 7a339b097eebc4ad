"""The same job with other tools: from nothing, and again when all is done."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import peers
from bench import Bench
from figures import Figure, ratio, seconds
from machine import Place
from measuring import PROBES, MeasuringError, Usage, command, cpu, probe, process, wall
from worlds import make_world, reset, write_build_files

TITLE = "The same with other tools"
HOW = """Two tiny steps a record by each tool as people use it, from nothing and then once more when all is
done; whole programs, with the start of Python and of whatever the tool starts. *In order*: one step at a
time (`sinagot run`, `make`, `ninja -j1`, `snakemake --cores 1`, doit, luigi with its scheduler in the same
process); CPU of all processes. *Two workers* (`sinagot run --jobs 2`, pools, a Dask cluster that the program
starts, `make -j2`, `ninja -j2`); by the clock. make, ninja and Snakemake start a shell and `tr` for each
step, the others call the same Python function as we do. joblib, concurrent.futures and Dask know nothing of
what is done: their function looks for its output itself. All tools of a line have the same number of records:
fewer where luigi and Snakemake take part, which need tens of milliseconds a step. The Python packages are
installed from `requirements.txt` into an environment of their own (`.venv-peers`)."""

_TRANSLATE = "tr a-z A-Z < {} > {}"


class Peer(NamedTuple):
    """A tool, how it is run in a folder, and what must be installed for it."""

    name: str
    run: Callable[[Path], Usage]
    package: str = ""
    program: str = ""


class Taken(NamedTuple):
    """The rounds of one tool."""

    cold: list[Usage]
    again: list[Usage]


def measure(bench: Bench) -> list[Figure]:
    place = bench.places[0]
    if bench.install:
        bench.say("installing the peers into .venv-peers (once)")
        peers.install()
    many, few = bench.sizes.peer_records, bench.sizes.few_records
    in_order = [_make(1), _ninja(1), _by_probe("doit")]
    at_once = [_make(2), _ninja(2), _by_probe("joblib"), _by_probe("dask"), _futures()]
    return [
        *_measure(bench, place, many, command("run"), in_order, cpu, "in order"),
        *_measure(bench, place, few, command("run"), [_by_probe("luigi"), _snakemake()], cpu, "in order"),
        *_measure(bench, place, many, command("run", "--jobs", "2"), at_once, wall, "two workers"),
    ]


def _measure(
    bench: Bench,
    place: Place,
    records: int,
    own: list[str | Path],
    rivals: Sequence[Peer],
    take: Callable[[Sequence[Usage]], list[float]],
    how: str,
) -> list[Figure]:
    versions = {} if bench.is_smoke else peers.versions()
    absent = {peer.name: _absence(peer, versions) for peer in rivals}
    if all(absent.values()):
        return [Figure(f"{how}, {records:,} x 2", place.name, "", why) for why in absent.values()]
    ours = Peer("sinagot", lambda folder: process(own, cwd=folder))
    there = [ours, *(peer for peer in rivals if not absent[peer.name])]
    taken = {peer.name: Taken([], []) for peer in there}
    with bench.folder(place, partial(make_world, records=records)) as folder:
        write_build_files(
            folder, records, ninja=_TRANSLATE.format("$in", "$out"), make=_TRANSLATE.format("$<", "$@")
        )
        for turn in range(bench.sizes.heavy_rounds):
            for peer in reversed(there) if turn % 2 else there:
                bench.say(f"{records} records by {peer.name}, {how}")
                _round(folder, records, peer, taken[peer.name])
    figures = []
    for which, title in enumerate(("from nothing", "again")):
        mine = take(taken["sinagot"][which])
        what, text = f"{title}, {how}, {records:,} x 2", seconds(mine)
        for peer in rivals:
            if absent[peer.name]:
                figures.append(Figure(what, place.name, text, absent[peer.name]))
            else:
                theirs = take(taken[peer.name][which])
                against = f"{peer.name} {seconds(theirs)}"
                figures.append(Figure(what, place.name, text, against, ratio(mine, theirs)))
            what = text = ""
    return figures


def _round(folder: Path, records: int, peer: Peer, taken: Taken) -> None:
    """Run a tool from nothing and again; one that made something else is an error."""
    reset(folder)
    taken.cold.append(peer.run(folder))
    made = list((folder / "dataset" / "second").iterdir())
    if len(made) != records or not made[0].read_text().startswith("COUNTRY"):
        raise MeasuringError(f"{peer.name} made {len(made)} of {records} outputs")
    before = made[0].stat().st_mtime_ns
    taken.again.append(peer.run(folder))
    if made[0].stat().st_mtime_ns != before:
        raise MeasuringError(f"{peer.name} made what was done")


def _absence(peer: Peer, versions: dict[str, str]) -> str:
    """Say why a tool is not measured."""
    if peer.program and peers.program(peer.program) is None:
        return f"{peer.program} is absent"
    if peer.package and peer.package not in versions:
        return f"{peer.package} is not installed (a full run installs it, where it can be)"
    return ""


def _make(jobs: int) -> Peer:
    def run(folder: Path) -> Usage:
        _folders(folder)
        return process([str(shutil.which("make")), "-s", f"-j{jobs}"], cwd=folder)

    return Peer("make", run, program="make")


def _ninja(jobs: int) -> Peer:
    def run(folder: Path) -> Usage:
        return process([str(peers.program("ninja")), "--quiet", f"-j{jobs}"], cwd=folder)

    return Peer("ninja", run, program="ninja")


def _snakemake() -> Peer:
    options = ["--cores", "1", "--quiet", "all", "--snakefile", PROBES / "Snakefile"]

    def run(folder: Path) -> Usage:
        return process([peers.PYTHON, "-m", "snakemake", *options], cwd=folder)

    return Peer("Snakemake", run, package="snakemake")


def _by_probe(package: str) -> Peer:
    name = {"dask": "Dask"}.get(package, package)
    return Peer(name, lambda folder: probe(f"peer_{package}", folder, python=peers.PYTHON), package)


def _futures() -> Peer:
    return Peer("concurrent.futures", partial(probe, "peer_futures"))


def _folders(folder: Path) -> None:
    """Make the folders of the outputs, as make's commands do not."""
    for step in ("first", "second"):
        (folder / "dataset" / step).mkdir(exist_ok=True)
