"""The status of all jobs as columns is the status of each of them."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

import sinagot
from sinagot.engine.planning.census import Census
from sinagot.engine.state.decisions import Target, append_decisions, decided
from sinagot.engine.state.history import Marks
from sinagot.engine.state.owners import Owner
from sinagot.testing import make_workspace
from sinagot.workspace.looks import census_of

KINDS = ("missing", "outdated", "folders")


def _world(folder: Path, chance: random.Random, kind: str) -> sinagot.Workspace:
    """Make a workspace in a state that runs, deaths and people may have left."""
    ids = [f"R{number:02d}" for number in range(24)] + ["R-" + "long" * 50, "R%2F é"]
    scripts = None
    if kind == "folders":
        body = "    def run(self):\n        self.path.output.write_text(self.path.input.read_text())\n"
        head = "from sinagot import ScriptTemplate\n\n\nclass Script(ScriptTemplate):\n"
        scripts = {
            "one": f'{head}    PATH_IN = "raw/{{id}}.txt"\n    PATH_OUT = "each/{{id}}/one.txt"\n\n{body}',
            "two": f'{head}    PATH_IN = "each/{{id}}/one.txt"\n    PATH_OUT = "two/{{id}}.txt"\n\n{body}',
        }
    settings = '[run]\nrerun = "outdated"\n[log]\nlevel = "WARNING"\n' if kind == "outdated" else ""
    workspace = make_workspace(folder, records=ids, scripts=scripts, settings=settings)
    ran = chance.sample(ids, 14)
    workspace.records.select(ran[:9]).steps.run(printing=False)
    labels = workspace.steps.scripts_names()
    workspace.records.select(ran[9:]).steps.run(labels[0], printing=False)
    return workspace


def _hurt(workspace: sinagot.Workspace, chance: random.Random) -> None:
    """Change something, as a run, a death or a person would."""
    data, state = workspace.data_path, str(workspace.configuration.state_path)
    record_id = chance.choice(workspace.records.ids())
    label = chance.choice(workspace.steps.scripts_names())
    key = f"{record_id}/{label}"
    what = chance.randrange(7)
    if what == 0:
        outputs = sorted(path for path in data.rglob("*.txt") if "raw" not in path.parts)
        if outputs:
            chance.choice(outputs).unlink()
    elif what == 1:
        Marks(state, "failures").set(key, {"status": chance.choice((40, 42))})
    elif what == 2:
        Marks(state, "failures").clear(key)
    elif what == 3:
        owner = Owner.here("20260101T000000-abcdef")._replace(pid=chance.choice((1, 2**22 - 7)))
        Path(state, "claims").mkdir(parents=True, exist_ok=True)
        Marks(state, "claims").set(key, owner._asdict())
    elif what == 4:
        decision = chance.choice(("exclude", "include"))
        append_decisions(
            state, [decided(decision, Target(record_id, step=chance.choice((None, label))), "so")]
        )
    elif what == 5:
        raw = data / "raw" / f"{record_id}.txt"
        raw.write_text("changed")
        os.utime(raw, ns=(chance.randrange(10**18), chance.randrange(10**18)))
    else:
        lost = data / "raw" / f"{record_id}.txt"
        lost.unlink(missing_ok=True)


def _settle(census: Census, ticks: Iterator[int]) -> None:
    """Let folders that changed look as if that was long ago, each change at a time of its own: they are believed."""
    for path in census.folders():
        if os.path.isdir(path) and os.stat(path).st_mtime > 1_700_000_000:
            tick = next(ticks)
            os.utime(path, (tick, tick))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(2))
def test_columns_are_the_status(tmp_path: Path, kind: str, seed: int) -> None:
    """In random worlds, look after look, each column holds what `steps.status` says, whatever changed in between."""
    chance = random.Random(f"{kind}-{seed}")
    with _world(tmp_path / "lab", chance, kind) as workspace:
        census: Census | None = None
        ticks = itertools.count(1_500_000_000)
        for _ in range(12):
            ids = workspace.records.ids()
            census = census_of(workspace, ids, census)
            nodes = workspace.nodes_of(workspace.records, None)
            found = {
                (record_id, node.label): code
                for node in nodes
                for record_id, code in zip(ids, census.column(node), strict=True)
            }
            wanted = {
                (row["record_id"], row["step_label"]): row["step_status"]
                for row in workspace.steps.iter_status()
            }
            assert found == wanted
            _settle(census, ticks)
            for _ in range(chance.randrange(1, 4)):
                _hurt(workspace, chance)
            _settle(census, ticks)
