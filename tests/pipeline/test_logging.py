"""What a stage says is one whole line with its fields and its place, in one file, and a readable one on the console."""

from __future__ import annotations

import io
import json
import logging
import os
import pickle
import stat
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as settings_of_test
from hypothesis import strategies as st

from sinagot.errors import ConfigurationError, StorageError
from sinagot.pipeline import logging as pipeline_logging
from sinagot.pipeline.console import Console
from sinagot.pipeline.logging import critical, debug, error, exception, info, log, warning
from sinagot.pipeline.settings import LoggerSettings, lock_folder
from sinagot.runlog.capture import AttemptLog, capture
from sinagot.runlog.read import read_lines
from sinagot.runlog.write import LogTarget, RecordLog, close_all

CONTEXT = {"run_id": "r", "attempt": "a"}

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _closed_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    yield
    close_all()


@pytest.fixture
def settings(tmp_path: Path) -> LoggerSettings:
    return LoggerSettings("ok enough", stream=False, log_dir=tmp_path / "logs", level="DEBUG")


@pytest.fixture
def stage(settings: LoggerSettings) -> AttemptLog:
    return settings.open(CONTEXT, pipeline="p").within(stage="s")


@pytest.fixture
def lines(settings: LoggerSettings) -> Lines:
    """Read the lines of the log; each must be readable."""

    def read() -> list[dict[str, Any]]:
        found, bad = read_lines(str(settings.log_dir), settings.name)
        assert bad == 0
        return found

    return read


def here() -> int:
    return sys._getframe(1).f_lineno


def test_each_function_says_a_line_with_its_place(stage: AttemptLog, lines: Lines) -> None:
    """Level, text, keywords, fields of the stage, and file and line of the call, whichever function it is."""
    with capture(stage):
        places = [here() + number for number in range(1, 9)]
        debug("a")
        info("%s of %d", "b", 2)
        warning("c %(x)s", {"x": 1})
        error("d", data=[1], sources={"k": None})
        critical(ValueError("e"))
        log("warn", "f")
        log(15, "g %d", 3, run=1)
        exception("h")
    found = lines()
    assert [(line["level"], line["message"]) for line in found] == [
        ("DEBUG", "a"),
        ("INFO", "b of 2"),
        ("WARNING", "c 1"),
        ("ERROR", "d"),
        ("CRITICAL", "e"),
        ("WARNING", "f"),
        ("Level 15", "g 3"),
        ("ERROR", "h"),
    ]
    assert [line["line"] for line in found] == places
    assert {line["file"] for line in found} == {__file__}
    assert all((line["pipeline"], line["stage"], line["run_id"]) == ("p", "s", "r") for line in found)
    assert all((line["record_id"], line["step_status"]) == (None, 20) for line in found)
    assert (found[3]["data"], found[3]["sources"], found[6]["run"]) == ([1], {"k": None}, 1)


def test_an_exception_is_told_without_values_of_variables(stage: AttemptLog, lines: Lines) -> None:
    """`exception` tells type, text and traceback of what is being handled."""
    hidden = "value of " + "a variable"
    with capture(stage):
        try:
            raise KeyError("boat")
        except KeyError:
            exception("no %s", "boat", size=len(hidden))
    (line,) = lines()
    assert (line["message"], line["exc_type"], line["exc_message"]) == ("no boat", "KeyError", "'boat'")
    assert "test_logging.py" in line["traceback"] and hidden not in json.dumps(line)


def test_a_keyword_never_hides_a_field(stage: AttemptLog, lines: Lines) -> None:
    """One with the name of a field of ours gets `kw_`, also where that is taken; parameters have no names to clash."""
    with capture(stage):
        info("x", message="m", args=1, level="l", stage="t", kw_stage="u", line="n", own="o", logger=None)
    (line,) = lines()
    assert (line["message"], line["level"], line["stage"]) == ("x", "INFO", "s")
    assert [line[f"kw_{name}"] for name in ("message", "level", "kw_stage", "stage", "line")] == list("mltun")
    assert (line["args"], line["own"], line["kw_logger"]) == (1, "o", None)
    with capture(stage.within(own="ours")):
        info("y", own="mine")
    assert [(line["own"], line["kw_own"]) for line in lines()[1:]] == [("ours", "mine")]


class Stubborn:
    """An object that cannot be told."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def test_any_value_is_a_field(stage: AttemptLog, lines: Lines) -> None:
    """NaN is null, numbers of NumPy are numbers, arrays, tables and odd objects are text, cycles end."""
    table = pd.DataFrame({"a": [1, 2]})
    cycle: list[Any] = []
    cycle.append(cycle)
    with capture(stage):
        info(
            "x",
            nan=float("nan"),
            array=np.arange(3),
            table=table,
            number=np.int64(3),
            odd=Stubborn(),
            cycle=cycle,
        )
        info(Stubborn(), odd=(None, True, {1: 2}))
    first, second = lines()
    assert (first["nan"], first["array"], first["table"], first["number"]) == (None, "[0 1 2]", str(table), 3)
    assert first["odd"] == "<Stubborn without text>" and first["cycle"]
    assert (second["message"], second["odd"]) == ("<Stubborn without text>", [None, True, {"1": 2}])


def test_a_wrong_call_costs_no_line(stage: AttemptLog, lines: Lines) -> None:
    """Arguments that do not fit are told beside the text; only a level that is none is refused."""
    with capture(stage):
        info("%d files", "many")
        info("100%")
        info("%s", {})
        with pytest.raises(ValueError, match="DEBUG, INFO"):
            log("LOUD", "x")
        with pytest.raises(TypeError):
            log(None, "x")  # type: ignore[arg-type]
    assert [line["message"] for line in lines()] == [
        "%d files ('many',) (TypeError while formatting)",
        "100%",
        "{}",
    ]


@settings_of_test(max_examples=40, deadline=None)
@given(text=st.text(st.characters(), max_size=20), times=st.sampled_from([1, 1, 1, 100_000]))
def test_a_line_is_whole_whatever_its_text(
    tmp_path_factory: pytest.TempPathFactory, text: str, times: int
) -> None:
    """Lone surrogates, NUL, line ends and a megabyte of text make one line, which comes back as it was, or cut."""
    folder = tmp_path_factory.mktemp("logs")
    log = RecordLog(LogTarget(str(folder), str(folder / "locks")), "x")
    shown = io.StringIO()
    with capture(AttemptLog(log, CONTEXT, fields={"stage": text})), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", shown)
        info(text * times, key=text * times)
        info(text, **{text: text})
    (first, second), bad = read_lines(str(folder), "x")
    assert bad == 0 and (second["message"], second["stage"]) == (text, text)
    assert text in (second.get(text), second.get(f"kw_{text}"))
    for told in (first["message"], first["key"]):
        assert told == text * times or (told.startswith(text) and "[cut: " in told)
    close_all()


def test_levels_are_cut_by_the_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Below the level a call writes and shows nothing, and does not even look at its text."""
    settings = LoggerSettings("x", log_dir=tmp_path / "logs", level="WARNING")
    with capture(settings.open(CONTEXT, pipeline="p")):
        info(Stubborn())
        debug("%d", "no number")
        logging.getLogger("test.other").warning("kept")
        log(25, "left out")
        warning("also kept")
    assert [line["message"] for line in read_lines(str(settings.log_dir), "x")[0]] == ["kept", "also kept"]
    assert "also kept" in capsys.readouterr().out


def test_standard_logging_tells_its_place_in_stages_only(
    stage: AttemptLog, lines: Lines, tmp_path: Path
) -> None:
    """Records and warnings in a stage have its fields, and the file and line of their call; those of scripts have not."""
    script = AttemptLog(
        RecordLog(LogTarget(str(tmp_path / "LOG"), str(tmp_path / "locks")), "REC-1"), CONTEXT
    )
    for voice in (stage, script):
        with warnings.catch_warnings(record=True), capture(voice):
            warnings.simplefilter("always")
            place = here() + 1
            logging.getLogger("test.other").error("record")
            warnings.warn("warning", UserWarning, stacklevel=1)
            print("printed")
    found = lines()
    assert [line.get("line") for line in found] == [place, place + 1, None]
    assert [line.get("file") for line in found] == [__file__, __file__, None]
    assert all(line["stage"] == "s" for line in found)
    for line in read_lines(str(tmp_path / "LOG"), "REC-1")[0]:
        assert not {"file", "line", "stage"}.intersection(line)


def test_eight_threads_write_whole_lines(stage: AttemptLog, lines: Lines) -> None:
    """Of 8 stages with 200 lines each every line is there, whole, in the order of its stage, and with its stage."""
    meet = threading.Barrier(8)

    def work(number: int) -> None:
        with capture(stage.root.within(stage=f"s{number}")):
            meet.wait(60)
            for count in range(200):
                info("%d", count, stage_was=f"s{number}", text="x" * count)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = lines()
    assert len(found) == 1600 and all(line["stage"] == line["stage_was"] for line in found)
    for number in range(8):
        told = [line for line in found if line["stage"] == f"s{number}"]
        assert [(line["message"], len(line["text"])) for line in told] == [(str(n), n) for n in range(200)]


def test_the_console_shows_what_people_look_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Time, level, pipeline, stage, text, keywords and place on one line, without colours where no terminal is."""
    log = LoggerSettings("x").open({"record_id": "REC-1"}, pipeline="p")
    stage = log.within(stage="load")
    with capture(stage):
        place = here() + 1
        info("two\nlines \x1b[31m", rows=3, name="a b", many=list(range(99)), odd=Stubborn())
    try:
        raise ValueError("no\x1b")
    except ValueError:
        with capture(stage):
            exception("failed")
    stage.finish(20, "stage ended", duration_s=0.123)
    shown = [line.split(" | ", 1)[-1] for line in capsys.readouterr().out.splitlines()]
    assert shown[0].startswith(
        r"INFO     | REC-1 | p | load : two\nlines \x1b[31m | rows=3 name='a b' many=[0, 1"
    )
    assert shown[0].endswith(f" | test_logging.py:{place}") and len(shown[0]) < 250
    assert shown[1].startswith("ERROR    | REC-1 | p | load : failed | test_logging.py:")
    assert shown[2] == "    Traceback (most recent call last):" and shown[-2] == r"    ValueError: no\x1b"
    assert shown[-1] == "INFO     | REC-1 | p | load : stage ended | 0.12 s"


class Terminal(io.StringIO):
    """A standard output that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal levels that matter are coloured, unless the user wants none; what was collected is plain."""
    log = LoggerSettings("x").open({}, pipeline="p")
    for no_colour, has_colour in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", no_colour)
        monkeypatch.setenv("TERM", "xterm-256color")
        with monkeypatch.context() as patch:
            terminal = Terminal()
            patch.setattr(sys, "stdout", terminal)
            with capture(log):
                warning("careful")
                info("calm")
        careful, calm = terminal.getvalue().splitlines()
        assert ("\x1b[38;5;" in careful, "\x1b" in calm) == (has_colour, False)
    with monkeypatch.context() as patch:
        patch.delenv("NO_COLOR")
        patch.setattr(sys, "stdout", None)
        with capture(log):
            error("a program without a console")
    console = Console("WARNING", collect=True)
    for number in (20, 35, 40):
        console.show_voice({}, {"stage": "s"}, "x", number, {}, {"odd": type("dict", (), {})()})
    told = [line.partition(" | ")[2] for line in console.lines]
    assert told == ["Level 35 | s : x | odd=<dict>", "ERROR    | s : x | odd=<dict>"]


def test_without_stream_or_file_nothing_comes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`stream=False` prints nothing, `file=False` or no folder writes nothing; making settings and voices does neither."""
    monkeypatch.chdir(tmp_path)
    for settings in (
        LoggerSettings("x", stream=False),
        LoggerSettings("x", stream=False, log_dir="logs", file=False),
    ):
        voice = settings.open(CONTEXT, pipeline="p")
        with capture(voice):
            info("unheard")
        voice.finish(30, "over")
        assert settings.path is None
    LoggerSettings("x", log_dir=tmp_path / "logs").open(CONTEXT, pipeline="p").within(stage="s")
    assert sorted(os.listdir(tmp_path)) == ["tmp"]
    assert capsys.readouterr().out == ""


def test_outside_of_any_attempt_lines_are_only_shown(
    stage: AttemptLog, lines: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before, beside and after pipelines a call is shown, and is no mistake; so is what a left-over thread says."""
    go = threading.Event()
    thread = threading.Thread(target=lambda: (go.wait(60), info("left over", data=2)))
    debug("below")
    info("before", data=1)
    with capture(stage):
        thread.start()
        stage.close()
        stage.root.close()
        info("too late", data=3)
    go.set()
    thread.join()
    shown = [line.split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert [line[1:4] for line in shown] == [
        ["INFO    ", "before", "data=1"],
        ["INFO    ", "too late", "data=3"],
        ["INFO    ", "left over", "data=2"],
    ]
    assert lines() == []


def test_secrets_of_keywords_and_messages_are_hidden(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `redact` takes out is neither in the file nor on the console."""
    settings = LoggerSettings("x", log_dir=tmp_path / "logs")
    log = settings.open(CONTEXT, pipeline="p")
    log.redact = lambda text: text.replace("pa55", "***")
    with capture(log.within(stage="s")):
        info("key %s", "pa55", data={"pa55": ["pa55", {"x": "pa55"}]}, table=pd.DataFrame({"a": ["pa55"]}))
        try:
            raise ValueError("pa55")
        except ValueError:
            exception("failed")
    told = (tmp_path / "logs" / "x.log").read_text() + capsys.readouterr().out
    assert "pa55" not in told and told.count("***") >= 10


# -- settings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"name": ""}, "name"),
        ({"name": 3}, "name"),
        ({"name": "x", "stream": 1}, "stream"),
        ({"name": "x", "file": None}, "file"),
        ({"name": "x", "level": "LOUD"}, "level"),
        ({"name": "x", "level": True}, "level"),
        ({"name": "x", "max_bytes": -1}, "max_bytes"),
        ({"name": "x", "backups": 1.5}, "backups"),
        ({"name": "x", "log_dir": ""}, "log_dir"),
        ({"name": "x", "log_dir": 3}, "log_dir"),
        ({"name": "x", "log_dir": "a\0b"}, "log_dir"),
        ({"name": "x", "log_dir": "~nobody-of-that-name/logs"}, "log_dir"),
    ],
)
def test_bad_settings_are_told(values: dict[str, Any], key: str) -> None:
    """A value that cannot be used is an error when the settings are made: which, what was found, what is allowed."""
    with pytest.raises(ConfigurationError, match=rf"LoggerSettings\.{key}: found .* allowed is ") as caught:
        LoggerSettings(**values)
    assert caught.value.key == f"LoggerSettings.{key}"


def test_settings_are_frozen_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They cannot be changed, compare by value, survive a pickle, and mean one folder wherever they go."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    settings = LoggerSettings("a/b", log_dir="~/logs")
    assert settings == LoggerSettings("a/b", log_dir=Path("logs")) == pickle.loads(pickle.dumps(settings))
    assert settings.path == tmp_path / "logs" / "a%2Fb.log"
    with pytest.raises(AttributeError):
        settings.name = "y"  # type: ignore[misc]


def test_only_the_log_stands_in_the_folder(tmp_path: Path) -> None:
    """Beside the file and its turned parts nothing appears; lock files are in a private folder elsewhere."""
    settings = LoggerSettings("x", stream=False, log_dir=tmp_path / "logs", max_bytes=2000, backups=2)
    with capture(settings.open(CONTEXT, pipeline="p")):
        for number in range(50):
            info("%d", number)
    assert sorted(os.listdir(tmp_path / "logs")) == ["x.log", "x.log.1", "x.log.2"]
    base, *more = (tmp_path / "tmp").iterdir()
    (locks,) = base.iterdir()
    assert not more and list(locks.iterdir())
    assert [stat.S_IMODE(path.stat().st_mode) for path in (base, locks)] == [0o700, 0o700]
    (tmp_path / "link").symlink_to(tmp_path / "logs")
    assert lock_folder(str(tmp_path / "link")) == str(locks) != lock_folder(str(tmp_path))


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lock files are never put where another user could reach them: a foreign folder, a link, a file in its place."""
    settings = LoggerSettings("x", log_dir=tmp_path / "logs")
    base = tmp_path / "tmp" / f"sinagot-{os.getuid()}"
    base.mkdir(mode=0o777)
    base.chmod(0o777)
    settings.log()
    assert stat.S_IMODE(base.stat().st_mode) == 0o700
    foreign = os.getuid() + 1
    with monkeypatch.context() as patch:
        patch.setattr(os, "getuid", lambda: foreign)
        (tmp_path / "tmp" / f"sinagot-{foreign}").mkdir()
        with pytest.raises(StorageError, match=r"no folder of yours.*TMPDIR"):
            settings.log()
    base.rename(tmp_path / "elsewhere")
    base.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="no folder of yours"):
        settings.log()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(StorageError, match=r"cannot be kept here.*TMPDIR"):
        settings.log()


def test_saying_something_is_light_to_import() -> None:
    """The module that users import everywhere loads neither the standard `logging` nor anything heavy."""
    code = "import sys, sinagot.pipeline.logging; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {
        "logging",
        "pandas",
        "numpy",
        "dask",
        "pydantic",
        "rich",
        "json_log_formatter",
        "tempfile",
    }
    assert not heavy.intersection(done.stdout.split())


def test_what_is_exported_is_there() -> None:
    """The module offers the seven functions by their names."""
    assert pipeline_logging.__all__ == ["critical", "debug", "error", "exception", "info", "log", "warning"]
    assert all(callable(getattr(pipeline_logging, name)) for name in pipeline_logging.__all__)
