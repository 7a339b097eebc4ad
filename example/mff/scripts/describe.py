"""Say what is in an MFF folder, from its XML files and the header of its signal file."""

import json
import struct
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from sinagot import ScriptTemplate

INFO_TAG = "{http://www.egi.com/info_mff}"
EPOCH_TAG = "{http://www.egi.com/epochs_mff}"
BYTES_PER_SAMPLE = 4


def iter_blocks(signal_path: Path) -> Iterator[tuple[int, int, int]]:
    """Yield channels, sampling rate (Hz) and samples of each block of a signal file.

    A block begins with 4-byte little-endian integers: version, header size, data size, number of
    channels, then one offset and one rate per channel (rate in the upper 3 bytes, depth in the lowest).
    Version 0 means: as in the block before.
    """
    with open(signal_path, "rb") as file:
        while version_bytes := file.read(4):
            if struct.unpack("<i", version_bytes)[0] != 0:
                header_size, data_size, n_channels = struct.unpack("<3i", file.read(12))
                header = struct.unpack(f"<{(header_size - 16) // 4}i", file.read(header_size - 16))
                sampling_rate = header[n_channels] >> 8
            file.seek(data_size, 1)
            yield n_channels, sampling_rate, data_size // (n_channels * BYTES_PER_SAMPLE)


class Script(ScriptTemplate):
    """Write recording time, sampling rate, channels, samples, duration and number of files (JSON)."""

    PATH_IN = ("{id}.mff",)
    PATH_OUT = ("info", "{id}.json")

    def run(self) -> None:
        """Read the folder's small files; the signal itself is skipped over."""
        folder = self.path.input
        information = ET.parse(folder / "info.xml").getroot()
        epochs = ET.parse(folder / "epochs.xml").getroot()
        blocks = list(iter_blocks(folder / "signal1.bin"))

        description = {
            "recording_time": information.findtext(f"{INFO_TAG}recordTime"),
            "mff_version": int(information.findtext(f"{INFO_TAG}mffVersion", "0")),
            # The XML files have no rate for the EEG: it stands in the signal file's header.
            "sampling_rate_hz": blocks[0][1],
            "n_channels": blocks[0][0],
            "n_samples": sum(n_samples for _, _, n_samples in blocks),
            "duration_s": sum(_epoch_microseconds(epoch) for epoch in epochs.iter(f"{EPOCH_TAG}epoch")) / 1e6,
            "n_files": sum(path.is_file() for path in folder.rglob("*")),
        }
        self.path.output.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def _epoch_microseconds(epoch: ET.Element) -> int:
    begin, end = epoch.findtext(f"{EPOCH_TAG}beginTime", "0"), epoch.findtext(f"{EPOCH_TAG}endTime", "0")
    return int(end) - int(begin)
