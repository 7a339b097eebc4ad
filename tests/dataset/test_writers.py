"""Who has a file open for writing: the kernel's word, where it has one."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sinagot.dataset.mounts import Mount
from sinagot.dataset.writers import Writers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has leases of files")


@contextmanager
def python(code: str, *args: object) -> Iterator[subprocess.Popen[str]]:
    """Run another process that says a first line when it is ready, and goes on until it is told a line."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, args)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            yield process
        finally:
            process.kill()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a file that nobody has open."""
    found = tmp_path / "REC-1.csv"
    found.write_text("1")
    return found


@pytest.mark.parametrize("mode", ["w", "a", "r+"])
def test_file_that_another_process_writes_is_told_until_it_is_closed(file: Path, mode: str) -> None:
    """Under each of its names, and whatever it is renamed to meanwhile; nothing is left open by asking."""
    (file.parent / "link").symlink_to(file)
    os.link(file, file.parent / "twin")
    names = [str(file), str(file.parent / "link"), str(file.parent / "twin")]
    before = len(os.listdir("/proc/self/fd"))
    code = "import sys; f = open(*sys.argv[1:]); print('open', flush=True); sys.stdin.readline()"
    with python(f"{code}; f.close(); print('shut', flush=True); sys.stdin.readline()", file, mode) as other:
        assert [Writers().is_written(name) for name in names] == [True] * 3
        file.rename(file.with_name("REC-2.csv"))
        file = file.with_name("REC-2.csv")
        assert Writers().is_written(str(file)) is True
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write("\n")
        other.stdin.flush()
        assert other.stdout.readline()
        assert Writers().is_written(str(file)) is False
    assert len(os.listdir("/proc/self/fd")) == before


def test_reader_is_no_writer_and_a_map_of_memory_is_one(file: Path) -> None:
    """Also in this very process; what is mapped may be written though it was closed."""
    writers = Writers()
    with file.open(), file.open():
        assert writers.is_written(str(file)) is False
    with file.open("r+b") as opened:
        memory = mmap.mmap(opened.fileno(), 1)
        assert writers.is_written(str(file)) is True
    assert writers.is_written(str(file)) is True
    memory.close()
    assert writers.is_written(str(file)) is False


def test_what_is_no_plain_file_is_not_told_of_nor_opened(tmp_path: Path) -> None:
    """Folders, pipes, devices, what is not there, links to nothing."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "broken").symlink_to(tmp_path / "nothing")
    paths = [tmp_path, tmp_path / "pipe", Path("/dev/null"), tmp_path / "nothing", tmp_path / "broken"]
    assert [Writers().is_written(str(path)) for path in paths] == [None] * 5


def test_file_of_another_user_is_not_told_of() -> None:
    """The kernel answers the owner alone."""
    code = """
    import os, sys
    from sinagot.dataset.writers import Writers
    Writers().is_written("/etc/passwd")  # what it needs is imported by who may read it
    if not os.geteuid():
        os.seteuid(65534)
    open("/etc/passwd").close()
    print(Writers().is_written("/etc/passwd"), flush=True)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "None"


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "fuse.unheard", "fuse", "9p"])
def test_drive_that_others_write_is_not_believed(
    file: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """What another machine has open, the kernel of this one does not know."""
    with file.open("a"):
        assert Writers().is_written(str(file)) is True
        monkeypatch.setattr("sinagot.dataset.writers.list_mounts", lambda: [Mount("/", kind, "somewhere")])
        assert Writers().is_written(str(file)) is None
        monkeypatch.setattr("sinagot.dataset.writers.list_mounts", list)
        assert Writers().is_written(str(file)) is None


def test_who_is_waited_for_by_a_writer_lives_on(file: Path) -> None:
    """When somebody opens the file in the very moment of asking, the signal of the kernel is one that does nothing."""
    opens = (
        "import os, sys; print('ready', flush=True)\nwhile True: os.close(os.open(sys.argv[1], os.O_WRONLY))"
    )
    asks = """
    import signal, sys
    from sinagot.dataset.writers import Writers

    heard = []
    signal.signal(signal.SIGURG, lambda *_: heard.append(1))  # to know that it has happened
    print("ready", flush=True)
    answers = set()
    while len(heard) < 3 or answers != {True, False}:
        answers.add(Writers().is_written(sys.argv[1]))
    print("alive", flush=True)
    """
    with python(opens, file), python(asks, file) as asking:
        assert asking.stdout is not None
        assert asking.stdout.readline() == "alive\n"
