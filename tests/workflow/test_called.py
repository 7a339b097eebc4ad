"""Steps of other things than functions, and functions whose name is taken."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sinagot as sg
from sinagot.errors import WorkflowError
from tests.workflow.conftest import seeds
from tests.workflow.test_arguments import total, workspace_of


class Adding:
    """An object that is called."""

    def __init__(self, plus: int) -> None:
        self.plus = plus

    def __call__(self, number: int) -> int:
        """Add."""
        return number + self.plus


@pytest.mark.parametrize(
    ("make", "title"),
    [
        (lambda plus: functools.partial(total, other=plus), "total"),
        (Adding, "Adding"),
    ],
    ids=["partial", "object"],
)
def test_steps_of_other_things_that_are_called(
    tmp_path: Path, make: Callable[[int], Any], title: str
) -> None:
    """A partial function or a callable object is a step like any other: it computes, is drawn, and its data count."""
    root = seeds(tmp_path, 1)
    first = workspace_of(sg.step(make(1)))
    wf = first(root)["W00000"]
    assert wf.result == 1
    assert f"{title}(number)" in first.workflow_class.graph("text")
    assert f"{title}(number)" in wf._repr_html_()
    assert workspace_of(sg.step(make(2)))(root)["W00000"].result == 2


def test_attribute_that_hides_its_function_is_told() -> None:
    """A function whose name an attribute of the class has taken cannot be used below: the error says what to do."""
    longest = sg.step(total)
    assert longest is not None
    with pytest.raises(WorkflowError, match=r"total\.step\(\.\.\.\) made .*give the attribute another name"):

        class Flow(sg.Workflow):
            number: int = sg.seed()
            total = sg.step(total).step(number, 1)
            again: float = total.step(number, 2)  # type: ignore[attr-defined]
