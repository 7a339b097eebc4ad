"""How an executor is kept busy, and what becomes of lost batches; without processes or files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from sinagot.engine import driver as module
from sinagot.engine.driver import MOST_SENDS, Driver, Work
from sinagot.engine.executors.contract import Arrival, Chain, Lost
from sinagot.engine.job import Job, JobResult, Outcome
from sinagot.engine.limits import Lane
from sinagot.engine.stop import StopRequest

LOST = Lost("worker process was killed by SIGKILL")


class Scripted:
    """An executor whose batches end as a function says."""

    ahead = 0
    here = False
    is_usable = True
    slots = 1
    #: How much work goes together is then not a matter of how busy the machine is.
    batch_seconds = 60.0

    def __init__(self, answer: Callable[[list[Chain]], Any]) -> None:
        self.answer = answer
        self.sent: list[list[str]] = []
        self.asked: list[str] = []
        self._arrivals: list[Arrival] = []

    def warm(self, count: int) -> None:
        pass

    def submit(self, number: int, chains: list[Chain]) -> None:
        self.sent.append([job.key for chain in chains for job in chain])
        answer = self.answer(chains)
        results, lost = (None, answer) if isinstance(answer, Lost) else (answer, None)
        self._arrivals.append(Arrival(number, results, lost))

    def collect(self, timeout: float) -> list[Arrival]:
        arrivals, self._arrivals = self._arrivals, []
        return arrivals

    def drain(self) -> None:
        self.asked.append("drain")

    def kill(self) -> None:
        self.asked.append("kill")

    def close(self) -> None:
        raise AssertionError("a driver closes nothing")


def work(*keys: str, record: int = 0) -> Work:
    """Make a chain of jobs that are names only."""
    jobs = tuple(Job(key, "R", None, "", "", None, (), None) for key in keys)  # type: ignore[arg-type]
    return Work(record, tuple(range(len(keys))), jobs)


def done(chains: list[Chain]) -> list[list[JobResult]]:
    """Let every job be done."""
    return [[JobResult(job.key, Outcome.DONE) for job in chain] for chain in chains]


class Books:
    """What was booked, and what the files say of lost jobs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.booked: list[tuple[str, str]] = []
        #: Key -> outcome that the files of a lost batch show.
        self.traces: dict[str, str] = {}
        monkeypatch.setattr(module.settle, "read_events", lambda jobs: {})
        monkeypatch.setattr(module.settle, "outcome", self._outcome)
        monkeypatch.setattr(
            module.settle, "give_up", lambda job, lost, sends: JobResult(job.key, f"given up after {sends}")
        )
        monkeypatch.setattr(module, "HELD_PAUSE", 0.0)
        monkeypatch.setattr(module, "TICK", 0.001)

    def _outcome(self, job: Job, event: object, lost: Lost, *, is_stopped: bool) -> JobResult | None:
        outcome = self.traces.get(job.key)
        return None if outcome is None else JobResult(job.key, outcome)

    def book(self, work: Work, results: Sequence[JobResult]) -> None:
        keys = [job.key for job in work.jobs]
        assert keys[: len(results)] == [result.key for result in results]
        self.booked += [(result.key, result.outcome) for result in results]

    def drive(self, executor: Scripted, *works: Work) -> bool:
        with StopRequest(10.0, here=False) as stop:
            return Driver(executor, stop, self.book).drive(iter(works), len(works), lambda: None)


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> Books:
    return Books(monkeypatch)


def test_every_chain_is_booked_once(books: Books) -> None:
    """Chains go out in their order, and each job is booked once."""
    executor = Scripted(done)
    assert books.drive(executor, *(work(f"{number}/a", f"{number}/b") for number in range(50)))
    assert books.booked == [(f"{number}/{step}", "done") for number in range(50) for step in "ab"]
    assert max(map(len, executor.sent)) > 2


def test_rest_of_a_cut_chain_is_sent_again(books: Books) -> None:
    """A batch that comes back with less than was sent is no loss: what is left goes out again."""
    executor = Scripted(lambda chains: [results[:1] for results in done(chains)])
    assert books.drive(executor, work("a", "b", "c"))
    assert books.booked == [("a", "done"), ("b", "done"), ("c", "done")]
    assert executor.sent == [["a", "b", "c"], ["b", "c"], ["c"]]


def test_job_after_a_blocked_one_is_blamed(books: Books) -> None:
    """A lost chain is looked through to its end: a job without a trace may stand before the one that died."""
    answers = iter([LOST, LOST])
    executor = Scripted(lambda chains: next(answers, None) or done(chains))
    books.traces = {"a": "failed", "c": "failed"}
    assert books.drive(executor, work("a", "b", "c", "d"))
    assert executor.sent[1] == ["b", "d"]
    assert sorted(books.booked) == [("a", "failed"), ("b", "done"), ("c", "failed"), ("d", "done")]


def test_neighbours_of_dying_jobs_are_not_given_up(books: Books) -> None:
    """However many jobs of its batches die, a job that was not begun is sent again."""
    dying = [f"dying-{number}" for number in range(3 * MOST_SENDS)]
    good = work("good", record=99)

    def answer(chains: list[Chain]) -> Any:
        keys = [job.key for chain in chains for job in chain]
        dead = [key for key in keys if key in dying]
        books.traces = dict.fromkeys(dead[:1], "failed")
        return LOST if dead else done(chains)

    assert books.drive(Scripted(answer), *(work(key) for key in dying), good)
    assert dict(books.booked) == {**dict.fromkeys(dying, "failed"), "good": "done"}
    assert len(books.booked) == len(dying) + 1


def test_batch_that_is_lost_without_a_trace_is_given_up(books: Books) -> None:
    """A place that swallows batches does not keep a run for ever."""
    executor = Scripted(lambda chains: LOST)
    assert books.drive(executor, work("a", "b"))
    assert len(executor.sent) == MOST_SENDS
    assert books.booked == [(key, f"given up after {MOST_SENDS}") for key in "ab"]


def test_lost_job_that_another_run_holds_is_waited_for(books: Books) -> None:
    """What another run has taken over meanwhile is asked again later, with all that comes after it."""
    answers = iter([LOST])
    executor = Scripted(lambda chains: next(answers, None) or done(chains))
    books.traces = {"a": Outcome.HELD, "b": Outcome.HELD}
    assert books.drive(executor, work("a", "b", "c"))
    assert executor.sent == [["a", "b", "c"], ["a", "b", "c"]]
    assert books.booked == [("a", "done"), ("b", "done"), ("c", "done")]


def test_held_job_is_asked_again(books: Books) -> None:
    """A job that another run holds ends its chain for now; what was done before it is booked at once."""
    first = iter([[[JobResult("a", Outcome.DONE), JobResult("b", Outcome.HELD)]]])
    executor = Scripted(lambda chains: next(first, None) or done(chains))
    assert books.drive(executor, work("a", "b", "c"))
    assert executor.sent == [["a", "b", "c"], ["b", "c"]]
    assert books.booked == [("a", "done"), ("b", "done"), ("c", "done")]


def test_place_that_is_gone_ends_the_run(books: Books) -> None:
    """When nothing can be sent any more the run ends, and says that it is not whole."""
    executor = Scripted(lambda chains: Lost("the scheduler is gone", usable=False))
    assert not books.drive(executor, work("a"), work("b"))
    assert executor.sent == [["a"]]


def test_arrivals_of_an_earlier_run_are_let_pass(books: Books) -> None:
    """A batch that comes back after its run was ended is not taken for one of this run."""
    executor = Scripted(done)
    executor._arrivals.append(Arrival(-1, [[JobResult("old", Outcome.DONE)]]))
    assert books.drive(executor, work("a"))
    assert books.booked == [("a", "done")]


def test_error_of_ours_kills_what_runs(books: Books) -> None:
    """When the run itself fails, no script is left running behind it."""
    executor = Scripted(done)

    def fail(work: Work, results: Sequence[JobResult]) -> None:
        raise MemoryError

    books.book = fail  # type: ignore[method-assign]
    executor.ahead = 1
    with pytest.raises(MemoryError):
        books.drive(executor, work("a"), work("b"), work("c"))
    assert executor.asked == ["kill"]


def test_stop_drains_then_kills(books: Books) -> None:
    """A stop lets workers finish their jobs, a second one ends them; nothing new is sent."""
    with StopRequest(10.0, here=False) as stop:
        executor = Scripted(done)
        asked: list[list[str]] = []

        def show() -> None:
            asked.append(list(executor.asked))

        collected = iter([[], [], []])
        collect = executor.collect

        def slowly(timeout: float) -> list[Arrival]:
            stop.request(2)
            return next(collected, None) if stop.times < 4 else collect(timeout)  # type: ignore[return-value]

        executor.collect = slowly  # type: ignore[method-assign]
        assert not Driver(executor, stop, books.book).drive(iter([work("a"), work("b")]), 2, show)
    assert executor.asked == ["drain", "kill"]
    assert executor.sent == [["a"]]
    assert books.booked == [("a", "done")]


def test_job_that_is_tried_again_takes_what_reads_it_along(books: Books) -> None:
    """A failure that is tried again is not booked; what reads it waits with it, all else goes on at once."""
    sent: list[dict[str, int]] = []

    def answer(chains: list[Chain]) -> list[list[JobResult]]:
        sent.append({job.key: job.tries for chain in chains for job in chain})
        return [
            [
                JobResult("a", Outcome.FAILED, retry=0.0 if job.tries < 2 else None)
                if job.key == "a"
                else JobResult(job.key, Outcome.BLOCKED, missing=("a",))
                if "a" in job.upstream
                else JobResult(job.key, Outcome.DONE)
                for job in chain
            ]
            for chain in chains
        ]

    chain = work("a", "b", "c")
    jobs = (chain.jobs[0], chain.jobs[1]._replace(upstream=("a",)), chain.jobs[2])
    assert books.drive(Scripted(answer), chain._replace(jobs=jobs))
    assert sent == [{"a": 0, "b": 0, "c": 0}, {"a": 1, "b": 0}, {"a": 2, "b": 0}]
    assert books.booked == [("c", "done"), ("a", "failed"), ("b", "blocked")]


def test_lanes_are_not_mixed(books: Books) -> None:
    """Jobs that need different processes travel apart, in the order of their chain; isolated ones one by one."""
    executor = Scripted(done)
    lanes = {0: Lane(threads=2), 2: Lane(is_alone=True)}
    driver = Driver(executor, StopRequest(1.0, here=False), books.book, lanes=lanes)
    works = [work("a", "b", "c"), work("d", "e", "f")]
    assert driver.drive(iter(works), 2, lambda: None)
    assert sorted(key for keys in executor.sent for key in keys) == list("abcdef")
    for keys in executor.sent:
        assert set(keys) <= set("ad") or set(keys) <= set("be") or len(keys) == 1
    assert len(books.booked) == 6


def test_batches_behind_a_dead_child_are_innocent(books: Books) -> None:
    """A batch that was never begun is sent again as often as it takes, and nobody looks for what it did."""
    answers = iter([Lost("its child was ended", is_begun=False)] * (MOST_SENDS + 3))
    executor = Scripted(lambda chains: next(answers, None) or done(chains))
    assert books.drive(executor, work("a"))
    assert books.booked == [("a", "done")] and len(executor.sent) == MOST_SENDS + 4


def test_too_many_failures_end_the_sending(books: Books) -> None:
    """After so many failures workers are asked to stop, and what waits for a retry keeps the failure that it had."""
    results = {"a": JobResult("a", Outcome.FAILED, retry=60.0), "b": JobResult("b", Outcome.FAILED)}
    executor = Scripted(
        lambda chains: [[results[job.key] for job in chain if job.key in results] for chain in chains]
    )
    driver = Driver(executor, StopRequest(1.0, here=False), books.book, max_failures=1)
    assert not driver.drive(iter([work("a"), work("b"), work("c")]), 3, lambda: None)
    assert driver.is_full and executor.sent == [["a"], ["b", "c"]]
    assert books.booked == [("b", "failed"), ("a", "failed")]


@pytest.mark.parametrize(("times", "sends"), [(1, MOST_SENDS), (MOST_SENDS, 1)])
def test_job_whose_worker_is_ended_again_and_again_is_given_up(times: int, sends: int, books: Books) -> None:
    """A job that was under way when its worker was ended is sent again, so many times; what was not begun is innocent."""
    ended = Lost("the worker was ended", blames=False, times=times)

    def answer(chains: list[Chain]) -> Any:
        keys = [job.key for chain in chains for job in chain]
        books.traces = {"a": Outcome.LOST}
        return ended if "a" in keys else done(chains)

    executor = Scripted(answer)
    assert books.drive(executor, work("a", "b"), work("c"))
    assert dict(books.booked) == {
        "a": f"given up after {MOST_SENDS}",
        "b": f"given up after {MOST_SENDS}",
        "c": "done",
    }
    assert sum("a" in sent for sent in executor.sent) == sends


def test_what_is_not_known_is_named(books: Books) -> None:
    """When the place where jobs run is gone, its last words say why, and which jobs were under way there."""
    executor = Scripted(lambda chains: Lost("no scheduler at tcp://x:1", usable=False, blames=False))
    books.traces = {"b": Outcome.LOST}
    with StopRequest(10.0, here=False) as stop:
        driver = Driver(executor, stop, books.book)
        assert driver.last_words() == []
        assert not driver.drive(iter([work("a", "b", "c")]), 1, lambda: None)
    why, unknown = driver.last_words()
    assert "no scheduler at tcp://x:1; run again" in why
    assert "1 job(s): b;" in unknown


def test_workers_that_come_later_are_used(books: Books) -> None:
    """How much is under way follows the number of workers, which may change while a run goes on."""
    executor = Scripted(done)
    most: list[int] = []

    def answer(chains: list[Chain]) -> Any:
        executor.slots = 4
        most.append(len(executor._arrivals))
        return done(chains)

    executor.answer = answer
    executor.ahead = 0
    assert books.drive(executor, *(work(f"{number}") for number in range(40)))
    assert max(most) > 1


@pytest.mark.parametrize("times", [1, 99])
def test_job_that_a_signal_from_outside_interrupted_goes_on_elsewhere(times: int, books: Books) -> None:
    """A job that was interrupted though nobody asked this run to stop is sent again, but not for ever."""
    cuts = iter(range(times))

    def answer(chains: list[Chain]) -> Any:
        if next(cuts, None) is None:
            return done(chains)
        return [[JobResult(chain[0].key, Outcome.INTERRUPTED)] for chain in chains]

    executor = Scripted(answer)
    books.drive(executor, work("a"))
    assert books.booked == [("a", "done" if times == 1 else "interrupted")]
    assert len(executor.sent) == min(times + 1, MOST_SENDS)
