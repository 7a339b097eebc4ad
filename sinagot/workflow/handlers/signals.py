"""Recordings of MNE: raw signals, epochs and averages as FIF; raw signals of other formats are read.

Knows MNE, where it reads and writes; must not know what was recorded.
"""

from __future__ import annotations

import typing
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sinagot.workflow.storage import TypeHandler

__all__: list[str] = []


@contextmanager
def _any_name() -> Iterator[None]:
    """Let files have the names that the user gave them: MNE warns of other endings than its own."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=".*(naming conventions|filename).*", category=RuntimeWarning
        )
        yield


class _Signal(TypeHandler):
    """FIF keeps rates of sampling, filters, times of annotations and averages in single precision."""

    suffixes = (".fif",)
    needs: typing.ClassVar = {"": ("mne", "eeg")}
    _name = ""

    def check(self, data: Any) -> Any:
        """Refuse what is of another kind."""
        import mne

        kinds = {"BaseRaw": mne.io.BaseRaw, "BaseEpochs": mne.BaseEpochs, "Evoked": mne.Evoked}
        if not isinstance(data, kinds[self._name]):
            raise TypeError(f"should be {self._name.removeprefix('Base')}, found {type(data).__name__}")
        for name in data.ch_names:
            if not name.isascii():
                raise ValueError(f"FIF knows names of channels with letters of ASCII only, found {name!r}")
        for text in self.texts(data):
            _check_text(text)
        return data

    def texts(self, data: Any) -> list[str]:
        """Give texts beside the samples: descriptions of annotations."""
        found = [str(one) for one in data.annotations.description] if data.annotations is not None else []
        if found == [""]:
            raise ValueError("FIF does not keep an annotation without a description; give it one")
        return found

    def write(self, path: Path, data: Any, **kwargs: Any) -> None:
        """Write FIF; samples as they are in memory."""
        with _any_name():
            data.save(path, **{"overwrite": True, "verbose": "ERROR", **kwargs})


class _Raw(_Signal, data_type="mne.BaseRaw"):
    _name = "BaseRaw"
    reads_only = (".edf", ".bdf", ".gdf", ".vhdr", ".set", ".cnt", ".mff")

    def read(self, path: Path, **kwargs: Any) -> Any:
        """Read a recording; the samples when they are needed, unless ``preload`` says otherwise."""
        import mne

        with _any_name():
            return mne.io.read_raw(path, **{"verbose": "ERROR", **kwargs})

    def check(self, data: Any) -> Any:
        """Refuse what is of another kind, and what FIF does not keep."""
        found = super().check(data)
        for text in _lost(found):
            raise ValueError(
                f"the annotation {text!r} at an end of the recording would be lost: FIF keeps times in single "
                "precision; move it by a sample"
            )
        return found

    def write(self, path: Path, data: Any, **kwargs: Any) -> None:
        """Write FIF in double precision: what is read is what was computed.

        Raises
        ------
        ValueError
            Samples are complex: MNE writes them in double precision so that they are read as others.
        """
        import numpy as np

        options = {"fmt": "double", **kwargs}
        if options["fmt"] == "double" and np.iscomplexobj(data[0, :1][0]):
            raise ValueError(
                "complex samples are kept by FIF in single precision only; say write_kwargs={'fmt': 'single'}, or give "
                "amplitude or phase"
            )
        super().write(path, data, **options)


class _Epochs(_Signal, data_type="mne.BaseEpochs"):
    _name = "BaseEpochs"

    def read(self, path: Path, **kwargs: Any) -> Any:
        """Read epochs."""
        import mne

        with _any_name():
            return mne.read_epochs(path, **{"verbose": "ERROR", **kwargs})

    def write(self, path: Path, data: Any, **kwargs: Any) -> None:
        """Write FIF in double precision."""
        super().write(path, data, **{"fmt": "double", **kwargs})

    def check(self, data: Any) -> Any:
        """Refuse what is of another kind, and what FIF does not keep."""
        found = super().check(data)
        if (found.events[:, 0] < 0).any():
            raise ValueError("FIF does not keep events before sample 0")
        for name in found.event_id:
            if ";" in name:
                raise ValueError(
                    f"FIF takes the ';' in the name of the event {name!r} for its end; rename it"
                )
        for name, column in ({} if found.metadata is None else found.metadata).items():
            if getattr(column.dtype, "kind", "") in "mM":
                raise ValueError(
                    f"FIF keeps no dates in metadata, found column {name!r}; make texts or numbers of them"
                )
        return found

    def texts(self, data: Any) -> list[str]:
        """Give descriptions of annotations, and names of events."""
        return [*super().texts(data), *data.event_id]


class _Evoked(_Signal, data_type="mne.Evoked"):
    _name = "Evoked"

    def read(self, path: Path, **kwargs: Any) -> Any:
        """Read the one average of a file."""
        import mne

        with _any_name():
            return mne.read_evokeds(path, **{"condition": 0, "verbose": "ERROR", **kwargs})

    def texts(self, data: Any) -> list[str]:
        """Give what was averaged."""
        return [data.comment or ""]


def _lost(raw: Any) -> list[str]:
    """Give annotations that lie, in single precision, before the first sample or behind the last one."""
    import numpy as np

    marks, rate = raw.annotations, raw.info["sfreq"]
    # Long after the first sample that was ever taken, as in a part that was cut out, neighbours are far apart.
    begins = marks.onset.astype("float32").astype("float64") - raw.first_samp / rate
    ends = (marks.onset + marks.duration).astype("float32").astype("float64") - raw.first_samp / rate
    is_lost = (np.round(ends, 6) < 0) | (np.round(begins, 6) > np.round(raw.n_times / rate, 6))
    return [str(text) for text in marks.description[is_lost]]


def _check_text(text: str) -> None:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"FIF knows letters of Western Europe only (Latin-1), found {text!r}") from None
