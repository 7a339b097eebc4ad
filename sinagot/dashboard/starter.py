"""Runs that are started from a page: programs of their own, which live on when the server ends.

Knows command lines and processes; must not know HTTP. No code of the user runs in the server.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, NamedTuple

from sinagot.engine.state.history import read_manifest
from sinagot.engine.state.owners import Owner, is_alive
from sinagot.errors import NotFoundError, WorkspaceBusyError

if TYPE_CHECKING:
    from sinagot.engine.accounts.runs import RunFacts

__all__ = ["Started", "Starter"]

#: Runs of ours at one time, and ended ones that are remembered.
MOST_AT_ONCE = 4
_KEPT = 10
#: Records that are named on the command line; more go through a file.
_MOST_NAMED = 20
_TAIL = 4000


class Started(NamedTuple):
    """A run that was started here."""

    command: str
    pid: int
    #: Seconds since 1970.
    since: float
    #: None while it goes on.
    exit_code: int | None
    #: End of what it printed.
    tail: str


class _Child:
    """One program, and what it prints, in a file without a name."""

    def __init__(
        self, arguments: Sequence[str], shown: str, output: IO[bytes], selection: str | None
    ) -> None:
        self.shown = shown
        self.since = time.time()
        self._output = output
        self._selection = selection
        environment = {name: value for name, value in os.environ.items() if name != "SINAGOT_TOKEN"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sinagot", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C ends the server, not what it started
            env=environment,
        )
        threading.Thread(target=self._wait, name="sinagot-child", daemon=True).start()

    def _wait(self) -> None:
        self.process.wait()
        if self._selection is not None:
            try:
                os.unlink(self._selection)
            except OSError:
                pass

    def told(self) -> Started:
        """Say how it stands."""
        size = os.fstat(self._output.fileno()).st_size
        text = os.pread(self._output.fileno(), _TAIL, max(size - _TAIL, 0)).decode("utf-8", "replace")
        return Started(self.shown, self.process.pid, self.since, self.process.returncode, text)


class Starter:
    """Starts and ends runs of one workspace.

    Parameters
    ----------
    words : sequence of str
        Options that lead to the workspace on a command line.
    state : str
        Its state folder.
    """

    def __init__(self, words: Sequence[str], state: str) -> None:
        self._words = list(words)
        self._state = state
        self._children: list[_Child] = []
        self._guard = threading.Lock()

    def run(self, records: Sequence[str] | None, options: Sequence[str]) -> Started:
        """Start a run.

        Parameters
        ----------
        records : sequence of str or None
            Ids; None for all.
        options : sequence of str
            Further words of `sinagot run`.

        Returns
        -------
        Started
            What was started.

        Raises
        ------
        WorkspaceBusyError
            Too many are going on that were started here.
        """
        with self._guard:
            if sum(child.process.returncode is None for child in self._children) >= MOST_AT_ONCE:
                raise WorkspaceBusyError(
                    f"{MOST_AT_ONCE} runs that were started here are going on; wait for one of them, or cancel it"
                )
            selection = None
            named: list[str] = []
            if records is not None and len(records) > _MOST_NAMED:
                handle, selection = tempfile.mkstemp(prefix="sinagot-selection-", suffix=".txt")
                with open(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
                    file.writelines(f"{record_id}\n" for record_id in records)
                named = ["--select", selection]
            elif records is not None:
                named = [f"--record={record_id}" for record_id in records]
            arguments = [*self._words, "run", *named, *options]
            shown = shlex.join(["sinagot", *arguments])
            output = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as the child is remembered)
            child = _Child(arguments, shown, output, selection)
            self._children = [*self._children[-_KEPT:], child]
            return child.told()

    def told(self) -> list[Started]:
        """List what was started here, newest first."""
        return [child.told() for child in reversed(self._children)]

    def may_cancel(self, facts: RunFacts) -> bool:
        """Say whether a run can be ended from here: it goes on, on this machine, and is of the same user."""
        return facts.state == "running" and self._owner(facts.run_id) is not None

    def cancel(self, run_id: str) -> int:
        """Tell a run to end, as Ctrl-C does.

        Parameters
        ----------
        run_id : str
            The run.

        Returns
        -------
        int
            Its process.

        Raises
        ------
        NotFoundError
            It does not go on here, or belongs to somebody else.
        """
        owner = self._owner(run_id)
        if owner is None:
            raise NotFoundError(
                f"run {run_id} does not go on on this machine as a process of this user; end it where it was started"
            )
        os.kill(owner.pid, signal.SIGINT)
        return owner.pid

    def _owner(self, run_id: str) -> Owner | None:
        facts = read_manifest(self._state, run_id).get("owner")
        try:
            owner = Owner(*(facts[name] for name in Owner._fields)) if isinstance(facts, dict) else None
        except (KeyError, TypeError):
            owner = None
        if owner is None or not owner.is_of_this_boot or owner.pid == os.getpid():
            return None
        try:
            is_ours = is_alive(owner, f"{self._state}/runs") is True
            import psutil

            return owner if is_ours and psutil.Process(owner.pid).uids().real == os.getuid() else None
        except (psutil.Error, OSError):
            return None
