"""The tables `[watch]`, `[notify]`, `[pipelines]`, `[schedule]`, `[history]`; the text below a field is its reference.

Knows what may be written; must not know how it is used. `sinagot.config.schema` takes them up.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sinagot.config import settings, zones
from sinagot.config.fields import STRICT, Count, Params, Pattern, Pause, Seconds, Text, Words

__all__ = ["Email", "History", "Notify", "Pipeline", "PipelineOfRecord", "PipelinePart", "Schedule", "Watch"]


class _Table(BaseModel):
    model_config = STRICT


class Watch(_Table):
    """`[watch]`: how `sinagot watch` looks for new recordings."""

    quiet: Pause = settings.DEFAULT_QUIET
    """How long the inputs of a step must stay as they are, from one look to another, before it runs."""
    interval: Seconds = settings.DEFAULT_INTERVAL
    """Pause between two looks where it polls."""
    events: Literal["auto", "on", "off"] = "auto"
    """Let the system tell of new files (extra `watch`), or look again and again; `auto` polls on network drives."""
    sentinel: Pattern | None = None
    """Path pattern of a file below the data folder that says that a recording is complete; asked for besides."""
    outdated: bool | None = None
    """Run also what was made from something that changed since; as `run.rerun` says when absent."""


class Email(_Table):
    """`[notify.email]`: a message by e-mail."""

    to: Words | Text
    """Address, or a list of addresses."""
    from_: Text = Field(alias="from")
    """Address of the sender."""
    host: Text
    """The server that takes the message."""
    port: Annotated[int, Field(ge=1, le=65535, json_schema_extra={"allowed": "a port number"})] | None = None
    """Its port; 587 with `starttls`, 465 with `ssl`, 25 with `none` when absent."""
    security: Literal["starttls", "ssl", "none"] = "starttls"
    """How the connection is kept private."""
    user: Text | None = None
    """Name to log in with; none when absent."""
    password_env: Text | None = None
    """Environment variable that holds the password: it never stands in the file."""


class Notify(_Table):
    """`[notify]`: one message for each run of the command line, or of a watch, in which something was done."""

    when: Literal["always", "failures", "never"] = "always"
    """After each such run, or only where something failed."""
    command: Words | None = None
    """Program and arguments; gets the message as JSON on its standard input, and variables `SINAGOT_...`."""
    webhook: Text | None = None
    """Address that gets the message as JSON by POST."""
    webhook_env: Text | None = None
    """Environment variable that holds the address, where that is a secret."""
    email: Email | None = None
    """A message by e-mail."""
    timeout: Seconds = settings.DEFAULT_NOTIFY_TIMEOUT
    """How long each way may take."""


def _zone(name: str) -> str:
    fault = zones.fault_of_zone(name)
    if fault is not None:
        raise ValueError("; ".join(filter(None, fault)))
    return name


Number = Annotated[int, Field(ge=1, json_schema_extra={"allowed": "an integer from 1"})]
Zone = Annotated[
    str,
    AfterValidator(_zone),
    Field(json_schema_extra={"allowed": "the name of a time zone, such as 'Europe/Paris'"}),
]


class Schedule(_Table):
    """`[schedule]`: templates of pipelines, and the service that runs them by themselves."""

    registry: Words | None = None
    """Packages in which hooks are looked for; `.` is the workspace's folder, which is searched when absent."""
    filters: Words | None = None
    """Modules with filters for templates; otherwise whichever files of the workspace's folder declare one."""
    conf: Text | None = None
    """Folder of the YAML files, from the workspace's folder; `conf` when absent."""
    timezone: Zone = zones.DEFAULT_ZONE
    """Time zone of time tables that name none."""
    stage_default_id: bool = True
    """A stage without an id gets one that is made of its name, so that its outputs are kept."""
    stage_raise_error: bool = False
    """`Pipeline.execute` raises the error of a stage that fails, instead of telling it in the result."""
    max_job_parallel: Number | None = None
    """Jobs of one pipeline that run at once, where the pipeline does not say; 8 when absent."""
    max_runs: Number = settings.DEFAULT_MAX_RUNS
    """Runs that one service has going at one time; more wait."""
    workers: Number | None = None
    """Programs that one service has going at one time; the smaller of this and `max_runs` holds."""
    max_waiting: Number = settings.DEFAULT_MAX_WAITING
    """Runs that may wait for each program; further requests are refused."""
    stop: Literal["leave", "end"] = "leave"
    """What becomes of runs that go on when a service ends: the next one watches them on, or they are told to end."""
    log_enable_write: bool = True
    """Runs of pipelines for no record write a log file; their events are always on record."""
    overlap: Literal["skip", "queue", "allow"] = "skip"
    """What becomes of a tick while the run before it goes on; as all that follows, where a pipeline does not say."""
    catchup: Literal["latest", "all", "none"] = "latest"
    """Which ticks are made up for that nobody was there for."""
    max_catchup: Number = settings.DEFAULT_MAX_CATCHUP
    """How many of them at most, with `all`."""
    grace: Pause | None = None
    """How late a tick may still run; without limit when absent."""
    retry: Count = 0
    """How often a run that failed or was lost is tried again."""
    retry_delay: Pause = settings.DEFAULT_RETRY_DELAY
    """Pause before each such try."""


class History(_Table):
    """`[history]`: where ticks and runs of the service are on record."""

    url: Text | None = None
    """Address of a database, as SQLAlchemy writes it; files in the state folder when absent."""
    name: Text | None = None
    """By what the database knows this workspace, on all machines; when absent the state folder keeps a name."""


class _ParamTable(_Table):
    model_config = ConfigDict(extra="allow")


class PipelinePart(_ParamTable):
    """`[pipelines.NAME.tasks.T]`, `[pipelines.NAME.modalities.M]`: its parameters for one task or modality."""

    params: Params = {}
    """The same, written apart: for parameters that are named like a key of ours."""


class PipelineOfRecord(_ParamTable):
    """`[pipelines.NAME.records.ID]`, `[records.exceptions.ID.pipelines.NAME]`: parameters for one record."""

    params: Params = {}
    """The same, written apart: for parameters that are named like a key of ours."""
    tasks: dict[str, PipelinePart] = {}
    """Parameters for single tasks of the record."""
    modalities: dict[str, PipelinePart] = {}
    """Parameters for single modalities of the record."""


class Pipeline(_ParamTable):
    """`[pipelines.NAME]`: parameters of one pipeline: all keys but `params`, `tasks`, `modalities`, `records`."""

    params: Params = {}
    """The same, written apart: for parameters that are named like a key of ours."""
    tasks: dict[str, PipelinePart] = {}
    """Parameters for single tasks."""
    modalities: dict[str, PipelinePart] = {}
    """Parameters for single modalities."""
    records: dict[str, PipelineOfRecord] = {}
    """Parameters for single records, by id."""
