"""What the EEG steps share: the file of a clean signal, and the power in a band."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.integrate import trapezoid
from scipy.signal import welch


class Signal(NamedTuple):
    """A recording in memory: microvolts of shape (n_channels, n_samples), and what they are."""

    microvolts: np.ndarray
    channels: list[str]
    sampling_rate_hz: float

    def save(self, path: Path) -> None:
        """Write the signal as npz."""
        np.savez(
            path, microvolts=self.microvolts, channels=self.channels, sampling_rate_hz=self.sampling_rate_hz
        )


def load_signal(path: Path) -> Signal:
    """Read what `Signal.save` has written."""
    with np.load(path) as file:
        return Signal(file["microvolts"], file["channels"].tolist(), float(file["sampling_rate_hz"]))


def band_power(signal: Signal, low_hz: float, high_hz: float) -> np.ndarray:
    """Give the power of each channel from low to high (both inside), shape (n_channels,), in uV^2."""
    window = int(2 * signal.sampling_rate_hz)
    frequencies, density = welch(signal.microvolts, fs=signal.sampling_rate_hz, nperseg=window)
    in_band = (frequencies >= low_hz) & (frequencies <= high_hz)
    return trapezoid(density[:, in_band], frequencies[in_band], axis=1)


def write_channel_table(path: Path, column: str, channels: list[str], values: np.ndarray) -> None:
    """Write one row per channel: its name and one number."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["channel", column])
        writer.writerows(zip(channels, values.tolist(), strict=True))
