"""Next ticks of time tables, in turns with bare cronsim: ROUNDS NUMBER. Tells microseconds of CPU a tick."""

import sys
import time
from datetime import datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim
from timing import tell

from sinagot.schedule.on import On

rounds, number = int(sys.argv[1]), int(sys.argv[2])
ZONE = "Europe/Paris"
START = datetime(2026, 1, 1, tzinfo=ZoneInfo(ZONE))
CRONS = {"each 5 minutes": "*/5 * * * *", "each night": "30 2 * * *"}


def ours(cron):
    ticks = On(cron, ZONE).generate(START)
    for _ in range(number):
        last = ticks.next
    return last


def bare(cron):
    ticks = CronSim(cron, START)
    for _ in range(number):
        last = next(ticks)
    return last


taken = {}
for _ in range(rounds):
    for name, cron in CRONS.items():
        ends = {}
        for way, call in (("ours", ours), ("bare", bare)):
            start = time.process_time()
            ends[way] = call(cron)
            taken.setdefault(f"{name}, {way}", []).append(1e6 * (time.process_time() - start) / number)
        assert ends["ours"] == ends["bare"], (name, ends)
tell(taken=taken)
