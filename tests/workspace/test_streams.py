"""Streams of records: what is given, when, how often; and how reading ends."""

from __future__ import annotations

import functools
import logging
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinagot import Workspace
from sinagot.config.settings import WatchSettings
from sinagot.dataset.writers import Writers
from sinagot.errors import MissingExtraError, PatternError, ScriptError, StoredDataError
from sinagot.flow import IO, Flow, IOVal, Processor, Supervisor
from sinagot.flow.values import Encoder
from sinagot.testing import await_true
from sinagot.workspace.references import facts_of, find_record
from sinagot.workspace.watch.newcomers import Newcomers
from tests.workspace.conftest import Lab

#: Looks that come quickly one after the other.
FAST: dict[str, Any] = {"watch": True, "interval": 0.02, "quiet": 0.05, "events": "off"}

InLoop = Callable[[Callable[[], Awaitable[Any]]], Any]


class Looker:
    """Looks at a workspace, at times that go on when they are told to."""

    def __init__(
        self, scope: Any, *, moment: float | None = None, is_shared: bool = False, **settings: Any
    ) -> None:
        self.now = 1000.0
        self._is_shared = is_shared
        asked = WatchSettings(**{"quiet": 30.0, "outdated": False} | settings)
        self._newcomers = Newcomers(
            scope, asked, own=scope._own_files(), moment=moment, clock=lambda: self.now
        )

    def __call__(self, seconds: float = 0.0) -> list[str]:
        """Look after some seconds, and give the ids that are handed out."""
        self.now += seconds
        found = self._newcomers.look(is_shared=self._is_shared)
        self.due = found.due
        for one in found.ready:
            self._newcomers.give(one)
        return [one.id for one in found.ready]


@pytest.fixture(params=["asyncio", "trio"])
def in_loop(request: pytest.FixtureRequest) -> InLoop:
    """Run an async function in a loop, with a limit that no machine should need."""

    def run(main: Callable[[], Awaitable[Any]]) -> Any:
        async def limited() -> Any:
            with anyio.fail_after(60):
                return await main()

        return anyio.run(limited, backend=request.param)

    return run


BEFORE: set[threading.Thread] = set()


@pytest.fixture(autouse=True)
def _others() -> None:
    """Know the threads that other tests of this process have begun."""
    BEFORE.clear()
    BEFORE.update(threading.enumerate())


def threads() -> list[str]:
    """Name the threads of ours that have begun in this test and live."""
    return [one.name for one in threading.enumerate() if one not in BEFORE and one.name.startswith("sinagot")]


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[threading.Thread]:
    """Do something in a thread meanwhile."""
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield thread
    finally:
        thread.join()


async def told(stream: AsyncIterator[Any], count: int) -> list[str]:
    """Give the ids of the next records."""
    return [(await anext(stream)).id for _ in range(count)]


# -- what is given


def test_record_is_given_once_its_files_are_quiet_and_again_when_they_change(lab: Lab) -> None:
    """While a step is to be done another version is another arrival, as for a watch; what is done is left alone."""
    lab.unit("a", "b", ids=["REC-1", "REC-2"])
    look = Looker(lab.open().records)
    assert (look(), look.due) == ([], 30.0)
    lab.raw("REC-3")
    assert (look(29), look.due) == ([], 1.0)
    assert look(1) == ["REC-1", "REC-2"]
    assert look(29) == ["REC-3"]
    assert look(60) == []
    lab.write("dataset/raw/REC-1.csv", "another one")
    assert [look(), look(29), look(1), look(60)] == [[], [], ["REC-1"], []]
    lab.open().steps.run(printing=False)
    lab.write("dataset/raw/REC-1.csv", "yet another one")
    assert [look(), look(30)] == [[], []]


def test_changed_record_is_given_again_by_outdated(lab: Lab) -> None:
    """Where `outdated` asks for it, what is done is given again when its files have changed."""
    lab.unit("a", ids=["REC-1", "REC-2"])
    look = Looker(lab.open().records, outdated=True, quiet=0.0)
    assert look() == ["REC-1", "REC-2"]
    lab.open().steps.run(printing=False)
    assert look() == []
    lab.write("dataset/raw/REC-1.csv", "another one")
    assert [look(), look()] == [["REC-1"], []]


def test_record_that_vanished_and_comes_again_is_given_again(lab: Lab) -> None:
    """What is gone is forgotten, however much of it was done."""
    lab.unit("a", ids=["REC-1"])
    look = Looker(lab.open().records, quiet=0.0)
    assert look() == ["REC-1"]
    lab.open().steps.run(printing=False)
    (lab.data / "raw" / "REC-1.csv").unlink()
    assert look() == []
    lab.raw("REC-1")
    assert [look(), look()] == [["REC-1"], []]


def test_further_files_of_a_record_are_waited_for_where_they_are_and_else_given_later(lab: Lab) -> None:
    """What a step of the record could read is never half there; what comes later is another arrival; scopes are apart."""
    lab.scoped(ids=[])
    workspace = lab.open()
    looks = {name: Looker(scope) for name, scope in (("all", workspace.records), ("RS", workspace.RS.EEG))}
    lab.raw("REC-1-RS")
    assert [look() for look in looks.values()] == [[], []]
    lab.raw("REC-1-HDC")
    assert [look(20) for look in looks.values()] == [[], []]
    assert [look(10) for look in looks.values()] == [[], ["REC-1"]]
    assert [look(20) for look in looks.values()] == [["REC-1"], []]
    lab.raw("REC-1-HDC", folder="moves")
    assert [look(0) + look(30) for look in looks.values()] == [["REC-1"], []]
    (lab.data / "moves" / "REC-1-HDC.csv").unlink()
    assert [look(30) for look in looks.values()] == [[], []]


def test_sentinel_holds_a_record(lab: Lab) -> None:
    """Without the named file a record is not given; one with a field that nothing tells is refused at once."""
    lab.unit("a", ids=["REC-1", "REC-2"])
    lab.write("dataset/raw/REC-2.done")
    look = Looker(lab.open().records, sentinel="raw/{id}.done", quiet=0.0)
    assert look() == ["REC-2"]
    lab.write("dataset/raw/REC-1.done")
    assert look() == ["REC-1"]
    with pytest.raises(PatternError, match=r"unknown field \{idd\}.*\{id\}"):
        lab.open().records.stream(sentinel="raw/{idd}.done")


def test_excluded_record_is_left_out(lab: Lab) -> None:
    """What somebody excluded as a whole is not given, until it is included again."""
    lab.unit("a", "b", ids=["REC-1", "REC-2", "REC-3"])
    records = lab.open().records
    records.get("REC-1").exclude("noise")
    records.get("REC-2").exclude("noise", step="a")
    look = Looker(records, quiet=0.0)
    assert look() == ["REC-2", "REC-3"]
    records.get("REC-1").include()
    assert look() == ["REC-1"]


def test_records_without_steps_are_told_by_their_files(lab: Lab) -> None:
    """Where no step reads them, the files that ids are found by must be quiet; also those of a plugin."""
    lab.config(
        """
        [tasks.T]
        modalities = ["EEG", "notes"]
        [modalities.EEG]
        scripts = ["a"]
        [modalities.notes.models]
        plugin = "pandas"
        data_path = ["notes", "{id}.json"]
        """
    )
    lab.script("EEG/a", ("raw", "{id}.csv"), ("eeg", "{id}.txt"))
    lab.write("dataset/notes/REC-1.json", "{}")
    workspace = lab.open()
    looks = [Looker(workspace.records), Looker(workspace.notes)]
    assert [look(seconds) for look in looks for seconds in (0, 29, 1, 30)] == [[], [], ["REC-1"], []] * 2
    lab.write("dataset/notes/REC-1.json", '{"age": 7}')
    assert [look(seconds) for look in looks for seconds in (0, 30, 30)] == [[], ["REC-1"], []] * 2
    lab.config("[steps]\nscripts = []\n", records="path = 'notes/{id}.json'\nid_pattern = 'REC-[0-9]+'")
    look = Looker(lab.open().records, sentinel="raw/{id}.done")
    assert [look(), look(30)] == [[], []]
    lab.write("dataset/raw/REC-1.done")
    assert [look(), look(30), look(30)] == [[], ["REC-1"], []]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["write", "touch", "rename", "part", "delete", "wait", "look", "look"]),
            st.integers(0, 3),
            st.sampled_from([1, 7, 10, 30]),
        ),
        max_size=40,
    )
)
def test_each_version_of_a_record_is_given_exactly_once(steps: list[tuple[str, int, int]]) -> None:
    """Whatever happens to files: what was the same at two looks, long enough apart, is given, and not a second time."""
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder) / "lab").unit("a", ids=[])
        (lab.data / "raw").mkdir()
        look = Looker(lab.open().records)
        versions: dict[str, int] = {}
        seen: dict[str, tuple[int, float]] = {}
        given_before: dict[str, int] = {}
        for number, (kind, which, seconds) in enumerate((*steps, *[("look", 0, 30)] * 2)):
            one = f"REC-{which}"
            path = lab.data / "raw" / f"{one}.csv"
            if kind == "look":
                found = look(seconds)
                seen = {
                    name: seen[name] if seen.get(name, (-1,))[0] == version else (version, look.now)
                    for name, version in versions.items()
                }
                given_before = {name: one for name, one in given_before.items() if name in versions}
                wanted = [
                    name
                    for name, (version, since) in sorted(seen.items())
                    if look.now - since >= 30 and given_before.get(name) != version
                ]
                assert found == wanted
                given_before |= {name: versions[name] for name in found}
            elif kind == "wait":
                look.now += seconds
            elif kind == "delete":
                path.unlink(missing_ok=True)
                versions.pop(one, None)
            elif kind == "part":
                path.with_name(f".{path.name}.part").write_text(str(number))
            elif kind != "touch" or one in versions:
                source = path.with_name(f"{path.name}~") if kind == "rename" else path
                with source.open("a") as file:
                    file.write("" if kind == "touch" else "1")
                stamp = 10**18 + number  # no clock is as fine as this
                os.utime(source, ns=(stamp, stamp))
                source.replace(path)
                versions[one] = number


# -- by the word of the kernel

#: Looks that ask it once a file was the same for a quarter of a second.
ASKING: dict[str, Any] = {"moment": 0.25}
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel does not tell who writes")


@on_linux
def test_closed_file_is_given_after_a_moment_and_one_that_is_open_never(lab: Lab) -> None:
    """However long who writes it pauses, and whatever it is renamed to; on a shared drive nothing is asked."""
    lab.unit("a", ids=["REC-1"])
    look = Looker(lab.open().records, **ASKING)
    assert (look(), look.due) == ([], 0.25)
    partial = lab.data / "raw" / "REC-2.csv.part"
    with partial.open("w") as file, (lab.data / "raw" / "REC-1.csv").open("a"):
        file.write("half of it")
        file.flush()
        partial.rename(lab.data / "raw" / "REC-2.csv")
        assert [look(0.25), look(1), look(60)] == [[], [], []]
        assert look.due == pytest.approx(6.1, abs=0.1)  # a program that never closes it costs little
        shared = Looker(lab.open().records, **ASKING, is_shared=True)
        assert [shared(), shared(29), shared(1)] == [[], [], ["REC-1", "REC-2"]]
        file.write("the rest of it")
    assert look() == ["REC-1"]
    assert [look(0.25), look(60)] == [["REC-2"], []]


@on_linux
def test_file_that_is_copied_or_moved_to_its_name_is_given_after_a_moment(lab: Lab) -> None:
    """By `cp`, by `cp -p`, by `mv`: two looks, and it is complete."""
    lab.unit("a", ids=[])
    (lab.data / "raw").mkdir()
    look = Looker(lab.open().records, **ASKING)
    source = lab.write("elsewhere.csv", "1\n")
    for number, command in enumerate((["cp"], ["cp", "-p"], ["mv"])):
        subprocess.run([*command, str(source), str(lab.data / "raw" / f"REC-{number}.csv")], check=True)
        assert [look(), look(0.25), look(60)] == [[], [f"REC-{number}"], []]


@on_linux
def test_what_may_go_on_though_nobody_has_it_open_is_waited_for_as_ever(lab: Lab) -> None:
    """Folders, patterns of several files, and empty files; these must not be open either."""
    lab.config(
        "[steps]\nscripts = ['folder', 'many', 'plain']\n",
        records="path = 'ids/{id}.txt'\nid = 'REC-{number}'",
    )
    lab.raw("REC-1", "REC-2", "REC-3", "REC-4", folder="ids", suffix=".txt")
    lab.script("folder", ("folders", "{id}"))
    lab.script("many", ("many", "{id}-{part}.csv"))
    lab.script("plain", ("raw", "{id}.csv"))
    lab.write("dataset/folders/REC-1/a.csv", "1")
    lab.write("dataset/many/REC-2-x.csv", "1")
    lab.raw("REC-3")
    lab.write("dataset/raw/REC-4.csv", "")
    look = Looker(lab.open().records, **ASKING)
    assert [look(), look(0.25)] == [[], ["REC-3"]]
    assert [look(29.5), look.due] == [[], 0.25]
    with (lab.data / "many" / "REC-2-x.csv").open("a"), (lab.data / "raw" / "REC-4.csv").open("a"):
        assert look(0.25) == ["REC-1"]
    assert look() == ["REC-2", "REC-4"]


@on_linux
def test_what_is_written_while_the_kernel_is_asked_is_another_version(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that ends between the look at a file and the answer is not taken for one that never was."""
    lab.unit("a", ids=["REC-1"])
    look = Looker(lab.open().records, **ASKING)
    asked = Writers.is_written

    def ends(writers: Writers, path: str) -> bool | None:
        if not Path(path).read_text().endswith("end"):
            lab.write("dataset/raw/REC-1.csv", "the end")
        return asked(writers, path)

    monkeypatch.setattr(Writers, "is_written", ends)
    assert [look(), look(0.25), look(0.25), look(0.25), look(60)] == [[], [], [], ["REC-1"], []]


@on_linux
@pytest.mark.parametrize("events", ["on", "off"])
def test_stream_without_options_gives_what_is_complete_at_once(
    lab: Lab, in_loop: InLoop, events: str
) -> None:
    """Results come while files are dropped; one that another process writes, with pauses, comes when it is closed."""
    lab.unit("a", ids=[])
    (lab.data / "raw").mkdir()
    records = lab.open().records
    code = "import sys\nfile = open(sys.argv[1], 'w', buffering=1)\nfor line in sys.stdin: file.write(line)"
    slow = lab.data / "raw" / "REC-1000.csv"
    first = threading.Event()
    dropped: list[str] = []

    def drop() -> None:
        while len(dropped) < 20 or not first.is_set():
            lab.raw(f"REC-{len(dropped)}")
            dropped.append(f"REC-{len(dropped)}")
            time.sleep(0.1)
            assert len(dropped) < 200  # long before the 30 s of a watch

    async def main(writer: Any) -> None:
        found: list[str] = []
        # Events as where nothing is said, but for sure.
        async with records.stream(watch=True, events=events) as stream:
            with beside(drop) as thread:
                writer.stdin.write("1\n")
                writer.stdin.flush()
                while thread.is_alive() or len(found) < len(dropped):
                    record = await anext(stream)
                    await anyio.to_thread.run_sync(functools.partial(record.steps.run, printing=False))
                    found.append(record.id)
                    first.set()
            assert sorted(found) == sorted(dropped)
            for _ in range(2):
                with anyio.move_on_after(0.7):
                    found += await told(stream, 1)
                writer.stdin.write("1\n")
                writer.stdin.flush()
            assert len(found) == len(dropped)
            writer.stdin.close()
            assert await told(stream, 1) == ["REC-1000"]
            assert slow.read_text() == "1\n" * 3

    with subprocess.Popen(
        [sys.executable, "-c", code, str(slow)], stdin=subprocess.PIPE, text=True
    ) as writer:
        await_true(slow.exists, "the other process writes")
        in_loop(functools.partial(main, writer))
    assert threads() == []


@pytest.mark.parametrize("said", ["[watch]\nquiet = 0.05\n", ""], ids=["configured", "asked"])
def test_who_says_how_long_files_must_be_quiet_is_believed(lab: Lab, in_loop: InLoop, said: str) -> None:
    """What the kernel knows is of no interest then: a file that somebody has open is given."""
    lab.unit("a", ids=["REC-1"], more=said)
    options = {} if said else {"quiet": 0.05}

    async def main() -> list[str]:
        with (lab.data / "raw" / "REC-1.csv").open("a"):
            async with lab.open().records.stream(watch=True, events="off", **options) as stream:
                return await told(stream, 1)

    assert in_loop(main) == ["REC-1"]


# -- reading in a loop


def test_stream_without_watch_gives_what_is_there_and_ends(lab: Lab, in_loop: InLoop) -> None:
    """Like `all`, in the order of ids, at once and with nothing written; of a scope or a selection as well."""
    lab.scoped()
    lab.raw("REC-3-HDC", folder="moves")
    workspace = lab.open()
    before = lab.tree()

    async def main() -> list[list[str]]:
        scopes = (
            workspace.records,
            workspace.RS.EEG,
            workspace.HDC,
            workspace.records.select(["REC-2", "REC-9"]),
        )
        return [[record.id async for record in scope.stream()] for scope in scopes]

    assert in_loop(main) == [
        ["REC-1", "REC-2", "REC-3"],
        ["REC-1", "REC-2"],
        ["REC-1", "REC-2", "REC-3"],
        ["REC-2"],
    ]
    assert lab.tree() == before
    assert threads() == []


@pytest.mark.parametrize("events", ["on", "off"])
def test_results_come_while_recordings_arrive(lab: Lab, in_loop: InLoop, events: str) -> None:
    """What has arrived is given, and run, though others never cease to come; what is being written is not taken."""
    quiet = 0.2
    lab.unit("a", ids=[])
    (lab.data / "raw").mkdir()
    workspace = lab.open()
    growing = lab.data / "raw" / "REC-1000.csv"
    first = threading.Event()
    dropped: list[str] = []
    gaps = [0.0]
    began = time.monotonic()
    is_whole = False

    def stood_still() -> bool:
        """Say whether the machine has not let it write for so long that a file was quiet."""
        return max(*gaps, time.monotonic() - began) > quiet

    def drop() -> None:
        nonlocal is_whole, began
        with growing.open("w") as file:
            while len(dropped) < 20 or not first.is_set():
                began = time.monotonic()
                lab.raw(f"REC-{len(dropped)}")
                dropped.append(f"REC-{len(dropped)}")
                for _ in range(10):  # a tenth of a second
                    file.write("1")
                    file.flush()
                    time.sleep(0.01)
                gaps.append(time.monotonic() - began)
                assert len(dropped) < 600
            is_whole = True

    async def main() -> list[str]:
        found = []
        options = {"quiet": quiet, "interval": 0.05, "events": events}
        async with workspace.records.stream(watch=True, **options) as stream:
            with beside(drop):
                async for record in stream:
                    if record.id == "REC-1000":
                        assert is_whole or stood_still()
                    found.append(record.id)
                    await anyio.to_thread.run_sync(functools.partial(record.steps.run, printing=False))
                    first.set()
                    if is_whole and set(found) == {*dropped, "REC-1000"}:
                        return found
        return []

    found = in_loop(main)
    assert Counter(found) == Counter(dict.fromkeys([*dropped, "REC-1000"], 1)) or max(gaps) > quiet
    assert threads() == []
    assert sorted(set(lab.ran())) == sorted(f"a-{one}" for one in set(found))


def test_records_that_come_in_bursts_are_given_once_a_version(lab: Lab, in_loop: InLoop) -> None:
    """Written, in pieces or at once, renamed in or touched: the last version of each is given, and none twice."""
    quiet = 0.25
    lab.unit("a", ids=[])
    (lab.data / "raw").mkdir()
    workspace = lab.open()
    chance = random.Random(7)
    paths = [lab.data / "raw" / f"REC-{number}.csv" for number in range(40)]
    gaps = [0.0]

    def version(path: Path) -> tuple[int, int]:
        state = path.stat()
        return state.st_size, state.st_mtime_ns

    def drop() -> None:
        left = list(paths)
        while left:
            for path in [left.pop() for _ in range(min(len(left), chance.randint(1, 8)))]:
                kind, began = chance.choice(["whole", "pieces", "rename", "touch"]), time.monotonic()
                source = path.with_name(f".{path.name}.x8Fa2") if kind == "rename" else path
                source.write_text("1")
                if kind != "whole":
                    time.sleep(0.01)
                with source.open("a") as file:
                    file.write("1" if kind == "pieces" else "")
                source.touch() if kind == "touch" else source.replace(path)
                gaps.append(time.monotonic() - began)
            time.sleep(chance.choice([0.0, 0.05, 0.2]))

    async def main() -> Counter[tuple[str, tuple[int, int]]]:
        found: Counter[tuple[str, tuple[int, int]]] = Counter()
        with beside(drop) as thread:
            async for record in workspace.records.stream(watch=True, quiet=quiet, interval=0.03):
                found[record.id, version(lab.data / "raw" / f"{record.id}.csv")] += 1
                if len({one for one, _ in found}) == len(paths) and not thread.is_alive():
                    break
        return found

    found = in_loop(main)
    if max(gaps) <= quiet:  # the machine did not stand still
        assert {(path.stem, version(path)) for path in paths} <= set(found)
        assert set(found.values()) == {1}
    await_true(lambda: not threads(), "nobody listens any more")


def test_stream_of_records_is_the_input_of_a_flow(lab: Lab, in_loop: InLoop, tmp_path: Path) -> None:
    """A processor gets records of the very workspace, and has its first result before another one arrives."""
    lab.scoped(ids=["REC-1"])
    workspace = lab.open()
    sizes = Processor(name="sizes", inputs=["records"], outputs=["done"])

    @sizes
    async def _sizes(records: IO[Any]) -> AsyncIterator[IOVal[Any]]:
        async for record in records.stream():
            assert record.workspace is workspace
            report = await anyio.to_thread.run_sync(functools.partial(record.steps.run, printing=False))
            yield IOVal(name="done", value=(repr(record), report.counts["done"]))

    async def main() -> list[Any]:
        async with Supervisor(folder=tmp_path) as supervisor:
            stream = workspace.RS.EEG.stream(**FAST)
            run = await supervisor.start_flow(Flow.from_processors(sizes), inputs={"records": stream})
            results = run["done"].stream()
            found = [await anext(results)]
            lab.raw("REC-2-RS")
            found.append(await anext(results))
            assert (await run.cancel()).state == "interrupted"
        assert threads() == []
        return found

    shown = [(repr(workspace.RS.EEG.get(one)), 2) for one in ("REC-1", "REC-2")]
    assert in_loop(main) == shown


def test_record_of_a_stream_is_found_in_another_process(lab: Lab) -> None:
    """There its workspace is opened anew, once; of a class that nobody can import it is not, and that is said."""
    lab.scoped(ids=["REC-1"])
    kind, parts = Encoder().encode([lab.open().RS.EEG.get("REC-1"), lab.open().get("REC-1")])
    code = f"""
    from sinagot.flow.values import decode
    records = [decode({kind}, memoryview({b"".join(parts)!r}))[0] for _ in range(2)]
    print(repr(records[0]), records[0].workspace is records[1].workspace, records[0].workspace.data_path)
    """
    shown = f"{lab.open().RS.EEG.get('REC-1')!r} True {lab.data}"
    assert lab.python(code).stdout.strip() == shown

    class Own(Workspace):
        pass

    facts = facts_of(Own(lab.root).records.get("REC-1"))
    with pytest.raises(StoredDataError, match="REC-1 is of a workspace that only the process knows"):
        find_record(facts | {"workspace": "of another process"})


def test_stream_without_watch_waits_once_where_it_is_asked_to(lab: Lab, in_loop: InLoop) -> None:
    """With `quiet` it looks twice, and leaves out what changed meanwhile."""
    lab.unit("a", ids=["REC-1", "REC-2"])
    workspace = lab.open()
    changing = lab.data / "raw" / "REC-1.csv"

    async def main() -> list[str]:
        async with anyio.create_task_group() as tasks:

            async def change() -> None:
                while True:
                    with changing.open("a") as file:
                        file.write("1")
                    await anyio.sleep(0.001)

            tasks.start_soon(change)
            found = [record.id async for record in workspace.records.stream(quiet=0.5)]
            tasks.cancel_scope.cancel()
        return found

    assert in_loop(main) == ["REC-2"]


# -- how reading ends


def test_cancelled_reading_ends_at_once_and_loses_nothing(lab: Lab, in_loop: InLoop) -> None:
    """Who waits may be cancelled, and no thread is left; reading goes on later with all that came meanwhile."""
    lab.unit("a", ids=["REC-1"])
    workspace = lab.open()
    before = lab.tree()

    async def main() -> list[str]:
        stream = workspace.records.stream(**FAST | {"events": "on"})
        found = await told(stream, 1)
        for number in range(2, 5):
            with anyio.move_on_after(0.02 * number) as scope:
                await anext(stream)
            assert scope.cancelled_caught
            assert threads() == []
            assert lab.tree() == before
            lab.raw(f"REC-{number}")
            found += await told(stream, 1)
            before.clear()
            before.update(lab.tree())
        await stream.aclose()
        assert threads() == []
        assert [record.id async for record in stream] == []
        return found

    assert in_loop(main) == ["REC-1", "REC-2", "REC-3", "REC-4"]


def test_whoever_leaves_a_stream_ends_its_watching(lab: Lab, in_loop: InLoop) -> None:
    """By `break`, by `aclose` of another task, or never having begun: nothing goes on."""
    lab.unit("a", ids=["REC-1"])
    workspace = lab.open()

    async def main() -> None:
        options = FAST | {"events": "on"}
        async for _ in workspace.records.stream(**options):
            break
        with anyio.move_on_after(30):
            while threads():
                await anyio.sleep(0.01)
        assert threads() == []
        stream = workspace.records.stream(**options)
        assert await told(stream, 1) == ["REC-1"]
        waiting = anyio.Event()

        async def wait() -> None:
            waiting.set()
            with pytest.raises(StopAsyncIteration):
                await anext(stream)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await waiting.wait()
            await stream.aclose()
        assert threads() == []
        await workspace.records.stream(**options).aclose()

    in_loop(main)


def test_several_readers_share_a_stream(lab: Lab, in_loop: InLoop) -> None:
    """Each record goes to one of them."""
    lab.unit("a", ids=[f"REC-{number}" for number in range(30)])
    found: list[str] = []

    async def main() -> None:
        stream = lab.open().records.stream(**FAST)

        async def read(tasks: Any) -> None:
            async for record in stream:
                found.append(record.id)
                if len(found) == 30:
                    tasks.cancel_scope.cancel()

        async with stream, anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(read, tasks)

    in_loop(main)
    assert sorted(found) == sorted(f"REC-{number}" for number in range(30))


def test_record_is_looked_at_again_when_it_was_found_long_ago(
    lab: Lab, in_loop: InLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes their time for one record is not given the next as it was before."""
    monkeypatch.setattr("sinagot.workspace.watch.stream._FRESH", 0.0)
    monkeypatch.setattr("sinagot.workspace.watch.stream._SHARE", 0)
    lab.unit("a", ids=["REC-1", "REC-2", "REC-3"])

    async def main() -> list[str]:
        async with lab.open().records.stream(**FAST) as stream:
            found = await told(stream, 1)
            (lab.data / "raw" / "REC-2.csv").unlink()
            return found + await told(stream, 1)

    assert in_loop(main) == ["REC-1", "REC-3"]


# -- what goes wrong


def test_drive_that_is_taken_off_is_waited_for(
    lab: Lab, in_loop: InLoop, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told once, and what was given before is not given again."""
    lab.unit("a", ids=["REC-1"])
    workspace = lab.open()

    async def main() -> list[str]:
        async with workspace.records.stream(**FAST) as stream:
            found = await told(stream, 1)
            lab.data.rename(lab.root / "elsewhere")
            with anyio.move_on_after(0.5):
                found += await told(stream, 1)
            (lab.root / "elsewhere").rename(lab.data)
            lab.raw("REC-2")
            return found + await told(stream, 1)

    with caplog.at_level(logging.WARNING, "sinagot.watch"):
        assert in_loop(main) == ["REC-1", "REC-2"]
    texts = [line.getMessage() for line in caplog.records if line.name == "sinagot.watch"]
    assert [text.partition(":")[0] for text in texts if "gone" in text] == ["waiting"]
    assert texts[-1].endswith("can be read again")


def test_events_that_cannot_be_had_are_told(
    lab: Lab, in_loop: InLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without watchfiles `auto` polls, and `on` is an error with what to install."""
    lab.unit("a", ids=["REC-1"])
    monkeypatch.setitem(sys.modules, "watchfiles", None)

    async def main() -> list[str]:
        async with lab.open().records.stream(**FAST | {"events": "auto"}) as stream:
            found = await told(stream, 1)
            lab.raw("REC-2")
            found += await told(stream, 1)
        with pytest.raises(MissingExtraError, match="pip install watchfiles"):
            await anext(lab.open().records.stream(watch=True, events="on"))
        return found

    assert in_loop(main) == ["REC-1", "REC-2"]


def test_first_look_that_fails_is_an_error(lab: Lab, in_loop: InLoop) -> None:
    """What is wrong from the beginning reaches whoever reads; a misspelt option does at once."""
    lab.unit("a", ids=["REC-1"], more="[watch]\nquiet = 0.05\n")
    workspace = lab.open()
    with pytest.raises(TypeError, match="quite"):
        workspace.records.stream(quite=3)
    lab.script("a", ("raw", "{id}.csv"), body="")
    (lab.scripts / "a.py").write_text("def broken(:")

    async def main() -> None:
        with pytest.raises(ScriptError, match=r"a\.py"):
            await anext(lab.open().records.stream(watch=True, events="off"))

    in_loop(main)
    assert threads() == []
