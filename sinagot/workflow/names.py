"""Which names code uses and changes, and whose code it is.

Knows functions, classes, bytecode and syntax trees; must not know where a workflow uses them.
"""

from __future__ import annotations

import ast
import builtins
import dis
import functools
import os
import site
import sys
import sysconfig
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

__all__ = [
    "attributes_in",
    "changed_in",
    "functions_of",
    "globals_in",
    "is_data",
    "is_library",
    "is_library_file",
    "is_pure",
    "library_folders",
    "names_read",
    "parts_of_code",
]

_DATA = (bool, int, float, complex, str, bytes, type(None), list, tuple, dict, set, frozenset, bytearray)
#: What changes its owner in place.
_CHANGING = frozenset(
    """
    add append appendleft clear difference_update discard extend extendleft insert intersection_update pop popitem
    popleft remove reverse setdefault sort symmetric_difference_update update write
    """.split()  # noqa: SIM905  (one a line would be a page)
)
#: Parts of an expression whose value follows from the text of its module.
_PURE = (ast.Constant, ast.Name, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.UnaryOp, ast.BinOp, ast.Starred)
_PURE_PARTS = (*_PURE, ast.expr_context, ast.operator, ast.unaryop)

#: What folders of installed packages are called.
_INSTALLED = ("site-packages", "dist-packages")


def library_folders() -> tuple[str, ...]:
    """Give the folders of installed packages and of Python itself, each with a slash at the end."""
    # On clusters packages often lie elsewhere, and come by PYTHONPATH or a .pth file: the folder's name tells.
    others = [one for one in sys.path if os.path.basename(os.path.normpath(one)) in _INSTALLED]
    return _with_libraries(tuple(others))


@functools.lru_cache(maxsize=8)
def _with_libraries(others: tuple[str, ...]) -> tuple[str, ...]:
    paths = [sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    found = {*paths, *others, *site.getsitepackages(), site.getusersitepackages(), here}
    return tuple(os.path.join(real, "") for one in found for real in {one, os.path.realpath(one)})


def is_library_file(file: str) -> bool:
    """Say whether a file is of an installed package, or of Python itself."""
    return file.startswith(("<frozen ", *library_folders()))


def is_library(thing: Any) -> bool:
    """Say whether a function, class or module is installed, not the user's own.

    Examples
    --------
    >>> is_library(os.fspath), is_library(ast), is_library(int)
    (True, True, True)
    """
    code = getattr(thing, "__code__", None)
    if isinstance(code, CodeType) and not isinstance(thing, type):
        if is_library_file(code.co_filename):
            return True
        if not code.co_filename.startswith("<"):
            return False
        # Made without a file, as the methods of a dataclass are: who made it decides.
    name = thing.__name__ if isinstance(thing, ModuleType) else getattr(thing, "__module__", None)
    module = sys.modules.get(str(name))
    if name == "__main__":
        return False
    if name == "builtins" and isinstance(thing, type):  # so are classes that bare exec() makes
        return getattr(builtins, thing.__name__, thing) is thing and not thing.__flags__ & (1 << 9)
    if module is None:  # compiled packages make classes of modules that are none
        return isinstance(thing, type) and not any(map(_has_code, vars(thing).values()))
    file = getattr(module, "__file__", None)
    if file is None:
        return name in sys.builtin_module_names or getattr(module, "__spec__", None) is not None
    return is_library_file(file)


def _has_code(value: Any) -> bool:
    return next(functions_of(value), None) is not None


def is_data(value: Any) -> bool:
    """Say whether something is a plain value, a container of Python, an array or a table."""
    if isinstance(value, _DATA):
        return True
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    found = [getattr(numpy, name, ()) for name in ("ndarray", "generic")]
    found += [getattr(pandas, name, ()) for name in ("DataFrame", "Series", "Index")]
    return isinstance(value, tuple(found))


def _inner_codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _inner_codes(constant)


def _used_by(code: CodeType, kinds: tuple[str, ...]) -> set[str]:
    return {
        str(one.argval)
        for inner in _inner_codes(code)
        for one in dis.get_instructions(inner)
        if one.opname in kinds
    }


def globals_in(code: CodeType) -> set[str]:
    """Give the names of its module that code reads, also in functions inside of it."""
    return _used_by(code, ("LOAD_GLOBAL", "LOAD_NAME"))


def attributes_in(code: CodeType) -> set[str]:
    """Give the attributes that code reads, of whatever object."""
    return _used_by(code, ("LOAD_ATTR", "LOAD_METHOD"))


def parts_of_code(code: CodeType) -> list[Any]:
    """Give what a function does, without where it stands: for one that has no text."""
    constants = [parts_of_code(one) if isinstance(one, CodeType) else one for one in code.co_consts]
    return [code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants]


def functions_of(value: Any) -> Iterator[FunctionType]:
    """Give the functions that an attribute of a class is made of."""
    parts = [getattr(value, name, None) for name in ("__func__", "fget", "fset", "fdel", "func")]
    yield from (one for one in (value, *parts) if isinstance(one, FunctionType))


def is_pure(statement: ast.stmt) -> bool:
    """Say whether what an assignment gives follows from the text of its module: nothing is called or asked."""
    if not isinstance(statement, (ast.Assign, ast.AnnAssign)) or statement.value is None:
        return False
    parts = list(ast.walk(statement.value))
    return all(isinstance(one, _PURE_PARTS) for one in parts) and not any(
        isinstance(one, ast.Name) and one.id.startswith("__") for one in parts
    )


_Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_ROWS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def names_read(node: ast.AST, local: frozenset[str] = frozenset()) -> Iterator[str]:
    r"""Give the names that a piece of text reads from its module: those that are no variables of functions in it.

    Examples
    --------
    >>> sorted(names_read(ast.parse("def f(x, y=LOW):\n z = [k for k in x]; return z + k + HIGH")))
    ['HIGH', 'LOW', 'k']
    """
    if isinstance(node, _Scope):
        given = node.args
        arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        arguments += [one for one in (given.vararg, given.kwarg) if one is not None]
        body = node.body if isinstance(node.body, list) else [node.body]
        before = [*given.defaults, *(one for one in given.kw_defaults if one is not None)]
        before += [one.annotation for one in arguments if one.annotation is not None]
        if not isinstance(node, ast.Lambda):
            before += [*node.decorator_list, *([node.returns] if node.returns is not None else [])]
        for outer in before:
            yield from names_read(outer, local)
        own, from_outside = {one.arg for one in arguments}, set[str]()
        for inner in body:
            _add_bound(inner, own, from_outside)
        inside = (local | own) - from_outside
        for inner in body:
            yield from names_read(inner, inside)
    elif isinstance(node, _ROWS):
        targets = {
            one.id for row in node.generators for one in ast.walk(row.target) if isinstance(one, ast.Name)
        }
        # Only the first row is read outside; there the names of the others seldom stand, and it costs little.
        yield from names_read(node.generators[0].iter, local)
        for part in ast.iter_child_nodes(node):
            yield from names_read(part, local | targets)
    elif isinstance(node, ast.Name):
        if node.id not in local and isinstance(node.ctx, ast.Load):
            yield node.id
    else:
        for part in ast.iter_child_nodes(node):
            yield from names_read(part, local)


def _add_bound(node: ast.AST, own: set[str], from_outside: set[str]) -> None:
    """Add the variables that a statement makes in the function around it, but not in functions inside of that."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        own.add(node.name)
        return
    if isinstance(node, (ast.Lambda, *_ROWS)):
        return
    if isinstance(node, ast.Global):
        from_outside.update(node.names)
    elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        own.add(node.id)
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        own.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.ExceptHandler) and node.name:
        own.add(node.name)
    for part in ast.iter_child_nodes(node):
        _add_bound(part, own, from_outside)


def changed_in(node: ast.AST) -> set[str]:
    r"""Give the names outside of a function whose values it changes in place, or sets.

    Examples
    --------
    >>> sorted(changed_in(ast.parse("def f(x):\n y = []; y.append(x); CACHE[x] = LOG.append(TABLE[x])")))
    ['CACHE', 'LOG']
    """
    changed, local, outer = set(), set(), set()
    for one in ast.walk(node):
        target: ast.AST | None = None
        if isinstance(one, (ast.Global, ast.Nonlocal)):
            outer.update(one.names)
        elif isinstance(one, ast.arg):
            local.add(one.arg)
        elif isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load):
            local.add(one.id)
        elif isinstance(one, (ast.Attribute, ast.Subscript)) and not isinstance(one.ctx, ast.Load):
            target = one
        elif isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr in _CHANGING:
            target = one.func
        while isinstance(target, (ast.Attribute, ast.Subscript)):
            target = target.value
        if isinstance(target, ast.Name):
            changed.add(target.id)
    return (changed - local) | (outer & (local | changed))
