"""Random chains with random failures: the books agree with a small model, and the next run does exactly what is left."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinagot import Workspace
from sinagot.engine.executors.contract import Executor
from sinagot.engine.executors.processes import ProcessExecutor
from sinagot.testing import make_workspace, script_text

RECORDS = ("R1", "R2", "R3")

BODY = """
    wish = self.data_path / "wishes" / f"{self.id}-{self.label}"
    how = wish.read_text() if wish.exists() else ""
    with open(self.data_path / "begun.txt", "a") as begun:
        begun.write(f"{self.id} {self.label}\\n")
    if how == "raise":
        raise ValueError("as was wished")
    if how == "leave":
        raise SystemExit(3)
    if how == "forget":
        return
    if how == "die":
        os._exit(4)
    self.path.output.write_text("".join(path.read_text() for path in self.path.input.values()) + self.label)
"""


class Chain(NamedTuple):
    """Steps by name with what each reads, and how some jobs fail."""

    steps: dict[str, tuple[str, ...]]
    wishes: dict[tuple[str, str], str]

    def expected(self) -> dict[tuple[str, str], str]:
        """Tell the outcome of each job of a first run."""
        outcomes: dict[tuple[str, str], str] = {}
        for record_id in RECORDS:
            for step, sources in self.steps.items():
                feeding = [outcomes[record_id, source] for source in sources if source != "raw"]
                if set(feeding) - {"done"}:
                    outcomes[record_id, step] = "blocked"
                else:
                    outcomes[record_id, step] = "failed" if (record_id, step) in self.wishes else "done"
        return outcomes


@st.composite
def chains(draw: st.DrawFn, ways: tuple[str, ...]) -> Chain:
    """Draw up to five steps, each of which reads the raw file or earlier steps, and some failures."""
    steps: dict[str, tuple[str, ...]] = {}
    for name in "abcde"[: draw(st.integers(1, 5))]:
        sources = st.sampled_from(["raw", *steps])
        steps[name] = tuple(draw(st.lists(sources, min_size=1, max_size=2, unique=True)))
    jobs = [(record_id, step) for record_id in RECORDS for step in steps]
    wishes = draw(st.dictionaries(st.sampled_from(jobs), st.sampled_from(ways), max_size=5))
    return Chain(steps, wishes)


def write(chain: Chain, folder: str) -> Workspace:
    """Write the workspace of a chain."""
    scripts = {
        name: script_text(BODY, {source: (source, "{id}.txt") for source in sources}, (name, "{id}.txt"))
        for name, sources in chain.steps.items()
    }
    workspace = make_workspace(folder, records=RECORDS, scripts=scripts)
    (workspace.data_path / "wishes").mkdir()
    for (record_id, step), how in chain.wishes.items():
        (workspace.data_path / "wishes" / f"{record_id}-{step}").write_text(how)
    return workspace


def check(chain: Chain, executor: Executor | None) -> None:
    """Run a chain, mend it, run it again, and compare all with the model."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # a child may still look at it
        workspace = write(chain, folder)
        mode = "main_process"
        if executor is not None:
            mode = "processes"
            workspace.executor = lambda key, make: nullcontext(executor)  # type: ignore[method-assign]
        begun = workspace.data_path / "begun.txt"
        report = workspace.steps.run(mode=mode, printing=False)
        expected = chain.expected()
        outcomes = {(row["record_id"], row["step_label"]): row["outcome"] for row in report.iter_jobs()}
        assert outcomes == expected
        assert {name: count for name, count in report.counts.items() if count} == Counter(expected.values())
        assert sum(report.counts.values()) == report.total == len(expected)
        assert report.ok == (set(expected.values()) == {"done"})
        assert sum(group.count for group in report.failures) == report.total - report.counts["done"]
        started = {key for key, outcome in expected.items() if outcome != "blocked"}
        assert Counter(begun.read_text().splitlines()) == dict.fromkeys(map(" ".join, started), 1)
        for wish in (workspace.data_path / "wishes").iterdir():
            wish.unlink()
        begun.write_text("")
        left = {key for key, outcome in expected.items() if outcome != "done"}
        again = workspace.steps.run(mode=mode, printing=False)
        assert again.ok and again.counts["done"] == len(left)
        assert Counter(begun.read_text().splitlines()) == dict.fromkeys(map(" ".join, left), 1)
        assert workspace.steps.run(mode=mode, printing=False).counts["up_to_date"] == report.total
        assert {row["step_status"] for row in workspace.steps.iter_status()} == {30}
        state = workspace.data_path / ".sinagot"
        assert [
            str(path) for kind in ("claims", "failures", "stage") for path in (state / kind).glob("*")
        ] == []


@given(chain=chains(("raise", "leave", "forget")))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_ledger_agrees_with_the_model_here(chain: Chain) -> None:
    """In the main process."""
    check(chain, None)


@pytest.fixture(scope="module")
def children() -> Iterator[ProcessExecutor]:
    """Give an executor with two children."""
    executor = ProcessExecutor(2)
    yield executor
    executor.close()


@given(chain=chains(("raise", "leave", "forget", "die")))
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_ledger_agrees_with_the_model_in_children(children: ProcessExecutor, chain: Chain) -> None:
    """In child processes, which some of the scripts end."""
    check(chain, children)
