"""Simulate the dataset: four small records of EEG, movements and clinical scores, seeded.

Nobody was recorded. The EEG is noise with a known rhythm, a known answer to tones and a known effect
of the partner, so that every step has something true to find.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

SEED = 20200331
CHANNELS = ("Fz", "Cz", "Pz", "O1", "O2")
EEG_RATE_HZ = 250
MOVEMENT_RATE_HZ = 100
DURATION_S = 30
VOLTS_PER_MICROVOLT = 1e-6

ALPHA_WEIGHTS = (0.2, 0.3, 0.7, 1.0, 1.0)  # the rhythm is strongest at the back,
TONE_WEIGHTS = (1.0, 0.8, 0.4, 0.1, 0.1)  # the answer to tones at the front
TONE_INTERVAL_S = 0.5
DEVIANT_EVERY = 5


class Person(NamedTuple):
    """What is true of a simulated record; `coupling` is None for one who did not do the HDC task."""

    record_id: str
    alpha_uv: float
    mismatch_uv: float
    coupling: float | None
    clinical: dict[str, object] | None


# Uneven as in life: the second person left before the last task, nobody filled in the third one's form.
PEOPLE = (
    Person("REC-200331-A", 12.0, -4.0, 6.0, {"age": 31, "handedness": "right", "score": 14}),
    Person("REC-200401-A", 8.0, -3.0, None, {"age": 24, "handedness": "left", "score": 21}),
    Person("REC-200401-B", 15.0, -5.0, 3.0, None),
    Person("REC-200402-A", 10.0, -2.0, 1.5, {"age": 45, "handedness": "right", "score": 9}),
)


def simulate_noise(random: np.random.Generator) -> np.ndarray:
    """Give background EEG, shape (n_channels, n_samples), in uV: white noise with its fast part damped."""
    white = 0.5 * random.standard_normal((len(CHANNELS), DURATION_S * EEG_RATE_HZ))
    return lfilter([1.0], [1.0, -0.9], white, axis=1)


def simulate_rhythm(amplitude_uv: float) -> np.ndarray:
    """Give a rhythm of 10 Hz, shape (n_channels, n_samples), in uV."""
    time = np.arange(DURATION_S * EEG_RATE_HZ) / EEG_RATE_HZ
    return np.outer(ALPHA_WEIGHTS, amplitude_uv * np.sin(2 * np.pi * 10 * time))


def simulate_tones(mismatch_uv: float) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """Give the answer to tones, shape (n_channels, n_samples), in uV, and the tones as (sample, kind)."""
    interval = int(TONE_INTERVAL_S * EEG_RATE_HZ)
    time_ms = np.arange(interval) / EEG_RATE_HZ * 1000
    standard = -2.0 * np.exp(-(((time_ms - 100) / 25) ** 2))
    deviant = standard + mismatch_uv * np.exp(-(((time_ms - 170) / 30) ** 2))

    tones = [
        (start, "deviant" if number % DEVIANT_EVERY == DEVIANT_EVERY - 1 else "standard")
        for number, start in enumerate(range(0, DURATION_S * EEG_RATE_HZ, interval))
    ]
    answers = np.concatenate([deviant if kind == "deviant" else standard for _, kind in tones])
    return np.outer(TONE_WEIGHTS, answers), tones


def simulate_movements(random: np.random.Generator, coupling: float) -> np.ndarray:
    """Give positions, shape (n_samples, 3): time in s, the person's hand, the virtual partner's hand.

    The partner moves at 1.2 Hz; the person is a little slower, drifts, and is drawn to the partner
    by `coupling`.
    """
    n_samples = DURATION_S * MOVEMENT_RATE_HZ
    step_s = 1 / MOVEMENT_RATE_HZ
    time = np.arange(n_samples) * step_s
    partner_phase = 2 * np.pi * 1.2 * time
    difference = np.empty(n_samples)
    difference[0] = 1.0
    for index in range(1, n_samples):
        pull = -2 * np.pi * 0.15 - coupling * np.sin(difference[index - 1])
        difference[index] = difference[index - 1] + pull * step_s + np.sqrt(step_s) * random.standard_normal()
    return np.column_stack([time, np.cos(partner_phase + difference), np.cos(partner_phase)])


def write_recording(folder: Path, microvolts: np.ndarray, tones: Sequence[tuple[int, str]] = ()) -> None:
    """Write one EEG recording: a folder, as EGI's recordings are, but with files that NumPy can read."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "signal.npy", (microvolts * VOLTS_PER_MICROVOLT).astype(np.float32))
    facts = {"channels": CHANNELS, "sampling_rate_hz": EEG_RATE_HZ}
    (folder / "info.json").write_text(json.dumps(facts) + "\n", encoding="utf-8")
    if tones:
        write_table(folder / "events.csv", ["sample", "kind"], tones)


def write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def simulate(dataset: Path, seed: int = SEED) -> None:
    """Write all records into the dataset folder, replacing former ones."""
    for number, person in enumerate(PEOPLE):
        # A generator per person: leaving one out changes nothing for the others.
        random = np.random.default_rng([seed, number])
        recording = dataset / "MFF"
        rhythm = simulate_rhythm(person.alpha_uv)
        write_recording(recording / f"{person.record_id}-RS.mff", simulate_noise(random) + rhythm)
        answers, tones = simulate_tones(person.mismatch_uv)
        write_recording(recording / f"{person.record_id}-MMN.mff", simulate_noise(random) + answers, tones)
        if person.coupling is not None:
            # Who follows the partner closely has less of the resting rhythm.
            damped = rhythm / (1 + person.coupling)
            write_recording(recording / f"{person.record_id}-HDC.mff", simulate_noise(random) + damped)
            movements = simulate_movements(random, person.coupling).round(5)
            path = dataset / "HDC" / f"{person.record_id}-HDC.csv"
            write_table(path, ["time_s", "person", "partner"], movements.tolist())
        if person.clinical is not None:
            path = dataset / "clinical" / f"{person.record_id}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(person.clinical) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Simulate the dataset of the SoNeTAA example.")
    parser.add_argument("dataset", nargs="?", type=Path, default=Path(__file__).parent / "dataset")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    simulate(options.dataset, options.seed)
    print(options.dataset)
