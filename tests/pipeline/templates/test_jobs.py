"""Laws of jobs: their order, their rules, their matrices, and what a run tells in the end."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest

from sinagot.engine.acts.act import RULES

_OK, _BAD, _SKIPPED = "{echo: x}", "{raise: x}", "{echo: x}"


def status(result: Any) -> dict[str, str]:
    """Give how each job ended."""
    return {name: job["status"] for name, job in result.context["jobs"].items()}


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_jobs_run_in_the_order_of_their_needs(shelf: Any, workers: int) -> None:
    """a <- b <- c, declared in reverse: each sees what those before it gave, with any number of workers."""
    pipe = shelf.jobs(
        """
        c: {needs: [b, a], stages: [{name: x, run: "n = m + 1", vars: {m: "${{ jobs.b.stages.x.outputs.n }}"}}]}
        b: {needs: a, stages: [{name: x, run: "n = m + 1", vars: {m: "${{ jobs.a.stages.x.outputs.n }}"}}]}
        a: {stages: [{name: x, run: "n = 1"}]}
        """
    ).using(workers=workers)
    result = pipe.execute()
    assert result.ok and status(result) == {"a": "DONE", "b": "DONE", "c": "DONE"}
    assert result.context["jobs"]["c"]["stages"]["x"]["outputs"] == {"n": 3}
    assert [line["stage"] for line in shelf.lines if line["message"] == "Stage started"] == [
        "a/x",
        "b/x",
        "c/x",
    ]


@pytest.mark.parametrize("rule", RULES)
def test_a_trigger_rule_decides(shelf: Any, rule: str) -> None:
    """For every two ends of what a job needs, it runs or is skipped as its rule says; a skipped one counts as such."""
    stages = {"DONE": "stages: [{name: x}]", "ERROR": "stages: [{name: x, raise: x}]"}
    stages["SKIPPED"] = "if: 1 > 2\n  stages: [{name: x}]"
    pairs = list(itertools.combinations_with_replacement(stages, 2))
    text = "".join(f"{kind}{at}:\n  {body}\n" for kind, body in stages.items() for at in (1, 2))
    for at, (one, other) in enumerate(pairs):
        text += f"t{at}:\n  needs: [{one}1, {other}2]\n  trigger-rule: {rule}\n  stages: [{{name: x}}]\n"
    found = status(shelf.jobs(text).execute())
    expected = {
        "all_success": lambda ends: ends == ["DONE", "DONE"],
        "all_failed": lambda ends: ends == ["ERROR", "ERROR"],
        "all_done": lambda ends: True,
        "one_success": lambda ends: "DONE" in ends,
        "one_failed": lambda ends: "ERROR" in ends,
        "none_failed": lambda ends: "ERROR" not in ends,
        "none_skipped": lambda ends: "SKIPPED" not in ends,
    }[rule]
    for at, (one, other) in enumerate(pairs):
        assert found[f"t{at}"] == ("DONE" if expected([one, other]) else "SKIPPED"), (one, other)


def test_conditions_of_jobs_and_stages(shelf: Any) -> None:
    """A skipped stage stops none behind it; a skipped job skips those that need it; a failed stage those behind it."""
    result = shelf.jobs(
        """
        a:
          stages:
            - {name: one, if: params.n > 5}
            - {name: two, run: "y = 1"}
            - {name: three, if: "stages.two.outputs.y == 1", echo: three}
            - {name: four, raise: four}
            - {name: five}
        b: {if: params.n > 5, stages: [{name: x}]}
        c: {needs: b, stages: [{name: x}]}
        d: {needs: c, trigger-rule: all_done, stages: [{name: x}]}
        """,
        more="params: {n: int}",
    ).execute({"n": 3})
    assert (result.status, result.ok) == (1, False) and str(result.error).startswith("four")
    stages = result.context["jobs"]["a"]["stages"]
    assert {name: one["status"] for name, one in stages.items()} == {
        "one": "SKIPPED", "two": "DONE", "three": "DONE", "four": "ERROR", "five": "SKIPPED",
    }  # fmt: skip
    assert stages["four"]["errors"]["message"] == "four"
    assert status(result) == {"a": "ERROR", "b": "SKIPPED", "c": "SKIPPED", "d": "DONE"}
    assert result.context["jobs"]["b"]["reason"] == "its condition does not hold: params.n > 5"


def test_a_matrix_keeps_what_went_well(shelf: Any) -> None:
    """Of six combinations one fails: status 1, five results, and who comes after can read them all."""
    result = shelf.jobs(
        """
        a:
          strategy: {matrix: {n: [1, 2, 3], word: [x, "y"]}, max-parallel: 2}
          stages:
            - name: power
              run: "made = word * (3 // (3 - n))"
              vars: {n: "${{ matrix.n }}", word: "${{ matrix.word }}"}
              if: matrix.n != 3 or matrix.word == "x"
        b:
          needs: a
          trigger-rule: all_done
          stages:
            - {name: x, run: "k = sorted(s)", vars: {s: "${{ jobs.a.strategies }}"}}
            - {name: y, echo: "${{ jobs.a.runs.1.stages.power.outputs.made }}"}
        """
    ).execute()
    assert result.status == 1 and "division" in str(result.error)
    strategies = result.context["jobs"]["a"]["strategies"]
    assert result.context["jobs"]["a"]["runs"] == list(strategies.values())
    ends = {label: one["stages"]["power"]["status"] for label, one in strategies.items()}
    assert sorted(ends.values()) == ["DONE"] * 4 + ["ERROR", "SKIPPED"]
    assert strategies["n=2,word=y"]["stages"]["power"]["outputs"] == {"made": "yyy"}
    assert strategies["n=2,word=y"]["matrix"] == {"n": 2, "word": "y"}
    assert result.context["jobs"]["b"]["stages"]["x"]["outputs"]["k"] == sorted(ends)
    assert shelf.said("b/y") == ["y"]


def test_include_exclude_and_values_of_before(shelf: Any) -> None:
    """Combinations come from lists, from expressions, less what is excluded, and with what is included."""
    result = shelf.jobs(
        """
        a: {stages: [{name: x, run: "values = [1, 2]"}]}
        b:
          needs: a
          strategy:
            matrix: {n: "${{ jobs.a.stages.x.outputs.values }}", t: [false, 1]}
            exclude: [{n: 2, t: 1}]
            include: [{n: 9, extra: e}, {n: 1, t: false}]
          stages: [{name: y, echo: "${{ matrix.n }} ${{ matrix.extra? | coalesce('none') }}"}]
        """
    ).execute()
    assert result.ok
    assert list(result.context["jobs"]["b"]["strategies"]) == [
        "n=1,t=false",
        "n=1,t=1",
        "n=2,t=false",
        "n=9,extra=e",
    ]
    assert shelf.said("b[n=9,extra=e]/y") == ["9 e"]


@pytest.mark.parametrize("is_fail_fast", [True, False])
def test_fail_fast_begins_no_more(shelf: Any, is_fail_fast: bool) -> None:
    """After a failure the other combinations are left, where that is asked for."""
    result = shelf.jobs(
        f"""
        a:
          strategy: {{matrix: {{n: [1, 2, 3]}}, max-parallel: 1, fail-fast: {str(is_fail_fast).lower()}}}
          stages: [{{name: x, run: "y = 1 / (n - 1)", vars: {{n: "${{{{ matrix.n }}}}"}}}}]
        """
    ).execute()
    ends = [one["status"] for one in result.context["jobs"]["a"]["strategies"].values()]
    assert ends == ["ERROR", *(["SKIPPED"] * 2 if is_fail_fast else ["DONE"] * 2)]


def test_stages_and_jobs_are_tried_again(shelf: Any) -> None:
    """A stage is tried as often as it says; a job begins anew with its first stage."""
    count = shelf.root / "count"
    text = f"""
        a:
          retry: 1
          retry-wait: 0
          stages:
            - name: first
              bash: echo x >> {count}
            - name: second
              retry: 2
              retry-wait: 0
              bash: |
                echo y >> {count}
                test $(grep -c y {count}) -ge 5
        """
    result = shelf.jobs(text).execute()
    assert result.ok, result.error
    assert count.read_text().split() == ["x", *"yyy", "x", *"yy"]


def test_one_object_runs_from_many_threads(shelf: Any) -> None:
    """Eight executions at once, each with its own parameters and outputs."""
    pipe = shelf.stages(
        "- {name: x, run: 'y = 2 * n', vars: {n: '${{ params.n }}'}}", more="params: {n: int}"
    )
    found: dict[int, Any] = {}

    def execute(n: int) -> None:
        found[n] = pipe.execute({"n": n})

    threads = [threading.Thread(target=execute, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {n: one.context["jobs"]["a"]["stages"]["x"]["outputs"]["y"] for n, one in found.items()} == {
        n: 2 * n for n in range(8)
    }
    assert len({one.run_id for one in found.values()}) == 8
