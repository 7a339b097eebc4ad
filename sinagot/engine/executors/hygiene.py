"""Puts a process right after each job: the next script finds it as the last one found it.

Restored: working directory, environment, permissions of new files, file descriptors 0 to 2, signals, locale, the
root logger; in a child process also the module search path, modules that were exchanged, alarms, and processes that
were left behind. What a script does while it is loaded is no leftover: it is loaded once, and holds for all its jobs.
Costs some 30 microseconds when the script left nothing behind.
"""

from __future__ import annotations

import contextlib
import locale
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from typing import Any, NamedTuple

from sinagot.runlog.listeners import is_of_a_pool
from sinagot.scripts.classes import AROUND_LOADING
from sinagot.scripts.sources import MODULE_PREFIX

__all__ = ["Hygiene", "has_left_threads"]

_STANDARD = (0, 1, 2)
_SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGCHLD", "SIGPIPE", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)
# What `signal` is made of gives plain numbers: enumerations of them cost ten times as much.
_plain_signal: Any = import_module("_signal")
_plain_locale: Any = import_module("_locale").setlocale


def has_left_threads() -> bool:
    """Say whether a thread runs that ends only when it likes to: neither a daemon's nor a pool's."""
    main = threading.main_thread()
    return any(
        thread is not main and not thread.daemon and not is_of_a_pool(thread)
        for thread in threading.enumerate()
    )


def _stat(descriptor: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _duplicate(descriptor: int) -> int:
    try:
        return os.dup(descriptor)
    except OSError:  # scripts have left too many open
        return -1


def _environ_now() -> dict[Any, Any]:
    """Give the environment as the process keeps it: comparing `os.environ` itself decodes every value, 60 us a job."""
    data: dict[Any, Any] = getattr(os.environ, "_data", None) or dict(os.environ)
    return data


def _folder_now() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""


def _umask_now() -> int:
    with contextlib.suppress(OSError, StopIteration, ValueError), open("/proc/self/status", "rb") as file:
        return next(int(line.split()[1], 8) for line in file if line.startswith(b"Umask:"))
    # Not on Linux: it can be asked for only by setting it, for all threads.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _handlers_now() -> tuple[Any, ...]:
    # A plain number stands for the default and for ignoring: no object that `is` would know again.
    return tuple(map(_plain_signal.getsignal, _SIGNALS))


class _State(NamedTuple):
    """What a script can change, but for descriptors, modules and processes."""

    cwd: str
    environ: dict[Any, Any]
    umask: int
    handlers: tuple[Any, ...]
    blocked: set[Any]
    locale: str
    root: tuple[list[logging.Handler], int, int]
    path: list[str]

    @classmethod
    def now(cls) -> _State:
        root = logging.getLogger()
        return cls(
            _folder_now(),
            _environ_now().copy(),
            _umask_now(),
            _handlers_now(),
            _plain_signal.pthread_sigmask(signal.SIG_BLOCK, ()),
            _plain_locale(locale.LC_ALL, None),
            (list(root.handlers), root.level, logging.root.manager.disable),
            list(sys.path),
        )

    def after(self, before: _State, after: _State) -> _State:
        """Give this state with what changed between two others."""
        changed: dict[str, Any] = {
            name: there
            for name, here, there in zip(self._fields, before, after, strict=True)
            if here != there and name != "environ"
        }
        # Not what stands in both: the job that loads a script may have variables of its own.
        news = {name: value for name, value in after.environ.items() if before.environ.get(name) != value}
        kept = {
            name: value
            for name, value in self.environ.items()
            if name in after.environ or name not in before.environ
        }
        return self._replace(**changed, environ=kept | news)


class Hygiene:
    """Remembers how the process is now, and makes it so again.

    Parameters
    ----------
    is_ours : bool
        The process runs scripts and nothing else; the user's program has processes, modules and alarms of its own.
    """

    def __init__(self, *, is_ours: bool = True) -> None:
        self._is_ours = is_ours
        self._state = _State.now()
        self._thread = threading.get_ident()
        self._stats = list(map(_stat, _STANDARD))
        self._saved = [
            -1 if stat is None else _duplicate(descriptor) for descriptor, stat in enumerate(self._stats)
        ]
        self._streams = (sys.stdin, sys.stdout, sys.stderr)
        self._modules = sys.modules.copy()
        #: Modules that came with a script; local ones, which are there for their own jobs only, among them.
        self._fresh: dict[str, Any] = {}
        self._children = -1
        if is_ours:
            with contextlib.suppress(OSError):  # not Linux, or a kernel without this list
                self._children = os.open(
                    f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY | os.O_CLOEXEC
                )
        AROUND_LOADING.append(self._loading)

    @contextlib.contextmanager
    def _loading(self) -> Iterator[None]:
        """Keep what a script changes while it is loaded, by our own thread."""
        if threading.get_ident() != self._thread:
            yield
            return
        before, modules = _State.now(), sys.modules.copy()
        try:
            yield
        finally:
            self._state = self._state.after(before, _State.now())
            for name in [name for name, one in modules.items() if sys.modules.get(name) is not one]:
                self._modules.pop(name, None)  # exchanged for good
            self._fresh |= {name: one for name, one in sys.modules.items() if name not in modules}

    def close(self) -> None:
        """Remember nothing any more."""
        AROUND_LOADING.remove(self._loading)
        for saved, stat in zip(self._saved, self._stats, strict=True):
            if (
                saved >= 0 and _stat(saved) == stat
            ):  # a script may have closed it, and another file have its number
                os.close(saved)
        if self._children >= 0:
            with contextlib.suppress(OSError):
                os.close(self._children)

    def restore(self) -> None:
        """Make the process as it was."""
        state = self._state
        if _folder_now() != state.cwd and state.cwd:
            with contextlib.suppress(OSError):  # it was removed
                os.chdir(state.cwd)
        if _environ_now() != state.environ:
            os.environ.clear()
            os.environ.update(
                (os.fsdecode(name), os.fsdecode(value)) for name, value in state.environ.items()
            )
        os.umask(state.umask)
        if list(map(_stat, _STANDARD)) != self._stats:
            for descriptor, saved in enumerate(self._saved):
                stat = self._stats[descriptor]
                if saved >= 0 and _stat(descriptor) != stat and _stat(saved) == stat:
                    os.dup2(saved, descriptor)
        self._restore_signals()
        if _plain_locale(locale.LC_ALL, None) != state.locale:
            _plain_locale(locale.LC_ALL, state.locale)
        root = logging.root
        handlers, level, disabled = state.root
        if root.handlers != handlers:
            root.handlers[:] = handlers
        if root.level != level:
            root.setLevel(level)
        if root.manager.disable != disabled:
            logging.disable(disabled)
        sys.stdin, _, sys.stderr = self._streams
        if self._is_ours:
            sys.stdout = self._streams[1]
            if sys.path != state.path:
                sys.path[:] = state.path
            self._restore_modules()
            self._end_children()

    def _restore_signals(self) -> None:
        now, before = _handlers_now(), self._state.handlers
        if now != before:
            for number, handler, former in zip(_SIGNALS, now, before, strict=True):
                if handler != former and former is not None:
                    signal.signal(number, former)
        if _plain_signal.pthread_sigmask(signal.SIG_BLOCK, ()) != self._state.blocked:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._state.blocked)
        if self._is_ours:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _restore_modules(self) -> None:
        """Put back modules that were exchanged or removed; new ones stay, they are what makes a child warm."""
        now, before, fresh = sys.modules, self._modules, self._fresh
        # Lists compare by identity first: half of what a loop over them costs.
        if not fresh and len(now) == len(before) and list(now.values()) == list(before.values()):
            return
        exchanged = {name: one for name, one in before.items() if now.get(name) is not one}
        exchanged |= {
            name: one
            for name, one in fresh.items()
            if name not in before and name in now and now[name] is not one
        }
        for name, module in exchanged.items():
            # Those of scripts are exchanged by ourselves, when a script was edited between two runs.
            if not name.startswith(MODULE_PREFIX):
                now[name] = module
        self._modules, self._fresh = now.copy(), {}

    def _end_children(self) -> None:
        try:
            if self._children >= 0 and not os.pread(self._children, 1, 0):
                return
        except OSError:  # the script closed every descriptor that it did not know
            self._children = -1
        import psutil

        children = psutil.Process().children(recursive=True)
        for child in children:
            try:
                child.kill()
            except psutil.Error:
                pass
        psutil.wait_procs(children, timeout=2)
