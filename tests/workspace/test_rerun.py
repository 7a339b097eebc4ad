"""What runs again: results are made anew when what they came from changed, and only then."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinagot.engine.state import origins
from sinagot.errors import ConfigurationError

IDS = ["REC-1", "REC-2", "REC-3"]
#: c joins a and b; both import the module beside the scripts.
STEPS = {"a": ("raw",), "b": ("raw",), "c": ("a", "b")}
BODY = """
import extra
parts = self.path.input.values() if isinstance(self.path.input, dict) else [self.path.input]
self.path.output.write_text("".join(part.read_text() for part in parts) + f"{self.label}{extra.VERSION} ")
"""


@pytest.fixture
def pipeline(lab):
    """Give a workspace whose steps split, join and share a module."""
    lab.config(f"[steps]\nscripts = {list(STEPS)}\n")
    for step, sources in STEPS.items():
        lab.script(step, {source: (source, "{id}.csv") for source in sources}, body=BODY)
    lab.write("scripts/extra.py", "VERSION = 0\n")
    lab.raw(*IDS)
    return lab


def run(lab, **options: Any):
    """Run what is outdated."""
    return lab.open().steps.run(**{"printing": False, "rerun": "outdated", **options})


def reasons(lab, **options: Any) -> dict[str, list[str]]:
    """Give the codes of the reasons of all jobs that would run."""
    plan = lab.open().steps.plan(**{"rerun": "outdated", **options})
    return {
        f"{row['step_label']}-{row['record_id']}": [reason.code for reason in row["reasons"]]
        for row in plan.iter_jobs()
        if row["verdict"] == "run"
    }


def later(path) -> None:
    """Give a file a time of change that it did not have."""
    stamp = os.stat(path).st_mtime_ns + 1_000_000
    os.utime(path, ns=(stamp, stamp))


def test_nothing_changed_nothing_runs(pipeline) -> None:
    """After a run every result is up to date by either rule, and the status says so."""
    assert run(pipeline).counts["done"] == 9
    assert run(pipeline).counts["up_to_date"] == 9
    assert reasons(pipeline) == {}
    pipeline.config(f"[steps]\nscripts = {list(STEPS)}\n[run]\nrerun = 'outdated'\n")
    assert {row["step_status"] for row in pipeline.open().steps.iter_status()} == {30}
    assert pipeline.open().steps.run(printing=False).counts["up_to_date"] == 9


def test_changed_input_makes_all_that_comes_from_it_anew(pipeline) -> None:
    """One input changed: the steps that read it, and those that read what they make, of this record only."""
    run(pipeline)
    pipeline.ran()
    pipeline.write("dataset/raw/REC-2.csv", "other\n")
    later(pipeline.data / "raw/REC-2.csv")
    expected = {
        "a-REC-2": ["input_changed"],
        "b-REC-2": ["input_changed"],
        "c-REC-2": ["upstream_runs", "upstream_runs"],
    }
    assert reasons(pipeline) == expected
    assert pipeline.open().steps.run(printing=False).counts["up_to_date"] == 9, (
        "`missing` looks at presence only"
    )
    assert run(pipeline).counts["done"] == 3
    assert pipeline.ran() == list(expected)
    assert pipeline.text("c/REC-2.csv") == "other\na0 other\nb0 c0 "
    assert run(pipeline).counts["up_to_date"] == 9


def test_changed_script_and_module(pipeline) -> None:
    """An edited script makes its step anew, an edited module all steps that import it; the file is named."""
    run(pipeline)
    script = pipeline.scripts / "b.py"
    script.write_text(script.read_text() + "\n# more\n")
    assert set(reasons(pipeline)) == {f"{step}-{record}" for step in "bc" for record in IDS}
    (reason,) = next(pipeline.open().records.get("REC-1").steps.plan("b", rerun="outdated").iter_jobs())[
        "reasons"
    ]
    assert reason.code == "script_changed" and "b.py" in reason.text and "extra" not in reason.text
    run(pipeline)
    pipeline.write("scripts/extra.py", "VERSION = 1\n")
    (reason,) = next(pipeline.open().records.get("REC-1").steps.plan("a", rerun="outdated").iter_jobs())[
        "reasons"
    ]
    assert reason.subject == "extra" and "a.py" not in reason.text
    assert run(pipeline).counts["done"] == 9
    assert pipeline.text("c/REC-1.csv") == "REC-1\na1 REC-1\nb1 c1 "


def test_changed_paths(pipeline) -> None:
    """A step that declares other inputs makes its result anew."""
    run(pipeline)
    pipeline.script("c", {"b": ("b", "{id}.csv")}, body=BODY)
    assert {code for codes in reasons(pipeline).values() for code in codes} == {
        "paths_changed",
        "script_changed",
    }


def test_touched_input_is_the_same_where_content_counts(pipeline) -> None:
    """With `check = "digest"` a new time is no change, and new content with the old size and time is one."""
    toml = f"[steps]\nscripts = {list(STEPS)}\n[run]\nrerun = 'outdated'\n"
    pipeline.config(toml + "check = 'digest'\n")
    run(pipeline)
    raw = pipeline.data / "raw/REC-1.csv"
    later(raw)
    assert reasons(pipeline) == {}
    run(pipeline, rerun="always")
    stamp = os.stat(raw).st_mtime_ns
    raw.write_text("rec-1\n")
    os.utime(raw, ns=(stamp, stamp))
    assert set(reasons(pipeline)) == {"a-REC-1", "b-REC-1", "c-REC-1"}
    pipeline.config(toml)
    assert reasons(pipeline) == {}, "by size and time it is the same"
    later(raw)
    assert set(reasons(pipeline)) == {"a-REC-1", "b-REC-1", "c-REC-1"}


def test_rule_of_a_step(pipeline) -> None:
    """`rerun` may be said for a step, in the TOML or in the class; the call wins."""
    pipeline.config(f"[steps]\nscripts = {list(STEPS)}\n[steps.a]\nrerun = 'outdated'\n")
    pipeline.script("b", {"raw": ("raw", "{id}.csv")}, body=BODY, members="RERUN = 'always'")
    pipeline.open().steps.run(printing=False)
    pipeline.ran()
    pipeline.write("dataset/raw/REC-1.csv", "other\n")
    later(pipeline.data / "raw/REC-1.csv")
    assert {row["step_status"] for row in pipeline.open().records.get("REC-1").steps.iter_status("a")} == {31}
    report = pipeline.open().steps.run(printing=False)
    assert sorted(pipeline.ran()) == ["a-REC-1", *(f"b-{record}" for record in IDS)]
    assert report.counts["up_to_date"] == 5
    assert run(pipeline, rerun="missing").counts["up_to_date"] == 9
    assert run(pipeline, rerun="always").counts["done"] == 9


def test_unknown_rule_is_refused(pipeline) -> None:
    """A word that is no rule is an error that lists those there are."""
    with pytest.raises(ConfigurationError, match="'missing', 'outdated' or 'always'"):
        run(pipeline, rerun="newer")


def test_vanished_input_leaves_the_result(pipeline) -> None:
    """A result whose raw file is gone stays done: nothing could be made of it."""
    pipeline.config(
        f"[steps]\nscripts = {list(STEPS)}\n", records='path = "list/{id}"\nid_pattern = "REC-[0-9]+"'
    )
    for record in IDS:
        pipeline.write(f"dataset/list/{record}")
    run(pipeline)
    (pipeline.data / "raw/REC-1.csv").unlink()
    assert run(pipeline).counts["up_to_date"] == 9


def test_moved_dataset_is_still_the_same(pipeline) -> None:
    """A workspace folder that was renamed has nothing to do."""
    run(pipeline)
    moved = pipeline.root.with_name("moved")
    pipeline.root.rename(moved)
    from sinagot import Workspace

    assert Workspace(moved).steps.run(printing=False, rerun="outdated").counts["up_to_date"] == 9


def test_lost_caches_and_history(pipeline) -> None:
    """Without the index nothing changes; without the runs outputs count as delivered, judged by time."""
    run(pipeline)
    shutil.rmtree(pipeline.data / ".sinagot/index")
    assert reasons(pipeline) == {}
    shutil.rmtree(pipeline.data / ".sinagot/runs")
    assert reasons(pipeline) == {}
    later(pipeline.data / "a/REC-1.csv")
    later(pipeline.data / "a/REC-1.csv")
    stamp = os.stat(pipeline.data / "c/REC-1.csv").st_mtime_ns + 10**9
    os.utime(pipeline.data / "a/REC-1.csv", ns=(stamp, stamp))
    assert reasons(pipeline) == {"c-REC-1": ["input_newer"]}


def test_two_runs_make_what_is_outdated_once(pipeline) -> None:
    """A run that planned a job which another run has made meanwhile finds it done."""
    run(pipeline)
    for record in IDS:
        pipeline.write(f"dataset/raw/{record}.csv", "other\n")
        later(pipeline.data / f"raw/{record}.csv")
    pipeline.ran()
    nested = """
    import sinagot
    if not Path({marker!r}).exists():
        Path({marker!r}).touch()
        others = sinagot.Workspace({root!r}).records.select(["REC-2", "REC-3"])
        others.steps.run(printing=False, rerun="outdated", mode="main_process")
    """
    pipeline.wish("a-REC-1", nested.format(marker=str(pipeline.root / "nested"), root=str(pipeline.root)))
    report = run(pipeline)
    assert report.counts["done"] == 3 and report.counts["up_to_date"] + report.counts["done_elsewhere"] == 6
    assert sorted(pipeline.ran()) == sorted(f"{step}-{record}" for step in STEPS for record in IDS)


def test_what_another_run_is_making_anew_is_waited_for(pipeline) -> None:
    """A run that finds an outdated result just being made by another one waits, and does not make it again."""
    run(pipeline)
    pipeline.write("dataset/raw/REC-1.csv", "other\n")
    later(pipeline.data / "raw/REC-1.csv")
    pipeline.ran()
    gate = pipeline.gate("a-REC-1")
    first = run(pipeline, wait=False)
    gate.wait()
    second = run(pipeline, wait=False)
    pipeline.wait_for_plan(second)
    gate.open()
    second.wait(60)
    counts = first.wait(60).counts
    assert counts["done"] + second.counts["done"] == 3 and first.ok and second.ok
    assert counts["done"] and second.counts["done_elsewhere"]
    assert sorted(pipeline.ran()) == ["a-REC-1", "b-REC-1", "c-REC-1"]
    assert run(pipeline).counts["up_to_date"] == 9


def test_clock_that_was_ahead(pipeline) -> None:
    """Results made after a clock was put back count as the newest, though an older event has a later time."""
    run(pipeline)
    (first,) = (pipeline.data / ".sinagot/runs").iterdir()
    for path in first.glob("events-*"):
        path.write_text(re.sub(r'("time": ")\d{4}', r"\g<1>2999", path.read_text()))
    first.rename(first.with_name("2999" + first.name[4:]))
    pipeline.write("scripts/extra.py", "VERSION = 1\n")
    assert run(pipeline).counts["done"] == 9
    assert reasons(pipeline) == {}
    pipeline.write("scripts/extra.py", "VERSION = 2\n")
    assert reasons(pipeline)["a-REC-1"] == ["script_changed"]
    assert run(pipeline).counts["done"] == 9


# -- accept


def test_accepted_changes_are_settled(pipeline) -> None:
    """What was accepted is up to date, with who and why on record; the next change counts again."""
    run(pipeline)
    script = pipeline.scripts / "b.py"
    script.write_text(script.read_text() + "\n# more\n")
    accepted = pipeline.open().records.select(["REC-1", "REC-2"]).steps.accept("a comment", "b")
    assert [(one.record_id, one.node.label) for one in accepted] == [("REC-1", "b"), ("REC-2", "b")]
    assert set(reasons(pipeline)) == {"b-REC-3", "c-REC-3"}
    assert pipeline.open().steps.accept("a comment")[0].record_id == "REC-3"
    assert reasons(pipeline) == {} and pipeline.open().steps.accept("again") == []
    (manifest,) = {
        path.read_text()
        for path in pipeline.data.glob(".sinagot/runs/*/run.json")
        if '"a comment"' in path.read_text() and '"accepted": 1' in path.read_text()
    }
    assert '"user"' in manifest and '"kind": "accept"' in manifest
    pipeline.write("scripts/extra.py", "VERSION = 1\n")
    assert len(reasons(pipeline)) == 9


def test_unfinished_results_are_not_accepted(pipeline) -> None:
    """What failed cannot be settled, and a reason has to be given."""
    run(pipeline)
    pipeline.fail("a-REC-1")
    run(pipeline, rerun="always")
    pipeline.write("scripts/extra.py", "VERSION = 1\n")
    accepted = pipeline.open().steps.accept("fine")
    assert ("REC-1", "a") not in [(one.record_id, one.node.label) for one in accepted]
    with pytest.raises(ValueError, match="reason"):
        pipeline.open().steps.accept("  ")


# -- any sequence of edits

edits = st.lists(
    st.tuples(
        st.sampled_from(
            ["raw", "touch", "remove", "script", "module", "run", "outdated", "fail", "delete raw"]
        ),
        st.sampled_from(IDS),
        st.sampled_from(list(STEPS)),
    ),
    max_size=6,
)


def edit(lab, kind: str, record: str, step: str, number: int) -> None:
    """Do what a user, or a run, may do between two runs."""
    raw, script, output = (
        lab.data / f"raw/{record}.csv",
        lab.scripts / f"{step}.py",
        lab.data / f"{step}/{record}.csv",
    )
    does: dict[str, Callable[[], object]] = {
        "raw": lambda: raw.write_text(f"{record} {number}\n"),
        "touch": raw.touch,
        "remove": lambda: output.unlink(missing_ok=True),
        "script": lambda: script.write_text(script.read_text() + f"\n# {number}\n"),
        "module": lambda: lab.write("scripts/extra.py", f"VERSION = {number}\n"),
        "run": lambda: run(lab, rerun="missing"),
        "outdated": lambda: run(lab),
        "fail": lambda: fail_once(lab, f"{step}-{record}"),
        "delete raw": lambda: raw.unlink(missing_ok=True),
    }
    does[kind]()
    if raw.exists():
        later(raw)


def fail_once(lab, place: str) -> None:
    lab.fail(place)
    run(lab)
    lab.heal(place)


@pytest.mark.parametrize("worth_saving", [1, 500])
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits)
def test_dry_run_and_run_agree_after_any_edits(
    pipeline, monkeypatch: pytest.MonkeyPatch, worth_saving: int, steps: list[tuple[str, str, str]]
) -> None:
    """What a plan says is what runs, in that order; then nothing is left to do, and results are those of a forced run.

    Whether what results came from is read from the events, or from the cache, where a step is compared at once.
    """
    lab = pipeline
    monkeypatch.setattr(origins, "_WORTH_SAVING", worth_saving)
    for name in ("raw", *STEPS, ".sinagot", "LOG"):
        shutil.rmtree(lab.data / name, ignore_errors=True)
    lab.write("scripts/extra.py", "VERSION = 0\n")
    lab.raw(*IDS)
    run(lab)
    for number, step in enumerate(steps, 1):
        edit(lab, *step, number)
    lab.ran()
    dry = run(lab, dry_run=True)
    report = run(lab)
    assert lab.ran() == [f"{label}-{record}" for record, label, _ in dry.plan]
    assert report.counts["done"] == len(dry.plan)
    assert run(lab, dry_run=True).plan == []
    made = {
        name: text
        for name, (_, _, text) in lab.tree().items()
        if name.startswith(("dataset/a", "dataset/b", "dataset/c"))
    }
    assert run(lab, rerun="always").ok
    again = {name: text for name, (_, _, text) in lab.tree().items() if name in made}
    assert again == made


def test_finished_work_is_looked_at_file_by_file_and_no_folder_is_listed_twice(
    pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a cache of what results came from, only the folder that tells the ids is listed; a lost result is found."""
    monkeypatch.setattr(origins, "_WORTH_SAVING", 1)
    run(pipeline)
    run(pipeline)
    listed: list[str] = []
    inner = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path=".": [listed.append(os.fspath(path)), inner(path)][1])
    assert run(pipeline).counts["up_to_date"] == 9
    assert [os.path.relpath(path, pipeline.data) for path in listed] == ["raw"]
    (pipeline.data / "a" / "REC-2.csv").unlink()
    (pipeline.data / "b" / "REC-3.csv").write_text("edited by hand")
    assert reasons(pipeline) == {
        "a-REC-2": ["outputs_missing"],
        "c-REC-2": ["upstream_runs"],
        "c-REC-3": ["input_changed"],
    }
