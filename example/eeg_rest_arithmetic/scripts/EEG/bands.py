"""Power of four bands of one recording: read, one spectrum, a map over the bands, one table, one figure."""

import csv
from pathlib import Path

import numpy as np
from scipy.integrate import trapezoid
from scipy.signal import welch

from sinagot.pipeline import Parameters, Pipeline, SequentialOutputMapper, Stage, each
from sinagot.pipeline.input import dependency, known, param, path_in, path_out, record
from sinagot.pipeline.logging import info

EEG_PREFIX = "EEG "
MICROVOLTS_PER_VOLT = 1e6
BANDS_HZ = {
    "delta": (1.0, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 13.0),
    "beta": (13.0, 30.0),
}  # edges inside


def read(path: Path) -> tuple[np.ndarray, list[str], float]:
    """Give the EEG in uV (channels x samples), the names of its channels, and the sampling rate in Hz."""
    import mne

    raw = mne.io.read_raw_edf(path, preload=False, verbose="WARNING")
    channels = [name for name in raw.ch_names if name.startswith(EEG_PREFIX)]
    info(
        "%d channels, %d of them EEG",
        len(raw.ch_names),
        len(channels),
        seconds=raw.n_times / raw.info["sfreq"],
    )
    microvolts = raw.get_data(picks=channels) * MICROVOLTS_PER_VOLT
    return microvolts, [name.removeprefix(EEG_PREFIX) for name in channels], float(raw.info["sfreq"])


def spectrum(microvolts: np.ndarray, sampling_rate: float, window_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Give Welch's frequencies in Hz and power densities in uV^2/Hz, over the whole recording."""
    samples = round(window_s * sampling_rate)
    return welch(
        microvolts,
        fs=sampling_rate,
        window="hann",
        nperseg=samples,
        noverlap=samples // 2,
        detrend="constant",
        scaling="density",
        average="mean",
    )


def band_power(band: str, frequencies: np.ndarray, density: np.ndarray) -> list[float]:
    """Integrate one band: uV^2 for each channel."""
    low, high = BANDS_HZ[band]
    inside = (frequencies >= low) & (frequencies <= high)
    return trapezoid(density[:, inside], frequencies[inside], axis=1).tolist()


def table(powers: list[list[float]], bands: list[str], channels: list[str], path: Path) -> list[list[float]]:
    """Write one row per channel and one column per band, in uV^2."""
    rows = [list(row) for row in zip(*powers, strict=True)]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["channel", *[f"{band}_uv2" for band in bands]])
        writer.writerows([channel, *row] for channel, row in zip(channels, rows, strict=True))
    return rows


def figure(
    rows: list[list[float]], bands: list[str], channels: list[str], record: str, task: str, path: Path
) -> None:
    """Draw the table: one group of bars per channel."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(9, 3.5), layout="constrained")
    axes = drawing.subplots()
    places = np.arange(len(channels))
    width = 0.8 / len(bands)
    for number, band in enumerate(bands):
        axes.bar(
            places + (number - (len(bands) - 1) / 2) * width, [row[number] for row in rows], width, label=band
        )
    axes.set_xticks(places, channels, rotation=90)
    axes.set(ylabel="power (uV²)", yscale="log", title=f"{record}, {task}")
    axes.legend(ncols=len(bands))
    drawing.savefig(path, dpi=100)


pipeline = Pipeline(
    "bands",
    Parameters.define(window_s=2.0),
    paths={
        "raw": ("{id}_{task}.edf",),
        "table": ("bands", "{id}_{task}.csv"),
        "figure": ("bands", "{id}_{task}.png"),
    },
    stages={
        "read": Stage(
            read,
            inputs=[path_in("raw", as_arg="path")],
            output_mapper=SequentialOutputMapper("microvolts", "channels", "sampling_rate"),
        ),
        "spectrum": Stage(
            spectrum,
            inputs=[
                dependency("read", "microvolts", "microvolts"),
                dependency("read", "sampling_rate", "sampling_rate"),
                param("window_s"),
            ],
            output_mapper=SequentialOutputMapper("frequencies", "density"),
        ),
        "powers": Stage(
            band_power,
            inputs=[
                each(known(list(BANDS_HZ), as_arg="band")),
                dependency("spectrum", "frequencies", "frequencies"),
                dependency("spectrum", "density", "density"),
            ],
        ),
        "table": Stage(
            table,
            inputs=[
                dependency("powers"),
                known(list(BANDS_HZ), as_arg="bands"),
                dependency("read", "channels", "channels"),
                path_out("table", as_arg="path"),
            ],
        ),
        "figure": Stage(
            figure,
            inputs=[
                dependency("table", as_arg="rows"),
                known(list(BANDS_HZ), as_arg="bands"),
                dependency("read", "channels", "channels"),
                record("id", as_arg="record"),
                record("task"),
                path_out("figure", as_arg="path"),
            ],
        ),
    },
)
