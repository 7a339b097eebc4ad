"""The two tiny steps with what sinagot promises, written by hand: FOLDER. This is the floor of the cold row.

For each step: a claim by hard link, a stage folder, the work, replace, an event line, three JSON lines of log through
concurrent-log-handler (one handler a record, kept open for both steps), and the claim removed.
"""

import json
import logging
import os
import sys
import time

from bodies import work
from concurrent_log_handler import ConcurrentRotatingFileHandler
from json_log_formatter import JSONFormatter

data = f"{sys.argv[1]}/dataset"
state = f"{data}/.sinagot"
for folder in ("first", "second", "LOG", ".sinagot/claims", ".sinagot/stage", ".sinagot/locks"):
    os.makedirs(f"{data}/{folder}")
owner = f"{state}/owner"
with open(owner, "x") as file:
    file.write(json.dumps({"pid": os.getpid()}))
events = os.open(f"{state}/events.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
formatter = JSONFormatter()
logger = logging.getLogger("by-hand")
logger.setLevel("INFO")
logger.propagate = False
for number, name in enumerate(sorted(os.listdir(f"{data}/raw"))):
    record_id = name.removesuffix(".csv")
    handler = ConcurrentRotatingFileHandler(
        f"{data}/LOG/{record_id}.log",
        maxBytes=4 << 20,
        backupCount=5,
        lock_file_directory=f"{state}/locks",
        keep_file_open=True,
    )
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    for source, target in (("raw", "first"), ("first", "second")):
        key = f"{record_id}/{target}"
        claim = f"{state}/claims/{record_id}%2F{target}"
        stage = f"{state}/stage/{number}"
        context = {"record_id": record_id, "step_label": target, "attempt": number, "pid": os.getpid()}
        start = time.perf_counter()
        os.link(owner, claim)
        os.mkdir(stage)
        logger.info("Init run", extra=context | {"step_status": 0})
        logger.info("Processing run", extra=context | {"step_status": 20})
        work(f"{data}/{source}/{name}", f"{stage}/{name}")
        os.replace(f"{stage}/{name}", f"{data}/{target}/{name}")
        os.rmdir(stage)
        taken = time.perf_counter() - start
        os.write(events, json.dumps({"event": "done", "key": key, "duration_s": taken}).encode() + b"\n")
        logger.info("Run finished", extra=context | {"step_status": 30, "duration_s": taken})
        os.unlink(claim)
    logger.removeHandler(handler)
    handler.close()
