"""Steps that are nodes of a workflow class: how a job names one, and how a process finds it again.

Knows modules, names and pickles; must not know what a workflow is: the class that a job names gives the script of a
node itself. In the process where that class was made it is used as it is, elsewhere it is loaded from the run's copy.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any
from weakref import WeakValueDictionary

from sinagot.errors import ScriptError
from sinagot.scripts.blame import script_error
from sinagot.scripts.modules import TURN, activated, execute
from sinagot.scripts.sources import SourceSet, keep_text, text_of
from sinagot.scripts.template import ScriptTemplate

__all__ = ["LIVE", "ProgramScript", "find_program", "load_program", "owner_of", "packed"]

#: Classes that were made in this process, by the key that jobs name them with: anything with ``script_class(node)``.
LIVE: WeakValueDictionary[str, Any] = WeakValueDictionary()
#: Classes that were loaded here, by file, name and version.
_LOADED: dict[tuple[str, str, str], tuple[Any, ModuleType | None]] = {}


class ProgramScript(ScriptTemplate):
    """The script of a node; the engine hands it the values of its chain.

    Attributes
    ----------
    memory : Memory
        Values of nodes that are not stored, see `sinagot.engine.memory.Memory`.
    """

    memory: Any = None


def find_program(source: SourceSet) -> type[ScriptTemplate] | None:
    """Give the script of a node whose class is in this process already; None when it has to be loaded."""
    owner = _find_owner(source)
    return None if owner is None else owner.script_class(source.step)


def load_program(source: SourceSet) -> type[ScriptTemplate]:
    """Load the class that a node belongs to, and give the script of the node.

    Parameters
    ----------
    source : SourceSet
        What stands in the job.

    Raises
    ------
    ScriptError
        The module fails when it is executed, or has no such class any more.
    """
    found: type[ScriptTemplate] = _load_owner(source).script_class(source.step)
    return found


def owner_of(source: SourceSet) -> Any:
    """Give the class that a set names, or its recipe; loaded when it is not in this process."""
    with TURN:
        return _find_owner(source) or _load_owner(source)


def _find_owner(source: SourceSet) -> Any:
    program = source.program
    assert program is not None, "only nodes come here"
    owner = LIVE.get(program.key)
    if owner is None:
        owner, module = _LOADED.get((source.path, program.name, program.version), (None, None))
        if module is not None:
            # Another version may have been here in between; pickle and annotations find this one.
            sys.modules[program.module] = module
    return owner


def _load_owner(source: SourceSet) -> Any:
    program = source.program
    assert program is not None, "only nodes come here"
    loaded = _unpickle(source) if program.is_pickled else _execute(source)
    _LOADED[source.path, program.name, program.version] = loaded
    return loaded[0]


def packed(source: SourceSet) -> SourceSet:
    """Give a set that other processes can load: of a class that no file holds, with its bytes.

    Parameters
    ----------
    source : SourceSet
        Of any step.

    Raises
    ------
    ScriptError
        The class cannot be pickled.
    """
    program = source.program
    if program is None or not program.is_pickled or source.text_digest:
        return source
    text = LIVE[program.key].pickled()
    return source._replace(text_digest=keep_text(text))


def _unpickle(source: SourceSet) -> tuple[Any, None]:
    import pickle

    with activated(source):
        try:
            return pickle.loads(text_of(source)), None
        except Exception as error:
            raise ScriptError(
                f"node {source.step!r}: its class travels by value, and cannot be rebuilt here: "
                f"{type(error).__name__}: {error}; put it into a module of its own, or run in this process "
                '(mode="main_process")',
                step=source.step,
            ) from error


def _execute(source: SourceSet) -> tuple[Any, ModuleType]:
    program = source.program
    assert program is not None, "only nodes come here"
    module = ModuleType(program.module)
    module.__file__ = source.path
    module.__spec__ = ModuleSpec(program.module, None, origin=source.path)
    module.__package__ = program.module.rpartition(".")[0]
    before = sys.modules.get(program.module)
    with activated(source):
        sys.modules[program.module] = module
        try:
            execute(module, text_of(source), source.path)
            found: Any = module
            for name in program.name.split("."):
                found = getattr(found, name)
        except ScriptError:
            raise
        except (Exception, SystemExit) as error:
            if before is None:
                sys.modules.pop(program.module, None)
            else:
                sys.modules[program.module] = before
            raise script_error(error, source, "node") from error
    return found, module
