"""Laws of the flow of the EEG example: exact, early, and of flat memory, on the real recordings."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import numpy as np
import pytest

from sinagot.errors import UpstreamFailed
from sinagot.flow import IO, Flow, IOVal, Processor, Supervisor
from tests.recordings import SCRIPTS, check_memory, needs_proc, repeat

each_loop = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give the modules `edf` and `monitor` of the example."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    names = ("edf", "monitor")
    yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    for name in names:
        del sys.modules[name]


@pytest.fixture
def rest(shared_data: Path) -> Path:
    """Give a recording of 182 s in which nothing is to be warned of."""
    return shared_data / "eeg" / "Subject00_1.edf"


async def warnings_of(flow: Flow, recording: Path) -> list[dict[str, Any]]:
    """Run the flow by itself, and give its warnings."""
    async with await Supervisor().start_flow(flow, inputs={"recording": recording}) as run:
        return [one async for one in run["warnings"].stream()]


@pytest.mark.parametrize("name", ["Subject00_1.edf", "Subject01_2.edf"])
def test_chunks_are_the_samples_that_mne_reads(scripts: Any, shared_data: Path, name: str) -> None:
    """Chunks of any length, one behind the other, are what MNE has of the whole file, in uV, to the last bit but some."""
    import mne

    path = shared_data / "eeg" / name
    raw = mne.io.read_raw_edf(path, verbose="ERROR")
    channels = [one for one in raw.ch_names if one.startswith("EEG ")]
    header = scripts.edf.read_header(path)
    assert [f"EEG {one}" for one in header.channels] == channels
    assert (header.sampling_rate, header.records) == (raw.info["sfreq"], raw.n_times / raw.info["sfreq"])
    starts, chunks = zip(*scripts.edf.read_chunks(path, header, 7.0), strict=True)
    assert starts == tuple(range(0, header.records, 7))
    found = scripts.edf.microvolts(np.concatenate(chunks, axis=1), header.scales())
    np.testing.assert_allclose(found, raw.get_data(picks=channels) * 1e6, rtol=0, atol=1e-10)


def test_recording_that_is_not_whole_fails_with_its_name(scripts: Any, rest: Path, tmp_path: Path) -> None:
    """One that ends early is told behind its whole chunks, one with gaps at once; one without an end is read to its last record."""
    data = rest.read_bytes()
    size = 256 * 23 + 30 * 2 * (21 * 500 + 57)
    for name, content in (
        ("short", data[: size - 1]),
        ("open", data[:236] + b"-1      " + data[244 : size + 7]),
        ("gaps", data[:192] + b"EDF+D" + data[197:]),
    ):
        (tmp_path / f"{name}.edf").write_bytes(content)

    async def powers(name: str) -> tuple[list[float], Exception | None]:
        flow = Flow.from_processors(scripts.monitor.read, scripts.monitor.power)
        found = []
        inputs = {"recording": tmp_path / f"{name}.edf"}
        async with await Supervisor().start_flow(flow, inputs=inputs) as run:
            values = run["powers"].stream()
            try:
                while True:
                    found.append((await anext(values))["from_s"])
            except StopAsyncIteration:
                return found, None
            except UpstreamFailed as error:
                return found, error

    found, error = anyio.run(powers, "short")
    assert found == [0.0, 10.0] and "short.edf ends before second 30" in str(error)
    assert anyio.run(powers, "open") == ([0.0, 10.0, 20.0], None)
    found, error = anyio.run(powers, "gaps")
    assert found == [] and "gaps.edf has gaps" in str(error)


@each_loop
def test_warning_is_told_before_the_next_chunk_is_read(
    scripts: Any, rest: Path, tmp_path: Path, backend: str
) -> None:
    """With a reader that goes on only when the warning about a chunk was read, the flow comes to its end."""

    def loosen(second: int, signal: np.ndarray) -> None:
        if 20 <= second < 30:
            signal[18] = 0  # Pz

    damaged = repeat(rest, tmp_path / "damaged.edf", 62, loosen)
    slow = Processor("read", inputs=["recording"], outputs=["facts", "chunks"])

    async def main() -> tuple[list[Any], list[float]]:
        is_told, begun = anyio.Event(), []

        @slow
        async def read(recording: IO[Path]) -> Any:
            path = await recording.first()
            header = scripts.edf.read_header(path)
            yield IOVal("facts", header.scales())
            for from_s, samples in scripts.edf.read_chunks(path, header, 10.0):
                yield IOVal("chunks", {"from_s": from_s, "samples": samples})
                if from_s == 20:
                    await is_told.wait()
                begun.append(from_s)

        monitor = scripts.monitor
        flow = Flow.from_processors(slow, monitor.power, monitor.check, monitor.average)
        with anyio.fail_after(60):
            async with await Supervisor().start_flow(flow, inputs={"recording": damaged}) as run:
                first = await run["warnings"].first()
                seen = [first["what"], first["channel"], first["from_s"]], list(begun)
                is_told.set()
                assert len([one async for one in run["running"].stream()]) == 7
        return seen

    told, begun = anyio.run(main, backend=backend)
    assert told == ["flat", "Pz", 20.0] and begun == [0.0, 10.0]


def test_each_fault_is_told_with_its_channel_and_chunk(scripts: Any, rest: Path, tmp_path: Path) -> None:
    """A loose, a clipped, a knocked and a humming electrode are told, each where it was damaged, and nothing else is."""
    header = scripts.edf.read_header(rest)
    bottom, top = header.lowest[1], header.highest[1]
    hum = np.round(np.sin(2 * np.pi * 50 * np.arange(500) / 500) * top / 2).astype(np.int16)

    def damage(second: int, signal: np.ndarray) -> None:
        if second == 3:
            signal[1, ::10] = top  # Fp2
        if 10 <= second < 20:
            signal[0] = 7  # Fp1
        if second == 25:
            signal[15, 100:102] = bottom, top  # O2: 164 uV between two samples
        if 30 <= second < 40:
            signal[3] = signal[3] // 4 + hum  # F4

    damaged = repeat(rest, tmp_path / "damaged.edf", 50, damage)
    found = anyio.run(warnings_of, scripts.monitor.flow, damaged)
    told = {(one["channel"], one["what"], one["from_s"]) for one in found}
    assert ("Fp2", "saturated", 0.0) in told
    assert {("Fp1", "flat", 10.0), ("O2", "jumping", 20.0), ("F4", "full of line noise", 30.0)} <= told
    assert {one[0] for one in told} == {"Fp1", "Fp2", "O2", "F4"}
    assert {one[2] for one in told if one[0] != "Fp2"} == {10.0, 20.0, 30.0}


@needs_proc
@pytest.mark.slow
def test_memory_is_that_of_a_short_recording(rest: Path, tmp_path: Path) -> None:
    """Half an hour takes at most 12 MB more than three minutes, of 36 MB of samples, and leaves no file."""
    check_memory(rest, tmp_path, 1800)
