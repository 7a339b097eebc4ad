"""A workspace folder to write configurations into."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sinagot.config.load import load_configuration
from sinagot.config.settings import Configuration
from sinagot.errors import ConfigurationError


class Desk:
    """A folder with `dataset` and `scripts`; `load` writes text to its workspace.toml and reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "workspace.toml"
        (folder / "dataset").mkdir(parents=True)
        (folder / "scripts").mkdir()

    def write(self, text: str | bytes, name: str = "workspace.toml") -> Path:
        file = self.folder / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def load(self, text: str | bytes) -> Configuration:
        return load_configuration(self.write(text))

    def error(self, text: str | bytes) -> ConfigurationError:
        with pytest.raises(ConfigurationError) as caught:
            self.load(text)
        return caught.value


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "lab")


@pytest.fixture
def new_desk(tmp_path: Path) -> Callable[[str], Desk]:
    return lambda name: Desk(tmp_path / name)
