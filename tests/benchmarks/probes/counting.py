"""What a second run of the command line touches: FOLDER. Tells files opened and heavy modules imported."""

import contextlib
import io
import os
import runpy
import sys

from timing import tell

HEAVY = ("pandas", "numpy", "dask", "distributed", "pydantic", "rich", "concurrent_log_handler")
opened = []
listed = []


def listen(event, arguments):
    if event == "open":
        opened.append(str(arguments[0]))
    elif event in ("os.scandir", "os.listdir"):
        listed.append(str(arguments[0]))


os.chdir(sys.argv[1])
sys.argv = ["sinagot", "run"]
sys.addaudithook(listen)
with contextlib.redirect_stdout(io.StringIO()):
    try:
        runpy.run_module("sinagot", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code:
            raise
data = os.getcwd()
tell(
    logs=sum(path.endswith(".log") for path in opened),
    scripts=sum(f"{data}/scripts/" in path for path in opened),
    opened=sum(path.startswith(data) for path in opened),
    listed=sum(path.startswith(data) for path in listed),
    heavy=[name for name in HEAVY if name in sys.modules],
)
