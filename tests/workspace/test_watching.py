"""The watch: what is complete, when it runs, what it lives through."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import sinagot
from sinagot import Workspace
from sinagot.config.settings import WatchSettings
from sinagot.engine.stop import RunTerminated
from sinagot.errors import MissingExtraError, PatternError
from sinagot.testing import await_true
from sinagot.workspace.watch.arrivals import Arrivals, Look
from sinagot.workspace.watch.watching import Watch, WatchEvent
from tests.workspace.conftest import Lab

#: Looks that come quickly one after the other.
FAST: dict[str, Any] = {"interval": 0.02, "quiet": 0.05, "events": "off"}

#: Copies a folder of text piece by piece, in the order of names; what is there is never whole before the end.
SLOW_COPY = """
import sys, time
from pathlib import Path
folder = Path(sys.argv[1])
longest, last = 0.0, None
for name in ("REC-1.csv", "REC-2.mff/info.xml", "REC-2.mff/signal.bin"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        for piece in range(40):
            print(piece, file=file, flush=True)
            now = time.monotonic()
            longest, last = max(longest, now - (last or now)), now
            time.sleep(0.01)
print(longest)
"""


class Clock:
    """Seconds that go on when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def looker(lab: Lab, clock: Clock, **settings: Any) -> Callable[[], Look]:
    """Give what looks once at a workspace."""
    arrivals = Arrivals(clock=clock)
    asked = WatchSettings(**{"quiet": 30.0} | settings)
    return lambda: arrivals.look(lab.open().records, asked, outdated=False, is_shared=False)


def steps_of(lab: Lab, look: Look) -> dict[str, list[str]]:
    """Name the steps that are ready, by record."""
    nodes = lab.open().blueprint.graph().nodes
    return {one: [nodes[number].place for number in sorted(numbers)] for one, numbers in look.ready.items()}


def once(lab: Lab, **options: Any) -> list[WatchEvent]:
    """Let a watch run what is complete now, and end."""
    with lab.open() as workspace:
        return list(workspace.watch(once=True, **FAST | options))


class Watched:
    """A watch in a thread of its own, and what it tells."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.events: list[WatchEvent] = []
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        try:
            for event in self.watch:
                self.events.append(event)
        except BaseException as error:  # noqa: BLE001  told by the test
            self.error = error

    def texts(self, kind: str = "note") -> list[str]:
        """Give what was told of a kind."""
        return [event.text for event in list(self.events) if event.kind == kind]

    def done(self) -> int:
        """Count the jobs that were done."""
        return sum(event.report.counts["done"] for event in list(self.events) if event.report is not None)

    def end(self) -> None:
        """Wait for its end."""
        self._thread.join(60)
        assert not self._thread.is_alive()


@contextmanager
def watched(lab: Lab, **options: Any) -> Iterator[Watched]:
    """Watch a workspace as long as the context lasts."""
    with lab.open() as workspace:
        this = Watched(workspace.watch(**FAST | options))
        try:
            yield this
        finally:
            this.watch.stop()
            this.end()


# -- what is complete


def test_files_must_be_the_same_at_two_looks(lab: Lab) -> None:
    """Old and future times of change tell nothing: what runs was seen twice, `quiet` seconds apart, and alike."""
    lab.unit("a", ids=["REC-1", "REC-2", "REC-3"])
    for record_id, time in (("REC-1", 978307200), ("REC-2", 4102444800)):  # cp -p, and a wrong clock
        os.utime(lab.data / "raw" / f"{record_id}.csv", (time, time))
    clock = Clock()
    look = looker(lab, clock)
    first = look()
    assert (first.ready, first.waiting, first.due) == ({}, ("REC-1", "REC-2", "REC-3"), 30.0)
    clock.now += 29
    (lab.data / "raw" / "REC-3.csv").write_text("longer than before")
    assert (look().ready, look().due) == ({}, 1.0)
    clock.now += 1
    assert list(look().ready) == ["REC-1", "REC-2"]
    clock.now += 29
    assert list(look().ready) == ["REC-1", "REC-2", "REC-3"]


def test_change_inside_of_a_folder_is_a_change(lab: Lab) -> None:
    """A recording that is a folder is quiet when all files in it are, however deep."""
    lab.unit("a", ids=[])
    lab.script("a", ("raw", "{id}.mff"), body="self.path.output.write_text('1')")
    lab.write("dataset/raw/REC-1.mff/Contents/signal1.bin", "1")
    clock = Clock()
    look = looker(lab, clock)
    look()
    for name, text in (("Contents/signal1.bin", "12"), ("info.xml", "")):
        clock.now += 30
        lab.write(f"dataset/raw/REC-1.mff/{name}", text)
        assert look().ready == {}
    clock.now += 30
    assert list(look().ready) == ["REC-1"]


def test_each_step_waits_for_its_own_inputs(lab: Lab) -> None:
    """What has arrived runs, also where something else of the record has not; of that not one line is logged."""
    lab.scoped(ids=[])
    lab.raw("REC-1-RS", "REC-2-HDC")
    runs = [event for event in once(lab) if event.kind == "run"]
    assert [event.ids for event in runs] == [("REC-1", "REC-2")]
    assert runs[0].report is not None
    assert runs[0].report.total == runs[0].report.counts["done"] == 5
    assert len(list(runs[0].report.iter_jobs())) == 5
    assert sorted(lab.ran()) == sorted(
        ["RS-EEG-a-REC-1", "RS-EEG-b-REC-1", *(f"HDC-EEG-{step}-REC-2" for step in "abc")]
    )
    assert lab.lines("REC-1", step_status=41) == lab.lines("REC-2", step_status=41) == []
    lab.raw("REC-2-HDC", folder="moves")
    once(lab)
    assert lab.ran() == ["HDC-behavior-a-REC-2"]
    assert once(lab)[-1].kind == "ended"
    assert lab.ran() == []


def test_later_input_is_waited_for_by_the_step_that_reads_it(lab: Lab) -> None:
    """A step that needs one more file than the step before it runs when that has come; those before it do at once."""
    lab.unit("a", "b", ids=["REC-1"])
    lab.script("b", {"made": ("a", "{id}.csv"), "notes": ("notes", "{id}.csv")})
    once(lab)
    assert lab.ran() == ["a-REC-1"]
    assert lab.lines(step_status=41) == []
    lab.raw("REC-1", folder="notes")
    once(lab)
    assert lab.ran() == ["b-REC-1"]


def test_further_file_of_a_recording_is_a_change(lab: Lab) -> None:
    """Where a recording has any number of files, one more of them begins the quiet time anew."""
    lab.config(
        "[steps]\nscripts = ['a']\n",
        records="path = 'raw/{id}.csv'\nid = 'REC-{n}'\nentities = {n = '[0-9]+', part = '[0-9]+'}",
    )
    lab.script(
        "a",
        {"raw": ("raw", "{id}.csv"), "parts": ("parts", "{id}_{part}.csv")},
        body="self.path.output.write_text('1')",
    )
    lab.raw("REC-1")
    lab.raw("REC-1_1", folder="parts")
    clock = Clock()
    look = looker(lab, clock)
    look()
    clock.now += 20
    lab.raw("REC-1_2", folder="parts")
    assert look().due == 30.0
    clock.now += 30
    assert list(look().ready) == ["REC-1"]


def test_sentinel_is_asked_for_besides(lab: Lab) -> None:
    """Without the named file nothing is whole; with it the quiet time holds, unless that is 0."""
    lab.unit("a", "b", ids=["REC-1", "REC-2"])
    lab.write("dataset/raw/REC-2.done")
    clock = Clock()
    look, trusting = (looker(lab, clock, sentinel="raw/{id}.done", quiet=quiet) for quiet in (30.0, 0.0))
    assert look().waiting == ("REC-2",)
    assert steps_of(lab, trusting()) == {"REC-2": ["a", "b"]}
    clock.now += 30
    assert steps_of(lab, look()) == {"REC-2": ["a", "b"]}
    lab.write("dataset/raw/REC-1.done")
    assert look().waiting == ("REC-1",)


def test_sentinel_with_an_unknown_field_is_told_before_anything_runs(lab: Lab) -> None:
    """A field that nothing tells is an error of the configuration, with what was perhaps meant."""
    lab.unit(more="[watch]\nsentinel = 'raw/{idd}.done'\n")
    with pytest.raises(PatternError, match=r"unknown field \{idd\}.*\{id\}"):
        lab.open().watch()


def test_option_that_a_watch_does_not_have_is_refused(lab: Lab) -> None:
    """A misspelt option is told, and not passed over."""
    with pytest.raises(TypeError, match="no option 'quite'"):
        lab.unit().open().watch(quite=3)


def test_look_at_what_is_done_costs_its_listings(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many records are up to date: a look asks for no single file of theirs."""
    lab.unit("a", "b", ids=[f"REC-{number}" for number in range(30)])
    lab.open().steps.run(printing=False)
    asked: list[Any] = []
    for name in ("stat", "lstat", "scandir", "listdir", "open"):
        call = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *args, call=call, **more: asked.append(args) or call(*args, **more)
        )
    look = looker(lab, Clock())
    few = len(asked)
    assert look().known == 30
    paths = [str(one[0]) for one in asked[few:] if one]
    assert [path for path in paths if "REC-" in path] == []


# -- what is tried again


def test_failed_step_is_tried_again_when_its_inputs_change(lab: Lab) -> None:
    """The same input is not tried twice, by no later watch either; another one is, and so is anything by `retry`."""
    lab.unit("a", "b", ids=["REC-1"])
    lab.fail("a-REC-1")
    for _ in range(2):
        once(lab)
    assert lab.ran() == ["a-REC-1"]
    once(lab, retry=True)
    assert lab.ran() == ["a-REC-1"]
    lab.heal("a-REC-1")
    once(lab)
    assert lab.ran() == []
    lab.write("dataset/raw/REC-1.csv", "a better one\n")
    once(lab)
    assert lab.ran() == ["a-REC-1", "b-REC-1"]


def test_input_that_changed_while_it_was_read_is_read_again(lab: Lab) -> None:
    """A copy that was mistaken for whole and went on is run once it is whole: nothing of its half is published."""
    lab.unit("a", ids=["REC-1"])
    raw = lab.data / "raw" / "REC-1.csv"
    lab.wish("a-REC-1", f"Path({str(raw)!r}).write_text('longer, and the rest')")
    once(lab)
    assert not (lab.data / "a" / "REC-1.csv").exists()
    lab.heal("a-REC-1")
    once(lab)
    assert "and the rest" in lab.text("a/REC-1.csv")


def test_step_that_is_never_done_is_no_loop(lab: Lab) -> None:
    """Where a later step takes away what an earlier one made, a watch runs each once, not for ever."""
    lab.unit("a", "b", "c", ids=["REC-1"])
    lab.wish("c-REC-1", f"Path({str(lab.data / 'a' / 'REC-1.csv')!r}).unlink()")
    with watched(lab) as this:
        for number in range(2, 6):  # many looks
            await_true(lambda count=number: this.done() >= 3 * (count - 1), "the records before")
            lab.raw(f"REC-{number}")
        await_true(lambda: (lab.data / "c" / "REC-5.csv").exists(), "the last record")
    assert sorted(lab.ran()) == sorted(f"{step}-REC-{number}" for step in "abc" for number in range(1, 6))


def test_outdated_is_looked_for_where_asked(lab: Lab) -> None:
    """A recording that was replaced is run again by `outdated`, or where the rule of the runs says so."""
    lab.unit("a", ids=["REC-1"])
    once(lab)
    lab.write("dataset/raw/REC-1.csv", "another one\n")
    once(lab)
    assert lab.ran() == ["a-REC-1"]
    once(lab, outdated=True)
    assert lab.ran() == ["a-REC-1"]
    lab.write("dataset/raw/REC-1.csv", "yet another one\n")
    lab.config("[steps]\nscripts = ['a']\n[run]\nrerun = 'outdated'\n")
    once(lab)
    once(lab)
    assert lab.ran() == ["a-REC-1"]


# -- a watch that goes on


@pytest.mark.parametrize("events", ["off", "on"])
def test_half_copied_recording_is_never_started(lab: Lab, events: str) -> None:
    """A file and a folder that are copied slowly are each run once, when they are whole; by polling and by events."""
    lab.unit("a", ids=["REC-9"])
    body = """
        source = self.path.input
        files = sorted(source.iterdir()) if source.is_dir() else [source]
        self.path.output.write_text(" ".join(file.read_text().split()[-1] for file in files) + f" {len(files)}")
    """
    lab.config(
        "[tasks.T]\nmodalities = ['EEG', 'MFF']\n[modalities.EEG]\nscripts = ['a']\n[modalities.MFF]\nscripts = ['a']\n"
    )
    lab.script("EEG/a", ("raw", "{id}.csv"), ("eeg", "{id}.txt"), body=body)
    lab.script("MFF/a", ("raw", "{id}.mff"), ("mff", "{id}.txt"), body=body)
    with watched(lab, quiet=1.0, interval=0.1, events=events) as this:
        await_true(lambda: this.texts("begun"), "it watches")
        assert ("told of changes" in this.texts("begun")[0]) == (events == "on")
        words = [sys.executable, "-c", SLOW_COPY, str(lab.data / "raw")]
        gap = float(subprocess.run(words, check=True, timeout=100, stdout=subprocess.PIPE).stdout)
        await_true(lambda: this.done() >= 3, "all three")
        assert {"REC-1", "REC-2"} <= {one for event in this.events for one in event.ids}
    ran = sorted(lab.ran())
    assert (
        ran == ["T-EEG-a-REC-1", "T-EEG-a-REC-9", "T-MFF-a-REC-2"] or gap > 0.8
    )  # a machine that stood still
    assert lab.text("eeg/REC-1.txt") == "39 1"
    assert lab.text("mff/REC-2.txt") == "39 39 2"


def test_events_without_the_extra_are_polling(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where watchfiles is not there, `auto` polls and says why; `on` is an error with what to install."""
    lab.unit()
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with watched(lab, events="auto") as this:
        await_true(lambda: this.done() == 4, "all is done")
    assert "pip install watchfiles" in this.texts("begun")[0]
    with pytest.raises(MissingExtraError, match="pip install watchfiles"):
        next(iter(lab.open().watch(events="on")))


def test_events_that_fail_are_polling(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no more room for what it should watch, that is said once, and looks go on."""

    def watch(*folders: str, **options: Any) -> Iterator[Any]:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr("watchfiles.watch", watch)
    lab.unit("a", ids=["REC-1"])
    with watched(lab, events="on") as this:
        await_true(this.texts, "it is told")
        lab.raw("REC-2")
        await_true(lambda: this.done() == 2, "both records")
    assert this.texts() == ["from now on by polling, since events failed: OS file watch limit reached"]


def test_recordings_run_on_workers_as_well(lab: Lab) -> None:
    """A watch starts ordinary runs: in several processes, with their logs and reports."""
    lab.unit("a", "b", ids=["REC-1", "REC-2"])
    report = next(event.report for event in once(lab, workers=2) if event.report is not None)
    assert report.counts["done"] == 4
    assert [status for status, _ in lab.messages("REC-1")][-1] == 30
    assert Path(report.folder).is_dir()


def test_stop_from_another_thread_lets_what_runs_end(lab: Lab) -> None:
    """`stop` begins nothing new and cuts nothing off; the next watch does the rest, and what is done not again."""
    lab.unit("a", "b", ids=["REC-1"])
    gate = lab.gate("a-REC-1")
    with watched(lab) as this:
        gate.wait()
        this.watch.stop()
        gate.open()
        this.end()
    assert this.error is None
    assert (this.done(), this.texts("ended")) == (1, ["Stopped."])
    once(lab)
    assert lab.ran() == ["a-REC-1", "b-REC-1"]


def test_signal_ends_a_watch_as_it_ends_a_run(lab: Lab) -> None:
    """Who stops with a signal gets that as the end, after the last word."""
    lab.unit(ids=["REC-1"])
    with watched(lab) as this:
        await_true(lambda: this.done() == 2, "all is done")
        this.watch.stop(15)
        this.end()
    assert this.texts("ended") == ["Stopped."]
    assert isinstance(this.error, RunTerminated)
    assert this.error.code == 143


def test_two_watches_do_each_job_once(lab: Lab) -> None:
    """Two watches of one folder, and a run by hand besides, do not fight."""
    lab.unit("a", "b", ids=[])
    with watched(lab) as one, watched(lab) as other:
        for number in range(6):
            lab.raw(f"REC-{number}")
            lab.open().steps.run(printing=False)
        lab.raw("REC-7", "REC-8", "REC-9")
        await_true(lambda: (lab.data / "b" / "REC-9.csv").exists(), "the last one")
        await_true(lambda: not lab.open().steps.run(dry_run=True).plan, "all is done")
    assert sorted(lab.ran()) == sorted(
        f"{step}-REC-{number}" for step in "ab" for number in (*range(6), 7, 8, 9)
    )
    assert (one.error, other.error) == (None, None)


def test_what_another_run_is_at_is_left_to_it(lab: Lab) -> None:
    """A record that is being run elsewhere is not ready, nor is what comes after it; afterwards it is done."""
    lab.unit("a", "b", ids=["REC-1"])
    gate = lab.gate("a-REC-1")
    run = threading.Thread(target=lambda: lab.open().steps.run(printing=False))
    run.start()
    gate.wait()
    look = looker(lab, Clock(), quiet=0.0)
    assert look().ready == {}
    gate.open()
    run.join()
    assert look().ready == {}
    assert lab.ran() == ["a-REC-1", "b-REC-1"]


def test_exclusive_watch_waits_for_other_runs(lab: Lab) -> None:
    """With `exclusive` nothing is started while another run works; that is said once."""
    lab.unit("a", ids=["REC-1"])
    gate = lab.gate("a-REC-1")
    run = threading.Thread(target=lambda: lab.open().steps.run(printing=False))
    run.start()
    gate.wait()
    lab.raw("REC-2", "REC-3")
    with watched(lab, exclusive=True) as this:
        await_true(this.texts, "it says that it waits")
        gate.open()
        run.join()
        await_true(lambda: this.done() == 2, "the others")
    assert len(this.texts()) == 1
    assert "works on this workspace" in this.texts()[0]


def test_data_folder_that_disappears_is_waited_for(lab: Lab) -> None:
    """A drive that is taken off, or whose folder is empty meanwhile, is told once and waited for; nothing is written."""
    lab.unit("a", ids=["REC-1"])
    with watched(lab) as this:
        await_true(lambda: this.done() == 1, "the first record")
        lab.data.rename(lab.root / "elsewhere")
        await_true(lambda: len(this.texts()) == 1, "it is told that it is gone")
        lab.data.mkdir()  # as the folder that a drive is mounted on
        await_true(lambda: len(this.texts()) == 2, "it is told that it is empty")
        assert list(lab.data.iterdir()) == []
        lab.data.rmdir()
        (lab.root / "elsewhere").rename(lab.data)
        await_true(lambda: len(this.texts()) >= 3 and "can be read again" in this.texts()[-1], "it is back")
        lab.raw("REC-2")
        await_true(lambda: this.done() == 2, "the second record")
    assert "is gone" in this.texts()[0]
    assert any("is empty" in text for text in this.texts())


def test_edited_configuration_is_taken_up_between_runs(lab: Lab) -> None:
    """What is good holds from then on; what is broken is told, and the former one goes on to hold."""
    lab.unit("a", ids=["REC-1"])
    with watched(lab, reopen=lambda: Workspace(lab.root)) as this:
        await_true(lambda: this.done() == 1, "the first record")
        lab.config("[steps]\nscripts = 'a'\n")
        await_true(this.texts, "the error is told")
        assert "steps.scripts" in this.texts()[0]
        lab.raw("REC-2")
        await_true(lambda: this.done() == 2, "the former one holds")
        lab.script("b", ("a", "{id}.csv"))
        lab.config("[steps]\nscripts = ['a', 'b']\n")
        await_true(lambda: this.done() == 4, "the new one holds")
    assert this.texts()[-1] == "the configuration was edited: the new one holds from now on"


def test_edited_configuration_is_told_where_nobody_reopens(lab: Lab) -> None:
    """Without a way to open it anew the watch goes on as it began, and says so."""
    lab.unit("a", ids=["REC-1"])
    with watched(lab) as this:
        await_true(lambda: this.done() == 1, "the first record")
        lab.config("[steps]\nscripts = []\n")
        await_true(this.texts, "it is told")
        lab.raw("REC-2")
        await_true(lambda: this.done() == 2, "the second record")
    assert "the former one holds" in this.texts()[0]


def test_broken_script_is_told_and_mended_while_the_watch_goes_on(lab: Lab) -> None:
    """A script that cannot be loaded stops nothing for good: once it is mended its records run."""
    lab.unit("a", "b", ids=["REC-1"])
    good = (lab.scripts / "a.py").read_text()
    lab.write("scripts/a.py", "import nothing_of_that_name\n")
    with watched(lab) as this:
        await_true(this.texts, "it is told")
        assert "a.py" in this.texts()[0]
        lab.write("scripts/a.py", good)
        await_true(lambda: this.done() == 2, "both steps")


def test_state_folder_that_cannot_be_written_is_told_once(lab: Lab) -> None:
    """A run that cannot begin is told, and tried again when that is mended."""
    lab.unit("a", ids=["REC-1"])
    lab.write("dataset/.sinagot", "a file in its place")
    with watched(lab) as this:
        await_true(this.texts, "it is told")
        (lab.data / ".sinagot").unlink()
        await_true(lambda: this.done() == 1, "it goes on")
    assert len([text for text in this.texts() if "can't" in text]) == 1


@sinagot.step
def one_more(text: str) -> int:
    """Give the number after the one that is written."""
    return int(text) + 1


@sinagot.step
def doubled(number: int) -> int:
    """Give twice a number."""
    return 2 * number


class Flow(sinagot.Workflow):
    """A seed, a value on the way, a result."""

    text: str = sinagot.seed()
    number: int = one_more.step(text)
    twice: int = doubled.step(number)


class Flows(sinagot.Workspace[Flow]):  # type: ignore[misc]
    """Where they are stored; the number is not."""

    text = sinagot.LocalStorage("raw/{workflow_id}.txt")
    twice = sinagot.LocalStorage("twice/{workflow_id}.json")


def test_workflows_are_watched_as_well(tmp_path: Path) -> None:
    """Stored nodes run when the seeds of their id are there, with the values on the way."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "001.txt").write_text("4")
    with Flows(tmp_path) as workspace:
        runs = [event.report for event in workspace.watch(once=True, **FAST) if event.report is not None]
        assert [run.counts["failed"] for run in runs] == [0]
        assert (tmp_path / "twice" / "001.json").exists()
        assert workspace["001"].twice == 10
        assert [event.kind for event in workspace.watch(once=True, **FAST)] == ["begun", "ended"]
