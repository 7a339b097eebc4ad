"""Computes the data of one node: what an attempt runs.

Knows a recipe, the files of one record and the values of its chain; must not know where anything else lies, nor who
asked. Whatever is stored is read from its file, also just after it was made: a step gets the same, whenever it runs.
"""

from __future__ import annotations

import inspect
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sinagot.dataset.prints import print_of
from sinagot.engine.state.aside import move_aside
from sinagot.errors import MissingDataError, StoredDataError, UnstorableDataError
from sinagot.scripts.program import ProgramScript
from sinagot.workflow.handing import own
from sinagot.workflow.nodes import ID_PARAMETER, Call, Node, fill
from sinagot.workflow.storage import LocalStorage, TypeHandler, find_handler, without_none

if TYPE_CHECKING:
    from sinagot.workflow.parts import Part, Parts

__all__ = ["PUT_ASIDE", "Evaluation", "NodeScript", "no_way_to_return", "read_part"]


#: Seconds by which the times of files lag behind the clock.
_TICK = 0.02
#: Words by which is told that a damaged file was moved away.
PUT_ASIDE = "it is kept as"


class NodeScript(ProgramScript):
    """The script of one node: computes its data, and writes them where the node is stored."""

    RECIPE: ClassVar[Parts]
    PART: ClassVar[Part]

    def run(self) -> None:
        """Compute, check, write."""
        with no_way_to_return():
            self._make()

    def _make(self) -> None:
        part = self.PART
        work = Evaluation(self.RECIPE, self.id, self.path.input, self.memory)
        began = time.time()
        data = work.compute(part)
        if not part.is_kept:
            work.keep(part, data)
            return
        assert part.handler is not None and part.storage is not None, "what is kept has both"
        with _told(part, self.id, data):
            data, target = part.handler.check(data), Path(self.path.output)
            if part.handler.gives_paths and isinstance(data, Path):
                inputs = dict(self.path.input or {}).values()
                kept = [str(self.data_path), *(one for path in inputs for one in _flat(path))]
                data = _to_be_moved(data, target, began, kept)
            part.handler.write(target, data, **part.storage.write_kwargs)


@contextmanager
def no_way_to_return() -> Iterator[None]:
    """Let ``sys.exit()`` be the failure of a step: a script may end so when it has written all, a function gives data.

    Without this a handler that ends in the midst of its file would have written it, and a value would be none.
    """
    try:
        yield
    except SystemExit as error:
        if error.code:
            raise
        raise SystemExit("ended the program, and gave no data").with_traceback(error.__traceback__) from None


class Evaluation:
    """The data of one record, as far as one node needs them.

    Parameters
    ----------
    recipe : Parts
        The nodes.
    workflow_id : str
        Id of the record.
    files : mapping of str to Path
        Files of seeds and stored nodes, by name.
    memory : Memory
        Values of nodes that no file holds.
    """

    def __init__(self, recipe: Parts, workflow_id: str, files: Mapping[str, Any], memory: Any) -> None:
        self._recipe = recipe
        self._id = workflow_id
        self._files = _grouped(files)
        self._memory = memory
        self._read: dict[str, Any] = {}
        #: How many steps are being computed, each for the one before.
        self._depth = 0

    def value(self, name: str) -> Any:
        """Give the data of a node: from its file, from memory, or computed now."""
        part = self._recipe.parts[name]
        if name in self._files:
            if name not in self._read:
                self._read[name] = self._load(part)
            return self._read[name]
        if part.is_seed:
            raise MissingDataError(
                f"seed {name!r} of {self._id!r} is stored nowhere", node=name, workflow_id=self._id
            )
        found = self.recall(part)
        if found is None:
            data = self.compute(part)
            self.keep(part, data)
            return data
        return found[0]

    def _load(self, part: Part) -> Any:
        """Read a file; one of a step that cannot be read is put aside, and so made again when it is next asked for."""
        path = self._files[part.name]
        before = [print_of(one) for one in _flat(path)]
        try:
            return read_part(part, self._id, path)
        except MissingDataError:
            raise
        except StoredDataError as error:
            if part.is_seed or part.is_script or before != [print_of(one) for one in _flat(path)]:
                raise
            kept = move_aside(str(path), self._memory.aside) if self._memory.aside else None
            raise StoredDataError(
                f"{error.message}; {PUT_ASIDE} {kept}, and made again by the next run", **error.facts
            ) from error.__cause__

    def recall(self, part: Part) -> tuple[Any] | None:
        """Give the data of a node that no file holds, in a tuple of its own, where they are known and still true."""
        found: tuple[Any] | None = self._memory.get(part.name, self._token(part))
        return found

    def keep(self, part: Part, data: Any) -> None:
        """Keep the data of a node that no file holds, for those that come after it."""
        self._memory.put(part.name, self._token(part), data)

    def _token(self, part: Part) -> tuple[Any, ...]:
        """Give what the data of a node come from: the versions of its files and of its code."""
        paths = [path for name in part.files for path in _flat(self._files.get(name))]
        return (self._recipe.key, *((path, print_of(path)) for path in paths))

    def compute(self, part: Part) -> Any:
        """Call the function of a node with its arguments."""
        node = part.node
        assert isinstance(node, Call), "only steps are computed"
        self._depth += 1
        try:
            args = [self._argument(value) for value in node.args]
            kwargs = {name: self._argument(value) for name, value in node.kwargs.items()}
            if node.takes_id:
                kwargs[ID_PARAMETER] = self._id
            data = node.function(*args, **kwargs)
        finally:
            self._depth -= 1
        return _awaited(data) if inspect.isawaitable(data) else data

    def _argument(self, value: Any) -> Any:
        """Give an argument to a step, for it to do with what it likes; see `sinagot.workflow.handing`."""
        return fill(value, self._get, own)

    def _get(self, node: Node) -> Any:
        constants = self._recipe.workflow.__constants__
        if node.name in constants:
            return own(constants[node.name])
        # The step that is asked for is the last one: what was read from a file for it, nobody needs after it.
        is_last = node.name in self._files and self._depth == 1
        found = self.value(node.name)
        return found if is_last else own(found)


def _grouped(files: Mapping[str, Any]) -> dict[str, Any]:
    """Give the outputs of a script that has several as one dict: ``"eeg/left"`` is one of ``"eeg"``."""
    found: dict[str, Any] = {}
    for name, path in files.items():
        node, slash, key = name.partition("/")
        if slash:
            found.setdefault(node, {})[key] = path
        else:
            found[name] = path
    return found


def _flat(paths: Any) -> list[str]:
    if paths is None:
        return []
    return [str(path) for path in paths.values()] if isinstance(paths, dict) else [str(paths)]


@contextmanager
def _told(part: Part, workflow_id: str, data: Any) -> Iterator[None]:
    """Tell of which node data cannot be stored; what was begun of their file is never published."""
    try:
        yield
    except (TypeError, ValueError, ArithmeticError, NotImplementedError, RecursionError) as error:
        raise UnstorableDataError(
            f"node {part.name!r} of {workflow_id!r}: {error}; nothing was written",
            record_id=workflow_id,
            key=part.name,
            value=type(data).__name__,
        ) from error


def _to_be_moved(data: Path, target: Path, began: float, kept: Sequence[str]) -> Path:
    """Give what may be moved to where a step's result is stored: the file or folder that it made, or a copy of another.

    A step may well give back its own input, or a file that was there before it began: those stay where they are.

    Raises
    ------
    ValueError
        The folder holds what must stay.
    """
    found = os.path.realpath(data)
    places = [os.path.realpath(path) for path in kept]
    if os.path.commonpath([found, os.path.realpath(target)]) == found:
        raise ValueError(f"the folder {data} holds the dataset itself, and cannot be stored in it")
    is_ours = any(os.path.commonpath([found, place]) in (found, place) for place in places)
    if not (is_ours or os.path.islink(data)) and os.stat(found).st_ctime >= began - _TICK:
        return data
    if os.path.isdir(found):
        shutil.copytree(found, target, symlinks=True)
    else:
        shutil.copy2(found, target)
    return target


def _awaited(data: Any) -> Any:
    """Wait for what a coroutine function gives, also where a loop is going on already (notebooks)."""
    import asyncio

    async def wait() -> Any:
        return await data

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(wait())
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, wait()).result()


def _handler_of_script(part: Part, path: Any) -> TypeHandler | None:
    """Find what reads the output of a script as the annotation says; None where the path is what is wanted."""
    annotation, _ = without_none(part.annotation)
    is_path = isinstance(annotation, type) and issubclass(annotation, os.PathLike)
    if not part.is_script or annotation is None or is_path or isinstance(path, dict):
        return None
    return find_handler(part.annotation, LocalStorage(str(path)), is_seed=True, where=part.name)


def read_part(part: Part, workflow_id: str, path: Any) -> Any:
    """Read the data of a seed, of a stored node or of a script.

    Parameters
    ----------
    part : Part
        The node.
    workflow_id : str
        Id of the record.
    path : Path or dict of Path
        Where it is stored; a script may have several outputs.

    Raises
    ------
    MissingDataError
        There is no such file.
    StoredDataError
        It cannot be read as what it should be.
    """
    handler = part.handler or _handler_of_script(part, path)
    if handler is None:
        return path
    kwargs = part.storage.read_kwargs if part.storage is not None else {}
    try:
        return handler.read(Path(path), **kwargs)
    except (ImportError, MemoryError, Warning):
        raise  # none of these says anything of the file
    except Exception as error:
        facts = {"node": part.name, "workflow_id": workflow_id, "record_id": workflow_id, "path": Path(path)}
        if isinstance(error, FileNotFoundError) and not os.path.lexists(path):
            raise MissingDataError(
                f"{part.node.kind} {part.name!r} of {workflow_id!r} is not there: {path}",
                file=str(path),
                **facts,
            ) from error
        raise StoredDataError(
            f"{part.node.kind} {part.name!r} of {workflow_id!r}: {path} cannot be read as "
            f"{getattr(handler.annotation, '__name__', handler.annotation)}: "
            f"{type(error).__name__}: {error}",
            file=str(path),
            **facts,
        ) from error
