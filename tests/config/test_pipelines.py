"""Tables of pipelines: names that there are, parameters that are said once, keys of ours and of the user."""

from __future__ import annotations

import pytest

from sinagot.config.load import load_configuration
from sinagot.config.params import merge_layers, pipeline_layers
from sinagot.config.pipelines import stray_tables
from sinagot.config.snapshot import save_snapshot
from tests.config.conftest import Desk

HEAD = """\
[records]
id_pattern = 'REC-\\d+'
[tasks.RS]
modalities = ["EEG"]
[modalities.EEG]
scripts = ["clean"]
"""


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[pipeline.clean]\nlow = 1", 7, "did you mean '[pipelines]'?"),
        ("[pipelines]\nmain = 'x'", 8, "pipelines.main: found 'x', allowed a table; [pipelines.NAME] holds"),
        (
            "[pipelines.clean]\ntasks = 3",
            8,
            "allowed a table; a parameter of this name is written as pipelines.clean.params.tasks",
        ),
        ("[pipelines.clean.tasks.RSS]\nlow = 1", 7, "unknown task 'RSS', allowed: RS; did you mean 'RS'?"),
        ("[pipelines.clean.modalities.EGE]\nlow = 1", 7, "unknown modality 'EGE', allowed: EEG; did you"),
        (
            "[pipelines.clean.records.X-1]\nlow = 1",
            7,
            "pipelines.clean.records.X-1: no record can have this id",
        ),
        ("[pipelines.clean.records.REC-1.tasks.R]\nlow = 1", 7, "records.REC-1.tasks.R: unknown task 'R'"),
        (
            "[pipelines.clean.tasks.RS.records.REC-1]\nlow = 1",
            7,
            "pipelines.clean.tasks.RS.records: can't stand",
        ),
        ("[records.exceptions.REC-1.pipelines.clean.tasks.R]\nlow = 1", 7, "clean.tasks.R: unknown task 'R'"),
        (
            "[pipelines.clean]\nband = {low = 1}\n[pipelines.clean.params]\nhigh = 1\nband = {low = 1, high = 2}",
            11,
            "pipelines.clean.params.band.low: said twice: pipelines.clean.band.low is the same parameter",
        ),
    ],
)
def test_what_cannot_be_meant_is_an_error(desk: Desk, text: str, line: int, words: str) -> None:
    """Names of nothing, keys of ours as parameters, and parameters said twice are one error with the line each."""
    error = desk.error(HEAD + text)
    assert words in str(error)
    assert error.line == line
    assert len(error.problems) == 1


def test_table_that_resembles_one_of_ours_is_asked_about(desk: Desk) -> None:
    """A table named nearly like one of ours is a warning; below `params`, and where it is no table, it is none."""
    (warning,) = desk.load(HEAD + "[pipelines.clean.task.RS]\nlow = 1").warnings
    assert ":7: pipelines.clean.task: read as a parameter; did you mean 'tasks'?" in warning
    fine = "[pipelines.clean]\nmodality = 'EEG'\nrecord = 3\n[pipelines.clean.params]\ntasks = 1\ntask = {RS = 1}"
    assert desk.load(HEAD + fine).warnings == ()


def test_tables_of_several_files_are_one(desk: Desk) -> None:
    """Tables are merged in depth over files, the later word holds, and the snapshot of a run has all of it."""
    desk.write(
        HEAD
        + "[pipelines.nightly]\nlow = 1\nband = {low = 1, high = 2}\n[pipelines.nightly.tasks.RS]\nhigh = 5\n"
    )
    more = desk.write("[pipelines.nightly]\nlow = 3\nband.low = 4\n", "more.toml")
    configuration = load_configuration([desk.file, more])
    assert configuration.warnings == ()
    found = merge_layers(pipeline_layers(configuration.raw, "nightly", "RS"))
    assert found == {"low": 3, "band": {"low": 4, "high": 2}, "high": 5}
    saved = save_snapshot(configuration.raw, desk.folder)
    assert saved.name == "config.toml"
    assert "high = 5" in saved.read_text().partition("[pipelines.nightly.tasks.RS]")[2]


def test_tables_of_no_pipeline_are_told(desk: Desk) -> None:
    """Names of no pipeline and of plain steps are warnings with their line; those that may be templates are none."""
    text = (
        "[pipelines.clean]\nlow = 1\n[pipelines.nigthly]\nlow = 1\n[pipelines.nightly]\nlow = 1\n"
        "[records.exceptions.REC-1.pipelines.clean]\nlow = 1\n"
    )
    configuration = desk.load(HEAD + text)
    plain, stray, own = stray_tables(configuration, ["nightly"], ["clean"])
    assert f"{desk.file}:7: pipelines.clean: the step 'clean' is no pipeline" in plain
    assert "belong into [steps.clean.params]" in plain
    assert ":9: pipelines.nigthly: there is no such pipeline; did you mean 'nightly'?" in stray
    assert "belong into [records.exceptions.REC-1.steps.clean.params]" in own
    assert stray_tables(configuration, ["nightly"], ["clean"], are_all_known=False) == [plain, own]
    assert stray_tables(configuration, ["nightly", "clean", "nigthly"], []) == []
    desk.write("[broken meanwhile")
    (stray,) = stray_tables(configuration, ["nightly", "clean"], [])
    assert stray == "pipelines.nigthly: there is no such pipeline; did you mean 'nightly'?"
