"""Structures as JSON, TOML or YAML: dicts, lists, dataclasses, pydantic models, and plain values in such files.

Knows pydantic, which says what fits an annotation; must not know what the values mean.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from datetime import date, datetime
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

from sinagot.workflow.sameness import difference
from sinagot.workflow.storage import TypeHandler, is_union

__all__: list[str] = []

_SUFFIXES = (".json", ".toml", ".yaml", ".yml")


class _Structure(TypeHandler):
    """Anything that pydantic can make plain values of."""

    needs: typing.ClassVar = {".yaml": ("yaml", ""), ".yml": ("yaml", "")}

    @cached_property
    def adapter(self) -> Any:
        """What knows the annotation."""
        from pydantic import TypeAdapter

        return TypeAdapter(self.annotation)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "adapter"}

    @property
    def _kind(self) -> type | None:
        """The class that all data are of; None where there is no such one."""
        if self.annotation is Any or is_union(self.annotation):
            return None
        kind = typing.get_origin(self.annotation) or self.annotation
        return kind if isinstance(kind, type) else None

    def prepare(self) -> None:
        """Look at the annotation: a type that is unknown to pydantic is told now."""
        if self.suffix == ".toml" and not (self._kind and _is_table(self._kind)):
            raise TypeError("a TOML file holds a table: dict, dataclass or pydantic model")
        if is_union(self.annotation) and self.is_own:
            _check_union(self.annotation)
        self.adapter.core_schema  # noqa: B018  (made here, so that it fails here)

    def read(self, path: Path, **kwargs: Any) -> Any:
        """Read plain values and make what the annotation says of them."""
        data = path.read_bytes()
        if self.suffix == ".json":
            plain = json.loads(data, **kwargs)
        elif self.suffix == ".toml":
            import tomllib

            plain = tomllib.loads(data.decode("utf-8"), **kwargs)
        else:
            import yaml

            plain = yaml.safe_load(data.decode("utf-8"))
        # An emptied file of YAML reads as nothing too, and is damaged.
        return None if plain is None and self.takes_none and data.strip() else self._made(plain)

    def _made(self, plain: Any) -> Any:
        # What we wrote may have the names of fields: a model with an alias that it does not write itself, see `write`.
        names = {"by_alias": True, "by_name": True} if self.is_own else {}
        return self.adapter.validate_python(plain, strict=False, **names)

    def write(self, path: Path, data: Any, **kwargs: Any) -> None:
        """Write plain values; dicts keep their order.

        Raises
        ------
        TypeError, ValueError
            The data would not come back as they are; nothing is written.
        """
        problem = ""
        # By their aliases models are what other programs know; some are only read by the names of their fields.
        for by_alias in (True, False):
            given = self.adapter.dump_python(data, round_trip=True, by_alias=by_alias, warnings=False)
            # Dates of TOML are its own; numbers that are none must stay what they are.
            plain = _plain(given, keeps_dates=self.suffix == ".toml")
            text, read = self._text(plain, kwargs)
            try:
                found = difference(data, self._made(read))
            except ValueError as error:
                found = f"it could not be read back: {error}"
            if found is None:
                path.write_bytes(text.encode("utf-8"))
                return
            problem = problem or found
        raise TypeError(
            f"cannot be stored in a file {self.suffix}: {problem}; say in the annotation what stands inside, as in "
            "dict[int, float], or give dicts with texts as keys, lists, texts and numbers"
        )

    def _text(self, plain: Any, kwargs: dict[str, Any]) -> tuple[str, Any]:
        """Give the text of plain values, and the plain values that are read from it."""
        if self.suffix == ".toml":
            return _toml(plain), plain
        if self.suffix != ".json":
            return _yaml(plain, kwargs), plain
        text = json.dumps(plain, **{"ensure_ascii": False, **kwargs})
        return text, json.loads(text, **self.read_kwargs)

    def check(self, data: Any) -> Any:
        """Refuse what does not fit the annotation."""
        kind = self._kind
        if kind is not None and not isinstance(data, kind) and not _is_number_for(kind, data):
            raise TypeError(f"should be {kind.__name__}, found {type(data).__name__}")
        try:
            found = self.adapter.validate_python(data)
        except ValueError as error:
            raise TypeError(f"does not fit its annotation: {error}") from error
        changed = difference(data, found)
        if changed is not None:
            raise TypeError(f"does not fit its annotation {self.annotation}: {changed}")
        return found


#: Types that formats have themselves, by the word that the formats have for them.
_OWN_WORDS: dict[Any, str] = {
    type(None): "null",
    bool: "truth",
    int: "int",
    float: "float",
    str: "text",
    list: "list",
    dict: "table",
}


def _check_union(annotation: Any) -> None:
    """Refuse unions of types that a file does not tell from each other.

    Raises
    ------
    TypeError
        Two of the types are written alike.
    """
    seen: dict[str, Any] = {}
    for part in typing.get_args(annotation):
        kind = typing.get_origin(part) or part
        if kind is typing.Literal:
            continue  # its values are plain ones
        word = _OWN_WORDS.get(kind) or _word_of(kind)
        before = seen.setdefault(word, kind)
        # Of two kinds of tables pydantic chooses by their fields; whether well, is seen when they are written.
        if before is not kind and (word != "table" or dict in (before, kind)):
            raise TypeError(
                f"{_name(before)} and {_name(kind)} are both written as {word}, and would not come back as themselves; "
                "use one of them, or a model that says which it is"
            )


def _word_of(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, (tuple, set, frozenset)):
        return "list"
    return "table" if isinstance(kind, type) and _is_table(kind) else "text"


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind))


def _is_number_for(kind: type, data: Any) -> bool:
    if kind is float and type(data) is int:
        return True
    return issubclass(kind, (int, float)) and type(data).__module__ == "numpy"


def _is_table(kind: type) -> bool:
    from pydantic import BaseModel

    return issubclass(kind, (dict, BaseModel)) or dataclasses.is_dataclass(kind)


def _plain(value: Any, *, keeps_dates: bool) -> Any:
    """Make values that the formats know of those that pydantic gives: text of dates, lists of tuples and sets."""
    if isinstance(value, dict):
        return {_key(key): _plain(one, keeps_dates=keeps_dates) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one, keeps_dates=keeps_dates) for one in value]
    if isinstance(value, (set, frozenset)):
        return [_plain(one, keeps_dates=keeps_dates) for one in sorted(value, key=repr)]
    if value is None or type(value) in (bool, int, float, str):
        return value
    if (
        isinstance(value, (date, datetime))
        and keeps_dates
        and getattr(value.tzinfo if isinstance(value, datetime) else None, "key", None) is None
    ):
        return value
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return _plain(value.tolist(), keeps_dates=keeps_dates)
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value)


def _key(key: Any) -> str:
    if isinstance(key, date):
        return key.isoformat()
    if isinstance(key, (str, int, float)) and not isinstance(key, (bool, Enum)):
        return str(key)
    from pydantic_core import to_jsonable_python

    plain = to_jsonable_python(key)
    if not isinstance(plain, str):
        raise TypeError(f"keys of a stored dict are text, found {key!r}")
    return plain


def _yaml(plain: Any, kwargs: dict[str, Any]) -> str:
    """Write YAML that reads back; where letters would not (some are ends of lines to YAML), all are escaped."""
    import yaml

    text = ""
    for is_readable in (True, False):
        options = {"sort_keys": False, "allow_unicode": is_readable, **kwargs}
        text = str(yaml.safe_dump(plain, **options))
        try:
            # By their texts: a number that is none equals nothing, not even itself.
            if repr(yaml.safe_load(text)) == repr(plain):
                return text
        except yaml.YAMLError:
            continue
    raise ValueError("these values cannot be written as YAML so that they read back; use .json")


def _toml(table: Any) -> str:
    """Write TOML, and make sure that it reads back: the writer mangles some texts, and leaves None out."""
    import tomllib

    import toml

    text = toml.dumps(table)
    try:
        is_good = tomllib.loads(text) == table
    except (tomllib.TOMLDecodeError, RecursionError):
        is_good = False
    if not is_good:
        raise ValueError(
            "these values cannot be written as TOML (it has no None, and no mixed dates); use .json"
        )
    return text


def _register(kind: Any) -> None:
    name = getattr(kind, "__name__", str(kind)).title()
    type(f"_{name}Structure", (_Structure,), {"suffixes": _SUFFIXES}, data_type=kind)


for _kind in (
    dict,
    list,
    tuple,
    set,
    frozenset,
    int,
    float,
    bool,
    str,
    date,
    datetime,
    Any,
    "pydantic.BaseModel",
):
    _register(_kind)


class _Dataclass(_Structure, data_type=object, suffixes=_SUFFIXES):
    """Dataclasses and whatever else pydantic knows: asked last, since every class is an object."""

    def prepare(self) -> None:
        """Refuse classes of which nothing is known, such as those of numpy."""
        super().prepare()
