"""Laws of docs/troubleshooting.md: its headings are what the program prints, and each of them is provoked here."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import pytest
from click.testing import CliRunner

from sinagot.cli.main import group
from sinagot.dataset.volumes import Room
from sinagot.engine import ground
from sinagot.errors import StorageError
from sinagot.flow import Flow, Processor, Supervisor
from sinagot.schedule.history.facts import Decision, Launch, Origin, State, Verdict
from sinagot.schedule.history.files import FileHistory
from sinagot.testing import await_true
from tests.cli.conftest import ONE, TWO, environment

PAGE = Path(__file__).parents[1] / "docs" / "troubleshooting.md"

RECORDS = "[records]\nid_pattern = 'REC-\\d+'\n"
WHOLE = RECORDS + "[steps]\nscripts = ['one', 'two']\n"
SINGLE = RECORDS + "[steps]\nscripts = ['one']\n"
COMMAND = (
    RECORDS + "[steps]\nscripts = ['cmd']\n[steps.cmd]\ninput = 'raw/{id}.txt'\noutput = 'one/{id}.txt'\n"
)


def script(*lines: str) -> str:
    """Write a script whose `run` does these lines."""
    body = "".join(f"        {line}\n" for line in lines)
    head = "    PATH_IN = 'raw/{id}.txt'\n    PATH_OUT = 'one/{id}.txt'\n"
    return (
        f"from sinagot import ScriptTemplate\nclass Script(ScriptTemplate):\n{head}    def run(self):\n{body}"
    )


def pipeline(stages: str, paths: bool = True) -> str:
    """Write a script that is a pipeline."""
    files = "{'raw': 'raw/{id}.txt', 'out': 'one/{id}.txt'}" if paths else "{}"
    return (
        "import threading\nfrom sinagot.pipeline import Pipeline, Stage\n"
        "from sinagot.pipeline.input import dependency, known, path_in, path_out\n"
        "def copy(source, target): target.write_text(source.read_text())\n"
        "COPY = Stage(copy, [path_in('raw', 'source'), path_out('out', 'target')])\n"
        f"pipeline = Pipeline('one', paths={files}, stages={{{stages}}})\n"
    )


def flow(*processors: tuple[str, str], sink: str = "{'out': 'one/{id}.csv'}", options: str = "") -> str:
    """Write a script that is a flow, of what its processors are made with and their bodies."""
    made = ", ".join(f"Processor({made_with})({body})" for made_with, body in processors)
    return (
        "from sinagot.flow import Flow, IOVal, Processor\n"
        f"flow = Flow({made}, path_in='raw/{{id}}.txt', sink={sink}, {options})\n"
    )


#: What a processor is made with that reads the file of a record.
READ = "'read', ['raw'], ['out']"


class Desk:
    """A fresh workspace of one record and two steps, and a command line in it; `printed` is all that was said."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.data, self.monkeypatch = root, root / "dataset", monkeypatch
        self.printed = ""
        (self.data / "raw").mkdir(parents=True)
        (self.data / "raw" / "REC-1.txt").write_text("1")
        (root / "scripts").mkdir()
        self.write(WHOLE, one=ONE, two=TWO)
        monkeypatch.delenv("SINAGOT_WORKSPACE", raising=False)
        monkeypatch.chdir(root)

    def write(self, toml: str | None = None, **scripts: str) -> None:
        """Write the configuration, and scripts."""
        if toml is not None:
            (self.root / "workspace.toml").write_text(toml)
        for name, text in scripts.items():
            (self.root / "scripts" / f"{name}.py").write_text(text)

    def say(self, *words: str) -> None:
        """Run a command line in this process, and keep what it prints."""
        self.printed += CliRunner().invoke(group, list(words), prog_name="sinagot").output

    def run_and_look(self) -> None:
        """Run all, and read the log: the summary of a run cuts long messages, the log has them whole."""
        self.say("run")
        self.say("logs", "REC-1")


#: What the page says, and the configuration that `sinagot check` answers with it.
CONFIGURATIONS = {
    "workspace.toml:...: broken TOML: ...": "[records\n",
    "workspace.toml:...: ...: found ..., allowed ...": RECORDS + "[steps]\nscripts = 'one'\n",
    "workspace.toml:...: ...: unknown key; did you mean '...'?": WHOLE + "[run]\nmod = 'dask'\n",
    "workspace.toml:...: ...: unknown section, and too much like one of ours to be one of your own": (
        RECORDS + "[step]\nscripts = ['one']\n"
    ),
    "workspace.toml: records.id_pattern: it is not there, and records can't be told without it": (
        "[steps]\nscripts = ['one']\n"
    ),
    "(a repeated group can match the same text in many ways, which can take years)": (
        "[records]\nid_pattern = '(\\w+)+-X'\n[steps]\nscripts = ['one']\n"
    ),
    "path.dataset: no such data folder: ...": WHOLE + "[path]\ndataset = './data'\n",
    "step '...': there is no file ...": RECORDS + "[steps]\nscripts = ['one', 'three']\n",
    "two files for the id '...': ...; add ... to the id: ...": (
        "[records]\npath = 'raw/{subject}-{run}.txt'\nid = '{subject}'\n[steps]\nscripts = ['one']\n"
    ),
}

#: What the page says, and the first step of which `sinagot run` says it.
SCRIPTS = {
    "step '...': ...: SyntaxError: ...": "class Script(\n",
    "step '...': ...: ModuleNotFoundError: No module named '...'": "import nibable\n" + ONE,
    "unknown field {...} in '...'; known fields: ...": ONE.replace("one/{id}", "one/{subject}"),
    "'...' is the same file for every record; put {id} into it": ONE.replace("one/{id}", "one/all"),
    "steps ... and ... write the same file '...'": ONE.replace("one/{id}", "two/{id}"),
    "steps wait for each other in a circle: ...": ONE.replace("raw/{id}", "two/{id}"),
    "MissingOutputError: declared output was not written: ...": script("pass"),
    "pipeline '...' writes no file, and so can be no step: ...": pipeline("'a': Stage(list)", paths=False),
    "pipeline '...': stage '...' needs stage '...', which there is not; there is ...": pipeline(
        "'copy': COPY, 'mean': Stage(len, [dependency('cpoy', 'obj')])"
    ),
    "pipeline '...': stages wait for one another in a circle: ...": pipeline(
        "'copy': COPY, 'a': Stage(list, after=['b']), 'b': Stage(list, after=['a'])"
    ),
    "UnsendableError: ...: argument '...' (of type ...) cannot be sent to another process: ...": pipeline(
        "'copy': COPY, 'lock': Stage(lambda x: None, [known(threading.Lock(), 'x')], timeout=60)"
    ),
    "flow '...' writes no file, and so can be no step: ...": flow((READ, "lambda raw: 1"), sink="None"),
    "flow '...': nothing is known for input '...' of '...': ...": flow(
        ("'read', ['raw', 'limit'], ['out']", "lambda raw, limit: 1")
    ),
    "stream '...' has two producers, '...' and '...': ...": flow(
        (READ, "lambda raw: 1"), ("'again', ['raw'], ['out']", "lambda raw: 1")
    ),
    "processors wait for one another in a circle: ...": flow(
        ("'there', ['back'], ['out']", "lambda back: 1"), ("'back', ['out'], ['back']", "lambda out: 1")
    ),
    "processor '...' declares the input '...', but its function has no parameter of that name": flow(
        (READ, "lambda path: 1")
    ),
    "FlowStalled: the flow stands still, for its processors wait for one another: ...": flow(
        (
            "'split', ['raw'], ['left', 'right'], max_lead=1",
            "lambda raw: (yield from (IOVal(name, 1) for name in ['right', 'right', 'left']))",
        ),
        ("'join', ['left', 'right'], ['out']", "lambda left, right: len([*left, *right])"),
    ),
    "UnstorableDataError: stream '...': a value of type ... can't be stored in a stream: ...": flow(
        (READ, "lambda raw: object()")
    ),
    "SinkError: value ... of stream '...' cannot be written to ...: ...": flow(
        (READ, "lambda raw: (yield from ({'a': 1}, {'b': 2}))")
    ),
    "SpoolLimitError: stream '...' would hold ... bytes after ... values, and spool_limit is ...": flow(
        (READ, "lambda raw: (yield from ({'a': n} for n in range(9999)))"), options="spool_limit=999"
    ),
    "InputChangedError: input changed while the script ran: ...; nothing was published": script(
        "self.path.output.touch()", "self.path.input.write_text('other')"
    ),
}

#: What the page says, and a command line that is answered with it in a workspace where all is well.
WORDS = {
    "No data of record ...": ("run", "--record", "REC-7"),
    "'...' is no record id: ids match '...'": ("run", "--record", "rec-1"),
    "no step '...'; steps are ...": ("run", "--step", "tow"),
    "no pipeline '...'; there is ...": ("pipeline", "show", "nigth"),
}

FAULTS: dict[str, Callable[[Desk], None]] = {}


def prints(heading: str) -> Callable[[Callable[[Desk], None]], Callable[[Desk], None]]:
    """Register what makes the program print a heading of the page."""

    def register(fault: Callable[[Desk], None]) -> Callable[[Desk], None]:
        FAULTS[heading] = fault
        return fault

    return register


@prints("no workspace.toml in ... or above it.")
def no_workspace(desk: Desk) -> None:
    desk.monkeypatch.chdir("/")
    desk.say("status")


@prints("No record found in ...")
def no_record(desk: Desk) -> None:
    (desk.data / "raw" / "REC-1.txt").unlink()
    desk.say("run")


@prints("'...'... is no record id: it has ... letters, and no file name is longer than ... bytes")
def long_id(desk: Desk) -> None:
    desk.write(WHOLE.replace("REC-\\d+", ".+"))
    desk.say("run", "--record", "R" * 300)


@prints("Input data ... not available")
def missing_input(desk: Desk) -> None:
    desk.say("run", "--step", "two")
    desk.say("logs", "REC-1")


@prints("Nothing to do: ... excluded.")
def all_excluded(desk: Desk) -> None:
    desk.say("exclude", "REC-1", "--reason", "fell asleep")
    desk.say("run")


@prints("... older than an input (sinagot run --outdated)")
def older_result(desk: Desk) -> None:
    desk.say("run")
    (desk.data / "raw" / "REC-1.txt").write_text("2")
    desk.say("run")


@prints("... is never imported: ... has the same name; rename the file to use it")
def hidden_helper(desk: Desk) -> None:
    desk.write(SINGLE, json="VALUE = 1\n", one="import json\n" + ONE)
    with pytest.warns(UserWarning, match="never imported") as warned:
        desk.say("run")
    desk.printed = str(warned[0].message)


@prints("ForeignFileError: the script wrote ..., which it does not declare and others made")
def shared_summary(desk: Desk) -> None:
    (desk.data / "one").mkdir()
    (desk.data / "one" / "summary.csv").write_text("of all\n")
    summary = "(self.path.output.parent / 'summary.csv').write_text('1')"
    desk.write(one=script(summary, "self.path.output.touch()"))
    desk.run_and_look()


@prints("(it is there, but self.path.output is a private folder while ...)")
def former_output(desk: Desk) -> None:
    (desk.data / "one").mkdir()
    (desk.data / "one" / "REC-1.txt").write_text("former")
    desk.write(one=script("self.path.output.read_text()"))
    desk.say("run", "--force")
    desk.say("logs", "REC-1")


@prints("BadOutputError: ... is empty (the step says `nonempty`)")
def empty_output(desk: Desk) -> None:
    desk.write(SINGLE + "[steps.one]\nnonempty = true\n", one=script("self.path.output.touch()"))
    desk.say("run")


@prints("CommandFailedError: cannot start ...: No such file or directory")
def no_such_program(desk: Desk) -> None:
    desk.write(COMMAND + "command = ['matlba', '-batch', 'alpha']\n")
    desk.say("run")


@prints("CommandFailedError: ... ended with exit code ...")
def failing_program(desk: Desk) -> None:
    desk.write(COMMAND + "command = ['sh', '-c', 'echo no such electrode >&2; exit 2']\n")
    desk.say("run")


@prints("StepTimeoutError: took longer than ...")
def too_long(desk: Desk) -> None:
    desk.write(SINGLE + "[steps.one]\ntimeout = '100 ms'\n", one=script("import time", "time.sleep(60)"))
    desk.say("run")


@prints("StepMemoryError: out of memory: peak ... of ...; raise `memory` to ... if it needs that much")
def too_large(desk: Desk) -> None:
    lines = "import time", "large = bytearray(b'1') * 400_000_000", "time.sleep(60)"
    desk.write(SINGLE + "[steps.one]\nmemory = '200 MB'\n", one=script(*lines))
    desk.say("run")


@prints("WorkerLostError: worker process ...")
def killed(desk: Desk) -> None:
    desk.write(SINGLE + "[steps.one]\nisolate = true\n", one=script("import os", "os.kill(os.getpid(), 9)"))
    desk.say("run")


@prints("the state folder ... can't be written: ...")
def no_state_folder(desk: Desk) -> None:
    (desk.data / ".sinagot").write_text("")
    desk.say("run")


@prints("no space for outputs: ... has ... left; nothing was run. Free some")
def full_disk(desk: Desk) -> None:
    desk.monkeypatch.setattr(ground, "room_of", lambda folder: Room(4096, None))
    desk.say("run")


@prints("run ... (process ... on ...) works on this workspace")
def busy(desk: Desk) -> None:
    desk.write(SINGLE, one=script("import time", "time.sleep(60)"))
    other = [sys.executable, "-m", "sinagot", "run"]
    with subprocess.Popen(other, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        try:
            claims = desk.data / ".sinagot" / "claims"
            await_true(lambda: claims.is_dir() and any(claims.iterdir()), "the other run has begun")
            desk.say("run", "--exclusive")
        finally:
            first.kill()
            first.communicate()


@prints("no Dask scheduler answers at ... within ... s (...)")
def dead_address(desk: Desk) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    desk.write(
        WHOLE
        + f"[dask.scheduler]\ntype = 'distributed'\n[dask.cluster]\naddress = '{address}'\nconnect_timeout = 0.3\n"
    )
    desk.say("run", "--dask")


@prints("dask.cluster.class = '...' needs ..., which is not installed here; install it with: ...")
def no_extra(desk: Desk) -> None:
    desk.monkeypatch.setitem(sys.modules, "dask_jobqueue", None)  # as if it were not there
    desk.write(WHOLE + "[dask.cluster]\nclass = 'dask_jobqueue.SLURMCluster'\njobs = 2\n")
    desk.say("run", "--dask")


@prints("stage '...': argument '...' of its function has no input")
def no_argument(desk: Desk) -> None:
    desk.write(SINGLE, one=pipeline("'copy': COPY, 'mean': Stage(lambda x: x)"))
    desk.say("pipeline", "check")


@prints("Redis at ...: it can't be reached")
def no_server(desk: Desk) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"

    async def main() -> None:
        await Supervisor(redis_config={"url": url}).start_flow(Flow(Processor("one", [], ["n"])(lambda: 1)))

    with pytest.raises(StorageError) as caught:
        anyio.run(main)
    desk.printed = str(caught.value)


def schedule(desk: Desk, *, cron: str = "0 * * * *", more: str = "", toml: str = "") -> FileHistory:
    """Write a schedule that was seen three hours ago, and give the history."""
    (desk.root / "conf").mkdir()
    lines = f"night:\n  type: pipeline.Pipeline\n  on: {{cron: '{cron}'}}\n{more}  jobs: {{a: {{stages: [{{name: hello}}]}}}}\n"
    (desk.root / "conf" / "night.yaml").write_text(lines)
    desk.write(WHOLE + toml)
    history = FileHistory(desk.data / ".sinagot")
    then = datetime.now(UTC) - timedelta(hours=3)
    history.decide(Decision("night", then, Verdict.BEGUN, "seen", then, "somebody"))
    return history


@prints("missed: no service has decided in time; catchup: ...")
def missed_tick(desk: Desk) -> None:
    schedule(desk, more="  catchup: none\n")
    desk.say("schedule", "run", "--once")


@prints("can't run, its ticks are disabled: ...")
def unable_schedule(desk: Desk) -> None:
    schedule(desk, cron="0 0 31 2 *")
    desk.say("schedule", "run", "--once")


@prints("waits here now: its service ... is gone")
def left_launch(desk: Desk) -> None:
    now = datetime.now(UTC)
    launch = Launch("20260101T000000-abcdef", "night", Origin.API, State.QUEUED, now, service="away-1-1")
    schedule(desk, cron="0 0 1 1 *").add(launch)
    desk.say("schedule", "run", "--once")


@prints("the history of schedules in ... is not available: ...")
def no_database(desk: Desk) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        schedule(desk, toml=f"[history]\nurl = 'postgresql://127.0.0.1:{taken.getsockname()[1]}/lab'\n")
        desk.say("schedule", "list")


def provoke(heading: str, desk: Desk) -> None:
    """Make the program print a heading."""
    if heading in FAULTS:
        FAULTS[heading](desk)
    elif heading in CONFIGURATIONS:
        for name in ("sub-1", "sub-2"):
            (desk.data / "raw" / f"a-{name}.txt").write_text("1")
        desk.write(CONFIGURATIONS[heading])
        desk.say("check")
    elif heading in SCRIPTS:
        desk.write(one=SCRIPTS[heading])
        desk.run_and_look()
    else:
        desk.say(*WORDS[heading])


def headings() -> list[str]:
    """Give the messages that the page has an entry for."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("### ").strip("`").strip() for line in lines if line.startswith("### ")]


ALL = [*FAULTS, *CONFIGURATIONS, *SCRIPTS, *WORDS]


@pytest.mark.parametrize("heading", ALL)
def test_message_is_printed_as_the_page_has_it(heading: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake is answered with the words of its heading; three dots stand for what differs from case to case."""
    with TemporaryDirectory(prefix="lab-") as folder:  # long paths are cut in some messages
        desk = Desk(Path(folder, "lab"), monkeypatch)
        provoke(heading, desk)
    expected = ".+?".join(re.escape(piece) for piece in heading.split("..."))
    assert re.search(expected, " ".join(desk.printed.split())), desk.printed


def test_every_entry_is_provoked_and_nothing_else() -> None:
    """The page has an entry for each message that is provoked here, and no other."""
    assert sorted(headings()) == sorted(ALL)
