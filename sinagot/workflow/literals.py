"""What a plain value is, exactly: the same text for equal values in every process, another text for any other value.

Knows values of Python, arrays and tables; must not know what they are for. Packages such as numpy are only looked for
among those that are there: a value of theirs could not be here otherwise.
"""

from __future__ import annotations

import copy
import copyreg
import datetime as dt
import json
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from hashlib import sha256
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any
from uuid import UUID

__all__ = ["Exact", "Shown", "UntellableError", "check_stable", "shortened", "text_of_exact"]

_ATOMS = frozenset((type(None), bool, int, float, str))
#: Their representation says all of them.
_SHOWN = (complex, Decimal, Fraction, range, UUID, dt.date, dt.timedelta)
#: Who has more parts than this would take seconds each time.
_MOST_PARTS = 1_000_000
_LONGEST = 1000


class UntellableError(Exception):
    """A value cannot be told apart from others."""


class Shown(str):
    """Text that stands for something itself, such as the name of a node."""

    __slots__ = ()


def text_of_exact(found: Any) -> str:
    """Write what `Exact` gives as text."""
    return json.dumps(found, sort_keys=True)


def shortened(found: Any) -> Any:
    """Give a digest in the place of what is too long to be kept with each result.

    Examples
    --------
    >>> shortened([1, 2]), shortened(list(range(1000)))
    ([1, 2], '<list 3e726f1b6f58ece8e52f367572eb9944>')
    """
    text = text_of_exact(found)
    return found if len(text) <= _LONGEST else f"<{type(found).__name__} {_digest(text.encode())}>"


def _digest(data: Any) -> str:
    return sha256(data).hexdigest()[:32]


class Exact:
    """Turns values into what JSON can hold: plain ones stay what they are, others are a text in angle brackets.

    Parameters
    ----------
    code_of : callable
        Gives a text for a function or class.

    Notes
    -----
    What is neither plain nor an array or table is taken apart as by `pickle`, so whatever can be pickled can be told,
    by all of its state; sets and dicts are sorted, which a pickle does not do.

    Examples
    --------
    >>> tell = Exact(lambda code: code.__name__)
    >>> tell({"a": (1, 2.5)}), tell({2, 1}), tell("<b>"), tell(b"ab"), tell(max)
    ({'a': ['<tuple>', 1, 2.5]}, ['<set>', 1, 2], "<str '<b>'>", '<bytes 6162>', '<builtins.max>')
    """

    def __init__(self, code_of: Callable[[Any], str]) -> None:
        self._code_of = code_of
        self._parts = 0
        self._open: list[int] = []

    def __call__(self, value: Any) -> Any:
        """Tell one value.

        Raises
        ------
        UntellableError
            Nothing tells it apart from another one.
        """
        kind = type(value)
        if kind in _ATOMS:
            return _atom(value)
        if kind is Shown:
            return str(value)
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise UntellableError("it has more than a million parts")
        if id(value) in self._open:
            return f"<up {len(self._open) - self._open.index(id(value))}>"
        self._open.append(id(value))
        try:
            return self._tell(value, kind)
        except RecursionError:
            raise UntellableError("its parts lie in each other too deeply") from None
        finally:
            self._open.pop()

    def _tell(self, value: Any, kind: type) -> Any:
        if kind in (list, tuple):
            return self._row("<tuple>" if kind is tuple else "", value)
        if kind is dict:
            return self._pairs(value.items())
        if isinstance(value, (set, frozenset)):
            state = [self(vars(value))] if getattr(value, "__dict__", None) else []
            mark = "<set>" if kind is set else f"<{self._name(kind)}>"
            return [mark, *sorted((self(one) for one in value), key=text_of_exact), *state]
        if isinstance(value, Enum):
            return [f"<{self._name(kind)}.{value.name}>", self(value.value)]
        if kind in (bytes, bytearray):
            shown = value.hex() if len(value) <= 32 else f"{len(value)} {_digest(value)}"
            return f"<{kind.__name__} {shown}>"
        if kind in _SHOWN:
            return f"<{value!r}>"
        if kind in (dt.datetime, dt.time):
            return [f"<{value.replace(tzinfo=None)!r}>", self(value.tzinfo)]
        if isinstance(value, PurePath) and kind.__module__.partition(".")[0] == "pathlib":
            return f"<{kind.__name__} {str(value)!r}>"
        if isinstance(value, ModuleType):
            return f"<module {value.__name__}>"
        if isinstance(value, (FunctionType, type)):
            return f"<{self._code_of(value)}>"
        if isinstance(value, BuiltinFunctionType) and isinstance(value.__self__, (ModuleType, type(None))):
            return f"<{value.__module__}.{value.__qualname__}>"
        found = self._table(value, kind)
        return self._taken_apart(value, kind) if found is None else found

    def _name(self, kind: type) -> str:
        return kind.__name__ if kind.__module__ == "builtins" else self._code_of(kind)

    def _row(self, mark: str, values: Any) -> list[Any]:
        if _ATOMS.issuperset(map(type, values)):  # rows of numbers may be long
            found = [_atom(one) for one in values]
        else:
            found = [self(one) for one in values]
        return [mark, *found] if mark else found

    def _pairs(self, pairs: Iterable[tuple[Any, Any]], *, is_sorted: bool = True) -> Any:
        found = [(key, self(value)) for key, value in pairs]
        if is_sorted and all(type(key) is str and not key.startswith("<") for key, _ in found):
            return dict(found)
        told = [[self(key), value] for key, value in found]
        return {"<dict>": sorted(told, key=text_of_exact) if is_sorted else told}

    # -- arrays and tables

    def _table(self, value: Any, kind: type) -> Any:
        """Tell an array or a table by what it holds, however that lies in memory; None when it is none."""
        numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
        if numpy is not None and kind is getattr(numpy, "ndarray", None):
            return self._array(value)
        if pandas is None or not hasattr(pandas, "Index"):
            return None
        if kind in (pandas.DataFrame, pandas.Series):
            is_frame = kind is pandas.DataFrame
            rows = [value.iloc[:, place] for place in range(value.shape[1])] if is_frame else [value]
            labels = self(value.columns) if is_frame else self(value.name)
            told = [labels, self(value.index), [self._column(one.array) for one in rows], self(value.attrs)]
            return (
                f"<{kind.__name__} {'x'.join(map(str, value.shape))} {_digest(text_of_exact(told).encode())}>"
            )
        if isinstance(value, pandas.MultiIndex):
            levels = [value.get_level_values(place) for place in range(value.nlevels)]
            return ["<MultiIndex>", *(self(one) for one in levels)]
        if isinstance(value, pandas.RangeIndex):
            return ["<RangeIndex>", value.start, value.stop, value.step, self(value.name)]
        if isinstance(value, pandas.Index):
            freq = str(getattr(value, "freq", None))
            return [f"<{kind.__name__}>", self(value.name), freq, self._column(value.array)]
        return None

    def _array(self, value: Any) -> Any:
        what = f"<array {value.dtype} {'x'.join(map(str, value.shape)) or 'of one'}"
        if value.dtype.names is not None:  # what lies between its fields is no value
            return [f"{what}>", *(self(value[name]) for name in value.dtype.names)]
        if value.dtype.kind in "OT":
            return [f"{what}>", self(value.ravel().tolist())]
        return f"{what} {_digest(value.astype(value.dtype.newbyteorder('<'), copy=False).tobytes())}>"

    def _column(self, value: Any) -> Any:
        kind = str(value.dtype)
        if kind == "category":
            told = [self(value.codes), self(value.categories), bool(value.ordered)]
        elif hasattr(value, "asi8"):
            told = [self(value.asi8)]
        elif type(value).__name__ == "NumpyExtensionArray":
            told = [self(value.to_numpy())]
        else:
            told = [self(list(value))]
        return [kind, *told]

    # -- anything else

    def _taken_apart(self, value: Any, kind: type) -> Any:
        name = self._name(kind)
        try:
            reducer = copyreg.dispatch_table.get(kind)
            parts = reducer(value) if reducer is not None else value.__reduce_ex__(4)
        except RecursionError:
            raise
        except Exception as error:
            raise UntellableError(f"{type(error).__name__}: {error}") from error
        if isinstance(parts, str):
            return f"<{kind.__module__}.{parts}>"
        make, args, state, items, pairs = (*parts, None, None, None)[:5]
        told = [
            self(make),
            self(args),
            self(state),
            None if items is None else self(list(items)),
            None if pairs is None else self._pairs(pairs, is_sorted=not isinstance(value, OrderedDict)),
        ]
        return f"<{name} {_digest(text_of_exact(told).encode())}>"


def _atom(value: Any) -> Any:
    if type(value) is str and value.startswith("<"):
        return f"<str {value!r}>"
    if type(value) is int and value.bit_length() > 4000:  # JSON writes no longer ones
        return f"<int {value:x}>"
    return value


def check_stable(value: Any, tell: Callable[[Any], Any]) -> None:
    """See that two copies of a value are told alike: else it would be told otherwise in another process, too.

    Raises
    ------
    UntellableError
        They are not.
    """
    if type(value) in _ATOMS or isinstance(value, ModuleType):
        return
    try:
        one, other = copy.deepcopy(value), copy.deepcopy(value)
    except Exception as error:
        raise UntellableError(f"it cannot be copied: {type(error).__name__}: {error}") from error
    if tell(one) != tell(other):
        raise UntellableError("two copies of it are not told alike")
