"""DAG files: a task per stage and the same edges, for any names; and what their tasks do when they run."""

from __future__ import annotations

import os
import pickle
import re
import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import HealthCheck, given, settings

from sinagot.errors import (
    ConfigurationError,
    MissingDataError,
    ScriptError,
    StorageError,
    StoredDataError,
    UnstorableDataError,
)
from sinagot.pipeline.airflow import DAYS, airflow_folder, run_airflow_stage
from sinagot.pipeline.description import Description, NodeView, ParamView
from sinagot.pipeline.sources import load_source, source_of
from sinagot.pipeline.views.airflow import MARKER, dag_text, task_ids, to_airflow
from tests.pipeline.graphs import descriptions

quick = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
SOURCE = ("module", "lab.flows:pipeline")


class Skipped(Exception):  # noqa: N818
    """What the stand-in of Airflow raises for a task that had nothing to do."""


class Dag:
    """The part of Airflow's DAG that a file uses."""

    def __init__(self, dag_id: str, **facts: Any) -> None:
        assert re.fullmatch(r"[\w.-]{1,250}", dag_id, re.ASCII)
        assert set(facts) == {"schedule", "start_date", "catchup", "params", "doc_md", "tags"}
        assert facts["start_date"].tzinfo is not None and not facts["doc_md"].endswith(".md")
        self.dag_id, self.facts = dag_id, facts
        self.tasks: dict[str, Task] = {}

    def __enter__(self) -> Self:
        Task.dag = self
        return self

    def __exit__(self, *_: object) -> None:
        return None


class Task:
    """The part of Airflow's operator that a file uses."""

    dag: Dag

    def __init__(
        self, task_id: str, python_callable: Any, op_args: list[int], trigger_rule: str, doc_md: str
    ) -> None:
        assert re.fullmatch(r"[\w.-]{1,250}", task_id, re.ASCII)
        assert task_id.lower() not in {one.lower() for one in self.dag.tasks}
        assert trigger_rule == "all_success" or not trigger_rule.startswith("odd")
        self.dag.tasks[task_id] = self
        self.task_id, self.call, self.args, self.doc = task_id, python_callable, op_args, doc_md
        self.before: list[str] = []

    def __rshift__(self, other: Task) -> Task:
        other.before.append(self.task_id)
        return other

    def run(self, run_id: str, params: Mapping[str, Any]) -> Any:
        return self.call(*self.args, dag=self.dag, run_id=run_id, params=params, ti=None)


class Param:
    """The part of Airflow's parameter that a file uses."""

    def __init__(self, *default: Any, **schema: Any) -> None:
        assert len(default) <= 1 and set(schema) <= {"type", "enum", "format", "description"}
        self.default, self.schema = default, schema


@contextmanager
def airflow(version: int) -> Iterator[None]:
    """Let modules of Airflow be found: those of version 2, or those of version 3."""
    modules = {
        name: types.ModuleType(name)
        for name in ("airflow", "airflow.models", "airflow.operators", "airflow.providers")
    }
    modules |= {
        name: types.ModuleType(name)
        for name in ("airflow.providers.standard", "airflow.providers.standard.operators")
    }

    def add(name: str, **names: Any) -> None:
        modules[name] = types.ModuleType(name)
        vars(modules[name]).update(names)

    if version == 2:
        vars(modules["airflow"])["DAG"] = Dag
        add("airflow.models.param", Param=Param)
        add("airflow.operators.python", PythonOperator=Task)
        add("airflow.exceptions", AirflowSkipException=Skipped)
    else:
        add("airflow.sdk", DAG=Dag, Param=Param)
        add("airflow.sdk.exceptions", AirflowSkipException=Skipped)
        add("airflow.providers.standard.operators.python", PythonOperator=Task)
    for module in modules.values():
        module.__path__ = []
    before = dict(sys.modules)
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]
        sys.modules.update({name: before[name] for name in modules if name in before})


def executed(text: str, version: int = 3) -> Dag:
    """Load a DAG file as Airflow does, and give its DAG."""
    code = compile(text, "dag.py", "exec")
    names: dict[str, Any] = {"__name__": "unusual_prefix_dag"}
    with airflow(version):
        exec(code, names)
    found: Dag = names["dag"]
    return found


@pytest.mark.parametrize("version", [2, 3])
@quick
@given(description=descriptions())
def test_dag_has_each_stage_and_each_edge(version: int, description: Description) -> None:
    """The file is ASCII, compiles, and gives a task per stage with the edges of the pipeline, whatever the names are."""
    text = dag_text(description, source=SOURCE, dag_id="x")
    assert text.isascii() and text.splitlines()[0] == MARKER
    dag = executed(text, version)
    names = [node.name for node in description.nodes]
    ids = task_ids([node.name for node in description.in_order()])
    assert set(dag.tasks) == set(ids.values()) and len(dag.tasks) == len(names)
    edges = {(one, task.task_id) for task in dag.tasks.values() for one in task.before}
    assert edges == {(ids[edge.source], ids[edge.target]) for edge in description.edges}
    assert sum(len(task.before) for task in dag.tasks.values()) == len(edges)
    assert not any(task.doc.endswith(".md") for task in dag.tasks.values())
    shown = {one.name: one for one in description.parameters}
    assert set(dag.facts["params"]) <= set(shown)
    for name, param in dag.facts["params"].items():
        assert (not param.default) == shown[name].is_required
        kinds = {
            "string": str,
            "integer": int,
            "number": (int, float),
            "boolean": bool,
            "object": dict,
            "array": list,
        }
        if param.default and isinstance(param.schema.get("type"), str):
            assert isinstance(param.default[0], kinds[param.schema["type"]])
        if param.default and "enum" in param.schema:
            assert param.default[0] in param.schema["enum"]


def test_parameters_keep_type_default_and_meaning() -> None:
    """Types become those of JSON; what cannot be asked for, and secrets, stay with the pipeline and are told."""
    known = (
        ParamView("n", "int", 3, doc="how many"),
        ParamView("low", "float", 8),
        ParamView("day", "date", date(2024, 1, 31)),
        ParamView("at", "datetime", datetime(2024, 1, 31, tzinfo=UTC)),
        ParamView("who", "str", is_required=True),
        ParamView("limit", "float", None),
        ParamView("mode", "choice", "fast", choices=("fast", "exact")),
        ParamView("odd", "int", "three"),
        ParamView("exact", "decimal", Decimal("0.1")),
        ParamView("table", "any", object()),
        ParamView("nan", "float", float("nan")),
        ParamView("token", "str", "s3cr3t", is_secret=True),
    )
    text = dag_text(Description("p", parameters=known), source=SOURCE, dag_id="p")
    assert "s3cr3t" not in text
    dag = executed(text)
    assert {name: (param.default, param.schema) for name, param in dag.facts["params"].items()} == {
        "n": ((3,), {"type": "integer", "description": "how many"}),
        "low": ((8,), {"type": "number"}),
        "day": (("2024-01-31",), {"type": "string", "format": "date"}),
        "at": (("2024-01-31 00:00:00+00:00",), {"type": "string"}),
        "who": ((), {"type": "string"}),
        "limit": ((None,), {"type": ["null", "number"]}),
        "mode": (("fast",), {"enum": ["fast", "exact"]}),
        "odd": (("three",), {}),
        "exact": (("0.1",), {"type": "string"}),
    }
    assert all(f"`{name}` = " in dag.facts["doc_md"] for name in ("table", "nan", "token"))


def test_schedule_and_start_are_written() -> None:
    """A schedule and a start stand in the file; a schedule asks for defaults of all parameters, and names those without."""
    study = Description("p", parameters=(ParamView("who", is_required=True),))
    with pytest.raises(ConfigurationError, match="without one: 'who'"):
        dag_text(study, source=SOURCE, dag_id="p", schedule="@daily")
    dag = executed(
        dag_text(
            Description("p"),
            source=SOURCE,
            dag_id="p",
            schedule="@daily",
            start=datetime.fromisoformat("2025-05-05T12:00"),
        )
    )
    assert dag.facts["schedule"] == "@daily" and dag.facts["start_date"] == datetime(
        2025, 5, 5, 12, tzinfo=UTC
    )


def test_no_file_of_others_is_replaced(tmp_path: Path) -> None:
    """A file made here is made anew; one of somebody else stays, unless it is said; nothing half is ever left."""
    study = Description("p", nodes=(NodeView("a"),))
    path = to_airflow(study, tmp_path, source=SOURCE)
    assert path == tmp_path.resolve() / "p.py"
    former = path.read_text()
    to_airflow(study._replace(nodes=(NodeView("b"),)), path, source=SOURCE)
    assert path.read_text() != former and path.read_text().startswith(MARKER)
    foreign = tmp_path / "mine.py"
    foreign.write_text(f"x = 1\n{MARKER}\n")
    with pytest.raises(ConfigurationError, match="not made by sinagot"):
        to_airflow(study, foreign, source=SOURCE)
    assert foreign.read_text().startswith("x = 1")
    to_airflow(study, foreign, source=SOURCE, overwrite=True)
    assert foreign.read_text() == former
    for bad, said in (
        ({"dag_id": "a b"}, "write 'a_b'"),
        ({"source": ("module", "__main__:p")}, "this program alone"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            to_airflow(study, path, **({"source": SOURCE} | bad))  # type: ignore[arg-type]
    with pytest.raises(StorageError):
        to_airflow(study, foreign / "x.py", source=SOURCE)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["mine.py", "p.py"]


FLOW = """
from sinagot.pipeline.description import Description, EdgeView, NodeView, ParamView
from datetime import date

class Kind:
    def __init__(self, value):
        self.value = value

class Flow:
    def description(self):
        return Description(
            "flow",
            parameters=(ParamView("n", "int", 2), ParamView("day", "date", date(2024, 1, 1)), ParamView("mode", "choice", 1.5, choices=(1.5, "b"))),
            nodes=(NodeView("sum <1>"), NodeView("make"), NodeView("skip"), NodeView("end", rule="all_done"), NodeView("bad")),
            edges=(EdgeView("make", "sum <1>", "data"), EdgeView("sum <1>", "skip", "v"), EdgeView("skip", "end"), EdgeView("make", "bad")),
        )

    def run_apart(self, name, parameters, outputs):
        self.seen = name, dict(parameters), sorted(outputs)
        match name:
            case "make":
                return {"return": Kind([parameters.get("n", 2)] * 3), "day": parameters.get("day")}
            case "sum <1>":
                return {"return": sum(outputs["make"]["return"].value)}
            case "skip":
                return None
            case "bad":
                return {"return": (one for one in ())}
        return {"return": outputs["sum <1>"]["return"]}

pipeline = Flow()
"""


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Give a source: a file with a pipeline; values lie in a folder of the test."""
    file = tmp_path / "flow.py"
    file.write_text(FLOW)
    monkeypatch.setenv("SINAGOT_AIRFLOW_DIR", str(tmp_path / "values"))
    return "file", f"{file}:pipeline"


def test_tasks_hand_values_on(flow: tuple[str, str], tmp_path: Path) -> None:
    """Run by the file, stages get what those before them gave, and parameters as their types say; a skipped one is skipped."""
    dag = executed(dag_text(load_source(flow).description(), source=flow, dag_id="flow"))
    asked = {"n": 4, "day": "2025-02-03", "mode": 1.5}
    with airflow(3):
        dag.tasks["make"].run("run 1", asked)
        assert load_source(flow).seen == ("make", {"n": 4, "day": date(2025, 2, 3)}, [])
        dag.tasks["sum_1"].run("run 1", asked)
        with pytest.raises(Skipped):
            dag.tasks["skip"].run("run 1", asked)
        dag.tasks["end"].run("run 1", asked)
    assert load_source(flow).seen[2] == ["make", "sum <1>"]
    folder = airflow_folder("flow", "run 1")
    assert folder.parent == tmp_path / "values" and folder.stat().st_mode & 0o077 == 0
    assert sorted(
        type(pickle.loads(file.read_bytes())["return"]).__name__ for file in folder.glob("*.pickle")
    ) == ["Kind", "int", "int"]
    # Another run of the DAG has values of its own.
    with airflow(2), pytest.raises(MissingDataError, match="stage 'make' left no value"):
        dag.tasks["sum_1"].run("run 2", asked)


def test_wrong_tasks_say_what_to_do(flow: tuple[str, str], tmp_path: Path) -> None:
    """A stage that is gone, a bad value, a value that cannot be kept or read: errors that name them, and no old value stays."""
    folder = tmp_path / "values" / "run"
    with pytest.raises(ConfigurationError, match="no stage 'old' any more; write the DAG file anew"):
        run_airflow_stage(flow, "old", folder, {})
    with pytest.raises(ConfigurationError, match="'day' must be a date, found 'soon'"):
        run_airflow_stage(flow, "make", folder, {"day": "soon"})
    assert not folder.exists()
    assert run_airflow_stage(flow, "make", folder, {"unknown": 1})
    with pytest.raises(UnstorableDataError, match="stage 'bad' gives cannot be handed on"):
        run_airflow_stage(flow, "bad", folder, {})
    (kept,) = folder.glob("*.pickle")
    kept.write_bytes(b"torn")
    with pytest.raises(StoredDataError, match=r"stage 'make' left in .* cannot be read"):
        run_airflow_stage(flow, "sum <1>", folder, {})
    with pytest.raises(ConfigurationError):
        run_airflow_stage(flow, "make", folder, {"day": "soon"})
    assert kept.exists()  # it was not this try that made it bad
    run_airflow_stage(flow, "make", folder, {})
    assert run_airflow_stage(flow, "sum <1>", folder, {})


def test_old_values_are_removed(
    flow: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first stage of a run removes values of runs that are long over; folders of others are left alone."""
    base = tmp_path / "values"
    old, new, foreign = (base / name for name in ("old", "new", "foreign"))
    for folder in (old, new):
        run_airflow_stage(flow, "make", folder, {})
    foreign.mkdir()
    (foreign / "file").write_text("mine")
    past = datetime.now(UTC).timestamp() - 86400 * (DAYS + 1)
    for path in (*old.iterdir(), *foreign.iterdir(), old, foreign):
        os.utime(path, (past, past))
    run_airflow_stage(flow, "make", base / "next", {})
    assert sorted(entry.name for entry in base.iterdir()) == ["foreign", "new", "next"]
    monkeypatch.setenv("SINAGOT_AIRFLOW_DAYS", "many")
    with pytest.raises(ConfigurationError, match="must be a number of days, found 'many'"):
        run_airflow_stage(flow, "make", new, {})


def test_sources_lead_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline of a module or a loaded file names its source, which gives it back; one that is known here alone is told."""
    (tmp_path / "labflows.py").write_text(FLOW)
    monkeypatch.syspath_prepend(str(tmp_path))
    loaded = load_source(("module", "labflows:pipeline"))
    assert source_of(loaded) == ("module", "labflows:pipeline")
    file = tmp_path / "steps" / "flow.py"
    file.parent.mkdir()
    file.write_text(FLOW)
    found = load_source(("file", f"{file}:pipeline"))
    assert source_of(found) == ("file", f"{file}:pipeline") and load_source(source_of(found)) is found
    for bad, said in (
        (("module", "labflows:pipelin"), "did you mean 'pipeline'"),
        (("module", "nolabflows:pipeline"), "there is no module 'nolabflows'"),
        (("module", "labflows"), "names no pipeline"),
        (("file", f"{tmp_path / 'none.py'}:pipeline"), "there is no file"),
        (("drawer", "x"), "does not say how"),
        ((), "does not say how"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            load_source(bad)
    file.write_text("import nothing_like_this\n")
    with pytest.raises(ScriptError, match=r"flow\.py"):
        load_source(("file", f"{file}:pipeline"))
    with pytest.raises(ConfigurationError, match="known here alone"):
        source_of(object())
    monkeypatch.setattr(sys.modules["__main__"], "pipeline_here", made := object(), raising=False)
    with pytest.raises(ConfigurationError, match="known here alone"):
        source_of(made)
