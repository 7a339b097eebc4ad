"""Checks merged tables: against the schema, against each other, and their texts.

Knows every key; must not know the disk (`sinagot.config.load` looks at that, every time).
Loaded only when a configuration is new; everything that is wrong goes to `Problems`.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from sinagot.config import schema
from sinagot.config.expressions import expression_problem
from sinagot.config.fit import check_fit
from sinagot.config.hints import closest, did_you_mean, near_miss, spelled_list
from sinagot.config.pipelines import check_pipelines, hint_about
from sinagot.config.problems import KeyPath, Problems

__all__ = ["check_schema", "check_tables", "phrase"]

_PLAIN = {
    str: "text",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


def check_tables(tables: dict[str, Any], problems: Problems) -> None:
    """Report everything that is wrong with merged tables.

    Parameters
    ----------
    tables : dict
        Merged tables of all files, with or without the default keys.
    problems : Problems
        Takes the errors and warnings.
    """
    _check_sections(tables, problems)
    check_schema(tables, problems)
    _check_expressions(tables, problems)
    check_fit(tables, problems)
    check_pipelines(tables, problems)


def _check_sections(tables: dict[str, Any], problems: Problems) -> None:
    sections = list(schema.Workspace.model_fields)
    for name in tables:
        if name in sections:
            continue
        meant = near_miss(name, sections)
        if meant is not None:
            problems.error(
                (name,),
                "unknown section, and too much like one of ours to be one of your own",
                found=name,
                allowed=sections,
                hint=f"did you mean {f'[{meant}]'!r}?",
            )


def check_schema(tables: dict[str, Any], problems: Problems) -> None:
    """Report what each table by itself cannot have; see `check_tables`.

    Parameters
    ----------
    tables : dict
        Some tables, or all.
    problems : Problems
        Takes the errors and warnings.
    """
    own = {name: tables[name] for name in schema.Workspace.model_fields if name in tables}
    try:
        schema.Workspace.model_validate(own)
    except ValidationError as error:
        seen: set[KeyPath] = set()
        for one in error.errors(include_url=False):
            target = _target(one["loc"])
            # One message per key: of a list with many wrong items the first is enough.
            if target.path not in seen:
                seen.add(target.path)
                _report(one["type"], one.get("ctx", {}), target, own, problems)


class _Target(NamedTuple):
    """What a validation error is about: the key, the item of its list, and what the schema has there."""

    path: KeyPath
    item: int | None
    annotation: Any
    #: The annotation with what `Annotated` adds to it.
    written: Any
    field: FieldInfo | None
    #: Keys that the table around it knows.
    siblings: tuple[str, ...]


def _target(loc: Iterable[str | int]) -> _Target:
    path: list[str | int] = []
    item: int | None = None
    annotation: Any = schema.Workspace
    field: FieldInfo | None = None
    siblings: tuple[str, ...] = ()
    for part in loc:
        around = _plain(annotation)
        if _is_model(around):
            known = {one.alias or name: one for name, one in around.model_fields.items()}
            siblings = tuple(known)
            field = known.get(str(part))
            extra = around is schema.Steps and field is None
            annotation = field.annotation if field else schema.Step if extra else None
        elif get_origin(around) is dict:
            field, siblings = None, ()
            annotation = get_args(around)[1]
        elif get_origin(around) is list and isinstance(part, int):
            item = part
            break
        elif part == "table" and (tables := [one for one in get_args(around) if get_origin(one) is dict]):
            annotation = tables[0]  # of a word or a table of words: the branch is no key
            continue
        else:
            break  # inside a union: the branches that pydantic tried are no keys
        path.append(part)
    return _Target(tuple(path), item, _plain(annotation), annotation, field, siblings)


def _report(
    kind: str, context: dict[str, Any], target: _Target, tables: dict[str, Any], problems: Problems
) -> None:
    path = target.path
    if kind == "missing":
        allowed = _allowed(target)
        strangers = [key for key in _value(tables, path[:-1]) if key not in target.siblings]
        meant = closest(str(path[-1]), strangers)
        hint = f"did you write it as {meant!r}?" if meant else None
        problems.error(path, f"required, and absent; allowed {allowed}", allowed=allowed, hint=hint)
        return
    found = _value(tables, path)
    stray_step = path[:1] == ("steps",) and len(path) == 2 and target.field is None
    if kind == "extra_forbidden" or (stray_step and not isinstance(found, dict)):
        hint = did_you_mean(str(path[-1]), target.siblings)
        problems.warning(
            path, "unknown key" if hint else f"unknown key (known: {', '.join(target.siblings)})", hint
        )
        return
    hint = hint_about(path)
    words = [one for one in _members(target.annotation) if get_origin(one) is Literal]
    choices = get_args(words[0]) if words else ()
    if path == ("log", "level"):
        choices = schema.LEVELS
    if choices and isinstance(found, str):
        hint = did_you_mean(found, choices)
    detail = str(context["error"]) if kind == "value_error" else ""
    if target.item is not None and isinstance(found, list):
        problems.mismatch(path, found[target.item], _allowed(target), place=f"item {target.item + 1}: ")
    else:
        problems.mismatch(path, found, _allowed(target), hint, detail)


def _value(tables: Any, path: KeyPath) -> Any:
    for key in path:
        tables = tables[key]
    return tables


def _allowed(target: _Target) -> str:
    return (target.field and _words(target.field)) or phrase(target.written)


def phrase(annotation: Any) -> str:
    """Say in words what a field of the schema takes.

    Parameters
    ----------
    annotation : type
        As a field of `sinagot.config.schema` has it.

    Returns
    -------
    str
        Words for a message or a reference page.

    Examples
    --------
    >>> phrase(list[str]), phrase(str | list[str] | None)
    ('a list of text', 'text or a list of text')
    """
    for metadata in _metadata(annotation):
        if words := _words(metadata):
            return words
    annotation = _plain(annotation)
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin is Literal:
        return spelled_list(repr(choice) for choice in arguments)
    if origin in (Union, UnionType):
        return spelled_list(phrase(one) for one in arguments)
    if origin is list:
        return f"a list of {phrase(arguments[0])}"
    if _is_model(annotation):
        return "a table"
    return _PLAIN.get(origin or annotation, "anything")


def _metadata(annotation: Any) -> Iterable[Any]:
    """Give what `Annotated` adds to a type, or to the only type beside `None`."""
    if get_origin(annotation) in (Union, UnionType):
        members = [one for one in get_args(annotation) if one is not type(None)]
        return _metadata(members[0]) if len(members) == 1 else ()
    return getattr(annotation, "__metadata__", ())


def _words(field: Any) -> str:
    extra = getattr(field, "json_schema_extra", None)
    return str(extra["allowed"]) if isinstance(extra, dict) and "allowed" in extra else ""


def _is_model(annotation: Any) -> bool:
    return (
        isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, BaseModel)
    )


def _plain(annotation: Any) -> Any:
    """Take `Annotated` and `None` away from a type."""
    while hasattr(annotation, "__metadata__"):
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        members = [_plain(one) for one in get_args(annotation) if one is not type(None)]
        return members[0] if len(members) == 1 else Union[tuple(members)]  # noqa: UP007  made of values
    return annotation


def _members(annotation: Any) -> tuple[Any, ...]:
    """Give the types of which a value has one."""
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _check_expressions(tables: dict[str, Any], problems: Problems) -> None:
    records = tables.get("records")
    if not isinstance(records, dict):
        return
    texts: list[tuple[KeyPath, Any]] = [(("records", "id_pattern"), records.get("id_pattern"))]
    entities = records.get("entities")
    if isinstance(entities, dict):
        texts += [(("records", "entities", name), text) for name, text in entities.items()]
    for path, text in texts:
        reason = expression_problem(text) if isinstance(text, str) else ""
        if reason:
            problems.mismatch(path, text, "a regular expression", detail=reason)
