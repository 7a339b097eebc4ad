"""The network between the driver and a cluster is held, cut, slow or one-way: files tell what was done, runs end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sinagot import Workspace
from sinagot.testing import await_true, make_workspace
from tests.chaos.conftest import FULL, HALVES, WHOLE, await_half, heal, let_go, outputs, statuses
from tests.chaos.proxy import Proxy
from tests.clusters import DaskProcesses, end

pytestmark = [
    pytest.mark.chaos,
    # Dask leaves sockets behind when a connection fails.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

#: Seconds that the scheduler may be silent. Ending the run takes some answers more that never come, of 5 s each.
PATIENCE = 4
#: No run of these would end by itself within it: far more than it takes.
LIMIT = 60

SETTINGS = f"[dask.cluster]\nconnect_timeout = '{PATIENCE} s'\nno_workers_timeout = '{PATIENCE} s'\n"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    """Give a cluster that outlives the drivers that lose it."""
    with DaskProcesses(tmp_path_factory.mktemp("cluster"), workers=1) as processes:
        yield processes


def two_records(tmp_path: Path) -> Workspace:
    """Make a workspace of two records whose scripts wait in mid-write."""
    return make_workspace(tmp_path / "lab", records=["R1", "R2"], scripts={"a": HALVES}, settings=SETTINGS)


#: What happens while the first script runs, and when its outputs are there.
FAULTS: dict[str, tuple[Callable[[Proxy], None], Callable[[Proxy], None]]] = {
    "held": (lambda proxy: proxy.hold(), lambda proxy: None),
    "nothing arrives there": (lambda proxy: proxy.hold(downward=False), lambda proxy: None),
    "nothing comes back": (lambda proxy: proxy.hold(upward=False), lambda proxy: None),
    "held, then cut for ever": (lambda proxy: proxy.hold(), lambda proxy: proxy.cut(for_ever=True)),
    "held, then cut once": (lambda proxy: proxy.hold(), lambda proxy: proxy.cut(for_ever=False)),
}
#: Each takes as long as the limit that it shows: the others come with `make chaos`.
NOW = FAULTS if FULL else {name: FAULTS[name] for name in ("held", "held, then cut once")}


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "then"), NOW.values(), ids=NOW)
def test_network_fails_in_mid_run(
    fault: Callable[[Proxy], None], then: Callable[[Proxy], None], tmp_path: Path, cluster: DaskProcesses
) -> None:
    """Whatever the network does, the run ends within its limit, what was finished meanwhile is known, and no job is lost."""
    with two_records(tmp_path) as workspace, Proxy(cluster.address) as proxy:
        report = workspace.steps.run(address=proxy.address, printing=False, wait=False)
        await_half(workspace, "R1")
        fault(proxy)
        began = time.monotonic()
        let_go(workspace)
        await_true(lambda: statuses(workspace)[0] == 30, "the worker ends its job")
        then(proxy)
        report.wait(LIMIT)
        assert time.monotonic() - began < LIMIT
        counts = {outcome: count for outcome, count in report.counts.items() if count}
        assert sum(counts.values()) == 2 and set(counts) <= {"done", "interrupted"}
        assert counts["done"] >= 1, "files tell, whatever the network does"
        if not report.ok:
            assert any("run ended early" in text and proxy.address in text for text in report.warnings)
    # The worker goes on with what it was sent; nobody may be in its way, nor find half a file.
    heal(workspace, has_workers=True)
    assert outputs(workspace) == {"R1.txt": WHOLE, "R2.txt": WHOLE}
    assert sum(line["message"] == "Run finished" for line in workspace["R1"].logs_json()) == 1


def test_network_that_is_cut_at_once(tmp_path: Path, cluster: DaskProcesses) -> None:
    """A connection that breaks in mid-write ends the run at once, which says so; the next one waits for the script and does the rest."""
    with two_records(tmp_path) as workspace, Proxy(cluster.address) as proxy:
        report = workspace.steps.run(address=proxy.address, printing=False, wait=False)
        await_half(workspace, "R1")
        proxy.cut(for_ever=True)
        assert report.wait(LIMIT).counts["interrupted"] == 2
        assert any("R1/a" in text and "may still be at it" in text for text in report.warnings)
        assert statuses(workspace)[0] == 20, "the script lives on with its worker"
        second = workspace.steps.run(mode="processes", workers=1, printing=False, wait=False)
        let_go(workspace)
        counts = second.wait(60).counts
        assert counts["done"] + counts["done_elsewhere"] == 2
    begun = [line for line in workspace["R1"].logs_json() if line["message"] == "Processing run"]
    assert len(begun) == 1, "nobody starts a script whose claim lives"
    assert outputs(workspace) == {"R1.txt": WHOLE, "R2.txt": WHOLE}
    heal(workspace, left=0, has_workers=True)


@pytest.mark.slow
def test_held_network_that_comes_back_in_time(tmp_path: Path, cluster: DaskProcesses) -> None:
    """A network that is silent for less than the limit costs nothing but the time."""
    settings = "[dask.cluster]\nconnect_timeout = '30 s'\n"
    workspace = make_workspace(
        tmp_path / "lab", records=["R1", "R2"], scripts={"a": HALVES}, settings=settings
    )
    with workspace, Proxy(cluster.address) as proxy:
        report = workspace.steps.run(address=proxy.address, printing=False, wait=False)
        await_half(workspace, "R1")
        proxy.hold()
        let_go(workspace)
        await_true(lambda: "R1.txt" in outputs(workspace), "the worker ends its job")
        time.sleep(1)
        proxy.hold(upward=False, downward=False)
        assert report.wait(60).counts["done"] == 2 and not report.warnings
    heal(workspace, left=0, has_workers=True)


def test_slow_network(tmp_path: Path, cluster: DaskProcesses) -> None:
    """A network of a tenth of a second each way makes a run slower, and changes nothing else."""
    with make_workspace(tmp_path / "lab") as workspace, Proxy(cluster.address) as proxy:
        proxy.delay = 0.1
        assert workspace.steps.run(address=proxy.address, printing=False).counts["done"] == 6
        assert proxy.passed > 0
    heal(workspace, left=0, has_workers=True)


def test_all_workers_go_and_none_comes(tmp_path: Path) -> None:
    """When the last worker is killed the run ends after `no_workers_timeout`, names the address, and loses no job."""
    with DaskProcesses(tmp_path / "cluster", workers=1) as cluster, two_records(tmp_path) as workspace:
        report = workspace.steps.run(address=cluster.address, printing=False, wait=False)
        await_half(workspace, "R1")
        end(cluster.workers[0])
        report.wait(LIMIT)
        assert report.counts["interrupted"] == 2 and not report.ok
        assert any(f"no worker at the Dask scheduler {cluster.address}" in text for text in report.warnings)
    let_go(workspace)
    heal(workspace, left=2, has_workers=True)


def test_scheduler_that_accepts_and_says_nothing(tmp_path: Path, cluster: DaskProcesses) -> None:
    """An address that takes connections and never answers is refused after `connect_timeout`, and nothing is made."""
    from sinagot.errors import ConfigurationError

    with two_records(tmp_path) as workspace, Proxy(cluster.address) as proxy:
        proxy.hold()
        began = time.monotonic()
        with pytest.raises(ConfigurationError, match="no Dask scheduler answers") as caught:
            workspace.steps.run(address=proxy.address, printing=False)
        assert time.monotonic() - began < LIMIT and proxy.address in str(caught.value)
        assert not (workspace.data_path / ".sinagot").exists()
