"""What a program did to a folder, operation by operation, and what a disk may hold of it when the power goes.

A program is recorded by strace. The model is that of POSIX, not of one file system: bytes are safe when their file was
synced, names when their folder was, both when the whole file system was; of all else anything may be lost.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["BYTES", "NAMES", "RECORDED", "Cut", "Disk", "OpLog"]

#: What becomes of bytes that were not synced, and of names.
BYTES = ("kept", "lost", "zeros", "half")
NAMES = ("kept", "synced")

RECORDED = (
    "openat,write,pwrite64,writev,sendfile,copy_file_range,lseek,ftruncate,truncate,rename,renameat,renameat2,link,linkat,"
    "symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,fsync,fdatasync,syncfs,sync,stat,lstat,fstat,newfstatat"
)
#: Nanoseconds until the machine is up again: a file that is torn since then is not being written now.
_OFF = 120 * 10**9
_LINE = re.compile(
    r"^(?P<pid>\d+) +(?P<call>\w+)\((?P<rest>.*)\) += +(?P<result>-?\d+)(?:<(?P<path>[^>]*)>)?"
)
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR = re.compile(r"^(\w+)<([^>]*)>")
_TIME = re.compile(r"st_mtime=(\d+)[^,]*, st_mtime_nsec=(\d+)")


class Cut(NamedTuple):
    """When the power goes, and what it costs."""

    #: So many operations were done.
    after: int
    names: str
    bytes: str
    #: The only file that loses bytes; None for all.
    file: str | None = None


class Inode:
    """A file or folder: its bytes, and those that are safe."""

    def __init__(self, data: bytes | None, mtime_ns: int | None = None) -> None:
        self.data = data  # None: a folder
        self.safe = data
        self.mtime_ns = mtime_ns

    def left(self, how: str) -> bytes:
        """Give the bytes that the power cut leaves."""
        data, safe = self.data or b"", self.safe or b""
        if data == safe or how == "kept":
            return data
        if how == "lost":
            return safe
        # What is written anew here is either longer than before, or of another beginning.
        start = len(safe) if data.startswith(safe) else 0
        fresh = len(data) - start
        return data[:start] + (bytes(fresh) if how == "zeros" else data[start : start + fresh // 2])


class Disk:
    """The files of a folder while operations are done again.

    Parameters
    ----------
    root : Path
        The folder.
    copy : Path
        What was in it before.
    """

    def __init__(self, root: Path, copy: Path) -> None:
        self.names: dict[str, Inode] = {}
        for path in sorted([copy, *copy.rglob("*")]):
            data = None if path.is_dir() else path.read_bytes()
            self.names[str(root / path.relative_to(copy))] = Inode(data, path.stat().st_mtime_ns)
        self.safe_names = dict(self.names)

    def unsafe(self) -> list[str]:
        """Name the files with bytes that were not synced."""
        return [path for path, inode in self.names.items() if inode.data != inode.safe]

    def sync_all(self) -> None:
        """Make everything safe."""
        for inode in self.names.values():
            inode.safe = inode.data
        self.safe_names = dict(self.names)

    def sync(self, path: str) -> None:
        """Make one file's bytes safe, or one folder's names."""
        inode = self.names.get(path)
        if inode is not None and inode.data is not None:
            inode.safe = inode.data
            return

        def inside(names: dict[str, Inode]) -> dict[str, Inode]:
            return {name: one for name, one in names.items() if os.path.dirname(name) == path}

        for name in inside(self.safe_names):
            del self.safe_names[name]
        self.safe_names |= inside(self.names)

    def move(self, old: str, new: str) -> None:
        """Rename a file, or a folder with all that is in it."""
        for name in [one for one in self.names if one == new or one.startswith(f"{new}/")]:
            del self.names[name]
        for name in [one for one in self.names if one == old or one.startswith(f"{old}/")]:
            self.names[new + name[len(old) :]] = self.names.pop(name)

    def write_out(self, root: Path, cut: Cut, replaced: tuple[bytes, bytes]) -> None:
        """Put what the power cut leaves in the place of a folder; one text in all files is replaced by another."""
        shutil.rmtree(root, ignore_errors=True)
        names = self.names if cut.names == "kept" else self.safe_names
        written: dict[int, str] = {}
        there = {os.path.dirname(root)}
        for path, inode in sorted(names.items()):
            if os.path.dirname(path) not in there:
                continue  # its folder was lost
            there.add(path)
            if inode.data is None:
                os.makedirs(path, exist_ok=True)
            elif id(inode) in written:
                os.link(written[id(inode)], path)
            else:
                how = cut.bytes if cut.file in (None, path) else "kept"
                Path(path).write_bytes(inode.left(how).replace(*replaced))
                is_owner = "/claims/" in path or "/owners/" in path
                moment = time.time_ns() - _OFF if is_owner or not inode.mtime_ns else inode.mtime_ns
                os.utime(path, ns=(moment, moment))
                written[id(inode)] = path


class _Call(NamedTuple):
    name: str
    rest: str
    result: int
    path: str

    @property
    def strings(self) -> list[bytes]:
        return [_unescaped(text) for text in _STRING.findall(self.rest)]

    @property
    def descriptor(self) -> tuple[str, str]:
        found = _DESCRIPTOR.match(self.rest)
        return (found[1], _plain(found[2])) if found else ("", "")


class OpLog:
    """The calls of a program that name a path below a folder.

    Parameters
    ----------
    told : Path
        What ``strace -f -y -v -xx -s 10000000 -e trace=RECORDED`` has written.
    root : Path
        The folder.
    """

    def __init__(self, told: Path, root: Path) -> None:
        self._root = str(root)
        #: By descriptor: the program is one process, whose threads share them.
        self._places: dict[str, int] = {}
        self._appending: set[str] = set()
        self.calls = [call for call in self._parsed(told) if self._is_ours(call)]
        #: The places of those that change something: the power may go before each of them.
        self.changes = [
            number
            for number, call in enumerate(self.calls)
            if "stat" not in call.name and call.name != "lseek"
        ]

    def _parsed(self, told: Path) -> Iterator[_Call]:
        begun: dict[str, str] = {}
        for line in told.read_text(errors="replace").splitlines():
            pid = line.split(" ", 1)[0]
            if line.endswith("<unfinished ...>"):
                begun[pid] = line.removesuffix("<unfinished ...>").rstrip()
                continue
            if " resumed>" in line:
                line = begun.pop(pid, "") + line.partition(" resumed>")[2]
            found = _LINE.match(line)
            if found and int(found["result"]) >= 0:
                path = _plain(found["path"] or "")
                yield _Call(found["call"], found["rest"], int(found["result"]), path)

    def _is_ours(self, call: _Call) -> bool:
        if call.name in ("sync", "syncfs"):
            return True
        texts = [call.path, call.descriptor[1], *(_text(one) for one in call.strings[:2])]
        return any(text == self._root or text.startswith(f"{self._root}/") for text in texts)

    def replay(self, disk: Disk, stop: int) -> None:
        """Do the first calls again."""
        self._places.clear()
        self._appending.clear()
        for call in self.calls[:stop]:
            self._do(disk, call)

    def _do(self, disk: Disk, call: _Call) -> None:
        key = call.descriptor[0]
        if call.name == "openat":
            self._open(disk, call)
        elif call.name in ("write", "pwrite64", "writev"):
            self._write(disk, call, key)
        elif call.name == "lseek":
            self._places[key] = call.result
        elif call.name == "ftruncate":
            inode, size = disk.names[call.descriptor[1]], int(call.rest.rpartition(", ")[2])
            inode.data = (inode.data or b"")[:size].ljust(size, b"\0")
        elif call.name in ("fsync", "fdatasync"):
            disk.sync(call.descriptor[1])
        elif call.name in ("syncfs", "sync"):
            disk.sync_all()
        elif "stat" in call.name:
            self._look(disk, call)
        else:
            self._name(disk, call)

    def _name(self, disk: Disk, call: _Call) -> None:
        names = disk.names
        paths = [_text(one) for one in call.strings]
        if call.name.startswith("rename"):
            disk.move(paths[0], paths[1])
        elif call.name.startswith("link"):
            if paths[0] in names:
                names[paths[1]] = names[paths[0]]
        elif call.name.startswith("unlink") or call.name == "rmdir":
            names.pop(_in_folder(call, paths[0]), None)
        elif call.name.startswith("mkdir"):
            names[paths[0]] = Inode(None)
        else:  # nobody does so here; whoever begins to must be modelled
            raise NotImplementedError(f"{call.name}: {call.rest[:200]}")

    def _look(self, disk: Disk, call: _Call) -> None:
        """Take the time of a file from what the program was told."""
        path = _text(call.strings[0]) if call.strings else ""
        inode = disk.names.get(_in_folder(call, path) if path else call.descriptor[1])
        seconds = _TIME.search(call.rest)
        if inode is not None and seconds:
            inode.mtime_ns = int(seconds[1]) * 10**9 + int(seconds[2])

    def _open(self, disk: Disk, call: _Call) -> None:
        flags = call.rest.rpartition('"')[2]
        key = str(call.result)
        self._places[key] = 0
        self._appending.discard(key)
        if "O_APPEND" in flags:
            self._appending.add(key)
        inode = disk.names.get(call.path)
        if inode is None and "O_CREAT" in flags:
            disk.names[call.path] = inode = Inode(b"")
            inode.safe = b""
        if inode is not None and inode.data is not None and "O_TRUNC" in flags:
            inode.data = b""

    def _write(self, disk: Disk, call: _Call, key: str) -> None:
        inode = disk.names.get(call.descriptor[1])
        if inode is None or inode.data is None:
            return  # it was removed meanwhile
        data = b"".join(call.strings)[: call.result]
        start = len(inode.data) if key in self._appending else self._places.get(key, 0)
        if call.name == "pwrite64":
            start = int(call.rest.rpartition(", ")[2])
        old = inode.data.ljust(start, b"\0")
        inode.data = old[:start] + data + old[start + len(data) :]
        inode.mtime_ns = None  # until somebody looks
        if call.name != "pwrite64":
            self._places[key] = start + len(data)


def _in_folder(call: _Call, path: str) -> str:
    """Give the whole path of a name in an open folder."""
    return path if os.path.isabs(path) else os.path.join(call.descriptor[1], path)


def _unescaped(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _text(data: bytes) -> str:
    return os.fsdecode(data)


def _plain(text: str) -> str:
    """Read the path of a descriptor, whose letters may be escaped; of a removed file it ends in a note."""
    plain: Any = os.fsdecode(_unescaped(text)) if text.startswith("\\x") else text
    return str(plain).removesuffix("(deleted)").rstrip() if str(plain).endswith("(deleted)") else str(plain)
