"""What scripts may write, and where it ends up: stages, extras, folders, links, in-place writers."""

from __future__ import annotations

import os
import stat

import pytest

IN_PLACE = "self.path.final.parent.mkdir(exist_ok=True)\nself.path.final.write_text('in place')"


def only_failure(report):
    """Give the one group of failures of a run."""
    (group,) = report.failures
    return group


def test_nothing_of_an_output_is_seen_while_it_is_written(lab) -> None:
    """During `run()` the final name is free or has the old output; it changes in one step when `run()` has returned."""
    lab.unit("a", ids=["REC-1"])
    lab.wish("a-REC-1", "assert not self.path.final.exists()")
    lab.open().steps.run().raise_for_failures()
    inode = (lab.data / "a/REC-1.csv").stat().st_ino
    lab.wish(
        "a-REC-1",
        f"assert self.path.final.stat().st_ino == {inode} and not self.path.final.samefile(self.path.output)",
    )
    lab.open().steps.run(force=True).raise_for_failures()
    assert (lab.data / "a/REC-1.csv").stat().st_ino != inode


def test_two_outputs_are_published_together_or_not_at_all(lab) -> None:
    """Of two declared outputs both appear or neither; two of one file name in two folders are fine."""
    lab.unit("a", ids=["REC-1"])
    lab.script("a", path_out={"x": ("x", "{id}.csv"), "y": ("y", "{id}.csv")})
    lab.fail("a-REC-1")
    lab.open().steps.run()
    assert not (lab.data / "x").exists() and not (lab.data / "y").exists()
    lab.heal("a-REC-1")
    lab.open().steps.run().raise_for_failures()
    assert lab.text("x/REC-1.csv") == lab.text("y/REC-1.csv") == "REC-1\na\n"


def test_folder_outputs(lab) -> None:
    """A folder is an output like a file: it appears when complete, replaces its former self whole, and feeds the next step."""
    lab.unit("a", "b", ids=["REC-1"])
    lab.script(
        "a",
        path_out=("a", "{id}.mff"),
        body="self.path.output.mkdir()\n(self.path.output / f'{self.id}.txt').write_text('1')",
    )
    lab.script(
        "b",
        ("a", "{id}.mff"),
        body="self.path.output.write_text(str(sorted(p.name for p in self.path.input.iterdir())))",
    )
    lab.open().steps.run().raise_for_failures()
    assert lab.text("b/REC-1.csv") == "['REC-1.txt']"
    lab.wish("a-REC-1", "(self.path.output / 'new').touch()\n(self.path.output / 'REC-1.txt').unlink()")
    lab.open().steps.run(force=True).raise_for_failures()
    assert [path.name for path in (lab.data / "a/REC-1.mff").iterdir()] == ["new"]
    lab.wish("a-REC-1", "raise ValueError")
    lab.open().steps.run("a", force=True)
    assert [path.name for path in (lab.data / "a/REC-1.mff").iterdir()] == ["new"]


def test_extra_file_moves_along(lab) -> None:
    """An undeclared file beside an output moves along with it, and may be replaced by the job that published it."""
    lab.unit("a", ids=["REC-1"])
    lab.wish("a-REC-1", "self.path.output.with_suffix('.png').write_text('one')")
    lab.open().steps.run().raise_for_failures()
    assert lab.text("a/REC-1.png") == "one"
    lab.wish("a-REC-1", "self.path.output.with_suffix('.png').write_text('two')")
    lab.open().steps.run(force=True).raise_for_failures()
    assert lab.text("a/REC-1.png") == "two"


def test_extra_file_never_replaces_a_file_of_others(lab) -> None:
    """An extra file whose name is taken by a file that this job did not publish fails the job; both stay, the hint is ATOMIC = False."""
    lab.unit("a", ids=["REC-1", "REC-2"])
    append = "with (self.path.output.parent / 'summary.csv').open('a') as f: f.write(self.id + '\\n')"
    for record in ("REC-1", "REC-2"):
        lab.wish(f"a-{record}", append)
    lab.write("dataset/a/summary.csv", "years of work\n")
    group = only_failure(lab.open().steps.run())
    assert group.exc_type.endswith("ForeignFileError") and group.count == 2
    assert "ATOMIC = False" in group.message and str(lab.data / "a/summary.csv") in group.message
    assert lab.text("a/summary.csv") == "years of work\n"
    assert not (lab.data / "a/REC-1.csv").exists()

    lab.script("a", members="ATOMIC = False")
    lab.open().steps.run().raise_for_failures()
    assert lab.text("a/summary.csv") == "years of work\nREC-1\nREC-2\n"


def test_reading_the_former_output_gets_a_hint(lab) -> None:
    """A script that looks for its former output in the stage fails with a message that says what to do."""
    lab.unit("a", ids=["REC-1"])
    lab.open().steps.run()
    lab.script("a", body="text = self.path.output.read_text()")
    group = only_failure(lab.open().steps.run(force=True))
    assert group.exc_type == "FileNotFoundError"
    assert "ATOMIC = False" in group.message and "self.path.final" in group.message
    assert str(lab.data / "a/REC-1.csv") in group.message
    assert ".sinagot" not in group.message and ".sinagot/stage" not in group.traceback


def test_paths_in_logs_and_tracebacks_are_final(lab) -> None:
    """What a script says in an error about its output names the final path."""
    lab.unit("a", ids=["REC-1"])
    lab.fail("a-REC-1", "ValueError(f'cannot write {self.path.output}')")
    group = only_failure(lab.open().steps.run())
    assert group.message == f"cannot write {lab.data / 'a/REC-1.csv'}"
    (line,) = lab.lines(step_status=40)
    assert line["exc_message"] == group.message and ".sinagot/stage" not in line["traceback"]


def test_what_a_script_says_names_final_paths(lab) -> None:
    """Lines that a script prints, warns or logs about its output name the path at which it can be found afterwards."""
    lab.unit("a", ids=["REC-1"])
    said = """
        import logging
        import warnings

        print("printed", self.path.output)
        warnings.warn(f"warned {self.path.output}")
        logging.getLogger("library").warning("told %s", self.path.output)
        self.logger.info("logged %s", self.path.output.parent, extra={"where": str(self.path.output)})
    """
    lab.wish("a-REC-1", said)
    with pytest.warns(UserWarning, match="warned"):
        lab.open().steps.run().raise_for_failures()
    final = lab.data / "a/REC-1.csv"
    said = [line for line in lab.lines(step_status=20) if line["message"] != "Processing run"]
    assert [line["message"].split(" (")[0] for line in said] == [
        f"printed {final}",
        f"UserWarning: warned {final}",
        f"told {final}",
        f"logged {final.parent}",
    ]
    assert said[-1]["where"] == str(final)


def test_atomic_false_writes_under_the_final_name(lab) -> None:
    """With ATOMIC = False the script works on the final file; a failure is on record all the same and the step is done again."""
    lab.unit("a", "b", ids=["REC-1"])
    lab.script(
        "a",
        members="ATOMIC = False",
        body="""
        assert self.path.output == self.path.final
        with self.path.output.open("a") as file:
            file.write("x")
        """,
    )
    lab.open().steps.run().raise_for_failures()
    assert lab.text("a/REC-1.csv") == "x"
    lab.fail("a-REC-1")
    lab.open().steps.run(force=True)
    assert lab.text("a/REC-1.csv") == "xx"
    assert lab.open()["REC-1"].steps.status()["step_status"].tolist() == [40, 30]
    lab.heal("a-REC-1")
    assert lab.open().steps.run().counts["done"] == 1
    assert lab.text("a/REC-1.csv") == "xxx"


def test_atomic_false_must_write_what_it_declares(lab) -> None:
    """A script with ATOMIC = False that leaves no output fails like any other."""
    lab.unit("a", ids=["REC-1"])
    lab.script("a", members="ATOMIC = False", body="pass")
    assert str(lab.data / "a/REC-1.csv") in only_failure(lab.open().steps.run()).message


def test_in_place_writing_is_accepted_and_said_once(lab) -> None:
    """A script that writes straight to the final file is accepted, with one warning for all records."""
    lab.unit("a", ids=["REC-1", "REC-2", "REC-3"])
    lab.script("a", body=IN_PLACE)
    report = lab.open().steps.run()
    report.raise_for_failures()
    (warning,) = report.warnings
    assert "in place" in warning and "ATOMIC = False" in warning and "a.py" in warning
    assert lab.text("a/REC-2.csv") == "in place"


def test_in_place_writing_must_change_the_file_during_the_attempt(lab) -> None:
    """An old file under the final name is no output of an attempt that did not touch it."""
    lab.unit("a", ids=["REC-1"])
    lab.raw("REC-1", folder="a")
    lab.script("a", body="pass")
    group = only_failure(lab.open().steps.run(force=True))
    assert group.exc_type.endswith("MissingOutputError")
    assert lab.text("a/REC-1.csv") == "REC-1\n"


def test_control_path_is_optional(lab) -> None:
    """PATH_CONTROL is staged like an output and need not be written; status does not ask for it."""
    lab.unit("a", ids=["REC-1", "REC-2"])
    lab.script("a", members='PATH_CONTROL = ("control", "{id}.png")')
    lab.wish(
        "a-REC-1", "self.path.control.write_text('picture')\nassert not (self.data_path / 'control').exists()"
    )
    lab.open().steps.run().raise_for_failures()
    assert lab.text("control/REC-1.png") == "picture"
    assert not (lab.data / "control/REC-2.png").exists()
    lab.wish("a-REC-1", "self.path.control.write_text('torn')\nraise ValueError")
    lab.open().steps.run(force=True)
    assert lab.text("control/REC-1.png") == "picture"
    (lab.data / "control/REC-1.png").unlink()
    assert lab.open()["REC-2"].steps.status()["step_status"].tolist() == [30]
    assert lab.open()["REC-1"].steps.get("a").script.path.control == lab.data / "control/REC-1.png"


def test_dangling_links_are_absent(lab) -> None:
    """A link that leads nowhere is no input and no output (git-annex, DataLad); a link to something counts as that."""
    lab.unit("a", "b", ids=["REC-1"])
    (lab.data / "raw/REC-2.csv").symlink_to(lab.root / "not-fetched")
    (lab.data / "raw/REC-3.csv").symlink_to(lab.data / "raw/REC-1.csv")
    (lab.data / "a").mkdir()
    (lab.data / "a/REC-1.csv").symlink_to(lab.root / "not-fetched")
    ws = lab.open()
    assert ws.records.ids() == ["REC-1", "REC-3"]
    assert not ws.records.has("REC-2")
    assert ws["REC-1"].steps.get("a").status() == 10
    assert ws.steps.run().counts["done"] == 4
    assert not (lab.data / "a/REC-1.csv").is_symlink() and not (lab.root / "not-fetched").exists()


def test_replacing_a_link_replaces_the_link(lab) -> None:
    """A forced run over an output that is a link leaves the link's target as it was."""
    lab.unit("a", ids=["REC-1"])
    store = lab.write("store/REC-1.csv", "kept")
    (lab.data / "a").mkdir()
    (lab.data / "a/REC-1.csv").symlink_to(store)
    lab.open().steps.run(force=True).raise_for_failures()
    assert store.read_text() == "kept"
    assert not (lab.data / "a/REC-1.csv").is_symlink() and lab.text("a/REC-1.csv") == "REC-1\na\n"


def test_published_files_have_the_modes_of_a_plain_write(lab) -> None:
    """Published files and folders get the umask of the user, never a private mode."""
    lab.unit("a", ids=["REC-1"])
    old = os.umask(0o027)
    try:
        lab.open().steps.run().raise_for_failures()
    finally:
        os.umask(old)
    assert stat.S_IMODE((lab.data / "a/REC-1.csv").stat().st_mode) == 0o640
    assert stat.S_IMODE((lab.data / "a").stat().st_mode) == 0o750
    assert stat.S_IMODE((lab.data / "LOG/REC-1.log").stat().st_mode) & 0o077 != 0


@pytest.mark.parametrize(
    "body",
    ["import os\nos.mkfifo(self.path.output)", "self.path.output.symlink_to('/etc/hostname')"],
    ids=["fifo", "link outside"],
)
def test_odd_outputs_are_refused(lab, body: str) -> None:
    """A FIFO and a link that leads out of the dataset are no outputs; nothing of them appears."""
    lab.unit("a", ids=["REC-1"])
    lab.script("a", body=body)
    group = only_failure(lab.open().steps.run())
    assert group.exc_type.endswith("BadOutputError") and str(lab.data / "a/REC-1.csv") in group.message
    assert not os.path.lexists(lab.data / "a/REC-1.csv")


def test_empty_output_is_an_output(lab) -> None:
    """An empty file is a result."""
    lab.unit("a", ids=["REC-1"])
    lab.script("a", body="self.path.output.touch()")
    assert lab.open().steps.run().counts["done"] == 1
    assert lab.open().steps.run().counts["up_to_date"] == 1
