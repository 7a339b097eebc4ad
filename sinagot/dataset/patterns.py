"""Path patterns: where the files of a record are, below the data folder.

Knows the pattern's text and puts values into it; knows nothing of the disk or of what an id may look like.
`sinagot.dataset.scan` looks for what matches; scripts and engine ask for one record's path.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise

from sinagot.dataset import layouts, segments
from sinagot.dataset.layouts import Layout
from sinagot.dataset.segments import Field, Node, Part
from sinagot.errors import ConfigurationError, InvalidIdError, PatternError

__all__ = ["STATE_FOLDER", "PathPattern", "is_plain_name"]

#: The folder of the package's own state, which no pattern finds.
STATE_FOLDER = ".sinagot"


def is_plain_name(value: str) -> bool:
    """Tell whether a text can be (part of) one name in a folder, and of no other folder.

    Examples
    --------
    >>> is_plain_name("REC+1 (é)"), is_plain_name(".."), is_plain_name("a/b")
    (True, False, False)
    """
    return not (
        value in ("", ".", "..")
        or "/" in value
        or "\0" in value
        or (os.sep != "/" and os.sep in value)
        or not is_utf8(value)
    )


def is_utf8(text: str) -> bool:
    """Tell whether a name is text: bytes that are not UTF-8 come from the system as lone surrogates."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class PathPattern:
    """A path below a root folder, with fields to be filled in.

    Parameters
    ----------
    source : str or sequence of str
        The path as text with ``/`` or as its parts. ``{name}`` is a field; ``[...]`` is optional
        if it holds a field other than ``id``, ``task`` and ``modality``, else it is plain text;
        ``{{`` and ``}}`` are braces.
        Absolute paths and ``..`` are allowed here, where the user writes them.
    known : collection of str, optional
        The fields that have a meaning here. Any field is, when not given.
    where : str
        Whose pattern it is, for messages: ``"step alpha: PATH_IN"``.

    Attributes
    ----------
    source : str
        The text as written (parts joined by ``/``).
    fields : frozenset of str
        Names of the fields that have no value yet.
    depth : int
        Number of names in the path, all optional folders being there.
    canonical : str
        Equal for equal patterns, whatever they were made from.

    Raises
    ------
    PatternError
        Unknown field, a lone brace, an empty path.

    Examples
    --------
    >>> pattern = PathPattern("raw/sub-{subject}/{id}_{task}[_run-{run}].edf")
    >>> pattern.bind(task="1").format({"id": "A", "subject": "07", "run": "2"})
    'raw/sub-07/A_1_run-2.edf'
    >>> PathPattern(("HDC", "{id}.csv")) == PathPattern("HDC/{task}.csv").bind(task="{id}")
    False
    """

    __slots__ = ("_is_absolute", "_layouts", "_narrow", "_nodes", "canonical", "fields", "source", "where")

    source: str
    fields: frozenset[str]
    canonical: str
    where: str

    def __init__(
        self, source: str | Sequence[str], *, known: Collection[str] | None = None, where: str = ""
    ) -> None:
        parts = (source,) if isinstance(source, str) else tuple(source)
        if not parts or not all(isinstance(part, str) for part in parts):
            raise _error("a path pattern is a text or a list of texts", repr(source), where)
        self.source = posixpath.join(*parts)
        if "\0" in self.source:
            raise _error("a path cannot hold a NUL character", self.source, where)
        try:
            nodes = segments.parse(self.source)
        except ValueError as error:
            raise _error(str(error), self.source, where) from None
        self.where = where
        self._is_absolute = self.source.startswith("/")
        self._set(nodes)
        if known is not None:
            self._check_fields(known)

    def _set(self, nodes: tuple[Node, ...]) -> None:
        names = [segment for segment in layouts.split(nodes) if segment not in ((), (".",))]
        if not names:
            raise _error("the path is empty", self.source, self.where)
        self._nodes = segments.merge(layouts.join(names, self._is_absolute))
        self.fields = frozenset(segments.fields_of(self._nodes))
        self.canonical = segments.render(self._nodes)
        self._layouts: tuple[Layout, ...] | None = None
        self._narrow: frozenset[str] | None = None

    def _check_fields(self, known: Collection[str]) -> None:
        for name in segments.fields_of(self._nodes):
            if name not in known:
                from sinagot.config.hints import did_you_mean

                raise PatternError.at(
                    f"unknown field {{{name}}} in '{self.source}' (known fields: {', '.join(sorted(known))})",
                    key=self.where or None,
                    hint=did_you_mean(name, sorted(known)),
                    found=name,
                    allowed=tuple(sorted(known)),
                )

    def __repr__(self) -> str:
        return f"PathPattern({self.canonical!r})"

    def __eq__(self, other: object) -> bool:
        return self.canonical == other.canonical if isinstance(other, PathPattern) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.canonical)

    @property
    def depth(self) -> int:
        """Number of names in the path, all optional folders being there."""
        return len(self.layouts[0].segments)

    @property
    def folder(self) -> str | None:
        """The folder that holds every match, or None when a field stands in a folder's name."""
        folders = {layouts.literal_folder(layout.segments, self._is_absolute) for layout in self.layouts}
        return folders.pop() if len(folders) == 1 else None

    @property
    def is_absolute(self) -> bool:
        """Whether the path starts at the root of the file system."""
        return self._is_absolute

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """The ways to divide the path into folders, the one with most optional folders first."""
        if self._layouts is None:
            self._layouts = tuple(
                Layout(tuple(names), absent)
                for nodes, absent in layouts.expand(self._nodes)
                if (
                    names := [
                        segments.merge(list(name)) for name in layouts.split(segments.merge(nodes)) if name
                    ]
                )
            )
        return self._layouts

    @property
    def narrow(self) -> frozenset[str]:
        """Fields that an underscore sets apart: free ones hold no underscore then."""
        if self._narrow is None:
            self._narrow = segments.narrow_fields(self._nodes)
        return self._narrow

    def part_of(self, field: str) -> str:
        """Give the piece of the pattern that brings a field in, to propose it elsewhere.

        Examples
        --------
        >>> PathPattern("{id}/x_{id}[_run-{run}]_eeg.vhdr").part_of("run")
        '[_run-{run}]'
        """
        for node in self._nodes:
            if isinstance(node, Part) and field in node.entities:
                return segments.render((node,))[1:-1].replace("{[", "[").replace("]}", "]")
        for before, node in pairwise(("", *self._nodes)):
            if node == Field(field):
                tail = before[before.rfind("_") :] if isinstance(before, str) and "_" in before else "_"
                return f"{tail if '/' not in tail else '_'}{{{field}}}"
        return f"_{{{field}}}"

    def bind(self, **values: str) -> PathPattern:
        """Make a pattern in which these fields are plain text; values are never read as patterns.

        Parameters
        ----------
        **values : str
            Texts by field; names that do not occur are ignored. An empty text leaves a
            field's optional parts out.

        Returns
        -------
        PathPattern
            The new pattern; this one stays as it is.

        Raises
        ------
        PatternError
            A value that is not a name, or that empties the path.
        """
        used = {name: value for name, value in values.items() if name in self.fields}
        for name, value in used.items():
            if value and not is_plain_name(value):
                raise _error(
                    f"{value!r} cannot stand for {{{name}}}: it is not part of a name",
                    self.source,
                    self.where,
                )
        bound = object.__new__(PathPattern)
        bound.source, bound.where, bound._is_absolute = self.source, self.where, self._is_absolute
        bound._set(_bound(self._nodes, used))
        return bound

    def unbound(self, values: Collection[str]) -> frozenset[str]:
        """Name the fields that have no entry in `values` (an empty entry means absent, and counts)."""
        return frozenset(name for name in self.fields if name not in values)

    def format(self, values: Mapping[str, str]) -> str:
        """Give the relative path of one record.

        Parameters
        ----------
        values : Mapping
            Texts by field, such as ``{"id": "REC-1"}``; others are ignored. An optional part is
            there if and only if all its fields have a text that is not empty.

        Returns
        -------
        str
            A path with ``/``, relative unless the pattern itself is absolute.

        Raises
        ------
        PatternError
            A field outside optional parts has no value.
        InvalidIdError
            A value holds a separator or is ``.`` or ``..``, or the path would be in our own folder.
        """
        for name in self.fields:
            value = values.get(name)
            if value and not is_plain_name(value):
                raise InvalidIdError(
                    f"{value!r} cannot stand for {{{name}}} in '{self.source}': it is not part of a name",
                    record_id=values.get("id"),
                    pattern=self.source,
                )
        filled = segments.fill(self._nodes, values, is_final=True)
        if filled is None or len(filled) != 1 or not isinstance(filled[0], str):
            missing = sorted(name for name in self.fields if not values.get(name))
            raise _error(
                f"no value for {', '.join(f'{{{name}}}' for name in missing)}", self.source, self.where
            )
        path = filled[0]
        if "//" in path or path.endswith("/") or path.startswith("/") != self._is_absolute:
            path = ("/" if self._is_absolute else "") + "/".join(name for name in path.split("/") if name)
        if (
            STATE_FOLDER in path
            and STATE_FOLDER in path.split("/")
            and STATE_FOLDER not in self.source.split("/")
        ):
            raise InvalidIdError(
                f"'{path}' would be in the package's own folder",
                record_id=values.get("id"),
                pattern=self.source,
            )
        return path

    def formatter(self, root: str = "") -> Callable[[str], str] | None:
        """Give a fast way from a checked record id to its path.

        Parameters
        ----------
        root : str, default ""
            What stands before the path.

        Returns
        -------
        callable or None
            None when other fields than ``{id}`` have to be filled in. The id is not checked again:
            it comes from a scan or went through `RecordIds.check`.

        Examples
        --------
        >>> PathPattern("raw/{id}.csv").formatter()("REC-1")
        'raw/REC-1.csv'
        """
        if not self.fields <= {"id"}:
            return None
        pieces = [root]
        for node in self._nodes:
            if isinstance(node, str):
                pieces[-1] += node
            else:
                pieces.append("")
        if any(_may_become(name, STATE_FOLDER) for name in layouts.split(self._nodes)):
            return lambda record_id: root + self.format({"id": record_id})
        return lambda record_id: record_id.join(pieces)


def _error(problem: str, source: str, where: str) -> ConfigurationError:
    return PatternError.at(f"{problem} (in '{source}')", key=where or None, found=source)


def _may_become(name: tuple[Node, ...], text: str) -> bool:
    if not any(isinstance(node, Field) for node in name):
        return False
    return segments.match(name, text, {}, lambda _field, _value: True, lambda _bound: True) is not None


def _bound(nodes: tuple[Node, ...], values: Mapping[str, str]) -> tuple[Node, ...]:
    bound: list[Node] = []
    for node in nodes:
        if isinstance(node, Field):
            bound.append(values.get(node.name, node))
        elif isinstance(node, Part):
            if any(values.get(name) == "" for name in node.entities):
                continue
            inner = _bound(node.nodes, values)
            open_entities = tuple(name for name in node.entities if name not in values)
            bound.extend([Part(inner, open_entities)] if open_entities else inner)
        else:
            bound.append(node)
    return segments.merge(bound)
