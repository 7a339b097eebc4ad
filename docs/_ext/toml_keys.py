"""Writes the reference of all TOML keys from the schema that checks them: types, defaults and descriptions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sphinx.application import Sphinx

from sinagot.config import schema
from sinagot.config.checks import phrase

TARGET = Path("reference", "generated", "toml-keys.md")


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Give the tables that an annotation speaks of: ``Run``, ``dict[str, Task]``."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        if issubclass(annotation, BaseModel):
            yield annotation
    else:
        for part in get_args(annotation):
            yield from models_in(part)


def tables() -> list[type[BaseModel]]:
    """Give every table of a configuration, in the order of the schema, those inside a table after it."""
    found: dict[type[BaseModel], None] = {}

    def walk(model: type[BaseModel]) -> None:
        extras = model.__annotations__.get("__pydantic_extra__")
        inside = [field.annotation for field in model.model_fields.values()]
        if extras is not None:
            inside.append(schema.Step)
        for annotation in inside:
            for one in models_in(annotation):
                if one not in found:
                    found[one] = None
                    walk(one)

    walk(schema.Workspace)
    return list(found)


def type_words(field: FieldInfo) -> str:
    """Say in words what a key takes."""
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "allowed" in extra:
        return str(extra["allowed"])
    return phrase(field.annotation)


def default_words(field: FieldInfo) -> str:
    """Say what holds where the key is absent."""
    if field.is_required():
        return "required"
    default = field.default
    if default is None:
        return "optional"
    if isinstance(default, bool):
        return f"default `{str(default).lower()}`"
    if isinstance(default, str):
        return f'default `"{default}"`'
    return f"default `{default}`"


def keys_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Give the keys of a table that are no tables of their own."""
    fields = model.model_fields.items()
    return {field.alias or name: field for name, field in fields if not any(models_in(field.annotation))}


def section(model: type[BaseModel]) -> str:
    """Write one table: its heading, what it is, and its keys."""
    head, _, about = (model.__doc__ or "").strip().partition(": ")
    lines = [f"## {head}", "", f"{about[:1].upper()}{about[1:]}", ""]
    for name, field in keys_of(model).items():
        meaning = " ".join((field.description or "").split())
        lines += [f"`{name}` ({type_words(field)}; {default_words(field)})", f": {meaning}", ""]
    return "\n".join(lines)


def page() -> str:
    """Write all tables."""
    return "\n".join(section(model) for model in tables() if keys_of(model))


def write_page(app: Sphinx) -> None:
    """Write the file when it would differ, so that an unchanged schema builds nothing anew."""
    target = Path(app.srcdir) / TARGET
    text = page()
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
