"""Mappers: how one value is taken out of what a run knows, and how what a stage returns becomes its outputs.

Pure functions as objects, so that they are compared, shown and sent to other processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from sinagot.config.hints import did_you_mean

__all__ = [
    "RETURN",
    "DependencyInputMapper",
    "KeyedInputMapper",
    "KeyedOutputMapper",
    "SequentialOutputMapper",
    "outputs_of",
]

#: Name of the output of a stage that has no mapper.
RETURN = "return"


@dataclass(frozen=True)
class KeyedInputMapper:
    """Takes the value of one key.

    Attributes
    ----------
    key : str
        Name of a parameter, a variable, or any key.

    Examples
    --------
    >>> KeyedInputMapper("low")({"low": 8.0, "high": 13.0})
    8.0
    """

    key: Any

    def __call__(self, values: Mapping[Any, Any]) -> Any:
        """Give the value.

        Raises
        ------
        KeyError
            There is none; the message names the known keys.
        """
        if self.key not in values:
            hint = did_you_mean(str(self.key), [str(key) for key in values])
            known = ", ".join(map(str, values)) or "none"
            raise KeyError(f"no {self.key!r}; there is {known}{'; ' + hint if hint else ''}")
        return values[self.key]


@dataclass(frozen=True)
class DependencyInputMapper:
    """Takes one output of one stage out of those that are over.

    Attributes
    ----------
    stage : str
        Name of the stage.
    output : str
        Name of its output.

    Examples
    --------
    >>> DependencyInputMapper("read")({"read": {"return": [1, 2]}})
    [1, 2]
    """

    stage: str
    output: str = RETURN

    def __call__(self, stages: Mapping[str, Mapping[str, Any]]) -> Any:
        """Give the value.

        Raises
        ------
        KeyError
            The stage has no such output.
        """
        outputs = stages.get(self.stage)
        if outputs is None:
            raise KeyError(f"stage {self.stage!r} has given nothing")
        if self.output not in outputs:
            hint = did_you_mean(self.output, list(outputs))
            known = ", ".join(outputs) or "none"
            raise KeyError(
                f"stage {self.stage!r} has no output {self.output!r}; it has {known}{'; ' + hint if hint else ''}"
            )
        return outputs[self.output]


@dataclass(frozen=True, init=False)
class SequentialOutputMapper:
    """Names the items of a sequence that a stage returns.

    Parameters
    ----------
    *args : str
        Names, in their order.
    names : sequence of str
        The same as one list.

    Examples
    --------
    >>> SequentialOutputMapper("data", "rate")(([1, 2], 500))
    {'data': [1, 2], 'rate': 500}
    """

    names: tuple[str, ...]

    def __init__(self, *args: str | Sequence[str], names: Sequence[str] = ()) -> None:
        flat = [one for name in (*args, names) for one in ((name,) if isinstance(name, str) else name)]
        object.__setattr__(self, "names", tuple(flat))

    def __call__(self, value: Any) -> dict[str, Any]:
        """Give the outputs.

        Raises
        ------
        TypeError
            What was returned is no sequence.
        ValueError
            It has another number of items.
        """
        if isinstance(value, (str, bytes, Mapping, AbstractSet)) or not isinstance(value, Iterable):
            raise TypeError(
                f"{len(self.names)} values ({', '.join(self.names)}) are needed, found {type(value).__name__}"
            )
        values = list(value)
        if len(values) != len(self.names):
            raise ValueError(
                f"{len(self.names)} values ({', '.join(self.names)}) are needed, found {len(values)}"
            )
        return dict(zip(self.names, values, strict=True))


@dataclass(frozen=True, init=False)
class KeyedOutputMapper:
    """Takes the outputs out of a mapping that a stage returns.

    Parameters
    ----------
    *names : str
        Keys that are outputs under their own name.
    **renamed : str
        Output = key.

    Examples
    --------
    >>> KeyedOutputMapper("data", rate="sfreq")({"data": [1, 2], "sfreq": 500, "more": None})
    {'data': [1, 2], 'rate': 500}
    """

    keys: tuple[tuple[str, Any], ...]

    def __init__(self, *names: str | Sequence[str] | Mapping[str, Any], **renamed: Any) -> None:
        found: dict[str, Any] = {}
        for name in names:
            if isinstance(name, Mapping):
                found |= dict(name)
            else:
                found |= {one: one for one in ((name,) if isinstance(name, str) else name)}
        object.__setattr__(self, "keys", tuple({**found, **renamed}.items()))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(name for name, _ in self.keys)

    def __call__(self, value: Any) -> dict[str, Any]:
        """Give the outputs.

        Raises
        ------
        TypeError
            What was returned is no mapping.
        KeyError
            It lacks a key.
        """
        if not isinstance(value, Mapping):
            raise TypeError(f"a mapping with {', '.join(self.names)} is needed, found {type(value).__name__}")
        return {name: KeyedInputMapper(key)(value) for name, key in self.keys}


def outputs_of(mapper: Any, value: Any) -> dict[str, Any]:
    """Give the outputs of a stage by name; without a mapper it has one, called ``return``."""
    if mapper is None:
        return {RETURN: value}
    outputs = mapper(value)
    if not isinstance(outputs, Mapping):
        raise TypeError(
            f"the output mapper must give a mapping of names to values, found {type(outputs).__name__}"
        )
    return dict(outputs)
