"""Laws of the spool: those of every store, and what files, other processes and full disks ask for."""

from __future__ import annotations

import errno
import os
import pickle
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pandas as pd
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinagot.errors import FlowError, SpoolLimitError, StorageError, StoredDataError, UpstreamFailed
from sinagot.flow.ends import Mark
from sinagot.flow.spool import SpoolStore
from tests.flow.contract import Opener, StoreContract, is_same, values_of

ROOT = Path(__file__).parents[2]


def descriptors_below(folder: Path) -> list[str]:
    """Give the files below a folder that this process holds open."""
    return [file.path for file in psutil.Process().open_files() if file.path.startswith(str(folder))]


class TestSpool(StoreContract):
    """The laws of every store, and those of files."""

    @pytest.fixture(autouse=True)
    def _nothing_is_left(self, tmp_path: Path) -> Iterator[None]:
        """After each test no file is open and no folder of streams is left."""
        yield
        assert descriptors_below(tmp_path) == []
        assert list(tmp_path.glob("*flow-*")) == []

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Opener:
        """Give what makes a spool in a fresh folder."""
        return lambda **options: SpoolStore.below(str(tmp_path), **options)

    def test_files_are_private(self, run: Any, open_store: Any) -> None:
        """Folder and files are for their owner only, and a folder that others can write is refused."""

        async def main() -> None:
            async with open_store() as store:
                await store.append("x", 1)
                assert stat.S_IMODE(os.stat(store.folder).st_mode) == 0o700
                (name,) = os.listdir(store.folder)
                assert stat.S_IMODE(os.stat(f"{store.folder}/{name}").st_mode) == 0o600
                os.chmod(store.folder, 0o777)
                with pytest.raises(StorageError, match="private"):
                    SpoolStore(store.folder)

        run(main)

    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path: Path) -> None:
        """Where streams can't be kept the error names the folder."""
        with pytest.raises(StorageError, match="nowhere"):
            SpoolStore.below(str(tmp_path / "nowhere"))
        with pytest.raises(StorageError, match="nowhere"):
            SpoolStore(str(tmp_path / "nowhere"))

    def test_kept_streams_are_read_again(self, run: Any, tmp_path: Path) -> None:
        """Streams that are kept are there for a later store, with their marks."""
        folder = tmp_path / "kept"
        folder.mkdir(mode=0o700)

        async def main() -> None:
            async with SpoolStore(str(folder), keep=True) as store:
                for number in range(3000):
                    await store.append("x", number)
                await store.end("x", Mark.complete())
            assert descriptors_below(tmp_path) == []
            async with SpoolStore(str(folder)) as store:
                assert await store.state("x") == ("x", 3000, Mark.complete())
                assert await values_of(store, "x", 1500) == list(range(1500, 3000))
                assert not await store.end("x", Mark.cancelled())
            assert not folder.exists()

        run(main)

    def test_pickle_only_when_asked(self, run: Any, open_store: Any) -> None:
        """Values of other types come through where they are to be pickled: in all streams, or in those named."""
        frame = pd.DataFrame({"a": np.arange(20_000.0), "b": "x"})
        values = [frame, {"deep": [frame, (OSError(2, "no"), frame.a)]}]

        async def main() -> None:
            for asked in (True, ["x"]):
                async with open_store(pickle=asked) as store:
                    for value in values:
                        await store.append("x", value)
                    await store.end("x", Mark.complete())
                    one, two = await values_of(store, "x")
                    pd.testing.assert_frame_equal(one, frame)
                    pd.testing.assert_frame_equal(two["deep"][0], frame)
                    assert isinstance(two["deep"][1][0], OSError)
                    with pytest.raises(TypeError, match="can't be pickled" if asked is True else "function"):
                        await store.append("y", lambda: 1)

        run(main)

    def test_a_stream_over_its_limit_is_named(self, run: Any, open_store: Any) -> None:
        """A stream that would grow over `spool_limit` ends as failed; its values before are whole, others go on."""

        async def main() -> None:
            async with open_store(spool_limit=1000) as store:
                with pytest.raises(SpoolLimitError, match="'x'") as caught:
                    for number in range(1000):
                        await store.append("x", f"{number:0100}")
                assert (caught.value.stream, caught.value.limit) == ("x", 1000)
                reader, found = store.read("x"), []
                with pytest.raises(UpstreamFailed, match="spool_limit"):
                    async for _, value in reader:
                        found.append(value)
                assert found == [f"{number:0100}" for number in range(8)]
                await store.append("y", 1)

        run(main)

    @pytest.mark.parametrize("room", [*range(0, 160, 7), 3000])
    @pytest.mark.parametrize("size", [100, 400_000])
    def test_a_full_disk_ends_the_stream(self, run: Any, tmp_path: Path, room: int, size: int) -> None:
        """A value that does not fit leaves nothing: readers here and elsewhere get those before, then the failure."""
        folder = tmp_path / "full"
        folder.mkdir(mode=0o700)

        async def main() -> None:
            async with SpoolStore(str(folder)) as store:
                await store.append("x", "one")
                (path,) = folder.iterdir()
                soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
                resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, hard))
                try:
                    with pytest.raises(StorageError, match="'x'") as caught:
                        for _ in range(40):
                            await store.append("x", bytes(size))
                finally:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
                assert caught.value.errno == errno.EFBIG
                here = await _until_failure(store)
                other = SpoolStore(str(folder), keep=True, is_alive=lambda name: True)
                assert is_same(here, await _until_failure(other))
                await other.remove()
                assert here[0] == "one" and set(here[1:]) <= {bytes(size)}

        run(main)

    def test_every_cut_leaves_whole_values(self, run: Any, tmp_path: Path) -> None:
        """A file cut at any byte gives the whole values before the cut, then says that its writer is gone."""
        folder = tmp_path / "cut"
        folder.mkdir(mode=0o700)
        values = [1, "two", {"three": (3.0, None)}, np.arange(2000.0), b""]

        async def main() -> None:
            async with SpoolStore(str(folder), keep=True) as store:
                sizes = [0]
                for value in values:
                    await store.append("x", value)
                    (path,) = folder.iterdir()
                    sizes.append(path.stat().st_size)
                await store.end("x", Mark.complete())
            data = path.read_bytes()
            cuts = [at for at in range(len(data)) if at < 400 or at > len(data) - 400 or at % 997 == 0]
            for cut in cuts:
                path.write_bytes(data[:cut])
                whole = sum(size <= cut for size in sizes) - 1
                for state in (_asked_always, None):
                    store = SpoolStore(str(folder), keep=True, is_alive=state)
                    if state is None:
                        # A new producer goes on behind the whole values.
                        await store.append("x", "more")
                        await store.end("x", Mark.complete())
                        assert is_same(await values_of(store, "x"), [*values[:whole], "more"])
                    else:
                        assert await store.length("x") == whole
                        assert is_same(await _until_failure(store), values[:whole])
                    await store.remove()

        async def one_by_one() -> None:
            try:
                await main()
            finally:
                for path in folder.iterdir():
                    path.unlink()

        run(one_by_one)

    @settings(
        max_examples=30,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
    def test_a_changed_bit_is_never_a_value(self, run: Any, tmp_path: Path, at: int, bit: int) -> None:
        """Wrong bytes end the reading with an error; they never come out as a value."""
        values = [1, "two", {"three": (3.0, None)}, np.arange(50.0), b"four"]

        async def main() -> None:
            async with SpoolStore.below(str(tmp_path), is_alive=_asked_always) as store:
                other = SpoolStore(store.folder, keep=True, is_alive=_asked_always)
                for value in values:
                    await store.append("x", value)
                (name,) = os.listdir(store.folder)
                path = Path(store.folder, name)
                data = bytearray(path.read_bytes())
                data[at % len(data)] ^= 1 << bit
                path.write_bytes(data)
                for store_ in (store, other):
                    found = []
                    if store_ is store:
                        await store.end("x", Mark.complete())
                    with pytest.raises((StoredDataError, UpstreamFailed), match="'x'"):
                        async for _, value in store_.read("x"):
                            found.append(value)
                    assert len(found) < len(values) and is_same(found, values[: len(found)])
                    path.write_bytes(data)
                await other.remove()

        run(main)

    def test_two_producers_are_refused(self, run: Any, open_store: Any) -> None:
        """While a large value is being written, another one for the same stream is refused."""
        large = np.zeros(1_000_000)

        async def main() -> None:
            async with open_store() as store, anyio.create_task_group() as tasks:
                refused: list[FlowError] = []

                async def append() -> None:
                    try:
                        await store.append("x", large)
                    except FlowError as error:
                        refused.append(error)

                tasks.start_soon(append)
                tasks.start_soon(append)
                with anyio.move_on_after(20):
                    while not await store.length("x"):
                        await anyio.sleep(0.001)
                assert [error.stream for error in refused] == ["x"]

        run(main)

    @pytest.mark.parametrize("size", [10, 300_000])
    def test_a_killed_writer_is_noticed(self, run: Any, tmp_path: Path, size: int) -> None:
        """What another process writes is read meanwhile; when it is killed readers get the whole values and are told."""
        folder = tmp_path / "shared"
        folder.mkdir(mode=0o700)
        code = (
            "import anyio, sys\n"
            "from sinagot.flow.spool import SpoolStore\n"
            "async def main():\n"
            "    store, number = SpoolStore(sys.argv[1]), 0\n"
            "    while True:\n"
            "        await store.append('x', [number, bytes(int(sys.argv[2]))])\n"
            "        number += 1\n"
            "        if number % 100 == 0 or number > 400:\n"  # what it writes has to be read
            "            await anyio.sleep(0.001)\n"
            "anyio.run(main)\n"
        )
        command = [sys.executable, "-c", code, str(folder), str(size)]

        async def main() -> None:
            found = 0
            with subprocess.Popen(command, cwd=ROOT) as writer:
                try:
                    async with SpoolStore(str(folder), is_alive=lambda name: writer.poll() is None) as store:
                        with pytest.raises(UpstreamFailed, match=r"'x'.*gone"):
                            async for cursor, (number, data) in store.read("x"):
                                assert cursor == number and len(data) == size
                                found = cursor + 1
                                if found == 200:
                                    writer.send_signal(signal.SIGKILL)
                        assert found == await store.length("x") >= 200
                finally:
                    writer.kill()

        run(main)

    def test_another_process_ends_its_stream(self, run: Any, tmp_path: Path) -> None:
        """A stream of another process is read from its first value to its mark, also before it was begun."""
        folder = tmp_path / "shared"
        folder.mkdir(mode=0o700)
        code = (
            "import anyio, sys\n"
            "from sinagot.flow.ends import Mark\n"
            "from sinagot.flow.spool import SpoolStore\n"
            "async def main():\n"
            "    store = SpoolStore(sys.argv[1], keep=True)\n"
            "    for number in range(5000):\n"
            "        await store.append('x', number)\n"
            "    await store.end('x', Mark.failed('far', ValueError('no lead')))\n"
            "    await store.remove()\n"
            "anyio.run(main)\n"
        )
        command = [sys.executable, "-c", code, str(folder)]

        async def main() -> None:
            async with SpoolStore(str(folder), is_alive=lambda name: True) as store:
                found: list[Any] = []

                async def read() -> None:
                    with pytest.raises(UpstreamFailed, match="no lead") as caught:
                        async for _, value in store.read("x"):
                            found.append(value)
                    assert caught.value.processor == "far" and isinstance(caught.value.__cause__, ValueError)
                    assert isinstance(pickle.loads(pickle.dumps(caught.value)), UpstreamFailed)

                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(read)
                    await anyio.run_process(command, cwd=ROOT, stdout=None, stderr=None)
                assert found == list(range(5000))

        run(main)


def _asked_always(name: str) -> bool:
    """Say of every producer that it is gone."""
    return False


async def _until_failure(store: SpoolStore) -> list[Any]:
    """Give the values of a stream that ends with a failure."""
    found = []
    with pytest.raises(UpstreamFailed):
        async for _, value in store.read("x"):
            found.append(value)
    return found
