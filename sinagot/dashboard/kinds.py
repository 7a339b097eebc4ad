"""Pipelines and flows: what pages call them and their parts, and which address was asked for.

Knows words and addresses; all else is the same for both, and written once.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from fastapi import Depends, Request

__all__ = ["FLOWS", "PIPELINES", "AsKind", "Kind", "kind_of"]


class Kind(NamedTuple):
    """A kind of step whose inside is told."""

    #: In addresses.
    path: str
    name: str
    #: What it is made of.
    part: str
    parts: str

    @property
    def title(self) -> str:
        """Its name at the beginning of a heading."""
        return self.name.capitalize()


PIPELINES = Kind("pipelines", "pipeline", "stage", "stages")
FLOWS = Kind("flows", "flow", "processor", "processors")


def kind_of(description: str) -> Kind:
    """Give the kind of a `Description`.

    Examples
    --------
    >>> kind_of("flow").parts, kind_of("template").parts
    ('processors', 'stages')
    """
    return FLOWS if description == FLOWS.name else PIPELINES


def _asked(request: Request) -> Kind:
    # The pattern of the address, in which no name of a step stands.
    return FLOWS if f"/{FLOWS.path}" in request.scope["route"].path else PIPELINES


#: Parameter of an endpoint: which of them its address is about.
AsKind = Annotated[Kind, Depends(_asked)]
