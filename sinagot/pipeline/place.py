"""Where a pipeline that runs by itself does so: threads, processes or a cluster, and for which files.

Knows executors by name and logs by their settings; must not know stages.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinagot.config.hints import did_you_mean
from sinagot.engine.acts.scene import Scene
from sinagot.errors import PipelineDefinitionError
from sinagot.pipeline.parameters import Parameters, secrets_of
from sinagot.runlog.capture import AttemptLog

if TYPE_CHECKING:
    from sinagot.engine.acts.remote import RemoteCalls
    from sinagot.pipeline.contracts import Composed

__all__ = ["MODES", "Place"]

MODES = ("threads", "main_process", "processes", "dask")


@dataclass(frozen=True)
class Place:
    """Where stages run."""

    mode: str = "threads"
    workers: int | None = None
    client: Any = None
    address: str | None = None
    record: Any = None
    paths: Mapping[str, Any] | None = None

    def changed(self, **changes: Any) -> Place:
        """Give another, with what was said.

        Raises
        ------
        PipelineDefinitionError
            The mode is unknown.
        """
        said = {name: value for name, value in changes.items() if value is not None}
        if "mode" not in said and ("client" in said or "address" in said):
            said["mode"] = "dask"
        mode = said.get("mode", self.mode)
        if mode not in MODES:
            hint = did_you_mean(str(mode), MODES)
            raise PipelineDefinitionError(
                f"mode must be one of {', '.join(MODES)}; found {mode!r}{'; ' + hint if hint else ''}"
            )
        made = replace(self, **said)
        return replace(made, workers=1) if mode == "main_process" else made

    @property
    def places(self) -> dict[str, Mapping[str, Any]]:
        """What inputs that read paths and facts of a record get."""
        found: dict[str, Mapping[str, Any]] = {}
        if self.record is not None:
            found["record"] = self.record if isinstance(self.record, Mapping) else {"id": self.record}
        if self.paths is not None:
            found["path"] = {name: Path(path) for name, path in self.paths.items()}
        return found

    def open(self, pipeline: Composed, run_id: str, parameters: Parameters) -> tuple[AttemptLog, Scene]:
        """Open the log of a run, and make the scene of its stages."""
        from sinagot.pipeline.settings import LoggerSettings

        settings = pipeline.log_settings or LoggerSettings(pipeline.name)
        record = self.places.get("record", {})
        context = {
            "workspace_version": None,
            "record_id": record.get("id"),
            "task": record.get("task"),
            "modality": record.get("modality"),
            "step_label": pipeline.name,
            "run_id": run_id,
            "attempt": run_id,
        }
        log = settings.open(context, pipeline=pipeline.name)
        return log, self.scene(log, secrets=pipeline.secrets | secrets_of(parameters))

    def scene(self, log: AttemptLog, *, secrets: Collection[str] = (), **facts: Any) -> Scene:
        """Make the scene of stages in a log.

        Parameters
        ----------
        log : AttemptLog
            Of the run, or of the attempt that it belongs to.
        secrets : collection of str
            Texts that nobody is to read.
        **facts : object
            As for `Scene`.
        """
        if secrets:
            from sinagot.runlog.secrets import redactor  # most pipelines have none

            log.redact = redactor(secrets)
        return Scene(log, lend=self._lend, is_remote=self.mode in ("processes", "dask"), **facts)

    def _lend(self) -> RemoteCalls:
        """Start the processes that stages need; most need none."""
        from sinagot.engine.acts.remote import RemoteCalls
        from sinagot.engine.executors.places import Place as Executors

        mode = "dask" if self.mode == "dask" else "processes"
        executors = Executors(mode=mode, workers=self.workers, client=self.client, address=self.address)
        # Stages that are to run elsewhere will be so in the next run too; for a limit of time nothing is left behind.
        return RemoteCalls(partial(executors.make, leaves_spares=self.mode in ("processes", "dask")))
