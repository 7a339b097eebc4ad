"""What is asked of a pipeline that a workspace lists, by whoever checks or runs it.

Knows nothing of how it was found.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sinagot.scripts.sources import SourceSet

__all__ = ["Listed"]


class Listed(Protocol):
    """One pipeline of a workspace."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def kind(self) -> str:
        """What it is to the workspace."""

    @property
    def file(self) -> str:
        """Where it is written."""

    @property
    def places(self) -> Collection[str]:
        """The steps that it is."""

    @property
    def pipeline(self) -> Any:
        """The pipeline itself, loaded."""

    @property
    def code(self) -> SourceSet | None:
        """The version of its code; None where it is no Python."""
