"""Laws of reading templates: what loads, what is refused with file and line, and that one bad file hides no other."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from sinagot.errors import ConfigurationError, PipelineError
from sinagot.pipeline import Pipeline
from sinagot.pipeline.templates.template import read_template
from tests.pipeline.blocks import BLOCKS

TASKS = """\
from sinagot.pipeline.templates.hooks import tag

@tag("requests")
def get_api_with_oauth_to_s3(url: str, auth: str, aws_s3_path: str, aws_access_client_id: str,
                             aws_access_client_secret: str) -> dict:
    print("with", auth)
    return {"path": aws_s3_path, "length": len(auth)}
"""
PARAMS = {"author-run": "Local Workflow", "run-date": "2024-01-01"}
TOKEN = "t0p/s3cret+token=="


@pytest.mark.parametrize("folder", ["conf", "conf/a/b"])
@pytest.mark.parametrize("is_relative", [False, True])
def test_the_blocks_of_the_specification_run_as_they_are(
    shelf: Any, folder: str, is_relative: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both load from any depth, by a relative and an absolute root, and run; what variables held is not shown."""
    shelf.write(f"{folder}/flows.yaml", BLOCKS)
    shelf.write("tasks.py", TASKS)
    for name in ("API_ACCESS_REFRESH_TOKEN", "AWS_ACCESS_CLIENT_ID", "AWS_ACCESS_CLIENT_SECRET"):
        monkeypatch.setenv(name, TOKEN)
    monkeypatch.chdir(shelf.root.parent)
    root: Any = Path(os.path.relpath(shelf.root)) if is_relative else str(shelf.root)
    pipe = Pipeline.from_loader(name="pipeline-name", externals={}, root=root)
    result = pipe.execute(params=PARAMS)
    assert (result.status, result.ok) == (0, True)
    assert result.context["params"]["run-date"].isoformat() == "2024-01-01T00:00:00"
    assert list(result.context["jobs"]["first-job"]["stages"].values()) == [{"outputs": {}, "status": "DONE"}]
    fetched = Pipeline.from_loader("run_py_local", root=root).execute(PARAMS)
    stages = fetched.context["jobs"]["getting-api-data"]["stages"]
    assert stages["retrieve-api"]["outputs"] == {"path": "my-data/open-data/", "length": len(TOKEN)}
    assert "s3cret" not in repr(fetched.context)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a:\n  stagse: []", 2, "unknown key in a job, known are desc, if, needs, .*; did you mean 'stages'"),
        ("a:\n  desc: x", 2, "a job needs `stages`"),
        ("a:", 1, "this job is empty"),
        ("a: 3", 1, "found 3 .*, allowed is a job"),
        ("a.b: {stages: [{name: x}]}", 1, "a job's name holds no point"),
        ("a:\n  needs: b\n  stages: [{name: x}]", 2, "there is no job 'b', there is a"),
        ("ab:\n  needs: ac\n  stages: [{name: x}]\nacc: {stages: [{name: x}]}", 2, "did you mean 'acc'"),
        (
            "a: {needs: b, stages: [{name: x}]}\nb: {needs: a, stages: [{name: x}]}",
            1,
            "in a circle: a <- b <- a",
        ),
        ("a: {needs: a, stages: [{name: x}]}", 1, "in a circle: a <- a"),
        ("a:\n  trigger-rule: all_sucess\n  stages: [{name: x}]", 2, "did you mean 'all_success'"),
        ("a:\n  retry: -1\n  stages: [{name: x}]", 2, "a whole number from 0"),
        ("a:\n  stages:\n    - echo: x", 3, "a stage needs a `name`"),
        (
            "a:\n  stages:\n    - name: x\n      bahs: ls",
            4,
            "unknown key in a stage.*; did you mean 'bash'",
        ),
        (
            "a:\n  stages:\n    - name: x\n      bash: ls\n      run: y = 1",
            5,
            "does one thing: this one has bash and run",
        ),
        ("a:\n  stages:\n    - name: x\n      id: x.y", 4, "an id holds no point"),
        (
            "a:\n  stages:\n    - {name: x, id: y}\n    - name: z\n      id: y",
            5,
            "two stages have the id 'y'",
        ),
        ("a:\n  stages:\n    - name: x\n      timeout: soon", 4, "timeout: found 'soon'"),
        (
            "a:\n  stages:\n    - name: x\n      foreach: [1]\n      stages: [{name: y}]\n      timeout: 1",
            6,
            "no timeout",
        ),
        ("a:\n  strategy: {matrxi: {x: [1]}}\n  stages: [{name: x}]", 2, "did you mean 'matrix'"),
        ("a:\n  strategy: {matrix: {x: 3}}\n  stages: [{name: x}]", 2, "a list of values"),
        ("a:\n  stages:\n    - name: x\n      echo: ${{ parms.x }}", 4, "did you mean 'params'"),
        ("a:\n  stages:\n    - name: x\n      echo: ${{ params.dya }}", 4, "did you mean 'day'"),
        ("a:\n  stages:\n    - name: x\n      echo: ${{ params.day | uper }}", 4, "did you mean 'upper'"),
        (
            "a:\n  stages:\n    - name: x\n      echo: ${{ stages.later.outputs.x }}\n    - name: later",
            4,
            "has no 'later'",
        ),
        (
            "a:\n  stages: [{name: x}]\nb:\n  stages:\n    - name: y\n      echo: ${{ jobs.a.stages }}",
            6,
            "has no 'a'",
        ),
        ("a:\n  stages:\n    - name: x\n      echo: ${{ matrix.y }}", 4, "matrix"),
        ("a:\n  if: params.day ==\n  stages: [{name: x}]", 2, "invalid syntax"),
        ("a:\n  stages:\n    - name: x\n      if: open('/etc/passwd')", 4, "open"),
        ("a:\n  stages:\n    - name: x\n      bash: ''", 4, "the script is empty"),
        (
            "a:\n  stages:\n    - name: x\n      bash: |\n        cat <<'E'\n        ${{ params.day }}\n        E",
            4,
            "here-document",
        ),
        ("a:\n  stages:\n    - name: x\n      run: 'x = ${{ params.day }}'", 4, "values come in by `vars`"),
        (
            "a:\n  stages:\n    - name: x\n      run: |\n        x = 1\n        y = = 2",
            4,
            r"no Python: .*line 2",
        ),
        ("a:\n  stages:\n    - name: x\n      run: x = 1\n      vars: {a-b: 1}", 5, "no name for a variable"),
        ("a:\n  stages:\n    - name: x\n      uses: tasks/nothing@here", 4, "nothing"),
        (
            "a:\n  stages:\n    - name: x\n      foreach: 3\n      stages: [{name: y}]",
            4,
            "an expression that gives one",
        ),
        ("a:\n  stages:\n    - name: x\n      foreach: [1]", 3, "needs `stages`"),
        ("a:\n  stages:\n    - name: x\n      parallel: {}", 4, "branches by name"),
        ("a:\n  stages:\n    - name: x\n      case: 1", 4, "needs `match`"),
        (
            "a:\n  stages:\n    - name: x\n      case: 1\n      match: [{stages: [{name: y}]}]",
            5,
            "needs a `case`",
        ),
        ("a:\n  stages:\n    - name: x\n      trigger: p", 4, "without end: p -> p"),
        ("a:\n  stages:\n    - name: x\n      trigger: q", 4, "no pipeline.Pipeline 'q'"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(shelf: Any, text: str, line: int, words: str) -> None:
    """Unknown keys and names, bad ids, circles: each with file, line and, where there is one, a near name."""
    found = shelf.problems(text, more="params: {day: str}")
    # Three lines stand before the jobs, and `jobs`.
    assert any(one.startswith(f"p.yaml:{line + 4}: ") and re.search(words, one) for one in found), found


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_run(shelf: Any) -> None:
    """Problems of parameters, triggers, jobs and nested stages come together, each once."""
    found = shelf.problems(
        """
        a:
          stages:
            - name: x
              foreach: [1, 2]
              stages:
                - {name: y, uses: no/thing@x, retyr: 1}
                - {name: z, echo: "${{ itme }}"}
        """,
        more="params: {n: itn}\non: nobody\noverlpa: 1",
    )
    for words in ("'int'", "nobody", "'overlap'", "no/thing@x", "'retry'", "'item'"):
        assert sum(words in one for one in found) == 1, (words, found)
    assert not (shelf.root / "logs").exists()


def test_one_bad_file_hides_no_other_and_a_mended_one_loads(shelf: Any) -> None:
    """Beside broken YAML a good pipeline runs; the broken one, mended, loads in the same process."""
    shelf.write("conf/bad.yaml", "bad:\n  type: pipeline.Pipeline\n  jobs: {a: [}\n")
    assert shelf.stages("- name: x").execute().ok
    with pytest.raises(ConfigurationError, match=r"bad\.yaml:3"):
        shelf.load("bad")
    shelf.write("conf/bad.yaml", "bad:\n  type: pipeline.Pipeline\n  jobs: {a: {stages: [{name: x}]}}\n")
    assert shelf.load("bad").execute().ok
    with pytest.raises(ConfigurationError, match="did you mean 'bad'"):
        shelf.load("bda")


def test_externals_win_over_the_file(shelf: Any) -> None:
    """Parts are merged in depth, and what they change is checked as the file is."""
    shelf.stages("- {name: x, echo: one}", more="params: {n: int}")
    pipe = shelf.load(
        externals={"params": {"n": {"type": "int", "default": 3}}, "jobs": {"b": {"stages": [{"name": "y"}]}}}
    )
    assert pipe.execute().context["params"] == {"n": 3}
    with pytest.raises(ConfigurationError, match="did you mean 'stages'"):
        shelf.load(externals={"jobs": {"b": {"stagse": []}}})


def test_parameters_of_all_types_come_in_and_wrong_ones_stop_before_anything(shelf: Any) -> None:
    """Values arrive with their type; unknown, missing and wrong ones are told together, and nothing is written."""
    pipe = shelf.stages(
        "- name: x\n  run: 'kinds = {k: type(v).__name__ for k, v in given.items()}'\n  vars: {given: '${{ params }}'}",
        more="""\
        params:
          s: str
          i: int
          f: float
          d: decimal
          b: bool
          day: date
          at: datetime
          c: {type: choice, options: [low, high]}
          m: map
          l: array
          k: {type: int, default: 7}
        """,
    )
    given = {
        "s": "007",
        "i": "3",
        "f": 2,
        "d": "1.50",
        "b": "true",
        "day": "2024-02-29",
        "at": "2024-01-01T10:00:00+07:00",
        "c": "low",
        "m": {"a": 1},
        "l": [1, "x"],
    }
    result = pipe.execute(given)
    assert result.context["params"]["at"].isoformat() == "2024-01-01T10:00:00+07:00"
    assert result.context["params"]["k"] == 7
    assert result.context["jobs"]["a"]["stages"]["x"]["outputs"]["kinds"] == {
        "s": "str", "i": "int", "f": "float", "d": "Decimal", "b": "bool", "day": "date", "at": "datetime",
        "c": "str", "m": "dict", "l": "list", "k": "int",
    }  # fmt: skip
    before = shelf.lines
    with pytest.raises(ConfigurationError) as caught:
        pipe.execute({**given, "i": "3.5", "dya": 1, "c": "lwo"} | {"s": None})
    for words in ("3.5", "did you mean 'day'", "did you mean 'low'", "s:"):
        assert words in str(caught.value), words
    with pytest.raises(ConfigurationError, match="at"):
        pipe.execute({key: value for key, value in given.items() if key != "at"})
    assert shelf.lines == before


def test_run_gives_what_pipelines_in_python_give(shelf: Any) -> None:
    """`run(**params)` gives a mapping of stages, and raises where a stage fails, with what was done."""
    pipe = shelf.stages(
        "- {name: x, run: 'y = 2 * n', vars: {n: '${{ params.n }}'}}\n- {name: z, raise: no, if: params.n > 5}",
        more="params: {n: int}",
    )
    result = pipe.run(n=2)
    assert dict(result) == {"a/x": {"y": 4}} and result.ok and result.status["a/z"] == "SKIPPED"
    with pytest.raises(PipelineError, match="'a/z' failed: PipelineError: no") as caught:
        pipe.run(n=9)
    assert dict(caught.value.result) == {"a/x": {"y": 18}}


def test_reading_a_template_runs_and_writes_nothing(shelf: Any) -> None:
    """A template with problems can be read for its problems; hooks are found, not called."""
    shelf.write("tasks.py", TASKS)
    shelf.write(
        "conf/p.yaml",
        """\
        p:
          type: pipeline.Pipeline
          jobs:
            a:
              stages:
                - name: x
                  uses: tasks/get-api-with-oauth-to-s3@requests
                  with: {url: 3, atuh: x}
                - name: y
                  uses: tasks/get-api@requests
        """,
    )
    before = sorted(shelf.root.rglob("*.y*ml"))
    problems = [str(one) for one in read_template("p", root=shelf.root).problems]
    assert any("did you mean 'auth'" in one and "p.yaml:" in one for one in problems), problems
    assert any("url" in one and "3" in one for one in problems), problems
    assert any(
        "unknown hook 'tasks/get-api@requests', known are tasks/get_api_with" in one for one in problems
    )
    assert sorted(shelf.root.rglob("*.y*ml")) == before
