"""Finds the local modules that a script imports, without executing anything.

Knows import statements and where a local module may lie; must not know what a script declares.
`sinagot.scripts.loading` asks for the set of a script; `sinagot.scripts.modules` makes exactly that set
importable.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from sinagot.config.quiet import quiet
from sinagot.scripts.modules import LocalFinder, LocalLoader
from sinagot.scripts.sources import LocalModule, SourceSet, digest_of, iter_candidates, keep_text

__all__ = ["IMPORTS", "Found", "find_sources", "imported_names"]

#: Digest of a text -> what it imports. Depends on the bytes alone; an index fills it without parsing.
IMPORTS: dict[str, tuple[str, ...]] = {}


class Found(NamedTuple):
    """A script's set, and what the user should be told about it."""

    source: SourceSet
    warnings: tuple[str, ...]


class _Module(NamedTuple):
    name: str
    file: str
    text: bytes
    digest: str
    is_package: bool
    is_bare: bool = False


def imported_names(text: bytes, file: str = "<script>") -> tuple[str, ...]:
    """List what a text imports, by name, wherever the statement stands.

    Parameters
    ----------
    text : bytes
        Python source.
    file : str
        For the place of a syntax error.

    Returns
    -------
    tuple of str
        Dotted names that may be modules, each once; relative ones start with their dots.

    Raises
    ------
    SyntaxError, ValueError
        When the text is not Python.

    Notes
    -----
    ``importlib.import_module("name")`` and ``__import__("name")`` count when the name is written there.

    Examples
    --------
    >>> imported_names(b"import a.b" + bytes([10]) + b"def f(): from .c import d")
    ('a.b', '.c', '.c.d')
    """
    import ast

    with quiet():  # what the compiler has to say about the text, it says when the script is loaded
        tree = ast.parse(text, file)
    names: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            names[base] = None
            link = "" if base.endswith(".") else "."
            names.update((f"{base}{link}{alias.name}", None) for alias in node.names if alias.name != "*")
        elif isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            name = getattr(node.args[0], "value", None)
            if (
                called in ("import_module", "__import__")
                and isinstance(name, str)
                and not name.startswith(".")
            ):
                names[name] = None
    return tuple(names)


def find_sources(
    step: str,
    modality: str | None,
    file: str,
    folders: Sequence[str],
    *,
    text: bytes | None = None,
    name: str = "",
    is_local: Callable[[str], bool] = bool,
) -> Found:
    """Find one version of a script: its bytes and those of every local module below it.

    Parameters
    ----------
    step, modality : str
        What the script is.
    file : str
        Path of the script.
    folders : sequence of str
        Where local modules may lie, the first one wins.
    text : bytes, optional
        The script's bytes, where they are read already.
    name : str
        Name of the script as a module, where it is one: what its relative imports start from.
    is_local : callable, optional
        Whether a name may be that of a local module.

    Returns
    -------
    Found
        The set, and a sentence for each local module that a library or the standard library hides.

    Raises
    ------
    OSError
        When the script cannot be read.
    SyntaxError, ValueError
        When it, or a local module, is not Python.

    Notes
    -----
    Reads each file once; two stats per imported name and folder. A text seen before is not parsed again.
    """
    if text is None:
        with open(file, "rb") as stream:
            text = stream.read()
    search = _Search(folders, is_local)
    is_package = bool(name) and os.path.basename(file) == "__init__.py"
    edges = {"": search.follow(_Module(name, file, text, keep_text(text), is_package=is_package))}
    pending = list(edges[""])
    while pending:
        name = pending.pop(0)
        if name not in edges:
            edges[name] = search.follow(search.modules[name])
            pending.extend(edges[name])
    return Found(
        _source_set(step, modality, file, digest_of(text), search.modules, edges), tuple(search.warnings)
    )


class _Search:
    """Looks names up in the folders, each name once."""

    def __init__(self, folders: Sequence[str], is_local: Callable[[str], bool] = bool) -> None:
        self._may_be_local = is_local
        self.folders = tuple(dict.fromkeys(folders))
        self.modules: dict[str, _Module] = {}
        self.warnings: list[str] = []
        self._absent: set[str] = set()

    def follow(self, module: _Module) -> list[str]:
        """List the local modules that a module imports, parents first."""
        names = IMPORTS.get(module.digest)
        if names is None:
            names = IMPORTS[module.digest] = imported_names(module.text, module.file)
        found: dict[str, None] = {}
        for name in names:
            absolute = _absolute(name, module) if name.startswith(".") else name
            found.update((part, None) for part in self._iter_local(absolute))
        if "." in module.name:
            found.update((part, None) for part in self._iter_local(module.name.rpartition(".")[0]))
        found.pop(module.name, None)
        return list(found)

    def _iter_local(self, name: str) -> Iterator[str]:
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            part = ".".join(parts[:count])
            if part in self._absent or not part or not (part in self.modules or self._look(part)):
                return
            yield part

    def _look(self, name: str) -> bool:
        if not self._may_be_local(name):
            self._absent.add(name)
            return False
        parent, _, last = name.rpartition(".")
        if parent and not self.modules[parent].is_package:
            return False
        folders = (os.path.dirname(self.modules[parent].file),) if parent else self.folders
        module = _read_first(name, last, folders) or _bare_folder(name, last, folders)
        hidden = module is not None and not parent and _hidden_by(name, module.file)
        if module is None or hidden:
            self._absent.add(name)
            # A step that shares its name with a library is no helper: whoever imports the name wants the
            # library. Nor is a folder that may hold anything.
            if module is not None and not module.is_bare and b"ScriptTemplate" not in module.text:
                self.warnings.append(
                    f"{module.file} is never imported: {hidden} has the same name; rename the file to use it"
                )
            return False
        self.modules[name] = module
        keep_text(module.text)
        return True


def _read_first(name: str, last: str, folders: Sequence[str]) -> _Module | None:
    for file, is_package in iter_candidates(last, folders):
        # A stat first: most names are not local, and a failed stat costs half of a failed open.
        if not os.path.isfile(file):
            continue
        try:
            with open(file, "rb") as stream:
                text = stream.read()
        except OSError:
            continue
        return _Module(name, file, text, digest_of(text), is_package)
    return None


def _bare_folder(name: str, last: str, folders: Sequence[str]) -> _Module | None:
    """Find a folder of modules without an ``__init__.py``; it gives way to any module, as in Python."""
    for folder in folders:
        if os.path.isdir(os.path.join(folder, last)):
            file = os.path.join(folder, last, "__init__.py")
            return _Module(name, file, b"", digest_of(b""), is_package=True, is_bare=True)
    return None


def _absolute(name: str, module: _Module) -> str:
    level = len(name) - len(name.lstrip("."))
    parents = module.name.split(".") if module.name else []
    if not module.is_package:
        parents = parents[:-1]
    if level - 1 >= len(parents):
        # Beyond the top: Python will refuse it when it gets there.
        return ""
    return ".".join([*parents[: len(parents) - level + 1], name.lstrip(".")]).rstrip(".")


def _hidden_by(name: str, file: str) -> str:
    """Say what Python would import under the name instead of the local file; empty when nothing."""
    loaded = sys.modules.get(name)
    if loaded is not None and not isinstance(getattr(loaded, "__loader__", None), LocalLoader):
        origin = getattr(loaded, "__file__", None)
        portions = map(os.path.realpath, getattr(loaded, "__path__", ())) if origin is None else ()
        if os.path.dirname(os.path.realpath(file)) in portions:
            return ""
        return "" if _is_same(origin, file) else origin or f"the module {name!r}"
    for finder in list(sys.meta_path):
        find = None if isinstance(finder, LocalFinder) else getattr(finder, "find_spec", None)
        spec = find(name, None) if find else None
        if spec is None:
            continue
        if spec.origin is None and spec.submodule_search_locations is not None:
            # A folder without __init__.py gives way to any real module further down the path: ours.
            return ""
        return "" if _is_same(spec.origin, file) else f"the module {name!r} ({spec.origin})"
    return ""


def _is_same(origin: str | None, file: str) -> bool:
    return origin is not None and os.path.realpath(origin) == os.path.realpath(file)


def _source_set(
    step: str,
    modality: str | None,
    file: str,
    digest: str,
    modules: dict[str, _Module],
    edges: dict[str, list[str]],
) -> SourceSet:
    digests = {name: module.digest for name, module in modules.items()}
    digests[""] = digest
    local = tuple(
        LocalModule(
            name,
            module.file,
            module.file,
            module.digest,
            _version(name, edges, digests),
            module.is_package,
            module.is_bare,
        )
        for name, module in modules.items()
    )
    return SourceSet(step, modality, file, file, digest, _version("", edges, digests), local)


def _version(name: str, edges: dict[str, list[str]], digests: dict[str, str]) -> str:
    """Give one digest for a module and everything local below it."""
    reached = {name}
    pending = [name]
    while pending:
        for other in edges[pending.pop()]:
            if other not in reached:
                reached.add(other)
                pending.append(other)
    if len(reached) == 1:
        return digests[name]
    return digest_of("\n".join(f"{other} {digests[other]}" for other in sorted(reached)).encode())
