"""The form for parameters in a notebook: a widget for each, and a button that runs with what was changed."""

from __future__ import annotations

import sys
from datetime import date
from typing import Any

import pytest

from sinagot.errors import ConfigurationError
from sinagot.pipeline.description import Description, ParamView
from sinagot.pipeline.views.form import display, parameter_form
from sinagot.pipeline.views.page import page

TABLE = object()
STUDY = Description(
    "p",
    parameters=(
        ParamView("n", "int", 3),
        ParamView("low", "float", None),
        ParamView("day", "date", date(2024, 1, 31)),
        ParamView("mode", "choice", "fast", choices=("fast", "exact")),
        ParamView("dry", "bool", False),
        ParamView("parts", "array", [1, 2]),
        ParamView("table", "any", TABLE),
        ParamView("guess", "any", 2.5),
        ParamView("token", "str", "s3cr3t", is_secret=True),
        ParamView("who", "str", is_required=True),
    ),
)


def test_without_ipywidgets_there_is_no_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ipywidgets is not installed there is no form, and no error."""
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert parameter_form(STUDY, print) is None


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collect what a notebook would show."""
    pytest.importorskip("ipywidgets", reason="needs ipywidgets (the extra `notebook`)")
    import IPython.display

    found: list[Any] = []
    monkeypatch.setattr(IPython.display, "display", found.append)
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_button_runs_with_what_was_changed(shown: list[Any]) -> None:
    """Values come out as their types say; what nobody touched is left to the pipeline; a secret never stands in the form."""
    calls: list[dict[str, Any]] = []
    form = parameter_form(STUDY, lambda values: calls.append(values) or "result")
    assert form is not None
    *fields, button, _ = form.children
    named = dict(zip([one.name for one in STUDY.parameters], fields, strict=True))
    assert "s3cr3t" not in repr([field.get_state() for field in fields])
    button.click()
    assert calls == [] and "parameter &#x27;who&#x27; is required" in shown[-1]._repr_html_()
    named["who"].value = "me"
    button.click()
    assert calls == [{"who": "me"}] and shown[-1] == "result"
    new = {
        "n": "4",
        "low": "1e3",
        "day": "2025-02-03",
        "mode": 1,
        "dry": True,
        "parts": "[3]",
        "table": '{"a": 1}',
        "guess": "7",
        "token": "t",
    }
    for name, value in new.items():
        named[name].value = value
    button.click()
    assert calls[-1] == {
        "n": 4, "low": 1000.0, "day": date(2025, 2, 3), "mode": "exact", "dry": True, "parts": [3], "table": {"a": 1}, "guess": 7.0,
        "token": "t", "who": "me",
    }  # fmt: skip
    assert type(calls[-1]["guess"]) is float
    for name, bad, said in (
        ("n", "four", "must be of type int"),
        ("parts", "[3", "must be JSON"),
        ("day", "soon", "of type date"),
    ):
        named[name].value = bad
        button.click()
        assert len(calls) == 2 and said in shown[-1]._repr_html_() and not button.disabled
        named[name].value = new[name]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_errors_of_ours_are_shown_and_others_raised(shown: list[Any]) -> None:
    """An error of the tree stands below the button, escaped; the page comes first, the form below it."""

    def run(values: dict[str, Any]) -> None:
        raise ConfigurationError("no <b>")

    form = parameter_form(Description("p"), run)
    assert form is not None
    form.children[0].click()
    assert "no &lt;b&gt;" in shown[-1]._repr_html_() and not form.children[0].disabled
    display(page(STUDY), form)
    assert shown[-2]._repr_html_().startswith('<div class="sinagot">') and shown[-1] is form
