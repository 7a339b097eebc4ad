"""Fetch recordings of the public set «EEG During Mental Arithmetic Tasks» into the dataset folder.

PhysioNet eegmat 1.0.0, doi 10.13026/C2JQ1P, Open Data Commons Attribution License 1.0. Only files whose
SHA-256 is written down here are fetched, and what does not match it is thrown away.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

BASE_URL = "https://physionet.org/files/eegmat/1.0.0/"
SUBJECTS = ("Subject00", "Subject01", "Subject04", "Subject05")
TASK_CODES = ("1", "2")  # 1 = at rest, 2 = serial subtraction
SUBJECT_TABLE = "subject-info.csv"

REGISTRY = {
    "Subject00_1.edf": "ac46d8c9905d6750c8f07235f2e0d96771882cad8af06a8e32d88cfd16c376ed",
    "Subject00_2.edf": "19476db6d5f2bcd40e417a7e1f2f9b276af05cf2c93a52a2be4d7524b4e9885c",
    "Subject01_1.edf": "e8c8bd03146127f6084e36282b20bf9236cd5e5459e8a9129b05963bdbbb461a",
    "Subject01_2.edf": "da7ad48824d5c92a5a12b90495f4ceca98dbc91fca1d3e85f009dbc640b32ca7",
    "Subject04_1.edf": "0c96ec8a36767673772d35c1c8e8328c6a51f18e83b806f5776d02f388c65a73",
    "Subject04_2.edf": "4455d8e910ac8f5a18a5c050e2b544d147b092458cd135c04e3030f2ee63f90f",
    "Subject05_1.edf": "844f7c4c0868f64003f50d02ecd9db3a7e60cd51df66f9ad2a460e279001eaf8",
    "Subject05_2.edf": "651a9f1cbe3e85605ef6a8e3c13c8d8d130e1c41bb8ac23ac3c2fa9ab63665f7",
    "subject-info.csv": "09c5951145d9f6a170ed7e01957406010ff549127ccf96ad7a2ead9fb0e018de",
}


def files_of(subjects: Sequence[str]) -> list[str]:
    """Give the file names of these people's recordings, and the table of people."""
    recordings = [f"{subject}_{code}.edf" for subject in subjects for code in TASK_CODES]
    return [*recordings, SUBJECT_TABLE]


def fetch(
    folder: Path,
    subjects: Sequence[str] = SUBJECTS,
    *,
    base_url: str = BASE_URL,
    registry: Mapping[str, str] = REGISTRY,
) -> list[Path]:
    """Fetch what is not in the folder yet; raise ValueError for a file that differs from its known hash."""
    import pooch

    # pooch downloads to a temporary name, compares the hash and only then moves the file into place.
    known = {name: f"sha256:{digest}" for name, digest in registry.items()}
    source = pooch.create(path=folder, base_url=base_url, registry=known)
    return [Path(source.fetch(name)) for name in files_of(subjects)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and fetch."""
    parser = argparse.ArgumentParser(description="Fetch EEG recordings from PhysioNet (about 5 MB a person).")
    parser.add_argument(
        "--subjects",
        nargs="+",
        choices=SUBJECTS,
        default=list(SUBJECTS),
        metavar="ID",
        help=", ".join(SUBJECTS),
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(__file__).parent / "dataset",
        help="where to (default: ./dataset here)",
    )
    options = parser.parse_args(arguments)
    for path in fetch(options.folder, options.subjects):
        print(path)


if __name__ == "__main__":
    main()
