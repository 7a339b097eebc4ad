"""Laws of the cached verdict."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sinagot.config import load
from sinagot.config.load import load_configuration, save_cached

if TYPE_CHECKING:
    from tests.config.conftest import Desk


TEXT = "[steps]\nscirpts = ['a']\n[path]\nlog = '~/x'\n[modalities.EEG.models]\nfree = 1\n"
HEAVY = (
    "pydantic",
    "difflib",
    "logging",
    "inspect",
    "dataclasses",
    "importlib.metadata",
    "sinagot.config.schema",
)


def cache_files(desk: Desk) -> list[Path]:
    return sorted((desk.folder / "dataset").glob(".sinagot/index/*"))


def no_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on a configuration that is checked is a failure."""
    monkeypatch.setitem(sys.modules, "sinagot.config.checks", None)


def test_hit_gives_the_same_without_checks(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verdict that was kept gives the same configuration, warnings included, and the checks are not loaded."""
    first = desk.load(TEXT)
    assert first.warnings
    save_cached(first)
    assert [file.name for file in cache_files(desk)] == [f"config-{first.digest}.json"]
    no_checks(monkeypatch)
    assert load_configuration(desk.file) == first
    written = cache_files(desk)[0].stat()
    save_cached(first)
    assert cache_files(desk)[0].stat() == written


def test_hit_loads_nothing_heavy(desk: Desk) -> None:
    """In a fresh process a hit loads neither pydantic nor difflib nor anything else that is slow."""
    save_cached(desk.load(TEXT))
    code = (
        "import sys; before = set(sys.modules)\n"
        "from sinagot.config.load import load_configuration\n"
        f"warnings = load_configuration({str(desk.folder)!r}).warnings\n"
        "assert len(warnings) == 1, warnings\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules and name not in before])\n"
    )
    root = Path(load.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"digest": 3}', "\xff\x00", "[" * 100_000])
def test_corrupt_file_is_ignored(desk: Desk, text: str) -> None:
    """A cache file that is cut or full of garbage is a miss, and is replaced by the next save."""
    first = desk.load(TEXT)
    save_cached(first)
    (file,) = cache_files(desk)
    good = file.read_text()
    file.write_text(text, encoding="latin-1")
    assert load_configuration(desk.file) == first
    save_cached(first)
    assert file.read_text() == good


@pytest.mark.parametrize("change", [{"digest": "0" * 64}, {"warnings": [3]}, {"warnings": "text"}])
def test_file_of_another_digest_or_form_is_ignored(desk: Desk, change: dict[str, object]) -> None:
    """A file that does not hold the verdict on this digest is a miss."""
    first = desk.load(TEXT)
    save_cached(first)
    (file,) = cache_files(desk)
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    assert load_configuration(desk.file) == first


def test_edit_is_seen_at_once(desk: Desk) -> None:
    """An edit of the same size in the same second is checked anew."""
    save_cached(desk.load("[run]\nmode = 'dask'\n"))
    times = desk.file.stat()
    desk.write("[run]\nmode = 'disk'\n")
    os.utime(desk.file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert "run.mode: found 'disk'" in str(desk.error("[run]\nmode = 'disk'\n"))


def test_disk_is_looked_at_behind_a_hit(desk: Desk) -> None:
    """What depends on the disk is never taken from the cache: scripts folder and data folder."""
    text = "[steps]\nscripts = ['a']\n[path]\nstate = './state'\n"
    (desk.folder / "scripts").rmdir()
    first = desk.load(text)
    assert len(first.warnings) == 1
    save_cached(first)
    (desk.folder / "scripts").mkdir()
    assert load_configuration(desk.file).warnings == ()
    (desk.folder / "dataset").rmdir()
    assert "path.dataset" in str(desk.error(text))


def test_moved_workspace_shows_its_new_place(desk: Desk, tmp_path: Path) -> None:
    """Warnings name the files as they stand now, wherever the cache was written."""
    save_cached(desk.load(TEXT))
    moved = shutil.copytree(desk.folder, tmp_path / "moved")
    assert load_configuration(moved).warnings[0].startswith(str(moved))


def test_digest_tells_configurations_apart(desk: Desk, tmp_path: Path) -> None:
    """Other bytes, another order, other arguments: another digest; the same again: the same."""
    one, two = desk.write("[a]\n", "one.toml"), desk.write("[b]\n", "two.toml")
    digests = [
        load_configuration(one).digest,
        load_configuration(two).digest,
        load_configuration([one, two]).digest,
        load_configuration([two, one]).digest,
        load_configuration(one, data_path=tmp_path).digest,
        load_configuration(one, scripts_path=tmp_path).digest,
    ]
    assert len(set(digests)) == len(digests)
    assert load_configuration(one).digest == digests[0]


def test_state_that_cannot_be_written_is_no_problem(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failing to keep a verdict raises nothing and leaves nothing behind."""
    configuration = desk.load("")
    (desk.folder / "dataset" / ".sinagot").touch()
    save_cached(configuration)
    (desk.folder / "dataset" / ".sinagot").unlink()

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "replace", refuse)
    save_cached(configuration)
    assert cache_files(desk) == []
