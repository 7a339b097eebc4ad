"""What the next run makes of a job whose process died between commit and release."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sinagot import Workspace
from sinagot.dataset import moves
from sinagot.engine import attempt
from sinagot.engine.state import commits, entries
from sinagot.engine.state.bench import Bench
from sinagot.engine.state.claims import ClaimDesk
from sinagot.engine.state.history import Marks
from sinagot.testing import make_workspace, script_text

#: Other tests may have left threads in this process, of which a fork here needs none.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

BOTH = {"one": ("out", "{id}.1.txt"), "two": ("out", "{id}.2.txt")}
BODY = """
with (self.data_path / "starts").open("a") as file:
    file.write("x")
for path in {paths}:
    {write}
"""
WRITE = "path.write_text(self.id * 3)"


def lab(folder: Path, write: str = WRITE, *, members: str = "", settings: str = "", out=BOTH) -> Workspace:
    """Make a workspace of one record and one step that counts its starts."""
    paths = "self.path.output.values()" if isinstance(out, dict) else "[self.path.output]"
    body = BODY.format(paths=paths, write=write)
    scripts = {"a": script_text(body, path_out=out, members=members)}
    return make_workspace(folder, records=["R"], scripts=scripts, settings=settings)


def die(workspace: Workspace, prepare: Callable[[], None], **options: object) -> None:
    """Run in a process that ends itself without a word, where `prepare` says."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            prepare()
            Workspace(workspace.data_path.parent).steps.run(printing=False, mode="main_process", **options)
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


def ending(owner: object, name: str, *, after: int = 1) -> Callable[[], None]:
    """Give what makes a process end at the call of a function."""

    def prepare() -> None:
        real, left = getattr(owner, name), [after]

        def end(*arguments: object, **options: object) -> object:
            left[0] -= 1
            if left[0] <= 0:
                os._exit(9)
            return real(*arguments, **options)

        setattr(owner, name, end)

    return prepare


DEATHS = {
    "before the first move": ending(moves, "_move_one"),
    "between two moves": ending(moves, "_move_one", after=2),
    "before the event": ending(attempt, "record_success"),
    "before the log line": ending(entries.AttemptLog, "finish"),
    "before the release": ending(ClaimDesk, "release"),
}


def starts(workspace: Workspace) -> int:
    """Say how often the script was started."""
    return len((workspace.data_path / "starts").read_text())


def run(workspace: Workspace, **options: object):
    """Run plainly, as a fresh program would."""
    return Workspace(workspace.data_path.parent).steps.run(printing=False, mode="main_process", **options)


@pytest.mark.parametrize("death", DEATHS.values(), ids=DEATHS)
def test_committed_job_is_finished_not_repeated(death: Callable[[], None], tmp_path: Path) -> None:
    """Wherever a process dies after its commit, the next run finishes the job without its script, and its log says so once."""
    workspace = lab(tmp_path)
    die(workspace, death)
    assert [row["step_status"] for row in workspace.steps.iter_status()] == [42]
    report = run(workspace)
    assert report.counts["done"] == 1 and starts(workspace) == 1
    assert {path.name: path.read_text() for path in (workspace.data_path / "out").iterdir()} == {
        "R.1.txt": "RRR",
        "R.2.txt": "RRR",
    }
    lines = workspace["R"].logs_json()
    assert [line["message"] for line in lines].count("Run finished") == 1
    assert lines[-1]["step_status"] == 30
    told = "recovered" in lines[-1]
    assert told == (death is not DEATHS["before the release"])
    assert run(workspace, rerun="outdated").counts["up_to_date"] == 1
    for kind in ("claims", "stage", "open"):
        assert list((workspace.data_path / ".sinagot" / kind).iterdir()) == []


def test_forced_run_is_finished_too(tmp_path: Path) -> None:
    """A forced run that died after its commit is finished by a plain one; a forced one starts the script again."""
    for name, options, count in (("plain", {}, 2), ("forced", {"force": True}, 3)):
        workspace = lab(tmp_path / name)
        assert run(workspace).ok
        die(workspace, DEATHS["between two moves"], force=True)
        assert run(workspace, **options).counts["done"] == 1
        assert starts(workspace) == count


@pytest.mark.parametrize("what", ["script", "input", "params"])
def test_what_changed_meanwhile_is_made_again(what: str, tmp_path: Path) -> None:
    """When script, input or parameters are others by now, the script runs: the job was interrupted, and is not taken for new."""
    workspace = lab(tmp_path)
    die(workspace, DEATHS["before the event"])
    if what == "script":
        script = workspace.scripts_path / "a.py"
        script.write_text(script.read_text() + "\n# edited\n")
    elif what == "input":
        (workspace.data_path / "raw/R.txt").write_text("another")
    else:
        config = tmp_path / "workspace.toml"
        config.write_text(config.read_text() + "\n[params]\nn = 2\n")
    assert run(workspace).counts["done"] == 1
    assert starts(workspace) == 2


@pytest.mark.parametrize(("way", "count"), [("digest", 1), ("stat", 2)])
def test_input_with_a_new_time_counts_as_is_said_of_it(way: str, count: int, tmp_path: Path) -> None:
    """Where an input is told by content, a job that died is finished although the time of the input is another by now."""
    check = f"PATH_IN = {{'events': ('raw', '{{id}}.txt')}}\nCHECK = {{'events': '{way}'}}"
    workspace = lab(tmp_path, members=check)
    die(workspace, DEATHS["before the event"])
    raw = workspace.data_path / "raw/R.txt"
    os.utime(raw, ns=(0, os.stat(raw).st_mtime_ns + 10**9))
    assert run(workspace).counts["done"] == 1
    assert starts(workspace) == count


@pytest.mark.parametrize("harm", ["bytes", "gone", "event"])
def test_commit_that_does_not_match_is_dropped(harm: str, tmp_path: Path) -> None:
    """What is not there, has other bytes, or can't be read from the event is no commit: the script runs again."""
    workspace = lab(tmp_path)
    die(workspace, DEATHS["between two moves"])
    state = workspace.data_path / ".sinagot"
    (waiting,) = state.glob("stage/*/out/*")
    facts = waiting.stat()
    if harm == "gone":
        waiting.unlink()
    elif harm == "bytes":
        waiting.write_text("XXX")
        os.utime(waiting, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    else:
        (events,) = state.glob("runs/*/events-*")
        line = json.loads(events.read_text())
        events.write_text(json.dumps({**line, "files": "none"}) + "\n")
    assert run(workspace).counts["done"] == 1
    assert starts(workspace) == 2


@pytest.mark.parametrize("how", ["in place", "folder", "extra"])
def test_outputs_of_other_kinds(how: str, tmp_path: Path) -> None:
    """Outputs written in place, folders and extra files are finished like others."""
    write = {
        "in place": WRITE,
        "folder": "path.mkdir()\n    (path / 'x').write_text('x')",
        "extra": WRITE + "\n    path.with_suffix('.side').write_text('side')",
    }[how]
    members = "ATOMIC = False" if how == "in place" else ""
    workspace = lab(tmp_path, write, members=members, out=("out", "{id}.txt"))
    die(workspace, DEATHS["before the event"])
    assert run(workspace).counts["done"] == 1 and starts(workspace) == 1
    assert run(workspace, force=True).counts["done"] == 1  # an extra that is known to be ours is replaced
    assert starts(workspace) == 2


def test_torn_claim_tells_nothing(tmp_path: Path) -> None:
    """A claim whose owner can't be read leads to no commit: the script runs."""
    workspace = lab(tmp_path)
    die(workspace, DEATHS["before the event"])
    (claim,) = (workspace.data_path / ".sinagot/claims").iterdir()
    claim.write_text("{")
    os.utime(claim, (1, 1))
    assert run(workspace).counts["done"] == 1 and starts(workspace) == 2


def test_trace_that_leads_nowhere(tmp_path: Path) -> None:
    """A trace to another attempt that can't be read ends there."""
    workspace = lab(tmp_path)
    die(workspace, DEATHS["before the event"])
    (events,) = (workspace.data_path / ".sinagot/runs").glob("*/events-*")
    events.write_text('{"event": "takes", "key": "R/a", "from": 7}\n')
    assert run(workspace).counts["done"] == 1 and starts(workspace) == 2


def test_checkpoint_that_is_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written by a heartbeat that wakes up when its bench has been closed; events in between are left for the next."""
    workspace = lab(tmp_path)
    benches: list[Bench] = []
    monkeypatch.setattr(
        "sinagot.engine.state.bench.sync_systems", lambda folders: benches[-1].events.append({"n": 1})
    )
    real = Bench.__init__
    monkeypatch.setattr(
        Bench, "__init__", lambda self, options: (real(self, options), benches.append(self))[0]
    )
    finish = attempt.record_success

    def look(*arguments: object) -> tuple[str, ...]:
        told = finish(*arguments)
        bench = benches[-1]
        size = bench.events.size()
        bench.checkpoint()
        assert bench._synced == size < bench.events.size()
        bench._over.set()
        size = bench.events.size()
        bench.checkpoint()
        assert bench.events.size() == size + len('{"n": 1}\n')
        return told

    monkeypatch.setattr(attempt, "record_success", look)
    assert workspace.steps.run(printing=False, mode="main_process").ok


def reboot(workspace: Workspace) -> None:
    """Let the dead process be one from before the machine was started anew; its run counts as examined."""
    state = workspace.data_path / ".sinagot"
    for path in (state / "open").iterdir():
        path.unlink()
    for path in (state / "claims").iterdir():
        path.write_text(json.dumps({**json.loads(path.read_text()), "boot": "before"}))


@pytest.mark.parametrize("has_digest", [True, False])
def test_commit_from_before_a_power_cut_has_to_be_proven(has_digest: bool, tmp_path: Path) -> None:
    """After a power cut size and time prove nothing: only what has a digest is moved into place."""
    workspace = lab(tmp_path)

    def prepare() -> None:
        if not has_digest:
            commits.LAZY_DIGEST = 0
        DEATHS["between two moves"]()

    die(workspace, prepare)
    reboot(workspace)
    assert run(workspace).counts["done"] == 1
    assert starts(workspace) == (1 if has_digest else 2)


def test_done_job_from_before_a_power_cut_that_was_found_damaged(tmp_path: Path) -> None:
    """An output that looks as it was, and was found damaged after a power cut, is made again."""
    workspace = lab(tmp_path)
    die(workspace, DEATHS["before the release"])
    reboot(workspace)
    Marks(str(workspace.data_path / ".sinagot"), "failures").set("R/a", {"status": 40})
    assert run(workspace).counts["done"] == 1 and starts(workspace) == 2


def test_output_that_was_changed_since_is_made_again(tmp_path: Path) -> None:
    """Of an attempt that was done but not released, outputs that are others by now are no result of it."""
    workspace = lab(tmp_path)
    die(workspace, DEATHS["before the release"])
    (workspace.data_path / "out/R.1.txt").write_text("by hand")
    assert run(workspace).counts["done"] == 1 and starts(workspace) == 2


def test_death_after_a_failure_on_record(tmp_path: Path) -> None:
    """A process that died when its failure was on record leaves nothing to finish."""
    workspace = lab(tmp_path, "raise ValueError")
    die(workspace, DEATHS["before the release"])
    assert run(workspace).counts["failed"] == 1 and starts(workspace) == 2


def test_run_that_cannot_sync_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the last sync fails the run says so, and stays open: after a power cut its outputs are looked at."""

    def refuse(_: object) -> None:
        raise OSError(5, "Input/output error")

    workspace = lab(tmp_path)
    monkeypatch.setattr("sinagot.engine.ground.sync_systems", refuse)
    report = run(workspace)
    assert report.ok and "could not be synced" in report.warnings[0]
    assert len(list((workspace.data_path / ".sinagot/open").iterdir())) == 1
    monkeypatch.undo()
    assert run(workspace, force=True).warnings == []
    assert list((workspace.data_path / ".sinagot/open").iterdir()) == []
