"""What a flow declares for being a step of a workspace: files that it reads, sinks and files that it writes, options.

Pure: declarations in, checked facts out, or an error that names what is wrong. Must not know runs or attempts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple

from sinagot.config.hints import did_you_mean
from sinagot.errors import FlowDefinitionError
from sinagot.flow.ready import current_record
from sinagot.flow.sinks import SUFFIXES
from sinagot.flow.telling import PROGRESS
from sinagot.flow.wiring import Wiring
from sinagot.scripts.params import names_of

__all__ = ["BACKENDS", "UNNAMED", "Declared", "Fitted", "fitted"]

#: Event loops that a step can run its flow in.
BACKENDS = ("asyncio", "trio")
#: Name of the file of a `path_in` that is no mapping.
UNNAMED = "path"


class Declared(NamedTuple):
    """What was written at the flow."""

    path_in: Any = None
    path_out: Mapping[str, Any] | None = None
    sink: Mapping[str, Any] | None = None
    params: Any = None
    backend: str = "asyncio"
    progress: float = PROGRESS
    pickle: Any = False
    spool_limit: int | None = None

    def check(self, flow: str) -> Declared:
        """See that each of them is of its kind.

        Raises
        ------
        FlowDefinitionError
            When one is not.
        """
        for key in ("path_out", "sink"):
            value = getattr(self, key)
            if value is not None and not isinstance(value, Mapping):
                example = '{"power": ("PROCESSED", "{id}", "alpha.jsonl")}'
                raise FlowDefinitionError(
                    f"flow {flow!r}: {key} is a mapping of names to paths, as {example}; found {value!r:.80}"
                )
        if self.backend not in BACKENDS:
            hint = did_you_mean(str(self.backend), BACKENDS)
            raise FlowDefinitionError(
                f"flow {flow!r}: backend = {self.backend!r}; there are {' and '.join(BACKENDS)}"
                f"{'; ' + hint if hint else ''}"
            )
        if self.backend == "trio" and find_spec("trio") is None:
            raise FlowDefinitionError(
                f"flow {flow!r}: backend = 'trio' needs the package trio, which is not installed: pip install trio"
            )
        every: Any = self.progress
        if isinstance(every, bool) or not isinstance(every, int | float) or not every > 0:
            raise FlowDefinitionError(
                f"flow {flow!r}: progress = {self.progress!r} is no number of seconds above 0"
            )
        kind = self.params
        if kind is not None and not (_is_model(kind) or callable(getattr(kind, "script_model", None))):
            raise FlowDefinitionError(
                f"flow {flow!r}: params takes a pydantic model, or Parameters.define(...) of sinagot.pipeline; "
                f"found {kind!r:.80}"
            )
        return self

    @property
    def model(self) -> Any:
        """The class that checks its parameters; None where any will do."""
        if self.params is None or _is_model(self.params):
            return self.params
        return self.params.script_model()


class Fitted(NamedTuple):
    """What the step of a flow reads and writes."""

    #: As scripts declare it.
    path_in: Any
    path_out: dict[str, Any]
    #: Streams that are written to files, which are declared by the same names.
    sinks: tuple[str, ...]
    #: Input of the flow -> name of the file whose path it gets.
    of_files: dict[str, str]
    #: Inputs of the flow that get the parameter of the same name.
    of_params: tuple[str, ...]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and hasattr(kind, "model_validate")


def fitted(flow: str, wiring: Wiring, declared: Declared) -> Fitted:
    """See that a flow can be a step, and say what the step reads and writes.

    Parameters
    ----------
    flow : str
        Its name, for messages.
    wiring : Wiring
        The flow.
    declared : Declared
        What it declares.

    Raises
    ------
    FlowDefinitionError
        When it writes no file, when a sink or a file has no use or a suffix that is unknown, or when an input gets
        nothing.
    """
    sink, path_out = dict(declared.sink or {}), dict(declared.path_out or {})
    is_named = declared.path_in is None or isinstance(declared.path_in, Mapping)
    files = list(declared.path_in or ()) if is_named else [UNNAMED]
    for stream, path in sink.items():
        _check_sink(flow, wiring, stream, path)
    for name in path_out:
        if name in sink or name in files:
            other = "sink" if name in sink else "path_in"
            raise FlowDefinitionError(
                f"flow {flow!r}: {name!r} is a name in {other} and in path_out; give one of them another name"
            )
    _check_asked(flow, wiring, files if is_named else None, list(path_out))
    if not sink and not path_out:
        raise FlowDefinitionError(
            f"flow {flow!r} writes no file, and so can be no step: give it a sink, as "
            'sink={"power": ("PROCESSED", "{id}", "alpha.jsonl")}, or a file that a processor writes, by '
            "path_out={...} and Depends(path_out(...))"
        )
    of_files, of_params = _inputs(flow, wiring, declared, files)
    path_in = {} if declared.path_in is None else declared.path_in
    return Fitted(path_in, {**sink, **path_out}, tuple(sink), of_files, of_params)


def _check_sink(flow: str, wiring: Wiring, stream: str, path: Any) -> None:
    """See that a sink is for a stream that there is, and that its file can be written."""
    if stream not in wiring.producers:
        hint = did_you_mean(str(stream), wiring.outputs)
        raise FlowDefinitionError(
            f"flow {flow!r}: sink {stream!r} is no stream that a processor writes; there is "
            f"{', '.join(wiring.outputs) or 'none'}{'; ' + hint if hint else ''}",
            stream=stream,
        )
    last = path if isinstance(path, str) else path[-1] if isinstance(path, tuple | list) and path else ""
    name = last if isinstance(last, str) else ""
    if not name.lower().endswith(SUFFIXES):
        raise FlowDefinitionError(
            f"flow {flow!r}: the file of sink {stream!r} is {path!r}; a sink writes files that end with "
            f"{', '.join(SUFFIXES)}. Write others in a processor, by path_out={{...}} and Depends(path_out(...))",
            stream=stream,
        )


def _check_asked(flow: str, wiring: Wiring, read: list[str] | None, written: list[str]) -> None:
    """See that files that processors ask for are declared, and that somebody writes those that are to be written."""
    asked = {one for plan in wiring.plans.values() for one in plan.paths}
    for way, name in sorted(asked):
        known = written if way == "out" else read
        if known is not None and name not in known and not (way == "in" and name in written):
            who = next(one for one, plan in wiring.plans.items() if (way, name) in plan.paths)
            hint = did_you_mean(name, known)
            raise FlowDefinitionError(
                f"flow {flow!r}: processor {who!r} asks for path_{way}({name!r}), and path_{way} of the flow has "
                f"{', '.join(known) or 'none'}{'; ' + hint if hint else ''}",
                processor=who,
            )
    # Who has the record has all its paths.
    if any(node.function is current_record for plan in wiring.plans.values() for node in plan.nodes):
        return
    idle = [name for name in written if ("out", name) not in asked]
    if idle:
        raise FlowDefinitionError(
            f"flow {flow!r} declares path_out {idle[0]!r}, and no processor asks for it: write "
            f"Depends(path_out({idle[0]!r})) at an argument of the one that writes it"
        )


def _inputs(
    flow: str, wiring: Wiring, declared: Declared, files: list[str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Say what each input of the flow gets: the path of the file of its name, or the parameter of its name."""
    named = [] if declared.model is None else names_of(declared.model)
    if files == [UNNAMED] and not isinstance(declared.path_in, Mapping) and len(wiring.inputs) == 1:
        return {wiring.inputs[0]: UNNAMED}, ()
    of_files = {name: name for name in wiring.inputs if name in files}
    of_params = tuple(
        name for name in wiring.inputs if name not in files and (named is None or name in named)
    )
    missing = [name for name in wiring.inputs if name not in of_files and name not in of_params]
    if missing:
        known: Iterable[str] = [*files, *(named or ())]
        readers = ", ".join(map(repr, wiring.readers[missing[0]]))
        hint = did_you_mean(missing[0], known) or did_you_mean(missing[0], wiring.outputs)
        raise FlowDefinitionError(
            f"flow {flow!r}: nothing is known for input {missing[0]!r} of {readers}: in a step, an input that no "
            f"processor writes gets the path that path_in has by this name, or the parameter of this name in params"
            f"{'; ' + hint if hint else ''}",
            stream=missing[0],
        )
    return of_files, of_params
