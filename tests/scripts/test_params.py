"""What scripts see as `self.params`."""

from __future__ import annotations

import copy
import json
import pickle

import pydantic
import pytest

from sinagot import ScriptTemplate
from sinagot.scripts.params import ParamsView, TypedParams, model_of, names_of, typed_params, view_of


class Params(pydantic.BaseModel):
    """Of a script."""

    low: float
    high: float = 40
    name: str = pydantic.Field("x", alias="label")


class Typed(ScriptTemplate):
    """A script with a class of parameters."""

    Params = Params


def test_view_is_a_mapping_with_attributes() -> None:
    """Names are keys and attributes, in tables too; it unpacks, compares and becomes JSON like a dict."""
    view = ParamsView({"low": 8, "band": {"name": "alpha", "all": [{"low": 1}]}})
    assert (view["low"], view.low, view.band.name, view.band["all"][0].low) == (8, 8, "alpha", 1)
    assert dict(**view) == view == {"low": 8, "band": {"name": "alpha", "all": [{"low": 1}]}}
    assert json.loads(json.dumps(view)) == view
    assert {"low", "band"} <= set(dir(view))


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, lambda view: pickle.loads(pickle.dumps(view))])
def test_view_can_be_copied(twin) -> None:
    """A copy and what comes out of a pickle are equal views."""
    view = ParamsView({"band": {"low": [1, 2]}})
    assert twin(view) == view
    assert isinstance(twin(view), ParamsView)
    assert isinstance(twin(view).band, ParamsView)


def test_view_is_read_only() -> None:
    """Nothing that changes a dict changes the parameters; a copy may be changed."""
    view = ParamsView({"low": 8})
    for change in (
        lambda: view.__setitem__("low", 9),
        lambda: view.__delitem__("low"),
        lambda: setattr(view, "low", 9),
        lambda: delattr(view, "low"),
        lambda: view.update(low=9),
        lambda: view.pop("low"),
        lambda: view.setdefault("high", 1),
        view.clear,
        view.popitem,
        lambda: view.__ior__({"low": 9}),
    ):
        with pytest.raises(TypeError, match="read-only"):
            change()
    assert view == {"low": 8}
    assert dict(view) | {"low": 9} == {"low": 9}


def test_view_is_fresh() -> None:
    """What an attempt does to a list does not reach the values that it was made of."""
    values = {"channels": [1, 2], "band": {"edges": [8, 12]}}
    view = ParamsView(values)
    view.channels.append(3)
    view.band.edges.clear()
    assert values == {"channels": [1, 2], "band": {"edges": [8, 12]}}


def test_misspelt_name_is_met_with_a_question() -> None:
    """An unknown name says which there are, and which may have been meant."""
    view = ParamsView({"low": 8})
    with pytest.raises(AttributeError, match="no parameter 'lwo'; there is low; did you mean 'low'"):
        _ = view.lwo
    with pytest.raises(KeyError, match="no parameter 'zebra'; there is low"):
        _ = view["zebra"]
    assert view.get("zebra", 1) == 1


def test_script_made_by_hand_has_params() -> None:
    """Outside a run a script has no parameters, or the defaults of its class."""
    assert ScriptTemplate("data", "REC-1").params == {}

    class Full(pydantic.BaseModel):
        low: float = 8

    class Script(ScriptTemplate):
        Params = Full

    assert Script("data", "REC-1").params.low == 8
    with pytest.raises(pydantic.ValidationError, match="low"):
        _ = Typed("data", "REC-1").params


def test_script_of_former_versions_keeps_its_own_params() -> None:
    """An attribute `params` of a script, of the class or set in it, is what the script sees."""

    class Script(ScriptTemplate):
        params = {"mine": 1}  # noqa: RUF012  as scripts were written

    script = Script("data", "REC-1")
    script._given_params = {"low": 1}
    assert script.params == {"mine": 1}
    other = ScriptTemplate("data", "REC-1")
    other.params = "text"
    assert other.params == "text"


def test_only_a_model_makes_a_step_typed() -> None:
    """A class `Params` that can't check values is the script's own affair."""

    class Script(ScriptTemplate):
        class Params:
            low = 1

    assert model_of(ScriptTemplate) is None
    assert model_of(Script) is None
    assert model_of(Typed) is Params


def test_typed_params_are_effective_values_with_what_was_given() -> None:
    """Values are converted, defaults filled in, what the class does not know is left out; pickles keep both."""
    found = typed_params(Params, {"low": "8", "label": "y", "other": 1})
    assert isinstance(found, TypedParams)
    assert found == {"low": 8.0, "high": 40.0, "name": "y"}
    twin = pickle.loads(pickle.dumps(found))
    assert (twin, twin.given) == (found, {"low": "8", "label": "y"})
    assert view_of(Typed, twin) == Params(low=8, label="y")


def test_typed_params_name_every_problem() -> None:
    """Each bad value is told with its path; an absent one as absent."""
    problems = typed_params(Params, {"high": "x"})
    assert [(one.path, one.is_missing) for one in problems] == [(("low",), True), (("high",), False)]


def test_error_of_a_validator_is_a_problem() -> None:
    """Whatever a validator of the user raises is told, not raised."""

    class Odd(pydantic.BaseModel):
        low: int = 1

        @pydantic.model_validator(mode="before")
        @classmethod
        def check(cls, values):
            raise ZeroDivisionError("odd")

    (problem,) = typed_params(Odd, {})
    assert problem.text == "ZeroDivisionError: odd"


def test_names_are_those_by_which_values_are_taken() -> None:
    """Aliases stand for names, both where the class allows both; a class that allows extras takes any."""

    class Both(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(populate_by_name=True)
        low: int = pydantic.Field(
            1, validation_alias=pydantic.AliasChoices("lo", pydantic.AliasPath("band", 0))
        )

    class Any(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(extra="allow")

    assert names_of(Params) == ["low", "high", "label"]
    assert names_of(Both) == ["lo", "band", "low"]
    assert names_of(Any) is None
    assert typed_params(Any, {"x": 1}) == {"x": 1}


def test_value_that_json_cannot_say_is_kept_as_it_is() -> None:
    """Effective values are plain data where that is possible, else those of the model."""

    class Opaque(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
        thing: object = pydantic.Field(default_factory=object)

    found = typed_params(Opaque, {})
    assert isinstance(found, TypedParams)
    assert type(found["thing"]) is object
