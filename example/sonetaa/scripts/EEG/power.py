"""Power in two bands while a person moves together with the virtual partner."""

import csv

from signals import band_power, load_signal

from sinagot import ScriptTemplate

BANDS_HZ = {"alpha": (8.0, 13.0), "beta": (13.0, 30.0)}


class Script(ScriptTemplate):
    """Write one row per channel: power in the alpha and in the beta band, in uV^2."""

    PATH_IN = ("preprocessed", "{id}-{task}-signal.npz")
    PATH_OUT = ("results", "{id}-{task}-power.csv")

    def run(self) -> None:
        """Compute over the whole recording."""
        signal = load_signal(self.path.input)
        powers = [band_power(signal, *band).tolist() for band in BANDS_HZ.values()]
        with open(self.path.output, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["channel", *(f"{name}_uv2" for name in BANDS_HZ)])
            writer.writerows(zip(signal.channels, *powers, strict=True))
