"""From a line to its JSON: valid, ASCII and bounded, whatever values a script hands over.

Knows `json-log-formatter`, whose class it extends; must not know files. `handler` writes what it gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from json_log_formatter import JSONFormatter

from sinagot.runlog.encoding import encoder_for
from sinagot.runlog.lines import ESTABLISHED_FIELDS, MAX_LINE
from sinagot.runlog.plain import Plainer, plain_default
from sinagot.runlog.texts import MAX_TEXT, cut_text

__all__ = ["LineFormatter"]


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
        line = Plainer().mapping(record, 0)
        text = _encode(line)
        return text if len(text) <= MAX_LINE - 64 else _encode(_shortened(line))


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


_encode = encoder_for(plain_default, allow_nan=False)
