"""Each line of an attempt has the fields of the voice that said it, whatever thread it comes from, and no secrets."""

from __future__ import annotations

import errno
import gc
import json
import logging
import os
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinagot.runlog import lines as lines_module
from sinagot.runlog.capture import AttemptLog, capture
from sinagot.runlog.formatter import LineFormatter
from sinagot.runlog.lines import ADDED_FIELDS, ESTABLISHED_FIELDS, VoiceFields, line_text, make_line
from sinagot.runlog.printing import Printer
from sinagot.runlog.read import logs_frame
from sinagot.runlog.voices import MOST_PENDING
from sinagot.runlog.write import LogTarget, RecordLog, close_all
from sinagot.testing import await_true

Lines = Callable[..., list[dict[str, Any]]]

OURS = frozenset(ESTABLISHED_FIELDS + ADDED_FIELDS)
TEXT = st.text(st.characters(), max_size=20)
JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=4,
)


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Whatever a test does, all stand-ins are gone afterwards."""
    before = (sys.stdout, warnings.showwarning, logging.Logger.callHandlers, threading.Thread.start)
    yield
    assert (sys.stdout, warnings.showwarning, logging.Logger.callHandlers, threading.Thread.start) == before


def in_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def by_stage(lines: list[dict[str, Any]]) -> dict[str | None, list[str]]:
    found: dict[str | None, list[str]] = {}
    for line in lines:
        found.setdefault(line.get("stage"), []).append(line["message"])
    return found


def test_a_voice_adds_its_fields_to_every_line(
    attempt: AttemptLog, lines: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    """Own lines, prints, warnings, records and `say` carry the fields; those of the attempt are as ever."""
    pipeline = attempt.within(pipeline="p")
    stage = pipeline.within(stage="load")
    attempt.line(20, "Processing run")
    with warnings.catch_warnings(record=True), capture(stage):
        warnings.simplefilter("always")
        stage.line(20, "stage begins")
        print("printed")
        warnings.warn("careful", UserWarning, stacklevel=1)
        stage.logger.info("own", extra={"stage": "mine", "file": "mine"})
        logging.getLogger("test.other").error("library")
        assert stage.say("said", extra={"rows": 3}, facts={"file": "x.py", "line": 1})
        assert stage.say("below the level", 10, "DEBUG")
    stage.finish(20, "stage ended", duration_s=0.5)
    pipeline.within(stage=None, more=1).line(20, "after")
    attempt.finish(30, "Run finished")
    found = lines()
    assert by_stage(found) == {
        None: ["Processing run", "after", "Run finished"],
        "load": ["stage begins", "printed", found[3]["message"], "own", "library", "said", "stage ended"],
    }
    assert not OURS.intersection({"pipeline", "stage", "file", "line"}, found[0], found[-1])
    assert all(line["pipeline"] == "p" for line in found[1:-1])
    assert found[3]["message"].startswith("UserWarning: careful")
    assert (found[4]["extra_stage"], found[4]["extra_file"]) == ("mine", "mine")
    assert all(line["file"] == __file__ and type(line["line"]) is int for line in found[3:6])
    assert (found[6]["rows"], found[6]["file"]) == (3, "x.py")
    assert (found[7]["duration_s"], found[8]["more"]) == (0.5, 1)
    assert (stage.root, pipeline.root, attempt.root) == (attempt, attempt, attempt)


def test_line_numbers_are_whole_in_a_table(attempt: AttemptLog, target: LogTarget) -> None:
    """In the table of a pipeline's log the number of a line is whole, though most lines have none."""
    stage = attempt.within(pipeline="p")
    stage.line(20, "no place")
    stage.say("here", facts={"file": "x.py", "line": 3})
    frame = logs_frame([(target.folder, "REC-1")])
    assert [str(value) for value in frame["line"]] == ["3", "<NA>"]


def test_lines_of_scripts_stay_as_they_were(attempt: AttemptLog, lines: Lines) -> None:
    """Without a voice the new names are the user's, and no line tells of file or line."""
    with capture(attempt):
        attempt.logger.info("own", extra={"pipeline": 1, "stage": 2, "file": 3, "line": 4})
        logging.getLogger("test.other").error("library")
    first, second = lines()
    assert [first[name] for name in ("pipeline", "stage", "file", "line")] == [1, 2, 3, 4]
    assert set(second) == {*ESTABLISHED_FIELDS, "level", "run_id", "attempt", "host", "pid", "logger"}


@settings(max_examples=50)
@given(
    fields=st.dictionaries(st.sampled_from(["pipeline", "stage", "more"]), JSON_LIKE),
    facts=st.fixed_dictionaries({}, optional={"file": TEXT, "line": st.integers(), "stage": TEXT}),
    extra=st.dictionaries(TEXT.map(lambda name: f"{name}?"), JSON_LIKE, max_size=3),
    record_id=st.none() | TEXT,
)
def test_the_short_way_gives_the_same_line(
    fields: dict[str, Any], facts: dict[str, Any], extra: dict[str, Any], record_id: str | None
) -> None:
    """Whatever fields, facts and keywords there are, the text of a line is that of its mapping."""
    voice = VoiceFields(fields)
    context = {"record_id": record_id, "run_id": "r"}
    formatter = LineFormatter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_module, "now_utc", lambda: "2026-11-21T00:00:00.000000+00:00")
        short = line_text(context, 20, "hello", "INFO", facts, extra, voice)
        made = make_line(context, 20, "hello", level="INFO", facts=facts, extra=extra, fields=voice)
    text = short if isinstance(short, str) else formatter.to_json(short)
    pairs = json.loads(text, object_pairs_hook=list)
    line = json.loads(text)
    assert len(pairs) == len(line)  # no name twice
    assert line == json.loads(formatter.to_json(made))
    assert {name: line[name] for name in facts} == facts


def test_long_and_odd_fields_take_the_long_way() -> None:
    """What is too long, or no JSON, in fields, facts or keywords is a mapping with all of it, never a broken line."""
    long, odd, fine = {"stage": "x" * 100_000}, {"stage": object()}, VoiceFields({"stage": "s"})
    assert VoiceFields({}).text == ""
    for facts, extra, fields in (
        ({}, {}, VoiceFields(long)),
        ({}, {}, VoiceFields(odd)),
        (long, {}, None),
        ({}, {"k": "x" * 100_000}, fine),
        ({}, {"k": object()}, fine),
    ):
        line = line_text({}, 20, "hello", "INFO", facts, extra, fields)
        assert isinstance(line, dict) and {*facts, *extra, *(fields or ())} <= line.keys()


def test_a_thousand_stages_share_one_frame() -> None:
    """What all lines of an attempt share is encoded once, whoever of its voices speaks; no record is no hindrance."""
    context = {"record_id": None, "run_id": "of a thousand stages", "attempt": None}
    before = lines_module._frame.cache_info().misses
    for number in range(1000):
        voice = VoiceFields({"pipeline": "p", "stage": f"s{number}"})
        text = line_text(context, 20, "hello", "INFO", {"line": number}, {"k": number}, voice)
        assert isinstance(text, str) and json.loads(text)["stage"] == f"s{number}"
    assert lines_module._frame.cache_info().misses == before + 1


def test_voices_side_by_side_never_mix(target: LogTarget, lines: Lines) -> None:
    """Attempts and stages in threads of their own, each with threads and a pool inside, hear their own only."""
    meet = threading.Barrier(4)

    def speak(name: str) -> None:
        for number in range(20):
            print(f"{name} {number}")
            logging.getLogger("test.other").error("%s", name)

    def stage(voice: AttemptLog, name: str) -> None:
        with capture(voice):
            meet.wait(60)
            speak(name)
            in_thread(lambda: in_thread(lambda: speak(name)))
            with ThreadPoolExecutor(3) as pool:
                list(pool.map(speak, [name] * 6))
            meet.wait(60)

    threads = []
    for record_id in ("A", "B"):
        attempt = AttemptLog(RecordLog(target, record_id), {"record_id": record_id})
        for name in ("one", "two"):
            voice = attempt.within(stage=name)
            threads.append(threading.Thread(target=stage, args=(voice, f"{record_id} {name}")))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for record_id in ("A", "B"):
        found = by_stage(lines(record_id))
        assert {name: len(messages) for name, messages in found.items()} == {"one": 320, "two": 320}
        for name, messages in found.items():
            assert all(message.startswith(f"{record_id} {name}") for message in messages)


def test_other_threads_belong_to_the_attempt_of_all_voices(
    target: LogTarget, attempt: AttemptLog, lines: Lines
) -> None:
    """A thread of an older pool speaks for the attempt while only its voices listen, for nobody beside another one."""
    other = AttemptLog(RecordLog(target, "OTHER"), {"record_id": "OTHER"})
    with ThreadPoolExecutor(1) as old, ThreadPoolExecutor(2) as threads:
        old.submit(int).result()

        def listen(voice: AttemptLog, meet: threading.Barrier) -> None:
            with capture(voice):
                meet.wait(60)
                meet.wait(60)

        for voices, word in (
            ([attempt.within(stage="a"), attempt.within(stage="b")], "one"),
            ([attempt, other], "two"),
        ):
            meet = threading.Barrier(3)
            waiting = [threads.submit(listen, voice, meet) for voice in voices]
            meet.wait(60)
            old.submit(print, word).result()
            meet.wait(60)
            assert [future.result() for future in waiting] == [None, None]
    assert by_stage(lines()) == {None: ["one"]} and lines("OTHER") == []


def test_a_pool_of_a_former_attempt_works_for_who_asks(
    target: LogTarget, attempt: AttemptLog, lines: Lines
) -> None:
    """When the attempt that started a pool is over, its threads belong to the only one, as those of any pool."""
    with ThreadPoolExecutor(1) as pool:
        with capture(attempt):
            pool.submit(print, "first").result()
        attempt.finish(30, "Run finished")
        second = AttemptLog(RecordLog(target, "SECOND"), {"record_id": "SECOND"})
        with capture(second):
            pool.submit(print, "second").result()
    assert [line["message"] for line in lines()] == ["first", "Run finished"]
    assert [line["message"] for line in lines("SECOND")] == ["second"]


def test_a_left_over_thread_speaks_for_what_goes_on(attempt: AttemptLog, lines: Lines) -> None:
    """After the end of its stage it speaks for the pipeline, then for the attempt, and when that is over for nobody."""
    turns, done = [threading.Event() for _ in range(4)], threading.Semaphore(0)

    def work() -> None:
        for number, turn in enumerate(turns):
            turn.wait(10)
            print(f"print {number}")
            logging.getLogger("test.other").error("record %s", number)
            warnings.warn(f"warning {number}", UserWarning, stacklevel=1)
            done.release()

    pipeline = attempt.within(pipeline="p")
    stage = pipeline.within(stage="s")
    finish = partial(attempt.finish, 30, "Run finished")
    thread = threading.Thread(target=work)
    with warnings.catch_warnings(record=True), capture(attempt):
        warnings.simplefilter("always")
        with capture(stage):
            thread.start()
        for turn, end in zip(turns, (stage.close, pipeline.close, finish, None), strict=True):
            turn.set()
            assert done.acquire(timeout=60)
            if end is not None:
                end()
    thread.join()
    found = [(line.get("pipeline"), line.get("stage"), line["message"].split(" (")[0]) for line in lines()]
    assert found == [
        ("p", "s", "print 0"),
        ("p", "s", "record 0"),
        ("p", "s", "UserWarning: warning 0"),
        ("p", None, "print 1"),
        ("p", None, "record 1"),
        ("p", None, "UserWarning: warning 1"),
        (None, None, "print 2"),
        (None, None, "record 2"),
        (None, None, "UserWarning: warning 2"),
        (None, None, "Run finished"),
    ]
    assert stage.is_over and not stage.say("late")


def test_nothing_is_said_after_the_last_line(attempt: AttemptLog, lines: Lines) -> None:
    """A line that is on its way while its voice ends stands before the last one, or is the attempt's, or is left out."""
    stage = attempt.within(stage="s")
    stage.finish(20, "stage ended")
    stage._say_quietly([make_line({}, 20, "on its way")])
    attempt.finish(30, "Run finished")
    stage._say_quietly([make_line({}, 20, "too late")])
    assert [line["message"] for line in lines()] == ["stage ended", "on its way", "Run finished"]


def test_nested_stages_listen_in_turn(attempt: AttemptLog, lines: Lines) -> None:
    """Inside a stage another one listens for its time, also to the threads that begin there, then the first goes on."""
    outer, inner = attempt.within(stage="outer"), attempt.within(stage="inner")
    with capture(attempt), capture(outer):
        print("a")
        with capture(inner):
            print("b")
            in_thread(lambda: print("c"))
        in_thread(lambda: print("d"))
    assert by_stage(lines()) == {"outer": ["a", "d"], "inner": ["b", "c"]}


def test_one_voice_in_two_threads_keeps_lines_whole(attempt: AttemptLog, lines: Lines) -> None:
    """When it stops listening to one thread, the unfinished line of another goes on."""
    begun, ended = threading.Event(), threading.Event()

    def other() -> None:
        with capture(attempt):
            print("begun ", end="")
            begun.set()
            ended.wait(10)
            print("and ended")

    thread = threading.Thread(target=other)
    thread.start()
    assert begun.wait(10)
    with capture(attempt):
        print("short", end="")
    ended.set()
    thread.join()
    assert [line["message"] for line in lines()] == ["short", "begun and ended"]


def test_fifty_captures_leave_nothing_behind(target: LogTarget) -> None:
    """Voices, threads and descriptors are gone, also when somebody keeps the threads that have ended."""

    def once() -> list[weakref.ref[Any]]:
        attempt = AttemptLog(RecordLog(target, "REC-1"), {"record_id": "REC-1"})
        stage = attempt.within(stage="s")
        with capture(attempt), capture(stage):
            thread = threading.Thread(target=print, args=("x",))
            thread.start()
            thread.join()
            with ThreadPoolExecutor(2) as pool:
                of_pool = pool.submit(lambda: weakref.ref(threading.current_thread())).result()
        kept.append(threading.Thread(target=print) if len(kept) % 2 else thread)
        stage.close()
        attempt.finish(30, "Run finished")
        others = (attempt, stage, *(() if kept[-1] is thread else (thread,)))
        return [of_pool, *map(weakref.ref, others)]

    def descriptors() -> list[str]:
        found = [Path(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
        links = [os.readlink(path) for path in found if os.path.islink(path)]
        return sorted(link for link in links if link.startswith(os.path.dirname(target.folder)))

    kept: list[threading.Thread] = []
    once()
    before = descriptors()
    references = [reference for _ in range(50) for reference in once()]
    gc.collect()
    assert [reference() for reference in references] == [None] * len(references)
    assert set(descriptors()) <= set(before)  # others may have closed the log meanwhile


def test_starting_threads_is_put_back(attempt: AttemptLog, lines: Lines) -> None:
    """After the last capture `Thread.start` is the former one, whatever a script put there; one kept stays harmless."""
    before = threading.Thread.start
    with capture(attempt):
        kept = threading.Thread.start
        with capture(attempt.within(stage="s")):
            threading.Thread.start = print  # type: ignore[method-assign,assignment]
        assert threading.Thread.start is print
    assert threading.Thread.start is before and kept is not before
    threading.Thread.start = kept  # type: ignore[method-assign]
    in_thread(lambda: print("of nobody"))
    with capture(attempt):
        in_thread(lambda: print("heard"))
    assert threading.Thread.start is before
    assert [line["message"] for line in lines()] == ["heard"]


def test_a_thread_starts_once(attempt: AttemptLog, lines: Lines) -> None:
    """A second start is refused as ever, and does not change whose thread it is."""
    go = threading.Event()
    thread = threading.Thread(target=lambda: (go.wait(60), print("mine")))
    with capture(attempt), capture(attempt.within(stage="first")):
        thread.start()
        with capture(attempt.within(stage="second")), pytest.raises(RuntimeError):
            thread.start()
        go.set()
        thread.join()
    assert by_stage(lines()) == {"first": ["mine"]}


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_forked_by_a_thread_of_a_stage_is_heard(attempt: AttemptLog, lines: Lines) -> None:
    """It speaks for the stage whose thread forked it, whatever locks others held, and so do its threads."""
    stage, other = attempt.within(stage="s"), attempt.within(stage="other")
    meet = threading.Barrier(2)

    def fork() -> None:
        child = os.fork()
        if child == 0:  # pragma: no cover - measured in the parent only
            try:
                print("child", flush=True)
                in_thread(lambda: print("thread of the child", flush=True))
                stage.close()
                print("after the stage", flush=True)
            finally:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0

    def hold() -> None:
        with capture(other), attempt._lock, stage._lock:
            meet.wait(60)
            meet.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    meet.wait(60)
    with capture(stage):
        in_thread(fork)
        meet.wait(60)
    holder.join()
    assert by_stage(lines()) == {"s": ["child", "thread of the child"], None: ["after the stage"]}


@pytest.mark.parametrize("how", ["close", "finish"])
def test_lines_of_an_ended_stage_wait_for_the_attempt(
    attempt: AttemptLog, lines: Lines, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """What a stage could not write while the disk was full comes with the next line of the attempt, or is counted."""
    really = os.write

    def full(handle: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "no space")

    pipeline = attempt.within(pipeline="p")
    stage = pipeline.within(stage="s")
    with capture(stage):
        print("one")
        monkeypatch.setattr(os, "write", full)
        for number in range(MOST_PENDING + 3):
            stage.say(str(number))
    pipeline.close()
    if how == "close":
        stage.close()
    else:
        with pytest.raises(OSError, match="no space"):
            stage.finish(20, "stage ended")
    assert attempt.error is not None
    monkeypatch.setattr(os, "write", really)
    attempt.finish(30, "Run finished")
    found = lines()
    assert [line["message"] for line in found[:3]] == ["one", "0", "1"]
    assert len(found) == 1 + MOST_PENDING + 1
    assert all(line["stage"] == "s" for line in found[:-1])
    assert found[-1]["lines_lost"] == (3 if how == "close" else 1)
    stage.close()
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="no space"):
        attempt.finish(30, "nobody is left to write it")


SECRET = "pa55wörd/q7"
#: What stands round a secret.
AROUND = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)


class Odd:
    """An object with a secret in its text."""

    def __str__(self) -> str:
        return f"<odd {SECRET}>"


def nested(secret: str, numbers: Mapping[str, Any]) -> dict[str, Any]:
    return {"a": [secret, {"b": (secret,), secret: 1}], "c": {"d": {secret}}, "e": Odd(), **numbers}


@settings(max_examples=50)
@given(before=AROUND, after=AROUND, depth=st.integers(1, 15))
def test_no_secret_is_ever_told(
    tmp_path_factory: pytest.TempPathFactory, before: str, after: str, depth: int
) -> None:
    """Of messages, fields at any depth, exceptions, prints, records and own lines nothing secret is on disk or shown."""
    folder = tmp_path_factory.mktemp("log")
    text = f"{before}{SECRET}{after}"
    deep: Any = text
    for _ in range(depth):
        deep = [deep] if depth % 2 else {"k": deep}
    printer = Printer(0, collect=True)
    attempt = AttemptLog(RecordLog(LogTarget(str(folder), str(folder / "locks")), "REC-1"), {}, 0, printer)
    attempt.redact = lambda told: told.replace(SECRET, "***")
    stage = attempt.within(pipeline=text, stage="s")
    error = ValueError(text)
    with capture(stage):
        print(text, deep)
        sys.stdout.buffer.write(text.encode())
        stage.logger.info("%s", text, extra={"deep": deep, **nested(text, {"n": 1})})
        logging.getLogger("test.other").error(text, exc_info=error, extra={text: text})
        stage.say(text, extra=nested(text, {"x": deep}), facts={"traceback": text})
    attempt.line(20, text, inputs=[text], params={"deep": deep})
    stage.finish(20, text, exc_message=text, duration_s=0.5)
    close_all()
    told = (folder / "REC-1.log").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in told.splitlines()]
    assert len(lines) >= 6 and lines[-1]["duration_s"] == 0.5
    for escaped in (SECRET, json.dumps(SECRET)[1:-1], ascii(SECRET)[1:-1]):
        assert escaped not in told
        assert escaped not in json.dumps(printer.lines) and escaped not in "".join(printer.lines)
    assert "***" in told and any("***" in line for line in printer.lines)


def test_secrets_of_several_lines_and_long_texts_are_hidden(
    attempt: AttemptLog, lines: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    """A printed secret with line ends, one where a text is cut, and one that is a number are hidden, on the terminal too."""
    key = "-----BEGIN-----\nabc\n-----END-----"
    attempt.redact = lambda told: told.replace(key, "***").replace("981234", "***")
    stage = attempt.within(stage="s")
    with capture(stage):
        print(f"key: {key}")
        sys.stdout.buffer.write(f"bytes {key}\n".encode())
        stage.say("x" * (64 * 1024 - 10) + key, extra={"pin": 981234, "ok": 7, "ratio": 0.5})
        logging.getLogger("test.other").error("%s%s", "y" * (64 * 1024 - 10), key)
        try:
            raise ValueError("z" * (64 * 1024 - 30) + key)
        except ValueError:
            stage.logger.exception("failed")
    shown = capsys.readouterr().out
    assert "abc" not in shown and shown.startswith("key: ***\nbytes ***\n")
    found = lines()
    assert not any(part in json.dumps(found) for part in ("BEGIN", "abc", "981234"))
    said = next(line for line in found if "pin" in line)
    assert (said["pin"], said["ok"], said["ratio"]) == ("***", 7, 0.5)


def test_without_secrets_texts_stay_what_they_are(attempt: AttemptLog, lines: Lines) -> None:
    """What holds no secret comes out of redaction as it went in."""
    attempt.redact = lambda told: told.replace("never said", "***")
    attempt.say("hello", extra={"a": [1, 2.5, None, True, {"b": "c"}], "n": float("nan")})
    (line,) = lines()
    assert (line["message"], line["a"], line["n"]) == ("hello", [1, 2.5, None, True, {"b": "c"}], None)


def test_a_step_shows_which_stage_speaks(attempt: AttemptLog) -> None:
    """The printer of a step names record, step and stage; without a record it names the pipeline."""
    attempt.printer = printer = Printer(collect=True)
    attempt.within(pipeline="p", stage="load").say("one")
    attempt.within(pipeline="p").say("two")
    alone = AttemptLog(attempt.log, {}, 20, printer)
    alone.within(pipeline="p", stage="load").say("three")
    ends = [(line.split(" | ")[0], line.split("\u00a0")[1]) for line in printer.lines]
    assert ends == [("REC-1", "mean/load : one"), ("REC-1", "mean : two"), ("-", "p/load : three")]


def test_a_thread_that_python_does_not_know_leaves_no_trace(attempt: AttemptLog, lines: Lines) -> None:
    """One that was started below `threading` belongs to the only attempt and is not noted as a new thread."""
    import _thread

    done = threading.Event()

    def work() -> None:
        print("heard")
        done.set()

    with capture(attempt):
        in_thread(lambda: print("of a thread"))
        before = set(threading.enumerate())
        _thread.start_new_thread(work, ())
        assert done.wait(60)
        noted = set(threading.enumerate()) - before
        assert not [one for one in noted if isinstance(one, threading._DummyThread)]
    await_true(lambda: len(lines()) >= 2, "both lines")
    assert [line["message"] for line in lines()] == ["of a thread", "heard"]


def test_the_log_folder_of_a_voice_is_that_of_its_attempt(attempt: AttemptLog, tmp_path: Path) -> None:
    """Making voices writes nothing; all of them share one file."""
    stages = [attempt.within(stage=str(number)) for number in range(3)]
    assert not (tmp_path / "LOG").exists()
    for stage in stages:
        stage.line(20, "hello")
    assert os.listdir(tmp_path / "LOG") == ["REC-1.log"]
