"""A standard output with a listener behaves like the one behind it."""

from __future__ import annotations

import copy
import io

import pytest

from sinagot.runlog.streams import Tee


def test_a_tee_is_like_its_target() -> None:
    """Attributes, flushing, bytes and errors are those of the stream behind."""
    heard: list[str] = []
    raw = io.BytesIO()
    target = io.TextIOWrapper(raw, encoding="utf-8")
    tee = Tee(target, heard.append)
    assert (tee.encoding, tee.isatty(), tee.buffer.writable()) == ("utf-8", False, True)
    assert tee.write("Zoë\n") == 4
    tee.flush()
    tee.buffer.write(bytearray(b"x"))
    tee.buffer.close()
    tee.close()
    assert raw.getvalue() == "Zoë\nx".encode()
    assert heard == ["Zoë\n", "x"]
    with pytest.raises(TypeError):
        tee.write(b"bytes")  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        tee.nothing_like_that  # noqa: B018
    with pytest.raises(AttributeError):
        Tee(io.StringIO(), heard.append).buffer  # noqa: B018


def test_a_tee_without_target_swallows_text() -> None:
    """Where there is no standard output writing and flushing do nothing."""
    tee = Tee(None, lambda text: None)
    assert tee.write("abc") == 3
    tee.flush()
    tee.close()


def test_a_half_made_tee_does_not_recurse() -> None:
    """Copying, which asks for attributes before there are any, ends."""
    with pytest.raises((AttributeError, KeyError, TypeError)):
        copy.copy(Tee.__new__(Tee)).anything  # noqa: B018


def test_terminal_that_has_gone_is_no_fault_of_who_prints() -> None:
    """What cannot be written any more is heard all the same, and raises nothing in the script."""

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

        def flush(self) -> None:
            raise OSError(5, "Input/output error")

    heard: list[str] = []
    print("said", file=Tee(Gone(), heard.append), flush=True)
    assert "".join(heard) == "said\n"
