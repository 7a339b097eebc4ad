"""The tables `[watch]`, `[notify]` and `[pipelines]` of a configuration; the text below a field is its reference.

Knows what may be written; must not know how it is used. `sinagot.config.schema` takes them up.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sinagot.config import settings
from sinagot.config.fields import STRICT, Params, Pattern, Pause, Seconds, Text, Words

__all__ = ["Email", "Notify", "Pipeline", "PipelineOfRecord", "PipelinePart", "Watch"]


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
