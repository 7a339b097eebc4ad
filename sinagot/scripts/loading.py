"""From a script file to a `StepSpec`, and to the class that runs: the door to this layer.

Knows where scripts lie and how to say what is wrong with one; must not know records or when anything runs.
The workspace asks a `ScriptLibrary` for specs; the engine calls `load_script` with what stands in a job, in
any process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from sinagot.config.hints import did_you_mean
from sinagot.config.quantities import seconds_text
from sinagot.errors import ScriptError
from sinagot.scripts.classes import execute_set, load_script, script_error, spec_of
from sinagot.scripts.imports import Found, find_sources
from sinagot.scripts.index import StepIndex
from sinagot.scripts.modules import TURN, activated
from sinagot.scripts.patience import Patience, TookTooLong
from sinagot.scripts.snapshot import copy_sources
from sinagot.scripts.sources import SourceSet
from sinagot.scripts.spec import SpecSource, StepSpec

if TYPE_CHECKING:
    from sinagot.config.settings import CommandSettings
    from sinagot.scripts.template import ScriptTemplate

__all__ = ["ScriptLibrary", "activated", "load_module", "load_script"]


class ScriptLibrary:
    """The scripts of one workspace.

    Parameters
    ----------
    scripts_path : str
        Absolute path of the scripts folder.
    index_path : str, optional
        Folder of the cache of specs. It is read; only `save_index` writes there.
    commands : mapping of str to CommandSettings, optional
        Steps that are commands, by name; anything with ``to_step_spec()`` is taken as well.
    timeout_of : callable, optional
        Gives the seconds that a step of a name and modality may take to be imported; None for ever.

    Notes
    -----
    Files are read anew for every question, since two edits within one second can leave size and time as they
    were: what decides is the digest. A spec whose digest is known, here or in the index, executes nothing of
    the script. Paths that a script computes from its surroundings (environment, installed packages) are as
    they were when it was executed last.
    """

    def __init__(
        self,
        scripts_path: str | os.PathLike[str],
        index_path: str | os.PathLike[str] | None = None,
        commands: Mapping[str, CommandSettings | SpecSource] | None = None,
        timeout_of: Callable[[str, str | None], float | None] = lambda name, modality: None,
    ) -> None:
        self.scripts_path = os.fspath(scripts_path)
        self._timeout_of = timeout_of
        self._endless: dict[str, ScriptError] = {}
        self._index = StepIndex(None if index_path is None else os.fspath(index_path))
        self._commands = dict(commands or {})
        self._specs: dict[tuple[str | None, str], StepSpec] = {}
        self._sources: dict[tuple[str | None, str, str], SourceSet] = {}
        self._warned: set[str] = set()

    def file(self, name: str, modality: str | None = None) -> str:
        """Give the path where a script is looked for: ``<scripts>/[<modality>/]<name>.py``.

        Examples
        --------
        >>> ScriptLibrary("/lab/scripts").file("alpha.v2", "EEG")
        '/lab/scripts/EEG/alpha.v2.py'
        """
        return os.path.join(self.scripts_path, modality or "", f"{name}.py")

    def spec(self, name: str, modality: str | None = None, task: str | None = None) -> StepSpec:
        """Give a step as plain data, as its files are at this moment.

        Parameters
        ----------
        name : str
            Name of the step.
        modality : str, optional
            Name of its modality; None in unit mode.
        task : str, optional
            Makes no difference to a script: its patterns hold the field ``{task}``.

        Returns
        -------
        StepSpec
            The same object as long as nothing changed.

        Raises
        ------
        ScriptError
            When the file is missing, is not Python, fails when it is imported, or declares no class `Script`
            or unusable paths.
        """
        declared = self._commands.get(name)
        if declared is not None:
            return self._declared_spec(name, modality, declared)
        entry = self._index.find(name, modality)
        source = self._find(name, modality, self.file(name, modality))
        spec = self._specs.get((modality, name))
        if spec is None or spec.digest != source.digest:
            spec = self._index.spec(entry, source)
            if spec is None:
                spec = spec_of(source, self._load(source))
                self._index.put(spec, source)
            self._specs[modality, name] = spec
        return spec

    def source(self, spec: StepSpec) -> SourceSet:
        """Give the version of the code that a spec was made from, ready to travel in a job.

        Raises
        ------
        ScriptError
            When the spec is not of this library and its file cannot be read.
        """
        source = self._sources.get((spec.modality, spec.name, spec.digest))
        return source if source is not None else self._find(spec.name, spec.modality, spec.file)

    def load(self, spec: StepSpec) -> type[ScriptTemplate]:
        """Give the class of a step in this process.

        Raises
        ------
        ScriptError
            When the script cannot be loaded.
        """
        return self._load(self.source(spec))

    def _load(self, source: SourceSet) -> type[ScriptTemplate]:
        known = self._endless.get(source.digest)
        if known is not None:  # once is enough
            raise ScriptError(known.message, **known.facts) from known.__cause__
        timeout = self._timeout_of(source.step, source.modality)
        try:
            with Patience(timeout):
                return load_script(source)
        except TookTooLong as error:
            late = TimeoutError(f"its import took longer than {seconds_text(timeout or 0.0)}")
            problem = self._endless[source.digest] = script_error(
                late.with_traceback(error.__traceback__), source
            )
            raise problem from late

    def snapshot(self, specs: Iterable[StepSpec], folder: str | os.PathLike[str]) -> tuple[SourceSet, ...]:
        """Copy the code of steps to a folder, so that one run is one version.

        Parameters
        ----------
        specs : iterable of StepSpec
            The steps of the run.
        folder : str or Path
            Made when absent; one folder may serve many runs, files are named by content.

        Returns
        -------
        tuple of SourceSet
            In the order of the specs; they read from the copies and show the user's file names.

        Raises
        ------
        OSError
            When the folder cannot be written.
        """
        return copy_sources([self.source(spec) for spec in specs], os.fspath(folder))

    def save_index(self) -> None:
        """Write the specs that were made by executing a script to the index; a failure is ignored."""
        self._index.save()

    def _declared_spec(
        self, name: str, modality: str | None, declared: CommandSettings | SpecSource
    ) -> StepSpec:
        if isinstance(declared, tuple):
            # Here, not above: most workspaces have no command steps.
            from sinagot.scripts.command import command_step

            spec, source = command_step(name, modality, declared, self.scripts_path)
            self._sources[modality, name, spec.digest] = source
            return spec
        return declared.to_step_spec()

    def _find(self, name: str, modality: str | None, file: str) -> SourceSet:
        folders = (os.path.dirname(file), self.scripts_path)
        found = _find(name, modality, file, folders, "step")
        for text in found.warnings:
            if text not in self._warned:
                import warnings

                self._warned.add(text)
                warnings.warn(f"step {name!r}: {text}", UserWarning, stacklevel=3)
        self._sources[modality, name, found.source.digest] = found.source
        return found.source


def load_module(file: str | os.PathLike[str], name: str, folders: Sequence[str]) -> ModuleType:
    """Load a file of the user that is no script, such as the custom classes of a modality.

    Parameters
    ----------
    file : str or Path
        The file.
    name : str
        What messages call it.
    folders : sequence of str
        Where its local modules may lie. They can be imported while it is executed, not later.

    Returns
    -------
    ModuleType
        Registered in `sys.modules` under a name of its own, and executed at most once per process and version.

    Raises
    ------
    ScriptError
        When it cannot be loaded; names file and line.
    """
    path = os.fspath(file)
    source = _find(name, None, path, folders, "module").source
    key = (path, source.digest)
    with TURN:
        if key not in _MODULES:
            _, _MODULES[key] = execute_set(source, lambda module: module, "module")
    return _MODULES[key]


# Modules that are no scripts: (path, digest) -> module.
_MODULES: dict[tuple[str, str], ModuleType] = {}


def _find(name: str, modality: str | None, file: str, folders: Sequence[str], kind: str) -> Found:
    try:
        return find_sources(name, modality, file, folders)
    except OSError as error:
        raise _unreadable(name, file, error, kind) from error
    except Exception as error:
        raise script_error(error, SourceSet(name, modality, file, file, "", ""), kind) from error


def _unreadable(name: str, file: str, error: OSError, kind: str) -> ScriptError:
    text = f"{kind} {name!r}: cannot read {file}: {error.strerror}"
    if isinstance(error, FileNotFoundError):
        try:
            beside = [entry[:-3] for entry in os.listdir(os.path.dirname(file)) if entry.endswith(".py")]
        except OSError:
            beside = []
        hint = did_you_mean(name, beside)
        text = f"{kind} {name!r}: there is no file {file}{'; ' + hint if hint else ''}"
    return ScriptError(text, step=name if kind == "step" else None, file=Path(file))
