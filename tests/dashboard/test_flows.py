"""Pages and API of flows: processors with live counts, lead and waits, and that data cannot act."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sinagot.testing import await_true, make_workspace
from tests.dashboard.conftest import Dashboard, Serve
from tests.dashboard.reading import check_anybody_can_read
from tests.dashboard.running import enter, follow, running

EVIL = "<img src=x onerror=window.hurt=1>"
#: The second processor of "slow" records waits for a file at its third value; the first may lead it by two.
TEXT = f"""
from anyio import sleep
from sinagot.flow import *

EVIL = {EVIL!r}
read = Processor("read", ["raw"], ["words"], max_lead=2)
double = Processor(EVIL, ["words"], ["twice"])
total = Processor("total", ["twice"], ["sum"], wait=True)

@read
async def _read(raw):
    for word in (await raw.first()).read_text().split():
        yield word

@double
async def _double(words, path=Depends(path_in("raw"))):
    async for word in words.stream():
        while word == "slow" and not (path.parent.parent / "gate").exists():
            await sleep(0.02)
        if word == "bad":
            raise ValueError("</p><script>window.hurt=1</script>" + EVIL)
        yield word * 2

@total
async def _total(twice):
    return sum([len(one) async for one in twice])

flow = Flow.from_processors(
    read, double, total,
    name="doubling " + EVIL, path_in=("raw", "{{id}}.txt"), sink={{"sum": ("out", "{{id}}.txt")}}, progress=0.1,
)
"""
SLOW = "one two slow four five six seven eight"


def _lab(folder: Path, **texts: str) -> Path:
    make_workspace(folder, records=texts, scripts={"words": TEXT}).close()
    return folder


def _rows(page: Any, where: str) -> list[list[str]]:
    """Give the cells of a table that is on the page in one moment."""
    found: list[list[str]] = page.evaluate(
        """(where) => [...document.querySelectorAll(where + " tbody tr")].map(
            (row) => [...row.children].map((cell) => cell.textContent.trim().replace(/\\s+/g, " ")))""",
        where,
    )
    return found


PROCESSORS = "[aria-label='Processors of words']"
NOW = "[aria-label='Flows that run now']"


def _await_held(page: Any) -> None:
    """Wait until the flow is told to be as far as it gets: the first processor waits also before the second begins."""

    def is_held() -> bool:
        told = str(_rows(page, NOW))
        return "out 5 words; lead 2; waits for" in told and "running in 3 words; out 2 twice" in told

    await_true(is_held, "the flow in the list, held at its third value")


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, serve_long: Serve) -> Dashboard:
    """Serve a lab of ten records of which one failed."""
    texts = {f"R{number}": "fine bad" if number == 7 else "a b c" for number in range(10)}
    lab = _lab(tmp_path_factory.mktemp("flows") / "lab", **texts)
    with running(lab) as run:
        assert run.wait(timeout=100) == 3
    return serve_long(lab)


def test_a_running_flow_is_followed(tmp_path: Path, serve: Serve, page: Any) -> None:
    """Held in mid-stream, its counts, lead and waits are on the pages; then the last counts; a kill is told."""
    lab = _lab(tmp_path / "lab", A=SLOW)
    dashboard = serve(lab)
    enter(page, dashboard, "/flows")
    assert "not run yet" in page.locator("tbody").inner_text()
    page.evaluate("window.isSame = 1")
    with running(lab) as run:
        _await_held(page)
        ((record, step, told, *_),) = _rows(page, NOW)
        assert (record, step) == ("A", "words")
        assert f"out 5 words; lead 2; waits for '{EVIL}' to take values of 'words' (max_lead=2)" in told
        assert f"{EVIL} ▶ running in 3 words; out 2 twice" in told and "total … waiting" in told
        assert page.evaluate("window.isSame") == 1
        found = dashboard.json("/running-flows")
        assert (found["total"], found["flows"][0]["record_id"]) == (1, "A")
        acts = {act["act"]: act for act in found["flows"][0]["acts"]}
        assert [*acts] == ["read", EVIL, "total"]
        assert (acts["read"]["values_out"], acts["read"]["lead"]) == ({"words": 5}, 2)
        assert dashboard.json("/running-flows", params={"run": "no-run"})["flows"] == []
        follow(page, page.locator(f"{NOW} a").first)
        page.wait_for_selector(PROCESSORS)
        page.evaluate("window.isSame = 2")
        held = ["1 raw", "5 words", "2", f"for '{EVIL}' to take values of 'words' (max_lead=2)"]
        await_true(lambda: [row[2:6] for row in _rows(page, PROCESSORS)][:1] == [held], "the counts")
        rows = _rows(page, PROCESSORS)
        assert [row[0] for row in rows] == ["read", EVIL, "total"] and rows[2][1] == "… waiting"
        await_true(lambda: "running" in page.locator(".sg-graph").text_content(), "it in the graph")
        (lab / "dataset" / "gate").touch()
        assert run.wait(timeout=100) == 0
    await_true(lambda: "8 twice" in str(_rows(page, PROCESSORS)), "the last counts")
    await_true(lambda: [row[1][2:] for row in _rows(page, PROCESSORS)] == ["done"] * 3, "the end")
    assert [row[2:6] for row in _rows(page, PROCESSORS)] == [
        ["1 raw", "8 words", "", ""],
        ["8 words", "8 twice", "", ""],
        ["8 twice", "1 sum", "", ""],
    ]
    assert page.evaluate("[window.isSame, window.hurt]") == [2, None]
    (lab / "dataset" / "gate").unlink()
    page.goto(f"{dashboard.url}/flows/words")
    with running(lab, "--force") as run:
        _await_held(page)
        run.kill()
        run.wait()
        states = "[aria-label='Processors']"
        await_true(lambda: "interrupted" in str(_rows(page, states)), "the processors to be interrupted")
        await_true(lambda: not _rows(page, NOW), "nothing to run")
    kept = [["1 raw", "5 words"]]
    await_true(lambda: [row[2:4] for row in _rows(page, states)][:1] == kept, "the counts that were told")


def test_page_tells_processors_errors_and_jobs(dashboard: Dashboard, page: Any) -> None:
    """Sums of values over all records stand there; names and messages are shown and do not act; no script is needed."""
    enter(page, dashboard, "/flows/words")
    rows = _rows(page, "[aria-label='Processors']")
    assert [row[:4] for row in rows] == [
        ["read", "✓ done", "10 raw", "29 words"],
        [EVIL, "✗ error", "29 words", "28 twice"],
        ["total", "✓ done", "27 twice", "9 sum"],
    ]
    text = page.locator("main").inner_text()
    assert "Errors by processor" in text and "</p><script>window.hurt=1</script>" in text
    follow(page, page.get_by_role("link", name=f"1 error at {EVIL}"))
    follow(page, page.locator("#jobs tbody tr a").first)
    assert page.locator("h1").inner_text() == "R7"
    assert f"in processor {EVIL}" in page.locator("#steps").inner_text()
    assert [row[1][2:] for row in _rows(page, PROCESSORS)] == ["done", "error", "skipped"]
    page.goto(f"{dashboard.url}/runs/{dashboard.json('/runs')[0]['run_id']}")
    assert page.locator(".lane.of-stage").count() == 3
    follow(page, page.get_by_role("link", name="Processors of words"))
    assert page.locator("h1").inner_text() == "Flow words"
    assert page.evaluate("window.hurt") is None and page.locator("main script, main img").count() == 0
    html = dashboard.html("/records/R1").text
    assert "3 words" in html and "sg-graph" in html and EVIL not in html


def test_anybody_can_read_it(browser: Any, tmp_path: Path, serve: Serve) -> None:
    """axe-core finds nothing serious while flows run, on light and dark ground; nothing is wider than a telephone."""
    lab = _lab(tmp_path / "lab", A=SLOW, B="fine")
    dashboard = serve(lab)
    with running(lab):
        await_true(lambda: dashboard.json("/running-flows")["flows"], "the flow in the list")
        run_id = dashboard.json("/runs")[0]["run_id"]
        check_anybody_can_read(
            browser, dashboard, ["/flows", "/flows/words", "/records/A", f"/runs/{run_id}"]
        )


def test_programs_ask_for_the_same(dashboard: Dashboard) -> None:
    """The API lists flows apart from pipelines, tells one with its streams, and the counts of single records."""
    assert (dashboard.json("/flows")["total"], dashboard.json("/pipelines")["total"]) == (1, 0)
    assert [flow["step"] for flow in dashboard.json("/flows")["flows"]] == ["words"]
    one = dashboard.json("/flows/words")
    assert [(edge["source"], edge["target"], edge["output"]) for edge in one["edges"]] == [
        ("read", EVIL, "words"),
        (EVIL, "total", "twice"),
    ]
    stages = {stage["stage"]: stage for stage in one["stages"]}
    assert stages[EVIL]["counts"] == {"DONE": 9, "ERROR": 1}
    assert (stages["read"]["values_in"], stages["read"]["values_out"]) == ({"raw": 10}, {"words": 29})
    bad = dashboard.json("/flows/words/attempts", params={"stage": EVIL, "state": "ERROR"})
    (attempt,) = bad["attempts"]
    assert (attempt["record_id"], attempt["run_id"]) == ("R7", one["run_id"])
    (step,) = dashboard.json("/records/R7")["steps"]
    assert step["stages"]["acts"] == attempt["acts"]
    assert attempt["acts"][1]["values_out"] == {"twice": 1} and attempt["acts"][1]["lead"] is None
    assert dashboard.json("/running-flows")["total"] == 0
    for path in ("/pipelines/words", "/flows/other", "/flows/words?run=no-run", "/pipelines/words/attempts"):
        assert dashboard.get(f"/api/v1{path}").status_code == 404
    for path in ("/pipelines/words", "/flows/other", "/flows/words/no-run", "/parts/records/R1/flow?step=no"):
        assert dashboard.html(path).status_code == 404
    with dashboard.stranger() as stranger:
        assert stranger.get("/flows").status_code == stranger.get("/api/v1/running-flows").status_code == 401
