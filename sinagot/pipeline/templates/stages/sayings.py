"""What stages of templates say in the log, with the line of the file in which they stand.

Knows voices; must not know kinds.
"""

from __future__ import annotations

import logging

from sinagot.pipeline.templates.places import Place
from sinagot.runlog.listeners import LISTENERS

__all__ = ["say"]


def say(text: str, place: Place, level: int = logging.INFO) -> None:
    """Say a line for the stage that runs here."""
    voice = LISTENERS.current()
    if voice is not None:
        facts = {"file": str(place.file), "line": place.line}
        voice.say(text, level, logging.getLevelName(level), facts=facts)
