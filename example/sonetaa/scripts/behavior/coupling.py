"""How closely a person's hand follows the virtual partner's."""

import csv

import numpy as np
from scipy.signal import hilbert

from sinagot import ScriptTemplate

PARTNER_HZ = 1.2


class Script(ScriptTemplate):
    """Write two numbers: locking (0 = none, 1 = the phase difference never changes), and lag in ms."""

    PATH_IN = ("HDC", "{id}-{task}.csv")
    PATH_OUT = ("results", "{id}-{task}-coupling.csv")

    def run(self) -> None:
        """Take the phase of both movements, and the mean of their difference on the circle."""
        movements = np.loadtxt(self.path.input, delimiter=",", skiprows=1)
        person, partner = (hilbert(column - column.mean()) for column in movements[:, 1:].T)
        resultant = np.mean(np.exp(1j * (np.angle(person) - np.angle(partner))))

        locking = abs(resultant)
        # Above 0: the person comes after the partner.
        lag_ms = -np.angle(resultant) / (2 * np.pi * PARTNER_HZ) * 1000
        with open(self.path.output, "w", newline="", encoding="utf-8") as file:
            # label,value without a header: what `series_from_csv` reads.
            csv.writer(file).writerows([["locking", f"{locking:.4f}"], ["lag_ms", f"{lag_ms:.1f}"]])
