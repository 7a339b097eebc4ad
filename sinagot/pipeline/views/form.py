"""A form for the parameters of a pipeline in a notebook; none where ipywidgets is not installed.

Knows descriptions and widgets; must not know pipelines: what a button does is handed in. ipywidgets is imported when a
form is made.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sinagot.engine.charts.chart import one_line
from sinagot.engine.html import fragment, problem
from sinagot.errors import ConfigurationError, SinagotError
from sinagot.pipeline.description import Description, ParamView

__all__ = ["display", "parameter_form"]

#: Types that are written as JSON.
_JSON = ("map", "array", "any")
_READERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "decimal": Decimal,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "str": str,
}


class _Field:
    """One parameter with its widget; only what was changed is handed on, so that a default of any kind stays."""

    def __init__(self, one: ParamView, widgets: Any) -> None:
        self.view = one
        self._first: Any = None
        self.widget = self._widget(widgets)
        self._first = self.widget.value

    @property
    def _kind(self) -> str:
        """What is known of the type, from its name or from the default."""
        if self.view.type in (*_READERS, "bool", *_JSON[:2]):
            return self.view.type
        guess = type(self.view.default).__name__
        return guess if guess in (*_READERS, "bool") else "any"

    def _widget(self, widgets: Any) -> Any:
        one = self.view
        facts = {
            "description": one_line(one.name),
            "style": {"description_width": "12em"},
            "tooltip": one_line(one.doc),
        }
        if one.is_secret:
            return widgets.Password(placeholder="unchanged", **facts)
        if one.choices:
            texts = [(one_line(str(value)), number) for number, value in enumerate(one.choices)]
            known = (
                list(one.choices).index(one.default)
                if one.default in one.choices and not one.is_required
                else None
            )
            return widgets.Dropdown(options=texts, value=known, **facts)
        if self._kind == "bool" and isinstance(one.default, bool):
            return widgets.Checkbox(value=one.default, indent=True, **facts)
        empty = "required" if one.is_required else "unchanged" if self._text() == "" else ""
        if self._kind in _JSON:
            return widgets.Textarea(value=self._text(), placeholder=f"{empty} (JSON)".strip(), **facts)
        return widgets.Text(value=self._text(), placeholder=f"{empty} {self._kind}".strip(), **facts)

    def _text(self) -> str:
        """Write the default; nothing where it has no text of its type."""
        value = self.view.default
        if self.view.is_required or value is None:
            return ""
        if self._kind in _JSON:
            try:
                return json.dumps(value)
            except (TypeError, ValueError):
                return ""
        return str(value)

    @property
    def is_given(self) -> bool:
        """Somebody has changed it, or has to say it."""
        return bool(self.widget.value != self._first)

    def value(self) -> Any:
        """Give what was entered, as its type says."""
        found = self.widget.value
        if self.view.choices:
            return self.view.choices[found]
        if not isinstance(found, str):
            return found
        if self._kind == "bool":
            words = {"true": True, "false": False}
            if found.strip().lower() in words:
                return words[found.strip().lower()]
            raise ConfigurationError(f"parameter {self.view.name!r} must be true or false, found {found!r}")
        reader: Callable[[str], Any] = json.loads if self._kind in _JSON else _READERS[self._kind]
        try:
            return reader(found)
        except (ValueError, ArithmeticError) as error:
            what = "JSON" if self._kind in _JSON else f"of type {self._kind}"
            raise ConfigurationError(
                f"parameter {self.view.name!r} must be {what}, found {found!r}"
            ) from error


def parameter_form(description: Description, run: Callable[[dict[str, Any]], Any]) -> Any | None:
    """Make a form for the parameters of a pipeline, with a button that runs it.

    Parameters
    ----------
    description : Description
        The pipeline.
    run : callable
        Gets a mapping with the parameters that were changed. What it gives is shown below the button, and what it
        prints; an error too.

    Returns
    -------
    ipywidgets.VBox or None
        The form; None where ipywidgets is not installed.
    """
    try:
        import ipywidgets as widgets
    except ImportError:
        return None
    fields = [_Field(one, widgets) for one in description.parameters]
    button = widgets.Button(description="Run", icon="play", button_style="primary")
    output = widgets.Output()

    def pressed(_: Any) -> None:
        button.disabled = True
        output.clear_output()
        try:
            with output:
                _show(_result(fields, run))
        finally:
            button.disabled = False

    button.on_click(pressed)
    return widgets.VBox([*(field.widget for field in fields), button, output])


def _result(fields: list[_Field], run: Callable[[dict[str, Any]], Any]) -> Any:
    """Run with what the form says; what is wrong is shown, without the way through our code."""
    try:
        missing = [field.view.name for field in fields if field.view.is_required and not field.is_given]
        if missing:
            raise ConfigurationError(f"parameter {missing[0]!r} is required")
        return run({field.view.name: field.value() for field in fields if field.is_given})
    except SinagotError as error:
        return _Shown(fragment("It did not run well", problem(f"{type(error).__name__}: {error}")))


class _Shown:
    """HTML that a notebook shows as it is."""

    def __init__(self, html: str) -> None:
        self._html = html

    def _repr_html_(self) -> str:
        return self._html


def _show(*values: Any) -> None:
    """Show values in a notebook; elsewhere nobody sees them."""
    shell = sys.modules.get("IPython.display")
    for value in values:
        if value is not None and shell is not None:
            shell.display(value)


def display(html: str, form: Any | None = None) -> None:
    """Show a page, and below it a form, in the notebook that runs; what `_ipython_display_` of an object calls.

    Parameters
    ----------
    html : str
        From `sinagot.pipeline.views.page`. It stays in the notebook's file, where no form does.
    form : object, optional
        From `parameter_form`.
    """
    _show(_Shown(html), form)
