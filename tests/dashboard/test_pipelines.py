"""Pages and API of pipelines: the graph with live states, what a run has done at each stage, and that data cannot act."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sinagot.testing import await_true, make_workspace
from tests.dashboard.conftest import Dashboard, Serve
from tests.dashboard.reading import check_anybody_can_read
from tests.dashboard.running import enter, follow, running

EVIL = "<img src=x onerror=window.hurt=1>"
#: A stage that waits for a file of its name; another with a name and a failure that would act on a page.
TEXT = f"""
import time
from sinagot.pipeline import Pipeline, Stage
from sinagot.pipeline.input import dependency, path_in, path_out

EVIL = {EVIL!r}

def read(path):
    return path.read_text(), path.parent.parent

def wait(found):
    text, folder = found
    while text == "slow" and not (folder / "gate").exists():
        time.sleep(0.01)
    if text == "bad":
        raise ValueError("</p><script>window.hurt=1</script>" + EVIL)
    return text

def write(value, path):
    path.write_text(value)

pipeline = Pipeline(
    "power " + EVIL,
    stages={{
        "read": Stage(read, inputs=[path_in("raw", as_arg="path")]),
        EVIL: Stage(wait, inputs=[dependency("read", as_arg="found")]),
        "write": Stage(write, inputs=[dependency(EVIL, as_arg="value"), path_out("out", as_arg="path")]),
    }},
    paths={{"raw": "raw/{{id}}.txt", "out": "power/{{id}}.txt"}},
)
"""


def _lab(folder: Path, **texts: str) -> Path:
    make_workspace(folder, records=texts, scripts={"power": TEXT}).close()
    return folder


def _states(page: Any) -> list[str]:
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('#pipeline .state')].map((one) => one.textContent.trim().slice(2))"
    )
    return found


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, serve_long: Serve) -> Dashboard:
    """Serve a lab of 60 records of which three failed."""
    texts = {f"R{number:02d}": "bad" if number % 20 == 7 else "good" for number in range(60)}
    lab = _lab(tmp_path_factory.mktemp("pipelines") / "lab", **texts)
    with running(lab) as run:
        assert run.wait(timeout=100) == 3
    return serve_long(lab)


def test_states_change_as_a_pipeline_runs(tmp_path: Path, serve: Serve, page: Any) -> None:
    """A page that was open before shows the graph when a run begins, each change of a stage, and a kill -9 as such."""
    lab = _lab(tmp_path / "lab", A="slow", B="good")
    dashboard = serve(lab)
    enter(page, dashboard, "/pipelines")
    assert "not run yet" in page.locator("tbody").inner_text()
    follow(page, page.locator("tbody a"))
    page.evaluate("window.isSame = 1")
    assert "It has not run yet" in page.locator("main").inner_text()
    with running(lab) as run:
        page.wait_for_selector(".sg-graph")
        await_true(lambda: _states(page) == ["done", "running", "waiting"], "the second stage to run")
        await_true(lambda: "running" in page.locator(".sg-graph").text_content(), "it in the graph")
        await_true(lambda: page.locator(".lane.of-stage rect.t-busy").count() == 1, "its bar")
        run.kill()
        run.wait()
        await_true(lambda: _states(page)[1:2] == ["interrupted"], "the second stage to be interrupted")
        page.wait_for_selector("#run-state:text-is('died')")
    with running(lab) as run:
        await_true(lambda: _states(page) == ["done", "running", "waiting"], "the next run")
        (lab / "dataset" / "gate").write_text("open")
        assert run.wait(timeout=100) == 0
    await_true(lambda: _states(page) == ["done"] * 3, "the end")
    page.wait_for_selector("#run-state:text-is('ended well')")
    assert page.evaluate("[window.isSame, window.hurt]") == [1, None]


def test_page_tells_stages_errors_and_jobs(dashboard: Dashboard, page: Any) -> None:
    """Counts lead to the jobs behind them, jobs to their records; names and messages are shown and do not act."""
    enter(page, dashboard, "/pipelines/power")
    assert _states(page) == ["done", "error", "done"]
    assert EVIL in page.locator(".sg-graph desc").text_content()
    text = page.locator("main").inner_text()
    assert EVIL in text and "</p><script>window.hurt=1</script>" in text and "3 times, at" in text
    assert page.locator("#jobs tbody tr").count() == 50
    follow(page, page.get_by_role("link", name="older →"))
    assert page.locator("#jobs tbody tr").count() == 10
    follow(page, page.get_by_role("link", name=f"3 error at {EVIL}"))
    assert page.locator("#jobs tbody tr").count() == 3
    follow(page, page.locator("#jobs tbody tr a").first)
    assert page.locator("h1").inner_text() == "R47"
    steps = page.locator("#steps").inner_text()
    assert f"in stage {EVIL}" in steps and page.locator("#steps .acts li").count() == 3
    page.goto(f"{dashboard.url}/runs/{dashboard.json('/runs')[0]['run_id']}")
    assert page.locator(".lane.of-stage").count() == 3
    follow(page, page.get_by_role("link", name="Stages of power"))
    assert page.locator("h1").inner_text() == "Pipeline power"
    assert page.evaluate("window.hurt") is None and page.locator("main script, main img").count() == 0


def test_anybody_can_read_it(browser: Any, dashboard: Dashboard) -> None:
    """axe-core finds nothing serious, on light and on dark ground; nothing is wider than a telephone."""
    run_id = dashboard.json("/runs")[0]["run_id"]
    own = f"/pipelines/power/{run_id}?state=ERROR"
    check_anybody_can_read(browser, dashboard, ["/pipelines", "/pipelines/power", own, f"/runs/{run_id}"])


def test_programs_ask_for_the_same(dashboard: Dashboard) -> None:
    """The API lists pipelines, tells one with its graph, and gives its attempts page by page."""
    found = dashboard.json("/pipelines")
    assert (found["total"], found["pipelines"][0]["step"]) == (1, "power")
    assert dashboard.json("/pipelines", params={"offset": 1})["pipelines"] == []
    one = dashboard.json("/pipelines/power")
    assert [edge["target"] for edge in one["edges"]] == [EVIL, "write"] and one["jobs"] == 60
    stages = {stage["stage"]: stage for stage in one["stages"]}
    assert stages[EVIL]["counts"] == {"DONE": 57, "ERROR": 3} and stages[EVIL]["errors"][0]["number"] == 3
    assert dashboard.json("/pipelines/power", params={"run": one["run_id"]}) == one
    seen: list[str] = []
    for offset in range(0, 60, 25):
        part = dashboard.json("/pipelines/power/attempts", params={"offset": offset, "limit": 25})
        assert part["total"] == 60
        seen += [attempt["record_id"] for attempt in part["attempts"]]
    assert sorted(seen) == [f"R{number:02d}" for number in range(60)]
    bad = dashboard.json("/pipelines/power/attempts", params={"stage": EVIL, "state": "ERROR"})
    assert [attempt["record_id"] for attempt in bad["attempts"]] == ["R47", "R27", "R07"]
    assert [act["state"] for act in bad["attempts"][0]["acts"]] == ["DONE", "ERROR", "SKIPPED"]
    for path in ("/pipelines/other", "/pipelines/power/attempts?run=no-run", "/pipelines/power?run=.."):
        assert dashboard.get(f"/api/v1{path}").status_code == 404
    for path in ("/pipelines/other", "/pipelines/power/no-run", "/parts/pipelines/power/%2E%2E"):
        assert dashboard.html(path).status_code == 404
    assert dashboard.html("/pipelines/power?state=MELTED").status_code == 422
    with dashboard.stranger() as stranger:
        assert stranger.get("/pipelines/power").status_code == 401
    (failure,) = dashboard.json("/failures")
    assert failure["stage"] == EVIL
