"""What a run of a pipeline came to: its values, and how each stage ended.

Knows names and values; must not know how anything ran.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from sinagot.engine.acts.act import ActResult, ActState
from sinagot.pipeline.description import Description, NodeView
from sinagot.pipeline.mappers import RETURN
from sinagot.runlog.texts import safe_text

__all__ = ["PipelineResult"]


class PipelineResult(Mapping[str, Any]):
    """Stage -> what it returned, read-only; stages that gave nothing are absent.

    Attributes
    ----------
    run_id : str
        Name of the run, as in the log.
    outputs : mapping of str to mapping
        Stage -> its outputs by name.
    status : mapping of str to ActState
        Stage -> how it ended: ``"DONE"``, ``"ERROR"``, ``"SKIPPED"`` or ``"INTERRUPTED"``.
    errors : mapping of str to BaseException
        Stage -> what it failed with.
    ok : bool
        Nothing failed.
    durations : mapping of str to float, seconds
        Stage -> how long it took.
    message : str
        Why the run ended early, where a stage has ended it.

    See Also
    --------
    Pipeline.run : gives one.
    """

    def __init__(
        self,
        pipeline: str,
        run_id: str,
        outputs: Mapping[str, Mapping[str, Any]],
        results: Mapping[str, ActResult],
        *,
        message: str = "",
        duration: float = 0.0,
        describe: Callable[[], Description] | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        self.pipeline = pipeline
        self._describe = describe or self._names_alone
        self._redact = redact
        self.run_id = run_id
        self.message = message
        self.duration = duration
        self.outputs: Mapping[str, Mapping[str, Any]] = MappingProxyType(
            {name: MappingProxyType(dict(outputs[name])) for name in results if name in outputs}
        )
        self.status: Mapping[str, ActState] = MappingProxyType(
            {name: one.state for name, one in results.items()}
        )
        self.errors: Mapping[str, BaseException] = MappingProxyType(
            {name: one.error for name, one in results.items() if one.is_bad and one.error is not None}
        )
        self.durations: Mapping[str, float] = MappingProxyType(
            {name: one.duration for name, one in results.items() if one.duration}
        )
        self.reasons: Mapping[str, str] = MappingProxyType(
            {name: one.reason for name, one in results.items() if one.reason}
        )

    @property
    def ok(self) -> bool:
        """Nothing failed, nothing was cut off."""
        return not any(state in (ActState.ERROR, ActState.INTERRUPTED) for state in self.status.values())

    def __getitem__(self, name: str) -> Any:
        outputs = self.outputs[name]
        return outputs[RETURN] if set(outputs) == {RETURN} else outputs

    def __iter__(self) -> Iterator[str]:
        return iter(self.outputs)

    def __len__(self) -> int:
        return len(self.outputs)

    def __reduce__(self) -> tuple[Any, ...]:
        results = {
            name: ActResult(
                name,
                state,
                self.errors.get(name),
                None,
                self.durations.get(name, 0.0),
                reason=self.reasons.get(name, ""),
            )
            for name, state in self.status.items()
        }
        outputs = {name: dict(values) for name, values in self.outputs.items()}
        return _rebuilt, (
            self.pipeline,
            self.run_id,
            outputs,
            results,
            self.message,
            self.duration,
            self._redact,
        )

    def _repr_html_(self) -> str:
        from sinagot.pipeline.views.page import page

        told = {
            name: self._redact(f"{type(error).__name__}: {safe_text(error)}")
            for name, error in self.errors.items()
        }
        return str(page(self._describe(), self.status, self.durations, told))

    def _names_alone(self) -> Description:
        """Describe what is left of a pipeline in a result that has travelled: the names of its stages."""
        return Description(self.pipeline, nodes=tuple(NodeView(name) for name in self.status))

    def __repr__(self) -> str:
        states = list(self.status.values())
        counts = ", ".join(f"{states.count(one)} {one.lower()}" for one in ActState if one in states)
        return f"<{type(self).__name__} of {self.pipeline!r} | {counts or 'no stages'} | run {self.run_id}>"


def _rebuilt(
    pipeline: str, run_id: str, outputs: Any, results: Any, message: str, duration: float, redact: Any
) -> PipelineResult:
    return PipelineResult(
        pipeline, run_id, outputs, results, message=message, duration=duration, redact=redact
    )
