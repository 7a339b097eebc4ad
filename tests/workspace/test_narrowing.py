"""What one request is about: from a step, until a step, failed records, a share of the records."""

from __future__ import annotations

import pytest

from sinagot.errors import ConfigurationError, NotFoundError
from sinagot.workspace.narrowing import parse_shard


def asked(lab, **options) -> list[str]:
    """Name the jobs that a forced run would do."""
    rows = lab.open().steps.plan(force=True, **options).iter_jobs()
    return [
        "-".join(filter(None, (row["task"], row["modality"], row["step_label"], row["record_id"])))
        for row in rows
    ]


@pytest.fixture
def pipeline(lab):
    """Give four steps: b and c read what a makes, d reads b's; e is beside them."""
    lab.config("[steps]\nscripts = ['a', 'b', 'c', 'd', 'e']\n")
    for step, source in {"a": "raw", "b": "a", "c": "a", "d": "b", "e": "raw"}.items():
        lab.script(step, (source, "{id}.csv"))
    lab.raw("REC-1")
    return lab


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({}, "abcde"),
        ({"from_step": "c"}, "cde"),
        ({"until_step": "c"}, "abc"),
        ({"from_step": "b", "until_step": "d"}, "bcd"),
        ({"step_label": "c"}, "c"),
        ({"step_label": "a", "from_step": "c"}, ""),
    ],
)
def test_from_and_until_follow_the_order(pipeline, options: dict[str, str], steps: str) -> None:
    """From a step to the end of its unit, until a step from the beginning; both together are a piece of it."""
    assert asked(pipeline, **options) == [f"{step}-REC-1" for step in steps]


def test_from_and_until_follow_files_to_other_units(lab) -> None:
    """What feeds a step in another modality comes before it, what reads it there comes after it; the rest is left out."""
    lab.config(
        """
        [tasks.RS]
        modalities = ["EEG", "PPG", "check"]
        [modalities.EEG]
        scripts = ["a", "b"]
        [modalities.PPG]
        scripts = ["p", "q"]
        [modalities.check]
        scripts = ["join"]
        """
    )
    file = "{id}-{task}.csv"
    for name, source in {"EEG/a": "raw", "EEG/b": "a", "PPG/p": "raw", "PPG/q": "p"}.items():
        lab.script(name, (source, file))
    lab.script("check/join", {"a": ("a", file), "p": ("p", file)})
    lab.raw("REC-1-RS")
    assert asked(lab, until_step="join") == ["RS-EEG-a-REC-1", "RS-PPG-p-REC-1", "RS-check-join-REC-1"]
    assert asked(lab, from_step="p") == ["RS-PPG-p-REC-1", "RS-PPG-q-REC-1", "RS-check-join-REC-1"]
    assert asked(lab, until_step="b") == ["RS-EEG-a-REC-1", "RS-EEG-b-REC-1"]


@pytest.mark.parametrize("option", ["from_step", "until_step"])
def test_unknown_step_is_refused(pipeline, option: str) -> None:
    """A step that does not exist is an error that lists those there are."""
    with pytest.raises(NotFoundError, match="no step 'x'"):
        asked(pipeline, **{option: "x"})


def test_failed_records_only(lab) -> None:
    """Only records with a failed or interrupted step are about, with all that is not done in them."""
    lab.unit("a", "b", ids=["REC-1", "REC-2", "REC-3"])
    lab.fail("a-REC-2")
    assert lab.open().steps.run(failed=True, printing=False).total == 0
    lab.open().steps.run(printing=False)
    lab.raw("REC-4")
    lab.heal("a-REC-2")
    lab.ran()
    assert lab.open().steps.run("b", failed=True, printing=False).total == 0, (
        "b has not failed, it was blocked"
    )
    report = lab.open().steps.run(failed=True, printing=False)
    assert report.counts["done"] == report.total == 2
    assert lab.ran() == ["a-REC-2", "b-REC-2"]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_shares_part_the_records(lab, count: int) -> None:
    """Every record is in exactly one share, and stays there when others arrive."""
    lab.unit("a", ids=[f"REC-{number}" for number in range(40)])
    shares = [asked(lab, shard=(number, count)) for number in range(1, count + 1)]
    assert sorted(job for share in shares for job in share) == sorted(asked(lab))
    lab.raw("REC-100")
    for number, share in enumerate(shares, 1):
        assert set(share) <= set(asked(lab, shard=f"{number}/{count}"))


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "", "1/0", (0, 1), "-1/2", "1/2/3"])
def test_bad_share_is_refused(text) -> None:
    """A share that does not exist is an error that says how one is written."""
    with pytest.raises(ConfigurationError, match="i/n"):
        parse_shard(text)
