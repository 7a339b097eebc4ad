"""What may be a declaration of paths."""

from __future__ import annotations

import json
import pickle
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.errors import ScriptError
from sinagot.scripts.spec import StepSpec, paths_from_json, read_paths, read_settings

parts = st.lists(st.text(min_size=1), min_size=1).map(tuple) | st.text(min_size=1)


def read(value: Any, **options: Any) -> Any:
    return read_paths(value, "PATH_OUT", step="count", file="scripts/count.py", **options)


@given(parts | st.dictionaries(st.text(), parts, min_size=1))
def test_declaration_survives_json(paths: Any) -> None:
    """A declaration read, written as JSON and read back is the same, in the same order."""
    plain = read(paths)
    again = paths_from_json(json.loads(json.dumps(plain)))
    assert again == plain
    if isinstance(plain, dict):
        assert list(again) == list(paths)


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        b"raw",
        PurePosixPath("raw"),
        ("raw", 3),
        (),
        "",
        ("",),
        [()],
        {1: "raw"},
        {"a": 3},
        {"a": {"b": "c"}},
        {},
        property(),
    ],
)
def test_anything_else_is_refused_by_name(value: Any) -> None:
    """What is no path is a ScriptError that names attribute, step, file and what was found."""
    with pytest.raises(ScriptError, match=r"step 'count' \(scripts/count.py\): PATH_OUT") as caught:
        read(value)
    assert caught.value.step == "count"


def test_the_bad_entry_of_a_dict_is_named() -> None:
    """In a dict, the message names the key; what was found is cut short."""
    with pytest.raises(ScriptError, match=r"PATH_OUT\['b'\] must be .*\.\.\.$"):
        read({"a": "x", "b": list(range(100))})


def test_only_inputs_may_be_empty() -> None:
    """An empty dict is a step without inputs."""
    assert read({}, may_be_empty=True) == {}


@pytest.mark.parametrize("value", [3, None, [3], {"a": 1}])
def test_garbage_of_json_is_a_value_error(value: Any) -> None:
    """A cache that holds something else is a ValueError."""
    with pytest.raises(ValueError, match="must be text"):
        paths_from_json(value)


def test_spec_is_plain_data() -> None:
    """A spec survives pickling."""
    spec = StepSpec("count", None, "count.py", "0", ("raw", "{id}.csv"), {"a": "x/{id}"})
    assert pickle.loads(pickle.dumps(spec)) == spec


@pytest.mark.parametrize(
    "value", ["hash", 3, ["events"], {"events": "hash"}, {3: "stat"}, {"events": ["stat"]}]
)
def test_check_is_a_word_or_a_dict_of_inputs(value: object) -> None:
    """Anything else is refused with the attribute and what is allowed."""
    with pytest.raises(
        ScriptError, match="CHECK must be 'stat' or 'digest', or a dict of these by input; found"
    ):
        read_settings({"check": value}, step="alpha", file="alpha.py")
