"""Runs one program to its end, line by line, and leaves nothing of it behind.

Knows processes and pipes; must not know steps. Used by command steps only.
Whatever ends the waiting (Ctrl-C, a timeout, an error of the caller) ends the program's whole process group
too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import shlex
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable

from sinagot.errors import CommandFailedError

__all__ = ["run_process"]

Tell = Callable[[int, str], None]

#: Seconds that a program gets between SIGTERM and SIGKILL.
STOP_GRACE = 2.0
# Seconds between two looks at a program whose output stays open: a child of its own may hold it.
_POLL = 0.2
_PIECE = 64 * 1024
_TAIL = 10


def run_process(command: str | list[str], *, folder: str, environment: dict[str, str], tell: Tell) -> None:
    """Run a program to its end.

    Parameters
    ----------
    command : list of str or str
        Words, or a line for the shell.
    folder : str
        Where it runs.
    environment : dict of str to str
        All of its environment.
    tell : callable
        Gets a logging level and each line: INFO for standard output, WARNING for standard error.

    Raises
    ------
    CommandFailedError
        When it cannot be started or ends with a code other than 0; ``exit_code`` is negative for a signal.
    """
    shown = command if isinstance(command, str) else shlex.join(command)
    try:
        process = subprocess.Popen(
            command,
            shell=isinstance(command, str),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # No terminal either: a program that asks for a password fails instead of waiting for ever.
            start_new_session=True,
        )
    except OSError as error:
        code = 127 if isinstance(error, FileNotFoundError) else 126
        what = f"{error.filename!r}: {error.strerror}" if error.filename else error.strerror
        raise CommandFailedError(f"cannot start {shown}: {what}", command=shown, exit_code=code) from error
    tail: deque[str] = deque(maxlen=_TAIL)

    def tell_and_keep(level: int, line: str) -> None:
        if level == logging.WARNING:
            tail.append(line)
        tell(level, line)

    with process:
        try:
            _read_lines(process, tell_and_keep)
            _wait(process)
            _signal_group(process, signal.SIGKILL)
        finally:
            _stop(process)
    if process.returncode:
        said = ": " + "\n".join(tail) if tail else ""
        text = f"{shown} {_ending(process.returncode)}{said}"
        raise CommandFailedError(text, command=shown, exit_code=process.returncode)


def _read_lines(process: subprocess.Popen[bytes], tell: Tell) -> None:
    with selectors.DefaultSelector() as selector:
        for stream, level in ((process.stdout, logging.INFO), (process.stderr, logging.WARNING)):
            assert stream is not None, "both are pipes"
            selector.register(stream.fileno(), selectors.EVENT_READ, _Lines(level, tell))
        ended: float | None = None
        while selector.get_map():
            # In this order: what a program wrote before its end is ready by now.
            if ended is None and _has_ended(process):
                ended = time.monotonic()
            ready = selector.select(_POLL)
            if ended is not None and (not ready or time.monotonic() > ended + STOP_GRACE):
                # A child that it left behind holds the pipe; what comes from there is waited for a little
                # only.
                break
            for key, _ in ready:
                piece = os.read(key.fd, _PIECE)
                key.data.add(piece)
                if not piece:
                    selector.unregister(key.fd)
        for key in list(selector.get_map().values()):
            key.data.add(b"")


class _Lines:
    """Cuts what a program writes into lines; a piece of 64 KiB without an end of line is a line too."""

    def __init__(self, level: int, tell: Tell) -> None:
        self._level = level
        self._tell = tell
        self._rest = b""

    def add(self, piece: bytes) -> None:
        """Take in some bytes; none at all is the end."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if self._rest and (not piece or len(self._rest) >= _PIECE):
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            # A progress bar rewrites its line: what stood there last counts.
            text = line.decode("utf-8", "replace").rstrip().rpartition("\r")[2]
            if text:
                self._tell(self._level, text)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    if not hasattr(os, "waitid"):
        return process.poll() is not None
    # Without reaping it: as long as it is not reaped, its number and its group cannot be anybody else's.
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, process.pid, options) is not None


def _wait(process: subprocess.Popen[bytes]) -> None:
    if hasattr(os, "waitid"):
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    else:
        process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    if process.returncode is None:
        # Nobody is left of it (macOS says so in the second way when only a zombie is).
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the group: with SIGTERM first, and with SIGKILL whatever happens meanwhile."""
    if process.returncode is not None:
        return
    try:
        if not _has_ended(process):
            _signal_group(process, signal.SIGTERM)
            _await_end(process)
    finally:
        _signal_group(process, signal.SIGKILL)
        process.wait()


def _await_end(process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + STOP_GRACE
    pause = 0.001
    while not _has_ended(process) and time.monotonic() < end:
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


def _ending(code: int) -> str:
    if code > 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
