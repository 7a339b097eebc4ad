"""What runs, places and portraits ask of a pipeline, so that none of them needs the class itself.

Knows what a pipeline is made of; must not know how it is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sinagot.pipeline.description import Description
from sinagot.pipeline.parameters import Parameters, Variables
from sinagot.pipeline.settings import LoggerSettings
from sinagot.pipeline.stage import Stage

__all__ = ["Composed"]


class Composed(Protocol):
    """What is made of stages."""

    name: str
    parameters: Parameters
    variables: Variables
    log_settings: LoggerSettings | None
    on_error: str
    #: Files of a record, by name.
    paths: dict[str, Any]

    @property
    def stages(self) -> Mapping[str, Stage]:
        """The stages by name."""

    @property
    def secrets(self) -> frozenset[str]:
        """Texts that nobody is to read."""

    @property
    def width(self) -> int:
        """How many stages may run at once."""

    def description(self) -> Description:
        """Give it as plain data."""
