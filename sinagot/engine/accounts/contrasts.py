"""What differs between two runs: configuration, code, versions, command, outcomes of jobs, durations of steps.

Knows what runs keep in their folders; must not know workspaces. Kept in memory are the failures of both runs and eight
bytes an attempt, whatever else their events tell.
"""

from __future__ import annotations

import json
import tomllib
from array import array
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from statistics import median
from typing import Any, NamedTuple

from sinagot.config.packages import read_packages
from sinagot.engine.accounts.attempts import iter_attempts
from sinagot.engine.accounts.digests import place_of_attempt
from sinagot.engine.accounts.runs import RunFacts, facts_of
from sinagot.engine.job import Outcome, job_key
from sinagot.engine.state.history import read_manifest

__all__ = ["Change", "JobChange", "RunDiff", "StepTimes", "diff_runs"]


class Change(NamedTuple):
    """One thing that differs; None where one side has it not."""

    name: str
    old: Any
    new: Any


class JobChange(NamedTuple):
    """A job that ended otherwise; None where a run did not run it."""

    key: str
    old: str | None
    new: str | None


class StepTimes(NamedTuple):
    """How long the good attempts of one step took in both runs; None where there are none."""

    step: str
    count_old: int
    count_new: int
    median_old: float | None
    median_new: float | None
    #: New through old.
    ratio: float | None


class RunDiff(NamedTuple):
    """What differs between two runs, from the first to the second."""

    a: RunFacts
    b: RunFacts
    #: Keys of the configuration, ``section.key``.
    config: tuple[Change, ...]
    #: Files of code by step, ``step: file``, with their digests.
    scripts: tuple[Change, ...]
    #: Of sinagot, Python and the workspace.
    versions: tuple[Change, ...]
    #: Versions of installed packages, where both runs have kept them.
    packages: tuple[Change, ...]
    #: Parameters that were given for the run.
    params: tuple[Change, ...]
    #: Command, mode, workers, user, host, number of records and jobs.
    command: tuple[Change, ...]
    #: Jobs of which at least one run failed, and the other ended otherwise.
    outcomes: tuple[JobChange, ...]
    steps: tuple[StepTimes, ...]
    #: Ids of those that `sinagot clean` has made small: configuration and failed jobs can't be compared then.
    cleaned: tuple[str, ...] = ()

    @property
    def is_same(self) -> bool:
        """Nothing that can change results differs: configuration, code, versions, packages, parameters."""
        return not (self.config or self.scripts or self.versions or self.packages or self.params)


def diff_runs(state: str, a: str, b: str) -> RunDiff:
    """Say what differs between two runs.

    Parameters
    ----------
    state : str
        The state folder.
    a, b : str
        Whole ids, see `find_run`.

    Returns
    -------
    RunDiff
        From `a` to `b`.
    """
    first, second = facts_of(state, a), facts_of(state, b)
    old, new = read_manifest(state, a), read_manifest(state, b)
    sides = _Side(state, a), _Side(state, b)
    packages = [read_packages(run.folder) for run in (first, second)]
    named = ("command", "mode", "workers", "user", "host", "records", "jobs")
    facts = [{name: getattr(run, name) for name in named} for run in (first, second)]
    kept = [(run.run_id, manifest) for run, manifest in ((first, old), (second, new))]
    cleaned = tuple(run_id for run_id, manifest in kept if "compacted" in manifest)
    configurations = [] if cleaned else [_flat(_configuration(run.folder)) for run in (first, second)]
    return RunDiff(
        first,
        second,
        config=_changes(*configurations) if configurations else (),
        scripts=_changes(_digests(old), _digests(new)),
        versions=_changes(_mapping(old.get("versions")), _mapping(new.get("versions"))),
        packages=_changes(*packages) if all(packages) else (),
        params=_changes(_flat(_mapping(old.get("params"))), _flat(_mapping(new.get("params")))),
        command=_changes(*facts),
        outcomes=() if cleaned else _outcomes(*sides),
        steps=_steps(*sides),
        cleaned=cleaned,
    )


def _key_of(attempt: Mapping[str, Any]) -> str:
    return job_key(attempt["record_id"], attempt["task"], attempt["modality"], attempt["step_label"])


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    names = dict.fromkeys([*old, *new])
    return tuple(
        Change(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)
    )


def _configuration(folder: str) -> dict[str, Any]:
    """Read the configuration that a run has kept; as JSON where TOML could not say it."""
    for name, read in (("config.json", json.loads), ("config.toml", tomllib.loads)):
        try:
            with open(f"{folder}/{name}", encoding="utf-8") as file:
                return _mapping(read(file.read()))
        except (OSError, ValueError, RecursionError):
            continue
    return {}


def _flat(table: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Give the values of nested tables by dotted names.

    Examples
    --------
    >>> _flat({"run": {"mode": "dask"}, "version": "1"})
    {'run.mode': 'dask', 'version': '1'}
    """
    found: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found


def _digests(manifest: Mapping[str, Any]) -> dict[str, str]:
    return {
        f"{step}: {file}": str(digest)
        for step, files in _mapping(manifest.get("sources")).items()
        for file, digest in _mapping(files).items()
    }


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


class _Side:
    """What one run did: seconds of good attempts by step, and how the jobs ended that ended badly."""

    def __init__(self, state: str, run_id: str) -> None:
        self._place = state, run_id
        self.times: dict[str, array[float]] = {}
        self.ends: dict[str, str] = {}
        for attempt in iter_attempts(state, run_id):
            if attempt["outcome"] == Outcome.DONE:
                times = self.times.setdefault(place_of_attempt(attempt), array("d"))
                if attempt["duration_s"] is not None:
                    times.append(attempt["duration_s"])
                if self.ends:  # it may have failed with its worker before
                    self.ends.pop(_key_of(attempt), None)
            elif attempt["retry_in_s"] is None:
                self.ends[_key_of(attempt)] = attempt["outcome"]

    def look_for(self, keys: AbstractSet[str]) -> None:
        """Find out how some jobs ended that did not end badly."""
        if keys:
            for attempt in iter_attempts(*self._place):
                if attempt["outcome"] == Outcome.DONE and (key := _key_of(attempt)) in keys:
                    self.ends[key] = Outcome.DONE


def _outcomes(old: _Side, new: _Side) -> tuple[JobChange, ...]:
    """Compare how jobs ended that ended badly in one of the runs."""
    bad = old.ends.keys() | new.ends.keys()
    for side in (old, new):
        side.look_for(bad - side.ends.keys())
    changes = (JobChange(key, old.ends.get(key), new.ends.get(key)) for key in sorted(bad))
    return tuple(change for change in changes if change.old != change.new)


def _steps(old: _Side, new: _Side) -> tuple[StepTimes, ...]:
    found = []
    for step in dict.fromkeys([*old.times, *new.times]):
        before, after = old.times.get(step), new.times.get(step)
        first, second = (median(times) if times else None for times in (before, after))
        ratio = second / first if first and second is not None else None
        found.append(StepTimes(step, len(before or ()), len(after or ()), first, second, ratio))
    return tuple(found)
