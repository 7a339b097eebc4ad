"""What a function is made of, as it would run now: its text, what it uses of its module, and the data that it reads.

Knows functions, their names and texts; must not know nodes. What stands in a file counts by its text, so that another
machine or version of Python changes nothing; what was made without a file, in a notebook, by what it is at the moment.
"""

from __future__ import annotations

import ast
import functools
import inspect
import json
import textwrap
from collections.abc import Mapping
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from sinagot.workflow.literals import Exact, text_of_exact
from sinagot.workflow.names import (
    attributes_in,
    changed_in,
    functions_of,
    globals_in,
    is_data,
    is_library,
    is_pure,
    names_read,
    parts_of_code,
)
from sinagot.workflow.sourcetexts import SourceText, cell_text_of, digest_of_text, source_text_of
from sinagot.workflow.watch import ABSENT, Watch

__all__ = ["Watch", "code_text", "pieces_of"]

#: Digests of values of names whose assignment calls something, as they were first seen.
_FIRST: dict[tuple[str, str], str] = {}
#: A place that holds a value: the space of a name and the name, or a cell.
_Place = tuple[int, str] | None


def pieces_of(
    function: Any,
    text: SourceText | None = None,
    modules: Mapping[str, str] | None = None,
    watch: Watch | None = None,
    patched: set[str] | None = None,
) -> dict[str, str]:
    """Give name and digest of each piece of code or data that counts for a function.

    Parameters
    ----------
    function : callable
        The function.
    text : SourceText, optional
        The text of its file, as it was when the function was made.
    modules : mapping of str to str, optional
        Name -> digest of the local modules that its module imports.
    watch : Watch, optional
        Learns what must stay the same for this to hold.
    patched : set of str, optional
        Takes the names of values that are not any more what the text of their file made them.

    Returns
    -------
    dict of str to str
        The function, what it uses, and local modules that these import.

    Notes
    -----
    Of installed packages the names count. A function without any text counts by its bytecode. What the code changes
    itself, such as a dict that it remembers results in, does not count.
    """
    collector = _Collector(modules or {}, watch or Watch(), {})
    collector.add(function, text)
    found = collector.finished()
    if patched is not None:
        patched |= collector.patched
    return found


def code_text(value: Any, watch: Watch | None = None, told: dict[int, str] | None = None) -> str:
    """Tell a function or class in a few words: by its name where it is installed, else by all that it is made of."""
    name = f"{getattr(value, '__module__', '')}.{value.__qualname__}"
    if is_library(value):
        return name
    kind = "class" if isinstance(value, type) else "function"
    title = value.__qualname__.rpartition("<locals>.")[2]
    told = {} if told is None else told
    if id(value) not in told:
        told[id(value)] = f"{kind} {title}"  # for what it is made of: that may use it in turn
        collector = _Collector({}, watch or Watch(), told)
        collector.add_value(title, value)
        told[id(value)] += f" {digest_of_text(json.dumps(collector.finished()))[:16]}"
    return told[id(value)]


class _Collector:
    """Walks from one function to all that it uses."""

    def __init__(self, modules: Mapping[str, str], watch: Watch, told: dict[int, str]) -> None:
        self.modules = modules
        self.watch = watch
        self._found: dict[str, str] = {}
        self._told = told
        self._seen: set[int] = set()
        self._named: set[tuple[str, str]] = set()
        self._changed: set[int | _Place] = set()
        self._values: list[tuple[str, Any, _Place, str | None]] = []
        #: Name of a value -> the text that gave it, and its name there.
        self._said: dict[str, tuple[str, str]] = {}
        self.patched: set[str] = set()

    def finished(self) -> dict[str, str]:
        """Give what was found; values last, when it is known which of them the code changes itself."""
        for name, value, place, mark in self._values:  # it may grow
            if place in self._changed or id(value) in self._changed:
                continue
            if is_data(value):
                self.watch.data(value)
            try:
                told = text_of_exact(Exact(self._code_text)(value))
            except Exception:  # noqa: BLE001  (whatever the user's objects do when they are looked into)
                told = self._code_text(type(value))  # a lock or an open file: what counts is that it is one
            digest = digest_of_text(told)
            said = self._said.get(name)
            if said is not None and _FIRST.setdefault(said, digest) != digest:
                self.patched.add(said[1])
            if mark is None or _FIRST.setdefault((mark, name), digest) != digest:
                self._put(name, digest)
        return dict(sorted(self._found.items()))

    def _code_text(self, code: Any) -> str:
        return code_text(code, self.watch, self._told)

    def _put(self, name: str, digest: str) -> None:
        """Keep a piece; those of one name, such as two lambdas, count together."""
        before = self._found.get(name)
        if before is not None and before != digest:
            digest = digest_of_text(f"{before} {digest}")
        self._found[name] = digest

    # -- functions

    def add(self, function: Any, text: SourceText | None = None) -> None:
        """Take in a function and what it uses."""
        if id(function) in self._seen:
            return
        self._seen.add(id(function))
        if isinstance(function, functools.partial):
            self.add_value("partial", function.func)
            for place, value in (*enumerate(function.args), *function.keywords.items()):
                self.add_value(f"partial({place})", value)
            return
        if isinstance(function, MethodType):
            self.add_value("self", function.__self__)
            function = function.__func__
        inner = getattr(function, "__wrapped__", None)
        if inner is not None:
            self.add_value(getattr(inner, "__name__", "wrapped"), inner)
        code = getattr(function, "__code__", None)
        if not isinstance(function, FunctionType) or not isinstance(code, CodeType):
            if inner is None:
                self._values.append((f"value of {type(function).__qualname__}", function, None, None))
            return
        self.watch.function(function)
        self._add_function(function, code, text)

    def _add_function(self, function: Any, code: CodeType, text: SourceText | None) -> None:
        name = str(getattr(function, "__qualname__", code.co_name)).rpartition("<locals>.")[2]
        is_file = True
        if text is None or text.file != code.co_filename:
            text = source_text_of(function)
            try:
                is_file = text is not None and text.is_of(code)
            except (SyntaxError, ValueError):
                is_file = False
            if not is_file:
                text = cell_text_of(code) if text is None else None
        node = None
        if text is not None:
            try:
                node = text.find(code)
            except (SyntaxError, ValueError):
                node = None
        if text is not None and node is not None:
            self._put(name, digest_of_text(text.text_of(node)))
            self._note_changes(node, function.__globals__, function)
        else:
            self._put(name, digest_of_text(text_of_exact(Exact(str)(parts_of_code(code)))))
        if text is not None and node is not None and is_file:
            self._follow(node, text, function.__globals__, frozenset(code.co_freevars))
        else:
            for used in sorted(globals_in(code)):
                if not used.startswith("__"):
                    value = self.watch.name(function.__globals__, used)
                    self._add_live(used, value, (id(function.__globals__), used), code)
        self._add_own_values(name, function, is_file=is_file)

    def _add_own_values(self, name: str, function: Any, *, is_file: bool) -> None:
        """Take in variables of enclosing functions, and defaults."""
        code = function.__code__
        for used, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                self.watch.cell(cell)
                self.add_value(f"{name}.{used}", cell.cell_contents, (id(cell), ""))
            except ValueError:  # not filled yet
                continue
        names = code.co_varnames[: code.co_argcount]
        given = dict(zip(reversed(names), reversed(function.__defaults__ or ()), strict=False))
        for used, value in (given | (function.__kwdefaults__ or {})).items():
            if not is_file or is_data(value):
                self.add_value(f"{name}({used})", value)

    def _note_changes(self, node: ast.AST, space: Mapping[str, Any], function: Any = None) -> None:
        """Note what code changes itself: its notebooks, in which it remembers or counts, are no constants of it."""
        names = () if function is None else function.__code__.co_freevars
        cells = dict(zip(names, getattr(function, "__closure__", None) or (), strict=True))
        for name in changed_in(node):
            try:
                value = cells[name].cell_contents if name in cells else space.get(name, ABSENT)
            except ValueError:
                continue
            self._changed.add((id(cells[name]), "") if name in cells else (id(space), name))
            if not isinstance(value, (bool, int, float, str, bytes, tuple, type(None))):
                self._changed.add(id(value))  # another name may stand for it

    # -- names in files

    def _follow(
        self, node: ast.AST, text: SourceText, space: Mapping[str, Any], local: frozenset[str] = frozenset()
    ) -> None:
        """Take in what a piece of text names at the top of its module, and local modules that it imports."""
        for name in dict.fromkeys(names_read(node, local)):
            self._add_name(name, text, space)
        for inner in ast.walk(node):
            if isinstance(inner, (ast.Import, ast.ImportFrom)):
                self._add_import(inner)

    def _add_name(self, name: str, text: SourceText, space: Mapping[str, Any]) -> None:
        statements = text.bindings.get(name, ())
        if not statements or (text.file, name) in self._named:
            return
        self._named.add((text.file, name))
        for statement in statements:
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                self._add_import(statement)
        own = [one for one in statements if not isinstance(one, (ast.Import, ast.ImportFrom))]
        if own:
            self._put(name, digest_of_text("\n".join(map(text.text_of, own))))
        for statement in own:
            self._note_changes(statement, space)
            self._follow(statement, text, space)
        value = self.watch.name(space, name)
        if value is not ABSENT:
            self._add_bound(name, value, (id(space), name), own, text)

    def _add_bound(self, name: str, value: Any, place: _Place, own: list[ast.stmt], text: SourceText) -> None:
        """Take in what a name is now, as far as the text does not say it."""
        if is_data(value):
            is_said = all(map(is_pure, own)) if own else not self.modules
            # What a call gave may differ between machines, as a path does; here it counts when it changes.
            source = f"{text.file} {digest_of_text(''.join(map(text.text_of, own)))}"
            mark = None if is_said else source
            if is_said and own and not text.file.startswith("<"):
                self._said[f"value of {name}"] = (source, name)
            self._values.append((f"value of {name}", value, place, mark))
            return
        code = getattr(inspect.unwrap(value) if callable(value) else value, "__code__", None)
        if isinstance(code, CodeType) and code.co_filename == text.file:
            first = code.co_firstlineno
            if any(min(_lines(one)) <= first <= (one.end_lineno or first) for one in own):
                if isinstance(value, FunctionType):
                    self.watch.function(value)
                return
            self.add(value, text)
        elif not own or isinstance(code, CodeType):
            home = str(getattr(value, "__module__", "") or "")
            is_known = any(home == one or home.startswith(f"{one}.") for one in self.modules)
            if not is_known and not (isinstance(value, ModuleType) and value.__name__ in self.modules):
                self._add_live(name, value, place, None)

    def _add_import(self, statement: ast.Import | ast.ImportFrom) -> None:
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        else:
            base = statement.module or ""
            names = [base, *(f"{base}.{alias.name}".lstrip(".") for alias in statement.names)]
        for name in names:
            for module, digest in self.modules.items():
                # A relative import names the end of a module.
                if module == name or (
                    isinstance(statement, ast.ImportFrom)
                    and statement.level
                    and (module.endswith(f".{name}") and name)
                ):
                    self._found[f"module {module}"] = digest

    # -- living things

    def _add_live(self, name: str, value: Any, place: _Place, code: CodeType | None) -> None:
        """Take in what a name is."""
        if value is ABSENT:
            return
        if isinstance(value, ModuleType):
            if value.__name__ in self.modules:
                self._found[f"module {value.__name__}"] = self.modules[value.__name__]
            elif is_library(value):
                self._put(f"name {name}", digest_of_text(value.__name__))
            else:
                for used in sorted(attributes_in(code)) if code is not None else ():
                    if used in vars(value):
                        found = self.watch.name(vars(value), used)
                        self._add_live(f"{name}.{used}", found, (id(vars(value)), used), code)
            return
        title = getattr(value, "__qualname__", None)
        if isinstance(title, str) and title.rpartition(".")[2] != name:
            self._put(f"name {name}", digest_of_text(title.rpartition("<locals>.")[2]))
        self.add_value(name, value, place)

    def add_value(self, name: str, value: Any, place: _Place = None) -> None:
        """Take in a value that code uses: data as they are, functions and classes by their code."""
        if hasattr(value, "__nodes__") or hasattr(value, "workflow_class") or hasattr(value, "iter_parts"):
            return  # workflows have fingerprints of their own
        if isinstance(value, type):
            if is_library(value):
                self._put(f"name {name}", digest_of_text(f"{value.__module__}.{value.__qualname__}"))
            else:
                self._add_class(value)
        elif isinstance(value, (FunctionType, MethodType, functools.partial)) or hasattr(
            value, "__wrapped__"
        ):
            if is_library(value) and not isinstance(value, (MethodType, functools.partial)):
                self._put(f"name {name}", digest_of_text(f"{value.__module__}.{value.__qualname__}"))
            else:
                self.add(value, getattr(value, "step_text", None))
        else:
            self._values.append((f"value of {name}", value, place, None))

    def _add_class(self, kind: type) -> None:
        """Take in a class: its text where there is one, its methods, its other attributes, and what it derives from."""
        if id(kind) in self._seen:
            return
        self._seen.add(id(kind))
        title = kind.__qualname__.rpartition("<locals>.")[2]
        try:
            self._put(title, digest_of_text(textwrap.dedent(inspect.getsource(kind))))
        except (OSError, TypeError, IndentationError):
            self._put(title, digest_of_text(str([base.__qualname__ for base in kind.__bases__])))
        for base in kind.__bases__:
            self.add_value(base.__qualname__, base)
        for name in sorted(vars(kind)):
            value = self.watch.name(vars(kind), name)
            functions = list(functions_of(value))
            for function in functions:
                if function.__code__.co_filename != "<string>":  # made from the attributes
                    self.add_value(f"{title}.{name}", function)
            if name == "__annotations__" and isinstance(value, dict):
                shown = {key: str(one) for key, one in value.items()}
                self._values.append((f"{title}.{name}", shown, None, None))
            elif not functions and is_data(value) and not name.startswith("__"):
                self._values.append((f"{title}.{name}", value, None, None))


def _lines(statement: ast.stmt) -> list[int]:
    return [statement.lineno, *(one.lineno for one in getattr(statement, "decorator_list", ()))]
