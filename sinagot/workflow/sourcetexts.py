"""What a function is made of: its own text, and that of everything in its module that it uses.

Knows texts, names and syntax trees; must not execute anything. Comments and blank lines outside of functions do not
count, nor does code that the function never names.
"""

from __future__ import annotations

import ast
import inspect
import os
import textwrap
from collections.abc import Iterator
from functools import cached_property
from hashlib import sha256
from typing import Any

__all__ = ["SourceText", "pieces_of", "source_text_of"]

_PLAIN = (int, float, complex, str, bytes, bool, type(None))
#: Text of a file that was read, by path, size and time of change.
_READ: dict[tuple[str, int, int], SourceText] = {}
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def digest_of_text(text: str) -> str:
    """Give the digest of a piece of text.

    Examples
    --------
    >>> digest_of_text("")[:8]
    'e3b0c442'
    """
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class SourceText:
    """The text of one module, and who is defined where in it.

    Parameters
    ----------
    file : str
        Where it was read.
    data : bytes
        Its bytes.
    """

    def __init__(self, file: str, data: bytes) -> None:
        self.file = file
        self.data = data

    @cached_property
    def _text(self) -> str:
        from importlib.util import decode_source

        return decode_source(self.data)

    @cached_property
    def _lines(self) -> list[str]:
        return self._text.splitlines(keepends=True)

    @cached_property
    def _tree(self) -> ast.Module:
        return ast.parse(self._text)

    @cached_property
    def bindings(self) -> dict[str, list[ast.stmt]]:
        """Statements at the top of the module, by the names that they bind."""
        found: dict[str, list[ast.stmt]] = {}
        for statement in self._tree.body:
            for name in _bound_names(statement):
                found.setdefault(name, []).append(statement)
        return found

    def text_of(self, node: ast.stmt | ast.expr) -> str:
        """Give the lines of a statement as they are written, but for decorators that make it a step."""
        first, last = node.lineno, node.end_lineno or node.lineno
        lines = self._lines[first - 1 : last]
        if isinstance(node, _Definition):
            lines = [*(ast.unparse(one) + "\n" for one in node.decorator_list if not _is_step(one)), *lines]
        return textwrap.dedent("".join(lines)).strip()

    def find(self, name: str, first_line: int) -> ast.stmt | ast.expr | None:
        """Find the definition of a function by name and first line; of a lambda, the expression."""
        for node in ast.walk(self._tree):
            if isinstance(node, _Definition) and node.name == name:
                lines = [node.lineno, *(one.lineno for one in node.decorator_list)]
                if min(lines) <= first_line <= node.lineno:
                    return node
            elif isinstance(node, ast.Lambda) and name == "<lambda>" and node.lineno == first_line:
                return node
        return None


def _is_step(decorator: ast.expr) -> bool:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    return getattr(target, "attr", getattr(target, "id", "")) == "step"


def _bound_names(statement: ast.stmt) -> Iterator[str]:
    """Give the names that a statement at the top of a module binds, wherever in it."""
    if isinstance(statement, _Definition):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0]
        elif isinstance(node, _Definition):
            yield node.name


def source_text_of(function: Any) -> SourceText | None:
    """Read the file that a function stands in, as it is at this moment; None when it stands in none."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    file = getattr(code, "co_filename", "")
    try:
        state = os.stat(file)
        key = (file, state.st_size, state.st_mtime_ns)
        found = _READ.get(key)
        if found is None:
            with open(file, "rb") as stream:
                found = _READ[key] = SourceText(file, stream.read())
    except (OSError, ValueError):
        return None
    return found


def pieces_of(function: Any, text: SourceText | None, modules: dict[str, str]) -> dict[str, str]:
    """Give name and digest of each piece of code that counts for a function.

    Parameters
    ----------
    function : callable
        The function.
    text : SourceText or None
        The text of its file, as it was when the function was made.
    modules : dict of str to str
        Name -> digest of the local modules that its module imports.

    Returns
    -------
    dict of str to str
        The function, what it names at the top of its module, and local modules that these import.

    Notes
    -----
    A function in a notebook has no file: there the functions, classes and plain values count that it names. A function
    without any text counts by its bytecode.
    """
    found: dict[str, str] = {}
    _Collector(found, modules).add(function, text)
    return dict(sorted(found.items()))


class _Collector:
    """Walks from one function to all that it uses."""

    def __init__(self, found: dict[str, str], modules: dict[str, str]) -> None:
        self.found = found
        self.modules = modules
        self._seen: set[int] = set()
        self._named: set[tuple[str, str]] = set()

    def add(self, function: Any, text: SourceText | None) -> None:
        if id(function) in self._seen:
            return
        self._seen.add(id(function))
        inner = getattr(function, "__wrapped__", None)
        if inner is not None:
            self.add(inner, text)
        code = getattr(function, "__code__", None)
        if code is None:
            self._add_object(function)
            return
        name = str(getattr(function, "__qualname__", code.co_name)).rpartition("<locals>.")[2]
        if text is None or text.file != code.co_filename:
            text = source_text_of(function)
        node = None
        if text is not None:
            try:
                node = text.find(code.co_name, code.co_firstlineno)
            except (SyntaxError, ValueError):
                node = None
        if text is not None and node is not None:
            self.found[name] = digest_of_text(text.text_of(node))
            self._follow(node, text)
        else:
            self._add_live(name, function)
        self._add_cells(name, function)

    def _follow(self, node: ast.AST, text: SourceText) -> None:
        """Take in what a piece of text names at the top of its module, and local modules that it imports."""
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name):
                self._add_name(inner.id, text)
            elif isinstance(inner, (ast.Import, ast.ImportFrom)):
                self._add_import(inner)

    def _add_name(self, name: str, text: SourceText) -> None:
        statements = text.bindings.get(name, ())
        for statement in statements:
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                self._add_import(statement)
        own = [one for one in statements if not isinstance(one, (ast.Import, ast.ImportFrom))]
        if own and (text.file, name) not in self._named:
            self._named.add((text.file, name))
            self.found[name] = digest_of_text("\n".join(map(text.text_of, own)))
            for statement in own:
                self._follow(statement, text)

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
                    self.found[f"module {module}"] = digest

    def _add_live(self, name: str, function: Any) -> None:
        """Take in a function without a file: its text if there is one, and what it names among living things."""
        code = function.__code__
        try:
            self.found[name] = digest_of_text(textwrap.dedent(inspect.getsource(function)))
        except (OSError, TypeError, IndentationError):
            self.found[name] = digest_of_text(repr((code.co_code, code.co_names, _constants(code))))
        for used in _names_in(code):
            if used in function.__globals__:
                self._add_value(used, function.__globals__[used])

    def _add_cells(self, name: str, function: Any) -> None:
        for used, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                self._add_value(f"{name}.{used}", cell.cell_contents)
            except ValueError:  # not filled yet
                continue

    def _add_value(self, name: str, value: Any) -> None:
        if isinstance(value, _PLAIN) or (
            isinstance(value, tuple) and all(isinstance(one, _PLAIN) for one in value)
        ):
            self.found[name] = digest_of_text(repr(value))
        elif hasattr(value, "__code__"):
            self.add(value, getattr(value, "step_text", None))
        elif inspect.ismodule(value) and value.__name__ in self.modules:
            self.found[f"module {value.__name__}"] = self.modules[value.__name__]
        elif isinstance(value, type):
            self._add_object(value)

    def _add_object(self, value: Any) -> None:
        """Take in a class, or an object that is called: by the text of its class, unless a library has it."""
        kind = value if isinstance(value, type) else type(value)
        if id(kind) in self._seen:
            return
        self._seen.add(id(kind))
        try:
            file = inspect.getfile(kind)
            if os.sep + "site-packages" + os.sep in file or os.path.dirname(os.__file__) in file:
                return
            self.found[kind.__qualname__] = digest_of_text(textwrap.dedent(inspect.getsource(kind)))
        except (OSError, TypeError):
            return


def _names_in(code: Any) -> set[str]:
    """Give all global names in a code object and those inside of it."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            names |= _names_in(constant)
    return names


def _constants(code: Any) -> tuple[Any, ...]:
    return tuple(_constants(one) if hasattr(one, "co_consts") else one for one in code.co_consts)
