"""How a run is asked to stop."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from sinagot.engine.obedience import obeying, signal_came
from sinagot.engine.stop import RunTerminated, StopRequest, run_interrupted


def send(number: int) -> None:
    """Send a signal to ourselves and wait until it was seen."""
    os.kill(os.getpid(), number)
    time.sleep(0.001)


@pytest.fixture
def plain_handlers():
    """Give every signal the handler that a plain program has."""
    defaults = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
        signal.SIGUSR1: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in defaults.items()}
    yield defaults
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_first_signal_sets_a_flag(plain_handlers, number: signal.Signals) -> None:
    """The first signal only asks; grace passes before it is urgent, and the handlers are put back."""
    with StopRequest(30.0, here=True) as stop:
        assert not stop.requested and not stop.now
        send(number)
        assert stop.requested and not stop.now and stop.signum == number
    assert {one: signal.getsignal(one) for one in plain_handlers} == plain_handlers


def test_second_signal_is_urgent(plain_handlers) -> None:
    """A second signal does not wait for the grace."""
    with StopRequest(30.0, here=False) as stop:
        send(signal.SIGINT)
        send(signal.SIGINT)
        assert stop.now and stop.times == 2


def test_only_signals_are_hurried(plain_handlers) -> None:
    """What is asked to stop without haste may begin what belongs to it; after a signal there is no time."""
    with StopRequest(60.0, here=False) as stop, obeying(stop):
        assert not stop.is_hurried and not signal_came()
        stop.ask()
        assert stop.requested and not stop.is_hurried and not signal_came()
    with StopRequest(60.0, here=False) as stop, obeying(stop):
        send(signal.SIGINT)
        assert stop.is_hurried and signal_came()
    assert not signal_came()


def test_grace_runs_out(plain_handlers) -> None:
    """After the grace the request is urgent by itself."""
    with StopRequest(0.0, here=False) as stop:
        stop.request(signal.SIGTERM)
        assert stop.now


def test_script_in_this_thread_is_interrupted_after_the_grace(plain_handlers) -> None:
    """A script that runs here gets a KeyboardInterrupt when the grace is over."""
    with StopRequest(0.02, here=True) as stop:
        stop.script_running = True
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGTERM)
            time.sleep(60)
        assert stop.signum == signal.SIGTERM


def test_end_of_grace_is_told_until_it_is_heard(plain_handlers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that Python does not tell at once, because a wait was just beginning, is sent again."""
    kill, sent = os.kill, []

    def deaf(pid: int, number: int) -> None:
        sent.append(number)
        if len(sent) not in (2, 3):
            kill(pid, number)

    monkeypatch.setattr(os, "kill", deaf)
    monkeypatch.setattr("sinagot.engine.stop._INSIST", 0.02)
    with StopRequest(0.02, here=True) as stop:
        stop.script_running = True
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGTERM)
            for _ in range(1200):
                time.sleep(0.05)
    assert len(sent) >= 4


def test_script_in_this_thread_is_interrupted_by_the_second_signal(plain_handlers) -> None:
    """A second Ctrl-C raises in the script at once."""
    with StopRequest(30.0, here=True) as stop:
        stop.script_running = True
        send(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)


def test_nothing_is_raised_where_no_script_runs(plain_handlers) -> None:
    """Between scripts, and where scripts run elsewhere, signals raise nothing."""
    for here, running in ((True, False), (False, True)):
        with StopRequest(0.0, here=here) as stop:
            stop.script_running = running
            for _ in range(3):
                send(signal.SIGINT)
            assert stop.times == 3


def test_handlers_of_the_program_are_left_alone(plain_handlers) -> None:
    """A signal that the program handles itself stays its own."""
    seen = []
    signal.signal(signal.SIGTERM, lambda *_: seen.append(1))
    with StopRequest(1.0, here=True) as stop:
        send(signal.SIGTERM)
        assert not stop.requested and seen == [1]


def test_other_threads_install_nothing(plain_handlers) -> None:
    """A run in a thread of the program can't and does not handle signals."""

    def enter() -> None:
        with StopRequest(1.0, here=True):
            found.append(signal.getsignal(signal.SIGINT))

    found: list[object] = []
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]


def test_exceptions_carry_the_report_and_the_exit_code() -> None:
    """Ctrl-C is a KeyboardInterrupt; SIGTERM and SIGHUP are exits with 143 and 129."""
    interrupt = run_interrupted("report")
    assert type(interrupt) is KeyboardInterrupt and vars(interrupt) == {"report": "report"}
    for number, code in ((signal.SIGTERM, 143), (signal.SIGHUP, 129)):
        error = RunTerminated(number, "report")
        assert isinstance(error, SystemExit) and error.code == code and error.report == "report"
