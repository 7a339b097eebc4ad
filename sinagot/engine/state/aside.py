"""Outputs that are not what was made: torn, or changed by somebody. They are kept, in a folder of their own.

Knows the paths of a job and where damaged files go; must not decide what is damaged.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sinagot.engine.job import Job
from sinagot.scripts.codes import StepStatus

if TYPE_CHECKING:
    from sinagot.runlog.capture import AttemptLog

__all__ = ["aside_folder", "move_aside", "put_aside"]


def aside_folder(output_path: str) -> str:
    """Give the folder of damaged files: on the file system of the outputs, so that a move is a rename.

    Examples
    --------
    >>> aside_folder("/lab/data")
    '/lab/data/.sinagot/aside'
    """
    return f"{output_path}/.sinagot/aside"


def move_aside(path: str, folder: str) -> str | None:
    """Move a damaged file or folder away, under a name of its own.

    Parameters
    ----------
    path : str
        What is damaged.
    folder : str
        Made when absent.

    Returns
    -------
    str or None
        Where it is now; None when it is gone already.
    """
    place = f"{folder}/{os.urandom(4).hex()}"
    os.makedirs(place, exist_ok=True)
    target = f"{place}/{os.path.basename(path)}"
    try:
        os.rename(path, target)
    except FileNotFoundError:
        os.rmdir(place)
        return None
    return target


def put_aside(job: Job, attempt: str, log: AttemptLog) -> None:
    """Move the damaged outputs of a job away and say so in its log; the claim must be ours."""
    folder = f"{aside_folder(job.options.output_path)}/{attempt}"
    for path in job.damaged:
        target = move_aside(path, folder)
        if target is not None:
            text = f"{path} is not what was made: it is kept as {target}, and made again"
            log.line(StepStatus.PROCESSING, text, level="WARNING")
