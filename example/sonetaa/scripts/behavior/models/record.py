"""The class of `record.behavior`: a record with a method of its own."""

from __future__ import annotations

import csv

from sinagot.models import Record as BaseRecord


class Record(BaseRecord):
    """The behavior of one record."""

    # No other task has behavior: `record.behavior` is the unit, nobody has to say `record.HDC.behavior`.
    task = "HDC"

    def coupling(self) -> dict[str, float] | None:
        """Give what the step `coupling` has written, locking and lag_ms; None before it ran."""
        path = self.steps.get("coupling").script.path.output
        if not path.exists():
            return None
        with open(path, newline="", encoding="utf-8") as file:
            return {label: float(value) for label, value in csv.reader(file)}
