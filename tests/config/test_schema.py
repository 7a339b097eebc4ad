"""Laws of the schema as a reference page."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from sinagot.config import schema, services, settings
from sinagot.config.checks import phrase

MODELS = [
    getattr(module, name)
    for module in (schema, services)
    for name in module.__all__
    if isinstance(getattr(module, name), type)
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_is_described(model: type[BaseModel]) -> None:
    """Each table has a sentence, each key has one below it and a type that can be said in words."""
    assert model.__doc__
    for name, field in model.model_fields.items():
        assert field.description, name
        assert phrase(field.annotation) != "anything", name


def defaults(model: Any, keys: dict[str, Any]) -> dict[str, Any]:
    fields = model.model_fields
    return {
        key: defaults(fields[key].annotation, value) if isinstance(value, dict) else fields[key].default
        for key, value in keys.items()
    }


def test_reference_shows_the_real_defaults() -> None:
    """The defaults that the schema shows are those that are filled in."""
    assert defaults(schema.Workspace, settings.DEFAULTS) == settings.DEFAULTS
