"""`Registries`: the modules in which hooks and filters of templates are looked for.

Knows folders, packages and how user modules are loaded; must not know tags or templates. Local modules are loaded as
those of scripts are: by their text, so that an edited one is loaded anew, and without a change of `sys.path`.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from sinagot.config.quiet import quiet
from sinagot.errors import ScriptError
from sinagot.pipeline.templates.filters import FILTERS, filter_name, filters_apart
from sinagot.scripts.blame import script_error
from sinagot.scripts.imports import find_sources
from sinagot.scripts.modules import activated
from sinagot.scripts.sources import SourceSet

__all__ = ["FILTERS_VARIABLE", "HERE", "VARIABLE", "Declared", "Loaded", "Registries", "load_set"]

#: Environment variables: packages with hooks and modules with filters, separated by commas.
VARIABLE = "WORKFLOW_CORE_REGISTRY"
FILTERS_VARIABLE = "WORKFLOW_CORE_REGISTRY_FILTER"
#: The workspace's own folder, among the packages.
HERE = "."
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
#: So many files of a folder, and levels of folders, are read to tell what is known.
_MOST_FILES = 500
_MOST_ENTRIES = 2000
_LEVELS = 3
_LONGEST_FILE = 1 << 20


class Loaded(NamedTuple):
    """A module, and what makes it importable; None where it can be imported as usual."""

    module: ModuleType
    source: SourceSet | None = None


class Declared(NamedTuple):
    """What a file declares by a decorator with a text: found without running it."""

    path: str
    function: str
    arguments: tuple[str, ...]


class Registries:
    """Where the hooks and filters of one workspace are looked for.

    Parameters
    ----------
    root : path, optional
        Folder of the workspace.
    packages : sequence of str, optional
        Packages that are searched, in order; ``"."`` is the folder itself. Otherwise those of the environment
        variable ``WORKFLOW_CORE_REGISTRY``, otherwise the folder.
    filters : sequence of str, optional
        Modules with filters. Otherwise those of ``WORKFLOW_CORE_REGISTRY_FILTER``, otherwise whichever files of the
        workspace's folder declare one.
    environ : mapping, optional
        In place of the environment.

    Notes
    -----
    Making one reads nothing. Files are read anew for every question; a module is executed once for each version
    of its text and of what it imports from the same folder.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        packages: Sequence[str] | None = None,
        filters: Sequence[str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        surroundings = os.environ if environ is None else environ
        self.root = None if root is None else os.path.abspath(os.fspath(root))
        self.packages = _named(packages, surroundings.get(VARIABLE)) or (HERE,)
        self.filter_modules = _named(filters, surroundings.get(FILTERS_VARIABLE))

    @property
    def folders(self) -> tuple[str, ...]:
        """Folders whose modules can be imported: the workspace's, and the one that its ``conf`` really lies in."""
        if self.root is None:
            return ()
        return tuple(
            dict.fromkeys((self.root, os.path.dirname(os.path.realpath(os.path.join(self.root, "conf")))))
        )

    def load(self, path: str, package: str = HERE) -> Loaded | None:
        """Load a module.

        Parameters
        ----------
        path : str
            Dotted path of the module.
        package : str
            What it is in.

        Returns
        -------
        Loaded or None
            None when there is no such module. One of the workspace's folder wins over one that was imported already;
            installed modules are imported only from a package that is named as a registry.

        Raises
        ------
        ScriptError
            When it cannot be imported; names file and line.
        """
        name = path if package == HERE else f"{package}.{path}".rstrip(".")
        if not _DOTTED.fullmatch(name):
            return None
        source = self._source(name)
        if source is not None:
            return Loaded(load_set(source, name), source)
        module = sys.modules.get(name)
        if module is not None:
            return Loaded(module)
        return None if package == HERE else _installed(name)

    def declared(self, decorator: str) -> list[Declared]:
        """List what the files of all packages declare by a decorator; nothing is run.

        Parameters
        ----------
        decorator : str
            Its name, ``tag`` or ``custom_filter``.

        Returns
        -------
        list of Declared
            Sorted, with paths as templates write them. Files that cannot be read or parsed are left out.
        """
        return sorted(
            {one for package in self.packages for one in self._declared_in(package, decorator) if one.path}
        )

    def _declared_in(self, package: str, decorator: str) -> Iterator[Declared]:
        for folder in self._homes(package):
            yield from _scan(folder, decorator)

    def filters(self, report: Callable[[ScriptError], Any] | None = None) -> Mapping[str, Callable[..., Any]]:
        """Give all filters that the templates of the workspace may use.

        Parameters
        ----------
        report : callable, optional
            Gets what is wrong with a module that cannot be imported; the others count all the same.

        Returns
        -------
        mapping of str to callable
            The built-in ones, those of the process, and the workspace's own.
        """
        table = dict(FILTERS)
        for name, package in self._modules_with_filters():
            try:
                loaded = self.load(name, package) or self._installed_filters(name)
            except ScriptError as error:
                if report is not None:
                    report(error)
                continue
            for value in list(vars(loaded.module).values()) if loaded else ():
                own = filter_name(value)
                if own is not None:
                    table[own] = value
        return table

    def _modules_with_filters(self) -> dict[tuple[str, str], None]:
        if self.filter_modules:
            return dict.fromkeys((name.replace("/", "."), HERE) for name in self.filter_modules)
        return dict.fromkeys(
            (one.path.replace("/", "."), package)
            for package in self.packages
            for one in self._declared_in(package, "custom_filter")
        )

    def _installed_filters(self, name: str) -> Loaded | None:
        if not self.filter_modules:
            return None
        found = _installed(name)
        if found is None:
            raise ScriptError(f"registry module {name!r}: there is no such module")
        return found

    def _homes(self, package: str) -> tuple[str, ...]:
        if package == HERE:
            return self.folders
        if not _DOTTED.fullmatch(package):
            return ()
        inside = [os.path.join(folder, *package.split(".")) for folder in self.folders]
        local = tuple(folder for folder in inside if os.path.isdir(folder))
        if local:
            return local
        try:
            spec = importlib.util.find_spec(package)
        except Exception:  # noqa: BLE001  (it runs the parent package: whatever that raises, there is nothing to list)
            return ()
        return tuple(spec.submodule_search_locations or ()) if spec else ()

    def _source(self, name: str) -> SourceSet | None:
        """Find a module of the workspace's folder and the local modules below it."""
        if not self.folders:
            return None
        stub = SourceSet(name, None, os.path.join(self.folders[0], *name.split(".")) + ".py", "", "", "")
        try:
            found, warnings = find_sources(
                name, None, stub.path, self.folders, text=f"import {name}".encode()
            )
        except Exception as error:
            # Whatever the parser or the disk says of a file of the user's.
            raise script_error(error, stub, "registry module") from error
        module = next((one for one in found.modules if one.name == name), None)
        if module is None and warnings:
            raise ScriptError(f"registry module {name!r}: {warnings[0]}", file=Path(stub.path))
        return None if module is None else found._replace(path=module.path)


def load_set(source: SourceSet, name: str) -> ModuleType:
    """Give one of the local modules of a set, executed at most once for each version in a process.

    Parameters
    ----------
    source : SourceSet
        What makes it importable.
    name : str
        Its dotted name.

    Returns
    -------
    ModuleType
        The module; `sys.modules` and `sys.path` are as they were.

    Raises
    ------
    ScriptError
        When it fails.
    """
    try:
        with filters_apart(), activated(source):
            return importlib.import_module(name)
    except ScriptError:
        raise
    except (Exception, SystemExit) as error:
        # The user's module: whatever it raises is told with its file and line.
        raise script_error(error, source, "registry module") from error


def _installed(name: str) -> Loaded | None:
    if not _DOTTED.fullmatch(name):
        return None
    try:
        return Loaded(importlib.import_module(name))
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            return None
        raise _failed(name, error) from error
    except (Exception, SystemExit) as error:
        # The user's package: whatever it raises is told with its file and line.
        raise _failed(name, error) from error


def _failed(name: str, error: BaseException) -> ScriptError:
    file = ""
    if isinstance(error, SyntaxError):
        file = error.filename or ""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_name == "<module>" and not code.co_filename.startswith("<"):
            file = code.co_filename
        trace = trace.tb_next
    return script_error(error, SourceSet(name, None, file or name, "", "", ""), "registry module")


def _named(given: Sequence[str] | None, written: str | None) -> tuple[str, ...]:
    names = (written or "").split(",") if given is None else given
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def _scan(home: str, decorator: str) -> Iterator[Declared]:
    for file in _files(home):
        try:
            with open(file, "rb") as stream:
                text = stream.read(_LONGEST_FILE)
        except OSError:
            continue
        if f"{decorator}(".encode() in text:
            path = Path(file).relative_to(home).with_suffix("")
            parts = path.parts[:-1] if path.name == "__init__" else path.parts
            yield from _decorated(text, "/".join(parts), decorator)


def _files(home: str) -> Iterator[str]:
    """Give the Python files of a folder and of a few levels below; a folder of recordings is left soon."""
    pending, count = [(home, 1)], 0
    while pending:
        folder, level = pending.pop(0)
        try:
            with os.scandir(folder) as entries:
                listed = [entry for entry, _ in zip(entries, range(_MOST_ENTRIES), strict=False)]
        except OSError:
            continue
        for entry in sorted(listed, key=lambda one: one.name):
            stem, suffix = os.path.splitext(entry.name)
            if not stem.isidentifier() or stem == "__pycache__":
                continue
            if suffix == ".py" and entry.is_file():
                count += 1
                if count > _MOST_FILES:
                    return
                yield entry.path
            elif not suffix and level < _LEVELS and entry.is_dir(follow_symlinks=False):
                pending.append((entry.path, level + 1))


def _decorated(text: bytes, path: str, decorator: str) -> Iterator[Declared]:
    try:
        with quiet():
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # whoever loads it will hear of it
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for call in node.decorator_list:
            if not isinstance(call, ast.Call):
                continue
            called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            values = [*call.args, *(keyword.value for keyword in call.keywords)]
            texts = tuple(
                one.value for one in values if isinstance(one, ast.Constant) and isinstance(one.value, str)
            )
            if called == decorator and texts:
                yield Declared(path, node.name, texts)
