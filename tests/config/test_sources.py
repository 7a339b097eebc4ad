"""Laws of reading and merging files."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.config.sources import absolute_path, find_files, merge_tables, read_source
from sinagot.errors import ConfigurationError

if TYPE_CHECKING:
    from tests.config.conftest import Desk


TABLES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.dictionaries(
        st.sampled_from("abc"), st.integers(0, 9) | st.lists(st.integers(), max_size=2), max_size=3
    ),
    lambda below: st.dictionaries(st.sampled_from("abc"), below | st.integers(0, 9), max_size=3),
    max_leaves=8,
)


def leaf(tables: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        tables = tables.get(key) if isinstance(tables, dict) else None
    return tables


def paths(tables: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for key, value in tables.items():
        found += paths(value, (*above, key)) if isinstance(value, dict) else [(*above, key)]
    return found


@given(TABLES)
def test_merging_alone_changes_nothing(tables: dict[str, Any]) -> None:
    """One file merged is that file, and merging it with itself or with nothing too."""
    assert (
        merge_tables([tables]) == tables == merge_tables([tables, tables]) == merge_tables([{}, tables, {}])
    )


@given(TABLES, TABLES)
def test_later_file_wins_every_value(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Each value of the later file stands in the result; each of the earlier one, unless the later speaks there."""
    merged = merge_tables([first, second])
    assert all(leaf(merged, path) == leaf(second, path) for path in paths(second))
    for path in paths(first):
        spoken = any(
            leaf(second, path[:n]) is not None and not isinstance(leaf(second, path[:n]), dict)
            for n in range(1, len(path))
        )
        if not spoken and leaf(second, path) is None:
            assert leaf(merged, path) == leaf(first, path)
    assert merged.keys() == first.keys() | second.keys()


@given(TABLES, TABLES, TABLES)
def test_merging_changes_no_file(
    first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]
) -> None:
    """The tables that are merged stay as they were read, however the result is changed."""
    before = repr((first, second, third))
    merged = merge_tables([first, second, third])
    for table in [merged, *(value for value in merged.values() if isinstance(value, dict))]:
        table["new"] = 1
    assert repr((first, second, third)) == before


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"\xef\xbb\xbf[steps]\n", 1, "byte order mark"),
        ("[steps]\n".encode("utf-16"), 1, "UTF-16"),
        ("[steps]\n".encode("utf-16-le"), 1, "UTF-16"),
        (b"[a]\nb = 'caf\xe9'\n", 2, "0xe9"),
        (b"[a]\n\nb = \n", 3, "broken TOML"),
        (b"a = 1\nb = [\n  1\n  2\n]\n", 4, "broken TOML"),
        (b"a = 1\na = 2\nb = 1\n", 2, "the key stands twice (column 6): a = 2"),
        (b"[a]\n[a]\nb = 1\n", 2, "broken TOML"),
        (b"x = 1\nb = 'open\n", 2, "broken TOML"),
        (b"x = [1,\n", 1, "broken TOML"),
        (b"x = " + b"9" * 5000, None, "digits"),
        (b"x = " + b"[" * 100_000, None, "nested too deeply"),
        (b"x = " + b"[" * 60 + b"]" * 60, None, "nested too deeply"),
        (b"\n" + b"a." * 200_000 + b"a = 1", 2, "nested too deeply"),
        (b"[" + b"'a' . " * 100_000 + b"a]", 1, "nested too deeply"),
        (b"# " + b"x" * 2**20, None, "too large"),
    ],
)
def test_unreadable_file_says_where_and_why(desk: Desk, data: bytes, line: int | None, words: str) -> None:
    """Whatever is wrong with a file as a whole, the error names the file, the line where there is one, and the reason."""
    file = desk.write(data)
    with pytest.raises(ConfigurationError) as caught:
        read_source(file)
    assert (caught.value.file, caught.value.line) == (file, line)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{file}:{line}: " if line else f"{file}: ")


def test_dots_in_a_text_are_no_depth(desk: Desk) -> None:
    """A line full of dots is a good line when no key has them."""
    text = f"a = '{'.' * 500}'\nb = [{'1.5, ' * 100}]\n"
    assert read_source(desk.write(text)).tables == tomllib.loads(text)


def test_largest_allowed_file_is_read(desk: Desk) -> None:
    """A file of exactly one mebibyte is read."""
    assert read_source(desk.write(b"#" + b"x" * (2**20 - 1))).tables == {}


def test_pipe_and_device_are_refused_without_waiting(tmp_path: Path) -> None:
    """What is not a plain file is never opened."""
    os.mkfifo(tmp_path / "pipe.toml")
    for file in (tmp_path / "pipe.toml", Path("/dev/zero")):
        with pytest.raises(ConfigurationError, match="not a plain file"):
            read_source(file)


def test_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    """A dangling link is an error with the system's reason."""
    (tmp_path / "workspace.toml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_source(find_files(tmp_path)[0])


def test_folder_means_its_workspace_toml(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder, a file, a text, a Path, `~` and a relative path all lead to the same file."""
    file = desk.write("")
    monkeypatch.chdir(desk.folder.parent)
    monkeypatch.setenv("HOME", str(desk.folder))
    for form in (
        desk.folder,
        str(file),
        "lab",
        Path("lab/workspace.toml"),
        "~",
        "~/workspace.toml",
        "lab/../lab",
    ):
        assert find_files(form) == [file]
    assert find_files([desk.folder, file]) == find_files((str(file), "lab")) == [file, file]


def test_folder_without_workspace_toml_names_what_was_looked_for(tmp_path: Path) -> None:
    """The error names the file that was looked for, and other TOML files that may be meant."""
    (tmp_path / "config.toml").touch()
    with pytest.raises(ConfigurationError) as caught:
        find_files(tmp_path)
    assert str(tmp_path / "workspace.toml") in str(caught.value)
    assert "config.toml" in str(caught.value)


@pytest.mark.parametrize("given", [None, 3, "", [], (), ["a", None], b"x", "a\0b"])
def test_argument_of_a_wrong_kind_is_refused(given: Any) -> None:
    """What is no path is a ConfigurationError that says what is allowed."""
    with pytest.raises(
        ConfigurationError, match=r"config_path: found .*, allowed a path, or a list of paths"
    ):
        find_files(given)


@pytest.mark.parametrize("given", ["/no/such/folder", "/no/such/file.toml"])
def test_absent_path_is_named(given: str) -> None:
    """A path that does not exist is named in full."""
    with pytest.raises(ConfigurationError, match=rf"no such configuration file.*: {given}"):
        find_files(given)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("x", "/r/x"), ("./x", "/r/x"), ("../x", "/x"), ("..", "/"), (".", "/r"), ("~/x", "/home/me/x"), ("/a//b/./c", "/a/b/c"), ("a/../b", "/r/b"), ("../../../x", "/x")],
)  # fmt: skip
def test_every_relative_form_starts_at_the_root(
    monkeypatch: pytest.MonkeyPatch, written: str, meant: str
) -> None:
    """Relative paths of every form start at the given folder; `~` is the home."""
    monkeypatch.setenv("HOME", "/home/me")
    assert absolute_path(written, "/r") == Path(meant)


def test_links_stay_links(tmp_path: Path) -> None:
    """A link is not resolved; `..` behind a link means the folder that the system would go to."""
    (tmp_path / "far" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "deep")
    assert absolute_path("link/x", tmp_path) == tmp_path / "link" / "x"
    assert absolute_path("link/../x", tmp_path) == tmp_path / "link" / ".." / "x"
