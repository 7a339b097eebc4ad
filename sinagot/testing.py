"""What plug-in authors test with: a small workspace in one call, and the contract that every executor keeps.

Knows the workspace and the engine's idea of an executor; must not know pytest, which collects subclasses of the
contracts all the same.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any, TypeVar

from sinagot.engine.executors.contract import Arrival, Chain, Executor
from sinagot.engine.job import Job
from sinagot.engine.state.owners import start_time
from sinagot.workspace.workspace import Workspace

if TYPE_CHECKING:
    from sinagot.engine.accounts.report import RunReport

__all__ = ["ExecutorContract", "WorkerContract", "alive", "await_true", "make_workspace", "script_text"]

#: Seconds that the contracts wait for anything: far more than it takes.
PATIENCE = 60.0

_SCRIPT = """\
import os
import time
from pathlib import Path

from sinagot import ScriptTemplate
{before}

class Script(ScriptTemplate):
    PATH_IN = {path_in!r}
    PATH_OUT = {path_out!r}
{members}
    def run(self):
{body}
"""

_Kind = TypeVar("_Kind", bound=Workspace)
PathSource = Sequence[str] | str | Mapping[str, Sequence[str] | str]


def script_text(
    body: str,
    path_in: PathSource = ("raw", "{id}.txt"),
    path_out: PathSource = ("out", "{id}.txt"),
    *,
    before: str = "",
    members: str = "",
) -> str:
    """Give the text of a script.

    Parameters
    ----------
    body : str
        Statements of `run`; ``os``, ``time`` and ``Path`` are imported.
    path_in, path_out : sequence of str, str, or dict of those
        What the script declares.
    before : str
        Statements of the module.
    members : str
        Further statements of the class.
    """
    return _SCRIPT.format(
        path_in=path_in,
        path_out=path_out,
        before=dedent(before),
        members=indent(dedent(members), " " * 4),
        body=indent(dedent(body).strip("\n"), " " * 8),
    )


_APPEND = "self.path.output.write_text(self.path.input.read_text() + self.label)"


def _steps(body: str, **sources: str) -> dict[str, str]:
    """Make steps of one body: name -> name of the step, or folder, whose files it reads."""
    file = "{id}.txt"
    return {name: script_text(body, (source, file), (name, file)) for name, source in sources.items()}


_TWO_STEPS = _steps(_APPEND, first="raw", second="first")


def make_workspace(
    folder: str | Path,
    *,
    records: int | Sequence[str] | Mapping[str, str] = 3,
    scripts: Mapping[str, str] | None = None,
    tasks: Mapping[str, Sequence[str]] | None = None,
    modalities: Mapping[str, Mapping[str, str]] | None = None,
    settings: str = "",
    kind: type[_Kind] = Workspace,  # type: ignore[assignment]
) -> _Kind:
    r"""Write a small workspace and open it.

    Parameters
    ----------
    folder : str or Path
        Where; made when absent.
    records : int, sequence of str, or mapping
        How many records, their ids, or id -> text of the raw file ``dataset/raw/<id>.txt``.
    scripts : mapping of str to str, optional
        Name -> text of each step, in running order, in a workspace without tasks; two steps when not given.
    tasks : mapping, optional
        Task -> its modalities.
    modalities : mapping, optional
        Modality -> name -> text of its steps.
    settings : str
        Further TOML text.
    kind : type
        Class of the workspace.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     workspace = make_workspace(folder, records=["A", "B"], settings="[log]\nlevel = 'WARNING'")
    ...     workspace.steps.run()
    ...     (workspace.data_path / "second" / "B.txt").read_text()
    <RunReport instance | ok: 4 done>
    'Bfirstsecond'
    """
    folder = Path(folder)
    ids = [f"REC-{number}" for number in range(1, records + 1)] if isinstance(records, int) else records
    texts = ids if isinstance(ids, Mapping) else {record_id: record_id for record_id in ids}
    _write_files(folder / "dataset" / "raw", texts, "txt")
    lines = ["[records]", "id_pattern = '[^/]+'"]
    if tasks is None and modalities is None:
        scripts = _TWO_STEPS if scripts is None else scripts
        lines += ["[steps]", f"scripts = {list(scripts)}"]
        _write_files(folder / "scripts", scripts, "py")
    for name, its_modalities in (tasks or {}).items():
        lines += [f"[tasks.{name}]", f"modalities = {list(its_modalities)}"]
    for name, its_scripts in (modalities or {}).items():
        lines += [f"[modalities.{name}]", f"scripts = {list(its_scripts)}"]
        _write_files(folder / "scripts" / name, its_scripts, "py")
    text = "\n".join([*lines, dedent(settings), ""])
    (folder / "workspace.toml").write_text(text, encoding="utf-8")
    return kind(folder)


def _write_files(folder: Path, texts: Mapping[str, str], suffix: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.{suffix}").write_text(text, encoding="utf-8")


def await_true(question: Callable[[], Any], what: str, seconds: float = PATIENCE) -> None:
    """Wait until the answer is true; after so many seconds raise TimeoutError, which says what was waited for."""
    end = time.monotonic() + seconds
    while not question():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:g} s in vain: {what}")
        time.sleep(0.005)


class _Watched:
    """An executor that notes what goes in and what comes out."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.sent: dict[int, list[list[str]]] = {}
        self.arrived: list[Arrival] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._executor, name)

    def submit(self, number: int, chains: list[Chain]) -> None:
        self.sent[number] = [[job.key for job in chain] for chain in chains]
        self._executor.submit(number, chains)

    def collect(self, timeout: float) -> list[Arrival]:
        arrivals = self._executor.collect(timeout)
        self.arrived += arrivals
        return arrivals


class _BoundWorkspace(Workspace):
    """A workspace whose jobs run in one given executor."""

    bound: Executor

    def executor(self, key: Hashable, make: Callable[[], Executor]) -> AbstractContextManager[Executor]:
        return nullcontext(self.bound)


def _tree(workspace: Workspace, *folders: str) -> dict[str, bytes]:
    root = workspace.data_path
    return {
        str(path.relative_to(root)): path.read_bytes()
        for folder in folders
        for path in sorted((root / folder).rglob("*"))
        if path.is_file()
    }


def alive(*pids: int) -> list[int]:
    """Give those of some processes that have not ended; a zombie has, once all its threads have."""
    return [pid for pid in pids if start_time(pid)]


class ExecutorContract:
    """Laws of every executor; a subclass defines `make_executor` and is named ``Test...``.

    One executor serves all tests of the class, as it serves many runs of a workspace.
    """

    _shared: Executor | None = None

    @classmethod
    def make_executor(cls) -> Executor:
        """Make a new executor; with two slots or more if it has workers."""
        raise NotImplementedError

    @classmethod
    def teardown_class(cls) -> None:
        """End the shared executor."""
        executor, cls._shared = cls._shared, None
        if executor is not None:
            executor.close()

    def open(self, folder: Path, **what: Any) -> _BoundWorkspace:
        """Write a workspace, see `make_workspace`, and open it on the executor of the class."""
        kind = type(self)
        if kind._shared is None:
            kind._shared = self.make_executor()
        workspace = make_workspace(folder, kind=_BoundWorkspace, **what)
        workspace.bound = kind._shared
        return workspace

    def run(self, workspace: _BoundWorkspace, **options: Any) -> RunReport:
        """Run all steps on the executor of the class."""
        mode = "main_process" if workspace.bound.here else "processes"
        return workspace.steps.run(**{"mode": mode, "printing": False, **options})

    @staticmethod
    def outcomes(report: RunReport) -> dict[tuple[str, str], str]:
        """Give (record, step) -> outcome."""
        return {(row["record_id"], row["step_label"]): row["outcome"] for row in report.iter_jobs()}

    def test_every_job_gets_exactly_one_result(self, tmp_path: Path) -> None:
        """What is submitted comes back once, in its order, and nothing of it is kept; then there is nothing to do."""
        workspace = self.open(tmp_path, records=40)
        workspace.bound = watched = _Watched(workspace.bound)
        report = self.run(workspace)
        assert report.ok and report.counts["done"] == report.total == 80
        came = {arrival.number: arrival.results or [] for arrival in watched.arrived}
        assert len(came) == len(watched.arrived)
        keys = {number: [[result.key for result in each] for each in came[number]] for number in came}
        assert keys == watched.sent or workspace.bound.here
        assert len({key for chains in watched.sent.values() for chain in chains for key in chain}) in (0, 80)
        gc.collect()
        kept = [thing.options.run_id for thing in gc.get_objects() if type(thing) is Job]
        assert report.run_id not in kept
        assert self.run(workspace).counts["up_to_date"] == 80

    def test_chain_keeps_its_order(self, tmp_path: Path) -> None:
        """The steps of a unit run in the configured order, whatever they read."""
        note = """
            with open(self.data_path / f"{self.id}.order", "a") as order:
                order.write(self.label + " ")
            self.path.output.write_text(self.path.input.read_text())
        """
        workspace = self.open(tmp_path, records=6, scripts=_steps(note, d="raw", b="raw", c="d", a="b"))
        assert self.run(workspace).ok
        assert {path.read_text() for path in workspace.data_path.glob("*.order")} == {"d b c a "}

    def test_failure_blocks_what_depends_on_it_and_nothing_else(self, tmp_path: Path) -> None:
        """A failed step blocks its readers only, the counts add up, and the next run does exactly what is left."""
        failing = f"if 'bad' in self.path.input.read_text(): raise ValueError('no good')\n{_APPEND}"
        two = {"a": ("a", "{id}.txt"), "more": ("more", "{id}.txt")}
        last = script_text("self.path.output.touch()", two, ("d", "{id}.txt"))
        scripts = {**_steps(failing, a="raw"), **_steps(_APPEND, b="a", c="raw"), "d": last}
        workspace = self.open(tmp_path, records={"R1": "", "R2": "bad", "R3": ""}, scripts=scripts)
        (workspace.data_path / "more").mkdir()
        for record_id in ("R1", "R2"):
            (workspace.data_path / "more" / f"{record_id}.txt").touch()
        report = self.run(workspace)
        outcomes = self.outcomes(report)
        blocked = dict.fromkeys([("R2", "b"), ("R2", "d")], "blocked")
        bad = {("R2", "a"): "failed", **blocked, ("R3", "d"): "missing_input"}
        assert {key: outcome for key, outcome in outcomes.items() if outcome != "done"} == bad
        assert Counter(outcomes.values()) == {name: count for name, count in report.counts.items() if count}
        assert len(outcomes) == report.total == 12 and not report.ok
        (group,) = [group for group in report.failures if group.exc_type == "ValueError"]
        assert (group.message, group.records, group.step) == ("no good", ("R2",), "a")
        assert "raise ValueError" in group.traceback
        (workspace.data_path / "raw" / "R2.txt").write_text("mended")
        (workspace.data_path / "more" / "R3.txt").touch()
        again = self.run(workspace)
        assert again.ok
        assert {key for key, outcome in self.outcomes(again).items() if outcome == "done"} == set(bad)

    def test_outputs_appear_whole_or_not_at_all(self, tmp_path: Path) -> None:
        """While a script writes, nothing stands under the final name; a failed forced run keeps the former output."""
        body = """
            text = self.path.input.read_text()
            with self.path.output.open("w") as file:
                file.write("half")
                file.flush()
                seen = self.path.final.read_text() if self.path.final.exists() else "nothing"
                if text == "bad":
                    raise RuntimeError("in the middle")
                file.write(f" and {text}, saw {seen}")
        """
        workspace = self.open(tmp_path, records={"R1": "good", "R2": "bad"}, scripts={"a": script_text(body)})
        assert self.run(workspace).counts["failed"] == 1
        first = {"out/R1.txt": b"half and good, saw nothing"}
        assert _tree(workspace, "out") == first
        (workspace.data_path / "raw" / "R1.txt").write_text("bad")
        assert self.run(workspace, force=True).counts["failed"] == 2
        assert _tree(workspace, "out") == first
        assert _tree(workspace, ".sinagot/stage", ".sinagot/claims") == {}

    def test_log_has_each_line_once(self, tmp_path: Path) -> None:
        """The lines of an attempt are all in the record's log, once and in order, with run, attempt and process."""
        body = """
            self.logger.info("by the logger")
            print("by print")
            logging.getLogger("library").warning("by a library")
            self.path.output.write_text("")
        """
        workspace = self.open(tmp_path, scripts={"a": script_text(body, before="import logging")})
        report = self.run(workspace)
        said = ["Init run", "Processing run", "by the logger", "by print", "by a library", "Run finished"]
        for record in workspace.records.all():
            lines = record.logs_json()
            assert [line["message"] for line in lines] == said
            assert [line["step_status"] for line in lines] == [0, 20, 20, 20, 20, 30]
            assert {line["run_id"] for line in lines} == {report.run_id}
            assert len({(line["attempt"], line["host"], line["pid"]) for line in lines}) == 1
            assert lines[-1]["duration_s"] >= 0 and lines[-1]["outputs"]

    def test_results_are_those_of_the_main_process(self, tmp_path: Path) -> None:
        """Where jobs run changes nothing in what they make, with tasks and modalities too."""
        own = ("{task}", "{modality}", "{id}.txt")
        split = "for name, path in self.path.output.items(): path.write_text(self.task + self.id + name)"
        both = script_text(split, ("a", *own), {"x": ("x", *own), "y": ("y", *own)})
        steps = {"a": script_text(_APPEND, path_out=("a", *own)), "b": both}
        what: Any = {"tasks": {"A": ["EEG", "PPG"], "B": ["EEG"]}, "modalities": {"EEG": steps, "PPG": steps}}
        workspace = self.open(tmp_path / "there", **what)
        here = make_workspace(tmp_path / "here", kind=Workspace, **what)
        assert self.run(workspace).counts == here.steps.run(mode="main_process", printing=False).counts
        assert _tree(workspace, "a", "x", "y") == _tree(here, "a", "x", "y")
        assert len(_tree(here, "a", "x", "y")) == 3 * 3 * 3
        assert list(workspace.steps.iter_status()) == list(here.steps.iter_status())

    def test_debug_raises_the_scripts_own_exception(self, tmp_path: Path) -> None:
        """With debug the exception of the script leaves `run()` as it is, also one that no pickle can carry."""
        before = "class Own(Exception):\n    call = lambda self: 42"
        workspace = self.open(tmp_path, records=2, scripts={"a": script_text("raise Own", before=before)})
        try:
            self.run(workspace, debug=True)
        except Exception as error:  # noqa: BLE001  (its class is the script's)
            call = getattr(error, "call", int)
        assert call() == 42
        assert [row["step_status"] for row in workspace.steps.iter_status()] == [40, 10]
        assert _tree(workspace, ".sinagot/claims", ".sinagot/stage") == {}


class WorkerContract(ExecutorContract):
    """Further laws of an executor whose jobs run in processes of their own."""

    def test_work_is_spread_over_workers(self, tmp_path: Path) -> None:
        """Two records are worked on at the same time, in two processes."""
        body = f"""
            meeting = self.data_path / "meeting"
            meeting.mkdir(exist_ok=True)
            (meeting / str(os.getpid())).touch()
            end = time.monotonic() + {PATIENCE}
            while len(os.listdir(meeting)) < 2:
                assert time.monotonic() < end, "nobody else came"
                time.sleep(0.005)
            self.path.output.write_text(str(os.getpid()))
        """
        workspace = self.open(tmp_path, records=2, scripts={"a": script_text(body)})
        assert self.run(workspace).ok
        pids = {int(text) for text in _tree(workspace, "out").values()}
        assert len(pids - {os.getpid()}) == 2

    def test_dying_script_costs_its_own_job(self, tmp_path: Path) -> None:
        """A script that ends its process is run once and blamed once; its readers are blocked, all else is done."""
        body = f"""
            with open(self.data_path / "begun.txt", "a") as begun:
                begun.write(f"{{self.id}} {{self.label}}\\n")
            if self.id == "R5":
                os._exit(7)
            {_APPEND}
        """
        scripts = _steps(body, a="raw", b="a", c="raw")
        workspace = self.open(tmp_path, records=[f"R{number}" for number in range(10)], scripts=scripts)
        report = self.run(workspace)
        bad = {key: outcome for key, outcome in self.outcomes(report).items() if outcome != "done"}
        assert bad == {("R5", "a"): "failed", ("R5", "b"): "blocked", ("R5", "c"): "failed"}
        lost = next(row for row in report.iter_jobs() if row["outcome"] == "failed")
        assert lost["exc_type"] == "WorkerLostError" and "exited with code 7" in lost["exc_message"]
        begun = Counter((workspace.data_path / "begun.txt").read_text().splitlines())
        assert len(begun) == 29 and set(begun.values()) == {1}
        assert workspace["R5"].logs_json()[-1]["step_status"] == 40
        assert _tree(workspace, ".sinagot/claims") == {}

    def test_kill_ends_what_runs(self, tmp_path: Path) -> None:
        """`kill()` ends running scripts at once; their batches come back, and the executor can be used again."""
        body = f"""
            if (self.data_path / "free").exists():
                self.path.output.touch()
                return
            (self.data_path / self.id).write_text(str(os.getpid()))
            time.sleep({PATIENCE})
        """
        workspace = self.open(tmp_path, records=2, scripts={"a": script_text(body)})
        started = [workspace.data_path / f"REC-{number}" for number in (1, 2)]

        def kill() -> None:
            await_true(lambda: all(file.exists() and file.read_text() for file in started), "both run")
            workspace.bound.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        report = self.run(workspace)
        killer.join(PATIENCE)
        assert report.counts["failed"] + report.counts["interrupted"] == 2
        pids = [int(file.read_text()) for file in started]
        await_true(lambda: not alive(*pids), "the scripts' processes end")
        (workspace.data_path / "free").touch()
        assert self.run(workspace).counts["done"] == 2
        assert _tree(workspace, ".sinagot/claims", ".sinagot/stage") == {}

    def test_close_ends_what_was_started(self, tmp_path: Path) -> None:
        """After `close()` no process that ran a script is left."""
        body = "self.path.output.write_text(str(os.getpid()))"
        workspace = self.open(tmp_path, records=8, scripts={"a": script_text(body)})
        workspace.bound = self.make_executor()
        try:
            assert self.run(workspace).ok
        finally:
            workspace.bound.close()
        pids = {int(text) for text in _tree(workspace, "out").values()}
        await_true(lambda: not alive(*pids), "the workers end")
