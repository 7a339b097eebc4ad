"""Laws of a spool that no other process reads: those of every store, though files are written by the block."""

from __future__ import annotations

import errno
import os
import resource
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from sinagot.errors import StorageError, StreamEndedError, UpstreamFailed
from sinagot.flow.ends import Mark
from sinagot.flow.folders import delete
from sinagot.flow.spool import SpoolStore
from tests.flow.contract import Opener, StoreContract


class TestOwnSpool(StoreContract):
    """The laws of every store, and what stands in memory."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Opener:
        """Give what makes a spool in a fresh folder."""
        return lambda **options: SpoolStore.below(str(tmp_path), **{"is_shared": False, **options})

    def test_a_store_of_its_own_writes_by_the_block(self, run: Any, open_store: Any) -> None:
        """What no other process reads has a file only when there is a block of it; readers see all at once."""

        async def main() -> None:
            async with open_store() as store:
                await store.append("x", "small")
                assert os.listdir(store.folder) == []
                data = [bytes(1000 + number) for number in range(100)]
                for value in [*data, bytes(400_000), 7]:
                    await store.append("x", value)
                assert len(os.listdir(store.folder)) == 1
                await store.end("x", Mark.complete())
                for cursor in (0, 50, 100, 102):
                    found = [value async for _, value in store.read("x", cursor)]
                    assert found == ["small", *data, bytes(400_000), 7][cursor:]

        run(main)

    @pytest.mark.parametrize("is_shared", [True, False])
    def test_a_file_that_somebody_deletes_is_still_read(
        self, run: Any, open_store: Any, is_shared: bool
    ) -> None:
        """Who begins to read when the file is gone gets what was written, and does not wait for ever."""
        data = [bytes(100_000), "small", bytes(100_000), 7]

        async def main() -> None:
            async with open_store(is_shared=is_shared) as store:
                for value in data:
                    await store.append("x", value)
                for name in os.listdir(store.folder):
                    os.unlink(f"{store.folder}/{name}")
                await store.end("x", Mark.complete())
                with anyio.fail_after(20):
                    assert [value async for _, value in store.read("x")] == data

        run(main)

    @pytest.mark.parametrize("room", [0, 50_000, 70_000, 300_000])
    def test_a_full_disk_keeps_what_is_in_memory(self, run: Any, open_store: Any, room: int) -> None:
        """Where a block does not fit, readers get all values before the one that was refused, then the failure."""

        async def main() -> None:
            async with open_store() as store:
                await store.append("x", 0)
                done = 1
                soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
                resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
                try:
                    with pytest.raises(StorageError, match="'x'") as caught:
                        for done in range(1, 1000):
                            await store.append("x", [done, bytes(1000 if done % 7 else 30_000)])
                finally:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
                assert caught.value.errno == errno.EFBIG
                found: list[Any] = []
                with pytest.raises(UpstreamFailed):
                    async for _, value in store.read("x"):
                        found.append(value)
                assert [value[0] for value in found[1:]] == list(range(1, done))
                with pytest.raises(StreamEndedError):
                    await store.append("x", 1)

        run(main)


def test_a_folder_is_deleted_although_somebody_still_writes(tmp_path: Path) -> None:
    """A worker that hears of the end a moment late does not keep the folder of the streams alive."""
    folder = tmp_path / "streams"
    folder.mkdir()
    (folder / "0").touch()

    def late() -> None:
        with suppress(FileNotFoundError):
            for number in range(1, 500):
                (folder / str(number)).touch()

    worker = threading.Thread(target=late)
    worker.start()
    delete(str(folder))
    worker.join()
    assert not folder.exists()
