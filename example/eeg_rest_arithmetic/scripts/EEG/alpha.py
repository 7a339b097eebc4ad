"""Alpha power of one recording: Welch's spectrum, integrated from 8 to 13 Hz."""

import csv

import numpy as np
from scipy.integrate import trapezoid
from scipy.signal import welch

from sinagot import ScriptTemplate

ALPHA_HZ = (8.0, 13.0)  # both edges inside
WINDOW_SAMPLES = 1000  # 2 s at 500 Hz: bins of 0.5 Hz
MICROVOLTS_PER_VOLT = 1e6


class Script(ScriptTemplate):
    """Write one row per EEG channel: its alpha band power in uV^2."""

    PATH_IN = ("signal", "{id}_{task}.npz")
    PATH_OUT = ("alpha", "{id}_{task}.csv")

    def run(self) -> None:
        """Compute the power over the whole recording, with no filter and no new reference."""
        with np.load(self.path.input) as signal:
            # Back to 64 bits before any arithmetic: scipy computes in the precision it is given.
            microvolts = signal["volts"].astype(np.float64) * MICROVOLTS_PER_VOLT
            channels = signal["channels"].tolist()
            sampling_rate = float(signal["sampling_rate_hz"])

        frequencies, density = welch(
            microvolts,
            fs=sampling_rate,
            window="hann",
            nperseg=WINDOW_SAMPLES,
            noverlap=WINDOW_SAMPLES // 2,
            detrend="constant",
            scaling="density",
            average="mean",
        )
        in_band = (frequencies >= ALPHA_HZ[0]) & (frequencies <= ALPHA_HZ[1])
        powers = trapezoid(density[:, in_band], frequencies[in_band], axis=1)

        with open(self.path.output, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["channel", "alpha_uv2"])
            writer.writerows(zip(channels, powers.tolist(), strict=True))
