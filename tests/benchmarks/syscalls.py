"""The calls on files that a program makes below a folder: by strace where it is there, else by an audit hook.

Knows calls and paths; must not know what the program does.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from measuring import ENVIRONMENT, MeasuringError, Usage, probe

_CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_OPENED = re.compile(r"^\d+<([^>]*)>")
_STATS = {
    "stat",
    "lstat",
    "newfstatat",
    "statx",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
}
_OPENS = {"open", "openat", "creat"}
#: strace itself costs a hundred times what a call does: only those that matter.
_STRACE = ["strace", "-f", "-qq", "-y", "-e", "trace=%file,getdents64", "-e", "signal=none"]


class Calls(NamedTuple):
    """What was counted."""

    by: str
    #: Folder -> how often it was listed.
    listed: Counter[str]
    #: Path -> how often it was asked for; None where that cannot be seen.
    stats: Counter[str] | None
    opened: Counter[str]
    others: int

    @property
    def total(self) -> int:
        return sum(map(Counter.total, [self.listed, self.stats or Counter(), self.opened])) + self.others


def has_strace() -> bool:
    """Say whether strace is there and may be used."""
    return shutil.which("strace") is not None and (
        subprocess.run(
            ["strace", "-qq", "-o", os.devnull, "true"], capture_output=True, check=False
        ).returncode
        == 0
    )


def traced(argv: Sequence[str | Path], below: Path) -> Calls:
    """Run a program under strace; count what it asks of files below a folder."""
    with tempfile.NamedTemporaryFile("r", suffix=".strace", errors="replace") as notes:
        done = subprocess.run(
            [*_STRACE, "-o", notes.name, *argv], capture_output=True, env=ENVIRONMENT, cwd="/", check=False
        )
        if done.returncode:
            raise MeasuringError(f"strace of {argv[-1]}: {done.stderr.decode(errors='replace')[-300:]}")
        return _count(notes, str(below))


def _count(lines: Sequence[str], below: str) -> Calls:
    calls = Calls("strace", Counter(), Counter(), Counter(), 0)
    others = 0
    for line in lines:
        found = _CALL.match(line)
        if found is None:
            continue
        name, rest = found.groups()
        path, is_held = _path(rest)
        if not f"{path}/".startswith(f"{below}/") or is_held:
            continue
        if name in _STATS:
            calls.stats[path] += 1
        elif name in _OPENS:
            (calls.listed if "O_DIRECTORY" in rest else calls.opened)[path] += 1
        else:
            others += 1
    return calls._replace(others=others)


def _path(arguments: str) -> tuple[str, bool]:
    """Find the path of a call, and whether it is that of a file which is open already."""
    opened = _OPENED.match(arguments)
    text = _TEXT.search(arguments)
    if opened is None:
        return (text[1] if text else ""), False
    if text is None or not text[1]:
        return opened[1], True
    return os.path.join(opened[1], text[1]), False


def audited(name: str, *arguments: object, below: Path) -> Calls:
    """Run a probe that counts by itself; a stat raises no audit event, so that none is seen."""
    usage: Usage = probe(name, *arguments, "audit")
    listed, opened = (
        Counter(
            {path: count for path, count in usage.facts[kind].items() if f"{path}/".startswith(f"{below}/")}
        )
        for kind in ("listed", "opened")
    )
    return Calls("audit hook", listed, None, opened, 0)
