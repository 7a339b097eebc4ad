"""The logger of a workspace: plain use of `ws.logger` shows messages on standard output.

Knows the section `[log]`; must not know records or jobs, whose lines go their own way. Handlers of others are left
alone.
"""

from __future__ import annotations

import logging
import sys

from sinagot.config.settings import LogSettings

__all__ = ["workspace_logger"]


class _StdoutHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to the `sys.stdout` of the moment: notebooks and test runners replace it."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    @property
    def stream(self):  # type: ignore[no-untyped-def]
        return sys.stdout

    @stream.setter
    def stream(self, value) -> None:  # type: ignore[no-untyped-def]
        """Ignore the stream: it is looked up for each message."""


def workspace_logger(settings: LogSettings) -> logging.Logger:
    """Give the logger of a name with the level and format of a workspace; the last workspace opened wins."""
    logger = logging.getLogger(settings.name)
    logger.setLevel(settings.level)
    for handler in list(logger.handlers):
        if isinstance(handler, _StdoutHandler):
            logger.removeHandler(handler)
    handler = _StdoutHandler()
    handler.setFormatter(logging.Formatter(settings.format))
    logger.addHandler(handler)
    return logger
