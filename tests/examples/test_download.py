"""Laws of `example/eeg_rest_arithmetic/download.py`: what it fetches is what is known, or nothing."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLE = Path(__file__).parents[2] / "example" / "eeg_rest_arithmetic"


@pytest.fixture(scope="module")
def download() -> ModuleType:
    """The script as a module; it is no part of the package."""
    spec = importlib.util.spec_from_file_location("example_eeg_download", EXAMPLE / "download.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: the test's output is not the server's log."""


@pytest.fixture
def served(download: ModuleType, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder with small stand-ins of two people's files, and the loopback address that serves it."""
    folder = tmp_path / "server"
    folder.mkdir()
    for name in download.files_of(["Subject00", "Subject01"]):
        (folder / name).write_bytes(f"contents of {name}".encode())
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def _registry_of(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_registry_has_every_file_of_every_subject_and_no_other(download: ModuleType) -> None:
    """Each person has both recordings and a place in the table; each hash is a whole SHA-256."""
    assert sorted(download.REGISTRY) == sorted(download.files_of(download.SUBJECTS))
    assert len(download.REGISTRY) == 2 * len(download.SUBJECTS) + 1
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in download.REGISTRY.values())


def test_known_hashes_are_those_of_the_real_files(download: ModuleType, shared_data: Path) -> None:
    """The hashes in the script are the hashes of the recordings."""
    real = {
        name: hashlib.sha256((shared_data / "eeg" / name).read_bytes()).hexdigest()
        for name in download.REGISTRY
    }
    assert real == download.REGISTRY


def test_fetch_brings_the_files_of_the_asked_subjects_only(
    download: ModuleType, served: tuple[Path, str], tmp_path: Path
) -> None:
    """`--subjects` brings these people's recordings and the table, byte for byte, and nobody else's."""
    pytest.importorskip("pooch")
    folder, address = served
    target = tmp_path / "dataset"
    paths = download.fetch(target, ["Subject01"], base_url=address, registry=_registry_of(folder))
    assert sorted(path.name for path in target.iterdir()) == sorted(path.name for path in paths)
    assert [path.name for path in paths] == ["Subject01_1.edf", "Subject01_2.edf", "subject-info.csv"]
    assert all(path.read_bytes() == (folder / path.name).read_bytes() for path in paths)


def test_second_fetch_needs_no_server(download: ModuleType, served: tuple[Path, str], tmp_path: Path) -> None:
    """What is in the folder and right is not fetched again."""
    pytest.importorskip("pooch")
    folder, address = served
    registry = _registry_of(folder)
    first = download.fetch(tmp_path / "dataset", ["Subject00"], base_url=address, registry=registry)
    for path in folder.iterdir():
        path.unlink()
    again = download.fetch(tmp_path / "dataset", ["Subject00"], base_url=address, registry=registry)
    assert again == first


def test_file_with_another_hash_is_refused(
    download: ModuleType, served: tuple[Path, str], tmp_path: Path
) -> None:
    """A file that is not the known one raises and does not appear in the folder."""
    pytest.importorskip("pooch")
    folder, address = served
    registry = _registry_of(folder)
    (folder / "Subject00_2.edf").write_bytes(b"something else")
    target = tmp_path / "dataset"
    with pytest.raises(ValueError, match=r"Subject00_2\.edf"):
        download.fetch(target, ["Subject00"], base_url=address, registry=registry)
    assert not (target / "Subject00_2.edf").exists()


def test_command_line_refuses_an_unknown_subject(
    download: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person without known hashes is a usage error that names the known ones; nothing is fetched."""
    with pytest.raises(SystemExit) as caught:
        download.main(["--subjects", "Subject99"])
    assert caught.value.code == 2
    assert "Subject05" in capsys.readouterr().err
