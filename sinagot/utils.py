"""Old import path: `sinagot.utils.StepStatus`."""

from sinagot.engine.status import StepStatus

__all__ = ["StepStatus"]
