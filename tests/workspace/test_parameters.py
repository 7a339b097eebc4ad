"""Parameters reach scripts, are checked before anything runs, and are part of what a result came from."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from sinagot import ConfigurationError, Workspace
from sinagot.workspace.parameters import Parameters

SHOW = "import json\nself.path.output.write_text(json.dumps(dict(self.params), default=str, sort_keys=True))"
SHOW_TYPED = "self.path.output.write_text(repr(self.params))"
MODEL = """
class Params(pydantic.BaseModel):
        low: float
        high: float = 40
"""


def typed(lab, name="a", source="raw", model=MODEL) -> None:
    """Write a script with a class of parameters."""
    lab.script(name, (source, "{id}.csv"), body=SHOW_TYPED, head="import pydantic", members=model.strip())


def shown(lab, step: str, record: str = "REC-1"):
    """Give what a script saw."""
    return json.loads(lab.text(f"{step}/{record}.csv"))


def test_script_sees_the_layers_that_hold_for_it(lab) -> None:
    """Each step of each record sees its own parameters, tables merged in depth."""
    lab.unit(
        more="""
        [params]
        low = 1
        band = { name = "alpha", edges = [8, 12] }
        [steps.b.params]
        low = 2
        [records.exceptions."REC-2".params]
        band = { name = "beta" }
        [records.exceptions."REC-2".steps.b.params]
        low = 3
        """
    )
    for step, source in (("a", "raw"), ("b", "a")):
        lab.script(step, (source, "{id}.csv"), body=SHOW)
    assert lab.open().steps.run(printing=False).ok
    alpha = {"name": "alpha", "edges": [8, 12]}
    assert shown(lab, "a") == {"low": 1, "band": alpha}
    assert shown(lab, "b") == {"low": 2, "band": alpha}
    assert shown(lab, "a", "REC-2") == {"low": 1, "band": alpha | {"name": "beta"}}
    assert shown(lab, "b", "REC-2") == {"low": 3, "band": alpha | {"name": "beta"}}


def test_tasks_and_modalities_have_parameters(lab) -> None:
    """A task's word wins over the modality's, a step's of the modality over both."""
    lab.scoped(
        more="""
        [modalities.EEG.params]
        who = "EEG"
        [modalities.EEG.steps.b.params]
        who = "EEG b"
        [tasks.HDC.params]
        who = "HDC"
        """
    )
    parameters = lab.open().blueprint
    found = {
        node.place: Parameters(parameters.configuration)(node, "REC-1").get("who")
        for node in parameters.graph().nodes
    }
    assert found == {
        "RS-EEG-a": "EEG",
        "RS-EEG-b": "EEG b",
        "HDC-EEG-a": "HDC",
        "HDC-EEG-b": "EEG b",
        "HDC-EEG-c": "HDC",
        "HDC-behavior-a": "HDC",
    }


@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_typed_step_sees_an_instance(lab, mode: str) -> None:
    """Where the script has a class, each attempt sees an instance of it, in every mode."""
    lab.unit("a", more="[params]\nlow = 8\nother = 1\n[records.exceptions.'REC-2'.params]\nhigh = 12")
    typed(lab)
    with lab.open() as ws:
        assert ws.steps.run(printing=False, mode=mode).ok
    assert lab.text("a/REC-1.csv") == "Params(low=8.0, high=40)"
    assert lab.text("a/REC-2.csv") == "Params(low=8.0, high=12.0)"


def test_tables_of_pipelines_are_parameters_of_their_step(lab) -> None:
    """`[pipelines.NAME]` wins over wider tables and `[steps.NAME.params]`, its own table of a record over it."""
    lab.unit(
        "a",
        more="""
        [params]
        low = 1
        who = "all"
        [steps.a.params]
        low = 2
        [pipelines.a]
        low = 3
        [pipelines.a.params]
        tasks = 4
        [pipelines.a.records."REC-2"]
        low = 5
        """,
    )
    lab.script("a", body=SHOW)
    ws = lab.open()
    assert ws.steps.run(printing=False).ok
    assert shown(lab, "a") == {"low": 3, "who": "all", "tasks": 4}
    assert shown(lab, "a", "REC-2") == {"low": 5, "who": "all", "tasks": 4}
    assert "[pipelines.a.records.REC-2]" in ws["REC-2"].details().notes[0]
    file = lab.root / "workspace.toml"
    file.write_text(file.read_text().replace("low = 5", "low = 6"))
    plan = lab.open().steps.plan(rerun="outdated")
    assert plan.counts == {"run": 1, "up_to_date": 1}
    (job,) = (job for job in plan.iter_jobs() if job["verdict"] == "run")
    assert job["record_id"] == "REC-2"
    assert [reason.text for reason in job["reasons"]] == ["parameter low changed (5 -> 6)"]


def test_override_wins_for_one_run(lab) -> None:
    """What a call gives wins over every layer, and is gone with the next call."""
    lab.unit("a", more="[params]\nlow = 1\nband = {low = 1, high = 2}")
    lab.script("a", body=SHOW)
    ws = lab.open()
    ws.steps.run(params={"low": 5, "band": {"low": 6}}, printing=False)
    assert shown(lab, "a") == {"low": 5, "band": {"low": 6, "high": 2}}
    ws.steps.run(force=True, printing=False)
    assert shown(lab, "a") == {"low": 1, "band": {"low": 1, "high": 2}}


def test_changed_parameter_makes_its_results_outdated(lab) -> None:
    """A changed parameter is a reason for the steps that have it, and defaults of a class count like any value."""
    lab.unit("a", "b", ids=["REC-1"], more="[steps.a.params]\nlow = 1\n")
    typed(lab)
    ws = lab.open()
    ws.steps.run(printing=False)
    assert ws.steps.plan(rerun="outdated").counts == {"up_to_date": 2}
    file = lab.root / "workspace.toml"
    file.write_text(file.read_text().replace("low = 1", "low = 2"))
    job = next(lab.open().steps.plan("a", rerun="outdated").iter_jobs())
    assert [(one.code, one.subject, one.old, one.new) for one in job["reasons"]] == [
        ("params_changed", "low", "1.0", "2.0")
    ]
    # Written or not, 40 is what the class says: nothing changed.
    file.write_text(file.read_text().replace("low = 2", "low = 1\nhigh = 40.0"))
    assert lab.open().steps.plan(rerun="outdated").counts == {"up_to_date": 2}
    # What the class does not know is no parameter of the step.
    file.write_text(file.read_text() + "[params]\nother = 1\n")
    assert lab.open().steps.plan("a", rerun="outdated").counts == {"up_to_date": 1}


WRONG = [
    ("[steps.a.params]\nlow = 'x'", "{file}:6: steps.a.params.low: found 'x' (class Params of step a: "),
    ("[params]\nlow = 1\nhigh = []", "{file}:7: params.high: found an empty list (class Params of step a: "),
    (
        "[steps.a.params]\nlwo = 1\nlow = 2",
        "steps.a.params.lwo: step a has no such parameter (its class Params has low, high); did you mean 'low'?",
    ),
    (
        "[pipelines.a]\nlow = 2\n[pipelines.a.records.REC-1]\nhihg = 1",
        "{file}:8: pipelines.a.records.REC-1.hihg: step a has no such parameter (its class Params has low, high)",
    ),
    ("[pipelines.a]\nhigh = 2", "{file}:5: pipelines.a.low: required, and absent (class Params of step a: "),
    ("", "steps.a.params.low: required, and absent (class Params of step a: Field required)"),
    (
        "[params]\nlow = 1\n[records.exceptions.'REC-1'.params]\nlow = 'x'",
        "{file}:8: records.exceptions.REC-1.params.low: found 'x' (",
    ),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_bad_value_is_told_before_anything_runs(lab, text: str, words: str) -> None:
    """Runs, plans and checks refuse what a class refuses, with file, line, key and step; nothing is written."""
    lab.unit("a", "b", more=text)
    typed(lab)
    words = words.format(file=lab.root / "workspace.toml")
    before = lab.tree()
    ws = lab.open()
    for ask in (ws.steps.run, ws.steps.plan, lambda: ws.steps.run(dry_run=True)):
        with pytest.raises(ConfigurationError) as caught:
            ask()
        assert words in str(caught.value)
        assert caught.value.key
    assert words in str([error for _, error in ws.blueprint.check()])
    assert ws.steps.run("b", dry_run=True).ok  # of a step that nobody asked for nothing is said
    assert [row["step_status"] for row in ws.steps.iter_status()] == [10, 0, 10, 0]  # looking is not refused
    assert lab.tree() == before


def test_all_bad_values_are_told_at_once(lab) -> None:
    """One error has every problem, each once, whichever records share it."""
    lab.unit(
        "a",
        more="[params]\nlow = 'x'\nhigh = 'y'\n[records.exceptions.'REC-1'.params]\nz = 1\n"
        "[records.exceptions.'REC-2'.params]\nhigh = 'z'",
    )
    typed(lab)
    with pytest.raises(ConfigurationError) as caught:
        lab.open().steps.run()
    assert [one.line for one in caught.value.problems] == [6, 7, 11]


def test_record_that_is_not_asked_for_is_not_checked(lab) -> None:
    """A bad value of one record is no obstacle for the others."""
    lab.unit("a", more="[params]\nlow = 1\n[records.exceptions.'REC-2'.params]\nlow = 'x'")
    typed(lab)
    ws = lab.open()
    assert ws["REC-1"].steps.run(printing=False).ok
    with pytest.raises(ConfigurationError, match="REC-2"):
        ws["REC-2"].steps.run(printing=False)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"low": "x"}, "params.low: found 'x' (class Params of step a: "),
        (
            {"lwo": 1},
            "params.lwo: no step of this run has such a parameter; there is low, high; did you mean 'low'?",
        ),
    ],
)
def test_bad_override_is_refused(lab, params, words: str) -> None:
    """What a call gives is checked like what is written."""
    lab.unit("a", more="[params]\nlow = 1")
    typed(lab)
    with pytest.raises(ConfigurationError) as caught:
        lab.open().steps.run(params=params)
    assert words in str(caught.value)


def test_override_that_looks_misspelt_is_a_warning(lab) -> None:
    """Scripts without a class may take any parameter; one that resembles a written one is asked about."""
    lab.unit("a", more="[params]\nthreshold = 1")
    lab.script("a", body=SHOW)
    ws = lab.open()
    with pytest.warns(UserWarning, match="treshold is set nowhere else; did you mean 'threshold'"):
        ws.steps.run(params={"treshold": 2}, printing=False)
    ws.steps.run(params={"zebra": 2}, printing=False, force=True)


def test_attempt_cannot_change_the_parameters_of_others(lab) -> None:
    """A list that one attempt changes is whole for the next."""
    lab.unit("a", more="[params]\nchannels = [1, 2]")
    lab.script("a", body="self.params.channels.append(3)\n" + SHOW)
    lab.open().steps.run(printing=False)
    assert shown(lab, "a") == shown(lab, "a", "REC-2") == {"channels": [1, 2, 3]}


def test_command_has_parameters_in_its_environment(lab) -> None:
    """A command sees each parameter as a variable, tables and lists as JSON."""
    lab.config(
        """
        [steps]
        scripts = ["show"]
        [steps.show]
        command = ["env | grep SINAGOT_PARAM | sort > {output}"]
        shell = true
        input = "raw/{id}.csv"
        output = "show/{id}.txt"
        [steps.show.params]
        low = 8.5
        name = "two words"
        on = true
        channels = ["O1", "O2"]
        """
    )
    lab.raw("REC-1")
    assert lab.open().steps.run(printing=False).ok
    assert lab.text("show/REC-1.txt").splitlines() == [
        'SINAGOT_PARAM_CHANNELS=["O1", "O2"]',
        "SINAGOT_PARAM_LOW=8.5",
        "SINAGOT_PARAM_NAME=two words",
        "SINAGOT_PARAM_ON=true",
    ]


def test_command_has_parameters_in_its_words(lab) -> None:
    """A placeholder is filled in record by record; one that nobody gives a value is told before anything runs."""
    text = """
    [steps]
    scripts = ["say"]
    [steps.say]
    command = ["sh", "-c", "echo {param.band.low} > $0", "{output}"]
    input = "raw/{id}.csv"
    output = "say/{id}.csv"
    [records.exceptions."REC-2".params.band]
    low = 13
    """
    lab.config(text)
    lab.raw("REC-1", "REC-2")
    words = r"workspace\.toml:6: steps\.say\.params\.band\.low: required, and absent \(the command of step say has"
    with pytest.raises(ConfigurationError, match=words):
        lab.open().steps.run(printing=False)
    assert not (lab.data / "say").exists()
    assert lab.open().steps.run(printing=False, params={"band": {"low": 8}}).ok
    assert (lab.text("say/REC-1.csv"), lab.text("say/REC-2.csv")) == ("8\n", "8\n")
    lab.config(text + "[params.band]\n    low = 9\n")
    assert lab.open().steps.run(printing=False, rerun="outdated").counts["done"] == 2
    assert (lab.text("say/REC-1.csv"), lab.text("say/REC-2.csv")) == ("9\n", "13\n")


def test_quiet_run_loads_neither_pydantic_nor_the_script(lab) -> None:
    """What was found good once is not checked again by later processes, with or without a class."""
    lab.unit("a", more="[params]\nlow = 1")
    typed(lab)
    lab.open().steps.run(printing=False)
    code = (
        "import sys\nfrom sinagot import Workspace\n"
        f"ws = Workspace({str(lab.root)!r})\n"
        "assert ws.steps.run(rerun='outdated').counts['up_to_date'] == 2\n"
        "print([name for name in sys.modules if 'pydantic' in name or name.startswith('sinagot_script')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr


def test_broken_cache_costs_time_only(lab) -> None:
    """Whatever stands in the cache of verdicts, values are what they are."""
    lab.unit("a", more="[params]\nlow = 1")
    typed(lab)
    lab.open().steps.run(printing=False)
    cache = lab.data / ".sinagot" / "index" / "params.json"
    assert cache.is_file()
    for text in ("", "{", "[]", '{"format": 1, "verdicts": [1]}', '{"format": 1, "verdicts": {"a": 3}}'):
        cache.write_text(text)
        assert lab.open().steps.run(rerun="outdated", printing=False).counts["up_to_date"] == 2


def test_script_that_can_no_longer_be_loaded_fails_by_itself(lab) -> None:
    """Where the class can't be asked, the attempt says why; other steps run."""
    lab.unit("a", "c", more="[params]\nlow = 1", ids=["REC-1"])
    lab.script("c")
    lab.write("scripts/tool.py", "import os\nif os.path.exists('/nowhere'):\n    raise OSError\n")
    typed(lab)
    ws = lab.open()
    assert ws.steps.run(printing=False).ok
    node = ws.blueprint.graph().nodes[0]
    assert Parameters(ws.configuration)(node, "REC-1") == {"low": 1.0, "high": 40.0}


def test_one_mapping_serves_all_records_of_a_step(lab) -> None:
    """Parameters are resolved once a step, and once more for a record of its own."""
    lab.unit("a", more="[params]\nlow = 1\n[records.exceptions.'REC-2'.params]\nlow = 2")
    ws = lab.open()
    parameters = Parameters(ws.configuration)
    (node,) = ws.blueprint.graph().nodes
    assert parameters(node, "REC-1") is parameters(node, "REC-9")
    assert parameters(node, "REC-2") is parameters(node, "REC-2")
    assert parameters(node, "REC-2") != parameters(node, "REC-1")


def test_workspace_without_parameters_pays_nothing(lab) -> None:
    """Without a word about parameters all steps share one empty mapping."""
    ws: Workspace = lab.unit("a", "b").open()
    parameters = Parameters(ws.configuration)
    assert len({id(parameters(node, "REC-1")) for node in ws.blueprint.graph().nodes}) == 1


def test_script_of_a_step_has_its_parameters(lab) -> None:
    """The script that `step.script` gives has the parameters of its record."""
    lab.unit("a", more="[params]\nlow = 1\n[records.exceptions.'REC-2'.params]\nlow = 2")
    ws = lab.open()
    assert ws["REC-2"].steps.get("a").script.params == {"low": 2}
    assert ws.steps.get("a").script.params == {}
