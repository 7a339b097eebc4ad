"""What travels to where a processor is run elsewhere: the function, the way to its streams, and errors on the way back.

Knows how functions and exceptions are packed; must not know who sends them or what carries them. `remote` makes
postings, `outposts` opens them.
"""

from __future__ import annotations

import hashlib
import logging
import pickle
import socket
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import CodeType
from typing import Any, NamedTuple

from sinagot.engine.acts.calls import packed as packed_by_value
from sinagot.engine.causes import attach, cause_of
from sinagot.engine.causes import packed as packed_error
from sinagot.engine.causes import unpacked as unpacked_error
from sinagot.engine.job import Cause
from sinagot.errors import RemoteError, UnsendableError
from sinagot.flow.pieces import Piece
from sinagot.flow.processor import Processor
from sinagot.flow.ready import RunContext
from sinagot.scripts.sources import MODULE_PREFIX

__all__ = [
    "CANCELLED",
    "DONE",
    "REFUSED",
    "InputFacts",
    "Parcel",
    "Posting",
    "SentContext",
    "beats_of",
    "context_of",
    "error_from",
    "pack",
    "packed_cause",
    "unpack",
]

#: How an attempt ends elsewhere: all is written; the run wanted an end; somebody else runs this attempt.
DONE, CANCELLED, REFUSED = "done", "cancelled", "refused"

_GUARD = threading.Lock()
#: Modules that exist in every process, each with other things in it.
_MAIN = frozenset(("__main__", "__mp_main__"))
#: Bytes of an exception that travels.
_LARGEST_ERROR = 1 << 20


class InputFacts(NamedTuple):
    """What does not change of a stream that is read."""

    producer: str | None
    batch: int


@dataclass(frozen=True)
class SentContext:
    """What ready-made dependencies read, where the run itself is not."""

    record: Mapping[str, Any] | None
    paths: Mapping[str, Any] | None
    params: Mapping[str, Any]

    @property
    def logger(self) -> logging.Logger:
        """The log of the worker: that of the record is not here."""
        return logging.getLogger("sinagot.flow")


def context_of(context: RunContext | None) -> SentContext | None:
    """Give what travels of what ready-made dependencies read."""
    return None if context is None else SentContext(context.record, context.paths, dict(context.params))


class Parcel(NamedTuple):
    """A processor on its way: where it can be imported from, and itself."""

    name: str
    #: Module and name in it; empty where it cannot be imported.
    module: str
    attribute: str
    #: Tells its code from another version of it.
    digest: str
    #: The processor and its plan by value; empty where that cannot be.
    body: bytes


@dataclass(frozen=True)
class Posting:
    """One attempt of one processor, as it is sent."""

    run_id: str
    processor: str
    attempt: int
    parcel: Parcel
    #: Opens the store.
    handle: Any
    #: Names of the streams beside the streams begin with it.
    prefix: str
    #: The event loop that the run has: ``asyncio`` or ``trio``.
    backend: str
    inputs: Mapping[str, InputFacts]
    #: Name of an output -> the piece that this attempt writes.
    outputs: Mapping[str, Piece]
    #: What ready-made dependencies read.
    context: SentContext | None
    #: Seconds without a sign of the run after which it is taken for dead.
    patience: float

    @property
    def up(self) -> str:
        """The stream of what the processor reports."""
        return f"{self.prefix} up {self.attempt} {self.processor}"

    @property
    def down(self) -> str:
        """The stream of what it is told."""
        return f"{self.prefix} down {self.attempt} {self.processor}"

    @property
    def beats(self) -> str:
        """The stream of signs that the run lives."""
        return beats_of(self.prefix)

    @property
    def claim(self) -> str:
        """Whoever takes it runs the attempt."""
        return f"{self.prefix} claim {self.attempt} {self.processor}"


def beats_of(prefix: str) -> str:
    """Name the stream of signs that a run lives."""
    return f"{prefix} beats"


# -- processors -------------------------------------------------------------------------------------------------------


def pack(processor: Processor, plan: Any) -> Parcel:
    """Pack a processor.

    It is named by its module where it has one; and goes by value too, for places where that cannot be imported.

    Parameters
    ----------
    processor : Processor
        What is packed.
    plan : Plan
        Where the arguments of its body come from.

    Raises
    ------
    UnsendableError
        When it can neither be imported nor be pickled.
    """
    module, attribute = _place_of(processor)
    try:
        body = _by_value((processor, plan), module)
    except Exception as error:
        if not module:
            raise UnsendableError(
                f"processor {processor.name!r} cannot be sent to another process: {type(error).__name__}: {error}; "
                f"make what it uses inside of it or by Depends, or put it into a module ({processor.place})",
                call=processor.name,
                part="its function",
            ) from error
        body = b""
    return Parcel(processor.name, module, attribute, _digest_of(processor.function), body)


def _place_of(processor: Processor) -> tuple[str, str]:
    """Say which module has the processor, and as what; empty texts where none has that others could import."""
    function = processor.function
    name = getattr(function, "__module__", None) or ""
    module = sys.modules.get(name)
    if module is None or name in _MAIN or name.startswith(MODULE_PREFIX):
        return "", ""
    attribute = next((key for key, value in vars(module).items() if value is processor), "")
    return (name, attribute) if attribute else ("", "")


def _by_value(value: Any, module: str) -> bytes:
    import cloudpickle

    found = sys.modules.get(module)
    with _GUARD:
        by_value = found is not None and module not in cloudpickle.list_registry_pickle_by_value()
        if by_value:
            cloudpickle.register_pickle_by_value(found)
        try:
            head, *buffers = packed_by_value(value)
        finally:
            if by_value:
                cloudpickle.unregister_pickle_by_value(found)
    return pickle.dumps((head, [bytes(one) for one in buffers]))


def _digest_of(function: Any) -> str:
    """Tell a function by what it does, wherever its file is."""
    digest = hashlib.sha256()
    todo = [getattr(function, "__code__", None)]
    while todo:
        code = todo.pop()
        if code is None:
            continue
        digest.update(code.co_code + repr(code.co_names).encode("utf-8", "surrogatepass"))
        for one in code.co_consts:
            if isinstance(one, CodeType):
                todo.append(one)
            elif not isinstance(one, frozenset):  # whose order is another one in each process
                digest.update(repr(one).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def unpack(parcel: Parcel) -> tuple[Processor, Any]:
    """Give a processor and its plan: of the module that is installed here, or as it was sent.

    Raises
    ------
    UnsendableError
        When neither can be had here.
    """
    why = ""
    if parcel.module:
        try:
            found = getattr(import_module(parcel.module), parcel.attribute)
        except Exception as error:  # noqa: BLE001  (code of the user)
            why = f"{type(error).__name__}: {error}"
        else:
            if isinstance(found, Processor) and _digest_of(found.function) == parcel.digest:
                return found, found.plan
            why = f"module {parcel.module} is another version here"
    try:
        if not parcel.body:
            raise UnsendableError(why)
        head, buffers = pickle.loads(parcel.body)
        processor, plan = pickle.loads(head, buffers=buffers)
    except Exception as error:
        raise UnsendableError(
            f"processor {parcel.name!r} cannot be rebuilt on host {socket.gethostname()}: "
            f"{why or f'{type(error).__name__}: {error}'}; install there what it imports",
            call=parcel.name,
            part="its function",
        ) from error
    return processor, plan


# -- errors -----------------------------------------------------------------------------------------------------------


def packed_cause(error: BaseException) -> list[Any]:
    """Give an exception as plain values: whole where it can be, else its text and traceback."""
    return list(cause_of(error, ())._replace(packed=packed_error(error) or _by_copy(error)))


def _by_copy(error: BaseException) -> bytes:
    """Pack an exception whose class is local to a script."""
    try:
        head, *_ = packed_by_value(error)
    except Exception:  # noqa: BLE001  (whatever the user's exception does)
        return b""
    return head if len(head) <= _LARGEST_ERROR else b""


def error_from(plain: Any) -> BaseException:
    """Give the exception of `packed_cause`; `RemoteError` where only its text came through.

    Parameters
    ----------
    plain : list
        As `packed_cause` gives it.
    """
    cause = Cause(*plain)
    error = unpacked_error(cause)
    if error is None:
        error = RemoteError(f"{cause.exc_type}: {cause.message}", exc_type=cause.exc_type)
        attach(error, cause)
    return error
