"""Old import paths of errors."""

from sinagot.errors import NoModalityError, NotFoundError, NotUnitError

__all__ = ["NoModalityError", "NotFoundError", "NotUnitError"]
