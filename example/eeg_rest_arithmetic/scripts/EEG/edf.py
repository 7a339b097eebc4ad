"""EDF files read a piece at a time: only the header and the piece that is asked for are ever in memory.

MNE reads pieces too, but all annotations when it opens a file: for a day some 140 MB, for what is not needed here.
The format: R. Kemp et al., doi 10.1016/0013-4694(92)90009-7; EDF+: doi 10.1016/s1388-2457(03)00123-8.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ANNOTATIONS = "EDF Annotations"
MICROVOLTS = {"uV": 1.0, "mV": 1e3, "V": 1e6}
#: Widths of the fields of a signal in the header, in their order.
FIELDS = {
    "label": 16,
    "transducer": 80,
    "unit": 8,
    "physical_min": 8,
    "physical_max": 8,
    "digital_min": 8,
    "digital_max": 8,
    "filter": 80,
    "samples": 8,
    "reserved": 32,
}


@dataclass(frozen=True)
class Header:
    """What an EDF file says of the channels whose label begins with a prefix.

    Attributes
    ----------
    channels : list of str
        Their names, without the prefix.
    sampling_rate : float, Hz
        The same for all of them.
    records, record_s : int, float
        How many data records the file has, and the seconds of one.
    """

    channels: list[str]
    sampling_rate: float
    records: int
    record_s: float
    #: Bytes of the header; 16-bit samples of one data record, and which of them are these channels.
    size: int
    record_size: int
    columns: list[slice]
    #: Digital limits, and what makes microvolts of a digital sample: ``gain * sample + offset``.
    lowest: list[int]
    highest: list[int]
    gain: np.ndarray
    offset: np.ndarray

    def scales(self) -> dict[str, Any]:
        """Give what the samples mean, as plain values."""
        names = ("channels", "sampling_rate", "lowest", "highest", "gain", "offset")
        return {name: getattr(self, name) for name in names}


def microvolts(samples: np.ndarray, scales: Mapping[str, Any]) -> np.ndarray:
    """Give digital samples in microvolts, in 64 bits."""
    return samples * scales["gain"][:, None] + scales["offset"][:, None]


def read_header(path: Path, prefix: str = "EEG ") -> Header:
    """Read the header of a file.

    Raises
    ------
    ValueError
        When the file has gaps, or these channels are not sampled alike or not in volts.
    """
    with open(path, "rb") as file:
        first = file.read(256)
        if first[192:197] == b"EDF+D":
            raise ValueError(f"{path.name} has gaps (EDF+D), and chunks would not be what their times say")
        count = int(first[252:256])
        fields = {
            name: [file.read(width).decode("latin-1").strip() for _ in range(count)]
            for name, width in FIELDS.items()
        }
    samples = [int(text) for text in fields["samples"]]
    size, record_size, record_s = 256 * (count + 1), sum(samples), float(first[244:252])
    records = int(first[236:244])
    if records < 0:  # the recorder was switched off, or still writes
        records = (path.stat().st_size - size) // (2 * record_size)

    chosen = [number for number, label in enumerate(fields["label"]) if label.startswith(prefix)]
    rates = {samples[number] / record_s for number in chosen}
    units = {fields["unit"][number] for number in chosen}
    if len(rates) != 1 or not units <= set(MICROVOLTS):
        raise ValueError(f"{path.name}: channels {prefix!r} have rates {rates} and units {units}")

    def of(name: str) -> np.ndarray:
        return np.array([float(fields[name][number]) for number in chosen])

    scale = np.array([MICROVOLTS[fields["unit"][number]] for number in chosen])
    gain = (of("physical_max") - of("physical_min")) / (of("digital_max") - of("digital_min"))
    starts = np.cumsum([0, *samples])
    return Header(
        channels=[fields["label"][number].removeprefix(prefix) for number in chosen],
        sampling_rate=rates.pop(),
        records=records,
        record_s=record_s,
        size=size,
        record_size=record_size,
        columns=[slice(starts[number], starts[number + 1]) for number in chosen],
        lowest=of("digital_min").astype(int).tolist(),
        highest=of("digital_max").astype(int).tolist(),
        gain=gain * scale,
        offset=(of("physical_min") - of("digital_min") * gain) * scale,
    )


def read_chunks(path: Path, header: Header, seconds: float) -> Iterator[tuple[float, np.ndarray]]:
    """Give the digital samples of the chosen channels, about so many seconds at a time; the last chunk may be shorter.

    Yields
    ------
    tuple of float, seconds, and ndarray, shape (n_channels, n_times), int16
        When the chunk begins, and its samples as they are in the file.

    Raises
    ------
    ValueError
        Behind the last whole chunk, when the file has less than its header says.
    """
    at_once = max(1, round(seconds / header.record_s))
    with open(path, "rb") as file:
        file.seek(header.size)
        for start in range(0, header.records, at_once):
            count = min(at_once, header.records - start)
            found = file.read(2 * count * header.record_size)
            if len(found) < 2 * count * header.record_size:
                raise ValueError(f"{path.name} ends before second {(start + count) * header.record_s:g}")
            records = np.frombuffer(found, "<i2").reshape(count, header.record_size)
            samples = np.stack([records[:, columns].reshape(-1) for columns in header.columns])
            yield start * header.record_s, samples
