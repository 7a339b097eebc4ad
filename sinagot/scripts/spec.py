"""`StepSpec`: what the engine needs to know of a step without executing it, and how it is read from a class.

Knows the shape of path declarations and nothing of their fields; must not know records or the disk.
`sinagot.scripts.loading` makes specs, the workspace binds their patterns, the planner compares their digests.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from sinagot.config.settings import StepSettings
from sinagot.errors import ScriptError

__all__ = ["PathSource", "SpecSource", "StepSpec", "paths_from_json", "read_paths", "read_settings"]

#: A path declaration in plain form: parts, text with "/", or a dict of those as the user ordered it.
PathSource = tuple[str, ...] | str | dict[str, "tuple[str, ...] | str"]


class StepSpec(NamedTuple):
    """One step as plain data; equal digests mean equal code.

    Attributes
    ----------
    name : str
        Name of the script.
    modality : str or None
        Name of the modality; None in unit mode.
    file : str
        Absolute path of the script; for a command, the folder that it runs in.
    digest : str
        Changes when the script, or any local module that it imports, changes.
    inputs, outputs : PathSource
        Patterns, with ``{task}`` and ``{modality}`` still in them.
    control : PathSource or None
        None when the script declares none of its own.
    atomic : bool
        Whether outputs are written to a stage first.
    sources : tuple of (str, str)
        Path and digest of the script and of every local module that it imports, in the order of discovery.
    command : tuple of str, optional
        The words of a command step.
    error : str, optional
        Why the step cannot be used; never set by this layer.
    shell : bool
        Whether the command goes through a shell.
    settings : StepSettings
        What the class says of itself by its attributes ``TIMEOUT``, ``RETRIES`` and so on.
    typed : bool
        Whether it has a class `Params` that checks its parameters.
    is_group : bool
        Whether it runs once for all records.
    is_pipeline : bool
        Whether its script defines a pipeline instead of a class.
    is_flow : bool
        Whether its script defines a flow instead of a class.
    """

    name: str
    modality: str | None
    file: str
    digest: str
    inputs: PathSource
    outputs: PathSource
    control: PathSource | None = None
    atomic: bool = True
    sources: tuple[tuple[str, str], ...] = ()
    command: tuple[str, ...] | None = None
    error: str | None = None
    shell: bool = False
    settings: StepSettings = StepSettings()
    typed: bool = False
    is_group: bool = False
    is_pipeline: bool = False
    is_flow: bool = False


class SpecSource(Protocol):
    """Anything that can say which step it is, such as a node of a pipeline."""

    def to_step_spec(self) -> StepSpec:
        """Give the step as plain data."""
        ...  # pragma: no cover


def read_paths(value: Any, attribute: str, *, step: str, file: str, may_be_empty: bool = False) -> PathSource:
    """Bring a path declaration into its plain form.

    Parameters
    ----------
    value : tuple or list of str, str, or dict of those
        What the user wrote.
    attribute : str
        Where it stands, for the message: ``"PATH_IN"``.
    step, file : str
        What the declaration belongs to, for the message.
    may_be_empty : bool, default False
        Whether an empty dict is allowed: a step may read nothing, but must write something.

    Returns
    -------
    PathSource
        Tuples for lists; dicts keep their order.

    Raises
    ------
    ScriptError
        When the value is anything else; the message names the attribute.

    Examples
    --------
    >>> read_paths(["raw", "{id}.csv"], "PATH_IN", step="count", file="count.py")
    ('raw', '{id}.csv')
    """

    def read_one(one: Any, where: str) -> tuple[str, ...] | str:
        if isinstance(one, str) and one:
            return str(one)
        if isinstance(one, (tuple, list)) and all(isinstance(part, str) for part in one) and any(one):
            return tuple(str(part) for part in one)
        raise _bad_paths(one, where, step, file)

    if isinstance(value, Mapping) and (value or may_be_empty):
        for key in value:
            if not isinstance(key, str):
                raise _bad_paths(value, attribute, step, file)
        return {str(key): read_one(one, f"{attribute}[{key!r}]") for key, one in value.items()}
    return read_one(value, attribute)


def _bad_paths(found: Any, where: str, step: str, file: str) -> ScriptError:
    text = repr(found)
    text = text if len(text) <= 80 else text[:77] + "..."
    return ScriptError(
        f"step {step!r} ({file}): {where} must be text, a tuple of texts or a dict of those, and not empty; "
        f"found {text}",
        step=step,
        file=Path(file),
        attribute=where,
    )


def read_settings(attributes: Mapping[str, Any], *, step: str, file: str) -> StepSettings:
    """Read what a class says of its step.

    Parameters
    ----------
    attributes : mapping
        Values by the names of `StepSettings`; None where the class says nothing.
    step, file : str
        What they belong to, for the message.

    Raises
    ------
    ScriptError
        A value is not what the key takes; the message names the attribute.

    Examples
    --------
    >>> read_settings({"timeout": "10 min", "retries": 2}, step="alpha", file="alpha.py").timeout
    600.0
    """
    said = {name: value for name, value in attributes.items() if value is not None}
    if not said:
        return StepSettings()
    from sinagot.config.quantities import step_settings  # few scripts say anything

    try:
        return step_settings(said)
    except ValueError as error:
        key = str(error.args[-1])
        raise ScriptError(
            f"step {step!r} ({file}): {key.upper()} must be {error.args[0]}; found {said[key]!r}",
            step=step,
            file=Path(file),
            attribute=key.upper(),
        ) from error


def paths_from_json(value: Any) -> PathSource:
    """Read back what JSON made of a `PathSource`.

    Raises
    ------
    ValueError
        When it is none.

    Examples
    --------
    >>> paths_from_json({"a": ["raw", "{id}.csv"], "b": "raw/{id}.txt"})
    {'a': ('raw', '{id}.csv'), 'b': 'raw/{id}.txt'}
    """
    try:
        return read_paths(value, "paths", step="", file="", may_be_empty=True)
    except ScriptError as error:
        raise ValueError(str(error)) from error
