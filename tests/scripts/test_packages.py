"""Which versions of packages a run notes: those that its scripts import, read without importing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sinagot.scripts.imports import find_sources
from sinagot.scripts.packages import packages_of


def versions(folder: Path, text: str) -> dict[str, str]:
    """Give the packages of a script."""
    (folder / "a.py").write_text(text)
    return packages_of(find_sources("a", None, str(folder / "a.py"), [str(folder)]).source)


def test_versions_are_found_without_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package is found by its name, by what it says of its modules, or by its files; ours, the standard library and helpers are left out."""
    site = tmp_path / "site"
    for name, files in {
        "Plain_Name-1.2.3.dist-info": {},
        "other-4.5.dist-info": {"top_level.txt": "inner\n"},
        "third-6+local.dist-info": {"RECORD": "x,,\ndeep/__init__.py,sha,1\n"},
        "bare-7.dist-info": {},
        "no version.dist-info": {},
    }.items():
        (site / name).mkdir(parents=True)
        for file, text in files.items():
            (site / name / file).write_text(text)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path / "absent"), str(site)])
    (tmp_path / "helper.py").write_text("import deep.inside, bare")
    text = "import os, sinagot, helper, unknown_thing\nimport plain_name\ndef f():\n    from inner import x\n"
    assert versions(tmp_path, text) == {
        "bare": "7",
        "other": "4.5",
        "Plain_Name": "1.2.3",
        "third": "6+local",
    }
    assert {"plain_name", "inner", "deep", "bare"}.isdisjoint(sys.modules)


def test_a_new_version_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is upgraded while a program lives is told with its new version."""
    (tmp_path / "site/one-1.dist-info").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site")])
    assert versions(tmp_path, "import one") == {"one": "1"}
    (tmp_path / "site/one-1.dist-info").rename(tmp_path / "site/one-2.dist-info")
    assert versions(tmp_path, "import one") == {"one": "2"}
