"""Cases of one day, level: provinces."""

from day_total import DayTotal


class Script(DayTotal):
    """The shared step as it is."""
