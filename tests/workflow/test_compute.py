"""Batches: `compute`, `remote`, and several processes at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

import sinagot as sg
from sinagot.errors import NotFoundError
from tests.workflow.conftest import COUNTING, Calls, Write, chain, seeds
from tests.workflow.many import check_interrupt, check_many, needs_peaks


def programs(folder: Path, text: str, count: int) -> list[subprocess.Popen[str]]:
    """Start a program several times at once, in the folder that holds its modules."""
    (folder / "program.py").write_text(text)
    return [
        subprocess.Popen(
            [sys.executable, "program.py"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_failures_are_collected_and_only_they_run_again(
    module: Write, tmp_path: Path, calls: Calls, mode: str
) -> None:
    """Of 20 workflows 3 fail: the report has them with node and exception, 17 are stored; mended, 3 run."""
    root = seeds(tmp_path / "data", 20)
    with module("chain_flow", chain(bad="(3, 7, 11)")).Chains(root) as ws:
        report = ws.compute("result", mode=mode)
        (group,) = [one for one in report.failures if one.outcome == "failed"]
        assert (group.step, sorted(group.records)) == ("more", ["W00003", "W00007", "W00011"])
        assert group.cause.startswith("ValueError: number ")
        assert report.counts["blocked"] == 3
        assert len(list((root / "result").iterdir())) == 17
        for number in (3, 7, 11):
            (root / "number" / f"W{number:05}.txt").write_text("100")
        calls.clear()
        report = ws.compute("result", mode=mode)
        assert report.ok
        assert calls() == sorted(
            f"{name} W{number:05}" for number in (3, 7, 11) for name in ("plus", "twice")
        )
        assert ws["W00007"].result == 202


def test_first_failure_can_end_the_batch(module: Write, tmp_path: Path, calls: Calls) -> None:
    """With `on_error="raise"` nothing new is begun after a failure, which is raised with id and node."""
    # Each takes a while: the failure is known long before all others could have been begun.
    ws = module("chain_flow", chain(bad="(2,)", pause=0.05)).Chains(seeds(tmp_path / "data", 100))
    with pytest.raises(sg.StepFailedError, match="number 2 is bad") as caught:
        ws.compute("result", on_error="raise")
    assert (caught.value.workflow_id, caught.value.node) == ("W00002", "more")
    assert len(calls()) < 100


def test_names_and_ids_are_not_taken_for_something_else(module: Write, tmp_path: Path, calls: Calls) -> None:
    """A list in the place of a name, or one text in that of ids, is an error that says how to write it."""
    ws = module("chain_flow", chain()).Chains(seeds(tmp_path / "data", 2))
    with pytest.raises(
        NotFoundError, match=r"one by one, as in compute\('a', 'b'\); found \['more', 'result'\]"
    ):
        ws.compute(["more", "result"])
    with pytest.raises(NotFoundError, match=r"no node \['result'\]; there are number, more, result"):
        ws.remote(["result"])
    with pytest.raises(TypeError, match=r"ids are a list of texts; for one of them write \['W00001'\]"):
        ws.compute("result", ids="W00001")
    assert calls() == []


def test_some_workflows_and_force(module: Write, tmp_path: Path, calls: Calls) -> None:
    """Only the ids that are named are computed; with force the named node runs again, what it is made from does not."""
    ws = module("chain_flow", chain()).Chains(seeds(tmp_path / "data", 5))
    assert ws.compute("result", ids=["W00001", "W00003"]).counts["done"] == 4
    calls.clear()
    assert ws.compute("result", ids=["W00001"], force=True).counts["done"] == 1
    assert calls() == ["twice W00001"]


def test_wrong_words_are_told(module: Write, tmp_path: Path) -> None:
    """An unknown node names near ones, a seed is none that is computed, options are checked."""
    ws = module("chain_flow", chain()).Chains(seeds(tmp_path / "data", 1))
    with pytest.raises(NotFoundError, match="did you mean 'result'"):
        ws.compute("resutl")
    with pytest.raises(NotFoundError, match="is a seed"):
        ws.compute("number")
    with pytest.raises(ValueError, match="on_error"):
        ws.compute("result", on_error="ignore")
    with pytest.raises(TypeError, match="worker"):
        ws.compute("result", worker=2)


def test_dry_run_says_what_would_run(module: Write, tmp_path: Path) -> None:
    """A plan is a plan: reasons, and nothing is written."""
    root = seeds(tmp_path / "data", 2)
    ws = module("chain_flow", chain()).Chains(root)
    report = ws.compute("result", dry_run=True)
    assert [(one, step) for one, step, _ in report.plan] == [
        (one, step) for one in ("W00000", "W00001") for step in ("more", "result")
    ]
    assert not (root / ".sinagot").exists()


def test_two_processes_compute_each_step_once(module: Write, tmp_path: Path, calls: Calls) -> None:
    """Two programs at the same work share it: no step runs twice, also where a value is not stored."""
    root = seeds(tmp_path / "data", 30)
    text = chain(pause=0.01).replace('    more = sg.LocalStorage("more/{workflow_id}.txt")\n', "")
    module("chain_flow", text)
    program = f"from chain_flow import Chains\nreport = Chains({str(root)!r}).compute('result')\nassert report.ok, report"
    running = programs(tmp_path / "code", program, 2)
    for one in running:
        _, said = one.communicate(timeout=100)
        assert one.returncode == 0, said
    assert calls() == sorted(f"{name} W{number:05}" for number in range(30) for name in ("plus", "twice"))


@pytest.mark.slow
@needs_peaks
def test_many_workflows_cost_their_caller_nothing(tmp_path: Path, calls: Calls) -> None:
    """Thousands of workflows on two workers: memory stays flat, progress is told, the second run computes nothing."""
    check_many(tmp_path, calls, few=200, many=2_000)


@pytest.mark.slow
def test_interrupt_leaves_whole_files_only(tmp_path: Path, calls: Calls) -> None:
    """Ctrl-C ends a batch and leaves whole files; the next one does exactly what is left, and leaves no litter."""
    check_interrupt(tmp_path, calls, count=1_000)


def test_class_in_the_main_module_travels_by_value(tmp_path: Path) -> None:
    """A program that is one file computes on workers, which never run it: its classes and functions are sent."""
    root = seeds(tmp_path / "data", 4)
    text = """
import sinagot as sg

OFFSET = 5

def helper(number):
    return number + OFFSET

@sg.step
def moved(number: int) -> int:
    return helper(number)

class Moving(sg.Workflow):
    number: int = sg.seed()
    place: int = moved.step(number)

class Movings(sg.Workspace[Moving]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    place = sg.LocalStorage("place/{workflow_id}.txt")

with Movings(%r) as ws:
    report = ws.compute("place", workers=2)
    print(report.counts["done"], [wf.place for wf in ws.values()])
"""
    folder = tmp_path / "code"
    folder.mkdir()
    for expected in ("4 [5, 6, 7, 8]\n", "0 [5, 6, 7, 8]\n"):
        (one,) = programs(folder, text % str(root), 1)
        shown, said = one.communicate(timeout=100)
        assert shown == expected, said
    (one,) = programs(folder, (text % str(root)).replace("OFFSET = 5", "OFFSET = 6"), 1)
    assert one.communicate(timeout=100)[0] == "4 [6, 7, 8, 9]\n"


@pytest.mark.parametrize("kind", ["with __init__", "bare", "beside"])
def test_package_with_relative_imports_is_loaded_in_workers(module: Write, tmp_path: Path, kind: str) -> None:
    """A class in a package runs in other processes as it is here, with what it imports, also without `__init__.py`."""
    package = tmp_path / "code" / "lab_package"
    (package / "inner").mkdir(parents=True)
    if kind == "with __init__":
        (package / "__init__.py").write_text("")
    statement = "import lab_package.numbers" if kind == "beside" else "from .numbers import tripled"
    name = "lab_package.numbers.tripled" if kind == "beside" else "tripled"
    flows = tmp_path / "code" / "lab_flows.py" if kind == "beside" else package / "flows.py"
    (package / "numbers.py").write_text(
        "from lab_package.inner import deep\n\ndef tripled(number):\n    return deep.FACTOR * number\n"
    )
    (package / "inner" / "deep.py").write_text("FACTOR = 3\n")
    flows.write_text(
        f"""
from __future__ import annotations
import sinagot as sg
{statement}

@sg.step
def three(number: int) -> int:
    return {name}(number)

class Threes(sg.Workflow):
    number: int = sg.seed()
    result: int = three.step(number)

class ThreesWorkspace(sg.Workspace[Threes]):
    number = sg.LocalStorage("number/{{workflow_id}}.txt")
    result = sg.LocalStorage("result/{{workflow_id}}.txt")
"""
    )
    root = seeds(tmp_path / "data", 3)
    program = f"""
from {"lab_flows" if kind == "beside" else "lab_package.flows"} import ThreesWorkspace
with ThreesWorkspace({str(root)!r}) as ws:
    report = ws.compute("result", workers=2)
    print(report.counts["done"], [wf.result for wf in ws.values()], [group.traceback for group in report.failures])
"""
    for done in (3, 0):
        (one,) = programs(tmp_path / "code", program, 1)
        shown, said = one.communicate(timeout=100)
        assert shown == f"{done} [0, 3, 6] []\n", said
    (package / "inner" / "deep.py").write_text("FACTOR = 4\n")
    (one,) = programs(tmp_path / "code", program, 1)
    assert one.communicate(timeout=100)[0] == "3 [0, 4, 8] []\n"


def test_retries_and_timeouts_of_steps(module: Write, tmp_path: Path, calls: Calls) -> None:
    """What is said beside `@sg.step` holds as for scripts: another try, an end after so many seconds."""
    text = (
        COUNTING
        + """
import time
from pathlib import Path

@sg.step(retries=2, retry_wait=0.01)
def shaky(number: int, workflow_id: str) -> int:
    note("shaky", workflow_id)
    if len(Path(CALLS).read_text().splitlines()) < 3:
        raise OSError("not yet")
    return number

@sg.step(timeout=0.5)
def slow(number: int) -> int:
    time.sleep(30)
    return number

class Limited(sg.Workflow):
    number: int = sg.seed()
    sure: int = shaky.step(number)
    late: int = slow.step(number)

class Limits(sg.Workspace[Limited]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    sure = sg.LocalStorage("sure/{workflow_id}.txt")
    late = sg.LocalStorage("late/{workflow_id}.txt")
"""
    )
    with module("limited_flow", text).Limits(seeds(tmp_path / "data", 1)) as ws:
        assert ws["W00000"].sure == 0
        assert len(calls()) == 3
        report = ws.compute("late")
        assert [group.exc_type for group in report.failures] == ["StepTimeoutError"]
        with pytest.raises(sg.StepFailedError, match=r"step 'late' of 'W00000' failed: StepTimeoutError"):
            ws["W00000"].late


EXITING = (
    COUNTING
    + """
import sys

class Half(str):
    pass

class HalfHandler(sg.TypeHandler, data_type=Half):
    def check(self, data):
        return Half(data)

    def read(self, path):
        return Half(path.read_text())

    def write(self, path, data):
        path.write_text(data[: len(data) // 2])
        sys.exit()

@sg.step
def text(number: int) -> str:
    return "whole"

@sg.step
def leave(number: int) -> int:
    sys.exit(0)

@sg.step
def more(left: int, workflow_id: str) -> int:
    note("more", workflow_id)
    return left + 1

class Exiting(sg.Workflow):
    number: int = sg.seed()
    half: Half = text.step(number)
    left: int = leave.step(number)
    result: int = more.step(left)

class Exits(sg.Workspace[Exiting]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    half = sg.LocalStorage("half/{workflow_id}.txt")
    result = sg.LocalStorage("result/{workflow_id}.txt")
"""
)


@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_step_that_ends_the_program_has_failed(
    module: Write, tmp_path: Path, calls: Calls, mode: str
) -> None:
    """A step that calls `sys.exit()`, or whose handler does, gives no data: it has failed, and nothing is stored."""
    root = seeds(tmp_path / "data", 2)
    with module("exiting_flow", EXITING).Exits(root) as ws:
        report = ws.compute("half", "result", mode=mode)
        failed = {group.step: group for group in report.failures if group.outcome == "failed"}
        assert failed.keys() == {"half", "left"}
        for group in failed.values():
            assert (group.exc_type, sorted(group.records)) == ("SystemExit", ["W00000", "W00001"])
            assert "ended the program, and gave no data" in group.message
            assert "exiting_flow.py" in group.traceback
        assert report.counts["blocked"] == 2
        assert calls() == []
        assert not any((root / name).exists() for name in ("half", "result"))


def test_environment_variables_win_over_the_configuration(
    module: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Level, mode and workers are taken from the environment; those of Ray are read, with one warning."""
    flow = module("chain_flow", chain())
    root = seeds(tmp_path / "data", 1)
    monkeypatch.setenv("SINAGOT_LOGGING_LEVEL", "debug")
    monkeypatch.setenv("SINAGOT_RAY_NUM_CPUS", "3")
    monkeypatch.setenv("SINAGOT_RAY_ADDRESS", "auto")
    with pytest.warns(UserWarning, match="no Ray any more.*SINAGOT_RAY_ADDRESS") as caught:
        ws = flow.Chains(root)
    assert len(caught) == 1
    assert ws.configuration.log.level == "DEBUG"
    assert (ws.configuration.run.mode, ws.configuration.run.workers) == ("processes", 3)
    monkeypatch.setenv("SINAGOT_RAY_LOCAL_MODE", "1")
    with pytest.warns(UserWarning, match="no Ray any more"):
        assert flow.Chains(root).configuration.run.mode == "main_process"
    monkeypatch.setenv("SINAGOT_MODE", "ray")
    with pytest.raises(sg.ConfigurationError, match="SINAGOT_MODE: should be one of"):
        flow.Chains(root)


def test_configuration_beside_the_data_holds(module: Write, tmp_path: Path) -> None:
    """A workspace.toml is not needed; where there is one, its records, run, log and path apply."""
    root = seeds(tmp_path / "data", 3)
    (root / "workspace.toml").write_text(
        "[records]\nid_pattern = 'W0000[01]'\n[path]\nlog = 'logs'\n[info]\nversion = '7'\n"
    )
    ws = module("chain_flow", chain()).Chains(root)
    assert list(ws) == ["W00000", "W00001"]
    assert ws["W00001"].result == 4
    assert (root / "logs" / "W00001.log").is_file()
    assert json.loads((root / "logs" / "W00001.log").read_text().splitlines()[0])["workspace_version"] == "7"


def test_folder_that_is_not_there_is_an_error(module: Write, tmp_path: Path) -> None:
    """The root must exist; a workspace without class and file says both ways."""
    flow = module("chain_flow", chain())
    with pytest.raises(sg.ConfigurationError, match="no such folder"):
        flow.Chains(tmp_path / "nowhere")
    with pytest.raises(sg.ConfigurationError, match="folder of its data"):
        flow.Chains()
    (tmp_path / "empty").mkdir()
    with pytest.raises(sg.ConfigurationError, match=r"sinagot\.Workspace\[") as caught:
        sg.Workspace(tmp_path / "empty")
    assert "workspace.toml" in str(caught.value)
    assert os.listdir(tmp_path / "empty") == []


@pytest.mark.slow
def test_remote_gives_one_future_a_workflow(module: Write, tmp_path: Path, calls: Calls) -> None:
    """Futures come in the order of ids, with stored values as well as those that nothing stores; failures raise."""
    from distributed import Client, LocalCluster

    root = seeds(tmp_path / "data", 4)
    text = chain(bad="(2,)").replace('    result = sg.LocalStorage("result/{workflow_id}.txt")\n', "")
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=True, dashboard_address="127.0.0.1:0"
        ) as cluster,
        Client(cluster) as client,
        module("chain_flow", text).Chains(root, client=client) as ws,
    ):
        assert ws["W00001"].more == 2
        futures = ws.remote("result")
        assert [future.result() for future in (futures[0], futures[1], futures[3])] == [2, 4, 8]
        with pytest.raises(
            sg.StepFailedError, match="step 'more' of 'W00002' failed: ValueError: number 2 is bad"
        ):
            futures[2].result()
        assert [future.result() for future in ws.remote("number")] == [0, 1, 2, 3]
        assert calls().count("plus W00001") == 1
        report = ws.compute("more")
        assert (report.counts["up_to_date"], report.counts["failed"]) == (3, 1)
        assert [calls().count(f"plus W0000{number}") for number in range(4)] == [1, 1, 2, 1]
        with pytest.raises(sg.StepFailedError) as caught:
            ws.remote("result")[2].result()
        assert isinstance(caught.value.__cause__, ValueError)
        calls.clear()
        (root / "number" / "W00002.txt").write_text("22\n")
        assert ws.remote("result")[2].result() == 46


LIMITED = (
    COUNTING
    + """
import time

@sg.step(timeout=3.0)
def slow(number: int, workflow_id: str) -> int:
    note("slow", workflow_id)
    if number:
        time.sleep(60)
    return number

@sg.step
def more(number: int) -> int:
    return number + 1

class Slow(sg.Workflow):
    number: int = sg.seed()
    slow: int = slow.step(number)
    result: int = more.step(slow)

class Slows(sg.Workspace[Slow]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    slow = sg.LocalStorage("slow/{workflow_id}.txt")
"""
)


@pytest.mark.slow
def test_limits_hold_for_futures_too(module: Write, tmp_path: Path, calls: Calls) -> None:
    """A step that takes too long is ended on a worker of Dask as well, with its cause; others give their data."""
    from distributed import Client, LocalCluster

    root = seeds(tmp_path / "data", 2)
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=True, dashboard_address="127.0.0.1:0"
        ) as cluster,
        Client(cluster) as client,
        module("slow_flow", LIMITED).Slows(root, client=client) as ws,
    ):
        good, late = ws.remote("result")
        assert good.result() == 1
        with pytest.raises(
            sg.StepFailedError, match=r"step 'slow' of 'W00001' failed: .*took longer than 3 s"
        ):
            late.result()
        assert calls() == ["slow W00000", "slow W00001"]
        assert ws.records.get("W00001").steps.status()["step_status"].tolist() == [40, 0]


def test_limits_hold_for_what_is_read(module: Write, tmp_path: Path) -> None:
    """A stored step on the way to a value that nothing stores is ended as well; of one that nothing stores we are told."""
    root = seeds(tmp_path / "data", 2)
    with module("slow_flow", LIMITED).Slows(root) as ws:
        assert ws["W00000"].result == 1
        with pytest.raises(
            sg.StepFailedError, match=r"step 'slow' of 'W00001' failed: .*took longer than 3 s"
        ):
            _ = ws["W00001"].result
    text = LIMITED.replace(
        '    slow = sg.LocalStorage("slow/{workflow_id}.txt")\n',
        '    result = sg.LocalStorage("result/{workflow_id}.txt")\n',
    )
    with (
        module("slow_flow", text).Slows(root) as ws,
        pytest.warns(UserWarning, match="limits of step 'slow' do not hold"),
    ):
        assert ws["W00000"].slow == 0


SHARED = (
    COUNTING
    + """
import time

@sg.step
def tarry(key: str) -> str:
    time.sleep(0.5 if key == "a" else 0)
    return key

@sg.step
def common(number: int) -> int:
    note("common", "all")
    time.sleep(0.1)
    if number < 0:
        raise ValueError(f"number {number}")
    return number + 1

@sg.step
def own(key: str, number: int) -> str:
    return key * number

class Shared(sg.Workflow):
    key: str = sg.seed()
    number: int = sg.seed()
    before: str = tarry.step(key)
    common: int = common.step(number)
    result: str = own.step(before, common)

class Shareds(sg.Workspace[Shared]):
    key = sg.LocalStorage("key/{workflow_id}")
    number = sg.LocalStorage("number")
    before = sg.LocalStorage("before/{workflow_id}")
    common = sg.LocalStorage("common")
    result = sg.LocalStorage("result/{workflow_id}")
"""
)


def shared_seeds(root: Path, names: Iterable[str]) -> Path:
    """Write the seeds of some workflows that share one number."""
    (root / "key").mkdir(parents=True)
    (root / "number").write_text("2\n")
    for name in names:
        (root / "key" / name).write_text(name)
    return root


@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_forced_result_of_all_workflows_is_made_once(
    mode: str, calls: Calls, module: Write, tmp_path: Path
) -> None:
    """A node whose storage names no id has one result: the workflow that comes first makes it, for the others too."""
    with module("shared_flow", SHARED).Shareds(shared_seeds(tmp_path / "data", "abc")) as ws:
        for force, number in ((False, 2), (True, 3)):
            (ws.data_path / "number").write_text(f"{number}\n")
            calls.clear()
            assert ws.compute("before", "common", "result", force=force, mode=mode, progress=False).ok
            assert calls() == ["common all"]
            stored = [(ws.data_path / "result" / one).read_text() for one in "abc"]
            assert stored == [one * (number + 1) for one in "abc"]


@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_failure_for_all_workflows_comes_once_in_a_run_and_is_mended_by_the_next(
    mode: str, calls: Calls, module: Write, tmp_path: Path
) -> None:
    """What all workflows share is not tried for each of them; a later run tries it anew, and status tells of it."""
    names = [f"{number:02}" for number in range(12)]
    with module("shared_flow", SHARED).Shareds(shared_seeds(tmp_path / "data", names)) as ws:
        for text, force in (("-1", False), ("-2", False), ("4", False), ("-3", True), ("5", False)):
            (ws.data_path / "number").write_text(f"{text}\n")
            calls.clear()
            report = ws.compute("common", "result", force=force, mode=mode, progress=False)
            assert calls() == ["common all"]
            assert report.ok == (int(text) > 0)
            status = ws.records.get("07").steps.status().set_index("step_label")["step_status"]
            assert status["common"] == (30 if report.ok else 40)
            if not report.ok:
                assert report.counts["blocked"] == 12
                assert any(group.cause.startswith(f"ValueError: number {text}") for group in report.failures)
