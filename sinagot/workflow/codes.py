"""The code of a recipe's steps: what counts for each, and how a process that has not made the class finds it.

Knows functions, their texts and modules; must not know data.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any

from sinagot.errors import WorkflowError
from sinagot.scripts.imports import find_sources
from sinagot.scripts.packages import package_version
from sinagot.scripts.sources import LocalModule, Program, SourceSet, digest_of, keep_text
from sinagot.workflow.literals import Exact, Shown, UntellableError, check_stable, shortened
from sinagot.workflow.names import is_data, library_folders
from sinagot.workflow.nodes import Call, Node, fill, name_of, text_kept
from sinagot.workflow.pieces import code_text, pieces_of
from sinagot.workflow.sourcetexts import SourceText, digest_of_text
from sinagot.workflow.watch import Watch

if TYPE_CHECKING:
    from sinagot.workflow.parts import Parts

__all__ = ["NodeCode", "literals_of", "storage_literals"]

#: How collections are written: files of an earlier form are made again.
_COLLECTION_FORMAT = 2
#: Modules whose classes no other process could import.
_MAIN = ("__main__", "__mp_main__")


def literals_of(value: Any, constants: Mapping[str, Any] | None = None, watch: Watch | None = None) -> Any:
    """Make plain values of an argument, so that equal ones are equal texts, and no others; a node is named.

    Raises
    ------
    UntellableError
        Nothing tells it apart from another value.

    Examples
    --------
    >>> literals_of({"a": [1, 2.5]}), literals_of(1j)
    ({'a': [1, 2.5]}, '<1j>')
    """
    known = constants or {}

    def name(node: Node) -> Any:
        return known.get(node.name, Shown(f"<{node.name}>"))

    filled = fill(value, name)
    if watch is not None and is_data(filled):
        watch.data(filled)
    told: dict[int, str] = {}
    return shortened(Exact(lambda code: code_text(code, watch, told))(filled))


def storage_literals(kwargs: Mapping[str, Any]) -> Any:
    """Make plain values of the options of a storage; one that nothing tells apart counts by its class."""
    found = {}
    for key, value in kwargs.items():
        try:
            found[str(key)] = literals_of(value)
        except UntellableError:
            found[str(key)] = f"<{type(value).__qualname__}>"
    return found


class NodeCode:
    """The code of all steps of a recipe.

    Parameters
    ----------
    recipe : Parts
        The recipe.
    """

    def __init__(self, recipe: Parts) -> None:
        self._recipe = recipe
        self._sources: dict[str, SourceSet] = {}
        self._pieces: dict[str, dict[str, str]] = {}
        self._literals: dict[str, dict[str, Any]] = {}
        self._watch = Watch()
        self._patched: set[str] = set()
        #: The version that `version` gave when it was asked last.
        self.number = 0
        #: Attributes may be read in several threads.
        self._lock = RLock()

    def version(self) -> int:
        """Give a number that is another one when a function or value that steps use is not what it was.

        Notes
        -----
        Costs some microseconds a step, and a pickle of what could have been changed in place.
        """
        with self._lock:
            if not self._watch.is_same():
                self._forget()
            return self.number

    def look_again(self) -> None:
        """Look at large data, too, when the next version is asked for."""
        with self._lock:
            if self._watch.has_large:
                self._forget()

    def _forget(self) -> None:
        self.number += 1
        self._watch = Watch()
        self._patched.clear()
        self._pieces.clear()
        self._literals.clear()
        self._sources.clear()

    @cached_property
    def _home(self) -> tuple[str, str, SourceText] | None:
        """Module, name and text of the class, where another process can load it from its file."""
        home = self._recipe.home
        if home is None or home[0] in _MAIN or "<locals>" in home[1]:
            return None
        module = sys.modules.get(home[0])
        file = getattr(module, "__file__", None)
        if file is None or not file.endswith(".py"):
            return None
        found: Any = module
        for name in home[1].split("."):
            found = getattr(found, name, None)
        if getattr(found, "_recipe", None) is not self._recipe:
            return None  # made by a function, or another class took its name
        text = self._text_of(file)
        return None if text is None else (*home, text)

    def _text_of(self, file: str) -> SourceText | None:
        """Give the text of a module as it was when its functions were made, else as it is now."""
        for part in self._recipe.steps:
            assert isinstance(part.node, Call)
            text = text_kept(part.node.function)
            if text is not None and text.file == file:
                return text
        try:
            with open(file, "rb") as stream:
                return SourceText(file, stream.read())
        except OSError:
            return None

    @cached_property
    def _modules(self) -> tuple[LocalModule, ...]:
        """Local modules that the module of the class imports."""
        home = self._home
        if home is None:
            return ()
        module, _, text = home
        folders, is_ours = _neighbours(module, text.file)
        try:
            found = find_sources(
                module, None, text.file, folders, text=text.data, name=module, is_local=is_ours
            )
        except (OSError, SyntaxError, ValueError):
            return ()
        return tuple(one for one in found.source.modules if one.name != module)

    @cached_property
    def _digests(self) -> dict[str, str]:
        return {module.name: module.digest for module in self._modules}

    @cached_property
    def _version(self) -> str:
        home = self._home
        assert home is not None, "only classes with a file"
        parts = [
            digest_of(home[2].data),
            *sorted(f"{name} {digest}" for name, digest in self._digests.items()),
        ]
        return digest_of("\n".join(parts).encode())

    def pieces(self, name: str) -> dict[str, str]:
        """Give name and digest of each piece of code that counts for one step alone."""
        with self._lock:
            found = self._pieces.get(name)
            if found is None:
                node = self._recipe.parts[name].node
                assert isinstance(node, Call), "only steps have code"
                if node.options.version is not None:
                    found = {name_of(node.function): f"version {node.options.version}"}
                else:
                    text = text_kept(node.function)
                    found = pieces_of(node.function, text, self._digests, self._watch, self._patched)
                for package in node.options.packages:
                    found = {
                        **found,
                        f"package {package}": digest_of_text(str(package_version(package))),
                    }
                self._pieces[name] = found
        return found

    def doubts(self) -> list[str]:
        """Say which values of modules only this process has: others load the file of the class."""
        home = self._home
        if home is None or not self._patched:
            return []
        names = ", ".join(sorted(self._patched))
        text = f"{names} of {home[0]} was changed in this process, and worker processes load {home[2].file} as it is: "
        return [f'{text}change it there, make it a seed or an argument, or run with mode="main_process"']

    def literals(self, name: str) -> dict[str, Any]:
        """Give the plain values among the arguments of a step.

        Raises
        ------
        WorkflowError
            One cannot be told apart from others, and the step has no version that stands for it.
        """
        with self._lock:
            found = self._literals.get(name)
            if found is None:
                node = self._recipe.parts[name].node
                assert isinstance(node, Call), "only steps have arguments"
                constants = self._recipe.workflow.__constants__
                found = self._literals[name] = {
                    key: self._literal(name, key, value, node, constants)
                    for key, value in node.arguments.items()
                    if not isinstance(value, Node) or value.name in constants
                }
        return found

    def check_literals(self, name: str) -> None:
        """See that the arguments of a step can be told again, here and in other processes."""
        node = self._recipe.parts[name].node
        assert isinstance(node, Call), "only steps have arguments"
        self.literals(name)
        for key, value in node.arguments.items() if node.options.version is None else ():
            if not isinstance(value, Node):
                try:
                    check_stable(fill(value, lambda one: Shown(one.name)), literals_of)
                except UntellableError as error:
                    raise self._untellable(name, key, value, node, error) from error

    def _literal(self, name: str, key: str, value: Any, node: Call, constants: Mapping[str, Any]) -> Any:
        try:
            return literals_of(value, constants, self._watch)
        except UntellableError as error:
            given = constants.get(value.name) if isinstance(value, Node) else value
            if node.options.version is not None:
                return f"<{type(given).__qualname__}>"
            raise self._untellable(name, key, given, node, error) from error

    def _untellable(self, name: str, key: str, value: Any, node: Call, error: Exception) -> WorkflowError:
        title = self._recipe.workflow.__name__
        return WorkflowError(
            f"{title}.{name}: nothing tells whether the argument {key} ({type(value).__name__}) is the same in another "
            f'process: {error}; make it a seed, or write @sg.step(version="1") at {name_of(node.function)} and change '
            "the version whenever the argument changes",
            workflow=title,
            attribute=name,
        )

    def source(self, name: str) -> SourceSet:
        """Give what names a step in a job: its digest is of its own code and of that whose values it takes."""
        found = self._sources.get(name)
        if found is None:
            recipe = self._recipe
            part = recipe.parts[name]
            pieces = {
                piece: digest for one in (name, *part.values) for piece, digest in self.pieces(one).items()
            }
            shape = [self._shape(one) for one in (name, *part.values)]
            digest = digest_of_text(json.dumps([pieces, shape], sort_keys=True))
            owner = self.owner
            assert owner.program is not None, "it names a class"
            program = owner.program._replace(pieces=tuple(sorted(pieces.items())))
            path = owner.path if self._home is not None else self._file_of(part.node)
            found = owner._replace(step=name, path=path, digest=digest, program=program)
            self._sources[name] = found
        return found

    def collection_source(self, name: str) -> SourceSet:
        """Give what names a stored collection in a job: besides files, values count that it computes itself."""
        recipe = self._recipe
        collected = recipe.collections[name]
        part = recipe.parts[collected.takes]
        inner = () if part.is_kept or part.is_seed else (*part.values, part.name)
        pieces = {piece: digest for one in inner for piece, digest in self.pieces(one).items()}
        shape = [self._shape(one) for one in inner]
        storage = collected.storage
        kwargs = storage_literals(storage.write_kwargs) if storage is not None else {}
        digest = digest_of_text(
            json.dumps(
                [_COLLECTION_FORMAT, collected.takes, collected.strict, kwargs, pieces, shape], sort_keys=True
            )
        )
        owner = self.owner
        assert owner.program is not None, "it names a class"
        program = owner.program._replace(pieces=tuple(sorted(pieces.items())))
        return owner._replace(step=name, digest=digest, program=program)

    @property
    def owner(self) -> SourceSet:
        """What names the class itself in a job."""
        recipe = self._recipe
        if self._home is None:
            # Processes that have an earlier pickle must not go on with it when a function is another one now.
            version = f"{recipe.key}-{self.number}"
            program = Program(recipe.key, "", recipe.title, version, is_pickled=True)
            return SourceSet(recipe.title, None, "<code>", "", "", version, program=program)
        return self._owner_in_file

    @cached_property
    def _owner_in_file(self) -> SourceSet:
        recipe, home = self._recipe, self._home
        assert home is not None, "only classes with a file"
        module, title, text = home
        program = Program(recipe.key, module, title, self._version)
        digest = keep_text(text.data)
        return SourceSet(title, None, text.file, text.file, digest, digest, self._modules, program=program)

    def _shape(self, name: str) -> list[Any]:
        """Give what else makes a result: which nodes stand where, and the type."""
        part = self._recipe.parts[name]
        node = part.node
        assert isinstance(node, Call)
        where = {key: literals_of(value) for key, value in node.arguments.items() if isinstance(value, Node)}
        return [name, where, str(part.annotation)]

    def _file_of(self, node: Node) -> str:
        assert isinstance(node, Call)
        code = getattr(node.function, "__code__", None)
        return str(getattr(code, "co_filename", "<code>"))

    def pickled(self) -> bytes:
        """Give the recipe by value.

        Raises
        ------
        ScriptError
            Something of it cannot be pickled.
        """
        import cloudpickle

        from sinagot.errors import ScriptError

        try:
            return bytes(cloudpickle.dumps(self._recipe))
        except Exception as error:
            raise ScriptError(
                f"{self._recipe.title} cannot be sent to other processes: {type(error).__name__}: {error}; put the "
                'class and its steps into a module of their own, or run in this process (mode="main_process")'
            ) from error


def _neighbours(module: str, file: str) -> tuple[tuple[str, ...], Any]:
    """Give the folder that a module is imported from, and what says whether a name of a module is the user's own."""
    levels = len(module.split(".")) - (0 if os.path.basename(file) == "__init__.py" else 1)
    folder = os.path.dirname(file)
    for _ in range(levels):
        folder = os.path.dirname(folder)
    top = module.partition(".")[0]
    is_library = os.path.join(os.path.realpath(folder), "") in library_folders()

    def is_local(name: str) -> bool:
        first = name.partition(".")[0]
        return first != "sinagot" and (first == top or not is_library)

    return (folder,), is_local
