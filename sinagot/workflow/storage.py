"""Where data are stored, and what turns a type of data into a file and back.

Knows types, suffixes and handlers by name; must not know workflows or records. Handlers of other packages' types are in
`sinagot.workflow.handlers`, and nothing of these packages is imported before data are read or written.
"""

from __future__ import annotations

import os
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from sinagot.errors import MissingExtraError, WorkflowError

__all__ = ["LocalStorage", "TypeHandler", "find_handler", "is_table", "is_union", "without_none"]

#: Modules with handlers; each registers its own when it is imported.
_BUILT_IN = (
    "sinagot.workflow.handlers.plain",
    "sinagot.workflow.handlers.structured",
    "sinagot.workflow.handlers.tables",
    "sinagot.workflow.handlers.arrays",
    "sinagot.workflow.handlers.signals",
)
#: Content of a file that holds None, where the format has no word of its own for it.
NONE_MARK = b"\x00None\n"


class LocalStorage:
    """Files below the root of the workspace that hold one attribute of its workflows.

    Parameters
    ----------
    path : str, Path, or sequence of str
        Path below the root, as text with ``/`` or as its parts. ``{workflow_id}`` stands for the id; entities of the id
        and optional parts work as in path patterns. Without any of these the file is shared by all workflows.
    read_kwargs, write_kwargs : mapping, optional
        Handed to the function that reads or writes, such as `pandas.read_csv` and `DataFrame.to_csv`.

    Examples
    --------
    >>> LocalStorage("computed/mean-{workflow_id}.csv", write_kwargs={"index": False})
    LocalStorage('computed/mean-{workflow_id}.csv')
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | Sequence[str],
        read_kwargs: Mapping[str, Any] | None = None,
        write_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        given: Any = path
        if isinstance(given, (str, os.PathLike)):
            given = [os.fspath(given)]
        parts = list(given) if isinstance(given, Sequence) else []
        if not parts or not all(isinstance(part, str) and part for part in parts):
            raise WorkflowError(
                f"LocalStorage: a path is a text or a list of texts, and not empty; found {path!r}"
            )
        self.path = "/".join(parts)
        self.read_kwargs = dict(read_kwargs or {})
        self.write_kwargs = dict(write_kwargs or {})

    @property
    def suffix(self) -> str:
        """Suffix of the file names, in small letters; empty without one."""
        return os.path.splitext(self.path)[1].lower()

    def __repr__(self) -> str:
        return f"LocalStorage({self.path!r})"


class TypeHandler:
    """Turns data of one type into a file, and back. Derive from it to store a type of your own.

    Attributes
    ----------
    data_type : type or str
        What it is for; ``"package.Name"`` where the package should not be imported for it. Subclasses are meant too.
    suffixes : tuple of str
        Suffixes of files that it reads and writes; any when empty.
    reads_only : tuple of str
        Suffixes of files that it reads and does not write: of seeds.
    annotation : object
        The annotation of the attribute.
    suffix : str
        Suffix of the file.

    Examples
    --------
    >>> import sinagot as sg
    >>> from fractions import Fraction
    >>> class FractionHandler(sg.TypeHandler, data_type=Fraction):
    ...     def read(self, path):
    ...         return Fraction(path.read_text())
    ...
    ...     def write(self, path, data):
    ...         path.write_text(str(data))
    """

    data_type: ClassVar[Any] = None
    suffixes: ClassVar[tuple[str, ...]] = ()
    reads_only: ClassVar[tuple[str, ...]] = ()
    #: Suffix -> package that it needs and extra that brings it.
    needs: ClassVar[Mapping[str, tuple[str, str]]] = {}
    annotation: Any = None
    suffix: str = ""
    #: Those of the storage: what is written has to come back with them.
    read_kwargs: Mapping[str, Any] = types.MappingProxyType({})
    write_kwargs: Mapping[str, Any] = types.MappingProxyType({})
    #: None may be among the data.
    takes_none: bool = False
    #: The file is one that we made, and not one that somebody delivered.
    is_own: bool = True
    #: Data are paths of files and folders, which are moved to where they are stored.
    gives_paths: bool = False

    def __init_subclass__(
        cls, *, data_type: Any = None, suffixes: Sequence[str] | None = None, **options: Any
    ) -> None:
        super().__init_subclass__(**options)
        if data_type is not None:
            cls.data_type = data_type
        if suffixes is not None:
            cls.suffixes = tuple(suffixes)
        if cls.data_type is not None:
            for name in ("read", "write"):
                if getattr(cls, name) is getattr(TypeHandler, name):
                    raise WorkflowError(
                        f"{cls.__name__} has a data_type, and no method {name}", attribute=name
                    )
            _HANDLERS.append(cls)

    def read(self, path: Path, **kwargs: Any) -> Any:
        """Read a file.

        Parameters
        ----------
        path : Path
            The file.
        **kwargs
            `read_kwargs` of the storage.
        """
        raise NotImplementedError

    def write(self, path: Path, data: Any, **kwargs: Any) -> None:
        """Write data to a file; its folder exists.

        Parameters
        ----------
        path : Path
            The file.
        data : object
            What to write.
        **kwargs
            `write_kwargs` of the storage.
        """
        raise NotImplementedError

    def check(self, data: Any) -> Any:
        """Give data that fit the annotation, or raise TypeError; numbers may be turned into their own kind.

        Unless a subclass says otherwise, data are of the class that the annotation names.
        """
        kind = _class_of(self.annotation)
        if isinstance(kind, type) and kind is not Any and not _is_one(data, kind):
            raise TypeError(f"should be {kind.__name__}, found {type(data).__name__}")
        return data


#: All handlers, in the order in which they were defined.
_HANDLERS: list[type[TypeHandler]] = []


def is_union(annotation: Any) -> bool:
    """Say whether a type is one of several: ``int | str``."""
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def without_none(annotation: Any) -> tuple[Any, bool]:
    """Take None out of a type.

    Returns
    -------
    object, bool
        What is left, and whether None was among it.

    Examples
    --------
    >>> without_none(int | None), without_none(str)
    ((<class 'int'>, True), (<class 'str'>, False))
    """
    if isinstance(annotation, typing.NewType):
        return without_none(annotation.__supertype__)
    if typing.get_origin(annotation) is typing.Annotated:
        return without_none(typing.get_args(annotation)[0])
    if is_union(annotation):
        parts = typing.get_args(annotation)
        rest = [part for part in parts if part is not type(None)]
        if len(rest) < len(parts) and len(rest) == 1:
            return rest[0], True
    return annotation, False


def _class_of(annotation: Any) -> Any:
    """Give the class that a type is about: ``dict`` of ``dict[str, int]``; one of several is anything."""
    if is_union(annotation):
        return Any
    origin = typing.get_origin(annotation)
    return origin if isinstance(origin, type) else annotation


def _is_one(data: Any, kind: type) -> bool:
    try:
        return isinstance(data, kind) or (kind is float and type(data) is int)
    except TypeError:
        return True  # protocols that Python does not ask for


def _is_about(wanted: Any, kind: Any) -> int | None:
    """Say how far up a class is from what a handler is for; None where it is none."""
    if not isinstance(kind, type):
        return 0 if kind == wanted else None
    for distance, parent in enumerate(kind.__mro__):
        if parent is wanted:
            return distance
        if isinstance(wanted, str):
            package, _, name = wanted.rpartition(".")
            if parent.__name__ == name and parent.__module__.partition(".")[0] == package:
                return distance
    return None


def _candidates(annotation: Any) -> Iterator[tuple[int, int, type[TypeHandler]]]:
    for module in _BUILT_IN:
        import_module(module)
    kind = _class_of(annotation)
    for number, handler in enumerate(_HANDLERS):
        distance = _is_about(handler.data_type, kind)
        if distance is not None:
            yield distance, -number, handler


def is_table(annotation: Any) -> bool:
    """Say whether a type is that of pandas' tables."""
    kind, _ = without_none(annotation)
    return _is_about("pandas.DataFrame", _class_of(kind)) is not None and kind is not None


def find_handler(annotation: Any, storage: LocalStorage, *, is_seed: bool, where: str) -> TypeHandler:
    """Find what reads and writes the data of an attribute.

    Parameters
    ----------
    annotation : object
        Type of the data; None where nothing is said, and the suffix decides.
    storage : LocalStorage
        Where it is stored.
    is_seed : bool
        Nobody writes it.
    where : str
        The attribute, for messages.

    Returns
    -------
    TypeHandler
        One of its own for the attribute.

    Raises
    ------
    WorkflowError
        Nothing is known that stores such data in such a file.
    MissingExtraError
        A package is needed that is not installed.
    """
    suffix = storage.suffix
    wanted, takes_none = without_none(annotation)
    if annotation is None:
        wanted = _guess(suffix)
    if wanted is type(None):
        wanted, takes_none = bytes, True
    found = sorted(_candidates(wanted), key=lambda one: one[:2])
    for _, _, kind in found:
        if not kind.suffixes or suffix in kind.suffixes or (is_seed and suffix in kind.reads_only):
            _require(kind, suffix, where)
            handler = kind()
            handler.annotation, handler.suffix, handler.is_own = wanted, suffix, not is_seed
            handler.read_kwargs, handler.write_kwargs = storage.read_kwargs, storage.write_kwargs
            handler.takes_none = takes_none
            _prepare(handler, where, suffix)
            return _OrNone(handler) if takes_none else handler
    own = [kind for _, _, kind in found if kind.data_type is not object]
    known = sorted({one for kind in own for one in (*kind.suffixes, *(kind.reads_only if is_seed else ()))})
    shown = str(wanted) if is_union(wanted) else getattr(wanted, "__name__", str(wanted))
    if known:
        hint = f"files of this type end with {', '.join(known)}"
    elif own:
        hint = "no file of this type can be read"
    else:
        hint = "derive a class from sinagot.TypeHandler with data_type= for it"
    raise WorkflowError(
        f"{where}: {shown} cannot be stored in {storage.path!r}; {hint}", attribute=where.rpartition(".")[2]
    )


def _prepare(handler: TypeHandler, where: str, suffix: str) -> None:
    """Let a handler look at its annotation: what it cannot store is told when the class is made."""
    prepare = getattr(handler, "prepare", None)
    if prepare is not None:
        try:
            prepare()
        except WorkflowError:
            raise
        except Exception as error:
            raise WorkflowError(
                f"{where}: {handler.annotation!r} cannot be stored in a file {suffix!r}: {error}",
                attribute=where.rpartition(".")[2],
            ) from error


def _guess(suffix: str) -> Any:
    """Give the type of data of which nothing is said but the suffix of their file."""
    by_suffix = {
        ".csv": "pandas.DataFrame",
        ".tsv": "pandas.DataFrame",
        ".parquet": "pandas.DataFrame",
        ".feather": "pandas.DataFrame",
        ".npy": "numpy.ndarray",
        ".npz": "numpy.ndarray",
        ".json": typing.Any,
        ".yaml": typing.Any,
        ".yml": typing.Any,
        ".toml": dict,
        ".txt": str,
    }
    return by_suffix.get(suffix, Path)


def _require(kind: type[TypeHandler], suffix: str, where: str) -> None:
    package, extra = kind.needs.get(suffix, kind.needs.get("", ("", "")))
    if package and find_spec(package) is None:
        what = f"pip install {package}" + (f" (the extra {extra!r} of sinagot)" if extra else "")
        raise MissingExtraError(
            f"{where}: files {suffix} need the package {package}, which is not installed: {what}",
            package=package,
            extra=extra or package,
        )


class _OrNone(TypeHandler):
    """Reads and writes None besides what another handler does."""

    def __init__(self, inner: TypeHandler) -> None:
        self.inner = inner
        self.annotation, self.suffix, self.is_own = inner.annotation, inner.suffix, inner.is_own
        self.gives_paths = inner.gives_paths

    def read(self, path: Path, **kwargs: Any) -> Any:
        """Read a file; one that holds the mark of None gives None."""
        if path.is_file() and path.stat().st_size == len(NONE_MARK) and path.read_bytes() == NONE_MARK:
            return None
        return self.inner.read(path, **kwargs)

    def write(self, path: Path, data: Any, **kwargs: Any) -> None:
        """Write data, or the mark of None."""
        if data is None:
            path.write_bytes(NONE_MARK)
        else:
            self.inner.write(path, data, **kwargs)

    def check(self, data: Any) -> Any:
        """Let None pass."""
        return None if data is None else self.inner.check(data)
