"""Which packages are installed, as a run keeps it."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from sinagot.config.packages import installed_packages, read_packages, save_packages


def test_names_and_versions_are_those_of_the_metadata(tmp_path: Path) -> None:
    """What the names of folders tell is what Python's own look at the packages tells."""
    save_packages(str(tmp_path))
    kept = read_packages(str(tmp_path))
    assert kept == installed_packages()
    for name in ("click", "pandas", "pydantic", "concurrent-log-handler"):
        assert kept[name] == metadata.version(name)


def test_first_folder_wins_and_odd_names_are_passed_over(tmp_path: Path) -> None:
    """Of two versions the one counts that is imported; broken folders cost nothing."""
    for folder, name in (
        ("a", "My_Pack-1.0.dist-info"),
        ("b", "my_pack-2.0.dist-info"),
        ("b", "broken.dist-info"),
    ):
        (tmp_path / folder / name).mkdir(parents=True)
    (tmp_path / "b/packages.txt").write_text("x==1\ntorn")
    paths = [str(tmp_path / name) for name in ("gone", "a", "b")]
    assert installed_packages(paths) == {"my-pack": "1.0"}
    assert read_packages(str(tmp_path / "b")) == {"x": "1"} and read_packages(paths[0]) == {}
