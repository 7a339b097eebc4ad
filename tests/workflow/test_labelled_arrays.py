"""Arrays and datasets of xarray as netCDF: dims, coordinates, attributes, types and what is missing come back."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.workflow.trips import names, quick, round_trip

xarray = pytest.importorskip("xarray", reason="arrays with names need the extra netcdf")
pytest.importorskip("netCDF4", reason="arrays with names need the extra netcdf")

DIMS = ("channel", "time", "frequency")
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=10)
moments = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(
    lambda moment: np.datetime64(moment, "ns")
)
#: Type of an array -> its values.
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "float64": st.floats(),
    "float32": st.floats(width=32),
    "int8": st.integers(-(2**7), 2**7 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint16": st.integers(0, 2**16 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "bool": st.booleans(),
    "str": texts,
    "datetime64[ns]": moments | st.just(np.datetime64("NaT", "ns")),
    "timedelta64[ns]": st.integers(-(2**60), 2**60).map(lambda count: np.timedelta64(count, "ns")),
}
#: A list of one comes back as the one.
attributes = st.dictionaries(
    names,
    texts | st.floats() | st.integers(-(2**63), 2**63 - 1) | st.lists(st.floats(), min_size=2, max_size=3),
    max_size=3,
)


@st.composite
def variables(draw: st.DrawFn, dims: tuple[str, ...], sizes: dict[str, int], kind: str = "") -> Any:
    """Make values over some dims, with attributes."""
    kind = kind or draw(st.sampled_from([*KINDS]))
    shape = tuple(sizes[dim] for dim in dims)
    count = int(np.prod(shape, dtype=int))
    found = draw(st.lists(KINDS[kind], min_size=count, max_size=count))
    # A type of text of no letters is none: netCDF has texts of any length.
    dtype = kind if kind != "str" else f"U{max([1, *map(len, found)])}"
    return xarray.Variable(dims, np.array(found, dtype=dtype).reshape(shape), draw(attributes))


some_dims = st.lists(st.sampled_from(DIMS), unique=True, max_size=3).map(tuple)


@st.composite
def datasets(draw: st.DrawFn) -> Any:
    """Make a dataset of some variables, with coordinates of dims and others."""
    sizes = {dim: draw(st.integers(0, 3)) for dim in DIMS}
    free = names.filter(lambda name: name not in DIMS)
    data = {name: draw(variables(draw(some_dims), sizes)) for name in draw(st.sets(free, max_size=3))}
    used = sorted({dim for variable in data.values() for dim in variable.dims})
    coords = {dim: draw(variables((dim,), sizes)) for dim in used if draw(st.booleans())}
    beside = draw(st.sets(free.filter(lambda name: name not in data), max_size=2))
    coords |= {
        name: draw(variables(tuple(dim for dim in used if draw(st.booleans())), sizes)) for name in beside
    }
    return xarray.Dataset(data, coords, draw(attributes))


def type_of(array: Any) -> Any:
    """Give the type of values; of dates and durations without what they count, of texts without the longest."""
    return array.dtype.kind if array.dtype.kind in "mMU" else array.dtype


def assert_alike(found: Any, made: Any) -> None:
    """Check values, dims, coordinates, attributes and types."""
    xarray.testing.assert_identical(found, made)
    for name in made.coords:
        assert type_of(found[name]) == type_of(made[name])


@quick
@given(datasets())
def test_datasets(tmp_path: Path, made: Any) -> None:
    """A dataset keeps each variable with its dims, type, attributes and what is missing, and its coordinates."""
    found = round_trip(tmp_path, xarray.Dataset, ".nc", made)
    assert_alike(found, made)
    assert {name: type_of(found[name]) for name in found} == {name: type_of(made[name]) for name in made}


@quick
@given(datasets(), st.data())
@example(xarray.Dataset({"v": 1.5}), None)
def test_arrays_with_names(tmp_path: Path, dataset: Any, data: st.DataObject | None) -> None:
    """An array keeps its values, name or none, dims, coordinates, attributes and type."""
    for key in dataset:
        made = dataset[key].rename(None) if data and data.draw(st.booleans()) else dataset[key]
        found = round_trip(tmp_path, xarray.DataArray, ".nc", made)
        assert_alike(found, made)
        assert (type_of(found), found.name) == (type_of(made), made.name)


@quick
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=5))
def test_values_are_not_rounded_as_their_source_was(tmp_path: Path, numbers: list[float]) -> None:
    """Values put into a dataset that was read from whole numbers with a factor stay what they are."""
    packed = xarray.Dataset({"v": ("time", np.zeros(len(numbers)))})
    packing = {"dtype": "int16", "scale_factor": 0.1, "_FillValue": -1}
    packed.to_netcdf(tmp_path / "seed.nc", encoding={"v": packing})
    made = xarray.load_dataset(tmp_path / "seed.nc")
    made["v"][:] = numbers
    assert np.array_equal(round_trip(tmp_path, xarray.Dataset, ".nc", made)["v"], numbers)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"attrs": {"scale_factor": 2.0}}, "attribute 'scale_factor' of 'v'"),
        ({"attrs": {"_FillValue": 1.0}}, "attribute '_FillValue'"),
        ({"attrs": {"units": "days since 2000-01-01"}}, "attribute 'units'"),
        ({"attrs": {"dtype": "bool"}}, "attribute 'dtype'"),
        ({"attrs": {"coordinates": "x"}}, "attribute 'coordinates'"),
        ({"coords": {"two words": 1}}, "'two words' has a blank"),
        ({"coords": {"day": np.datetime64("1300-01-01", "s")}}, "'day' has dates"),
        ({"coords": {"day": ("a", np.array(["2300-01-01", "NaT"], "M8[s]"))}}, "'day' has dates"),
        ({"data": [1j, 2j]}, "complex"),
        ({"data": np.array([1, 2], "float16")}, "float16"),
        ({"attrs": {"note": None}}, "'note'"),
    ],
)
@pytest.mark.parametrize("kind", ["Dataset", "DataArray"])
def test_what_netcdf_would_change_is_refused(
    tmp_path: Path, kind: str, change: dict[str, Any], words: str
) -> None:
    """What would come back as something else is an error that says what."""
    made = xarray.DataArray(**{"data": [1.0, 2.0], "dims": "a", "name": "v", **change})
    with pytest.raises((TypeError, ValueError), match=words):
        round_trip(
            tmp_path,
            getattr(xarray, kind),
            ".nc",
            made if kind == "DataArray" else made.to_dataset(promote_attrs=False),
        )
