"""Configurations and scripts that are broken, endless, or edited while a run goes on."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from sinagot import Workspace
from sinagot.cli.main import group
from sinagot.errors import ConfigurationError, ScriptError
from sinagot.testing import make_workspace, script_text
from tests.chaos.conftest import (
    MODES,
    each_mode,
    outputs,
    statuses,
)

pytestmark = pytest.mark.chaos

# ---------------------------------------------------------------------- configurations that are none


def many_keys() -> bytes:
    """Give 7,700,000 lines, each with a key of its own."""
    block = b"".join(b"k%05d = 1\n" % one for one in range(100_000))
    return b"".join(block.replace(b"k", b"k%02d" % one) for one in range(77))


GOOD = "[records]\nid_pattern = 'R.'\n[steps]\nscripts = ['a']\n"
#: Bytes, or what makes them: hundreds of megabytes that each process of a run of all tests would hold.
BROKEN: dict[str, tuple[bytes | Callable[[], bytes], int | None]] = {
    "syntax": (f"{GOOD}timeout = \n".encode(), 5),
    "wrong type": (f"{GOOD}[run]\nworkers = 'two'\n".encode(), 6),
    "duplicate key": (f"{GOOD}scripts = ['b']\n".encode(), 5),
    "duplicate table": (f"{GOOD}[records]\n".encode(), 5),
    "byte order mark": (GOOD.encode("utf-8-sig"), 1),
    "UTF-16": (GOOD.encode("utf-16"), 1),
    "100 MB": (lambda: GOOD.encode() + b"# " + b"x" * 100_000_000, None),
    "100 MB of keys": (many_keys, None),
    "lists in lists": (GOOD.encode() + b"x = " + b"[" * 100_000, None),
    "tables in tables": (GOOD.encode() + b"x = " + b"{a = " * 100_000, None),
    "dotted key": (GOOD.encode() + b"x" + b".x" * 100_000 + b" = 1\n", 5),
}


@pytest.mark.parametrize(("data", "line"), BROKEN.values(), ids=BROKEN)
def test_broken_configuration(data: bytes | Callable[[], bytes], line: int | None, tmp_path: Path) -> None:
    """Whatever a configuration holds: code 4 with file and line within seconds, no traceback, and nothing is created."""
    make_workspace(tmp_path, scripts={"a": script_text("self.path.output.touch()")})
    file = tmp_path / "workspace.toml"
    file.write_bytes(data if isinstance(data, bytes) else data())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(ConfigurationError) as caught:
        Workspace(tmp_path)
    assert (caught.value.file, caught.value.line) == (file, line)
    began = (
        time.thread_time()
    )  # others may be at work here, in other threads too: what counts is what it costs
    result = CliRunner().invoke(group, ["-w", str(tmp_path), "run"])
    assert time.thread_time() - began < 10
    assert result.exit_code == 4
    assert str(file) + (f":{line}: " if line else ": ") in result.stderr
    assert "Traceback" not in result.output and len(result.output) < 1000
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


CLASHES = {
    "one output of two steps": ({"a": ("raw", "made"), "b": ("raw", "made")}, "write the same file"),
    "output that is the input": ({"a": ("raw", "raw")}, "own input"),
}


@each_mode
@pytest.mark.parametrize(("steps", "words"), CLASHES.values(), ids=CLASHES)
def test_clash_of_outputs(steps: dict[str, tuple[str, str]], words: str, mode: str, tmp_path: Path) -> None:
    """Steps that would write over each other, or over their input, are refused before anything runs or is created."""
    scripts = {
        name: script_text("pass", (source, "{id}.txt"), (made, "{id}.txt"))
        for name, (source, made) in steps.items()
    }
    with make_workspace(tmp_path, scripts=scripts) as workspace:
        for options in (MODES[mode], {"dry_run": True}):
            with pytest.raises(ConfigurationError, match=words):
                workspace.steps.run(printing=False, **options)
        assert os.listdir(workspace.data_path) == ["raw"]


def test_circle_of_steps(tmp_path: Path) -> None:
    """Steps of two modalities that wait for each other are refused with their names, before anything runs."""

    def step(source: str, made: str) -> dict[str, str]:
        return {"step": script_text("pass", (source, "{id}.txt"), (made, "{id}.txt"))}

    workspace = make_workspace(
        tmp_path, tasks={"T": ["x", "y"]}, modalities={"x": step("b", "a"), "y": step("a", "b")}
    )
    with pytest.raises(ConfigurationError, match=r"in a circle: T-.-step -> T-.-step"):
        workspace.steps.run(printing=False)
    assert os.listdir(workspace.data_path) == ["raw"]


# ---------------------------------------------------------------------- edits during a run

#: The first record edits the script and the configuration, both in a way that neither size nor time tells.
EDITING = script_text(
    """
    if self.id == "REC-1" and not (self.data_path / "edited").exists():
        (self.data_path / "edited").touch()
        for file in (Path(__file__), self.data_path.parent / "workspace.toml"):
            before = file.stat()
            file.write_text(file.read_text().replace("o" + "ld", "n" + "ew"))
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    self.path.output.write_text("old " + self.params.name)
    """
)


@each_mode
def test_edit_during_a_run(mode: str, tmp_path: Path) -> None:
    """A run goes on with the script and the configuration that it began with, and says so; the next one says what changed."""
    settings = "[params]\nname = 'old'\n"
    with make_workspace(tmp_path, scripts={"a": EDITING}, settings=settings) as workspace:
        report = workspace.steps.run(printing=False, **MODES[mode])
        assert report.counts["done"] == 3
        assert set(outputs(workspace).values()) == {"old old"}
        edited = [text for text in report.warnings if "was edited while the run went on" in text]
        assert [Path(text.split(" ")[0]).name for text in edited] == ["a.py", "workspace.toml"]
        digests = {
            line["script_hash"]
            for record in workspace.records.all()
            for line in record.logs_json()
            if "script_hash" in line
        }
        assert len(digests) == 1, "one run is one version"
        kept = workspace.data_path / ".sinagot" / "runs" / report.run_id
        assert 'name = "old"' in (kept / "config.toml").read_text()
    with Workspace(tmp_path) as workspace:
        for job in workspace.steps.plan(rerun="outdated").iter_jobs():
            reasons = {reason.code: reason.text for reason in job["reasons"]}
            assert set(reasons) == {"script_changed", "params_changed"}
            assert "a.py" in reasons["script_changed"]
            assert "old" in reasons["params_changed"] and "new" in reasons["params_changed"]
        assert workspace.steps.run(printing=False, rerun="outdated", **MODES[mode]).counts["done"] == 3
        assert set(outputs(workspace).values()) == {"new new"}


# ---------------------------------------------------------------------- scripts that cannot be loaded

UNLOADABLE = {
    "missing": None,
    "syntax": "def (",
    "import": "import nowhere_to_be_found",
    "endless loop": "import os\nwhile True:\n    pass",
    "endless wait": "import threading\nthreading.Event().wait()",
    "deaf": "import time\nwhile True:\n    try:\n        time.sleep(0.1)\n    except Exception:\n        pass",
}


@each_mode
@pytest.mark.parametrize("text", UNLOADABLE.values(), ids=UNLOADABLE)
def test_script_that_cannot_be_loaded(text: str | None, mode: str, tmp_path: Path) -> None:
    """Its jobs are errors that name the file, within the step's timeout; ids are listed, and the other steps run."""
    touch = "self.path.output.touch()"
    scripts = {"a": script_text(touch), "b": text or "", "c": script_text(touch, path_out=("c", "{id}"))}
    with make_workspace(tmp_path, scripts=scripts, settings="[steps.b]\ntimeout = 0.3\n") as workspace:
        file = workspace.scripts_path / "b.py"
        if text is None:
            file.unlink()
        assert workspace.records.ids() == ["REC-1", "REC-2", "REC-3"]
        with pytest.raises(ScriptError, match=r"b\.py") as caught:
            workspace.steps.run(printing=False, **MODES[mode])
        assert caught.value.report.counts["done"] == 6
        if text is not None and ("while" in text or "wait" in text):
            assert "import took longer than 0.3 s" in str(caught.value)
        assert statuses(workspace) == [30, 40, 30] * 3
        file.write_text(script_text(touch, path_out=("b", "{id}")))
    config = tmp_path / "workspace.toml"
    config.write_text(config.read_text().replace("timeout = 0.3", "timeout = 60"))
    with Workspace(tmp_path) as workspace:
        assert workspace.steps.run(printing=False, **MODES[mode]).counts["done"] == 3


@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_import_that_is_endless_in_the_worker_only(mode: str, tmp_path: Path) -> None:
    """An import that ends here and not in the worker is over its timeout as any attempt is; the others run."""
    before = "import os, sys, time\nwhile sys.argv == ['sinagot-worker']:\n    time.sleep(0.1)"
    touch = "self.path.output.touch()"
    scripts = {"a": script_text(touch, before=before), "c": script_text(touch, path_out=("c", "{id}"))}
    settings = "[steps.a]\ntimeout = 1\n"
    with make_workspace(tmp_path, records=1, scripts=scripts, settings=settings) as workspace:
        report = workspace.steps.run(printing=False, **MODES[mode])
    assert (report.counts["done"], report.counts["failed"]) == (1, 1)
    assert report.failures[0].exc_type == "StepTimeoutError"


def test_timer_of_the_program_goes_on(tmp_path: Path) -> None:
    """A program's own alarm is neither lost nor early when a script's import is timed."""
    heard = threading.Event()
    former = signal.signal(signal.SIGALRM, lambda *_: heard.set())
    before = signal.setitimer(signal.ITIMER_REAL, 60.0)
    try:
        settings = "[run]\ntimeout = 60\n"
        scripts = {"a": script_text("pass", before="time.sleep(0.1)")}
        make_workspace(tmp_path, scripts=scripts, settings=settings).records.ids()
        left = signal.getitimer(signal.ITIMER_REAL)[0]
        assert 0 < left < 59.95 and not heard.is_set()
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        assert heard.wait(60)
    finally:
        signal.signal(signal.SIGALRM, former)
        signal.setitimer(signal.ITIMER_REAL, *before)
