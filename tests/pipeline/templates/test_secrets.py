"""Laws of secrets: what `${VAR}` held is read by stages, and by nobody else."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import traceback
from typing import Any

import pytest

from sinagot.errors import ConfigurationError, PipelineError
from sinagot.testing import make_workspace

SECRET = "hunter2/&ck+\u00e9 yes"
FORMS = (
    SECRET,
    json.dumps(SECRET)[1:-1],
    base64.b64encode(SECRET.encode()).decode().rstrip("="),
    base64.b64encode(b"user:" + SECRET.encode()).decode()[8:24],
    "hunter2",
)
STAGES = """
- {name: say, echo: "token ${LAB_TOKEN}"}
- name: shell
  bash: |
    echo "$TOKEN" ; echo "$TOKEN" >&2
    printf %s "$TOKEN" | base64
    test "$TOKEN" = "${LAB_TOKEN}" && echo "same ${LAB_TOKEN}"
  env: {TOKEN: "${LAB_TOKEN}"}
- name: code
  run: |
    import base64, logging, warnings
    print("code has", token)
    logging.getLogger("lab").warning("lib has %s", token)
    coded = base64.b64encode(b"user:" + token.encode()).decode()
    print(coded)
    held = {"key": [token, coded], token: 1}
    length = len(token)
  vars: {token: "${LAB_TOKEN}"}
- name: apart
  timeout: 50
  run: "print('apart', token); made = token + '!'"
  vars: {token: "${LAB_TOKEN}"}
- {name: each, foreach: ["${LAB_TOKEN}", b], stages: [{name: x, echo: "${{ item }}"}]}
- {name: passed, echo: "${{ stages.apart.outputs.made }}"}
- name: known
  if: params.fail
  retry: 1
  retry-wait: 0
  run: "x = '${LAB_TOKEN}' + 1 if other else ''"
  vars: {other: false}
- name: bad
  if: params.fail
  run: "raise ValueError('refused ' + token)"
  vars: {token: "${LAB_TOKEN}"}
"""
PARAMS = "desc: with ${LAB_TOKEN}\nparams: {fail: {type: bool, default: false}, key: {type: str, default: '${LAB_TOKEN}'}}"


def clean(text: str) -> bool:
    """Say whether no form of the secret stands in a text."""
    return not any(form in text for form in FORMS)


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variable."""
    monkeypatch.setenv("LAB_TOKEN", SECRET)


@pytest.mark.usefixtures("secret")
def test_no_answer_shows_a_secret(shelf: Any) -> None:
    """Not in logs, contexts, errors, views, DAG files or pickled results; stages had it."""
    pipe = shelf.stages(STAGES, more=PARAMS)
    result = pipe.execute()
    assert result.ok, result.error
    stages = result.context["jobs"]["a"]["stages"]
    assert stages["code"]["outputs"]["length"] == len(SECRET)
    assert "same ***" in stages["shell"]["outputs"]["stdout"] and stages["apart"]["outputs"]["made"] == "***!"
    assert clean(json.dumps(result.context, default=str, ensure_ascii=False)) and clean(repr(result))
    failed = pipe.execute({"fail": True})
    assert failed.status == 1 and "refused" in str(failed.error)
    with pytest.raises(PipelineError) as caught:
        pipe.run(fail=True)
    assert clean("".join(traceback.format_exception(caught.value)))
    line = shelf.stages("- {name: x, run: \"y = len('${LAB_TOKEN}') / 0\"}", name="line")
    assert clean("".join(traceback.format_exception(line.execute().error)))
    assert clean(json.dumps(failed.context, default=str, ensure_ascii=False))
    assert clean(str(caught.value)) and clean(repr(failed.error)) and clean(str(failed.error))
    logs = "".join(file.read_text() for file in (shelf.root / "logs").iterdir())
    assert "code has ***" in logs and "lib has ***" in logs and "apart ***" in logs and clean(logs)
    for form in ("text", "mermaid", "dot", "json"):
        assert clean(pipe.describe(form)), form
    assert clean(pipe._repr_html_())
    file = pipe.to_airflow(shelf.root / "dag.py", source=("template", "p", str(shelf.root)))
    assert clean(file.read_text())


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize(
    "stage",
    [
        "bash: x\n  retry: ${LAB_TOKEN}",
        "uses: ${LAB_TOKEN}",
        "if: '${LAB_TOKEN} == 1'",
        "trigger: ${LAB_TOKEN}",
    ],
)
def test_no_problem_shows_a_secret(shelf: Any, stage: str) -> None:
    """What is wrong is told without it."""
    with pytest.raises(ConfigurationError) as caught:
        shelf.stages(f"- name: x\n  {stage}")
    told = [str(caught.value), *(str(one) for one in caught.value.problems or ())]
    assert all(clean(one) for one in told), told


@pytest.mark.usefixtures("secret")
def test_no_file_of_a_workspace_holds_a_secret(shelf: Any) -> None:
    """Run from the command line, with events, manifests and what the terminal shows."""
    make_workspace(shelf.root, records=1).close()
    # What a library logs is shown by Python itself, where a program sets up nothing.
    shelf.stages("".join(line for line in STAGES.splitlines(True) if "lib has" not in line), more=PARAMS)
    before = {file for file in shelf.root.rglob("*") if file.is_file()}
    for words in (["--set", "fail=true"], ["--json"]):
        command = [sys.executable, "-m", "sinagot", "-w", str(shelf.root), "pipeline", "run", "p", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert clean(done.stdout) and clean(done.stderr), done.stderr
    written = [file for file in shelf.root.rglob("*") if file.is_file() and file not in before]
    assert any(file.name == "run.json" for file in written) and any(file.suffix == ".log" for file in written)
    assert [file for file in written if not clean(file.read_text(errors="replace"))] == []
