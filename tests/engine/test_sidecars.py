"""Sidecars: there exactly when their outputs are, of the same attempt, and never in the place of somebody else's file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sinagot import Workspace
from sinagot.dataset import moves
from sinagot.dataset.sidecars import may_be_replaced, sidecar_of
from sinagot.engine import attempt
from sinagot.engine.state import commits
from sinagot.engine.state.history import event_files, iter_all_events
from sinagot.testing import make_workspace, script_text

#: Other tests may have left threads in this process, of which a fork here needs none.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

ON = "[run]\nprovenance = true\n"
BOTH = {"one": ("out", "{id}.1.txt"), "two": ("out", "{id}.2.txt")}
BODY = "for path in self.path.output.values():\n    path.write_text(self.id + str(self.params.get('n', 0)))"


def lab(folder: Path, settings: str = ON, body: str = BODY, out: Any = BOTH, members: str = "") -> Workspace:
    """Make a workspace of one record and one step."""
    scripts = {"a": script_text(body, path_out=out, members=members)}
    return make_workspace(folder, records=["R"], scripts=scripts, settings=settings)


def run(workspace: Workspace, **options: Any):
    """Run as a fresh program would."""
    return Workspace(workspace.data_path.parent).steps.run(printing=False, mode="main_process", **options)


def told(workspace: Workspace) -> dict[str, Any]:
    """Read all sidecars, by the name of the output."""
    folder = workspace.data_path / "out"
    return {
        path.name.removesuffix(".prov.json"): json.loads(path.read_text())
        for path in folder.glob("*.prov.json")
    }


def outputs(workspace: Workspace) -> set[str]:
    """Give the names of all outputs."""
    return {path.name for path in (workspace.data_path / "out").iterdir() if not path.name.endswith(".json")}


def makers(workspace: Workspace) -> list[str]:
    """Give the attempts that are on record as done, the newest last."""
    runs = (workspace.data_path / ".sinagot/runs").iterdir()
    events = [event for one in runs for file in event_files(str(one)) for _, event in iter_all_events(file)]
    done = sorted((event["time"], event["attempt"]) for event in events if event["event"] == "done")
    return [attempt for _, attempt in done]


def test_sidecar_tells_what_a_result_comes_from(tmp_path: Path) -> None:
    """A sidecar has run, attempt, step, code, parameters, versions, and each input with size, time and digest where one is taken."""
    workspace = lab(tmp_path, ON + "check = 'digest'\n[params]\nn = 7\n")
    report = run(workspace)
    found = told(workspace)
    assert found.keys() == outputs(workspace) == {"R.1.txt", "R.2.txt"}
    one = found["R.1.txt"]
    assert one["run_id"] == report.run_id and [one["attempt"]] == makers(workspace)
    assert (one["record_id"], one["step"], one["params"]) == ("R", "a", {"n": 7})
    assert one["code"]["digest"] == one["code"]["files"]["a.py"]
    assert one["generated_by"]["name"] == "sinagot" and one["versions"]["python"]
    (source,) = one["inputs"]
    raw = workspace.data_path / "raw/R.txt"
    assert (source["path"], source["size"]) == ("raw/R.txt", raw.stat().st_size)
    assert source["sha256"] == "8c2574892063f995fdf756bce07f46c1a5193e54cd52837ed91e32008ccf41ac"
    assert one["output"]["path"] == "out/R.1.txt" and one["output"]["size"] == 2
    assert one["start"] <= one["end"]


def test_nothing_is_written_unasked(tmp_path: Path) -> None:
    """Without the key there is no sidecar; a step may say otherwise than `[run]`."""
    assert run(lab(tmp_path / "off", "")).ok and not told(Workspace(tmp_path / "off"))
    assert run(lab(tmp_path / "step", ON + "[steps.a]\nprovenance = false\n")).ok
    assert not told(Workspace(tmp_path / "step"))
    assert run(lab(tmp_path / "class", "", members="PROVENANCE = True")).ok
    assert len(told(Workspace(tmp_path / "class"))) == 2


@pytest.mark.parametrize("members", ["", "ATOMIC = False"], ids=["staged", "in place"])
def test_sidecar_is_that_of_the_newest_attempt(members: str, tmp_path: Path) -> None:
    """A result that is made again has a new sidecar; made again without provenance it has none: the old one would lie."""
    workspace = lab(tmp_path, members=members)
    for _ in range(2):
        assert run(workspace, force=True).ok
        assert {one["attempt"] for one in told(workspace).values()} == {makers(workspace)[-1]}
    file = tmp_path / "workspace.toml"
    file.write_text(file.read_text().replace(ON, ""))
    assert run(workspace, force=True).ok
    assert not told(workspace) and len(outputs(workspace)) == 2


def test_failed_attempt_leaves_the_former_pair(tmp_path: Path) -> None:
    """When a forced attempt fails, the former outputs stay with the sidecars of their own attempt."""
    workspace = lab(tmp_path)
    assert run(workspace).ok
    before = told(workspace)
    script = workspace.scripts_path / "a.py"
    script.write_text(script.read_text() + "        raise ValueError('no')\n")
    assert run(workspace, force=True).counts["failed"] == 1
    assert told(workspace) == before
    script.write_text(script_text("pass", path_out=BOTH))
    report = run(workspace, force=True)
    assert "not written" in report.failures[0].message and told(workspace) == before


@pytest.mark.parametrize("members", ["", "ATOMIC = False"], ids=["staged", "in place"])
def test_file_of_somebody_else_is_kept(members: str, tmp_path: Path) -> None:
    """Where a sidecar belongs and another file is, that file stays as it is, the result counts, and the report says so once."""
    workspace = lab(tmp_path, members=members)
    theirs = Path(sidecar_of(str(workspace.data_path / "out/R.1.txt")))
    theirs.parent.mkdir()
    theirs.write_text('{"mine": 1}')
    report = run(workspace)
    assert report.ok and len(report.warnings) == 1 and "is kept" in report.warnings[0]
    assert told(workspace)["R.1.txt"] == {"mine": 1} and told(workspace)["R.2.txt"]["step"] == "a"


def test_file_that_the_script_writes_itself_is_kept(tmp_path: Path) -> None:
    """A script that writes a file of that name has its way, declared or not."""
    own = BODY + "\n    (path.parent / (path.name + '.prov.json')).write_text('[]')"
    extra = lab(tmp_path / "extra", body=own)
    assert len(run(extra).warnings) == 1 and told(extra) == {"R.1.txt": [], "R.2.txt": []}
    declared = lab(
        tmp_path / "declared", body=BODY, out={"a": ("out", "{id}"), "b": ("out", "{id}.prov.json")}
    )
    assert run(declared).ok
    assert (declared.data_path / "out/R.prov.json").read_text() == "R0"


def test_folder_as_output(tmp_path: Path) -> None:
    """A folder has its sidecar beside it, not in it."""
    workspace = lab(
        tmp_path,
        body="self.path.output.mkdir()\n(self.path.output / 'x').write_text('x')",
        out=("out", "{id}"),
    )
    assert run(workspace).ok
    assert told(workspace)["R"]["output"] == {"path": "out/R"}
    assert [path.name for path in (workspace.data_path / "out/R").iterdir()] == ["x"]


def test_what_a_power_cut_leaves_is_replaced(tmp_path: Path) -> None:
    """An empty file, or one full of zeros, is nobody's; a link, a folder, or any other text is."""
    path = tmp_path / "x.prov.json"
    for data, answer in ((b"", True), (b"\0" * 900, True), (b"{}", False)):
        path.write_bytes(data)
        assert may_be_replaced(str(path)) == answer
    path.unlink()
    assert may_be_replaced(str(path))
    path.symlink_to(tmp_path / "nowhere")
    assert not may_be_replaced(str(path))
    path.unlink()
    path.mkdir()
    assert not may_be_replaced(str(path))


def test_patterns_do_not_find_sidecars(tmp_path: Path) -> None:
    """A step, and a listing of ids, whose pattern would take any name do not take sidecars; who names them has them."""
    one = "self.path.output.write_text('1')"
    scripts = {
        "a": script_text(one, path_out=("out", "{id}.json")),
        "deep": script_text(one, path_out=("deep", "{id}", "one.txt")),
        "b": script_text(
            "self.path.output.write_text(str(len(self.path.input)))", ("deep", "{id}", "{rest}"), "b/{id}.txt"
        ),
        "c": script_text(one, ("out", "{id}.json.prov.json"), ("c", "{id}.txt")),
    }
    settings = ON + "[records.entities]\nrest = '.+'\n"
    workspace = make_workspace(tmp_path, records=["R"], scripts=scripts, settings=settings)
    assert run(workspace).counts["done"] == 2  # what the others read is not there yet
    assert run(workspace).counts["done"] == 2
    assert (workspace.data_path / "b/R.txt").read_text() == "1"
    for pattern in ("out/{id}", "out/{id}.json"):
        text = script_text("pass", pattern, "d/{id}.txt")
        found = make_workspace(tmp_path / "other", records=[], scripts={"d": text}, settings="")
        ids = Workspace(found.data_path.parent, data_path=workspace.data_path).records.ids()
        assert ids == ["R.json" if pattern.endswith("}") else "R"]


def ending(owner: object, name: str, *, after: int = 1) -> Callable[[], None]:
    """Give what makes a process end at a call of a function."""

    def prepare() -> None:
        real, left = getattr(owner, name), [after]

        def end(*arguments: object, **options: object) -> object:
            left[0] -= 1
            if left[0] <= 0:
                os._exit(9)
            return real(*arguments, **options)

        setattr(owner, name, end)

    return prepare


DEATHS = [
    *(ending(moves, "_move_one", after=number) for number in (1, 2, 3, 4)),
    ending(commits, "digest_within"),
    ending(attempt, "drop_old_sidecars"),
    ending(attempt, "record_success"),
]


@pytest.mark.parametrize("second", ["", ON], ids=["then without", "then with"])
@pytest.mark.parametrize("death", DEATHS, ids=range(len(DEATHS)))
def test_pair_is_whole_after_a_death(death: Callable[[], None], second: str, tmp_path: Path) -> None:
    """Wherever a process dies while it replaces a result, after the next run each sidecar is of the attempt that made its output."""
    workspace = lab(tmp_path)
    assert run(workspace).ok
    first = makers(workspace)[-1]
    file = tmp_path / "workspace.toml"
    file.write_text(file.read_text().replace(ON, second + "[params]\nn = 5\n"))
    pid = os.fork()
    if pid == 0:
        try:
            death()
            run(workspace, force=True)
        finally:
            os._exit(9)
    os.waitpid(pid, 0)
    assert run(workspace).ok
    now = makers(workspace)[-1]
    texts = {path: (workspace.data_path / "out" / path).read_text() for path in outputs(workspace)}
    assert texts == dict.fromkeys(["R.1.txt", "R.2.txt"], "R5")
    assert now != first and {one["attempt"] for one in told(workspace).values()} == (
        {now} if second else set()
    )
    assert not [path for path in (workspace.data_path / "out").iterdir() if path.name.startswith(".")]
