"""All pipelines of a workspace, by name: what `ws.pipelines` gives.

Knows where pipelines may stand: scripts of steps, the folder `pipelines`, templates of the folder `conf`, a file that
is named. Must not know how one runs. Reading writes nothing: an object looks when it is asked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sinagot.config.hints import did_you_mean
from sinagot.config.schedules import schedule_of
from sinagot.errors import ConfigurationError, NotFoundError, ScriptError, SinagotError
from sinagot.pipeline.showing import Showing
from sinagot.scripts.sources import SourceSet
from sinagot.workspace.origins import Shown
from sinagot.workspace.pipelines.files import (
    FileWord,
    FoundPipeline,
    choose_pipeline,
    file_word,
    pipelines_in,
)
from sinagot.workspace.pipelines.steps import PIPELINES_FOLDER, broken_scripts, pipelines_of
from sinagot.workspace.pipelines.templates import templates_of

if TYPE_CHECKING:
    from sinagot.pipeline.description import Description
    from sinagot.pipeline.pipeline import Pipeline
    from sinagot.pipeline.result import PipelineResult
    from sinagot.pipeline.sources import Source
    from sinagot.workspace.contracts import House

__all__ = ["HousePipeline", "Pipelines", "file_pipeline"]


class _Loaded(NamedTuple):
    """A pipeline, its code where it is Python, and how another program finds it."""

    pipeline: Pipeline
    code: SourceSet | None
    source: Source


class HousePipeline(Showing):
    """A pipeline of a workspace, or of a file outside of any.

    Attributes
    ----------
    name : str
        As `[pipelines.NAME]` and the command line have it: of a step that of the step, else its own.
    kind : str
        ``"step"``, ``"python"`` or ``"template"``.
    file : str
        Where it is written.
    places : tuple of str
        Of a step, the tasks and modalities that have it.

    See Also
    --------
    Pipelines : gives them.
    """

    def __init__(
        self,
        workspace: House | None,
        name: str,
        kind: str,
        file: str,
        load: Callable[[], _Loaded],
        places: tuple[str, ...] = (),
    ) -> None:
        self._workspace = workspace
        self.name = name
        self.kind = kind
        self.file = file
        self.places = places
        self._load = load

    @cached_property
    def _loaded(self) -> _Loaded:
        return self._load()

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline itself, which knows nothing of the workspace.

        Raises
        ------
        ScriptError, ConfigurationError
            It cannot be loaded.
        """
        return self._loaded.pipeline

    @property
    def code(self) -> SourceSet | None:
        """The version of its code; None where it is no Python."""
        return self._loaded.code

    @property
    def source(self) -> Source:
        """How another program finds it, as `sinagot.pipeline.sources.Source`."""
        return self._loaded.source

    def description(self) -> Description:
        """Say what it is made of."""
        return self.pipeline.description()

    def parameters(self, **given: Any) -> list[Shown]:
        """Give every parameter with its value and where that comes from: file and line, default, this run."""
        from sinagot.workspace.pipelines.parameters import PipelineParameters

        configuration = None if self._workspace is None else self._workspace.configuration
        return PipelineParameters(configuration, self.name, self.pipeline.parameters, given).origins()

    def as_json(self) -> dict[str, Any]:
        """Give what is told of it in lists, as plain values; `problem` says why it can't be loaded."""
        problem = view = None
        try:
            view = self.description().as_json()
        except SinagotError as error:
            problem = str(error)
        return {
            "name": self.name,
            "kind": self.kind,
            "file": self.file,
            "steps": list(self.places),
            "stages": [node["name"] for node in view["nodes"]] if view else [],
            "parameters": view["parameters"] if view else [],
            "problem": problem,
        }

    def problems(self) -> list[str]:
        """Give all that would go wrong for sure, without running anything; nothing when it is fine."""
        from sinagot.workspace.pipelines.checking import problems_of

        return problems_of(self._workspace, self)

    def run(self, /, **params: Any) -> PipelineResult:
        """Run it for no record, as a run of the workspace: with its history, log and parameters.

        Outside of any workspace it runs as `Pipeline.run` does.

        Parameters
        ----------
        **params : object
            Parameters; they win over those of the configuration.

        Returns
        -------
        PipelineResult
            As of `Pipeline.run`.

        Raises
        ------
        ConfigurationError
            A parameter is unknown, missing or refused. Nothing was run.
        PipelineDefinitionError
            It reads files or facts of a record: run it as a step.
        PipelineError
            A stage failed; the cause is chained, `result` has the rest.
        KeyboardInterrupt
            Ctrl-C; its `result` has what was done.
        """
        return self.run_told(params, printing=True)

    def run_told(
        self,
        params: Mapping[str, Any],
        *,
        printing: bool,
        tell: Callable[[dict[str, Any]], None] = lambda event: None,
        run_id: str | None = None,
        logical_date: datetime | None = None,
    ) -> PipelineResult:
        """Run it as `run` does, and say how far it is.

        Parameters
        ----------
        params : mapping
            As of `run`.
        printing : bool
            Show the lines of the log.
        tell : callable, optional
            Gets the events of stages as they happen; none come outside of a workspace.
        run_id : str, optional
            What the run of a workspace is to be called; of those who try one name, one runs.
        logical_date : datetime, optional
            The moment that the run is for, which templates know as ``release.logical_date``; now when not given.

        Raises
        ------
        WorkspaceBusyError
            There is a run of this name.
        """
        from sinagot.workspace.pipelines.solo import run_alone, run_outside  # most programs look only

        if self._workspace is None:
            return run_outside(self, params)  # its own log settings tell what is shown
        return run_alone(
            self._workspace,
            self,
            params,
            printing=printing,
            tell=tell,
            run_id=run_id,
            logical_date=logical_date,
        )

    def to_airflow(
        self,
        path: str | os.PathLike[str],
        *,
        source: tuple[str, ...] | None = None,
        dag_id: str | None = None,
        schedule: str | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Write a DAG file for Apache Airflow, as `Pipeline.to_airflow` does; its tasks find it by its file."""
        return super().to_airflow(
            path,
            source=self.source if source is None else source,
            dag_id=dag_id,
            schedule=schedule,
            overwrite=overwrite,
        )

    def __repr__(self) -> str:
        return f"<HousePipeline {self.name!r} | {self.kind} in {self.file}>"


class Pipelines(Mapping[str, HousePipeline]):
    """The pipelines of a workspace by name; ``ws.pipelines["flows/night.py"]`` names one by its file.

    Parameters
    ----------
    workspace : Workspace
        Whose they are; it is looked at once, when something is asked for first.

    Attributes
    ----------
    errors : list of SinagotError
        Why files that may define some could not be loaded; one bad file hides no other.

    Examples
    --------
    >>> import sinagot
    >>> sinagot.Workspace("example/harbor").pipelines
    <Pipelines instance | none>
    """

    def __init__(self, workspace: House) -> None:
        self._workspace = workspace

    @cached_property
    def _found(self) -> tuple[dict[str, HousePipeline], list[SinagotError]]:
        found: dict[str, HousePipeline] = {}
        errors: list[SinagotError] = []
        for one in (*self._steps(errors), *self._files(errors), *self._templates(errors)):
            former = found.setdefault(one.name, one)
            if former is not one:
                text = f"two pipelines are called {one.name!r}: {former.file} and {one.file}; the first one counts"
                errors.append(ConfigurationError(text, file=Path(one.file)))
        return found, errors

    @property
    def errors(self) -> list[SinagotError]:
        """Why files could not be loaded."""
        return list(self._found[1])

    # -- where they stand

    def _steps(self, errors: list[SinagotError]) -> Iterator[HousePipeline]:
        workspace = self._workspace
        library = workspace.blueprint.library
        by_file: dict[str, list[Any]] = {}
        for step in pipelines_of(workspace):
            by_file.setdefault(step.file, []).append(step)
        names = [steps[0].name for steps in by_file.values()]
        for file, steps in by_file.items():
            first = steps[0]
            # Modalities may have different scripts of one name.
            name = first.name if names.count(first.name) == 1 else f"{first.modality}-{first.name}"

            def load(step: Any = first) -> _Loaded:
                spec = library.spec(step.name, step.modality, step.task)
                made: Any = library.load(spec)
                return _Loaded(made.pipeline, library.source(spec), ("file", f"{step.file}:pipeline"))

            yield HousePipeline(workspace, name, "step", file, load, tuple(step.place for step in steps))
        errors += broken_scripts(workspace)

    def _files(self, errors: list[SinagotError]) -> Iterator[HousePipeline]:
        workspace = self._workspace
        folder = workspace.configuration.root / PIPELINES_FOLDER
        for file in sorted(folder.glob("*.py")):
            try:
                found = pipelines_in(str(file), [str(workspace.configuration.scripts_path)])
            except ScriptError as error:
                errors.append(error)
                continue
            for one in found:
                yield _of_file(workspace, str(file), one)

    def _templates(self, errors: list[SinagotError]) -> Iterator[HousePipeline]:
        root = self._workspace.configuration.root
        templates, problems = templates_of(root, schedule_of(self._workspace.configuration))
        errors += problems
        for one in templates:

            def load(template: Any = one) -> _Loaded:
                return _Loaded(template.load(), None, ("template", template.name, str(root)))

            yield HousePipeline(self._workspace, one.name, "template", str(one.file), load)

    # -- by name

    def of_file(self, word: str) -> HousePipeline:
        """Give the pipeline of a file, ``FILE.py`` or ``FILE.py:name``; a relative path starts at the workspace.

        Raises
        ------
        NotFoundError
            There is no such file, or no such pipeline in it.
        ScriptError
            It cannot be loaded; names file and line.
        """
        asked = file_word(word)
        if asked is None:
            raise NotFoundError(f"{word!r} names no Python file", name=word, allowed=())
        workspace = self._workspace
        asked = asked._replace(
            path=os.path.join(workspace.configuration.root, os.path.expanduser(asked.path))
        )
        scripts = str(workspace.configuration.scripts_path)
        for one in self._found[0].values():  # the pipeline of a step has the name of the step
            is_here = one.kind == "step" and os.path.realpath(one.file) == os.path.realpath(asked.path)
            if is_here and asked.attribute in (None, "pipeline"):
                return one
        found = choose_pipeline(asked, [scripts])
        return _of_file(workspace, asked.path, found)

    def __getitem__(self, name: str) -> HousePipeline:
        found, errors = self._found
        if name in found:
            return found[name]
        if file_word(name) is not None:
            return self.of_file(name)
        hint = did_you_mean(str(name), list(found))
        text = f"no pipeline {name!r}; there is {', '.join(found) or 'none'}{'; ' + hint if hint else ''}"
        if errors:
            text += f"; not everything could be read ({errors[0]})"
        raise NotFoundError(text, name=name, allowed=list(found))

    def __iter__(self) -> Iterator[str]:
        return iter(self._found[0])

    def __len__(self) -> int:
        return len(self._found[0])

    def __contains__(self, name: object) -> bool:
        return name in self._found[0]

    def get(self, name: str, default: Any = None) -> Any:
        """Give a pipeline by its name, else `default`."""
        return self._found[0].get(name, default)

    def _repr_html_(self) -> str:
        from sinagot.workspace.display.cards import pipelines_card  # in notebooks only

        return pipelines_card(self)

    def __repr__(self) -> str:
        return f"<Pipelines instance | {', '.join(self) or 'none'}>"


def file_pipeline(word: FileWord) -> HousePipeline:
    """Give the pipeline of a file that belongs to no workspace.

    Raises
    ------
    NotFoundError
        There is no such file, or no such pipeline in it.
    ScriptError
        It cannot be loaded; names file and line.
    """
    return _of_file(None, os.path.abspath(word.path), choose_pipeline(word))


def _of_file(workspace: House | None, file: str, found: FoundPipeline) -> HousePipeline:
    loaded = _Loaded(found.pipeline, found.source, ("file", f"{file}:{found.attribute}"))
    return HousePipeline(workspace, found.pipeline.name, "python", file, lambda: loaded)
