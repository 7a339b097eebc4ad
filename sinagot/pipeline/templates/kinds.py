"""Which classes an object of a YAML file may be of, by the last two parts of its ``type:``.

Knows names and import paths; loads a class only when somebody needs it.
`library` asks what a type is called; who builds the object asks for the class.
"""

from __future__ import annotations

import importlib
from typing import Any

from sinagot.config.hints import closest, spelled_list
from sinagot.errors import ConfigurationError

__all__ = ["ON", "PIPELINE", "kind_of", "load_kind", "register_kind", "registered_kinds"]

PIPELINE = "pipeline.Pipeline"
ON = "on.On"

_TARGETS = {
    PIPELINE: "sinagot.pipeline.pipeline:Pipeline",
    ON: "sinagot.schedule.on:On",
}


def register_kind(name: str, target: str) -> None:
    """Make a class known to YAML files.

    Parameters
    ----------
    name : str
        Its last two dotted parts, as in ``type: lab.on.On``: ``"on.On"``.
    target : str
        Where it is: ``"module:attribute"``. It is imported when the first object of that type is made.

    Raises
    ------
    ConfigurationError
        The name or target is of another form, or the name is taken by another class.

    Examples
    --------
    >>> register_kind("counter.Counter", "collections:Counter")
    >>> load_kind("counter.Counter").__name__
    'Counter'
    """
    parts = name.split(".")
    module, colon, attribute = target.partition(":")
    if len(parts) != 2 or not all(part.isidentifier() for part in parts):
        raise ConfigurationError(
            f"found {name!r}, allowed two names joined by a dot, such as 'on.On'", found=name
        )
    if not (
        colon
        and attribute
        and all(part.isidentifier() for part in [*module.split("."), *attribute.split(".")])
    ):
        raise ConfigurationError(f"found {target!r}, allowed 'module:attribute'", found=target)
    if _TARGETS.setdefault(name, target) != target:
        raise ConfigurationError(f"the type {name} is taken by {_TARGETS[name]}", found=name)


def registered_kinds() -> list[str]:
    """Give the names of the known types, sorted."""
    return sorted(_TARGETS)


def kind_of(written: str) -> str:
    """Find the known type that a ``type:`` names.

    Parameters
    ----------
    written : str
        A dotted name of two parts or more; upper and lower case count, as in any import path.

    Returns
    -------
    str
        Its last two parts.

    Raises
    ------
    ConfigurationError
        No such type is known; the message says which are.

    Examples
    --------
    >>> kind_of("ddeutil.workflow.pipeline.Pipeline"), kind_of("on.On")
    ('pipeline.Pipeline', 'on.On')
    >>> kind_of("pipeline.pipline")
    Traceback (most recent call last):
    ConfigurationError: unknown type 'pipeline.pipline', known are ...; did you mean 'pipeline.Pipeline'?
    """
    name = ".".join(written.split(".")[-2:])
    if name in _TARGETS:
        return name
    known = registered_kinds()
    # The class alone, or one of its own case, is near as well.
    candidates = {one.rpartition(".")[2]: one for one in known} | {one: one for one in known}
    best = closest(name, candidates)
    near = f"did you mean {candidates[best]!r}?" if best else None
    raise ConfigurationError.at(
        f"unknown type {written[:100]!r}, known are {spelled_list(known, 'and')}",
        hint=near,
        found=written,
        allowed=known,
    )


def load_kind(name: str) -> Any:
    """Import the class of a known type.

    Parameters
    ----------
    name : str
        One of `registered_kinds`.

    Returns
    -------
    type
        The class.

    Raises
    ------
    ConfigurationError
        It is not where it was said to be.
    """
    module, _, attribute = _TARGETS[name].partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"the type {name} is to be {_TARGETS[name]}: {error}", found=name) from error
    return found
