"""What holds and who said so, by the command line."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import ONE, Invoke, Lab

TOML = """\
[records]
id_pattern = 'REC-\\d+'
[steps]
scripts = ['one', 'two']
[run]
retries = 1
[params]
low = 1
band = { low = 8, high = 12 }
[steps.two]
threads = 2
[steps.two.params]
low = 2
[records.exceptions."REC-2".params.band]
high = 13
"""
TYPED = ONE.replace("from sinagot", "import pydantic\nfrom sinagot").replace(
    "    def run",
    "    TIMEOUT = '1 min'\n    KEEP_FAILED = True\n    class Params(pydantic.BaseModel):\n        low: float\n        high: float = 40\n    def run",
)


def values(found: list[dict]) -> dict[str, tuple]:
    """Give value and place of each key."""
    return {one["key"]: (one["value"], one["line"] if one["file"] else one["origin"]) for one in found}


def test_show_tells_every_value_and_its_origin(invoke: Invoke, make_lab: Lab) -> None:
    """Values written in a file have its line, others say default, class attribute or class Params."""
    lab = make_lab(1, toml=TOML, one=TYPED)
    found = json.loads(invoke(lab, "config", "show", "--json").stdout)
    configuration = values(found["configuration"])
    assert configuration["run.retries"] == (1, 6)
    assert configuration["run.mode"] == ("main_process", "default")
    assert configuration["path.dataset"] == (str(lab / "dataset"), "default")
    assert "params.low" not in configuration
    one, two = found["steps"]
    assert (one["step"], values(one["settings"])) == (
        "one",
        {
            "timeout": (60.0, "class attribute TIMEOUT"),
            "retries": (1, 6),
            "keep_failed": (True, "class attribute KEEP_FAILED"),
        },
    )
    assert values(one["params"]) == {"low": (1.0, 8), "high": (40.0, "default of class Params")}
    assert values(two["settings"]) == {"retries": (1, 6), "threads": (2, 11)}
    assert values(two["params"]) == {"low": (2, 13), "band.low": (8, 9), "band.high": (12, 9)}


def test_show_of_a_record_and_step(invoke: Invoke, make_lab: Lab) -> None:
    """A record's own tables count, and what is set for a run."""
    lab = make_lab(1, 2, toml=TOML, one=TYPED)
    found = json.loads(invoke(lab, "config", "show", "REC-2", "two", "--set", "low=5", "--json").stdout)
    assert "configuration" not in found
    (two,) = found["steps"]
    assert values(two["params"]) == {"low": (5, "this run"), "band.low": (8, 9), "band.high": (13, 15)}
    text = invoke(lab, "config", "show", "REC-2", "two").stdout
    assert [line.split()[:2] for line in text.splitlines()] == [
        ["Step", "two"],
        ["retries", "1"],
        ["threads", "2"],
        ["parameters"],
        ["low", "2"],
        ["band.low", "8"],
        ["band.high", "13"],
    ]
    assert text.splitlines()[-1].endswith("workspace.toml:15")


def test_show_has_tables_of_pipelines(invoke: Invoke, make_lab: Lab) -> None:
    """Parameters of a table of a step stand with the step, those of other names with the configuration."""
    more = "[pipelines.two]\nlow = 3\n[pipelines.two.records.REC-2]\nlow = 4\n[pipelines.night.params]\nlow = 5\n"
    lab = make_lab(1, 2, toml=TOML + more, one=TYPED)
    found = json.loads(invoke(lab, "config", "show", "--json").stdout)
    rows = values(found["configuration"])
    assert {key: row for key, row in rows.items() if key.startswith("pipelines")} == {
        "pipelines.night.params.low": (5, 21)
    }
    low = found["steps"][1]["params"][0]
    assert (low["value"], low["origin"], low["line"]) == (3, "pipelines.two.low", 17)
    text = invoke(lab, "config", "show", "REC-2", "two").stdout
    (line,) = (line for line in text.splitlines() if line.split()[0] == "low")
    assert line.split()[1] == "4"
    assert line.endswith("workspace.toml:19")


def test_check_tells_tables_of_no_pipeline(invoke: Invoke, make_lab: Lab) -> None:
    """A table of a plain script, or of a name that is nothing, is a warning; where a file is broken it may be one."""
    lab = make_lab(1, toml=TOML + "[pipelines.two]\nlow = 3\n[pipelines.night]\nlow = 5\n", one=TYPED)
    plain, stray = json.loads(invoke(lab, "check", "--json").stdout)["warnings"]
    assert "the step 'two' is no pipeline; its parameters count" in plain["message"]
    assert "workspace.toml:18: pipelines.night: there is no such pipeline" in stray["message"]
    (lab / "conf").mkdir()
    (lab / "conf" / "night.yaml").write_text("night: [")
    assert json.loads(invoke(lab, "check", "--json").stdout)["warnings"] == [plain]
    (lab / "conf" / "night.yaml").write_text("night:\n  type: pipeline.Pipeline\n  jobs: {}\n")
    assert json.loads(invoke(lab, "check", "--json").stdout)["warnings"] == [plain]
    (lab / "conf" / "night.yaml").unlink()
    assert json.loads(invoke(lab, "check", "--json").stdout)["warnings"] == [plain, stray]


def test_show_tells_how_each_input_is_told(invoke: Invoke, make_lab: Lab) -> None:
    """Where something is said of single inputs each has a row, with the place that says how it is told."""
    member = (
        "    CHECK = {'a': 'digest', 'c': 'digest'}\n    PATH_IN = {one: one + '/{id}' for one in 'abcd'}\n"
    )
    one = ONE.replace("    def run", member + "    def run")
    toml = TOML.replace("[run]\n", "[run]\ncheck = {c = 'stat'}\n") + "[steps.one.check]\nb = 'digest'\n"
    lab = make_lab(1, toml=toml, one=one)
    found, other = json.loads(invoke(lab, "config", "show", "REC-1", "--json").stdout)["steps"]
    assert values(found["settings"]) == {
        "check.a": ("digest", "class attribute CHECK"),
        "check.b": ("digest", 18),
        "check.c": ("digest", "class attribute CHECK"),
        "check.d": ("stat", "default"),
        "retries": (1, 7),
    }
    assert "check" not in values(other["settings"]), "its only input is not named"
    assert 'check.a  "digest"' in " ".join(invoke(lab, "config", "show", "REC-1", "one").stdout.split(" "))
    lab = make_lab(1, name="other", toml=toml.replace("{c = 'stat'}", "'digest'"), one=one)
    found, other = json.loads(invoke(lab, "config", "show", "REC-1", "--json").stdout)["steps"]
    assert values(found["settings"])["check.d"] == ("digest", 6)
    assert values(other["settings"])["check"] == ("digest", 6)
    lab = make_lab(1, name="third", toml=toml, one=one.replace("CHECK", "check"))
    found, _ = json.loads(invoke(lab, "config", "show", "REC-1", "--json").stdout)["steps"]
    assert values(found["settings"])["check.c"] == ("stat", 6)


def test_show_names_arguments_and_files(invoke: Invoke, make_lab: Lab) -> None:
    """A path of the command line is an argument; of several files the last one that has a key is named."""
    lab = make_lab(1, toml=TOML)
    (lab / "other").mkdir()
    (lab / "more.toml").write_text("[params]\nlow = 7\n")
    words = ["-w", str(lab), "-w", str(lab / "more.toml"), "--data-path", str(lab / "other")]
    text = invoke(lab, "config", "show", *words).stdout
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert rows["path.dataset"][1:] == [json.dumps(str(lab / "other")), "argument"]
    assert "more.toml:2" in text


def test_show_of_a_workspace_without_parameters(invoke: Invoke, make_lab: Lab) -> None:
    """A step of which nothing is said says so; a broken script does not hide the others."""
    lab = make_lab(1, two="broken (")
    text = invoke(lab, "config", "show", "REC-1").stdout
    assert "Step one\n  no parameters\n" in text
    assert "Step two: its script can't be loaded: " in text


def test_bad_parameters_are_told(invoke: Invoke, make_lab: Lab) -> None:
    """Values that a script refuses end `config show`, `check`, `run` and its dry run with exit code 4."""
    lab = make_lab(1, toml=TOML.replace("low = 1", "low = 'x'"), one=TYPED)
    for words in (["config", "show"], ["check"], ["run"], ["run", "--dry-run"]):
        result = invoke(lab, *words)
        assert result.exit_code == 4, words
        assert "workspace.toml:8: params.low: found 'x' (class Params of step one: " in result.output
    assert not (lab / "dataset" / ".sinagot").exists()


@pytest.mark.parametrize(
    ("setting", "code", "text"),
    [
        ("low=2", 0, ""),
        ("low=x", 4, "params.low: found 'x'"),
        ("low", 2, "write key=value"),
        ("lwo=2", 4, "did you mean 'low'?"),
    ],
)
def test_run_takes_parameters(invoke: Invoke, make_lab: Lab, setting: str, code: int, text: str) -> None:
    """`run --set` gives a parameter for one run."""
    script = TYPED.replace('write_text("1")', "write_text(str(self.params.low))")
    lab = make_lab(1, toml=TOML, one=script)
    result = invoke(lab, "run", "--step", "one", "--set", setting)
    assert result.exit_code == code
    assert text in result.stderr
    if code == 0:
        assert (lab / "dataset" / "one" / "REC-1.txt").read_text() == "2.0"


def test_show_tells_which_variable_said_it(
    invoke: Invoke, make_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value of schedules has its line, or the name of the variable that wins over it; passwords are not shown."""
    lab = make_lab(
        1,
        toml=TOML
        + "[schedule]\ntimezone = 'Europe/Paris'\nmax_runs = 2\n[history]\nurl = 'postgresql://a:s3cret@b/c'\n",
    )
    found = values(json.loads(invoke(lab, "config", "show", "--json").stdout)["configuration"])
    assert found["schedule.timezone"] == ("Europe/Paris", 17) and found["schedule.max_runs"] == (2, 18)
    assert found["history.url"] == ("postgresql://a:***@b/c", 20)
    monkeypatch.setenv("WORKFLOW_CORE_TIMEZONE", "Asia/Tokyo")
    monkeypatch.setenv("WORKFLOW_CORE_REGISTRY", ".,lab.hooks")
    monkeypatch.setenv("WORKFLOW_API_DB_URL", "postgresql://a:s3cret@other/c")
    found = values(json.loads(invoke(lab, "config", "show", "--json").stdout)["configuration"])
    assert found["schedule.timezone"] == ("Asia/Tokyo", "WORKFLOW_CORE_TIMEZONE")
    assert found["schedule.registry"] == ([".", "lab.hooks"], "WORKFLOW_CORE_REGISTRY")
    assert found["schedule.max_runs"] == (2, 18)
    assert found["history.url"] == ("postgresql://a:***@other/c", "WORKFLOW_API_DB_URL")
    shown = invoke(lab, "config", "show").stdout
    assert "WORKFLOW_CORE_TIMEZONE" in shown and "s3cret" not in shown
    monkeypatch.setenv("WORKFLOW_CORE_TIMEZONE", "Asia/Tokio")
    refused = invoke(lab, "config", "show")
    assert refused.exit_code == 4 and "WORKFLOW_CORE_TIMEZONE: unknown time zone" in refused.stderr
