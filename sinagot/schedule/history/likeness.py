"""What a workspace says, as a digest: copies of it on other machines are known by that.

Knows files of configurations and templates; must not know databases.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress

from sinagot.config.schedules import schedule_of
from sinagot.config.settings import Configuration
from sinagot.pipeline.templates.folders import list_files
from sinagot.workspace.pipelines.templates import conf_folder

__all__ = ["likeness_of"]


def likeness_of(configuration: Configuration) -> str:
    """Give a digest of the configuration and templates of a workspace: copies of it have the same, until one is edited.

    Parameters
    ----------
    configuration : Configuration
        Of the workspace; one without files has no likeness, and the answer is empty.
    """
    root = configuration.root
    templates, _ = list_files(conf_folder(root, schedule_of(configuration)))
    files = {os.path.relpath(file, root): file for file in (*configuration.files, *templates)}
    digest = hashlib.sha256()
    for name, file in sorted(files.items()):
        with suppress(OSError), open(file, "rb") as opened:
            text = opened.read()
            digest.update(f"{name!r} {len(text)}\n".encode())
            digest.update(text)
    return digest.hexdigest() if files else ""
