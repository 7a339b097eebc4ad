"""A pipeline as a step of a workspace: the script that an attempt runs for one record.

Knows scripts and runs of pipelines; must not know workspaces. Claims, atomic outputs, status and reruns are those of
any step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sinagot.engine.request import new_run_id
from sinagot.errors import PipelineDefinitionError
from sinagot.pipeline.parameters import secrets_of
from sinagot.pipeline.running import PipelineRun, failure_of
from sinagot.scripts.inside import InsideScript
from sinagot.scripts.template import ScriptTemplate

if TYPE_CHECKING:
    from sinagot.pipeline.runnable import Runnable

__all__ = ["PipelineScript", "script_class_of"]


class PipelineScript(InsideScript):
    """Runs the stages of a pipeline for one record."""

    PATH_CONTROL = None
    pipeline: Runnable

    def run(self) -> None:
        """Run all stages; a failure of one is that of the attempt."""
        pipeline = self.pipeline
        given = self._given_params
        parameters = pipeline.parameters.merged(dict(getattr(given, "given", given) or {}))
        places: dict[str, Mapping[str, Any]] = {
            "path": {**_named(self.path.input), **_named(self.path.output)},
            "record": {"id": self.id, "task": self.task, "modality": self.modality, "step": self.label},
        }
        inside = self.inside
        run_id = inside.run_id if inside is not None else new_run_id()
        run = PipelineRun(pipeline, parameters, run_id, places=places, keeps=False)
        if inside is None:
            log, scene = pipeline.using(record=places["record"], paths=places["path"]).place.open(
                pipeline, run_id, parameters
            )
        else:
            log = inside.log
            scene = pipeline.place.scene(
                log,
                note=inside.note,
                fields={"pipeline": pipeline.name},
                key=inside.key,
                files=inside.files,
                source=inside.source,
                secrets=pipeline.secrets | secrets_of(parameters),
            )
        result = run.perform(scene, pipeline.stages, width=1 if self.debug else None)
        error = failure_of(result)
        if error is None:
            return
        if error.__cause__ is None:
            raise error
        # The step fails with what its stage failed with: causes are grouped, and tried again, by it.
        error.__cause__.add_note(f"in stage {error.stage!r} of pipeline {pipeline.name!r}")
        raise error.__cause__


def _named(paths: Any) -> dict[str, Any]:
    return dict(paths) if isinstance(paths, Mapping) else {}


def script_class_of(pipeline: Runnable, step: str) -> type[ScriptTemplate]:
    """Make the class of a step's script.

    Raises
    ------
    PipelineDefinitionError
        It writes no file of a record, or declares one that no stage uses.
    """
    used = {path for stage in pipeline.stages.values() for path in stage.paths}
    written = {name for way, name in used if way == "out"}
    read = {name for way, name in used if way == "in"} - written
    idle = [name for name in pipeline.paths if name not in written | read]
    if idle:
        raise PipelineDefinitionError(
            f"pipeline {pipeline.name!r} declares path {idle[0]!r}, and no stage uses it: "
            f"write path_in({idle[0]!r}, ...) or path_out({idle[0]!r}, ...)",
            pipeline=pipeline.name,
        )
    if not written:
        raise PipelineDefinitionError(
            f"pipeline {pipeline.name!r} writes no file, and so can be no step: give it paths={{...}}, and a stage "
            "that has path_out(...) as an input",
            pipeline=pipeline.name,
        )
    body = {
        "PATH_IN": {name: path for name, path in pipeline.paths.items() if name in read},
        "PATH_OUT": {name: path for name, path in pipeline.paths.items() if name in written},
        "pipeline": pipeline,
        # Also where it has none: what [params] says for other steps is none of its.
        "Params": pipeline.parameters.script_model(),
        "__doc__": f"Pipeline {pipeline.name!r}.",
    }
    return type("Script", (PipelineScript,), body)
