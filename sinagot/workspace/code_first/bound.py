"""What a workspace class that is bound to a workflow class has besides: its ids are workflows, its attributes storages.

Knows recipes and how a folder is opened; must not execute anything. `sinagot.Workspace[W]` puts it in front of
`Workspace`: one class, two doors.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from sinagot.config.plain import folder_configuration, with_environment
from sinagot.dataset.scan import Listing, find_ids, tells_id
from sinagot.engine.memory import Memory
from sinagot.errors import ConfigurationError, UnknownWorkflowError, WorkflowError
from sinagot.workflow.collecting import Collected
from sinagot.workflow.drawing import draw
from sinagot.workflow.parts import Part
from sinagot.workflow.recipe import Recipe
from sinagot.workflow.storage import LocalStorage
from sinagot.workflow.workflow import Workflow
from sinagot.workspace.code_first.node_blueprint import RERUN, NodeBlueprint
from sinagot.workspace.code_first.values import Values

if TYPE_CHECKING:
    from distributed import Client

    from sinagot.engine.accounts.report import RunReport
    from sinagot.engine.run import Progress

__all__ = ["CodeFirst", "bind"]

W = TypeVar("W")

#: Where the members of workspaces are from: those of `Mapping` are among them.
_MODULES = ("sinagot", "collections", "typing")
#: Attributes that instances alone have.
_IN_INSTANCES = ("client", "problems", "root_path", "workflow_class")


class CodeFirst(Generic[W]):
    """A workspace of workflows; made by ``sinagot.Workspace[W]``.

    Parameters
    ----------
    *root_path_segments : str or Path
        The folder that storages start from. It need not have a ``workspace.toml``; where it has one, that holds too.
    stale : {"recompute", "warn", "ignore"}, optional
        What is done with stored results that would be made otherwise now; as the class says when not given.
    client : distributed.Client, optional
        Jobs run through it; it stays open.

    Attributes
    ----------
    workflow_class : type
        The workflow class.
    WORKFLOW_ID_PATTERN : str or None
        Regular expression of a whole id; that of the configuration, else any name, when None.
    stale : str
        What is done with stale results.

    Raises
    ------
    ConfigurationError
        There is no such folder, or its configuration is broken.
    """

    workflow_class: ClassVar[type[Any]]
    WORKFLOW_ID_PATTERN: ClassVar[str | None] = None
    stale: str = "recompute"
    _recipe: ClassVar[Recipe]
    _storages: ClassVar[dict[str, LocalStorage]] = {}
    _collections: ClassVar[dict[str, Collected]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not hasattr(cls, "workflow_class"):
            return
        collections = {name: value for name, value in vars(cls).items() if isinstance(value, Collected)}
        for name in collections:
            _check_free(cls, name)
        own = {name: value for name, value in vars(cls).items() if isinstance(value, LocalStorage)}
        cls._storages = {**cls._storages, **own}
        for name in own:
            if any(
                hasattr(parent, name) and not isinstance(getattr(parent, name), LocalStorage)
                for parent in cls.__mro__[1:]
            ):
                delattr(
                    cls, name
                )  # a node may be called as a member of workspaces is: `ws.<name>` stays the member
        cls._collections = {**cls._collections, **collections}
        is_bare = bool(vars(cls).get("_is_bare"))
        cls._recipe = Recipe(
            cls.workflow_class,
            cls._storages,
            title=cls.__name__,
            home=(cls.__module__, cls.__qualname__),
            is_checked=not is_bare,
            collections=cls._collections,
        )

    @classmethod
    def script_class(cls, name: str) -> type:
        """Give the script of a node, for an attempt in another process."""
        return cls._recipe.script_class(name)

    @classmethod
    def part(cls, name: str) -> Part:
        """Give a node of the recipe, for another process."""
        return cls._recipe.part(name)

    def __init__(
        self,
        *root_path_segments: str | os.PathLike[str],
        stale: str | None = None,
        client: Client | None = None,
    ) -> None:
        if not root_path_segments:
            raise ConfigurationError.at(
                f"{type(self).__name__} needs the folder of its data: {type(self).__name__}('/path/to/data')"
            )
        #: The folder that storages start from.
        self.root_path = Path(*root_path_segments).expanduser()
        if stale is not None:
            self.stale = stale
        if self.stale not in RERUN:
            raise ConfigurationError.at(
                f"{self.stale!r} is not known; allowed are {', '.join(RERUN)}", key="stale", found=self.stale
            )
        root = Path(os.path.abspath(self.root_path))
        configuration = with_environment(folder_configuration(root))
        blueprint = NodeBlueprint(
            configuration, self._recipe, str(root), self.WORKFLOW_ID_PATTERN, self.stale
        )
        blueprint.patterns  # noqa: B018  (what is wrong with them is told now)
        self._nodes = blueprint
        self._open(configuration, blueprint, client)  # type: ignore[attr-defined]
        self._values = Values(self, blueprint, self.stale)  # type: ignore[arg-type]  # it is one, as a whole
        self._end_values()

    def _end_values(self) -> None:
        import weakref

        self._values_end = weakref.finalize(self, self._values.latest.close)

    # -- workflows

    def workflow(self, workflow_id: str) -> W:
        """Make the workflow of an id, whether or not its input data are there.

        Parameters
        ----------
        workflow_id : str
            The id.

        Raises
        ------
        InvalidIdError
            The text is no id.
        """
        self._nodes.ids.check(workflow_id)
        made: W = self.workflow_class(self, workflow_id)
        return made

    def __getitem__(self, workflow_id: str) -> W:
        if workflow_id not in self:
            raise self._unknown(workflow_id)
        return self.workflow(workflow_id)

    def _unknown(self, workflow_id: Any) -> UnknownWorkflowError:
        missing = tuple(self.incomplete().get(workflow_id, ())) if isinstance(workflow_id, str) else ()
        if missing:
            lacks = ", no ".join(missing)
            text = f"{workflow_id!r} has no {lacks}; ws.workflow({workflow_id!r}) makes one all the same"
        else:
            ids = list(self)
            near = difflib.get_close_matches(str(workflow_id), ids, n=3, cutoff=0.5)
            hint = f"did you mean {', '.join(map(repr, near))}?" if near else f"there are {len(ids)}"
            text = f"no workflow {workflow_id!r} in {self.root_path}; {hint}"
        return UnknownWorkflowError(text, workflow_id=workflow_id, missing=missing)

    def get(self, workflow_id: str, default: Any = None) -> Any:
        """Give the workflow of an id that has all its input data, else `default`."""
        return self.workflow(workflow_id) if workflow_id in self else default

    def __contains__(self, workflow_id: object) -> bool:
        return bool(self.records.has(workflow_id))  # type: ignore[attr-defined]

    def __iter__(self) -> Iterator[str]:
        return iter(self.records.ids())  # type: ignore[attr-defined]

    def __len__(self) -> int:
        return len(self.records.ids())  # type: ignore[attr-defined]

    def incomplete(self) -> dict[str, list[str]]:
        """Give the ids that lack some of their input data, and the names of the seeds that are not there.

        An id is found by any seed whose path tells it.

        Returns
        -------
        dict of str to list of str
            Sorted by id.
        """
        rule, root = self._nodes.ids, self._nodes.ids_root
        listing = Listing(root)
        patterns = {name: self._nodes.patterns[name] for name in self._nodes.own_seeds}
        known = {
            name: set(find_ids(listing, [pattern], rule))
            for name, pattern in patterns.items()
            if tells_id(pattern, rule)
        }
        found: dict[str, list[str]] = {}
        for one in sorted(set[str]().union(*known.values())):
            values = rule.values(one)
            lacks = [
                name
                for name, pattern in patterns.items()
                if (
                    one not in known[name]
                    if name in known
                    else not os.path.exists(f"{root}/{pattern.format(values)}")
                )
            ]
            if lacks:
                found[one] = lacks
        return found

    # -- data

    def value_of(self, workflow: Any, name: str) -> Any:
        """Give the data of one node of a workflow; attributes of workflows come here."""
        if workflow._memory is None:
            workflow._memory = Memory()
        return self._values.get(workflow.workflow_id, name, workflow._memory)

    def compute(
        self,
        *names: str,
        ids: Sequence[str] | None = None,
        force: bool = False,
        on_error: str = "collect",
        progress: Callable[[Progress], None] | bool = True,
        **options: Any,
    ) -> RunReport:
        """Compute nodes of many workflows on the engine, and what they are made from, where that is not done.

        Parameters
        ----------
        *names : str
            Names of nodes, and of stored collections; all nodes that are stored when none is given.
        ids : sequence of str, optional
            Some workflows; all that have their input data when not given. A collection is made of all.
        force : bool
            Compute these nodes also where they are up to date.
        on_error : {"collect", "raise"}
            Go on, and tell all failures in the report; or start nothing new after the first one, and raise it.
        progress : bool or callable
            Show how far it is: live in a notebook, else on standard error; a callable gets a `Progress` some times a
            second.
        **options
            As those of `steps.run`: `mode`, `workers`, `client`, `address`, `dry_run`, `wait`, `exclusive`, `printing`.

        Returns
        -------
        RunReport
            Every job with its outcome.

        Raises
        ------
        NotFoundError
            There is no such node, or it is a seed.
        StepFailedError
            A step failed, and `on_error` is ``"raise"``.
        """
        from sinagot.workspace.code_first.computing import compute

        self._values.latest.close()  # what was computed on demand is over: a batch may want the workspace for itself
        return compute(
            self, self._nodes, names, ids=ids, force=force, on_error=on_error, progress=progress, **options
        )

    def remote(self, name: str, **options: Any) -> list[Any]:
        """Compute a node of all workflows on Dask, and give futures of its data.

        Parameters
        ----------
        name : str
            Name of the node.
        **options
            `client`, `address` or `workers`: where it runs; the workspace's client, or a cluster that is started,
            when none is given.

        Returns
        -------
        list of distributed.Future
            One a workflow, in the order of ``list(ws)``, also where the data are stored already.

        Raises
        ------
        NotFoundError
            There is no such node.
        """
        from sinagot.workspace.code_first.futures import remote

        return remote(self, self._nodes, name, **options)

    def collected(self, one: Collected) -> dict[str, Any]:
        """Give the data of one node of all workflows; attributes made by `sinagot.collect` come here."""
        from sinagot.workspace.code_first.computing import collect_values

        return collect_values(self, self._nodes, self._values, one)

    # -- pictures

    def graph(self, kind: str = "mermaid") -> str:
        """Draw the nodes of the workflow class; see `Workflow.graph`."""
        return draw(self.workflow_class, kind)

    def draw_workflow(self, workflow: Any) -> str:
        """Draw one workflow as HTML, with what is stored, stale, missing; notebooks ask for it."""
        from sinagot.workspace.display.cards import workflow_card  # in notebooks only

        return workflow_card(workflow, self._values)

    def _repr_html_(self) -> str:
        from sinagot.workspace.display.cards import flows_card  # in notebooks only

        return flows_card(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root_path)!r})"

    def close(self) -> None:
        """End the worker processes and clusters that this workspace started, and close its files."""
        self._values.latest.close()
        super().close()  # type: ignore[misc]


def _check_free(cls: type, name: str) -> None:
    """Refuse a collection of a name that workspaces need for themselves: it would stand in the place of a member."""
    own = [kind for kind in cls.__mro__[1:] if kind.__module__.partition(".")[0] in _MODULES]
    if name.startswith("_") or name in _IN_INSTANCES or any(hasattr(kind, name) for kind in own):
        raise WorkflowError(
            f"{cls.__name__}.{name}: a collection cannot have this name: {name!r} is an attribute of every "
            f"workspace, or begins with '_'; call it all_{name.strip('_')}",
            attribute=name,
        )


def bind(kind: type, workflow: Any) -> type:
    """Make the class of workspaces that are bound to a workflow class.

    Parameters
    ----------
    kind : type
        `Workspace`, or a class derived from it.
    workflow : type
        A `Workflow` class.

    Raises
    ------
    WorkflowError
        It is none.
    """
    if isinstance(workflow, TypeVar):
        return kind  # a generic class of the user's own
    if not isinstance(workflow, type) or not issubclass(workflow, Workflow):
        raise WorkflowError(
            f"{kind.__name__}[...] is for classes derived from sinagot.Workflow, found {workflow!r}"
        )
    members = {
        "workflow_class": workflow,
        "_is_bare": True,
        "__module__": workflow.__module__,
        "__doc__": f"A workspace of workflows of class {workflow.__name__}.",
        "__eq__": object.__eq__,
        "__hash__": object.__hash__,
    }
    name = f"{kind.__name__}[{workflow.__name__}]"
    return type(name, (CodeFirst, kind, Mapping), members)
