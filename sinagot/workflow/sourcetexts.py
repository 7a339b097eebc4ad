"""The text of a module: what stands where in it, and which names it binds.

Knows texts, names and syntax trees; must not execute anything. `sinagot.workflow.pieces` finds what counts for a step.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import os
import textwrap
from collections.abc import Iterator
from functools import cached_property
from hashlib import sha256
from types import CodeType
from typing import Any

__all__ = ["SourceText", "cell_text_of", "digest_of_text", "source_text_of"]

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
        if isinstance(node, ast.Lambda):  # another one may stand on the same line
            return ast.get_source_segment(self._text, node) or ast.unparse(node)
        first, last = node.lineno, node.end_lineno or node.lineno
        lines = self._lines[first - 1 : last]
        if isinstance(node, _Definition):
            lines = [*(ast.unparse(one) + "\n" for one in node.decorator_list if not _is_step(one)), *lines]
        return textwrap.dedent("".join(lines)).strip()

    def find(self, code: CodeType) -> ast.stmt | ast.expr | None:
        """Find the definition of a function by name and first line; of a lambda, the expression."""
        name, first_line = code.co_name, code.co_firstlineno
        lambdas = []
        for node in ast.walk(self._tree):
            if isinstance(node, _Definition) and node.name == name:
                lines = [node.lineno, *(one.lineno for one in node.decorator_list)]
                if min(lines) <= first_line <= node.lineno:
                    return node
            elif isinstance(node, ast.Lambda) and name == "<lambda>" and node.lineno == first_line:
                lambdas.append(node)
        if len(lambdas) > 1:
            first, last = _span_of(code)
            spans = [_span(node.body) for node in lambdas]
            around = [span for span in spans if span[0] <= first and last <= span[1]]
            lambdas = [lambdas[spans.index(max(around))]] if around else []
        return lambdas[0] if lambdas else None

    @cached_property
    def _codes(self) -> dict[tuple[str, int], list[CodeType]]:
        found: dict[tuple[str, int], list[CodeType]] = {}
        pending = [compile(self._text, self.file, "exec", dont_inherit=True)]
        while pending:
            for constant in pending.pop().co_consts:
                if isinstance(constant, CodeType):
                    found.setdefault((constant.co_name, constant.co_firstlineno), []).append(constant)
                    pending.append(constant)
        return found

    def is_of(self, code: CodeType) -> bool:
        """Say whether a function was made of this text: a file may be another by now."""
        return code in self._codes.get((code.co_name, code.co_firstlineno), ())


_Span = tuple[tuple[int, int], tuple[int, int]]


def _span(node: ast.expr) -> _Span:
    last = (node.end_lineno or node.lineno, node.end_col_offset or 0)
    return (node.lineno, node.col_offset), last


def _span_of(code: CodeType) -> _Span:
    """Give the first and the last place in the text that the instructions of a lambda come from."""
    found = [
        ((line, column), (end_line, end))
        for line, end_line, column, end in code.co_positions()
        if line is not None and end_line is not None and column is not None and end
    ]
    if not found:
        return (0, 0), (0, 0)  # Python was told not to keep them
    return min(first for first, _ in found), max(last for _, last in found)


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


def cell_text_of(code: CodeType) -> SourceText | None:
    """Give the text of a cell of a notebook, or of what was typed at a prompt; None when nobody kept it."""
    lines = linecache.getlines(code.co_filename)
    return SourceText(code.co_filename, "".join(lines).encode("utf-8", "surrogatepass")) if lines else None
