"""What the sidecar of an output tells, and when it is written, replaced and removed.

Knows jobs and their stages; must not know what a plan is. A sidecar is staged with its output and moves with it: who
dies in between leaves both to whoever heals the job. It is written where the step says `provenance`, and nowhere else.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sinagot.dataset.commit import Stage
from sinagot.dataset.prints import digest_within
from sinagot.dataset.sidecars import BEGIN, may_be_replaced, sidecar_of
from sinagot.engine.job import Job
from sinagot.engine.paths import Paths, flat_paths
from sinagot.engine.state.commits import LAZY_DIGEST
from sinagot.engine.state.history import replace_text
from sinagot.engine.state.origins import short_path
from sinagot.runlog.encoding import encoder_for
from sinagot.scripts.packages import packages_of
from sinagot.version import __version__

__all__ = ["Sidecars"]

_SCHEMA = 1
_encode = encoder_for(str)


class Sidecars:
    """The sidecars of one attempt.

    Parameters
    ----------
    job : Job
        What is done.
    attempt : str
        Name of the attempt.
    source : dict
        What the result is made from, as `sinagot.engine.state.entries.source_of` gives it.
    inputs : mapping of str to str
        Input -> its print.
    seconds : float
        How long the attempt has taken.
    """

    def __init__(
        self, job: Job, attempt: str, source: dict[str, Any], inputs: Mapping[str, str | None], seconds: float
    ) -> None:
        self._job = job
        self._attempt = attempt
        self._source = source
        self._inputs = inputs
        self._end = time.time()
        self._start = self._end - seconds
        self._is_refused = False

    def stage(self, stage: Stage) -> list[str]:
        """Write them into the stage, beside the outputs; give their final paths.

        Raises
        ------
        OSError
            They could not be written: nothing may be published.
        """
        written = []
        facts = None
        for path in flat_paths(self._job.outputs):
            sidecar = sidecar_of(path)
            staged = stage.path(sidecar)
            made = next(filter(os.path.lexists, (stage.path(path), path)), None)
            if made is not None and self._is_free(sidecar, staged):  # else publishing tells what is missing
                facts = facts or self._facts()
                text = self._text(facts, path, made)
                with open(staged, "w", encoding="utf-8") as file:
                    file.write(text)
                written.append(sidecar)
        return written

    def write(self) -> None:
        """Write them beside outputs that are in place already.

        Raises
        ------
        OSError
            They could not be written.
        """
        facts = self._facts()
        for path in flat_paths(self._job.outputs):
            if self._is_free(sidecar_of(path), ""):
                replace_text(sidecar_of(path), self._text(facts, path, path))

    def _is_free(self, sidecar: str, staged: str) -> bool:
        """Say whether a sidecar may be written; the script may have made a file of its name, now or before."""
        if sidecar in {*flat_paths(self._job.outputs), *flat_paths(self._job.control)}:
            return False
        is_free = may_be_replaced(sidecar) and not (staged and os.path.lexists(staged))
        if not is_free:
            self._is_refused = True
        return is_free

    @property
    def warnings(self) -> tuple[str, ...]:
        """Say that a name was taken: what is there is not ours to replace. The same text for all records of a step."""
        if not self._is_refused:
            return ()
        text = "where its provenance belongs is a file that sinagot did not write: it is kept, and nothing is told"
        return (f"step {self._job.step.label}: {text}",)

    def _text(self, facts: dict[str, Any], path: str, made: str) -> str:
        state = os.lstat(made)
        digest = digest_within(made, LAZY_DIGEST) if os.path.isfile(made) else None
        output = {"path": self._short(path), "size": state.st_size, "mtime": _time(state.st_mtime_ns / 1e9)}
        whole = {**facts, "output": output if os.path.isfile(made) else {"path": output["path"]}}
        if digest is not None:
            whole["output"]["sha256"] = digest
        lines = (f" {_encode(name)}: {_encode(value)}" for name, value in whole.items())
        return f'{BEGIN}{_SCHEMA}",\n' + ",\n".join(lines) + "\n}\n"

    def _facts(self) -> dict[str, Any]:
        """Give what all of them tell."""
        job, options, source = self._job, self._job.options, self._job.step.source
        code: dict[str, Any] = {"digest": source.digest}
        if source.command is not None:
            code["command"] = list(source.command.words)
        else:
            code |= {"script": source.path, "files": source.named_digests}
        return {
            "generated_by": {"name": "sinagot", "version": __version__},
            "run_id": options.run_id,
            "attempt": self._attempt,
            "record_id": job.record_id,
            "task": job.step.task,
            "modality": job.step.modality,
            "step": job.step.label,
            "start": _time(self._start),
            "end": _time(self._end),
            "host": os.uname().nodename,
            "versions": {
                "python": platform.python_version(),
                "workspace": options.workspace_version,
                "packages": packages_of(source),
            },
            "code": code,
            "params": dict(job.params),
            "inputs": self._named_inputs(),
        }

    def _named_inputs(self) -> list[dict[str, Any]]:
        """List each input with its size, time of change, and digest where one was taken."""
        named = []
        for name, path in _named(self._job.inputs):
            facts: dict[str, Any] = {} if name is None else {"name": name}
            facts["path"] = self._short(path)
            size, mtime_ns, digest = [*(self._inputs.get(path) or "").split(" "), "", "", ""][:3]
            if size:
                facts |= {"size": int(size), "mtime": _time(int(mtime_ns) / 1e9)}
            if digest:
                facts["digest" if os.path.isdir(path) else "sha256"] = digest
            named.append(facts)
        return named

    def _short(self, path: str) -> str:
        return short_path(path, *self._job.options.roots)


def _named(paths: Paths) -> Iterator[tuple[str | None, str]]:
    if isinstance(paths, dict):
        for name, value in paths.items():
            for path in flat_paths(value):
                yield name, path
    else:
        for path in flat_paths(paths):
            yield None, path


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
