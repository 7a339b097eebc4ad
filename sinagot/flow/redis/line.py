"""The line to a Redis server: one thread with one connection, which sends what is asked in the order of asking.

Knows requests, batches, breaks and the redis package, which is imported here only; must not know streams.
`docs/decisions/0024-streams-in-redis.md` says why there is a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from sinagot.errors import MissingExtraError, StorageError
from sinagot.flow.loops import soon_caller
from sinagot.flow.redis.config import RedisConfig
from sinagot.flow.redis.scripts import Script

__all__ = ["RedisLine", "Reply", "check_installed"]

#: Seconds between two signs of life.
_BEAT = 1.0
#: Requests and bytes that are sent at once.
_MOST_REQUESTS, _MOST_BYTES = 128, 1024 * 1024
#: Seconds between two attempts to connect again.
_FIRST_DELAY, _LAST_DELAY = 0.01, 0.5
#: The first version with `flags` of scripts.
_OLDEST = (7, 0)


def check_installed() -> None:
    """Refuse to go on without the package.

    Raises
    ------
    MissingExtraError
        When it is not installed.
    """
    try:
        import redis  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "redis_config needs the package redis, which is not installed here; install it with: "
            "pip install redis (the extra 'redis' of sinagot)",
            package="redis",
            extra="redis",
        ) from error


class Reply:
    """What is asked of the server, and what it answered.

    Parameters
    ----------
    script : Script
        What is to be run.
    keys, arguments : sequence
        Its keys and arguments.
    then : callable, optional
        Called with this in the loop when it is answered, whether anybody still waits or not.
    """

    __slots__ = ("answer", "command", "error", "event", "script", "size", "soon", "then")

    def __init__(
        self,
        script: Script,
        keys: Sequence[Any],
        arguments: Sequence[Any],
        then: Callable[[Reply], None] | None,
    ) -> None:
        self.script = script
        self.command = ("EVALSHA", script.sha, len(keys), *keys, *arguments)
        self.size = sum(len(one) for one in arguments if isinstance(one, bytes))
        self.then = then
        #: Calls in the loop where it is waited for.
        self.soon: Callable[[Callable[[], Any]], None] | None = None
        #: Set when it is answered.
        self.event: Any = None
        self.answer: list[Any] = []
        self.error: Exception | None = None

    def deliver(self) -> None:
        """Let all go on that wait; called in the loop."""
        try:
            if self.then is not None:
                self.then(self)
        finally:
            if self.event is not None:
                self.event.set()

    async def wait(self) -> list[Any]:
        """Wait for the answer.

        Raises
        ------
        StorageError
            When the server can't be reached, or refuses.
        """
        await self.event.wait()
        if self.error is not None:
            raise self.error
        return self.answer


class RedisLine:
    """Ask a server.

    Parameters
    ----------
    config : RedisConfig
        Where it is.
    pulse : callable
        Gives what is to be asked every second, once the line is used; called in the thread.

    Notes
    -----
    Requests are answered in the order in which they were made, those at hand in one exchange. A connection that breaks
    is made anew, in growing intervals, and all that was not answered is asked again: the scripts take care that nothing
    is done twice. When that takes longer than `timeout`, the line is broken for good.
    """

    def __init__(self, config: RedisConfig, pulse: Callable[[], Reply | None]) -> None:
        self.config = config
        #: Why it is broken.
        self.problem = ""
        self._pulse = pulse
        self._queue: SimpleQueue[Reply | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: Any = None
        self._soon: Callable[[Callable[[], Any]], None] | None = None
        self._closing = threading.Event()
        self._beat_at = 0.0
        # The types of the package are loose: what comes from it is checked where it is used.
        self._client: Any = None
        self._is_known = False

    # -- in the loop -----------------------------------------------------------------------------------------------

    @property
    def is_used(self) -> bool:
        """It was begun, and is neither broken nor closed."""
        return self._thread is not None and not self.problem and not self._closing.is_set()

    def put(
        self,
        script: Script,
        keys: Sequence[Any],
        arguments: Sequence[Any],
        then: Callable[[Reply], None] | None = None,
        event: Any = None,
    ) -> Reply:
        """Ask, and go on; `ask` must have been called before.

        Parameters
        ----------
        script : Script
            What is to be run.
        keys, arguments : sequence
            Its keys and arguments.
        then : callable, optional
            Called in the loop with the reply.
        event : Event, optional
            Set then.

        Returns
        -------
        Reply
            What can be waited for.

        Raises
        ------
        StorageError
            When the line is broken or closed.
        """
        if self.problem or self._closing.is_set():
            raise self._error(self.problem or "the streams were removed")
        reply = Reply(script, keys, arguments, then)
        reply.soon, reply.event = self._soon, event
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="sinagot-redis", daemon=True)
            self._beat_at = monotonic() + _BEAT
            self._thread.start()
        self._queue.put(reply)
        return reply

    async def ask(
        self,
        script: Script,
        keys: Sequence[Any],
        arguments: Sequence[Any],
        then: Callable[[Reply], None] | None = None,
    ) -> list[Any]:
        """Ask, and wait for the answer; see `put`. Who is cancelled meanwhile has asked all the same."""
        from anyio import Event
        from anyio.lowlevel import current_token

        if (loop := current_token()) != self._loop:
            self._loop, self._soon = loop, soon_caller()
        return await self.put(script, keys, arguments, then, Event()).wait()

    def hang_up(self) -> None:
        """End the thread when it has done what was asked; it may be called anywhere."""
        self._closing.set()
        self._queue.put(None)

    async def close(self) -> None:
        """Hang up, and wait until the thread has ended."""
        from anyio import CancelScope, CapacityLimiter, to_thread

        self.hang_up()
        thread, self._thread = self._thread, None
        if thread is not None:
            with CancelScope(shield=True):
                # Threads of the caller may wait for values: none of theirs is taken.
                await to_thread.run_sync(thread.join, limiter=CapacityLimiter(1))

    # -- in the thread ---------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while (batch := self._next()) is not None:
                self._serve(batch)
        finally:
            if self._client is not None:
                self._client.close()
            self._give_up(self._left(), self.problem or "the streams were removed")

    def _next(self) -> list[Reply] | None:
        """Wait for requests; None when there will be none."""
        batch: list[Reply] = []
        while not batch:
            try:
                first = self._queue.get(timeout=max(0.0, self._beat_at - monotonic()))
                if first is None:
                    return None
                batch = [first]
            except Empty:
                pass
            if monotonic() >= self._beat_at:
                self._beat_at = monotonic() + _BEAT
                beat = self._pulse()
                if beat is not None:
                    beat.soon = self._soon
                    batch.insert(0, beat)
        size = sum(one.size for one in batch)
        while len(batch) < _MOST_REQUESTS and size < _MOST_BYTES:
            try:
                one = self._queue.get_nowait()
            except Empty:
                break
            if one is None:
                self._queue.put(None)
                break
            batch.append(one)
            size += one.size
        return batch

    def _left(self) -> list[Reply]:
        left: list[Reply] = []
        while True:
            try:
                one = self._queue.get_nowait()
            except Empty:
                return left
            if one is not None:
                left.append(one)

    def _serve(self, batch: list[Reply]) -> None:
        """Exchange requests for answers, over a new connection when the first one breaks."""
        from redis import exceptions

        if self.problem:
            self._give_up(batch, self.problem)
            return
        until, delay = monotonic() + self.config.timeout, _FIRST_DELAY
        while True:
            try:
                self._exchange(batch)
                break
            except (exceptions.AuthenticationError, exceptions.AuthorizationError) as error:
                self.problem = (
                    f"it refused the login ({self._told(error)}); correct username, password in redis_config"
                )
            except exceptions.ResponseError as error:  # of what is asked when a connection is made
                self.problem = f"it refused ({self._told(error)})"
            except _TooOldError as error:
                self.problem = str(error)
            except (exceptions.RedisError, OSError) as error:
                self._client.connection_pool.disconnect()
                is_loading = isinstance(error, exceptions.BusyLoadingError)
                if monotonic() >= until or not (self._is_known or is_loading):
                    self.problem = self._unreachable(error)
                elif self._closing.wait(delay):
                    self.problem = "the streams were removed"
                delay = min(2 * delay, _LAST_DELAY)
            if self.problem:
                self._give_up(batch, self.problem)
                return
        self._deliver(batch)

    def _exchange(self, batch: list[Reply]) -> None:
        """Send requests, and note the answers; raises when they are not all there."""
        from redis import exceptions

        if not self._is_known:
            self._connect()
        while True:
            pipe = self._client.pipeline(transaction=False)
            for one in batch:
                pipe.execute_command(*one.command)
            answers = pipe.execute(raise_on_error=False)
            if not any(isinstance(answer, exceptions.NoScriptError) for answer in answers):
                break
            for text in {one.script.text for one in batch}:
                self._client.script_load(text)
        for one, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Exception):
                one.error = self._error(self._refused(answer))
            else:
                one.answer = answer

    def _connect(self) -> None:
        from redis import Redis, exceptions
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        if self._client is None:
            config = self.config
            self._client = Redis.from_url(
                config.url,
                protocol=2,
                username=config.username,
                password=config.password,
                socket_timeout=config.timeout,
                socket_connect_timeout=config.timeout,
                retry=Retry(NoBackoff(), 0),
            )
        try:
            version = str(self._client.info("server").get("redis_version", ""))
        except exceptions.NoPermissionError:
            version = ""
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
        if len(numbers) == 2 and numbers < _OLDEST:
            raise _TooOldError(f"it is version {version}, and streams need Redis 7.0 or newer")
        self._is_known = True

    # -- what is told ----------------------------------------------------------------------------------------------

    def _give_up(self, batch: list[Reply], problem: str) -> None:
        for one in batch:
            one.error = self._error(problem)
        self._deliver(batch)

    @staticmethod
    def _deliver(batch: list[Reply]) -> None:
        """Hand out answers: in one go where one loop waits for all of them."""
        while batch:
            soon = batch[0].soon
            here = [one for one in batch if one.soon is soon]
            batch = [one for one in batch if one.soon is not soon]
            if soon is not None:
                soon(partial(_deliver_all, here))

    def _error(self, problem: str) -> StorageError:
        return StorageError(f"Redis at {self.config.address}: {problem}", path=self.config.address)

    def _told(self, error: Exception) -> str:
        return self.config.redacted(str(error) or type(error).__name__).rstrip(".")

    def _unreachable(self, error: Exception) -> str:
        told = self._told(error)
        if not self._is_known:
            return (
                f"it can't be reached ({told}); start the server, or correct url in redis_config (without redis_config "
                "streams are kept in files)"
            )
        return f"it did not answer for {self.config.timeout:g} s ({told}); is the server still running?"

    def _refused(self, error: Exception) -> str:
        from redis import exceptions

        told = self._told(error)
        if isinstance(error, exceptions.OutOfMemoryError):
            return (
                f"it has no memory left ({told}); give the server more (maxmemory), let processors lead by less "
                "(max_lead) and keep fewer values (trim), or keep streams in files (without redis_config)"
            )
        if isinstance(error, exceptions.ReadOnlyError):
            return f"it is a read-only replica ({told}); name the server that can be written in redis_config"
        if isinstance(error, exceptions.NoPermissionError):
            return f"this user may not do it ({told}); allow it, or log in with another user in redis_config"
        return f"it refused ({told})"


class _TooOldError(Exception):
    """The server is older than what is asked of it."""


def _deliver_all(batch: list[Reply]) -> None:
    for one in batch:
        one.deliver()
