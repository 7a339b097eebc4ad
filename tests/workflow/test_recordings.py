"""Recordings of MNE: raw signals and epochs come back to the last bit, averages in single precision."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.workflow.trips import names, quick, round_trip

mne = pytest.importorskip("mne", reason="recordings need the extra eeg")

pytestmark = [
    # MNE's own way with its metadata.
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.set_index"),
]

ascii_names = st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1, max_size=20)
#: Letters that FIF knows; what stands for the end of a name in a list of them is not among them.
latin = st.text(st.characters(codec="latin-1", exclude_characters="\0;"), min_size=1, max_size=12)
#: FIF keeps rates in single precision.
rates = st.floats(1, 5000, width=32)
kinds = st.sampled_from(["eeg", "eog", "stim", "misc"])
scales = st.sampled_from([1e-12, 1e-6, 1.0, 1e9])


@st.composite
def samples(draw: st.DrawFn, *shape: int) -> np.ndarray:
    """Make numbers of some size, one of which may be none."""
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    data: np.ndarray = chance.normal(size=shape) * draw(scales)
    if draw(st.booleans()):
        data.flat[draw(st.integers(0, data.size - 1))] = np.nan
    return data


@st.composite
def infos(draw: st.DrawFn, **what: Any) -> Any:
    """Make what is known beside the samples: channels, their kinds, rate, bad channels, date."""
    channels = draw(st.lists(ascii_names, min_size=1, max_size=4, unique=True))
    found = mne.create_info(
        channels, draw(rates), what.get("kind") or [draw(kinds) for _ in channels], verbose="ERROR"
    )
    found["bads"] = [name for name in channels if draw(st.booleans())]
    moment = draw(st.none() | st.datetimes(datetime(1975, 1, 1), datetime(2030, 1, 1)))
    found.set_meas_date(moment and moment.replace(tzinfo=UTC))
    return found


def assert_known_alike(found: Any, made: Any) -> None:
    """Check what is known beside the samples."""
    assert found.ch_names == made.ch_names
    assert found.get_channel_types() == made.get_channel_types()
    for key in ("sfreq", "bads", "meas_date"):
        assert found.info[key] == made.info[key]


def near(found: Any, made: Any, last: float = 1.0) -> bool:
    """Say whether times are the same in single precision, of seconds up to the last one, and to a few microseconds."""
    return bool(np.allclose(found, made, rtol=1e-6, atol=3e-6 + 3 * np.spacing(np.float32(last))))


@quick
@given(st.data())
def test_raw_signals(tmp_path: Path, data: st.DataObject) -> None:
    """Raw signals keep every bit of their samples, channels, rate, first sample, date and annotations."""
    info = data.draw(infos())
    count = data.draw(st.integers(1, 300))
    first = data.draw(st.sampled_from([0, 7, 10**6]))
    made = mne.io.RawArray(
        data.draw(samples(len(info.ch_names), count)), info, first_samp=first, verbose="ERROR"
    )
    # What lies at an end may be refused, see below.
    begins = st.integers(1, max(count - 2, 1)).map(lambda number: number / info["sfreq"])
    marks = data.draw(st.lists(st.tuples(begins, st.floats(0, 1), latin), max_size=3 if count > 2 else 0))
    made.set_annotations(
        mne.Annotations(*([mark[part] for mark in marks] for part in range(3))), verbose="ERROR"
    )
    found = round_trip(tmp_path, mne.io.BaseRaw, ".fif", made)
    assert_known_alike(found, made)
    assert found.get_data().tobytes() == made.get_data().tobytes()
    assert found.first_samp == made.first_samp
    assert list(found.annotations.description) == list(made.annotations.description)
    # Both are kept as times from the first sample that was ever taken: the later, the less precise.
    last = (first + count) / info["sfreq"] + 1
    assert near(found.annotations.onset, made.annotations.onset, last)
    assert near(found.annotations.duration, made.annotations.duration, last)


@quick
@given(st.data())
def test_epochs(tmp_path: Path, data: st.DataObject) -> None:
    """Epochs keep every bit of their samples, channels, times, events with names, metadata, and what was dropped."""
    info = data.draw(infos())
    events, count = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 100))
    codes = data.draw(st.lists(st.integers(1, 3), min_size=events, max_size=events))
    named = data.draw(st.lists(latin, min_size=3, max_size=3, unique=True))
    begins = data.draw(st.lists(st.integers(0, 2**31 - 1), min_size=events, max_size=events, unique=True))
    metadata = pd.DataFrame(
        {"text": data.draw(st.lists(names, min_size=events, max_size=events)), "code": codes}
    )
    made = mne.EpochsArray(
        data.draw(samples(events, len(info.ch_names), count)),
        info,
        events=np.column_stack([sorted(begins), np.zeros(events, int), codes]),
        event_id={name: code for code, name in enumerate(named, 1) if code in codes},
        tmin=data.draw(st.integers(-500, 500)) / info["sfreq"],
        metadata=data.draw(st.sampled_from([None, metadata])),
        verbose="ERROR",
    )
    dropped = data.draw(st.lists(st.integers(0, events - 1), max_size=events - 1, unique=True))
    made.drop(np.array(dropped, int), reason="said so", verbose="ERROR")
    found = round_trip(tmp_path, mne.BaseEpochs, ".fif", made)
    assert_known_alike(found, made)
    assert found.get_data().tobytes() == made.get_data().tobytes()
    assert near(found.times, made.times, abs(made.times).max())
    assert np.array_equal(found.events, made.events)
    assert found.event_id == made.event_id
    assert found.drop_log == made.drop_log
    assert found.metadata is made.metadata is None or found.metadata.equals(made.metadata)


@quick
@given(st.data())
def test_averages(tmp_path: Path, data: st.DataObject) -> None:
    """Averages keep their samples in single precision: about seven digits; and channels, times, count and comment."""
    info = data.draw(infos())
    made = mne.EvokedArray(
        data.draw(samples(len(info.ch_names), data.draw(st.integers(1, 300)))),
        info,
        tmin=data.draw(st.integers(-500, 500)) / info["sfreq"],
        comment=data.draw(latin),
        nave=data.draw(st.integers(1, 10**6)),
        kind=data.draw(st.sampled_from(["average", "standard_error"])),
        verbose="ERROR",
    )
    found = round_trip(tmp_path, mne.Evoked, ".fif", made)
    assert_known_alike(found, made)
    assert np.array_equal(found.data, made.data.astype("float32"), equal_nan=True)
    assert near(found.times, made.times, abs(made.times).max())
    assert (found.nave, found.comment, found.kind) == (made.nave, made.comment, made.kind)


@quick
@given(st.integers(0, 10**7), rates, st.sampled_from([0, 49]))
@example(1_000_000, 4101.759765625, 0)
def test_annotation_at_an_end_is_never_lost(tmp_path: Path, first: int, rate: float, sample: int) -> None:
    """An annotation at an end of a part that was cut out of a recording comes back, or is refused."""
    info = mne.create_info(1, rate, "eeg")
    made = mne.io.RawArray(np.ones((1, 50)), info, first_samp=first, verbose="ERROR")
    made.set_annotations(mne.Annotations([sample / rate], [0], ["mark"]), verbose="ERROR")
    try:
        found = round_trip(tmp_path, mne.io.BaseRaw, ".fif", made)
    except ValueError as error:
        told = str(error)
    else:
        told = ""
        assert list(found.annotations.description) == list(made.annotations.description)
    assert not told or (first and "'mark' at an end of the recording would be lost" in told)


def raw(channel: str = "O1", marks: tuple[str, ...] = (), factor: complex = 1) -> Any:
    """Make a short recording."""
    made = mne.io.RawArray(
        np.ones((1, 50)) * factor, mne.create_info([channel], 100.0, "eeg"), verbose="ERROR"
    )
    return made.set_annotations(mne.Annotations([0.1] * len(marks), [0.1] * len(marks), marks))


def epochs(name: str = "a", first: int = 0, metadata: Any = None) -> Any:
    """Make one epoch."""
    return mne.EpochsArray(
        np.ones((1, 1, 50)),
        mne.create_info(1, 100.0, "eeg"),
        events=np.array([[first, 0, 1]]),
        event_id={name: 1},
        metadata=metadata,
        verbose="ERROR",
    )


def average(comment: str) -> Any:
    """Make an average."""
    return mne.EvokedArray(
        np.ones((1, 50)), mne.create_info(1, 100.0, "eeg"), comment=comment, verbose="ERROR"
    )


@pytest.mark.parametrize(
    ("kind", "make", "words"),
    [
        (mne.io.BaseRaw, epochs, "should be Raw"),
        (mne.io.BaseRaw, lambda: raw(channel="é"), "ASCII only, found 'é'"),
        (mne.io.BaseRaw, lambda: raw(marks=("",)), "without a description"),
        (mne.io.BaseRaw, lambda: raw(marks=("\u65e5",)), "Latin-1"),
        (mne.io.BaseRaw, lambda: raw(factor=1 + 1j), "single precision only"),
        (mne.BaseEpochs, lambda: epochs(name="a;b"), "'a;b'"),
        (mne.BaseEpochs, lambda: epochs(name="\u65e5"), "Latin-1"),
        (mne.BaseEpochs, lambda: epochs(first=-1), "before sample 0"),
        (mne.BaseEpochs, lambda: epochs(metadata=pd.DataFrame({"day": [pd.Timestamp(0)]})), "column 'day'"),
        (mne.Evoked, lambda: average("\u65e5"), "Latin-1"),
    ],
)
def test_what_fif_would_change_is_refused(tmp_path: Path, kind: Any, make: Any, words: str) -> None:
    """What would come back as something else is an error that says what, and no file."""
    with pytest.raises((TypeError, ValueError), match=words):
        round_trip(tmp_path, kind, ".fif", make())
    assert list(tmp_path.iterdir()) == []


def test_complex_samples_that_are_not_raw(tmp_path: Path) -> None:
    """Complex epochs keep every bit; complex raw signals come back in single precision when that is asked for."""
    from sinagot.workflow.storage import LocalStorage, find_handler

    one = epochs()
    made = mne.EpochsArray(one.get_data() * (1 + 1j) / 3, one.info, verbose="ERROR")
    assert np.array_equal(round_trip(tmp_path, mne.BaseEpochs, ".fif", made).get_data(), made.get_data())
    handler = find_handler(mne.io.BaseRaw, LocalStorage("x.fif"), is_seed=False, where="W.x")
    signal = raw(factor=(1 + 1j) / 3)
    handler.write(tmp_path / "single.fif", signal, fmt="single")
    assert np.allclose(handler.read(tmp_path / "single.fif").get_data(), signal.get_data(), rtol=1e-6)


def test_long_recordings_are_read_as_one(tmp_path: Path) -> None:
    """A recording that is too long for one file is stored as several, and read as one."""
    from sinagot.workflow.storage import LocalStorage, find_handler

    handler = find_handler(mne.io.BaseRaw, LocalStorage("x.fif"), is_seed=False, where="W.x")
    data = np.random.default_rng(1).normal(size=(4, 100_000))
    made = mne.io.RawArray(data, mne.create_info(4, 1000.0, "eeg"), verbose="ERROR")
    handler.write(tmp_path / "x.fif", made, split_size="2MB")
    assert len(list(tmp_path.iterdir())) > 1
    assert np.array_equal(handler.read(tmp_path / "x.fif").get_data(), data)
