"""Laws of the other kinds of stages: code, hooks, loops, branches, other pipelines; and of what they show."""

from __future__ import annotations

import ast
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sinagot.errors import ConfigurationError
from sinagot.pipeline.airflow import run_airflow_stage


def stages_of(result: Any, job: str = "a") -> dict[str, Any]:
    """Give what the stages of a job came to."""
    found: dict[str, Any] = result.context["jobs"][job]["stages"]
    return found


def test_code_gets_values_and_gives_names(shelf: Any) -> None:
    """Variables come by `vars`, never as text of the code; what it leaves are outputs, but for modules and functions."""
    evil = '"); open("pwned", "w"); ("'
    result = shelf.stages(
        """
        - name: x
          run: |
            import math
            def double(n):
                return 2 * n
            twice = double(n)
            both = (word, math.pi > 3)
            _hidden = 1
          vars: {n: "${{ params.n }}", word: "${{ params.word }}"}
        - name: y
          run: "total = n + 1"
          vars: {n: "${{ stages.x.outputs.twice }}"}
        """,
        more="params: {n: int, word: str}",
    ).execute({"n": 4, "word": evil})
    assert stages_of(result)["x"]["outputs"] == {"twice": 8, "both": (evil, True)}
    assert stages_of(result)["y"]["outputs"] == {"total": 9} and not list(shelf.root.rglob("pwned"))


def test_a_traceback_of_code_shows_the_line_of_the_file(shelf: Any) -> None:
    """File and place of the YAML, and the line of the code, stand in the log."""
    result = shelf.stages(
        """
        - name: x
          run: |
            a = 1
            b = a / 0
        """
    ).execute()
    assert result.status == 1
    trace = next(line["traceback"] for line in shelf.lines if line.get("traceback"))
    assert 'p.yaml:8 run>", line 2' in trace and "b = a / 0" in trace, trace


HOOKS = """\
from datetime import date
from sinagot.pipeline.templates.hooks import tag
from sinagot.pipeline.logging import info
from sinagot.pipeline import ctx

@tag("lab", alias="read-day")
def read(day: date, names: list[str], count: int = 2) -> dict:
    info("reading", day=day)
    return {"rows": [f"{name}-{day.isoformat()}" for name in names] * count}

@tag("lab")
def number() -> int:
    return 3
"""


def test_a_hook_is_called_with_checked_arguments(shelf: Any) -> None:
    """Arguments keep their types, and what a function gives that is no dict is an error that names it."""
    shelf.write("tasks/days.py", HOOKS)
    result = shelf.stages(
        """
        - name: x
          uses: tasks/days/read-day@lab
          with: {day: "${{ params.day }}", names: ["a", "${{ params.day | fmt('%d') }}"], count: 1}
        - {name: y, uses: tasks/days/number@lab}
        """,
        more="params: {day: date}",
    ).execute({"day": "2024-02-29"})
    assert stages_of(result)["x"]["outputs"] == {"rows": ["a-2024-02-29", "29-2024-02-29"]}
    assert "dict" in stages_of(result)["y"]["errors"]["message"]
    line = next(line for line in shelf.lines if line["message"] == "reading")
    assert line["stage"] == "a/x" and line["file"].endswith("days.py") and line["line"] == 8


def test_foreach_runs_its_stages_for_each_item(shelf: Any) -> None:
    """In order, or several at once with results in order; within one another; a failure leaves what was done."""
    result = shelf.stages(
        """
        - name: first
          run: "names = ['a', 'b', 'c']"
        - name: each
          foreach: ${{ stages.first.outputs.names }}
          stages:
            - {name: say, echo: "${{ index }}: ${{ item }}"}
            - {name: inner, foreach: [1, 2], concurrent: 2, stages: [{name: n, run: "m = [o, i]", vars: {i: "${{ item }}", o: "${{ stages.first.outputs.names.0 }}"}}]}
        - {name: empty, foreach: "${{ params.none }}", stages: [{name: x}]}
        - {name: bad, foreach: [1, 0, 2], stages: [{name: n, run: "m = 1 / i", vars: {i: "${{ item }}"}}]}
        """,
        more="params: {none: {type: array, default: []}}",
    ).execute()
    each = stages_of(result)["each"]["outputs"]
    assert each["items"] == ["a", "b", "c"] and list(each["foreach"]) == ["0", "1", "2"]
    inner = each["foreach"]["2"]["stages"]["inner"]["outputs"]["foreach"]
    assert [one["stages"]["n"]["outputs"]["m"] for one in inner.values()] == [["a", 1], ["a", 2]]
    said = [
        line["message"]
        for line in shelf.lines
        if (line.get("stage") or "").endswith("/say") and ": " in line["message"]
    ]
    assert said == ["0: a", "1: b", "2: c"]
    assert stages_of(result)["empty"]["outputs"] == {"items": [], "foreach": {}}
    assert stages_of(result)["bad"]["status"] == "ERROR" and result.status == 1


def test_parallel_branches_run_all(shelf: Any) -> None:
    """Each branch sees its name and what came before; their outputs are told by branch."""
    result = shelf.stages(
        """
        - {name: first, run: "n = 1"}
        - name: both
          parallel:
            left: [{name: x, run: "m = [b, n]", vars: {b: "${{ branch }}", n: "${{ stages.first.outputs.n }}"}}]
            right: [{name: x, echo: "${{ branch }}"}, {name: y, run: "m = 2"}]
        """
    ).execute()
    found = stages_of(result)["both"]["outputs"]["parallel"]
    assert found["left"]["stages"]["x"]["outputs"] == {"m": ["left", 1]}
    assert found["right"]["stages"]["y"]["outputs"] == {"m": 2}


@pytest.mark.parametrize(
    ("value", "branch"),
    [(1, "one"), ("1", "text"), (True, "true"), (1.0, "one"), (None, "rest"), ("x", "rest")],
)
def test_case_compares_values_and_types(shelf: Any, value: Any, branch: str) -> None:
    """1 is neither true nor "1"; `_` matches everything; without it no match is an error."""
    result = shelf.stages(
        """
        - name: x
          case: ${{ params.v.v }}
          match:
            - {case: true, stages: [{name: y, run: "m = 'true'"}]}
            - {case: 1, stages: [{name: y, run: "m = 'one'"}]}
            - {case: "1", stages: [{name: y, run: "m = 'text'"}]}
            - {case: _, stages: [{name: y, run: "m = 'rest'"}]}
        - name: z
          if: params.v.v == "x"
          case: ${{ params.v.v }}
          match: [{case: 1, stages: [{name: y}]}]
        """,
        more="params: {v: map}",
    ).execute({"v": {"v": value}})
    assert stages_of(result)["x"]["outputs"]["stages"]["y"]["outputs"] == {"m": branch}
    assert result.ok is (value != "x")
    if value == "x":
        assert "no case matches 'x'" in stages_of(result)["z"]["errors"]["message"]


def test_until_repeats_to_its_end_or_its_limit(shelf: Any) -> None:
    """The item grows, or is what a stage gives; too many loops are an error."""
    result = shelf.stages(
        """
        - {name: count, until: "item >= 4", item: 1, stages: [{name: x, echo: "${{ item }} in ${{ loop }}"}]}
        - name: given
          until: "stages.x.outputs.item > 50"
          item: 3
          stages: [{name: x, run: "item = n * n", vars: {n: "${{ item }}"}}]
        - {name: never, until: "item < 0", max-loop: 3, stages: [{name: x}]}
        """
    ).execute()
    assert (
        stages_of(result)["count"]["outputs"]["item"],
        stages_of(result)["count"]["outputs"]["loops"],
    ) == (4, 3)
    assert shelf.said("a/count[3]/x") == ["3 in 3"]
    assert stages_of(result)["given"]["outputs"]["item"] == 81
    assert "in 3 loops" in stages_of(result)["never"]["errors"]["message"]


def test_a_pipeline_triggers_another(shelf: Any) -> None:
    """With parameters of its own, checked when it is loaded where they are known; its outputs are the stage's."""
    shelf.stages(
        "- {name: x, run: 'm = 2 * n', vars: {n: '${{ params.n }}'}}\n- {name: y, raise: big, if: params.n > 5}",
        more="params: {n: int}",
        name="q",
    )
    pipe = shelf.stages(
        """
        - {name: t, trigger: q, params: {n: "${{ params.k }}"}}
        - {name: u, echo: "${{ stages.t.outputs.jobs.a.stages.x.outputs.m }}"}
        """,
        more="params: {k: int}",
    )
    result = pipe.execute({"k": 4})
    assert stages_of(result)["t"]["outputs"]["jobs"]["a"]["stages"]["x"]["outputs"] == {"m": 8}
    assert shelf.said("a/u") == ["8"] and len({line["run_id"] for line in shelf.lines}) == 1
    assert "big" in str(pipe.execute({"k": 6}).error)
    with pytest.raises(ConfigurationError, match=r"q\.yaml|n: found 'x'"):
        shelf.stages("- {name: t, trigger: q, params: {n: x}}", name="r")
    shelf.write("conf/o.yaml", "o: {type: pipeline.Pipeline, jobs: {a: {stages: [{name: t, trigger: s}]}}}\n")
    with pytest.raises(ConfigurationError, match="without end: s -> o -> s"):
        shelf.stages("- {name: t, trigger: o}", name="s")


def test_a_pipeline_travels_to_another_process(shelf: Any) -> None:
    """A loaded template is pickled, and runs in a child."""
    pipe = shelf.stages(
        "- {name: x, run: 'm = 2 * n', vars: {n: '${{ params.n }}'}}", more="params: {n: int}"
    )
    file = shelf.root / "pipe.pickle"
    file.write_bytes(pickle.dumps(pipe))
    code = (
        "import pickle, sys; result = pickle.load(open(sys.argv[1], 'rb')).execute({'n': 4});"
        "print(result.context['jobs']['a']['stages']['x']['outputs'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1:] == ["{'m': 8}"], done.stderr


NESTED = """
a:
  stages:
    - {name: x, run: "n = 1"}
    - name: y
      foreach: [1, 2]
      stages: [{name: z}, {name: w}]
b: {needs: a, stages: [{name: x, echo: "${{ jobs.a.stages.x.outputs.n }}"}]}
c: {needs: [a, b], strategy: {matrix: {k: [1, 2]}}, stages: [{name: x, echo: "${{ matrix.k }}"}]}
"""


def test_views_show_each_stage_and_edge_once(shelf: Any) -> None:
    """A Mermaid chart, a listing and a page have all stages, those within others too."""
    pipe = shelf.jobs(NESTED)
    names = ["a/x", "a/y", "a/y[item]/z", "a/y[item]/w", "b/x", "c/x"]
    assert [node.name for node in pipe.description().nodes] == names
    chart = pipe.describe("mermaid")
    for name in names:
        shown = name.replace("[", "#91;").replace("]", "#93;")
        assert chart.count(f'"{shown}<br/>') == 1, chart
    edges = [line for line in chart.splitlines() if "-->" in line or "-.->" in line]
    assert len(edges) == len(set(edges)) == len(pipe.description().edges) == 6
    assert all(name in pipe.describe("text") and name in pipe._repr_html_() for name in names)


def test_a_dag_file_has_a_task_per_stage_and_its_tasks_run(shelf: Any, tmp_path: Path) -> None:
    """The file compiles; a stage run apart sees what those before it left, and nested ones belong to theirs."""
    pipe = shelf.jobs(NESTED)
    source = ("template", "p", str(shelf.root))
    file = pipe.to_airflow(tmp_path / "dag.py", source=source)
    text = file.read_text()
    ast.parse(text)
    compile(text, str(file), "exec")
    for name in ("a/x", "a/y", "b/x", "c/x"):
        assert repr(name) in text or f'"{name}"' in text
    folder = tmp_path / "values"
    for name in ("a/x", "a/y", "a/y[item]/z", "a/y[item]/w", "b/x", "c/x"):
        assert run_airflow_stage(source, name, folder, {}), name
