"""A flow: processors that are joined by the names of their streams, checked, and described.

Knows processors and their wiring; must not know runs. `Supervisor.start_flow` runs it, as often as wanted.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from typing import Any

from sinagot.config.hints import did_you_mean
from sinagot.engine.charts.chart import Box, Chart, Line, one_line
from sinagot.engine.charts.texts import dot, mermaid
from sinagot.errors import FlowDefinitionError
from sinagot.flow.declared import Declared
from sinagot.flow.processor import Processor
from sinagot.flow.steps import script_class_of
from sinagot.flow.telling import PROGRESS
from sinagot.flow.wiring import Wiring, wired
from sinagot.scripts.template import ScriptTemplate

__all__ = ["FORMS", "Flow"]

#: What `Flow.describe` can give.
FORMS = ("text", "mermaid", "dot")


class Flow:
    """Join processors.

    Parameters
    ----------
    *processors : Processor
        In any order.
    name : str, optional
        What descriptions and logs call it; "flow" when not given, and the name of the step where it is one.
    path_in : tuple of str, str, or mapping, optional
        For a step of a workspace: the file that it reads, or several by name, as `PATH_IN` of a script. Processors get
        them by ``Depends(path_in(name))``; a single one without a name is given for any name. An input that no
        processor writes gets the path of its name as its one value (of several files, each path), or the only one.
    path_out : mapping of str to path, optional
        Files that processors write themselves, by ``Depends(path_out(name))``.
    sink : mapping of str to path, optional
        Stream -> the file that its values are written to: ``.jsonl``, ``.csv`` (of dicts), ``.txt`` or ``.npy`` (of
        arrays of one shape, which are stacked). NaN is null in JSON, and empty in CSV.
    params : type or Parameters, optional
        For a step: a pydantic model that checks its parameters, or `Parameters.define(...)` of `sinagot.pipeline`. An
        input that no processor writes may also be one of them.
    backend : {"asyncio", "trio"}
        For a step: the event loop that it runs in.
    progress : float, default 5
        For a step: seconds between two lines in the log about how far each processor is.
    pickle : bool or collection of str, default False
        For a step: as for `Supervisor`.
    spool_limit : int, optional
        For a step: as for `Supervisor`.

    Raises
    ------
    FlowDefinitionError
        When something else is given.

    Examples
    --------
    >>> double = Processor("double", ["foo"], ["bar"])(lambda foo: 2 * foo.first())
    >>> flow = Flow.from_processors(double)
    >>> flow.resolve()
    <Flow 'flow': double>
    >>> print(flow.describe())
    flow: 1 processor
      inputs   foo
      double   foo -> bar
      results  bar
    """

    def __init__(
        self,
        *processors: Processor,
        name: str | None = None,
        path_in: Any = None,
        path_out: Mapping[str, Any] | None = None,
        sink: Mapping[str, Any] | None = None,
        params: Any = None,
        backend: str = "asyncio",
        progress: float = PROGRESS,
        pickle: bool | Collection[str] = False,
        spool_limit: int | None = None,
    ) -> None:
        for one in processors:
            if not isinstance(one, Processor):
                raise FlowDefinitionError(f"a flow is made of Processor objects, not of {one!r}")
        self._processors = processors
        self._name = name
        self._wiring: Wiring | None = None
        self._place = _place_of_caller()
        self._declared = Declared(
            path_in, path_out, sink, params, backend, progress, pickle, spool_limit
        ).check(self.name)

    @classmethod
    def from_processors(cls, *processors: Processor, **options: Any) -> Flow:
        """Join processors.

        Parameters
        ----------
        *processors : Processor
            In any order.
        **options
            As for the class: `name`, and for a step `path_in`, `path_out`, `sink`, `params` and others.

        Returns
        -------
        Flow
            Not yet checked: `resolve` does it, at the latest the first start.
        """
        return cls(*processors, **options)

    from_tasks = from_processors

    @property
    def name(self) -> str:
        """What descriptions and logs call it."""
        return "flow" if self._name is None else self._name

    @property
    def processors(self) -> tuple[Processor, ...]:
        """Its processors, as they were given."""
        return self._processors

    @property
    def resolved(self) -> bool:
        """Whether `resolve` found all in order."""
        return self._wiring is not None

    @property
    def wiring(self) -> Wiring:
        """How the processors hang together; resolves the flow."""
        return self.resolve()._wired

    @property
    def _wired(self) -> Wiring:
        assert self._wiring is not None
        return self._wiring

    def resolve(self) -> Flow:
        """Check that the processors fit together; a second call does nothing.

        Returns
        -------
        Flow
            This one.

        Raises
        ------
        FlowDefinitionError
            When they do not: two producers of a stream, a circle, an output that is not declared, a parameter that
            nothing is known for, and the like.
        """
        if self._wiring is None:
            self._wiring = wired(self._processors)
        return self

    def describe(self, form: str = "text") -> str:
        """Write down the flow.

        Parameters
        ----------
        form : {"text", "mermaid", "dot"}
            For people, for Mermaid, or for Graphviz.

        Returns
        -------
        str
            Lines of text; the last one has no end of line.

        Raises
        ------
        FlowDefinitionError
            When there is no such form, or the processors do not fit together.
        """
        if form not in FORMS:
            hint = did_you_mean(str(form), FORMS)
            raise FlowDefinitionError(
                f"{form!r} is no form of a description; there are {', '.join(FORMS)}{'; ' + hint if hint else ''}"
            )
        if form == "text":
            return _listing(self.name, self.wiring)
        chart = chart_of(self.name, self.wiring)
        return mermaid(chart) if form == "mermaid" else dot(chart)

    def script_class(self, step: str) -> type[ScriptTemplate]:
        """Give the script of a step whose file defines this flow in place of a class `Script`.

        Parameters
        ----------
        step : str
            Name of the step.

        Returns
        -------
        type
            The class, derived from `ScriptTemplate`.

        Raises
        ------
        FlowDefinitionError
            When the processors do not fit together, or the flow can be no step: it writes no file, for one.
        """
        try:
            made = script_class_of(self._name, self.wiring, self._declared, step)
        except FlowDefinitionError as error:
            if not self._place or self._place in str(error):
                raise
            raise FlowDefinitionError(f"{error} ({self._place})", **error.facts) from None
        made.flow = self  # type: ignore[attr-defined]  # for people: `step.script_class.flow.describe()`
        return made

    def __repr__(self) -> str:
        return f"<Flow {self.name!r}: {', '.join(one.name for one in self.processors)}>"


def _place_of_caller() -> str:
    """Say in which file and line a flow is made."""
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def chart_of(name: str, wiring: Wiring) -> Chart:
    """Give a flow as a graph: a round box for each input, a box for each processor and each result.

    Parameters
    ----------
    name : str
        Of the flow.
    wiring : Wiring
        The flow.
    """
    # A stream may be called like a processor: then a blank behind its name tells them apart.
    names = {one.name for one in wiring.processors}
    boxes, lines = [], []
    for stream in wiring.inputs:
        mark = _free(stream, names)
        boxes.append(Box(mark, "input", is_round=True))
        lines += [Line(mark, reader) for reader in wiring.readers[stream]]
    boxes += [Box(one.name, "waits for all its inputs" if one.wait else "") for one in wiring.processors]
    lines += [Line(source, target, stream) for source, target, stream in wiring.edges()]
    for stream in wiring.results:
        mark = _free(stream, names)
        boxes.append(Box(mark, "result", is_round=True))
        lines.append(Line(wiring.producers[stream], mark))
    return Chart(name, boxes, lines)


def _free(stream: str, names: set[str]) -> str:
    while stream in names:
        stream = f"{stream} "
    names.add(stream)
    return stream


def _listing(name: str, wiring: Wiring) -> str:
    """Tell a flow in a few lines, for people."""
    rows = [("inputs", ", ".join(wiring.inputs))] if wiring.inputs else []
    for one in wiring.processors:
        facts = [
            f"{', '.join(one.inputs)}{' ' if one.inputs else ''}-> {', '.join(one.outputs)}".rstrip(" ->")
        ]
        facts += ["waits for all its inputs"] if one.wait else []
        facts += [f"leads by {one.max_lead} at most"] if one.max_lead is not None else []
        facts += [f"retries {one.retries}"] if one.retries else []
        rows.append((one.name, "; ".join(fact for fact in facts if fact)))
    rows += [("results", ", ".join(wiring.results))] if wiring.results else []
    width = max(len(one_line(label)) for label, _ in rows)
    count = len(wiring.processors)
    head = f"{one_line(name)}: {count} processor{'s' if count != 1 else ''}"
    return "\n".join(
        [head, *(f"  {one_line(label):{width}}  {one_line(said)}".rstrip() for label, said in rows)]
    )
