"""Mismatch negativity: what the brain adds to its answer when a tone differs from the ones before."""

import csv

import numpy as np
from signals import load_signal

from sinagot import ScriptTemplate

CHANNEL = "Fz"
WINDOW_S = (0.13, 0.21)  # after the tone
EPOCH_S = 0.5


class Script(ScriptTemplate):
    """Write one number: the mean of the difference wave (deviant minus standard) in the window, in uV."""

    # The recording again: the tones stand there, the signal in the output of the step before.
    PATH_IN = {
        "signal": ("preprocessed", "{id}-{task}-signal.npz"),
        "recording": ("MFF", "{id}-{task}.mff"),
    }
    PATH_OUT = ("results", "{id}-{task}-mismatch.txt")

    def run(self) -> None:
        """Average the epochs of each kind of tone and subtract."""
        signal = load_signal(self.path.input["signal"])
        channel = signal.microvolts[signal.channels.index(CHANNEL)]
        n_samples = int(EPOCH_S * signal.sampling_rate_hz)
        epochs: dict[str, list[np.ndarray]] = {"standard": [], "deviant": []}
        with open(self.path.input["recording"] / "events.csv", newline="", encoding="utf-8") as file:
            for event in csv.DictReader(file):
                start = int(event["sample"])
                epochs[event["kind"]].append(channel[start : start + n_samples])

        difference = np.mean(epochs["deviant"], axis=0) - np.mean(epochs["standard"], axis=0)
        first, last = (int(edge * signal.sampling_rate_hz) for edge in WINDOW_S)
        amplitude = difference[first:last].mean()
        self.logger.info("%d standards, %d deviants", len(epochs["standard"]), len(epochs["deviant"]))
        self.path.output.write_text(f"{amplitude:.4f}", encoding="utf-8")
