"""Reads a YAML file into plain dicts, lists and scalars, each with its place in the file.

Knows YAML 1.2 and what makes a file dangerous; must not know what the objects in it are.
First stage of `sinagot.pipeline.templates.library`: bytes in, documents out.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from sinagot.errors import ConfigurationError
from sinagot.pipeline.templates.places import Mark, Places
from sinagot.pipeline.templates.scalars import CORE_TAGS, Scalar, plain_value, tagged_value

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_NODES",
    "Document",
    "parse_documents",
    "read_bytes",
    "read_documents",
]

#: Bytes of a file. Reading is done in Python alone, about a second for the densest file of this size.
MAX_BYTES = 256 * 1024
#: Levels of mappings and lists in each other.
MAX_DEPTH = 50
#: Keys and values of a file, with all aliases written out.
MAX_NODES = 10_000
#: Keys and values that one alias may stand for.
MAX_ALIAS_NODES = 1_000
#: Characters that all aliases of a file may stand for.
MAX_ALIAS_TEXT = 1024 * 1024
#: Names of documented encodings that are not read, by how a file in them begins.
_BOMS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class Document(NamedTuple):
    """One document of a file."""

    #: Plain dicts with text keys, lists, text, numbers, true or false, None. No part of it is there twice.
    data: Any
    places: Places


def read_documents(file: Path) -> tuple[Document, ...]:
    r"""Read one YAML file.

    Parameters
    ----------
    file : Path
        A plain file.

    Returns
    -------
    tuple of Document
        None of an empty file.

    Raises
    ------
    ConfigurationError
        With file and line.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp(), "daily.yaml")
    >>> _ = file.write_text("daily:\n  on: yes\n  at: [6, 18]\n")
    >>> (document,) = read_documents(file)
    >>> document.data, document.places.of(["daily", "at", 1])[1:]
    ({'daily': {'on': 'yes', 'at': [6, 18]}}, (3, 11))
    """
    return parse_documents(read_bytes(file), file)


def read_bytes(file: Path) -> bytes:
    """Read the bytes of a file that is no larger than a file of ours may be.

    Parameters
    ----------
    file : Path
        A plain file.

    Raises
    ------
    ConfigurationError
        It is none, cannot be read, or is too large.
    """
    try:
        # Looked at before it is opened: a pipe would wait for ever.
        if not stat.S_ISREG(file.stat().st_mode):
            raise ConfigurationError.at("is not a plain file", file=file)
        with file.open("rb", buffering=0) as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError.at(f"cannot be read: {error.strerror or error}", file=file) from error
    if len(data) > MAX_BYTES:
        allowed = f"at most {MAX_BYTES // 1024} KiB"
        hint = "divide it into several files"
        raise ConfigurationError.at(f"too large, allowed {allowed}", file=file, allowed=allowed, hint=hint)
    return data


def parse_documents(data: bytes | str, file: Path) -> tuple[Document, ...]:
    r"""Read the documents of a file that was read already.

    Parameters
    ----------
    data : bytes or str
        What stands in the file.
    file : Path
        Named in messages.

    Returns
    -------
    tuple of Document
        Keys are always text, as written. A key ``<<`` puts the keys of another mapping in, where there is none yet.

    Raises
    ------
    ConfigurationError
        It is no YAML 1.2, a key stands twice, it asks for an object, or it is larger than it looks.

    Examples
    --------
    >>> [document.data for document in parse_documents("a: 1\n---\nb: [on, ~]", Path("x.yaml"))]
    [{'a': 1}, {'b': ['on', None]}]
    """
    text = _decoded(data, file) if isinstance(data, bytes) else data.removeprefix("\ufeff")
    # Only who reads YAML pays for the package.
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    try:
        return tuple(_Reader(file).documents(YAML(typ="safe", pure=True).parse(text)))
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        sign = error.character
        found = f"the character U+{sign if isinstance(sign, int) else ord(sign):04X}"
        hint = 'in double quotes it can be written as "\\u...."'
        raise ConfigurationError.at(
            f"found {found}, which no YAML may hold", file=file, line=line, hint=hint
        ) from None
    except MarkedYAMLError as error:
        raise _broken(file, text, error) from None
    except (YAMLError, ValueError, OverflowError, AssertionError, IndexError) as error:
        if isinstance(error, ConfigurationError):
            raise
        # What the parser itself does not foresee, such as an escape beyond Unicode.
        raise ConfigurationError.at(f"broken YAML: {str(error) or type(error).__name__}", file=file) from None


def _decoded(data: bytes, file: Path) -> str:
    found, at = next((name for mark, name in _BOMS.items() if data.startswith(mark)), ""), 0
    if not found and b"\0" in data:
        found, at = "a NUL byte (UTF-16?)", data.index(b"\0")
    if not found:
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            # Positions count from behind a byte order mark.
            at = error.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
            found = f"byte 0x{data[at]:02x}, which is not UTF-8"
    line = data.count(b"\n", 0, at) + 1
    hint = "save it anew with that encoding"
    raise ConfigurationError.at(
        f"found {found}, allowed UTF-8", file=file, line=line, hint=hint, found=found, allowed="UTF-8"
    )


def _broken(file: Path, text: str, error: Any) -> ConfigurationError:
    mark = error.problem_mark or error.context_mark
    what = str(error.problem or error.context or "it cannot be read")
    if mark is None:
        return ConfigurationError.at(f"broken YAML: {what}", file=file)
    lines = text.splitlines()
    shown = lines[mark.line].strip() if mark.line < len(lines) else ""
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    hint = None
    if "\\t" in what or "'\t'" in what:
        what, hint = "a tab where only blanks may stand", "indent by blanks"
    what += f" (column {mark.column + 1})" + (f": {shown}" if shown else "")
    return ConfigurationError.at(
        f"broken YAML: {what}", file=file, line=mark.line + 1, hint=hint, found=shown
    )


class _Value(NamedTuple):
    """A finished value, and what it costs to write it once more."""

    data: Any
    mark: Mark
    nodes: int = 1
    text: int = 0
    height: int = 0


class _Frame:
    """A mapping or list that is being read."""

    __slots__ = ("anchor", "column", "height", "items", "key", "line", "marks", "merged", "nodes", "text")

    def __init__(self, event: Any, is_mapping: bool) -> None:
        self.line, self.column = event.start_mark.line + 1, event.start_mark.column + 1
        self.anchor = event.anchor
        self.items: Any = {} if is_mapping else []
        self.marks: Any = {} if is_mapping else []
        #: Of a mapping: the key that waits for its value, with line and column; the text is None for ``<<``.
        self.key: tuple[str | None, int, int] | None = None
        self.merged: _Value | None = None
        self.nodes, self.text, self.height = 1, 0, 1


class _Reader:
    """Builds documents from the events of the parser; nothing in it calls itself, so depth costs nothing."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.nodes = 0
        self.alias_text = 0
        self.anchors: dict[str, _Value | None] = {}
        self.frames: list[_Frame] = []
        self.root: _Value | None = None

    def documents(self, events: Iterator[Any]) -> Iterator[Document]:
        for event in events:
            kind = type(event).__name__
            if kind == "ScalarEvent":
                self._add(self._scalar(event), event)
            elif kind in ("MappingStartEvent", "SequenceStartEvent"):
                self._open(event, kind.startswith("Mapping"))
            elif kind in ("MappingEndEvent", "SequenceEndEvent"):
                self._close(event)
            elif kind == "AliasEvent":
                self._add(self._alias(event), event)
            elif kind == "DocumentStartEvent":
                self._begin(event)
            elif kind == "DocumentEndEvent" and self.root is not None:
                yield Document(self.root.data, Places(self.file, self.root.mark))

    def _begin(self, event: Any) -> None:
        self.root, self.anchors = None, {}
        if event.version is not None and tuple(event.version) != (1, 2):
            version = ".".join(str(part) for part in event.version)
            self._refuse(event, f"found YAML {version}, allowed YAML 1.2", "take the line %YAML away")

    def _open(self, event: Any, is_mapping: bool) -> None:
        self._check_tag(event, "map" if is_mapping else "seq")
        frame = self.frames[-1] if self.frames else None
        if frame is not None and isinstance(frame.items, dict) and frame.key is None:
            self._refuse(event, "a mapping or list as a key; keys are text")
        if len(self.frames) >= MAX_DEPTH:
            self._refuse_depth(event)
        self._count(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self.frames.append(_Frame(event, is_mapping))

    def _close(self, event: Any) -> None:
        frame = self.frames.pop()
        if frame.merged is not None:
            _put_in(frame.items, frame.marks, frame.merged)
        mark = Mark(frame.line, frame.column, frame.marks)
        value = _Value(frame.items, mark, frame.nodes, frame.text, frame.height)
        if frame.anchor is not None:
            self.anchors[frame.anchor] = value
        self._add(value, event)

    def _add(self, value: _Value, event: Any) -> None:
        if not self.frames:
            self.root = value
            return
        frame = self.frames[-1]
        frame.nodes += value.nodes
        frame.text += value.text
        frame.height = max(frame.height, value.height + 1)
        if isinstance(frame.items, list):
            frame.items.append(value.data)
            frame.marks.append(value.mark)
        elif frame.key is None:
            frame.key = self._key(frame, value, event)
        else:
            self._put(frame, value, event)

    def _put(self, frame: _Frame, value: _Value, event: Any) -> None:
        assert frame.key is not None
        (key, line, column), frame.key = frame.key, None
        if key is None:
            frame.merged = self._merge(value, event)
            return
        mark = value.mark
        if value.data is None and not getattr(event, "value", ""):
            mark = Mark(line, column)  # nothing is written: the parser names the next word
        frame.items[key] = value.data
        frame.marks[key] = (line, column, mark)

    def _key(self, frame: _Frame, value: _Value, event: Any) -> tuple[str | None, int, int]:
        line, column = value.mark.line, value.mark.column
        is_alias = type(event).__name__ == "AliasEvent"
        key = value.data if is_alias or isinstance(value.data, str) else event.value
        if not isinstance(key, str):
            self._refuse(event, "an alias of something that is no text, as a key; keys are text")
        if not is_alias and event.implicit[0]:
            if key == "<<":
                if frame.merged is not None:
                    self._refuse(event, "the key '<<' stands twice", "give it a list: <<: [*a, *b]")
                return None, line, column
            if key in ("", "~"):
                self._refuse(event, "a key without a name")
        if key in frame.items:
            first = frame.marks[key][0]
            self._refuse(event, f"the key {key[:60]!r} stands twice, first in line {first}")
        return key, line, column

    def _merge(self, value: _Value, event: Any) -> _Value:
        if isinstance(value.data, dict):
            return value
        if not isinstance(value.data, list) or not all(isinstance(one, dict) for one in value.data):
            self._refuse(event, "'<<' takes a mapping or a list of mappings")
        items: dict[str, Any] = {}
        marks: dict[str, tuple[int, int, Mark]] = {}
        assert isinstance(value.mark.below, list)
        for one, mark in zip(value.data, value.mark.below, strict=True):
            _put_in(items, marks, _Value(one, mark))
        return value._replace(data=items, mark=value.mark._replace(below=marks))

    def _scalar(self, event: Any) -> _Value:
        self._check_tag(event, "")
        self._count(event)
        mark = Mark(event.start_mark.line + 1, event.start_mark.column + 1)
        data: Scalar = event.value
        tag = str(event.tag) if event.tag else ""
        try:
            if tag in CORE_TAGS:
                data = tagged_value(tag, event.value)
            elif event.implicit[0] and tag != "!":
                data = plain_value(event.value)
        except ValueError as error:
            self._refuse(event, str(error))
        if isinstance(data, str) and not data.isascii():
            data = self._joined(event, data)
        value = _Value(data, mark, text=len(event.value))
        if event.anchor is not None:
            self.anchors[event.anchor] = value
        return value

    def _joined(self, event: Any, text: str) -> str:
        r"""Join the halves of characters that were written as JSON writes them (``\ud83d\ude00``)."""
        try:
            text.encode()
            return text
        except UnicodeEncodeError:
            pass
        try:
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            self._refuse(event, "half of a character (a lone surrogate)")

    def _alias(self, event: Any) -> _Value:
        name = event.anchor
        if name not in self.anchors:
            self._refuse(event, f"the alias *{name} has no anchor &{name} before it")
        value = self.anchors[name]
        if value is None:
            self._refuse(event, f"the alias *{name} stands in what it is an alias of")
        if value.nodes > MAX_ALIAS_NODES:
            self._refuse(
                event, f"the alias *{name} stands for {value.nodes} values, allowed {MAX_ALIAS_NODES}"
            )
        if len(self.frames) + value.height > MAX_DEPTH:
            self._refuse_depth(event)
        self._count(event, value.nodes)
        self.alias_text += value.text
        if self.alias_text > MAX_ALIAS_TEXT:
            self._refuse(
                event, f"the aliases up to here stand for more than {MAX_ALIAS_TEXT // 1024} KiB of text"
            )
        mark = value.mark._replace(line=event.start_mark.line + 1, column=event.start_mark.column + 1)
        return value._replace(data=_copied(value.data), mark=mark)

    def _check_tag(self, event: Any, own: str) -> None:
        tag = str(event.tag) if event.tag else ""
        if tag in ("", "!"):
            return
        name = tag.rpartition(":")[2]
        if tag not in CORE_TAGS or (own and name != own) or (not own and name in ("map", "seq")):
            words = "!!str, !!int, !!float, !!bool, !!null, !!map and !!seq, where they fit"
            self._refuse(
                event, f"the tag {tag[:80]!r} is not read, no object is ever made; allowed are {words}"
            )

    def _count(self, event: Any, nodes: int = 1) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            hint = "aliases count as often as they stand" if self.anchors else "divide the file"
            self._refuse(event, f"more than {MAX_NODES} keys and values in one file", hint)

    def _refuse_depth(self, event: Any) -> NoReturn:
        self._refuse(event, f"mappings or lists nested too deeply, allowed {MAX_DEPTH} levels")

    def _refuse(self, event: Any, message: str, hint: str | None = None) -> NoReturn:
        mark = event.start_mark
        raise ConfigurationError.at(
            message, file=self.file, line=mark.line + 1, hint=hint, column=mark.column + 1
        )


def _put_in(items: dict[str, Any], marks: dict[str, Any], value: _Value) -> None:
    """Put the keys of a mapping into another one, where they are not written."""
    assert isinstance(value.mark.below, dict)
    for key, mark in value.mark.below.items():
        if key not in items:
            items[key], marks[key] = value.data[key], mark


def _copied(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _copied(value) for key, value in data.items()}
    return [_copied(value) for value in data] if isinstance(data, list) else data
