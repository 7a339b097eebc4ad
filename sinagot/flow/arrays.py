"""Arrays of numpy as plain facts and a buffer, and back.

The only module of flows beside the sinks that knows numpy, which it loads when the first array is read; what is no
array does not load it. `sinagot.flow.values` decides where the buffers go.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["array_facts", "is_array", "is_scalar", "make_array", "make_scalar", "scalar_facts", "sums"]

#: Bytes that `sums` adds up as one.
_BLOCK = 4096


def is_array(value: Any) -> bool:
    """Say whether a value is a plain array, without Python objects in it; a mapped file counts as one.

    Parameters
    ----------
    value : object
        Anything.
    """
    numpy = sys.modules.get("numpy")
    return numpy is not None and type(value) in (numpy.ndarray, numpy.memmap) and _can_be_told(value.dtype)


def is_scalar(value: Any) -> bool:
    """Say whether a value is one element of an array.

    Parameters
    ----------
    value : object
        Anything.
    """
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.generic) and _can_be_told(value.dtype)


def _can_be_told(dtype: Any) -> bool:
    """Say whether a type is one of bytes, and of numpy itself: one that is registered by others has no name."""
    if dtype.hasobject or dtype.isbuiltin == 2:
        return False
    if dtype.kind != "V":
        return True
    from numpy.lib.format import descr_to_dtype, dtype_to_descr

    return bool(descr_to_dtype(dtype_to_descr(dtype)) == dtype)


def array_facts(array: Any) -> tuple[list[Any], memoryview]:
    """Give what makes an array anew.

    Parameters
    ----------
    array : ndarray
        Any shape, layout and byte order. It is copied only when it is not contiguous.

    Returns
    -------
    tuple
        Type, shape and order as plain values, and the bytes.
    """
    import numpy as np
    from numpy.lib.format import dtype_to_descr

    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    facts = [dtype_to_descr(array.dtype), array.shape, order]
    if array.nbytes == 0:
        return facts, memoryview(b"")
    flat = np.ascontiguousarray(array.T if order == "F" else array)
    return facts, flat.reshape(-1).view(np.uint8).data


def make_array(descr: Any, shape: tuple[int, ...], order: str, buffer: memoryview) -> Any:
    """Make an array on a buffer, without a copy.

    Parameters
    ----------
    descr : str, list or tuple
        Type of the elements.
    shape : tuple of int
        Its shape.
    order : {"C", "F"}
        Its layout.
    buffer : memoryview
        The bytes; the array can be written when they can.

    Returns
    -------
    ndarray
        As it was written.
    """
    import numpy as np
    from numpy.lib.format import descr_to_dtype

    dtype = descr_to_dtype(descr)
    if not buffer.nbytes:
        return np.empty(shape, dtype, order="F" if order == "F" else "C")
    flat = np.frombuffer(buffer, np.uint8).view(dtype)
    return flat.reshape(shape[::-1]).T if order == "F" else flat.reshape(shape)


def scalar_facts(scalar: Any) -> list[Any]:
    """Give the type and the bytes of a scalar.

    Parameters
    ----------
    scalar : numpy.generic
        An element of an array.
    """
    import numpy as np

    facts, buffer = array_facts(
        np.asarray(scalar)
    )  # an empty text has a type without length, its array has not
    return [facts[0], bytes(buffer)]


def make_scalar(descr: Any, data: bytes) -> Any:
    """Make a scalar of numpy.

    Parameters
    ----------
    descr : str, list or tuple
        Its type.
    data : bytes
        Its bytes.

    Returns
    -------
    numpy.generic
        As it was written.
    """
    return make_array(descr, (), "C", memoryview(bytearray(data)))[()]


def sums(buffer: bytes | memoryview) -> bytes:
    """Give some bytes that change with any bit of a buffer, and take a tenth of the time of a checksum.

    Parameters
    ----------
    buffer : bytes or memoryview
        Contiguous bytes.

    Returns
    -------
    bytes
        The sum of the words of each 4 KiB, modulo 2**64, and what is left at the end as it is.

    Examples
    --------
    >>> sums(b"short"), len(sums(bytes(10_000)))
    (b'short', 1824)
    """
    whole = len(buffer) // _BLOCK * _BLOCK
    if not whole:
        return bytes(buffer)
    import numpy as np

    words = np.frombuffer(buffer, "<u8", whole // 8).reshape(-1, _BLOCK // 8)
    return bytes(words.sum(axis=1, dtype="<u8").tobytes()) + bytes(memoryview(buffer)[whole:])
