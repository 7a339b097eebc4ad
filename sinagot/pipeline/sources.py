"""How a pipeline is found again by another program: in a module, in a file, or by the name of a template.

Knows names and files; must not know stages. A source is plain text, that a file or a command can hold.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from sinagot.config.hints import did_you_mean
from sinagot.errors import ConfigurationError
from sinagot.scripts.loading import load_module

__all__ = ["FINDERS", "Source", "checked_source", "load_source", "source_of"]

#: ``("module", "lab.flows:pipeline")``, ``("file", "/path/flow.py:pipeline")`` or ``("template", name, root)``.
Source = tuple[str, ...]

#: Parts of a source, by its first word.
_PARTS = {"module": 2, "file": 2, "template": 3}
_FORMS = '("module", "package.module:name"), ("file", "/path/file.py:name") or ("template", name, root)'
#: Modules of a program, a notebook or a console: another program has others of that name.
_PRIVATE = ("__main__", "__mp_main__")


def checked_source(source: Source) -> Source:
    """Look whether another program could find a pipeline by a source.

    Parameters
    ----------
    source : tuple of str
        As `Source`.

    Returns
    -------
    tuple of str
        The same; files and roots are absolute.

    Raises
    ------
    ConfigurationError
        When it has another form, or names what only this program has.
    """
    parts = tuple(os.fspath(part) if isinstance(part, os.PathLike) else part for part in source)
    if not parts or _PARTS.get(parts[0]) != len(parts) or not all(parts):
        raise ConfigurationError(f"{source!r} does not say how the pipeline is found again; write {_FORMS}")
    if parts[0] == "template":
        return "template", parts[1], os.path.abspath(parts[2])
    place, _, name = parts[1].rpartition(":")
    if not place or not all(part.isidentifier() for part in name.split(".")):
        raise ConfigurationError(f"{parts[1]!r} names no pipeline; write {_FORMS}")
    if parts[0] == "module":
        if place in _PRIVATE:
            raise ConfigurationError(
                f"a pipeline in {place} is found by this program alone; put it into a module, or name its file: "
                f"{_FORMS}"
            )
        return "module", parts[1]
    path = os.path.abspath(place)
    if not os.path.isfile(path):
        raise ConfigurationError(f"no other program finds the pipeline: there is no file {path}")
    return "file", f"{path}:{name}"


def source_of(pipeline: object) -> Source:
    """Find out where a pipeline can be found again.

    Parameters
    ----------
    pipeline : object
        A name of a module that was imported stands for it.

    Returns
    -------
    tuple of str
        As `Source`.

    Raises
    ------
    ConfigurationError
        When it was made in a notebook, in a console, in a program that was started, or in a function.

    Notes
    -----
    A file that is run as a program may do other things when it is loaded again: its name has to be given by hand.
    """
    own = ""
    for module_name, module in list(sys.modules.items()):
        names = dict(getattr(module, "__dict__", None) or {})
        name = next((one for one, value in names.items() if value is pipeline and one.isidentifier()), None)
        if name is None:
            continue
        file = str(names.get("__file__") or "")
        is_file = os.path.isfile(file)
        if module_name in _PRIVATE:
            own = f'("file", "{file}:{name}")' if is_file else own
        elif _is_importable(module_name):
            return "module", f"{module_name}:{name}"
        elif is_file:
            return "file", f"{os.path.abspath(file)}:{name}"
    hint = f"say where it is: source={own}" if own else "put it into a module of its own, under a name"
    raise ConfigurationError(
        "this pipeline is known here alone, in a notebook, a console, a function or the program that runs; other "
        f"programs cannot find it again; {hint}"
    )


def _is_importable(module: str) -> bool:
    """Say whether another program with the same path would find a module; what is loaded here already says nothing."""
    package = module.partition(".")[0]
    finders = [getattr(finder, "find_spec", None) for finder in sys.meta_path]
    return any(find(package, None) is not None for find in finders if find is not None)


def load_source(source: Source) -> Any:
    """Load the pipeline that a source names.

    Parameters
    ----------
    source : tuple of str
        As `Source`.

    Returns
    -------
    object
        The pipeline.

    Raises
    ------
    ConfigurationError
        When there is no such module, file, template or name.
    ScriptError
        When the file cannot be loaded; names file and line.
    """
    parts = checked_source(source)
    finder = FINDERS.get(parts[0])
    if finder is None:
        raise ConfigurationError(
            f"nothing here loads pipelines of the kind {parts[0]!r}; there are {', '.join(FINDERS)}"
        )
    return finder(*parts[1:])


def _from_module(text: str) -> Any:
    place, _, name = text.rpartition(":")
    try:
        module = importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{place}.".startswith(f"{error.name}."):
            raise
        raise ConfigurationError(
            f"there is no module {place!r} here (no {error.name!r} in sys.path); the pipeline {name!r} was to be found "
            "in it: install its package for this Python, or put its folder on PYTHONPATH"
        ) from error
    return _named(module, name, f"module {place!r}")


def _from_file(text: str) -> Any:
    path, _, name = text.rpartition(":")
    return _named(load_module(path, os.path.basename(path), [os.path.dirname(path)]), name, f"file {path}")


def _named(found: Any, name: str, where: str) -> Any:
    for part in name.split("."):
        known = [one for one in dir(found) if not one.startswith("_")]
        if not hasattr(found, part):
            hint = did_you_mean(part, known)
            raise ConfigurationError(f"{where} has no {name!r}{'; ' + hint if hint else ''}")
        found = getattr(found, part)
    return found


def _from_template(name: str, root: str) -> Any:
    # By name: pipelines come here to be exported.
    pipelines: Any = importlib.import_module("sinagot.pipeline")
    return pipelines.Pipeline.from_loader(name, root=root)


#: Kind of a source -> what loads it from the rest of its parts.
FINDERS: dict[str, Callable[..., Any]] = {
    "module": _from_module,
    "file": _from_file,
    "template": _from_template,
}
