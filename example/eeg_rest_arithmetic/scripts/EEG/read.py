"""Read one EDF recording: say what is in it, and keep its EEG channels for the next step."""

import json

import numpy as np

from sinagot import ScriptTemplate

EEG_PREFIX = "EEG "


class Script(ScriptTemplate):
    """Write the facts of a recording (JSON) and its EEG channels in volts (npz)."""

    PATH_IN = ("{id}_{task}.edf",)
    PATH_OUT = {
        "info": ("info", "{id}_{task}.json"),
        "signal": ("signal", "{id}_{task}.npz"),
    }

    def run(self) -> None:
        """Split the channels by the type that the file gives as a prefix, and write both outputs."""
        # Here and not at the top: listing the records should not wait for MNE's import.
        import mne

        raw = mne.io.read_raw_edf(self.path.input, preload=False, verbose="WARNING")
        sampling_rate = float(raw.info["sfreq"])
        eeg_channels = [name for name in raw.ch_names if name.startswith(EEG_PREFIX)]
        short_names = [name.removeprefix(EEG_PREFIX) for name in eeg_channels]
        self.logger.info("%d channels, %d of them EEG", len(raw.ch_names), len(eeg_channels))

        # Sex and code in the headers are wrong in some files: the file name alone is the identity.
        info = {
            "sampling_rate_hz": sampling_rate,
            "channels": raw.ch_names,
            "eeg_channels": short_names,
            "n_samples": int(raw.n_times),
            "duration_s": int(raw.n_times) / sampling_rate,
        }
        self.path.output["info"].write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")

        # The file holds 16-bit integers: 32 bits keep them all at half the size of MNE's 64.
        np.savez(
            self.path.output["signal"],
            volts=raw.get_data(picks=eeg_channels).astype(np.float32),
            channels=np.array(short_names),
            sampling_rate_hz=sampling_rate,
        )
