"""The API of the service: runs that are asked for, what happens in them, and schedules; with real programs."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from sinagot.testing import await_true, make_workspace
from tests.dashboard.conftest import Dashboard, Serve

#: One that ends soon, one that waits for a file, one with a schedule that is far away, one that is for records.
TEMPLATES = """
quick:
  type: pipeline.Pipeline
  params:
    count: {type: int, default: 3}
    name: {type: str, required: true}
  jobs:
    only:
      stages:
        - name: Say
          echo: "hello ${{ params.name }}"

yearly:
  type: pipeline.Pipeline
  on: every-new-year
  jobs:
    only:
      stages:
        - name: Say
          echo: "happy"

every-new-year:
  type: on.On
  cron: "0 0 1 1 *"
"""
WAITS = """
import time
from pathlib import Path
from sinagot.pipeline import Pipeline, Stage

def wait():
    end = time.monotonic() + 120  # nobody has to clear up after a test that failed
    while not (Path(__file__).parents[1] / "gate").exists() and time.monotonic() < end:
        time.sleep(0.02)

pipeline = Pipeline("waits", stages={"wait": Stage(wait)})
"""
#: A file and a hook that note which process has loaded them.
NOTES = """
import os
from pathlib import Path
from sinagot.pipeline import Pipeline, Stage, tag
from sinagot.pipeline.parameters import Secret

with (Path(__file__).parents[{level}] / "loaded").open("a") as file:
    file.write(f"{{os.getpid()}}\\n")

@tag("lab")
def {name}() -> dict:
    return {{"word": "x"}}

pipeline = Pipeline("{name}", {{"word": Secret("a-default-word")}}, stages={{"it": Stage({name})}})
"""
HOOKED = """
hooked:
  type: pipeline.Pipeline
  jobs: {only: {stages: [{name: It, uses: notes/hooked@lab}]}}
"""
OVER = ("done", "failed", "cancelled", "stopped", "lost")


def _lab(folder: Path, settings: str = "") -> Path:
    make_workspace(folder, records=["A", "B", "C"], settings=f"[run]\nstop_grace = 0.2\n{settings}").close()
    for name, file, text in (("conf", "all.yaml", TEMPLATES), ("pipelines", "waits.py", WAITS)):
        (folder / name).mkdir()
        (folder / name / file).write_text(text)
    return folder


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, serve_long: Serve) -> Dashboard:
    """Serve a workspace with pipelines and a schedule, one run at a time."""
    lab = _lab(tmp_path_factory.mktemp("service") / "lab", "[schedule]\nmax_runs = 1\n")
    return serve_long(lab)


@pytest.fixture
def closed(dashboard: Dashboard) -> Iterator[Path]:
    """Give the file for which the pipeline waits; what the test has left is ended."""
    gate = dashboard.folder / "gate"
    yield gate
    found = dashboard.json("/pipelines/waits/runs")["runs"]
    for one in found:
        if one["state"] not in OVER:
            dashboard.client.delete(f"/runs/{one['run_id']}")
    await_true(lambda: all(_state(dashboard, one["run_id"]) in OVER for one in found), "the end of all runs")
    gate.unlink(missing_ok=True)


def _post(dashboard: Dashboard, name: str, **options: Any) -> httpx.Response:
    return dashboard.client.post(f"/pipelines/{name}/runs", **options)


def _state(dashboard: Dashboard, run_id: str) -> str:
    return str(dashboard.get(f"/runs/{run_id}").json()["state"])


def _problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Check that an answer is a problem as RFC 9457 has it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == status and found["type"] and found["title"] and isinstance(found["detail"], str)
    return found


def test_run_is_asked_for_and_followed_to_its_end(dashboard: Dashboard) -> None:
    """A POST gives 202 and a run, which is done in the end; its events tell the stages, and go on where one left."""
    answer = _post(dashboard, "quick", json={"params": {"name": "Ada"}})
    assert answer.status_code == 202
    run_id = answer.json()["run_id"]
    assert answer.headers["location"] == f"/api/v1/runs/{run_id}"
    await_true(lambda: _state(dashboard, run_id) in OVER, "the end of the run")
    told = dashboard.json(f"/runs/{run_id}")
    assert (told["state"], told["launch"]["pipeline"], told["launch"]["exit_code"]) == ("done", "quick", 0)
    assert dashboard.json("/pipelines/quick/runs")["runs"][0]["run_id"] == run_id
    assert dashboard.json("/runs")[0]["run_id"] == run_id
    assert dashboard.json("/pipelines/quick")["run_id"] == run_id
    events = _events(dashboard, run_id)
    stages = [json.loads(data)["state"] for kind, _, data in events if kind == "stage"]
    assert stages == ["RUNNING", "DONE"]
    assert events[-1][:2] == ("end", "end") and json.loads(events[-1][2])["state"] == "done"
    first = next(number for kind, number, _ in events if kind == "stage")
    rest = _events(dashboard, run_id, first)
    assert [json.loads(data)["state"] for kind, _, data in rest if kind == "stage"] == ["DONE"]
    over = dashboard.get(f"/runs/{run_id}/events", headers={"Last-Event-ID": "end"})
    assert over.status_code == 204
    _problem(dashboard.client.delete(f"/runs/{run_id}"), 409)


def test_no_code_of_pipelines_runs_in_the_server(dashboard: Dashboard) -> None:
    """Files of pipelines and hooks are loaded by other programs alone; secret parameters are known all the same."""
    folder = dashboard.folder
    made = {
        "pipelines/loud.py": NOTES.format(name="loud", level=1),
        "notes.py": NOTES.format(name="hooked", level=0),
        "conf/hooked.yaml": HOOKED,
    }
    for name, text in made.items():
        (folder / name).write_text(text)
    try:
        asked = [
            _post(dashboard, name, json={"params": params}).json()["run_id"]
            for name, params in (("loud", {"word": "hunter2-hunter2"}), ("hooked", {}))
        ]
        await_true(lambda: all(_state(dashboard, one) in OVER for one in asked), "the end of the runs")
        assert [_state(dashboard, one) for one in asked] == ["done", "done"]
        state = folder / "dataset" / ".sinagot"
        places = (state / "runs" / asked[0], state / "service" / "launches", folder / "dataset" / "LOG")
        written = [path for place in places for path in place.rglob("*") if path.is_file()]
        assert written and not any(b"hunter2" in path.read_bytes() for path in written)
        pids = (folder / "loaded").read_text().split()
        assert len(set(pids)) >= 2 and str(dashboard.process.pid) not in pids
    finally:
        for name in made:
            (folder / name).unlink()


def _events(dashboard: Dashboard, run_id: str, last: str = "") -> list[tuple[str, str, str]]:
    """Give kind, id and data of all events until the stream ends."""
    headers = {"Last-Event-ID": last} if last else {}
    found = []
    for block in dashboard.get(f"/runs/{run_id}/events", headers=headers).text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if "event" in lines:
            found.append((lines["event"], lines.get("id", ""), lines["data"]))
    return found


def test_run_that_waits_and_run_that_goes_on_are_ended(dashboard: Dashboard, closed: Path) -> None:
    """DELETE ends a run that goes on and one that waits; the server answers at once meanwhile; its events end."""
    first, second = (_post(dashboard, "waits").json()["run_id"] for _ in range(2))
    await_true(lambda: _state(dashboard, first) == "running", "the first run to begin")
    assert _state(dashboard, second) == "queued"
    with dashboard.stranger() as stranger:
        answer = stranger.get("/health", headers={"Accept": "application/json"})
        assert answer.json()["status"] == "ok"
    headers = {"Authorization": f"Bearer {dashboard.token}"}
    with dashboard.stranger(**headers) as client, client.stream("GET", f"/runs/{first}/events") as stream:
        lines = stream.iter_lines()
        assert any(line == "event: stage" for line in lines)
        for run_id in (second, first):
            assert dashboard.client.delete(f"/runs/{run_id}").status_code == 202
        assert _state(dashboard, second) == "cancelled"
        assert any(line == "event: end" for line in lines)
    assert _state(dashboard, first) == "cancelled"


def test_many_at_once_are_each_put_on_record_once(dashboard: Dashboard, closed: Path) -> None:
    """20 requests at one time are 20 runs; one that is sent again with its key is the same run."""
    key = {"Idempotency-Key": "again"}

    def ask(number: int) -> str:
        answer = _post(dashboard, "waits", headers=key if number >= 20 else None)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["run_id"])

    with ThreadPoolExecutor(max_workers=8) as pool:
        asked = list(pool.map(ask, range(24)))
    assert len(set(asked)) == 21 and len(set(asked[20:])) == 1
    _problem(_post(dashboard, "waits", headers=key, json={"params": {"x": 1}}), 409)
    on_record = [one["run_id"] for one in dashboard.json("/pipelines/waits/runs")["runs"]]
    assert all(on_record.count(run_id) == 1 for run_id in asked)
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        part = dashboard.json("/pipelines/waits/runs", params={"cursor": cursor, "limit": 7})
        seen += [one["run_id"] for one in part["runs"]]
        cursor = part["next"]
    assert seen == on_record
    assert sum(_state(dashboard, run_id) == "running" for run_id in asked) <= 1


def test_wrong_parameters_are_told_one_by_one(dashboard: Dashboard) -> None:
    """An unknown, a refused and a missing parameter are one 422 that names each; nothing is on record."""
    before = dashboard.json("/pipelines/quick/runs")["runs"]
    found = _problem(_post(dashboard, "quick", json={"params": {"count": "x", "nmae": "Ada"}}), 422)
    assert {one["pointer"] for one in found["errors"]} == {
        f"#/params/{name}" for name in ("count", "nmae", "name")
    }
    for body in (
        {"params": [1]},
        {"parameters": {}},
        {"params": {"name": "\ud800"}},
        [],
    ):
        _problem(_post(dashboard, "quick", content=json.dumps(body), headers=_JSON), 422)
    for text in ("{", '{"params": {"name": NaN}}', "[" * 100_000):
        answer = _post(dashboard, "quick", content=text, headers=_JSON)
        _problem(answer, answer.status_code)
        assert answer.status_code in (400, 422)
    assert dashboard.json("/pipelines/quick/runs")["runs"] == before


_JSON = {"Content-Type": "application/json"}


def test_what_is_not_there_is_404(dashboard: Dashboard) -> None:
    """Pipelines, runs and schedules that nobody knows are 404 as problems, whatever their name looks like."""
    for name in ("none", "%2e%2e", "%2e%2e%2fconf", "waits.py", "a%00b", "x" * 3000):
        for method, path in (
            ("GET", "/pipelines/{}"),
            ("POST", "/pipelines/{}/runs"),
            ("GET", "/runs/{}"),
            ("DELETE", "/runs/{}"),
            ("GET", "/runs/{}/events"),
            ("GET", "/schedules/{}"),
            ("DELETE", "/schedules/{}"),
            ("GET", "/schedules/{}/decisions"),
        ):
            answer = dashboard.client.request(method, f"/api/v1{path.format(name)}")
            assert answer.status_code in (404, 405), (method, path, name, answer.text)
            _problem(answer, answer.status_code)
    _problem(dashboard.client.put("/schedules/none", json={"paused": True}), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/pipelines"),
        ("GET", "/pipelines/quick"),
        ("POST", "/pipelines/quick/runs"),
        ("GET", "/runs/x"),
        ("DELETE", "/runs/x"),
        ("GET", "/runs/x/events"),
        ("GET", "/schedules"),
        ("GET", "/schedules/yearly"),
        ("PUT", "/schedules/yearly"),
        ("DELETE", "/schedules/yearly"),
        ("GET", "/schedules/yearly/decisions"),
        ("GET", "/records"),
        ("GET", "/records/A"),
        ("GET", "/records/A/logs"),
        ("GET", "/status"),
        ("GET", "/metrics"),
    ],
)
def test_stranger_gets_nothing(dashboard: Dashboard, method: str, path: str) -> None:
    """Without the token each route is refused, below /api/v1 and without it, and other sites never get through."""
    with dashboard.stranger() as stranger:
        for address in (f"/api/v1{path}", path):
            answer = stranger.request(method, address, headers={"Authorization": "Bearer wrong-wrong-wrong"})
            _problem(answer, 401)
    foreign = dashboard.client.request(method, path, headers={"Origin": "http://evil.example"})
    if method != "GET":
        _problem(foreign, 403)
        large = dashboard.client.request(method, path, content=b"x" * ((1 << 20) + 1))
        _problem(large, 413)


def test_refusals_say_what_would_be_taken(dashboard: Dashboard) -> None:
    """Another method, another kind of body and an address that is none are problems to programs, and tell what is right."""
    answer = dashboard.client.patch("/schedules/yearly")
    assert _problem(answer, 405) and answer.headers["allow"] == "DELETE, GET, PUT"
    unsaid = dashboard.client.put("/schedules/yearly", content=b'{"paused": false}')
    assert "Content-Type: application/json" in _problem(unsaid, 415)["detail"]
    form = dashboard.client.post("/pipelines/quick/runs", data={"params": "{}"})
    _problem(form, 415)
    for path in ("/schedules/", "/nowhere"):
        _problem(dashboard.get(path), 404)
        assert "<html" in dashboard.html(path).text
    assert dashboard.client.head("/health").status_code == 200
    with dashboard.stranger() as stranger:
        _problem(stranger.post("/health"), 405)


def test_plain_addresses_are_for_programs(dashboard: Dashboard) -> None:
    """A program gets the API at the plain addresses, a browser its pages; what has no page is the API's in any case."""
    for path in ("/status", "/records/A", "/pipelines/quick", "/records/A/logs", "/schedules"):
        assert dashboard.get(path).json().keys() == dashboard.get(f"/api/v1{path}").json().keys()
    for path in ("/records/A", "/pipelines", "/runs"):
        assert "<html" in dashboard.html(path).text
    assert "<html" in dashboard.get("/grid").text
    with dashboard.stranger() as browser:
        browser.post("/login", data={"token": dashboard.token})
        assert "<html" in browser.get("/runs").text
    assert dashboard.html("/health").text == "ok\n"


def test_records_come_part_by_part(dashboard: Dashboard) -> None:
    """Ids are sorted, each once, whatever the length of the parts; a cursor that was not given here is refused."""
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        part = dashboard.json("/records", params={"limit": 2, "cursor": cursor})
        seen, cursor = seen + part["records"], part["next"]
    assert seen == ["A", "B", "C"] and part["total"] == 3
    (fault,) = _problem(dashboard.get("/records", params={"cursor": "later"}), 422)["errors"]
    assert fault["parameter"] == "cursor"


def test_pipelines_of_all_kinds_are_listed(dashboard: Dashboard) -> None:
    """Templates and files are listed with their parameters, and one that has a schedule tells it."""
    found = {one["step"]: one for one in dashboard.json("/pipelines")["pipelines"]}
    assert (found["quick"]["kind"], found["waits"]["kind"]) == ("template", "python")
    assert [(one["name"], one["is_required"]) for one in found["quick"]["parameters"]] == [
        ("count", False),
        ("name", True),
    ]
    one = dashboard.json("/pipelines/yearly")
    assert (one["kind"], one["run_id"], one["schedule"]["name"]) == ("template", None, "yearly")
    assert dashboard.json("/pipelines/quick")["schedule"] is None


def test_names_may_have_slashes(dashboard: Dashboard) -> None:
    """Pipelines and schedules with a slash in their names are named as they are, and with the slash encoded."""
    file = dashboard.folder / "conf" / "slash.yaml"
    file.write_text(
        TEMPLATES.replace("quick:", "day/two:").replace("yearly:", "new/year:").partition("\nevery-")[0]
    )
    try:
        asked = [
            _post(dashboard, name, json={"params": {"name": "Ada"}}).json()["run_id"]
            for name in ("day/two", "day%2Ftwo")
        ]
        for name in ("day/two", "day%2Ftwo"):
            found = dashboard.json(f"/pipelines/{name}/runs")["runs"]
            assert [one["run_id"] for one in found] == asked[::-1]
            address = f"/api/v1/pipelines/{name}"
            # The list of pipelines is made anew each second.
            await_true(lambda address=address: dashboard.get(address).status_code == 200, "it in the list")
            assert dashboard.json(f"/pipelines/{name}")["step"] == "day/two"
        await_true(lambda: all(_state(dashboard, one) in OVER for one in asked), "the end of the runs")
        for path in ("/pipelines/day%2Ftwo", f"/pipelines/day%2Ftwo/{asked[0]}"):
            assert "day/two" in dashboard.html(path).text, path
        for name in ("new/year", "new%2Fyear"):
            assert dashboard.client.put(f"/schedules/{name}", json={"paused": True}).json()["paused"]
            assert dashboard.json(f"/schedules/{name}")["name"] == "new/year"
            assert dashboard.json(f"/schedules/{name}/decisions").keys() == {"decisions", "next"}
            assert dashboard.client.put(f"/schedules/{name}", json={"paused": False}).status_code == 200
            assert dashboard.client.delete(f"/schedules/{name}").status_code == 204
    finally:
        file.unlink()


def test_schedule_is_paused_and_goes_on(dashboard: Dashboard) -> None:
    """PUT pauses a schedule with a reason and lets it go on; DELETE pauses it; its next moments are told all the while."""
    (one,) = dashboard.json("/schedules")["schedules"]
    assert (one["name"], one["paused"]) == ("yearly", False)
    assert all(tick.endswith("-01-01T00:00:00+00:00") for tick in one["next_ticks"])
    paused = dashboard.client.put("/schedules/yearly", json={"paused": True, "reason": "holidays"}).json()
    assert paused["paused"] and paused["pause"]["reason"] == "holidays"
    assert paused["next_ticks"] == one["next_ticks"]
    again = dashboard.client.put("/schedules/yearly", json={"paused": False}).json()
    assert not again["paused"]
    deleted = dashboard.client.delete("/schedules/yearly")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert dashboard.json("/schedules/yearly")["paused"]
    dashboard.client.put("/schedules/yearly", json={"paused": False})
    _problem(dashboard.client.put("/schedules/yearly", json={"paused": "perhaps"}), 422)
    await_true(lambda: dashboard.json("/schedules/yearly/decisions")["decisions"], "its first decision")
    (begun,) = dashboard.json("/schedules/yearly/decisions")["decisions"]
    assert begun["verdict"] == "begun"


def test_figures_are_told(dashboard: Dashboard) -> None:
    """Prometheus reads jobs, launches, ticks, the next moment of a schedule, signs of life and times of requests."""
    from prometheus_client.parser import text_string_to_metric_families

    def figures() -> dict[str, dict[Any, float]]:
        return {
            family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
            for family in text_string_to_metric_families(dashboard.get("/metrics").text)
        }

    found = figures()
    assert found["sinagot_records"] == {(): 3}
    assert found["sinagot_jobs"]["DATA_READY",] == 3
    assert set(found["sinagot_open_launches"]) == {("queued",), ("running",)}
    assert found["sinagot_next_tick_timestamp_seconds"]["yearly",] > 1.7e9
    assert found["sinagot_history_up"] == {(): 1}
    await_true(lambda: figures()["sinagot_service_beats"], "a sign of life")
    routes = {route for _, route, *_ in figures()["sinagot_request_duration_seconds"]}
    assert "/metrics" in routes and not any("yearly" in route for route in routes)


def test_read_only_starts_nothing(tmp_path: Path, serve: Serve) -> None:
    """With --read-only no service works: schedules are told, and everything that would change something is 403."""
    lab = _lab(tmp_path / "lab")
    dashboard = serve(lab, "--read-only")
    for method, path, body in (
        ("POST", "/pipelines/quick/runs", {"params": {"name": "Ada"}}),
        ("DELETE", "/runs/x", None),
        ("PUT", "/schedules/yearly", {"paused": True}),
        ("DELETE", "/schedules/yearly", None),
    ):
        found = _problem(dashboard.client.request(method, path, json=body), 403)
        assert "--read-only" in found["detail"]
    assert dashboard.json("/schedules")["total"] == 1
    assert dashboard.json("/schedules/yearly")["newest"] is None
    assert not (lab / "dataset" / ".sinagot" / "service").exists()
    assert "schedule" not in dashboard.text


def test_read_only_makes_no_tables(tmp_path: Path) -> None:
    """Without tables the pages say so, and none are made; they are shown as soon as a service has made them."""
    from sinagot.dashboard.reception import Reception
    from sinagot.schedule.history.database import DatabaseHistory
    from sinagot.workspace.workspace import Workspace

    file = tmp_path / "history.db"
    lab = _lab(tmp_path / "lab", f'[history]\nurl = "sqlite:///{file}"\n')
    found = Reception(Workspace(lab), ["-w", str(lab)], read_only=True)
    assert "no tables yet" in found.reach() and found.is_away and not file.exists()
    DatabaseHistory(f"sqlite:///{file}").close()
    await_true(lambda: not found.reach(), "the tables")
    assert found.service.state_of("yearly").newest is None and not found.is_away
    found.close()


def test_server_waits_for_its_history(tmp_path: Path, serve: Serve) -> None:
    """While the history is away the server answers, and says so to anybody; schedules run when it is back."""
    lab = _lab(tmp_path / "lab", f'[history]\nurl = "sqlite:///{tmp_path}/later/history.db"\n')
    dashboard = serve(lab)
    assert "until the history can be reached" in dashboard.text
    as_json = {"Accept": "application/json"}
    with dashboard.stranger(**as_json) as stranger:
        assert stranger.get("/health").json()["history"] == "away"
        assert "away" in stranger.get("/health", headers={"Accept": "text/plain"}).text
        _problem(dashboard.get("/schedules"), 503)
        (tmp_path / "later").mkdir()
        await_true(lambda: stranger.get("/health").json()["history"] == "ok", "the history")
    await_true(lambda: dashboard.json("/schedules/yearly")["newest"], "the first decision", 60)


def test_too_many_that_wait_are_sent_away(tmp_path: Path, serve: Serve) -> None:
    """Where as many wait as may wait the answer is 503 and says when to come again; serve says what is scheduled."""
    lab = _lab(tmp_path / "lab", "[schedule]\nmax_runs = 1\nmax_waiting = 1\n")
    dashboard = serve(lab)
    assert "1 schedule here; the next run is that of yearly, 20" in dashboard.text
    answers = [_post(dashboard, "waits") for _ in range(4)]
    assert answers[0].status_code == 202
    found = _problem(answers[-1], 503)
    assert "wait" in found["detail"] and int(answers[-1].headers["retry-after"]) > 0
    for answer in answers:
        if answer.status_code == 202:
            dashboard.client.delete(f"/runs/{answer.json()['run_id']}")


def test_run_outlives_the_server_and_the_next_one_ends_it(tmp_path: Path, serve: Serve) -> None:
    """Two signals end the server at once though a run goes on; the next server tells of it, and can end it.

    With --no-schedules what is asked for is started all the same, and nothing is decided.
    """
    lab = _lab(tmp_path / "lab")
    former = serve(lab, "--no-schedules")
    assert "schedule" not in former.text
    run_id = _post(former, "waits").json()["run_id"]
    await_true(lambda: _state(former, run_id) == "running", "the run to begin")
    assert former.json("/schedules/yearly")["newest"] is None
    former.process.send_signal(signal.SIGTERM)
    assert former.stop(signal.SIGTERM) == 128 + signal.SIGTERM
    assert "Traceback" not in former.text
    dashboard = serve(lab)
    assert _state(dashboard, run_id) == "running"
    assert dashboard.client.delete(f"/runs/{run_id}").status_code == 202
    await_true(lambda: _state(dashboard, run_id) in OVER, "the end of the run")
    assert _state(dashboard, run_id) == "cancelled"
