"""Old import path: `sinagot.utils.StepStatus`."""

from sinagot.engine.planning.status import StepStatus

__all__ = ["StepStatus"]
