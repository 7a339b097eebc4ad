"""Hooks: functions of the user's that templates name, `uses: PATH/NAME@TAG`, with arguments under `with:`.

Knows tags, functions and what they return; must not know stages or how a call is run. `registries` finds the modules,
`arguments` compares signatures.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from difflib import get_close_matches
from typing import Any, NamedTuple, TypeVar

from sinagot.errors import ConfigurationError, ScriptError, SinagotError, TemplateError
from sinagot.pipeline.templates.arguments import Arguments
from sinagot.pipeline.templates.faults import Where, kind_of, known_list, load_error, run_error
from sinagot.pipeline.templates.registries import Loaded, Registries, load_set
from sinagot.scripts.modules import activated
from sinagot.scripts.sources import SourceSet, text_of

__all__ = ["Hook", "find_hook", "tag"]

_Function = TypeVar("_Function", bound=Callable[..., Any])

#: The attribute that `tag` sets on a function.
_MARK = "__sinagot_tags__"
_WORD = re.compile(r"\w[\w.-]*")
_USES = re.compile(r"(?P<path>[^@]+)/(?P<name>[^/@]+)@(?P<tag>[^/@]+)")


class _Tag(NamedTuple):
    name: str
    alias: str | None


def tag(name: str, alias: str | None = None) -> Callable[[_Function], _Function]:
    """Declare a function that templates can use.

    Parameters
    ----------
    name : str
        The tag, what stands behind ``@`` in ``uses``; one function may have several.
    alias : str, optional
        A further name of the function; its own, with ``-`` or ``_``, counts as well.

    Returns
    -------
    callable
        A decorator; the function stays as it is. It must return a dict, the outputs of its stage.

    Raises
    ------
    ConfigurationError
        When a name cannot be used, or what follows is no plain function.

    Examples
    --------
    >>> @tag("requests", alias="get-api")
    ... def get_api_with_oauth_to_s3(url: str) -> dict[str, int]:
    ...     return {"rows": 3}
    >>> get_api_with_oauth_to_s3("https://open-data/")
    {'rows': 3}
    """
    given: tuple[object, ...] = (name,) if alias is None else (name, alias)
    for word in given:
        if not isinstance(word, str) or not _WORD.fullmatch(word):
            raise ConfigurationError(
                f"tag: {word!r} is no name of letters, digits, `_`, `-` and `.`", key="tag"
            )

    def mark(function: _Function) -> _Function:
        given: object = function
        if not callable(given) or isinstance(given, type) or inspect.iscoroutinefunction(given):
            raise ConfigurationError(
                f"tag({name!r}) stands before something that is no plain function", key="tag"
            )
        setattr(function, _MARK, (*_tags_of(function), _Tag(name, alias)))
        return function

    return mark


class Hook:
    """A function that a template uses, found and not called.

    Attributes
    ----------
    uses : str
        As it is written in the template.
    function : callable
        The function.
    module : str
        Its module.
    file, line : str, int
        Where it is defined; None when nobody knows.

    Notes
    -----
    Pickled, it travels as the name of its module and the digests of its files: on the other side it is the same
    version, or an error. Threads that call hooks wait for each other only where a function imports a local module in
    its body.
    """

    def __init__(
        self,
        uses: str,
        module: str,
        function: Callable[..., Any],
        source: SourceSet | None = None,
        where: Where | None = None,
    ) -> None:
        self.uses = uses
        self.module = module
        self.function = function
        self.where = where
        self.file, self.line = _position(function)
        self._source = source
        self._arguments: Arguments | None = None
        self._turns = source is not None and _imports_late(source)

    def __repr__(self) -> str:
        return f"<Hook {self.uses} ({self.file}:{self.line})>"

    def __reduce__(self) -> tuple[Any, ...]:
        if self._source is None:
            return Hook, (self.uses, self.module, self.function, None, self.where)
        return _rebuilt, (self.uses, self.module, self._source, self.where)

    @property
    def doc(self) -> str:
        """The first line of the function's docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def check(self, arguments: Mapping[str, Any], where: Where | None = None) -> list[ConfigurationError]:
        """Find what is wrong with the arguments of a stage, without calling anything.

        Parameters
        ----------
        arguments : mapping
            What stands under ``with``; values may be templates, written or parsed.
        where : Where, optional
            Where they stand.

        Returns
        -------
        list of ConfigurationError
            Missing and unknown arguments, and literals of a wrong type.
        """
        return [
            load_error(where or self.where, f"{self.uses}: {fault.message}", "with", fault.hint)
            for fault in self._signature().faults(arguments)
        ]

    def call(self, arguments: Mapping[str, Any], where: Where | None = None) -> dict[str, Any]:
        """Call the function with the values of a run.

        Parameters
        ----------
        arguments : mapping
            Name -> value, with all templates filled in; converted to the types that the function names.
        where : Where, optional
            Where they stand.

        Returns
        -------
        dict
            The outputs.

        Raises
        ------
        TemplateError
            When the arguments do not fit, or the function returns no dict with texts as keys.
        Exception
            Whatever the function raises.
        """
        place = where or self.where
        with activated(self._source) if self._source is not None and self._turns else nullcontext():
            bound, faults = self._signature().bind(arguments)
            if faults:
                text = "; ".join(
                    f"{fault.message}{f' ({fault.hint})' if fault.hint else ''}" for fault in faults
                )
                raise run_error(place, f"{self.uses}: {text}", "with")
            result = self.function(*bound.args, **bound.kwargs)
        return self._outputs(result, place)

    def _outputs(self, result: Any, place: Where | None) -> dict[str, Any]:
        if isinstance(result, dict) and all(isinstance(key, str) for key in result):
            return result
        if inspect.iscoroutine(result):
            result.close()  # nobody will await it, and it must not complain
        what = "a dict with keys that are no texts" if isinstance(result, dict) else kind_of(result)
        at = f" ({self.file}:{self.line})" if self.file else ""
        hint = (
            "write `return {}` when there is nothing to tell"
            if result is None
            else 'write `return {"name": value}`'
        )
        raise run_error(
            place, f"{self.uses}{at} returned {what}; a hook returns a dict of its outputs", "uses", hint
        )

    def _signature(self) -> Arguments:
        if self._arguments is None:
            with nullcontext() if self._source is None else activated(self._source):
                self._arguments = Arguments(self.function)
        return self._arguments


def find_hook(uses: str, registries: Registries, where: Where | None = None) -> Hook:
    """Find the function that a stage uses.

    Parameters
    ----------
    uses : str
        ``PATH/NAME@TAG``: a module of a registry, with ``/`` or ``.``; the function's name, with ``-`` or ``_``, or its
        alias; its tag.
    registries : Registries
        Where to look.
    where : Where, optional
        Where it is written.

    Returns
    -------
    Hook
        The function as its file is now.

    Raises
    ------
    ConfigurationError
        When it is not well written, or there is no such hook; lists those that there are.

    Notes
    -----
    Modules other than that of the path are not executed, also not for the list: it is read from their texts.
    """
    path, name, tagged = _parts(uses, where)
    broken: list[ScriptError] = []
    nearby: list[str] = []
    for package in registries.packages:
        try:
            loaded = registries.load(".".join(path), package)
        except ScriptError as error:
            broken.append(error)
            continue
        found = [] if loaded is None else list(_hooks_in(loaded))
        exact = {id(one): one for names, mark, one in found if mark.name == tagged and _plain(name) in names}
        if len(exact) > 1:
            places = known_list(f"{file}:{line}" for file, line in map(_position, exact.values()))
            raise load_error(where, f"{uses!r} names {len(exact)} functions: {places}", "uses")
        if exact and loaded is not None:
            return Hook(uses, loaded.module.__name__, next(iter(exact.values())), loaded.source, where)
        nearby += [f"{'/'.join(path)}/{mark.alias or one.__name__}@{mark.name}" for _, mark, one in found]
    if broken:
        told = load_error(where, f"{uses!r} cannot be loaded: {broken[0]}", "uses")
        raise told from broken[0]
    raise _unknown(uses, registries, nearby, where)


def _unknown(uses: str, registries: Registries, nearby: list[str], where: Where | None) -> ConfigurationError:
    declared = [
        f"{one.path}/{one.arguments[1] if len(one.arguments) > 1 else one.function}@{one.arguments[0]}"
        for one in registries.declared("tag")
    ]
    known = {_plain(one): one for one in (*declared, *nearby)}
    near = get_close_matches(_plain(uses)[:200], known, n=1)
    hint = f"did you mean {known[near[0]]!r}?" if near else ""
    if not known:
        folders = ", ".join(registries.folders) or "no folder"
        hint = f"write `@tag(...)` before a function in a module of {known_list(registries.packages)} ({folders})"
    return load_error(where, f"unknown hook {uses!r}, known are {known_list(known.values())}", "uses", hint)


def _parts(uses: object, where: Where | None) -> tuple[list[str], str, str]:
    if not isinstance(uses, str):
        raise load_error(where, f"a hook is a text, PATH/NAME@TAG, not {kind_of(uses)}", "uses")
    if "${{" in uses:
        raise load_error(where, "a hook is found before the run, and cannot be a template", "uses")
    found = _USES.fullmatch(uses.strip())
    path = re.split(r"[/.]", found["path"]) if found else []
    if found is None or not _WORD.fullmatch(found["name"]) or not _WORD.fullmatch(found["tag"]):
        hint = "write PATH/NAME@TAG, such as tasks/get-api@requests"
        raise load_error(where, f"{uses!r} is no hook", "uses", hint)
    if not all(part and part.replace("-", "_").isidentifier() for part in path):
        message = (
            f"{found['path']!r} is no path of a module within a registry: names with `/` or `.` between them"
        )
        raise load_error(where, message, "uses")
    return [part.replace("-", "_") for part in path], found["name"], found["tag"]


def _plain(name: str) -> str:
    return name.replace("-", "_").casefold()


def _tags_of(value: object) -> tuple[_Tag, ...]:
    found = getattr(value, "__dict__", {}).get(_MARK, ())
    return found if isinstance(found, tuple) else ()


def _hooks_in(loaded: Loaded) -> Iterator[tuple[set[str], _Tag, Callable[..., Any]]]:
    for attribute, value in list(vars(loaded.module).items()):
        for mark in _tags_of(value):
            names = {attribute, getattr(value, "__name__", attribute), mark.alias or attribute}
            yield {_plain(name) for name in names}, mark, value


def _position(function: Callable[..., Any]) -> tuple[str | None, int | None]:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return (None, None) if code is None else (code.co_filename, code.co_firstlineno)


def _imports_late(source: SourceSet) -> bool:
    """Tell whether a function of a set imports one of its local modules when it is called."""
    local = {module.name.partition(".")[0] for module in source.modules}
    for module in source.modules:
        try:
            tree = ast.parse(text_of(module))
        except (SyntaxError, ValueError, SinagotError, RecursionError):
            return True  # nobody knows
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                for node in ast.walk(function):
                    if isinstance(node, ast.Import) and any(
                        one.name.partition(".")[0] in local for one in node.names
                    ):
                        return True
                    if isinstance(node, ast.ImportFrom) and (
                        node.level or (node.module or "").partition(".")[0] in local
                    ):
                        return True
    return False


def _rebuilt(uses: str, module: str, source: SourceSet, where: Where | None) -> Hook:
    _, name, tagged = _parts(uses, where)
    for names, mark, function in _hooks_in(Loaded(load_set(source, module), source)):
        if mark.name == tagged and _plain(name) in names:
            return Hook(uses, module, function, source, where)
    raise TemplateError(f"{os.path.basename(source.path)} has no hook {uses!r} here", expression=uses)
