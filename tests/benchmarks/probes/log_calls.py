"""One call of the log of pipelines, beside `logging` into a file: FOLDER COUNT ROUNDS. Tells seconds a call."""

import gc
import json
import logging
import sys
import time

from timing import tell

from sinagot.pipeline import LoggerSettings, Pipeline, Stage
from sinagot.pipeline.logging import info

folder, count, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def speak():
    for number in range(count):
        info("Getting data", source="first", number=number)


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with what a line of a pipeline tells of its place."""

    def format(self, record):
        facts = {"time": record.created, "level": record.levelname, "message": record.getMessage()}
        facts |= {"file": record.pathname, "line": record.lineno, "pid": record.process}
        return json.dumps(facts | {"source": record.source, "number": record.number})


def speak_plainly():
    for number in range(count):
        plain.info("Getting data", extra={"source": "first", "number": number})


def timed(call):
    gc.collect()
    start, begun = time.perf_counter(), time.process_time()
    call()
    return {
        "cpu": (time.process_time() - begun) / count,
        "wall": (time.perf_counter() - start) / count,
    }


def lines_in(name):
    with open(f"{folder}/{name}.log", encoding="utf-8") as file:
        return sum("Getting data" in line for line in file)


handler = logging.FileHandler(f"{folder}/plain.log")
handler.setFormatter(JsonFormatter())
plain = logging.Logger("plain")  # noqa: LOG001  (no other code is to hear of it)
plain.addHandler(handler)
settings = LoggerSettings("ours", stream=False, log_dir=folder, max_bytes=0)
pipeline = Pipeline("ours", stages={"speak": Stage(lambda: timed(speak))}, log_settings=settings)
taken = {"ours": [], "logging": []}
for turn in range(rounds + 1):
    ours, theirs = pipeline.run()["speak"], timed(speak_plainly)
    if turn:  # the first time warms up
        taken["ours"].append(ours)
        taken["logging"].append(theirs)
handler.close()
for name in ("ours", "plain"):
    if lines_in(name) != count * (rounds + 1):
        raise SystemExit(f"{name}: {lines_in(name)} lines, not {count * (rounds + 1)}")
tell(taken=taken)
