"""What holds for templates and for the service: environment variables win over `[schedule]` and `[history]`.

Knows names of variables and what each may say; must not know what a template or a service is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sinagot.config import settings
from sinagot.config.zones import VARIABLE as ZONE_VARIABLE
from sinagot.config.zones import default_zone
from sinagot.errors import ConfigurationError

__all__ = [
    "VARIABLES",
    "Said",
    "history_of",
    "schedule_in",
    "schedule_of",
    "variables_said",
    "without_password",
]

_WORDS = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}
_PASSWORD = re.compile(r"(?<=://)([^/?#\s:@]*):[^/?#\s]*@")


class Said(NamedTuple):
    """What a variable says."""

    variable: str
    value: Any


def _flag(name: str, text: str) -> bool:
    if text.strip().lower() not in _WORDS:
        raise ConfigurationError.at(f"should be true or false; found {text!r}", key=name, found=text)
    return _WORDS[text.strip().lower()]


def _count(name: str, text: str) -> int:
    word = text.strip()
    if not (word.isascii() and word.isdigit() and int(word[:12])):
        raise ConfigurationError.at(f"should be a number from 1; found {text!r}", key=name, found=text)
    return int(word[:12])


def _list(_name: str, text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.strip() for one in text.split(",") if one.strip()))


def _text(_name: str, text: str) -> str:
    return text


def _zone(name: str, text: str) -> str:
    return default_zone(environ={name: text})


#: Variable -> table and key that it stands for, and how it is read.
VARIABLES: dict[str, tuple[str, str, Callable[[str, str], Any]]] = {
    "WORKFLOW_CORE_REGISTRY": ("schedule", "registry", _list),
    "WORKFLOW_CORE_REGISTRY_FILTER": ("schedule", "filters", _list),
    "WORKFLOW_CORE_PATH_CONF": ("schedule", "conf", _text),
    ZONE_VARIABLE: ("schedule", "timezone", _zone),
    "WORKFLOW_CORE_STAGE_DEFAULT_ID": ("schedule", "stage_default_id", _flag),
    "WORKFLOW_CORE_STAGE_RAISE_ERROR": ("schedule", "stage_raise_error", _flag),
    "WORKFLOW_CORE_MAX_JOB_PARALLEL": ("schedule", "max_job_parallel", _count),
    "WORKFLOW_CORE_MAX_PIPELINE_POKING": ("schedule", "max_runs", _count),
    "WORKFLOW_APP_PROCESS_WORKER": ("schedule", "workers", _count),
    "WORKFLOW_APP_PIPELINE_PER_PROCESS": ("schedule", "max_waiting", _count),
    "WORKFLOW_LOG_ENABLE_WRITE": ("schedule", "log_enable_write", _flag),
    "WORKFLOW_API_DB_URL": ("history", "url", _text),
}


def variables_said(environ: Mapping[str, str] | None = None) -> dict[tuple[str, str], Said]:
    """Give what variables say, by table and key.

    Parameters
    ----------
    environ : mapping of str to str, optional
        The variables; those of the process by default. One that is set to nothing counts as unset.

    Raises
    ------
    ConfigurationError
        One says what is not possible; names it.

    Examples
    --------
    >>> variables_said({"WORKFLOW_CORE_MAX_PIPELINE_POKING": "2"})
    {('schedule', 'max_runs'): Said(variable='WORKFLOW_CORE_MAX_PIPELINE_POKING', value=2)}
    """
    variables = os.environ if environ is None else environ
    return {
        (table, key): Said(name, read(name, variables[name]))
        for name, (table, key, read) in VARIABLES.items()
        if variables.get(name)
    }


def schedule_of(
    configuration: settings.Configuration | None, environ: Mapping[str, str] | None = None
) -> settings.ScheduleSettings:
    """Give what holds for templates and the service of a workspace.

    Parameters
    ----------
    configuration : Configuration or None
        Of the workspace; None is without one.
    environ : mapping of str to str, optional
        The variables; those of the process by default.
    """
    schedule = settings.ScheduleSettings() if configuration is None else configuration.schedule
    return _with_variables(schedule, environ)


def schedule_in(
    folder: str | os.PathLike[str], environ: Mapping[str, str] | None = None
) -> settings.ScheduleSettings:
    """Give what holds for templates in a folder, whatever else its configuration says.

    Parameters
    ----------
    folder : str or path-like
        It may have a ``workspace.toml``; only the table `[schedule]` of it is looked at.
    environ : mapping of str to str, optional
        The variables; those of the process by default.

    Raises
    ------
    ConfigurationError
        The file is no TOML, or the table is wrong; names file, line and key.
    """
    file = Path(folder) / settings.CONFIG_NAME
    if not file.is_file():
        return _with_variables(settings.ScheduleSettings(), environ)
    from sinagot.config.sources import read_source

    source = read_source(file)
    table = source.tables.get("schedule")
    if table is None:
        return _with_variables(settings.ScheduleSettings(), environ)
    from sinagot.config.build import schedule_settings
    from sinagot.config.checks import check_schema
    from sinagot.config.problems import Problems, joined_error

    problems = Problems([source])
    check_schema({"schedule": table}, problems)
    if problems.errors:
        raise joined_error(problems.errors)
    return _with_variables(schedule_settings(table), environ)


def history_of(
    configuration: settings.Configuration, environ: Mapping[str, str] | None = None
) -> settings.HistorySettings:
    """Say where ticks and runs of the service of a workspace are on record.

    Parameters
    ----------
    configuration : Configuration
        Of the workspace.
    environ : mapping of str to str, optional
        The variables; those of the process by default.
    """
    said = variables_said(environ).get(("history", "url"))
    return configuration.history if said is None else configuration.history._replace(url=said.value)


def without_password(url: str) -> str:
    """Give the address of a database as it may be shown.

    Examples
    --------
    >>> without_password("postgresql+psycopg://lab:s3cret@db/lab"), without_password("sqlite:////data/a.db")
    ('postgresql+psycopg://lab:***@db/lab', 'sqlite:////data/a.db')
    """
    return _PASSWORD.sub(r"\1:***@", url)


def _with_variables(
    schedule: settings.ScheduleSettings, environ: Mapping[str, str] | None
) -> settings.ScheduleSettings:
    said = variables_said(environ)
    return schedule._replace(**{key: one.value for (table, key), one in said.items() if table == "schedule"})
