"""Structures in files: what an annotation takes comes back equal, the rest is refused with the node's name."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Optional, Union

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AliasPath, BaseModel, ConfigDict, Field, computed_field

import sinagot as sg
from sinagot.errors import StepFailedError, WorkflowError
from sinagot.workflow.storage import LocalStorage, TypeHandler, find_handler

quick = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
words = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=20)
whole = st.integers(-(2**62), 2**62)
real = st.floats(allow_nan=False)
suffixes = st.sampled_from([".json", ".yaml"])
anything = st.recursive(
    st.none() | st.booleans() | whole | real | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


class Colour(enum.Enum):
    """One of two."""

    RED = "red"
    BLUE = "blue"


class Aliased(BaseModel):
    """Read and written under other names than its fields have."""

    rate: float = Field(alias="samplingRate")
    name: str = Field(default="-", alias="channelName")


class Lopsided(BaseModel):
    """Read under other names than it writes."""

    rate: float = Field(default=1.0, validation_alias=AliasPath("header", "rate"), serialization_alias="r")
    name: str = Field(default="-", validation_alias="n", serialization_alias="m")


class Swapped(BaseModel):
    """Each field has the name of the other as its alias."""

    a: int = Field(alias="b")
    b: int = Field(alias="a")


class Strict(BaseModel):
    """Takes nothing but its fields, and shows more than these."""

    model_config = ConfigDict(extra="forbid", strict=True)
    day: date
    inner: Aliased

    @computed_field  # type: ignore[prop-decorator]
    @property
    def year(self) -> int:
        """What is not read back."""
        return self.day.year


class Open(BaseModel):
    """Takes anything."""

    model_config = ConfigDict(extra="allow")


class Counted(BaseModel):
    """Is changed each time it is read."""

    count: int

    def model_post_init(self, context: Any, /) -> None:
        """Count."""
        self.count += 1


@dataclass
class Pair:
    """A dataclass with a list."""

    values: list[int]


def handler_of(annotation: Any, suffix: str, *, is_seed: bool = False) -> TypeHandler:
    """Find what stores an attribute."""
    return find_handler(annotation, LocalStorage(f"x{suffix}"), is_seed=is_seed, where="W.x")


def round_trip(folder: Path, annotation: Any, suffix: str, data: Any) -> Any:
    """Write data as a step's result and read them back."""
    handler, path = handler_of(annotation, suffix), folder / f"x{suffix}"
    handler.write(path, handler.check(data))
    return handler.read(path)


@quick
@given(anything, suffixes, st.sampled_from([Any, None, object]))
def test_anything_plain_without_an_annotation(
    tmp_path: Path, data: Any, suffix: str, annotation: Any
) -> None:
    """Where nothing is said of the type, plain values of any type come back as themselves."""
    found = round_trip(tmp_path, annotation, suffix, data)
    assert found == data and type(found) is type(data)


@quick
@given(st.data(), suffixes)
def test_unions_of_plain_types(tmp_path: Path, data: st.DataObject, suffix: str) -> None:
    """What is one of several plain types comes back as itself: text of digits is no number."""
    annotation, values = data.draw(
        st.sampled_from(
            [
                (int | str, whole | words | whole.map(str)),
                (Union[int, str], whole | words | whole.map(str)),  # noqa: UP007  (the older form)
                (Optional[Union[bool, int, float]], st.none() | st.booleans() | whole | real),  # noqa: UP007, UP045
                (str | list[int] | dict[str, float], words | st.lists(whole) | st.dictionaries(words, real)),
                (int | date, whole | st.dates()),
                (Literal["low", "high"] | float, st.sampled_from(["low", "high"]) | real),
                (Aliased | Strict, st.builds(Aliased, samplingRate=real, channelName=words)),
            ]
        )
    )
    value = data.draw(values)
    found = round_trip(tmp_path, annotation, suffix, value)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("annotation", "suffix", "told"),
    [
        (str | date, ".json", "str and date are both written as text"),
        (date | datetime, ".yaml", "date and datetime are both written as text"),
        (Path | str | None, ".json", "Path and str are both written as text"),
        (list[int] | tuple[int, int], ".json", "list and tuple are both written as list"),
        (dict[str, int] | Aliased, ".json", "dict and Aliased are both written as table"),
        (int | complex, ".npy", r"int \| complex cannot be stored"),
        (int | str, "", r"int \| str cannot be stored in 'x'; files of this type end with .json"),
        (int | dict[str, int], ".toml", "a TOML file holds a table"),
        (Any, ".toml", "a TOML file holds a table"),
    ],
)
def test_unions_that_a_file_cannot_tell_apart_are_refused(annotation: Any, suffix: str, told: str) -> None:
    """Types that are written alike are an error when the class is made; of a seed that nobody writes they are none."""
    with pytest.raises(WorkflowError, match=told):
        handler_of(annotation, suffix)
    if suffix == ".json":
        handler_of(annotation, suffix, is_seed=True)


@quick
@given(
    st.one_of(
        st.builds(Aliased, samplingRate=real, channelName=words),
        st.builds(
            lambda rate, name: Lopsided.model_validate({"header": {"rate": rate}, "n": name}), real, words
        ),
        st.builds(Swapped, a=whole, b=whole),
        st.builds(Strict, day=st.dates(), inner=st.builds(Aliased, samplingRate=real)),
        st.dictionaries(words.map(lambda word: f"x{word}"), whole, max_size=3).map(Open.model_validate),
    ),
    suffixes,
)
def test_models_whose_fields_have_other_names(tmp_path: Path, data: BaseModel, suffix: str) -> None:
    """Models with aliases, computed fields or further fields come back equal, alone and in lists and dicts."""
    assert round_trip(tmp_path, type(data), suffix, data) == data
    inside = {"a": [data]}
    assert round_trip(tmp_path, dict[str, list[type(data)]], suffix, inside) == inside  # type: ignore[misc]


def test_model_is_written_as_other_programs_know_it(tmp_path: Path) -> None:
    """A model that is read by its aliases is written with them, and without what it computes."""
    round_trip(tmp_path, Strict, ".json", Strict(day=date(2020, 1, 2), inner=Aliased(samplingRate=2.0)))
    text = (tmp_path / "x.json").read_text()
    assert text == '{"day": "2020-01-02", "inner": {"samplingRate": 2.0, "channelName": "-"}}'
    seed = handler_of(Aliased, ".json", is_seed=True)
    (tmp_path / "x.json").write_text('{"samplingRate": 2.0}')
    assert seed.read(tmp_path / "x.json").rate == 2.0


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_numbers_of_numpy_and_those_that_are_none_inside(tmp_path: Path, suffix: str) -> None:
    """Numbers of numpy become numbers, and one that is none stays so, in structures of any type."""
    made = {"a": np.float64(0.5), "b": [np.int64(3), float("nan")], "c": np.float32("nan")}
    found = round_trip(tmp_path, dict, suffix, made)
    assert repr(found) == "{'a': 0.5, 'b': [3, nan], 'c': nan}"


@quick
@given(st.data(), suffixes)
def test_keys_come_back_by_the_annotation(tmp_path: Path, data: st.DataObject, suffix: str) -> None:
    """Keys that are no text come back as what the annotation says."""
    kind, keys = data.draw(
        st.sampled_from([(int, whole), (float, real), (date, st.dates()), (Colour, st.sampled_from(Colour))])
    )
    made = data.draw(st.dictionaries(keys, real, max_size=3))
    found = round_trip(tmp_path, dict[kind, float], suffix, made)  # type: ignore[valid-type]
    assert found == made and [type(key) for key in found] == [type(key) for key in made]


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
@pytest.mark.parametrize(
    ("annotation", "data"),
    [
        (dict, {1: 2}),
        (dict, {1: "a", "1": "b"}),
        (dict, {"a": {True: 2}}),
        (dict, {"a": (1, 2)}),
        (dict[str, Any], {"a": {1, 2}}),
        (dict, {"day": date(2020, 1, 1)}),
        (dict, {"a": Decimal("1.5")}),
        (dict, {"a": b"x"}),
        (dict, {"a": np.array([1, 2])}),
        (dict, {"a": object()}),
        (list, [Colour.RED]),
        (list, [Pair([1])]),
        (Any, (1, 2)),
        (Any, Aliased(samplingRate=1.0)),
        (dict[str, int], {"a": "1"}),
        (list[date], ["2020-01-01"]),
        (Pair, Pair((1, 2))),  # type: ignore[arg-type]
        (Counted, Counted(count=1)),
        (int | date, datetime(2020, 1, 1, 12)),
    ],
)
def test_what_would_come_back_as_something_else_is_refused(
    tmp_path: Path, annotation: Any, data: Any, suffix: str
) -> None:
    """Data that a file would give back as others are an error that says where, before anything is written."""
    with pytest.raises((TypeError, ValueError), match=r"come back|fit its annotation|serialize|keys of"):
        round_trip(tmp_path, annotation, suffix, data)
    assert list(tmp_path.iterdir()) == []


def test_place_of_what_cannot_be_stored_is_told(tmp_path: Path) -> None:
    """The message says which value it is, what it would become, and what to do."""
    with pytest.raises(
        TypeError, match=r"\['a'\]\[1\] is the tuple \(1, 2\), and would come back as the list"
    ) as told:
        round_trip(tmp_path, dict, ".json", {"a": [0, (1, 2)]})
    assert "say in the annotation" in str(told.value)


def test_options_of_the_storage_count(tmp_path: Path) -> None:
    """Whether data come back is seen with the options that they are read with."""
    storage = LocalStorage(
        "x.json", read_kwargs={"object_pairs_hook": lambda pairs: {int(k): v for k, v in pairs}}
    )
    handler = find_handler(dict, storage, is_seed=False, where="W.x")
    handler.write(tmp_path / "x.json", handler.check({1: 2}))
    assert handler.read(tmp_path / "x.json", **storage.read_kwargs) == {1: 2}


def test_failure_names_its_node(tmp_path: Path, module: Callable[[str, str], Any]) -> None:
    """What cannot be written fails with the names of node and workflow, and leaves no file."""
    flows = module(
        "unstorable",
        """
import sinagot as sg

@sg.step
def make(number: int):
    return {number: 2}

class Flow(sg.Workflow):
    number: int = sg.seed()
    made: dict = make.step(number)
    free = make.step(number)

class Flows(sg.Workspace[Flow]):
    number = sg.LocalStorage("number/{workflow_id}")
    made = sg.LocalStorage("made/{workflow_id}.json")
    free = sg.LocalStorage("free/{workflow_id}.json")
""",
    )
    (tmp_path / "number").mkdir()
    (tmp_path / "number" / "W1").write_text("1\n")
    ws = flows.Flows(tmp_path)
    for name in ("made", "free"):
        with pytest.raises(StepFailedError) as told:
            getattr(ws["W1"], name)
        assert isinstance(told.value.__cause__, sg.errors.UnstorableDataError)
        assert f"node '{name}' of 'W1': cannot be stored in a file .json" in str(told.value.__cause__)
        assert not list(tmp_path.glob(f"{name}/*"))
    ws.close()


@pytest.mark.parametrize(("suffix", "null"), [(".json", "null"), (".yaml", "null\n"), (".yaml", "~\n")])
@pytest.mark.parametrize("annotation", [dict, list[int], int, Aliased, Pair, date])
def test_null_of_a_file_is_none(tmp_path: Path, annotation: Any, suffix: str, null: str) -> None:
    """What a format writes for None is None where the annotation has it, and unreadable where it has not."""
    (tmp_path / "x").write_text(null)
    assert handler_of(annotation | None, suffix, is_seed=True).read(tmp_path / "x") is None
    with pytest.raises(ValueError, match="Input should be"):
        handler_of(annotation, suffix, is_seed=True).read(tmp_path / "x")


def test_emptied_file_of_yaml_is_damaged(tmp_path: Path) -> None:
    """A file that holds nothing at all does not stand for None."""
    (tmp_path / "x").write_text("\n")
    with pytest.raises(ValueError, match="Input should be"):
        handler_of(dict[str, int] | None, ".yaml").read(tmp_path / "x")
