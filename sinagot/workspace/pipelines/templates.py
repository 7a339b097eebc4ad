"""Pipelines that are written in YAML, in the folder `conf` beside the configuration.

Knows the library of templates by what it is asked here; must not know what stands in a template.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sinagot.config.settings import ScheduleSettings
from sinagot.config.sources import absolute_path
from sinagot.errors import ConfigurationError

if TYPE_CHECKING:
    from sinagot.pipeline.pipeline import Pipeline

__all__ = ["Template", "conf_folder", "templates_of"]

#: Where templates are where nothing else is said, beside the configuration.
CONF_FOLDER = "conf"


class Template(NamedTuple):
    """A pipeline of the folder: its name, where it is written, and what makes it."""

    name: str
    file: str
    load: Callable[[], Pipeline]


def templates_of(root: Path, settings: ScheduleSettings) -> tuple[list[Template], list[ConfigurationError]]:
    """List the templates below a folder, and all that is wrong with its files.

    Parameters
    ----------
    root : Path
        Of the workspace.
    settings : ScheduleSettings
        What holds for templates there.
    """
    conf = conf_folder(root, settings)
    if not conf.is_dir():
        return [], []
    from sinagot.pipeline.templates.kinds import PIPELINE
    from sinagot.pipeline.templates.library import Library  # few workspaces have templates

    catalog = Library(root, conf=conf).look()
    templates = []
    for name in catalog.names(PIPELINE):
        try:
            file = catalog.find(name, PIPELINE).place.file
        except ConfigurationError as error:  # told below, and again when it is loaded
            file = Path(error.file or conf)
        templates.append(Template(name, str(file), _loader(name, root, settings)))
    return templates, [error for errors in catalog.problems().values() for error in errors]


def conf_folder(root: Path, settings: ScheduleSettings) -> Path:
    """Give the folder of the templates of a workspace; it need not be there."""
    return absolute_path(settings.conf or CONF_FOLDER, root)


def _loader(name: str, root: Path, settings: ScheduleSettings) -> Callable[[], Pipeline]:
    def load() -> Pipeline:
        from sinagot.pipeline.pipeline import Pipeline

        return Pipeline.from_loader(name, root=root, settings=settings)

    return load
