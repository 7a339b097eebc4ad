"""Scripts that misbehave: each costs its own job and nothing else, and its cause can be read."""

from __future__ import annotations

import pytest

from tests.chaos.conftest import Lab, heal, outputs

pytestmark = pytest.mark.chaos

BOTH = {"a": ("out", "1-{id}.txt"), "b": ("out", "2-{id}.txt")}


@pytest.mark.parametrize(
    ("body", "exc_type", "message"),
    [
        ("raise SystemExit(3)", "SystemExit", "3"),
        ("import sys; sys.exit()", "SystemExit", ""),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", ""),
        ("raise GeneratorExit('odd')", "GeneratorExit", "odd"),
        ("raise MemoryError", "MemoryError", ""),
        ("def f(): f()\nf()", "RecursionError", "maximum recursion depth"),
        (
            "raise ExceptionGroup('several', [ValueError('one'), KeyError('two')])",
            "ExceptionGroup",
            "several",
        ),
    ],
    ids=["exit 3", "exit", "interrupt", "generator exit", "memory", "recursion", "group"],
)
def test_exception_of_any_kind_is_a_failure(lab: Lab, body: str, exc_type: str, message: str) -> None:
    """Whatever a script raises ends its own job, as ERROR with a cause, and nothing else."""
    lab.make(body)
    group = lab.failure()
    assert group.exc_type == exc_type
    assert message in group.message
    assert "a.py" in group.where


@pytest.mark.parametrize("code", ["", "0", "None"])
def test_exit_without_an_error_is_a_way_to_return(lab: Lab, code: str) -> None:
    """A script that ends by `sys.exit()` with all outputs there has done its work; with another code it has not."""
    workspace = lab.make(f"import sys\nself.path.output.write_text('all')\nsys.exit({code})")
    assert lab.run().counts["done"] == 3
    assert outputs(workspace)["R2.txt"] == "all"
    lab.make("import sys\nself.path.output.write_text('not all')\nsys.exit('something is missing')")
    assert lab.run(force=True).failures[0].exc_type == "SystemExit"
    assert outputs(workspace)["R2.txt"] == "all"


def test_exception_that_no_pickle_can_carry(lab: Lab) -> None:
    """An exception with a lock, a broken text or a class inside a function comes back as type, text and traceback."""
    lab.make(
        """
import threading
class Local(Exception):
    lock = threading.Lock()
    def __init__(self): self.mine = threading.Lock()
    def __str__(self): raise RuntimeError('no text')
    def __reduce__(self): raise RuntimeError('no pickle')
raise Local
"""
    )
    group = lab.failure()
    assert group.exc_type.endswith("Local")
    assert "raise Local" in group.traceback


def test_text_of_an_exception_is_cut(lab: Lab) -> None:
    """The text of a failure is at most some 64 KiB, however long the exception's own is."""
    lab.make("raise ValueError('x' * 50_000_000)")
    assert 60_000 < len(lab.failure().message) < 70_000


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("os._exit(0)", "exited with code 0"),
        ("os._exit(3)", "exited with code 3"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("os.abort()", "SIGABRT"),
        ("os.kill(os.getpid(), 9)", "SIGKILL"),
    ],
    ids=["exit 0", "exit 3", "segfault", "abort", "kill"],
)
def test_script_that_takes_its_process_down(far_lab: Lab, body: str, text: str) -> None:
    """A script that ends its process is blamed by name of what happened; it is run once."""
    noted = "(self.data_path / f'begun-{time.monotonic_ns()}').touch()\n" + body
    far_lab.make(noted)
    group = far_lab.failure()
    assert group.exc_type == "WorkerLostError"
    assert text in group.message
    assert len(list(far_lab.workspace.data_path.glob("begun-*"))) == 1


@pytest.mark.parametrize(
    "body", ["self.path.output['a'].write_text('half')", "pass"], ids=["one of two", "none"]
)
def test_output_that_was_not_written_is_named(lab: Lab, body: str) -> None:
    """A script that returns without all its outputs fails: what is missing is named, and neither is published."""
    lab.make(body, path_out=BOTH)
    group = lab.failure()
    assert group.exc_type.endswith("MissingOutputError")
    assert ("1-R2.txt" in group.message) == (body == "pass")
    assert "2-R2.txt" in group.message


def test_raising_after_writing_all_publishes_nothing(lab: Lab) -> None:
    """Outputs of a script that raises at its very end are not published."""
    lab.make("self.path.output.write_text('looks whole')\nraise ValueError('after all')")
    assert lab.failure().message == "after all"


@pytest.mark.parametrize(
    "change",
    ["self.path.input.unlink()", "self.path.input.write_text('other')", "os.utime(self.path.input, (1, 1))"],
    ids=["deleted", "rewritten", "touched"],
)
def test_input_that_changes_meanwhile(lab: Lab, change: str) -> None:
    """When an input is not what it was at the start, nothing made from it is published."""
    workspace = lab.make(f"{change}\nself.path.output.write_text('from what?')")
    report = lab.run()
    (group,) = report.failures
    assert group.exc_type.endswith("InputChangedError")
    assert "raw/R2.txt" in group.message
    assert sorted(outputs(workspace)) == ["R1.txt", "R3.txt"]
    (workspace.data_path / "raw" / "R2.txt").write_text("R2")
    (workspace.data_path / "mended").touch()
    heal(workspace, left=1)
