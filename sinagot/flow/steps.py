"""A flow as a step of a workspace: the script that an attempt runs for one record.

Knows scripts, runs of flows and the inside of an attempt; must not know workspaces. Claims, atomic outputs, status and
reruns are those of any step; processors are acts of the attempt.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from sinagot.engine.acts.scene import Scene
from sinagot.engine.causes import STAGE
from sinagot.errors import FlowError, UpstreamFailed
from sinagot.flow.declared import UNNAMED, Declared, Fitted, fitted
from sinagot.flow.executors import LocalExecutor
from sinagot.flow.flow_run import FlowRun
from sinagot.flow.loops import run_apart, soon_caller
from sinagot.flow.sinks import sink_for
from sinagot.flow.starting import begin
from sinagot.flow.stopping import Stopping
from sinagot.flow.streams import IO
from sinagot.flow.telling import LogTeller, SceneTeller, Teller, alone
from sinagot.flow.wiring import Wiring
from sinagot.runlog.listeners import LISTENERS
from sinagot.scripts.inside import InsideScript
from sinagot.scripts.params import ParamsView, model_of
from sinagot.scripts.secrets import secrets_of
from sinagot.scripts.template import ScriptTemplate

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FlowScript", "script_class_of"]


class _AnyName(dict[str, Any]):
    """The one file that a flow reads, by whatever name it is asked for, beside those with a name."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)

    def __missing__(self, name: str) -> Any:
        return self[UNNAMED]


class _Context(NamedTuple):
    """What an attempt tells its processors; a `sinagot.flow.RunContext`."""

    record: Mapping[str, Any] | None
    paths: Mapping[str, Any] | None
    params: Mapping[str, Any]

    @property
    def logger(self) -> Any:
        """That of who asks: of the processor's voice."""
        return getattr(LISTENERS.current(), "logger", None)


class FlowScript(InsideScript):
    """Runs a flow for one record, and writes its sinks."""

    PATH_CONTROL = None
    KIND = "flow"
    flow_name: str
    wiring: Wiring
    declared: Declared
    fitted: Fitted

    def run(self) -> None:
        """Run all processors to their end; a failure of one is that of the attempt.

        Raises
        ------
        BaseException
            What the processor raised that failed first.
        FlowError
            The flow stood still, a stream grew too long, or a value does not fit into the file of a sink.
        """
        import anyio

        stopping = Stopping()
        with stopping.listening():
            error = run_apart(
                partial(anyio.run, partial(self._main, stopping), backend=self.declared.backend)
            )
        if stopping.error is not None:
            raise stopping.error
        if error is not None:
            raise error

    async def _main(self, stopping: Stopping) -> BaseException | None:
        """Run the flow in this loop; give what it failed with."""
        from anyio import create_task_group

        values = self._values()
        leading = begin(
            self.wiring,
            self._inputs(values),
            LocalExecutor(),
            tempfile.gettempdir(),
            {"keep": False, "pickle": self.declared.pickle, "spool_limit": self.declared.spool_limit},
            teller=self._teller(values),
            context=_Context(
                {"id": self.id, "task": self.task, "modality": self.modality, "step": self.label},
                self._paths(),
                values,
            ),
        )
        run = FlowRun(leading, self.wiring.outputs)
        problems: list[Exception] = []
        soon = soon_caller()

        def cancel() -> None:
            stopping.heard()
            leading.cancel()

        stopping.reaches(partial(soon, cancel), partial(soon, leading.leave_threads))
        try:
            async with create_task_group() as group:
                for stream in self.fitted.sinks:
                    group.start_soon(self._fill, run[stream], self.path.output[stream], run, problems)
                await run.wait()
        finally:
            await run.aclose()
        if run.errors:
            return _told(run.errors[0], self.flow_name)
        if problems:
            return problems[0]
        if run.status().state != "done" and stopping.error is None:
            return FlowError(f"flow {self.flow_name!r} was cancelled before its end")
        return None

    async def _fill(self, stream: IO[Any], path: Path, run: FlowRun, problems: list[Exception]) -> None:
        """Write a stream to its file; what goes wrong with it ends the run."""
        try:
            with sink_for(stream.name, str(path)) as sink:
                async for value in stream.stream():
                    sink.write(value)
        except UpstreamFailed:
            path.unlink(missing_ok=True)
        except Exception as error:  # noqa: BLE001  (raised where the attempt ends)
            problems.append(error)
            await run.cancel()

    # -- what the flow is given

    def _values(self) -> Mapping[str, Any]:
        """Give the parameters by name, with their types."""
        given = dict(getattr(self._given_params, "given", self._given_params) or {})
        merged = getattr(self.declared.params, "merged", None)
        if merged is not None:
            found: Mapping[str, Any] = merged(given)
            return found
        made = self.params
        if model_of(type(self)) is None:
            return ParamsView(made)
        return ParamsView({name: getattr(made, name) for name in type(made).model_fields})

    def _paths(self) -> Mapping[str, Any]:
        read, written = self.path.input, self.path.output
        own = {name: path for name, path in written.items() if name not in self.fitted.sinks}
        if isinstance(read, Mapping):
            return {**read, **own}
        return _AnyName({UNNAMED: read, **own})

    def _inputs(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Give the inputs of the flow: each one value, or one for each file where there are several."""
        read = self.path.input
        found: dict[str, Any] = {}
        for name, file in self.fitted.of_files.items():
            path = read[file] if isinstance(read, Mapping) else read
            found[name] = iter(path) if isinstance(path, list) else path
        return found | {name: values[name] for name in self.fitted.of_params}

    def _teller(self, values: Mapping[str, Any]) -> Teller:
        inside = self.inside
        if inside is None:  # the script was made by hand
            return LogTeller()
        secrets = secrets_of(values)
        if secrets:
            from sinagot.runlog.secrets import redactor  # most flows have none

            inside.log.redact = redactor(secrets)
        scene = Scene(
            inside.log,
            note=inside.note,
            fields={"flow": self.flow_name},
            key=inside.key,
            files=inside.files,
            source=inside.source,
            word="processor",
        )
        return SceneTeller(scene, self.declared.progress, inside.files)


def _told(error: Exception, flow: str) -> BaseException:
    """Give what the attempt fails with: what its processor failed with, so that causes are grouped by it."""
    cause = getattr(error, "cause", None)
    processor = getattr(error, "processor", None)
    if not isinstance(cause, BaseException):
        return error
    cause = alone(cause)
    if isinstance(cause, SystemExit):
        # The end of a script by sys.exit() may be a good one; that of a processor ends its siblings half-way.
        ended = FlowError(
            f"processor {processor!r} ended the program by SystemExit: {cause}", processor=processor
        )
        ended.__cause__ = cause
        cause = ended
    if processor is not None:
        cause.add_note(f"in processor {processor!r} of flow {flow!r}")
        try:
            setattr(cause, STAGE, processor)
        except (AttributeError, TypeError):
            pass  # of an exception that takes no attributes it is not told
    return cause


def script_class_of(flow: str | None, wiring: Wiring, declared: Declared, step: str) -> type[ScriptTemplate]:
    """Make the class of a step's script.

    Parameters
    ----------
    flow : str or None
        Name of the flow; that of the step when it has none.
    wiring : Wiring
        The flow.
    declared : Declared
        What it declares for being a step.
    step : str
        Name of the step.

    Raises
    ------
    FlowDefinitionError
        When it can be no step.
    """
    name = step if flow is None else flow
    found = fitted(name, wiring, declared)
    body: dict[str, Any] = {
        "PATH_IN": found.path_in,
        "PATH_OUT": found.path_out,
        "flow_name": name,
        "wiring": wiring,
        "declared": declared,
        "fitted": found,
        "__doc__": f"Flow {name!r}.",
    }
    if declared.model is not None:
        body["Params"] = declared.model
    return type("Script", (FlowScript,), body)
