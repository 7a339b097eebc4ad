"""Compares what is written under `with:` with the signature of a function, and makes its arguments.

Knows signatures and types; must not know where a function comes from. pydantic is loaded on the first question.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sinagot.config.hints import did_you_mean
from sinagot.config.quiet import quiet
from sinagot.errors import ConfigurationError
from sinagot.pipeline.templates.expressions import Template
from sinagot.pipeline.templates.faults import kind_of, known_list

__all__ = ["Arguments", "Fault"]

_NAMED = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
)


class Fault(NamedTuple):
    """What is wrong with an argument, or with all of them when the name is empty."""

    name: str
    message: str
    hint: str = ""


class Arguments:
    """What a function takes.

    Parameters
    ----------
    function : callable
        With a signature that Python can tell; its module can be imported at this moment.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.signature = inspect.signature(function)
        parameters = self.signature.parameters.values()
        self.names = tuple(one.name for one in parameters if one.kind in _NAMED)
        self._takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters)
        hints = _hints(inspect.unwrap(function), self.signature)
        # Now, not when they are asked for: types may name others of their module, which can be found at this moment.
        self._adapters = {name: _adapter_of(hint) for name, hint in hints.items() if hint is not Any}

    def faults(self, written: Mapping[str, Any]) -> list[Fault]:
        """Find what is wrong with arguments as they are written, before a run.

        Parameters
        ----------
        written : mapping
            Name -> value; one with a template within is of a kind that only the run tells.

        Returns
        -------
        list of Fault
            Missing and unknown arguments, and values of a wrong type.
        """
        named, faults = self._named(written)
        for name, value in named.items():
            try:
                template = value if isinstance(value, Template) else Template.parse(value)
            except ConfigurationError:
                continue  # who has parsed it has told
            if template.is_constant:
                faults += self._converted(name, template.render({}))[1]
        return faults

    def bind(self, values: Mapping[str, Any]) -> tuple[inspect.BoundArguments, list[Fault]]:
        """Make the arguments of a call.

        Parameters
        ----------
        values : mapping
            Name -> value.

        Returns
        -------
        arguments : BoundArguments
            Converted to the types that the function names; of no use when something is wrong.
        faults : list of Fault
            What is wrong.
        """
        named, faults = self._named(values)
        for name, value in named.items():
            named[name], wrong = self._converted(name, value)
            faults += wrong
        if faults:
            return self.signature.bind_partial(), faults
        first = [
            named.pop(one.name)
            for one in self.signature.parameters.values()
            if one.kind is inspect.Parameter.POSITIONAL_ONLY and one.name in named
        ]
        return self.signature.bind(*first, **named), []

    def _named(self, written: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
        """Find the parameter of each name; `-` may stand for `_`."""
        named: dict[str, Any] = {}
        faults: list[Fault] = []
        for name, value in written.items():
            key = name if name in self.names else str(name).replace("-", "_")
            if key in named:
                faults.append(Fault(str(name), f"argument {key!r} is given twice"))
            elif key in self.names or (self._takes_any and isinstance(name, str)):
                named[key if key in self.names else name] = value
            else:
                faults.append(
                    Fault(
                        str(name),
                        f"unknown argument {str(name)!r}, known are {known_list(self.names)}",
                        did_you_mean(str(name), self.names),
                    )
                )
        missing = [
            one.name
            for one in self.signature.parameters.values()
            if one.kind in _NAMED and one.default is one.empty and one.name not in named
        ]
        if missing:
            faults.append(Fault("", f"missing argument {', '.join(map(repr, missing))}"))
        return named, faults

    def _converted(self, name: str, value: Any) -> tuple[Any, list[Fault]]:
        adapter = self._adapters.get(name)
        if adapter is None:
            return value, []
        from pydantic import ValidationError

        try:
            return adapter.validate_python(value), []
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            inner = ".".join(map(str, first["loc"]))
            place = f" at {inner}" if inner else ""
            return value, [Fault(name, f"argument {name!r} is {kind_of(value)}: {first['msg']}{place}")]


def _adapter_of(hint: Any) -> Any:
    from pydantic import ConfigDict, PydanticUserError, TypeAdapter

    with quiet():  # an annotation that is no type is nobody's mistake here
        try:
            return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
        except PydanticUserError:
            pass  # a model or a dataclass, which has a configuration of its own
        try:
            return TypeAdapter(hint)
        except Exception:  # noqa: BLE001  (an annotation can be anything: one that is no type says nothing)
            return None


def _hints(function: Callable[..., Any], signature: inspect.Signature) -> dict[str, Any]:
    """Give the types that a function names; one that cannot be resolved is left out."""
    names = getattr(function, "__globals__", {})
    found: dict[str, Any] = {}
    for one in signature.parameters.values():
        if one.annotation is not one.empty and one.kind in _NAMED:
            alone = types.SimpleNamespace(__annotations__={one.name: one.annotation})
            try:
                found |= typing.get_type_hints(alone, names, include_extras=True)
            except Exception:  # noqa: BLE001  (a name that only the type checker knows, or no type at all)
                found[one.name] = Any
    return found
