"""What all pages share: the workspace, what is known of it, and how a page is made.

Knows where things are; must not know any page. Made by the app, read by pages and the API.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, HTTPException, Request
from fastapi.responses import HTMLResponse

from sinagot.config.hints import words_about
from sinagot.dashboard.auth import Keys
from sinagot.dashboard.calendars import Calendars
from sinagot.dashboard.chronicle import Chronicle
from sinagot.dashboard.durations import Durations
from sinagot.dashboard.events import Stream
from sinagot.dashboard.gallery import Gallery
from sinagot.dashboard.reception import Reception
from sinagot.dashboard.rendering import environment, stylesheet
from sinagot.dashboard.run_events import RunEvents
from sinagot.dashboard.snapshot import Snapshot
from sinagot.dashboard.starter import Starter
from sinagot.version import __version__

if TYPE_CHECKING:
    from sinagot.engine.planning.graph import StepNode
    from sinagot.workspace.workspace import Workspace

__all__ = ["NAVIGATION", "AtHome", "House", "step_place"]

#: Address and name of the pages in the navigation.
NAVIGATION = [
    ("/", "Overview"),
    ("/grid", "Records"),
    ("/failures", "Failures"),
    ("/runs", "Runs"),
    ("/pipelines", "Pipelines"),
    ("/flows", "Flows"),
    ("/schedules", "Schedules"),
    ("/decisions", "Decisions"),
    ("/configuration", "Configuration"),
]


class House:
    """One workspace, as the dashboard holds it.

    Parameters
    ----------
    workspace : Workspace
        What is shown.
    keys : Keys
        Who may see it.
    prefix : str
        Path that all addresses begin with.
    words : sequence of str
        Options that lead to the workspace on a command line.
    read_only : bool
        Nothing can be started or changed.
    decides : bool
        A service here decides about ticks; else they are left to others.
    """

    def __init__(
        self,
        workspace: Workspace,
        keys: Keys,
        *,
        prefix: str,
        words: Sequence[str],
        read_only: bool,
        decides: bool,
    ) -> None:
        self.workspace = workspace
        self.keys = keys
        self.prefix = prefix
        self.words = list(words)
        self.read_only = read_only
        self.snapshot = Snapshot(workspace)
        self.stream = Stream(self.snapshot)
        self.chronicle = Chronicle(workspace)
        self.gallery = Gallery(self.chronicle)
        self.durations = Durations(self.chronicle.state)
        # A program of its own finds the workspace wherever it is started.
        files = [word for file in workspace.configuration.files for word in ("-w", os.path.abspath(file))]
        self.starter = Starter(self.words or files, self.chronicle.state)
        self.reception = Reception(workspace, self.words or files, read_only=read_only, decides=decides)
        self.calendars = Calendars()
        self.run_events = RunEvents()
        title = str(workspace.info.get("title") or workspace.data_path.resolve().parent.name or "workspace")
        self.templates = environment(
            base=prefix,
            csrf=keys.csrf,
            navigation=NAVIGATION,
            read_only=read_only,
            title=title,
            version=__version__,
            command=self.command,
            words_about=words_about,
            tones=stylesheet(),
        )

    @property
    def roots(self) -> list[str]:
        """Folders whose files may be shown."""
        configuration = self.workspace.configuration
        return list(dict.fromkeys([str(configuration.data_path), str(configuration.output_path)]))

    def close_streams(self) -> None:
        """End what clients listen to; called in the thread of the server."""
        self.stream.close()
        self.run_events.is_over = True

    def command(self, *words: str) -> str:
        """Write a command to copy."""
        return shlex.join(["sinagot", *self.words, *words])

    def page(self, name: str, request: Request, status_code: int = 200, **facts: Any) -> HTMLResponse:
        """Fill a template."""
        path = request.scope["path"].removeprefix(self.prefix) or "/"
        text = self.templates.get_template(name).render(here=path, **facts)
        # Names of files that are no UTF-8 come as halves of surrogate pairs.
        return HTMLResponse(text.encode("utf-8", "replace"), status_code=status_code)

    def record_number(self, record_id: str) -> int:
        """Look an id up among those that are there."""
        place = self.snapshot.view().find(record_id)
        if place is None:
            raise HTTPException(404, f"there is no record {record_id[:200]!r} here")
        return place

    def node(self, step: str) -> StepNode:
        """Look a step up by its place, such as ``RS-EEG-alpha``."""
        for node in self.snapshot.view().nodes:
            if step_place(node) == step:
                return node
        raise HTTPException(404, f"there is no step {step[:200]!r} here")


def step_place(node: StepNode) -> str:
    """Give the name of a step with its task and modality, where it has some."""
    return "-".join(part for part in (node.task, node.modality, node.label) if part)


def _house(request: Request) -> House:
    house: House = request.app.state.house
    return house


#: Parameter of an endpoint: the house it is in.
AtHome = Annotated[House, Depends(_house)]
