"""From a line to its JSON: valid, ASCII and bounded, whatever values a script hands over.

Knows `json-log-formatter`, whose class it extends; must not know files. `handler` writes what it gives.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from json_log_formatter import JSONFormatter

from sinagot.runlog.encoding import encoder_for
from sinagot.runlog.lines import ESTABLISHED_FIELDS, MAX_LINE, MAX_TEXT, cut_text, safe_text

__all__ = ["LineFormatter"]

_MOST_VALUES = 10_000  # of one line: ends cycles and bounds hostile nesting
_DEEPEST = 20


class LineFormatter(JSONFormatter):  # type: ignore[misc]  # the library has no types
    """Turn a line into valid ASCII JSON, whatever its values are.

    NaN and infinities become ``null``, what cannot be serialised becomes text, texts are cut at 64 KiB and
    a line at 1 MiB.
    """

    def mutate_json_record(self, json_record: dict[str, Any]) -> dict[str, Any]:
        """Leave the fields alone; `to_json` knows what to do with each type."""
        return json_record

    def to_json(self, record: Mapping[str, Any]) -> str:
        """Serialise a line; never raises and never gives more than `MAX_LINE` bytes."""
        try:
            text = _encode(record)
        except Exception:  # noqa: BLE001 - NaN, odd keys, cycles, objects that fight back
            text = ""
        if text and len(text) <= MAX_TEXT:  # then no text in it is too long either
            return text
        line = _Plainer().mapping(record, 0)
        text = _encode(line)
        return text if len(text) <= MAX_LINE - 64 else _encode(_shortened(line))


class _Plainer:
    """Makes plain JSON values of anything, within a number of values and a depth."""

    def __init__(self) -> None:
        self.left = _MOST_VALUES

    def value(self, value: Any, depth: int) -> Any:
        self.left -= 1
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str):
            text = safe_text(value)
            # `make_line` has cut its texts already; the mark it left is not cut again.
            return text if cut_text(text, MAX_TEXT + 128) is text else cut_text(text)
        if isinstance(value, int):
            return int(value) if value.bit_length() < 10_000 else f"<int of {value.bit_length()} bits>"
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else None
        if isinstance(value, (Mapping, list, tuple)):
            if depth >= _DEEPEST or self.left <= 0:
                return "... [cut]"
            try:
                return (
                    self.mapping(value, depth + 1)
                    if isinstance(value, Mapping)
                    else self.items(value, depth + 1)
                )
            except Exception:  # noqa: BLE001 - a user's container may raise anything while it is walked
                return cut_text(safe_text(value))
        other = _default(value)
        return self.value(other, depth) if self.left > 0 else "... [cut]"

    def mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for key, item in value.items():
            if self.left <= 0:
                plain["..."] = "[cut]"
                break
            plain[cut_text(safe_text(key), 1024)] = self.value(item, depth)
        return plain

    def items(self, value: Sequence[Any], depth: int) -> list[Any]:
        plain: list[Any] = []
        for item in value:
            if self.left <= 0:
                plain.append("... [cut]")
                break
            plain.append(self.value(item, depth))
        return plain


def _default(value: Any) -> Any:
    """Give what JSON shall hold for a value it does not know: numbers of NumPy as numbers, all else as text."""
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        try:
            item = value.item()
        except Exception:  # noqa: BLE001 - not every dtype has a Python twin
            return safe_text(value)
        if isinstance(item, (bool, int, float, str)):
            return item
    return safe_text(value)


def _shortened(line: dict[str, Any]) -> dict[str, Any]:
    """Cut the fields that are not established, then leave them out, until the line has a size that readers take."""
    short = {}
    for name, value in line.items():
        text = _encode(value)
        short[name] = value if name in ESTABLISHED_FIELDS or len(text) <= 32_768 else cut_text(text, 8192)
    if len(_encode(short)) > MAX_LINE - 64:
        left_out = len(short)
        short = {name: value for name, value in short.items() if name in ESTABLISHED_FIELDS}
        short["extra_left_out"] = left_out - len(short)
    return short


_encode = encoder_for(_default, allow_nan=False)
