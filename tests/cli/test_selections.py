"""Files that name records."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from sinagot.cli.selections import read_selection, write_selection
from tests.cli.conftest import Invoke, Lab


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Ids come back as they are, also odd ones; comments and empty lines are passed over."""
    file = str(tmp_path / "ids.txt")
    ids = ["#1", "REC 1", "\\#", "\\x", "a'b\"", "é", " x"]
    write_selection(file, ids)
    assert read_selection(file) == ids
    Path(file).write_text("\ufeff# made by hand\r\nREC-1\r\n\r\nREC-2")
    assert read_selection(file) == ["REC-1", "REC-2"]


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    """A file that is not there, and a folder in its place, are usage errors that name it."""
    with pytest.raises(click.UsageError, match="absent"):
        read_selection(str(tmp_path / "absent"))
    with pytest.raises(click.UsageError, match="--save-selection"):
        write_selection(str(tmp_path / "none" / "x"), ["a"])


def test_failed_records_of_one_run_are_those_of_the_next(invoke: Invoke, make_lab: Lab) -> None:
    """The records that one command was about can be saved, and named to another; an empty file names none."""
    lab = make_lab(1, 3, 3)
    invoke(lab, "run")
    file = str(lab / "failed.txt")
    invoke(lab, "run", "--failed", "--dry-run", "--save-selection", file)
    assert Path(file).read_text() == "REC-2\nREC-3\n"
    assert "2 jobs of 2 records" in invoke(lab, "run", "--select", file, "--step", "one").stdout
    Path(file).write_text("")
    assert invoke(lab, "run", "--select", file).exit_code == 5
    Path(file).write_text("nobody\n")
    result = invoke(lab, "run", "--select", file)
    assert result.exit_code == 5 and "nobody" in result.stderr


def test_run_narrows_by_steps_shares_and_changes(invoke: Invoke, make_lab: Lab) -> None:
    """--from, --until, --shard and --outdated narrow, or widen, what is run."""
    lab = make_lab(1, 2)
    assert "2 done" in invoke(lab, "run", "--until", "one").stdout
    assert "Nothing to do" in invoke(lab, "run", "--until", "one", "--outdated").stdout
    assert "2 done" in invoke(lab, "run", "--from", "two").stdout
    counts = [
        int(re.search(r"(\d+) jobs? would run", told)[1])  # type: ignore[index]
        for n in (1, 2)
        if "would run"
        in (told := invoke(lab, "run", "--shard", f"{n}/2", "--step", "one", "--force", "--dry-run").stdout)
    ]
    assert sum(counts) == 2
    result = invoke(lab, "run", "--shard", "3/2")
    assert result.exit_code == 4 and "i/n" in result.stderr
    assert invoke(lab, "run", "--outdated", "--force").exit_code == 2
