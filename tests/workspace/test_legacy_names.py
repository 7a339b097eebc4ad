"""Names of versions 0.2 and 0.3 stay importable and mean what they meant."""

from __future__ import annotations

import json
from importlib import import_module

import pytest

import sinagot
from sinagot.config.names import RESERVED
from sinagot.errors import SinagotError

NAMES = {
    "sinagot": ["ScriptTemplate", "Workspace", "__version__"],
    "sinagot.models": [
        *("Workspace", "Model", "Scope", "Record", "RecordCollection", "Subset", "RecordUnit"),
        *("RecordCollectionUnit", "Step", "ScopedStep", "StepCollection", "StepCollectionUnit"),
        *("ModelWithStepCollection", "ConfigurationError"),
    ],
    "sinagot.config": ["ConfigurationError"],
    "sinagot.models.exceptions": ["NoModalityError", "NotFoundError", "NotUnitError"],
    "sinagot.utils": ["StepStatus"],
    "sinagot.plugins.models.pandas": ["PandasRecord", "PandasRecordCollection"],
    "sinagot.plugins.models.processed": ["ProcessedRecord", "ProcessedRecordCollection"],
    "sinagot.plugins.dask": ["DaskRunManager"],
}


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in NAMES.items() for name in names]
)
def test_old_import_paths(module: str, name: str) -> None:
    """Every established name can be imported from its established place."""
    assert getattr(import_module(module), name) is not None


def test_old_names_are_the_classes_in_use(lab) -> None:
    """Objects that users get are instances of the classes under their old names."""
    from sinagot import models

    ws = lab.scoped().open()
    assert isinstance(ws, models.Workspace) and models.Workspace is sinagot.Workspace
    assert isinstance(ws.RS, models.Subset) and models.Subset is models.RecordCollection
    assert isinstance(ws.RS.EEG, models.RecordCollectionUnit)
    assert isinstance(ws.records.first().RS.EEG, models.RecordUnit)
    assert isinstance(ws.RS, models.Model) and isinstance(ws.records.first(), models.Scope)
    assert isinstance(ws.RS, models.ModelWithStepCollection)
    assert isinstance(ws.RS.EEG.steps, models.StepCollectionUnit)
    assert isinstance(ws.RS.EEG.steps.first(), models.ScopedStep)
    assert sorted(models.__all__) == list(models.__all__)


def test_status_codes_are_plain_integers() -> None:
    """`StepStatus` has the established names and numbers, usable as integers everywhere."""
    from sinagot.utils import StepStatus

    expected = {
        "INIT": 0,
        "DATA_READY": 10,
        "PROCESSING": 20,
        "DONE": 30,
        "ERROR": 40,
        "DATA_NOT_AVAILABLE": 41,
    }
    for name, number in expected.items():
        assert getattr(StepStatus, name) == number
        assert isinstance(getattr(StepStatus, name), int)
        assert json.dumps(getattr(StepStatus, name)) == str(number)


def test_old_errors_are_caught_by_their_standard_parents() -> None:
    """The old errors are ours and have a standard parent."""
    from sinagot.config import ConfigurationError
    from sinagot.models.exceptions import NoModalityError, NotFoundError, NotUnitError

    for error, parent in (
        (ConfigurationError, ValueError),
        (NotFoundError, LookupError),
        (NotUnitError, AttributeError),
        (NoModalityError, AttributeError),
    ):
        assert issubclass(error, SinagotError) and issubclass(error, parent)
    assert ConfigurationError is sinagot.ConfigurationError


def test_reserved_names_are_those_of_the_surface() -> None:
    """What is refused as the name of a task is exactly what workspaces, scopes and records have from 0.2 and 0.3."""
    from sinagot.models import Record, RecordCollection, Workspace

    members = {name for cls in (Workspace, Record, RecordCollection) for name in dir(cls)} | {"id", "run"}
    assert members >= RESERVED


def test_newer_members_are_warned_of(lab) -> None:
    """Every public member of workspaces and scopes is reserved or known as newer, so that no task is hidden without a word."""
    from sinagot.config.names import NEWER
    from sinagot.plugins.models import pandas, processed

    ws = lab.unit().open()
    owners = [ws, ws.records, ws.records.first(), pandas.PandasRecord, pandas.PandasRecordCollection]
    owners += [processed.ProcessedRecord, processed.ProcessedRecordCollection]
    members = {name for owner in owners for name in dir(owner) if not name.startswith("_")}
    assert members - RESERVED - NEWER == set()
