"""Tables that do not fit each other: clusters."""

from __future__ import annotations

import pytest

from tests.config.conftest import Desk

HEAD = "[records]\nid_pattern = 'R'\n[run]\nmode = 'dask'\n[dask.cluster]\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("class = 3", "dask.cluster.class: found 3 (an integer), allowed text"),
        ("class = 'a.B'\naddress = 'tcp://a:1'", "dask.cluster.class: stands beside `address`"),
        ("class = 'a.B'\njobs = 2\nadapt = {maximum = 2}", "dask.cluster.jobs: stands beside `adapt`"),
        ("jobs = 0", "dask.cluster.jobs: found 0 (an integer), allowed an integer from 1"),
        ("connect_timeout = 'long'", "dask.cluster.connect_timeout: found 'long' (not a number with a unit)"),
        (
            "[dask.cluster.adapt]\nmaximum = 0",
            "dask.cluster.adapt.maximum: found 0 (an integer), allowed an integer from 1",
        ),
    ],
)
def test_cluster_that_says_what_cannot_be(text: str, words: str, desk: Desk) -> None:
    """Our keys of `[dask.cluster]` have types and exclude each other; an error names key and line."""
    error = desk.error(HEAD + text)
    assert words in str(error)
    assert error.line is not None


def test_arguments_of_a_cluster_are_free(desk: Desk) -> None:
    """Other keys are arguments of the class; without a scheduler that uses them they are a warning, timeouts are not."""
    assert desk.load(HEAD + "class = 'a.B'\ncores = 8\n").warnings == ()
    assert desk.load(HEAD + "connect_timeout = '2 min'\nno_workers_timeout = 5\n").warnings == ()
    (warning,) = desk.load(HEAD + "n_workers = 8\n").warnings
    assert "it needs 'distributed'" in warning
