"""Arrays of numpy, and those with names of xarray.

Knows the two packages, where it reads and writes; must not know what the numbers mean.
"""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

from sinagot.workflow.storage import TypeHandler

__all__: list[str] = []

#: Name of the one array in an ``.npz`` that we write.
_ONLY = "data"


class _Array(TypeHandler, data_type="numpy.ndarray"):
    """No pickles: an array of Python objects cannot be stored."""

    suffixes = (".npy", ".npz")

    def read(self, path: Path, **kwargs: Any) -> Any:
        """Read an array."""
        import numpy as np

        if self.suffix == ".npy":
            return np.load(path, **{"allow_pickle": False, **kwargs})
        with np.load(path, **{"allow_pickle": False, **kwargs}) as arrays:
            if len(arrays.files) != 1:
                raise ValueError(f"should hold one array, found {', '.join(arrays.files) or 'none'}")
            return arrays[arrays.files[0]]

    def write(self, path: Path, data: Any, **kwargs: Any) -> None:
        """Write an array."""
        import numpy as np

        if self.suffix == ".npy":
            np.save(path, data, **{"allow_pickle": False, **kwargs})
        else:
            np.savez_compressed(path, **{_ONLY: data}, **{"allow_pickle": False, **kwargs})

    def check(self, data: Any) -> Any:
        """Refuse what is no array, and arrays of objects."""
        import numpy as np

        if not isinstance(data, np.ndarray):
            raise TypeError(f"should be ndarray, found {type(data).__name__}")
        if data.dtype.hasobject:
            raise TypeError("an array of Python objects cannot be stored; give it a type of numbers or text")
        return data


class _Labelled(TypeHandler):
    """Datasets and arrays of xarray as netCDF."""

    suffixes = (".nc",)
    needs: typing.ClassVar = {"": ("xarray", "netcdf")}
    _name = "Dataset"

    def read(self, path: Path, **kwargs: Any) -> Any:
        """Read everything, and let go of the file."""
        import xarray

        load = xarray.load_dataset if self._name == "Dataset" else xarray.load_dataarray
        return load(path, **kwargs)

    def write(self, path: Path, data: Any, **kwargs: Any) -> None:
        """Write netCDF."""
        data.to_netcdf(path, **kwargs)

    def check(self, data: Any) -> Any:
        """Refuse what is of another kind."""
        import xarray

        if not isinstance(data, getattr(xarray, self._name)):
            raise TypeError(f"should be {self._name}, found {type(data).__name__}")
        return data


class _Dataset(_Labelled, data_type="xarray.Dataset"):
    pass


class _DataArray(_Labelled, data_type="xarray.DataArray"):
    _name = "DataArray"
