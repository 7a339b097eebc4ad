"""Bytes of a log become lines and objects, with bounded memory, whatever they are."""

from __future__ import annotations

import io
import json
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.runlog.lines import MAX_LINE
from sinagot.runlog.parts import (
    PIECE,
    LineParser,
    LineSplitter,
    all_lines,
    lines_backwards,
    open_part,
    open_parts,
    read_pieces,
)

LINES = st.lists(
    st.binary(max_size=30)
    | st.sampled_from(
        [
            b'{"a": 1}',
            b'{"a": [',
            b"]}",
            b"{}",
            b"",
            b"\r",
            b"[]",
            b'{"a": 1},{"b": 2}',
            b"\0\0",
            b"\xef\xbb\xbf",
        ]
    )
)


def test_a_line_that_is_whole_is_read_whatever_stands_round_it() -> None:
    """Byte order marks, NULs, carriage returns and blanks round an object cost nothing; without one they count."""
    parser = LineParser()
    good = [b'\xef\xbb\xbf{"a": 1}', b'\0\0{"a": 2}', b'{"a": 3}\r', b'  {"a": 4}\t', b"", b"\r"]
    assert parser.parse(good) == [{"a": number} for number in (1, 2, 3, 4)]
    assert parser.bad == 0
    bad = [
        b"\xef\xbb\xbf",
        b"\0\0",
        b'{"a": "\xff"}',
        b"3",
        b"null",
        b'["a"]',
        b"not json",
        b'{"a": 1}{"a": 2}',
    ]
    assert parser.parse([*bad, b'{"a": 5}']) == [{"a": 5}]
    assert parser.bad == len(bad)


@pytest.mark.parametrize("bomb", [b"[" * 100_000, b'{"a":' * 100_000, b'{"a": ' + b"9" * 5000 + b"}"])
def test_bombs_cost_one_line(bomb: bytes) -> None:
    """Nesting beyond all measure and numbers without end are skipped and counted."""
    parser = LineParser()
    assert parser.parse([b'{"a": 1}', bomb, b'{"a": 2}']) == [{"a": 1}, {"a": 2}]
    assert parser.bad == 1


def test_two_torn_lines_do_not_become_one() -> None:
    """Pieces that fit together by chance are not taken for an object."""
    parser = LineParser()
    assert parser.parse([b'{"a": [1', b"2]}", b'{"a": [{"b": 1}', b'{"c": 2}]}']) == []
    assert parser.bad == 4


@given(LINES)
def test_parsing_many_is_parsing_each(lines: list[bytes]) -> None:
    """Lines parsed together give what each gives alone."""
    one, many = LineParser(), LineParser()
    each = [value for line in lines if (value := one.parse_one(line)) is not None]
    assert (many.parse(lines), many.bad) == (each, one.bad)


@given(LINES, st.integers(1, 40))
def test_pieces_of_any_size_give_the_same_lines(lines: list[bytes], size: int) -> None:
    """Where a piece ends does not matter."""
    data = b"\n".join(lines)
    splitter = LineSplitter()
    found = [
        line for start in range(0, len(data), size) for line in splitter.split(data[start : start + size])
    ]
    assert b"\n".join([*found, *(splitter.end() or [b""])]) == data


def test_lines_without_end_are_skipped_and_counted() -> None:
    """A line longer than allowed is one unreadable line, wherever it stands; the others are read."""
    long = b"x" * (MAX_LINE + 10)
    for data in (long + b'\n{"a": 1}', b'{"a": 1}\n' + long, b'{"a": 1}\n' + long * 2 + b"\n"):
        splitter, parser = LineSplitter(), LineParser()
        lines = [
            line
            for start in range(0, len(data), PIECE)
            for line in splitter.split(data[start : start + PIECE])
        ]
        assert parser.parse(lines + splitter.end()) == [{"a": 1}]
        assert parser.bad + splitter.bad == 1
    parser = LineParser()
    assert parser.parse([b'{"a": "' + b"x" * MAX_LINE + b'"}', b"{}"]) == [{}]
    assert parser.bad == 1


def test_a_huge_file_without_line_ends_is_read_with_little_memory(tmp_path: Path) -> None:
    """Of 64 MB in one line at most some MB are held, forwards and backwards."""
    path = tmp_path / "x.log"
    with open(path, "wb") as stream:
        stream.write(b'{"a": 1}\n')
        stream.writelines(b"x" * 1_000_000 for _ in range(64))
        stream.write(b'\n{"a": 2}\n')
    tracemalloc.start()
    try:
        parser = LineParser()
        found = [o for raw in all_lines([io.FileIO(path)], parser) for o in parser.parse(raw)]
        with io.FileIO(path) as stream:
            backwards = [
                value for line in lines_backwards(stream) if (value := parser.parse_one(line)) is not None
            ]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == [{"a": 1}, {"a": 2}] and backwards == found[::-1]
    assert peak < 8_000_000


@given(LINES)
def test_backwards_is_forwards_reversed(lines: list[bytes]) -> None:
    """From the end the same lines come in the opposite order."""
    data = b"\n".join(lines)
    stream = io.BytesIO(data)
    assert [x for x in lines_backwards(stream) if x] == [x for x in reversed(data.split(b"\n")) if x]  # type: ignore[arg-type]


def test_backwards_over_pieces(tmp_path: Path) -> None:
    """Lines that lie over the border of two pieces are whole."""
    path = tmp_path / "x.log"
    lines = [json.dumps({"n": n, "x": "y" * (n % 3000)}).encode() for n in range(300)]
    path.write_bytes(b"\n".join(lines))
    with io.FileIO(path) as stream:
        assert list(lines_backwards(stream)) == lines[::-1]


def test_only_plain_files_are_opened(tmp_path: Path) -> None:
    """A missing file is None; a folder and a FIFO, which is not waited for, are errors that name them."""
    assert open_part(str(tmp_path / "none")) is None
    os.mkfifo(tmp_path / "fifo")
    for name in ("fifo", "."):
        with pytest.raises(OSError, match="is no plain file"):
            open_part(str(tmp_path / name))
    (tmp_path / "x.log.1").write_bytes(b"{}\n")
    os.mkfifo(tmp_path / "x.log")
    streams, unreadable = open_parts(str(tmp_path / "x.log"))
    assert (len(streams), unreadable) == (1, 1)
    streams[0].close()


def test_a_turn_while_the_parts_are_opened_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the log is turned just then all is looked at again, and no part is given twice."""
    base = tmp_path / "x.log"
    base.write_text("new")
    (tmp_path / "x.log.1").write_text("old")
    really, turns = os.open, []

    def turning(path: str, flags: int, *mode: int) -> int:
        handle = really(path, flags, *mode)
        if len(turns) < 2 and path.endswith(".log"):
            turns.append(path)
            (tmp_path / "x.log.1").rename(tmp_path / "x.log.2")
            base.rename(tmp_path / "x.log.1")
            if len(turns) == 1:
                base.write_text("newest")
            else:
                (tmp_path / "x.log.2").rename(tmp_path / "x.log.3")
                (tmp_path / "x.log.1").rename(tmp_path / "x.log.2")
                base.write_text("last")
        return handle

    (tmp_path / "x.log.0").touch()
    monkeypatch.setattr("os.open", turning)
    streams, unreadable = open_parts(str(base))
    assert [stream.read() for stream in streams][:3] == [b"last", b"newest", b"new"]
    assert unreadable == 0
    for stream in streams:
        stream.close()


def test_a_log_that_is_turned_all_the_time_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some tries what was opened is given."""
    base = tmp_path / "x.log"
    base.write_text("0")
    really = os.open
    count = iter(range(1, 100))

    def turning(path: str, flags: int, *mode: int) -> int:
        handle = really(path, flags, *mode)
        if path.endswith(".log"):
            base.rename(tmp_path / "x.log.1")
            base.write_text(str(next(count)))
        return handle

    monkeypatch.setattr("os.open", turning)
    streams, _ = open_parts(str(base))
    assert len(streams) == 1
    streams[0].close()


def test_an_error_of_the_device_ends_a_file() -> None:
    """What was read before it is kept."""

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise OSError("device")
            return super().read(4)

    assert list(read_pieces(Broken(b"abcdefgh"))) == [b"abcd"]  # type: ignore[arg-type]
