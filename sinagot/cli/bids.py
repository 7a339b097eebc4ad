"""What the file names of a BIDS tree say: tasks, kind of data, and the pattern that one recording follows.

Knows BIDS names (https://bids-specification.readthedocs.io, version 1.10); must not know workspaces.
`sinagot init --bids` fills its template with it.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["BidsTree", "look"]

#: Kind of data (name of the folder) -> suffix of the file name, and endings of the file that stands for a recording.
_KINDS = {
    "eeg": ("eeg", (".vhdr", ".edf", ".bdf", ".set")),
    "meg": ("meg", (".fif", ".ds", ".con", ".sqd", ".kit")),
    "ieeg": ("ieeg", (".vhdr", ".edf", ".nwb", ".set", ".mefd")),
    "nirs": ("nirs", (".snirf",)),
    "func": ("bold", (".nii.gz", ".nii")),
    "motion": ("motion", (".tsv",)),
    "beh": ("beh", (".tsv", ".tsv.gz")),
}
#: Entities in the order in which names have them -> the field of the pattern.
_ENTITIES = {
    "ses": "session",
    "task": "task",
    "acq": "acquisition",
    "ce": "ceagent",
    "trc": "tracer",
    "rec": "reconstruction",
    "dir": "direction",
    "tracksys": "tracksys",
    "run": "run",
    "echo": "echo",
    "part": "part",
    "proc": "processing",
    "split": "split",
    "recording": "recording",
}
_PAIR = re.compile(r"_([a-z]+)-([0-9A-Za-z]+)")
_NAME = re.compile(r"sub-[0-9A-Za-z]+((?:_[a-z]+-[0-9A-Za-z]+)*)_([A-Za-z0-9]+)(\.[A-Za-z.]+)")


class BidsTree(NamedTuple):
    """What a workspace needs to know of a tree.

    Attributes
    ----------
    kind : str
        Kind of data: the name of the folder, such as ``eeg``.
    tasks : tuple of str
        Sorted; empty when no recording was found.
    path, id, output : str
        Patterns: of the recording's file, of the record's id, and of a first result.
    found : int
        Recordings that were found.
    """

    kind: str
    tasks: tuple[str, ...]
    path: str
    id: str
    output: str
    found: int


def look(folder: str) -> BidsTree:
    """Look at the names in a BIDS tree; for an empty one the commonest form is given.

    Parameters
    ----------
    folder : str
        Root of the tree, where the folders ``sub-...`` are.

    Returns
    -------
    BidsTree
        For the kind of data that comes first in the list of kinds and has a task.
    """
    found = _recordings(folder)
    for kind in _KINDS:
        names = [(entities, ending) for of, entities, ending in found if of == kind and "task" in entities]
        if names:
            return _tree(kind, names)
    return _tree("eeg", [], optional=("ses", "run"))


def _tree(kind: str, names: list[tuple[dict[str, str], str]], optional: tuple[str, ...] = ()) -> BidsTree:
    ending = Counter(ending for _, ending in names).most_common(1)[0][0] if names else ".vhdr"
    recordings = [entities for entities, of in names if of == ending]
    uses = Counter(entity for entities in recordings for entity in entities)
    parts = []
    for entity, field in _ENTITIES.items():
        if entity == "task" or uses[entity] or entity in optional:
            part = f"_{entity}-{{{field}}}"
            is_always = entity == "task" or uses[entity] == len(recordings) > 0
            parts.append((entity, part if is_always else f"[{part}]"))
    folder = next((part.replace("_", "/", 1) for entity, part in parts if entity == "ses"), "")
    stem = f"sub-{{subject}}{folder}/{{modality}}/sub-{{subject}}{''.join(part for _, part in parts)}"
    return BidsTree(
        kind,
        tuple(sorted({entities["task"] for entities in recordings})),
        f"{stem}_{_KINDS[kind][0]}{ending}",
        f"sub-{{subject}}{''.join(part for entity, part in parts if entity != 'task')}",
        f"{stem}_describe.json",
        len(recordings),
    )


def _recordings(folder: str) -> list[tuple[str, dict[str, str], str]]:
    """List kind, entities and ending of every file that stands for a recording."""
    found = []
    for subject in _folders(folder, "sub-"):
        for place in (subject, *_folders(subject, "ses-")):
            for kind, (suffix, endings) in _KINDS.items():
                for name in _names(os.path.join(place, kind)):
                    match = _NAME.fullmatch(name)
                    if match is not None and match[2] == suffix and match[3] in endings:
                        entities = dict(_PAIR.findall(match[1]))
                        if entities.keys() <= _ENTITIES.keys():
                            found.append((kind, entities, match[3]))
    return found


def _folders(folder: str, start: str) -> Iterator[str]:
    for name in _names(folder):
        path = os.path.join(folder, name)
        if name.startswith(start) and os.path.isdir(path):
            yield path


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
