"""What a process knows of one stream in a Redis server, and the form that its values have there.

Knows counts, marks and sealed bytes; must not know connections. `sinagot.flow.redis.store` has one for each stream.

Each value, and each end mark, is sealed with a key that only the processes of the run have: what somebody else wrote,
or put in another place, is never taken for a value. So what is pickled in them comes from the run itself.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import msgpack

from sinagot.errors import StoredDataError
from sinagot.flow.ends import Mark
from sinagot.flow.frames import BUFFERS, END, Parts
from sinagot.flow.news import News
from sinagot.flow.values import decode

__all__ = ["RedisStream", "Seal"]

_SEAL = 16
#: Values and bytes of a stream that may be on their way to the server.
_MOST_VALUES, _MOST_BYTES = 256, 256 * 1024


class RedisStream(News):
    """What a store knows of one stream.

    Parameters
    ----------
    name : str
        Of the stream.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        #: The name as the server has it.
        self.key = name.encode("utf-8", "surrogatepass")
        #: Whether this store writes it.
        self.is_ours = False
        #: Number of values that were taken, and of those that are in the server; bytes of the former.
        self.count = 0
        self.written = 0
        self.size = 0
        #: What waits for its turn to be sent, and how many batches are on their way.
        self.waiting: list[bytes] = []
        self.under_way = 0
        #: Bytes that are not yet in the server.
        self.open_size = 0
        #: Why it failed, until its producer is told.
        self.problem: Exception | None = None
        self.mark: Mark | None = None

    @property
    def is_known(self) -> bool:
        """All about its length and its end is known here: nobody else writes it."""
        return self.is_ours or self.mark is not None

    @property
    def is_settled(self) -> bool:
        """Nothing waits, and nothing is on its way."""
        return not self.waiting and not self.under_way

    @property
    def is_full(self) -> bool:
        """Enough is on its way."""
        return self.count - self.written > _MOST_VALUES or self.open_size > _MOST_BYTES


class Seal:
    """Make and open what lies in the server.

    Parameters
    ----------
    secret : bytes
        Of the run.

    Examples
    --------
    >>> seal = Seal(b"of this run")
    >>> payload = seal.closed(b"bar", 0, 1, [b"abc"])
    >>> bytes(seal.body(b"bar", 0, payload)[1])
    b'abc'
    >>> seal.body(b"bar", 1, payload)
    Traceback (most recent call last):
    sinagot.errors.lab.StoredDataError: its bytes are not those that were written
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = hashlib.blake2b(secret, digest_size=32).digest()

    def _digest(self, name: bytes, number: int, rest: Parts) -> bytes:
        digest = hashlib.blake2b(b"%d:%d:%b" % (number, len(name), name), key=self._secret, digest_size=_SEAL)
        for part in rest:
            digest.update(part)
        return digest.digest()

    def closed(self, name: bytes, number: int, kind: int, body: Parts) -> bytes:
        """Give the bytes for the server.

        Parameters
        ----------
        name : bytes
            Of the stream.
        number : int
            Of the value; of an end mark the number of all values.
        kind : int
            One of `sinagot.flow.frames.KINDS`.
        body : list of bytes or memoryview
            Parts of the body.

        Returns
        -------
        bytes
            Seal, kind and body.
        """
        rest: Parts = [bytes((kind,)), *body]
        return b"".join((self._digest(name, number, rest), *rest))

    def body(self, name: bytes, number: int, payload: bytes) -> tuple[int, memoryview]:
        """Check bytes of the server, and give kind and body.

        Parameters
        ----------
        name : bytes
            Of the stream.
        number : int
            Of the value, or of all values.
        payload : bytes
            What was found.

        Raises
        ------
        StoredDataError
            When they are not what was written at this place.
        """
        view = memoryview(payload)
        if len(payload) <= _SEAL or not hmac.compare_digest(
            view[:_SEAL], self._digest(name, number, [view[_SEAL:]])
        ):
            raise StoredDataError("its bytes are not those that were written")
        return payload[_SEAL], view[_SEAL + 1 :]

    def value(self, stream: RedisStream, number: int, payload: bytes) -> Any:
        """Give a value.

        Parameters
        ----------
        stream : RedisStream
            The stream.
        number : int
            Of the value.
        payload : bytes
            What was found.

        Raises
        ------
        StoredDataError
            When it is damaged, or can't be made here.
        """
        kind, body = self.body(stream.key, number, payload)
        # Arrays are views of it: they must be writable, and begin where their types want it.
        return decode(kind, memoryview(bytearray(body)) if kind == BUFFERS else body)

    def mark(self, stream: RedisStream, count: int, payload: bytes) -> Mark:
        """Give an end mark.

        Parameters
        ----------
        stream : RedisStream
            The stream.
        count : int
            Number of its values.
        payload : bytes
            What was found.

        Raises
        ------
        StoredDataError
            When it is damaged.
        """
        kind, body = self.body(stream.key, count, payload)
        if kind != END:
            raise StoredDataError("it is no end mark")
        return Mark.from_plain(msgpack.unpackb(body, unicode_errors="surrogatepass"))

    def closed_mark(self, stream: RedisStream, count: int, mark: Mark) -> bytes:
        """Give the bytes of an end mark.

        Parameters
        ----------
        stream : RedisStream
            The stream.
        count : int
            Number of its values.
        mark : Mark
            The mark.
        """
        body = msgpack.packb(mark.to_plain(), unicode_errors="surrogatepass")
        return self.closed(stream.key, count, END, [body])
