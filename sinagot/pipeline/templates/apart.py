"""One stage of a template alone, as a task of another scheduler: its context is made of what the stages before it gave.

Knows layouts and the shape of contexts; must not know how a stage is run, nor where outputs were kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sinagot.pipeline.templates.layout import JobLayout
from sinagot.pipeline.templates.matrix import label_of

if TYPE_CHECKING:
    from sinagot.pipeline.templates.template import PipelineTemplate

__all__ = ["Apart"]

#: Of a job with a matrix the outputs of a stage are told below this, by label.
_STRATEGIES = "strategies"


class Apart:
    """One stage, and what is known before it.

    Parameters
    ----------
    run : TemplateRun
        Runs it.
    template : PipelineTemplate
        Its pipeline.
    name : str
        ``job/stage``; those within other stages were run by these.
    outputs : mapping of str to mapping
        Stage -> its outputs, of those before it.
    """

    def __init__(
        self,
        run: Any,
        template: PipelineTemplate,
        name: str,
        outputs: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._run = run
        self._template = template
        self._job, _, self._stage = name.partition("/")
        self._outputs = outputs

    def run(self) -> Mapping[str, Any] | None:
        """Run it; None when a condition does not hold."""
        if "/" in self._stage:
            return {}
        job = self._template.jobs[self._job]
        stage = next(one for one in job.stages if one.id == self._stage)
        context = {**self._run.context, "jobs": {name: self._known(name) for name in self._template.jobs}}
        seen = {**context, "matrix": {}, "stages": {}}
        if job.condition is not None and not job.condition.evaluate(seen, self._template.filters):
            return None
        values = job.strategy.combinations(seen, self._template.filters) if job.strategy else []
        if not values:
            return self._one(job.id, stage, {**seen, "stages": context["jobs"][job.id]["stages"]})
        known = context["jobs"][job.id].get(_STRATEGIES, {})
        made = {}
        for one in values:
            label = label_of(one)
            before = known.get(label, {"stages": {}})["stages"]
            found = self._one(f"{job.id}[{label}]", stage, {**seen, "matrix": one, "stages": before})
            if found is not None:
                made[label] = found
        return {_STRATEGIES: made} if made else None

    def _one(self, name: str, stage: Any, context: Mapping[str, Any]) -> dict[str, Any] | None:
        into: dict[str, Any] = {}
        self._run.stages_of(name, (stage,), context, into, self._template)
        made = into[stage.id]
        return None if made["status"] == "SKIPPED" else dict(made["outputs"])

    def _known(self, job: str) -> dict[str, Any]:
        """Give what a job came to, as far as it is known."""
        layout: JobLayout = self._template.jobs[job]
        entry: dict[str, Any] = {"stages": {}}
        for stage in layout.stages:
            outputs = self._outputs.get(f"{job}/{stage.id}")
            if outputs is None:
                continue
            if layout.strategy is None or set(outputs) != {_STRATEGIES}:
                entry["stages"][stage.id] = {"outputs": dict(outputs), "status": "DONE"}
                continue
            for label, one in outputs[_STRATEGIES].items():
                stages = entry.setdefault(_STRATEGIES, {}).setdefault(label, {"stages": {}})["stages"]
                stages[stage.id] = {"outputs": one, "status": "DONE"}
        if _STRATEGIES in entry:
            entry["runs"] = list(entry[_STRATEGIES].values())
        return entry
