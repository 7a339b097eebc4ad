"""Old import paths of versions 0.2 and 0.3; custom classes derive from the names here.

The classes that had doubles for units are one class now; the old names stay importable.
"""

from sinagot.errors import ConfigurationError
from sinagot.workspace.records import Record, RecordCollection
from sinagot.workspace.scope import Scope
from sinagot.workspace.steps import Step, StepCollection
from sinagot.workspace.workspace import Workspace

Model = Scope
ModelWithStepCollection = Scope
RecordCollectionUnit = RecordCollection
RecordUnit = Record
ScopedStep = Step
StepCollectionUnit = StepCollection
Subset = RecordCollection

__all__ = [
    "ConfigurationError",
    "Model",
    "ModelWithStepCollection",
    "Record",
    "RecordCollection",
    "RecordCollectionUnit",
    "RecordUnit",
    "Scope",
    "ScopedStep",
    "Step",
    "StepCollection",
    "StepCollectionUnit",
    "Subset",
    "Workspace",
]
