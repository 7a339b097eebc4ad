"""What changed since a result was made, in words."""

from __future__ import annotations

from typing import Any

import pytest

from sinagot.engine.planning.outdated import Present, outdated_reasons
from sinagot.engine.state.origins import Origin, same_prints

SECOND = 10**9
ORIGIN = Origin("run-1", "", ["8 1000000000"], ["3 2000000000"], "c" * 64, '{"low": 8}', "raw -> out")
NOW = Present(["raw/a.csv"], ["8 1000000000"], ["3 2000000000"], "c" * 64, '{"low": 8}', "raw -> out")


def codes(origin: Origin | None, now: Present) -> list[str]:
    return [reason.code for reason in outdated_reasons(origin, now)]


def test_nothing_changed() -> None:
    """A result that would be made of the very same things is up to date."""
    assert outdated_reasons(ORIGIN, NOW) == ()


@pytest.mark.parametrize(
    ("changes", "code", "subject", "old", "new"),
    [
        (
            {"inputs": ["9 1000000000"]},
            "input_changed",
            "raw/a.csv",
            "8 bytes of 1970-01-01 00:00:01.000",
            "9 bytes of 1970-01-01 00:00:01.000",
        ),
        ({"code": "d" * 64}, "script_changed", "script", "c" * 64, "d" * 64),
        ({"params": '{"low": 7}'}, "params_changed", "low", "8", "7"),
        ({"params": "{}"}, "params_changed", "low", "8", "not set"),
        ({"paths": "raw2 -> out"}, "paths_changed", "paths", "raw -> out", "raw2 -> out"),
    ],
)
def test_each_change_is_a_reason_with_old_and_new(
    changes: dict[str, Any], code: str, subject: str, old: str, new: str
) -> None:
    """Inputs, script, parameters and declared paths each count, and say from what to what they changed."""
    (reason,) = outdated_reasons(ORIGIN, NOW._replace(**changes))
    assert reason[0] == code and reason[2:] == (subject, old, new)


def test_all_reasons_are_given() -> None:
    """Several changes are several reasons."""
    now = NOW._replace(inputs=["8 5"], code="d", params='{"low": 8, "high": 13}')
    assert codes(ORIGIN, now) == ["input_changed", "script_changed", "params_changed"]


def test_matches_of_a_free_field_are_compared_by_name() -> None:
    """A recording that was added, removed or changed among several is named."""
    origin = ORIGIN._replace(inputs=[[["r/1", "1 1"], ["r/2", "2 2"], ["r/3", "3 3"]]])
    now = NOW._replace(inputs=[[["r/2", "2 2"], ["r/3", "3 4"], ["r/4", "4 4"]]])
    reasons = outdated_reasons(origin, now)
    assert [(reason.code, reason.subject) for reason in reasons] == [
        ("input_added", "r/4"),
        ("input_removed", "r/1"),
        ("input_changed", "r/3"),
    ]


def test_input_that_is_gone_is_no_reason() -> None:
    """Nothing could be made from an input that is not there: the result stays what it is."""
    assert codes(ORIGIN, NOW._replace(inputs=[None])) == []
    assert codes(None, NOW._replace(inputs=[None])) == []
    assert codes(ORIGIN._replace(inputs=[[["r/1", "1 1"]]]), NOW._replace(inputs=[[]])) == []


@pytest.mark.parametrize(
    "origin", [None, ORIGIN._replace(outputs=["4 2000000000"])], ids=["unknown", "edited"]
)
def test_outputs_of_no_known_attempt_are_judged_by_time(origin: Origin | None) -> None:
    """Outputs that were delivered, or edited by hand, are outdated when an input is newer, whatever the script is."""
    assert codes(origin, NOW._replace(code="d")) == []
    assert codes(origin, NOW._replace(inputs=[f"8 {3 * SECOND}"])) == ["input_newer"]
    assert codes(origin, NOW._replace(outputs=["3 9000000000", "3 500000000"])) == ["input_newer"]


def test_same_prints_knows_digests_and_lists() -> None:
    """Equal by content where both sides know it, and lists in any order."""
    assert same_prints(["1 1 a"], ["1 2 a"]) and not same_prints(["1 1"], ["1 2"])
    assert same_prints([[["a", "1 1"], ["b", "2 2"]]], [[["b", "2 2"], ["a", "1 1"]]])
    assert not same_prints([[["a", "1 1"]]], ["1 1"]) and not same_prints(["1 1"], [])
