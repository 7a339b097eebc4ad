"""Real workers that are not fit for a run: other packages, none of ours, or a drive that is mounted elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sinagot.errors import ConfigurationError
from sinagot.testing import make_workspace
from tests.chaos.conftest import ROOT, heal
from tests.chaos.mounts import needs_mounts
from tests.clusters import DaskProcesses

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Mismatched versions found"),  # Dask has its own word for it
]


def installed(name: str, version: str) -> Callable[[Path], None]:
    """Give a maker of a folder in which another version of a package is installed, as far as its metadata tell."""

    def make(folder: Path) -> None:
        (folder / f"{name}-{version}.dist-info").mkdir()
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (folder / f"{name}-{version}.dist-info" / "METADATA").write_text(text)

    return make


def broken(folder: Path) -> None:
    """Make a folder in which our package is one that can't be imported."""
    (folder / "sinagot").mkdir()
    (folder / "sinagot" / "__init__.py").write_text("raise ImportError('not for this machine')")


class OddWorkers(DaskProcesses):
    """Workers that find a folder before all others on their module path, or do not see a drive."""

    def __init__(self, folder: Path, first: Path | None = None, hidden: Path | None = None) -> None:
        super().__init__(folder, workers=1)
        self._first, self._hidden = first, hidden

    def place(self, kind: str) -> tuple[list[str], str]:
        way, host = super().place(kind)
        if kind == "worker" and self._first is not None:
            way = ["env", f"PYTHONPATH={self._first}:{ROOT}"]
        if kind == "worker" and self._hidden is not None:
            script = 'mount -t tmpfs tmpfs "$0" && exec "$@"'
            way = ["unshare", "-rm", "sh", "-c", script, str(self._hidden)]
        return way, host


ODD = {
    "major version": (installed("dask", "1.2"), r"has dask 1\.2 .*install the same versions"),
    "none of ours": (broken, "can't run sinagot"),
}


@pytest.mark.parametrize(("make", "words"), ODD.values(), ids=ODD)
def test_worker_with_other_packages(make: Callable[[Path], None], words: str, tmp_path: Path) -> None:
    """A worker whose packages do not fit is refused by its name before the first job, and no job is lost."""
    (tmp_path / "first").mkdir()
    make(tmp_path / "first")
    cluster = OddWorkers(tmp_path / "cluster", first=tmp_path / "first")
    with cluster, make_workspace(tmp_path / "lab") as workspace:
        with pytest.raises(ConfigurationError, match=words):
            workspace.steps.run(address=cluster.address, printing=False)
        assert not (workspace.data_path / "first").exists()
    heal(workspace, left=6)


def test_worker_with_a_slightly_other_version(tmp_path: Path) -> None:
    """A worker whose packages differ a little does the work, and the report warns."""
    import dask

    (tmp_path / "first").mkdir()
    installed("dask", f"{dask.__version__}.post9")(tmp_path / "first")
    cluster = OddWorkers(tmp_path / "cluster", first=tmp_path / "first")
    with cluster, make_workspace(tmp_path / "lab") as workspace:
        report = workspace.steps.run(address=cluster.address, printing=False)
    assert report.counts["done"] == 6
    assert any("the same versions everywhere are safer" in text for text in report.warnings)
    heal(workspace, left=0)


@needs_mounts
def test_worker_that_sees_another_drive(tmp_path: Path) -> None:
    """A worker for which something else is mounted in the place of the dataset is refused, with the path, before the first job."""
    workspace = make_workspace(tmp_path / "lab")
    with OddWorkers(tmp_path / "cluster", hidden=workspace.data_path) as cluster, workspace:
        with pytest.raises(ConfigurationError, match=r"does not see .*run\.json.*mounted alike") as caught:
            workspace.steps.run(address=cluster.address, printing=False)
        assert str(workspace.data_path) in str(caught.value)
        assert not (workspace.data_path / "first").exists()
    heal(workspace, left=6)
