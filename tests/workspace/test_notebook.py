"""Workspaces and what they give, shown in notebooks: pieces of HTML, and a display of a run that goes on."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
import types
from pathlib import Path
from typing import Any

import pytest

import sinagot as sg
from sinagot.engine.job import Outcome
from sinagot.engine.request import Progress
from sinagot.testing import make_workspace, script_text
from sinagot.workspace.display import glances
from sinagot.workspace.display.glances import glance
from sinagot.workspace.display.live import NotebookDisplay, ProgressLine, choose_display, in_notebook
from tests.pages import Page, read_page

ROOT = Path(__file__).parents[2]
EVIL = "<script>alert('a&b')</script>"


def shown(thing: Any) -> Page:
    """Give what a notebook shows of an object, checked."""
    return read_page(thing._repr_html_())


def counts(**of: int) -> dict[str, int]:
    """Return counts as the engine gives them."""
    return dict.fromkeys(Outcome.ALL, 0) | of


# -- pieces of HTML


def test_each_object_shows_itself(lab) -> None:
    """Workspace, scopes, steps, plan, report, flow and runs tell records, statuses and causes, and write nothing."""
    lab.unit("a", "b", ids=["REC-1", "REC-2", "REC-3"])
    lab.fail("a-REC-2", f"ValueError({EVIL!r})")
    ws = lab.open()
    assert (
        "3 records: REC-1, REC-2, REC-3 step records by status a ○ 3 ready b · 3 no input" in shown(ws).text
    )
    plan = shown(ws.steps.plan())
    assert "nothing has run here yet" in shown(ws.runs).text
    assert "▶ 6 would run" in plan.text and "REC-1 a ▶ would run output not there" in plan.text
    report = ws.steps.run(printing=False)
    before = lab.tree()
    for thing in (ws, ws.records, ws.steps):
        assert "✓ 2 done ✗ 1 error" in shown(thing).text and "✓ 2 done · 1 no input" in shown(thing).text
    assert "a ✗ error b · no input" in shown(ws["REC-2"]).text
    assert "✗ 1 error" in shown(ws.steps.get("a")).text and "b" not in shown(ws.steps.get("a")).texts
    told = shown(report).text
    assert "✓ 4 done ✗ 1 failed ⊘ 1 blocked" in told and f"ValueError: {EVIL}" in told
    assert "a.py:" in told and "Traceback" in told
    assert "Where the records have gone" in shown(ws.report_flow()).text
    assert "1 run" in shown(ws.runs).text and "✗ 1 failed" in shown(ws.runs.last).text
    assert "would run" in shown(ws.steps.run(dry_run=True)).text
    assert lab.tree() == before


def test_scopes_and_entities_are_told(lab) -> None:
    """A scope shows the steps of its units only, by task and modality; a composed id shows its parts."""
    lab.scoped(ids=["REC-1"])
    for name in ("a", "b", "c"):
        lab.script(f"EEG/{name}")
    lab.script("behavior/a", path_out="behavior/{id}-{task}.csv")
    ws = lab.open()
    text = shown(ws.RS).text
    assert "RS-EEG-a" in text and "HDC" not in text
    assert {"HDC-EEG-c", "HDC-behavior-a"} <= set(shown(ws).texts)
    composed = make_workspace(
        lab.root / "composed",
        records=[],
        scripts={"one": script_text("", "sub-{subject}/ses-{session}/{id}.txt", "out/{id}.txt")},
    )
    file = composed.data_path / "sub-01" / "ses-b" / "sub-01_ses-b.txt"
    file.parent.mkdir(parents=True)
    file.touch()
    config = Path(composed.configuration.root, "workspace.toml")
    rule = "path = 'sub-{subject}/ses-{session}/{id}.txt'\nid = 'sub-{subject}_ses-{session}'"
    config.write_text(config.read_text().replace("id_pattern = '[^/]+'", rule))
    record = sg.Workspace(config.parent)["sub-01_ses-b"]
    assert "subject 01 session b" in shown(record).text


def test_what_is_wrong_is_shown_and_not_raised(lab) -> None:
    """A broken script, and a folder that is gone, stand in the picture with their reason; the rest is there."""
    lab.unit("a", "b", ids=["REC-1"])
    lab.write("scripts/b.py", "import sys, <b>")
    ws = lab.open()
    page = shown(ws)
    assert "1 record: REC-1" in page.text and "b.py:1: SyntaxError" in page.text
    assert "✗ error" in shown(ws["REC-1"]).text
    lab.write("scripts/a.py", "raise ValueError('<i>broken</i>')")
    assert "<i>broken</i>" in shown(lab.open()).text
    lab.script("a")
    whole = lab.open()
    shutil.rmtree(lab.data)
    assert "the data folder is not there (any more)" in shown(whole).text


def test_workflows_show_their_graph(tmp_path: Path) -> None:
    """A workflow shows its nodes with what is stored, stale and missing; its workspace counts them all."""

    @sg.step
    def twice(number: int) -> int:
        return 2 * number

    class Flow(sg.Workflow):
        number: int = sg.seed()
        double: int = twice.step(number)
        four: int = twice.step(double)
        eight: int = twice.step(four)

    class Flows(sg.Workspace[Flow]):
        number = sg.LocalStorage("numbers/{workflow_id}.json")
        double = sg.LocalStorage("doubles/{workflow_id}.json")
        eight = sg.LocalStorage("eights/{workflow_id}.json")

    (tmp_path / "numbers").mkdir()
    seed = tmp_path / "numbers" / "A.json"
    seed.write_text("3")
    ws = Flows(tmp_path)
    assert "1 workflow: A" in shown(ws).text and "○ 1 ready" in shown(ws).text
    assert ws["A"].double == 6
    page = shown(ws["A"])
    assert [page.drawn.count(word) for word in ("✓ stored", "□ missing", "○ not stored")] == [2, 1, 1]
    assert "twice(number)" in page.text and page.tags.count("svg") == 1
    seed.write_text("4")
    assert "↻ stale" in shown(ws["A"]).text
    report = ws.compute("eight")
    assert (report.ok, report.warnings) == (True, [])  # a class without a file was not edited meanwhile
    ws.close()


def test_large_workspace_is_shown_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of which all is there are counted by listings, the others until time is over; what is left out is told."""
    ids = [f"REC-{number:03}" for number in range(300)]
    ws = make_workspace(tmp_path, records=ids)
    ws.records.select(ids[:100]).steps.run(printing=False)
    ws.records.select(ids[:1]).exclude("asleep")
    whole = glance(ws.records)
    assert whole.is_whole and whole.ids == ids
    assert [dict(one) for _, one in whole.steps] == [
        {"EXCLUDED": 1, "DONE": 99, "DATA_READY": 200},
        {"EXCLUDED": 1, "DONE": 99, "INIT": 200},
    ]
    by_table = ws.status().groupby("step_label")["status_name"].value_counts()
    assert {node.label: dict(one) for node, one in whole.steps} == {
        label: {name: count for name, count in by_table[label].items() if count}
        for label in ("first", "second")
    }
    monkeypatch.setattr(glances, "LONGEST", -1.0)
    some = glance(ws.records)
    assert (some.seen, some.is_whole) == (100, False)
    text = shown(ws).text
    assert "300 records: REC-000" in text and "... and 295 more" in text
    assert "Counted are 100 records" in text


def test_nothing_is_loaded_before_it_is_shown() -> None:
    """Opening a workspace and its tables load neither what pages nor what plots are made of."""
    code = """
        import sys, sinagot
        ws = sinagot.Workspace("example/harbor")
        ws.status(), repr(ws), repr(ws.records), repr(ws.steps), repr(ws.steps.plan())
        made = {"sinagot.engine.html", "sinagot.workspace.display.cards", "sinagot.workspace.display.plots", "matplotlib", "IPython"}
        assert not made & set(sys.modules)
        ws._repr_html_()
        assert "sinagot.engine.html" in sys.modules
        assert not {"matplotlib", "IPython"} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, cwd=ROOT)


# -- tables


def test_status_is_tidy(lab) -> None:
    """One row a job with documented types; categories stand in the order of the configuration and of the words."""
    lab.unit("b", "a", ids=["REC-1", "REC-2"])
    lab.fail("b-REC-2")
    ws = lab.open()
    ws.steps.run(printing=False)
    table = ws.status()
    assert {name: str(kind) for name, kind in table.dtypes.items()} == {
        "record_id": "str",
        "task": "category",
        "modality": "category",
        "step_index": "int64",
        "step_label": "category",
        "step_status": "int64",
        "status_name": "category",
    }
    assert list(table["step_label"].cat.categories) == ["b", "a"]
    assert table["status_name"].cat.ordered and list(table["status_name"]) == [
        "DONE",
        "DONE",
        "ERROR",
        "INIT",
    ]
    old = ws.steps.status()
    assert list(old.columns) == ["record_id", "task", "modality", "step_index", "step_label", "step_status"]
    assert table["step_status"].tolist() == old["step_status"].tolist()
    assert ws.status("a")["record_id"].tolist() == ["REC-1", "REC-2"]
    assert ws["REC-2"].status()["status_name"].tolist() == ["ERROR", "INIT"]
    assert ws.records.select(["REC-1"]).status().shape == (2, 7)
    with pytest.raises(sg.errors.NotFoundError, match="elephant"):
        ws.status("elephant")


def test_all_that_is_known_is_one_table(lab) -> None:
    """Parts of ids are columns behind the id, whatever they are called; with paths, the files of each job too."""
    lab.config(
        "[steps]\nscripts = ['a', 'b']",
        records="path = 'raw/{subject}_{step_label}[_run-{run}].csv'\nid = '{subject}_{step_label}[_run-{run}]'",
    )
    lab.script("a", {"raw": "raw/{id}.csv", "same": "same.csv"}, "a/{id}.csv")
    lab.script("b", "a/{id}.csv", "b/{id}.csv")
    lab.raw("01_x", "02_y_run-1")
    ws = lab.open()
    table = ws.to_dataframe(paths=True)
    assert list(table.columns[:4]) == ["record_id", "subject", "entity_step_label", "run"]
    assert table["subject"].tolist() == ["01", "01", "02", "02"] and str(table["run"].dtype) == "str"
    assert table["run"].isna().tolist() == [True, True, False, False]
    data = str(lab.data)
    assert table["input"][0] == {"raw": f"{data}/raw/01_x.csv", "same": f"{data}/same.csv"}
    assert table["output"].tolist()[:2] == [f"{data}/a/01_x.csv", f"{data}/b/01_x.csv"]
    assert "input" not in ws.to_dataframe().columns
    assert ws["02_y_run-1"].to_dataframe()["subject"].tolist() == ["02", "02"]


def test_tables_of_an_empty_workspace_have_their_columns(tmp_path: Path) -> None:
    """Without records there are no rows, and the same columns with the same types."""
    ws = make_workspace(tmp_path, records=[])
    full = make_workspace(tmp_path / "full", records=1)
    for name in ("status", "to_dataframe"):
        assert (
            getattr(ws, name)().dtypes.astype(str).to_dict()
            == getattr(full, name)().dtypes.astype(str).to_dict()
        )
    assert "0 records" in shown(ws).text


# -- a run that goes on


class Notebook:
    """Stands for the display of a notebook: keeps what is shown."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []
        self.places = 0

    def display(self, picture: dict[str, str], raw: bool, display_id: bool) -> Notebook:
        assert raw and display_id
        self.places += 1
        self.update(picture, raw=raw)
        return self

    def update(self, picture: dict[str, str], raw: bool) -> None:
        assert raw
        read_page(picture["text/html"])
        self.shown.append(picture)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    """Let this process look like the kernel of a notebook."""
    made = Notebook()
    shell = types.SimpleNamespace(kernel=object())
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell  # type: ignore[attr-defined]
    display = types.ModuleType("IPython.display")
    display.display = made.display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return made


def test_run_is_shown_in_notebooks_only(
    lab, notebook: Notebook, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    """There it is shown unless it is not wanted; a plan, and a run that finds nothing to do, show nothing."""
    ws = lab.unit("a", ids=["REC-1", "REC-2"]).open()
    lab.fail("a-REC-2", f"ValueError({EVIL!r})")
    ws.steps.run(printing=False, dry_run=True)
    assert notebook.shown == []
    ws.steps.run(printing=False)
    assert notebook.places == 1
    last = notebook.shown[-1]
    assert "Run over after" in last["text/plain"] and "1 done · 1 failed" in last["text/plain"]
    assert EVIL in read_page(last["text/html"]).text
    lab.heal("a-REC-2")
    notebook.shown.clear()
    assert ws.steps.run(printing=False, progress=False).ok
    ws.steps.run(printing=False)
    assert notebook.shown == []
    monkeypatch.delitem(sys.modules, "IPython")
    assert not in_notebook()
    ws.steps.run(printing=False, force=True)
    assert notebook.shown == [] and capsys.readouterr() == ("", "")


def test_run_behind_the_cell_is_shown_too(lab, notebook: Notebook) -> None:
    """With ``wait=False`` the place is taken before the call returns, and its last state is that of the end."""
    ws = lab.unit("a", ids=["REC-1"]).open()
    gate = lab.gate("a-REC-1")
    report = ws.steps.run(printing=False, wait=False)
    assert notebook.places == 1
    gate.wait()
    assert repr(report) == "<RunReport instance | running: 1 jobs>" and "▶ running" in shown(report).text
    gate.open()
    report.wait()
    assert notebook.places == 1 and "1 done" in notebook.shown[-1]["text/plain"]
    again = ws.steps.run(printing=False, wait=False).wait()
    assert again.ok and "Nothing had to be done" in notebook.shown[-1]["text/plain"]


def test_interrupted_run_has_its_last_state(lab, notebook: Notebook) -> None:
    """Ctrl-C, and an exception that leaves the run, end the display with what was done."""
    ws = lab.unit("a", ids=["REC-1", "REC-2"]).open()
    lab.wish("a-REC-1", "import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    with pytest.raises(KeyboardInterrupt):
        ws.steps.run(printing=False)
    assert notebook.shown[-1]["text/plain"].startswith("Run stopped after")
    lab.fail("a-REC-1")
    with pytest.raises(ValueError, match="no good"):
        ws.steps.run(printing=False, debug=True, force=True)
    assert notebook.shown[-1]["text/plain"].startswith("Run stopped after")


def test_display_is_not_flooded(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the engine tells, some pictures a second are sent; the last one always is."""
    now = 0.0
    monkeypatch.setattr("sinagot.workspace.display.live.time.monotonic", lambda: now)
    display = NotebookDisplay()
    for number in range(1000):
        now = number / 100
        display(Progress(counts(done=number), 1000, None))
    display(Progress(counts(done=1000), 1000, None, True))
    assert 30 <= len(notebook.shown) <= 42
    assert "500/1,000 · 500 done · 5 s left · 100/s" in " ".join(one["text/plain"] for one in notebook.shown)
    assert "✓ 1,000 done" in read_page(notebook.shown[-1]["text/html"]).text


def test_run_goes_on_when_nobody_can_see_it(lab, notebook: Notebook) -> None:
    """A display that fails costs the display, never the run."""

    def fail(*pictures: Any, **options: Any) -> None:
        raise OSError("the browser is gone")

    sys.modules["IPython.display"].display = fail  # type: ignore[attr-defined]
    assert lab.unit("a").open().steps.run(printing=False).counts["done"] == 2


def test_who_is_asked_is_called() -> None:
    """A callable gets the progress; outside of notebooks True gives lines on standard error, and nothing is the default."""
    assert choose_display(print, wait=True, dry_run=True) is print
    assert choose_display(None, wait=True, dry_run=False) is None
    assert choose_display(True, wait=False, dry_run=False) is None
    assert isinstance(choose_display(True, wait=True, dry_run=False), ProgressLine)


# -- a kernel


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of the kernel's own packages
def test_in_a_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a real kernel: objects show HTML, runs are live, behind the cell too, and an interrupt leaves a right end."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    make_workspace(
        tmp_path / "lab",
        scripts={
            "one": script_text(
                "time.sleep(0.05)\nself.path.output.write_text('x')", "raw/{id}.txt", "one/{id}.txt"
            )
        },
        records=12,
    )
    sources = [
        "import sinagot; ws = sinagot.Workspace('lab'); ws",
        "report = ws.steps.run(printing=False, workers=2)",
        "report = ws.steps.run(printing=False, force=True, wait=False); report",
        "report.wait()",
        """
        import os, shutil, signal, threading, time

        made = "lab/dataset/one"
        shutil.rmtree(made)

        def interrupt():
            while not (os.path.isdir(made) and os.listdir(made)):
                time.sleep(0.005)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt).start()
        ws.steps.run(printing=False)
        """,
        "ws.plot.timeline(); ws.close()",
    ]
    cells = [nbformat.v4.new_code_cell(textwrap.dedent(one).strip()) for one in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(
        notebook, timeout=90, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()

    def outputs(cell: int, kind: str) -> list[Any]:
        return [one for one in notebook.cells[cell].outputs if one.output_type == kind]

    (one,) = outputs(0, "execute_result")
    assert (
        "12 records" in read_page(one.data["text/html"]).text
        and one.data["text/plain"] == "<Workspace instance>"
    )
    for cell in (1, 2):
        (one,) = outputs(cell, "display_data")
        assert "12/12 · 12 done" in one.data["text/plain"], one.data["text/plain"]
        assert "✓ 12 done" in read_page(one.data["text/html"]).text
    assert outputs(3, "execute_result")[0].data["text/plain"] == "<RunReport instance | ok: 12 done>"
    (one,) = outputs(4, "display_data")
    assert one.data["text/plain"].startswith("Run stopped after") and "interrupted" in one.data["text/plain"]
    assert outputs(4, "error")[0].ename == "KeyboardInterrupt"
    assert [sorted(one.data) for one in outputs(5, "display_data")] == [["image/png", "text/plain"]]
