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
    suffixes = (".fif",)
    needs: typing.ClassVar = {"": ("mne", "eeg")}
    _name = ""

    def check(self, data: Any) -> Any:
        """Refuse what is of another kind."""
        import mne

        kinds = {"BaseRaw": mne.io.BaseRaw, "BaseEpochs": mne.BaseEpochs, "Evoked": mne.Evoked}
        if not isinstance(data, kinds[self._name]):
            raise TypeError(f"should be {self._name.removeprefix('Base')}, found {type(data).__name__}")
        return data

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

    def write(self, path: Path, data: Any, **kwargs: Any) -> None:
        """Write FIF in double precision: what is read is what was computed."""
        super().write(path, data, **{"fmt": "double", **kwargs})


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


class _Evoked(_Signal, data_type="mne.Evoked"):
    _name = "Evoked"

    def read(self, path: Path, **kwargs: Any) -> Any:
        """Read the one average of a file."""
        import mne

        with _any_name():
            return mne.read_evokeds(path, **{"condition": 0, "verbose": "ERROR", **kwargs})
