"""Scheduler, worker and driver on machines of their own: network namespaces with cables that can be pulled."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from sinagot.testing import await_true, make_workspace
from tests.chaos.conftest import (
    HALVES,
    WHOLE,
    StartProgram,
    await_half,
    driver,
    heal,
    let_go,
    outputs,
    statuses,
)
from tests.clusters import DaskProcesses, end

CAN_CABLE = (
    subprocess.run(
        ["unshare", "-nu", "ip", "link", "add", "one", "type", "veth", "peer", "name", "other"],
        capture_output=True,
        check=False,
    ).returncode
    == 0
)

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.slow,
    pytest.mark.skipif(
        not CAN_CABLE, reason="network namespaces with veth pairs are not allowed here (needs root)"
    ),
]


class Machine:
    """A network and a host name of its own, for as long as one process sleeps in it."""

    def __init__(self, name: str) -> None:
        self.process = subprocess.Popen(
            [
                "unshare",
                "-nu",
                "sh",
                "-c",
                f"hostname {name} && ip link set lo up && echo up && exec sleep 300",
            ],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"up\n"
        self.way = ["nsenter", "-t", str(self.process.pid), "-n", "-u"]

    def ip(self, *words: str) -> None:
        """Say something about the machine's network."""
        subprocess.run([*self.way, "ip", *words], check=True)

    def cable(self, other: Machine, net: str) -> None:
        """Lay a cable to another machine; the device has the name of the net at both ends."""
        pid = str(other.process.pid)
        self.ip("link", "add", "cable", "type", "veth", "peer", "name", net, "netns", pid)
        self.ip("link", "set", "cable", "name", net)
        for number, machine in enumerate((self, other), start=1):
            machine.ip("addr", "add", f"{net}.{number}/24", "dev", net)
            machine.ip("link", "set", net, "up")

    def close(self) -> None:
        """End the machine, and its cables with it."""
        end(self.process)
        assert self.process.stdout is not None
        self.process.stdout.close()


HEAD_TO_NODE, HEAD_TO_DESK = "10.83.1", "10.83.2"


class Site(DaskProcesses):
    """A scheduler on one machine, a worker on another, and a third one for drivers."""

    settings: ClassVar = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "2s"}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, workers=1)
        self.head, self.node, self.desk = Machine("head"), Machine("node"), Machine("desk")
        self.head.cable(self.node, HEAD_TO_NODE)
        self.head.cable(self.desk, HEAD_TO_DESK)

    def place(self, kind: str) -> tuple[list[str], str]:
        return (self.head.way, "0.0.0.0") if kind == "scheduler" else (self.node.way, f"{HEAD_TO_NODE}.2")

    def start_scheduler(self, port: int = 0) -> None:
        """Start the scheduler; it is at another address for each of its neighbours."""
        super().start_scheduler(port)
        self.port = self.address.rpartition(":")[2]
        self.address = f"tcp://{HEAD_TO_NODE}.1:{self.port}"

    def await_workers(self, count: int) -> None:
        await_true(lambda: self.log().count("Register worker") >= count, "the worker comes")

    def close(self) -> None:
        for machine in (self.head, self.node, self.desk):
            machine.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Give three machines with a cluster that waits for work."""
    made = Site(tmp_path / "cluster")
    try:
        with made:
            yield made
    finally:
        made.close()


def text_on(machine: Machine, text: str) -> str:
    """Give the text of a program that runs on a machine."""
    return (
        "import os, sys\n"
        'if "there" not in sys.argv:\n'
        f'    os.execvp("nsenter", [*{machine.way!r}, sys.executable, __file__, "there"])\n{text}'
    )


SETTINGS = "[dask.cluster]\nconnect_timeout = '4 s'\nno_workers_timeout = '4 s'\n"


def test_each_part_on_a_machine_of_its_own(tmp_path: Path, site: Site, start: StartProgram) -> None:
    """Driver, scheduler and worker need nothing in common but the files and the port of the scheduler."""
    workspace = make_workspace(tmp_path / "lab", settings=SETTINGS)
    program = start(text_on(site.desk, driver(workspace, address=f"tcp://{HEAD_TO_DESK}.1:{site.port}")))
    assert program.wait() == 0, program.said
    assert program.ended()[1] == {"done": 6}
    assert {line["host"] for line in workspace["REC-1"].logs_json()} == {"node"}
    heal(workspace, left=0, has_workers=True)


@pytest.mark.parametrize("net", [HEAD_TO_DESK, HEAD_TO_NODE], ids=["of the driver", "of the worker"])
def test_pulled_cable(net: str, tmp_path: Path, site: Site, start: StartProgram) -> None:
    """Without a word from the network the run ends within its limits; what the worker finished meanwhile counts as done."""
    workspace = make_workspace(
        tmp_path / "lab", records=["R1", "R2"], scripts={"a": HALVES}, settings=SETTINGS
    )
    program = start(text_on(site.desk, driver(workspace, address=f"tcp://{HEAD_TO_DESK}.1:{site.port}")))
    await_half(workspace, "R1")
    site.head.ip("link", "set", net, "down")
    let_go(workspace)
    await_true(lambda: statuses(workspace)[0] == 30, "the worker ends its job")
    code = program.wait()
    counts = program.ended()[1]
    assert counts["done"] >= 1 and sum(counts.values()) == 2
    assert code == (0 if counts["done"] == 2 else 3), program.said
    site.head.ip("link", "set", net, "up")
    await_true(lambda: set(statuses(workspace)) <= {10, 30, 42}, "the worker has ended what it was sent")
    heal(workspace, has_workers=True)
    assert outputs(workspace) == {"R1.txt": WHOLE, "R2.txt": WHOLE}
