"""What a script sees of its record, in a run and by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from sinagot.errors import PatternError
from sinagot.scripts.codes import StepStatus
from sinagot.scripts.template import ScriptTemplate, StepPaths


class Count(ScriptTemplate):
    PATH_IN = ("raw", "{id}.csv")
    PATH_OUT: ClassVar = {"table": ("counts", "{task}", "{id}.csv"), "picture": "pictures/{id}.png"}


def test_hand_made_script_has_paths_below_the_data() -> None:
    """Without a run, the paths follow from data folder, id and task; a dict of patterns gives a dict of paths."""
    script = Count("data", "REC-1", "RS")
    assert script.path.input == Path("data/raw/REC-1.csv")
    assert script.path.output == {
        "table": Path("data/counts/RS/REC-1.csv"),
        "picture": Path("data/pictures/REC-1.png"),
    }
    assert list(script.path.output) == ["table", "picture"]
    assert script.path.final == script.path.output


def test_all_members_are_there() -> None:
    """A new instance has every member of the established surface."""
    script = Count("data", "REC-1", "RS", {"cut": 3}, "lab", "1.2")
    assert (script.id, script.task, script.modality, script.label) == ("REC-1", "RS", None, None)
    assert script.data_path == Path("data")
    assert script.opts == {"cut": 3}
    assert (script.debug, script.status, script.logger) == (False, StepStatus.INIT, None)
    assert (script.logger_namespace, script.workspace_version) == ("lab", "1.2")


def test_every_path_has_a_default() -> None:
    """A class that declares nothing has an input, an output and a control path."""
    paths = ScriptTemplate("data", "REC-1", "RS").path
    assert all(isinstance(path, Path) for path in (paths.input, paths.output, paths.control))
    assert len({paths.input, paths.output, paths.control}) == 3


def test_options_are_not_shared() -> None:
    """What one instance puts into its options reaches neither the caller's dict nor another instance."""
    given = {"cut": 3}
    first = Count("data", "REC-1", opts=given)
    first.opts["cut"] = 4
    Count("data", "REC-1").opts["new"] = 1
    assert given == {"cut": 3}
    assert Count("data", "REC-1").opts == {}


def test_user_may_override_init() -> None:
    """A script with an __init__ of its own, which hands on what it gets, works; its paths are there at once."""

    class Script(Count):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.name = self.path.input.name

    assert Script("data", "REC-1", task="RS").name == "REC-1.csv"


def test_run_writes_to_the_paths_that_were_set() -> None:
    """In a run, the paths are those that the engine sets; `final` tells where they will stand."""
    script = Count("data", "REC-1")
    script.path = StepPaths(
        Path("in.csv"), {"table": Path("stage/x.csv")}, final={"table": Path("made/x.csv")}
    )
    assert script.path.output["table"] == Path("stage/x.csv")
    assert script.path.final["table"] == Path("made/x.csv")
    assert script.path.control is None


def test_control_may_be_none() -> None:
    """PATH_CONTROL = None is a script without control path."""

    class Script(Count):
        PATH_CONTROL = None

    script = Script("data", "REC-1")
    assert script.path.control is None
    script.path.input = None
    assert script.data_exist.input == {}


def test_data_exist_follows_the_disk(tmp_path: Path) -> None:
    """`data_exist` has every path as a key and tells what is there at the moment of asking."""
    script = Count(tmp_path, "REC-1", "RS")
    assert script.data_exist.input == {tmp_path / "raw/REC-1.csv": False}
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/REC-1.csv").touch()
    assert script.data_exist.input == {tmp_path / "raw/REC-1.csv": True}
    assert set(script.data_exist.output) == set(script.path.output.values())
    assert not any(script.data_exist.output.values())


def test_free_field_gives_all_matches_sorted(tmp_path: Path) -> None:
    """An input field that is no part of the id gives a sorted list of what is there."""

    class Script(ScriptTemplate):
        PATH_IN: ClassVar = {"motion": ("raw", "{id}_{tracksys}.tsv")}
        PATH_OUT = ("made", "{id}.csv")

    (tmp_path / "raw").mkdir()
    for name in ("R_b.tsv", "R_a.tsv", "S_a.tsv"):
        (tmp_path / "raw" / name).touch()
    script = Script(tmp_path, "R")
    assert script.path.input == {"motion": [tmp_path / "raw/R_a.tsv", tmp_path / "raw/R_b.tsv"]}
    assert list(script.data_exist.input.values()) == [True, True]


def test_options_fill_fields() -> None:
    """A field of a pattern may be an option."""

    class Script(Count):
        PATH_OUT = ("made", "{id}-{cut}.csv")

    assert Script("data", "REC-1", opts={"cut": 3}).path.output == Path("data/made/REC-1-3.csv")


def test_declaration_that_is_no_path_is_refused() -> None:
    """A PATH_IN of another type is a PatternError when the path is asked for."""

    class Script(Count):
        PATH_IN = ({"a": 1},)  # type: ignore[assignment]

    with pytest.raises(PatternError):
        _ = Script("data", "REC-1").path


def test_run_must_be_written() -> None:
    """A script without run() says so, with the step's name."""
    script = Count("data", "REC-1")
    script.label = "count"
    with pytest.raises(NotImplementedError, match="'count' has no method run"):
        script.run()


def test_text_form_tells_the_scope() -> None:
    """The repr of a script, and of its paths, tell what they are of."""
    script = Count("data", "REC-1", "RS")
    assert repr(script) == "<Script instance | step: None, id: REC-1, task: RS, modality: None>"
    assert "raw/REC-1.csv" in repr(script.path)


def test_final_paths_are_made_when_asked_for() -> None:
    """The engine may hand in a function: final paths are made at the first question, once."""
    asked: list[Path] = []

    def make() -> Path:
        asked.append(Path("made/x.csv"))
        return asked[0]

    paths = StepPaths(Path("in.csv"), Path("stage/x.csv"), final=make)
    assert asked == []
    assert paths.final is paths.final is asked[0]
    assert len(asked) == 1
