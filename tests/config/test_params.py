"""Layers of parameters: which tables count, in which order, and how they merge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.config.params import (
    Layer,
    iter_values,
    layers_of,
    merge_layers,
    parse_setting,
    pipeline_layers,
    special_records,
)
from tests.config.conftest import Desk

#: Every place where a parameter may stand for RS, EEG, alpha and REC-1, the widest first.
PLACES = [
    "params",
    "modalities.EEG.params",
    "tasks.RS.params",
    "steps.alpha.params",
    "pipelines.alpha",
    "modalities.EEG.steps.alpha.params",
    "pipelines.alpha.modalities.EEG",
    "pipelines.alpha.tasks.RS",
    "records.exceptions.REC-1.params",
    "records.exceptions.REC-1.modalities.EEG.params",
    "records.exceptions.REC-1.tasks.RS.params",
    "records.exceptions.REC-1.steps.alpha.params",
    "records.exceptions.REC-1.pipelines.alpha",
    "pipelines.alpha.records.REC-1",
    "records.exceptions.REC-1.modalities.EEG.steps.alpha.params",
    "records.exceptions.REC-1.pipelines.alpha.modalities.EEG",
    "pipelines.alpha.records.REC-1.modalities.EEG",
    "records.exceptions.REC-1.pipelines.alpha.tasks.RS",
    "pipelines.alpha.records.REC-1.tasks.RS",
]
HEAD = """
[records]
id_pattern = 'REC-\\d+'
[tasks.RS]
modalities = ["EEG"]
[tasks.MMN]
modalities = ["EEG"]
[modalities.EEG]
scripts = ["alpha", "beta"]
"""


def tables_of(desk: Desk, text: str) -> dict:
    """Load a configuration without a word of warning."""
    configuration = desk.load(text)
    assert configuration.warnings == ()
    return configuration.raw


@pytest.mark.parametrize("number", range(len(PLACES)))
def test_narrower_layer_wins(desk: Desk, number: int) -> None:
    """Each layer wins over all that are wider, and leaves alone what it does not name."""
    written = PLACES[: number + 1]
    text = HEAD + "".join(
        f"[{place}]\nlow = {index}\nown{index} = true\n" for index, place in enumerate(written)
    )
    layers = layers_of(tables_of(desk, text), "RS", "EEG", "alpha", "REC-1")
    assert [layer.values["low"] for layer in layers] == list(range(number + 1))
    merged = merge_layers(layers)
    assert merged["low"] == number
    assert set(merged) == {"low", *(f"own{index}" for index in range(number + 1))}


def test_layers_of_others_do_not_count(desk: Desk) -> None:
    """Another task, step or record sees only what is said for it; a pipeline that is no step nothing of steps."""
    text = HEAD + "".join(f"[{place}]\nlow = {index}\n" for index, place in enumerate(PLACES))
    tables = tables_of(desk, text)

    def holds(place: str, layers: list[Layer]) -> bool:
        return merge_layers(layers) == {"low": PLACES.index(place)}

    assert holds("pipelines.alpha.tasks.RS", layers_of(tables, "RS", "EEG", "alpha", "REC-2"))
    assert holds("pipelines.alpha.modalities.EEG", layers_of(tables, "MMN", "EEG", "alpha", "REC-2"))
    assert holds("pipelines.alpha", layers_of(tables, None, None, "alpha"))
    assert holds(
        "records.exceptions.REC-1.modalities.EEG.params", layers_of(tables, "MMN", "EEG", "beta", "REC-1")
    )
    assert holds("modalities.EEG.params", layers_of(tables, "MMN", "EEG", "beta"))
    assert holds("params", layers_of(tables, None, None, "gamma"))
    assert special_records(tables) == {"REC-1"}
    found = [".".join(layer.path) for layer in pipeline_layers(tables, "alpha", "RS", "EEG", "REC-1")]
    assert found == [place for place in PLACES if ".steps." not in f".{place}"]


scalars = st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
trees = st.recursive(
    scalars, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=6
)
#: Of each place: what stands there, and the names that stand in `params` where the table is one of a pipeline.
said = st.lists(
    st.tuples(
        st.sampled_from(PLACES),
        st.dictionaries(st.sampled_from(["a", "b", "tasks", "params"]), trees, max_size=3),
        st.sets(st.sampled_from("ab")),
    ),
    unique_by=lambda one: one[0],
    max_size=8,
)


def is_open(place: str) -> bool:
    """Say whether parameters stand beside words of ours."""
    return "pipelines" in place


@given(said)
def test_narrowest_word_holds_whatever_is_written(written: list[tuple[str, dict, set[str]]]) -> None:
    """Of random tables in any order of writing, each value is that of the narrowest place that has it."""
    tables: dict = {}
    expected: dict = {}
    for place, values, apart in written:
        table = tables
        for key in place.split("."):
            table = table.setdefault(key, {})
        for name, value in values.items():
            is_apart = is_open(place) and (name in apart or len(name) > 1)
            (table.setdefault("params", {}) if is_apart else table)[name] = value
    for _, values, _ in sorted(written, key=lambda one: PLACES.index(one[0])):
        expected = joined(expected, values)
    layers = layers_of(tables, "RS", "EEG", "alpha", "REC-1")
    assert merge_layers(layers) == expected
    for layer in layers:
        found = tables
        for key in layer.path:
            found = found[key]
        assert all(found[name] == value for name, value in layer.values.items())
        assert layer.is_of_step == ("alpha" in layer.path)


def joined(one: object, other: object) -> dict:
    """Join two tables in depth: the second wins."""
    if not isinstance(other, dict):
        return other
    before = one if isinstance(one, dict) else {}
    return before | {key: joined(before.get(key), value) for key, value in other.items()}


layers = st.lists(st.dictionaries(st.sampled_from("abc"), trees, max_size=3), max_size=4)


@given(layers)
def test_merging_keeps_the_last_word_and_the_layers(values: list[dict]) -> None:
    """Every value of the narrowest layer is in the result, and no layer is changed by merging."""
    before = repr(values)
    merged = merge_layers([Layer(("x",), one) for one in values])
    if values:
        found = dict(iter_values(merged))
        for path, value in iter_values(values[-1]):
            if value == {}:
                continue  # an empty table says nothing of what stands in wider layers
            assert found[path] == value
    assert repr(values) == before
    assert merge_layers([Layer((), merged), Layer((), merged)]) == merged


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("low=8", {"low": 8}),
        ("low = 8.5", {"low": 8.5}),
        ("on=true", {"on": True}),
        ("method=welch", {"method": "welch"}),
        ("folder=/data/x.csv", {"folder": "/data/x.csv"}),
        ("name='two words'", {"name": "two words"}),
        ("band.low=[1, 2]", {"band": {"low": [1, 2]}}),
        ("equal='a=b'", {"equal": "a=b"}),
    ],
)
def test_setting_is_read(text: str, found: dict) -> None:
    """A parameter of a command line is TOML, or a plain word."""
    assert parse_setting(text) == found


@pytest.mark.parametrize("text", ["low", "=3", "low=", "low=1 2", "a=1\nb=2", "low=[1", "lo w=1"])
def test_bad_setting_is_refused(text: str) -> None:
    """What is neither is refused, with the text and a hint."""
    with pytest.raises(ValueError, match=r"can't be read|write key=value"):
        parse_setting(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[records.exceptions."REC-1".tasks.RS.params]\nlow = 1', "tasks.RS: there is no such task"),
        (
            '[records.exceptions."REC-1".steps.alhpa.params]\nlow = 1',
            "steps.alhpa: there is no such step; did you mean 'alpha'?",
        ),
        (
            '[records.exceptions."REC-1".modalities.EEG.params]\nlow = 1',
            "modalities.EEG: there is no such modality",
        ),
        ('[records.exceptions."X-1".params]\nlow = 1', "no record can have this id"),
        (
            '[records.exceptions."REC-1"]\nlow = 1',
            "unknown key (known: params, tasks, modalities, steps, pipelines)",
        ),
    ],
)
def test_exception_of_nothing_is_a_warning(desk: Desk, text: str, words: str) -> None:
    """What is said of a record, task, modality or step that can't be is a warning with file and line."""
    head = "[records]\nid_pattern = 'REC-\\d+'\n[steps]\nscripts = ['alpha']\n"
    (warning,) = desk.load(head + text).warnings
    assert words in warning
    assert f"{desk.file}:{6 if words.startswith('unknown') else 5}:" in warning


@pytest.mark.parametrize(
    ("text", "key"),
    [("params = 3", "params"), ("[tasks.RS]\nmodalities = []\nparams = 'low'", "tasks.RS.params")],
)
def test_params_are_a_table(desk: Desk, text: str, key: str) -> None:
    """A parameter table of another type is an error that names the key."""
    with pytest.raises(ValueError, match=f"{key}: found .*, allowed a table"):
        desk.load(text)
