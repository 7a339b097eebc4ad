"""Alpha power at rest."""

from signals import band_power, load_signal, write_channel_table

from sinagot import ScriptTemplate

ALPHA_HZ = (8.0, 13.0)


class Script(ScriptTemplate):
    """Write one row per channel: power in the alpha band, in uV^2."""

    PATH_IN = ("preprocessed", "{id}-{task}-signal.npz")
    PATH_OUT = ("results", "{id}-{task}-alpha.csv")

    def run(self) -> None:
        """Compute over the whole recording."""
        signal = load_signal(self.path.input)
        write_channel_table(self.path.output, "power_uv2", signal.channels, band_power(signal, *ALPHA_HZ))
