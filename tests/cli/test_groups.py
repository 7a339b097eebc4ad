"""Group steps on the command line: one row of their own, and commands that take their name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

TOML = "[records]\nid_pattern = 'REC-\\d+'\n[steps]\nscripts = ['one', 'two']\ngroup_scripts = ['table']\n"
TABLE = """
from sinagot import GroupTemplate

class Script(GroupTemplate):
    PATH_IN = "two/{id}.txt"
    PATH_OUT = "table.txt"

    def run(self):
        if (self.data_path / "bad").exists():
            raise ValueError("no table")
        self.path.output.write_text(" ".join(self.inputs))
"""


@pytest.fixture
def lab(make_lab) -> Path:
    """Give a workspace with a group step."""
    made: Path = make_lab(1, 2, toml=TOML, table=TABLE)
    return made


def test_status_has_a_row_for_all_records(lab, invoke) -> None:
    """`status` shows a group step below the totals, and as a row of the JSON."""
    invoke(lab, "run")
    lines = invoke(lab, "status").output.splitlines()
    group = ["for all records  status", "table            done"]
    place = lines.index(group[0])
    assert lines[place - 1 : place + 3] == ["", *group, ""]
    assert invoke(lab, "status", "--step", "table").output.splitlines() == group
    found = json.loads(invoke(lab, "status", "--json").output)["status"]
    assert [row["status_name"] for row in found if row["record_id"] == "all/records"] == ["DONE"]
    assert "for all" not in invoke(lab, "status", "--record", "REC-1").output


def test_why_and_logs_take_its_name(lab, invoke) -> None:
    """`why table` and `logs table` tell of it; `all/records`, as tables have it, does too."""
    assert "table: would run\n" in invoke(lab, "why", "table").output
    invoke(lab, "run")
    assert invoke(lab, "why", "all/records").output.startswith("table: up to date")
    assert "Processing run: 2 of 2 records" in invoke(lab, "logs", "table").output
    assert invoke(lab, "logs", "all/records", "--step", "other").exit_code == 5
    assert invoke(lab, "why", "nothing").exit_code != 0


def test_dry_run_and_run_agree(lab, invoke) -> None:
    """The dry run has the group step among what would run, then nothing is left."""
    assert "Dry run: 5 jobs would run" in invoke(lab, "run", "--dry-run").output
    assert "5 done" in invoke(lab, "run").output
    assert "Nothing to do" in invoke(lab, "run").output


def test_commands_of_its_failure_name_no_record(lab, invoke) -> None:
    """The summary of a failed group step proposes commands that work."""
    (lab / "dataset" / "bad").touch()
    done = invoke(lab, "run")
    assert done.exit_code == 3
    text = done.output
    assert "for all records" in text and "--record" not in text
    assert "logs all/records --step table" in text and "run --step table --debug" in text


def test_show_says_that_it_is_no_record(lab, invoke) -> None:
    """`show` with a group step names the command that tells about it."""
    done = invoke(lab, "show", "table")
    assert done.exit_code == 5 and "a step for all of them; see: sinagot why table" in done.output


def test_records_cannot_be_picked_for_it(lab, invoke) -> None:
    """`--record` with a group step is refused in words."""
    done = invoke(lab, "run", "--record", "REC-1", "--step", "table")
    assert done.exit_code != 0 and "for all records at once" in done.output
