"""What services do, as lines of the log: of each schedule in a log of its own, of the service in another.

Knows the one form of a line, and where logs stand; must not know why something is said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sinagot.engine.acts.solo import solo_id
from sinagot.runlog.lines import make_line
from sinagot.runlog.write import LogTarget, RecordLog
from sinagot.schedule.history.facts import Decision, Launch, State, Verdict
from sinagot.scripts.codes import StepStatus

if TYPE_CHECKING:
    from sinagot.workspace.contracts import House

__all__ = ["SERVICE_LOG", "Diary", "schedule_log"]

#: Where a service tells of itself; a record can't have this id.
SERVICE_LOG = solo_id("service", "schedules")
_LEVELS = {
    Verdict.SKIPPED: "WARNING",
    Verdict.MISSED: "WARNING",
    State.FAILED: "ERROR",
    State.LOST: "ERROR",
    State.STOPPED: "WARNING",
    State.CANCELLED: "WARNING",
}
_STATUS = {
    State.QUEUED: StepStatus.INIT,
    State.RUNNING: StepStatus.PROCESSING,
    State.DONE: StepStatus.DONE,
    State.CANCELLED: StepStatus.INTERRUPTED,
    State.STOPPED: StepStatus.INTERRUPTED,
}


def schedule_log(name: str) -> str:
    """Give the id under which the log of a schedule stands.

    Examples
    --------
    >>> schedule_log("nightly")
    'schedules/nightly'
    """
    return solo_id("schedule", name)


class Diary:
    """The lines of one service.

    Parameters
    ----------
    workspace : Workspace
        Whose logs they are.
    service : str
        Its name; it stands on every line.
    tell : callable, optional
        Gets level and text of each line, for who looks on.
    """

    def __init__(
        self, workspace: House, service: str, tell: Callable[[str, str], None] = lambda level, text: None
    ) -> None:
        configuration = workspace.configuration
        log = configuration.log
        locks = f"{configuration.state_path}/locks"
        self._target = LogTarget(str(configuration.log_path), locks, log.max_bytes, log.backups)
        self._version = workspace.version
        self._service = service
        self._tell = tell

    def decided(self, decision: Decision) -> None:
        """Tell of a decision."""
        ticks = f"{decision.tick:%Y-%m-%d %H:%M} UTC"
        if decision.number > 1 and decision.first is not None:
            ticks = f"{decision.number:,} ticks, {decision.first:%Y-%m-%d %H:%M} to {ticks}"
        facts: dict[str, Any] = {
            "schedule": decision.schedule,
            "tick": decision.tick.isoformat(),
            "verdict": str(decision.verdict),
            "reason": decision.reason,
            "number": decision.number,
        }
        self._write(
            decision.schedule,
            f"{ticks}: {decision.verdict}: {decision.reason}",
            _LEVELS.get(decision.verdict, "INFO"),
            StepStatus.INIT,
            decision.run_id,
            facts,
        )

    def launched(self, launch: Launch, text: str) -> None:
        """Tell what became of a launch."""
        facts: dict[str, Any] = {"state": str(launch.state), "attempt_number": launch.attempt}
        facts |= {"pipeline": launch.pipeline, "origin": str(launch.origin)}
        if launch.tick is not None:
            facts["tick"] = launch.tick.isoformat()
        if launch.exit_code is not None:
            facts["exit_code"] = launch.exit_code
        self._write(
            launch.schedule,
            f"{'' if launch.schedule == launch.pipeline else f'{launch.pipeline}: '}run {launch.run_id}: {text}",
            _LEVELS.get(launch.state, "INFO"),
            _STATUS.get(launch.state, StepStatus.ERROR),
            launch.run_id,
            facts,
        )

    def note(self, text: str, level: str = "INFO", schedule: str | None = None) -> None:
        """Tell something of a schedule, or of the service itself."""
        self._write(schedule, text, level, StepStatus.PROCESSING, None, {})

    def _write(
        self,
        schedule: str | None,
        text: str,
        level: str,
        status: int,
        run_id: str | None,
        facts: dict[str, Any],
    ) -> None:
        record_id = SERVICE_LOG if schedule is None else schedule_log(schedule)
        context = {
            "workspace_version": self._version,
            "record_id": record_id,
            "step_label": schedule,
            "run_id": run_id,
        }
        line = make_line(context, status, text, level=level, facts={**facts, "service": self._service})
        try:
            RecordLog(self._target, record_id).write(line)
        except OSError as error:  # a full disk stops no schedule: the history has the same facts
            self._tell("ERROR", f"the log can't be written: {error.strerror or error}")
        self._tell(level, text if schedule is None else f"{schedule}: {text}")
