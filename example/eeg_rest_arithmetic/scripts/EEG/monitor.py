"""Alpha power of a recording while it is read, ten seconds at a time, with early warnings: a flow of processors."""

from collections.abc import AsyncIterator, Iterator
from logging import getLogger
from pathlib import Path
from typing import Any

import edf
import numpy as np
from scipy.integrate import trapezoid
from scipy.signal import welch

from sinagot.flow import IO, Flow, IOVal, Processor

LOG = getLogger(__name__)

CHUNK_S = 10.0
ALPHA_HZ = (8.0, 13.0)  # both edges inside, as in alpha.py
WINDOW_S = 2.0  # of a segment of Welch's spectrum; the next one begins half a window later

# What is told of a channel, each in one chunk:
FLAT_UV = 0.5  # its lowest and highest samples are not further apart
SATURATED = 0.005  # share of samples at the limits of the recorder
JUMP_UV = 100.0  # from one sample to the next
LINE_HZ, LINE_SHARE = 50.0, 0.5  # share of the power above 1 Hz that is within 1 Hz of the mains

read = Processor("read", inputs=["recording"], outputs=["facts", "chunks"], max_lead=4)
power = Processor("power", inputs=["facts", "chunks"], outputs=["powers"])
check = Processor("check", inputs=["facts", "chunks"], outputs=["warnings"])
average = Processor("average", inputs=["powers"], outputs=["running", "alpha"])


@read
def _read(recording: IO[Path]) -> Iterator[IOVal[Any]]:
    """Give what the header says, then chunk after chunk, as the 16-bit integers of the file."""
    path = recording.first()
    header = edf.read_header(path)
    yield IOVal("facts", header.scales())
    for from_s, samples in edf.read_chunks(path, header, CHUNK_S):
        yield IOVal("chunks", {"from_s": from_s, "samples": samples})


@power
def _power(facts: IO[dict[str, Any]], chunks: IO[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give for each chunk the alpha power of the segments that end in it."""
    scales = facts.first()
    rate = scales["sampling_rate"]
    window = round(WINDOW_S * rate)
    step = window - window // 2
    rest = np.empty((len(scales["channels"]), 0))
    for chunk in chunks.stream():
        # With the end of the chunk before: else there were no segments across borders, a tenth of them all.
        signal = np.concatenate([rest, edf.microvolts(chunk["samples"], scales)], axis=1)
        segments = max(0, (signal.shape[1] - window) // step + 1)
        rest = signal[:, segments * step :]
        if segments:
            alpha = alpha_power(signal, rate, window)
            yield {
                "from_s": chunk["from_s"],
                "segments": segments,
                "alpha_uv2": dict(zip(scales["channels"], alpha.tolist(), strict=True)),
            }


@check
def _check(facts: IO[dict[str, Any]], chunks: IO[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Tell what is wrong with a channel, as soon as its chunk is read."""
    scales = facts.first()
    for chunk in chunks.stream():
        for channel, what, value, limit in faults(chunk["samples"], scales):
            LOG.warning("%s is %s in the chunk from %g s: %.3g", channel, what, chunk["from_s"], value)
            yield {
                "from_s": chunk["from_s"],
                "channel": channel,
                "what": what,
                "value": value,
                "limit": limit,
            }


@average
async def _average(powers: IO[dict[str, Any]]) -> AsyncIterator[IOVal[Any]]:
    """Give the mean up to now after each chunk; the last one is the result."""
    segments, sums = 0, {}
    means: dict[str, float] = {}
    async for one in powers.stream():
        segments += one["segments"]
        for channel, alpha in one["alpha_uv2"].items():
            sums[channel] = sums.get(channel, 0.0) + alpha * one["segments"]
        means = {channel: total / segments for channel, total in sums.items()}
        yield IOVal("running", {"from_s": one["from_s"], "segments": segments, "alpha_uv2": means})
    for channel, mean in means.items():
        yield IOVal("alpha", {"channel": channel, "alpha_uv2": mean})


def alpha_power(signal: np.ndarray, rate: float, window: int) -> np.ndarray:
    """Give the mean alpha power of all segments of a signal: uV^2 for each channel, as alpha.py computes it."""
    frequencies, density = welch(
        signal,
        fs=rate,
        window="hann",
        nperseg=window,
        noverlap=window // 2,
        detrend="constant",
        scaling="density",
        average="mean",
    )
    in_band = (frequencies >= ALPHA_HZ[0]) & (frequencies <= ALPHA_HZ[1])
    return trapezoid(density[:, in_band], frequencies[in_band], axis=1)


def faults(samples: np.ndarray, scales: dict[str, Any]) -> Iterator[tuple[str, str, float, float]]:
    """Give channel, fault, what was found and the limit that it is beyond, for one chunk."""
    signal = edf.microvolts(samples, scales)
    span = signal.max(axis=1) - signal.min(axis=1)
    lowest, highest = np.array(scales["lowest"])[:, None], np.array(scales["highest"])[:, None]
    saturated = ((samples <= lowest) | (samples >= highest)).mean(axis=1)
    jump = np.abs(np.diff(signal, axis=1)).max(axis=1, initial=0.0)
    strength = np.abs(np.fft.rfft(signal)) ** 2
    frequencies = np.fft.rfftfreq(signal.shape[1], 1 / scales["sampling_rate"])
    is_line = np.abs(frequencies - LINE_HZ) <= 1
    line = strength[:, is_line].sum(axis=1) / np.maximum(strength[:, frequencies >= 1].sum(axis=1), 1e-12)
    for number, channel in enumerate(scales["channels"]):
        if span[number] <= FLAT_UV:
            yield channel, "flat", float(span[number]), FLAT_UV
            continue  # what else is true of a flat line says nothing more
        if saturated[number] >= SATURATED:
            yield channel, "saturated", float(saturated[number]), SATURATED
        if jump[number] >= JUMP_UV:
            yield channel, "jumping", float(jump[number]), JUMP_UV
        if line[number] >= LINE_SHARE:
            yield channel, "full of line noise", float(line[number]), LINE_SHARE


flow = Flow.from_processors(
    read,
    power,
    check,
    average,
    path_in=("{id}_{task}.edf",),
    sink={
        "alpha": ("monitor", "{id}_{task}.csv"),
        "running": ("monitor", "{id}_{task}_running.jsonl"),
        "warnings": ("monitor", "{id}_{task}_warnings.jsonl"),
    },
)
