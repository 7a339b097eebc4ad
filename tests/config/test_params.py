"""Layers of parameters: which tables count, in which order, and how they merge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.config.params import Layer, iter_values, layers_of, merge_layers, parse_setting
from tests.config.conftest import Desk

#: Every place where a parameter may stand for RS, EEG, alpha and REC-1, the widest first.
PLACES = [
    "params",
    "modalities.EEG.params",
    "tasks.RS.params",
    "steps.alpha.params",
    "modalities.EEG.steps.alpha.params",
    'records.exceptions."REC-1".params',
    'records.exceptions."REC-1".modalities.EEG.params',
    'records.exceptions."REC-1".tasks.RS.params',
    'records.exceptions."REC-1".steps.alpha.params',
    'records.exceptions."REC-1".modalities.EEG.steps.alpha.params',
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
    """Another task, step or record sees only what is said for it."""
    text = HEAD + "".join(f"[{place}]\nlow = {index}\n" for index, place in enumerate(PLACES))
    tables = tables_of(desk, text)
    assert merge_layers(layers_of(tables, "RS", "EEG", "alpha", "REC-2")) == {"low": 4}
    assert merge_layers(layers_of(tables, "MMN", "EEG", "beta", "REC-1")) == {"low": 6}
    assert merge_layers(layers_of(tables, "MMN", "EEG", "beta")) == {"low": 1}
    assert merge_layers(layers_of(tables, None, None, "gamma")) == {"low": 0}


scalars = st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
trees = st.recursive(
    scalars, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=6
)
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
        ('[records.exceptions."REC-1"]\nlow = 1', "unknown key (known: params, tasks, modalities, steps)"),
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
