"""Attributes of a workflow class: seeds, which are given, and steps, which are functions applied to other attributes.

Knows names, functions and arguments; must not know where anything is stored. `sinagot.workflow.workflow` collects them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, Protocol, TypeVar, cast, overload

from sinagot.errors import WorkflowError
from sinagot.workflow.sourcetexts import SourceText, source_text_of

if TYPE_CHECKING:
    from sinagot.config.settings import StepSettings

__all__ = [
    "AsyncStepFunction",
    "Call",
    "Node",
    "ScriptCall",
    "Seed",
    "StepDecorator",
    "StepFunction",
    "name_of",
    "script",
    "seed",
    "step",
]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_R_co = TypeVar("_R_co", covariant=True)

#: Parameter of a step function that gets the id.
ID_PARAMETER = "workflow_id"


class Node:
    """One attribute of a workflow class; on an instance it gives the data."""

    #: Set by the class that it stands in.
    name: str = ""

    def __set_name__(self, owner: type, name: str) -> None:
        # A second name is told by the class: what is raised here, Python 3.11 wraps in a RuntimeError.
        self.name = self.name or name

    def __get__(self, workflow: Any, owner: type | None = None) -> Any:
        if workflow is None:
            return self
        return workflow.workspace.value_of(workflow, self.name)

    def __set__(self, workflow: Any, value: Any) -> None:
        raise AttributeError(
            f"{workflow!r}.{self.name} cannot be set: the data of a workflow are read or computed; "
            "to change a seed, write its file"
        )

    def iter_parts(self) -> Iterator[Node]:
        """Give the nodes that this one is made from."""
        return iter(())

    def step(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse to be a function: in the body of a class an attribute may hide the one that it was made from."""
        what = f"{name_of(self.function)}.step(...) made" if isinstance(self, Call) else "was declared"
        raise WorkflowError(
            f"{self!r} has no step: the name stands for the attribute that {what} further up in the class, not for a "
            "function; give the attribute another name than the function",
            attribute=self.name or None,
        )

    @property
    def kind(self) -> str:
        """One word for people."""
        return type(self).__name__.lower()

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name or '(no name)'}>"


class Seed(Node):
    """Input data: read from where the workspace stores it."""


class StepOptions(NamedTuple):
    """What ``@sg.step(...)`` says of a function."""

    version: str | None = None
    settings: StepSettings | None = None
    #: Installed packages whose versions count.
    packages: tuple[str, ...] = ()


class Call(Node):
    """A step: a function applied to nodes and values."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        options: StepOptions,
    ) -> None:
        self.function = function
        self.args = args
        self.kwargs = dict(kwargs)
        self.options = options
        #: Arguments by the name of their parameter; those of ``*args`` are a tuple, those of ``**kwargs`` a dict.
        self.arguments = dict(_bind(function, args, self.kwargs))
        #: The function asks for the id, and nothing else gives it.
        self.takes_id = ID_PARAMETER in _parameters(function) and ID_PARAMETER not in self.arguments

    kind = "step"

    def iter_parts(self) -> Iterator[Node]:
        """Give the nodes among the arguments, each as often as it stands there."""
        yield from iter_nodes((*self.args, *self.kwargs.values()))


class ScriptCall(Node):
    """A script of the TOML workspace: its output, as it lies there."""

    kind = "script"

    def __init__(self, label: str, task: str | None, modality: str | None) -> None:
        self.label = label
        self.task = task
        self.modality = modality


def iter_nodes(value: Any) -> Iterator[Node]:
    """Give the nodes in a value, also those in lists, tuples and dicts.

    Examples
    --------
    >>> one = Seed()
    >>> list(iter_nodes([1, {"a": one}])) == [one]
    True
    """
    if isinstance(value, Node):
        yield value
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from iter_nodes(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from iter_nodes(one)


def fill(value: Any, get: Callable[[Node], Any], keep: Callable[[Any], Any] | None = None) -> Any:
    """Put something in the place of each node in a value; lists, tuples and dicts without nodes stay what they are.

    Parameters
    ----------
    value : Any
        Maybe with nodes.
    get : callable
        Gives what stands in the place of a node.
    keep : callable, optional
        Gives what stands in the place of a part without nodes.

    Examples
    --------
    >>> one = Seed()
    >>> fill([1, {"a": one}], lambda node: "data")
    [1, {'a': 'data'}]
    """
    if isinstance(value, Node):
        return get(value)
    if next(iter_nodes(value), None) is None:
        return value if keep is None else keep(value)
    if isinstance(value, dict):
        return {key: fill(one, get, keep) for key, one in value.items()}
    filled = [fill(one, get, keep) for one in value]
    return tuple(filled) if isinstance(value, tuple) else filled


class StepFunction(Protocol[_P, _R_co]):
    """A function that `step` has decorated: callable as before, with a way to make nodes."""

    __name__: str

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co:
        """Call the function."""
        ...  # pragma: no cover

    @property
    def step(self) -> Callable[..., _R_co]:
        """Makes a node: the function applied to attributes of a workflow class, and to values."""
        ...  # pragma: no cover


class AsyncStepFunction(Protocol[_P, _R_co]):
    """A coroutine function that `step` has decorated: its node gives what is awaited."""

    __name__: str

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> Coroutine[Any, Any, _R_co]:
        """Call the function."""
        ...  # pragma: no cover

    @property
    def step(self) -> Callable[..., _R_co]:
        """Makes a node, as that of any step function."""
        ...  # pragma: no cover


class StepDecorator(Protocol):
    """What `step` gives when it is called with settings."""

    @overload
    def __call__(self, function: Callable[_P, Coroutine[Any, Any, _R]], /) -> AsyncStepFunction[_P, _R]: ...
    @overload
    def __call__(self, function: Callable[_P, _R], /) -> StepFunction[_P, _R]: ...


@overload
def step(function: Callable[_P, Coroutine[Any, Any, _R]], /) -> AsyncStepFunction[_P, _R]: ...


@overload
def step(function: Callable[_P, _R], /) -> StepFunction[_P, _R]: ...


@overload
def step(
    *, version: str | int | None = None, packages: Sequence[str] = (), **settings: Any
) -> StepDecorator: ...


def step(
    function: Any = None,
    /,
    *,
    version: str | int | None = None,
    packages: Sequence[str] = (),
    **settings: Any,
) -> Any:
    """Make a function one that workflow classes can apply to their attributes.

    Parameters
    ----------
    function : callable
        The function. It stays callable as before; ``function.step(...)`` makes a node. A coroutine function is run to
        its end. A parameter `workflow_id` gets the id of the workflow.
    version : str or int, optional
        What counts instead of the source of the function: results are made again when it changes, and only then.
    packages : sequence of str
        Installed packages whose versions count, as they are imported: ``["numpy"]``. Of others they are only noted.
    **settings
        As those of a script: `retries`, `retry_wait`, `retry_on`, `timeout`, `memory`, `threads`, `isolate`,
        `keep_failed`, `nonempty`, `provenance`.

    Returns
    -------
    callable
        The same function.

    Raises
    ------
    WorkflowError
        It is no function, or a setting is not known.

    Examples
    --------
    >>> @step
    ... def double(number: int) -> int:
    ...     return 2 * number
    >>> double(4), double.step(4)
    (8, <step (no name)>)
    """
    if function is None:
        options = StepOptions(
            None if version is None else str(version), _read_settings(settings), _read_packages(packages)
        )
        return lambda one: _decorated(one, options)
    return _decorated(function, StepOptions())


def _decorated(function: Any, options: StepOptions) -> Any:
    if not callable(function) or isinstance(function, type):
        raise WorkflowError(f"@step is for functions, found {function!r}")

    def make(*args: Any, **kwargs: Any) -> Any:
        try:
            _bind(function, args, kwargs)
        except TypeError as error:
            raise WorkflowError(
                f"{name_of(function)}.step(...): {error}", attribute=name_of(function)
            ) from None
        return Call(function, args, kwargs, options)

    try:
        function.step = make
        function.step_text = source_text_of(function)
    except AttributeError:
        raise WorkflowError(
            f"@step: nothing can be written on {function!r}; wrap it: def own(x): return {name_of(function)}(x)"
        ) from None
    return function


def text_kept(function: Any) -> SourceText | None:
    """Give the text of the file that a function stands in, as it was when it was decorated."""
    return cast("SourceText | None", getattr(function, "step_text", None))


def name_of(function: Any) -> str:
    """Give the name of a function; of a partial one that of the whole, of an object that is called that of its class.

    Examples
    --------
    >>> from functools import partial
    >>> name_of(len), name_of(partial(partial(len)))
    ('len', 'len')
    """
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def _read_settings(settings: Mapping[str, Any]) -> StepSettings | None:
    if not settings:
        return None
    from sinagot.config.hints import did_you_mean
    from sinagot.config.quantities import step_settings
    from sinagot.config.settings import StepSettings

    known = [name for name in StepSettings._fields if name not in ("rerun", "check")]
    for name in settings:
        if name not in known:
            hint = did_you_mean(name, ["version", "packages", *known])
            there = ", ".join(["version", "packages", *known])
            raise WorkflowError(
                f"@step has no setting {name!r}; there are {there}{'; ' + hint if hint else ''}",
                attribute=name,
            )
    try:
        return step_settings(settings)
    except ValueError as error:
        key = str(error.args[-1])
        raise WorkflowError(
            f"@step: {key} must be {error.args[0]}; found {settings[key]!r}", attribute=key
        ) from error


def _read_packages(packages: Sequence[str]) -> tuple[str, ...]:
    from sinagot.scripts.packages import package_version

    if isinstance(packages, str):
        raise WorkflowError(
            f"@step: packages is a list of names: packages=[{packages!r}]", attribute="packages"
        )
    for name in packages:
        if package_version(name) is None:
            raise WorkflowError(
                f"@step: packages: {name!r} is no installed package that says its version; write the name that is "
                "imported",
                attribute="packages",
            )
    return tuple(packages)


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters


def _bind(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Match arguments with parameters; the id need not be given."""
    signature = inspect.signature(function)
    own = signature.parameters.get(ID_PARAMETER)
    if own is not None and own.default is own.empty:
        changed = [
            one.replace(default=None) if one.name == ID_PARAMETER and one.kind == one.KEYWORD_ONLY else one
            for one in signature.parameters.values()
            if one.name != ID_PARAMETER or one.name in kwargs or one.kind == one.KEYWORD_ONLY
        ]
        signature = signature.replace(parameters=changed)
    return signature.bind(*args, **kwargs).arguments


def seed() -> Any:
    """Declare input data: an attribute that is read from where the workspace stores it.

    Returns
    -------
    Any
        To be assigned to an attribute of a `Workflow` class, whose annotation tells the type of the data.

    Examples
    --------
    >>> import sinagot as sg
    >>> class Boats(sg.Workflow):
    ...     count: int = sg.seed()
    """
    return Seed()


def script(label: str, task: str | None = None, modality: str | None = None) -> Any:
    """Declare the output of a script of the TOML workspace in the same folder.

    Parameters
    ----------
    label : str
        Name of the script.
    task, modality : str, optional
        Where it stands; not needed in a workspace without tasks.

    Returns
    -------
    Any
        To be assigned to an attribute of a `Workflow` class. Without an annotation, or with `Path`, the data are the
        path of the script's output (a dict of paths where it has several); else what the annotation says is read
        from there. The script runs when its output is not there.

    Examples
    --------
    >>> import sinagot as sg
    >>> class Boats(sg.Workflow):
    ...     lines: str = sg.script("count")
    """
    return ScriptCall(label, task, modality)
