"""Record ids: which texts are ids, and what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.dataset.records import RecordIds
from sinagot.errors import ConfigurationError, InvalidIdError

BIDS = "sub-{subject}_ses-{session}[_run-{run}]"
WORDS = st.text("abcXYZ019-.é+", min_size=1, max_size=6).filter(lambda word: word not in (".", ".."))


@pytest.mark.parametrize(
    ("id_pattern", "good", "bad"),
    [
        (r"REC-\d{8}", "REC-20200601", "REC-202006011"),
        (r"^REC-\d$", "REC-1", "REC-1\n"),
        (r"\AREC\Z|^OLD$", "OLD", "OLD1"),
        (r"(a|b)-\1", "a-a", "a-b"),
        (r"(?i)rec-(?P<n>\d)", "REC-1", "REC-"),
        (r"A|AB", "AB", "ABC"),
        (r"(?x) r \d  # with a comment", "r1", "r 1"),
        (r"(?<!x)\w(?=1).", "a1", "a2"),
    ],
)
def test_an_id_matches_as_a_whole(id_pattern: str, good: str, bad: str) -> None:
    """Groups, branches, flags, anchors and back references mean what they mean alone, on the whole id."""
    ids = RecordIds(id_pattern)
    assert ids.matches(good) and not ids.matches(bad)
    assert ids.compose({"n": "1"}) is None


@pytest.mark.parametrize(
    "record_id", ["", ".", "..", "a/b", "../x", "/x", "a\0b", "\udcff", ".sinagot", None, 7]
)
def test_no_pattern_admits_what_is_no_name(record_id: object) -> None:
    """Separators, NUL, dots, our own folder and bytes that are no text are never ids."""
    ids = RecordIds(r"(?s).+")
    assert not ids.matches(record_id)
    with pytest.raises(InvalidIdError) as caught:
        ids.check(record_id)  # type: ignore[arg-type]
    assert caught.value.record_id == record_id and "(?s).+" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ((None, None), "records.id_pattern"),
        (("(",), "records.id_pattern"),
        ((r"\d*",), "records.id_pattern"),
        ((7,), "records.id_pattern"),
        ((None, 7), "records.id"),
        ((None, "sub-{subject"), "records.id"),
        ((None, "a/{subject}"), "records.id"),
        ((None, "{id}_{run}"), "records.id"),
        ((None, "{task}_{run}"), "records.id"),
        ((None, "sub"), "records.id"),
        ((None, "sub[_{run}]"), "records.id"),
        ((None, BIDS, {"run": "["}), "records.entities.run"),
        ((None, BIDS, {"run": ".*"}), "records.entities.run"),
        ((None, BIDS, {"task": "x"}), "records.entities.task"),
    ],
)
def test_a_rule_that_cannot_work_is_refused_with_its_key(arguments: tuple[object, ...], key: str) -> None:
    """Missing and broken expressions, and templates that give all records one id, are configuration errors."""
    with pytest.raises(ConfigurationError) as caught:
        RecordIds(*arguments, file=Path("workspace.toml"))  # type: ignore[arg-type]
    assert caught.value.key == key and str(caught.value).startswith("workspace.toml: ")


def test_an_id_is_no_longer_than_a_file_name() -> None:
    """255 bytes are the most, whatever the letters; an id that is composed of entities need not be one name."""
    ids = RecordIds("(?s).+")
    assert ids.matches("x" * 255) and ids.matches("é" * 127)
    assert not ids.matches("x" * 256) and not ids.matches("é" * 128) and not ids.matches("\U0001f600" * 64)
    with pytest.raises(InvalidIdError, match="10,000 letters, and no file name is longer than 255 bytes"):
        ids.check("x" * 10_000)
    composed = RecordIds(None, "{subject}_{session}")
    assert composed.matches(f"{'a' * 200}_{'b' * 200}")


def test_an_id_says_what_its_entities_are() -> None:
    """Values are read back from the id; an entity that it lacks is empty."""
    ids = RecordIds(None, BIDS)
    assert ids.entities == {"subject", "session", "run"} and ids.required == {"subject", "session"}
    assert ids.values("sub-1_ses-2") == {"id": "sub-1_ses-2", "subject": "1", "session": "2", "run": ""}
    assert not ids.matches("sub-1_ses-2_run-") and not ids.matches("sub-1_x_ses-2")
    with pytest.raises(InvalidIdError):
        ids.values("sub-1")
    assert ids.compose({"subject": "1"}) is None
    assert repr(ids) == f"RecordIds(None, {BIDS!r})"


def test_named_groups_are_entities() -> None:
    """An expression may name the parts of an id itself."""
    ids = RecordIds(r"REC-(?P<date>\d{6})(?:-(?P<letter>[A-Z]))?")
    assert ids.values("REC-200331-A") == {"id": "REC-200331-A", "date": "200331", "letter": "A"}
    assert ids.values("REC-200331")["letter"] == ""


def test_pattern_and_template_hold_together() -> None:
    """With both, an id satisfies both, and both give values."""
    ids = RecordIds(r"sub-(?P<n>\d)\d_.*", BIDS)
    assert ids.matches("sub-07_ses-x") and not ids.matches("sub-ab_ses-x") and not ids.matches("sub-07_x")
    assert ids.values("sub-07_ses-x")["n"] == "0" and ids.values("sub-07_ses-x")["subject"] == "07"


def test_nested_optional_entities_are_all_named() -> None:
    """Every entity has an entry, however deep in optional parts it stands."""
    assert RecordIds(None, "{a}[_{b}[-{c}]]").values("x") == {"id": "x", "a": "x", "b": "", "c": ""}


def test_rules_of_fields() -> None:
    """Own expressions win; else underscores separate, in the id's template or in the path."""
    ids = RecordIds(None, BIDS, {"run": r"\d+", "free": "[_]+"})
    assert ids.rule("run")("12") and not ids.rule("run")("1a")
    assert not ids.rule("subject")("a_b") and not ids.rule("other", is_narrow=True)("a_b")
    assert ids.rule("other")("a_b") and ids.rule("free", is_narrow=True)("__")
    assert not ids.rule("other")("..") and not ids.rule("other", is_narrow=True)(".")
    assert ids.rule("id")("sub-1_ses-2") and not ids.rule("id")("sub-1")


@given(WORDS, WORDS, st.none() | WORDS)
def test_composing_and_reading_are_inverse(subject: str, session: str, run: str | None) -> None:
    """The values of a composed id are those it was composed from."""
    ids = RecordIds(None, BIDS)
    values = {"subject": subject, "session": session, "run": run or ""}
    record_id = ids.compose(values)
    assert record_id is not None and ids.values(record_id) == {"id": record_id, **values}


@pytest.mark.parametrize("id_pattern", [r"REC-\d{8}", r"\w+-[A-Z]", "a b", "[A-Z0-9_]+", r"\d{2,}x?"])
def test_plain_expressions_may_be_embedded(id_pattern: str) -> None:
    """The scan asks about all names at once where the expression cannot reach over a slash."""
    assert RecordIds(id_pattern).self_contained == id_pattern


@pytest.mark.parametrize(
    "id_pattern", ["(a)", "a|b", ".+", "[^a]+", "^a$", r"\S+", r"a\b", r"\w++", "a+?", r"\.", "é"]
)
def test_other_expressions_are_asked_one_name_at_a_time(id_pattern: str) -> None:
    """Whatever could mean something else inside a larger expression is left alone."""
    assert RecordIds(id_pattern).self_contained is None
    assert RecordIds(None, "{x}").self_contained is None


@given(st.from_regex(r"[a-cA-C0-3_ \-\[\]{}+*?\\dw,]{1,8}", fullmatch=True))
def test_an_embeddable_expression_never_reaches_over_a_slash(id_pattern: str) -> None:
    """All at once is the same question as one by one: `/` cannot be matched."""
    try:
        ids = RecordIds(id_pattern)
    except (ConfigurationError, FutureWarning, DeprecationWarning):
        return
    if ids.self_contained is not None:
        assert re.compile(id_pattern).search("/") is None
        assert re.compile(id_pattern).groups == 0
