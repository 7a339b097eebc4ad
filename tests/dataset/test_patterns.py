"""Path patterns: text to path, and nowhere else."""

from __future__ import annotations

import pickle
import posixpath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sinagot.dataset.patterns import PathPattern, is_plain_name
from sinagot.errors import InvalidIdError, PatternError

BIDS = "sub-{subject}/ses-{session}/eeg/sub-{subject}_ses-{session}_task-{task}[_run-{run}]_eeg.vhdr"


def test_a_text_and_its_parts_are_one_pattern() -> None:
    """A path may be written as text or in parts; equal paths are equal patterns."""
    text, parts = PathPattern("raw/{id}.csv"), PathPattern(("raw", "./", "{id}.csv"))
    assert text == parts and hash(text) == hash(parts) and text.canonical == parts.canonical
    assert text != PathPattern("raw/{id}.tsv") and text != "raw/{id}.csv"
    assert repr(text) == "PathPattern('raw/{id}.csv')"


def test_an_optional_part_is_there_if_its_fields_are() -> None:
    """Uneven data: a recording without run number has a path without one."""
    pattern = PathPattern(BIDS).bind(task="rest")
    values = {"subject": "07", "session": "walk"}
    assert pattern.format(values) == "sub-07/ses-walk/eeg/sub-07_ses-walk_task-rest_eeg.vhdr"
    assert pattern.format({**values, "run": ""}) == pattern.format(values)
    assert pattern.format({**values, "run": "2"}).endswith("_task-rest_run-2_eeg.vhdr")


def test_optional_folders_leave_no_empty_names() -> None:
    """A folder that is absent leaves neither a double slash nor an absolute path."""
    first, last = PathPattern("[ses-{session}]/a/[x-{x}/]{id}.csv"), PathPattern("a/{id}/[x-{x}]")
    assert first.format({"id": "1"}) == "a/1.csv"
    assert first.format({"id": "1", "session": "2", "x": "3"}) == "ses-2/a/x-3/1.csv"
    assert last.format({"id": "1"}) == "a/1"
    assert first.depth == 4 and last.depth == 3


def test_an_unknown_field_is_named_with_the_known_ones() -> None:
    """A misspelt field is an error that says where, which, and what could be meant."""
    with pytest.raises(PatternError) as caught:
        PathPattern("{id}_{taks}.csv", known={"id", "task"}, where="step alpha: PATH_IN")
    message = str(caught.value)
    assert "step alpha: PATH_IN" in message and "{taks}" in message and "id, task" in message
    assert "did you mean 'task'" in message
    assert PathPattern("{id}_{task}.csv", known={"id", "task"}).fields == {"id", "task"}


@pytest.mark.parametrize("source", ["", ".", "./", (), ("a", 1), "{id", "a\0b", "/"])
def test_what_is_no_path_is_refused(source: object) -> None:
    """Empty paths, NUL, lone braces and things that are no text are errors when the pattern is made."""
    with pytest.raises(PatternError):
        PathPattern(source, where="here")  # type: ignore[arg-type]


def test_a_bound_value_is_never_expanded_again() -> None:
    """Values are text, even if they look like patterns."""
    bound = PathPattern("{task}/{id}[_{run}].csv").bind(task="{id}[_{run}]", modality="unused")
    assert bound.fields == {"id", "run"}
    assert bound.format({"id": "1"}) == "{id}[_{run}]/1.csv"
    assert bound != PathPattern("{id}[_{run}]/{id}[_{run}].csv")


def test_binding_settles_optional_parts() -> None:
    """A bound entity makes its part plain, an empty one removes it, a rest stays optional."""
    pattern = PathPattern("{id}[_{a}-{b}]")
    assert pattern.bind(a="1", b="2") == PathPattern("{id}_1-2")
    assert pattern.bind(a="") == PathPattern("{id}")
    half = pattern.bind(a="1")
    assert half.format({"id": "x"}) == "x" and half.format({"id": "x", "b": "2"}) == "x_1-2"


def test_binding_to_nothing_never_makes_a_path_absolute() -> None:
    """An empty label may empty a folder's name: the folder is gone, not the root."""
    assert PathPattern("{task}/{id}.csv").bind(task="") == PathPattern("{id}.csv")
    with pytest.raises(PatternError, match="empty"):
        PathPattern("{task}").bind(task="")


@pytest.mark.parametrize("value", ["a/b", "..", ".", "a\0b", "\udcff"])
def test_a_label_is_one_name(value: str) -> None:
    """A label that would be a path is refused."""
    with pytest.raises(PatternError):
        PathPattern("{task}/{id}").bind(task=value)


@pytest.mark.parametrize(
    ("source", "folder"),
    [
        ("{id}.csv", ""),
        ("a/b/{id}.csv", "a/b"),
        ("/data/{id}.csv", "/data"),
        ("a/{id}/x.csv", None),
        ("a/[{x}/]{id}.csv", None),
        ("[x-{x}]{id}/y", None),
        ("common.csv", ""),
    ],
)
def test_the_folder_of_flat_patterns_is_known(source: str, folder: str | None) -> None:
    """Where all matches are in one folder, the pattern tells which."""
    assert PathPattern(source).folder == folder


def test_unbound_fields_are_those_without_an_entry() -> None:
    """An empty entry is an answer too: the entity is absent."""
    assert PathPattern("{id}_{tracksys}[_{run}]").unbound({"id": "x", "run": ""}) == {"tracksys"}


def test_a_missing_value_is_named() -> None:
    """No path is made with a field left out."""
    with pytest.raises(PatternError, match=r"no value for \{subject\}"):
        PathPattern("{subject}/{id}").format({"id": "x"})


def test_absolute_paths_and_parents_are_the_users_own_choice() -> None:
    """The pattern itself may leave the data folder; a value may not."""
    assert PathPattern("../shared/{id}.csv").format({"id": "1"}) == "../shared/1.csv"
    assert PathPattern("/data/{id}.csv").format({"id": "1"}) == "/data/1.csv"
    assert PathPattern(("raw", "/data", "{id}.csv")).is_absolute
    for value in ("..", "../x", "/etc/passwd", "a/../../b", ".", "a\0", ""):
        with pytest.raises((InvalidIdError, PatternError)):
            PathPattern("../shared/{id}").format({"id": value})


def test_no_value_leads_into_our_own_folder() -> None:
    """The state folder is nobody's record, unless the pattern says so."""
    for pattern in (PathPattern(".{id}/x"), PathPattern("{id}/x"), PathPattern("a/.{id}")):
        value = "sinagot" if "." in pattern.source else ".sinagot"
        with pytest.raises(InvalidIdError):
            pattern.format({"id": value})
        formatter = pattern.formatter()
        assert formatter is not None
        with pytest.raises(InvalidIdError):
            formatter(value)
    assert PathPattern(".sinagot/{id}").format({"id": "x"}) == ".sinagot/x"


@given(
    st.text(max_size=12), st.sampled_from(["{id}", "raw/{id}/x", "a{id}", ".{id}", "{id}{id}", "x/{id}.csv"])
)
def test_no_value_ever_leads_outside(value: str, source: str) -> None:
    """Whatever an id is, its path stays below the folder, at the pattern's depth, or there is no path."""
    pattern = PathPattern(source)
    try:
        path = pattern.format({"id": value})
    except (InvalidIdError, PatternError):
        return
    assert posixpath.normpath(path) == path
    assert not path.startswith("/") and ".." not in path.split("/") and "\0" not in path
    assert path.count("/") == source.count("/")


@given(st.text(min_size=1, max_size=12))
def test_the_fast_way_gives_the_same_paths(value: str) -> None:
    """The formatter differs from format in speed only."""
    assume(is_plain_name(value))
    for source in ("{id}.csv", "a/{id}/{id}[1]{{x}}.csv", "common.csv"):
        pattern = PathPattern(source)
        formatter = pattern.formatter()
        assert formatter is not None and formatter(value) == pattern.format({"id": value})
    assert PathPattern("{id}_{task}").formatter() is None


def test_the_piece_that_brings_a_field_in_can_be_proposed() -> None:
    """A proposal for the id's template repeats what the path has around the field."""
    pattern = PathPattern("{x}/{id}_acq-{acq}[_run-{run}].vhdr")
    assert [pattern.part_of(name) for name in ("acq", "run", "x", "no")] == [
        "_acq-{acq}",
        "[_run-{run}]",
        "_{x}",
        "_{no}",
    ]
    assert PathPattern("a_b/{x}").part_of("x") == "_{x}"


def test_patterns_travel() -> None:
    """A pattern can be sent to another process."""
    pattern = PathPattern(BIDS, where="x").bind(task="rest")
    assert pickle.loads(pickle.dumps(pattern)) == pattern
