"""The folders and files that a watch depends on: where recordings arrive, whether they are there, what was edited.

Knows configurations and folders; must not know what has arrived. `sinagot.workspace.watch.watching` asks before each
look.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property

from sinagot.config.settings import WatchSettings
from sinagot.engine.planning.graph import Slot
from sinagot.workspace.contracts import Selection
from sinagot.workspace.watch.intake import place_of, sentinel_of
from sinagot.workspace.watch.wakeups import on_shared_drive

__all__ = ["Whereabouts"]


class Whereabouts:
    """Where the recordings of a scope arrive.

    Parameters
    ----------
    scope : Selection
        The records and steps that are meant.
    settings : WatchSettings
        Names the file that says that a recording is complete.
    more : sequence of Slot
        Files besides those that steps read.

    Raises
    ------
    PatternError
        That file has a field that nothing tells.
    """

    def __init__(self, scope: Selection, settings: WatchSettings, more: Sequence[Slot] = ()) -> None:
        self._scope, self._more = scope, more
        workspace = scope.workspace
        self._sentinels = sentinel_of(workspace, settings.sentinel, workspace.nodes_of(scope, None))
        #: Folders that something was in.
        self._filled: set[str] = set()
        self._stamp = self._stamps()

    @cached_property
    def folders(self) -> list[str]:
        """The existing folders below which recordings arrive."""
        config, graph = self._scope.workspace.configuration, self._scope.workspace.blueprint.graph()
        made = {place_of(slot) for node in graph.nodes for slot in node.outputs}
        slots = [slot for node in graph.nodes for slot in node.inputs if place_of(slot) not in made]
        places = [place_of(slot) for slot in (*slots, *self._sentinels.values(), *self._more)]
        heads = {_existing(*place) for place in places} or {str(config.data_path)}
        return sorted(one for one in heads if not any(one.startswith(f"{other}/") for other in heads))

    @property
    def ignored(self) -> list[str]:
        """The folders in which changes are those of runs."""
        config = self._scope.workspace.configuration
        stage = f"{config.output_path}/.sinagot"
        return list(dict.fromkeys([str(config.state_path), stage, str(config.log_path)]))

    @property
    def is_shared(self) -> bool:
        """Whether a drive that recordings arrive on is one of several machines."""
        return on_shared_drive(self.folders)

    def find_gap(self) -> str | None:
        """Say which folder is gone, or as empty as a folder is that a drive was mounted on; None if all are there."""
        config = self._scope.workspace.configuration
        data = str(config.data_path)
        for folder in dict.fromkeys((data, str(config.output_path), str(config.state_path))):
            is_filled = _is_filled(folder)
            if is_filled:
                self._filled.add(folder)
            elif folder in self._filled or (is_filled is None and folder == data):
                return (
                    f"waiting: {folder} is {'gone' if is_filled is None else 'empty'}; was a drive taken off?"
                )
        return None

    def were_edited(self) -> bool:
        """Say whether the configuration is another than when this was asked before."""
        former, self._stamp = self._stamp, self._stamps()
        return former != self._stamp

    def _stamps(self) -> list[tuple[int, int] | None]:
        found: list[tuple[int, int] | None] = []
        for file in self._scope.workspace.configuration.files:
            try:
                state = os.stat(file)
                found.append((state.st_size, state.st_mtime_ns))
            except OSError:
                found.append(None)  # an editor replaces it just now, or the drive is gone
        return found


def _is_filled(folder: str) -> bool | None:
    """Say whether something is in a folder; None when it is not there or can't be read."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return None


def _existing(root: str, pattern: str) -> str:
    """Give the deepest existing folder that all matches of a pattern are in."""
    folder = "/" if pattern.startswith("/") else root
    for part in filter(None, pattern.split("/")[:-1]):
        below = os.path.join(folder, part)
        if set("{}[]").intersection(part) or not os.path.isdir(below):
            break
        folder = below
    return folder.rstrip("/") or "/"
