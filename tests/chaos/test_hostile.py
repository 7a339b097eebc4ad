"""Hostile logs, ids and folders: made-up files, and programs that turn logs and remove folders meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sinagot import Workspace
from sinagot.cli.main import group
from sinagot.errors import ConfigurationError, InvalidIdError
from sinagot.runlog.read import count_unreadable, read_lines
from sinagot.runlog.write import close_all
from sinagot.testing import make_workspace, script_text
from tests.chaos.conftest import ROOT, heal, litter, outputs, statuses

pytestmark = pytest.mark.chaos

QUIET = "[log]\nlevel = 'WARNING'\n"
COPY = script_text("self.path.output.write_text(self.id)")


def sinagot(workspace: Workspace, *words: str) -> Result:
    """Run a command line on a workspace, in this process."""
    return CliRunner().invoke(group, ["-w", str(workspace.data_path.parent), *words], prog_name="sinagot")


def log_of(workspace: Workspace, record_id: str) -> Path:
    """Give the path of a record's log."""
    return workspace.data_path / "LOG" / f"{record_id}.log"


def run(workspace: Workspace, **options: Any) -> Any:
    """Run all steps without a word on standard output."""
    return workspace.steps.run(printing=False, **options)


# ---------------------------------------------------------------------- E. logs


FLOOD = script_text(
    """
    self.logger.info("m" * 50_000_000)
    for number in range(20_000):
        self.logger.info("message %s", number)
    self.path.output.write_text(self.id)
    """
)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_flood_of_messages(tmp_path: Path, mode: str) -> None:
    """A message of 50 MB is cut with a mark, a flood of them leaves bounded files and is counted, results are sound (row 41)."""
    workspace = make_workspace(
        tmp_path,
        records=1,
        scripts={"a": FLOOD},
        settings="[log]\nmax_bytes = 262144\nbackups = 2\n",
    )
    with workspace:
        assert run(workspace, mode=mode).counts["done"] == 1
    close_all()
    parts = sorted((workspace.data_path / "LOG").glob("REC-1.log*"))
    assert len(parts) == 3
    assert all(part.stat().st_size <= 262_144 + 70_000 for part in parts)
    lines, unreadable = read_lines(str(workspace.data_path / "LOG"), "REC-1")
    assert unreadable == 0
    assert lines[-1]["step_status"] == 30
    dropped = max(line.get("dropped", 0) for line in lines)
    assert len(lines) + dropped == 20_000 + 4
    assert statuses(workspace) == [30]


def test_one_message_of_50_mb(tmp_path: Path) -> None:
    """The message stands in the log, cut at 64 KiB with what is missing, and `sinagot logs` shows it as it stands there (row 41)."""
    script = script_text("self.logger.warning('m' * 50_000_000)\nself.path.output.touch()")
    workspace = make_workspace(tmp_path, records=1, scripts={"a": script}, settings=QUIET)
    assert run(workspace).ok
    (line,) = [line for line in workspace["REC-1"].logs_json() if line["level"] == "WARNING"]
    assert len(line["message"]) < 66_000
    assert line["message"].endswith("of 50000000 characters]")
    told = sinagot(workspace, "logs", "REC-1")
    assert f"  WARNING  a: {line['message']}\n" in told.stdout


SPOILERS = {
    "not UTF-8": b"caf\xe9 \xff\xfe\n",
    "NUL": b"\0" * 100 + b"\n",
    "BOM in the midst": b"\xef\xbb\xbfno json\n",
    "CR alone": b"one\rtwo\rthree\n",
    "UTF-16": "not ours\n".encode("utf-16"),
    "nesting": b"[" * 100_000 + b"\n",
    "no object": b"3\n",
}


@pytest.mark.parametrize("name", SPOILERS)
def test_bytes_that_are_no_text(tmp_path: Path, name: str) -> None:
    """Only the line itself is lost; the lines round it are read, and `status -v` counts what could not be (rows 42, 44)."""
    workspace = make_workspace(tmp_path, records=2, scripts={"a": COPY}, settings=QUIET)
    run(workspace)
    close_all()
    with log_of(workspace, "REC-1").open("ab") as log:
        log.write(SPOILERS[name])
    run(workspace, force=True)
    found = [line["message"] for line in workspace["REC-1"].logs_json()]
    assert found == ["Init run", "Processing run", "Run finished"] * 2
    folder = str(workspace.data_path / "LOG")
    unreadable = count_unreadable(folder, ["REC-1", "REC-2"])
    assert list(unreadable) == ["REC-1"]
    told = sinagot(workspace, "status", "-v")
    assert told.exit_code == 0
    assert f"unreadable: REC-1 ({unreadable['REC-1']})" in told.stdout
    assert statuses(workspace) == [30, 30]


def test_windows_line_ends_are_read(tmp_path: Path) -> None:
    """A log that an editor saved with CRLF and a byte order mark is read whole (row 42)."""
    workspace = make_workspace(tmp_path, records=1, scripts={"a": COPY}, settings=QUIET)
    run(workspace)
    close_all()
    log = log_of(workspace, "REC-1")
    log.write_bytes(b"\xef\xbb\xbf" + log.read_bytes().replace(b"\n", b"\r\n"))
    assert len(workspace["REC-1"].logs_json()) == 3
    assert count_unreadable(str(log.parent), ["REC-1"]) == {}


READER = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from sinagot.runlog.read import read_lines
lines, unreadable = read_lines(sys.argv[1], "REC-1")
print(len(lines), unreadable)
"""


def test_one_line_of_a_gigabyte(tmp_path: Path) -> None:
    """A log with a line of 1 GB is read in a process that has no more than 1 GiB of address space (row 44)."""
    log = tmp_path / "REC-1.log"
    with log.open("wb") as file:
        file.write(b'{"message": "one"}\n')
        file.truncate(1_000_000_000)
        file.seek(0, os.SEEK_END)
        file.write(b'\n{"message": "two"}\n')
    done = subprocess.run(
        [sys.executable, "-c", READER, str(tmp_path)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stdout) == (0, "2 1\n"), done.stderr


WRITER = """
import os
import sys
from sinagot.runlog.lines import make_line
from sinagot.runlog.write import LogTarget, RecordLog
folder, locks, name, count, enough = sys.argv[1:]
log = RecordLog(LogTarget(folder, locks, 0, 3), "REC-1")
print("ready", flush=True)
sys.stdin.readline()
number = 0
while number < int(count) or not os.path.exists(enough):
    log.write(make_line({}, 20, f"{name} {number} " + "x" * 500))
    number += 1
print(number, flush=True)
"""


@pytest.mark.parametrize("way", ["rename", "copytruncate"])
def test_logrotate_under_eight_writers(tmp_path: Path, way: str) -> None:
    """A log that others turn while eight processes write to it has no torn line; by rename nothing is lost (row 45)."""
    folder, enough = tmp_path / "LOG", tmp_path / "enough"
    words = [sys.executable, "-c", WRITER, str(folder), str(tmp_path / "locks")]
    writers = [
        subprocess.Popen(
            [*words, name, "150", str(enough)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for name in "abcdefgh"
    ]
    for writer in writers:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    log, turned = folder / "REC-1.log", []
    while any(writer.poll() is None for writer in writers):
        if log.exists() and log.stat().st_size > 20_000:
            turned.append(folder / f"REC-1.log-{len(turned)}.old")
            if way == "rename":
                log.rename(turned[-1])
            else:
                shutil.copyfile(log, turned[-1])
                os.truncate(log, 0)
            enough.touch()
        time.sleep(0.002)
    assert [writer.wait(100) for writer in writers] == [0] * 8
    written = 0
    for writer in writers:
        assert writer.stdin is not None and writer.stdout is not None
        written += int(writer.stdout.read())
        writer.stdin.close()
        writer.stdout.close()
    texts = []
    for part in [*turned, log]:
        if part.exists():
            # What copytruncate copies may end in mid-line; whoever copies sees that, the log itself is whole.
            whole = part.read_bytes().rpartition(b"\n")[0].split(b"\n")
            texts += [json.loads(line)["message"] for line in whole if line.strip(b"\0")]
    assert all(text.endswith("x" * 500) for text in texts)
    assert len(texts) == len(set(texts)) or way == "copytruncate"
    if way == "rename":
        assert len(texts) == written


def test_turning_logs_changes_no_status(tmp_path: Path) -> None:
    """Logs that are renamed, truncated or removed between runs change no status and lose no event (row 45)."""
    workspace = make_workspace(tmp_path, records=3, scripts={"a": COPY}, settings=QUIET)
    (workspace.data_path / "raw" / "REC-3.txt").unlink()
    (workspace.data_path / "raw" / "REC-3.txt").mkdir()  # its step fails: no text can be read
    broken = script_text("self.path.output.write_text(self.path.input.read_text())")
    (workspace.scripts_path / "a.py").write_text(broken)
    run(workspace)
    close_all()
    before = statuses(workspace)
    assert before == [30, 30, 40]
    log_of(workspace, "REC-1").rename(workspace.data_path / "LOG" / "REC-1.log.1.gz")
    os.truncate(log_of(workspace, "REC-2"), 0)
    log_of(workspace, "REC-3").unlink()
    assert statuses(workspace) == before
    assert run(workspace).counts["up_to_date"] == 2


def make_unreadable(path: Path) -> None:
    path.touch()
    path.chmod(0)


OBSTACLES = {
    "folder": Path.mkdir,
    "FIFO": os.mkfifo,
    "link outside": lambda path: path.symlink_to(path.parents[2] / "outside.txt"),
    "link to a folder": lambda path: path.symlink_to("."),
    "no permission": make_unreadable,
}


@pytest.mark.parametrize("name", OBSTACLES)
def test_log_that_is_no_log(tmp_path: Path, name: str) -> None:
    """What stands in the place of a log fails its own record with a message that names it; nothing hangs, others run (row 46)."""
    if name == "no permission" and os.geteuid() == 0:
        pytest.skip("root may write everything")
    (tmp_path / "outside.txt").write_text("mine")
    workspace = make_workspace(tmp_path, records=3, scripts={"a": COPY}, settings=QUIET)
    log = log_of(workspace, "REC-2")
    log.parent.mkdir()
    OBSTACLES[name](log)
    report = run(workspace)
    assert (report.counts["done"], report.counts["failed"]) == (2, 1)
    (failure,) = report.failures
    assert str(log) in failure.message
    assert outputs(workspace) == {"REC-1.txt": "REC-1", "REC-3.txt": "REC-3"}
    assert statuses(workspace) == [30, 40, 30]
    assert (tmp_path / "outside.txt").read_text() == "mine"
    assert sinagot(workspace, "status", "-v").exit_code == 0
    assert sinagot(workspace, "logs", "REC-2").exit_code in (0, 5)
    assert workspace["REC-2"].logs_json() == []
    if log.is_dir() and not log.is_symlink():
        log.rmdir()
    else:
        log.unlink()
    heal(workspace, left=1)


STEERING = {
    "newline": "one\ntwo",
    "carriage return": "50 %\r100 %",
    "escape": "\x1b[2J\x1b]0;title\x07",
    "bidi": "\u202eevil\u202c \u2066x\u2069",
    "separators": "a\u2028b\x85c\x0bd\x0ce",
    "surrogate": "\udce9",
}


@pytest.mark.parametrize("name", STEERING)
def test_messages_cannot_steer(tmp_path: Path, name: str) -> None:
    """A message is one line of the log, and what commands print of it moves no cursor and turns no text round (row 47)."""
    text = STEERING[name]
    script = script_text(f"self.logger.warning({text!r})\nraise ValueError({text!r})")
    workspace = make_workspace(tmp_path, records=1, scripts={"a": script}, settings=QUIET)
    assert run(workspace).counts["failed"] == 1
    lines = log_of(workspace, "REC-1").read_bytes().split(b"\n")
    assert [json.loads(line)["message"] for line in lines if b'"WARNING"' in line] == [text]
    for words in (["logs", "REC-1"], ["status"], ["run"], ["run", "--dry-run"]):
        told = sinagot(workspace, *words)
        shown = told.stdout + told.stderr
        assert not set(shown).intersection("\r\x1b\x07\x0b\x0c\x85\u2028\u202e\u202c\u2066\u2069\udce9"), (
            words
        )


# ---------------------------------------------------------------------- F. ids and trees


ODD_IDS = [
    *(
        "A B",
        "A%20B",
        "A'B",
        'A"B',
        "A*",
        "A?",
        "[A]",
        "A+()",
        "A.^$",
        "{task}",
        "{{x}}",
        "~",
        "~A",
        "-A",
        "--all",
    ),
    *("$HOME", "A;B", "A&B", "a|b", "A\\B", "A\tB", "CON", "A.", "A#1", "é", "日本", "%s", "%2e%2e"),
]


@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_ids_with_odd_letters(tmp_path: Path, mode: str) -> None:
    """Every sign in an id is literal: listed, run, logged, shown and addressed exactly, by the command line too (row 48)."""
    workspace = make_workspace(tmp_path, records=ODD_IDS, scripts={"a": COPY}, settings=QUIET)
    assert workspace.records.ids() == sorted(ODD_IDS)
    with workspace:
        assert run(workspace, mode=mode).counts["done"] == len(ODD_IDS)
    assert outputs(workspace) == {f"{record_id}.txt": record_id for record_id in ODD_IDS}
    listed = json.loads(sinagot(workspace, "records", "--json").stdout)["records"]
    assert [one["record_id"] for one in listed] == sorted(ODD_IDS)
    for record_id in ODD_IDS:
        assert {line["record_id"] for line in workspace[record_id].logs_json()} == {record_id}
        told = sinagot(workspace, "logs", "--json", "--", record_id)
        assert told.exit_code == 0, told.stderr
        assert json.loads(told.stdout.splitlines()[0])["record_id"] == record_id
        told = sinagot(workspace, "run", f"--record={record_id}", "--dry-run")
        assert told.exit_code == 0, told.stderr
    heal(workspace, left=0)


REFUSED = ["", ".", "..", "../x", "a/b", "/etc/passwd", "a\0b", ".sinagot", "\udce9", "x" * 10_000, "é" * 128]


@pytest.mark.parametrize("record_id", REFUSED, ids=lambda text: ascii(text)[:20])
def test_ids_that_are_refused(tmp_path: Path, record_id: str) -> None:
    """What is no name of a file is refused with one short error, and nothing is touched (rows 49, 50)."""
    workspace = make_workspace(tmp_path, records=1, scripts={"a": COPY}, settings="")
    config = tmp_path / "workspace.toml"
    config.write_text(config.read_text().replace("'[^/]+'", "'(?s).+'"))
    workspace = Workspace(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InvalidIdError) as caught:
        workspace.records.get(record_id)
    assert len(str(caught.value)) < 200
    assert not workspace.records.has(record_id)
    if "\0" not in record_id and "\udce9" not in record_id:
        told = sinagot(workspace, "run", f"--record={record_id}")
        assert told.exit_code in (2, 5)
        assert "Traceback" not in told.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_names_that_would_be_too_long(tmp_path: Path) -> None:
    """A record whose output would have too long a name fails before its script starts, by its bytes; others run (row 50)."""
    ids = ["A", "é" * 120, "n" * 250]
    longer = script_text("self.path.output.write_text(self.id)", path_out=("out", "{id}-of-more-letters.txt"))
    workspace = make_workspace(tmp_path, records=ids, scripts={"a": longer}, settings=QUIET)
    assert workspace.records.ids() == sorted(ids)
    report = run(workspace)
    assert (report.counts["done"], report.counts["failed"]) == (1, 2)
    assert all("File name too long" in failure.message for failure in report.failures)
    assert statuses(workspace) == [30, 40, 40]
    assert litter(workspace) == []
    assert sinagot(workspace, "status").exit_code == 0


def test_twins(tmp_path: Path) -> None:
    """Ids that differ in case or in the form of a letter are records of their own, and `check` tells them (row 51)."""
    ids = ["Zo\u00eb", "Zoe\u0308", "REC-a", "REC-A", "other"]
    workspace = make_workspace(tmp_path, records=ids, scripts={"a": COPY}, settings=QUIET)
    if len(list((workspace.data_path / "raw").iterdir())) < len(ids):
        pytest.skip("this drive has no twins")
    assert run(workspace).counts["done"] == len(ids)
    assert outputs(workspace) == {f"{record_id}.txt": record_id for record_id in ids}
    told = sinagot(workspace, "check")
    assert told.exit_code == 0
    assert "the ids 'REC-A' and 'REC-a' are several records here" in told.stdout
    assert "'Zoe\\u0308' and 'Zo\\xeb'" in told.stdout
    assert "'other'" not in told.stdout


def test_many_twins_are_not_all_told(tmp_path: Path) -> None:
    """Of many groups some are named, the others are counted (row 51)."""
    ids = [f"{letter}{number}" for number in range(6) for letter in "xX"]
    workspace = make_workspace(tmp_path, records=ids, scripts={"a": COPY}, settings=QUIET)
    if len(list((workspace.data_path / "raw").iterdir())) < len(ids):
        pytest.skip("this drive has no twins")
    assert "and 3 more groups of ids that look alike" in sinagot(workspace, "check").stdout


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    """A file whose name is no text is told with its bytes and passed over; JSON stays valid (row 51)."""
    workspace = make_workspace(tmp_path, records=1, scripts={"a": COPY}, settings=QUIET)
    Path(os.fsdecode(os.fsencode(workspace.data_path / "raw") + b"/caf\xe9.txt")).touch()
    assert workspace.records.ids() == ["REC-1"]
    told = sinagot(workspace, "records", "--json")
    assert json.loads(told.stdout)["count"] == 1
    assert "caf\\xe9.txt" in told.stderr
    assert run(workspace).counts["done"] == 1


NESTED = script_text("self.path.output.write_text(self.id)", path_in=("raw", "{id}", "deep", "data.txt"))


def test_links_of_every_kind(tmp_path: Path) -> None:
    """Loops, links to a parent, dangling ones and chains end the scan in time, each record once (row 52)."""
    workspace = make_workspace(tmp_path, records=[], scripts={"a": NESTED}, settings=QUIET)
    raw = workspace.data_path / "raw"
    for record_id in ("A", "B"):
        (raw / record_id / "deep").mkdir(parents=True)
        (raw / record_id / "deep" / "data.txt").write_text(record_id)
    (raw / "loop").symlink_to("loop")
    (raw / "self").symlink_to(".")
    (raw / "parent").symlink_to("..")
    (raw / "dangling").symlink_to("nowhere")
    (raw / "A" / "deep" / "up").symlink_to("../..")
    (raw / "C").symlink_to(tmp_path / "elsewhere")  # data may lie on another drive: such links are followed
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere" / "deep" / "data.txt").write_text("C")
    former = raw / "A"
    for number in range(50):  # the system follows 40
        (raw / f"chain{number}").symlink_to(former.name)
        former = raw / f"chain{number}"
    ids = workspace.records.ids()
    assert [record_id for record_id in ids if not record_id.startswith("chain")] == ["A", "B", "C"]
    assert len(ids) < 3 + 50
    assert sinagot(workspace, "check").exit_code == 0
    assert run(workspace).counts["done"] == len(ids)


REMOVER = """
import os, shutil, sys
raw = sys.argv[1]
print("ready", flush=True)
while not os.path.exists(sys.argv[2]):
    for number in range(40):
        path = f"{raw}/V-{number}"
        try:
            if os.path.isdir(path):
                shutil.rmtree(path)
                open(path, "w").close()
            elif os.path.exists(path):
                os.unlink(path)
            else:
                os.makedirs(f"{path}/deep")
                open(f"{path}/deep/data.txt", "w").close()
        except OSError:
            pass
"""


def test_folders_that_vanish_and_change(tmp_path: Path) -> None:
    """Folders that come, go and become files during a scan end nothing: what is there all the time is listed (row 53)."""
    workspace = make_workspace(tmp_path, records=[], scripts={"a": NESTED}, settings=QUIET)
    raw = workspace.data_path / "raw"
    for number in range(20):
        (raw / f"K-{number}" / "deep").mkdir(parents=True)
        (raw / f"K-{number}" / "deep" / "data.txt").touch()
    words = [sys.executable, "-c", REMOVER, str(raw), str(tmp_path / "stop")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as remover:
        try:
            assert remover.stdout is not None and remover.stdout.readline() == "ready\n"
            for _ in range(60):
                kept = [record_id for record_id in workspace.records.ids() if record_id.startswith("K-")]
                assert len(kept) == 20
                list(workspace.steps.iter_status())
        finally:
            (tmp_path / "stop").touch()
            remover.wait(60)
    report = run(workspace)
    assert report.ok, report.failures


def test_unreadable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that can't be read is named once, by every command that looks; the rest is listed and run (row 53)."""
    copy = script_text("self.path.output.write_text(self.id)", path_in="raw/{site}/{id}.txt")
    workspace = make_workspace(tmp_path, records=[], scripts={"a": COPY}, settings=QUIET)
    (workspace.scripts_path / "a.py").write_text(copy)
    for number, site in enumerate(("north", "south", "west")):
        (workspace.data_path / "raw" / site).mkdir()
        (workspace.data_path / "raw" / site / f"REC-{number}.txt").touch()
    config = tmp_path / "workspace.toml"
    text = config.read_text().replace("[records]", "[records]\npath = 'raw/{site}/{id}.txt'")
    config.write_text(f"{text}\n[records.entities]\nsite = '[a-z]+'\n")
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith("south"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    workspace = Workspace(tmp_path)
    assert workspace.records.ids() == ["REC-0", "REC-2"]
    assert len(workspace.problems) == 1
    assert "raw/south" in workspace.problems[0]
    assert run(workspace).counts["done"] == 2
    told = sinagot(workspace, "records")
    assert told.stderr.count("raw/south") == 1


@pytest.mark.parametrize("pattern", ["(a+)+", "(a|a)*b", "(x+x+)+y", "([a-z]+)*-", "(.*)*", "(a|ab|b)*c"])
def test_catastrophic_patterns(tmp_path: Path, pattern: str) -> None:
    """An `id_pattern` that could take years ends the opening with an error that names it; exit code 4 (row 54)."""
    workspace = make_workspace(tmp_path, records=["a" * 40 + "!"], scripts={"a": COPY})
    config = tmp_path / "workspace.toml"
    config.write_text(config.read_text().replace("'[^/]+'", f"'{pattern}$'"))
    with pytest.raises(ConfigurationError) as caught:
        Workspace(tmp_path).records.ids()
    assert pattern in str(caught.value)
    told = sinagot(workspace, "records")
    assert told.exit_code == 4
    assert pattern in told.stderr


@pytest.mark.parametrize(
    ("pattern", "ids"),
    [
        ("REC-1|REC-10", ["REC-1", "REC-10"]),
        ("^REC-\\d+$", ["REC-1", "REC-10", "REC-2"]),
        ("(REC)-(\\d)", ["REC-1", "REC-2"]),
        ("(?:REC|rec)-1", ["REC-1", "rec-1"]),
        ("(?i)rec-1", ["REC-1", "rec-1"]),
        ("REC-1(?=0)0", ["REC-10"]),
    ],
)
def test_patterns_match_whole_names(tmp_path: Path, pattern: str, ids: list[str]) -> None:
    """Groups, alternatives, anchors and flags mean what they say, and an id is always a whole name (row 55)."""
    make_workspace(
        tmp_path, records=["REC-1", "REC-10", "REC-2", "rec-1", "XREC-1", "REC-1x"], scripts={"a": COPY}
    )
    config = tmp_path / "workspace.toml"
    config.write_text(config.read_text().replace("'[^/]+'", f"'{pattern}'"))
    assert Workspace(tmp_path).records.ids() == ids


@pytest.mark.parametrize("pattern", [".*", "(REC-\\d)?", "^$", "|a"])
def test_patterns_that_match_nothing_at_all(tmp_path: Path, pattern: str) -> None:
    """An `id_pattern` that matches the empty text is refused with the way out (row 55)."""
    make_workspace(tmp_path, records=1, scripts={"a": COPY})
    config = tmp_path / "workspace.toml"
    config.write_text(config.read_text().replace("'[^/]+'", f"'{pattern}'"))
    with pytest.raises(ConfigurationError, match="empty"):
        Workspace(tmp_path).records.ids()
