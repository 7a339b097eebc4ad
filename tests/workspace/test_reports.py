"""Reports: their numbers are those of the flow, their texts stay texts, and the page needs nothing else."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinagot import Workspace
from sinagot.engine.accounts.flow import PLACES, FlowCounts, JobPlace
from sinagot.engine.accounts.ledger import Failure
from sinagot.engine.accounts.standing import StandingFailure
from sinagot.engine.job import Cause
from sinagot.engine.state.decisions import Decision, Target
from sinagot.testing import make_workspace, script_text
from sinagot.workspace.origins import Shown
from sinagot.workspace.reports.durations import Durations
from sinagot.workspace.reports.flows import FlowReport
from sinagot.workspace.reports.methods import MethodsReport
from sinagot.workspace.reports.page import page_of
from sinagot.workspace.reports.study import CITATION, StepFacts, Study
from sinagot.workspace.reports.ways import way_of_records
from tests.pages import VOID, Page
from tests.workspace.test_flows import arrange, claims, decisions, failures, files, graph_lab, listed, raws

ROOT = Path(__file__).parents[2]
ANY_TEXT = st.text(st.characters(), max_size=30)  # halves of characters and control characters too

__all__ = ["graph_lab"]


class Report(Page):
    """A page, read strictly; links lead into it, and it may have switches and a policy."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attrs = dict(attrs)
        if tag == "a":
            assert (self.attrs.pop("href") or "").startswith("#") and not self.attrs
        super().handle_starttag(tag, [] if tag == "a" else attrs)


def read(html: str) -> Report:
    """Check a page: whole, of our tags, without scripts or anything from elsewhere."""
    page = Report(html.removeprefix("<!DOCTYPE html>"))
    html.encode("utf-8")
    assert "url(" not in html.replace("url(#head)", "") and "@import" not in html and "://" not in html
    assert not any(ord(one) < 32 and one not in "\n\t" for one in html)
    assert {"svg", "table", "h1"} <= set(page.tags) and VOID
    return page


def made_study(text: str, ids: int = 2, steps: int = 2) -> Study:
    """Make a study in which every text of people and data is the given one."""
    cells = [bytes((row + column) % len(PLACES) for column in range(steps + 1)) for row in range(ids)]
    places = [JobPlace(PLACES[codes[0]], text if codes[0] == 0 else "") for codes in cells]
    columns = [
        FlowCounts.of(
            f"{text}{column}",
            [JobPlace(PLACES[codes[column + 1]], text if codes[column + 1] == 0 else "") for codes in cells],
        )
        for column in range(steps)
    ]
    records = FlowCounts.of("records", places, strays=1)
    flow = FlowReport(columns, records, [text], [f"{text}{row}" for row in range(ids)], cells)
    failure = Failure(text, text, text, text, Cause(text, text, text, text), "failed")
    durations = Durations()
    durations.add(1.5, 20.0)
    return Study(
        name=text,
        version=text,
        made="2026-01-31T23:59:59.000000+00:00",
        run=None,
        runs=[],
        flow=flow,
        grid=None,
        way=way_of_records(records),
        versions={"sinagot": {text: 1}, "python": {text: 1, text + "2": 2}},
        packages={text: {text: 1}},
        steps=[
            StepFacts(text, False, [Shown(text, {text: text}, text, text, 3)], {}),
            StepFacts(text, True, [], {text: [Shown(text, text, text)]}),
        ],
        overrides={text: {text: text}},
        decisions=[Decision("exclude", Target(text, text), text, text, text, text)],
        failures=[StandingFailure(failure, {"at": 1.0}, text, (text, text))],
        durations={text: durations},
        hosts={text: 1},
        warnings=[text],
    )


@settings(max_examples=60, deadline=None)
@given(ANY_TEXT)
def test_no_text_puts_markup_into_the_page(text: str) -> None:
    """Whatever ids, messages, paths, reasons, values and names hold, the page has the tags that it has with plain words."""
    assert read(page_of(made_study("a" + text))).tags == read(page_of(made_study("plain"))).tags


@pytest.mark.parametrize(
    "text", ["</script><script>x</script>", "'\"><img src=x onerror=y>", "</style>", "]]>", "&lt;b"]
)
def test_texts_are_shown_as_they_are(text: str) -> None:
    """What looks like markup is read as it was written."""
    page = read(page_of(made_study(text)))
    assert " ".join(text.split()) in page.text
    assert page.tags == read(page_of(made_study("plain"))).tags


@settings(max_examples=40, deadline=None)
@given(ANY_TEXT)
def test_no_text_breaks_a_table_of_markdown(text: str) -> None:
    """Each table of the text for a paper has as many cells in each row as in its head, and no markup of others."""
    markdown = MethodsReport(made_study("a" + text)).markdown()
    rows: list[int] = []
    for line in markdown.split("\n"):
        cells = len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) if line.startswith("|") else 0
        assert cells == 0 or not rows or cells == rows[-1], line
        rows = [*rows, cells] if cells else []
    assert not re.search(r"(?<!\\)(?:\\\\)*<", markdown)
    assert json.loads(json.dumps(MethodsReport(made_study("a" + text)).as_json()))


def test_ten_thousand_records_are_less_than_five_megabytes() -> None:
    """A page of 10,000 records and six steps, none of them like the one before, is below 5 MB, with every id as text."""
    study = made_study("sub-", ids=10_000, steps=6)
    html = page_of(study)
    assert len(html.encode()) < 5_000_000
    assert ">sub-9999</th>" in html and html.count("<tr class=") == 10_000


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(listed, raws, files, failures, claims, decisions)
def test_numbers_are_those_of_the_flow(graph_lab: Any, found, raw, outputs, failed, claimed, said) -> None:
    """Methods, page and flow count the same; what drops out and what is done is what was found; every record is in the grid."""
    arrange(graph_lab, found, raw, outputs, failed, claimed, said)
    ws = graph_lab.open()
    flow, report = ws.report_flow(), ws.report()
    counts = dict(report.as_json()["counts"])
    assert report.as_json()["flow"] == flow.as_json()
    assert counts.pop("noun") == "records" and counts.pop("found") == sum(counts.values()) == len(found)
    assert counts == flow.records.places
    assert {one["reason"]: one["jobs"] for one in report.as_json()["exclusions"]} == flow.jobs.excluded
    html = report.html()
    label = re.search(r'class="way" role="img" aria-label="([^"]*)"', html)
    assert label is not None
    told = {word: int(number) for number, word in re.findall(r"(\d+) ([a-z ]+)", label[1])}
    assert told.pop("records found") == len(found) == sum(told.values())
    rows = re.findall(r'<tr class="(..)"><th scope="row">(REC-\d)</th>(.*?)</tr>', html)
    assert [name for _, name, _ in rows] == sorted(found)
    for column, one in enumerate(flow.steps):
        signs = [re.findall(r'<td class="(..)">', cells)[column] for _, _, cells in rows]
        assert signs.count("do") == one.places["done"] and signs.count("fa") == one.places["failed"]
    markdown = report.methods.markdown()
    done = re.search(r"^\| records \|.*\| (\d+) \|$", markdown, re.MULTILINE)
    assert done is not None and int(done[1]) == flow.records.places["done"]
    assert sum(one.count for one in report.study.failures) >= flow.jobs.places["failed"]


FAIL = """
if self.id == "R<2>":
    raise ValueError(f"<script>window.hit = 1</script> in {self.id}")
self.path.output.write_text(str(self.params))
"""


TOML = """
[steps.a.params]
low = 1
[records.exceptions."R&1".params]
low = 2
"""


def lab(folder: Path) -> Workspace:
    """Make a workspace of three records of which one fails, one is excluded, with two runs of other parameters."""
    scripts = {"a": script_text(FAIL, path_out=("out", "{id}.txt"), before="import yaml")}
    ws = make_workspace(folder, records=["R&1", "R<2>", "R'3\""], scripts=scripts, settings=TOML)
    ws.records.get("R'3\"").exclude("asleep <b>")
    ws.steps.run(printing=False)
    ws.steps.run(printing=False, force=True, params={"low": 7})
    return Workspace(folder)


def test_report_of_one_run(tmp_path: Path) -> None:
    """A report about one run has its jobs, which add up, its parameters, its failures with their traceback, and its attempts."""
    ws = lab(tmp_path)
    report = ws.report("last")
    assert report.study.run is not None and report.study.run.run_id == ws.runs.last.run_id
    assert report.as_json()["counts"] == {
        **dict.fromkeys(["missing_input", "blocked", "interrupted", "not_begun"], 0),
        "noun": "jobs",
        "found": 3,
        "excluded": 1,
        "failed": 1,
        "done": 1,
    }
    assert [(one.value, one.origin) for one in report.study.steps[0].params] == [(7, "this run")]
    first = ws.report(ws.runs[1].run_id)
    assert [(one.value, one.file) for one in first.study.steps[0].params] == [
        (1, str(tmp_path / "workspace.toml"))
    ]
    (failure,) = report.study.failures
    assert failure.records == ("R<2>",) and "raise ValueError" in failure.traceback
    assert first.study.failures[0].traceback == ""  # of that attempt nothing is left but its event
    page = read(report.html())
    assert "R<2>" in page.text and "window.hit" in page.text
    assert repr(report).startswith("<Report instance | run 2")


def test_report_of_all(tmp_path: Path) -> None:
    """The report about all tells versions, packages, parameters with their line, what single runs were given, decisions."""
    report = lab(tmp_path).report()
    found = report.as_json()
    assert (found["runs"] == 2 and found["packages"].keys() == {"pyyaml"}) or found["packages"].keys() == {
        "PyYAML"
    }
    ((param, own),) = [one["params"] for one in found["steps"]]
    assert (param["key"], param["value"]) == ("low", 1) and param["origin"].startswith("workspace.toml:")
    assert (own["record_id"], own["value"]) == ("R&1", 2)
    assert list(found["overrides"].values()) == [{"low": 7}]
    text = read(report.html()).text
    for word in ("asleep <b>", "by sinagot", "ValueError", "sinagot logs", "2 runs", "workspace.toml"):
        assert word in text
    paragraph = report.methods.paragraph
    assert "Of 3 records found, 1 was excluded (asleep <b>: 1), 1 failed and 1 is done." in paragraph


def test_older_runs_say_what_they_do_not_know(tmp_path: Path) -> None:
    """Manifests of older versions, torn ones, and a workspace without any run give a report all the same."""
    ws = make_workspace(tmp_path, records=2)
    before = sorted(tmp_path.rglob("*"))
    assert "have not been processed yet" in ws.report().methods.paragraph
    read(ws.report().html())
    assert sorted(tmp_path.rglob("*")) == before
    ws.steps.run(printing=False)
    (file,) = (tmp_path / "dataset/.sinagot/runs").glob("*/run.json")
    facts = json.loads(file.read_text())
    for broken in (
        {key: facts[key] for key in facts if key != "packages"},
        {**facts, "versions": 7, "params": []},
        {},
    ):
        file.write_text(json.dumps(broken))
        report = ws.report()
        assert ("not recorded" in report.methods.markdown()) == (
            "packages" not in broken or "versions" in broken
        )
        read(report.html())
    file.write_text("{")
    read(ws.report().html())
    read(ws.report("last").html())


def test_citation_is_that_of_the_project() -> None:
    """How to cite is said in one way, here and in CITATION.cff."""
    text = (ROOT / "CITATION.cff").read_text()
    for name in ("title", "version"):
        found = re.search(rf"^{name}: (.+)$", text, re.MULTILINE)
        assert found is not None and found[1] in CITATION
    author = re.search(r"^  - name: (.+)$", text, re.MULTILINE)
    assert author is not None and CITATION.startswith(author[1])


def test_page_in_a_browser(tmp_path: Path, browser: Any) -> None:
    """In a browser the page asks for nothing, runs no script, hides rows by its switches, and is fit for readers of screens."""
    from axe_playwright_python.sync_playwright import Axe

    path = lab(tmp_path / "lab").report().to_html(tmp_path / "report.html")
    with closing(browser.new_context(viewport={"width": 400, "height": 800}, bypass_csp=True)) as context:
        # The page forbids scripts; those of the checker are let in.
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        assert asked == [path.as_uri()] and page.evaluate("window.hit") is None
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        assert page.locator(".grid tbody tr:visible").count() == 3
        page.locator("#show-failed").check()
        assert page.locator(".grid tbody tr:visible").all_inner_texts()[0].startswith("R<2>")
        assert page.locator(".grid tbody tr:visible").count() == 1
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
