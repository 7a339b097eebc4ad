"""What is said while an attempt runs reaches the log of its record, once."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sinagot.runlog import capture as captures
from sinagot.runlog.capture import AttemptLog, capture
from sinagot.runlog.printing import Printer
from sinagot.runlog.voices import MOST_PENDING
from sinagot.runlog.write import LogTarget, RecordLog

CONTEXT = {
    "workspace_version": "0.1.0",
    "record_id": "REC-1",
    "step_label": "mean",
    "run_id": "run",
    "attempt": "a1",
}


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Whatever a test does, standard output, warnings and logging are afterwards as they were."""
    before = (sys.stdout, warnings.showwarning, logging.Logger.callHandlers, logging.root.handlers[:])
    yield
    assert (sys.stdout, warnings.showwarning, logging.Logger.callHandlers, logging.root.handlers) == before


@pytest.fixture
def library() -> Iterator[logging.Logger]:
    """A logger of a library that shows INFO."""
    logger = logging.getLogger("test.library")
    logger.setLevel(logging.INFO)
    yield logger
    logger.setLevel(logging.NOTSET)
    logger.propagate = True
    logger.handlers.clear()


@pytest.fixture
def shown() -> Iterator[list[warnings.WarningMessage]]:
    """What Python would show of warnings, each time."""
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        yield shown


Lines = Callable[..., list[dict[str, Any]]]


def said(lines: list[dict[str, Any]]) -> list[tuple[str, str, str | None]]:
    return [(line["message"], line["level"], line.get("logger")) for line in lines]


def test_an_attempt_is_told_from_beginning_to_end(
    attempt: AttemptLog, lines: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    """Own lines keep their status, what the script says has 20, the facts ride on the last line."""
    attempt.printer = Printer()
    attempt.line(0, "Init run", hold=True)
    assert lines() == []
    attempt.line(20, "Processing run")
    with capture(attempt) as same:
        assert same is attempt
        attempt.logger.info("%d boats", 3, extra={"boats": 3})
        print("printed")
    attempt.finish(30, "Run finished", duration_s=0.5, inputs=["a"])
    found = lines()
    assert [(line["step_status"], line["message"]) for line in found] == [
        (0, "Init run"),
        (20, "Processing run"),
        (20, "3 boats"),
        (20, "printed"),
        (30, "Run finished"),
    ]
    assert found[2]["boats"] == 3 and "logger" not in found[2]
    assert (found[-1]["duration_s"], found[-1]["inputs"]) == (0.5, ["a"])
    assert all(line["run_id"] == "run" and line["attempt"] == "a1" for line in found)
    shown = [line.split("\u00a0")[-1] for line in capsys.readouterr().out.splitlines()]
    assert shown == [
        "mean : Init run",
        "mean : Processing run",
        "mean : 3 boats",
        "printed",
        "mean : Run finished",
    ]


def test_print_warnings_and_any_logger_are_heard(
    attempt: AttemptLog,
    lines: Lines,
    library: logging.Logger,
    shown: list[warnings.WarningMessage],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each is one line with its level and logger; the terminal and others' handlers see what they always saw."""
    heard: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    library.propagate = False
    library.addHandler(Handler())
    with capture(attempt):
        print("one", "two")
        warnings.warn("careful", UserWarning, stacklevel=1)
        library.info("reading", extra={"file": "x", "level": "own"})
        library.debug("below the logger's own level")
        logging.getLogger("test.other").error("broken")
    found = lines()
    assert [(m.split(" (")[0], level, logger) for m, level, logger in said(found)] == [
        ("one two", "INFO", "stdout"),
        ("UserWarning: careful", "WARNING", "py.warnings"),
        ("reading", "INFO", "test.library"),
        ("broken", "ERROR", "test.other"),
    ]
    assert all(line["step_status"] == 20 for line in found)
    assert (found[2]["file"], found[2]["extra_level"]) == ("x", "own")
    assert heard == ["reading"]
    assert capsys.readouterr().out == "one two\n"
    assert [str(warning.message) for warning in shown] == ["careful"]


def test_the_level_cuts_what_scripts_say_only(
    log: RecordLog, lines: Lines, library: logging.Logger, shown: list[warnings.WarningMessage]
) -> None:
    """Below the level print and loggers are left out; the attempt's own lines never are."""
    attempt = AttemptLog(log, CONTEXT, "WARNING")
    attempt.line(0, "Init run")
    with capture(attempt):
        print("printed")
        attempt.logger.info("info")
        library.info("library")
        attempt.logger.warning("careful")
    attempt.finish(30, "Run finished")
    assert [line["message"] for line in lines()] == ["Init run", "careful", "Run finished"]
    strict = AttemptLog(log, CONTEXT, "ERROR")
    with capture(strict):
        warnings.warn("careful", UserWarning, stacklevel=1)
    assert len(lines()) == 3 and len(shown) == 1


def test_printed_lines_are_whole(attempt: AttemptLog, lines: Lines) -> None:
    """Pieces make one line, line ends split them, what has no end comes at the end; nothing is lost or added."""
    with capture(attempt):
        print("a", end="")
        print("b", end="")
        print("c\nd\r\n\ne", end="")
        sys.stdout.writelines(["f", "\n", "g"])
        assert [line["message"] for line in lines()] == ["abc", "d", "", "ef"]
    assert [line["message"] for line in lines()] == ["abc", "d", "", "ef", "g"]


def test_printed_bytes_are_heard_as_text(attempt: AttemptLog, lines: Lines) -> None:
    """What goes to ``sys.stdout.buffer``, or through a wrapper round it, is heard; what is no UTF-8 is escaped."""
    with capture(attempt):
        sys.stdout.buffer.write(b"caf\xe9\n")
        wrapper = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8")
        print("Zoë", file=wrapper)
        wrapper.close()
        sys.stdout.close()
        print("still open")
    assert [line["message"] for line in lines()] == [r"caf\xe9", "Zoë", "still open"]


def test_a_flood_of_prints_is_bounded_and_counted(
    attempt: AttemptLog, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit printed text is counted only; the last line says how many lines and bytes."""
    monkeypatch.setattr(captures, "MOST_PRINTED", 10_000)
    attempt = AttemptLog(attempt.log, CONTEXT)
    with capture(attempt):
        for _ in range(100):
            print("x" * 200)
        print("y" * 1_000_000 + "\nz")
    attempt.finish(30, "Run finished")
    found = lines()
    assert 30 <= len(found) <= 60
    text = sum(len(line["message"]) + 1 for line in found[:-1])
    assert text + found[-1]["stdout_dropped_bytes"] == pytest.approx(100 * 201 + 1_000_003, abs=5)
    assert found[-1]["stdout_dropped_lines"] == pytest.approx(102 - len(found[:-1]), abs=2)


def test_a_flood_in_one_print_is_bounded_too(
    attempt: AttemptLog, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a text of very many short lines only some are kept; empty ones are not free."""
    monkeypatch.setattr(captures, "MOST_PRINTED", 10_000)
    attempt = AttemptLog(attempt.log, CONTEXT)
    with capture(attempt):
        print("\n" * 9000)
        print("more")
    attempt.finish(30, "Run finished")
    found = lines()
    assert len(found) < 200
    assert len(found) - 1 + found[-1]["stdout_dropped_lines"] == 9002
    assert found[-1]["stdout_dropped_bytes"] == 9001 + 5 - (len(found) - 1)


def test_a_line_without_end_does_not_fill_the_memory(attempt: AttemptLog, lines: Lines) -> None:
    """Text printed without line ends becomes lines of 64 KiB, also when it comes letter by letter."""
    with capture(attempt):
        print("x" * 200_000, end="")
        for _ in range(70_000):
            sys.stdout.write("y")
    found = [line["message"] for line in lines()]
    assert [len(message) for message in found] == [65_536] * 4 + [270_000 - 4 * 65_536]
    assert "".join(found) == "x" * 200_000 + "y" * 70_000


def test_many_lines_in_one_print_are_written_in_batches(attempt: AttemptLog, lines: Lines) -> None:
    """A print of many lines keeps their order."""
    with capture(attempt):
        print("\n".join(map(str, range(1000))))
    assert [line["message"] for line in lines()] == [str(number) for number in range(1000)]


def test_a_handler_that_prints_does_not_double_lines(
    attempt: AttemptLog, lines: Lines, library: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record shown on standard output is one line of the log, also by an earlier attempt's handler, also nested."""
    with capture(attempt):
        library.addHandler(logging.StreamHandler(sys.stdout))
        library.info("first")
    with capture(attempt):
        library.info("second")

    class Nested(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logging.getLogger("test.nested").error("inner")
            print("shown by a handler")

    library.addHandler(Nested())
    library.propagate = False
    with capture(attempt):
        library.info("third")
    assert [line["message"] for line in lines()] == ["first", "second", "third", "inner"]
    assert capsys.readouterr().out == "first\nsecond\nthird\nshown by a handler\n"


def test_warnings_that_become_records_are_one_line(
    attempt: AttemptLog,
    lines: Lines,
    shown: list[warnings.WarningMessage],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With ``logging.captureWarnings`` on, before or during the attempt, a warning is in the log once."""
    logging.captureWarnings(True)
    try:
        with capture(attempt):
            warnings.warn("before", UserWarning, stacklevel=1)
    finally:
        logging.captureWarnings(False)
    with capture(attempt):
        logging.captureWarnings(True)
        warnings.warn("during", UserWarning, stacklevel=1)
    assert logging._warnings_showwarning is None  # type: ignore[attr-defined]
    assert shown == []
    assert [line["logger"] for line in lines()] == ["py.warnings"] * 2
    assert [record.name for record in caplog.records] == ["py.warnings"] * 2


def test_basic_config_of_a_script_works(attempt: AttemptLog, lines: Lines, library: logging.Logger) -> None:
    """Listening puts no handler on the root logger, so that scripts configure logging as ever."""
    handlers = logging.root.handlers[:]
    logging.root.handlers.clear()
    try:
        with capture(attempt):
            assert not logging.root.handlers
            out = io.StringIO()
            logging.basicConfig(stream=out)
            library.info("shown")
        assert "shown" in out.getvalue()
    finally:
        logging.root.handlers[:] = handlers
    assert [line["message"] for line in lines()] == ["shown"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_everything_is_put_back_after_an_exception(attempt: AttemptLog, error: type[BaseException]) -> None:
    """Whatever leaves the script, and whatever it put in the place of standard output, all is as before."""
    stdout = sys.stdout
    with pytest.raises(error), capture(attempt):
        sys.stdout = io.StringIO()
        warnings.showwarning = print  # type: ignore[assignment]
        raise error
    assert sys.stdout is stdout


def test_a_kept_standard_output_stays_harmless(
    attempt: AttemptLog,
    lines: Lines,
    shown: list[warnings.WarningMessage],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Somebody who keeps our stream, or our hook for warnings, and puts it back late shows what he prints, once."""
    before, showing, calling = sys.stdout, warnings.showwarning, logging.Logger.callHandlers
    with capture(attempt):
        kept, hook, records = sys.stdout, warnings.showwarning, logging.Logger.callHandlers
    sys.stdout, warnings.showwarning = kept, hook
    logging.Logger.callHandlers = records  # type: ignore[method-assign]
    print("unheard")
    warnings.warn("unheard", UserWarning, stacklevel=1)
    logging.getLogger("test.other").error("unheard")
    with capture(attempt):
        print("heard")
    assert sys.stdout is kept
    warnings.showwarning = showing
    sys.stdout = before
    logging.Logger.callHandlers = calling  # type: ignore[method-assign]
    assert [line["message"] for line in lines()] == ["heard"]
    assert capsys.readouterr().out == "unheard\nheard\n"
    assert [str(warning.message) for warning in shown] == ["unheard"]


def test_redirected_prints_belong_to_the_script(
    attempt: AttemptLog, lines: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a script redirects is its own; our messages still reach the terminal and not its text."""
    attempt.printer = Printer()
    with capture(attempt):
        import contextlib

        with contextlib.redirect_stdout(io.StringIO()) as own:
            print("for me")
            attempt.logger.info("for all")
    assert own.getvalue() == "for me\n"
    assert [line["message"] for line in lines()] == ["for all"]
    assert "for all" in capsys.readouterr().out


def test_a_program_without_standard_output_is_heard(
    attempt: AttemptLog, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where `sys.stdout` is None prints still reach the log."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        with capture(attempt):
            print("heard", flush=True)
        assert sys.stdout is None
    assert [line["message"] for line in lines()] == ["heard"]


def test_threads_of_the_script_belong_to_the_only_attempt(attempt: AttemptLog, lines: Lines) -> None:
    """A thread that the script starts is heard, each thread's unfinished line for itself."""

    def work() -> None:
        print("from a thread", end="")

    with capture(attempt):
        print("begun ", end="")
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        print("and ended")
    assert [line["message"] for line in lines()] == ["begun and ended", "from a thread"]


def test_two_attempts_side_by_side_have_their_own_lines(target: LogTarget, lines: Lines) -> None:
    """With attempts in two threads each hears its own thread, and a third thread belongs to nobody."""
    meet = threading.Barrier(3)

    def work(record_id: str) -> None:
        attempt = AttemptLog(RecordLog(target, record_id), CONTEXT)
        with capture(attempt):
            meet.wait(10)
            for number in range(20):
                print(f"{record_id} {number}")
                logging.getLogger("test.other").error("%s", record_id)
            meet.wait(10)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("A", "B")]
    for thread in threads:
        thread.start()
    meet.wait(10)
    print("of nobody")
    meet.wait(10)
    for thread in threads:
        thread.join()
    for name in ("A", "B"):
        found = [line["message"] for line in lines(name)]
        assert len(found) == 40 and all(message.startswith(name) for message in found)


def test_a_script_may_run_an_attempt_itself(target: LogTarget, attempt: AttemptLog, lines: Lines) -> None:
    """Inside an attempt another one listens for its time, then the first goes on."""
    inner = AttemptLog(RecordLog(target, "INNER"), CONTEXT)
    with capture(attempt):
        print("before")
        with capture(inner):
            print("inside")
        print("after")
    assert [line["message"] for line in lines()] == ["before", "after"]
    assert [line["message"] for line in lines("INNER")] == ["inside"]


def test_after_the_last_line_nothing_follows(
    attempt: AttemptLog, lines: Lines, shown: list[warnings.WarningMessage]
) -> None:
    """What a left-over thread of the script says after the end is left out."""
    logger = attempt.logger
    with capture(attempt):
        print("begun", end="")
        attempt.finish(30, "Run finished")
        print("late")
        logger.info("late")
        warnings.warn("late", UserWarning, stacklevel=1)
    assert len(shown) == 1
    assert [line["message"] for line in lines()] == ["begun", "Run finished"]


def test_scripts_never_see_a_log_that_cannot_be_written(
    attempt: AttemptLog, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines of the script wait while the disk is full and are written, in order, as soon as it can be; else counted."""
    really = os.write

    def full(handle: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "no space")

    with capture(attempt):
        attempt.logger.info("one")
        monkeypatch.setattr(os, "write", full)
        attempt.logger.info("two")
        assert attempt.error is not None and attempt.error.errno == errno.ENOSPC
        print("three")
        with pytest.raises(OSError, match="no space"):
            attempt.line(20, "own")
        monkeypatch.setattr(os, "write", really)
        time.sleep(0.21)
        print("four")
        assert attempt.error is None
        assert [line["message"] for line in lines()] == ["one", "two", "three", "four"]
        monkeypatch.setattr(os, "write", full)
        for number in range(MOST_PENDING + 5):
            attempt.logger.info("%d", number)
        monkeypatch.setattr(os, "write", really)
    attempt.finish(40, "failed", level="ERROR")
    found = lines()
    assert len(found) == 4 + MOST_PENDING + 1
    assert (found[-1]["message"], found[-1]["lines_lost"]) == ("failed", 5)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_of_a_script_is_heard(attempt: AttemptLog, lines: Lines) -> None:
    """A process that the script forks belongs to its attempt; those of other threads are not there."""
    waiting, done = threading.Event(), threading.Event()

    def other() -> None:
        with capture(AttemptLog(RecordLog(attempt.log.target, "OTHER"), CONTEXT)):
            waiting.set()
            done.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    assert waiting.wait(10)
    with capture(attempt):
        print("parent")
        child = os.fork()
        if child == 0:  # pragma: no cover - measured in the parent only
            try:
                print("child", flush=True)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
    done.set()
    thread.join()
    assert [line["message"] for line in lines()] == ["parent", "child"]
    assert lines("OTHER") == []


def test_a_forked_child_keeps_only_its_own_attempt(
    target: LogTarget, attempt: AttemptLog, lines: Lines
) -> None:
    """What runs in the child forgets the attempts of threads that are not there, so that its threads are heard."""
    from sinagot.runlog.listeners import LISTENERS

    ready, done = threading.Event(), threading.Event()

    def other() -> None:
        with capture(AttemptLog(RecordLog(target, "OTHER"), CONTEXT)):
            ready.set()
            done.wait(10)

    thread = threading.Thread(target=other)
    LISTENERS.forget_others()
    with capture(attempt):
        thread.start()
        assert ready.wait(10)
        print("of the parent, which ends this line itself: ", end="")
        LISTENERS.forget_others()
        helper = threading.Thread(target=print, args=("from a thread of the child",))
        helper.start()
        helper.join()
        done.set()
        thread.join()
    assert [line["message"] for line in lines()] == ["from a thread of the child"]
