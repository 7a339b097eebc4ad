"""The tables and keys of a workspace's TOML files, with types; the text below a field is its reference.

Knows what may be written; must not know files, lines or folders, nor whether two tables fit each other.
Loaded only when a configuration is new: `sinagot.config.checks` validates with it; the docs are made from it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sinagot.config import settings
from sinagot.config.fields import STRICT, Bytes, Check, Count, Params, Pattern, Seconds, Text, Texts, Words
from sinagot.config.services import History, Notify, Pipeline, PipelineOfRecord, Schedule, Watch

__all__ = [
    "LEVELS",
    "Dask",
    "DaskAdapt",
    "DaskCluster",
    "DaskScheduler",
    "Info",
    "Log",
    "Modality",
    "ModalityParams",
    "ModalityStep",
    "Models",
    "Path",
    "Processed",
    "RecordException",
    "Records",
    "Run",
    "Step",
    "StepKeys",
    "StepParams",
    "Steps",
    "Task",
    "TaskParams",
    "Workflow",
    "Workspace",
]

#: Names of logging's levels that may be written, in any case.
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "NOTSET", "WARN", "FATAL")
#: The numbers of those levels.
LEVEL_NUMBERS = (0, 10, 20, 30, 40, 50)


class _Table(BaseModel):
    model_config = STRICT


class _OpenTable(_Table):
    model_config = ConfigDict(extra="allow")


class StepParams(_Table):
    """`[records.exceptions.ID.steps.NAME]`: one step of a single record; also below a modality."""

    params: Params = {}
    """Parameters of the step for this record."""


class TaskParams(_Table):
    """`[records.exceptions.ID.tasks.T]`: one task of a single record."""

    params: Params = {}
    """Parameters of the steps of the task for this record."""


class ModalityParams(_Table):
    """`[records.exceptions.ID.modalities.M]`: one modality of a single record."""

    params: Params = {}
    """Parameters of the steps of the modality for this record."""
    steps: dict[str, StepParams] = {}
    """Single steps of the modality."""


class RecordException(_Table):
    """`[records.exceptions.ID]`: what is different for a single record; wins over what holds for all."""

    params: Params = {}
    """Parameters of all steps for this record."""
    tasks: dict[str, TaskParams] = {}
    """Single tasks."""
    modalities: dict[str, ModalityParams] = {}
    """Single modalities."""
    steps: dict[str, StepParams] = {}
    """Single steps."""
    pipelines: dict[str, PipelineOfRecord] = {}
    """Single pipelines."""


class Records(_Table):
    """`[records]`: what a record is, and where its raw data lie."""

    id_pattern: str | None = None
    """Regular expression that a whole record id matches. May be absent when `path` and `id` are given."""
    path: Pattern | None = None
    """Path pattern of the raw data below the dataset; without it ids come from the first step's `PATH_IN`."""
    id: str | None = None
    """Template of an id made of entities, such as `"sub-{subject}_ses-{session}"`."""
    entities: dict[str, str] = {}
    """Regular expressions of single entities, by name."""
    exceptions: dict[str, RecordException] = {}
    """What is different for single records, by id."""


class StepKeys(_Table):
    """What may be said of every step (`[run]`), of a step (`[steps.NAME]`) and of a step of one modality."""

    rerun: Literal["missing", "outdated", "always"] | None = None
    """When it runs again: outputs are missing or failed, also when something that they came from changed, or always."""
    check: Check | None = None
    """How a changed input is told: by size and time of change, or by its content, which is read at every look.
    A table says it of single inputs, by their name in `PATH_IN`, or by the path with `/` where that has no names."""
    timeout: Seconds | None = None
    """How long one attempt may take; then it is ended with everything that it started."""
    memory: Bytes | None = None
    """How much memory one attempt may use, with everything that it started."""
    retries: Count | None = None
    """How often a failed attempt is repeated within one run."""
    retry_wait: Seconds | None = None
    """Pause before the first repetition, 5 s when not said; it doubles with each further one, up to an hour."""
    retry_on: Texts | None = None
    """What is worth it: `error`, `timeout`, `memory`, `lost`, names of exceptions; all but `memory` when not said."""
    threads: Annotated[int, Field(ge=1, json_schema_extra={"allowed": "an integer from 1"})] | None = None
    """Threads that numeric libraries may use (OpenMP, MKL, OpenBLAS, Numba)."""
    isolate: bool | None = None
    """Run each attempt in a process of its own, also where jobs would run in the main process."""
    nonempty: bool | None = None
    """A declared output that is an empty file, or a folder without any file, is a failure, and nothing is published."""
    keep_failed: bool | None = None
    """Keep what a failed attempt had written below `failed` in the state folder, until the job is done."""
    provenance: bool | None = None
    """Write `<output>.prov.json` beside each output: by which run, code and parameters it was made, from what."""


class Step(StepKeys):
    """`[steps.NAME]`: one step, and its command when it is a command instead of a Python script."""

    command: Words | None = None
    """Program and arguments; `{input}`, `{output}`, `{id}`, `{task}`, `{modality}` are filled in."""
    input: str | Texts | dict[str, Pattern] | None = None
    """Path pattern of what it reads, below the dataset: text, a list of parts, or a table of several."""
    output: str | Texts | dict[str, Pattern] | None = None
    """Path pattern of what it writes, in the same forms."""
    shell: bool = False
    """Run the command by the shell."""
    params: Params = {}
    """Parameters of the step: `self.params` in its script."""


class ModalityStep(StepKeys):
    """`[modalities.M.steps.NAME]`: one step of one modality; it wins over `[steps.NAME]`."""

    params: Params = {}
    """Parameters of the step in this modality."""


class Steps(_OpenTable):
    """`[steps]`: the steps of a workspace without tasks and modalities."""

    __pydantic_extra__: dict[str, Step]

    scripts: Texts = []
    """Script names without `.py`, in running order."""
    group_scripts: Texts = []
    """Scripts that run once, for all records, after the steps that write their inputs."""


class Path(_Table):
    """`[path]`: folders. `~` is expanded; relative paths start at the folder of the (first) configuration."""

    dataset: Text = settings.DEFAULTS["path"]["dataset"]
    """Data folder; it must exist."""
    scripts: Text = settings.DEFAULTS["path"]["scripts"]
    """Scripts folder. Where the default is absent, the configuration's folder serves."""
    output: Text | None = None
    """Root of what steps write; the data folder by default."""
    log: Text | None = None
    """Folder of the records' logs; `LOG` in the data folder by default."""
    state: Text | None = None
    """Folder of claims, failures and run history; `.sinagot` in the data folder by default."""


class Run(StepKeys):
    """`[run]`: how steps are executed. Nothing here changes a result. Keys of steps are defaults for all of them."""

    mode: Literal["main_process", "processes", "dask"] = settings.DEFAULTS["run"]["mode"]
    """In order in this process, on a pool of local processes, or by Dask."""
    workers: Annotated[int, Field(ge=1, json_schema_extra={"allowed": "an integer from 1"})] | None = None
    """Number of worker processes; one per core by default."""
    stop_grace: Annotated[
        float, Field(ge=0, allow_inf_nan=False, json_schema_extra={"allowed": "a number from 0"})
    ] = settings.DEFAULT_STOP_GRACE
    """Seconds that running scripts get to end after Ctrl-C or SIGTERM."""
    durability: Literal["lazy", "full"] = settings.DEFAULT_DURABILITY
    """What a power cut may cost: outputs are synced to the disk every few seconds, or each before its step is done."""
    latency_wait: (
        Annotated[float, Field(ge=0, allow_inf_nan=False, json_schema_extra={"allowed": "a number from 0"})]
        | None
    ) = None
    """Seconds to wait for an input that should be there; by default 5 on drives of several machines, else 0."""


class Log(_Table):
    """`[log]`: the workspace's logger, and the size of the records' log files."""

    name: str = settings.DEFAULTS["log"]["name"]
    """Name of the logger."""
    format: Annotated[
        str, Field(json_schema_extra={"allowed": "a %-format such as '%(asctime)s : %(message)s'"})
    ] = settings.DEFAULTS["log"]["format"]
    """Format of messages that do not come from scripts, as in Python's `logging`."""
    level: Annotated[
        str | int,
        Field(
            json_schema_extra={"allowed": "DEBUG, INFO, WARNING, ERROR, CRITICAL, NOTSET or their numbers"}
        ),
    ] = settings.DEFAULTS["log"]["level"]
    """Least level that is printed, and kept of what scripts say."""
    max_bytes: Annotated[int, Field(ge=0, json_schema_extra={"allowed": "an integer from 0"})] = (
        settings.DEFAULT_MAX_BYTES
    )
    """Bytes after which a record's log file is turned; 0 is never."""
    backups: Annotated[int, Field(ge=0, json_schema_extra={"allowed": "an integer from 0"})] = (
        settings.DEFAULT_BACKUPS
    )
    """How many turned log files are kept for a record."""

    @field_validator("level")
    @classmethod
    def _check_level(cls, level: str | int) -> str | int:
        known = level.upper() in LEVELS if isinstance(level, str) else level in LEVEL_NUMBERS
        if not known:
            raise ValueError
        return level

    @field_validator("format")
    @classmethod
    def _check_format(cls, text: str) -> str:
        import logging
        import re

        if re.search(r"\d{4}", text):
            raise ValueError("too wide")  # it would print, and here make, gigabytes

        class Sample(dict[str, Any]):
            def __missing__(self, name: str) -> int:
                return 0  # a field of the user's own (`extra`): any conversion takes 0

        record = logging.LogRecord("name", logging.INFO, "path", 1, "message", None, None)
        logging.Formatter(text)
        try:
            text % Sample(record.__dict__, message="", asctime="")
        except TypeError as error:
            raise ValueError(str(error)) from error
        return text


class DaskScheduler(_Table):
    """`[dask.scheduler]`: which of Dask's schedulers runs the steps."""

    type: Literal["single-threaded", "threads", "processes", "distributed"] = settings.DEFAULTS["dask"][
        "scheduler"
    ]["type"]
    """`distributed` makes a cluster, or connects to one by `dask.cluster.address`."""


class DaskAdapt(_OpenTable):
    """`[dask.cluster.adapt]`: workers come and go with the work. Further keys are handed to the cluster's `adapt`."""

    minimum: Count = 0
    """Least number of workers."""
    maximum: Annotated[int, Field(ge=1, json_schema_extra={"allowed": "an integer from 1"})] | None = None
    """Greatest number of workers."""


class DaskCluster(_OpenTable):
    """`[dask.cluster]`: the cluster. Further keys are handed to its class (`n_workers`, `cores`, `walltime`, ...)."""

    class_: Text | None = Field(None, alias="class")
    """Class of the cluster, such as `"dask_jobqueue.SLURMCluster"`; `LocalCluster` by default."""
    address: Text | None = None
    """Address of a running scheduler, instead of a cluster of our own."""
    jobs: Annotated[int, Field(ge=1, json_schema_extra={"allowed": "an integer from 1"})] | None = None
    """How many jobs (of a batch system) or workers are asked for; those that end are replaced while work is left."""
    connect_timeout: Seconds = 30.0
    """How long a scheduler may take to answer, at the beginning and later."""
    no_workers_timeout: Seconds | None = None
    """How long a run waits for a first or another worker; 10 min by default, 1 d with a `class`: batch jobs queue."""
    adapt: DaskAdapt | None = None
    """Workers come and go with the work, instead of `jobs`."""


class Dask(_Table):
    """`[dask]`: used by `run.mode = "dask"` only."""

    scheduler: DaskScheduler = DaskScheduler()
    """The scheduler."""
    cluster: DaskCluster = DaskCluster()
    """The cluster of the `distributed` scheduler."""


class Task(_Table):
    """`[tasks.T]`: one task."""

    modalities: Texts
    """The modalities that exist for the task."""
    label: str | None = None
    """What stands for `{task}` in file names; the task's name by default."""
    params: Params = {}
    """Parameters of the steps of this task."""


class Models(_OpenTable):
    """`[modalities.M.models]`: the classes of its records. Further keys are free, for classes of your own."""

    plugin: str | None = None
    """`pandas`, `processed`, an entry point of the group `sinagot.plugins`, or an import path."""
    data_path: Texts | None = None
    """pandas plugin: path parts below the dataset, with `{id}`."""
    record: str | None = None
    """Class name in `scripts/<M>/models/record.py` for the collection's records."""


class Modality(_Table):
    """`[modalities.M]`: one modality."""

    scripts: Texts = []
    """Steps of the modality, for every task."""
    task_scripts: dict[str, Texts] = {}
    """Further steps for one task; they come after the shared ones."""
    group_scripts: Texts = []
    """Scripts that run once for each task, for all its records, after the steps that write their inputs."""
    label: str | None = None
    """What stands for `{modality}` in file names; the modality's name by default."""
    models: Models = Models()
    """The classes of its records."""
    params: Params = {}
    """Parameters of the steps of this modality."""
    steps: dict[str, ModalityStep] = {}
    """What is said of single steps of this modality; it wins over `[steps.NAME]`."""


class Processed(_Table):
    """`[processed.KEY]`: a value that a step wrote, as `get_processed_data(KEY)` gives it."""

    step_label: str
    """The step whose output is read."""
    task: str | None = None
    """Task of the step."""
    modality: str | None = None
    """Modality of the step."""
    path_label: str | None = None
    """Which of the outputs, for a step with a dict of them."""
    data_getter: Literal["single_data", "dataframe_from_csv", "series_from_csv"] = "single_data"
    """How the file is read."""
    data_type: Literal["str", "float", "int"] | None = None
    """What the text of a `single_data` file becomes."""
    columns: Texts | None = None
    """Columns of the table where the file is missing."""


class Workflow(_Table):
    """`[workflow]`: workflows in Python code over the same folder."""

    class_: Text | None = Field(None, alias="class")
    """Workspace class, as `module:Class`, such as `"lab.flows:LabWorkspace"`; `ws.workflows` gives it, opened here."""


class Info(_OpenTable):
    """`[info]`: about the workspace. Further keys are free."""

    version: str = settings.DEFAULT_VERSION
    """Version of the workspace; it stands in every log line."""


class Workspace(_OpenTable):
    """A whole configuration. Further sections are free, unless their name is nearly one of these."""

    records: Records = Records()
    """Records."""
    steps: Steps = Steps.model_construct()
    """Steps of a workspace without tasks and modalities, and steps that are commands."""
    path: Path = Path()
    """Folders."""
    run: Run = Run()
    """Execution."""
    log: Log = Log()
    """Logging."""
    dask: Dask = Dask()
    """Dask."""
    tasks: dict[str, Task] = {}
    """Tasks, by name. With this section or `[modalities]` the workspace has scopes."""
    modalities: dict[str, Modality] = {}
    """Modalities, by name."""
    params: Params = {}
    """Parameters of all steps: `self.params` in scripts. Narrower tables of the same name win."""
    pipelines: dict[str, Pipeline] = {}
    """Parameters of pipelines, by name."""
    processed: dict[str, Processed] = {}
    """Values that steps wrote, by key."""
    workflow: Workflow = Workflow.model_construct()
    """Workflows in Python code over the same folder."""
    watch: Watch = Watch.model_construct()
    """`sinagot watch`."""
    notify: Notify = Notify.model_construct()
    """Messages about runs."""
    schedule: Schedule = Schedule.model_construct()
    """Templates of pipelines, and the service that runs them."""
    history: History = History.model_construct()
    """Where ticks and runs of the service are on record."""
    info: Info = Info()
    """About the workspace."""
