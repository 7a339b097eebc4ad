"""doit, one task a step; its notes beside the data: FOLDER."""

import sys

from bodies import work
from chains import prepare
from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain

FOLDER = sys.argv[1]
DATA = f"{FOLDER}/dataset"
NAMES = prepare(DATA)
DOIT_CONFIG = {"dep_file": f"{FOLDER}/.doit.db", "reporter": "zero"}


def _tasks(source, target):
    for name in NAMES:
        before, after = f"{DATA}/{source}/{name}", f"{DATA}/{target}/{name}"
        yield {"name": name, "actions": [(work, (before, after))], "file_dep": [before], "targets": [after]}


def task_first():
    yield from _tasks("raw", "first")


def task_second():
    yield from _tasks("first", "second")


if __name__ == "__main__":
    sys.exit(DoitMain(ModuleTaskLoader(globals())).run(["run"]))
