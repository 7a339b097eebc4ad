"""Pipelines that a Python file defines: loaded by path, found by name.

Knows files and attributes of modules; must not know workspaces. A file is executed at most once per process and
version.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sinagot.config.hints import did_you_mean
from sinagot.errors import NotFoundError, ScriptError
from sinagot.scripts.imports import find_sources
from sinagot.scripts.loading import load_module
from sinagot.scripts.sources import SourceSet

if TYPE_CHECKING:
    from sinagot.pipeline.pipeline import Pipeline

__all__ = ["FileWord", "FoundPipeline", "choose_pipeline", "file_word", "pipelines_in"]


class FoundPipeline(NamedTuple):
    """A pipeline, the name of the attribute that it is, and its code."""

    pipeline: Pipeline
    attribute: str
    source: SourceSet


class FileWord(NamedTuple):
    """A word that names a file, and perhaps one of its pipelines."""

    path: str
    attribute: str | None = None


def file_word(word: str) -> FileWord | None:
    """Read ``FILE.py`` or ``FILE.py:name``; None where a word is none of these.

    Examples
    --------
    >>> file_word("flows/night.py:tidy"), file_word("night.py"), file_word("night")
    (FileWord(path='flows/night.py', attribute='tidy'), FileWord(path='night.py', attribute=None), None)
    """
    path, colon, attribute = word.rpartition(":")
    if colon and path.endswith(".py") and attribute.isidentifier():
        return FileWord(path, attribute)
    return FileWord(word) if word.endswith(".py") else None


def pipelines_in(path: str, folders: Sequence[str] = ()) -> list[FoundPipeline]:
    """Load a file and give its pipelines, in the order in which they stand there.

    Parameters
    ----------
    path : str
        The file.
    folders : sequence of str
        Where its local modules may lie, beside its own folder.

    Raises
    ------
    ScriptError
        It cannot be loaded; names file and line.
    """
    from sinagot.pipeline.pipeline import Pipeline

    path = os.path.abspath(path)
    places = list(dict.fromkeys([os.path.dirname(path), *folders]))
    name = os.path.basename(path)
    try:
        module = load_module(path, name, places)
    except ScriptError as error:
        # To the user it is no module.
        text = error.message.replace(f"module {name!r}", f"file {name!r}", 1)
        raise ScriptError(text, **error.facts) from error.__cause__
    source = find_sources(name, None, path, places).source
    found: dict[int, FoundPipeline] = {}
    for attribute, value in vars(module).items():
        if isinstance(value, Pipeline) and not attribute.startswith("_"):
            found.setdefault(id(value), FoundPipeline(value, attribute, source))
    return list(found.values())


def choose_pipeline(word: FileWord, folders: Sequence[str] = ()) -> FoundPipeline:
    """Load the pipeline that a word names: by its attribute or its own name, ``pipeline``, or the only one.

    Parameters
    ----------
    word : FileWord
        File and attribute.
    folders : sequence of str
        As for `pipelines_in`.

    Raises
    ------
    NotFoundError
        There is no such file, or none of that name in it, or several.
    ScriptError
        The file cannot be loaded.
    """
    if not os.path.isfile(word.path):
        beside = Path(word.path).parent
        known = [one.name for one in beside.glob("*.py")] if beside.is_dir() else []
        hint = did_you_mean(os.path.basename(word.path), known)
        raise NotFoundError(
            f"there is no file {word.path}{'; ' + hint if hint else ''}", name=word.path, allowed=known
        )
    found = pipelines_in(word.path, folders)
    wanted = [one for one in found if word.attribute in (one.attribute, one.pipeline.name)]
    if word.attribute is None:
        wanted = found if len(found) == 1 else [one for one in found if one.attribute == "pipeline"]
    if len(wanted) == 1:
        return wanted[0]
    names = [one.attribute for one in found]
    if not found:
        text = f"{word.path} defines no pipeline; write: pipeline = Pipeline(...)"
    elif word.attribute is None:
        text = f"{word.path} defines {len(names)} pipelines: {', '.join(names)}; write {word.path}:{names[0]}"
    else:
        hint = did_you_mean(word.attribute, names)
        text = f"{word.path} has no pipeline {word.attribute!r}; there is {', '.join(names)}"
        text += f"; {hint}" if hint else ""
    raise NotFoundError(text, name=word.attribute or word.path, allowed=names)
