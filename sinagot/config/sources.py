"""Reads configuration files into tables, and merges them.

Knows files, bytes, TOML and paths; must not know which keys exist or what they mean.
First stage of `sinagot.config.load`: paths in, tables with their texts out.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sinagot.config.settings import CONFIG_NAME, DEFAULTS, STATE_FOLDER
from sinagot.errors import ConfigurationError

__all__ = [
    "ConfigPath",
    "Source",
    "absolute_path",
    "early_state",
    "find_files",
    "merge_tables",
    "read_source",
    "read_state_folder",
]

ConfigPath = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

#: Bytes. A file beyond this is no configuration: parsing it would take seconds.
MAX_BYTES = 1024 * 1024
#: Levels of tables and lists in each other.
MAX_DEPTH = 50
#: A key of too many parts. Possessive, and only from the start of a word: linear in the text.
_DOTTED = r"""(?<![\w-])(?:(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){%d}"""
_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")
_BOMS = (
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
    (b"\xef\xbb\xbf", "UTF-8 with a byte order mark (BOM)"),
)


class Source(NamedTuple):
    """One file as it was read."""

    file: Path
    data: bytes
    text: str
    tables: dict[str, Any]


def absolute_path(path: str | os.PathLike[str], root: str | Path | None = None) -> Path:
    """Make a path absolute: ``~`` is expanded, relative forms start at a folder, links are left as they are.

    Parameters
    ----------
    path : str or path-like
        What the user wrote.
    root : str or Path, optional
        Where relative paths start; the process's current folder by default.

    Returns
    -------
    Path
        Absolute; ``..`` is taken away except after a symbolic link, where it means another folder.

    Examples
    --------
    >>> absolute_path("../data", "/lab/config").as_posix()
    '/lab/data'
    """
    text = os.path.expanduser(os.fspath(path))
    if not os.path.isabs(text):
        text = os.path.join(os.getcwd() if root is None else root, text)
    full = Path(text)
    if ".." not in full.parts:
        return full
    clean = Path(full.anchor)
    for part in full.parts[1:]:
        steps_back = part == ".." and clean.name != ".." and not os.path.islink(clean)
        clean = clean.parent if steps_back else clean / part
    return clean


def find_files(config_path: ConfigPath) -> list[Path]:
    """Turn the argument of a workspace into the files that it means.

    Parameters
    ----------
    config_path : str, path-like, or list or tuple of those
        Files, or folders that hold a ``workspace.toml``.

    Returns
    -------
    list of Path
        Absolute paths, in order. Not yet opened.

    Raises
    ------
    ConfigurationError
        When a path does not exist, is of a wrong type, or a folder has no ``workspace.toml``.
    """
    given: list[Any] = list(config_path) if isinstance(config_path, (list, tuple)) else [config_path]
    if not given or not all(_is_path(one) for one in given):
        allowed = "a path, or a list of paths"
        message = f"found {config_path!r}, allowed {allowed}"
        raise ConfigurationError.at(message, key="config_path", found=config_path, allowed=allowed)
    return [_find_file(absolute_path(one)) for one in given]


def _is_path(value: Any) -> bool:
    if not isinstance(value, (str, os.PathLike)):
        return False
    text: str | bytes = os.fspath(value)
    return isinstance(text, str) and bool(text) and "\0" not in text


def _find_file(path: Path) -> Path:
    if os.path.isdir(path):
        inside = path / CONFIG_NAME
        if os.path.lexists(inside):
            return inside
        others = sorted(entry.name for entry in path.glob("*.toml"))[:3]
        hint = f"; to use {' or '.join(others)}, give that file's path" if others else ""
        raise ConfigurationError(
            f"no {CONFIG_NAME} in this folder: {path} (looked for {inside}){hint}; write one (sinagot init), or write "
            "the steps as a class: sinagot.Workspace[YourWorkflow](folder)",
            file=inside,
        )
    if not os.path.lexists(path):
        kind = "file" if path.suffix == ".toml" else "file or folder"
        raise ConfigurationError(f"no such configuration {kind}: {path}", file=path)
    return path


def read_source(file: Path) -> Source:
    """Read one TOML file.

    Parameters
    ----------
    file : Path
        Absolute path of a plain file.

    Returns
    -------
    Source
        Its bytes, text and tables.

    Raises
    ------
    ConfigurationError
        When it cannot be read, is too large, is not UTF-8, or is no TOML; with the line where there is one.
    """
    data = _read_bytes(file)
    text = _decode(file, data)
    # A dotted key of n parts costs the parser n * n steps; only a line full of dots can hold such a key.
    if any(line.count(".") >= MAX_DEPTH for line in text.split("\n")):
        match = re.search(_DOTTED % MAX_DEPTH, text)
        if match is not None:
            raise _too_deep(file, text.count("\n", 0, match.start()) + 1)
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise _too_deep(file) from None
    except ValueError as error:  # a TOMLDecodeError, or a number of more digits than Python reads
        raise _broken(file, text, error) from None
    if _depth(tables) > MAX_DEPTH:
        raise _too_deep(file)
    return Source(file, data, text, tables)


def merge_tables(tables: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Merge tables in depth: tables are joined, any other value is replaced by the later one.

    Parameters
    ----------
    tables : iterable of dict
        The tables of each file, in order. They are not changed; values other than tables are shared.

    Returns
    -------
    dict
        One table. A key keeps the place where it came up first.

    Examples
    --------
    >>> merge_tables([{"run": {"mode": "dask", "workers": 2}}, {"run": {"workers": 8}}])
    {'run': {'mode': 'dask', 'workers': 8}}
    """
    merged: dict[str, Any] = {}
    for one in tables:
        _merge_into(merged, one)
    return merged


def _merge_into(merged: dict[str, Any], later: dict[str, Any]) -> None:
    for key, value in later.items():
        if isinstance(value, dict):
            below = merged.get(key)
            if not isinstance(below, dict):
                below = merged[key] = {}
            _merge_into(below, value)
        else:
            merged[key] = value


def _read_bytes(file: Path) -> bytes:
    try:
        # Looked at before it is opened: a pipe would wait for ever.
        if not stat.S_ISREG(file.stat().st_mode):
            raise ConfigurationError.at("is not a plain file", file=file)
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError.at(f"cannot be read: {error.strerror or error}", file=file) from error
    if len(data) > MAX_BYTES:
        allowed = f"at most {MAX_BYTES // 1024} KiB"
        raise ConfigurationError.at(
            f"too large for a configuration, allowed {allowed}", file=file, allowed=allowed
        )
    return data


def _decode(file: Path, data: bytes) -> str:
    for mark, name in _BOMS:
        if data.startswith(mark):
            raise _not_utf8(file, 1, name)
    if b"\0" in data:
        raise _not_utf8(file, data.count(b"\n", 0, data.index(b"\0")) + 1, "text with NUL bytes (UTF-16?)")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _not_utf8(file, line, f"byte 0x{data[error.start]:02x}, which is not UTF-8") from None


def _not_utf8(file: Path, line: int, found: str) -> ConfigurationError:
    allowed = "UTF-8 without a byte order mark"
    return ConfigurationError.at(
        f"found {found}, allowed {allowed}",
        file=file,
        line=line,
        hint="save it anew with that encoding",
        found=found,
        allowed=allowed,
    )


def _too_deep(file: Path, line: int | None = None) -> ConfigurationError:
    allowed = f"{MAX_DEPTH} levels"
    return ConfigurationError.at(
        f"tables or lists nested too deeply, allowed {allowed}", file=file, line=line, allowed=allowed
    )


def _broken(file: Path, text: str, error: ValueError) -> ConfigurationError:
    message = str(error)
    place = _PLACE.search(message)
    if place is None:
        return ConfigurationError.at(f"broken TOML: {message}", file=file)
    # "at end of document" means the last line that holds something.
    line = int(place[1]) if place[1] else text.rstrip().count("\n") + 1
    column = f" (column {place[2]})" if place[2] else ""
    shown = text.split("\n")[line - 1].strip()
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    what = message[: place.start()]
    if what.startswith("Cannot overwrite"):
        what += ", the key stands twice"
    return ConfigurationError.at(f"broken TOML: {what}{column}: {shown}", file=file, line=line, found=shown)


def _depth(tables: dict[str, Any]) -> int:
    depth, level = 0, list[Any]([tables])
    while level and depth <= MAX_DEPTH:
        depth += 1
        values = [value for one in level for value in (one.values() if isinstance(one, dict) else one)]
        level = [value for value in values if isinstance(value, (dict, list))]
    return depth


def early_state(tables: dict[str, Any], data_path: str | None, root: Path) -> Path | None:
    """Find the state folder in tables that are not checked yet."""
    written = tables.get("path", {})
    if not isinstance(written, dict):
        return None
    dataset = data_path or written.get("dataset", DEFAULTS["path"]["dataset"])
    state = written.get("state")
    if not isinstance(dataset, str) or "\0" in dataset or not (state is None or isinstance(state, str)):
        return None
    return absolute_path(state, root) if state else absolute_path(dataset, root) / STATE_FOLDER


def read_state_folder(files: Sequence[str], data_path: str | None) -> str | None:
    """Find the state folder of configuration files, without checking anything else in them.

    Parameters
    ----------
    files : sequence of str
        Files, or folders that hold one.
    data_path : str, optional
        Wins over ``path.dataset``.

    Raises
    ------
    ConfigurationError
        A file cannot be read.
    """
    found = find_files(files)
    state = early_state(merge_tables(read_source(file).tables for file in found), data_path, found[0].parent)
    return None if state is None else str(state)
