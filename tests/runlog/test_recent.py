"""The newest lines of a log, page by page, whatever its size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sinagot.errors import CursorError
from sinagot.runlog.recent import recent_lines


def _write(folder: Path, count: int, filler: str = "", part: str = "") -> None:
    folder.mkdir(exist_ok=True)
    lines = (json.dumps({"number": number, "message": filler}) + "\n" for number in range(count))
    (folder / f"R.log{part}").write_text("".join(lines))


def test_pages_join_to_the_whole_log(tmp_path: Path) -> None:
    """Pages follow each other from the newest line to the oldest, across parts, without gap or double."""
    _write(tmp_path, 30)
    _write(tmp_path, 25, part=".1")
    numbers: list[int] = []
    more = True
    while more:
        page = recent_lines(str(tmp_path), "R", skip=len(numbers), limit=7)
        numbers += [line["number"] for line in page.lines]
        more = page.has_more
    assert numbers == [*range(29, -1, -1), *range(24, -1, -1)]


@pytest.mark.parametrize("filler", ["", "é" * 40_000])
def test_pages_by_their_place_join_too(tmp_path: Path, filler: str) -> None:
    """Each page goes on where the last one ended, though the log grows and is turned meanwhile, and reads no more."""
    _write(tmp_path, 30, filler)
    _write(tmp_path, 25, filler, part=".1")
    numbers: list[int] = []
    before: str | None = None
    size = len(json.dumps({"number": 29, "message": filler})) + 1
    for page_number in range(8):
        page = recent_lines(str(tmp_path), "R", limit=7, before=before, most_bytes=8 * size + 8)
        assert not page.is_cut
        numbers += [line["number"] for line in page.lines]
        before = page.next
        assert page.has_more == (before is not None) == (page_number < 7)
        if page_number == 1:
            for old, new in ((".1", ".2"), ("", ".1")):
                (tmp_path / f"R.log{old}").rename(tmp_path / f"R.log{new}")
            _write(tmp_path, 3)
    assert numbers == [*range(29, -1, -1), *range(24, -1, -1)]
    with pytest.raises(CursorError):
        recent_lines(str(tmp_path), "R", before="1:2")
    assert recent_lines(str(tmp_path), "R", before="1:2:3").lines == []


def test_lines_that_are_wanted_are_counted_alone(tmp_path: Path) -> None:
    """Only lines that are wanted are passed over and given; broken ones are counted."""
    _write(tmp_path, 20)
    with (tmp_path / "R.log").open("a") as file:
        file.write('{"number": NaN\n')
    page = recent_lines(str(tmp_path), "R", skip=1, limit=2, wanted=lambda line: line["number"] % 5 == 0)
    assert [line["number"] for line in page.lines] == [10, 5]
    assert (page.has_more, page.bad) == (True, 1)


def test_search_in_a_huge_log_ends(tmp_path: Path) -> None:
    """Of a log that is larger than the budget the newest part is searched, and that is said."""
    _write(tmp_path, 2000, "x" * 1000)
    page = recent_lines(str(tmp_path), "R", wanted=lambda line: line["number"] == 0, most_bytes=500_000)
    assert (page.lines, page.is_cut) == ([], True)
    assert not recent_lines(str(tmp_path), "R", wanted=lambda line: line["number"] == 0).is_cut
