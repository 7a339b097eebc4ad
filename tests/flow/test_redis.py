"""Laws of streams in Redis: those of every store, and what servers that fail and other processes ask for."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import numpy as np
import pytest

from sinagot.errors import (
    FlowDefinitionError,
    FlowError,
    MissingExtraError,
    SpoolLimitError,
    StorageError,
    StoredDataError,
    StreamEndedError,
    UpstreamFailed,
)
from sinagot.flow import IO, Flow, IOVal, LocalExecutor, Processor, Supervisor
from sinagot.flow.ends import Mark
from sinagot.flow.redis.config import RedisConfig
from sinagot.flow.redis.store import RedisStore
from tests.flow.contract import Opener, StoreContract, values_of
from tests.flow.example import EXAMPLE
from tests.services import RedisServer
from tests.threads import since_now

ROOT = Path(__file__).parents[2]
PASSWORD = "s3cret-word"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Give a server of this module's own."""
    with RedisServer(tmp_path_factory.mktemp("redis"), password=PASSWORD) as one:
        yield one


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RedisServer]:
    """Give a server that a test may harm."""
    with RedisServer(tmp_path / "own", password=PASSWORD) as one:
        yield one


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """After each test no thread of ours is left."""
    none_is_left = since_now()
    yield
    none_is_left()


def store_in(server: RedisServer, **options: Any) -> RedisStore:
    """Make a store for a fresh run; options of the server are `config`."""
    config = {**server.config, **options.pop("config", {})}
    return RedisStore(config, f"run-{uuid4().hex}", **options)


async def until_error(store: RedisStore, kind: Any, match: str) -> list[Any]:
    """Give the values of stream x, which ends with an error."""
    found = []
    with pytest.raises(kind, match=match):
        async for _, value in store.read("x"):
            found.append(value)
    return found


class TestRedis(StoreContract):
    """The laws of every store, and those of a server."""

    @pytest.fixture
    def open_store(self, server: RedisServer) -> Opener:
        """Give what makes a store for a fresh run."""
        return lambda **options: store_in(server, **options)

    def test_nothing_is_left_and_kept_streams_expire(self, run: Any, server: RedisServer) -> None:
        """Keys are those of the run, expire by themselves, and are gone at its end unless they are kept."""

        async def main() -> None:
            with server.client() as client:
                async with store_in(server, config={"prefix": "lab", "expire": 50}) as store:
                    await store.append("x", 1)
                    await store.end("y", Mark.complete())
                    assert await store.length("x") == 1
                    keys = {key.decode() for key in client.scan_iter("lab:*")}
                    assert keys == {f"lab:{store.run_id}{rest}" for rest in ("", ":x", ":y")}
                    assert all(0 < client.ttl(key) <= 50 for key in keys)
                assert not list(client.scan_iter("lab:*"))
                async with store_in(server, keep=True) as store:
                    await store.append("x", 1)
                    await store.end("x", Mark.complete())
                async with store.handle().open() as again:
                    assert await values_of(again, "x") == [1]
                client.delete(*client.scan_iter(f"sinagot:{store.run_id}*"))

        run(main)

    def test_a_stream_over_its_limit_is_named(self, run: Any, open_store: Any) -> None:
        """A stream that would grow over `spool_limit` ends as failed; its values before are whole, others go on."""

        async def main() -> None:
            async with open_store(spool_limit=1000) as store:
                with pytest.raises(SpoolLimitError, match="'x'") as caught:
                    for number in range(1000):
                        await store.append("x", f"{number:0100}")
                assert (caught.value.stream, caught.value.limit) == ("x", 1000)
                found = await until_error(store, UpstreamFailed, "spool_limit")
                assert found == [f"{number:0100}" for number in range(8)]
                await store.append("y", 1)

        run(main)

    def test_another_process_reads_and_writes(self, run: Any, open_store: Any) -> None:
        """Who opens the handle sees what is written, writes on behind it, and leaves all there when it goes."""

        async def main() -> None:
            async with open_store(pickle=["x"]) as store:
                await store.append("x", 0)
                handle = pickle.loads(pickle.dumps(store.handle()))
                assert PASSWORD not in repr(handle) and PASSWORD not in repr(RedisConfig.of(handle.config))
                assert await store.length("x") == 1
                async with handle.open(is_alive=lambda name: True) as other:
                    assert await other.state("x") == ("x", 1, None)
                    await other.append("x", ValueError("pickled"))
                    assert await other.end("x", Mark.complete())
                    with pytest.raises(StreamEndedError, match="'x'"):
                        await other.append("x", 2)
                    assert [str(value) for value in await values_of(other, "x")] == ["0", "pickled"]
                assert not await store.end("x", Mark.cancelled())
                with pytest.raises(StreamEndedError):
                    await store.append("x", 3)
                assert len(await values_of(store, "x")) == 2

        run(main)

    def test_who_leaves_has_written_all(self, run: Any, open_store: Any) -> None:
        """What a process wrote before it left the streams to others is there, also without an end mark."""

        async def main() -> None:
            async with open_store() as store:
                for many in (1, 2, 200):
                    async with store.handle().open() as other:
                        for number in range(many):
                            await other.append(f"x{many}", number)
                    assert await store.length(f"x{many}") == many

        run(main)

    def test_of_many_who_end_a_stream_one_is_first(self, run: Any, open_store: Any) -> None:
        """The first mark stands among processes too, also where all write the same."""

        async def main() -> None:
            async with open_store() as store:
                others = [store.handle().open() for _ in range(5)]
                firsts: list[bool] = []

                async def end(other: RedisStore) -> None:
                    firsts.append(await other.end("x", Mark.complete()))

                async with anyio.create_task_group() as tasks:
                    for other in others:
                        tasks.start_soon(end, other)
                assert sorted(firsts) == [False] * 4 + [True]
                for other in others:
                    await other.remove()

        run(main)

    def test_two_producers_do_not_mix(self, run: Any, open_store: Any) -> None:
        """Of two processes that write a stream at the same time one is told, and the values of the other are whole."""

        async def main() -> None:
            async with open_store() as store, store.handle().open() as other:
                await store.append("x", 0)
                assert await store.length("x") == 1
                await other.append("x", 1)
                assert await other.length("x") == 2
                with pytest.raises(FlowError, match="two producers"):
                    while True:
                        await store.append("x", "wrong")
                await other.append("x", 2)
                await other.end("x", Mark.complete())
                assert await values_of(other, "x") == [0, 1, 2]

        run(main)

    def test_wrong_bytes_are_never_a_value(self, run: Any, server: RedisServer, open_store: Any) -> None:
        """What somebody else put there, or a value in another place, is an error with stream and number."""

        async def main() -> None:
            async with open_store() as store:
                for value in ("zero", np.arange(5000.0), "two"):
                    await store.append("x", value)
                await store.end("x", Mark.complete())
                key = f"sinagot:{store.run_id}:x"
                with server.client() as client:
                    entries = client.xrange(key)
                    ((token, first),) = entries[0][1].items()
                    bodies = [next(iter(fields.values())) for _, fields in entries]
                    changed = bytearray(bodies[1])
                    changed[2000] ^= 1
                    for payload in (bytes(changed), bodies[2], b"", first):
                        client.delete(key)
                        client.xadd(key, {token: first}, "0-1")
                        client.xadd(key, {token: payload}, "0-2")
                        assert await until_error(store, StoredDataError, "'x' is damaged at value 1") == [
                            "zero"
                        ]
                    client.delete(key)
                    client.xadd(key, {token: bodies[3], "n": 0}, "1-1")
                    async with store.handle().open() as other:
                        assert await until_error(other, StoredDataError, "end mark") == []

        run(main)

    def test_trimmed_streams_keep_the_last(self, run: Any, open_store: Any) -> None:
        """With `trim` the last values are kept; who comes too late is told, and gets no shorter stream."""

        async def main() -> None:
            async with open_store(config={"trim": 10}) as store:
                for number in range(600):
                    await store.append("x", number)
                await store.end("x", Mark.complete())
                assert await store.length("x") == 600
                assert await values_of(store, "x", 590) == list(range(590, 600))
                assert await until_error(store, StorageError, "value 0 was deleted.*trim=10") == []

        run(main)

    def test_large_values_come_in_bounded_batches(self, run: Any, open_store: Any) -> None:
        """A slow reader of large values holds a few of them, whatever lies ahead."""

        async def main() -> None:
            async with open_store() as store:
                for number in range(64):
                    await store.append("x", np.full(32_000, number))
                await store.end("x", Mark.complete())
                reader = store.read("x")
                for number in range(64):
                    assert (await anext(reader))[1][0] == number
                    assert sum(len(payload) for _, payload in reader._found) < 5e6

        run(main)

    def test_a_killed_writer_is_noticed(self, run: Any, open_store: Any, tmp_path: Path) -> None:
        """When a process is killed, readers elsewhere get its whole values, and then the failure: all the same ones."""
        code = (
            "import anyio, pickle, sys\n"
            "async def main():\n"
            "    store, number = pickle.load(open(sys.argv[1], 'rb')).open(), 0\n"
            "    while True:\n"
            "        await store.append('x', number)\n"
            "        number += 1\n"
            "        if number % 100 == 0:\n"
            "            await anyio.sleep(0.001)\n"
            "anyio.run(main)\n"
        )

        async def main() -> None:
            async with open_store(config={"lost_after": 1}) as store:
                (tmp_path / "handle").write_bytes(pickle.dumps(store.handle()))
                command = [sys.executable, "-c", code, str(tmp_path / "handle")]
                with subprocess.Popen(command, cwd=ROOT) as writer:
                    found = []
                    try:
                        with pytest.raises(UpstreamFailed, match=r"'x'.*gone"):
                            async for _, value in store.read("x"):
                                found.append(value)
                                if value == 200:
                                    writer.send_signal(signal.SIGKILL)
                    finally:
                        writer.kill()
                assert found == list(range(len(found))) and len(found) > 200
                async with store.handle().open() as other:
                    assert await until_error(other, UpstreamFailed, "gone") == found
                    with pytest.raises(StreamEndedError):
                        await other.append("x", "too late")

        run(main)

    def test_a_removed_run_is_told_elsewhere(self, run: Any, open_store: Any) -> None:
        """When a run is left, those who read or write its streams elsewhere get an error, and leave nothing."""

        async def main() -> None:
            store = open_store()
            await store.start()
            async with store.handle().open() as other:
                await other.append("x", 1)

                async def read() -> None:
                    assert await until_error(reading, StorageError, "the run was left") in ([1], [])

                async with store.handle().open() as reading, anyio.create_task_group() as tasks:
                    await reading.length("x")
                    tasks.start_soon(read)
                    await anyio.wait_all_tasks_blocked()
                    await store.remove()
                with pytest.raises(StorageError, match="the run was left"):
                    while True:
                        await other.append("x", 2)

        run(main)


class TestFaults:
    """A server that is killed, frozen, restarted, full, or not there."""

    run = StoreContract.run

    @pytest.mark.chaos
    def test_a_killed_server_is_an_error_with_its_address(self, run: Any, own: RedisServer) -> None:
        """Writers and readers of a server that is gone get an error that names it, and the end comes soon."""

        async def main() -> None:
            async with store_in(own, config={"timeout": 1.5}) as store:

                async def read() -> None:
                    found = await until_error(store, (StorageError, UpstreamFailed), str(own.port))
                    assert found in ([], [1])

                await store.append("x", 1)
                assert await store.length("x") == 1
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(read)
                    await anyio.wait_all_tasks_blocked()
                    own.kill()
                    with pytest.raises(StorageError, match="did not answer") as caught:
                        while True:
                            await store.append("x", 2)
                    assert str(own.port) in str(caught.value) and PASSWORD not in str(caught.value)
                assert not await store.end("x", Mark.complete())
                assert not await store.end("y", Mark.complete())
                assert (await store.state("y")).mark.error("y") is not None

        run(main)

    @pytest.mark.chaos
    @pytest.mark.parametrize("is_idle", [True, False])
    def test_lost_data_is_never_a_shorter_stream(self, run: Any, own: RedisServer, is_idle: bool) -> None:
        """A server that comes back without the values: writers, and readers here and elsewhere, are told."""

        async def main() -> None:
            async with store_in(own, config={"timeout": 20}) as store, store.handle().open() as other:
                for number in range(10):
                    await store.append("x", number)
                assert await store.end("done", Mark.complete())
                readers = [store.read("x"), other.read("x")]
                assert [await anext(reader) for reader in readers] == [(0, 0)] * 2
                own.kill()
                own.start()
                if not is_idle:
                    with pytest.raises(StorageError, match=r"'x'.*Redis"):
                        while True:
                            await store.append("x", 10)
                for reader in (store.read("x"), other.read("x"), other.read("done")):
                    with pytest.raises((StorageError, UpstreamFailed), match=r"'(x|done)'.*Redis at"):
                        async for _ in reader:
                            pass
                for reader in readers:
                    with pytest.raises((StorageError, UpstreamFailed), match=r"'x'.*Redis at"):
                        async for _ in reader:
                            pass

        run(main)

    @pytest.mark.chaos
    @pytest.mark.parametrize("what", ["deleted", "cut", "rolled back"])
    def test_a_stream_that_the_server_forgot_is_told(self, run: Any, own: RedisServer, what: str) -> None:
        """A stream that was evicted, or fell back to an older state, ends as failed for all, soon."""

        async def main() -> None:
            async with store_in(own) as store, store.handle().open() as other:
                for number in range(10):
                    await store.append("x", number)
                assert await store.length("x") == 10
                key = f"sinagot:{store.run_id}"
                with own.client() as client:
                    if what == "deleted":
                        client.delete(f"{key}:x")
                    elif what == "cut":
                        client.xdel(f"{key}:x", "0-4")
                        await store.end("x", Mark.complete())
                    else:
                        client.xdel(f"{key}:x", "0-10")
                        client.hset(key, "c:x", 9)
                for one in (store, other):
                    found = await until_error(one, (StorageError, UpstreamFailed), "'x'.*lost values")
                    assert found == list(range(len(found))) and len(found) < 10

        run(main)

    @pytest.mark.chaos
    def test_a_short_break_loses_nothing(self, run: Any, own: RedisServer) -> None:
        """Connections that are cut, scripts that are forgotten and a frozen server are waited for: all comes once."""

        async def main() -> None:
            async with store_in(own, config={"timeout": 20}) as store, store.handle().open() as other:

                async def write() -> None:
                    for number in range(3000):
                        await store.append("x", number)
                        if number % 500 == 0:
                            with own.client() as client:
                                client.client_kill_filter(_type="normal", skipme=True)
                                client.script_flush()
                            own.process.send_signal(signal.SIGSTOP)
                            await anyio.sleep(0.05)
                            own.process.send_signal(signal.SIGCONT)
                    await store.end("x", Mark.complete())

                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(write)
                    for one in (store, other):
                        assert await values_of(one, "x") == list(range(3000))

        run(main)

    @pytest.mark.chaos
    def test_a_frozen_server_is_given_up(self, run: Any, own: RedisServer) -> None:
        """A server that does not answer for longer than `timeout` is an error; leaving takes no longer."""

        async def main() -> None:
            store = store_in(own, config={"timeout": 1.5})
            await store.append("x", 1)
            own.process.send_signal(signal.SIGSTOP)
            try:
                with pytest.raises(StorageError, match=r"did not answer for 1\.5 s"):
                    while True:
                        await store.append("x", 2)
                await store.remove()
            finally:
                own.process.send_signal(signal.SIGCONT)

        run(main)

    @pytest.mark.chaos
    def test_a_full_server_is_told(self, run: Any, tmp_path: Path) -> None:
        """A server without memory ends the stream as failed; what was written is whole, here and elsewhere."""
        options = ("--maxmemory", "6mb", "--maxmemory-policy", "noeviction")

        async def main(full: RedisServer) -> None:
            async with store_in(full) as store, store.handle().open() as other:
                with pytest.raises(StorageError, match=r"'x'.*no memory left.*maxmemory"):
                    while True:
                        await store.append("x", bytes(100_000))
                for one in (store, other):
                    found = await until_error(one, UpstreamFailed, "no memory left")
                    assert found and set(found) == {bytes(100_000)}
                with full.client() as client:
                    client.config_set("maxmemory", 1)
                with pytest.raises(StorageError, match="no memory left"):
                    await store_in(full).__aenter__()

        with RedisServer(tmp_path / "full", *options, password=PASSWORD) as full:
            run(lambda: main(full))

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            ({"password": "wrong-word"}, "refused the login"),
            ({"password": None}, "refused the login"),
            ({"username": "nobody", "password": "wrong-word"}, "refused the login"),
            (
                {"url": "redis://me:wrong-word@127.0.0.1:1/0", "password": None},
                "127.0.0.1:1/0: it can't be reached",
            ),
            ({"url": "unix:///nowhere/redis.sock"}, "/nowhere/redis.sock: it can't be reached"),
            ({"url": "rediss://127.0.0.1:{port}/0", "timeout": 0.3}, "can't be reached"),
        ],
    )
    def test_a_server_that_cannot_be_used_is_named_before_anything_starts(
        self, run: Any, server: RedisServer, change: dict[str, Any], match: str
    ) -> None:
        """No processor starts, and no password is told."""
        begun = []
        processor = Processor("one", [], ["n"])

        @processor
        def _one() -> int:
            begun.append(1)
            return 1

        config = {**server.config, "timeout": 20, **change}
        config["url"] = config["url"].replace("{port}", str(server.port))

        async def main() -> None:
            supervisor = Supervisor(LocalExecutor(), config)
            with pytest.raises(StorageError, match=match) as caught:
                await supervisor.start_flow(Flow.from_processors(processor))
            assert "word" not in str(caught.value).replace("password", "").replace("WRONGPASS", "")
            assert not begun

        run(main)


class TestConfig:
    """What is said of a server."""

    @pytest.mark.parametrize(
        ("config", "match"),
        [
            ({"ur": "redis://localhost"}, "no option 'ur'.*'url'"),
            ({"url": "http://localhost"}, "can't be read"),
            ({"url": "redis://:pa#ss-word@host"}, "can't be read.*%XX"),
            ({"url": "redis://:pa/ss-word@host"}, "can't be read.*%XX"),
            ({"url": "redis://host/lab"}, "can't be read"),
            ({"url": "unix://"}, "can't be read"),
            ({"url": "redis://host?decode_responses=1"}, "decode_responses"),
            ({"url": "redis://:a-word@host", "password": "b-word"}, "once"),
            ({"url": 6379}, "url must be a text"),
            ({"timeout": 0}, "timeout = 0 must be seconds"),
            ({"expire": "1d"}, "expire = '1d' must be seconds"),
            ({"trim": 0}, "trim = 0"),
            ("redis://localhost", "must be a mapping"),
        ],
    )
    def test_what_cannot_be_meant_is_named(self, config: Any, match: str) -> None:
        """The error names the option, and no password."""
        with pytest.raises(FlowDefinitionError, match=match) as caught:
            Supervisor(LocalExecutor(), config)
        assert "word" not in str(caught.value).replace("password", "")

    def test_the_extra_is_named_where_it_is_missing(self) -> None:
        """Without the package the error says what to install; nothing else of flows needs it."""
        code = (
            "import sys\n"
            "class NoRedis:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            "        if name == 'redis': raise ModuleNotFoundError(name)\n"
            "sys.meta_path.insert(0, NoRedis())\n"
            "from sinagot.flow import Supervisor\n"
            "from sinagot.errors import MissingExtraError\n"
            "Supervisor()\n"
            "try: Supervisor(redis_config={})\n"
            "except MissingExtraError as error: print(error, error.extra)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
        assert "pip install redis" in done.stdout and done.stdout.endswith("redis\n"), done.stderr
        assert issubclass(MissingExtraError, ImportError)


class TestFlows:
    """Flows whose streams are in a server."""

    run = StoreContract.run

    @pytest.mark.parametrize("backend", ["trio", "asyncio"])
    def test_the_example_prints_and_ends(self, server: RedisServer, backend: str) -> None:
        """The example of the documentation prints 0 2 4 6 8, ends by itself with code 0, and leaves no keys."""
        options = repr({"redis_config": server.config})
        done = subprocess.run(
            [sys.executable, "-c", EXAMPLE, backend, options],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert (done.returncode, done.stdout.split()) == (0, ["0", "2", "4", "6", "8"]), done.stderr
        assert done.stderr == ""
        with server.client() as client:
            assert not list(client.scan_iter("sinagot:flow-*"))

    def test_a_flow_of_three_processors(self, run: Any, server: RedisServer) -> None:
        """All values come in order through three processors, small and large, and inputs are streams as well."""
        flow = _three()

        async def main() -> None:
            supervisor = Supervisor(LocalExecutor(), server.config)
            many = [1, "two", np.arange(20_000.0), {"four": (4,)}] * 50
            async with await supervisor.start_flow(flow, inputs=[IOVal("n", one) for one in many]) as found:
                read = [value async for value in found["z"].stream()]
                assert [number for number, _ in read] == list(range(200))
                assert all(np.array_equal(one, other) for (_, one), other in zip(read, many, strict=True))

        run(main)

    @pytest.mark.chaos
    def test_a_flow_whose_server_dies_says_so(self, run: Any, own: RedisServer) -> None:
        """When the server is killed in mid-stream the run ends as failed, and its errors and readers name the server."""
        processor = Processor("count", [], ["n"])

        @processor
        async def _count() -> Any:
            number = 0
            while True:
                yield number
                number += 1
                await anyio.sleep(0)

        async def main() -> None:
            supervisor = Supervisor(LocalExecutor(), {**own.config, "timeout": 1.5})
            async with await supervisor.start_flow(Flow.from_processors(processor)) as found:
                with pytest.raises(UpstreamFailed, match=str(own.port)):
                    async for value in found["n"].stream():
                        if value == 100:
                            own.kill()
                status = await found.wait()
                assert status.state == "error"
                assert isinstance(found.errors[0].__cause__, StorageError)

        run(main)

    @pytest.mark.chaos
    def test_an_end_that_cannot_be_written_is_an_error_of_the_run(self, run: Any, own: RedisServer) -> None:
        """A processor that has ended well, and whose end mark the server never took, is not reported as done."""
        processor = Processor("last", [], ["n"])

        @processor
        async def _last() -> Any:
            yield 1
            own.kill()

        async def main() -> None:
            supervisor = Supervisor(LocalExecutor(), {**own.config, "timeout": 1.5})
            async with await supervisor.start_flow(Flow.from_processors(processor)) as found:
                status = await found.wait()
                assert (status.state, status.processors["last"].state) == ("error", "error")
                with pytest.raises(UpstreamFailed, match=str(own.port)):
                    assert [value async for value in found["n"].stream()]

        run(main)


def _three() -> Flow:
    one, two, three = (
        Processor("one", ["n"], ["x"]),
        Processor("two", ["x"], ["y"], max_lead=5),
        Processor("three", ["y"], ["z"]),
    )

    @one
    async def _one(n: IO[Any]) -> Any:
        async for value in n.stream():
            yield value

    @two
    def _two(x: Any) -> Any:
        yield from x.stream()

    @three
    async def _three(y: IO[Any]) -> Any:
        number = 0
        async for value in y.stream():
            yield number, value
            number += 1

    return Flow.from_processors(one, two, three)
