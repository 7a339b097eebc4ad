"""Who starts flows: with an executor for their processors and a place for their streams.

Knows how a run is put together; must not know what goes on in it. One supervisor is attached to the process, so that
code which starts flows need not be handed one.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from sinagot.errors import FlowDefinitionError, FlowError
from sinagot.flow.executors import Executor, LocalExecutor
from sinagot.flow.flow import Flow
from sinagot.flow.flow_run import FlowRun
from sinagot.flow.leading import Leading
from sinagot.flow.sources import Inputs
from sinagot.flow.starting import begin, new_run_id
from sinagot.flow.wiring import Wiring

__all__ = ["Supervisor"]


class _Instance:
    """The attached supervisor, as an attribute of the class."""

    def __get__(self, owner: Any, kind: type[Supervisor]) -> Supervisor:
        if kind._attached is None:
            raise FlowError(
                "no supervisor is attached; call Supervisor.attach(executor=LocalExecutor()) before"
            )
        return kind._attached


class Supervisor:
    """Start flows.

    Parameters
    ----------
    executor : Executor, optional
        Where processors run; by default `LocalExecutor`.
    redis_config : mapping, optional
        Keep streams in a Redis server, 7.0 or newer, instead of in files: ``{"url": "redis://localhost:6379/0"}``. The
        other options are `username`, `password`, `prefix`, `expire`, `timeout`, `lost_after` and `trim`; see
        `sinagot.flow.redis.config.RedisConfig`. It needs the extra ``redis``.
    folder : str or Path, optional
        Where the private folders of runs are made; by default the one for temporary files. What killed processes of
        this user and host left there, the next run deletes.
    keep_streams : bool, default False
        The streams stay when a run is over: their files, or their keys in Redis until these expire.
    pickle : bool or collection of str, default False
        Pickle values that have no other form: in all streams, or in those named.
    spool_limit : int, optional
        Most bytes of one stream; what would go beyond ends its processor.

    Raises
    ------
    FlowDefinitionError
        When one of them can't be used.
    MissingExtraError
        With `redis_config`, when the package redis is not installed.
    """

    _attached: ClassVar[Supervisor | None] = None

    #: The supervisor that was attached; `Supervisor.instance()` is the same.
    instance: ClassVar[Any] = _Instance()

    def __init__(
        self,
        executor: Executor | None = None,
        redis_config: Mapping[str, Any] | None = None,
        *,
        folder: str | Path | None = None,
        keep_streams: bool = False,
        pickle: bool | Collection[str] = False,
        spool_limit: int | None = None,
    ) -> None:
        executor = LocalExecutor() if executor is None else executor
        if isinstance(executor, type) or not isinstance(executor, Executor):
            raise FlowDefinitionError(f"executor = {executor!r} is no executor; give LocalExecutor()")
        self._redis = None if redis_config is None else _redis_config(redis_config)
        self.executor = executor
        self._folder = folder
        self._options: dict[str, Any] = {"keep": keep_streams, "pickle": pickle, "spool_limit": spool_limit}
        self._leadings: weakref.WeakSet[Leading] = weakref.WeakSet()

    @classmethod
    def attach(
        cls, executor: Executor | None = None, redis_config: Mapping[str, Any] | None = None, **options: Any
    ) -> Self:
        """Make a supervisor, and attach it to the process in place of the one before.

        Parameters
        ----------
        executor : Executor, optional
            Where processors run; by default `LocalExecutor`.
        redis_config : mapping, optional
            Where streams are kept instead of in files.
        **options
            As for the class.

        Returns
        -------
        Supervisor
            The one that `Supervisor.instance` gives from now on. Runs of the one before go on.
        """
        found = cls(executor, redis_config, **options)
        Supervisor._attached = found
        return found

    def __call__(self) -> Self:
        """Give the supervisor itself, so that ``Supervisor.instance()`` is the same as ``Supervisor.instance``."""
        return self

    async def start_flow(self, flow: Flow, inputs: Inputs = None, all_outputs: bool = False) -> FlowRun:
        """Start a flow, and return at once.

        Parameters
        ----------
        flow : Flow
            What is run, as often as wanted, also at once.
        inputs : mapping, iterable of IOVal, or async iterable of IOVal, optional
            Values for each input of the flow; several of one name are a stream of them. A value that is an iterator,
            async or not, is the stream.
        all_outputs : bool, default False
            The run offers the streams that its processors read as well.

        Returns
        -------
        FlowRun
            The run, with its outputs by name.

        Raises
        ------
        FlowDefinitionError
            When the processors do not fit together, or an input is unknown or missing. Nothing was begun.
        StorageError
            When there is no place for the streams: the folder can't be written, or the Redis server can't be reached.
        """
        if not isinstance(flow, Flow):
            raise FlowDefinitionError(f"start_flow takes a Flow, not {flow!r}")
        wiring = flow.wiring
        folder = tempfile.gettempdir() if self._folder is None else str(self._folder)
        if self._redis is None:
            leading = begin(wiring, inputs, self.executor, folder, self._options)
        else:
            leading = await self._begin_in_redis(self._redis, wiring, inputs)
        names = wiring.outputs if all_outputs else wiring.results
        self._leadings.add(leading)
        return FlowRun(leading, names)

    async def _begin_in_redis(self, config: Any, wiring: Wiring, inputs: Inputs) -> Leading:
        """Begin a run whose streams are in a server, which must answer before anything else is done."""
        from sinagot.flow.redis.store import RedisStore

        options = {key: self._options[key] for key in ("keep", "pickle", "spool_limit")}
        store = await RedisStore(config, new_run_id(), **options).__aenter__()
        try:
            return begin(wiring, inputs, self.executor, "", {}, store=store)
        except BaseException:
            await store.remove()
            raise

    async def shutdown(self) -> None:
        """Cancel all runs that this supervisor started in this loop, and delete their streams."""
        from anyio.lowlevel import current_token

        here = current_token()
        found = [one for one in self._leadings if one.home == here]
        for one in found:
            one.cancel()
        for one in found:
            await one.close()
        if Supervisor._attached is self:
            Supervisor._attached = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from anyio import CancelScope

        with CancelScope(shield=True):
            await self.shutdown()

    def __repr__(self) -> str:
        return f"<Supervisor: {self.executor!r}>"


def _redis_config(given: Any) -> Any:
    """Check what is said of a server, and that the package is there."""
    from sinagot.flow.redis.config import RedisConfig
    from sinagot.flow.redis.line import check_installed

    config = RedisConfig.of(given)
    check_installed()
    return config
