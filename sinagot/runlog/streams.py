"""Standard output with a listener: what is printed goes where it always went, and to the log of the attempt.

Knows text streams; must not know attempts or logs: a function takes the text. `capture` puts a `Tee` in the
place of `sys.stdout`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["Tee"]


class Tee:
    r"""A text stream that passes everything on and lets a function hear what is written.

    It stays harmless when somebody keeps it beyond its time (a handler of `logging`, ``redirect_stdout``):
    then nobody listens.

    Parameters
    ----------
    target : text stream or None
        What stands behind it; ``None`` where the program has no standard output.
    heard : callable
        Takes each written text; gives what shall be shown in its place, or None.

    Examples
    --------
    >>> import io
    >>> texts = []
    >>> out = io.StringIO()
    >>> print("hello", file=Tee(out, texts.append))
    >>> out.getvalue(), texts
    ('hello\n', ['hello', '\n'])
    """

    def __init__(self, target: Any, heard: Callable[[str], str | None]) -> None:
        self._target = target
        self._heard = heard

    @property
    def target(self) -> Any:
        """The stream behind."""
        return self._target

    def write(self, text: str) -> int:
        """Write a text; heard first, and so on record: a terminal that has gone is no fault of who prints."""
        shown = None
        if isinstance(text, str):
            shown = self._heard(text)
        if self._target is not None:
            try:
                self._target.write(text if shown is None else shown)
            except OSError:
                pass
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the stream behind."""
        if self._target is not None:
            try:
                self._target.flush()
            except OSError:
                pass

    def close(self) -> None:
        """Flush only: a script must not close the standard output of the program that runs it."""
        self.flush()

    @property
    def buffer(self) -> Any:
        """The bytes below, heard as well (``sys.stdout.buffer.write``)."""
        return _Bytes(self._target.buffer, self._heard)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_target"], name)


class _Bytes:
    """The same for the bytes below a text stream."""

    def __init__(self, target: Any, heard: Callable[[str], str | None]) -> None:
        self._target = target
        self._heard = heard
        self.closed = False

    def write(self, data: Any) -> int:
        shown = self._heard(bytes(data).decode("utf-8", "backslashreplace"))
        if shown is not None:
            self._target.write(shown.encode("utf-8", "backslashreplace"))
            return len(data)
        count: int = self._target.write(data)
        return count

    def close(self) -> None:
        self._target.flush()
        self.closed = True  # for the wrapper that a script put round it; the target stays open

    def _dealloc_warn(self, source: object) -> None:
        """Nothing is left open when such a wrapper goes."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_target"], name)
