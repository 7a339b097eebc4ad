"""Names by which inputs are spoken of (`check = {events = "digest"}`): what they mean for a step, and which are wrong.

Knows settings and the paths of steps; must not know what is on disk. Blueprints ask when they make steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sinagot.config.hints import did_you_mean
from sinagot.config.settings import Configuration, StepSettings
from sinagot.engine.planning.graph import Slot, StepNode
from sinagot.errors import ConfigurationError

__all__ = ["check_configured", "check_declared", "settled"]


def _name_of(slot: Slot) -> str:
    """Give the name of an input: that of its dict, else its path as it is written, with ``/``."""
    return slot.pattern.source if slot.name is None else slot.name


def settled(settings: StepSettings, inputs: Sequence[Slot]) -> StepSettings:
    """Give the settings of a step with a word for each of its inputs, where some are named."""
    if not isinstance(settings.check, tuple):
        return settings
    ways = [(slot.name, settings.check_of(_name_of(slot)) or "stat") for slot in inputs]
    if {None, *map(_name_of, inputs)}.isdisjoint(dict(settings.check)):
        return settings._replace(check=None)  # the names are those of other steps
    return settings._replace(check=ways[0][1] if ways and ways[0][0] is None else tuple(ways))


def check_declared(said: StepSettings, inputs: Sequence[Slot], where: str) -> None:
    """Refuse a class attribute that names an input which the step does not have.

    Parameters
    ----------
    said : StepSettings
        By the class.
    inputs : sequence of Slot
        Of the step.
    where : str
        Step and file, for the message.

    Raises
    ------
    ConfigurationError
        Names step, file and the names that there are.
    """
    known = [_name_of(slot) for slot in inputs]
    for name in _named(said):
        if name not in known:
            text = f"{name!r} is no input of the step{_those(known)}"
            raise ConfigurationError.at(
                text, key=where, hint=did_you_mean(name, known) or None, found=name, allowed=known
            )


def check_configured(configuration: Configuration, nodes: Sequence[StepNode]) -> None:
    """Refuse tables that name an input which no step that they are about has.

    Parameters
    ----------
    configuration : Configuration
        The tables.
    nodes : sequence of StepNode
        All steps.

    Raises
    ------
    ConfigurationError
        All of them, each with file, line, key and the names that there are.
    """
    errors: list[ConfigurationError] = []
    for path, said, about in _tables(configuration, nodes):
        known = list(dict.fromkeys(_name_of(slot) for node in about for slot in node.inputs))
        # Of a step that is broken nobody knows what it reads.
        strange = [
            name for name in _named(said) if name not in known and not any(node.error for node in about)
        ]
        for name in strange if about else ():
            from sinagot.config.problems import error_at

            who = "no step has" if path == ("run",) else f"step {path[-1]} does not have"
            errors.append(
                error_at(
                    configuration.files,
                    (*path, "check", name),
                    f"{who} this input{_those(known)}",
                    hint=did_you_mean(name, known) or None,
                    found=name,
                    allowed=known,
                )
            )
    if errors:
        from sinagot.config.problems import joined_error

        raise joined_error(errors)


def _tables(
    configuration: Configuration, nodes: Sequence[StepNode]
) -> Iterator[tuple[tuple[str, ...], StepSettings, Sequence[StepNode]]]:
    """Give each table that speaks of steps: its key, what it says, and the steps that it is about."""
    yield ("run",), configuration.run.steps, nodes
    for (modality, label), said in configuration.steps.items():
        own = [node for node in nodes if node.label == label and modality in (None, node.modality)]
        yield ("steps", label) if modality is None else ("modalities", modality, "steps", label), said, own


def _named(said: StepSettings) -> Iterable[str]:
    pairs = said.check if isinstance(said.check, tuple) else ()
    return [name for name, _ in pairs if name is not None]


def _those(known: Sequence[str]) -> str:
    return f"; inputs are {', '.join(map(repr, known))}" if known else "; there is none"
