"""Executes a script and gives its class, and says what is wrong with one that cannot be loaded.

Knows texts, modules and the class `Script`; must not know where scripts lie or what is cached on disk.
`load_script` is the same function in the driver, in worker processes and in notebooks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, new_class
from typing import Any, TypeVar

from sinagot.config.hints import did_you_mean
from sinagot.config.settings import StepSettings
from sinagot.errors import ScriptError
from sinagot.scripts.blame import script_error
from sinagot.scripts.group import GroupTemplate
from sinagot.scripts.inside import InsideScript, maker_in
from sinagot.scripts.modules import TURN, activated, execute
from sinagot.scripts.params import model_of
from sinagot.scripts.program import find_program, load_program
from sinagot.scripts.sources import SourceSet, text_of
from sinagot.scripts.spec import PathSource, StepSpec, read_paths, read_settings
from sinagot.scripts.template import ScriptTemplate

__all__ = ["AROUND_LOADING", "execute_set", "load_script", "script_error", "spec_of"]

_Found = TypeVar("_Found")
_Key = tuple[str, str, str]
# Classes of this process, with their modules: (path, step, digest) -> both.
_CLASSES: dict[_Key, tuple[type[ScriptTemplate], ModuleType | None]] = {}
# What failed to load from a snapshot. Within one run it will not load for the next record either.
_FAILED: dict[tuple[str, str], ScriptError] = {}
#: Contexts within which a script is loaded: what it does to the process then is done once for all its jobs.
AROUND_LOADING: list[Callable[[], AbstractContextManager[None]]] = []


def load_script(source: SourceSet) -> type[ScriptTemplate]:
    """Give the class of a script; the same function in the driver and in workers.

    Parameters
    ----------
    source : SourceSet
        The version to load.

    Returns
    -------
    type
        Derived from `ScriptTemplate`, with `label` and `modality` set. Executed at most once per process and
        version.

    Raises
    ------
    ScriptError
        When it cannot be loaded; names step, file and line, with the script's own exception as cause.

    See Also
    --------
    activated : to be entered around everything that calls the class.
    """
    if source.program is not None:
        with TURN:
            return find_program(source) or _within_contexts(lambda: load_program(source))
    key = (source.path, source.step, source.digest)
    known = _CLASSES.get(key)
    if known is None:
        with TURN:
            known = _CLASSES.get(key)
            if known is None:
                known = _CLASSES[key] = _within_contexts(lambda: _load(source))
    script, module = known
    if module is not None and sys.modules.get(module.__name__) is not module:
        # Two versions can live in one process; pickle must find the one that is about to run.
        sys.modules[module.__name__] = module
    return script


def _within_contexts(load: Callable[[], _Found]) -> _Found:
    with ExitStack() as stack:
        for context in AROUND_LOADING:
            stack.enter_context(context())
        return load()


def _load(source: SourceSet) -> tuple[type[ScriptTemplate], ModuleType | None]:
    if source.command is not None:
        from sinagot.scripts.command import command_class

        return command_class(source), None
    failed = _FAILED.get((source.text, source.digest))
    if failed is not None:
        raise ScriptError(failed.message, **failed.facts) from failed.__cause__
    try:
        return execute_set(source, lambda module: _script_class(module, source))
    except ScriptError as error:
        if source.text != source.path:
            _FAILED[source.text, source.digest] = error
        raise


def execute_set(
    source: SourceSet, find: Callable[[ModuleType], _Found], kind: str = "step"
) -> tuple[_Found, ModuleType]:
    """Execute a set in a module of its own, registered in `sys.modules`.

    Parameters
    ----------
    source : SourceSet
        What to execute.
    find : callable
        Gets the module and gives what it was loaded for. When that fails, the module is not kept.
    kind : str
        What the messages call it.

    Returns
    -------
    found : object
        What `find` gave.
    module : ModuleType
        The module.

    Raises
    ------
    ScriptError
        When the code fails.
    """
    module = ModuleType(source.module_name)
    module.__file__ = source.path
    module.__spec__ = ModuleSpec(module.__name__, None, origin=source.path)
    before = sys.modules.get(module.__name__)
    # While it is executed too: dataclasses look their module up.
    sys.modules[module.__name__] = module
    found = None
    try:
        with activated(source):
            try:
                execute(module, text_of(source), source.path)
            except ScriptError:
                raise
            except (Exception, SystemExit) as error:
                raise script_error(error, source, kind) from error
        found = find(module)
    finally:
        if found is None:
            sys.modules.pop(module.__name__, None)
            if before is not None:
                sys.modules[module.__name__] = before
    return found, module


def _script_class(module: ModuleType, source: SourceSet) -> type[ScriptTemplate]:
    found: Any = getattr(module, "Script", None)
    maker = maker_in(module) if found is None else None
    if maker is not None:
        found = _made_by(maker, source)
    if not isinstance(found, type) or not issubclass(found, ScriptTemplate):
        what = (
            "has no class Script"
            if found is None
            else "has a Script that does not derive from ScriptTemplate"
        )
        others = [
            name
            for name, value in vars(module).items()
            if isinstance(value, type) and name not in ("ScriptTemplate", "GroupTemplate")
        ]
        hint = did_you_mean("Script", others) if found is None else "write: class Script(ScriptTemplate)"
        text = f"step {source.step!r}: {source.path} {what}{'; ' + hint if hint else ''}"
        raise ScriptError(text, step=source.step, file=Path(source.path))
    if found.__module__ != module.__name__:
        # Imported from elsewhere, and perhaps the Script of several steps: each gets a class of its own to
        # carry its labels.
        # The name of its module must find it again, for pickle.
        found = module.__dict__["Script"] = new_class(
            "Script", (found,), exec_body=lambda body: body.update(__module__=module.__name__)
        )
    script: type[ScriptTemplate] = found
    script.label = source.step
    script.modality = source.modality
    return script


def _made_by(maker: Any, source: SourceSet) -> Any:
    """Give the class of a script that defines a pipeline in place of one."""
    try:
        return maker.script_class(source.step)
    except ScriptError:
        raise
    except Exception as error:
        raise script_error(error, source) from error


def spec_of(source: SourceSet, script: type[ScriptTemplate]) -> StepSpec:
    """Read the declarations of a loaded script.

    Raises
    ------
    ScriptError
        When a path attribute is no declaration of paths.
    """

    def read(attribute: str, **options: Any) -> PathSource:
        return read_paths(
            getattr(script, attribute), attribute, step=source.step, file=source.path, **options
        )

    # The default is there for scripts to read; a step that does not speak of control files has none to be
    # staged.
    has_control = script.PATH_CONTROL not in (None, (), [], "", {}, ScriptTemplate.PATH_CONTROL)
    return StepSpec(
        name=source.step,
        modality=source.modality,
        file=source.path,
        digest=source.digest,
        inputs=read("PATH_IN", may_be_empty=True),
        outputs=read("PATH_OUT"),
        control=read("PATH_CONTROL") if has_control else None,
        atomic=bool(script.ATOMIC),
        sources=source.files,
        settings=read_settings(
            {name: getattr(script, name.upper()) for name in StepSettings._fields},
            step=source.step,
            file=source.path,
        ),
        typed=model_of(script) is not None,
        is_group=issubclass(script, GroupTemplate),
        is_pipeline=_is_made_as(script, "pipeline"),
        is_flow=_is_made_as(script, "flow"),
    )


def _is_made_as(script: type[ScriptTemplate], kind: str) -> bool:
    return issubclass(script, InsideScript) and kind == script.KIND
