"""Finds objects by name in the YAML files of a folder: pipelines, and when they run.

Knows files, names and types of objects; must not know what the keys of an object mean.
`Library.look` takes a picture of the folder; from it objects are found, read and given on as plain data.
"""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sinagot.config.hints import did_you_mean
from sinagot.config.problems import joined_error
from sinagot.config.sources import merge_tables
from sinagot.errors import ConfigurationError
from sinagot.pipeline.templates.documents import read_bytes
from sinagot.pipeline.templates.folders import Root, find_root, list_files
from sinagot.pipeline.templates.kinds import kind_of
from sinagot.pipeline.templates.places import Place, Places
from sinagot.pipeline.templates.sheets import Entry, Sheet, twice
from sinagot.pipeline.templates.variables import resolve_variables

__all__ = ["Catalog", "Found", "Library"]


class Found(NamedTuple):
    """One object of a file, with its variables put in."""

    name: str
    #: As `kinds.registered_kinds` has it.
    kind: str
    #: Its keys without ``type``; a copy of its own.
    data: dict[str, Any]
    #: Of its keys and values; what only `externals` have is at the nearest thing round it.
    places: Places
    #: Where its name stands.
    place: Place
    #: Texts that must never be shown.
    secrets: frozenset[str]


class Library:
    r"""The objects in the YAML files of a folder.

    Parameters
    ----------
    root : str or path-like, optional
        A folder; files are in its folder ``conf``, at any depth. `folders.find_root` says what holds without it.
    conf : str or path-like, optional
        Another folder than ``conf``, from the root.
    environ : mapping of str to str, optional
        The variables; those of the process by default.

    Notes
    -----
    Every look reads the bytes of all files (2,000 files: 0.1 s) and parses those that are asked about, once: a file
    whose bytes are the same is not parsed again, and one that was changed is, however little its time or size tell.
    Nothing is written.

    Examples
    --------
    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "conf").mkdir()
    >>> _ = (root / "conf" / "on.yaml").write_text("daily:\n  type: on.On\n  cron: 0 6 * * *\n")
    >>> library = Library(root)
    >>> library.names()
    ['daily']
    >>> library.find("daily", "on.On").data
    {'cron': '0 6 * * *'}
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        *,
        conf: str | os.PathLike[str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.environ = environ
        self.root: Root = find_root(root, conf, environ)
        self._sheets: dict[Path, Sheet] = {}

    def __repr__(self) -> str:
        return f"<Library of {self.root.conf}>"

    def look(self) -> Catalog:
        """Take a picture of all files as they are now; what is asked of it reads no file again."""
        files, problems = list_files(self.root.conf)
        sheets: dict[Path, Sheet] = {}
        bad: dict[Path, ConfigurationError] = {Path(str(error.file)): error for error in problems}
        former = self._sheets
        for file in files:
            try:
                data = read_bytes(file)
            except ConfigurationError as error:
                bad[file] = error
                continue
            digest = hashlib.blake2b(data, digest_size=16).digest()
            known = former.get(file)
            sheets[file] = (
                known if known is not None and known.digest == digest else Sheet(file, data, digest)
            )
        # Put in place whole: another thread may look at the same time.
        self._sheets = sheets
        return Catalog(self.root, sheets, bad, self.environ)

    def find(self, name: str, kind: str | None = None, externals: Mapping[str, Any] | None = None) -> Found:
        """Find one object in the files as they are now; see `Catalog.find`."""
        return self.look().find(name, kind, externals)

    def names(self, kind: str | None = None) -> list[str]:
        """List the objects in the files as they are now; see `Catalog.names`."""
        return self.look().names(kind)

    def problems(self) -> dict[Path, tuple[ConfigurationError, ...]]:
        """Collect what is wrong with the files as they are now; see `Catalog.problems`."""
        return self.look().problems()


class Catalog:
    """The files of a library at one moment.

    Parameters
    ----------
    root : Root
        Where the files are.
    sheets : mapping of Path to sheet
        The files that could be read.
    bad : mapping of Path to ConfigurationError
        Files and folders that could not.
    environ : mapping of str to str, optional
        The variables; those of the process by default.
    """

    def __init__(
        self,
        root: Root,
        sheets: Mapping[Path, Sheet],
        bad: Mapping[Path, ConfigurationError],
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.root = root
        self.environ = environ
        self._sheets = sheets
        self._bad = bad

    @property
    def files(self) -> list[Path]:
        """The files that could be read, in order of their paths."""
        return list(self._sheets)

    def names(self, kind: str | None = None) -> list[str]:
        """List the names of the objects, sorted; an object that is written may still be wrong inside.

        Parameters
        ----------
        kind : str, optional
            Only those of this type.
        """
        found = {
            name for sheet in self._sheets.values() for name, one in sheet.outline() if kind in (None, one)
        }
        return sorted(found)

    def find(self, name: str, kind: str | None = None, externals: Mapping[str, Any] | None = None) -> Found:
        """Find one object; only files that may hold it are parsed.

        Parameters
        ----------
        name : str
            Of the object.
        kind : str, optional
            The type that it must be of.
        externals : mapping, optional
            Values that win over those of the file: mappings are joined in depth, anything else is replaced.
            No variables are put into them.

        Returns
        -------
        Found
            With variables put in.

        Raises
        ------
        ConfigurationError
            There is no such object, there are two, it is of another type, or a variable is not set. What is wrong
            with other objects does not matter.
        """
        if not isinstance(name, str):
            raise ConfigurationError(f"found {name!r}, allowed is the name of an object", found=name)
        entry = self._entry(name, kind)
        if kind is not None and entry.kind != kind:
            raise entry.places.error(
                ("type",), f"is of type {entry.kind}, needed is {kind}", found=entry.kind
            )
        over = _checked_externals(externals, entry)
        # What is replaced need not be known: its variables may be unset.
        below = {key: value for key, value in _without(entry.data, over).items() if key != "type"}
        resolved = resolve_variables(below, entry.places, self.environ)
        if resolved.problems:
            raise joined_error(resolved.problems)
        return Found(
            name, entry.kind, merge_tables([resolved.data, over]), entry.places, entry.place, resolved.secrets
        )

    def problems(self) -> dict[Path, tuple[ConfigurationError, ...]]:
        """Collect what is wrong, by file or folder: broken YAML, wrong types, names twice, variables not set.

        Returns
        -------
        dict of Path to tuple of ConfigurationError
            Only files with problems, in order; each problem by its line.
        """
        found: dict[Path, list[ConfigurationError]] = {file: [error] for file, error in self._bad.items()}
        first: dict[str, Place] = {}
        for file, sheet in self._sheets.items():
            entries, problems = sheet.parsed()
            here = list(problems)
            for entry in entries:
                here += resolve_variables(entry.data, entry.places, self.environ).problems
                if entry.name in first:
                    here.append(twice(entry.name, [first[entry.name], entry.place]))
                first.setdefault(entry.name, entry.place)
            if here:
                found[file] = here
        return {file: tuple(sorted(found[file], key=lambda error: error.line or 0)) for file in sorted(found)}

    def _entry(self, name: str, kind: str | None) -> Entry:
        entries: list[Entry] = []
        problems: list[ConfigurationError] = []
        for sheet in self._sheets.values():
            if sheet.may_hold(name):
                good, bad = sheet.parsed()
                entries += [entry for entry in good if entry.name == name]
                problems += bad
        if len(entries) > 1:
            raise twice(name, [entry.place for entry in entries])
        own = [error for error in problems if error.facts.get("object") == name]
        if own:
            raise joined_error(own)
        if entries:
            return entries[0]
        raise self._unknown(name, kind, problems)

    def _unknown(self, name: str, kind: str | None, near_by: list[ConfigurationError]) -> ConfigurationError:
        conf = self.root.conf
        if not conf.is_dir():
            hint = "make it, or give another root"
            text = f"no {kind or 'object'} {name!r}: there is no folder {conf} (by {self.root.said_by})"
            return ConfigurationError.at(text, hint=hint, found=name, allowed=[])
        known = self.names(kind)
        count = len(self._sheets)
        text = f"no {kind or 'object'} {name!r} in the {count} YAML file{'s' * (count != 1)} of {conf}"
        # The name stands in a file that is broken, or a file could not even be opened.
        unread = [error for error in near_by if "object" not in error.facts] + list(self._bad.values())
        if unread:
            more = f", and {len(unread) - 1} more" if len(unread) > 1 else ""
            text += f"; not all could be read ({unread[0]}{more})"
        near = did_you_mean(name, known) or (f"known are {', '.join(known[:20])}" if known else None)
        return ConfigurationError.at(text, hint=near, found=name, allowed=known)


def _checked_externals(externals: Mapping[str, Any] | None, entry: Entry) -> dict[str, Any]:
    over = copy.deepcopy(dict(externals or {}))
    kind = over.pop("type", None)
    if kind is not None and (not isinstance(kind, str) or kind_of(kind) != entry.kind):
        raise ConfigurationError.at(
            f"found {kind!r}, but {entry.name!r} is of type {entry.kind}", key="externals.type", found=kind
        )
    return over


def _without(data: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Take away what will be replaced."""
    kept = {}
    for key, value in data.items():
        if key not in over:
            kept[key] = value
        elif isinstance(value, dict) and isinstance(over[key], dict):
            kept[key] = _without(value, over[key])
    return kept
