"""Pages in a real browser: what they show, that they change by themselves, and that data cannot act on them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sinagot.engine.state.decisions import Decisions
from sinagot.testing import await_true, make_workspace, script_text
from tests.dashboard.conftest import Dashboard, Serve
from tests.dashboard.reading import check_anybody_can_read
from tests.dashboard.running import follow

EVIL = '<img src=x onerror="window.hurt=1">'
HEAD = "import time\nfrom sinagot import ScriptTemplate\n\n\nclass Script(ScriptTemplate):\n"
FIRST = HEAD + (
    '    PATH_IN = "raw/{id}.txt"\n'
    '    PATH_OUT = {"curve": "first/{id}.csv", "picture": "first/{id}.svg"}\n\n'
    "    def run(self):\n"
    "        text = self.path.input.read_text()\n"
    '        self.logger.warning("</td><script>window.hurt=1</script>")\n'
    '        if text == "bad":\n'
    "            raise ValueError('</p><script>window.hurt=1</script> <b>bold</b>')\n"
    '        rows = "".join(f"{n},{n * n % 7}\\n" for n in range(300))\n'
    '        self.path.output["curve"].write_text("time,<script>window.hurt=1</script>\\n" + rows)\n'
    '        svg = \'<svg xmlns="http://www.w3.org/2000/svg"><script>window.hurt=1</script><path d="M0 0"/></svg>\'\n'
    '        self.path.output["picture"].write_text(svg)\n'
)
SECOND = HEAD + (
    '    PATH_IN = "first/{id}.csv"\n    PATH_OUT = "second/{id}.txt"\n\n    def run(self):\n'
    '        self.path.output.write_text("x" * 200_000)\n'
)
SLOW = HEAD + (
    '    PATH_IN = "raw/{id}.txt"\n    PATH_OUT = "slow/{id}.txt"\n\n    def run(self):\n'
    "        gate = self.data_path / 'gate'\n"
    "        while not gate.exists():\n            time.sleep(0.02)\n"
    '        self.path.output.write_text("slow")\n'
)
PAGES = ("/", "/grid", "/failures", "/runs", "/pipelines", "/decisions", "/configuration")


def _program(folder: Path, *words: str) -> int:
    done = subprocess.run(
        [sys.executable, "-m", "sinagot", "-w", str(folder), *words],
        capture_output=True,
        timeout=100,
        check=False,
    )
    return done.returncode


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with results, a failure, a decision, and data that would act on a page if it let them."""
    folder = tmp_path_factory.mktemp("pages") / "lab"
    texts = {f"R{number}": "good" for number in range(4)} | {"bad": "bad", f"Z{EVIL}": "good"}
    settings = "[log]\nlevel = \"WARNING\"\n[params]\nnote = '<script>window.hurt=1</script>'\n"
    make_workspace(
        folder, records=texts, scripts={"first": FIRST, "second": SECOND}, settings=settings
    ).close()
    assert _program(folder, "run") == 3
    assert _program(folder, "exclude", "R3", "--step", "second", "--reason", EVIL) == 0
    return folder


@pytest.fixture(scope="module")
def dashboard(lab: Path, serve_long: Serve) -> Dashboard:
    return serve_long(lab)


def _enter(page: Any, dashboard: Dashboard) -> None:
    page.goto(dashboard.link)
    page.wait_for_selector(".tiles")
    assert dashboard.token not in page.url


def _until(page: Any, expression: str) -> None:
    """Wait until something is true in the page; the page's own way is forbidden by its policy."""
    await_true(lambda: page.evaluate(expression), expression)


def _press(page: Any, name: str) -> None:
    """Press a button that asks first, in one moment: the part of the page that it is in may be replaced meanwhile."""
    _until(
        page,
        f"""(() => {{
            const found = [...document.querySelectorAll("button[data-action]")].filter(
                (one) => one.checkVisibility() && one.textContent.trim() === "{name}");
            if (found.length === 1) found[0].click();
            return document.getElementById("ask").open;
        }})()""",
    )


def _is_whole(page: Any) -> None:
    """Nothing that stood in data has acted."""
    assert page.evaluate("window.hurt") is None
    assert page.locator("main script, main img[onerror], main b:text('bold')").count() == 0


def test_link_opens_each_page(page: Any, dashboard: Dashboard) -> None:
    """The printed link leads in, every page opens from the navigation, and nothing in ids, logs or values acts on it."""
    _enter(page, dashboard)
    for path in PAGES:
        page.goto(f"{dashboard.url}{path}")
        assert page.locator("h1").inner_text()
        _until(page, "document.getElementById('live-word').textContent.startsWith('live')")
        _is_whole(page)
    page.goto(f"{dashboard.url}/decisions")
    assert EVIL in page.locator("main").inner_text()
    page.goto(f"{dashboard.url}/failures")
    assert "<script>window.hurt=1</script>" in page.locator(".group").inner_text()
    page.goto(f"{dashboard.url}/runs")
    follow(page, page.locator("tbody a").first)
    page.wait_for_selector(".lane rect")
    assert "second" in page.locator("table").inner_text()


def test_record_shows_files_previews_and_log(page: Any, dashboard: Dashboard) -> None:
    """An id full of HTML has its page: tables with curves, sealed pictures, long texts cut, log lines by level and text."""
    _enter(page, dashboard)
    page.goto(f"{dashboard.url}/grid?search=onerror")
    follow(page, page.locator(".row a"))
    assert page.locator("h1").inner_text() == f"Z{EVIL}"
    page.locator("#steps a", has_text=".csv").first.click()
    page.wait_for_selector("#preview .curve polyline")
    assert "200 of 300 rows" in page.locator("#preview").inner_text()
    page.locator("#steps a", has_text=".svg").click()
    page.wait_for_selector("#preview img.picture")
    page.locator("#steps a", has_text="second/").click()
    page.wait_for_selector("#preview pre")
    assert "65,536 of 200,000 bytes" in page.locator("#preview").inner_text()
    _until(page, "document.getElementById('log').textContent.includes('</td><script>window.hurt=1</script>')")
    page.select_option("select[name=level]", "ERROR")
    page.wait_for_selector("#log p:text('No such line')")
    page.select_option("select[name=level]", "WARNING")
    page.wait_for_selector("#log tbody tr")
    page.fill("input[name=text]", "no such words")
    page.wait_for_selector("#log p:text('No such line')")
    _is_whole(page)


def test_record_that_failed_shows_the_line(page: Any, dashboard: Dashboard) -> None:
    """The page of a failed record shows the line of the user's code, marked, between its neighbours, as text."""
    _enter(page, dashboard)
    page.goto(f"{dashboard.url}/records/bad")
    code = page.locator("#steps pre.code")
    marked = code.locator("mark").inner_text()
    assert marked.startswith(">") and "raise ValueError('</p><script>window.hurt=1</script>" in marked
    assert len(code.inner_text().splitlines()) == 7
    _is_whole(page)


def test_grid_filters_sorts_and_goes_by_keys(page: Any, dashboard: Dashboard) -> None:
    """Rows are chosen by id, status and step; arrow keys move, Enter opens the record."""
    _enter(page, dashboard)
    page.goto(f"{dashboard.url}/grid")
    page.wait_for_selector("#grid .row a")
    assert page.locator("#grid").get_attribute("aria-rowcount") == "7"
    page.select_option("select[name=status]", "ERROR")
    _until(page, "document.getElementById('total').textContent === '1 record'")
    _until(
        page, "[...document.querySelectorAll('#grid .row a')].map((one) => one.textContent).join() === 'bad'"
    )
    page.select_option("select[name=status]", "")
    page.select_option("select[name=sort]", "-id")
    _until(
        page,
        "location.search === '?sort=-id' && document.getElementById('total').textContent === '6 records'"
        " && document.querySelector('#row-0 a')?.textContent === 'bad'",
    )
    page.focus("#grid")
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("#row-1.is-current")
    page.keyboard.press("Enter")
    page.wait_for_url("**/records/**")


def test_screen_readers_find_nothing_serious(browser: Any, dashboard: Dashboard) -> None:
    """axe-core finds nothing serious or critical on any page, on light and on dark ground, wide and narrow."""
    run_id = dashboard.json("/runs")[0]["run_id"]
    pages = (*PAGES, "/records/bad", "/records/R1", f"/runs/{run_id}", "/records/nobody")

    def is_ready(page: Any, path: str) -> None:
        if path == "/grid":
            page.wait_for_selector("#grid .row a")

    check_anybody_can_read(browser, dashboard, pages, is_ready=is_ready)


def test_run_is_seen_as_it_goes(tmp_path: Path, serve: Serve, page: Any) -> None:
    """A run that somebody starts is on an open page, with what it is at; so is its end. Nothing is loaded anew."""
    lab = tmp_path / "lab"
    make_workspace(lab, records=3, scripts={"slow": SLOW}).close()
    dashboard = serve(lab)
    _enter(page, dashboard)
    page.evaluate("window.isSame = 1")
    assert page.locator(".tile:has-text('ready') .number").inner_text() == "3"
    run = subprocess.Popen(
        [sys.executable, "-m", "sinagot", "-w", str(lab), "run"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        page.wait_for_selector(".tile:has-text('running')")
        page.wait_for_selector("section:has(h2:text-is('Now')) a:text('REC-1')")
        (lab / "dataset" / "gate").write_text("open")
        _until(page, "document.querySelector('.tile:nth-child(2)')?.textContent.includes('done')")
        assert run.wait(timeout=60) == 0
        page.wait_for_selector("section:has(h2:text-is('Now'))", state="detached")
    finally:
        run.kill()
        run.wait()
    (lab / "dataset" / "slow" / "REC-2.txt").unlink()
    page.wait_for_selector(".tile:has-text('ready')")
    assert page.evaluate("window.isSame") == 1


def test_action_is_asked_for_and_then_done(tmp_path: Path, serve: Serve, page: Any) -> None:
    """A run from a page is another process, after a yes; it can be cancelled; an exclusion needs a reason."""
    lab = tmp_path / "lab"
    make_workspace(lab, records=2, scripts={"slow": SLOW}).close()
    dashboard = serve(lab)
    _enter(page, dashboard)
    page.goto(f"{dashboard.url}/runs")
    _press(page, "Run all that is not done")
    page.get_by_role("button", name="Leave it").click()
    assert not (lab / "dataset" / ".sinagot").exists()
    _press(page, "Run all that is not done")
    page.get_by_role("button", name="Do it").click()
    follow(page, page.locator("section:has(h2:text-is('Now')) h3 a"))
    _press(page, "Cancel the run")
    page.get_by_role("button", name="Do it").click()
    page.wait_for_selector("#told:has-text('told to end')")
    (lab / "dataset" / "gate").write_text("open")
    _until(page, "document.querySelector('.facts dd')?.textContent.startsWith('stopped')")
    page.goto(f"{dashboard.url}/records/REC-2")
    _press(page, "Exclude")
    page.get_by_role("button", name="Do it").click()
    assert page.locator("#ask").is_visible()  # there is no reason
    page.fill("#ask-reason", "asleep")
    page.get_by_role("button", name="Do it").click()
    page.wait_for_selector(".badge:has-text('excluded')")
    found = Decisions.read(str(lab / "dataset" / ".sinagot")).in_force()
    assert [(one.target.record_id, one.reason) for one in found] == [("REC-2", "asleep")]


def test_ten_thousand_records_scroll(tmp_path: Path, serve: Serve, page: Any) -> None:
    """Of 10,000 records some dozens of rows are in the page, wherever it is scrolled to; the last one is reached."""
    text = script_text("pass", "raw/{id}.txt", "first/{id}.txt")
    ids = [f"REC-{number:05d}" for number in range(10_000)]
    make_workspace(tmp_path / "lab", records=ids, scripts={"first": text}).close()
    dashboard = serve(tmp_path / "lab")
    _enter(page, dashboard)
    page.goto(f"{dashboard.url}/grid")
    page.wait_for_selector("#row-0 a")
    for part in (0.5, 0.25, 1.0):
        page.evaluate(
            f"document.getElementById('grid').scrollTop = {part} * document.querySelector('.space').offsetHeight"
        )
        _until(
            page,
            "[...document.querySelectorAll('#grid .row')].length > 5 && "
            "[...document.querySelectorAll('#grid .row')].every((row) => row.querySelector('a'))",
        )
        assert page.locator("#grid .row").count() < 80
    page.wait_for_selector("#row-9999 a")
    _until(page, "document.querySelector('#row-9999 a')?.textContent === 'REC-09999'")
    page.fill("input[name=search]", "rec-04242")
    _until(page, "document.querySelector('#row-0 a')?.textContent === 'REC-04242'")


def test_below_a_path(lab: Path, serve: Serve, page: Any) -> None:
    """With a prefix every link, file and stream is below it, whether a proxy cuts the prefix off or not."""
    dashboard = serve(lab, "--prefix", "/user/ada b".replace(" ", "~"))
    assert dashboard.url.endswith("/user/ada~b")
    _enter(page, dashboard)
    follow(page, page.get_by_role("link", name="Records"))
    page.wait_for_selector("#grid .row a")
    follow(page, page.locator("#grid .row a").first)
    page.wait_for_selector("#steps table")
    assert "/user/ada~b/records/" in page.url
    _until(page, "document.getElementById('live-word').textContent.startsWith('live')")
    root = dashboard.url.removesuffix("/user/ada~b")
    assert dashboard.client.get(f"{root}/api/v1/status").status_code == 200
    page.context.clear_cookies()


def test_read_only_changes_nothing(lab: Path, serve: Serve) -> None:
    """With --read-only no page offers an action, and the API refuses each."""
    dashboard = serve(lab, "--read-only")
    before = {path: path.stat().st_mtime_ns for path in lab.rglob("*")}
    for path in (*PAGES, "/records/bad"):
        assert "data-action" not in dashboard.html(path).text
    for action in ("run", "exclude", "include", "accept", "cancel"):
        body = {"records": ["R1"], "reason": "so", "run_id": "last"}
        assert dashboard.client.post(f"/api/v1/actions/{action}", json=body).status_code in (403, 422)
    await_true(lambda: dashboard.json("/status")["records"] == 6, "a look at the records")
    assert {path: path.stat().st_mtime_ns for path in lab.rglob("*")} == before


def test_run_outlives_the_server_that_started_it(tmp_path: Path, serve: Serve) -> None:
    """A server that is killed takes no run along: the run goes on to its end, and the next server shows it."""
    lab = tmp_path / "lab"
    make_workspace(lab, records=2, scripts={"slow": SLOW}).close()
    dashboard = serve(lab)
    started = dashboard.client.post("/api/v1/actions/run", json={"records": ["REC-1"]})
    assert started.status_code == 202
    await_true(lambda: dashboard.json("/underway"), "the run")
    dashboard.stop(signal.SIGKILL)
    (lab / "dataset" / "gate").write_text("open")
    other = serve(lab)
    await_true(lambda: other.json("/status")["totals"] == {"DONE": 1, "DATA_READY": 1}, "the end of the run")
    await_true(lambda: other.json("/runs")[0]["ok"], "its good end")


def test_answers_are_bounded(tmp_path: Path, serve: Serve) -> None:
    """Of a large file, a log that is no JSON and a name that is no UTF-8 a part comes, as valid JSON."""
    lab = tmp_path / "lab"
    make_workspace(lab, records=["A"], scripts={"first": FIRST}).close()
    (lab / "dataset" / "first").mkdir()
    with (lab / "dataset" / "first" / "A.csv").open("wb") as file:
        file.write(b"a,b\n1,nan\n\xff,inf\n" * 40_000)
        file.truncate(1 << 32)
    (lab / "dataset" / "LOG").mkdir()
    with (lab / "dataset" / "LOG" / "A.log").open("wb") as file:
        file.write(b'{"message": NaN, "time": 3, "level": [], "duration_s": "x"}\n\xff\xfe garbage\n')
        file.write(b'{"message": "\\ud800 ' + b"x" * 100_000 + b'", "level": "ERROR"}\n')
    dashboard = serve(lab)
    found = dashboard.json("/records/A/preview", params={"step": "first", "slot": 1})
    assert len(found["rows"]) <= 200
    lines = dashboard.json("/records/A/log")["lines"]
    assert max(len(line["message"]) for line in lines) < 25_000
    assert dashboard.html("/records/A").status_code == 200
    assert dashboard.get("/parts/records/A/file", params={"step": "first", "slot": 1}).status_code == 200
