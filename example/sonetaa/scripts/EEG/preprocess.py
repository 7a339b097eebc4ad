"""Filter one recording: the first step of every task."""

import json

import numpy as np
from scipy.signal import butter, sosfiltfilt
from signals import Signal, write_channel_table

from sinagot import ScriptTemplate

BAND_HZ = (1.0, 40.0)
MICROVOLTS_PER_VOLT = 1e6


class Script(ScriptTemplate):
    """Write the filtered signal, and how strong it is at each channel: a loose electrode stands out."""

    PATH_IN = ("MFF", "{id}-{task}.mff")
    PATH_OUT = {
        "signal": ("preprocessed", "{id}-{task}-signal.npz"),
        "quality": ("preprocessed", "{id}-{task}-quality.csv"),
    }

    def run(self) -> None:
        """Read the recording's folder and filter forth and back, which shifts no time."""
        info = json.loads((self.path.input / "info.json").read_text(encoding="utf-8"))
        microvolts = np.load(self.path.input / "signal.npy").astype(np.float64) * MICROVOLTS_PER_VOLT
        band_pass = butter(2, BAND_HZ, btype="bandpass", fs=info["sampling_rate_hz"], output="sos")
        filtered = sosfiltfilt(band_pass, microvolts, axis=1)

        Signal(filtered, info["channels"], info["sampling_rate_hz"]).save(self.path.output["signal"])
        rms = np.sqrt(np.mean(filtered**2, axis=1))
        write_channel_table(self.path.output["quality"], "rms_uv", info["channels"], rms)
