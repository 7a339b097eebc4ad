"""The lines of a run: each once, with level and facts, in the record's log and on standard output."""

from __future__ import annotations

import json
import logging
import re

import pytest

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")
FIELDS = [
    *("log_from", "workspace_version", "record_id", "scope", "task", "modality", "step_label"),
    *("step_status", "message", "time", "level", "run_id", "attempt", "host", "pid"),
]


def test_lines_of_an_attempt(lab) -> None:
    """An attempt logs Init run (0), Processing run (20), what the script says (20), and Run finished (30) with the added facts."""
    lab.unit("a", ids=["REC-1"])
    lab.wish("a-REC-1", "self.logger.info('said')")
    report = lab.open().steps.run()
    lines = lab.lines()
    assert [(line["step_status"], line["message"]) for line in lines] == [
        (0, "Init run"),
        (20, "Processing run"),
        (20, "said"),
        (30, "Run finished"),
    ]
    for line in lines:
        assert list(line)[: len(FIELDS)] == FIELDS
        assert TIME.fullmatch(line["time"])
        assert line["log_from"] == "script" and line["scope"] == "record"
        assert (line["task"], line["modality"], line["step_label"]) == (None, None, "a")
        assert line["run_id"] == report.run_id and line["level"] == "INFO"
    assert len({line["attempt"] for line in lines}) == 1
    last = lines[-1]
    assert {"duration_s", "peak_memory_mb", "cpu_s", "inputs", "outputs", "script_hash", "params"} <= set(
        last
    )
    assert last["inputs"] == [str(lab.data / "raw/REC-1.csv")]
    assert last["outputs"] == [str(lab.data / "a/REC-1.csv")]


def test_log_file_is_where_it_always_was(lab) -> None:
    """`LOG/<id>.log` holds one JSON object a line; lock files are not beside it."""
    lab.scoped(ids=["REC-1"]).open().steps.run()
    assert [path.name for path in (lab.data / "LOG").iterdir()] == ["REC-1.log"]
    for line in (lab.data / "LOG/REC-1.log").read_text().splitlines():
        assert json.loads(line)["record_id"] == "REC-1"


def test_failure_is_logged_with_type_text_and_traceback(lab) -> None:
    """The last line of a failed attempt has 40, the exception's type and text and its traceback; nothing follows it."""
    lab.unit("a", ids=["REC-1"])
    lab.fail("a-REC-1", "KeyError('Fp1')")
    lab.open().steps.run()
    line = lab.lines()[-1]
    assert (line["step_status"], line["message"], line["level"]) == (40, "'Fp1'", "ERROR")
    assert (line["exc_type"], line["exc_message"]) == ("KeyError", "'Fp1'")
    assert line["traceback"].startswith("Traceback") and "KeyError: 'Fp1'" in line["traceback"]
    assert str(lab.scripts / "a.py") in line["traceback"]
    assert "sinagot/engine" not in line["traceback"]
    assert line["duration_s"] >= 0


@pytest.mark.parametrize("text", ["", "two\nlines", "\x1b[31mred", "é ü \udcff", "x" * 100_000])
def test_any_message_is_one_valid_line(lab, text: str, capsys) -> None:
    """Whatever text an exception has, the log stays valid JSON, one line each, and the terminal gets one line."""
    lab.unit("a", ids=["REC-1"])
    lab.fail("a-REC-1", f"ValueError({text!r})")
    report = lab.open().steps.run()
    assert report.counts["failed"] == 1
    lines = (lab.data / "LOG/REC-1.log").read_text().splitlines()
    assert [json.loads(line)["step_status"] for line in lines] == [0, 20, 40]
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) == 3 and "\x1b" not in shown
    assert len(lab.open()["REC-1"].logs()) == 3


def test_print_warnings_and_other_loggers_are_in_the_log_once(lab, capsys) -> None:
    """What a script prints, warns and logs elsewhere stands once in the record's log with 20; print reaches the terminal."""
    lab.unit("a", ids=["REC-1"])
    lab.wish(
        "a-REC-1",
        """
        import logging, warnings
        print("printed")
        logging.getLogger("some.library").warning("from a library", extra={"channel": 7})
        logging.getLogger("some.library").debug("too low")
        self.logger.warning("own", extra={"sample": 3})
        """,
    )
    lab.open().steps.run()
    found = {line["message"]: line for line in lab.lines(step_status=20)}
    assert [line["message"] for line in lab.lines(step_status=20)] == [
        "Processing run",
        "printed",
        "from a library",
        "own",
    ]
    assert found["from a library"]["level"] == "WARNING" and found["from a library"]["channel"] == 7
    assert found["from a library"]["logger"] == "some.library"
    assert (found["own"]["level"], found["own"]["sample"]) == ("WARNING", 3)
    shown = capsys.readouterr().out.splitlines()
    assert shown.count("printed") == 1
    assert sum(line.endswith(" : own") for line in shown) == 1


def test_warning_of_a_script_is_logged(lab) -> None:
    """A warning that a script raises stands in its log as a warning, and is shown as ever."""
    lab.unit("a", ids=["REC-1"])
    lab.wish("a-REC-1", "import warnings\nwarnings.warn('short recording')")
    with pytest.warns(UserWarning, match="short recording"):
        lab.open().steps.run()
    (line,) = [line for line in lab.lines() if "short recording" in line["message"]]
    assert (line["step_status"], line["level"]) == (20, "WARNING")


@pytest.mark.parametrize(
    ("level", "said", "shown"),
    [
        ("DEBUG", ["debug", "info", "warning", "error"], 7),
        ("INFO", ["info", "warning", "error"], 6),
        ("WARNING", ["warning", "error"], 2),
        ("ERROR", ["error"], 1),
    ],
)
def test_configured_level_is_respected(lab, capsys, level: str, said: list[str], shown: int) -> None:
    """`log.level` cuts what is printed and what scripts say; the attempt's own lines are always in the file."""
    lab.unit("a", ids=["REC-1"], more=f'[log]\nlevel = "{level}"\n')
    lab.wish("a-REC-1", "for name in ('debug', 'info', 'warning', 'error'): getattr(self.logger, name)(name)")
    lab.open().steps.run()
    assert [text for _, text in lab.messages()] == ["Init run", "Processing run", *said, "Run finished"]
    assert len(capsys.readouterr().out.splitlines()) == shown


def test_record_without_data_leaves_one_line(lab) -> None:
    """A valid id without data: no output and no output folder, one line 41 per asked step with the full path of every absent input, once."""
    lab.unit("a", "b", ids=["REC-1"])
    lab.script("a", {"x": ("raw", "{id}.csv"), "y": ("raw", "{id}.txt")})
    lab.write("dataset/raw/REC-9.txt")
    for _ in range(3):
        report = lab.open()["REC-9"].steps.run()
        assert report.counts["missing_input"] == 2 and report.ok
    assert not (lab.data / "a").exists() and not (lab.data / "b").exists()
    assert lab.messages("REC-9") == [
        (41, f"Input data {lab.data / 'raw/REC-9.csv'} not available"),
        (41, f"Input data {lab.data / 'a/REC-9.csv'} not available"),
    ]
    assert lab.open()["REC-9"].steps.status()["step_status"].tolist() == [0, 0]


def test_missing_input_is_logged_again_after_the_step_has_run(lab) -> None:
    """When something else has been logged meanwhile, the missing input is said again."""
    lab.unit("a", "b", ids=["REC-1"])
    lab.open().steps.run("b")
    lab.open().steps.run()
    (lab.data / "a/REC-1.csv").unlink()
    (lab.data / "b/REC-1.csv").unlink()
    lab.open().steps.run("b")
    assert [status for status, _ in lab.messages(step_label="b")] == [41, 0, 20, 30, 41]


def test_dry_run_logs_no_missing_input(lab) -> None:
    """A dry run books a missing input and writes no line."""
    lab.unit("a", "b", ids=["REC-1"])
    report = lab.open().steps.run("b", dry_run=True)
    assert report.counts["missing_input"] == 1
    assert not (lab.data / "LOG").exists()


def test_no_line_is_lost_to_rotation_when_read_back(lab) -> None:
    """Logs that were turned are read as one; what falls off the end is counted."""
    lab.unit("a", ids=["REC-1"], more="[log]\nmax_bytes = 2000\nbackups = 50\n")
    lab.wish("a-REC-1", "for number in range(30): self.logger.info('line %d', number)")
    lab.open().steps.run()
    assert len(list((lab.data / "LOG").iterdir())) > 3
    said = [text for status, text in lab.messages(step_status=20) if text.startswith("line")]
    assert said == [f"line {number}" for number in range(30)]
    assert len(lab.open()["REC-1"].logs()) == 33
    assert lab.open().steps.run().counts["up_to_date"] == 1


def test_losing_logs_to_rotation_changes_no_status(lab) -> None:
    """Status does not live in the logs: rotation that loses every line leaves it as it was."""
    lab.unit("a", "b", ids=["REC-1"], more="[log]\nmax_bytes = 500\nbackups = 1\n")
    lab.fail("b-REC-1")
    lab.open().steps.run()
    assert lab.open()["REC-1"].steps.status()["step_status"].tolist() == [30, 40]
    for file in (lab.data / "LOG").iterdir():
        file.unlink()
    assert lab.open()["REC-1"].steps.status()["step_status"].tolist() == [30, 40]


def test_broken_log_costs_only_the_broken_line(lab) -> None:
    """An empty, cut or broken line is passed over by every reader, and the next attempt starts on a new line."""
    lab.unit("a", ids=["REC-1"])
    lab.open().steps.run()
    with (lab.data / "LOG/REC-1.log").open("ab") as log:
        log.write(b'\n\xff\xfe\n[1]\n{"record_id": "REC-1"}\n{"record_id": "REC-1", "step_sta')
    assert len(lab.open()["REC-1"].logs()) == 4
    lab.open().steps.run(force=True)
    assert [text for _, text in [(0, line.get("message")) for line in lab.open()["REC-1"].logs_json()]] == [
        "Init run",
        "Processing run",
        "Run finished",
        None,
        "Init run",
        "Processing run",
        "Run finished",
    ]


def test_old_lines_are_read_beside_new_ones(lab) -> None:
    """Lines of older versions get today's form of time in the table and stay as they are in `logs_json`."""
    lab.unit("a", ids=["REC-1"])
    old = {
        "log_from": "script",
        "record_id": "REC-1",
        "scope": "record",
        "task": None,
        "modality": None,
        "step_label": "a",
        "step_status": 41,
        "message": "Input data not available",
        "time": "2020-08-20T09:28:32.588",
    }
    lab.write("dataset/LOG/REC-1.log", json.dumps(old) + "\n")
    lab.open().steps.run()
    record = lab.open()["REC-1"]
    assert record.logs_json()[0] == old
    frame = record.logs()
    assert frame["time"].iloc[-1] == "2020-08-20T09:28:32.588000+00:00"
    assert frame["time"].map(lambda text: bool(TIME.fullmatch(text))).all()


def test_plain_use_of_the_logger(lab, capsys) -> None:
    """`ws.logger` prints in the configured format at the configured level, to the standard output of the moment, once."""
    lab.unit(more='[log]\nname = "mylab"\nformat = "%(levelname)s-%(message)s"\nlevel = "WARNING"\n')
    ws = lab.open()
    foreign = logging.NullHandler()
    logging.getLogger("mylab").addHandler(foreign)
    try:
        assert ws.logger.name == "mylab"
        ws.logger.info("not this")
        ws.logger.warning("this")
        lab.open().logger.warning("that")
        assert foreign in logging.getLogger("mylab").handlers
    finally:
        logging.getLogger("mylab").removeHandler(foreign)
    assert capsys.readouterr().out == "WARNING-this\nWARNING-that\n"


def test_other_loggers_are_left_as_they_are(lab) -> None:
    """Runs leave levels, handlers and propagation of all loggers as they were."""

    def facts() -> list[tuple]:
        names = ["", "sinagot", "some.library"]
        loggers = [logging.getLogger(name) for name in names]
        return [(one.level, list(one.handlers), one.propagate, one.disabled) for one in loggers]

    before = facts()
    lab.unit("a").open().steps.run()
    assert facts() == before


def test_each_line_once_with_two_workspaces_of_one_logger_name(lab, new_lab, capsys) -> None:
    """Jobs print through their own workspace's printer: two workspaces of one logger name show each line once, each at its level."""
    one, two = (
        lab.unit("a", ids=["REC-1"]).open(),
        new_lab("two").unit("b", ids=["REC-2"], more='[log]\nlevel = "ERROR"\n').open(),
    )
    _ = one.logger, two.logger
    one.steps.run()
    two.steps.run()
    assert len(capsys.readouterr().out.splitlines()) == 3
    two.steps.run(force=True)
    assert capsys.readouterr().out == ""


def test_values_that_json_does_not_know(lab) -> None:
    """NaN becomes null and what JSON can't hold becomes text."""
    lab.unit("a", ids=["REC-1"])
    lab.wish("a-REC-1", "self.logger.info('x', extra={'rate': float('nan'), 'where': self.path.input})")
    lab.open().steps.run()
    (line,) = [line for line in lab.lines() if line["message"] == "x"]
    assert line["rate"] is None and line["where"].endswith("REC-1.csv")


def test_log_that_cannot_be_written_stops_the_step(lab) -> None:
    """Where no log can be written no script starts, and the failure says why; reading the log finds nothing and ends."""
    lab.unit("a", ids=["REC-1"])
    lab.write("dataset/LOG", "a file where the folder should be")
    report = lab.open().steps.run()
    assert report.counts["failed"] == 1 and lab.ran() == []
    assert str(lab.data / "LOG") in report.failures[0].message
    record = lab.open()["REC-1"]
    assert record.steps.status()["step_status"].tolist() == [40]
    assert record.logs_json() == [] and record.logs().empty
