"""One stream as one append-only file: frames behind one another, one writer, readers by position.

Knows bytes, offsets and system calls; must not know values, event loops or other streams. `sinagot.flow.spool` has one
for each of its streams. All calls may be made in any thread.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sinagot.flow.frames import END, HEADER, KINDS, Parts

__all__ = ["StreamFile"]

#: Values between two that are found without a search.
_EVERY = 1024
_MOST_PARTS = 512  # of one writev; the limit of Linux is 1024
_SMALL = 64 * 1024  # what is joined before it is written
_BLOCK = 64 * 1024  # of a look at headers


class StreamFile:
    """A file of frames.

    Parameters
    ----------
    path : str
        Where it is; it need not be there before the first frame is written.
    is_shared : bool, default True
        Other processes read the file: each frame is in it at once. Otherwise it is written by the block: the newest
        frames, 64 KiB at most, are in memory only, and a short stream has no file at all.

    Notes
    -----
    One descriptor serves all readers, who read by position: a reader owns nothing that could be left open. What is
    under way in a thread when the file is closed comes to its end first.
    """

    def __init__(self, path: str, is_shared: bool = True) -> None:
        self.path = path
        self._is_shared = is_shared
        #: Whether this process writes the file.
        self.is_ours = False
        #: Number of values and offset behind the last of them, as far as they were written or looked at.
        self.count = 0
        self.size = 0
        self._offsets = [0]
        #: Offset behind what is in the file; what follows is here.
        self._stored = 0
        self._unwritten = bytearray()
        self._writing = threading.Lock()
        self._lock = threading.Lock()  # of what follows; never held while the disk works
        self._reader: int | None = None
        self._writer: int | None = None
        self._users = 0
        self._is_closed = False
        self._is_ended = False

    # -- writing ---------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Make the file, or go on behind the whole frames of one that is there.

        Where it has an end mark, nothing can be written: it does not become ours.

        Raises
        ------
        OSError
            When it can't be made.
        """
        with self._lock:
            if self._is_closed:
                raise OSError(errno.EBADF, "the store is closed", self.path)
            if not self._is_shared:
                self.is_ours = True  # a file of nobody else: it is made when there is a block for it
                return
            self._open()
        if self.look() is None:
            assert self._writer is not None
            os.ftruncate(self._writer, self.size)
            self._stored = self.size
            self.is_ours = True

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._writer = os.open(self.path, flags, 0o600)

    def write(self, parts: Parts, is_value: bool = True) -> None:
        """Write a frame behind the others, whole or not at all.

        Parameters
        ----------
        parts : list of bytes or memoryview
            The frame.
        is_value : bool, default True
            Count it; an end mark is not counted.

        Raises
        ------
        OSError
            When it does not fit; the file is as it was.
        """
        if not self._is_shared and sum(map(len, parts)) <= _SMALL:
            self._write_later(b"".join(parts), is_value)
            return
        with self._writing, self._held(writes=True) as descriptor:
            if descriptor is None or self._is_ended:
                raise OSError(errno.EBADF, "the stream is closed", self.path)
            self._is_ended = not is_value
            self._store(descriptor)
            stop = _put(descriptor, parts, self.size)
            with self._lock:
                self._stored = stop
            if is_value:
                self._note(stop)

    def _write_later(self, data: bytes, is_value: bool) -> None:
        """Keep a frame until there is a block of them; of the end mark, whoever reads knows already."""
        with self._lock:
            if self._is_closed or self._is_ended:
                raise OSError(errno.EBADF, "the stream is closed", self.path)
            if not is_value:
                self._is_ended = True
                return
            self._unwritten += data
        if len(self._unwritten) > _SMALL:
            try:
                with self._writing, self._held(writes=True) as descriptor:
                    assert descriptor is not None
                    self._store(descriptor)
            except BaseException:
                with self._lock:
                    del self._unwritten[-len(data) :]  # those before it are whole, and stay here
                raise
        self._note(self.size + len(data))

    def _store(self, descriptor: int) -> None:
        """Write down what is in memory only."""
        if self._unwritten:
            stop = _put(descriptor, [bytes(self._unwritten)], self._stored)
            with self._lock:
                self._stored, self._unwritten = stop, bytearray()

    def _note(self, stop: int) -> None:
        """Count a value that ends at an offset."""
        self.size = stop
        self.count += 1
        if self.count % _EVERY == 0:
            self._offsets.append(stop)

    def seal(self) -> None:
        """Say that no more will come, where not even an end mark finds room: the file becomes read-only."""
        if not self._is_shared:
            return
        with self._held(writes=True) as descriptor:
            if descriptor is not None:
                os.fchmod(descriptor, 0o400)

    # -- reading ---------------------------------------------------------------------------------------------------

    def is_sealed(self) -> bool:
        """Say whether the writer gave up without an end mark."""
        with self._held() as descriptor:
            return descriptor is not None and not os.fstat(descriptor).st_mode & stat.S_IWUSR

    def reach(self) -> int:
        """Give the offset up to which the file may be read: of a file of ours, the end of the last whole value."""
        if self.is_ours:
            return self.size
        with self._held() as descriptor:
            return 0 if descriptor is None else os.fstat(descriptor).st_size

    def read(self, start: int, size: int) -> bytes:
        """Give bytes of the file, fewer at its end; none of a file that is not there.

        Parameters
        ----------
        start : int
            Offset of the first.
        size : int
            How many.
        """
        with self._lock:
            at = start - self._stored
            kept = bytes(memoryview(self._unwritten)[max(0, at) : max(0, at + size)])
        if at >= 0 and self.is_ours:
            return kept
        with self._held() as descriptor:
            return b"" if descriptor is None else os.pread(descriptor, size - len(kept), start) + kept

    def read_into(self, buffer: memoryview, start: int) -> bool:
        """Fill a buffer, and say whether there was enough to fill it.

        Parameters
        ----------
        buffer : memoryview
            Where the bytes go.
        start : int
            Offset of the first.
        """
        with self._held() as descriptor:
            done = 0
            while descriptor is not None and done < len(buffer):
                got = os.preadv(descriptor, [buffer[done:]], start + done)
                if not got:
                    break
                done += got
            return done == len(buffer)

    def place_of(self, number: int) -> tuple[int, int]:
        """Give the number and the offset of a value at or before one, where a search for that begins.

        Parameters
        ----------
        number : int
            Number of the value looked for.
        """
        at = min(number // _EVERY, len(self._offsets) - 1)
        return at * _EVERY, self._offsets[at]

    def look(self) -> int | None:
        """Count what was written by now, and give the offset of the end mark when it is there.

        Only headers are looked at, and only those behind the last look; a frame that is not all there does not count.
        """
        reach = self.reach()
        base, block = self.size, b""
        while self.size + HEADER.size <= reach:
            at = self.size - base
            if at + HEADER.size > len(block):
                base, block, at = self.size, self.read(self.size, _BLOCK), 0
                if len(block) < HEADER.size:
                    return None
            size, kind, _ = HEADER.unpack_from(block, at)
            stop = self.size + HEADER.size + size
            if kind not in KINDS or stop > reach:
                return None
            if kind == END:
                return self.size
            self._note(stop)
        return None

    # -- the descriptors -------------------------------------------------------------------------------------------

    @contextmanager
    def _held(self, writes: bool = False) -> Iterator[int | None]:
        """Give a descriptor that is not closed meanwhile; None without a file."""
        try:
            yield self._hold(writes)
        finally:
            self._release()

    def _hold(self, writes: bool = False) -> int | None:
        with self._lock:
            self._users += 1
            if self._is_closed:
                return None
            if writes:
                if self._writer is None and not self._is_shared:
                    self._open()
                return self._writer
            if self._reader is None:
                try:
                    self._reader = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
                except FileNotFoundError:
                    return self._writer  # somebody has deleted it: what we wrote is still to be had
            return self._reader

    def _release(self) -> None:
        with self._lock:
            self._users -= 1
            if self._is_closed:
                self._close_unused()

    def close(self) -> None:
        """Close the file, as soon as nobody uses it any more; it can't be opened again."""
        with self._lock:
            self._is_closed = True
            self._close_unused()

    def _close_unused(self) -> None:
        if self._is_closed and not self._users:
            for descriptor in (self._reader, self._writer):
                if descriptor is not None:
                    os.close(descriptor)
            self._reader = self._writer = None


def _put(descriptor: int, parts: Parts, start: int) -> int:
    """Write parts behind one another, all or nothing, and give the offset behind the last."""
    left = sum(map(len, parts))
    if left <= _SMALL:
        parts = [b"".join(parts)]
    at = start
    try:
        while True:
            done = os.pwritev(descriptor, parts[:_MOST_PARTS], at)
            at += done
            left -= done
            if not left:
                return at
            while parts and done >= len(parts[0]):
                done -= len(parts.pop(0))
            if done:
                parts[0] = memoryview(parts[0])[done:]
    except BaseException:
        os.ftruncate(descriptor, start)  # it is not whole: readers of other processes took nothing of it
        raise
