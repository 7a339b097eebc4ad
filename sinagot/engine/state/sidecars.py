"""Which sidecars belong to a job, and which of them say what is no longer true.

Knows jobs and names of files; must not know what a sidecar tells: that is written in `sinagot.engine.state.provenance`,
where a step asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable

from sinagot.dataset.sidecars import remove_sidecar, sidecar_of
from sinagot.engine.job import Job
from sinagot.engine.paths import flat_paths

__all__ = ["drop_old_sidecars", "sidecars_of"]


def sidecars_of(job: Job) -> list[str]:
    """Give the final paths of all sidecars of a job; a declared output is none, whatever its name is."""
    outputs = flat_paths(job.outputs)
    declared = {*outputs, *flat_paths(job.control)}
    return [path for path in map(sidecar_of, outputs) if path not in declared]


def drop_old_sidecars(job: Job, kept: Iterable[str] = ()) -> None:
    """Remove sidecars of former outputs: what they tell is no longer true."""
    spared = {*flat_paths(job.outputs), *flat_paths(job.control), *kept}
    for path in flat_paths(job.outputs):
        if sidecar_of(path) not in spared:
            remove_sidecar(path)
