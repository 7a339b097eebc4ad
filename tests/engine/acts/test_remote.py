"""Calls of functions in child processes and on a Dask cluster: real processes, one real cluster."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sinagot.config.settings import StepSettings
from sinagot.engine.acts.calls import Carried
from sinagot.engine.acts.remote import RemoteCalls
from sinagot.engine.acts.voices import voice_of
from sinagot.engine.causes import cause_of
from sinagot.engine.executors.places import Place
from sinagot.engine.executors.processes import ProcessExecutor
from sinagot.engine.job import JobResult
from sinagot.errors import (
    CallInterruptedError,
    ConfigurationError,
    RemoteError,
    StepMemoryError,
    StepTimeoutError,
    UnsendableError,
    WorkerLostError,
)
from sinagot.runlog.capture import AttemptLog
from sinagot.runlog.lines import make_line
from sinagot.runlog.printing import Printer
from sinagot.runlog.read import read_lines
from sinagot.runlog.write import LogTarget, NoLog, RecordLog, close_all
from sinagot.scripts.classes import execute_set
from sinagot.scripts.imports import find_sources
from sinagot.testing import alive, await_true, make_workspace, script_text

PATIENCE = 60


class OwnError(Exception):
    """Of the user; one that has more arguments than its text."""

    def __init__(self, channel: str, count: int) -> None:
        super().__init__(channel, count)
        self.channel, self.count = channel, count


class StuckError(Exception):
    """Of the user; no pickle takes it."""

    def __init__(self) -> None:
        super().__init__("stuck")
        self.lock = threading.Lock()


def same(value: Any) -> Any:
    """Give back what came."""
    return value


def pid() -> int:
    """Give the process."""
    return os.getpid()


def fail(kind: str) -> None:
    """Raise something."""
    raise {"own": OwnError("Fp1", 3), "stuck": StuckError(), "exit": SystemExit(3)}[kind]


def sleep_with_children(file: str) -> None:
    """Start programs of all kinds, and hang."""
    one = subprocess.Popen(["sleep", "600"])
    two = subprocess.Popen(["sleep", "600"], start_new_session=True)
    Path(file).write_text(f"{os.getpid()} {one.pid} {two.pid}")
    time.sleep(600)


def deaf() -> None:
    """Hang, and do not listen."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def die(how: str) -> None:
    """Take the process down."""
    if how == "exit":
        os._exit(7)
    if how == "segfault":
        ctypes.string_at(0)
    os.kill(os.getpid(), signal.SIGKILL)


def hoard() -> int:
    """Use a lot of memory, and stay."""
    held = bytearray(400 << 20)
    time.sleep(PATIENCE)
    return len(held)


def meet(folder: str, name: str) -> int:
    """Come back when two are there."""
    (Path(folder) / name).touch()
    await_true(lambda: len(os.listdir(folder)) > 1, "two calls meet", PATIENCE)
    return os.getpid()


def speak() -> str:
    """Say something in each way there is."""
    print("by print")
    logging.getLogger("library").warning("a token: hunter2")
    warnings.warn("by warnings", stacklevel=1)
    return "said"


def without_token(text: str) -> str:
    """Take a secret out."""
    return text.replace("hunter2", "***")


def nested(depth: int) -> list[int]:
    """Call itself in a process of its own, and say which processes there were."""
    if not depth:
        return [os.getpid()]
    with RemoteCalls(lambda: ProcessExecutor(1)) as calls:
        return [os.getpid(), *calls.call("inner", nested, {"depth": depth - 1})]


def nested_for_ever(file: str) -> None:
    """Hang in a process of a process."""
    with RemoteCalls(lambda: ProcessExecutor(1)) as calls:
        calls.call("inner", sleep_with_children, {"file": file})


VARIABLES: dict[str, Any] = {}


@contextlib.contextmanager
def with_variables(data: dict[str, Any]) -> Iterator[Callable[[], Any]]:
    """Surround a call with variables; gives them as they are then."""
    VARIABLES.clear()
    VARIABLES.update(data)
    yield lambda: dict(VARIABLES)
    VARIABLES.clear()


def count_up(by: int, ok: bool = True) -> int:
    """Change a variable."""
    VARIABLES["count"] += by
    if not ok:
        raise ValueError("no")
    return int(VARIABLES["count"])


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Give somebody's client of a real local cluster."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def places(client: Any) -> Iterator[dict[str, RemoteCalls]]:
    """Give calls in two child processes, and on the cluster."""
    with (
        RemoteCalls(Place(mode="processes", workers=2).make) as processes,
        RemoteCalls(Place(client=client).make) as dask,
    ):
        yield {"processes": processes, "dask": dask}
    assert client.submit(sum, [1, 2]).result(timeout=60) == 3, "a client of others stays open"


@pytest.fixture(params=["processes", "dask"])
def calls(request: pytest.FixtureRequest, places: dict[str, RemoteCalls]) -> RemoteCalls:
    """Give calls of each kind."""
    return places[request.param]


VALUES = [None, "UNBOUND", {"a": [1.5, (None,)]}, OwnError("Fp1", 3), b"x" * 100_000]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_come_back_as_they_went(calls: RemoteCalls, value: Any) -> None:
    """Any value goes there and comes back as it was."""
    assert repr(calls.call("same", same, {"value": value})) == repr(value)


def test_large_arrays_pass(calls: RemoteCalls) -> None:
    """Arrays and tables of many megabytes go there and come back, and can be changed."""
    import numpy as np  # here only: each child process imports this module
    import pandas as pd

    array = np.arange(4_000_000, dtype=float)
    table = pd.DataFrame({"a": array[:1000], "b": "text"})
    back = calls.call("same", same, {"value": (array, table, array[::2], np.empty(0))})
    assert np.array_equal(back[0], array) and np.array_equal(back[2], array[::2])
    assert back[1].equals(table) and back[3].shape == (0,)
    back[0][0] = 1.0


def test_functions_of_all_kinds_can_be_called(calls: RemoteCalls, tmp_path: Path) -> None:
    """Closures, lambdas, partial functions, methods and objects are called; what a main module defines travels too."""
    base = 40

    class Adder:
        def __call__(self, x: int) -> int:
            return base + x

        def method(self, x: int) -> int:
            return base + x

    functions = [lambda x: base + x, Adder(), Adder().method, functools.partial(lambda y, x: y + x, base)]
    assert [calls.call("add", function, {"x": 2}) for function in functions] == [42] * 4
    program = tmp_path / "program.py"
    program.write_text(
        "from sinagot.engine.acts.remote import RemoteCalls\n"
        "from sinagot.engine.executors.processes import ProcessExecutor\n"
        "print('begun')\n"
        "class Mine(Exception):\n    pass\n"
        "def f(x):\n    if x:\n        return Mine(x)\n    raise Mine('zero')\n"
        "calls = RemoteCalls(lambda: ProcessExecutor(1))\n"
        "assert type(calls.call('f', f, {'x': 1})) is Mine\n"
        "try:\n    calls.call('f', f, {'x': 0})\nexcept Mine as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.stdout, done.stderr) == ("begun\nzero\n", "")


def test_functions_of_scripts_travel_with_their_local_modules(
    places: dict[str, RemoteCalls], tmp_path: Path
) -> None:
    """A function of a script's module is called where nobody has loaded it, with the modules beside the script."""
    text = "import tools\ndef scaled(x):\n    import late\n    return late.plus(tools.double(x))\n"
    (tmp_path / "alpha.py").write_text(text)
    (tmp_path / "tools.py").write_text("def double(x):\n    return 2 * x\n")
    (tmp_path / "late.py").write_text("def plus(x):\n    return x + 1\n")
    source = find_sources("alpha", None, str(tmp_path / "alpha.py"), [str(tmp_path)]).source
    function, _ = execute_set(source, lambda module: module.scaled)
    try:
        assert places["processes"].call("alpha", function, {"x": 4}, source=source) == 9
    finally:
        sys.modules.pop(source.module_name, None)


def test_own_exceptions_are_raised(calls: RemoteCalls) -> None:
    """The function's own exception is raised, and tells where it came from, also to who makes a cause of it."""
    with pytest.raises(OwnError) as caught:
        calls.call("stage", fail, {"kind": "own"})
    assert (caught.value.channel, caught.value.count) == ("Fp1", 3)
    assert "raise {" in caught.value.__notes__[0]
    cause = cause_of(caught.value, [])
    assert cause.where.startswith(f"{__file__}:") and cause.where.endswith(" in fail")
    assert cause.exc_type.endswith("OwnError") and cause.traceback in caught.value.__notes__[0]
    with pytest.raises(RemoteError, match=r"StuckError: stuck") as named:
        calls.call("stage", fail, {"kind": "stuck"})
    assert cause_of(named.value, []).exc_type.endswith("StuckError")
    with pytest.raises(SystemExit):
        calls.call("stage", fail, {"kind": "exit"})


def test_what_cannot_travel_is_named(calls: RemoteCalls) -> None:
    """An argument, a function or a result that cannot be pickled is an error with stage, argument and type."""
    lock = threading.Lock()
    with pytest.raises(UnsendableError, match=r"^stage: argument 'value' \(of type _thread.lock\)") as caught:
        calls.call("stage", same, {"value": lock})
    assert (caught.value.call, caught.value.part) == ("stage", "argument 'value'")
    with pytest.raises(UnsendableError, match="its function"):
        calls.call("stage", lambda: lock, {})
    with pytest.raises(UnsendableError, match=r"^stage: its result \(of type generator\)"):
        calls.call("stage", lambda: (x for x in "ab"), {})
    with pytest.raises(UnsendableError, match="what surrounds it"):
        calls.call("stage", pid, {}, carried=Carried(with_variables, lock))


def test_timeout_ends_the_whole_tree(calls: RemoteCalls, tmp_path: Path) -> None:
    """A call that is over its time ends soon, and nothing that it started is left."""
    file = tmp_path / "pids"

    def hang() -> None:  # it travels by value: there is no time to import this module
        one = subprocess.Popen(["sleep", "600"])
        two = subprocess.Popen(["sleep", "600"], start_new_session=True)
        file.write_text(f"{os.getpid()} {one.pid} {two.pid}")
        time.sleep(600)

    for timeout in (1, 5, 25):  # on a busy machine the first may end before the call has written
        with pytest.raises(StepTimeoutError, match=f"took longer than {timeout} s"):
            calls.call("slow", hang, {}, settings=StepSettings(timeout=float(timeout)))
        if file.exists() and file.read_text():
            break
    pids = [int(word) for word in file.read_text().split()]
    await_true(lambda: not alive(*pids), "the tree of the call ends")
    assert calls.call("pid", pid, {}) not in pids


def test_timeout_ends_who_does_not_listen(calls: RemoteCalls) -> None:
    """A call that no request to end reaches, as one in C code, is killed a second later."""
    with pytest.raises(StepTimeoutError, match="took longer than 1 s"):
        calls.call("deaf", deaf, {}, settings=StepSettings(timeout=1.0))
    assert calls.call("same", same, {"value": 1}) == 1


def test_end_of_a_call_reaches_calls_in_calls(places: dict[str, RemoteCalls], tmp_path: Path) -> None:
    """When the outer call is ended, the processes of the inner one are."""
    file = tmp_path / "pids"
    calls = places["processes"]

    def kill() -> None:
        await_true(lambda: file.exists() and file.read_text(), "the inner call runs", PATIENCE)
        calls.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(CallInterruptedError):
        calls.call("outer", nested_for_ever, {"file": str(file)})
    killer.join(PATIENCE)
    await_true(lambda: not alive(*map(int, file.read_text().split())), "the inner tree ends")


def test_memory_limit_ends_the_call(calls: RemoteCalls) -> None:
    """A call that uses more than it may is ended, and says how much."""
    with pytest.raises(StepMemoryError, match=r"out of memory: peak .* of 200 MB"):
        calls.call("hoard", hoard, {}, settings=StepSettings(memory=200_000_000))


@pytest.mark.parametrize("how", ["exit", "segfault", "kill"])
def test_dying_call_costs_itself_only(calls: RemoteCalls, how: str) -> None:
    """A call that takes its process down fails and says how; the next one works."""
    text = {"exit": "exited with code 7", "segfault": "SIGSEGV", "kill": "SIGKILL"}[how]
    with pytest.raises(WorkerLostError, match=text):
        calls.call("die", die, {"how": how})
    assert calls.call("same", same, {"value": 1}) == 1


def test_process_that_is_slow_to_go_is_told_by_its_own_end(places: dict[str, RemoteCalls]) -> None:
    """A process whose end takes a while after its channel has closed, as on a busy machine, is not killed meanwhile."""

    def go_slowly() -> None:
        os.closerange(3, 100)
        time.sleep(1.2)
        os._exit(7)

    with pytest.raises(WorkerLostError, match="exited with code 7"):
        places["processes"].call("go", go_slowly, {})


def test_call_in_a_call_has_a_process_of_its_own(calls: RemoteCalls) -> None:
    """A call can make calls, wherever it runs, and leaves none of their processes."""
    pids = calls.call("outer", nested, {"depth": 2})
    assert len(set(pids)) == 3
    await_true(lambda: not alive(*pids[1:]), "the inner processes end")


def test_jobs_of_workspaces_can_make_calls(tmp_path: Path) -> None:
    """A script that runs in a child of a workspace can call functions of its own in a child of that child."""
    before = (
        "from sinagot.engine.acts.remote import RemoteCalls\n"
        "from sinagot.engine.executors.processes import ProcessExecutor\n"
        "def number(x):\n    return os.getpid(), 2 * x\n"
    )
    body = """
        with RemoteCalls(lambda: ProcessExecutor(1)) as calls:
            pid, two = calls.call("number", number, {"x": 1})
        assert pid != os.getpid()
        self.path.output.write_text(str(two))
    """
    text = script_text(body, before=before)
    with make_workspace(tmp_path, records=2, scripts={"a": text}) as workspace:
        assert workspace.steps.run(mode="processes", workers=1, printing=False).ok
        assert {path.read_text() for path in (workspace.data_path / "out").iterdir()} == {"2"}


def test_many_threads_call_at_once(calls: RemoteCalls) -> None:
    """Two hundred calls from eight threads each get their own answer, from two processes that stay."""
    answers: dict[int, Any] = {}

    def ask(first: int) -> None:
        for number in range(first, 200, 8):
            answers[number] = calls.call("both", lambda x: (x, os.getpid()), {"x": number})

    threads = [threading.Thread(target=ask, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert [answers[number][0] for number in range(200)] == list(range(200))
    assert len({process for _, process in answers.values()} - {os.getpid()}) <= 2


def test_calls_run_side_by_side_in_warm_children(calls: RemoteCalls, tmp_path: Path) -> None:
    """Two calls run at the same time; one after the other, they find the process warm."""
    pids: list[int] = []
    threads = [
        threading.Thread(
            target=lambda name=name: pids.append(
                calls.call(name, meet, {"folder": str(tmp_path), "name": name})
            )
        )
        for name in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(set(pids)) == 2
    assert {calls.call("pid", pid, {}) for _ in range(6)} <= set(pids)


def test_long_call_does_not_delay_others(places: dict[str, RemoteCalls], tmp_path: Path) -> None:
    """While a call hangs, hundreds of others go through beside it, without a wait for each."""
    calls = places["processes"]
    caught: list[BaseException] = []
    file = tmp_path / "pids"

    def hang() -> None:
        try:
            calls.call("slow", sleep_with_children, {"file": str(file)})
        except CallInterruptedError as error:
            caught.append(error)

    thread = threading.Thread(target=hang)
    thread.start()
    await_true(file.exists, "the long call runs", PATIENCE)
    assert [calls.call("same", same, {"value": number}) for number in range(300)] == list(range(300))
    calls.kill()
    thread.join(PATIENCE)
    assert [str(error) for error in caught] == ["slow: ended on request"]


def test_kill_ends_all_calls(calls: RemoteCalls, tmp_path: Path) -> None:
    """`kill` ends what runs and what waits at once, with all processes; afterwards calls can be made again."""
    ends: list[BaseException] = []

    def ask(number: int) -> None:
        try:
            calls.call("slow", sleep_with_children, {"file": str(tmp_path / str(number))})
        except CallInterruptedError as error:
            ends.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    await_true(
        lambda: len([file for file in tmp_path.iterdir() if file.read_text()]) == 2, "two run", PATIENCE
    )
    calls.kill()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(ends) == 4
    pids = [int(word) for file in tmp_path.iterdir() for word in file.read_text().split()]
    await_true(lambda: not alive(*pids), "the trees of the calls end")
    assert calls.call("same", same, {"value": 1}) == 1


def test_interrupted_wait_leaves_its_call_to_kill(tmp_path: Path) -> None:
    """Ctrl-C while a call is waited for is raised there; `close` ends the call."""
    code = (
        "import os, signal, threading, time\n"
        "from pathlib import Path\n"
        "from sinagot.engine.acts.remote import RemoteCalls\n"
        "from sinagot.engine.executors.processes import ProcessExecutor\n"
        f"file = Path({str(tmp_path / 'pid')!r})\n"
        "def slow():\n"
        "    file.write_text(str(os.getpid()))\n"
        "    time.sleep(600)\n"
        "def interrupt():\n"
        "    while not (file.exists() and file.read_text()):\n"
        "        time.sleep(0.01)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "threading.Thread(target=interrupt).start()\n"
        "try:\n"
        "    with RemoteCalls(lambda: ProcessExecutor(1)) as calls:\n"
        "        calls.call('slow', slow, {})\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("interrupted\n", "", 0)
    slow = int((tmp_path / "pid").read_text())
    await_true(lambda: not alive(slow), "the call ends")


def test_what_is_said_lands_in_the_callers_log(calls: RemoteCalls, tmp_path: Path) -> None:
    """Print, logging and warnings of a call are lines of the same file, with the fields of the voice, without secrets."""
    target = LogTarget(str(tmp_path / "LOG"), str(tmp_path / "locks"))
    log = AttemptLog(RecordLog(target, "sleep"), {"record_id": None, "run_id": "r1"})
    log.redact = without_token
    voice = voice_of(log.within(pipeline="night", stage="speak"))
    RecordLog(target, "sleep").write(make_line({"run_id": "r1"}, 20, "begun"))
    heard: list[JobResult] = []
    assert calls.call("speak", speak, {}, voice=voice, heard=heard.append) == "said"
    close_all()
    lines = read_lines(target.folder, "sleep")[0]
    messages = [line["message"].partition(" (/")[0] for line in lines]
    assert messages == ["begun", "by print", "a token: ***", "UserWarning: by warnings"]
    assert len(lines) == 4 and {line["run_id"] for line in lines} == {"r1"}
    assert {line["stage"] for line in lines[1:]} == {"speak"} and {line["pid"] for line in lines[1:]} != {
        os.getpid()
    }
    assert "hunter2" not in Path(RecordLog(target, "sleep").path).read_text()
    assert heard[0].duration > 0 and heard[0].warnings == ()


def test_loggers_lines_are_shown_by_the_caller(places: dict[str, RemoteCalls], tmp_path: Path) -> None:
    """What the logger of the voice says is handed back, to be shown where the user is."""
    log = AttemptLog(NoLog(), {"record_id": "R1", "step_label": "say"}, printer=Printer(collect=True))

    def say() -> None:
        from _thread import get_ident

        from sinagot.runlog.listeners import LISTENERS

        attempt: Any = LISTENERS._attempt_of(get_ident())
        attempt.logger.info("for people")

    heard: list[JobResult] = []
    places["processes"].call("say", say, {}, voice=voice_of(log), heard=heard.append)
    (line,) = heard[0].printed
    assert line.startswith("R1 | ") and line.endswith("say : for people")


def test_what_surrounds_a_call_comes_back(calls: RemoteCalls) -> None:
    """Variables are there in the call, and come back as it has left them, also when it fails."""
    back: list[dict[str, int]] = []
    carried = Carried(with_variables, {"count": 1})
    assert calls.call("up", count_up, {"by": 2}, carried=carried, returned=back.append) == 3
    with pytest.raises(ValueError, match="no"):
        calls.call("up", count_up, {"by": 4, "ok": False}, carried=carried, returned=back.append)
    assert back == [{"count": 3}, {"count": 5}]
    assert VARIABLES == {}


PROGRAM_THAT_COUNTS = """
import os, threading, time
import psutil
from sinagot.engine.acts.remote import RemoteCalls
from sinagot.engine.executors.places import Place
from sinagot.errors import CallInterruptedError, WorkerLostError

def held():
    process = psutil.Process()
    return process.num_fds(), threading.active_count(), len(process.children(recursive=True))

def use():
    with RemoteCalls(Place(mode="processes", workers=2).make) as calls:
        assert calls.call("same", lambda: 1, {}) == 1
        try:
            calls.call("die", lambda: os._exit(1), {})
        except WorkerLostError:
            pass
    calls.close()
    try:
        calls.call("same", lambda: 1, {})
    except CallInterruptedError as error:
        print(error)
    RemoteCalls(Place(mode="processes").make).close()

use()
before = held()
use()
use()
end = time.monotonic() + 30
while any(now > then for now, then in zip(held(), before)):  # a timer that was stopped goes a moment later
    assert time.monotonic() < end, (held(), before)
    time.sleep(0.01)
"""


def test_close_leaves_nothing() -> None:
    """After `close` no process, thread or descriptor of the calls is left, and calls are refused."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM_THAT_COUNTS],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stderr == "" and done.returncode == 0
    assert done.stdout == "same: no calls are taken any more\n" * 3


def test_place_that_cannot_be_had_is_told_to_each_caller() -> None:
    """What is wrong with the place is raised where a call is made; the next call tries again."""
    tries: list[int] = []

    def lend() -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise ConfigurationError("no such cluster")
        return ProcessExecutor(1)

    with RemoteCalls(lend) as calls:
        with pytest.raises(ConfigurationError, match="no such cluster"):
            calls.call("same", same, {"value": 1})
        assert calls.call("same", same, {"value": 1}) == 1


def test_executor_of_others_stays_open() -> None:
    """An executor that was only lent can be used on after `close`."""
    executor = ProcessExecutor(1)
    try:
        with RemoteCalls(lambda: executor, closes=False) as calls:
            first = calls.call("pid", pid, {})
        with RemoteCalls(lambda: executor, closes=False) as calls:
            assert calls.call("pid", pid, {}) == first
    finally:
        executor.close()
