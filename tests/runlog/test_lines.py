"""What a line holds and where it stands."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.runlog.lines import (
    ESTABLISHED_FIELDS,
    level_number,
    log_file_name,
    make_line,
    now_utc,
    old_time_to_utc_form,
)
from sinagot.runlog.texts import MAX_TEXT, cut_text, exception_facts, safe_text

LIGHT = "from sinagot.runlog import capture, printing, read, write"
HEAVY = {
    "logging",
    "concurrent_log_handler",
    "json_log_formatter",
    "pandas",
    "inspect",
    "socket",
    "subprocess",
}


class Stubborn(Exception):  # noqa: N818
    """An exception that cannot be told."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def test_fields_stand_in_the_established_order() -> None:
    """A line begins with the fields of 0.3 in their order, then the added ones, facts in theirs, the user's last."""
    line = make_line(
        {"record_id": "REC-1", "task": "RS", "run_id": "r", "attempt": "a"},
        30,
        "Run finished",
        facts={"params": {}, "duration_s": 1.0},
        extra={"rate": 2},
    )
    assert tuple(line)[:10] == ESTABLISHED_FIELDS
    assert list(line)[10:] == ["level", "run_id", "attempt", "host", "pid", "duration_s", "params", "rate"]
    assert (line["log_from"], line["scope"], line["task"], line["modality"]) == (
        "script",
        "record",
        "RS",
        None,
    )


def test_extra_never_overrides_our_fields() -> None:
    """A user's field with the name of one of ours, present or not, is kept under another name."""
    line = make_line({}, 20, "x", extra={"message": "mine", "dropped": 3, 5: "five"})
    assert (line["message"], line["extra_message"], line["extra_dropped"], line["5"]) == (
        "x",
        "mine",
        3,
        "five",
    )
    assert "dropped" not in line


def test_time_is_utc_with_six_digits() -> None:
    """The time of a line is now, in UTC, with six digits and offset, also at a full second."""
    before = datetime.now(UTC)
    texts = [now_utc() for _ in range(1000)]
    assert all(len(text) == 32 and text.endswith("+00:00") for text in texts)
    assert texts == sorted(texts)
    assert before <= datetime.fromisoformat(texts[0]) <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2020-08-20T09:28:32.588123", "2020-08-20T09:28:32.588123+00:00"),
        ("2020-08-20T09:28:32", "2020-08-20T09:28:32.000000+00:00"),
        ("2020-08-20 09:28:32,5", "2020-08-20T09:28:32.500000+00:00"),
        ("2020-08-20T09:28:32.588123Z", "2020-08-20T09:28:32.588123+00:00"),
        ("2020-08-20T01:28:32.5+02:00", "2020-08-19T23:28:32.500000+00:00"),
        ("2020-08-20T09:28:32.588123+00:00", "2020-08-20T09:28:32.588123+00:00"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
        ("yesterday", "yesterday"),
        (None, None),
        (12.5, 12.5),
    ],
)
def test_old_times_get_the_form_of_today(old: object, new: object) -> None:
    """A time without zone means UTC, another zone is converted, and what is no time stays as it is."""
    assert old_time_to_utc_form(old) == new


@given(st.text(st.characters(), min_size=1, max_size=300))
def test_a_log_file_name_stays_in_its_folder(record_id: str) -> None:
    """Whatever the id is, its log is one visible name that file systems take and that is text."""
    name = log_file_name(record_id)
    assert "/" not in name and "\\" not in name and "\0" not in name and ":" not in name
    assert not name.startswith(".") and name.endswith(".log")
    assert len(name.encode("utf-8")) <= 200


@given(st.lists(st.text(st.characters(), min_size=1, max_size=250), min_size=2, max_size=5, unique=True))
def test_two_ids_never_share_a_log(ids: list[str]) -> None:
    """Encoding and digests keep different ids apart."""
    assert len({log_file_name(record_id) for record_id in ids}) == len(ids)


def test_over_long_ids_keep_their_beginning() -> None:
    """A name beyond what file systems allow is cut and gets a digest; two such ids stay apart."""
    names = {log_file_name("é" * 5000 + end) for end in ("", "a", "b")}
    assert len(names) == 3
    assert all(name.startswith("é" * 70) and len(name.encode()) <= 200 for name in names)


@pytest.mark.parametrize("record_id", ["REC-20200601", "Zoë 1 (b)", "a+b=c,d@e", "sub-01_ses-1"])
def test_ordinary_ids_keep_the_names_of_older_versions(record_id: str) -> None:
    """The log that an older version wrote is found again."""
    assert log_file_name(record_id) == f"{record_id}.log"


def test_texts_are_cut_by_their_size_in_json() -> None:
    """A text whose JSON is at most 64 KiB is whole; any longer one is cut, whatever its letters cost, and says so."""
    assert cut_text("x" * MAX_TEXT) == "x" * MAX_TEXT
    for sign in ("x", "\0", "é", "\U0001f600"):
        cut = cut_text(sign * 1_000_000)
        assert MAX_TEXT // 2 < len(json.dumps(cut)) < MAX_TEXT + 100
        assert cut.endswith("of 1000000 characters]")
        assert cut_text(cut, MAX_TEXT + 100) == cut


def test_an_exception_is_told_with_type_text_and_traceback() -> None:
    """Builtin exceptions have their bare name, others that of their module too; no locals are told."""
    try:
        secret = "pass" + "word"
        raise ValueError("no such boat")
    except ValueError as error:
        facts = exception_facts(error)
    assert (facts["exc_type"], facts["exc_message"]) == ("ValueError", "no such boat")
    assert "test_lines.py" in facts["traceback"] and secret not in facts["traceback"]
    assert exception_facts(json.JSONDecodeError("x", "", 0))["exc_type"] == "json.decoder.JSONDecodeError"


def test_any_exception_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken ``__str__``, 50 MB of text or a traceback module that fails costs at most the text."""
    assert exception_facts(Stubborn())["exc_message"] == "<Stubborn without text>"
    facts = exception_facts(ValueError("x" * 50_000_000))
    assert max(map(len, facts.values())) < MAX_TEXT + 200
    monkeypatch.setattr("traceback.format_exception", lambda error: 1 / 0)
    assert exception_facts(ValueError("x"))["traceback"] == "ValueError: no traceback to be had\n"


def test_levels_and_texts_of_anything() -> None:
    """Level names are taken in any case, unknown ones count as INFO; a subclass of str is its text."""
    assert [level_number(name) for name in ("debug", "WARNING", "Loud", 35)] == [10, 30, 20, 35]

    class Name(str):
        __slots__ = ()

        def __str__(self) -> str:
            raise RuntimeError("no")

    assert safe_text(Name("x")) == "x"


def test_importing_the_layer_is_light() -> None:
    """Nothing heavy is imported until the first line is written."""
    code = f"import sys; before = set(sys.modules); {LIGHT}; print(*set(sys.modules) - before)"
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        check=True,
        capture_output=True,
        text=True,
    )
    assert not HEAVY & set(found.stdout.split())
