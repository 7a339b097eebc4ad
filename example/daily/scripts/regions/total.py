"""Cases of one day, level: regions."""

from day_total import DayTotal


class Script(DayTotal):
    """The shared step as it is."""
