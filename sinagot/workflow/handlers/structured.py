"""Structures as JSON, TOML or YAML: dicts, lists, dataclasses, pydantic models, and plain values in such files.

Knows pydantic, which says what fits an annotation; must not know what the values mean.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from sinagot.workflow.storage import TypeHandler

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

    def prepare(self) -> None:
        """Look at the annotation: a type that is unknown to pydantic is told now."""
        kind = typing.get_origin(self.annotation) or self.annotation
        if self.suffix == ".toml" and isinstance(kind, type) and not _is_table(kind):
            raise TypeError("a TOML file holds a table: dict, dataclass or pydantic model")
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
        return self.adapter.validate_python(plain, **({} if self.annotation is Any else {"strict": False}))

    def write(self, path: Path, data: Any, **kwargs: Any) -> None:
        """Write plain values; dicts keep their order."""
        # Dates of TOML are its own; numbers that are none must stay what they are.
        plain = _plain(self.adapter.dump_python(data), keeps_dates=self.suffix == ".toml")
        if self.suffix == ".json":
            text = json.dumps(plain, **{"ensure_ascii": False, **kwargs})
        elif self.suffix == ".toml":
            text = _toml(plain)
        else:
            text = _yaml(plain, kwargs)
        path.write_bytes(text.encode("utf-8"))

    def check(self, data: Any) -> Any:
        """Refuse what does not fit the annotation."""
        kind = typing.get_origin(self.annotation) or self.annotation
        if isinstance(kind, type) and not isinstance(data, kind) and not _is_number_for(kind, data):
            raise TypeError(f"should be {kind.__name__}, found {type(data).__name__}")
        try:
            found = self.adapter.validate_python(data)
        except ValueError as error:
            raise TypeError(f"does not fit its annotation: {error}") from error
        _check_keys(found)
        return found


def _is_number_for(kind: type, data: Any) -> bool:
    if kind is float and type(data) is int:
        return True
    return issubclass(kind, (int, float)) and type(data).__module__ == "numpy"


def _is_table(kind: type) -> bool:
    from pydantic import BaseModel

    return issubclass(kind, (dict, BaseModel)) or dataclasses.is_dataclass(kind)


def _check_keys(data: Any) -> None:
    """Refuse keys that would come back as something else."""
    if type(data) is dict:
        for key, value in data.items():
            if not isinstance(key, (str, int, date)):
                raise TypeError(f"keys of a stored dict are text, found {key!r}")
            _check_keys(value)
    elif isinstance(data, (list, tuple)):
        for value in data:
            _check_keys(value)


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
    if isinstance(key, bool) or not isinstance(key, (str, int, float, date)):
        raise TypeError(f"keys of a stored dict are text, found {key!r}")
    return key if isinstance(key, str) else key.isoformat() if isinstance(key, date) else str(key)


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
