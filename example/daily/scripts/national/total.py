"""Cases of one day, level: national."""

from day_total import DayTotal


class Script(DayTotal):
    """The shared step as it is."""
