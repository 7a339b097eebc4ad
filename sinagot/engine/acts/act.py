"""An act is data: one call of the user's code inside an attempt, what must be over before it, and what came of it.

Must not know who runs it (`sinagot.engine.acts.board`) or what it is to the user: a stage, an element of a list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sinagot.config.settings import StepSettings
from sinagot.engine.job import Cause

__all__ = ["RULES", "Act", "ActResult", "ActState", "SkipAct", "may_run"]


_NONE = StepSettings()


class ActState(StrEnum):
    """How far an act is."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    ERROR = "ERROR"
    SKIPPED = "SKIPPED"
    INTERRUPTED = "INTERRUPTED"


class SkipAct(Exception):  # noqa: N818  (no error: a word to the board)
    """Said while the arguments of an act are made: it is not to run; the text says why."""


@dataclass(frozen=True, slots=True)
class Act:
    """One call of the user's code.

    Attributes
    ----------
    name : str
        Unique among the acts that run together.
    function : callable
        What is called.
    bind : callable
        Gives its arguments by name; called when the act is about to run, in its thread.
    needs : tuple of str
        Names of the acts that must be over before.
    rule : str
        Which ends of those let it run; a key of `RULES`.
    settings : StepSettings
        Retries, and limits: with a timeout or a limit of memory it runs in a process of its own.
    each : tuple of str
        Arguments that are sequences: the function is called once per element.
    width : int, optional
        How many elements may run at once.
    deliver : callable, optional
        Gets what came back, in the thread of the act; what it raises is the act's failure.
    is_local : bool
        It steers other acts, and always runs here.
    optional : frozenset of str
        Those of `needs` whose end makes no difference.
    gate : callable, optional
        Says why it is not to run after all, or None; asked when it is about to. What it cannot say it leaves to `bind`.
    element : tuple of str and int, optional
        The act that it is one element of, and which one.
    around : callable, optional
        Opens what all its calls share where they run in this process: gets the arguments, and gives a context manager
        of them. A call in another process goes without.
    """

    name: str
    function: Callable[..., Any]
    bind: Callable[[], Mapping[str, Any]] = dict
    needs: tuple[str, ...] = ()
    rule: str = "all_success"
    settings: StepSettings = _NONE
    each: tuple[str, ...] = ()
    width: int | None = None
    deliver: Callable[[Any], None] | None = None
    is_local: bool = False
    optional: frozenset[str] = frozenset()
    element: tuple[str, int] | None = None
    gate: Callable[[], str | None] | None = None
    around: Callable[[Mapping[str, Any]], AbstractContextManager[Mapping[str, Any]]] | None = None


@dataclass(slots=True)
class ActResult:
    """What came of an act.

    Attributes
    ----------
    state : ActState
        How it ended.
    error : BaseException or None
        What it failed with.
    cause : Cause or None
        The same as text.
    duration : float, seconds
        From its start to its end, with all repetitions.
    tries : int
        How often it was repeated.
    reason : str
        Why it was skipped.
    failed_elements : list of int
        Of an act that is called once per element: those that failed.
    """

    name: str
    state: ActState = ActState.WAITING
    error: BaseException | None = None
    cause: Cause | None = None
    duration: float = 0.0
    tries: int = 0
    reason: str = ""
    failed_elements: list[int] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """It did what it should."""
        return self.state == ActState.DONE

    @property
    def is_bad(self) -> bool:
        """It failed, or was cut off."""
        return self.state in (ActState.ERROR, ActState.INTERRUPTED)


#: Name of a rule -> says of the acts before whether an act may run.
RULES: dict[str, Callable[[Sequence[ActResult]], bool]] = {
    "all_success": lambda before: all(one.is_good for one in before),
    "all_failed": lambda before: all(one.is_bad for one in before),
    "all_done": lambda before: True,
    "one_success": lambda before: any(one.is_good for one in before),
    "one_failed": lambda before: any(one.is_bad for one in before),
    "none_failed": lambda before: not any(one.is_bad for one in before),
    "none_skipped": lambda before: not any(one.state == ActState.SKIPPED for one in before),
}


def may_run(act: Act, before: Sequence[ActResult]) -> str | None:
    """Say why an act is skipped; None when it may run.

    Examples
    --------
    >>> failed = ActResult("read", ActState.ERROR)
    >>> may_run(Act("mean", sum, needs=("read",)), [failed])
    "'read' failed"
    >>> may_run(Act("tidy", sum, needs=("read",), rule="all_done"), [failed]) is None
    True
    """
    before = [one for one in before if one.name not in act.optional]
    if not before or RULES[act.rule](before):
        return None
    words = {
        ActState.ERROR: "failed",
        ActState.SKIPPED: "was skipped",
        ActState.INTERRUPTED: "was interrupted",
    }
    told = [f"{one.name!r} {words[one.state]}" for one in before if one.state in words]
    if act.rule == "all_success" and told:
        return told[0]
    return f"its rule is {act.rule}, and {', '.join(told) or 'all before it succeeded'}"
