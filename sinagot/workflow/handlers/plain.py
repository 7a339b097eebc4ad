"""Plain values as text: numbers, text, bytes, dates; and paths, whose file is the data itself.

Knows the standard library; each handler is for any suffix but those of structures (`.json`, `.toml`, `.yaml`).
"""

from __future__ import annotations

import os
import shutil
from datetime import date, datetime
from pathlib import Path, PurePath
from typing import Any

from sinagot.workflow.storage import TypeHandler

__all__: list[str] = []


class _Text(TypeHandler):
    """Values that are one short text."""

    def read(self, path: Path, **kwargs: Any) -> Any:
        return self.parse(path.read_bytes().decode("utf-8").strip())

    def write(self, path: Path, data: Any, **kwargs: Any) -> None:
        path.write_bytes(f"{self.show(data)}\n".encode())

    def parse(self, text: str) -> Any:
        """Make the value of its text."""
        raise NotImplementedError

    def show(self, data: Any) -> str:
        """Make the text of a value."""
        return str(data)

    def check(self, data: Any) -> Any:
        if not isinstance(data, self.data_type):
            raise TypeError(f"should be {self.data_type.__name__}, found {type(data).__name__}")
        return data


class _Integer(_Text, data_type=int):
    def parse(self, text: str) -> int:
        return int(text)

    def show(self, data: Any) -> str:
        return str(int(data))

    def check(self, data: Any) -> int:
        # numpy's integers are none of Python's, and say so by this method.
        if not hasattr(data, "__index__") or hasattr(data, "__len__"):
            raise TypeError(f"should be int, found {type(data).__name__}")
        return int(data.__index__())


class _Float(_Text, data_type=float):
    def parse(self, text: str) -> float:
        return float(text)

    def show(self, data: Any) -> str:
        return repr(float(data))

    def check(self, data: Any) -> float:
        is_number = isinstance(data, (int, float)) or type(data).__module__ == "numpy"
        if not is_number or not hasattr(data, "__float__") or getattr(data, "shape", ()) != ():
            raise TypeError(f"should be float, found {type(data).__name__}")
        try:
            found = float(data)
        except OverflowError:
            found = float("nan")
        if isinstance(data, int) and found != data:
            raise ValueError("should be float, and no float is this whole number; annotate it as int")
        return found


class _Truth(_Text, data_type=bool):
    def parse(self, text: str) -> bool:
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        try:
            return words[text.lower()]
        except KeyError:
            raise ValueError(f"should be true or false, found {text[:40]!r}") from None

    def show(self, data: Any) -> str:
        return "true" if data else "false"

    def check(self, data: Any) -> bool:
        if not isinstance(data, bool) and type(data).__name__ not in ("bool", "bool_"):
            raise TypeError(f"should be bool, found {type(data).__name__}")
        return bool(data)


class _Date(_Text, data_type=date):
    def parse(self, text: str) -> date:
        return date.fromisoformat(text)

    def show(self, data: Any) -> str:
        return str(data.isoformat())

    def check(self, data: Any) -> Any:
        if not isinstance(data, date) or isinstance(data, datetime):
            raise TypeError(f"should be date, found {type(data).__name__}")
        return data


class _Moment(_Text, data_type=datetime):
    """Date and time; with the name of the zone behind, where it has one, as in RFC 9557."""

    def parse(self, text: str) -> datetime:
        moment, _, zone = text.rstrip("]").partition("[")
        found = datetime.fromisoformat(moment)
        if zone:
            from zoneinfo import ZoneInfo

            found = found.astimezone(ZoneInfo(zone))
        return found

    def show(self, data: Any) -> str:
        zone = getattr(data.tzinfo, "key", None)
        return f"{data.isoformat()}{f'[{zone}]' if zone else ''}"


class _Words(TypeHandler, data_type=str):
    """Text, as it is: every letter and line end."""

    def read(self, path: Path, **kwargs: Any) -> str:
        return path.read_bytes().decode("utf-8")

    def write(self, path: Path, data: Any, **kwargs: Any) -> None:
        path.write_bytes(data.encode("utf-8"))

    def check(self, data: Any) -> Any:
        if not isinstance(data, str):
            raise TypeError(f"should be str, found {type(data).__name__}")
        return data


class _Bytes(TypeHandler, data_type=bytes):
    def read(self, path: Path, **kwargs: Any) -> bytes:
        return path.read_bytes()

    def write(self, path: Path, data: Any, **kwargs: Any) -> None:
        path.write_bytes(data)

    def check(self, data: Any) -> Any:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"should be bytes, found {type(data).__name__}")
        return bytes(data)


class _FileOrFolder(TypeHandler, data_type=PurePath):
    """The step returns a path: that file or folder is moved in; the data are the path where it lies."""

    gives_paths = True

    def read(self, path: Path, **kwargs: Any) -> Path:
        os.stat(path)
        return path

    def write(self, path: Path, data: Any, **kwargs: Any) -> None:
        source = os.fspath(data)
        if os.path.realpath(source) != os.path.realpath(path):
            shutil.move(source, path)

    def check(self, data: Any) -> Any:
        if not isinstance(data, (str, os.PathLike)) or not os.path.exists(data):
            raise TypeError(f"should be the path of a file or folder that is there, found {data!r}")
        return Path(data)
