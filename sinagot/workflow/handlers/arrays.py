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
#: Attributes by which netCDF says how values are written; xarray obeys them when it reads.
_CONVENTIONS = frozenset(
    ("_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned", "_Encoding", "coordinates")
)
#: Whole years that nanoseconds of 64 bits reach.
_FIRST_YEAR, _LAST_YEAR = 1678, 2261


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
        """Write netCDF; the values as they are, and not as rounded as those of the file that they came from."""
        data.drop_encoding().to_netcdf(path, **kwargs)

    def check(self, data: Any) -> Any:
        """Refuse what is of another kind, and what would come back from netCDF as something else."""
        import xarray

        if not isinstance(data, getattr(xarray, self._name)):
            raise TypeError(f"should be {self._name}, found {type(data).__name__}")
        for name in data.coords:
            if name not in data.dims and len(str(name).split()) > 1:
                raise ValueError(
                    f"coordinate {name!r} has a blank in its name: netCDF takes it for data; rename it"
                )
        for name, variable in (data.variables if self._name == "Dataset" else _variables(data)).items():
            _check_variable(name, variable)
        return data


def _variables(array: Any) -> dict[Any, Any]:
    return {**{name: one.variable for name, one in array.coords.items()}, array.name: array.variable}


def _check_variable(name: Any, variable: Any) -> None:
    """Refuse attributes by which netCDF says how values are written, and dates that are read as something else."""
    for key, value in variable.attrs.items():
        is_convention = (
            key in _CONVENTIONS
            or (key == "units" and "since" in str(value))
            or (key == "dtype" and str(value).startswith(("bool", "timedelta64")))
        )
        if is_convention:
            raise ValueError(
                f"attribute {key!r} of {name!r} says in netCDF how values are written, and they would come back as "
                "others; rename it"
            )
    if variable.dtype.kind == "M":
        import numpy as np

        moments = variable.values
        years = moments[~np.isnat(moments)].astype("M8[Y]").astype("int64") + 1970
        if ((years < _FIRST_YEAR) | (years > _LAST_YEAR)).any():
            raise ValueError(
                f"{name!r} has dates that are not within the years {_FIRST_YEAR} to {_LAST_YEAR}"
            )


class _Dataset(_Labelled, data_type="xarray.Dataset"):
    pass


class _DataArray(_Labelled, data_type="xarray.DataArray"):
    _name = "DataArray"
