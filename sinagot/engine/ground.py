"""The drives under a run: looked at before it begins, and brought up to date when it ends.

Knows folders, free space and power cuts; must not know how jobs are executed. `sinagot.engine.run` asks it before
planning, before the first job, for each result, and after the last job.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from sinagot.config.quantities import bytes_text
from sinagot.dataset.volumes import room_of, sync_systems, unwritable
from sinagot.engine import power
from sinagot.engine.job import Job, RunOptions
from sinagot.engine.paths import flat_paths
from sinagot.engine.state.claims import file_key
from sinagot.engine.state.history import Marks, replace_text
from sinagot.errors import StorageError

if TYPE_CHECKING:
    from sinagot.engine.planning.survey import Survey

__all__ = ["Ground"]

#: Bytes below which not even what happened could be written down: one failure takes up to 100 kB with its traceback.
NOTHING = 1 << 20
#: Bytes below which is warned even where nothing is known of the outputs.
LITTLE = 64 << 20


class Ground:
    """The drives under one run.

    Parameters
    ----------
    options : RunOptions
        Where everything is.
    """

    def __init__(self, options: RunOptions) -> None:
        self._options = options
        self._state = options.state_path
        self._sizes_file = f"{self._state}/index/largest.json"
        self._sizes: dict[str, int] = {}
        self._learnt: dict[str, int] = {}

    def examine(self, survey_all: Callable[[], Survey], *, is_dry: bool) -> tuple[set[str], list[str]]:
        """Find out, before planning, whether a power cut has damaged outputs; those are marked to be done again.

        Parameters
        ----------
        survey_all : callable
            Gives the survey of all records and steps; called after a power cut only.
        is_dry : bool
            Write nothing.

        Returns
        -------
        set of str and list of str
            File names of marks that would stand there if the run were not dry; what the user should be told.
        """
        runs = power.cut_runs(self._state)
        if not runs:
            return set(), []
        damage = power.examine(self._state, runs, survey_all(), self._options.output_path)
        text = f"outputs since the last checkpoint of run {', '.join(runs)} were checked after a power cut: "
        count = len(damage.paths)
        text += f"{count} damaged, to be made again" if count else "all are whole"
        if is_dry:
            return {file_key(key) for key in damage.paths}, [text]
        power.mark(damage, Marks(self._state, "failures"), self._options.run_id)
        self._sync()
        power.forget(self._state, runs)
        return set(), [text]

    def enter(self, jobs: Sequence[Job], places: Iterable[str], slots: int) -> list[str]:
        """Make sure, before the first job, that there is somewhere to write.

        Parameters
        ----------
        jobs : sequence of Job
            Some that will run: their folders stand for those of all records.
        places : iterable of str
            Names of the steps that run.
        slots : int
            How many jobs run at the same time.

        Returns
        -------
        list of str
            What the user should be told.

        Raises
        ------
        StorageError
            A folder can't be written, or there is no space: said once, before any script runs.
        """
        options = self._options
        folders = {options.log.folder: "log", options.stage_base: "output"}
        for job in jobs:
            for path in flat_paths(job.outputs):
                folders.setdefault(os.path.dirname(path), "output")
        for folder, kind in folders.items():
            why = unwritable(folder)
            if why is not None:
                raise StorageError(
                    f"the {kind} folder {folder} can't be written: {why}; nothing was run. Change its permissions, "
                    f"or put it elsewhere with `{kind}` below [path]",
                    path=folder,
                )
        warnings = self._check_room(places, slots)
        power.open_run(self._state, options.run_id)
        return warnings

    def _check_room(self, places: Iterable[str], slots: int) -> list[str]:
        output = self._options.output_path
        room = room_of(output)
        if room.bytes < NOTHING or room.files == 0:
            what = "no more files" if room.files == 0 else f"{bytes_text(room.bytes)} left"
            raise StorageError(
                f"no space for outputs: {output} has {what}; nothing was run. Free some", path=output
            )
        self._sizes = self._load()
        largest = max((self._sizes.get(place, 0) for place in places), default=0)
        if room.bytes >= max(largest * slots, LITTLE):
            return []
        text = f"little space for outputs: {output} has {bytes_text(room.bytes)} left"
        if largest:
            text += f", and the largest output of these steps took {bytes_text(largest)}"
            text += f", of which {slots} may be written at the same time" if slots > 1 else ""
        return [text]

    def learn(self, place: str, written: int) -> None:
        """Remember the largest output of a step; small ones do not matter."""
        if written >= NOTHING and written > max(self._sizes.get(place, 0), self._learnt.get(place, 0)):
            self._learnt[place] = written

    def leave(self) -> list[str]:
        """Bring all that was written to the disk: what is done is safe from now on.

        Returns
        -------
        list of str
            What the user should be told.
        """
        try:
            self._sync()
        except OSError as error:
            # The run stays open: after a power cut its outputs are looked at.
            return [f"outputs could not be synced to the disk: {error}"]
        try:
            power.close_run(self._state, self._options.run_id)
            power.settle_dead(self._state)
        except OSError as error:
            return [f"that the run has ended could not be written down: {error}"]
        if self._learnt:
            with contextlib.suppress(OSError):  # a cache
                os.makedirs(os.path.dirname(self._sizes_file), exist_ok=True)
                replace_text(self._sizes_file, json.dumps(self._load() | self._learnt))
        return []

    def _sync(self) -> None:
        sync_systems((self._options.output_path, self._state))

    def _load(self) -> dict[str, int]:
        try:
            with open(self._sizes_file, encoding="utf-8") as file:
                return {str(place): int(size) for place, size in json.load(file).items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}
