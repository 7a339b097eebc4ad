"""Which steps of a workspace are pipelines, and what is said of tables that are about none."""

from __future__ import annotations

import json

from sinagot.workspace.pipelines.steps import PipelineStep, pipelines_of, table_doubts


def test_steps_that_are_pipelines_are_listed(lab) -> None:
    """Each is given once for every task and modality, from the index of specs; nothing is said against its table."""
    lab.scoped(more="[pipelines.b]\nlow = 1\n[pipelines.c]\nlow = 1\n[pipelines.night]\nlow = 1\n")
    ws = lab.open()
    ws.blueprint.graph()
    assert pipelines_of(ws) == []
    ws.blueprint.library.save_index()
    for file in (lab.data / ".sinagot" / "index").glob("step-*.json"):
        entry = json.loads(file.read_text())
        file.write_text(json.dumps(entry | {"is_pipeline": entry["step"] == "b"}))
    lab.write("scripts/EEG/c.py", "broken (")
    ws = lab.open()
    script = str(lab.scripts / "EEG" / "b.py")
    assert pipelines_of(ws) == [PipelineStep("b", task, "EEG", script) for task in ("RS", "HDC")]
    assert [one.place for one in pipelines_of(ws)] == ["RS-EEG-b", "HDC-EEG-b"]
    (doubt,) = table_doubts(ws)
    assert doubt.endswith("pipelines.night: there is no such pipeline")
    assert table_doubts(ws, ["night"]) == []
    (doubt,) = table_doubts(ws, ["nights"])
    assert doubt.endswith("did you mean 'nights'?")
