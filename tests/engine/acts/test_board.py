"""Acts on threads: who runs what, and what one leaves to the next."""

from __future__ import annotations

import contextvars
import threading
from functools import partial

from sinagot.engine.acts.act import Act, ActState
from sinagot.engine.acts.board import Board
from sinagot.engine.acts.scene import Scene
from sinagot.runlog.capture import AttemptLog
from sinagot.runlog.write import NoLog

PATIENCE = 60


def run(acts: list[Act], width: int = 8) -> dict[str, str]:
    """Run acts; give how each ended."""
    board = Board(Scene(AttemptLog(NoLog(), {}, 20)), width=width)
    return {name: str(result.state) for name, result in board.run(acts).items()}


def test_tiny_acts_are_run_in_their_order_and_see_nothing_of_one_another() -> None:
    """Tiny acts run one after the other as declared; what one sets in its context the next does not see."""
    variable = contextvars.ContextVar("variable", default=0)
    seen: list[tuple[int, int]] = []

    def note(number: int) -> None:
        seen.append((number, variable.get()))
        variable.set(number)

    token = variable.set(-1)
    try:
        states = run([Act(f"a{number}", partial(note, number)) for number in range(1, 200)], width=1)
    finally:
        variable.reset(token)
    assert seen == [(number, -1) for number in range(1, 200)]
    assert set(states.values()) == {ActState.DONE}


def test_acts_that_get_ready_late_get_threads() -> None:
    """Acts that are ready only when all threads are taken run side by side as soon as they are, though nobody has ended."""
    meeting, met = threading.Barrier(3, timeout=PATIENCE), threading.Event()
    before = threading.Event()

    def meet() -> None:
        meeting.wait()
        met.set()

    acts = [
        Act("long", partial(met.wait, PATIENCE)),
        Act("first", before.set),
        Act("second", partial(before.wait, PATIENCE), needs=("first",)),
        *(Act(f"meet{number}", meet, needs=("second",)) for number in range(3)),
        Act("last", dict, needs=("meet0", "meet1", "meet2", "long")),
    ]
    assert set(run(acts, width=4).values()) == {ActState.DONE}


def test_act_that_is_alone_runs_in_the_thread_of_the_caller() -> None:
    """Before and after others that ran side by side, an act that is ready alone runs where the run was asked for."""
    threads: dict[str, int] = {}

    def note(name: str) -> None:
        threads[name] = threading.get_ident()

    many = [f"many{number}" for number in range(20)]
    acts = [
        Act("first", partial(note, "first")),
        *(Act(name, partial(note, name), needs=("first",)) for name in many),
        Act("last", partial(note, "last"), needs=tuple(many)),
    ]
    run(acts)
    assert threads["first"] == threads["last"] == threading.get_ident()
    assert threads["many0"] != threading.get_ident()


def test_failure_stops_what_was_ready() -> None:
    """When one of many that are ready fails, none that was not begun is called."""
    called: list[int] = []

    def call(number: int) -> None:
        called.append(number)
        if number == 3:
            raise ValueError("no")

    states = run([Act(f"a{number}", partial(call, number)) for number in range(100)], width=1)
    assert called == [0, 1, 2, 3]
    assert list(states.values()) == [ActState.DONE] * 3 + [ActState.ERROR] + [ActState.SKIPPED] * 96
