"""Limits of steps on Dask workers: the worker watches its child."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sinagot.testing import alive, await_true, make_workspace, script_text

if TYPE_CHECKING:
    from distributed import Client


def test_what_failed_attempts_had_written_is_kept(tmp_path: Path, dask_client: Client) -> None:
    """On a worker too, `keep_failed` keeps the stage, and `nonempty` refuses an empty output."""
    body = """
        self.path.output.write_text("" if self.id == "EMPTY" else self.id)
        if self.id == "KILLED":
            os.kill(os.getpid(), 9)
        if self.id == "BAD":
            raise ValueError("bad")
    """
    workspace = make_workspace(
        tmp_path / "lab",
        records=["EMPTY", "KILLED", "BAD", "GOOD"],
        scripts={"a": script_text(body, members="NONEMPTY = True\nKEEP_FAILED = True")},
    )
    with workspace:
        report = workspace.steps.run(client=dask_client, printing=False)
        assert (report.counts["done"], report.counts["failed"]) == (1, 3)
        kept = {}
        for group in report.failures:
            folder = group.message.partition("\nwhat it had written is kept in ")[2]
            (file,) = Path(folder, "out").iterdir()
            kept[group.records[0], group.exc_type.rpartition(".")[2]] = file.read_text()
        assert kept == {
            ("EMPTY", "BadOutputError"): "",
            ("KILLED", "WorkerLostError"): "KILLED",
            ("BAD", "ValueError"): "BAD",
        }


def test_workers_hold_limits(tmp_path: Path, dask_client: Client) -> None:
    """On a worker too, attempts over their limits are ended and blamed, and failed ones are tried again."""
    body = """
        first = self.data_path / self.id
        is_first = not first.exists()
        with first.open("a") as file:
            file.write(f"{os.getpid()} {os.environ['OMP_NUM_THREADS']} ")
        if self.id == "SLOW":
            time.sleep(60)
        if self.id == "LARGE":
            large = bytearray(300_000_000)
            time.sleep(60)
        if self.id == "FLAKY" and is_first:
            raise OSError("once")
        self.path.output.touch()
    """
    settings = """
        [steps.a]
        timeout = "4 s"
        memory = "200 MB"
        threads = 2
        retries = 1
        retry_wait = 0.05
        retry_on = ["error"]
    """
    workspace = make_workspace(
        tmp_path / "lab",
        records=["SLOW", "LARGE", "FLAKY", "GOOD"],
        scripts={"a": script_text(body)},
        settings=settings,
    )
    with workspace:
        report = workspace.steps.run(client=dask_client, printing=False)
        assert (report.counts["done"], report.counts["failed"]) == (2, 2)
        assert {group.exc_type: group.records for group in report.failures} == {
            "StepTimeoutError": ("SLOW",),
            "StepMemoryError": ("LARGE",),
        }
        tries = {record: (workspace.data_path / record).read_text().split() for record in report.ledger.ids}
        assert {record: len(words) // 2 for record, words in tries.items()} == {
            "SLOW": 1,
            "LARGE": 1,
            "FLAKY": 2,
            "GOOD": 1,
        }
        assert {words[1] for words in tries.values()} == {"2"}
        ended = [int(tries[record][0]) for record in ("SLOW", "LARGE")]
        await_true(lambda: not alive(*ended), "both end")
        assert os.getpid() not in {int(words[0]) for words in tries.values()}
