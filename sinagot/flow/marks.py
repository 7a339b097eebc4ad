"""`Depends`: the mark on an argument that says which function makes its value, and how marks are found.

Knows signatures and annotations; must not know runs. `depends` makes a plan of what is found here.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ForwardRef, get_origin

from sinagot.errors import DependencyError

__all__ = ["Dependency", "Depends", "code_of", "dependencies_of", "name_of", "signature_of", "where_of"]


@dataclass(frozen=True, eq=False, slots=True)
class Dependency:
    """What `Depends` gives: an argument is marked by it, as its default or in its annotation."""

    function: Callable[..., Any] | None
    use_cache: bool = True

    def __repr__(self) -> str:
        made_by = "" if self.function is None else name_of(self.function)
        return f"Depends({made_by}{'' if self.use_cache else ', use_cache=False'})"


def Depends(function: Callable[..., Any] | None = None, *, use_cache: bool = True) -> Any:  # noqa: N802  (reads as a type)
    """Say that an argument gets what a function makes: ``x: Annotated[int, Depends(get_x)]`` or ``x=Depends(get_x)``.

    Parameters
    ----------
    function : callable, optional
        A function, a coroutine function, or a generator of one value, sync or async: what stands after its ``yield`` is
        its clean-up. It may depend on others. When not given, the type that the argument is annotated with is called.
    use_cache : bool, default True
        Within a run it is called once, however many depend on it; without it, once for each of them.

    Raises
    ------
    DependencyError
        It can't be called.

    Examples
    --------
    >>> def get_rate():
    ...     return 500
    >>> Depends(get_rate), Depends(get_rate, use_cache=False)
    (Depends(get_rate), Depends(get_rate, use_cache=False))
    """
    if function is not None and not callable(function):
        raise DependencyError(
            f"Depends() takes a function, found {function!r}; write Depends(get_x), without a call"
        )
    return Dependency(function, use_cache)


def dependencies_of(function: Callable[..., Any]) -> dict[str, Dependency]:
    """Find the arguments of a function that are marked, with the functions that make them.

    Parameters
    ----------
    function : callable
        Its annotations may be texts. Names in them that are local to another function are found as long as that one
        runs.

    Raises
    ------
    DependencyError
        A mark can't be read.
    """
    signature = signature_of(function)
    found = {}
    for name, one in signature.parameters.items() if signature is not None else ():
        note = one.annotation
        if isinstance(note, str):
            note = _evaluated(function, name, note, isinstance(one.default, Dependency))
        if type(note).__name__ == "TypeAliasType":
            note = note.__value__
        is_annotated = get_origin(note) is Annotated
        marks = [mark for mark in note.__metadata__ if isinstance(mark, Dependency)] if is_annotated else []
        if isinstance(one.default, Dependency):
            marks.append(one.default)
        if len(marks) > 1:
            raise _wrong(function, name, "is marked twice: write Depends in its annotation or as its default")
        if marks and one.kind is inspect.Parameter.POSITIONAL_ONLY:
            raise _wrong(function, name, "can be given by place only, and a dependency is given by name")
        if marks:
            found[name] = _whole(function, name, marks[0], note.__origin__ if is_annotated else note)
    return found


def _whole(function: Callable[..., Any], name: str, mark: Dependency, note: Any) -> Dependency:
    """Give a mark with its function, which may be the type of the argument."""
    if mark.function is not None:
        return mark
    if isinstance(note, ForwardRef):
        note = _evaluated(function, name, note.__forward_arg__, True)
    if note is inspect.Parameter.empty or not callable(note):
        raise _wrong(function, name, "has an empty Depends(), and no type that could be called")
    return Dependency(note, mark.use_cache)


def _evaluated(function: Callable[..., Any], name: str, text: str, is_marked: bool) -> Any:
    """Give what the text of an annotation stands for; nothing where it cannot be known and is no mark."""
    plain = _plain(function)
    try:
        # What Python itself would have done, had the annotations not been left as texts.
        return eval(text, getattr(plain, "__globals__", {}), _locals_of(plain))  # noqa: S307
    except Exception as error:
        if "Depends" not in text:
            # A name for type checkers only, for instance.
            return inspect.Parameter.empty
        if is_marked:
            return inspect.Parameter.empty
        raise _wrong(
            function,
            name,
            f"has an annotation that can't be read ({type(error).__name__}: {error}); define what it names at the top "
            "of the module, or make it the default: x=Depends(...)",
        ) from error


def _locals_of(plain: Any) -> dict[str, Any]:
    """Give the names round a function that is defined in another: those that it uses, and those of frames that run."""
    code = getattr(plain, "__code__", None)
    if code is None:
        return {}
    found: dict[str, Any] = {one.__name__: one for one in getattr(plain, "__type_params__", ())}
    outer = plain.__qualname__.rpartition(".<locals>.")[0]
    around = []
    while outer:
        around.append(outer)
        outer = outer.rpartition(".<locals>.")[0]
    frame = sys._getframe(1) if around else None
    while frame is not None:
        if frame.f_code.co_qualname in around and frame.f_code.co_filename == code.co_filename:
            found = {**frame.f_locals, **found}
        frame = frame.f_back
    for name, cell in zip(code.co_freevars, plain.__closure__ or (), strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            pass  # it is defined later
    return found


def _plain(function: Any) -> Any:
    """Give the function itself, through what wraps it."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    function = getattr(function, "__func__", function)
    if isinstance(function, type):
        return function.__init__ if hasattr(function.__init__, "__code__") else function.__new__  # type: ignore[misc]
    return function if hasattr(function, "__code__") else type(function).__call__


def signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    """Give the signature of a function; None of one that does not tell."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def name_of(function: Any) -> str:
    """Give the name of a function for people."""
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__name__", None) or type(function).__name__


def code_of(function: Any) -> Any:
    """Give the code of a function, through what wraps it; None where it is none of Python."""
    return getattr(_plain(function), "__code__", None)


def where_of(function: Any) -> str:
    """Give file and line of a function, as `` (file:line)``; an empty text where there is none."""
    code = code_of(function)
    return "" if code is None else f" ({code.co_filename}:{code.co_firstlineno})"


def _wrong(function: Callable[..., Any], name: str, text: str) -> DependencyError:
    return DependencyError(
        f"argument {name!r} of {name_of(function)}{where_of(function)} {text}",
        function=name_of(function),
        argument=name,
    )
