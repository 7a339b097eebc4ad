"""DAG files in the real Airflow: it loads them, and runs them with the values of the pipeline.

`make airflow` installs Airflow into folders of its own and runs this; without such a folder it is skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from sinagot.pipeline.sources import load_source
from sinagot.pipeline.views.airflow import task_ids, to_airflow

ROOT = Path(__file__).parents[2]
#: Environments that `make airflow` makes; the variable names others.
FOUND = [Path(one) for one in os.environ.get("SINAGOT_AIRFLOW_VENVS", "").split(os.pathsep) if one] or sorted(
    ROOT.glob(".venv-airflow*")
)

FLOW = """
from datetime import date
from sinagot.pipeline.description import Description, EdgeView, NodeView, ParamView

class Flow:
    def description(self):
        return Description(
            "ok <enough>",
            doc="see readme.md",
            parameters=(
                ParamView("n", "int", 3, doc="how many"), ParamView("day", "date", date(2024, 1, 31)), ParamView("x", "float", None),
                ParamView("mode", "choice", "a", choices=("a", "b")), ParamView("tok", "str", "s3cr3t", is_secret=True),
                ParamView("odd name!", "map", {"a": [1]}), ParamView("late", "datetime", "2024-01-31T00:00:00"),
            ),
            nodes=(
                NodeView("sum"), NodeView("make it"), NodeView("skip", doc="x.md"), NodeView("end", rule="all_done"),
                NodeView("{{ dag.dag_id }}", doc="{% raw %}"), NodeView("\\x00 é"),
            ),
            edges=(
                EdgeView("make it", "sum", "data"), EdgeView("sum", "skip", "v"), EdgeView("skip", "end"), EdgeView("sum", "end", "v"),
                EdgeView("make it", "{{ dag.dag_id }}"), EdgeView("end", "\\x00 é", "v"),
            ),
        )

    def run_apart(self, name, parameters, outputs):
        if name == "make it":
            return {"return": [parameters["n"]] * 3}
        if name == "sum":
            assert parameters == {"n": 5, "day": date(2025, 2, 3)}, parameters
            return {"return": sum(outputs["make it"]["return"])}
        if name == "skip":
            return None
        if name == "\\x00 é":
            print("the end:", outputs["end"]["return"])
        return {"return": outputs["sum"]["return"]} if name == "end" else {"return": name}

pipeline = Flow()
"""

LOOK = """
import inspect, json, sys
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag
options = {"include_examples": False} if "include_examples" in inspect.signature(DagBag.__init__).parameters else {}
bag = DagBag(sys.argv[1], **options)
(dag,) = bag.dags.values()
tasks = {task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks}
print("FOUND", json.dumps([dict(bag.import_errors), dag.dag_id, tasks, list(dag.params)]))
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(
    not FOUND and os.environ.get("SINAGOT_REQUIRE_AIRFLOW") != "1", reason="needs Airflow: make airflow"
)
@pytest.mark.parametrize("venv", FOUND or [ROOT / ".venv-airflow"], ids=lambda path: path.name)
def test_airflow_loads_and_runs_a_pipeline(venv: Path, tmp_path: Path) -> None:
    """Airflow finds a task per stage and the same edges, runs them in order, and hands values and parameters on."""
    flow = tmp_path / "flow.py"
    flow.write_text(FLOW, encoding="utf-8")
    source = ("file", f"{flow}:pipeline")
    description = load_source(source).description()
    dags = tmp_path / "dags"
    dags.mkdir()
    to_airflow(description, dags, source=source)
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON", "COV"))
    }
    env = kept | {
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "SINAGOT_AIRFLOW_DIR": str(tmp_path / "values"),
    }

    def call(*command: str) -> str:
        words = [str(venv / "bin" / command[0]), *command[1:]]
        done = subprocess.run(words, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout[-5000:]}\n{done.stderr[-5000:]}"
        return done.stdout + done.stderr

    call("airflow", "db", "migrate")
    (line,) = [
        line for line in call("python", "-c", LOOK, str(dags)).splitlines() if line.startswith("FOUND ")
    ]
    errors, dag_id, tasks, params = json.loads(line.removeprefix("FOUND "))
    assert errors == {} and dag_id == "ok_enough"
    ids = task_ids([node.name for node in description.in_order()])
    assert tasks == {
        ids[node.name]: sorted({ids[edge.source] for edge in description.edges if edge.target == node.name})
        for node in description.nodes
    }
    assert params == ["n", "day", "x", "mode", "odd name!", "late"]
    call("airflow", "dags", "reserialize")
    log = call("airflow", "dags", "test", dag_id, "-c", json.dumps({"n": 5, "day": "2025-02-03"}))
    assert "the end: 15" in log and "SKIPPED" in log.upper()
    assert "s3cr3t" not in log
    (folder,) = (tmp_path / "values").iterdir()
    assert len(list(folder.glob("*.pickle"))) == len(description.nodes) - 1
