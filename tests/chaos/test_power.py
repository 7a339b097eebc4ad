"""The power goes: names are kept or lost, bytes are kept, lost, zero or half; one plain run makes everything right."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sinagot import Workspace
from sinagot.engine.state.history import event_files, iter_all_events
from sinagot.testing import await_true, make_workspace, script_text
from tests.chaos.conftest import StartProgram, driver, litter, statuses

pytestmark = pytest.mark.chaos

BODY = """
with (self.data_path.parent / "starts.txt").open("a") as file:
    file.write(f"{self.id}/{self.label} ")
self.path.output.write_text(f"{self.path.output.name} of {self.label}, " * 20)
"""
STEPS = {
    "first": script_text(BODY, ("raw", "{id}.txt"), ("first", "{id}.txt")),
    "second": script_text(BODY, ("first", "{id}.txt"), ("second", "{id}.txt")),
}


def lab(folder: Path, settings: str = "", records: int = 6) -> Workspace:
    """Make a workspace whose outputs can be told from their names."""
    return make_workspace(folder, records=records, scripts=STEPS, settings=settings)


def texts(workspace: Workspace) -> dict[str, str]:
    """Give every output, and what it should be."""
    found = {}
    for label in STEPS:
        for path in sorted((workspace.data_path / label).glob("[!.]*")):
            found[f"{label}/{path.name}"] = path.read_text()
    return found


def right(workspace: Workspace) -> dict[str, str]:
    """Give what every output should be."""
    ids = workspace.records.ids()
    return {f"{label}/{one}.txt": f"{one}.txt of {label}, " * 20 for label in STEPS for one in ids}


def starts(workspace: Workspace) -> list[str]:
    """Give the jobs that were started since the last time this was asked."""
    path = workspace.data_path.parent / "starts.txt"
    found = path.read_text().split() if path.exists() else []
    path.write_text("")
    return sorted(found)


def stop_machine(workspace: Workspace) -> None:
    """Let every trace of running processes be from before the machine was started anew."""
    state = workspace.data_path / ".sinagot"
    for run in sorted((state / "runs").iterdir()):
        manifest = json.loads((run / "run.json").read_text())
        manifest["end"] = None
        (run / "run.json").write_text(json.dumps(manifest))
        owner = {
            "host": os.uname().nodename,
            "boot": "",
            "pid": os.getpid(),
            "start": "1",
            "run_id": run.name,
        }
        (state / "open" / run.name).write_text(json.dumps(owner))
    for folder in ("open", "claims", "owners"):
        for path in (state / folder).iterdir():
            if path.stat().st_size:
                path.write_text(json.dumps({**json.loads(path.read_text()), "boot": "the boot before"}))


def torn(path: Path, how: str) -> None:
    """Do to a file what a power cut may do; size and time may look as they were."""
    state = path.stat()
    if how == "lost":
        path.unlink()
        return
    text = {"zeros": b"\0" * state.st_size, "empty": b"", "half": path.read_bytes()[: state.st_size // 2]}[
        how
    ]
    path.write_bytes(text)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def lose_tail(events: Path) -> None:
    """Keep the first lines and some bytes, then zeros."""
    whole = events.read_bytes()
    events.write_bytes(whole[: len(whole) // 3] + b"\0" * 500)


EVENTS: dict[str, Callable[[Path], None]] = {
    "kept": lambda events: None,
    "cut": lose_tail,
    "lost": lambda events: events.unlink(),
}


@pytest.mark.parametrize("how", ["zeros", "empty", "half", "lost"])
@pytest.mark.parametrize("events", EVENTS)
def test_outputs_that_were_not_synced(events: str, how: str, tmp_path: Path) -> None:
    """Whatever became of some outputs and of the events, one plain run makes all right; what is proven whole stays."""
    workspace = lab(tmp_path)
    assert workspace.steps.run(printing=False).ok
    starts(workspace)
    stop_machine(workspace)
    chance = random.Random(f"{how} {events}")
    damaged = chance.sample(sorted(right(workspace)), 4)
    for name in damaged:
        torn(workspace.data_path / name, how)
    for path in (workspace.data_path / ".sinagot/runs").glob("*/events-*"):
        EVENTS[events](path)
    dry = Workspace(tmp_path).steps.run(dry_run=True, printing=False)
    report = Workspace(tmp_path).steps.run(printing=False)
    assert report.ok, report.failures
    assert any("after a power cut" in text for text in report.warnings)
    assert texts(workspace) == right(workspace)
    assert statuses(workspace) == [30] * 12
    again = starts(workspace)
    if events == "kept":
        assert again == sorted(f"{Path(name).stem}/{Path(name).parent}" for name in damaged)
        assert dry.counts["done"] == 0 and len(dry.plan) == 4
    if events == "lost":
        assert len(again) == 12
    after = Workspace(tmp_path).steps.run(printing=False)
    assert (after.counts["up_to_date"], after.warnings) == (12, [])
    assert litter(workspace) == []


def test_run_over_one_record_finds_the_damage_of_all(tmp_path: Path) -> None:
    """The first run after a power cut looks at every record and step, whichever it was asked for."""
    workspace = lab(tmp_path)
    assert workspace.steps.run(printing=False).ok
    stop_machine(workspace)
    one, other = workspace.records.ids()[:2]
    torn(workspace.data_path / f"first/{other}.txt", "zeros")
    report = Workspace(tmp_path)[one].steps.run("second", printing=False)
    assert report.counts["up_to_date"] == 1
    damaged = Workspace(tmp_path)[other].steps.status()["step_status"].tolist()
    assert damaged == [40, 30]
    assert Workspace(tmp_path).steps.run(printing=False).counts["done"] == 1
    assert texts(workspace) == right(workspace)


def test_outputs_of_full_durability_are_believed(tmp_path: Path) -> None:
    """With full durability bytes are on the disk before an output is seen, and are not read again after a power cut."""
    workspace = lab(tmp_path, '[run]\ndurability = "full"', records=2)
    assert workspace.steps.run(printing=False).ok
    starts(workspace)
    stop_machine(workspace)
    name = next(iter(right(workspace)))
    torn(workspace.data_path / name, "zeros")  # cannot be: it shows only that nothing is read
    torn(workspace.data_path / list(right(workspace))[1], "half")
    assert Workspace(tmp_path).steps.run(printing=False).ok
    assert len(starts(workspace)) == 1


def test_full_durability_syncs_before_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs are synced before the commit is written, that is synced before the first move, and folders after it."""
    calls: list[str] = []

    def spy(module: str, name: str) -> None:
        real = getattr(os, name)

        def note(*arguments: object) -> object:
            target = arguments[0]
            text = os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else str(arguments[-1])
            if "first" in text or "events" in text:
                part = "stage" if "/stage/" in text else "events" if "events" in text else "final"
                calls.append(f"{name} {part}")
            return real(*arguments)

        monkeypatch.setattr(f"{module}.os.{name}", note)

    workspace = lab(tmp_path, '[run]\ndurability = "full"', records=1)
    spy("sinagot.dataset.moves", "fsync")
    spy("sinagot.dataset.moves", "replace")
    spy("sinagot.engine.state.history", "fdatasync")
    assert workspace.steps.run("first", printing=False).ok
    monkeypatch.undo()
    assert calls == ["fsync stage", "fdatasync events", "replace final", "fsync final"]


def test_killed_run_and_power_cut(tmp_path: Path, start: StartProgram) -> None:
    """A run that is cut off in its middle, by a machine that loses what it had not synced, is finished by the next one."""
    workspace = lab(tmp_path, records=40)
    program = start(driver(workspace, mode="processes", workers=2))
    await_true(lambda: len(texts(workspace)) > 20, "some outputs")
    program.signal_group(signal.SIGKILL)
    program.wait()
    program.assert_no_orphans()
    made = texts(workspace)
    stop_machine(workspace)
    chance = random.Random(4)
    for name in chance.sample(sorted(made), 8):
        torn(workspace.data_path / name, chance.choice(["zeros", "half", "lost"]))
    assert Workspace(tmp_path).steps.run(mode="main_process", printing=False).ok
    assert texts(workspace) == right(workspace)
    assert set(statuses(workspace)) == {30}


def test_checkpoints_are_written_while_a_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every few seconds what was done is synced and noted; outputs from before the last checkpoint are not doubted."""
    monkeypatch.setattr("sinagot.engine.state.bench.PULSE", 0.05)
    synced: list[tuple[str, ...]] = []
    monkeypatch.setattr(
        "sinagot.engine.state.bench.sync_systems", lambda folders: synced.append(tuple(folders))
    )
    # The second one ends when a checkpoint has come after the first one.
    body = (
        BODY
        + """
if self.id.endswith("2"):
    (run,) = (self.data_path / ".sinagot/runs").iterdir()
    while not re.search('"done".*"checkpoint"', "".join(path.read_text() for path in run.glob("events-*")), re.S):
        time.sleep(0.01)
"""
    )
    scripts = {"first": script_text(body, ("raw", "{id}.txt"), ("first", "{id}.txt"), before="import re")}
    workspace = make_workspace(tmp_path, records=2, scripts=scripts)
    assert workspace.steps.run(printing=False, mode="main_process").ok
    (run,) = (workspace.data_path / ".sinagot/runs").iterdir()
    kinds = [event["event"] for _, event in iter_all_events(event_files(str(run))[0])]
    assert synced and set(kinds) == {"commit", "done", "checkpoint"}
    ended = kinds.index("done")
    assert "checkpoint" in kinds[ended : kinds.index("commit", ended)]
    starts(workspace)
    time.sleep(2.1)  # more than what clocks may differ by
    for path in (workspace.data_path / "first").iterdir():
        path.chmod(0o644)
    stop_machine(workspace)
    assert Workspace(tmp_path).steps.run(printing=False).counts["up_to_date"] == 2
    assert starts(workspace) == []


GROUP = """
from sinagot import GroupTemplate

class Script(GroupTemplate):
    PATH_IN = ("first", "{id}.txt")
    PATH_OUT = ("all", "all.txt")

    def run(self):
        self.path.output.write_text(" ".join(self.inputs))
"""


@pytest.mark.parametrize("events", EVENTS)
def test_output_of_all_records(events: str, tmp_path: Path) -> None:
    """What a group step has made is looked at like the rest."""
    lab(tmp_path, records=2)
    config = tmp_path / "workspace.toml"
    config.write_text(config.read_text().replace("[steps]\n", '[steps]\ngroup_scripts = ["all"]\n'))
    (tmp_path / "scripts/all.py").write_text(GROUP)
    workspace = Workspace(tmp_path)
    assert workspace.steps.run(printing=False).ok
    stop_machine(workspace)
    torn(workspace.data_path / "all/all.txt", "zeros")
    for path in (workspace.data_path / ".sinagot/runs").glob("*/events-*"):
        EVENTS[events](path)
    assert Workspace(tmp_path).steps.run(printing=False).ok
    assert (workspace.data_path / "all/all.txt").read_text() == "REC-1 REC-2"
    assert texts(workspace) == right(workspace)
