"""Broken scripts and wrong paths: what can run has run, then an error says which step and which file."""

from __future__ import annotations

import pytest

from sinagot import ConfigurationError
from sinagot.errors import PatternError, ScriptError

BROKEN = {
    "missing file": None,
    "syntax": "def (",
    "import": "import nowhere_to_be_found",
    "raises": "raise ValueError('at import')",
    "exits": "raise SystemExit(3)",
    "no class": "class Scirpt: pass",
    "wrong class": "Script = 7",
    "null byte": "x = 1\0",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_what_can_run_has_run_then_script_error(lab, text: str | None) -> None:
    """With a broken later step the others run; then ScriptError names step and file and has the report."""
    lab.unit("a", "b", "c")
    lab.script("c", ("raw", "{id}.csv"))
    file = lab.scripts / "b.py"
    file.unlink() if text is None else file.write_text(text)
    with pytest.raises(ScriptError) as caught:
        lab.open().steps.run()
    error = caught.value
    assert error.step == "b"
    assert str(error.file) == str(file) and str(file) in str(error)
    assert isinstance(error, ImportError)
    assert error.report.counts["done"] == 4
    assert lab.ran() == ["a-REC-1", "c-REC-1", "a-REC-2", "c-REC-2"]
    status = lab.open().steps.status()
    assert status["step_status"].tolist() == [30, 40, 30] * 2
    assert lab.open().steps.scripts_names() == ["a", "b", "c"]


def test_misspelt_class_is_pointed_out(lab) -> None:
    """A file without a class `Script` says what it lacks."""
    lab.unit("a", ids=["REC-1"])
    lab.write("scripts/a.py", "class Scirpt: pass")
    with pytest.raises(ScriptError, match="Script"):
        lab.open().steps.run()


def test_import_error_names_the_module(lab) -> None:
    """A script whose import fails names the module that is missing."""
    lab.unit("a", "b")
    lab.write("scripts/b.py", "import nowhere_to_be_found")
    with pytest.raises(ScriptError, match="nowhere_to_be_found") as caught:
        lab.open().steps.run()
    assert caught.value.__cause__ is not None


def test_broken_scripts_of_other_scopes_are_no_obstacle(lab) -> None:
    """A broken script of another modality, or of a step that was not asked for, stops nothing and raises nothing."""
    lab.scoped()
    lab.write("scripts/behavior/a.py", "def (")
    lab.write("scripts/EEG/c.py", "def (")
    ws = lab.open()
    assert ws.RS.steps.run().counts["done"] == 4
    assert ws.HDC.EEG.steps.run("a").counts["done"] == 2
    with pytest.raises(ScriptError) as caught:
        ws.steps.run()
    assert caught.value.report.counts["done"] == 2
    assert "1 more" in str(caught.value)


def test_repaired_script_runs_at_once(lab) -> None:
    """When the file is put right, the same workspace object runs it."""
    lab.unit("a", "b", ids=["REC-1"])
    good = (lab.scripts / "b.py").read_text()
    lab.write("scripts/b.py", "def (")
    ws = lab.open()
    with pytest.raises(ScriptError):
        ws.steps.run()
    (lab.scripts / "b.py").write_text(good)
    assert ws.steps.run().counts["done"] == 1
    assert ws["REC-1"].steps.status()["step_status"].tolist() == [30, 30]


def test_no_script_can_be_loaded(lab) -> None:
    """When all scripts are broken the error comes at once, and nothing is written."""
    lab.unit()
    for name in "ab":
        lab.write(f"scripts/{name}.py", "def (")
    before = lab.tree()
    with pytest.raises(ScriptError, match=r"a\.py") as caught:
        lab.open().steps.run()
    assert caught.value.report.total == 0
    with pytest.raises(ScriptError, match=r"b\.py") as caught:
        lab.open().steps.run("b")
    assert caught.value.report.total == 0
    assert lab.tree() == before


def test_dry_run_tells_of_broken_scripts_too(lab) -> None:
    """A dry run raises the same error, with its plan, and writes nothing."""
    lab.unit("a", "b")
    lab.write("scripts/b.py", "def (")
    before = lab.tree()
    with pytest.raises(ScriptError) as caught:
        lab.open().steps.run(dry_run=True)
    assert [entry[:2] for entry in caught.value.report.plan] == [("REC-1", "a"), ("REC-2", "a")]
    assert lab.tree() == before


def test_missing_method_run_is_a_failure_of_the_step(lab) -> None:
    """A class without `run()` fails with a message that says so."""
    lab.unit("a", ids=["REC-1"])
    lab.write(
        "scripts/a.py",
        "from sinagot import ScriptTemplate\nclass Script(ScriptTemplate):\n    PATH_IN = ('raw', '{id}.csv')\n    PATH_OUT = ('a', '{id}')\n",
    )
    (group,) = lab.open().steps.run().failures
    assert group.exc_type == "NotImplementedError" and "run()" in group.message


@pytest.mark.parametrize(
    ("attribute", "value", "text"),
    [
        ("path_in", ("raw", "{idd}.csv"), r"idd.*\{id\}.*did you mean 'id'"),
        ("path_out", ("a", "{subject}.csv"), r"subject.*\{id\}"),
        ("path_out", ("a", "all.csv"), r"same file for every record.*\{id\}"),
        ("path_in", ("raw", "{id.csv"), r"\{"),
        ("path_out", ("raw", "{id}.csv"), "own input"),
    ],
)
def test_wrong_path_names_step_file_and_field(lab, attribute: str, value: tuple[str, ...], text: str) -> None:
    """An unknown field, a broken brace, an output that all records share or that is the input is refused by name, before anything runs."""
    lab.unit("a")
    lab.script("a", **{attribute: value})
    with pytest.raises((ConfigurationError, ScriptError), match=text) as caught:
        lab.open().steps.run()
    assert "a" in str(caught.value)
    assert lab.ran() == []


def test_two_steps_with_one_output_are_refused(lab) -> None:
    """Two steps that write the same file are named, both of them."""
    lab.unit("a", "b")
    lab.script("b", path_out=("a", "{id}.csv"))
    with pytest.raises(ConfigurationError, match=r"steps a and b write the same file"):
        lab.open().steps.run()


def test_task_in_unit_mode_is_an_unknown_field(lab) -> None:
    """`{task}` in a workspace without tasks is an unknown field."""
    lab.unit("a")
    lab.script("a", ("raw", "{id}-{task}.csv"))
    with pytest.raises(PatternError, match="task"):
        lab.open().records.ids()


def test_check_gives_every_problem_at_once(lab) -> None:
    """The blueprint's check names each broken script and pattern, and goes on after each."""
    lab.unit("a", "b", "c", "d")
    lab.write("scripts/b.py", "def (")
    lab.script("c", ("raw", "{idd}.csv"))
    (lab.scripts / "d.py").unlink()
    found = dict(lab.open().blueprint.check())
    assert {"b", "c", "d"} <= set(found)
    assert "a" not in found
