"""`SourceSet`: one version of a script and of its local modules, as plain data that travels in a job.

Knows files, texts and digests; must not know what the texts do (`modules` and `loading` execute them).
The driver finds a set (`imports`), a run copies it (`snapshot`), every process loads from it (`loading`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from sinagot.errors import ScriptError
from sinagot.scripts.spec import PathSource

__all__ = [
    "MODULE_PREFIX",
    "Command",
    "LocalModule",
    "Program",
    "SourceSet",
    "digest_of",
    "iter_candidates",
    "keep_text",
    "text_of",
]

#: Of the names of modules that are made from scripts.
MODULE_PREFIX = "sinagot_script_"


class LocalModule(NamedTuple):
    """One module beside the scripts.

    Attributes
    ----------
    name : str
        What the user's code imports: ``"tools"``, ``"tools.filters"``.
    path : str
        The user's file; tracebacks and `__file__` show it.
    text : str
        The file to read: `path` itself, or its copy in a snapshot.
    text_digest : str
        Of the bytes of `text`.
    digest : str
        Of those and of every local module that it imports in turn: modules of one version are shared.
    is_package : bool
        Whether `path` is the ``__init__.py`` of a folder.
    is_bare : bool
        Whether it is a folder without one, a namespace package: it has no text, and `path` is where that would be.
    """

    name: str
    path: str
    text: str
    text_digest: str
    digest: str
    is_package: bool = False
    is_bare: bool = False


class Command(NamedTuple):
    """A step that is a command: its words, the folder it runs in, its paths, and whether a shell reads it."""

    words: tuple[str, ...]
    folder: str
    inputs: PathSource
    outputs: PathSource
    shell: bool = False


class Program(NamedTuple):
    """Where a node of a workflow class is found: the class that gives its script, and what its code is made of."""

    #: Of the class, where it is alive in the process that made it.
    key: str
    module: str
    #: Qualified name of the class in its module.
    name: str
    #: Digest of the whole module and its local imports, or of the pickle.
    version: str
    #: The text is a pickle of the class: it was made in a program's main module, a notebook or a function.
    is_pickled: bool = False
    #: Name and digest of each piece that counts for the node: functions, and local modules that they use.
    pieces: tuple[tuple[str, str], ...] = ()


class SourceSet(NamedTuple):
    """One version of a step's code.

    Attributes
    ----------
    step : str
        Name of the step.
    modality : str or None
        Name of the modality.
    path : str
        The user's script.
    text : str
        The file to read: `path` itself, or its copy in a snapshot.
    text_digest : str
        Of the script's bytes.
    digest : str
        Of those and of all `modules`: the digest of the step.
    modules : tuple of LocalModule
        Every local module that the script imports, directly or not; parents stand before what they hold.
    command : Command, optional
        Set for a command step, which has no script.
    program : Program, optional
        Set for a node of a workflow class; `step` is its name.
    """

    step: str
    modality: str | None
    path: str
    text: str
    text_digest: str
    digest: str
    modules: tuple[LocalModule, ...] = ()
    command: Command | None = None
    program: Program | None = None

    @property
    def module_name(self) -> str:
        """Name of the script's module: a valid name, the same in every process, one for each file.

        Examples
        --------
        >>> SourceSet("alpha.v2", "EEG", "/lab/scripts/EEG/alpha.v2.py", "", "", "").module_name
        'sinagot_script_EEG_alpha_v2_d374e247'
        """
        words = (self.modality, self.step) if self.modality else (self.step,)
        label = re.sub(r"\W", "_", "_".join(words))
        return f"{MODULE_PREFIX}{label}_{digest_of(self.path.encode('utf-8', 'surrogateescape'))[:8]}"

    @property
    def named_digests(self) -> dict[str, str]:
        """Digests of the script, by the name of its file, and of its local modules, by name."""
        if self.command is not None:
            return {}
        if self.program is not None:
            return dict(self.program.pieces)
        own = {os.path.basename(self.path): self.text_digest}
        return own | {module.name: module.text_digest for module in self.modules if not module.is_bare}

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """Path and digest of the script and of every local module that is a file."""
        return (
            (self.path, self.text_digest),
            *((module.path, module.text_digest) for module in self.modules if not module.is_bare),
        )


def digest_of(text: bytes) -> str:
    """Give the digest of a file's bytes: sha256, in hexadecimal digits.

    Examples
    --------
    >>> digest_of(b"")[:8]
    'e3b0c442'
    """
    return sha256(text).hexdigest()


# Bytes of everything that was read here, by digest. Scripts are small, and a set that was found can so be
# loaded and copied later exactly as it was found, whatever an editor does to the file in between.
_TEXTS: dict[str, bytes] = {}


def keep_text(text: bytes) -> str:
    """Keep a file's bytes for later and give their digest."""
    digest = digest_of(text)
    _TEXTS[digest] = text
    return digest


def text_of(part: SourceSet | LocalModule) -> bytes:
    """Give the bytes of a script or local module, exactly those of its digest.

    Raises
    ------
    ScriptError
        When the file is gone or holds something else by now.
    """
    found = _TEXTS.get(part.text_digest)
    if found is not None:
        return found
    if isinstance(part, LocalModule) and part.is_bare:
        return b""
    name = part.step if isinstance(part, SourceSet) else part.name
    try:
        with open(part.text, "rb") as stream:
            found = stream.read()
    except OSError as error:
        raise ScriptError(
            f"{name!r} ({part.path}): cannot read {part.text}: {error.strerror}",
            step=name,
            file=Path(part.path),
        ) from error
    if keep_text(found) != part.text_digest:
        raise ScriptError(
            f"{name!r} ({part.path}): {part.text} was edited after the run began",
            step=name,
            file=Path(part.path),
        )
    return found


def iter_candidates(name: str, folders: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Give the files that may hold a module, and whether each is a package: a package first, as Python does.

    Examples
    --------
    >>> list(iter_candidates("tools", ["scripts"]))
    [('scripts/tools/__init__.py', True), ('scripts/tools.py', False)]
    """
    for folder in folders:
        yield os.path.join(folder, name, "__init__.py"), True
        yield os.path.join(folder, f"{name}.py"), False
