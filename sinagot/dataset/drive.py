"""What the drive under a folder does, and what that means for runs: the doctor's look at file systems.

Puts the experiments of `sinagot.dataset.probes` into words and verdicts; must not know workspaces. Reading checks work
anywhere; the others write in one folder of their own, which is removed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial

from sinagot.dataset import probes
from sinagot.dataset.findings import NOTE, OK, PROBLEM, WARNING, Answer, Finding, brief
from sinagot.dataset.mounts import Mount, judge_kind, judge_options, mount_of
from sinagot.dataset.promises import Check, writing_checks
from sinagot.dataset.quota import judge_inodes, judge_path_length, judge_quota, judge_space

__all__ = ["NAMES", "examine_drive", "examine_stage", "existing"]

_SLOW_STAT = 0.001  # seconds
_VERY_SLOW_STAT = 0.02
_MOST_FOLDERS = 1000

#: Names of all findings about drives.
NAMES = (
    *(
        "folder",
        "file system",
        "mount options",
        "free space",
        "inodes",
        "quota",
        "longest path",
        "listing and stat",
    ),
    *("writing", *writing_checks(by_digest=False), "stage"),
)


def examine_drive(
    place: str,
    folder: str,
    base: str | None,
    mounts: Sequence[Mount],
    *,
    writes: bool = True,
    by_digest: bool = False,
) -> Iterator[Finding]:
    """Measure the drive that a folder lies on.

    Parameters
    ----------
    place : str
        What the findings are about, in words.
    folder : str
        An existing folder: what is listed and asked for.
    base : str or None
        Folder in which a folder for experiments is made and removed; None leaves out what needs to write.
    mounts : sequence of Mount
        Those of this machine.
    writes : bool
        Runs write here.
    by_digest : bool
        Changed inputs are told by their content.

    Yields
    ------
    Finding
        One a check, in a fixed order.
    """
    mount = mount_of(folder, mounts)
    yield Finding(place, "folder", folder)
    yield Finding(place, "file system", *judge_kind(mount))
    yield Finding(place, "mount options", *judge_options(mount))
    reading: dict[str, Check] = {
        "free space": partial(judge_space, writes=writes),
        "inodes": partial(judge_inodes, writes=writes),
        "quota": lambda _: judge_quota(mount, writes),
        "longest path": judge_path_length,
        "listing and stat": _look,
    }
    yield from _asked(place, folder, reading)
    if base is None:
        yield Finding(place, "writing", "not tried", OK, "runs only read here.")
        return
    try:
        with probes.probe_folder(base) as probe:
            yield Finding(place, "writing", "works")
            yield from _asked(place, probe, writing_checks(by_digest))
    except OSError as error:
        text = f"impossible: {error.strerror or error} ({error.filename or base})"
        advice = "the rest was not measured. Runs write to [path] output, log and state: set them to folders of yours."
        yield Finding(place, "writing", text, PROBLEM if writes else WARNING, advice)


def _asked(place: str, folder: str, checks: dict[str, Check]) -> Iterator[Finding]:
    """Ask each check; one that meets an error says so and holds up no other."""
    for name, check in checks.items():
        try:
            answer = check(folder)
        except OSError as error:
            answer = Answer(f"can't be measured: {error.strerror or error}", NOTE)
        yield Finding(place, name, *answer)


def existing(path: str) -> str:
    """Give the nearest folder of a path that exists.

    Parameters
    ----------
    path : str
        An absolute path.

    Returns
    -------
    str
        The path itself when it is a folder.
    """
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def examine_stage(output: str) -> Finding:
    """Say whether outputs can be renamed into place.

    Parameters
    ----------
    output : str
        Root of what steps write; its `.sinagot/stage` is where they are written first.

    Returns
    -------
    Finding
        Names the folders of outputs that lie on another file system.
    """
    place, name = "output", "stage"
    root, stage = existing(output), existing(f"{output}/.sinagot/stage")
    device = os.stat(stage).st_dev
    others = [] if os.stat(root).st_dev == device else [root]
    try:
        with os.scandir(root) as entries:
            for entry, _ in zip(entries, range(_MOST_FOLDERS), strict=False):
                if entry.name != ".sinagot" and entry.is_dir() and os.stat(entry.path).st_dev != device:
                    others.append(entry.name)
    except OSError as error:
        return Finding(place, name, f"can't be told: {error.strerror or error}", NOTE)
    if not others:
        return Finding(
            place, name, "on the file system of the outputs", OK, "outputs are renamed into place."
        )
    value = f"on another file system than {', '.join(sorted(others))}"
    return Finding(
        place,
        name,
        value,
        NOTE,
        "outputs there are copied beside their place first, then renamed: still whole, but slower.",
    )


def _look(folder: str) -> Answer:
    first, again = probes.look_around(folder), probes.look_around(folder)
    value = (
        f"{brief(again.listings.middle)} a listing, {brief(again.stats.middle)} a stat "
        f"(worst {brief(again.stats.worst)}; first look {brief(first.listings.middle)} and "
        f"{brief(first.stats.middle)}; {again.names:,} names)"
    )
    if again.unreadable:
        return Answer(
            f"{value}, {again.unreadable} unreadable",
            WARNING,
            "records below what can't be read are not found.",
        )
    if not again.stats.calls:
        return Answer(f"{brief(again.listings.middle)} a listing, no file to ask for")
    return _judge_stat(value, again.stats.middle)


def _judge_stat(value: str, seconds: float) -> Answer:
    if seconds < _SLOW_STAT:
        return Answer(value)
    advice = (
        'sinagot lists folders and asks for single files only with rerun = "outdated", which takes this long for each '
        "input and output. Run where the data are, or copy them nearer."
    )
    return Answer(value, WARNING if seconds >= _VERY_SLOW_STAT else NOTE, advice)
