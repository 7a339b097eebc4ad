"""What a run would do, and why."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke, Lab


@pytest.fixture
def uneven(make_lab: Lab, invoke: Invoke) -> Path:
    """Give a workspace with a record of each kind: done, failed, changed, excluded, new."""
    lab = make_lab(1, 3, 5, 6)
    invoke(lab, "run")
    (lab / "dataset/raw/REC-3.txt").write_text("changed since")
    invoke(lab, "exclude", "REC-4", "--reason", "asleep")
    (lab / "dataset/raw/REC-5.txt").write_text("7")
    return lab


def told(text: str) -> str:
    """Return what was printed without what two runs of one command differ in."""
    return re.sub(r"\d{8}T\d{6}-[0-9a-f]{6}|\"duration_s\": [\d.]+", "...", text)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--outdated",),
        ("--force", "--step", "one"),
        ("--failed",),
        ("--from", "two"),
        ("--until", "one", "--shard", "1/2"),
        ("--record", "REC-3", "--outdated"),
        ("--record", "nobody"),
        ("--step", "none"),
        ("--json",),
        ("--json", "--outdated"),
        ("--outdated", "--force"),
    ],
    ids=" ".join,
)
def test_plan_is_the_dry_run(invoke: Invoke, uneven: Path, words: tuple[str, ...]) -> None:
    """`plan` and `run --dry-run` say the same words and end with the same code, whatever is chosen."""
    plan, dry = invoke(uneven, "plan", *words), invoke(uneven, "run", "--dry-run", *words)
    assert (told(plan.stdout), plan.exit_code) == (told(dry.stdout), dry.exit_code)
    assert plan.stderr.replace(" plan ", " run ") == dry.stderr


def test_kinds_add_up_to_all_jobs(invoke: Invoke, uneven: Path) -> None:
    """Each job is counted in one kind: step, verdict and reason; the counts are those of the JSON."""
    lines = invoke(uneven, "plan", "--outdated").stdout.splitlines()
    kinds = Counter[tuple[str, str]]()
    for line in lines[1 : lines.index("")]:
        cells = re.split(r"\s{2,}", line)
        kinds[cells[0], cells[1]] += int(cells[2])
    found = json.loads(invoke(uneven, "plan", "--outdated", "--json").stdout)
    words = {"run": "would run", "up_to_date": "up to date"}
    verdicts = Counter((row["step"], words.get(row["verdict"], row["verdict"])) for row in found["verdicts"])
    assert kinds == verdicts
    assert kinds["one", "excluded"] == 1 and kinds["one", "would run"] == 3


def test_many_jobs_are_counted_and_cut(invoke: Invoke, make_lab: Lab) -> None:
    """Of many jobs the first are shown and the others counted, until --all asks for all of them."""
    lab = make_lab(*range(10, 40))
    lines = invoke(lab, "plan").stdout.splitlines()
    assert [line.split()[3] for line in lines[1:3]] == ["30", "30"]
    assert len(lines) < 35 and "... and 40 more jobs; all of them: sinagot plan --all" in lines
    every = invoke(lab, "plan", "--all").stdout
    assert len(re.findall(r"^REC-", every, re.MULTILINE)) == 60 and "more job" not in every
    invoke(lab, "run")
    assert invoke(lab, "plan").stdout == "Dry run: 0 jobs would run, 60 up to date; nothing was done.\n"
    assert (
        len(
            re.findall(
                r"^REC-\d+ +(?:one|two) +up to date", invoke(lab, "plan", "--all").stdout, re.MULTILINE
            )
        )
        == 60
    )
