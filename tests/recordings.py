"""Long and damaged EDF files, made of the records of a real one, and what the flow of the EEG example needs for them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[1] / "example" / "eeg_rest_arithmetic" / "scripts" / "EEG"
needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads peak memory from /proc")

#: Changes the samples of one data record, given its number: channels x samples, 16-bit integers.
Damage = Callable[[int, np.ndarray], None]


def repeat(source: Path, target: Path, seconds: int, damage: Damage | None = None) -> Path:
    """Write a recording of so many seconds by repeating one whose data records take a second each.

    The annotations, which hold nothing but the time of each record, go on counting.
    """
    data = source.read_bytes()
    signals = int(data[252:256])
    head = 256 * (signals + 1)
    at = 256 + 216 * signals
    samples = [int(data[at + 8 * number : at + 8 * number + 8]) for number in range(signals)]
    size, channels, stamp = 2 * sum(samples), len(samples) - 1, 2 * samples[-1]
    assert float(data[244:252]) == 1.0 and len(set(samples[:-1])) == 1
    records = [data[start : start + size - stamp] for start in range(head, len(data), size)]
    with open(target, "wb") as file:
        file.write(data[:236] + f"{seconds:<8d}".encode() + data[244:head])
        for number in range(seconds):
            record = records[number % len(records)]
            if damage is not None:
                signal = np.frombuffer(record, "<i2").reshape(channels, -1).copy()
                damage(number, signal)
                record = signal.tobytes()
            file.write(record + f"+{number}\x14\x14".encode().ljust(stamp, b"\0"))
    return target


MEMORY = dedent(
    """
    import sys
    from pathlib import Path
    import anyio
    sys.path.insert(0, sys.argv[1])
    import monitor
    from sinagot.flow import Supervisor

    async def main(recording, folder):
        supervisor = Supervisor(folder=folder)
        async with await supervisor.start_flow(monitor.flow, inputs={"recording": recording}) as run:
            count = 0
            async for one in run["running"].stream():
                count += 1
            pz = [one["alpha_uv2"] async for one in run["alpha"].stream() if one["channel"] == "Pz"]
        return count, pz[0]

    count, alpha = anyio.run(main, Path(sys.argv[2]), sys.argv[3])
    peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(count, alpha, peak)
    """
)


def watch_memory(recording: Path, folder: Path) -> tuple[int, float, float]:
    """Run the flow in a process of its own: chunks, alpha at Pz in uV^2, and peak memory in MB."""
    call = [sys.executable, "-c", MEMORY, str(SCRIPTS), str(recording), str(folder)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count, alpha, peak = done.stdout.split()
    return int(count), float(alpha), int(peak) / 1024


def check_memory(rest: Path, folder: Path, seconds: int) -> None:
    """Compare a recording with one of so many seconds that is made of it."""
    long = repeat(rest, folder / "long.edf", seconds)
    try:
        short_count, short_alpha, short_peak = watch_memory(rest, folder)
        count, alpha, peak = watch_memory(long, folder)
    finally:
        long.unlink()
    assert (short_count, count) == (19, -(-seconds // 10))
    # The seams, and where the last repetition is cut off, make a difference; nothing else does.
    assert short_alpha == pytest.approx(61.0914, rel=1e-5) and alpha == pytest.approx(short_alpha, rel=0.02)
    assert peak < short_peak + 12, f"{short_peak:.0f} MB for 182 s, {peak:.0f} MB for {seconds} s"
    assert not list(folder.iterdir())
