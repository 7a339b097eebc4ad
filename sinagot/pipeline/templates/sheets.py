"""One YAML file of a library: its objects as they are written, and what is wrong with it.

Knows names and types of objects; must not know variables, nor which other files there are.
`library` keeps one for every file, and parses it when an object in it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sinagot.config.hints import closest
from sinagot.config.problems import key_text, shown
from sinagot.errors import ConfigurationError
from sinagot.pipeline.templates.documents import Document, parse_documents
from sinagot.pipeline.templates.kinds import kind_of
from sinagot.pipeline.templates.outline import needle_of, outline_of
from sinagot.pipeline.templates.places import Place, Places

__all__ = ["FRAGMENTS", "Entry", "Sheet", "twice"]

#: Top-level keys that begin so hold parts for aliases (``x-defaults: &defaults {...}``), no objects.
FRAGMENTS = ("x-", ".")


class Entry(NamedTuple):
    """One object as it is written."""

    name: str
    #: As `kinds.registered_kinds` has it.
    kind: str
    #: All its keys, variables not yet put in. Not to be changed.
    data: dict[str, Any]
    places: Places
    #: Where its name stands.
    place: Place


class Sheet:
    r"""A file as it was read once; parsed when it is needed, and then kept.

    Parameters
    ----------
    file : Path
        Named in messages.
    data : bytes
        What stands in it.
    digest : bytes
        Of the data.

    Examples
    --------
    >>> sheet = Sheet(Path("a.yaml"), b"daily: {type: on.On}\nhourly: {type: on.ON}", b"")
    >>> entries, problems = sheet.parsed()
    >>> [entry.name for entry in entries], [str(problem) for problem in problems]
    (['daily'], ["a.yaml:2: hourly.type: unknown type 'on.ON', ..."])
    """

    def __init__(self, file: Path, data: bytes, digest: bytes) -> None:
        self.file = file
        self.digest = digest
        self._data: bytes | None = data
        self._text = data.decode("utf-8", "replace")
        self._entries: tuple[Entry, ...] = ()
        self._problems: tuple[ConfigurationError, ...] = ()

    def may_hold(self, name: str) -> bool:
        """Say whether an object of some name can be in the file; parses nothing."""
        if needle_of(name) not in self._text and "\\" not in self._text:
            return False
        found = outline_of(self._text) if self._data is not None else None
        return found is None or any(one == name for one, _ in found)

    def outline(self) -> list[tuple[str, str]]:
        """Give names and types as they are written; only a file that is not plain to see is parsed."""
        found = outline_of(self._text) if self._data is not None else None
        if found is not None:
            try:
                return [(name, kind_of(kind)) for name, kind in found]
            except ConfigurationError:
                pass  # an unknown type: parsing says where
        return [(entry.name, entry.kind) for entry in self.parsed()[0]]

    def parsed(self) -> tuple[tuple[Entry, ...], tuple[ConfigurationError, ...]]:
        """Give the objects that are right so far, and what is wrong with the others or with the whole file."""
        data = self._data
        if data is not None:
            problems: list[ConfigurationError] = []
            try:
                self._entries = tuple(_iter_entries(parse_documents(data, self.file), problems))
            except ConfigurationError as error:
                problems.append(error)
            self._problems = tuple(problems)
            self._data = None  # last: another thread may ask at the same time
        return self._entries, self._problems


def _iter_entries(documents: Iterable[Document], problems: list[ConfigurationError]) -> Iterator[Entry]:
    first: dict[str, Place] = {}
    for document in documents:
        data, places = document.data, document.places
        if data is None:
            continue
        if not isinstance(data, dict):
            problems.append(places.error((), f"found {_kind_word(data)}, allowed objects by name"))
            continue
        for name, value in data.items():
            place = places.of_key((name,))
            if name.startswith(FRAGMENTS):
                continue
            if not name.strip() or any(sign < " " for sign in name):
                problems.append(places.error((name,), "a name is one line with something in it", object=name))
                continue
            if name in first:
                problems.append(twice(name, [first[name], place]))
                continue
            first[name] = place
            try:
                yield Entry(name, _kind_in(name, value, places), value, places.below((name,)), place)
            except ConfigurationError as error:
                problems.append(error)


def _kind_in(name: str, value: Any, places: Places) -> str:
    facts = {"object": name}
    if not isinstance(value, dict):
        hint = "a part for aliases has a name that begins with x-"
        raise places.error(
            (name,), f"found {_kind_word(value)}, allowed an object with a type", hint=hint, **facts
        )
    written = value.get("type")
    if written is None:
        near = closest("type", value)
        hint = f"is {near!r} meant to be it?" if near else "write one, such as type: pipeline.Pipeline"
        raise places.error((name,), "has no type", hint=hint, **facts)
    if not isinstance(written, str):
        raise places.error((name, "type"), f"found {shown(written)}, allowed a dotted name", **facts)
    try:
        return kind_of(written)
    except ConfigurationError as error:
        raise places.error(
            (name, "type"), error.message, found=written, allowed=error.allowed, **facts
        ) from None


def _kind_word(value: Any) -> str:
    return "a mapping" if isinstance(value, dict) else "nothing" if value is None else shown(value)


def twice(name: str, places: list[Place]) -> ConfigurationError:
    """Make the error that says that several objects have one name; it stands at the last of them.

    Parameters
    ----------
    name : str
        The name.
    places : list of Place
        Two or more.
    """
    others = " and ".join(str(place) for place in places[:-1])
    place = places[-1]
    return ConfigurationError.at(
        f"stands twice, also at {others}",
        file=place.file,
        line=place.line,
        key=key_text((name,)),
        hint="rename one of them",
        object=name,
    )
