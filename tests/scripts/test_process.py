"""A program's lines, its end, and that nothing of it is left behind."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from sinagot.errors import CommandFailedError
from sinagot.scripts import process
from sinagot.scripts.process import run_process
from sinagot.testing import alive, await_true

PYTHON = sys.executable


class Told:
    """Keeps lines; calls `when` at the first one."""

    def __init__(self, when=None) -> None:
        self.lines: list[tuple[int, str]] = []
        self._when = when

    def __call__(self, level: int, line: str) -> None:
        self.lines.append((level, line))
        if self._when is not None:
            self._when(line)


def run(folder: Path, command: str | list[str], tell=None) -> Told:
    told = tell or Told()
    run_process(command, folder=str(folder), environment=dict(os.environ), tell=told)
    return told


def python(code: str) -> list[str]:
    return [PYTHON, "-c", code]


def test_lines_of_both_streams_arrive(tmp_path: Path) -> None:
    """Standard output is INFO, standard error WARNING; blank lines are left out, a last line without end is a line."""
    told = run(tmp_path, "printf 'a\\n\\nb\\n  c'; printf 'bad\\r\\n' >&2")
    assert [line for level, line in told.lines if level == logging.INFO] == ["a", "b", "  c"]
    assert [line for level, line in told.lines if level == logging.WARNING] == ["bad"]


def test_lines_arrive_while_the_program_runs(tmp_path: Path) -> None:
    """A line is told when it is written, not at the end."""
    go = tmp_path / "go"
    code = "import os, time; print('ready', flush=True)\n"
    code += "while not os.path.exists('go'): time.sleep(0.01)\nprint('done')"
    told = run(tmp_path, python(code), Told(lambda line: go.touch()))
    assert [line for _, line in told.lines] == ["ready", "done"]


def test_odd_output_becomes_text(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are replaced, a rewritten line counts as it ended, an endless one is cut."""
    code = "import os; os.write(1, b'\\xff\\n10%\\r20%\\r\\n' + b'x' * 200_000 + b'\\n')"
    lines = [line for _, line in run(tmp_path, python(code)).lines]
    assert lines[:2] == ["\ufffd", "20%"]
    assert "".join(lines[2:]) == "x" * 200_000
    assert len(lines) > 3


def test_input_is_closed(tmp_path: Path) -> None:
    """A program that asks for something gets the end of its input at once."""
    assert run(tmp_path, python("import sys; print(repr(sys.stdin.read()))")).lines == [(logging.INFO, "''")]


def test_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A missing program or folder, and a file that is no program, are CommandFailedErrors with a shell's codes."""
    with pytest.raises(CommandFailedError, match="cannot start no-such-program") as caught:
        run(tmp_path, ["no-such-program", "x"])
    assert caught.value.exit_code == 127
    (tmp_path / "plain").touch()
    with pytest.raises(CommandFailedError, match="Permission denied") as caught:
        run(tmp_path, ["./plain"])
    assert caught.value.exit_code == 126
    with pytest.raises(CommandFailedError, match="'/no/such/folder'"):
        run(Path("/no/such/folder"), ["true"])


def test_signal_is_named(tmp_path: Path) -> None:
    """A program that a signal ends is told by the signal's name."""
    with pytest.raises(CommandFailedError, match="was ended by SIGSEGV") as caught:
        run(tmp_path, python("import os; os.kill(os.getpid(), 11)"))
    assert caught.value.exit_code == -signal.SIGSEGV
    assert process._ending(-250) == "was ended by signal 250"


@pytest.mark.parametrize("deaf", [False, True])
def test_interruption_ends_the_whole_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaf: bool
) -> None:
    """Whatever exception leaves the waiting, the program and its children are gone; a deaf one is killed."""
    monkeypatch.setattr(process, "STOP_GRACE", 0.1)
    trap = "trap '' TERM; " if deaf else ""
    pids: list[int] = []

    def stop(line: str) -> None:
        pids.extend(int(word) for word in line.split())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, f"{trap}sleep 1000 & echo $$ $!; wait", Told(stop))
    assert len(pids) == 2
    await_true(lambda: not alive(*pids), "all of them are gone")


def test_signal_in_the_main_thread_ends_the_waiting(tmp_path: Path) -> None:
    """Ctrl-C while a silent program runs, with its output closed too, comes through at once."""
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        await_true((tmp_path / "begun").exists, "the program runs")
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    with pytest.raises(KeyboardInterrupt):
        thread.start()
        run(tmp_path, "exec >&- 2>&-; touch begun; sleep 1000")
    thread.join()


def test_child_that_holds_the_output_is_not_waited_for(tmp_path: Path) -> None:
    """A program that leaves a child behind is over when it ends; the child is ended with it."""
    told = run(tmp_path, "sleep 1000 & echo $!")
    pid = int(told.lines[0][1])
    await_true(lambda: not alive(pid), "the child is gone")


def test_child_that_writes_for_ever_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child left behind that goes on writing does not keep the step from ending."""
    monkeypatch.setattr(process, "STOP_GRACE", 0.2)
    ticking = "(while :; do echo tick; touch ticked; sleep 0.01; done)"
    told = run(tmp_path, f"{ticking} & until [ -e ticked ]; do sleep 0.01; done; exit 0")
    assert set(told.lines) == {(logging.INFO, "tick")}


def test_other_systems_do_without_waitid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where waitid is missing, programs run and end all the same."""
    monkeypatch.delattr(os, "waitid")
    assert run(tmp_path, ["echo", "x"]).lines == [(logging.INFO, "x")]
    with pytest.raises(ZeroDivisionError):
        run(tmp_path, "echo x; sleep 1000", Told(lambda line: 1 // 0))
