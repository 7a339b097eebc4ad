"""Runs that are started from a page: programs of their own, which live on when the server ends.

Knows command lines and processes; must not know HTTP. No code of the user runs in the server.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from sinagot.errors import NotFoundError, WorkspaceBusyError
from sinagot.schedule.programs import Program, Started, own_run

if TYPE_CHECKING:
    from sinagot.engine.accounts.runs import RunFacts

__all__ = ["Starter"]

#: Runs of ours at one time, and ended ones that are remembered.
MOST_AT_ONCE = 4
_KEPT = 10
#: Records that are named on the command line; more go through a file.
_MOST_NAMED = 20


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
        self._children: list[Program] = []
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
            words = [*self._words, "run", *named, *options]
            child = Program(words, ended=None if selection is None else partial(_remove, selection))
            self._children = [*self._children[-_KEPT:], child]
            return child.told()

    def told(self) -> list[Started]:
        """List what was started here, newest first."""
        return [child.told() for child in reversed(self._children)]

    def may_cancel(self, facts: RunFacts) -> bool:
        """Say whether a run can be ended from here: it goes on, on this machine, and is of the same user."""
        return facts.state == "running" and own_run(self._state, facts.run_id) is not None

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
        owner = own_run(self._state, run_id)
        if owner is None:
            raise NotFoundError(
                f"run {run_id} does not go on on this machine as a process of this user; end it where it was started"
            )
        os.kill(owner.pid, signal.SIGINT)
        return owner.pid


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)
