"""Values as bytes and back: msgpack, with numpy buffers beside it, and pickle only where it was asked for.

Knows types and how each is told; must not know streams or files. The bytes are a body for `sinagot.flow.frames`.

What comes out equals what went in, with its type: None, bool, int of any size, float, complex, str, bytes, list, tuple,
set, frozenset, dict with any keys, datetime, date, time, timedelta, Decimal, Fraction, UUID, paths; arrays and scalars
of numpy; records of a workspace, of which the stream has ids. bytearray and memoryview come out as bytes. Whatever else
there is (named tuples, enums, data classes, DataFrames, ...) needs pickle.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from typing import Any
from uuid import UUID

import msgpack

from sinagot.errors import StoredDataError, UnstorableDataError
from sinagot.flow import arrays
from sinagot.flow.frames import BUFFERS, VALUE, Parts, join, split

__all__ = ["Encoder", "decode"]

#: Codes of what msgpack has no types for. They are in files: a number is never used anew.
_PICKLE, _ARRAY, _SCALAR, _TUPLE, _SET, _FROZENSET, _INT, _COMPLEX = range(8)
_DATETIME, _DATE, _TIME, _TIMEDELTA, _DECIMAL, _FRACTION, _UUID, _PATH = range(8, 16)
_REFERENCE = 16
#: What stands for something outside of the stream: its kind, and what finds it. Names, as those layers stand above.
_FINDERS = {"record": "sinagot.workspace.references:find_record"}
#: Bytes of an array from which it lies behind the text, where it need not be copied.
_LARGE_BUFFER = 4096
#: Tuples and sets within one another; reading them back takes as much room on the stack.
_DEEPEST = 100
#: Types that msgpack has, and whose values can't be changed; of text and bytes only what is short counts as simple.
_SIMPLE = frozenset((int, float, bool, type(None), str, bytes))
_SIZED = frozenset((str, bytes))
_SHORT = 4096
_ADVICE = (
    "yield it as dict, list, tuple, number, text, bytes or array, or let the store pickle it (pickle=True)"
)


def _zone_of(value: dt.datetime | dt.time) -> Any:
    """Tell a time zone: None, the name of a zone, or offset and name; of others nothing can be told."""
    zone = value.tzinfo
    if zone is None:
        return None
    if isinstance(zone, dt.timezone):
        offset = zone.utcoffset(None)
        return ["UTC"] if zone is dt.UTC else [offset // dt.timedelta(microseconds=1), zone.tzname(None)]
    key = getattr(zone, "key", None)
    if isinstance(key, str):
        return key
    raise TypeError(type(zone).__name__)


def _zone_from(told: Any) -> dt.tzinfo | None:
    if told is None:
        return None
    if isinstance(told, str):
        from zoneinfo import ZoneInfo

        return ZoneInfo(told)
    if told == ["UTC"]:
        return dt.UTC
    offset = dt.timedelta(microseconds=told[0])
    zone = dt.timezone(offset)
    return zone if zone.tzname(None) == told[1] else dt.timezone(offset, told[1])


def _moment(value: dt.datetime | dt.time) -> list[Any]:
    return [value.replace(tzinfo=None).isoformat(), value.fold, _zone_of(value)]


#: Type: its code, and what is told of a value of it.
_TELL: dict[type, tuple[int, Callable[[Any], Any]]] = {
    tuple: (_TUPLE, list),
    set: (_SET, list),
    frozenset: (_FROZENSET, list),
    int: (_INT, lambda value: value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)),
    complex: (_COMPLEX, lambda value: [value.real, value.imag]),
    dt.datetime: (_DATETIME, _moment),
    dt.date: (_DATE, dt.date.isoformat),
    dt.time: (_TIME, _moment),
    dt.timedelta: (_TIMEDELTA, lambda value: [value.days, value.seconds, value.microseconds]),
    Decimal: (_DECIMAL, str),
    Fraction: (_FRACTION, lambda value: [value.numerator, value.denominator]),
    UUID: (_UUID, lambda value: value.bytes),
}

_MAKE: dict[int, Callable[[Any], Any]] = {
    _TUPLE: tuple,
    _SET: set,
    _FROZENSET: frozenset,
    _INT: lambda told: int.from_bytes(told, "little", signed=True),
    _COMPLEX: lambda told: complex(*told),
    _DATETIME: lambda told: dt.datetime.fromisoformat(told[0]).replace(
        fold=told[1], tzinfo=_zone_from(told[2])
    ),
    _DATE: dt.date.fromisoformat,
    _TIME: lambda told: dt.time.fromisoformat(told[0]).replace(fold=told[1], tzinfo=_zone_from(told[2])),
    _TIMEDELTA: lambda told: dt.timedelta(*told),
    _DECIMAL: Decimal,
    _FRACTION: lambda told: Fraction(*told),
    _UUID: lambda told: UUID(bytes=told),
}


class Encoder:
    """Turns the values of one store into bytes.

    Parameters
    ----------
    pickle : bool, default False
        Pickle what has no other form.

    Examples
    --------
    >>> kind, parts = Encoder().encode({"id": 7, "at": (1.5, 2.5)})
    >>> decode(kind, memoryview(b"".join(parts)))
    {'id': 7, 'at': (1.5, 2.5)}
    """

    def __init__(self, pickle: bool = False) -> None:
        self._pickles = pickle
        self._buffers: list[memoryview] = []
        self._depth = 0
        self._packer = msgpack.Packer(strict_types=True, unicode_errors="surrogatepass")

    def encode(self, value: Any) -> tuple[int, Parts]:
        """Give a value as the body of a frame.

        Parameters
        ----------
        value : object
            Any value of a known type; large arrays in it are not copied.

        Returns
        -------
        tuple
            The kind of the frame, and the parts of its body.

        Raises
        ------
        UnstorableDataError
            When a part of the value has another type; `type_name` names it.
        """
        self._buffers, self._depth = [], 0
        try:
            text = self._pack(value)
            buffers, self._buffers = self._buffers, []
        except UnstorableDataError:
            raise
        except (ValueError, OverflowError, RecursionError, TypeError) as error:
            raise UnstorableDataError(
                f"a value of type {type(value).__name__} can't be stored in a stream: {error}; {_ADVICE}",
                type_name=type(value).__name__,
            ) from error
        return (BUFFERS, join(text, buffers)) if buffers else (VALUE, [text])

    def encode_simple(self, value: Any) -> bytes | None:
        """Give a number, a short text and the like as the body of a `VALUE`; None for all that needs `encode`.

        Parameters
        ----------
        value : object
            Any value.
        """
        kind = type(value)
        if kind not in _SIMPLE or (kind in _SIZED and len(value) > _SHORT):
            return None
        try:
            packed: bytes = self._packer.pack(value)
        except OverflowError:  # an integer of more than 64 bits
            return None
        return packed

    def _pack(self, value: Any) -> bytes:
        packed: bytes = msgpack.packb(
            value, default=self._tell, strict_types=True, unicode_errors="surrogatepass"
        )
        return packed

    def _tell(self, value: Any) -> msgpack.ExtType:
        """Tell a value that msgpack has no type for."""
        known = _TELL.get(type(value))
        if known is not None:
            code, tell = known
            try:
                told = tell(value)
            except TypeError as error:
                return self._give_up(value, f" with a {error}")
            if self._depth == _DEEPEST:
                raise ValueError(f"it is nested more than {_DEEPEST} deep")
            self._depth += 1
            data = self._pack(told)
            self._depth -= 1
            return msgpack.ExtType(code, data)
        if arrays.is_array(value):
            facts, buffer = arrays.array_facts(value)
            return msgpack.ExtType(_ARRAY, self._pack([*facts, self._laid(buffer)]))
        if arrays.is_scalar(value):
            return msgpack.ExtType(_SCALAR, self._pack(arrays.scalar_facts(value)))
        if isinstance(value, PurePath) and type(value).__module__.startswith("pathlib"):
            return msgpack.ExtType(_PATH, self._pack([type(value).__name__, str(value)]))
        refer = getattr(type(value), "as_stream_value", None)
        if refer is not None:
            return msgpack.ExtType(_REFERENCE, self._pack(list(refer(value))))
        dtype = getattr(value, "dtype", None)
        return self._give_up(value, "" if dtype is None else f" with elements of type {dtype}")

    def _laid(self, buffer: memoryview) -> bytes | int:
        """Give the bytes of a small buffer; of a large one its place behind the text."""
        if len(buffer) < _LARGE_BUFFER:
            return bytes(buffer)
        self._buffers.append(buffer)
        return len(self._buffers) - 1

    def _give_up(self, value: Any, why: str = "") -> msgpack.ExtType:
        name = type(value).__name__
        if not self._pickles:
            raise UnstorableDataError(
                f"a value of type {name}{why} can't be stored in a stream: {_ADVICE}", type_name=name
            )
        import pickle

        outside: list[pickle.PickleBuffer] = []
        try:
            data = pickle.dumps(value, protocol=5, buffer_callback=outside.append)
            laid = [self._laid(buffer.raw()) for buffer in outside]
        except Exception as error:  # whatever the user's class does
            raise UnstorableDataError(
                f"a value of type {name} can't be pickled: {error}; yield it as dict, list or array",
                type_name=name,
            ) from error
        return msgpack.ExtType(_PICKLE, self._pack([data, laid]))


def decode(kind: int, body: memoryview) -> Any:
    """Give the value of a body.

    Parameters
    ----------
    kind : int
        Kind of the frame.
    body : memoryview
        Its body. Large arrays stay views of it: it must be writable, and must not be used for anything else then.

    Returns
    -------
    object
        The value.

    Raises
    ------
    StoredDataError
        When it can't be made here: its class can't be imported, or these are no bytes of ours.
    """
    try:
        if kind == BUFFERS:
            text, buffers = split(body)
            return _Decoder(buffers).unpack(text)
        return _PLAIN.unpack(body)
    except Exception as error:
        raise StoredDataError(
            f"a value of a stream can't be read back: {type(error).__name__}: {error}"
        ) from error


class _Decoder:
    """Makes values, of which some parts lie in buffers."""

    def __init__(self, buffers: Sequence[memoryview]) -> None:
        self._buffers = buffers

    def unpack(self, data: bytes | memoryview) -> Any:
        return msgpack.unpackb(
            data, ext_hook=self._make, strict_map_key=False, unicode_errors="surrogatepass"
        )

    def _laid(self, told: bytes | int) -> memoryview:
        return self._buffers[told] if isinstance(told, int) else memoryview(bytearray(told))

    def _make(self, code: int, data: bytes) -> Any:
        told = self.unpack(data)
        simple = _MAKE.get(code)
        if simple is not None:
            return simple(told)
        if code == _ARRAY:
            return arrays.make_array(told[0], told[1], told[2], self._laid(told[3]))
        if code == _SCALAR:
            return arrays.make_scalar(*told)
        if code == _PATH:
            import pathlib

            return getattr(pathlib, told[0])(told[1])
        if code == _REFERENCE:
            from importlib import import_module

            module, _, name = _FINDERS[told[0]].partition(":")
            return getattr(import_module(module), name)(told[1])
        if code == _PICKLE:
            import pickle

            return pickle.loads(told[0], buffers=[self._laid(part) for part in told[1]])
        raise ValueError(f"unknown type {code}")


_PLAIN = _Decoder(())
