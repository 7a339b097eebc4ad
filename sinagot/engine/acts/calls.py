"""One call of a function in a child process: how it is packed, what runs there, and how its end is told.

Knows functions, values and exceptions; must not know executors, nor who asked. `remote` sends calls, the program of a
child runs them; only here a function that was sent is called.
"""

from __future__ import annotations

import contextlib
import functools
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from threading import Lock
from typing import Any, NamedTuple

from sinagot.engine.acts.voices import log_of
from sinagot.engine.causes import explain
from sinagot.engine.job import CallJob, Cause, JobResult, Outcome
from sinagot.engine.limits import limited
from sinagot.engine.meter import Meter
from sinagot.engine.obedience import ScriptStoppedBySignals, is_of_a_stop, stop_was_asked
from sinagot.errors import UnsendableError
from sinagot.runlog.capture import AttemptLog, capture
from sinagot.scripts.modules import activated
from sinagot.scripts.sources import MODULE_PREFIX

__all__ = ["Carried", "Request", "packed", "packed_request", "run_call", "run_calls", "unpacked"]

#: Bytes of an exception that travels; of one that carries more, type, message and traceback do.
_LARGEST_ERROR = 1 << 20

_GUARD = Lock()
#: As `_newest` when modules were looked at last.
_looked_at: list[tuple[int, str]] = [(0, "")]


class Carried(NamedTuple):
    """What surrounds a call where it runs.

    Attributes
    ----------
    enter : callable
        Called there with `data`; gives a context manager around the call, which gives a callable without arguments.
        What that gives after the call, well or not, is handed back to the caller.
    data : object
        Anything that can be pickled.
    """

    enter: Callable[[Any], AbstractContextManager[Callable[[], Any]]]
    data: Any = None


class Request(NamedTuple):
    """What is called, and with what."""

    function: Callable[..., Any]
    arguments: Mapping[str, Any]
    carried: Carried | None = None


def packed(value: Any) -> tuple[Any, ...]:
    """Give a value as a pickle and its large buffers, which are not copied.

    What another process could not import travels by value: functions of the main module and of notebooks, lambdas,
    and all that the modules of scripts define.
    """
    import cloudpickle

    buffers: list[pickle.PickleBuffer] = []
    _let_scripts_travel(cloudpickle)
    return cloudpickle.dumps(value, protocol=5, buffer_callback=buffers.append), *buffers


def _let_scripts_travel(cloudpickle: Any) -> None:
    """Say that modules made from scripts cannot be imported: a look at the names, when there are new ones."""
    if _newest() == _looked_at[0]:
        return
    with _GUARD:  # whoever comes meanwhile waits until all of them are known
        newest = _newest()
        for name, module in list(sys.modules.items()):
            if name.startswith(MODULE_PREFIX):
                cloudpickle.register_pickle_by_value(module)
        _looked_at[0] = newest


def _newest() -> tuple[int, str]:
    """Give what changes when a module is loaded, also in the place of another."""
    names = list(sys.modules)
    return len(names), names[-1]


def unpacked(parts: Sequence[Any]) -> Any:
    """Give the value of what `packed` gave."""
    head, *buffers = parts
    return pickle.loads(head, buffers=buffers)


def packed_request(name: str, request: Request) -> tuple[Any, ...]:
    """Pack a call.

    Parameters
    ----------
    name : str
        What messages call it.
    request : Request
        The call.

    Raises
    ------
    UnsendableError
        The function, an argument or what is carried cannot be pickled; says which, and of what type it is.
    """
    try:
        return packed(request)
    except Exception as error:
        suspects = {f"argument {key!r}": value for key, value in request.arguments.items()}
        suspects |= {"its function": request.function, "what surrounds it": request.carried}
        for what, value in suspects.items():
            try:
                packed(value)
            except Exception as reason:  # noqa: BLE001  (whatever the user's object does)
                raise _unsendable(name, what, value, reason) from error
        raise _unsendable(name, "the call", request, error) from error


def _unsendable(name: str, what: str, value: Any, error: BaseException) -> UnsendableError:
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    return UnsendableError(
        f"{name}: {what} (of type {kind}) cannot be sent to another process: {type(error).__name__}: {error}; "
        "run it in this process, without timeout and memory limit, or give what it is made from",
        call=name,
        part=what,
        type_name=kind,
    )


# -- in the child -----------------------------------------------------------------------------------------------------


def run_calls(
    calls: Sequence[CallJob], stopping: Callable[[], bool], after_call: Callable[[JobResult], None]
) -> list[JobResult]:
    """Run calls in order, until a stop is asked for."""
    results: list[JobResult] = []
    for call in calls:
        if stopping():
            break
        result = run_call(call)
        after_call(result)
        results.append(result)
    return results


def run_call(call: CallJob) -> JobResult:
    """Call a function that was sent, and tell how it ended.

    Parameters
    ----------
    call : CallJob
        The call.

    Returns
    -------
    JobResult
        Its `value` is a pair: what the function gave (None when it failed), and what came back of what surrounded it.
    """
    log = None if call.voice is None else log_of(call.voice)
    meter = Meter()
    back: list[Any] = []
    files = list(call.files)
    sys.path += [folder for folder in call.path if folder not in sys.path]
    try:
        with ScriptStoppedBySignals(), limited(call, "", meter), _within(call, log):
            value = _value_of(call, files, back)
    except BaseException as error:  # noqa: BLE001  (the user's code: whatever leaves it)
        interrupted = stop_was_asked() and is_of_a_stop(error)
        redact = str if call.voice is None else call.voice.redact
        cause = _explained(error, files, redact)
        value = _packed_quietly((None, back))
        outcome = Outcome.INTERRUPTED if interrupted else Outcome.FAILED
        return _result(call, outcome, meter, log, value, cause)
    return _result(call, Outcome.DONE, meter, log, value)


def _within(call: CallJob, log: AttemptLog | None) -> AbstractContextManager[Any]:
    stack = contextlib.ExitStack()
    if call.source is not None:
        stack.enter_context(activated(call.source))
    if log is not None:
        stack.enter_context(capture(log))
    return stack


def _value_of(call: CallJob, files: list[str], back: list[Any]) -> tuple[Any, ...]:
    """Make the call: only here the function of the user is called; gives what goes back."""
    try:
        request: Request = unpacked(call.payload)
    except Exception as error:
        raise UnsendableError(
            f"{call.key}: the call cannot be rebuilt in the worker process: {type(error).__name__}: {error}; "
            "what it needs must be importable there",
            call=call.key,
        ) from error
    files += _files_of(request.function)
    if request.carried is None:
        value = request.function(**request.arguments)
    else:
        with request.carried.enter(request.carried.data) as given:
            try:
                value = request.function(**request.arguments)
            finally:
                back.append(given())
    result = (value, back)
    del request
    try:
        return _packed_result(result)
    except Exception as error:
        kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
        raise UnsendableError(
            f"{call.key}: its result (of type {kind}) cannot be sent back from the worker process: "
            f"{type(error).__name__}: {error}; give something that pickle takes, or run it in the main process",
            call=call.key,
            part="its result",
            type_name=kind,
        ) from error


def _packed_result(value: Any) -> tuple[Any, ...]:
    """Pack what goes back; plain pickle knows nearly all that a function gives, and is much the faster."""
    buffers: list[pickle.PickleBuffer] = []
    try:
        return pickle.dumps(value, protocol=5, buffer_callback=buffers.append), *buffers
    except Exception:  # noqa: BLE001  (classes of the main module, lambdas)
        return packed(value)


def _packed_quietly(value: Any) -> tuple[Any, ...]:
    try:
        return _packed_result(value)
    except Exception:  # noqa: BLE001  (the failure itself counts)
        return ()


def _files_of(function: Any) -> list[str]:
    """Give the file of a function's code, through what wraps it."""
    while isinstance(function, functools.partial):
        function = function.func
    function = getattr(function, "__wrapped__", getattr(function, "__func__", function))
    code = getattr(function, "__code__", None)
    if code is None:  # an object that can be called
        code = getattr(vars(type(function)).get("__call__"), "__code__", None)
    return [] if code is None else [code.co_filename]


def _explained(error: BaseException, files: Sequence[str], redact: Callable[[str], str]) -> Cause:
    cause = explain(error, files, None, redact)
    if cause.exc_type == "StepTimeoutError":
        return cause  # it is made where it is raised
    return cause._replace(packed=_packed_error(error))


def _packed_error(error: BaseException) -> bytes:
    try:
        try:
            data = pickle.dumps(error, protocol=5)
        except Exception:  # noqa: BLE001  (of a class of the main module)
            import cloudpickle

            data = cloudpickle.dumps(error, protocol=5)
    except Exception:  # noqa: BLE001  (whatever the user's exception does)
        return b""
    return data if len(data) <= _LARGEST_ERROR else b""


def _result(
    call: CallJob,
    outcome: str,
    meter: Meter,
    log: AttemptLog | None,
    value: tuple[Any, ...],
    cause: Cause | None = None,
) -> JobResult:
    warnings: tuple[str, ...] = ()
    printed: tuple[str, ...] = ()
    if log is not None:
        if log.error is not None:
            warnings = (f"{call.key}: lines of the log are lost: {log.error}",)
        if log.printer is not None:
            printed = tuple(log.printer.lines)
    duration = meter.facts()["duration_s"]
    return JobResult(call.key, outcome, duration, cause, printed=printed, warnings=warnings, value=value)
