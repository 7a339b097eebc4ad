"""What results came from, read from the events of all runs."""

from __future__ import annotations

import json
from array import array
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.dataset.prints import ABSENT, States
from sinagot.engine.state import origins
from sinagot.engine.state.history import EventFile, RunFolder
from sinagot.engine.state.origins import Origins, params_text, prints_of, short_path


class History:
    """A state folder with some runs."""

    def __init__(self, folder: Path) -> None:
        self.state = str(folder)

    def add(self, run_id: str, *events: dict[str, Any], is_over: bool = True) -> None:
        """Write a run."""
        run = RunFolder(self.state, run_id)
        run.begin()
        file = EventFile(run.path, "host-1")
        for event in events:
            file.append(event)
        file.close()
        if is_over:
            run.end()


def event(key: str, time: str, *, kind: str = "done", **facts: Any) -> dict[str, Any]:
    """Make an event of an attempt that published."""
    made = {
        "inputs": ["1 1"],
        "outputs": ["2 2"],
        "code": "c",
        "params": "{}",
        "paths": "p",
        "duration_s": 0.5,
    }
    return {"event": kind, "key": key, "time": time, **made, **facts}


def repeated(text: str | None, times: int) -> States:
    """Give what a look at some files of one size and time gives."""
    size, time = map(int, (text or f"{ABSENT} 0").split(" "))
    return States(array("q", [size] * times), array("q", [time] * times))


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def test_the_newest_attempt_that_published_counts(history: History) -> None:
    """Of several runs the last word of each job counts; failures, other events and broken lines say nothing of results."""
    history.add("r1", event("R/a", "t1"), event("R/b", "t1"))
    history.add(
        "r2", event("R/a", "t3", code="d"), event("R/b", "t2", kind="failed"), {"event": "done", "key": 3}
    )
    history.add("r3", event("R/a", "t2", code="old"), event("R/c", "t4", kind="accepted"))
    found = Origins(history.state)
    origin = found.get("R/a")
    assert origin is not None and (origin.run_id, origin.code, origin.duration) == ("r2", "d", 0.5)
    assert [one and one.run_id for one in map(found.get, ("R/b", "R/c", "R/d"))] == ["r1", "r3", None]
    assert len(found) == 3


def test_cache_gives_the_same_and_reads_only_what_is_new(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs that have ended are read once; one that goes on is read each time; without the cache all is read again."""
    monkeypatch.setattr(origins, "_WORTH_SAVING", 1)
    history.add("r1", *[event(f"R{number}/a", "t1", inputs=[[["x", "1 1"]]]) for number in range(20)])
    history.add("r2", event("R1/a", "t2"), is_over=False)
    first = Origins(history.state)
    first.save()
    read: list[str] = []
    inner = origins.iter_events
    monkeypatch.setattr(
        origins, "iter_events", lambda folder: [read.append(Path(folder).name), inner(folder)][1]
    )
    history.add("r3", event("R2/a", "t3", code="new"))
    second = Origins(history.state)
    assert read == ["r3"], "nobody works for r2 any more: it was taken as over"
    keys = [f"R{number}/a" for number in range(20)]
    assert [second.get(key) for key in keys if key != "R2/a"] == [
        first.get(key) for key in keys if key != "R2/a"
    ]
    assert second.get("R2/a").code == "new"  # type: ignore[union-attr]
    Path(history.state, "index", "origins.json").unlink()
    third = Origins(history.state)
    assert [third.get(key) for key in keys] == [second.get(key) for key in keys]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "null",
        '{"format": 0}',
        '{"format": 2, "steps": {"/a": {"ids": ["R"]}}, "rows": {}, "texts": [], "runs": ["r1"]}',
        '{"format": 2, "steps": ["a"], "rows": {}, "texts": [], "runs": ["r1"]}',
    ],
)
def test_broken_cache_costs_time_only(history: History, text: str) -> None:
    """A cache of another version, or half of one, is passed over."""
    history.add("r1", event("R/a", "t1"))
    file = Path(history.state, "index", "origins.json")
    file.parent.mkdir()
    file.write_text(text)
    assert Origins(history.state).get("R/a") is not None


def test_a_text_that_no_origin_has_differs_from_all(history: History) -> None:
    """Code, parameters and paths count; so does what no run is known to have made."""
    history.add("r1", event("R/a", "t1"), event("S/a", "t1", code="other"))
    found = Origins(history.state)

    def differing(*texts: str) -> set[int]:
        return found.differing("/a", ["R", "S", "T"], [repeated("1 1", 3)], [repeated("2 2", 3)], texts)

    assert differing("c", "{}", "p") == {1, 2}
    assert differing("other", "{}", "p") == {0, 2}
    assert differing("new", "{}", "p") == {0, 1, 2} == differing("c", "{}", "elsewhere")
    assert found.durations_of("/a") == [0.5, 0.5]


def test_no_history_at_all(tmp_path: Path) -> None:
    """Without a state folder nothing is known, and nothing is written."""
    found = Origins(str(tmp_path / "none"))
    found.save()
    assert found.get("R/a") is None and list(tmp_path.iterdir()) == []


def test_paths_are_kept_below_their_roots() -> None:
    """A dataset that moves keeps its names; a folder whose name only begins like the root is another one."""
    assert short_path("/lab/raw/a", "/lab", "/out") == "raw/a"
    assert short_path("/out/b", "/lab", "/out") == "b"
    assert short_path("/laboratory/a", "/lab", "/out") == "/laboratory/a"


@given(st.dictionaries(st.text(max_size=3), st.integers() | st.lists(st.booleans(), max_size=2), max_size=4))
def test_equal_parameters_are_equal_texts(params: dict[str, Any]) -> None:
    """The order in which parameters were written does not matter, and the text reads back."""
    text = params_text(params)
    assert text == params_text(dict(reversed(params.items())))
    assert json.loads(text) == params


def test_prints_keep_the_shape() -> None:
    """One print for each path of a step, and names with prints for each path with free fields."""
    looks = {"a": "1 1", "b": None, "c": "3 3"}
    assert prints_of("a", looks.get, str.upper) == ["1 1"]
    assert prints_of(["a", "b"], looks.get, str.upper) == [[["A", "1 1"], ["B", None]]]
    assert prints_of({"x": "c", "y": []}, looks.get, str.upper) == ["3 3", []]
