"""One attempt that is about no record: its run, its log, its events, and how it is stopped.

Knows the state folder, logs and signals; must not know what the work is: a pipeline, a template. It has no outputs of
its own, and so no claim and no mark of a failure; any number of them run at once.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from sinagot.dataset.volumes import unwritable
from sinagot.engine.accounts.counts import Tally
from sinagot.engine.acts.inside import Inside
from sinagot.engine.causes import cause_of
from sinagot.engine.job import Cause, Outcome, RunOptions, job_key
from sinagot.engine.meter import Meter
from sinagot.engine.obedience import ScriptStoppedBySignals, is_of_a_stop, obeying, stop_was_asked
from sinagot.engine.state.bench import Bench, bench_for, close_benches
from sinagot.engine.state.sweep import sweep
from sinagot.engine.stop import RunTerminated, StopRequest, run_interrupted
from sinagot.engine.whole import Whole
from sinagot.errors import PipelineError, StorageError
from sinagot.runlog.capture import AttemptLog, capture
from sinagot.runlog.lines import now_utc
from sinagot.runlog.printing import Printer
from sinagot.runlog.write import NoLog, RecordLog
from sinagot.scripts.codes import StepStatus
from sinagot.scripts.modules import activated
from sinagot.scripts.sources import SourceSet

__all__ = ["Solo", "run_solo", "solo_id", "stopped_run"]

_T = TypeVar("_T")
_STATUS = {
    Outcome.DONE: StepStatus.DONE,
    Outcome.FAILED: StepStatus.ERROR,
    Outcome.INTERRUPTED: StepStatus.INTERRUPTED,
}


def solo_id(kind: str, name: str) -> str:
    """Give what stands where other attempts have the id of a record; its slash keeps it from being one.

    Examples
    --------
    >>> solo_id("pipeline", "nightly"), solo_id("pipeline", "a/b")
    ('pipelines/nightly', 'pipelines/a%2Fb')
    """
    return f"{kind}s/{name.replace('/', '%2F')}"


class Solo(NamedTuple, Generic[_T]):
    """What is to be done once, for no record."""

    #: One word for what it is, as manifests and lines of the log have it.
    kind: str
    name: str
    #: Does it within its attempt: gives what came of it, and the last line of the log.
    work: Callable[[Inside], tuple[_T, str]]
    #: Called before it begins, with the run's folder: gives the facts of the manifest.
    prepare: Callable[[str], Mapping[str, Any]]
    #: The user's code; None where it is none of Python.
    source: SourceSet | None = None
    #: As they stand in the log: nothing secret.
    params: Mapping[str, Any] = {}
    #: Called with each event of an act, beside the history.
    tell: Callable[[dict[str, Any]], None] = lambda event: None
    #: Its lines go to a log file, beside the events.
    writes_log: bool = True


def run_solo(options: RunOptions, solo: Solo[_T], *, stop_grace: float, printer: Printer | None = None) -> _T:
    """Do it as a run of its own.

    Parameters
    ----------
    options : RunOptions
        Where everything is.
    solo : Solo
        What is done.
    stop_grace : float, seconds
        What runs gets after the first signal.
    printer : Printer, optional
        Shows the lines of the log.

    Returns
    -------
    object
        What the work gave.

    Raises
    ------
    StorageError
        A folder can't be written; nothing was begun.
    KeyboardInterrupt
        Ctrl-C; `result` is that of the work, where it had one.
    RunTerminated
        Another signal ended it; `result` as above.

    Notes
    -----
    Whatever the work raises is raised, once it is on record.
    """
    whole = Whole(options.state_path, options.run_id)
    tally, warnings = Tally(), list[str]()
    found: _T | None = None
    problem: BaseException | None = None
    with ExitStack() as stack:
        stop = stack.enter_context(StopRequest(stop_grace, here=True))
        stack.enter_context(obeying(stop))
        whole.stop = stop
        bench = _begin(options, solo, whole)
        stack.callback(_end, whole, tally, stop, warnings)
        stack.callback(close_benches, options.run_id)
        attempt = _Attempt(options, solo, bench, printer, whole)
        try:
            found = attempt.run()
        except BaseException as error:  # noqa: BLE001  (raised again, when the run has its end)
            problem = error
        finally:
            tally.add(attempt.outcome)
            warnings += attempt.warnings
    if stop.signum is not None:
        raise stopped_run(stop.signum, found, problem) from problem
    if problem is not None:
        raise problem
    return found  # type: ignore[return-value]  # it is what the work gave


def _begin(options: RunOptions, solo: Solo[Any], whole: Whole) -> Bench:
    """Write down that the run begins, before anything of the user's runs."""
    try:
        why = unwritable(options.log.folder) if solo.writes_log else None
        if why is not None:
            raise StorageError(
                f"the log folder {options.log.folder} can't be written: {why}; nothing was run. Change its "
                "permissions, or put it elsewhere with `log` below [path]",
                path=options.log.folder,
            )
        facts = solo.prepare(whole.folder.path)
        sweep(options.state_path, options.stage_base)
        whole.begin(kind=solo.kind, **{solo.kind: solo.name}, records=0, jobs=1, **facts)
        return bench_for(options)
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(
            f"the state folder {options.state_path} can't be written: {error.strerror or error}; free space, "
            "or put it elsewhere with `state` below [path]",
            path=options.state_path,
        ) from error


def _end(whole: Whole, tally: Tally, stop: StopRequest, warnings: list[str]) -> None:
    try:
        whole.end(counts=tally.counts, ok=tally.ok, stopped_by=stop.signum, warnings=warnings)
    except OSError:
        pass  # what was done is on record, line by line: who looks takes the run for one that died


def stopped_run(signum: int, found: Any, problem: BaseException | None) -> Any:
    """Make what a signal leads to, with what was done."""
    error: Any = run_interrupted() if signum == signal.SIGINT else RunTerminated(signum)
    error.result = found if found is not None else getattr(problem, "result", None)
    return error


class _Attempt:
    """The attempt, and what is written down of it."""

    def __init__(
        self, options: RunOptions, solo: Solo[Any], bench: Bench, printer: Printer | None, whole: Whole
    ) -> None:
        self.outcome = Outcome.INTERRUPTED
        #: What could not be written down.
        self.warnings: list[str] = []
        self._options, self._solo, self._bench = options, solo, bench
        self._record_id = solo_id(solo.kind, solo.name)
        self._key = job_key(self._record_id, None, None, solo.name.replace("/", "%2F"))
        self._name = bench.next_attempt()
        context = {
            "workspace_version": options.workspace_version,
            "record_id": self._record_id,
            "task": None,
            "modality": None,
            "step_label": solo.name,
            "run_id": options.run_id,
            "attempt": self._name,
        }
        kept = RecordLog(options.log, self._record_id) if solo.writes_log else NoLog()
        log = AttemptLog(kept, context, options.level, printer)
        self._log = log.within(**{solo.kind: solo.name})
        files = () if solo.source is None else tuple(path for path, _ in solo.source.files)
        self._inside = Inside(
            options.run_id, self._key, self._log, self._note, files, solo.source, options.debug, whole
        )

    def _note(self, event: dict[str, Any]) -> None:
        self._bench.events.append(event)
        self._solo.tell(event)

    def run(self) -> Any:
        """Do the work; whatever comes of it is on record when this returns or raises."""
        log, solo = self._log, self._solo
        meter = Meter()
        try:
            log.line(StepStatus.INIT, "Init run", hold=True)
            log.line(StepStatus.PROCESSING, "Processing run")
            with ExitStack() as stack:
                if solo.source is not None:
                    stack.enter_context(activated(solo.source))
                stack.enter_context(capture(log))
                stack.enter_context(ScriptStoppedBySignals())
                found, text = solo.work(self._inside)
        except BaseException as error:
            # Where it ran on another thread, the stage tells of it.
            own = error.__cause__ if isinstance(error, PipelineError) and error.__cause__ else error
            is_stop = isinstance(own, KeyboardInterrupt) or (stop_was_asked() and is_of_a_stop(own))
            self.outcome = Outcome.INTERRUPTED if is_stop else Outcome.FAILED
            self._settle(error, meter.facts())
            raise
        self.outcome = Outcome.DONE
        self._close(meter.facts(), text, "INFO")
        return found

    def _settle(self, error: BaseException, facts: dict[str, float]) -> None:
        """Put on record that it failed, or was cut off."""
        # Of a stage, its own exception tells where and why.
        own = error.__cause__ if isinstance(error, PipelineError) and error.__cause__ else error
        cause = cause_of(own, self._inside.files, shown=self._log.redact)
        text = self._log.redact(str(error)) if isinstance(error, PipelineError) else cause.message
        if self.outcome == Outcome.INTERRUPTED:
            text = "Run interrupted"
        self._close(facts, text or cause.exc_type, "ERROR", cause, getattr(error, "stage", None))

    def _close(
        self,
        facts: dict[str, float],
        text: str,
        level: str,
        cause: Cause | None = None,
        stage: str | None = None,
    ) -> None:
        solo, code = self._solo, None if self._solo.source is None else self._solo.source.digest
        event: dict[str, Any] = {
            "event": self.outcome,
            "key": self._key,
            "attempt": self._name,
            "time": now_utc(),
            "record_id": self._record_id,
            "task": None,
            "modality": None,
            "step_label": solo.name,
            **facts,
            "code": code,
        }
        more: dict[str, Any] = {**facts, "script_hash": code, "params": dict(solo.params)}
        if cause is not None:
            event |= {"exc_type": cause.exc_type, "exc_message": cause.message[:2000], "where": cause.where}
            event |= {"act": stage} if stage is not None else {}
            more |= {
                "exc_type": cause.exc_type,
                "exc_message": cause.message,
                "traceback": cause.traceback,
            }
        self._try(partial(self._bench.events.append, event))
        self._try(partial(self._log.finish, _STATUS[self.outcome], text, level, **more))

    def _try(self, write: Callable[[], None]) -> None:
        """Write something down; a full disk must not hide what else can be said."""
        try:
            write()
        except OSError as error:
            self.warnings.append(f"{self._key}: could not be written down: {error}")
