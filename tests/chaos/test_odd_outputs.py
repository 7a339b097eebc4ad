"""Outputs that are no plain whole files in their place: empty ones, folders, links, pipes, files written straight there."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from sinagot.testing import await_true, make_workspace, script_text
from tests.chaos.conftest import (
    WAITING,
    Lab,
    StartProgram,
    await_half,
    driver,
    each_mode,
    heal,
    let_go,
    litter,
    outputs,
    statuses,
)

pytestmark = pytest.mark.chaos


def test_empty_file_is_an_output(lab: Lab) -> None:
    """An empty file is a result like any other: done, and not made again."""
    workspace = lab.make("self.path.output.touch()")
    assert lab.run().counts["done"] == 3
    assert outputs(workspace)["R2.txt"] == ""
    assert lab.run().counts["up_to_date"] == 3


def test_folder_is_published_as_one(lab: Lab) -> None:
    """A folder appears with all that is in it, takes the place of a former one, and leaves nothing of that."""
    body = """
for name in ('a', f'b{len(os.listdir(self.path.final)) if self.path.final.exists() else 0}'):
    path = self.path.output / 'deep' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(name)
(self.path.output / 'empty').mkdir()
"""
    workspace = lab.make(body)
    folder = workspace.data_path / "out" / "R2.txt"
    for there in ({"empty", "deep", "deep/a", "deep/b0"}, {"empty", "deep", "deep/a", "deep/b2"}):
        assert lab.run(force=True).counts["done"] == 3
        assert {str(path.relative_to(folder)) for path in folder.rglob("*")} == there
    assert litter(workspace, owners=False) == []


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("os.mkfifo(self.path.output)", "neither a file nor a folder"),
        ("self.path.output.mkdir()\nos.mkfifo(self.path.output / 'inner')", "neither a file nor a folder"),
        ("self.path.output.symlink_to('/etc/hostname')", "link"),
        ("self.path.output.symlink_to(self.data_path.parent.parent / 'elsewhere')", "link"),
        ("self.path.output.symlink_to('no such file')", "link"),
    ],
    ids=["pipe", "pipe in a folder", "link to a system file", "link out", "dangling link"],
)
def test_what_is_no_result_is_refused(lab: Lab, body: str, word: str) -> None:
    """A pipe, and a link that leads out or nowhere, are errors that name the output; nothing is published, nothing hangs."""
    (lab.folder.parent / "elsewhere").write_text("not ours")
    lab.make(body)
    group = lab.failure()
    assert word in group.message and "out/R2.txt" in group.message
    assert (lab.folder.parent / "elsewhere").read_text() == "not ours"


def test_link_inside_the_dataset_is_published(lab: Lab) -> None:
    """A link to a file of the dataset is a result."""
    workspace = lab.make("self.path.output.symlink_to(self.path.input)")
    assert lab.run().counts["done"] == 3
    assert (workspace.data_path / "out" / "R2.txt").is_symlink()
    assert outputs(workspace)["R2.txt"] == "R2"


def test_script_that_writes_in_place(lab: Lab) -> None:
    """What a script writes straight to the final path counts, with a warning; what it leaves unchanged there does not."""
    workspace = lab.make(
        "self.path.final.parent.mkdir(exist_ok=True)\nself.path.final.write_text('straight')"
    )
    report = lab.run()
    assert report.counts["done"] == 3
    assert any("in place instead of using self.path.output" in text for text in report.warnings)
    assert outputs(workspace)["R2.txt"] == "straight"
    lab.make("pass")
    group = lab.run(force=True).failures[0]
    assert group.exc_type.endswith("MissingOutputError") and group.records == ("R2",)
    assert outputs(workspace)["R2.txt"] == "straight"


STRAIGHT = script_text(
    """
    with self.path.final.open("w") as file:
        file.write("first half, ")
        file.flush()
        tell(self.data_path / f"{self.id}.half", str(os.getpid()))
        await_file(self.data_path / "free")
        file.write("second half")
    """,
    before=WAITING,
)


@each_mode
def test_death_while_writing_in_place(mode: str, tmp_path: Path, start: StartProgram) -> None:
    """Half a file that stands under its final name because the script put it there is not DONE, feeds nobody, and is made again."""
    scripts = {
        "a": STRAIGHT,
        "b": script_text(
            "self.path.output.write_text(self.path.input.read_text())", ("out", "{id}.txt"), ("b", "{id}.txt")
        ),
    }
    workspace = make_workspace(tmp_path, records=["R1"], scripts=scripts)
    (workspace.data_path / "out").mkdir()
    program = start(driver(workspace, mode=mode, **({} if mode == "main_process" else {"workers": 1})))
    await_half(workspace, "R1")
    program.signal(signal.SIGKILL)
    program.wait()
    program.assert_no_orphans()
    assert outputs(workspace) == {"R1.txt": "first half, "}
    await_true(lambda: statuses(workspace)[0] == 42, "what held the claim has ended with the program")
    blocked = workspace.steps.run("b", mode="main_process", printing=False)
    assert blocked.counts["blocked"] == 1
    let_go(workspace)
    heal(workspace, left=2)
    assert outputs(workspace) == outputs(workspace, "b") == {"R1.txt": "first half, second half"}
