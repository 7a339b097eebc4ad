"""`ScriptTemplate`: what every script derives from, and the paths that it sees.

Knows one record's id, labels and paths; must not know where the paths come from in a run: the engine sets
them. The engine makes an instance per attempt, sets `path`, `logger` and the labels, and calls `run()`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinagot.dataset.patterns import PathPattern
from sinagot.dataset.scan import Listing, glob_matches
from sinagot.errors import PatternError
from sinagot.scripts.codes import StepStatus
from sinagot.scripts.params import view_of

if TYPE_CHECKING:
    import logging

__all__ = ["DataExist", "ScriptTemplate", "StepPaths"]

#: Paths of one side of a step, in the shape of its pattern; a list where a field is no part of the id.
Paths = Path | list[Path] | dict[str, "Path | list[Path]"]
#: What a `PATH_*` attribute may hold.
PathDeclaration = str | tuple[str, ...] | list[str] | Mapping[str, str | tuple[str, ...] | list[str]]


class StepPaths:
    """The paths of one step of one record.

    Parameters
    ----------
    input, output : Path, list of Path or dict of those
        What the script reads, and where it writes. In a run, `output` lies in a private folder until `run()`
        has returned.
    control : Path, list of Path or dict of those, optional
        Where the script may leave something to look at; nothing depends on it.
    final : Path, list of Path, dict of those, or callable that gives them, optional
        Where the outputs will stand in the end. The same as `output` when not given.

    Examples
    --------
    >>> StepPaths(Path("in.csv"), Path("out.csv")).final
    PosixPath('out.csv')
    """

    __slots__ = ("_final", "control", "input", "output")

    def __init__(
        self,
        input: Paths,  # noqa: A002  (`self.path.input` is what scripts say)
        output: Paths,
        control: Paths | None = None,
        final: Paths | Callable[[], Paths] | None = None,
    ) -> None:
        # Any: users index or join these without asking first which shape their own declaration gives.
        self.input: Any = input
        self.output: Any = output
        self.control: Any = control
        self._final: Any = output if final is None else final

    @property
    def final(self) -> Any:
        """Where the outputs will stand in the end."""
        if callable(self._final):
            # Few scripts ask, and making Path objects is a good part of what a tiny step costs.
            self._final = self._final()
        return self._final

    def __repr__(self) -> str:
        return f"StepPaths(input={self.input!r}, output={self.output!r}, control={self.control!r})"


class DataExist:
    """Tells which inputs and outputs are on disk at the moment of asking."""

    __slots__ = ("_paths",)

    def __init__(self, paths: StepPaths) -> None:
        self._paths = paths

    @property
    def input(self) -> dict[Path, bool]:
        """Every input path, and whether it exists."""
        return {path: path.exists() for path in _iter_flat(self._paths.input)}

    @property
    def output(self) -> dict[Path, bool]:
        """Every output path, and whether it exists; in a run, that is where the script writes."""
        return {path: path.exists() for path in _iter_flat(self._paths.output)}


class ScriptTemplate:
    """Base of the class `Script` in every script file: declare the paths, write `run()`.

    Parameters
    ----------
    data_path : str or Path
        The data folder.
    record_id : str
        Id of the record.
    task : str, optional
        Name of the task; None in a workspace without tasks.
    opts : dict, optional
        Further options, copied.
    logger_namespace, workspace_version : str, optional
        Kept as attributes of the same names.

    Attributes
    ----------
    PATH_IN, PATH_OUT, PATH_CONTROL : tuple of str, str, or dict of those
        Path parts below the data folder with fields such as ``{id}`` and ``{task}``. To be overridden.
    ATOMIC : bool
        False for a script that works on its former output: it then writes under the final name, without
        protection.
    RERUN, CHECK, TIMEOUT, MEMORY, RETRIES, RETRY_WAIT, RETRY_ON, THREADS, ISOLATE, NONEMPTY, KEEP_FAILED, PROVENANCE
        As the keys of the same names in ``[steps.NAME]``, which win over what stands here.
    Params : pydantic model
        Checks the parameters of the step, and has their defaults; optional.
    label, modality : str or None
        Name of the step and of its modality; set by the tool.
    status : StepStatus
        State of this attempt, as far as the instance knows.
    logger : logging.LoggerAdapter or None
        Writes to the record's log; None outside a run.
    debug : bool
        Whether the run was asked for with ``debug=True``.

    See Also
    --------
    sinagot.scripts.command : steps that are commands.

    Examples
    --------
    >>> class Script(ScriptTemplate):
    ...     PATH_IN = ("raw", "{id}.csv")
    ...     PATH_OUT = {"table": ("counts", "{id}.csv"), "picture": "pictures/{id}.png"}
    ...
    ...     def run(self):
    ...         self.path.output["table"].write_text(self.path.input.read_text().upper())
    >>> script = Script("data", "REC-1")
    >>> script.path.input.as_posix(), script.path.output["picture"].as_posix()
    ('data/raw/REC-1.csv', 'data/pictures/REC-1.png')
    """

    PATH_IN: PathDeclaration = ("FOLDER_IN", "{id}-{task}.in")
    PATH_OUT: PathDeclaration = ("FOLDER_OUT", "{id}-{task}.out")
    PATH_CONTROL: PathDeclaration | None = ("FOLDER_CONTROL", "{id}-{task}.control")
    ATOMIC: bool = True
    RERUN: str | None = None
    CHECK: str | Mapping[str, str] | None = None
    TIMEOUT: float | str | None = None
    MEMORY: int | str | None = None
    RETRIES: int | None = None
    RETRY_WAIT: float | str | None = None
    RETRY_ON: Sequence[str] | None = None
    THREADS: int | None = None
    ISOLATE: bool | None = None
    NONEMPTY: bool | None = None
    KEEP_FAILED: bool | None = None
    PROVENANCE: bool | None = None

    label: str | None = None
    modality: str | None = None
    _logger: Any = None
    debug: bool = False
    _given_params: Mapping[str, Any] | None = None
    _made_params: Any = None
    status: int = StepStatus.INIT
    _path: StepPaths | None = None

    def __init__(
        self,
        data_path: str | PathLike[str],
        record_id: str,
        task: str | None = None,
        opts: Mapping[str, Any] | None = None,
        logger_namespace: str | None = None,
        workspace_version: str | None = None,
    ) -> None:
        self.data_path = data_path if isinstance(data_path, Path) else Path(data_path)
        self.id = record_id
        self.task = task
        self.opts: dict[str, Any] = dict(opts or {})
        self.logger_namespace = logger_namespace
        self.workspace_version = workspace_version

    def run(self) -> Any:
        """Read `self.path.input`, write `self.path.output`; to be overridden.

        Returns
        -------
        object
            Ignored.

        Raises
        ------
        NotImplementedError
            When the script does not override it.
        """
        raise NotImplementedError(f"the class Script of step {self.label!r} has no method run()")

    @classmethod
    def main(cls) -> None:
        """Run the step of this script's file for records named on the command line.

        To be called at the end of a script, so that ``python scripts/EEG/alpha.py REC-1 --task RS`` runs it alone::

            if __name__ == "__main__":
                Script.main()

        Raises
        ------
        SystemExit
            Always, with the exit code of ``sinagot run``.
        """
        import sys

        from sinagot.scripts.alone import run_alone  # a script that is run by us never asks

        run_alone(str(sys.modules[cls.__module__].__file__))

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger] | Any:
        """Writes to the record's log; None outside a run."""
        if callable(self._logger):
            # Most tiny scripts say nothing: their logger is never made.
            self._logger = self._logger()
        return self._logger

    @logger.setter
    def logger(self, logger: Any) -> None:
        self._logger = logger

    @property
    def params(self) -> Any:
        """The parameters of the step: a read-only mapping, or an instance of the script's own class `Params`."""
        if self._made_params is None:
            # Made when it is asked for: many scripts have no parameters.
            self._made_params = view_of(type(self), self._given_params)
        return self._made_params

    @params.setter
    def params(self, params: Any) -> None:
        self._made_params = params  # scripts of former versions may have an attribute of this name

    @property
    def path(self) -> StepPaths:
        """The step's paths: those of the run, or below `data_path` when the script was made by hand."""
        if self._path is None:
            # Not in __init__: in a run the engine sets the paths, and what is never asked for is never
            # computed.
            self._path = StepPaths(
                self._declared(self.PATH_IN, is_input=True), self._declared(self.PATH_OUT), self._control()
            )
        return self._path

    @path.setter
    def path(self, paths: StepPaths) -> None:
        self._path = paths

    @property
    def data_exist(self) -> DataExist:
        """Which inputs and outputs are on disk now: ``.input`` and ``.output``, dicts of Path to bool."""
        return DataExist(self.path)

    def __repr__(self) -> str:
        scope = f"task: {self.task}, modality: {self.modality}"
        return f"<Script instance | step: {self.label}, id: {self.id}, {scope}>"

    def _control(self) -> Paths | None:
        return None if self.PATH_CONTROL is None else self._declared(self.PATH_CONTROL)

    def _declared(self, declaration: PathDeclaration, *, is_input: bool = False) -> Paths:
        if isinstance(declaration, Mapping):
            return {key: self._below_data(value, is_input) for key, value in declaration.items()}
        return self._below_data(declaration, is_input)

    def _below_data(self, source: str | tuple[str, ...] | list[str], is_input: bool) -> Path | list[Path]:
        pattern = _pattern(source if isinstance(source, str) else tuple(source))
        # A missing task reads "None", as it always did; opts were fields of patterns from the first version
        # on.
        values = {key: str(value) for key, value in self.opts.items()}
        values |= {"id": self.id, "task": str(self.task), "modality": str(self.modality)}
        if pattern.unbound(values) and is_input:
            found = glob_matches(Listing(str(self.data_path)), pattern, values)
            return [self.data_path / path for path in found]
        return self.data_path / pattern.format(values)


def _iter_flat(paths: Any) -> Iterator[Path]:
    if isinstance(paths, dict):
        for value in paths.values():
            yield from _iter_flat(value)
    elif isinstance(paths, list):
        yield from paths
    elif paths is not None:
        yield paths


_PATTERNS: dict[str | tuple[str, ...], PathPattern] = {}


def _pattern(source: str | tuple[str, ...]) -> PathPattern:
    try:
        return _PATTERNS[source]
    except KeyError:
        pass
    except TypeError as error:
        raise PatternError(
            f"{source!r} is no path: text or a tuple of texts is needed", found=source
        ) from error
    pattern = _PATTERNS[source] = PathPattern(source)
    return pattern
