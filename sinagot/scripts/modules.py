"""Makes one script's local modules importable under their plain names, for as long as its code runs.

Knows texts and the import system; must not know steps or records. User code says ``import tools``; two
workspaces with a `tools.py` each never meet, because the names stand in `sys.modules` only between enter and
exit of `activated`.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import decode_source, spec_from_file_location
from types import ModuleType, TracebackType
from typing import Protocol

from sinagot.scripts.sources import LocalModule, SourceSet, iter_candidates, keep_text, text_of

__all__ = ["TURN", "Activation", "LocalFinder", "LocalLoader", "activated", "execute"]

# Executed local modules of this process: (name, path, digest) -> module.
_LOADED: dict[tuple[str, str, str], ModuleType] = {}
#: Plain names are one table per process: scripts with local modules take turns, those without never wait.
TURN = RLock()


def execute(module: ModuleType, text: bytes, file: str) -> None:
    """Execute a text in a module, under the user's file name.

    Parameters
    ----------
    module : ModuleType
        Registered in `sys.modules` already.
    text : bytes
        Python source.
    file : str
        What tracebacks show.
    """
    import linecache

    code = compile(text, file, "exec", dont_inherit=True)
    # The lines that are executed, not those that an editor has saved since. No mtime: linecache leaves them
    # alone.
    linecache.cache[file] = (len(text), None, decode_source(text).splitlines(keepends=True), file)
    exec(code, module.__dict__)  # noqa: S102  (running the user's code is what this package is for)


class LocalLoader:
    """Loads one local module from the text of its digest, once per process and version."""

    def __init__(self, module: LocalModule) -> None:
        self.module = module
        self._key = (module.name, module.path, module.digest)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Give the module when it was executed before."""
        return _LOADED.get(self._key)

    def exec_module(self, module: ModuleType) -> None:
        """Execute the text, unless that was done before."""
        if _LOADED.get(self._key) is not module:
            execute(module, text_of(self.module), self.module.path)
            _LOADED[self._key] = module

    def get_source(self, name: str) -> str:
        """Give the text, for debuggers."""
        return decode_source(text_of(self.module))

    def is_package(self, name: str) -> bool:
        """Tell whether the module is a folder."""
        return self.module.is_package


class LocalFinder:
    """Finds the modules of one `SourceSet`, and what lies in their packages."""

    def __init__(self, modules: Sequence[LocalModule]) -> None:
        self.modules = {module.name: module for module in modules}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module by its full name."""
        module = self.modules.get(name) or self._find_inside(name)
        if module is None:
            return None
        folders = [os.path.dirname(module.path)] if module.is_package else None
        if module.is_bare:
            spec = ModuleSpec(name, LocalLoader(module), is_package=True)  # type: ignore[arg-type]
            spec.submodule_search_locations = folders
            return spec
        return spec_from_file_location(
            name,
            module.path,
            loader=LocalLoader(module),  # type: ignore[arg-type]
            submodule_search_locations=folders,
        )

    def _find_inside(self, name: str) -> LocalModule | None:
        """Find what a package imports by a computed name, which no statement tells: it is read now."""
        parent, _, last = name.rpartition(".")
        package = self.modules.get(parent) if parent else None
        if package is None or not package.is_package:
            return None
        for file, is_package in iter_candidates(last, [os.path.dirname(package.path)]):
            if os.path.isfile(file):
                with open(file, "rb") as stream:
                    digest = keep_text(stream.read())
                found = LocalModule(name, file, file, digest, digest, is_package)
                self.modules[name] = found
                return found
        return None


class Activation(Protocol):
    """What `activated` gives: a context in which the local modules can be imported."""

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class _Nothing:
    """The context of a script without local modules."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(self, *error: object) -> None:
        return None


class _Turn:
    """Puts the modules of one set into `sys.modules`, and takes them out again."""

    __slots__ = ("_finder", "_saved", "_source")

    def __init__(self, source: SourceSet) -> None:
        self._source = source

    def __enter__(self) -> None:
        TURN.acquire()
        self._finder = LocalFinder(self._source.modules)
        self._saved = {module.name: sys.modules.pop(module.name, None) for module in self._source.modules}
        for module in self._source.modules:
            loaded = _LOADED.get((module.name, module.path, module.digest))
            if loaded is not None:
                sys.modules[module.name] = loaded
                parent, _, last = module.name.rpartition(".")
                if parent in sys.modules:
                    # Another version of the same package may have been here in between.
                    setattr(sys.modules[parent], last, loaded)
        # In front: that no library has one of these names was found out when the set was made. A new list: another
        # thread that imports something walks through the old one, and would miss a finder if that grew or shrank.
        sys.meta_path = [self._finder, *sys.meta_path]

    def __exit__(self, *error: object) -> None:
        sys.meta_path = [finder for finder in sys.meta_path if finder is not self._finder]
        for name in self._finder.modules:
            before = self._saved.get(name)
            if before is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = before
        TURN.release()


_NOTHING = _Nothing()


def activated(source: SourceSet) -> Activation:
    """Make a script's local modules importable for a while.

    Parameters
    ----------
    source : SourceSet
        The version that is going to run.

    Returns
    -------
    context manager
        Enter it around everything that calls the script's code. Costs nothing for a script without local
        modules.

    Notes
    -----
    Contexts of one thread nest. Threads that need local modules wait for each other: the plain names are one
    table per process.

    Examples
    --------
    >>> source = SourceSet("count", None, "count.py", "count.py", "", "")
    >>> with activated(source):
    ...     pass
    """
    return _Turn(source) if source.modules else _NOTHING
