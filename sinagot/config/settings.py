"""The resolved configuration as plain tuples, and the defaults of every section.

Knows names, types and defaults; must not know how they were read or checked. Every run loads it: no pydantic.
`sinagot.config.load` builds a `Configuration`; every layer above reads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

__all__ = [
    "CommandSettings",
    "Configuration",
    "DaskSettings",
    "EmailSettings",
    "HistorySettings",
    "LogSettings",
    "ModalitySettings",
    "NotifySettings",
    "PolicySettings",
    "RunSettings",
    "ScheduleSettings",
    "StepSettings",
    "TaskSettings",
    "WatchSettings",
    "fill_defaults",
]

#: Name of the file that is looked for when a folder is given.
CONFIG_NAME = "workspace.toml"
#: What `Workspace.config` shows for keys that the files do not have: those of the established surface.
DEFAULTS: dict[str, dict[str, Any]] = {
    "path": {"dataset": "./dataset", "scripts": "./scripts"},
    "run": {"mode": "main_process"},
    "log": {"name": "sinagot", "format": "%(asctime)s : %(message)s", "level": "INFO"},
    "dask": {"scheduler": {"type": "processes"}},
}
DEFAULT_VERSION = "0.1.0"
#: Seconds that a running script gets after the first Ctrl-C or SIGTERM.
DEFAULT_STOP_GRACE = 10.0
DEFAULT_DURABILITY: Literal["lazy", "full"] = "lazy"
#: Bytes: where a record's log file is turned.
DEFAULT_MAX_BYTES = 4 * 1024 * 1024
DEFAULT_BACKUPS = 5
#: Seconds that inputs must stay as they are, and between two looks of a watch.
DEFAULT_QUIET = 30.0
DEFAULT_INTERVAL = 10.0
#: Seconds that a message about a run may take.
DEFAULT_NOTIFY_TIMEOUT = 10.0
#: Of schedules: runs that are made up for, seconds before a try again, runs at one time, and those that may wait.
DEFAULT_MAX_CATCHUP = 10
DEFAULT_RETRY_DELAY = 5.0
DEFAULT_MAX_RUNS = 4
DEFAULT_MAX_WAITING = 100
#: Names below the dataset folder where `path.log` and `path.state` are not written.
LOG_FOLDER = "LOG"
STATE_FOLDER = ".sinagot"


class TaskSettings(NamedTuple):
    """One task: what a subject did, and the modalities that exist for it."""

    name: str
    label: str
    modalities: tuple[str, ...]


class ModalitySettings(NamedTuple):
    """One modality: its steps for every task, further ones for single tasks, its plugin."""

    name: str
    label: str
    scripts: tuple[str, ...]
    task_scripts: dict[str, tuple[str, ...]]
    plugin: str | None
    models: dict[str, Any]
    #: Steps that run once for all records of a task.
    group_scripts: tuple[str, ...] = ()


class StepSettings(NamedTuple):
    """What is said of a step beyond its paths; None where nothing is said."""

    rerun: str | None = None
    #: A word for all inputs, or pairs of input and word; None stands for the inputs that no pair names.
    check: str | tuple[tuple[str | None, str], ...] | None = None
    timeout: float | None = None  # seconds
    memory: int | None = None  # bytes
    retries: int | None = None
    retry_wait: float | None = None  # seconds
    retry_on: tuple[str, ...] | None = None
    threads: int | None = None
    isolate: bool | None = None
    nonempty: bool | None = None
    keep_failed: bool | None = None
    provenance: bool | None = None

    def check_of(self, name: str | None) -> str | None:
        """Say how a change of one input is told: ``"stat"``, ``"digest"``, or ``"content"`` of code-first nodes.

        Examples
        --------
        >>> settings = StepSettings(check=(("events", "digest"),))
        >>> (
        ...     settings.check_of("events"),
        ...     settings.check_of("recording"),
        ...     StepSettings(check="digest").check_of(None),
        ... )
        ('digest', 'stat', 'digest')
        """
        if not isinstance(self.check, tuple):
            return self.check
        said = dict(self.check)
        return said.get(name, said.get(None, "stat"))

    def reads(self, name: str | None) -> bool:
        """Say whether the content of an input is noted with a result; ``"content"`` asks for it where times differ."""
        return self.check_of(name) in ("digest", "content")

    def over(self, other: StepSettings) -> StepSettings:
        """Give what holds when both are said and this one wins; of inputs that it does not name, the other's word.

        Examples
        --------
        >>> StepSettings(retries=2).over(StepSettings(retries=1, threads=4))[4:8:3]
        (2, 4)
        >>> StepSettings(check=(("events", "stat"),)).over(StepSettings(check="digest")).check
        ((None, 'digest'), ('events', 'stat'))
        """
        said = {name: value for name, value in zip(self._fields, self, strict=True) if value is not None}
        if isinstance(self.check, tuple) and other.check is not None:
            wider = other.check if isinstance(other.check, tuple) else ((None, other.check),)
            said["check"] = tuple({**dict(wider), **dict(self.check)}.items())
        return other._replace(**said)  # type: ignore[arg-type]  # each value keeps its name


class RunSettings(NamedTuple):
    """How steps are executed; nothing here changes a result."""

    mode: str
    workers: int | None = None
    stop_grace: float = DEFAULT_STOP_GRACE
    #: What holds for steps of which nothing else is said.
    steps: StepSettings = StepSettings()
    durability: str = DEFAULT_DURABILITY
    latency_wait: float | None = None  # seconds; None is what the drive needs


class LogSettings(NamedTuple):
    """The workspace's logger and the records' log files; `level` is one of logging's names in capitals."""

    name: str
    format: str
    level: str
    max_bytes: int = DEFAULT_MAX_BYTES
    backups: int = DEFAULT_BACKUPS


class DaskSettings(NamedTuple):
    """Which scheduler the dask mode uses, and what its cluster is made with."""

    scheduler: str
    cluster: dict[str, Any]


class WatchSettings(NamedTuple):
    """How new recordings are looked for; times in seconds."""

    quiet: float = DEFAULT_QUIET
    interval: float = DEFAULT_INTERVAL
    events: str = "auto"
    sentinel: str | tuple[str, ...] | None = None
    #: None is as the rule of the runs says.
    outdated: bool | None = None
    #: Names of those that somebody has set, to whatever it is.
    said: frozenset[str] = frozenset()


class EmailSettings(NamedTuple):
    """Where a message by e-mail goes, and through which server."""

    to: tuple[str, ...]
    sender: str
    host: str
    port: int
    security: str
    user: str | None = None
    password_env: str | None = None


class NotifySettings(NamedTuple):
    """Who is told of a run, and when."""

    when: str = "always"
    command: tuple[str, ...] | None = None
    webhook: str | None = None
    webhook_env: str | None = None
    email: EmailSettings | None = None
    timeout: float = DEFAULT_NOTIFY_TIMEOUT  # seconds


class PolicySettings(NamedTuple):
    """What becomes of the ticks of a pipeline that cannot run as they are due; times in seconds."""

    #: Of a tick while the run before it goes on: ``skip``, ``queue`` or ``allow``.
    overlap: str = "skip"
    #: Of ticks that nobody was there for: ``latest``, ``all`` or ``none``.
    catchup: str = "latest"
    max_catchup: int = DEFAULT_MAX_CATCHUP
    #: How late a tick may still run; None is without limit.
    grace: float | None = None
    #: How often a run that failed or was lost is tried again, and the pause before.
    retries: int = 0
    retry_delay: float = DEFAULT_RETRY_DELAY
    #: Another word for `when` of the messages, or other messages; None is as for other runs.
    notify: str | NotifySettings | None = None

    def notify_over(self, other: NotifySettings) -> NotifySettings:
        """Give what holds for messages about a run of the pipeline.

        Parameters
        ----------
        other : NotifySettings
            What holds for other runs.

        Examples
        --------
        >>> PolicySettings(notify="failures").notify_over(NotifySettings(webhook="https://lab")).when
        'failures'
        """
        if isinstance(self.notify, str):
            return other._replace(when=self.notify)
        return other if self.notify is None else self.notify


class ScheduleSettings(NamedTuple):
    """What holds for templates of pipelines, and for the service that runs them."""

    #: Packages with hooks, and modules with filters.
    registry: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    #: Folder of the YAML files, from the workspace.
    conf: str | None = None
    timezone: str = "Etc/UTC"
    #: Outputs of a stage without an id are kept, under an id that is made of its name.
    stage_default_id: bool = True
    stage_raise_error: bool = False
    max_job_parallel: int | None = None
    max_runs: int = DEFAULT_MAX_RUNS
    workers: int | None = None
    max_waiting: int = DEFAULT_MAX_WAITING
    #: What becomes of runs when a service ends: ``leave`` or ``end``.
    stop: str = "leave"
    log_enable_write: bool = True
    #: Of pipelines that say nothing else.
    policies: PolicySettings = PolicySettings()


class HistorySettings(NamedTuple):
    """Where the history of ticks and launches is kept: the address of a database, or files; and by which name."""

    url: str | None = None
    name: str | None = None


class CommandSettings(NamedTuple):
    """A step that is a command; `input` and `output` are text, a tuple of text or a dict of those."""

    command: tuple[str, ...]
    input: Any
    output: Any
    shell: bool = False


class Configuration(NamedTuple):
    """Everything that the configuration says, with every default filled in and every path absolute.

    `warnings` is what the user should be told; `file_warnings` is the part of it that follows from the files
    alone: the cache keeps those, the others are looked at anew every time.
    """

    files: tuple[Path, ...]
    root: Path
    digest: str
    data_path: Path
    scripts_path: Path
    output_path: Path
    log_path: Path
    state_path: Path
    is_unit_mode: bool
    scripts: tuple[str, ...]
    tasks: dict[str, TaskSettings]
    modalities: dict[str, ModalitySettings]
    id_pattern: str | None
    records_path: str | tuple[str, ...] | None
    records_id: str | None
    entities: dict[str, str]
    commands: dict[str, CommandSettings]
    #: By modality (None for all) and name.
    steps: dict[tuple[str | None, str], StepSettings]
    processed: dict[str, dict[str, Any]]
    run: RunSettings
    log: LogSettings
    dask: DaskSettings
    info: dict[str, Any]
    version: str
    raw: dict[str, Any]
    warnings: tuple[str, ...]
    file_warnings: tuple[str, ...] = ()
    group_scripts: tuple[str, ...] = ()
    watch: WatchSettings = WatchSettings()
    notify: NotifySettings = NotifySettings()
    #: As the files say; `sinagot.config.schedules` lets environment variables win.
    schedule: ScheduleSettings = ScheduleSettings()
    history: HistorySettings = HistorySettings()


def fill_defaults(tables: dict[str, Any]) -> dict[str, Any]:
    """Fill the default keys of `path`, `run`, `log` and `dask` into merged tables, in place.

    Parameters
    ----------
    tables : dict
        Merged tables as read. A section that is no table is left for the checks to report.

    Returns
    -------
    dict
        The same object.

    Examples
    --------
    >>> fill_defaults({"run": {"mode": "dask"}})["run"]
    {'mode': 'dask'}
    >>> fill_defaults({"log": {"level": "DEBUG"}})["log"]["name"]
    'sinagot'
    """
    _fill(tables, DEFAULTS)
    return tables


def _fill(tables: dict[str, Any], defaults: dict[str, Any]) -> None:
    for key, default in defaults.items():
        if isinstance(default, dict):
            below = tables.setdefault(key, {})
            if isinstance(below, dict):
                _fill(below, default)
        else:
            tables.setdefault(key, default)
