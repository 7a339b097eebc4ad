"""`Examiner`: which pipelines a workspace has, and whether parameters fit, asked of a program of its own.

Knows pipelines by their names; must not know HTTP. To tell what a pipeline is, its file has to be loaded, and code of
the user may do anything: it never runs in the process that asks. The program stays for more questions, sees files as
they are at each of them, and is started anew when it has died.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from sinagot.engine.executors.channel import Channel
from sinagot.engine.executors.trees import kill_tree
from sinagot.errors import ConfigurationError, SinagotError, WorkspaceBusyError

if TYPE_CHECKING:
    from sinagot.schedule.checking import Checked
    from sinagot.workspace.contracts import House
    from sinagot.workspace.pipelines.catalogue import Pipelines

__all__ = ["Catalogue", "Examiner", "answer_questions"]

#: Seconds that an answer may take; after some more the program ends by itself.
PATIENCE = 30.0
#: Seconds that a list holds.
_FRESH = 1.0
_SECRET = "SINAGOT_TOKEN"


class Catalogue(NamedTuple):
    """The pipelines of a workspace at one moment."""

    #: As `HousePipeline.as_json` tells them, in their order.
    rows: tuple[dict[str, Any], ...] = ()
    #: Why files that may define some could not be loaded.
    errors: tuple[str, ...] = ()

    def find(self, name: str) -> dict[str, Any] | None:
        """Give a pipeline by its name."""
        return next((row for row in self.rows if row["name"] == name), None)


class Examiner:
    """Asks about the pipelines of one workspace; any thread may ask.

    Parameters
    ----------
    words : sequence of str
        Options that lead to the workspace on a command line.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(words)
        self._lock = threading.Lock()
        self._program: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._known: tuple[float, Catalogue] | None = None

    def catalogue(self) -> Catalogue:
        """List the pipelines; where that fails, the list is empty and says why.

        Raises
        ------
        WorkspaceBusyError
            Others ask for so long.
        """
        with self._alone():
            if self._known is None or time.monotonic() - self._known[0] > _FRESH:
                try:
                    found = self._ask(("list",))
                except SinagotError as error:
                    found = Catalogue(errors=(str(error),))
                self._known = (time.monotonic(), found)
            return self._known[1]

    def check(self, name: str, params: Mapping[str, Any]) -> Checked:
        """Check that a pipeline can run for no record with some parameters.

        Parameters
        ----------
        name : str
            Of the pipeline; no name of a file.
        params : mapping
            What is given for this run.

        Returns
        -------
        Checked
            What is wrong with parameters, and which of them are secret.

        Raises
        ------
        NotFoundError
            There is none of this name.
        ConfigurationError, ScriptError, PipelineDefinitionError
            It can't be loaded, or can't run by itself.
        WorkspaceBusyError
            Others ask for so long.
        """
        with self._alone():
            found: Checked = self._ask(("check", name, dict(params)))
            return found

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Ask one question at a time."""
        if not self._lock.acquire(timeout=PATIENCE):
            raise WorkspaceBusyError(
                "files of pipelines take long to load, and others ask for them; try again"
            )
        try:
            yield
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the program."""
        with self._lock:
            self._end()

    def _ask(self, question: tuple[Any, ...]) -> Any:
        """Send a question and wait for the answer, or raise what is answered."""
        if self._program is None or self._program.poll() is not None:
            self._end()
            self._start()
        assert self._channel is not None
        try:
            self._channel.send(question)
            poll = select.poll()
            poll.register(self._channel.fileno(), select.POLLIN)
            if not poll.poll(PATIENCE * 1000):
                self._end()
                raise ConfigurationError(
                    f"the files of pipelines could not be loaded within {PATIENCE:g} s; try: sinagot pipeline check"
                )
            answer = self._channel.receive()
        except (EOFError, OSError):
            self._end()
            raise ConfigurationError(
                "the program that loads the files of pipelines has ended in the middle of it; try: sinagot pipeline "
                "check"
            ) from None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _start(self) -> None:
        self._channel, other = Channel.pair()
        try:
            self._program = subprocess.Popen(
                [sys.executable, "-m", "sinagot", *self._words, "pipeline", "answer", str(other.fileno())],
                pass_fds=(other.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C ends who asks; the whole tree can be killed
                env={name: value for name, value in os.environ.items() if name != _SECRET},
            )
        finally:
            other.close()

    def _end(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._program is not None:
            if self._program.poll() is None:
                kill_tree(self._program.pid)
            self._program.wait()
            self._program = None


def answer_questions(open_workspace: Callable[[], House], descriptor: int) -> None:
    """Answer what an `Examiner` asks, until it is gone.

    Parameters
    ----------
    open_workspace : callable
        Opens the workspace, anew for each question: files may have changed.
    descriptor : int
        Of the channel.
    """
    channel = Channel.from_descriptor(descriptor)
    # Code of the user that never ends must not outlive who asked.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    while True:
        try:
            kind, *rest = channel.receive()
        except EOFError:
            return
        signal.alarm(round(PATIENCE * 1.5))
        try:
            answer = _ANSWERS[kind](open_workspace(), *rest)
        except SinagotError as error:
            answer = error
        except Exception as error:  # noqa: BLE001  (code of the user; who asked is told, and this program lives on)
            answer = ConfigurationError(f"{type(error).__name__}: {error}")
        signal.alarm(0)
        try:
            channel.send(answer)
        except OSError:
            return


def _pipelines(workspace: House) -> Pipelines:
    from sinagot.workspace.pipelines.catalogue import Pipelines  # heavy, and not for who asks

    return Pipelines(workspace)


def _list(workspace: House) -> Catalogue:
    found = _pipelines(workspace)
    rows = tuple(one.as_json() for one in found.values())
    return Catalogue(rows, tuple(map(str, found.errors)))


def _check(workspace: House, name: str, params: dict[str, Any]) -> Checked:
    from sinagot.schedule.checking import examine

    found = _pipelines(workspace)
    one = found.get(name)
    if one is None:
        one = found[name] if not name.endswith(".py") and ".py:" not in name else _refuse_file(name, found)
    return examine(one, workspace.configuration, params)


def _refuse_file(name: str, found: Pipelines) -> Any:
    from sinagot.errors import NotFoundError

    raise NotFoundError(f"no pipeline {name!r}; files have no names here", name=name, allowed=list(found))


_ANSWERS: dict[str, Callable[..., Any]] = {"list": _list, "check": _check}
