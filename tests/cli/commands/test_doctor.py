"""`sinagot doctor`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinagot.dataset import drive
from sinagot.dataset.findings import Finding
from sinagot.workspace.doctor import checkup, environment, workers
from tests.cli.conftest import Invoke, Program

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "doctor.md"

FINDINGS = [
    Finding("data", "folder", "/data"),
    Finding("data", "hard links", "none", "note", "claims are plain files."),
    Finding("data", "time stamps", "1 s", "warning", 'set check = "digest".'),
    Finding("Python", "python", "3.13\x1b[2J", "ok", "all is well"),
]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """Give the list that the examination of a workspace finds."""
    findings = list(FINDINGS)

    def examine(workspace: object, *, dask: bool, address: str | None) -> Iterator[Finding]:
        yield from findings
        if dask or address:
            yield Finding("Dask", "cluster", address or "configured")

    monkeypatch.setattr(checkup, "examine_workspace", examine)
    return findings


def test_findings_are_told_by_place(invoke: Invoke, harbor: Path, found: list[Finding]) -> None:
    """Each place has its rows; what is not well has its advice below; control characters do not reach the terminal."""
    result = invoke(harbor, "doctor")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "data",
        "  ok       folder              /data",
        "  note     hard links          none",
        "           claims are plain files.",
        "  warning  time stamps         1 s",
        '           set check = "digest".',
        "",
        "Python",
        "  ok       python              3.13\\x1b[2J",
        "",
        "0 problems, 1 warning, 1 note",
    ]
    assert "all is well" in invoke(harbor, "doctor", "-v").stdout


def test_a_problem_ends_with_3(invoke: Invoke, harbor: Path, found: list[Finding]) -> None:
    """A problem is exit code 3, in words and in JSON."""
    found.append(
        Finding("data", "exclusive create", "a file can be made twice", "problem", "put it elsewhere.")
    )
    result = invoke(harbor, "doctor")
    assert result.exit_code == 3
    assert result.stdout.endswith("1 problem, 1 warning, 1 note\n")
    assert invoke(harbor, "doctor", "--json").exit_code == 3


def test_json(invoke: Invoke, harbor: Path, found: list[Finding]) -> None:
    """With --json the same findings come as values, with their counts."""
    told = json.loads(invoke(harbor, "doctor", "--json").stdout)
    assert told["findings"][1] == {
        "place": "data",
        "name": "hard links",
        "value": "none",
        "verdict": "note",
        "advice": "claims are plain files.",
    }
    assert told["counts"] == {"ok": 2, "note": 1, "warning": 1, "problem": 0}


def test_cluster(invoke: Invoke, harbor: Path, found: list[Finding]) -> None:
    """--dask and --address ask for the workers."""
    assert "cluster             configured" in invoke(harbor, "doctor", "--dask").stdout
    assert "cluster             tcp://x:1" in invoke(harbor, "doctor", "--address", "tcp://x:1").stdout


def test_a_folder_outside_a_workspace(program: Program, tmp_path: Path) -> None:
    """Any folder can be measured; nothing is left in it."""
    (tmp_path / "share").mkdir()
    done = program(tmp_path, "doctor", "share", "--json")
    assert done.returncode == 0, done.stderr
    found = {one["name"]: one for one in json.loads(done.stdout)["findings"]}
    assert found["folder"]["value"] == str(tmp_path / "share")
    assert found["writing"]["value"] == "works"
    assert list((tmp_path / "share").iterdir()) == []


def test_wrong_uses(invoke: Invoke, tmp_path: Path) -> None:
    """Outside a workspace the hint says that a folder will do; a folder has no cluster; an absent one is refused."""
    result = invoke(tmp_path, "doctor")
    assert result.exit_code == 2
    assert "sinagot doctor PATH" in result.stderr
    assert invoke(tmp_path, "doctor", ".", "--dask").exit_code == 2
    assert invoke(tmp_path, "doctor", "nowhere").exit_code == 2


def test_page_explains_every_finding() -> None:
    """The page has a row for each name that a finding may have."""
    text = PAGE.read_text(encoding="utf-8")
    names = [*drive.NAMES, "permission", *environment.NAMES, *workers.NAMES]
    assert [name for name in names if f"| {name} |" not in text] == []
