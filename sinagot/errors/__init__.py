"""One tree of errors: what can go wrong, as facts a caller can act on.

Knows nothing of the rest of the package; every other layer raises from here.
Each child also has the standard parent that a user would catch by habit.

SinagotError
├── ConfigurationError (ValueError)      a workspace file, pattern or argument is wrong
│   └── PatternError                     a path pattern cannot be used
├── ScriptError (ImportError)            a script file is missing or broken
├── MissingExtraError (ImportError)      an optional package is not installed
├── ScopeError (AttributeError)          no such task, modality or combination
│   ├── NotUnitError                     a unit is needed, this scope is larger
│   └── NoModalityError                  a modality is needed, this scope has none
├── WorkflowError (TypeError, ValueError)  a workflow class, or where it is stored, is wrong
├── UnknownWorkflowError (KeyError)      no workflow of that id has all its input data
├── InvalidIdError (ValueError, KeyError)  a text that cannot be a record id
├── NotFoundError (LookupError)          no step of that name
├── UnknownRunError (LookupError)        no run of that id
├── AmbiguousRecordError (ValueError)    two files for one id and one pattern
├── StepFailedError (RuntimeError)       jobs of a run failed (raise_for_failures)
├── WorkspaceBusyError (RuntimeError)    another run works here and --exclusive was asked
├── HistoryUnavailableError (ConnectionError)  the history of schedules can't be used now
├── CursorError (ValueError)             a cursor of a long list that no answer has given
├── StorageError (OSError)               state, log or output folder can't be written
├── StoredDataError (ValueError)         a stored file does not hold what it should
│   └── MissingDataError (FileNotFoundError)  input data of a workflow are not there
├── UnstorableDataError (TypeError, ValueError)  a value can't be stored as asked
├── PipelineError (RuntimeError)         a run of a pipeline failed
│   └── PipelineDefinitionError (ValueError)  stages, inputs or parameters do not fit
├── DependencyError (TypeError, ValueError)  what a function depends on can't be had
├── FlowError (RuntimeError)             a run of a flow, or one of its streams, went wrong
│   ├── FlowDefinitionError (ValueError)  processors, inputs or numbers of a flow do not fit
│   ├── EmptyStreamError (LookupError)   the first value of a stream without values was asked for
│   ├── UnevenStreamsError (ValueError)  streams that were to be of one length are not
│   ├── UnknownStreamError (KeyError)    a run of a flow has no output of that name
│   ├── UpstreamFailed                   a stream ended early: its producer failed
│   │   ├── FlowStalled                  a stream ended early: processors wait for one another
│   │   └── UpstreamCancelled            a stream ended early: its producer was cancelled
│   ├── StreamEndedError                 a value was written behind the end of a stream
│   ├── SinkError                        a value does not fit into the file of a sink
│   └── SpoolLimitError                  a stream grew over its `spool_limit`
├── ExitPipeline (RuntimeError)          raised by a stage that ends its pipeline early
├── TemplateError (ValueError)           a template, condition or hook can't do with this run's values
├── WorkerLostError (RuntimeError)       a worker process died under a job
├── UnsendableError (TypeError)          a value can't be sent to or from another process
├── RemoteError (RuntimeError)           an exception of another process that can't be sent here
├── CallInterruptedError (InterruptedError)  a call in another process was ended on request
└── JobError (RuntimeError)              one attempt of one job went wrong
    ├── MissingOutputError               declared outputs were not written
    ├── InputChangedError                an input changed while the script ran
    ├── ForeignFileError                 an extra file would replace a file of others
    ├── BadOutputError                   an output is no plain file or folder, or empty
    ├── CommandFailedError               a command step ended with a non-zero code
    ├── StepMemoryError (MemoryError)    an attempt used more than its `memory`
    ├── StepTimeoutError (TimeoutError)  an attempt took longer than its `timeout`
    └── SupersededError                  the claim was lost before publishing
"""

from __future__ import annotations

from sinagot.errors.flows import (
    EmptyStreamError,
    FlowDefinitionError,
    FlowError,
    FlowStalled,
    SinkError,
    SpoolLimitError,
    StreamEndedError,
    UnevenStreamsError,
    UnknownStreamError,
    UpstreamCancelled,
    UpstreamFailed,
)
from sinagot.errors.histories import (
    CursorError,
    HistoryUnavailableError,
)
from sinagot.errors.jobs import (
    BadOutputError,
    CallInterruptedError,
    CommandFailedError,
    ForeignFileError,
    InputChangedError,
    JobError,
    MissingOutputError,
    RemoteError,
    StepMemoryError,
    StepTimeoutError,
    SupersededError,
    UnsendableError,
    WorkerLostError,
)
from sinagot.errors.lab import (
    AmbiguousRecordError,
    ConfigurationError,
    DependencyError,
    ExitPipeline,
    InvalidIdError,
    MissingDataError,
    MissingExtraError,
    NoModalityError,
    NotFoundError,
    NotUnitError,
    PatternError,
    PipelineDefinitionError,
    PipelineError,
    ScopeError,
    ScriptError,
    StepFailedError,
    StorageError,
    StoredDataError,
    TemplateError,
    UnknownRunError,
    UnknownWorkflowError,
    UnstorableDataError,
    WorkflowError,
    WorkspaceBusyError,
)
from sinagot.errors.tree import (
    SinagotError,
)

__all__ = [
    "AmbiguousRecordError",
    "BadOutputError",
    "CallInterruptedError",
    "CommandFailedError",
    "ConfigurationError",
    "CursorError",
    "DependencyError",
    "EmptyStreamError",
    "ExitPipeline",
    "FlowDefinitionError",
    "FlowError",
    "FlowStalled",
    "ForeignFileError",
    "HistoryUnavailableError",
    "InputChangedError",
    "InvalidIdError",
    "JobError",
    "MissingDataError",
    "MissingExtraError",
    "MissingOutputError",
    "NoModalityError",
    "NotFoundError",
    "NotUnitError",
    "PatternError",
    "PipelineDefinitionError",
    "PipelineError",
    "RemoteError",
    "ScopeError",
    "ScriptError",
    "SinagotError",
    "SinkError",
    "SpoolLimitError",
    "StepFailedError",
    "StepMemoryError",
    "StepTimeoutError",
    "StorageError",
    "StoredDataError",
    "StreamEndedError",
    "SupersededError",
    "TemplateError",
    "UnevenStreamsError",
    "UnknownRunError",
    "UnknownStreamError",
    "UnknownWorkflowError",
    "UnsendableError",
    "UnstorableDataError",
    "UpstreamCancelled",
    "UpstreamFailed",
    "WorkerLostError",
    "WorkflowError",
    "WorkspaceBusyError",
]

# Tracebacks, log lines and errors that travel name the place where users import them from.
for _name in __all__:
    globals()[_name].__module__ = __name__
