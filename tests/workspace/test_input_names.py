"""How a changed input is told, input by input: by size and time of change, or by content, as the step says."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinagot.dataset import prints
from sinagot.engine.planning.changes import Changes
from sinagot.engine.state import origins
from sinagot.errors import ConfigurationError
from sinagot.scripts.group import GROUP_ID

IDS = ["REC-1", "REC-2", "REC-3"]
HEAD = "[steps]\nscripts = ['join']\n"
OUTDATED = "[run]\nrerun = 'outdated'\n"
INPUTS = {"recording": ("raw", "{id}.csv"), "events": ("events", "{id}.csv")}
#: Where it may be said that the events are told by content: member of the class, or TOML.
DOORS = {
    "class": ("CHECK = {'events': 'digest'}", OUTDATED),
    "step": ("", OUTDATED + "[steps.join]\ncheck = {events = 'digest'}\n"),
    "table of its own": ("", OUTDATED + "[steps.join.check]\nevents = 'digest'\n"),
    "run": ("", OUTDATED + "check = {events = 'digest'}\n"),
    "all but one": ("CHECK = {'recording': 'stat'}", OUTDATED + "check = 'digest'\n"),
    "the narrower word wins": (
        "CHECK = {'events': 'stat', 'recording': 'stat'}",
        OUTDATED + "[steps.join]\ncheck = {events = 'digest'}\n",
    ),
}


def joining(lab: Any, member: str = "", toml: str = OUTDATED, path_in: Any = INPUTS) -> Any:
    """Write a workspace of one step with a recording and a table of events."""
    lab.config(HEAD + toml)
    lab.script("join", path_in, members=member)
    lab.raw(*IDS)
    lab.raw(*IDS, folder="events")
    return lab


def run(lab: Any, **options: Any) -> list[str]:
    """Run what has to be run, and say of which records; a dry run before says the same."""
    lab.ran()
    dry = lab.open().steps.run(printing=False, dry_run=True, **options)
    assert lab.open().steps.run(printing=False, **options).ok
    ran = [place.partition("-")[2] for place in lab.ran()]
    assert [record_id for record_id, _, _ in dry.plan] == ran
    return ran


def touch(path: Path, by: int = 10**6) -> None:
    """Give a file a time of change that it did not have."""
    stamp = os.stat(path).st_mtime_ns + by
    os.utime(path, ns=(stamp, stamp))


def edit(path: Path) -> None:
    """Write something else of the same size at the same time of change."""
    stamp = os.stat(path).st_mtime_ns
    path.write_text(path.read_text().swapcase())
    os.utime(path, ns=(stamp, stamp))


@pytest.mark.parametrize("worth_saving", [1, 500])
@pytest.mark.parametrize("door", DOORS)
def test_each_input_is_told_as_is_said_of_it(
    lab: Any, monkeypatch: pytest.MonkeyPatch, door: str, worth_saving: int
) -> None:
    """Events count by content, the recording by size and time, wherever that is said; again and again.

    What results came from is read from the events of runs, or from the cache.
    """
    monkeypatch.setattr(origins, "_WORTH_SAVING", worth_saving)
    joining(lab, *DOORS[door])
    events, recording = lab.data / "events/REC-2.csv", lab.data / "raw/REC-2.csv"
    assert run(lab) == IDS
    assert run(lab) == []
    touch(events)
    assert [run(lab), run(lab), run(lab)] == [[], [], []], "a new time is no change of its content"
    edit(events)
    assert run(lab) == ["REC-2"]
    assert run(lab) == []
    edit(recording)
    assert run(lab) == [], "by size and time it is the same"
    touch(recording)
    assert run(lab) == ["REC-2"]
    events.unlink()
    assert run(lab) == [], "an input that is gone is no reason"


def test_the_reason_names_the_input(lab: Any) -> None:
    """A plan says which input changed, from what to what; of one told by content the digests too."""
    joining(lab, *DOORS["class"])
    run(lab)
    for record_id, folder in (("REC-1", "events"), ("REC-2", "raw")):
        edit(lab.data / folder / f"{record_id}.csv")
        touch(lab.data / folder / f"{record_id}.csv")
    rows = [row for row in lab.open().steps.plan().iter_jobs() if row["verdict"] == "run"]
    (one,), (two,) = (row["reasons"] for row in rows)
    assert (one.code, one.subject) == ("input_changed", "events/REC-1.csv")
    assert one.old.rpartition(", ")[2] != one.new.rpartition(", ")[2] and one.old.count(", ") == 1
    assert (two.code, two.subject) == ("input_changed", "raw/REC-2.csv") and ", " not in two.old


inputs = st.sampled_from(list(INPUTS))
ways = st.dictionaries(inputs, st.sampled_from(["stat", "digest"]))
acts = st.lists(
    st.tuples(st.sampled_from(["touch", "edit", "both", "run"]), st.sampled_from(IDS), inputs), max_size=8
)


@pytest.mark.parametrize("worth_saving", [1, 500])
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(of_class=ways, of_step=ways, of_run=ways | st.sampled_from(["stat", "digest"]), steps=acts)
def test_after_any_edits_those_run_whose_inputs_changed_as_they_are_told(
    lab: Any,
    monkeypatch: pytest.MonkeyPatch,
    worth_saving: int,
    of_class: dict[str, str],
    of_step: dict[str, str],
    of_run: Any,
    steps: list[tuple[str, str, str]],
) -> None:
    """For any words at three places, the nearest of which holds, and any edits: exactly these records run, once."""
    monkeypatch.setattr(origins, "_WORTH_SAVING", worth_saving)
    shutil.rmtree(lab.data)
    lab.data.mkdir()

    def toml(said: Any) -> str:
        pairs = ", ".join(f"{name} = '{way}'" for name, way in said.items()) if isinstance(said, dict) else ""
        return f"check = {{ {pairs} }}\n" if isinstance(said, dict) else f"check = '{said}'\n"

    member = f"CHECK = {of_class!r}" if of_class else ""
    joining(lab, member, f"{OUTDATED}{toml(of_run)}[steps.join]\n{toml(of_step)}")
    base = (
        dict.fromkeys(INPUTS, of_run) if isinstance(of_run, str) else dict.fromkeys(INPUTS, "stat") | of_run
    )
    way_of = base | of_class | of_step

    def noted(record_id: str) -> dict[str, Any]:
        files = {name: lab.data / folder / f"{record_id}.csv" for name, (folder, _) in INPUTS.items()}
        return {
            name: file.read_text() if way_of[name] == "digest" else os.stat(file).st_mtime_ns
            for name, file in files.items()
        }

    made = {}
    for act, record_id, name in [*steps, ("run", "", "")]:
        if act == "run":
            changed = [one for one in IDS if made.get(one) != noted(one)]
            assert run(lab) == changed
            made = {one: noted(one) for one in IDS}
            continue
        file = lab.data / INPUTS[name][0] / f"{record_id}.csv"
        if act != "touch":
            edit(file)
        if act != "edit":
            touch(file)
    assert run(lab) == []


@pytest.mark.parametrize(
    "toml",
    [
        "[steps.a]\ncheck = {'raw/{id}-{task}.csv' = 'digest'}\n",
        "[modalities.EEG.steps.a]\ncheck = {'raw/{id}-{task}.csv' = 'digest'}\n[steps.a]\ncheck = 'stat'\n",
        "[run]\ncheck = {'raw/{id}-{task}.csv' = 'digest'}\n",
    ],
)
def test_an_input_without_a_name_is_called_by_its_path(lab: Any, toml: str) -> None:
    """The only input of a step has the path as its name, as the script writes it, in a word with `/`."""
    lab.scoped(more=toml)
    options = {"printing": False, "rerun": "outdated"}
    lab.open().steps.run(**options)
    lab.ran()
    raw = lab.data / "raw/REC-1-RS.csv"
    touch(raw)
    assert lab.open().steps.run(**options).ok and lab.ran() == []
    edit(raw)
    assert lab.open().steps.run(**options).ok and lab.ran() == ["RS-EEG-a-REC-1", "RS-EEG-b-REC-1"]
    touch(lab.data / "moves/REC-1-HDC.csv")
    assert lab.open().steps.run(**options).ok and lab.ran() == ["HDC-behavior-a-REC-1"]


@pytest.mark.parametrize("way", ["stat", "digest"])
def test_all_matches_of_a_pattern_are_told_alike(lab: Any, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a pattern has a free field, each of its matches is told as is said of the input; a new one counts."""
    lab.config(
        HEAD,
        records='path = "events/{id}.csv"\nid_pattern = "REC-[0-9]+"\n[records.entities]\npart = "[a-z]"',
    )
    body = """
    self.path.output.write_text("".join(part.read_text() for part in self.path.input["parts"]))
    """
    paths = {"parts": ("raw", "{id}_{part}.csv"), "events": ("events", "{id}.csv")}
    other = {"stat": "digest", "digest": "stat"}[way]
    lab.script("join", paths, body=body, members=f"CHECK = {{'parts': {way!r}, 'events': {other!r}}}")
    lab.raw("REC-1", "REC-2", folder="events")
    lab.raw("REC-1_a", "REC-1_b", "REC-2_a")
    assert run(lab, rerun="outdated") == ["REC-1", "REC-2"]
    touch(lab.data / "raw/REC-1_b.csv")
    touch(lab.data / "events/REC-2.csv")
    assert run(lab, rerun="outdated") == {"stat": ["REC-1"], "digest": ["REC-2"]}[way]
    edit(lab.data / "raw/REC-1_b.csv")
    edit(lab.data / "events/REC-2.csv")
    assert run(lab, rerun="outdated") == {"stat": ["REC-2"], "digest": ["REC-1"]}[way]
    lab.raw("REC-2_c")
    assert run(lab, rerun="outdated") == ["REC-2"]
    monkeypatch.setattr(prints, "content_digest", None)
    touch(lab.data / "raw/REC-2_c.csv", by=10**11)
    assert lab.open().steps.count_older() == 1, (
        "nothing is read to count results that are older than an input"
    )


def test_inputs_of_a_group_step(lab: Any) -> None:
    """A step over all records tells the inputs of each record as is said of them."""
    lab.config("[steps]\nscripts = ['join']\ngroup_scripts = ['table']\n")
    lab.script("join", INPUTS)
    table = lab.script(
        "table",
        INPUTS,
        ("table.txt",),
        head="from sinagot import GroupTemplate",
        members="CHECK = {'events': 'digest'}",
        body='self.path.output.write_text("made")',
    )
    table.write_text(table.read_text().replace("Script(ScriptTemplate)", "Script(GroupTemplate)"))
    lab.raw(*IDS)
    lab.raw(*IDS, folder="events")
    lab.open().steps.run(printing=False)
    assert run(lab) == []
    touch(lab.data / "events/REC-2.csv")
    assert [run(lab), run(lab)] == [[], []]
    for change, name in ((edit, "events"), (touch, "raw")):
        change(lab.data / name / "REC-2.csv")
        assert run(lab) == [GROUP_ID]
    edit(lab.data / "raw/REC-2.csv")
    assert run(lab) == []


def test_what_was_made_before_it_was_said_counts_by_time(lab: Any) -> None:
    """A result that notes no digest is compared by size and time; one that does also when content counts no more."""
    said = OUTDATED + "[steps.join]\ncheck = {events = 'digest'}\n"
    joining(lab)
    run(lab)
    lab.config(HEAD + said)
    assert run(lab) == []
    touch(lab.data / "events/REC-1.csv")
    assert run(lab) == ["REC-1"], "nobody knows what it was made from"
    touch(lab.data / "events/REC-1.csv")
    assert run(lab) == []
    lab.config(HEAD + OUTDATED)
    assert run(lab) == ["REC-1"]


def test_accepted_inputs_are_told_as_is_said_of_them(lab: Any) -> None:
    """Who settles a change settles the content of what is told by content."""
    joining(lab, *DOORS["step"])
    run(lab)
    for folder in ("raw", "events"):
        edit(lab.data / folder / "REC-1.csv")
        touch(lab.data / folder / "REC-1.csv")
    assert [one.record_id for one in lab.open().steps.accept("put right by hand")] == ["REC-1"]
    touch(lab.data / "events/REC-1.csv")
    assert run(lab) == []
    edit(lab.data / "events/REC-1.csv")
    assert run(lab) == ["REC-1"]


def test_only_what_is_told_by_content_is_read(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read of a recording that is told by its time, whatever happens."""
    joining(lab, *DOORS["class"])
    read: list[str] = []
    inner = prints.content_digest
    monkeypatch.setattr(prints, "content_digest", lambda path: [read.append(path), inner(path)][1])
    run(lab)
    touch(lab.data / "events/REC-1.csv")
    edit(lab.data / "events/REC-2.csv")
    touch(lab.data / "raw/REC-3.csv")
    assert run(lab) == ["REC-2", "REC-3"]
    assert {os.path.relpath(path, lab.data) for path in read} == {f"events/{one}.csv" for one in IDS}


@pytest.mark.parametrize("worth_saving", [1, 500])
def test_what_was_only_touched_needs_no_closer_look(
    lab: Any, monkeypatch: pytest.MonkeyPatch, worth_saving: int
) -> None:
    """Where the content of an input is what it was, its time is not even compared: finished work stays quick."""
    monkeypatch.setattr(origins, "_WORTH_SAVING", worth_saving)
    joining(lab, *DOORS["class"])
    run(lab)
    run(lab)
    touch(lab.data / "events/REC-1.csv")
    monkeypatch.setattr(Changes, "reasons", None)
    assert run(lab) == []


# -- names that are wrong


def refused(lab: Any) -> ConfigurationError:
    """Give the error of a workspace whose configuration can't be used; every question tells it."""
    with pytest.raises(ConfigurationError) as caught:
        lab.open().steps.run(printing=False)
    assert lab.ran() == [] and not (lab.data / ".sinagot").exists()
    assert str(caught.value) in [str(problem) for _, problem in lab.open().blueprint.check()]
    return caught.value


def test_unknown_input_in_a_class(lab: Any) -> None:
    """A name in `CHECK` that is no input is an error with step, file, the names that there are, and the near one."""
    joining(lab, "CHECK = {'event': 'digest'}")
    file = lab.scripts / "join.py"
    expected = f"step join ({file}): CHECK: 'event' is no input of the step; inputs are 'recording', 'events'; did you mean 'events'?"
    assert str(refused(lab)) == expected


@pytest.mark.parametrize(
    ("toml", "key", "line", "text"),
    [
        (
            "[steps.join]\ncheck = {event = 'digest'}\n",
            "steps.join.check.event",
            6,
            "step join does not have this input; inputs are 'recording', 'events'; did you mean 'events'?",
        ),
        (
            "[steps.join.check]\nevents = 'digest'\n'raw/{id}.csv' = 'stat'\n",
            'steps.join.check."raw/{id}.csv"',
            7,
            "step join does not have this input; inputs are 'recording', 'events'",
        ),
        (
            "[run]\ncheck = {recordings = 'stat'}\n",
            "run.check.recordings",
            6,
            "no step has this input; inputs are 'recording', 'events'; did you mean 'recording'?",
        ),
    ],
)
def test_unknown_input_in_the_configuration(lab: Any, toml: str, key: str, line: int, text: str) -> None:
    """A name that is no input of any step that a table is about is an error with file, line, key and near names."""
    joining(lab, toml=toml)
    error = refused(lab)
    assert str(error) == f"{lab.root / 'workspace.toml'}:{line}: {key}: {text}"


def test_a_table_may_name_what_one_of_its_steps_reads(lab: Any) -> None:
    """`[steps.a]` speaks of the steps of that name in all modalities, `[run]` of all: one that has the input is enough."""
    lab.scoped(more="[steps.a]\ncheck = {'moves/{id}-{task}.csv' = 'digest'}\n[run]\nrerun = 'outdated'\n")
    assert lab.open().steps.run(printing=False).ok
    lab.scoped(more="[modalities.EEG.steps.a]\ncheck = {'moves/{id}-{task}.csv' = 'digest'}\n")
    with pytest.raises(
        ConfigurationError, match=r"modalities\.EEG\.steps\.a\.check.* 'raw/{id}-{task}\.csv'"
    ):
        lab.open().steps.run(printing=False)


def test_several_wrong_names_are_told_together(lab: Any) -> None:
    """All of them stand in one error."""
    joining(
        lab, toml="[steps.join]\ncheck = {one = 'stat', two = 'digest'}\n[run]\ncheck = {three = 'stat'}\n"
    )
    with pytest.raises(ConfigurationError) as caught:
        lab.open().steps.run(printing=False)
    assert [problem.found for problem in caught.value.problems or ()] == ["one", "two", "three"]


def test_nothing_is_said_of_the_inputs_of_a_broken_step(lab: Any) -> None:
    """What a broken script reads is not known: its own error is told, and the others run."""
    lab.unit("a", "b", more="[run]\ncheck = {events = 'digest'}\n[steps.b]\ncheck = {more = 'digest'}\n")
    lab.write("scripts/b.py", "broken (")
    problems = [str(problem) for _, problem in lab.open().blueprint.check()]
    assert len(problems) == 1 and "b.py" in problems[0]


def test_command_steps_name_their_inputs(lab: Any) -> None:
    """The names of a command's inputs are those of its table `input`."""
    command = """
    command = ["sort", "{input.events}", "-o", "{output}"]
    input = {recording = "raw/{id}.csv", events = "events/{id}.csv"}
    output = "join/{id}.csv"
    check = {events = "digest"}
    rerun = "outdated"
    """
    joining(lab, toml=f"[steps.join]{command}")
    (lab.scripts / "join.py").unlink()

    def done() -> int:
        return lab.open().steps.run(printing=False).counts["done"]

    assert done() == 3
    touch(lab.data / "events/REC-1.csv")
    assert done() == 0
    edit(lab.data / "events/REC-1.csv")
    touch(lab.data / "raw/REC-2.csv")
    assert done() == 2
