"""A thousand clients that hold the server up, while a run goes on that it started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psutil
import pytest

from sinagot.testing import await_true, make_workspace, script_text
from tests.dashboard.conftest import Dashboard, Serve
from tests.dashboard.crowd import KINDS

ROOT = Path(__file__).parents[2]
TEMPLATES = """
batch:
  type: pipeline.Pipeline
  jobs: {only: {stages: [{name: All, steps: all}]}}
quick:
  type: pipeline.Pipeline
  jobs: {only: {stages: [{name: Say, echo: hello}]}}
yearly:
  type: pipeline.Pipeline
  on: every-new-year
  jobs: {only: {stages: [{name: Say, echo: happy}]}}
every-new-year: {type: on.On, cron: "0 0 1 1 *"}
"""
WAITS = """
end = time.monotonic() + 60
while not (self.data_path / "gate").exists() and time.monotonic() < end:
    time.sleep(0.02)
self.path.output.write_text(self.id)
"""


@contextmanager
def crowd_at(dashboard: Dashboard, run_id: str) -> Iterator[subprocess.Popen[str]]:
    """Let a crowd come; the block begins when all have been there."""
    crowd = subprocess.Popen(
        [sys.executable, "-m", "tests.dashboard.crowd", str(dashboard.port), run_id],
        cwd=ROOT,
        env={**os.environ, "CROWD_TOKEN": dashboard.token},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert crowd.stdout is not None
        assert crowd.stdout.readline() == "there\n"
        yield crowd
    finally:
        crowd.kill()
        crowd.communicate()


class Passers:
    """People who come one after the other, each with a connection of his own, until one is served."""

    def __init__(self, dashboard: Dashboard) -> None:
        self._port, self._headers = dashboard.port, {"Authorization": f"Bearer {dashboard.token}"}

    def ask(self, method: str, path: str, code: int = 200) -> Any:
        """Give the answer that has this code."""
        found: list[bytes] = []
        await_true(lambda: self._try(method, path, code, found), f"an answer to {method} {path}", 60)
        return json.loads(found[0])

    def _try(self, method: str, path: str, code: int, found: list[bytes]) -> bool:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request(method, path, headers={"Accept": "application/json", **self._headers})
            answer = connection.getresponse()
            found += [answer.read()] if answer.status == code else []
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
        return answer.status == code

    def await_end(self, run_id: str) -> None:
        """Wait until a run is done."""
        await_true(lambda: self.ask("GET", f"/runs/{run_id}")["state"] == "done", f"the end of {run_id}", 60)


@pytest.mark.slow
def test_a_thousand_slow_clients_hold_up_nobody(tmp_path: Path, serve: Serve) -> None:
    """Half requests, dripping and endless bodies, and who listens without reading, a thousand at one time and again.

    Others are answered all the while, the run that goes on ends as it should, one that is asked for meanwhile runs; the
    server takes no gigabyte, little memory, and gives back what it held.
    """
    lab = tmp_path / "lab"
    make_workspace(lab, records=["A", "B"], scripts={"a": script_text(WAITS)}).close()
    (lab / "conf").mkdir()
    (lab / "conf" / "all.yaml").write_text(TEMPLATES)
    dashboard = serve(lab)
    server, others = psutil.Process(dashboard.process.pid), Passers(dashboard)
    batch = others.ask("POST", "/pipelines/batch/runs", 202)["run_id"]
    await_true(lambda: others.ask("GET", f"/runs/{batch}")["state"] == "running", "the batch to begin", 60)
    memory, descriptors = server.memory_info().rss, server.num_fds()
    with crowd_at(dashboard, batch) as crowd:
        assert others.ask("GET", "/health")["status"] == "ok"
        quick = others.ask("POST", "/pipelines/quick/runs", 202)["run_id"]
        (lab / "dataset" / "gate").touch()
        for run_id in (quick, batch):
            others.await_end(run_id)
        assert server.num_fds() < sum(KINDS.values())
        told = json.loads(crowd.communicate(input="")[0])
    assert sorted(path.read_text() for path in (lab / "dataset" / "out").iterdir()) == ["A", "B"]
    assert told["most"] < 1 << 27, "of a gigabyte the server takes some megabytes"
    assert server.memory_info().rss < 2 * memory
    await_true(lambda: server.num_fds() <= descriptors + 8, "all that was held is given back", 60)
    assert not others.ask("GET", "/schedules/yearly")["paused"]
    assert others.ask("GET", "/pipelines/quick/runs")["runs"][1:] == [], "half a request starts nothing"
    assert "Traceback" not in dashboard.text
