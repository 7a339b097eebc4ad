"""The API is what its description says, whatever is sent to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from sinagot.testing import await_true, make_workspace, script_text
from tests.dashboard.conftest import Dashboard, Serve

#: A pipeline with a schedule that is far away, and one that notes each of its runs.
TEMPLATES = """
yearly:
  type: pipeline.Pipeline
  on: every-new-year
  jobs: {only: {stages: [{name: Say, echo: happy}]}}
every-new-year: {type: on.On, cron: "0 0 1 1 *"}
quick:
  type: pipeline.Pipeline
  params: {count: {type: int, default: 3}}
  jobs: {only: {stages: [{name: Note, bash: "echo run >> begun.txt"}]}}
"""


@pytest.fixture
def dashboard(tmp_path: Path, serve: Serve) -> Dashboard:
    """Serve a lab of one test's own: made-up requests exclude records and run steps."""
    lab = tmp_path / "lab"
    scripts = {"first": script_text('raise ValueError("NaN <b>")', "raw/{id}.txt", "first/{id}.txt")}
    workspace = make_workspace(lab, records=["A", "B é"], scripts=scripts)
    workspace.records.select(["A"]).steps.run(printing=False)
    workspace.records.select(["B é"]).exclude("so")
    workspace.close()
    (lab / "conf").mkdir()
    (lab / "conf" / "all.yaml").write_text(TEMPLATES)
    return serve(lab)


def test_description_is_kept(dashboard: Dashboard) -> None:
    """Every address of the API answers made-up requests with a code and a body that its description allows.

    Some of them start runs: each of those is on record once, has run once, and is over in the end.
    """
    description = dashboard.get("/api/v1/openapi.json").json()
    # Made-up names are nobody's: some addresses are asked for what is there.
    run_id = dashboard.json("/runs")[0]["run_id"]
    for path, name in (
        ("/schedules/{name}", "yearly"),
        ("/pipelines/{name}", "quick"),
        ("/runs/{run_id}", run_id),
        ("/records/{record_id}", "A"),
    ):
        for address, operations in description["paths"].items():
            for operation in operations.values() if address.startswith(f"/api/v1{path}") else ():
                operation["parameters"][0]["schema"]["enum"] = [name]
    # What one pipeline takes, so that a request which is right by the description starts a run.
    wish = description["components"]["schemas"]["LaunchRequest"]["properties"]
    count = {"type": "integer"}
    wish["params"] = {"type": "object", "properties": {"count": count}, "additionalProperties": False}
    first = dashboard.client.post("/pipelines/quick/runs")
    launched = {first.json()["run_id"]}
    schema = schemathesis.openapi.from_dict(description)
    headers = {"Authorization": f"Bearer {dashboard.token}"}
    names = []
    for found in schema.get_all_operations():
        operation = found.ok()
        names.append(f"{operation.method.upper()} {operation.path}")

        @settings(
            max_examples=4,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            answer = case.call(base_url=dashboard.url, headers=headers, timeout=60)
            assert answer.status_code < 500, answer.text
            case.validate_response(answer)
            if answer.status_code == 202 and case.path.endswith("/pipelines/{name}/runs"):
                launched.add(answer.json()["run_id"])

        ask()
    assert len(names) >= 30
    assert {
        "POST /api/v1/actions/run",
        "POST /api/v1/pipelines/{name}/runs",
        "GET /api/v1/runs/{run_id}/events",
        "DELETE /api/v1/runs/{run_id}",
        "PUT /api/v1/schedules/{name}",
        "GET /metrics",
        "GET /health",
    } <= set(names)
    check_runs(dashboard, launched)


def check_runs(dashboard: Dashboard, launched: set[str]) -> None:
    """Check that all runs that were started, and no other ones, were done once."""

    def runs() -> list[dict[str, Any]]:
        return list(dashboard.json("/pipelines/quick/runs", params={"limit": 500})["runs"])

    await_true(
        lambda: all(one["state"] not in ("queued", "running") for one in runs()), "the end of all runs"
    )
    assert sorted(one["run_id"] for one in runs()) == sorted(launched)
    assert {one["state"] for one in runs()} == {"done"}
    assert (dashboard.folder / "begun.txt").read_text().split() == ["run"] * len(launched)


def test_answers_tell_what_the_pages_tell(dashboard: Dashboard) -> None:
    """Counts, a failure with its cause, the decision, the run and the origin of a value are there for programs."""
    status = dashboard.json("/status")
    assert (status["records"], status["totals"]) == (2, {"ERROR": 1, "EXCLUDED": 1})
    failure = dashboard.json("/failures")[0]
    assert (failure["step"], failure["exc_type"], failure["records"]) == ("first", "ValueError", ["A"])
    assert dashboard.json("/decisions")[0]["record_id"] == "B é"
    run = dashboard.json("/runs")[0]
    assert run["counts"]["failed"] == 1
    assert dashboard.json(f"/runs/{run['run_id']}")["run_id"] == run["run_id"]
    first = dashboard.get("/api/v1/runs", params={"limit": 1})
    assert "Link" not in first.headers  # there is one run
    values = {one["key"]: one for one in dashboard.json("/configuration")["configuration"]}
    assert values["records.id_pattern"]["place"].endswith("workspace.toml:2")
    found = dashboard.json("/records/B é")
    assert found["steps"][0]["status"] == "EXCLUDED"
    assert dashboard.json("/grid", params={"status": "ERROR"})["rows"][0]["id"] == "A"
    messages = [
        line["message"] for line in dashboard.json("/records/A/log", params={"level": "ERROR"})["lines"]
    ]
    assert any("NaN <b>" in message for message in messages)
    preview = dashboard.json("/records/A/preview", params={"step": "first", "slot": 0})
    assert (preview["kind"], preview["text"]) == ("text", "A")
