"""Alpha power of real EEG: a recording, its power by channel, one table of all people and tasks, a picture."""

from pathlib import Path

import mne
import numpy as np
import pandas as pd
from scipy.integrate import trapezoid
from scipy.signal import welch

import sinagot as sg

ALPHA_HZ = (8.0, 13.0)  # both edges inside
WINDOW_SAMPLES = 1000  # 2 s at 500 Hz: bins of 0.5 Hz
MICROVOLTS_PER_VOLT = 1e6
TASKS = {"1": "rest", "2": "arithmetic"}


@sg.step
def alpha_power(raw: mne.io.BaseRaw, workflow_id: str) -> pd.DataFrame:
    """Compute the alpha power of every EEG channel over the whole recording, in uV^2."""
    channels = [name for name in raw.ch_names if name.startswith("EEG ")]
    microvolts = raw.get_data(picks=channels) * MICROVOLTS_PER_VOLT
    frequencies, density = welch(
        microvolts,
        fs=raw.info["sfreq"],
        window="hann",
        nperseg=WINDOW_SAMPLES,
        noverlap=WINDOW_SAMPLES // 2,
        detrend="constant",
        scaling="density",
        average="mean",
    )
    in_band = (frequencies >= ALPHA_HZ[0]) & (frequencies <= ALPHA_HZ[1])
    subject, _, code = workflow_id.partition("_")
    return pd.DataFrame(
        {
            "subject": subject,
            "task": TASKS[code],
            "channel": [name.removeprefix("EEG ") for name in channels],
            "alpha_uv2": trapezoid(density[:, in_band], frequencies[in_band], axis=1),
        }
    )


class Recording(sg.Workflow):
    """One EEG recording: one person, one task."""

    raw: mne.io.BaseRaw = sg.seed()
    alpha: pd.DataFrame = alpha_power.step(raw)


class EEGWorkspace(sg.Workspace[Recording]):
    """A folder with EDF files; tables go beside them."""

    WORKFLOW_ID_PATTERN = r"Subject\d{2}_[12]"
    raw = sg.LocalStorage("eeg/{workflow_id}.edf")
    alpha = sg.LocalStorage("alpha/{workflow_id}.csv")
    table = sg.collect(Recording.alpha).to("tables/alpha.csv")


def draw(ws: EEGWorkspace, channel: str = "Pz") -> Path:
    """Draw the alpha power of each person at one electrode, at rest and in mental arithmetic."""
    from matplotlib.figure import Figure

    everything = pd.concat(ws.table.values())
    powers = everything[everything["channel"] == channel].pivot_table(
        index="subject", columns="task", values="alpha_uv2"
    )
    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(powers))
    for shift, task in enumerate(("rest", "arithmetic")):
        axes.bar(places + 0.4 * shift - 0.2, powers[task], width=0.4, label=task)
    axes.set_xticks(places, powers.index)
    axes.set_ylabel(f"alpha power at {channel} (uV²)")
    axes.legend()
    file = ws.root_path / "tables" / f"alpha-{channel}.png"
    figure.savefig(file)
    return file
